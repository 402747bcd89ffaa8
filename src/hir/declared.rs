//! Names that a program may declare: no word that has a meaning of its own, and no two of one kind that are easily confused.

use std::collections::HashMap;

use super::build::Builder;
use super::import::Loaded;
use crate::diag::{Diagnostic, codes};
use crate::syntax::ast::{Entry, Name};

/// Words that mean something wherever a name may stand, and what.
pub const RESERVED: &[(&str, &str)] = &[
    ("true", "a truth value"),
    ("false", "a truth value"),
    ("in", "the value that comes into a chain"),
    ("out", "the result of a body"),
    ("outputs", "the number of outputs that a task needs"),
    ("previous", "the mean of the level before"),
    ("any", "as many copies as tasks"),
    ("heads", "the last readers of a space"),
    ("mix", "a mix of several copies"),
];

/// Items, and entries of bodies, whose names other places call.
const NAMED: &[&str] = &["param", "data", "input", "task", "block", "backbone", "stage"];

impl Builder<'_> {
    /// Reports names of the user's that are reserved, or differ from another of their kind in case only.
    pub(super) fn declared_names(&mut self, items: &[&Loaded]) {
        // By kind and name in small letters, within the file or within a backbone.
        let mut seen: HashMap<(&str, String), Name> = HashMap::new();
        for l in items.iter().filter(|l| !l.library) {
            let (keyword, item) = (l.item.keyword.text.as_str(), &l.item);
            if NAMED.contains(&keyword) {
                item.names.iter().for_each(|n| self.declared_name(keyword, n, &mut seen));
            }
            let mut inner: HashMap<(&str, String), Name> = HashMap::new();
            for entry in item.body.iter().flat_map(|b| &b.entries) {
                if let Entry::Nested(n) = entry
                    && keyword == "backbone"
                    && NAMED.contains(&n.keyword.text.as_str())
                {
                    n.names.iter().for_each(|name| self.declared_name("stage", name, &mut inner));
                }
            }
            let parameters = item.params.iter().flat_map(|p| &p.value).filter(|p| p.ty.is_some());
            parameters.for_each(|p| self.declared_name("parameter", &p.name, &mut inner));
        }
    }

    fn declared_name<'k>(&mut self, kind: &'k str, name: &Name, seen: &mut HashMap<(&'k str, String), Name>) {
        // A task is named where quotes tell it from a word. A block may take the place of any op.
        let free = name.quoted && kind == "task" || kind == "block" && crate::ops::find(&name.text).is_some();
        if let Some((word, meaning)) = RESERVED.iter().find(|(w, _)| *w == name.text && !free) {
            let message = format!("`{word}` cannot be the name of {} {kind}: it means {meaning}", article(kind));
            let d = Diagnostic::new(codes::NAME_DUPLICATE, name.span, message).label("a word of the language");
            self.diags.push(d.help(match kind {
                "task" => format!("choose another name, or put this one in quotes: `\"{word}\"`"),
                _ => "choose another name".into(),
            }));
            return;
        }
        match seen.get(&(kind, name.text.to_lowercase())) {
            Some(first) if first.text != name.text => {
                let message = format!("the {kind}s `{}` and `{}` differ in case only", first.text, name.text);
                let d = Diagnostic::new(codes::NAME_DUPLICATE, name.span, message).label("easily confused");
                self.diags.push(d.also(first.span, "the other one").help("rename one of them"));
            }
            Some(_) => {}
            None => {
                seen.insert((kind, name.text.to_lowercase()), name.clone());
            }
        }
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}
