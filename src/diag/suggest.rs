//! Did you mean? The nearest of the names that would have been legal.

use super::{Applicability, synonyms};

/// Longer words are no slips of the finger.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be a likely slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(same) = synonyms::find(word, candidates.iter().copied()) {
        return Some(same);
    }
    let lower = word.to_lowercase();
    let limit = (length / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|c| c.len() <= 4 * LONGEST)
        .map(|c| (strsim::damerau_levenshtein(&lower, &c.to_lowercase()), c))
        .filter(|(d, c)| *d <= limit || begins(&lower, c) || (c.len() >= 4 && lower.starts_with(&c.to_lowercase())))
        .min_by_key(|(d, c)| (*d, c.len()))
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
    // The work goes with the product of the lengths, and a much longer name is never near.
    let distance = |c: &str| {
        if c.len() > 4 * LONGEST { usize::MAX } else { strsim::damerau_levenshtein(&lower, &c.to_lowercase()) }
    };
    let best = distance(near);
    let alone = candidates.into_iter().all(|c| c == near || distance(c) > best);
    let slight = word.chars().count() >= 3 && 3 * best <= word.chars().count();
    if alone && slight { Applicability::Safe } else { Applicability::Maybe }
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
