//! Did you mean? The nearest of the names that would have been legal.

use std::cell::Cell;

use super::{Applicability, synonyms};

/// Longer words are no slips of the finger.
const LONGEST: usize = 64;

/// Names that are compared with one another in one compilation. A spec of thousands of wrong names would otherwise be compared
/// with thousands of right ones for each; the first of them tell enough.
const WORK: usize = 500_000;

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(WORK) };
}

/// A compilation begins: what it suggests does not depend on those before it.
pub fn begin() {
    LEFT.set(WORK);
}

/// Whether no more names are compared: then a message lists none either, so that many wrong names among many cost no more than
/// reading them.
pub fn is_spent() -> bool {
    LEFT.get() == 0
}

/// How far two names in small letters are apart; too far once the work is used up.
fn distance(a: &str, b: &str) -> usize {
    match LEFT.get().checked_sub(1) {
        Some(left) if b.len() <= 4 * LONGEST => {
            LEFT.set(left);
            strsim::damerau_levenshtein(a, &b.to_lowercase())
        }
        _ => usize::MAX,
    }
}

/// The candidate nearest to `word`, if it is near enough to be a likely slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if is_spent() {
        return None;
    }
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if length > LONGEST {
        LEFT.set(LEFT.get().saturating_sub(candidates.len()));
        return None;
    }
    if let Some(same) = synonyms::find(word, candidates.iter().copied()) {
        return Some(same);
    }
    let lower = word.to_lowercase();
    let limit = (length / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|c| (distance(&lower, c), c))
        .filter(|(d, c)| {
            let beginning = || begins(&lower, c) || (c.len() >= 4 && lower.starts_with(&c.to_lowercase()));
            *d <= limit || *d < usize::MAX && beginning()
        })
        // The first letter is seldom the one that is wrong: `rlu` is `relu` rather than `elu`.
        // By the text in the end: candidates may come in the order of a hash table.
        .min_by_key(|(d, c)| (*d, !c.to_lowercase().starts_with(lower.chars().next().unwrap_or(' ')), c.len(), *c))
        .map(|(_, c)| c)
}

fn begins(lower: &str, candidate: &str) -> bool {
    lower.len() >= 3 && candidate.to_lowercase().starts_with(lower)
}

/// Whether `near` is surely what was meant by `word`: the word is long enough to tell, and no other candidate is as near.
pub fn certainty<'a>(word: &str, near: &str, candidates: impl IntoIterator<Item = &'a str>) -> Applicability {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if synonyms::find(word, candidates.iter().copied()) == Some(near) {
        return Applicability::Safe;
    }
    let lower = word.to_lowercase();
    let best = distance(&lower, near);
    let alone = candidates.into_iter().all(|c| c == near || distance(&lower, c) > best);
    let slight = word.chars().count() >= 3 && best.saturating_mul(3) <= word.chars().count();
    // What was not compared is not known.
    if alone && slight && !is_spent() { Applicability::Safe } else { Applicability::Maybe }
}

/// A list of names for a help line: all of up to twelve, else the first twelve and how many more.
pub fn listing<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let short = |n: &str| match n.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("`{}...`", &n[..at]),
        None => format!("`{n}`"),
    };
    let shown = names.iter().take(12).map(|n| short(n)).collect::<Vec<_>>().join(", ");
    if names.len() > 12 { format!("{shown} and {} more", names.len() - 12) } else { shown }
}
