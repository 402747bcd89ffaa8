//! Columns that inputs read: ranges, means and missing cells per split, and what moves between splits.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Finding, Subject, digits, percent, split};
use crate::data::freeze::{ColumnFacts, Facts};
use crate::data::raw::{MISSING, RawColumn, Values};
use crate::data::schema_text;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnSurvey {
    pub column: String,
    /// "number", "text", "array", or "pictures".
    pub kind: &'static str,
    /// Sizes per row of an array or a picture.
    pub shape: Vec<usize>,
    pub splits: Vec<ColumnSplit>,
    /// The largest move of a later split from training: of numbers in training deviations of the mean, of texts the share of rows
    /// that would have to change.
    pub shift: Option<f64>,
}

/// A column in one split.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ColumnSplit {
    pub missing: usize,
    /// Of numbers.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub mean: Option<f64>,
    /// Of texts: how many different ones, the most frequent, and how many cells hold one that does not occur in training.
    pub distinct: Option<usize>,
    pub most: Option<(String, usize)>,
    pub unseen: Option<usize>,
}

/// From here on a shift is told: of a mean in deviations, of shares of texts; both beyond what chance gives.
const NUMBER_SHIFT: f64 = 0.25;
const TEXT_SHIFT: f64 = 0.1;
/// Standard errors that chance is allowed.
const ERRORS: f64 = 4.0;

pub fn survey(of: &Subject, findings: &mut Vec<Finding>) -> Vec<ColumnSurvey> {
    let mut out = Vec::new();
    let facts = of.schema.by_name();
    let places: HashMap<&str, usize> = of.raw.columns.iter().enumerate().map(|(at, c)| (c.name.as_str(), at)).collect();
    for name in of.inputs {
        let (Some(at), Some(facts)) = (places.get(name.as_str()).copied(), facts.get(name.as_str())) else { continue };
        let column = &of.raw.columns[at];
        let values: Vec<&Values> = of.raw.splits.iter().map(|s| &s.columns[at]).collect();
        let surveyed = match &facts.facts {
            // Nothing is known of pixels that are not read.
            Facts::Picture => {
                let splits = vec![ColumnSplit::default(); values.len()];
                let (column, shape) = (name.clone(), column.shape.clone());
                ColumnSurvey { column, kind: "pictures", shape, splits, shift: None }
            }
            Facts::Numeric { mean, std, .. } => numbers(of, column, facts, &values, [*mean, *std], findings),
            Facts::Category { .. } | Facts::Withheld { .. } | Facts::Hashed { .. } => {
                texts(of, column, facts, &values, findings)
            }
        };
        out.push(surveyed);
    }
    out
}

fn numbers(
    of: &Subject,
    column: &RawColumn,
    facts: &ColumnFacts,
    values: &[&Values],
    [mean, std]: [f64; 2],
    findings: &mut Vec<Finding>,
) -> ColumnSurvey {
    let name = &column.name;
    let mut say = |kind: &'static str, message: String| findings.push(Finding::new(kind, name, message));
    let mut splits = Vec::new();
    let mut shift: Option<f64> = None;
    for (s, v) in values.iter().enumerate() {
        // Sums distances from the training mean, because sums of large numbers would be rounded.
        let (mut n, mut from, mut min, mut max) = (0usize, 0.0, f64::INFINITY, f64::NEG_INFINITY);
        for x in v.numbers().filter(|x| !x.is_nan()) {
            n += 1;
            from += x - mean;
            min = min.min(x);
            max = max.max(x);
        }
        let from = from / n.max(1) as f64;
        let some = |v: f64| (n > 0).then_some(v);
        splits.push(ColumnSplit {
            missing: v.len() - n,
            min: some(v.precision().shortest(min)),
            max: some(v.precision().shortest(max)),
            mean: some(mean + from),
            ..ColumnSplit::default()
        });
        let rows = of.split_rows();
        if s > 0 && n > 0 && std > 0.0 {
            let moved = from / std;
            if shift.is_none_or(|old| moved.abs() > old.abs()) {
                shift = Some(moved);
            }
            // Values of one row go together, so rows are what chance counts.
            let error = (1.0 / rows[0].max(1) as f64 + 1.0 / rows[s].max(1) as f64).sqrt();
            if moved.abs() > NUMBER_SHIFT && moved.abs() > ERRORS * error {
                say(
                    "shift",
                    format!(
                        "column `{name}` moves between training and {}: its mean goes from {} to {}, {:.1} deviations",
                        split(s),
                        digits(mean, std),
                        digits(mean + from, std),
                        moved.abs()
                    ),
                );
            }
        }
        let (gone, before) = (v.len() - n, splits[0].missing);
        let share = |m: usize, s: usize| m as f64 / values[s].len().max(1) as f64;
        if s > 0 && !v.is_empty() && (share(gone, s) - share(before, 0)).abs() > TEXT_SHIFT {
            say(
                "shift",
                format!(
                    "column `{name}` misses {} of its training cells and {} in {}",
                    percent(before, values[0].len()),
                    percent(gone, v.len()),
                    split(s)
                ),
            );
        }
    }
    let train = values[0];
    let present = train.len() - splits[0].missing;
    let scalar = column.shape.is_empty();
    if present == 0 && !train.is_empty() {
        say("empty", format!("column `{name}` is missing in every training row"));
    } else if splits[0].min == splits[0].max {
        say(
            "constant",
            format!(
                "column `{name}` holds the same number, {}, in every training row: it carries no information",
                splits[0].min.map(schema_text::number).unwrap_or_default()
            ),
        );
    } else if scalar && present >= of.least.max(20) && train.numbers().all(|v| v.is_nan() || v.fract() == 0.0) {
        let seen: HashSet<u128> =
            (0..train.len()).filter(|i| !train.number(*i).is_nan()).map(|i| train.key(i)).collect();
        if seen.len() == present {
            say("identifier", identifier(name, "whole numbers", present));
        } else if seen.len() > 2 && called_code(name) {
            say(
                "code",
                format!(
                    "column `{name}` is read as a quantity, but its name suggests that its {} whole numbers are ids or codes: if they \
                     are, make it a category with `categories = [{}, ...]`, or leave it out of `numeric`",
                    seen.len(),
                    schema_text::name(name)
                ),
            );
        }
    }
    let kind = if scalar { "number" } else { "array" };
    ColumnSurvey { column: facts.name.clone(), kind, shape: column.shape.clone(), splits, shift }
}

