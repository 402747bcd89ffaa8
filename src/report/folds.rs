//! Tables of a cross-validation, for terminals, Markdown and CSV.

use super::compare::spread;
use super::table::{Column, Table, human_count};
use crate::experiment::folds::{Folds, Row};
use crate::screen::visible;

/// A table with a row per network: mean ± sample standard deviation over the folds.
fn results(f: &Folds) -> Table {
    let mut columns = vec![Column::left("network"), Column::right("params")];
    columns.extend(titles(f).into_iter().map(Column::right));
    columns.push(Column::right("test loss"));
    let mut table = Table::new(columns);
    for r in &f.networks {
        let mut cells = vec![r.name.clone(), spread(r.params, |v| human_count(v.round() as u64))];
        cells.extend(r.tasks.iter().flat_map(|(_, m)| m).map(|(_, s)| spread(*s, |v| format!("{v:.4}"))));
        cells.push(spread(r.loss, |v| format!("{v:.4}")));
        table.row(cells);
    }
    table
}

/// The column titles, one per task and metric.
fn titles(f: &Folds) -> Vec<String> {
    let tasks = f.networks.first().map_or(&[][..], |r| &r.tasks);
    tasks.iter().flat_map(|(task, metrics)| metrics.iter().map(move |(m, _)| format!("{task} {m}"))).collect()
}

/// A table with the numbers of rows of each fold.
fn rows(f: &Folds) -> Table {
    let mut table =
        Table::new([Column::right("fold")].into_iter().chain(["train", "validation", "test"].map(Column::right)));
    for fold in f.networks.first().map_or(&[][..], |r| &r.folds) {
        table.row([fold.fold].into_iter().chain(fold.rows).map(|n| n.to_string()));
    }
    table
}

fn title(f: &Folds) -> String {
    format!(
        "{}: {} folds, mean ± sample standard deviation of the folds' test scores",
        visible(&f.spec, false),
        f.folds
    )
}

/// Notes about networks that have no result in some folds.
fn lost(f: &Folds) -> Vec<String> {
    let of = |r: &Row| {
        let n = f.folds - r.folds.len();
        (n > 0).then(|| format!("{} diverged in {n} of {} folds, which its numbers leave out", r.name, f.folds))
    };
    f.networks.iter().filter_map(of).collect()
}

/// The results for a terminal.
pub fn text(f: &Folds, color: bool) -> String {
    let mut out = format!("{}\n\n{}\n{}", title(f), results(f).terminal(color), rows(f).terminal(color));
    lost(f).iter().for_each(|line| out += &format!("\n{line}\n"));
    out
}

/// The results as a Markdown document.
pub fn markdown(f: &Folds) -> String {
    let mut out = format!("{}.\n\n{}\n{}", title(f), results(f).markdown(), rows(f).markdown());
    lost(f).iter().for_each(|line| out += &format!("\n- {line}\n"));
    out
}

/// The results as CSV: a line per network and fold, and for each network a line with means and one with standard deviations.
pub fn csv(f: &Folds) -> String {
    let fixed = ["network", "fold", "train_rows", "validation_rows", "test_rows", "params", "loss"];
    let mut table = Table::new(fixed.map(Column::left).into_iter().chain(titles(f).into_iter().map(Column::left)));
    for r in &f.networks {
        for fold in &r.folds {
            let Some(n) = &fold.network else { continue };
            let mut cells = vec![r.name.clone(), fold.fold.to_string()];
            cells.extend(fold.rows.map(|n| n.to_string()));
            cells.extend([n.params.to_string(), n.shown().0.loss.to_string()]);
            let metrics = n.shown().0.tasks.iter().flat_map(|t| &t.metrics);
            cells.extend(metrics.map(|m| m.value.map_or(String::new(), |v| v.to_string())));
            table.row(cells);
        }
        let spreads = || [r.params, r.loss].into_iter().chain(r.tasks.iter().flat_map(|(_, m)| m).map(|(_, s)| *s));
        let line = |word: &str, of: &dyn Fn(crate::experiment::compare::Spread) -> Option<f64>| {
            let mut cells = vec![r.name.clone(), word.to_string(), String::new(), String::new(), String::new()];
            cells.extend(spreads().map(|s| s.and_then(of).map_or(String::new(), |v| v.to_string())));
            cells
        };
        table.row(line("mean", &|s| Some(s.mean)));
        table.row(line("std", &|s| s.deviation));
    }
    table.csv()
}
