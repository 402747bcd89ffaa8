//! `mtlc fmt`: the canonical layout. What cannot be read is left as it is: nothing is guessed about it.

use std::path::Path;

use serde_json::json;

use super::check::read_stdin;
use crate::cli::args::FmtArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::diag::render::{self, MessageFormat};
use crate::fmt::{self, diff};
use crate::source::SourceMap;
use crate::{driver, source};

pub fn run(args: &FmtArgs, terminal: &Terminal) -> Outcome {
    let mut exit = Exit::Ok;
    let (mut changed, mut unread) = (0, 0);
    for path in &source::programs(&args.files).map_err(|(path, e)| Failure::io("read", &path, &e))? {
        let stdin = path == Path::new("-");
        let text = match stdin {
            true => read_stdin()?,
            false => driver::read(path).map_err(|e| Failure::io("read", path, &e))?,
        };
        let formatted = fmt::mend(&text);
        let name = if stdin { "<stdin>".to_string() } else { path.display().to_string() };
        if !formatted.problems.is_empty() {
            // The diagnostics point into file 0, which is this text.
            let mut sources = SourceMap::default();
            sources.add(name.clone(), None, text.as_str());
            terminal.say(&render::render(MessageFormat::Human, &formatted.problems, &sources, terminal.stderr()));
            unread += 1;
            exit = Exit::Program;
        }
        let same = formatted.text == text;
        changed += usize::from(!same);
        let mut record = json!({ "file": name, "changed": !same, "problems": formatted.problems.len() });
        if args.check || args.diff {
            if args.diff {
                let shown = diff::unified(&name, &text, &formatted.text);
                match terminal.json {
                    true => record["diff"] = json!(shown),
                    false => terminal.product(&shown),
                }
            }
            if !same {
                terminal.say(&format!("{name}: not in the canonical layout\n"));
                if exit == Exit::Ok {
                    exit = Exit::Failure;
                }
            }
        } else if args.stdout || stdin {
            match terminal.json {
                true => record["text"] = json!(formatted.text),
                false => terminal.exact(&formatted.text),
            }
        } else if !same {
            write::replace(path, &formatted.text)?;
            terminal.note(&format!("{}: formatted", path.display()));
        }
        if terminal.json {
            terminal.object(&record);
        }
    }
    if (args.check || args.diff) && changed > 0 {
        terminal.note(&format!("{changed} to format: `mtlc fmt FILE...` writes the layout"));
    }
    if unread > 0 {
        terminal.note(&format!("{unread} with syntax errors: what could not be read is left as it is"));
    }
    Ok(exit)
}
