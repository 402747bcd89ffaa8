//! How inputs are made from seeds.

pub mod bytes;
pub mod tokens;
pub mod tree;

use super::dice::Dice;
use super::seeds::Seeds;

/// A spec like a seed. Most changes leave it readable: what is wrong behind the parser is not found by inputs that stop there.
pub fn spec(seeds: &Seeds, dice: &mut Dice) -> String {
    let seed = seeds.pick(dice);
    let few = [1, 1, 1, 2, 2, 3, 5, 9][dice.roll(8)];
    match dice.roll(24) {
        0..=4 => tree::mutate(&seed.text, &seed.nodes, seeds, dice),
        5..=15 => tokens::gentle(&seed.text, seeds, few, dice),
        16..=18 => {
            let text = tree::mutate(&seed.text, &seed.nodes, seeds, dice);
            tokens::gentle(&text, seeds, few, dice)
        }
        19 => {
            let text = tree::mutate(&seed.text, &seed.nodes, seeds, dice);
            let nodes = super::seeds::nodes(&text);
            tree::mutate(&text, &nodes, seeds, dice)
        }
        20 | 21 => tokens::mutate(&seed.text, seeds, few, dice),
        22 => tokens::relayout(&seed.text, dice),
        _ => {
            let mut raw = seed.text.clone().into_bytes();
            for _ in 0..few {
                bytes::mutate(&mut raw, seeds.pick(dice).text.as_bytes(), dice);
            }
            String::from_utf8_lossy(&raw).into_owned()
        }
    }
}
