//! What may stand at the cursor: by the schema, and by the kind of name that is asked for.

mod chains;
mod snippets;
mod values;

use std::path::Path;

use super::Analysis;
use super::context::{self, Context, Head, Wanted};
use super::docs;
use super::names::What;
use crate::hir::build::quoted_if_needed;
use crate::hir::schema;
use crate::schema::{AttrDef, Need};
use crate::{hir, search, std as library};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    Keyword,
    Attribute,
    Function,
    Block,
    Value,
    Name,
    Column,
    File,
    Snippet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub label: String,
    pub kind: CompletionKind,
    pub detail: String,
    /// Markdown.
    pub doc: String,
    /// With `${1:place}` marks for what is to be filled in.
    pub snippet: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completions {
    /// What is replaced.
    pub range: std::ops::Range<usize>,
    /// Best first.
    pub list: Vec<Completion>,
    /// More would fit: ask again when more is written.
    pub cut: bool,
}

/// More than this many are no help.
const MOST: usize = 400;

/// What is in a folder, by name; folders end with `/`.
pub type Folder<'f> = &'f dyn Fn(&Path) -> Vec<String>;

/// What may stand at an offset.
pub fn complete(analysis: &Analysis, offset: usize, list_folder: Folder) -> Completions {
    let text = analysis.text();
    let Context { wanted, prefix } = context::at(text, offset);
    let mut list = Lister {
        analysis,
        folder: list_folder,
        written: text[prefix.clone()].trim_start_matches('"'),
        out: Vec::new(),
    };
    list.wanted(&wanted, offset);
    let typed = text[prefix.clone()].trim_matches('"').to_lowercase();
    let quoted = text[prefix.clone()].starts_with('"');
    let mut out = list.out;
    let mut seen = std::collections::HashSet::new();
    out.retain(|c| seen.insert((c.label.clone(), c.kind == CompletionKind::Snippet)));
    if quoted {
        // Inside of quotes only names can stand; the closing quote comes with them.
        out.retain(|c| matches!(c.kind, CompletionKind::Name | CompletionKind::Column | CompletionKind::File));
        let closed = text[prefix.end..].starts_with('"');
        for c in &mut out {
            // A folder is gone on with.
            let open = closed || c.label.ends_with('/');
            c.snippet = escape(&quoted_path(c.label.trim_matches('"'), open));
        }
    }
    let range = prefix;
    let cut = out.len() > MOST;
    if cut {
        out.retain(|c| c.label.to_lowercase().contains(&typed));
        out.truncate(MOST);
    }
    Completions { range, list: out, cut }
}

/// A name in quotes; without the closing one where that stands already, or more is to come.
fn quoted_path(text: &str, open: bool) -> String {
    let quoted = format!("{text:?}");
    if open { quoted[..quoted.len() - 1].to_string() } else { quoted }
}

/// Text that means itself in a snippet.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}")
}

/// A snippet without its marks: `conv(${1:channels})` is `conv(channels)`.
pub fn plain(snippet: &str) -> String {
    let mut out = String::new();
    let mut chars = snippet.chars().peekable();
    let mut open = 0;
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '$' if chars.peek() == Some(&'{') => {
                chars.next();
                while chars.peek().is_some_and(char::is_ascii_digit) {
                    chars.next();
                }
                if chars.peek() == Some(&':') {
                    chars.next();
                }
                open += 1;
            }
            '$' => while chars.next_if(char::is_ascii_digit).is_some() {},
            '}' if open > 0 => open -= 1,
            c => out.push(c),
        }
    }
    out
}

struct Lister<'a> {
    analysis: &'a Analysis,
    folder: Folder<'a>,
    /// What is written of the word at the cursor.
    written: &'a str,
    out: Vec<Completion>,
}

