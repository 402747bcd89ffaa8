//! Words that `explain` knows besides codes and entries of tables: terms of messages, tables and drawings (`terms.md`, a section for each),
//! keywords of nested entries, attributes and arguments, and the words that they take as values. All but the terms come from the tables
//! that checking reads, so a new attribute is known at once.

use std::sync::LazyLock;

use super::docs::{self, TOPICS};
use crate::diag::synonyms;
use crate::hir::schema::{self as items, ItemDef};
use crate::schema::{AttrDef, CallDef, Ty};

/// A section of `terms.md`: the names in its heading, and its text.
pub struct Term {
    pub names: Vec<&'static str>,
    pub text: &'static str,
}

static TERMS: LazyLock<Vec<Term>> = LazyLock::new(|| {
    let sections = include_str!("terms.md").split("\n# ").map(|s| s.trim_start_matches("# "));
    let term = |s: &'static str| {
        let (heading, text) = s.split_once("\n\n").unwrap_or((s, ""));
        Term { names: heading.split(" | ").collect(), text: text.trim_end() }
    };
    let shared =
        Term { names: vec!["shared", "params shared", "MACs shared"], text: crate::check::shared::EXPLANATION.trim() };
    std::iter::once(shared).chain(sections.map(term)).collect()
});

/// All terms that have a text of their own.
pub fn terms() -> &'static [Term] {
    &TERMS
}

/// An attribute or argument, and of what it is one.
struct Owned {
    owner: String,
    attr: &'static AttrDef,
}

/// The words of the language that are no entries of tables.
struct Words {
    /// Nested entries, with the keyword of the item that contains them.
    nested: Vec<(&'static ItemDef, &'static str)>,
    attributes: Vec<Owned>,
    /// Values that are calls but in no table, with what takes them.
    calls: Vec<(&'static CallDef, String)>,
    /// Values that are words, with what takes them.
    values: Vec<(&'static str, String)>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words = Words { nested: Vec::new(), attributes: Vec::new(), calls: Vec::new(), values: Vec::new() };
    for item in items::items() {
        words.item(item, &format!("`{}`", item.keyword));
    }
    for topic in &TOPICS {
        for call in (topic.calls)() {
            words.attributes(call.args, &format!("`{}` ({})", call.name, singular(topic.name)));
        }
    }
    words
});

impl Words {
    fn item(&mut self, item: &'static ItemDef, owner: &str) {
        self.attributes(item.attrs, owner);
        for nested in item.nested {
            self.nested.push((nested, item.keyword));
            self.item(nested, &format!("`{}` in `{}`", nested.keyword, item.keyword));
        }
    }

    fn attributes(&mut self, attrs: &'static [AttrDef], owner: &str) {
        for attr in attrs {
            self.attributes.push(Owned { owner: owner.to_string(), attr });
            self.values(&attr.ty, &format!("`{}` of {owner}", attr.name));
        }
    }

    fn values(&mut self, ty: &'static Ty, taker: &str) {
        match ty {
            Ty::OneOf(all) => self.values.extend(all.iter().map(|w| (*w, taker.to_string()))),
            Ty::List(inner) | Ty::Schedule(inner) => self.values(inner, taker),
            Ty::AnyOf(all) => all.iter().for_each(|ty| self.values(ty, taker)),
            Ty::Call(calls) => {
                let known = |c: &CallDef| TOPICS.iter().any(|t| (t.calls)().iter().any(|k| k.name == c.name));
                for call in calls().into_iter().filter(|c| !known(c)) {
                    let seen = self.calls.iter().any(|(c, _)| std::ptr::eq(*c, call));
                    self.calls.push((call, taker.to_string()));
                    if !seen {
                        self.attributes(call.args, &format!("`{}` for {taker}", call.name));
                    }
                }
            }
            _ => {}
        }
    }
}

/// "strategies" as "strategy".
fn singular(topic: &str) -> String {
    match (topic.strip_suffix("ies"), topic.strip_suffix("sses")) {
        (Some(stem), _) => format!("{stem}y"),
        (_, Some(stem)) => format!("{stem}ss"),
        _ => topic.trim_end_matches('s').to_string(),
    }
}

/// The words that are known here, for a suggestion.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    let words = &*WORDS;
    let terms = terms().iter().flat_map(|t| t.names.iter().copied());
    let nested = words.nested.iter().map(|(n, _)| n.keyword);
    let attributes = words.attributes.iter().map(|a| a.attr.name);
    let calls = words.calls.iter().map(|(c, _)| c.name);
    terms.chain(nested).chain(attributes).chain(calls).chain(words.values.iter().map(|(w, _)| *w))
}

