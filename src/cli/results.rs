//! Results of networks side by side, as a table.

use crate::experiment::NetworkResult;
use crate::report::table::{Column, SHARED, Table, human_count, shared};
use crate::runtime::latency::Latency;

/// Most tasks with columns of their own; more are summed up by metric.
const MOST_TASKS: usize = 8;

/// One row per network: size, cost, latency, and every task's metrics on the test split.
pub fn table(networks: &[NetworkResult]) -> Table {
    let Some(first) = networks.first() else { return Table::default() };
    let mut columns = vec![Column::left("network"), Column::right("params"), Column::right("MACs")];
    columns.extend(SHARED.map(Column::right));
    columns.push(Column::right("us/sample"));
    columns.push(Column::right("us at 256"));
    let (shown, split) = first.shown();
    let wide = shown.tasks.len() <= MOST_TASKS;
    let mut means: Vec<&str> = Vec::new();
    if wide {
        for t in &shown.tasks {
            columns.extend(t.metrics.iter().map(|m| Column::right(format!("{} {}", t.task, m.name))));
        }
    } else {
        for m in shown.tasks.iter().flat_map(|t| &t.metrics) {
            if !means.contains(&m.name.as_str()) {
                means.push(&m.name);
                columns.push(Column::right(format!("mean {} of {}", m.name, shown.tasks.len())));
            }
        }
    }
    columns.push(Column::right(format!("{split} loss")));
    let mut table = Table::new(columns);
    for n in networks {
        let scores = n.shown().0;
        let [params, macs] = shared(&n.shared);
        let mut row = vec![
            n.name.clone(),
            human_count(n.params),
            human_count(n.macs),
            params,
            macs,
            microseconds(&n.latency),
            microseconds(&n.latency_batch),
        ];
        if wide {
            row.extend(scores.tasks.iter().flat_map(|t| &t.metrics).map(|m| number(m.value)));
        } else {
            for name in &means {
                let all = scores.tasks.iter().flat_map(|t| &t.metrics).filter(|m| m.name == *name);
                let values: Vec<f64> = all.filter_map(|m| m.value).collect();
                row.push(number((!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)));
            }
        }
        row.push(number(scores.loss.is_finite().then_some(scores.loss)));
        table.row(row);
    }
    table
}

fn number(v: Option<f64>) -> String {
    v.map_or_else(|| "-".to_string(), |v| format!("{v:.4}"))
}

fn microseconds(l: &Option<Latency>) -> String {
    l.map_or_else(|| "-".to_string(), |l| format!("{:.2}", l.median * 1e6))
}
