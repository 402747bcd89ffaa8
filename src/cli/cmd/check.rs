//! `mtlc check`: compiles as far as text alone allows, and says what is wrong.

use std::path::Path;

use serde_json::json;

use crate::check::{Checked, cost};
use crate::cli::args::CheckArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::diag::render::{self, MessageFormat};
use crate::diag::{Applicability, Diagnostic, Severity, fix};
use crate::driver::{self, Compiled};
use crate::experiment::look;
use crate::hir::Options;
use crate::ir::count;
use crate::report::graph::drawing::grouped;
use crate::report::summary::{spec_json, spec_summary};
use crate::screen::{self, shell};

/// Rounds of `--fix`: one fix may uncover the next mistake, but a spec settles soon or never.
const ROUNDS: usize = 20;

pub fn run(args: &CheckArgs, terminal: &Terminal) -> Outcome {
    let format = match args.message_format {
        Some(f) => f,
        None if terminal.json => MessageFormat::Json,
        None => MessageFormat::Human,
    };
    if args.summary && format == MessageFormat::Sarif {
        return Err(Failure::new(Exit::Usage, "`--summary` has no place in a SARIF log").help("leave one of them out"));
    }
    let options = Options { set: args.set.set.clone(), ..Options::default() };
    let mut worst = Exit::Ok;
    // One log for all files: they are compiled one after the other, and each brings its own sources.
    let mut logs = Vec::new();
    for path in &args.files {
        if args.fix {
            mend(path, &options, terminal)?;
        }
        let mut compiled = compile(path, &options)?;
        look::look(&mut compiled, path, &options);
        if compiled.has_errors() {
            worst = Exit::Program;
        }
        match format {
            MessageFormat::Sarif => {
                logs.push(render::render(format, &compiled.diagnostics, &compiled.sources, terminal.stderr()))
            }
            _ => show(&compiled, format, terminal),
        }
        conclude(path, &compiled, format, args.summary, terminal);
    }
    if !logs.is_empty() {
        terminal.exact(&merged(&logs));
    }
    Ok(worst)
}

/// Compiles a file, or standard input for `-`.
pub fn compile(path: &Path, options: &Options) -> Result<Compiled, Failure> {
    if path == Path::new("-") {
        let text = read_stdin()?;
        return Ok(driver::compile_text(&text, Path::new("<stdin>"), options, &driver::read));
    }
    driver::compile(path, options).map_err(|e| Failure::io("read", path, &e))
}

/// All of standard input.
pub fn read_stdin() -> Result<String, Failure> {
    std::io::read_to_string(std::io::stdin())
        .map_err(|e| Failure::new(Exit::Failure, format!("cannot read standard input: {e}")))
}

/// Writes diagnostics where their format belongs: talk to standard error, data to standard output.
pub fn show(compiled: &Compiled, format: MessageFormat, terminal: &Terminal) {
    // Advice is no more than a summary: quiet leaves it out.
    let shown: Vec<Diagnostic> =
        compiled.diagnostics.iter().filter(|d| !terminal.quiet || d.severity != Severity::Advice).cloned().collect();
    let text = render::render(format, &shown, &compiled.sources, terminal.stderr());
    match format {
        MessageFormat::Json | MessageFormat::Sarif => terminal.exact(&text),
        MessageFormat::Human | MessageFormat::Short => terminal.say(&text),
    }
}

/// The last line of a file: what is wrong in numbers, or what it is.
fn conclude(path: &Path, compiled: &Compiled, format: MessageFormat, summary: bool, terminal: &Terminal) {
    let name = path.display();
    if compiled.has_errors() {
        let mut line = format!("{}: {}", name, render::summary(&compiled.diagnostics));
        let fixable = fix::fixable(&compiled.diagnostics, Applicability::Safe);
        if fixable > 0 && path != Path::new("-") {
            line += &format!(" ({fixable} fixable: {})", shell::mtlc("check --fix").path(path));
        }
        terminal.note(&line);
    } else if let Some(checked) = &compiled.checked {
        terminal.note(&format!("{name}: {}", describe(checked)));
    }
    let checked = compiled.checked.as_ref().filter(|_| summary);
    if terminal.json {
        let mut value = result(path, compiled);
        if let Some(checked) = checked {
            value["summary"] = spec_json(checked);
        }
        terminal.object(&value);
    } else if let Some(checked) = checked {
        match format {
            MessageFormat::Json => terminal.object(&json!({ "file": name.to_string(), "summary": spec_json(checked) })),
            _ => terminal.product(&spec_summary(checked, terminal.stdout_color())),
        }
    }
}

