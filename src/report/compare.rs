//! A comparison as tables: for terminals, Markdown and CSV.

use super::table::{Column, SHARED, Table, human_count, percent};
use crate::experiment::compare::{Comparison, Row, Spread};
use crate::screen::visible;

/// Most tasks with columns of their own; of more, the mean over tasks by metric.
const MOST_TASKS: usize = 8;

/// What is learned, per row: improvement, metrics, loss; `0.9792 ± 0.0046`.
pub fn results(c: &Comparison) -> Table {
    let mut columns = vec![Column::left("strategy"), Column::right("delta-m %")];
    let metrics = metrics(c);
    columns.extend(metrics.iter().map(|(title, _)| Column::right(title.clone())));
    columns.push(Column::right(format!("{} loss", c.split)));
    let mut table = Table::new(columns);
    for r in &c.rows {
        let mut cells = vec![r.name.clone(), spread(r.delta, |v| format!("{v:+.2}"))];
        cells.extend(metrics.iter().map(|(_, of)| spread(of(r), |v| format!("{v:.4}"))));
        cells.push(spread(r.loss, |v| format!("{v:.4}")));
        table.row(cells);
    }
    table
}

/// What it costs, per row: sizes, latency, epochs and time.
pub fn costs(c: &Comparison) -> Table {
    let mut table = Table::new(
        [Column::left("strategy")].into_iter().chain(
            [
                "params",
                "MACs",
                SHARED[0],
                SHARED[1],
                "us/sample",
                "search epochs",
                "search s",
                "retrain epochs",
                "retrain s",
            ]
            .map(Column::right),
        ),
    );
    for r in &c.rows {
        let count = |s: Option<Spread>| spread(s, |v| human_count(v.round() as u64));
        let tenth = |s: Option<Spread>| spread(s, |v| format!("{v:.1}"));
        let whole = |s: Option<Spread>| s.map_or("-".into(), |s| format!("{:.0}", s.mean));
        table.row([
            r.name.clone(),
            count(r.params),
            count(r.macs),
            spread(r.params_shared, |v| percent(Some(v))),
            spread(r.macs_shared, |v| percent(Some(v))),
            tenth(r.latency),
            whole(r.search_epochs),
            tenth(r.search_seconds),
            whole(r.train_epochs),
            tenth(r.train_seconds),
        ]);
    }
    table
}

/// How far the seeds of a search agree, per row and stage.
pub fn agreements(c: &Comparison) -> Table {
    let stages = c.stages.iter().map(|s| Column::right(s.clone()));
    let mut table = Table::new([Column::left("strategy")].into_iter().chain(stages));
    for r in &c.rows {
        let Some(all) = &r.agreement else { continue };
        table.row([r.name.clone()].into_iter().chain(all.iter().map(|v| format!("{v:.2}"))));
    }
    table
}

/// A line per search: how it stands to random search; and what else must be known.
pub fn verdicts(c: &Comparison) -> Vec<String> {
    let mut out = Vec::new();
    for r in &c.rows {
        if let Some(v) = &r.verdict {
            out.push(format!("{} {}", r.name, v.words()));
        }
        let diverged = r.runs.iter().filter(|r| r.diverged).count();
        if diverged > 0 {
            out.push(format!(
                "{} diverged in {diverged} of {} seeds, which its numbers leave out",
                r.name,
                c.seeds.len()
            ));
        }
    }
    out.extend(c.rows.iter().filter_map(|r| Some(format!("{} {}", r.name, r.note.as_ref()?))));
    out.extend(c.left_out.iter().map(|(name, why)| format!("{name} is left out: {why}")));
    out
}

fn seeds(c: &Comparison) -> String {
    let n = c.seeds.len();
    let spread = if n > 1 { "mean ± sample standard deviation" } else { "no spread" };
    format!("{n} {}, {spread}", if n == 1 { "seed" } else { "seeds" })
}

/// For a terminal.
pub fn text(c: &Comparison, color: bool) -> String {
    let mut out = format!("{}: {}\n{}\n\n", visible(&c.spec, false), seeds(c), visible(&c.budget, false));
    out += &results(c).terminal(color);
    out += "\n";
    out += &costs(c).terminal(color);
    if c.seeds.len() > 1 {
        out += "\nagreement between seeds, adjusted Rand index\n";
        out += &agreements(c).terminal(color);
    }
    out += "\n";
    verdicts(c).iter().for_each(|line| out += &format!("{}\n", visible(line, false)));
    out
}

/// For a document.
pub fn markdown(c: &Comparison) -> String {
    let mut out =
        format!("{}: {}; {}.\n\n{}\n{}", c.spec, seeds(c), c.budget, results(c).markdown(), costs(c).markdown());
    if c.seeds.len() > 1 {
        out += "\nAgreement between seeds, adjusted Rand index by stage:\n\n";
        out += &agreements(c).markdown();
    }
    out += "\n";
    verdicts(c).iter().for_each(|line| out += &format!("- {}\n", visible(line, false)));
    out
}