/// Capitals, blanks, `-` and `_` make no difference.
fn plain(word: &str) -> String {
    word.to_lowercase().replace(['_', '-', ' ', '%'], "")
}

/// What is known of a word: as it is written, else with other capitals, blanks and dashes, else as a plural or a singular, else as
/// another tool's name for a word of ours.
pub fn explain(word: &str) -> Option<String> {
    let wanted = plain(word);
    let alike: [&dyn Fn(&str) -> bool; 3] = [&|w| w == word, &|w| plain(w) == wanted, &|w| {
        plain(w).trim_end_matches('s') == wanted.trim_end_matches('s') && wanted.len() > 2
    }];
    alike.into_iter().find_map(|alike| page(alike)).or_else(|| {
        let all = names().chain(TOPICS.iter().flat_map(|t| (t.calls)()).map(|c| c.name));
        let ours = synonyms::find(word, all.clone()).or_else(|| synonyms::find(word.trim_end_matches('s'), all))?;
        let page = docs::explain(ours).filter(|_| ours != word)?;
        Some(format!("`{word}` is called `{ours}` here.\n\n{page}"))
    })
}

/// The texts of all words that are alike, under one heading.
fn page(alike: &dyn Fn(&str) -> bool) -> Option<String> {
    let words = &*WORDS;
    let mut heading: Option<&str> = None;
    let mut parts: Vec<String> = Vec::new();
    for term in terms() {
        if let Some(name) = term.names.iter().find(|n| alike(n)) {
            heading.get_or_insert(name);
            parts.push(term.text.trim_start_matches("# shared\n\n").to_string());
        }
    }
    for (nested, owner) in words.nested.iter().filter(|(n, _)| alike(n.keyword)) {
        heading.get_or_insert(nested.keyword);
        parts.push(format!("An entry in the body of `{owner}`.\n\n{}", docs::item(nested, "##").trim_end()));
    }
    for (call, takers) in
        grouped(words.calls.iter().filter(|(c, _)| alike(c.name)).map(|(c, t)| (*c, t.clone())), |c| {
            docs::call(c, "##")
        })
    {
        heading.get_or_insert(call.name);
        parts.push(format!("A value of {takers}.\n\n{}", docs::call(call, "##").trim_end()));
    }
    let owned = words.attributes.iter().filter(|a| alike(a.attr.name)).map(|a| (a.attr, a.owner.clone()));
    for (attr, owners) in grouped(owned, docs::attribute) {
        heading.get_or_insert(attr.name);
        parts.push(format!("An attribute of {owners}:\n\n- {}", docs::attribute(attr)));
    }
    let values = words.values.iter().filter(|(w, _)| alike(w)).map(|(w, t)| (*w, t.clone()));
    for (value, takers) in grouped(values, |w| w.to_string()) {
        heading.get_or_insert(value);
        parts.push(format!("A value of {takers}."));
    }
    Some(format!("# `{}`\n\n{}\n", heading?, parts.join("\n\n")))
}

/// Entries with the same text once, with all that own them.
fn grouped<T: Copy>(entries: impl Iterator<Item = (T, String)>, text: impl Fn(T) -> String) -> Vec<(T, String)> {
    let mut out: Vec<(T, String, Vec<String>)> = Vec::new();
    for (entry, owner) in entries {
        let text = text(entry);
        match out.iter_mut().find(|(_, known, _)| *known == text) {
            Some((.., owners)) if owners.contains(&owner) => {}
            Some((.., owners)) => owners.push(owner),
            None => out.push((entry, text, vec![owner])),
        }
    }
    out.into_iter().map(|(entry, _, owners)| (entry, owners.join(", "))).collect()
}

/// The attributes of that name in a table, for a word that is also an entry of a table.
pub fn attributes(word: &str) -> String {
    let owned = WORDS.attributes.iter().filter(|a| a.attr.name == word).map(|a| (a.attr, a.owner.clone()));
    let parts = grouped(owned, docs::attribute).into_iter();
    parts.map(|(attr, owners)| format!("\nAn attribute of {owners}:\n\n- {}\n", docs::attribute(attr))).collect()
}
