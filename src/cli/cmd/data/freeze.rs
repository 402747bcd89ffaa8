//! `mtlc data freeze`: writes the facts about the data into the program. The new text is checked before it is written: a program that
//! `check` would refuse never replaces the user's.

use std::path::Path;

use serde_json::json;

use crate::artifact;
use crate::cli::args::FreezeArgs;
use crate::cli::cmd::session::{self, Stop};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::data::vocabulary::Sidecar;
use crate::data::{self, Raw, Schema};
use crate::driver::{self, Compiled};
use crate::hir::Options;
use crate::runtime::feed;

pub fn run(args: &FreezeArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &FreezeArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let options = Options { set: args.set.set.clone(), ..Options::default() };
    let compiled = super::compiled(&args.file, &options, terminal)?;
    let checked = compiled.checked.as_ref().expect("it compiled");
    let mut frozen: Vec<(String, Raw, Schema)> = Vec::new();
    for d in &checked.spec.data {
        let raw = feed::load_open(d).map_err(session::failed)?;
        let schema = Schema::freeze(&raw);
        for note in raw.notes.iter().cloned().chain(schema.notes()) {
            terminal.note(&format!("note: {note}"));
        }
        frozen.push((d.name.clone(), raw, schema));
    }
    let first = Text::new(&compiled, &frozen)?;
    let closed = first.checked(args, &options, terminal)?;
    // Now that the columns are known, the tasks are as well, and the statistics of their labels can be measured.
    let closed = closed.checked.as_ref().expect("it was checked");
    for (at, (_, raw, schema)) in frozen.iter_mut().enumerate() {
        let labels = feed::labels_of(closed, at);
        schema.labels = data::measure(raw, schema, &labels).map_err(|e| session::failed(e.into()))?;
    }
    let text = Text::new(&compiled, &frozen)?;
    if text.text != first.text {
        text.checked(args, &options, terminal)?;
    }
    let names: Vec<&str> = frozen.iter().map(|(n, ..)| n.as_str()).collect();
    let files: Vec<&str> = text.beside.iter().map(|v| v.name.as_str()).collect();
    let mut record = json!({
        "file": args.file.display().to_string(), "data": names, "vocabularies": files, "written": !args.stdout,
    });
    if args.stdout {
        record["program"] = json!(text.text);
        match terminal.json {
            true => terminal.object(&record),
            false => terminal.exact(&text.text),
        }
        for v in &text.beside {
            terminal.note(&format!(
                "note: the vocabularies are in a file `{}` next to the program, which is only written without `--stdout`",
                v.name
            ));
        }
        return Ok(Ok(Exit::Ok));
    }
    let real = std::fs::canonicalize(&args.file).unwrap_or_else(|_| args.file.clone());
    for folder in [args.file.parent(), real.parent()].into_iter().flatten() {
        for v in &text.beside {
            v.write(folder).map_err(|e| Stop::Failed(Failure::io("write", &folder.join(&v.name), &e)))?;
        }
    }
    write::replace(&args.file, &text.text).map_err(Stop::Failed)?;
    if terminal.json {
        terminal.object(&record);
    }
    terminal.note(&format!("froze {} data set(s) into {}", frozen.len(), args.file.display()));
    for v in &text.beside {
        terminal.note(&format!("wrote {} next to it: the vocabularies, which the program reads", v.name));
    }
    Ok(Ok(Exit::Ok))
}

/// The program with its schemas, and the files that it needs in its folder.
struct Text {
    text: String,
    beside: Vec<Sidecar>,
}

impl Text {
    fn new(compiled: &Compiled, frozen: &[(String, Raw, Schema)]) -> Result<Text, Stop> {
        let spec = &compiled.checked.as_ref().expect("it compiled").spec;
        let mut text = compiled.sources.file(compiled.root).text.clone();
        let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        let (mut added, mut beside) = (String::new(), Vec::new());
        for (name, _, schema) in frozen {
            let item = schema.to_mtl(name);
            beside.extend(schema.sidecar(name));
            let written = spec
                .written
                .iter()
                .find(|w| w.item.keyword.text == "schema" && w.item.names.first().is_some_and(|n| n.text == *name));
            match written {
                Some(w) if w.item.span.file == compiled.root => {
                    edits.push((w.item.span.range(), item.trim_end().to_string()))
                }
                Some(_) => {
                    let f = Failure::new(Exit::Failure, format!("the schema of `{name}` is in an imported file"))
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
        Ok(Text { text: crate::fmt::format(&text).unwrap_or(text), beside })
    }

    /// Compiles the new text at the path where it will be written.
    fn checked(&self, args: &FreezeArgs, options: &Options, terminal: &Terminal) -> Result<Compiled, Stop> {
        let load = |path: &Path| artifact::beside(&self.beside, path, &driver::read);
        let compiled = driver::compile_text(&self.text, &args.file, options, &load);
        if compiled.checked.is_none() {
            session::show(&compiled, terminal);
            let what = format!("with its schemas `{}` would have errors, so it was not changed", args.file.display());
            return Err(Stop::Failed(
                Failure::new(Exit::Program, what).help("correct the program as the messages above say"),
            ));
        }
        Ok(compiled)
    }
}