/// "40 tasks, 5 stages, a space of 10^38.2 choices, 0.6M to 24.1M parameters"
pub fn describe(checked: &Checked) -> String {
    let spec = &checked.spec;
    if spec.backbone.is_none() {
        return "no network of its own: a file for `use`".to_string();
    }
    let mut parts = Vec::new();
    let open_family = spec.families.iter().any(|f| f.open);
    parts.push(match spec.tasks.len() {
        _ if open_family => "tasks open until the data schema is frozen".to_string(),
        1 => "1 task".to_string(),
        n => format!("{n} tasks"),
    });
    parts.push(match checked.stages.len() {
        1 => "1 stage".to_string(),
        n => format!("{n} stages"),
    });
    if let (Some(space), Some(net)) = (&spec.space, &checked.supernet)
        && !open_family
    {
        let size = count::space_size(spec, space, net);
        parts.push(match &size.trees {
            Some(n) if *n == 1u8.into() => "a space of 1 tree".to_string(),
            Some(n) if n.to_string().len() <= 6 => format!("a space of {n} trees"),
            Some(n) => format!("a space of {} trees", power(n.to_string().len() as f64 - 1.0)),
            None if size.labelled_log10 < 6.0 => {
                format!("a space of {:.0} choices", 10f64.powf(size.labelled_log10))
            }
            None => format!("a space of {} choices", power(size.labelled_log10.floor())),
        });
    }
    if let Some(net) = checked.fixed.as_ref().or(checked.supernet.as_ref())
        && !checked.open
    {
        let what = if checked.fixed.is_some() { "" } else { " in the supernet" };
        if let Some(g) = cost::grouped(checked, net) {
            parts.push(format!(
                "{} parameters{what} with {} logits, at most {} after pruning",
                grouped(&g.searched.to_string()),
                g.logits,
                grouped(&g.pruned.to_string())
            ));
        } else if let Some(n) = cost::report(checked, net).network.total.params {
            parts.push(format!("{} parameters{what}", amount(n)));
        }
    }
    parts.join(", ")
}

fn power(exponent: f64) -> String {
    format!("about 10^{exponent:.0}")
}

/// 950, 12.3k, 8.83M, 1.21G
pub fn amount(n: u64) -> String {
    let v = n as f64;
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{:.1}k", v / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}M", v / 1e6),
        _ => format!("{:.2}G", v / 1e9),
    }
}

/// The last line of `--json`.
fn result(path: &Path, compiled: &Compiled) -> serde_json::Value {
    let count = |s| compiled.diagnostics.iter().filter(|d| d.severity == s).count();
    let mut value = json!({
        "file": path.display().to_string(),
        "ok": !compiled.has_errors(),
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "tasks": null,
        "stages": null,
        "open": null,
        "parameters": null,
        "macs": null,
    });
    if let Some(checked) = &compiled.checked {
        value["tasks"] = json!(checked.spec.tasks.len());
        value["stages"] = json!(checked.stages.len());
        value["open"] = json!(checked.open);
        if let Some(net) = checked.fixed.as_ref().or(checked.supernet.as_ref()) {
            let total = cost::report(checked, net).network.total;
            value["parameters"] = json!(total.params);
            value["macs"] = json!(total.macs);
            if let Some(g) = cost::grouped(checked, net) {
                value["logits"] = json!(g.logits);
                value["parameters_after_pruning"] = json!(g.pruned);
            }
        }
    }
    value
}

/// Applies safe fixes to the file and to what it imports, until nothing more can be mended.
fn mend(path: &Path, options: &Options, terminal: &Terminal) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Err(Failure::new(Exit::Usage, "`--fix` cannot change standard input").help("name a file"));
    }
    let mut done = 0;
    for _ in 0..ROUNDS {
        let compiled = compile(path, options)?;
        let mut changed = 0;
        for (id, file) in compiled.sources.files() {
            // The standard library has no path and stays as it is.
            let Some(at) = &file.path else { continue };
            let (text, n) = fix::apply(&file.text, id, &compiled.diagnostics, Applicability::Safe);
            if n > 0 && text != file.text {
                write::replace(at, &text)?;
                changed += n;
            }
        }
        done += changed;
        if changed == 0 {
            break;
        }
    }
    if done > 0 {
        terminal.note(&format!("{}: {done} problem{} fixed", path.display(), if done == 1 { "" } else { "s" }));
    }
    Ok(())
}

/// One SARIF log with the runs of all.
fn merged(logs: &[String]) -> String {
    let mut all: Option<serde_json::Value> = None;
    for log in logs {
        let Ok(mut value) = serde_json::from_str::<serde_json::Value>(log) else { continue };
        match &mut all {
            None => all = Some(value),
            Some(first) => {
                if let (Some(runs), Some(more)) = (first["runs"].as_array_mut(), value["runs"].as_array_mut()) {
                    runs.append(more);
                }
            }
        }
    }
    all.map(|v| screen::json(&format!("{v:#}\n"))).unwrap_or_default()
}
