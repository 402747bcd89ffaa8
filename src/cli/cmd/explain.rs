//! `mtlc explain`: what a code means, what an op takes, which strategies there are. Everything shown comes from the tables that
//! checking reads, so it cannot be out of date.

use serde_json::json;

use clap::CommandFactory;

use crate::cli::args::{Cli, ExplainArgs};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::diag::{Code, suggest};
use crate::hir::schema as items;
use crate::ide::docs::{self, TOPICS, contents};
use crate::ide::glossary;
use crate::screen::shell;
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

/// The page of a word: of the language and the tables, else of a command or an option.
pub fn explain(what: &str) -> Option<String> {
    docs::explain(what).or_else(|| {
        let (mut commands, mut options) = (String::new(), Vec::<(String, String)>::new());
        visit(&Cli::command(), &mut |path, command| {
            if command.get_name() == what || path == what {
                let about = command.get_long_about().or(command.get_about()).map(|a| a.to_string()).unwrap_or_default();
                let help = shell::mtlc(path).words("--help");
                commands += &format!("# {}\n\n{about}\n\n{help} shows its options.\n", shell::mtlc(path));
            }
            let long = what.trim_start_matches("--");
            for arg in command.get_arguments().filter(|a| a.get_long() == Some(long)) {
                let help = arg.get_long_help().or(arg.get_help()).map(|h| h.to_string()).unwrap_or_default();
                match options.iter_mut().find(|(h, _)| *h == help) {
                    Some((_, owners)) => *owners += &format!(", {}", shell::mtlc(path)),
                    None => options.push((help, shell::mtlc(path).to_string())),
                }
            }
        });
        let of = |(help, owners): &(String, String)| format!("An option of {owners}: {help}\n");
        let options: Vec<String> = options.iter().map(of).collect();
        match (commands.is_empty(), options.is_empty()) {
            (true, true) => None,
            (false, _) => Some(commands),
            (true, false) => Some(format!("# `--{}`\n\n{}", what.trim_start_matches("--"), options.join("\n"))),
        }
    })
}

/// All commands, with the words that select them.
fn visit(command: &clap::Command, each: &mut impl FnMut(&str, &clap::Command)) {
    for below in command.get_subcommands() {
        each(below.get_name(), below);
        for (outer, inner) in below.get_subcommands().map(|i| (below.get_name(), i)) {
            each(&format!("{outer} {}", inner.get_name()), inner);
        }
    }
}

fn unknown(what: &str) -> Failure {
    let mut names: Vec<&str> = TOPICS.iter().map(|t| t.name).chain(["items", "library"]).collect();
    names.extend(TOPICS.iter().flat_map(|t| (t.calls)()).map(|c| c.name));
    names.extend(glossary::names());
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
