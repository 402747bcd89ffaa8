//! `mtlc data`: one file per command; what they share.

pub mod check;
pub mod freeze;
pub mod preview;

use std::collections::HashMap;
use std::path::Path;

use super::session::{self, Stop};
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::data::{InputFrom, Raw, Schema};
use crate::driver::{self, Compiled};
use crate::hir::{Options, Spec};
use crate::objective::TaskKind;
use crate::runtime::feed::{self, Feed};

/// Compiles a program that must have data.
fn compiled(file: &Path, options: &Options, terminal: &Terminal) -> Result<Compiled, Stop> {
    let compiled = driver::compile(file, options).map_err(|e| Stop::Failed(Failure::io("read", file, &e)))?;
    let no_data = |of_others: bool| {
        let f = Failure::new(Exit::Program, format!("`{}` has no `data` item", file.display()));
        Stop::Failed(match of_others {
            true => {
                f.help("this file is meant to be imported: name a program that brings the data and has `use` of it")
            }
            false => f.help("declare one, and say with `from` and `label` what inputs and tasks read of it"),
        })
    };
    let Some(checked) = &compiled.checked else {
        // Of a part of a program nothing is wrong but that it stands alone.
        if imported(&compiled) {
            return Err(no_data(true));
        }
        session::show(&compiled, terminal);
        return Err(Stop::Shown(session::exit_of(&compiled)));
    };
    if checked.spec.data.is_empty() {
        return Err(no_data(checked.spec.inputs.is_empty() || checked.spec.tasks.is_empty()));
    }
    Ok(compiled)
}

/// Whether a file reads well and brings neither data nor another file.
fn imported(compiled: &Compiled) -> bool {
    let parsed = crate::syntax::parse(compiled.root, &compiled.sources.file(compiled.root).text);
    let brings = |i: &crate::syntax::ast::Item| {
        i.keyword.text == "data" || (i.keyword.text == "use" && i.names.iter().any(|n| n.quoted))
    };
    !parsed.has_errors() && !parsed.file().items.iter().any(brings)
}

/// A program with its data, read and encoded.
struct Read {
    compiled: Compiled,
    name: String,
    raw: Raw,
    schema: Schema,
    frozen: bool,
    feed: Feed,
}

impl Read {
    fn spec(&self) -> &Spec {
        &self.compiled.checked.as_ref().expect("it compiled").spec
    }

    /// The columns that inputs read, each once.
    fn input_columns(&self) -> Result<Vec<String>, Stop> {
        let (_, specs, _) = feed::feed_inputs(self.spec()).map_err(session::failed)?;
        let mut names: Vec<String> = Vec::new();
        for spec in specs {
            let (InputFrom::Fields { columns, .. } | InputFrom::Dense { columns, .. }) = spec.from;
            columns.into_iter().for_each(|c| {
                if !names.contains(&c) {
                    names.push(c)
                }
            });
        }
        Ok(names)
    }

    /// The columns that define groups of rows.
    fn groups(&self) -> Vec<Vec<String>> {
        let data = self.spec().data.iter().find(|d| d.name == self.name);
        data.map(|d| crate::data::split::groups(&d.args)).unwrap_or_default()
    }

    /// Kind and class names of each encoded label.
    fn tasks(&self) -> Vec<(TaskKind, Vec<String>)> {
        let of = |t: &usize| {
            let task = &self.spec().tasks[*t];
            let kind = match task.kind {
                TaskKind::Classes(None) => TaskKind::Classes(self.words(*t).map(|w| w.len())),
                other => other,
            };
            let n = kind.outputs().unwrap_or(0);
            (kind, self.words(*t).filter(|w| w.len() == n).unwrap_or_else(|| (0..n).map(|i| i.to_string()).collect()))
        };
        self.feed.tasks.iter().map(of).collect()
    }

    fn words(&self, task: usize) -> Option<Vec<String>> {
        let label = self.spec().tasks[task].label.as_ref()?;
        crate::data::label::words(&label.label, &self.schema)
    }
}

/// Reads and encodes; what is wrong with the data ends here, with exit code 4.
fn read(file: &Path, set: &[(String, String)], terminal: &Terminal) -> Result<Read, Stop> {
    let mut options = Options { set: set.to_vec(), ..Options::default() };
    let first = compiled(file, &options, terminal)?;
    let spec = &first.checked.as_ref().expect("it compiled").spec;
    let mut raws: HashMap<String, Raw> = HashMap::new();
    let mut open: HashMap<String, Schema> = HashMap::new();
    for d in &spec.data {
        let raw = feed::load(d).map_err(session::failed)?;
        if d.schema.is_none() {
            open.insert(d.name.clone(), Schema::freeze(&raw));
        }
        raws.insert(d.name.clone(), raw);
    }
    options.schemas = open;
    let compiled = compiled(file, &options, terminal)?;
    let checked = compiled.checked.as_ref().expect("it compiled");
    let (feed, raw) = feed::feed_and_raw(checked, raws).map_err(session::failed)?;
    let (_, _, data) = feed::feed_inputs(&checked.spec).map_err(session::failed)?;
    let name = data.name.clone();
    let schema = feed.schema.clone();
    let frozen = !options.schemas.contains_key(&name);
    Ok(Read { name, raw, schema, frozen, feed, compiled })
}
