//! `mtlc derive`: the topology of a run as a program. The same run gives the same bytes.

use std::path::Path;

use serde_json::{Value, json};

use super::session::{self, Stop};
use crate::artifact;
use crate::cli::args::DeriveArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::data::Schema;
use crate::experiment::{self, RunFolder, SearchResult};

pub fn run(args: &DeriveArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

/// The output of `--json`: what was derived, by which search, and the program or the path of its file.
fn described(saved: &SearchResult, more: Value) -> Value {
    let mut value = json!({
        "strategy": saved.strategy,
        "seed": saved.seed,
        "decisions": saved.choices.iter().zip(&saved.decisions).map(|(c, d)| json!({ "choice": c, "option": d })).collect::<Vec<_>>(),
    });
    let (Value::Object(all), Value::Object(more)) = (&mut value, more) else { unreachable!("two objects") };
    all.extend(more);
    value
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
    let mut compiled = experiment::compile(&program).map_err(|f| session::stop(f, terminal))?;
    if let (true, Some(checked)) = (args.no_vocabulary, &mut compiled.checked) {
        checked.spec.data.iter_mut().filter_map(|d| d.schema.as_mut()).for_each(Schema::withhold);
    }
    let at = args.output.clone().unwrap_or_else(|| folder.derived());
    let text = experiment::rederive(&compiled, &saved, &at).map_err(session::failed)?;
    let vocabularies = compiled.checked.as_ref().map(|c| artifact::vocabularies(&c.spec)).unwrap_or_default();
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
            let folder = path.parent().unwrap_or(Path::new(""));
            for v in &vocabularies {
                v.write(folder).map_err(|e| Stop::Failed(Failure::io("write", &folder.join(&v.name), &e)))?;
            }
            write::create(path, &text).map_err(Stop::Failed)?;
            terminal.note(&format!("wrote {}", path.display()));
            vocabularies.iter().for_each(|v| {
                terminal.note(&format!(
                    "wrote {}, its vocabularies: the two belong together",
                    folder.join(&v.name).display()
                ))
            });
            if terminal.json {
                terminal.object(&described(&saved, json!({ "output": path.display().to_string() })));
            }
        }
        None => {
            match terminal.json {
                true => terminal.object(&described(&saved, json!({ "program": text }))),
                false => terminal.exact(&text),
            }
            vocabularies.iter().for_each(|v| {
                terminal.note(&format!(
                    "note: this program reads its vocabularies from `{}`, which is next to {}",
                    v.name,
                    folder.derived().display()
                ))
            });
        }
    }
    Ok(Ok(Exit::Ok))
}
