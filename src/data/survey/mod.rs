//! What a careful person looks at before training: rows, labels, columns and repeated rows of every split, and what is odd about
//! them. Everything is counted on the data as read and as encoded; nothing is drawn, nothing is changed.

mod columns;
mod labels;
mod rows;

use serde::Serialize;

use super::encode::Dataset;
use super::freeze::Schema;
use super::raw::{Raw, SPLITS};
use super::schema_text::number;
use super::split::crossings;
use crate::objective::TaskKind;

pub use columns::{ColumnSplit, ColumnSurvey};
pub use labels::{LabelSplit, TaskSurvey, balance};
pub use rows::RowsSplit;

/// Of one data set. Lists by split are in the order of [`SPLITS`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    pub data: String,
    pub format: String,
    pub files: usize,
    pub rows: Vec<RowsSplit>,
    pub tasks: Vec<TaskSurvey>,
    /// The columns that inputs read.
    pub columns: Vec<ColumnSurvey>,
    pub findings: Vec<Finding>,
}

/// Something worth a look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The kind, for scripts: `constant`, `identifier`, `code`, `shift`, `unseen`, `duplicates`, `leak`, `group_leak`,
    /// `label_copy`, `few`, `one_split`, `no_labels`, `zeros`, `empty`.
    pub kind: &'static str,
    /// The column, task or split.
    pub about: String,
    pub message: String,
}

impl Finding {
    fn new(kind: &'static str, about: impl Into<String>, message: String) -> Finding {
        Finding { kind, about: about.into(), message }
    }
}

/// What the survey is of.
pub struct Subject<'a> {
    pub data: &'a str,
    pub raw: &'a Raw,
    pub schema: &'a Schema,
    pub dataset: &'a Dataset,
    /// The columns that inputs read, each once.
    pub inputs: &'a [String],
    /// Per label of the data set, its kind and the names of its classes.
    pub tasks: &'a [(TaskKind, Vec<String>)],
    /// Fewer examples of a class than this are few.
    pub least: usize,
    /// The columns that define groups of rows; each list is one column or several together.
    pub groups: &'a [Vec<String>],
}

impl Subject<'_> {
    fn split_rows(&self) -> [usize; 3] {
        [0, 1, 2].map(|s| self.raw.splits[s].rows)
    }
}

/// Looks at everything.
pub fn survey(of: &Subject) -> Survey {
    let mut findings = Vec::new();
    let rows = rows::survey(of, &mut findings);
    for crossing in crossings(of.raw, of.groups) {
        findings.push(Finding::new("group_leak", crossing.by.join(", "), crossing.message()));
    }
    let tasks = labels::survey(of, &mut findings);
    let columns = columns::survey(of, &mut findings);
    labels::copies(of, &mut findings);
    Survey {
        data: of.data.to_string(),
        format: of.raw.format.to_string(),
        files: of.raw.files.len(),
        rows,
        tasks,
        columns,
        findings,
    }
}

/// "12 % of the test rows": parts with as many digits as they deserve.
fn percent(part: usize, of: usize) -> String {
    let p = 100.0 * part as f64 / of.max(1) as f64;
    match p {
        _ if part == 0 => "0 %".into(),
        p if p < 0.1 => "under 0.1 %".into(),
        p if p < 10.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// A number with four significant digits, and more down to a hundredth of `unit`, such as the deviation of numbers of its kind.
fn digits(v: f64, unit: f64) -> String {
    let order = |x: f64| if x == 0.0 { 0.0 } else { x.abs().log10().floor() };
    let places = (2.0 - order(unit)).max(3.0 - order(v)).min(16.0 - order(v)).clamp(0.0, 300.0) as usize;
    number(format!("{v:.places$}").parse().unwrap_or(v))
}

/// The name of split `s`.
fn split(s: usize) -> &'static str {
    SPLITS[s]
}
