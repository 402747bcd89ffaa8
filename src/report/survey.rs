//! A survey of data as tables for a terminal: splits, labels, columns.

use super::table::{Column, Table};
use crate::data::SPLITS;
use crate::data::survey::{ColumnSplit, ColumnSurvey, Survey, balance};
use crate::screen::visible;

/// Three tables under titles.
pub fn text(s: &Survey, color: bool) -> String {
    let files = match s.files {
        0 => String::new(),
        1 => ", 1 file".into(),
        n => format!(", {n} files"),
    };
    let mut out = format!("data {}: {}{files}\n\n", visible(&s.data, false), s.format);
    out += &rows(s).terminal(color);
    out += "\n";
    out += &labels(s).terminal(color);
    out += "\n";
    out += &columns(s).terminal(color);
    out
}

fn rows(s: &Survey) -> Table {
    let titles = ["rows", "repeat a row of the split", "stand in training too"].map(Column::right);
    let mut t = Table::new(std::iter::once(Column::left("split")).chain(titles));
    for r in &s.rows {
        let also = if r.split == SPLITS[0] { "-".into() } else { r.in_train.to_string() };
        t.row([r.split.to_string(), r.rows.to_string(), r.repeated.to_string(), also]);
    }
    t
}

/// Labels, missing ones, and their balance, by task and split.
fn labels(s: &Survey) -> Table {
    let mut titles = vec![Column::left("task"), Column::left("kind")];
    for split in SPLITS {
        titles.extend([Column::right(format!("{split} labels")), Column::right("missing"), Column::right("balance")]);
    }
    let mut t = Table::new(titles);
    for task in &s.tasks {
        let mut row = vec![task.task.clone(), task.kind.to_string()];
        for l in &task.splits {
            row.extend([l.labelled.to_string(), l.missing.to_string(), balance(task, l)]);
        }
        t.row(row);
    }
    t
}

fn columns(s: &Survey) -> Table {
    let mut titles = vec![Column::left("input column"), Column::left("kind")];
    titles.extend(SPLITS.map(|s| Column::left(format!("in {s}"))));
    titles.push(Column::right("missing"));
    titles.push(Column::right("shift"));
    let mut t = Table::new(titles);
    for c in &s.columns {
        let kind = if c.shape.is_empty() { c.kind.to_string() } else { format!("{:?}", c.shape) };
        let mut row = vec![c.column.clone(), kind];
        row.extend(c.splits.iter().map(|s| split(c, s)));
        let missing: Vec<String> = c.splits.iter().map(|s| s.missing.to_string()).collect();
        row.push(if c.splits.iter().all(|s| s.missing == 0) { "0".into() } else { missing.join(" / ") });
        row.push(match c.shift {
            Some(v) if c.kind == "text" => format!("{:.0} %", 100.0 * v),
            Some(v) => format!("{v:+.2} sd"),
            None => "-".into(),
        });
        t.row(row);
    }
    t
}

fn split(c: &ColumnSurvey, s: &ColumnSplit) -> String {
    match (s.min, s.max, s.mean, s.distinct) {
        (Some(min), Some(max), Some(mean), _) => {
            // Numbers that are far from 0 and close together have their first digits in common, so more digits are shown.
            let common = (min.abs().max(max.abs()) / (max - min)).log10().clamp(0.0, 13.0) as usize;
            let digits = if min < max && short(min, 4) == short(max, 4) { 4 + common } else { 4 };
            format!("{} .. {}, mean {}", short(min, digits), short(max, digits), short(mean, digits))
        }
        (_, _, _, Some(n)) if c.kind == "text" && n > 0 => {
            let most = s.most.as_ref().map(|(w, _)| format!(", {}", cut(w))).unwrap_or_default();
            format!("{n} texts{most}")
        }
        _ => "-".into(),
    }
}

/// At most this many significant digits.
fn short(v: f64, digits: usize) -> String {
    format!("{v:.*e}", digits - 1).parse::<f64>().unwrap_or(v).to_string()
}

fn cut(word: &str) -> String {
    const MOST: usize = 16;
    if word.chars().count() <= MOST {
        return word.to_string();
    }
    word.chars().take(MOST - 1).chain(['…']).collect()
}