impl Lister<'_> {
    fn add(&mut self, kind: CompletionKind, label: &str, detail: &str, doc: String, snippet: String) {
        self.out.push(Completion { label: label.to_string(), kind, detail: detail.to_string(), doc, snippet });
    }

    fn word(&mut self, label: &str, detail: &str) {
        self.add(CompletionKind::Value, label, detail, String::new(), escape(label));
    }

    fn name(&mut self, name: &str, detail: &str) {
        self.add(CompletionKind::Name, name, detail, String::new(), escape(&quoted_if_needed(name)));
    }

    /// Names of a kind; of the user's first.
    fn names(&mut self, what: What) {
        let names = self.analysis.names();
        let library = |d: &super::names::Def| self.analysis.sources.file(d.span.file).path.is_none();
        let mut found: Vec<(bool, String)> = names.of(what).map(|(_, d)| (library(d), d.name.clone())).collect();
        found.sort_by_key(|f| f.0);
        for (library, name) in found {
            let detail = if library { format!("{} of the library", what.word()) } else { what.word().to_string() };
            self.name(&name, &detail);
        }
    }

    /// The stages of a backbone, or of the network's.
    fn stages(&mut self, backbone: &str, leave_out: &[String]) {
        let names = self.analysis.names();
        let spec = self.analysis.spec();
        let mut found: Vec<String> = match &spec.backbone {
            Some(b) if backbone.is_empty() || b.name == backbone => b.stages.iter().map(|s| s.name.clone()).collect(),
            _ => {
                let of = |d: &super::names::Def| match d.owner {
                    Some(o) => backbone.is_empty() || names.def(o).name == backbone,
                    None => false,
                };
                names.of(What::Stage).filter(|(_, d)| of(d)).map(|(_, d)| d.name.clone()).collect()
            }
        };
        found.retain(|s| !leave_out.contains(s));
        found.iter().for_each(|s| self.name(s, "stage"));
    }

    fn wanted(&mut self, wanted: &Wanted, offset: usize) {
        match wanted {
            Wanted::Nothing => {}
            Wanted::Item => self.items(offset),
            Wanted::Header { keyword, after, words } => self.header(keyword, after, *words),
            Wanted::Key { inside, written } => self.keys(inside, written),
            Wanted::Value { inside, key } => self.value(inside, key),
            Wanted::Link { inside, first } => self.links(inside, *first, offset),
            Wanted::Name { inside, keyword, written } => {
                if keyword == "level" {
                    let over = inside.last().map_or("", |h| h.over.as_str()).to_string();
                    self.stages(&over, written);
                }
            }
            Wanted::Argument { inside, callee, name, position, written, flow } => {
                self.arguments(inside, callee, name.as_deref(), *position, written, *flow, offset)
            }
            Wanted::Member { of, inside } => self.members(of, inside),
            Wanted::Node { source, over } => self.nodes(*source, over),
        }
    }

    fn items(&mut self, offset: usize) {
        let before = self.analysis.text().get(..offset).unwrap_or_default();
        let said = before.lines().any(|l| l.trim_start().starts_with("mtl "));
        if !said {
            self.add(
                CompletionKind::Keyword,
                "mtl 1",
                "the edition, on the first line",
                String::new(),
                "mtl 1\n".into(),
            );
        }
        for (label, detail, snippet) in snippets::ITEMS {
            let keyword = label.split(' ').next().unwrap_or(label);
            let doc = schema::item(keyword).map(|i| docs::item(i, "###")).unwrap_or_default();
            let snippet = match keyword {
                "space" => self.whole_space().unwrap_or_else(|| (*snippet).to_string()),
                _ => (*snippet).to_string(),
            };
            self.add(CompletionKind::Snippet, label, detail, doc, snippet);
        }
        for item in schema::items() {
            self.add(CompletionKind::Keyword, item.keyword, item.form, item.doc.to_string(), item.keyword.to_string());
        }
    }

    /// A space with a level for every stage there is.
    fn whole_space(&self) -> Option<String> {
        let backbone = self.analysis.spec().backbone.as_ref()?;
        let levels = backbone.stages.iter().enumerate().map(|(i, s)| {
            let copies = if i == 0 { 1 } else { 2 };
            format!("  level {} {{ copies = ${{{}:{copies}}} \\}}\n", escape(&quoted_if_needed(&s.name)), i + 2)
        });
        let name = escape(&quoted_if_needed(&backbone.name));
        let levels: String = levels.take(40).collect();
        Some(format!("space ${{1:branching}} over {name} {{\n{levels}\\}}"))
    }

    /// Files by name, in the folder that the word at the cursor begins to name.
    fn files(&mut self, wanted: impl Fn(&str) -> bool) {
        let base = self.analysis.path().parent().map(Path::to_path_buf).unwrap_or_default();
        let inside = self.written.rsplit_once('/').map_or(String::new(), |(f, _)| format!("{f}/"));
        for name in (self.folder)(&base.join(&inside)) {
            if name.ends_with('/') || wanted(&name) {
                let path = format!("{inside}{name}");
                let text = escape(&quoted_path(&path, path.ends_with('/')));
                self.add(CompletionKind::File, &path, "file", String::new(), text);
            }
        }
    }

    fn header(&mut self, keyword: &str, after: &str, words: usize) {
        match (keyword, after) {
            ("task", ":") => hir::KINDS.iter().for_each(|k| self.call(k, "kind of task")),
            ("input", ":") => {
                for (label, snippet) in [
                    ("f32[channels, height, width]", "f32[${1:3}, ${2:64}, ${3:64}]"),
                    ("f32[n]", "f32[${1:16}]"),
                    ("fields", "fields"),
                ] {
                    self.add(CompletionKind::Value, label, "type of an input", String::new(), snippet.to_string());
                }
            }
            (_, ":") => ["int", "float", "bool"].iter().for_each(|t| self.word(t, "type of a parameter")),
            ("head", "for") => {
                self.names(What::Task);
                self.names(What::Family);
                self.word("*", "all tasks");
                hir::KINDS.iter().for_each(|k| self.word(k.name, "all tasks of a kind"));
            }
            ("head", "head") => self.add(CompletionKind::Keyword, "for", "which tasks", String::new(), "for ".into()),
            ("space" | "topology", "over") => self.names(What::Backbone),
            ("space" | "topology", _) => {
                self.add(CompletionKind::Keyword, "over", "which backbone", String::new(), "over ".into());
            }
            ("search", "search") if words == 1 => self.strategies(),
            ("search", "on") => {
                self.stages("", &[]);
                self.word("heads", "the heads' choices");
            }
            ("search", _) => self.add(CompletionKind::Keyword, "on", "which levels", String::new(), "on ".into()),
            ("backbone", "(") => self.names(What::Input),
            ("use", "use" | "topology") => {
                for (name, text) in library::modules().iter().filter(|(n, _)| *n != "prelude") {
                    let about = text.lines().find_map(|l| l.strip_prefix("# ")).unwrap_or_default();
                    let label = format!("std.{name}");
                    self.add(CompletionKind::Value, &label, about, String::new(), label.clone());
                }
                self.files(|name| name.ends_with(".mtl"));
                if after == "use" {
                    self.word("topology", "only the topology of a derived file");
                }
            }
            _ => {}
        }
    }

    fn strategies(&mut self) {
        for s in search::strategies() {
            self.add(
                CompletionKind::Function,
                s.call.name,
                s.paper,
                docs::call(&s.call, "###"),
                s.call.name.to_string(),
            );
        }
    }

    fn keys(&mut self, inside: &[Head], written: &[String]) {
        let format = self.format(inside);
        let Some(table) = context::table(inside, format.as_deref()) else { return };
        for a in table.attrs.iter().filter(|a| !written.iter().any(|w| w == a.name)) {
            self.attribute(a, true);
        }
        for n in &table.nested {
            let snippet = snippets::NESTED.iter().find(|s| s.0 == n.keyword).map_or(n.keyword, |s| s.1);
            self.add(CompletionKind::Snippet, n.keyword, n.form, docs::item(n, "###"), snippet.to_string());
        }
        if table.item.keyword == "tree" {
            let over = inside.first().map_or("", |h| h.over.as_str()).to_string();
            self.stages(&over, written);
        }
        if matches!(table.item.keyword, "block" | "head" | "stage") && !written.iter().any(|w| w == "out") {
            self.add(CompletionKind::Attribute, "out", "what it gives", String::new(), "out = $0".into());
        }
    }

    /// `name = value`, required ones first.
    fn attribute(&mut self, a: &AttrDef, equals: bool) {
        let (place, detail) = match a.need {
            Need::Required => (String::new(), "required".to_string()),
            Need::Optional => (String::new(), a.ty.describe()),
            Need::Default(d) => (d.to_string(), format!("default {d}")),
        };
        let snippet = if equals { format!("{} = ${{1:{}}}", a.name, escape(&place)) } else { a.name.to_string() };
        let completion = Completion {
            label: a.name.to_string(),
            kind: CompletionKind::Attribute,
            detail,
            doc: docs::attribute(a),
            snippet,
        };
        match a.need {
            Need::Required => {
                let at = self.out.iter().take_while(|c| c.detail == "required").count();
                self.out.insert(at, completion);
            }
            _ => self.out.push(completion),
        }
    }

    /// The format of the data set whose body is open, wherever it stands in it.
    fn format(&self, inside: &[Head]) -> Option<String> {
        let head = inside.first().filter(|h| h.keyword == "data")?;
        let item = self
            .analysis
            .parse()
            .items()
            .iter()
            .find(|i| i.keyword.text == "data" && i.names.first().is_some_and(|n| n.text == head.name))?;
        item.body.iter().flat_map(|b| &b.entries).find_map(|e| match e {
            crate::syntax::ast::Entry::Attr(a) if a.key.text == "format" => Some(a.value.as_name()?.text),
            _ => None,
        })
    }
}