/// Whether a name ends in a word for what is no quantity: `user_id`, `userId`, `zip_code`.
fn called_code(name: &str) -> bool {
    let lower = name.to_lowercase();
    let last = lower.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    matches!(last, "id" | "code" | "zip" | "zipcode" | "postcode" | "key")
        || name.ends_with("Id")
        || name.ends_with("ID")
}

fn identifier(name: &str, what: &str, rows: usize) -> String {
    let written = schema_text::name(name);
    format!(
        "column `{name}` holds {what} that are different in every one of {rows} training rows: an identifier is useless for new rows; \
         leave it out with `except = [{written}]`"
    )
}

fn texts(
    of: &Subject,
    column: &RawColumn,
    facts: &ColumnFacts,
    values: &[&Values],
    findings: &mut Vec<Finding>,
) -> ColumnSurvey {
    let name = &column.name;
    let mut say = |kind: &'static str, message: String| findings.push(Finding::new(kind, name, message));
    let counts: Vec<Vec<usize>> = values
        .iter()
        .map(|v| {
            // The last one counts missing cells.
            let mut counts = vec![0; column.dictionary.len() + 1];
            if let Values::Text(codes) = v {
                let at = |c: u32| if c == MISSING { column.dictionary.len() } else { c as usize };
                codes.iter().for_each(|c| counts[at(*c)] += 1);
            }
            counts
        })
        .collect();
    let mut splits = Vec::new();
    let mut shift: Option<f64> = None;
    for (s, here) in counts.iter().enumerate() {
        let (words, missing) = here.split_at(column.dictionary.len());
        let most = words.iter().zip(&column.dictionary).max_by_key(|(n, w)| (**n, std::cmp::Reverse(w.as_str())));
        let unseen: Vec<usize> = (0..words.len()).filter(|w| words[*w] > 0 && counts[0][*w] == 0).collect();
        let cells: usize = unseen.iter().map(|w| words[*w]).sum();
        splits.push(ColumnSplit {
            missing: missing[0],
            distinct: Some(words.iter().filter(|n| **n > 0).count()),
            most: most.filter(|(n, _)| **n > 0).map(|(n, w)| (w.clone(), *n)),
            unseen: (s > 0).then_some(cells),
            ..ColumnSplit::default()
        });
        let rows = of.split_rows();
        if s == 0 || rows[s] == 0 {
            continue;
        }
        let (a, b) = (rows[0].max(1) as f64, rows[s] as f64);
        let shares = || counts[0].iter().zip(here).map(|(x, y)| (*x as f64 / a, *y as f64 / b));
        let moved: f64 = shares().map(|(x, y)| (x - y).abs()).sum::<f64>() / 2.0;
        let chance: f64 = shares().map(|(x, y)| ((x + y) / 2.0 * (1.0 / a + 1.0 / b)).sqrt()).sum::<f64>() / 2.0;
        shift = Some(shift.map_or(moved, |old| old.max(moved)));
        if moved > TEXT_SHIFT && moved > 2.0 * chance {
            say(
                "shift",
                format!(
                    "column `{name}` moves between training and {}: {:.0} % of the rows would need another text to match the training frequencies",
                    split(s),
                    100.0 * moved
                ),
            );
        }
        if cells > 0 {
            say(
                "unseen",
                format!(
                    "column `{name}`: {cells} {} {} a text that does not occur in the training rows ({}), such as {:?}: read as unknown",
                    split(s),
                    if cells == 1 { "cell holds" } else { "cells hold" },
                    percent(cells, rows[s]),
                    column.dictionary[unseen[0]]
                ),
            );
        }
    }
    let rows = of.split_rows()[0];
    let (present, distinct) = (rows - splits[0].missing, splits[0].distinct.unwrap_or(0));
    match (present, distinct) {
        (0, _) if rows > 0 => say("empty", format!("column `{name}` is missing in every training row")),
        (_, 1) if splits[0].missing == 0 => {
            let word = splits[0].most.as_ref().map_or("", |(w, _)| w.as_str());
            say(
                "constant",
                format!(
                    "column `{name}` holds the same text, {word:?}, in every training row: it carries no information"
                ),
            );
        }
        (n, d) if n >= of.least.max(20) && n == d => say("identifier", identifier(name, "texts", n)),
        _ => {}
    }
    ColumnSurvey { column: facts.name.clone(), kind: "text", shape: Vec::new(), splits, shift }
}
