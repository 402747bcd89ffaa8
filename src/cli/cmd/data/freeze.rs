//! `mtlc data freeze`: writes what is known of the data into the program.

use crate::cli::args::FreezeArgs;
use crate::cli::cmd::session::{self, Stop};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::data::Schema;
use crate::hir::Options;
use crate::runtime::feed;

pub fn run(args: &FreezeArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &FreezeArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let options = Options { set: args.set.set.clone(), ..Options::default() };
    let compiled = super::compiled(&args.file, &options, terminal)?;
    let checked = compiled.checked.as_ref().expect("it compiled");
    let mut text = compiled.sources.file(compiled.root).text.clone();
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let mut added = String::new();
    for d in &checked.spec.data {
        let raw = feed::load(d).map_err(session::failed)?;
        let schema = Schema::freeze(&raw);
        for note in schema.notes() {
            terminal.note(&format!("note: {note}"));
        }
        let item = schema.to_mtl(&d.name);
        let written = checked
            .spec
            .written
            .iter()
            .find(|w| w.item.keyword.text == "schema" && w.item.names.first().is_some_and(|n| n.text == d.name));
        match written {
            Some(w) if w.item.span.file == compiled.root => {
                edits.push((w.item.span.range(), item.trim_end().to_string()))
            }
            Some(_) => {
                let f = Failure::new(Exit::Failure, format!("the schema of `{}` stands in an imported file", d.name))
                    .help("freeze that file");
                return Err(Stop::Failed(f));
            }
            None => added.push_str(&format!("\n{item}")),
        }
    }
    edits.sort_by_key(|(r, _)| std::cmp::Reverse(r.start));
    for (range, item) in edits {
        text.replace_range(range, &item);
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&added);
    let text = crate::fmt::format(&text).unwrap_or(text);
    if args.stdout {
        terminal.product(&text);
    } else {
        write::replace(&args.file, &text).map_err(Stop::Failed)?;
        terminal.note(&format!("froze {} data set(s) into {}", checked.spec.data.len(), args.file.display()));
    }
    Ok(Ok(Exit::Ok))
}
