//! `mtlc derive`: the topology of a run as a program. The same run gives the same bytes.

use std::path::Path;

use super::session::{self, Stop};
use crate::cli::args::DeriveArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::experiment::{self, RunFolder, SearchResult};

pub fn run(args: &DeriveArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &DeriveArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let folder = RunFolder::open(&args.run).map_err(session::failed)?;
    let saved: SearchResult = match folder.read_json("search.json") {
        Ok(s) => s,
        Err(_) if !folder.path.join("search.json").exists() => {
            let f = Failure::new(Exit::Failure, format!("the run `{}` holds no finished search", args.run.display()))
                .help("`mtlc search` and `mtlc run` leave one");
            return Err(Stop::Failed(f));
        }
        Err(e) => return Err(session::failed(e)),
    };
    let program = folder.path.join("program.mtl");
    let compiled = experiment::compile(&program).map_err(|f| session::stop(f, terminal))?;
    let at = args.output.clone().unwrap_or_else(|| folder.derived());
    let text = experiment::rederive(&compiled, &saved, &at).map_err(session::failed)?;
    match &args.output {
        Some(path) => {
            if path.exists() {
                let f = Failure::new(Exit::Failure, format!("`{}` exists already", path.display()))
                    .help("nothing was written; name another file with `-o`");
                return Err(Stop::Failed(f));
            }
            if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty() && *p != Path::new(".")) {
                std::fs::create_dir_all(parent).map_err(|e| Stop::Failed(Failure::io("create", parent, &e)))?;
            }
            write::create(path, &text).map_err(Stop::Failed)?;
            terminal.note(&format!("wrote {}", path.display()));
        }
        None => terminal.product(&text),
    }
    Ok(Ok(Exit::Ok))
}
