//! `mtlc profile`: where the time of a training step goes.

use super::session::{self, Stop};
use crate::cli::args::{ProfileArgs, ProfileNetwork};
use crate::cli::exit::{Exit, Outcome};
use crate::cli::terminal::Terminal;
use crate::experiment::profile::{self, Profile, Request, Which};
use crate::report::table::{Column, Table, human_bytes, human_count};
use crate::runtime::device;

/// Steps before those that count.
const WARMUP: usize = 3;

pub fn run(args: &ProfileArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &ProfileArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let device = device::open(&args.device).map_err(session::failed)?;
    let compiled = profile::compile(&args.file, &args.set.set).map_err(|f| session::stop(f, terminal))?;
    let checked = compiled.checked.as_ref().expect("it was checked");
    let which = args.network.map(|n| match n {
        ProfileNetwork::Supernet => Which::Supernet,
        ProfileNetwork::Topology => Which::Topology,
        ProfileNetwork::AllShared => Which::AllShared,
        ProfileNetwork::Independent => Which::Independent,
    });
    let request = Request { which, batch: args.batch, steps: args.steps, warmup: WARMUP };
    let found = profile::profile(checked, &request, &device).map_err(|f| session::stop(f, terminal))?;
    if let Some(note) = &found.note {
        terminal.note(&format!("note: {note}"));
    }
    terminal.result(|| serde_json::to_value(&found).expect("plain data"), || show(&found, terminal.stdout_color()));
    Ok(Ok(Exit::Ok))
}

fn show(p: &Profile, color: bool) -> String {
    let left = ["stage", "op"].map(Column::left);
    let right = ["copies", "forward ms", "backward ms", "share", "GFLOP/s", "outputs"].map(Column::right);
    let mut table = Table::new(left.into_iter().chain(right));
    let [forward, backward] = p.ops_ms();
    let mut stage = "";
    for r in &p.rows {
        let time = r.forward_ms + r.backward_ms;
        // Forward, and back to weights and to inputs: three products of the same size where there is a way back.
        let products = if r.backward_ms > 0.0 { 3.0 } else { 1.0 };
        let rate = 2.0 * r.macs as f64 * products / (time * 1e6);
        table.row([
            if r.stage == stage { String::new() } else { r.stage.clone() },
            r.op.clone(),
            r.copies.to_string(),
            format!("{:.2}", r.forward_ms),
            format!("{:.2}", r.backward_ms),
            format!("{:.0} %", 100.0 * time / p.step_ms),
            if r.macs > 0 { format!("{rate:.0}") } else { String::new() },
            human_bytes(r.output_bytes),
        ]);
        stage = &r.stage;
    }
    let rest = p.step_ms - forward - backward;
    format!(
        "{} of {} parameters, batch {}, {}, {} steps of random samples\n\n{}\none step {:.2} ms ({:.2} to {:.2}): ops forward {:.2}, backward {:.2}, \
         losses, optimiser and the rest {:.2}\n",
        p.network.replace('_', "-"),
        human_count(p.parameters),
        p.batch,
        p.device,
        p.steps,
        table.terminal(color),
        p.step_ms,
        p.least_ms,
        p.most_ms,
        forward,
        backward,
        rest.max(0.0),
    )
}