/// A line per strategy: mean and deviation of every number in columns of their own.
pub fn csv(c: &Comparison) -> String {
    let metrics = all_metrics(c);
    let mut columns = vec![Column::left("strategy")];
    let names: Vec<String> = [
        "delta_m",
        "loss",
        "params",
        "macs",
        "params_shared",
        "macs_shared",
        "latency_us",
        "search_epochs",
        "search_s",
        "retrain_epochs",
        "retrain_s",
    ]
    .iter()
    .map(|n| n.to_string())
    .chain(metrics.iter().map(|(t, _)| t.clone()))
    .collect();
    for n in &names {
        columns.extend([Column::right(format!("{n} mean")), Column::right(format!("{n} std"))]);
    }
    columns.extend(c.stages.iter().map(|s| Column::right(format!("agreement {s}"))));
    columns.extend(["against random mean", "against random std", "standing"].map(Column::right));
    let mut table = Table::new(columns);
    for r in &c.rows {
        let mut cells = vec![r.name.clone()];
        let fixed = [
            r.delta,
            r.loss,
            r.params,
            r.macs,
            r.params_shared,
            r.macs_shared,
            r.latency,
            r.search_epochs,
            r.search_seconds,
            r.train_epochs,
            r.train_seconds,
        ];
        for s in fixed.into_iter().chain(metrics.iter().map(|(_, of)| of(r))) {
            cells.push(s.map_or(String::new(), |s| s.mean.to_string()));
            cells.push(s.and_then(|s| s.deviation).map_or(String::new(), |d| d.to_string()));
        }
        match &r.agreement {
            Some(all) => cells.extend(all.iter().map(f64::to_string)),
            None => cells.extend(c.stages.iter().map(|_| String::new())),
        }
        if let Some(v) = &r.verdict {
            cells.push(v.difference.mean.to_string());
            cells.push(v.difference.deviation.map_or(String::new(), |d| d.to_string()));
            let word = serde_json::to_value(v.standing).expect("a word");
            cells.push(word.as_str().unwrap_or_default().to_string());
        }
        table.row(cells);
    }
    table.csv()
}

/// A line per strategy and seed.
pub fn runs_csv(c: &Comparison) -> String {
    let metrics = all_metrics(c);
    let fixed = [
        "strategy",
        "seed",
        "folder",
        "diverged",
        "delta_m",
        "loss",
        "params",
        "macs",
        "params_shared",
        "macs_shared",
        "latency_us",
    ];
    let more = ["search_epochs", "search_s", "retrain_epochs", "retrain_s"];
    let titles = metrics.iter().map(|(t, _)| t.clone());
    let mut table = Table::new(fixed.into_iter().chain(more).map(Column::left).chain(titles.map(Column::left)));
    for r in &c.rows {
        for one in &r.runs {
            let number = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
            let n = one.network.as_ref();
            let mut cells = vec![
                r.name.clone(),
                one.seed.to_string(),
                one.folder.clone(),
                one.diverged.to_string(),
                number(one.delta),
                number(n.map(|n| n.shown().0.loss)),
                number(n.map(|n| n.params as f64)),
                number(n.map(|n| n.macs as f64)),
                number(n.and_then(|n| n.shared.params)),
                number(n.and_then(|n| n.shared.macs)),
                number(n.and_then(|n| Some(n.latency.as_ref()?.median * 1e6))),
                number(one.search.map(|s| s.epochs as f64)),
                number(one.search.map(|s| s.seconds)),
                number(n.map(|n| n.epochs as f64)),
                number(n.map(|n| n.seconds)),
            ];
            let tasks = n.iter().flat_map(|n| &n.shown().0.tasks);
            cells.extend(tasks.flat_map(|t| &t.metrics).map(|m| number(m.value)));
            table.row(cells);
        }
    }
    table.csv()
}

type Pick = Box<dyn Fn(&Row) -> Option<Spread>>;

/// A column per task and metric.
fn all_metrics(c: &Comparison) -> Vec<(String, Pick)> {
    let mut out: Vec<(String, Pick)> = Vec::new();
    let Some(first) = c.rows.iter().find(|r| !r.tasks.is_empty()) else { return out };
    for (t, (task, metrics)) in first.tasks.iter().enumerate() {
        for (m, (name, _)) in metrics.iter().enumerate() {
            out.push((format!("{task} {name}"), Box::new(move |r| r.tasks.get(t)?.1.get(m)?.1)));
        }
    }
    out
}

/// The same for a table that is read: of many tasks, the mean over tasks by metric. Its spread is over seeds, of the mean.
fn metrics(c: &Comparison) -> Vec<(String, Pick)> {
    let Some(first) = c.rows.iter().find(|r| !r.tasks.is_empty()) else { return Vec::new() };
    if first.tasks.len() <= MOST_TASKS {
        return all_metrics(c);
    }
    let mut names: Vec<String> = Vec::new();
    for (name, _) in first.tasks.iter().flat_map(|(_, m)| m) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let column = |name: String| -> (String, Pick) {
        let title = format!("mean {name} of {}", first.tasks.len());
        let pick = move |r: &Row| {
            let of = |n: &crate::experiment::NetworkResult| {
                let all = n.shown().0.tasks.iter().flat_map(|t| &t.metrics).filter(|m| m.name == name);
                Spread::of(all.filter_map(|m| m.value)).map(|s| s.mean)
            };
            Spread::of(r.runs.iter().filter_map(|one| of(one.network.as_ref()?)))
        };
        (title, Box::new(pick))
    };
    names.into_iter().map(column).collect()
}

pub(super) fn spread(s: Option<Spread>, write: impl Fn(f64) -> String) -> String {
    match s {
        None => "-".into(),
        Some(Spread { mean, deviation: Some(d), .. }) => {
            format!("{} ± {}", write(mean), write(d).trim_start_matches('+'))
        }
        Some(Spread { mean, .. }) => write(mean),
    }
}
