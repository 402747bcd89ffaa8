//! What may stand at the cursor: by the schema, and by the kind of name that is asked for.

mod snippets;

use std::path::Path;

use super::Analysis;
use super::context::{self, Context, Head, Wanted};
use super::docs;
use super::names::What;
use crate::hir::build::quoted_if_needed;
use crate::hir::schema;
use crate::schema::{AttrDef, CallDef, Need, Ty};
use crate::syntax::ast::UNITS;
use crate::{data, hir, ops, search, std as library};

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

/// What may stand at an offset; `list_folder` gives the programs beside a file.
pub fn complete(analysis: &Analysis, offset: usize, list_folder: &dyn Fn(&Path) -> Vec<String>) -> Completions {
    let text = analysis.text();
    let Context { wanted, prefix } = context::at(text, offset);
    let mut list = Lister { analysis, out: Vec::new() };
    list.wanted(&wanted, offset, list_folder);
    let typed = text[prefix.clone()].trim_matches('"').to_lowercase();
    let quoted = text[prefix.clone()].starts_with('"');
    let mut out = list.out;
    let mut seen = std::collections::HashSet::new();
    out.retain(|c| seen.insert((c.label.clone(), c.kind == CompletionKind::Snippet)));
    if quoted {
        // Inside of quotes only names can stand; the closing quote comes with them.
        out.retain(|c| matches!(c.kind, CompletionKind::Name | CompletionKind::Column | CompletionKind::File));
        for c in &mut out {
            c.snippet = escape(&format!("{:?}", c.label.trim_matches('"')));
        }
    }
    let mut range = prefix;
    if quoted && text[range.end..].starts_with('"') {
        range.end += 1;
    }
    let cut = out.len() > MOST;
    if cut {
        out.retain(|c| c.label.to_lowercase().contains(&typed));
        out.truncate(MOST);
    }
    Completions { range, list: out, cut }
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

    fn wanted(&mut self, wanted: &Wanted, offset: usize, list_folder: &dyn Fn(&Path) -> Vec<String>) {
        match wanted {
            Wanted::Nothing => {}
            Wanted::Item => self.items(offset),
            Wanted::Header { keyword, after, words } => self.header(keyword, after, *words, list_folder),
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
            self.add(CompletionKind::Snippet, label, detail, doc, (*snippet).to_string());
        }
        for item in schema::items() {
            self.add(CompletionKind::Keyword, item.keyword, item.form, item.doc.to_string(), item.keyword.to_string());
        }
    }

    fn header(&mut self, keyword: &str, after: &str, words: usize, list_folder: &dyn Fn(&Path) -> Vec<String>) {
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
                let folder = self.analysis.path().parent().map(Path::to_path_buf).unwrap_or_default();
                for file in list_folder(&folder) {
                    self.add(CompletionKind::File, &file, "file", String::new(), escape(&format!("{file:?}")));
                }
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

    fn value(&mut self, inside: &[Head], key: &str) {
        let format = self.format(inside);
        let Some(table) = context::table(inside, format.as_deref()) else {
            if key == "param" {
                self.names(What::Param);
            }
            return;
        };
        let item = inside.first().map_or("", |h| h.keyword.as_str()).to_string();
        if table.item.keyword == "tree" {
            self.word("any", "as many copies as tasks");
            return;
        }
        let Some(a) = table.attrs.iter().find(|a| a.name == key) else { return };
        match (item.as_str(), key) {
            ("data", "format") => {
                for f in data::table() {
                    self.add(
                        CompletionKind::Value,
                        f.call.name,
                        "format",
                        docs::call(&f.call, "###"),
                        f.call.name.to_string(),
                    );
                }
            }
            ("provenance", "strategy") => self.strategies(),
            ("backbone" | "head", "from") => {
                self.stages("", &[]);
                self.names(What::Input);
            }
            ("input" | "task", "from" | "label" | "mask") => {
                self.names(What::Data);
                for d in &self.analysis.spec().data {
                    let columns = d.known.outline.columns.iter().flatten();
                    let dotted: Vec<String> =
                        columns.map(|c| format!("{}.{}", d.name, quoted_if_needed(&c.name))).collect();
                    dotted.iter().for_each(|c| {
                        self.add(CompletionKind::Column, c, "column", String::new(), escape(c));
                    });
                }
            }
            ("input", "except") => self.columns(None),
            _ => self.of_type(&a.ty, key, inside),
        }
    }

    fn of_type(&mut self, ty: &Ty, key: &str, inside: &[Head]) {
        match ty {
            Ty::Bool => ["true", "false"].iter().for_each(|w| self.word(w, "")),
            Ty::OneOf(words) => words.iter().for_each(|w| self.word(w, "")),
            Ty::Call(calls) => calls().iter().for_each(|c| self.call(c, "")),
            Ty::List(inner) => self.of_type(inner, key, inside),
            Ty::AnyOf(tys) => tys.iter().for_each(|t| self.of_type(t, key, inside)),
            Ty::Int { .. } | Ty::Float { .. } => self.names(What::Param),
            Ty::Duration => {
                self.names(What::Param);
                UNITS.iter().filter(|u| u.ends_with('s')).for_each(|u| {
                    self.add(CompletionKind::Snippet, &format!("n {u}"), "", String::new(), format!("${{1:10}} {u}"));
                });
            }
            Ty::Budget => {
                for (label, snippet) in
                    [("params <= n", "params <= ${1:2M}"), ("macs <= share", "macs <= ${1:0.6} * independent")]
                {
                    self.add(CompletionKind::Snippet, label, "budget", String::new(), snippet.to_string());
                }
            }
            Ty::Name if key == "query" => {
                let over = inside.first().map_or("", |h| h.over.as_str()).to_string();
                self.stages(&over, &[]);
                self.names(What::Input);
                self.word("previous", "the mean of what may be read");
            }
            Ty::Name | Ty::Str | Ty::Path | Ty::Expr => {}
        }
    }

    /// Something written like a call, with places for what it requires.
    fn call(&mut self, c: &CallDef, detail: &str) {
        let required: Vec<&AttrDef> = c.args.iter().filter(|a| matches!(a.need, Need::Required)).collect();
        let snippet = match required.as_slice() {
            [] => c.name.to_string(),
            all => {
                let places: Vec<String> =
                    all.iter().enumerate().map(|(i, a)| format!("${{{}:{}}}", i + 1, a.name)).collect();
                format!("{}({})", c.name, places.join(", "))
            }
        };
        let detail = if detail.is_empty() { docs::form(c) } else { detail.to_string() };
        self.add(CompletionKind::Function, c.name, &detail, docs::call(c, "###"), snippet);
    }

    fn links(&mut self, inside: &[Head], first: bool, offset: usize) {
        if first {
            self.flow_names(inside, offset);
        }
        self.blocks();
        for op in ops::table() {
            match op.arity {
                ops::Arity::One => self.call(&op.call, ""),
                ops::Arity::Many if first => {
                    let snippet = format!("{}(${{1:a}}, ${{2:b}})", op.call.name);
                    self.add(
                        CompletionKind::Function,
                        op.call.name,
                        "merges values",
                        docs::call(&op.call, "###"),
                        snippet,
                    );
                }
                ops::Arity::Many => {}
            }
        }
        if inside.iter().any(|h| h.keyword == "head") {
            self.word("linear(outputs)", "one output for each that the task needs");
        }
    }

    fn blocks(&mut self) {
        let names = self.analysis.names();
        let mut blocks: Vec<(bool, String, String, String)> = Vec::new();
        for (id, d) in names.of(What::Block) {
            let library = self.analysis.sources.file(d.span.file).path.is_none();
            let parameters = names.defs.iter().filter(|p| p.owner == Some(id) && p.what == What::Parameter);
            // Those with a default may be left out.
            let required: Vec<String> = parameters
                .filter(|p| !self.analysis.sources.text(p.whole).contains('='))
                .enumerate()
                .map(|(i, p)| format!("${{{}:{}}}", i + 1, p.name))
                .collect();
            let call = quoted_if_needed(&d.name);
            let snippet = if required.is_empty() { call } else { format!("{call}({})", required.join(", ")) };
            let first = self.analysis.sources.text(d.whole).lines().next().unwrap_or_default().to_string();
            blocks.push((library, d.name.clone(), first, snippet));
        }
        blocks.sort_by_key(|b| b.0);
        for (_, name, first, snippet) in blocks {
            self.add(CompletionKind::Block, &name, &first, format!("```mtl\n{first}\n```"), snippet);
        }
    }

    /// Values that a chain may begin with: inputs and stages before this one, `in`, values of the body.
    fn flow_names(&mut self, inside: &[Head], offset: usize) {
        let kind = inside.last().map_or("", |h| h.keyword.as_str());
        if kind == "block" || inside.iter().any(|h| h.keyword == "block") {
            self.word("in", "what the block is applied to");
            return;
        }
        let names = self.analysis.names();
        let before = |d: &super::names::Def| d.span.file != self.analysis.root || (d.span.end as usize) < offset;
        let stages: Vec<String> = names
            .of(What::Stage)
            .filter(|(_, d)| before(d) && self.analysis.sources.file(d.span.file).path.is_some())
            .map(|(_, d)| d.name.clone())
            .collect();
        stages.iter().for_each(|s| self.name(s, "stage"));
        self.names(What::Input);
    }

    #[allow(clippy::too_many_arguments)]
    fn arguments(
        &mut self,
        inside: &[Head],
        callee: &str,
        name: Option<&str>,
        position: usize,
        written: &[String],
        flow: bool,
        offset: usize,
    ) {
        let names = self.analysis.names();
        if let Some((id, _)) = names.of(What::Block).chain(names.of(What::Backbone)).find(|(_, d)| d.name == callee) {
            if name.is_none() {
                let parameters: Vec<(String, String)> = names
                    .defs
                    .iter()
                    .filter(|d| d.owner == Some(id) && d.what == What::Parameter && !written.contains(&d.name))
                    .map(|d| (d.name.clone(), self.analysis.sources.text(d.whole).to_string()))
                    .collect();
                for (p, form) in parameters {
                    self.add(CompletionKind::Attribute, &p, &form, String::new(), format!("{p} = $0"));
                }
            }
            return self.values_in_calls(inside);
        }
        let Some(call) = self.call_here(inside, callee, flow) else {
            if callee == "mix" {
                ["softmax", "sigmoid", "sum", "mean"].iter().for_each(|w| self.word(w, "gate"));
                self.add(CompletionKind::Attribute, "query", "what the gate reads", String::new(), "query = $0".into());
            }
            return;
        };
        if ops::find(callee).is_some_and(|o| flow && o.arity == ops::Arity::Many) {
            return self.links(inside, true, offset);
        }
        let at = match name {
            Some(n) => call.args.iter().find(|a| a.name == n),
            None => call.args.get(position),
        };
        if let Some(a) = at {
            self.of_type(&a.ty, a.name, inside);
        }
        if name.is_none() {
            for a in call.args.iter().filter(|a| !written.iter().any(|w| w == a.name)) {
                self.attribute(a, true);
            }
        }
        self.values_in_calls(inside);
        if callee == "linear" && inside.iter().all(|h| h.keyword != "backbone") {
            self.word("outputs", "as many as the task needs");
        }
    }

    /// The entry of a table that is called: an op in a chain, else one that the attribute may have.
    fn call_here(&self, inside: &[Head], callee: &str, flow: bool) -> Option<&'static CallDef> {
        if flow {
            return ops::find(callee).map(|o| &o.call);
        }
        let reads = ["some", "all"].contains(&callee).then(|| {
            let table = context::table(inside, None)?;
            let reads = table.attrs.iter().find(|a| a.name == "reads")?;
            match reads.ty {
                Ty::Call(calls) => calls().into_iter().find(|c| c.name == callee),
                _ => None,
            }
        });
        reads.flatten().or_else(|| context::call_named(callee))
    }

    /// Numbers by name: parameters of the file and of what is open.
    fn values_in_calls(&mut self, inside: &[Head]) {
        self.names(What::Param);
        let names = self.analysis.names();
        let owner = inside.first().map(|h| h.name.clone()).unwrap_or_default();
        let own: Vec<String> = names
            .of(What::Parameter)
            .filter(|(_, d)| d.owner.is_some_and(|o| names.def(o).name == owner))
            .map(|(_, d)| d.name.clone())
            .collect();
        own.iter().for_each(|p| self.name(p, "parameter"));
    }

    fn members(&mut self, of: &str, inside: &[Head]) {
        if inside.iter().any(|h| h.keyword == "topology") {
            let names = self.analysis.names();
            let prefix = format!("{of}.");
            let copies: Vec<String> =
                names.of(What::Copy).filter_map(|(_, d)| Some(d.name.strip_prefix(&prefix)?.to_string())).collect();
            return copies.iter().for_each(|c| self.name(c, "copy"));
        }
        if of == "std" {
            return library::modules()
                .iter()
                .filter(|(n, _)| *n != "prelude")
                .for_each(|(n, _)| self.word(n, "module"));
        }
        self.columns(Some(of));
    }

    fn columns(&mut self, data: Option<&str>) {
        let sets: Vec<&hir::Data> =
            self.analysis.spec().data.iter().filter(|d| data.is_none_or(|n| n == d.name)).collect();
        let mut groups: Vec<String> = Vec::new();
        for c in sets.iter().flat_map(|d| d.known.outline.columns.iter().flatten()) {
            groups.extend(c.groups.iter().cloned());
            let snippet = escape(&quoted_if_needed(&c.name));
            self.add(CompletionKind::Column, &c.name, "column", String::new(), snippet);
        }
        groups.dedup();
        for g in groups {
            self.add(CompletionKind::Column, &g, "group of columns", String::new(), escape(&quoted_if_needed(&g)));
        }
    }

    fn nodes(&mut self, source: bool, over: &str) {
        if source {
            let names = self.analysis.names();
            let copies: Vec<String> = names.of(What::Copy).map(|(_, d)| d.name.clone()).collect();
            copies.iter().for_each(|c| self.word(c, "copy of a stage"));
            self.names(What::Mix);
            self.names(What::Input);
            self.add(
                CompletionKind::Snippet,
                "mix",
                "several values as one",
                String::new(),
                "mix(${1:mean})[$0]".into(),
            );
        } else {
            self.names(What::Task);
            let tasks: Vec<String> = self.analysis.spec().tasks.iter().map(|t| t.name.clone()).collect();
            tasks.iter().for_each(|t| self.name(t, "task"));
            self.stages(over, &[]);
        }
    }
}
