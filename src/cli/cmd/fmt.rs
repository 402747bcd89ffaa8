//! `mtlc fmt`: the canonical layout. A file with syntax errors is left alone: nothing is guessed about it.

use std::path::Path;

use serde_json::json;

use super::check::read_stdin;
use crate::cli::args::FmtArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::diag::render::{self, MessageFormat};
use crate::source::SourceMap;
use crate::{driver, fmt};

pub fn run(args: &FmtArgs, terminal: &Terminal) -> Outcome {
    let mut exit = Exit::Ok;
    let (mut changed, mut unread) = (0, 0);
    for path in &args.files {
        let stdin = path == Path::new("-");
        let text = match stdin {
            true => read_stdin()?,
            false => driver::read(path).map_err(|e| Failure::io("read", path, &e))?,
        };
        let formatted = match fmt::format(&text) {
            Ok(f) => f,
            Err(problems) => {
                // The diagnostics point into file 0, which is this text.
                let mut sources = SourceMap::default();
                let name = if stdin { "<stdin>".to_string() } else { path.display().to_string() };
                sources.add(name, None, text.as_str());
                terminal.say(&render::render(MessageFormat::Human, &problems, &sources, terminal.stderr()));
                unread += 1;
                exit = Exit::Program;
                continue;
            }
        };
        let same = formatted == text;
        changed += usize::from(!same);
        if args.check {
            if !same {
                terminal.say(&format!("{}: not in the canonical layout\n", path.display()));
                if exit == Exit::Ok {
                    exit = Exit::Failure;
                }
            }
        } else if args.stdout || stdin {
            terminal.product(&formatted);
        } else if !same {
            write::replace(path, &formatted)?;
            terminal.note(&format!("{}: formatted", path.display()));
        }
        if terminal.json && !args.stdout && !stdin {
            terminal.object(&json!({ "file": path.display().to_string(), "changed": !same }));
        }
    }
    if args.check && changed > 0 {
        terminal.note(&format!("{changed} to format: `mtlc fmt FILE...` writes the layout"));
    }
    if unread > 0 {
        terminal.note(&format!("{unread} left alone: a program with syntax errors is not formatted"));
    }
    Ok(exit)
}
