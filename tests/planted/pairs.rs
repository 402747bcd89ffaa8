//! Two mistakes in one program: what is said of both together is what is said of each alone, up to what depends on the other.

use std::collections::BTreeSet;

use mtlc::random::Randomness;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::program::{Plant, Program, compile};
use super::{Kind, kinds, number};

type Said = BTreeSet<(&'static str, String)>;

/// The errors that the program did not have.
fn errors(program: &Program, plants: &[&Plant]) -> Said {
    let mut edits: Vec<_> = plants.iter().flat_map(|p| &p.edits).collect();
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut text = program.text.clone();
    for (range, new) in edits {
        text.replace_range(range.clone(), new);
    }
    let said = compile(&program.path, &text).diagnostics;
    let said = said.into_iter().filter(|d| d.is_error()).map(|d| (d.code.name(), d.message));
    said.filter(|d| !program.before.contains(d)).collect()
}

/// The item that a plant is in, if it is in one.
fn item_of(program: &Program, plant: &Plant) -> Option<usize> {
    let inside =
        |at: usize| program.file.items.iter().position(|i| i.span.range().start <= at && at <= i.span.range().end);
    let mut items = plant.edits.iter().flat_map(|(r, _)| [inside(r.start), inside(r.end)]);
    let first = items.next()??;
    items.all(|i| i == Some(first)).then_some(first)
}

/// A mistake of this kind in the program that is an error.
fn draw(program: &Program, kind: &Kind, rng: &mut ChaCha8Rng) -> Option<(usize, Plant, Said)> {
    let places = (kind.places)(program, rng);
    if places.is_empty() {
        return None;
    }
    let plant = places[rng.random_range(0..places.len())].clone();
    let item = item_of(program, &plant)?;
    let said = errors(program, &[&plant]);
    (!said.is_empty()).then_some((item, plant, said))
}

/// What a mistake elsewhere truly decides: shapes, the fit of space and strategy, how often something may stand.
fn depends(code: &str) -> bool {
    ["mtl::shape::", "mtl::search::", "mtl::space::", "mtl::provenance::", "mtl::backbone::no_head", "mtl::topology::"]
        .iter()
        .any(|family| code.starts_with(family))
}

/// The share of pairs of which something is hidden that depends on nothing, and of pairs with something new.
pub fn hidden_and_new(programs: &[Program], draws: u64) -> (f64, f64) {
    let random = Randomness::new(number("PLANTED_SEED", 1));
    let show = number("PLANTED_SHOW", 0) > 0;
    let kinds = kinds();
    let (mut hidden, mut added) = (0, 0);
    for draw_number in 0..draws {
        for attempt in 0.. {
            assert!(attempt < 1000, "no two mistakes can be planted");
            let mut rng = random.stream("pairs", [draw_number, attempt, 0]);
            let program = &programs[rng.random_range(0..programs.len())];
            let (a, b) = (rng.random_range(0..kinds.len()), rng.random_range(0..kinds.len()));
            let Some((first, one, said)) = draw(program, kinds[a], &mut rng) else { continue };
            let Some((second, other, more)) = draw(program, kinds[b], &mut rng) else { continue };
            if first == second {
                continue;
            }
            let want: Said = said.union(&more).cloned().collect();
            let got = errors(program, &[&one, &other]);
            let lost: Vec<_> = want.difference(&got).filter(|(code, _)| !depends(code)).collect();
            let new: Vec<_> = got.difference(&want).collect();
            hidden += usize::from(!lost.is_empty());
            added += usize::from(!new.is_empty());
            if show && !(lost.is_empty() && new.is_empty()) {
                println!(
                    "---- {draw_number}: {} and {} in {}\n{:?}\n{:?}\nhidden {lost:#?}\nnew {new:#?}",
                    kinds[a].name, kinds[b].name, program.name, one.edits, other.edits
                );
            }
            break;
        }
    }
    println!("pairs: {draws}, something hidden in {hidden}, something new in {added}");
    (hidden as f64 / draws as f64, added as f64 / draws as f64)
}
