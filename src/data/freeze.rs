//! The frozen facts about a data set: what a spec may rely on without the data. Vocabularies and statistics come from the
//! training split alone.

use super::raw::{FileFact, MISSING, Raw, RawColumn, SPLITS, Values};

/// Facts about a data set. Printed and read as a `schema` item (`schema_text.rs`).
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The format it was read with.
    pub format: String,
    /// Cells that mean "missing".
    pub missing: Vec<String>,
    pub files: Vec<FileFact>,
    /// Rows of train, validation, test.
    pub rows: [usize; 3],
    pub columns: Vec<ColumnFacts>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnFacts {
    pub name: String,
    /// Sizes per sample; empty for one value.
    pub shape: Vec<usize>,
    pub facts: Facts,
    /// Missing training cells.
    pub missing: usize,
    /// The storage's range, where the spec gives one.
    pub range: Option<[f64; 2]>,
    pub groups: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// Over all present training values, the elements of arrays together; the standard deviation is the population's.
    /// Mean and deviation carry nine significant digits, so that they do not differ between machines.
    Numeric { mean: f64, std: f64, min: f64, max: f64 },
    /// Training values with their counts, most frequent first, then alphabetical. Category numbers count from 1 in this
    /// order; 0 is "missing, or never seen in training".
    Category { values: Vec<(String, usize)> },
    /// Files of pixels in the column's range, which are not opened to freeze: nothing is known of their mean.
    Picture,
}

impl Schema {
    pub fn freeze(raw: &Raw) -> Schema {
        Schema {
            format: raw.format.into(),
            missing: raw.missing.clone(),
            files: raw.files.clone(),
            rows: [raw.splits[0].rows, raw.splits[1].rows, raw.splits[2].rows],
            columns: raw.columns.iter().zip(&raw.splits[0].columns).map(|(c, v)| column(c, v)).collect(),
        }
    }

    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Members of a group of columns, in order; empty if there is no such group.
    pub fn group(&self, name: &str) -> Vec<String> {
        self.columns.iter().filter(|c| c.groups.iter().any(|g| g == name)).map(|c| c.name.clone()).collect()
    }

    /// What is odd about the training split: columns that are constant, empty, or nearly all distinct.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for c in &self.columns {
            let name = &c.name;
            match &c.facts {
                _ if c.shape.is_empty() && c.missing == self.rows[0] => {
                    notes.push(format!("column `{name}` is missing in every training row"));
                }
                Facts::Numeric { min, max, .. } if min == max => {
                    notes.push(format!("column `{name}` holds the same number, {min}, in every training row"));
                }
                Facts::Category { values } if values.len() == 1 => {
                    notes
                        .push(format!("column `{name}` holds the same text, {:?}, in every training row", values[0].0));
                }
                Facts::Category { values } if self.rows[0] >= 100 && values.len() * 2 > self.rows[0] => {
                    notes.push(format!(
                        "column `{name}` has {} different texts in {} rows",
                        values.len(),
                        self.rows[0]
                    ));
                }
                _ => {}
            }
        }
        notes
    }

    /// Compares the data with these facts: every difference in words, none if all agree. Paths may differ.
    pub fn verify(&self, raw: &Raw) -> Result<(), Vec<String>> {
        let now = Schema::freeze(raw);
        let mut differ = Vec::new();
        if self.format != now.format {
            differ.push(format!("the schema is of format `{}`, the data of `{}`", self.format, now.format));
        }
        if self.missing != now.missing {
            differ.push(format!("`missing` was {:?} and is {:?}", self.missing, now.missing));
        }
        if self.files.len() != now.files.len() {
            differ.push(format!("{} files were read and now {}", self.files.len(), now.files.len()));
        }
        for (a, b) in self.files.iter().zip(&now.files) {
            if a.sha256 != b.sha256 {
                differ.push(format!(
                    "file `{}` is another one: {} bytes, sha256 {}; frozen were {} bytes, sha256 {}",
                    b.path, b.bytes, b.sha256, a.bytes, a.sha256
                ));
            }
        }
        for (split, (a, b)) in SPLITS.iter().zip(self.rows.iter().zip(&now.rows)) {
            if a != b {
                differ.push(format!("the {split} split had {a} rows and has {b}"));
            }
        }
        for c in &self.columns {
            match now.column(&c.name) {
                None => differ.push(format!("column `{}` is gone", c.name)),
                Some(n) if n != c => differ.push(difference(c, n)),
                Some(_) => {}
            }
        }
        let new = now.columns.iter().filter(|n| self.column(&n.name).is_none());
        differ.extend(new.map(|n| format!("column `{}` is new", n.name)));
        if differ.is_empty() && !self.columns.iter().map(|c| &c.name).eq(now.columns.iter().map(|c| &c.name)) {
            differ.push("the columns stand in another order".into());
        }
        if differ.is_empty() { Ok(()) } else { Err(differ) }
    }
}

