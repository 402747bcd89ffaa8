//! The frozen facts about a data set: what a spec may rely on without the data. Vocabularies and statistics come from the
//! training split alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::label_facts::{LabelFacts, mean_beside, nine_digits};
use super::raw::{FileFact, MISSING, Raw, RawColumn, SPLITS, Values};
use super::terms::are_truths;
use super::vocabulary;

/// Facts about a data set. Printed and read as a `schema` item (`schema_text.rs`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// The format it was read with.
    pub format: String,
    /// Cells that mean "missing".
    pub missing: Vec<String>,
    /// Cells that mean "missing" in numeric columns and in columns of true and false, in addition to `missing`.
    pub missing_numbers: Vec<String>,
    pub files: Vec<FileFact>,
    /// Rows of train, validation, test.
    pub rows: [usize; 3],
    pub columns: Vec<ColumnFacts>,
    /// Statistics of standardised labels. [`Schema::freeze`] does not know the tasks and leaves this empty.
    pub labels: Vec<LabelFacts>,
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
    /// The texts that are read as unknown because of `min_count`, if it applies.
    pub rare: Option<Rare>,
}

/// Texts that are read as unknown because they are rare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rare {
    /// A text is rare if it occurs in fewer training rows than this.
    pub below: usize,
    /// The number of training cells with a rare text.
    pub cells: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// Over all present training values, the elements of arrays together; the standard deviation is the population's. Mean and deviation
    /// carry nine significant digits, so that they do not differ between machines; the mean has more if the values are far from 0 and close
    /// together.
    Numeric { mean: f64, std: f64, min: f64, max: f64 },
    /// Training values with their counts, most frequent first, then alphabetical. Category numbers count from 1 in this
    /// order; 0 is "missing, or never seen in training". A vocabulary may be as large as its file, so clones of a schema share it.
    Category { values: Arc<Vec<(String, usize)>> },
    /// Categories whose vocabulary was left out of the program: its number of texts, and its digest ([`vocabulary::digest`]).
    Withheld { values: usize, sha256: String },
    /// Texts that are hashed into buckets ([`vocabulary::bucket`]) from 1, without a vocabulary; 0 is missing.
    Hashed { buckets: usize },
    /// Files of pixels in the column's range, which are not opened to freeze: nothing is known of their mean.
    Picture,
}

impl Facts {
    /// Whether the cells are texts.
    pub fn is_text(&self) -> bool {
        matches!(self, Facts::Category { .. } | Facts::Withheld { .. } | Facts::Hashed { .. })
    }

    /// Whether all texts are true or false, in upper or lower case.
    pub fn is_truths(&self) -> bool {
        matches!(self, Facts::Category { values } if are_truths(values.iter().map(|(w, _)| w)))
    }

    /// These facts with the vocabulary replaced by its size and digest. The texts true and false reveal nobody, so they stay.
    pub fn withheld(&self) -> Facts {
        if self.is_truths() { self.clone() } else { self.digested() }
    }

    /// These facts with the vocabulary replaced by its size and digest, whatever its texts are.
    pub(super) fn digested(&self) -> Facts {
        match self {
            Facts::Category { values } => Facts::Withheld { values: values.len(), sha256: vocabulary::digest(values) },
            other => other.clone(),
        }
    }
}

impl ColumnFacts {
    /// Whether none of the `rows` training rows holds a value.
    pub fn is_empty(&self, rows: usize) -> bool {
        self.missing == rows * self.shape.iter().product::<usize>()
    }

    /// Whether all texts are true or false, in upper or lower case, including those that are read as unknown.
    pub fn is_truths(&self) -> bool {
        self.facts.is_truths() && self.rare.is_none_or(|r| r.cells == 0)
    }

    /// Whether two columns have the same facts. If only one of them contains its vocabulary, digests are compared.
    pub fn agrees(&self, other: &ColumnFacts) -> bool {
        let left_out = |c: &ColumnFacts| matches!(c.facts, Facts::Withheld { .. });
        if left_out(self) == left_out(other) {
            return self == other;
        }
        let digests = |c: &ColumnFacts| ColumnFacts { facts: c.facts.digested(), ..c.clone() };
        digests(self) == digests(other)
    }
}

impl Schema {
    pub fn freeze(raw: &Raw) -> Schema {
        Schema {
            format: raw.format.into(),
            missing: raw.missing.clone(),
            missing_numbers: raw.missing_numbers.clone(),
            files: distinct(&raw.files),
            rows: [raw.splits[0].rows, raw.splits[1].rows, raw.splits[2].rows],
            columns: raw.columns.iter().zip(&raw.splits[0].columns).map(|(c, v)| column(c, v)).collect(),
            labels: Vec::new(),
        }
    }

