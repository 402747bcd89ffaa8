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

/// Whether `near` is the only thing that `word` can mean: the same word in other capitals, another tool's name of exactly the same
/// thing, or one slip of the keyboard away from it and from no other candidate. Only then may a fix be made without asking.
pub fn certainty<'a>(word: &str, near: &str, candidates: impl IntoIterator<Item = &'a str>) -> Applicability {
    let lower = word.to_lowercase();
    let certain = synonyms::same(word, near)
        || !synonyms::differs(word)
            && slip(&lower, &near.to_lowercase())
            && candidates.into_iter().all(|c| c == near || distance(&lower, c) > 1)
            // What was not compared is not known.
            && !is_spent();
    if certain { Applicability::Safe } else { Applicability::Maybe }
}

/// Whether `near` is probably meant, which is enough to go on reading and not enough to change the text.
pub fn likely<'a>(word: &str, near: &str, candidates: impl IntoIterator<Item = &'a str>) -> bool {
    let lower = word.to_lowercase();
    let best = distance(&lower, near);
    let slight = word.chars().count() >= 3 && best.saturating_mul(3) <= word.chars().count();
    synonyms::find(word, [near].into_iter()) == Some(near)
        || slight && candidates.into_iter().all(|c| c == near || distance(&lower, c) > best) && !is_spent()
}

/// Whether two words in small letters differ by one slip of the keyboard: two letters swapped, one doubled, forgotten, replaced, or hit
/// in addition. Not where a digit differs (`resnet50`), where a letter stands before or behind the whole word (`prelu`, `sgdw`), where it
/// makes a plural, and in short words, which are near to too many others.
fn slip(word: &str, near: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (word.chars().collect(), near.chars().collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
    let (x, y) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    if x.iter().chain(y).any(|c| !c.is_alphabetic()) {
        return false;
    }
    let ends = head == 0 || tail == 0;
    match (x, y) {
        ([p, q], [r, s]) => p == s && q == r && b.len() >= 4,
        ([_], [_]) => b.len() >= 5 && head > 0,
        // A doubled letter: the end of the common beginning is the letter itself.
        ([p], []) => head > 0 && a[head - 1] == *p && (tail > 0 || *p != 's') && b.len() >= 4 || !ends && b.len() >= 6,
        ([], [q]) => b.len() >= 5 && head > 0 && (tail > 0 || *q != 's'),
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: &[&str] = &[
        "relu",
        "gelu",
        "elu",
        "linear",
        "dropout",
        "batch_norm",
        "layer_norm",
        "conv",
        "max_pool",
        "concat",
        "upsample",
    ];
    const WORDS: &[&str] =
        &["batch", "epochs", "optimizer", "mae", "mse", "auc", "adam", "sgd", "step", "resnet18", "height", "users"];

    /// A fix is made without asking only where the word has one reading.
    #[test]
    fn one_reading_is_needed_for_a_safe_replacement() {
        begin();
        let of = |word: &str| {
            let all = || OPS.iter().chain(WORDS).copied();
            nearest(word, all()).map(|near| (near, certainty(word, near, all())))
        };
        for (word, meant) in [
            ("lienar", "linear"),
            ("liner", "linear"),
            ("linaer", "linear"),
            ("linnear", "linear"),
            ("linexr", "linear"),
            ("droopout", "dropout"),
            ("ReLU", "relu"),
            ("BatchNorm", "batch_norm"),
            ("batch_size", "batch"),
            ("optimiser", "optimizer"),
            ("fc", "linear"),
            ("epocsh", "epochs"),
            ("heigth", "height"),
        ] {
            assert_eq!(of(word), Some((meant, Applicability::Safe)), "{word}");
        }
        for word in [
            "relu6",
            "prelu",
            "selu",
            "celu",
            "rlu",
            "resnet50",
            "resnet81",
            "resnet1",
            "mape",
            "msle",
            "nadam",
            "sgdw",
            "ada",
            "auprc",
            "reads",
            "StepLR",
            "user",
            "userss",
            "steps",
            "interpolate",
            "heightx",
            "xheight",
            "maxx_pol",
            "conv2",
            "l1_los",
        ] {
            assert_ne!(of(word).map(|(_, how)| how), Some(Applicability::Safe), "{word}");
        }
    }
}