fn difference(was: &ColumnFacts, is: &ColumnFacts) -> String {
    let name = &was.name;
    match (&was.facts, &is.facts) {
        (Facts::Picture, Facts::Picture) if was.shape == is.shape => {
            format!("column `{name}` has another range or group")
        }
        (Facts::Picture, Facts::Numeric { .. } | Facts::Category { .. }) => {
            format!("column `{name}` was pictures and is none")
        }
        (Facts::Numeric { .. } | Facts::Category { .. }, Facts::Picture) => {
            format!("column `{name}` was no pictures and is pictures")
        }
        (Facts::Category { .. }, Facts::Numeric { .. }) => format!("column `{name}` was text and is numeric"),
        (Facts::Numeric { .. }, Facts::Category { .. }) => format!("column `{name}` was numeric and is text"),
        _ if was.shape != is.shape => format!("column `{name}` had shape {:?} and has {:?}", was.shape, is.shape),
        (Facts::Category { values: a }, Facts::Category { values: b }) if a != b => {
            let lost = a.iter().find(|(v, _)| !b.iter().any(|(w, _)| v == w));
            let new = b.iter().find(|(v, _)| !a.iter().any(|(w, _)| v == w));
            match (lost, new) {
                (Some((v, _)), _) => format!("column `{name}` no longer holds {v:?}"),
                (None, Some((v, _))) => format!("column `{name}` now also holds {v:?}"),
                _ => format!("the texts of column `{name}` occur at other rates"),
            }
        }
        (Facts::Numeric { mean: a, std: s, .. }, Facts::Numeric { mean: b, std: t, .. }) if (a, s) != (b, t) => {
            format!("column `{name}` had mean {a} and deviation {s}, and has mean {b} and deviation {t}")
        }
        _ if was.missing != is.missing => {
            format!("column `{name}` missed {} training cells and misses {}", was.missing, is.missing)
        }
        _ => format!("column `{name}` has another range or group"),
    }
}

fn column(c: &RawColumn, values: &Values) -> ColumnFacts {
    let (facts, missing) = match values {
        Values::Text(codes) => {
            let mut counts = vec![0usize; c.dictionary.len()];
            let mut missing = 0;
            for code in codes {
                if *code == MISSING { missing += 1 } else { counts[*code as usize] += 1 }
            }
            let seen = c.dictionary.iter().zip(counts).filter(|(_, n)| *n > 0);
            let mut values: Vec<(String, usize)> = seen.map(|(v, n)| (v.clone(), n)).collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            (Facts::Category { values }, missing)
        }
        Values::Pictures(_) => (Facts::Picture, 0),
        numbers => numeric(numbers),
    };
    ColumnFacts {
        name: c.name.clone(),
        shape: c.shape.clone(),
        facts,
        missing,
        range: c.range,
        groups: c.groups.clone(),
    }
}

/// Two passes in row order: the same sums on every machine.
fn numeric(values: &Values) -> (Facts, usize) {
    let (mut n, mut sum, mut min, mut max) = (0usize, 0.0, f64::INFINITY, f64::NEG_INFINITY);
    for v in values.numbers().filter(|v| !v.is_nan()) {
        n += 1;
        sum += v;
        min = min.min(v);
        max = max.max(v);
    }
    let missing = values.len() - n;
    if n == 0 {
        return (Facts::Numeric { mean: 0.0, std: 0.0, min: 0.0, max: 0.0 }, missing);
    }
    let mean = sum / n as f64;
    let square: f64 = values.numbers().filter(|v| !v.is_nan()).map(|v| (v - mean) * (v - mean)).sum();
    let std = if min == max { 0.0 } else { (square / n as f64).sqrt() };
    let end = |v: f64| if matches!(values, Values::F32(_)) { shortest(v as f32) } else { v + 0.0 };
    (Facts::Numeric { mean: nine_digits(mean), std: nine_digits(std), min: end(min), max: end(max) }, missing)
}

/// The number with nine significant digits; adding zero turns -0 into 0.
fn nine_digits(v: f64) -> f64 {
    format!("{v:.8e}").parse::<f64>().expect("a printed number") + 0.0
}

/// The f64 that prints as shortly as the f32 does.
fn shortest(v: f32) -> f64 {
    v.to_string().parse::<f64>().expect("a printed number") + 0.0
}
