//! `mtlc explain`: what a code means, what an op takes, which strategies there are. Everything shown comes from the tables that
//! checking reads, so it cannot be out of date.

use serde_json::json;

use crate::cli::args::ExplainArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::diag::{Code, suggest};
use crate::hir::schema as items;
use crate::ide::docs::{TERMS, TOPICS, contents, explain};
use crate::std as library;

pub fn run(args: &ExplainArgs, terminal: &Terminal) -> Outcome {
    let Some(what) = args.what.as_deref() else {
        match terminal.json {
            true => terminal.object(&json!({ "codes": Code::all().map(|c| json!({
                "code": c.name(), "severity": c.severity().name(), "title": c.title(),
            })).collect::<Vec<_>>() })),
            false => terminal.product(&contents()),
        }
        return Ok(Exit::Ok);
    };
    let Some(text) = explain(what) else { return Err(unknown(what)) };
    match terminal.json {
        true => terminal.object(&json!({ "name": what, "markdown": text })),
        false => terminal.product(&text),
    }
    Ok(Exit::Ok)
}

fn unknown(what: &str) -> Failure {
    let mut names: Vec<&str> = TOPICS.iter().map(|t| t.name).chain(["items", "library"]).collect();
    names.extend(TOPICS.iter().flat_map(|t| (t.calls)()).map(|c| c.name));
    names.extend(TERMS.iter().map(|(name, ..)| *name));
    names.extend(items::items().iter().map(|i| i.keyword));
    names.extend(library::modules().iter().map(|(n, _)| *n));
    names.extend(Code::all().map(Code::name));
    names.extend(Code::all().filter_map(|c| c.name().strip_prefix("mtl::")));
    let failure = Failure::new(Exit::Usage, format!("there is nothing called `{what}` to explain"));
    match suggest::nearest(what, names) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help("`mtlc explain` lists everything"),
    }
}
