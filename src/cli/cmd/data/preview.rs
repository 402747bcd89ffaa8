//! `mtlc data preview`: the first rows of a split as the network is fed them: what was read, what it is encoded as, and every task's
//! label. An image is drawn in characters.

use serde_json::{Value, json};

use super::Read;
use crate::cli::args::{PreviewArgs, SplitName};
use crate::cli::cmd::session::{self, Stop};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::data::{Batch, InputFrom, InputSpec, SPLITS, Table, Values};
use crate::objective::TaskKind;
use crate::report::picture;
use crate::report::table::{self, Column};
use crate::runtime::feed;
use crate::screen::visible;

/// Numbers of an input that are no image and are written out.
const MOST_NUMBERS: usize = 8;

pub fn run(args: &PreviewArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &PreviewArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let read = super::read(&args.file, &args.set.set, terminal)?;
    let s = match args.split {
        SplitName::Train => 0,
        SplitName::Validation => 1,
        SplitName::Test => 2,
    };
    let data = &read.feed.dataset;
    let table = [&data.train, &data.validation, &data.test][s];
    if table.rows == 0 {
        let f = Failure::new(Exit::Data, format!("the data `{}` have no {} split", read.name, SPLITS[s]));
        return Err(Stop::Failed(f.help("give the `data` item one, or look at another split with `--split`")));
    }
    let rows = args.rows.min(table.rows);
    let shown: Vec<u32> = (0..rows as u32).collect();
    let batch = table.gather(&shown, None).map_err(|e| session::failed(e.into()))?;
    let (_, specs, _) = feed::feed_inputs(read.spec()).map_err(session::failed)?;
    let view = View { read: &read, table, batch, s, rows };
    if terminal.json {
        (0..rows).for_each(|row| terminal.object(&view.json(row, &specs)));
        return Ok(Ok(Exit::Ok));
    }
    let mut out = format!("data {}: {} of {} {} rows\n\n", visible(&read.name, false), rows, table.rows, SPLITS[s]);
    for (i, spec) in specs.iter().enumerate() {
        out += &match &spec.from {
            InputFrom::Fields { columns, .. } => view.fields(i, columns),
            InputFrom::Dense { .. } => view.dense(i),
        };
        out += "\n";
    }
    out += &view.labels();
    terminal.product(&out);
    Ok(Ok(Exit::Ok))
}

struct View<'a> {
    read: &'a Read,
    table: &'a Table,
    /// The rows that are shown.
    batch: Batch,
    s: usize,
    rows: usize,
}