    /// Restores vocabularies that were left out, from the data that the schema was frozen from.
    pub fn restore(&mut self, raw: &Raw) {
        if !self.columns.iter().any(|c| matches!(c.facts, Facts::Withheld { .. })) {
            return;
        }
        let data: HashMap<&str, (&RawColumn, &Values)> =
            raw.columns.iter().zip(&raw.splits[0].columns).map(|(c, v)| (c.name.as_str(), (c, v))).collect();
        for own in self.columns.iter_mut().filter(|o| matches!(o.facts, Facts::Withheld { .. })) {
            if let Some((c, values)) = data.get(own.name.as_str()) {
                own.facts = column(c, values).facts;
            }
        }
    }

    /// Replaces every vocabulary by its size and digest.
    pub fn withhold(&mut self) {
        self.columns.iter_mut().for_each(|c| c.facts = c.facts.withheld());
    }

    /// The columns by name, for a pass over many names.
    pub fn by_name(&self) -> HashMap<&str, &ColumnFacts> {
        self.columns.iter().map(|c| (c.name.as_str(), c)).collect()
    }

    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The facts about the label of a task.
    pub fn label(&self, task: &str) -> Option<&LabelFacts> {
        self.labels.iter().find(|l| l.task == task)
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
                _ if c.is_empty(self.rows[0]) => {
                    notes.push(format!("column `{name}` is missing in every training row"));
                }
                Facts::Numeric { min, max, .. } if min == max => {
                    notes.push(format!("column `{name}` holds the same number, {min}, in every training row"));
                }
                Facts::Category { values } if values.len() == 1 => {
                    notes
                        .push(format!("column `{name}` holds the same text, {:?}, in every training row", values[0].0));
                }
                Facts::Category { .. } if c.rare.is_some_and(|r| r.cells > 0) => {
                    let Rare { below, cells } = c.rare.expect("just seen");
                    notes.push(format!(
                        "column `{name}`: {cells} training cells contain a text that occurs in fewer than {below} rows; they are read as unknown"
                    ));
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
        if !same(&self.missing, &now.missing) {
            differ.push(format!("`missing` was {:?} and is {:?}", self.missing, now.missing));
        }
        if !same(&self.missing_numbers, &now.missing_numbers) {
            let (was, is) = (&self.missing_numbers, &now.missing_numbers);
            differ.push(format!(
                "in numeric columns and in columns of true and false, {was:?} meant \"missing\", and now {is:?} do"
            ));
        }
        if self.files.len() != now.files.len() {
            differ.push(format!("{} files were read and now {}", self.files.len(), now.files.len()));
        }
        for (a, b) in self.files.iter().zip(&now.files) {
            if a.sha256 != b.sha256 {
                differ.push(format!(
                    "file `{}` has changed: it has {} bytes and sha256 {}; the schema records {} bytes and sha256 {}",
                    b.path, b.bytes, b.sha256, a.bytes, a.sha256
                ));
            }
        }
        for (split, (a, b)) in SPLITS.iter().zip(self.rows.iter().zip(&now.rows)) {
            if a != b {
                differ.push(format!("the {split} split had {a} rows and has {b}"));
            }
        }
        let (before, after) = (self.by_name(), now.by_name());
        for c in &self.columns {
            match after.get(c.name.as_str()) {
                None => differ.push(format!("column `{}` is missing", c.name)),
                Some(n) if !c.agrees(n) => differ.push(difference(c, n)),
                Some(_) => {}
            }
        }
        let new = now.columns.iter().filter(|n| !before.contains_key(n.name.as_str()));
        differ.extend(new.map(|n| format!("column `{}` is new", n.name)));
        if differ.is_empty() && !self.columns.iter().map(|c| &c.name).eq(now.columns.iter().map(|c| &c.name)) {
            differ.push("the columns are in another order".into());
        }
        if differ.is_empty() { Ok(()) } else { Err(differ) }
    }
}

/// Whether two lists have the same words, in any order.
pub(super) fn same(a: &[String], b: &[String]) -> bool {
    a.iter().all(|w| b.contains(w)) && b.iter().all(|w| a.contains(w))
}

/// Removes repeated files, which are recognised by their contents: two splits may read one file under different names. A schema
/// with a repeated name could not be read back.
fn distinct(files: &[FileFact]) -> Vec<FileFact> {
    let mut out: Vec<FileFact> = Vec::new();
    for f in files {
        if !out.iter().any(|o| o.sha256 == f.sha256) {
            out.push(FileFact { contents: None, ..f.clone() });
        }
    }
    out
}

fn difference(was: &ColumnFacts, is: &ColumnFacts) -> String {
    let name = &was.name;
    match (&was.facts, &is.facts) {
        (Facts::Picture, Facts::Picture) if was.shape == is.shape => {
            format!("column `{name}` has another range or group")
        }
        (Facts::Picture, _) => format!("column `{name}` contained pictures and no longer does"),
        (_, Facts::Picture) => format!("column `{name}` did not contain pictures and now does"),
        (a, Facts::Numeric { .. }) if a.is_text() => format!("column `{name}` was text and is numeric"),
        (Facts::Numeric { .. }, b) if b.is_text() => format!("column `{name}` was numeric and is text"),
        (Facts::Hashed { buckets: a }, Facts::Hashed { buckets: b }) if a != b => {
            format!("column `{name}` had {a} buckets and has {b}")
        }
        (Facts::Hashed { .. }, b) if !matches!(b, Facts::Hashed { .. }) => {
            format!("column `{name}` was hashed into buckets and is not")
        }
        (a, Facts::Hashed { .. }) if !matches!(a, Facts::Hashed { .. }) => {
            format!("column `{name}` was not hashed into buckets and is")
        }
        (Facts::Withheld { values: a, .. }, Facts::Category { values: b }) if *a != b.len() => {
            format!("column `{name}` held {a} texts and holds {}", b.len())
        }
        (Facts::Withheld { .. }, Facts::Category { .. }) if was.facts != is.facts.digested() => {
            format!("column `{name}` holds other texts, or they occur with other frequencies")
        }
        _ if was.shape != is.shape => format!("column `{name}` had shape {:?} and has {:?}", was.shape, is.shape),
        (Facts::Category { values: a }, Facts::Category { values: b }) if a != b => {
            let words = |of: &'_ [(String, usize)]| of.iter().map(|(v, _)| v.clone()).collect::<HashSet<String>>();
            let (before, now) = (words(a), words(b));
            let lost = a.iter().find(|(v, _)| !now.contains(v));
            let new = b.iter().find(|(v, _)| !before.contains(v));
            match (lost, new) {
                (Some((v, _)), _) => format!("column `{name}` no longer holds {v:?}"),
                (None, Some((v, _))) => format!("column `{name}` now also holds {v:?}"),
                _ => format!("the texts of column `{name}` occur with other frequencies"),
            }
        }
        (Facts::Numeric { mean: a, std: s, .. }, Facts::Numeric { mean: b, std: t, .. }) if (a, s) != (b, t) => {
            format!("column `{name}` had mean {a} and deviation {s}, and has mean {b} and deviation {t}")
        }
        _ if was.missing != is.missing => {
            format!("column `{name}` had {} missing training cells and has {}", was.missing, is.missing)
        }
        _ => format!("column `{name}` has another range or group"),
    }
}

fn column(c: &RawColumn, values: &Values) -> ColumnFacts {
    let mut rare = (c.min_count > 1).then_some(Rare { below: c.min_count, cells: 0 });
    let (facts, missing) = match (values, c.buckets) {
        (Values::Text(codes), Some(buckets)) => {
            rare = None;
            (Facts::Hashed { buckets }, codes.iter().filter(|c| **c == MISSING).count())
        }
        (Values::Text(codes), None) => {
            let mut counts = vec![0usize; c.dictionary.len()];
            let mut missing = 0;
            for code in codes {
                if *code == MISSING { missing += 1 } else { counts[*code as usize] += 1 }
            }
            if let Some(rare) = &mut rare {
                rare.cells = counts.iter().filter(|n| **n < rare.below).sum();
            }
            let seen = c.dictionary.iter().zip(counts).filter(|(_, n)| *n >= c.min_count.max(1));
            let mut values: Vec<(String, usize)> = seen.map(|(v, n)| (v.clone(), n)).collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            (Facts::Category { values: Arc::new(values) }, missing)
        }
        (Values::Pictures(_), _) => (Facts::Picture, 0),
        (numbers, _) => numeric(numbers),
    };
    let rare = rare.filter(|_| values.is_text());
    ColumnFacts {
        name: c.name.clone(),
        shape: c.shape.clone(),
        facts,
        missing,
        range: c.range,
        groups: c.groups.clone(),
        rare,
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
    let end = |v: f64| values.precision().shortest(v) + 0.0;
    if min == max {
        return (Facts::Numeric { mean: end(min), std: 0.0, min: end(min), max: end(max) }, missing);
    }
    // The sum of large numbers is rounded; the mean of the distances from the first estimate corrects it.
    let about = sum / n as f64;
    let (mut rest, mut squares) = (0.0, 0.0);
    for from in values.numbers().filter(|v| !v.is_nan()).map(|v| v - about) {
        rest += from;
        squares += from * from;
    }
    let rest = rest / n as f64;
    let std = nine_digits((squares / n as f64 - rest * rest).max(0.0).sqrt());
    (Facts::Numeric { mean: mean_beside(about + rest, std), std, min: end(min), max: end(max) }, missing)
}
