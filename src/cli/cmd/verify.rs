//! `mtlc verify`: whether a derived file, its spec, its weights, or a whole run folder still belong together.

use std::path::Path;

use serde_json::json;

use super::session::{self, Stop};
use crate::cli::args::VerifyArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::driver::{self, Compiled};
use crate::experiment::RunFolder;
use crate::experiment::verify::{self, Answer, Verdict};
use crate::hir::Options;
use crate::screen::{paint, visible};

pub fn run(args: &VerifyArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &VerifyArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    if args.spec.is_none() && !args.set.set.is_empty() && !args.what.is_dir() {
        let f = Failure::new(Exit::Usage, "`--set` sets parameters of the program in `--spec`, which is missing")
            .help("name the program: `mtlc verify FILE --spec PROGRAM --set NAME=VALUE`");
        return Err(Stop::Failed(f));
    }
    let answers = match args.what.is_dir() {
        true => {
            if args.spec.is_some() || args.weights.is_some() || !args.set.set.is_empty() {
                let f = Failure::new(Exit::Usage, "a run folder has its own program, parameters and weights").help(
                    "`--spec`, `--set` and `--weights` go with a file: `mtlc verify RUN/derived/net.mtl --spec FILE`",
                );
                return Err(Stop::Failed(f));
            }
            verify::run(&RunFolder::open(&args.what).map_err(session::failed)?).map_err(session::failed)?
        }
        false => file(args, terminal)?,
    };
    let all = answers.iter().all(|a| a.verdict == Verdict::Holds);
    match terminal.json {
        true => terminal.object(&json!({
            "version": 1,
            "what": args.what.display().to_string(),
            "ok": all,
            "answers": answers.iter().map(|a| json!({
                "about": a.about,
                "question": a.question,
                "verdict": match a.verdict {
                    Verdict::Holds => "ok",
                    Verdict::Differs => "differs",
                    Verdict::Unknown => "unknown",
                },
                "why": a.why,
                "help": a.help,
            })).collect::<Vec<_>>(),
        })),
        false => show(&answers, terminal),
    }
    Ok(Ok(if all { Exit::Ok } else { Exit::Failure }))
}

fn file(args: &VerifyArgs, terminal: &Terminal) -> Result<Vec<Answer>, Stop> {
    let name = |p: &Path| p.display().to_string();
    let own = compile(&args.what, &Options::default(), terminal)?;
    let checked = own.checked.as_ref().expect("it was checked");
    let mut out = Vec::new();
    // Of a program that was never derived, weights and their digest are all there is to compare.
    if checked.spec.provenance.is_some() || args.weights.is_none() || args.spec.is_some() {
        out.push(verify::untouched(&name(&args.what), checked));
    }
    if let Some(path) = &args.spec {
        // A spec without frozen schemas was searched with those that the derived file keeps.
        let schemas = checked.spec.data.iter().filter_map(|d| Some((d.name.clone(), d.schema.clone()?))).collect();
        let spec = compile(path, &Options { set: args.set.set.clone(), schemas, ..Options::default() }, terminal)?;
        let spec = spec.checked.as_ref().expect("it was checked");
        out.push(verify::of_spec(&name(&args.what), checked, &name(path), spec));
    }
    if let Some(path) = &args.weights {
        out.push(verify::weights(&name(path), path, &verify::targets(&name(&args.what), checked)));
    }
    Ok(out)
}

fn compile(path: &Path, options: &Options, terminal: &Terminal) -> Result<Compiled, Stop> {
    let compiled = driver::compile(path, options).map_err(|e| Stop::Failed(Failure::io("read", path, &e)))?;
    if compiled.checked.is_none() {
        session::show(&compiled, terminal);
        return Err(Stop::Shown(Exit::Program));
    }
    Ok(compiled)
}

/// One line for each answer, the way out below it where there is one.
fn show(answers: &[Answer], terminal: &Terminal) {
    let color = terminal.stdout_color();
    let width = answers.iter().map(|a| a.verdict.words().len()).max().unwrap_or(0);
    for a in answers {
        let style = match a.verdict {
            Verdict::Holds => "32",
            Verdict::Differs => "1;31",
            Verdict::Unknown => "33",
        };
        let words = format!("{:width$}", a.verdict.words());
        let words = paint(&words, style, color);
        terminal.product(&format!("{words}  {}: {}\n", visible(&a.about, false), visible(&a.why, false)));
        if let (Some(help), false) = (&a.help, a.verdict == Verdict::Holds) {
            terminal.product(&format!("{:width$}  help: {}\n", "", visible(help, false)));
        }
    }
}