impl View<'_> {
    /// "line 17": where a row stands.
    fn place(&self, row: usize) -> String {
        let split = &self.read.raw.splits[self.s];
        let unit = if split.unit.is_empty() { "row" } else { split.unit };
        let number = split.origin.get(row).map_or(row.to_string(), u32::to_string);
        format!("{} {number}", unit.trim_start_matches("generated "))
    }

    /// A cell as it was read.
    fn cell(&self, column: &str, row: usize) -> Value {
        let raw = &self.read.raw;
        let Some(at) = raw.index(column) else { return Value::Null };
        match &raw.splits[self.s].columns[at] {
            Values::Text(codes) => {
                raw.columns[at].dictionary.get(codes[row] as usize).map_or(Value::Null, |w| json!(w))
            }
            numbers => {
                let at = row * raw.columns[at].elements();
                match (numbers.large(at).map(|v| (i64::try_from(v), v as u64)), numbers.number(at)) {
                    (Some((Ok(whole), _)), _) => json!(whole),
                    (Some((Err(_), whole)), _) => json!(whole),
                    (None, v) if v.is_nan() => Value::Null,
                    (None, v) => json!(numbers.precision().shortest(v)),
                }
            }
        }
    }

    fn values(&self, input: usize, row: usize) -> &[f32] {
        let size = self.table.inputs[input].size;
        &self.batch.inputs[input][row * size..(row + 1) * size]
    }

    fn fields(&self, input: usize, columns: &[String]) -> String {
        let name = &self.table.inputs[input].name;
        let titles = (0..self.rows).map(|r| Column::left(self.place(r)));
        let mut t = table::Table::new(std::iter::once(Column::left(format!("{name} (read → encoded)"))).chain(titles));
        for (c, column) in columns.iter().enumerate() {
            let cells = (0..self.rows).map(|r| {
                let text = match self.cell(column, r) {
                    Value::Null => "missing".to_string(),
                    Value::String(s) => cut(&s),
                    Value::Number(n) => match n.as_f64() {
                        // As text: an integer can have more digits than an f64 holds.
                        Some(v) if v.fract() == 0.0 => n.to_string().trim_end_matches(".0").to_string(),
                        v => own_number(v.unwrap_or(f64::NAN)),
                    },
                    other => other.to_string(),
                };
                format!("{text} → {}", short(f64::from(self.values(input, r)[c])))
            });
            t.row(std::iter::once(column.clone()).chain(cells));
        }
        t.terminal(false)
    }

    fn dense(&self, input: usize) -> String {
        let name = &self.table.inputs[input].name;
        let sizes = self.read.feed.sizes(input);
        let mut out = String::new();
        for r in 0..self.rows {
            let values = self.values(input, r);
            out += &format!(
                "{} {sizes:?}, {}: {}\n",
                visible(name, false),
                self.place(r),
                ends(values.iter().map(|v| f64::from(*v)))
            );
            match sizes {
                [c @ (1 | 3), h, w] => out += &picture::text(values, *c, *h, *w),
                _ => {
                    let shown: Vec<String> = values.iter().take(MOST_NUMBERS).map(|v| short(f64::from(*v))).collect();
                    let more = if values.len() > MOST_NUMBERS { ", ..." } else { "" };
                    out += &format!("  {}{more}\n", shown.join(", "));
                }
            }
        }
        out
    }

    fn labels(&self) -> String {
        let tasks = self.read.tasks();
        let titles = (0..self.rows).map(|r| Column::left(self.place(r)));
        let mut t = table::Table::new([Column::left("task"), Column::left("kind")].into_iter().chain(titles));
        for (l, (kind, names)) in self.table.labels.iter().zip(&tasks) {
            let cells = (0..self.rows).map(|r| {
                if l.counted(r) == 0 {
                    return "no label".into();
                }
                let own = l.shown(r);
                match (kind, own.as_slice()) {
                    (TaskKind::Binary, [v]) => format!("{}", *v != 0.0),
                    (TaskKind::Classes(_), [v]) => {
                        let number = *v as usize;
                        match names.get(number) {
                            Some(word) if *word != number.to_string() => format!("{number} ({})", cut(word)),
                            _ => number.to_string(),
                        }
                    }
                    _ if own.len() > MOST_NUMBERS => {
                        let counted: Vec<f64> = (0..l.labels)
                            .filter(|i| l.counts(r, *i))
                            .flat_map(|i| own[i..].iter().step_by(l.labels.max(1)).copied())
                            .collect();
                        match l.labels - l.counted(r) {
                            0 => ends(counted.iter().copied()),
                            n => format!("{}, {n} without a label", ends(counted.iter().copied())),
                        }
                    }
                    _ => {
                        let word =
                            |i: usize, v: f64| if l.counts(r, i % l.labels) { own_number(v) } else { "-".into() };
                        own.iter().enumerate().map(|(i, v)| word(i, *v)).collect::<Vec<_>>().join(", ")
                    }
                }
            });
            t.row([l.task.clone(), kind.name().to_string()].into_iter().chain(cells));
        }
        t.terminal(false)
    }

    fn json(&self, row: usize, specs: &[InputSpec]) -> Value {
        let mut inputs = serde_json::Map::new();
        for (i, spec) in specs.iter().enumerate() {
            let values = self.values(i, row);
            let value = match &spec.from {
                InputFrom::Fields { columns, .. } => {
                    let cells = columns
                        .iter()
                        .zip(values)
                        .map(|(c, v)| (c.clone(), json!({ "read": self.cell(c, row), "encoded": v })));
                    Value::Object(cells.collect())
                }
                InputFrom::Dense { .. } => json!({ "sizes": self.read.feed.sizes(i), "encoded": values }),
            };
            inputs.insert(spec.name.clone(), value);
        }
        let mut labels = serde_json::Map::new();
        for l in &self.table.labels {
            let one = |i: usize, v: f64| if l.counts(row, i % l.labels) { json!(v) } else { Value::Null };
            let own = l.shown(row);
            let value = match own.as_slice() {
                _ if l.counted(row) == 0 => Value::Null,
                [only] => json!(only),
                values => values.iter().enumerate().map(|(i, v)| one(i, *v)).collect(),
            };
            labels.insert(l.task.clone(), value);
        }
        json!({ "split": SPLITS[self.s], "place": self.place(row), "inputs": inputs, "labels": labels })
    }
}

/// "min -1, mean -0.4, max 1".
fn ends(values: impl ExactSizeIterator<Item = f64> + Clone) -> String {
    let mean = values.clone().sum::<f64>() / values.len().max(1) as f64;
    let (min, max) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max));
    format!("min {}, mean {}, max {}", short(min), short(mean), short(max))
}

/// Four significant digits at most.
fn short(v: f64) -> String {
    format!("{v:.3e}").parse::<f64>().unwrap_or(v).to_string()
}

/// A number in the units of the data, with four significant digits, but with all digits before the decimal point: whole numbers may be
/// identifiers.
fn own_number(v: f64) -> String {
    if v.fract() == 0.0 {
        return v.to_string();
    }
    let whole = if v.abs() < 1.0 { 0 } else { v.abs().log10() as usize + 1 };
    format!("{v:.*e}", whole.max(4) - 1).parse::<f64>().unwrap_or(v).to_string()
}

fn cut(word: &str) -> String {
    const MOST: usize = 20;
    if word.chars().count() <= MOST {
        return word.to_string();
    }
    word.chars().take(MOST - 1).chain(['…']).collect()
}
