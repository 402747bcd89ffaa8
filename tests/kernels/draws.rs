//! Random values, and how much work a draw is.

use crate::dice::Dice;
use crate::expected::Array;

/// How much work a draw is: mostly little, sometimes enough to be split between threads.
pub fn budget(dice: &mut Dice) -> usize {
    if dice.one_in(8) { 2_500_000 } else { 150_000 }
}

/// Values in -1..1, in one of several manners: any; with many zeros; small whole numbers, which tie.
pub fn values(dice: &mut Dice, dims: &[usize]) -> Array {
    let manner = dice.between(0, 5);
    let one = |dice: &mut Dice| match manner {
        0 if dice.one_in(2) => 0.0,
        1 => dice.between(0, 4) as f64 / 2.0 - 1.0,
        _ => dice.real(-1.0, 1.0),
    };
    let data = (0..dims.iter().product()).map(|_| one(dice)).collect();
    Array { dims: dims.to_vec(), data }
}

/// Values in a range, all different in all likelihood.
pub fn reals(dice: &mut Dice, dims: &[usize], from: f64, to: f64) -> Array {
    let data = (0..dims.iter().product()).map(|_| dice.real(from, to)).collect();
    Array { dims: dims.to_vec(), data }
}
