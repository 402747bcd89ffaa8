//! From the items of all files to [`Names`]: first every definition, then every place that refers to one. Follows the rules by which
//! `hir` resolves names, and goes on where those give up.

mod places;
mod values;

use std::collections::HashMap;

use super::names::{Builtin, Def, DefId, Names, Ref, Target, What};
use crate::hir::schema::ItemDef;
use crate::hir::{self, Spec};
use crate::ops;
use crate::schema::AttrDef;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::{Entry, Expr, ExprKind, File, Item, Name};
use crate::syntax::{Parse, parse};

pub(super) fn names(sources: &SourceMap, root: FileId, parsed: &Parse, spec: &Spec) -> Names {
    let files: Vec<(FileId, File)> = sources
        .files()
        .map(|(id, f)| (id, if id == root { parsed.file() } else { parse(id, &f.text).into_file() }))
        .collect();
    let mut resolver = Resolver::empty(sources, spec);
    for (id, file) in &files {
        resolver.enter(*id);
        file.items.iter().for_each(|i| resolver.define(i));
    }
    resolver.enter(root);
    resolver.choose_backbone(&files);
    for (id, file) in &files {
        resolver.enter(*id);
        file.items.iter().for_each(|i| resolver.item(i));
    }
    Names::new(resolver.defs, resolver.refs)
}

/// Names of the inside of an item, the innermost last.
type Locals = Vec<(String, DefId)>;

/// What names mean at a place.
#[derive(Clone, Copy)]
struct Place<'l> {
    locals: &'l Locals,
    /// Looked for in this order.
    kinds: &'static [What],
    /// The backbone whose stages are meant.
    backbone: Option<DefId>,
    /// Calls are ops and blocks.
    flow: bool,
}

/// Where attributes of a body are declared.
type Tables<'t> = &'t [&'static [AttrDef]];

const VALUES: &[What] = &[What::Param];
const FLOWS: &[What] = &[What::Stage, What::Input, What::Param];
const COLUMNS: &[What] = &[What::Data, What::Param];
const NODES: &[What] = &[What::Mix, What::Input, What::Task];

struct Resolver<'a> {
    sources: &'a SourceMap,
    spec: &'a Spec,
    defs: Vec<Def>,
    refs: Vec<Ref>,
    /// What the user declares, and the library.
    own: HashMap<(What, String), DefId>,
    library: HashMap<(What, String), DefId>,
    /// Whether a file of the library is being read.
    in_library: bool,
    /// Stages, by backbone and name.
    stages: HashMap<(DefId, String), DefId>,
    /// Parameters, by block or backbone and name.
    parameters: HashMap<(DefId, String), DefId>,
    by_span: HashMap<Span, DefId>,
    /// Backbones that are another one with arguments.
    instances: HashMap<String, String>,
    /// The backbone of the network.
    chosen: Option<DefId>,
}

fn last(span: Span) -> Span {
    Span { start: span.end, ..span }
}

impl<'a> Resolver<'a> {
    fn empty(sources: &'a SourceMap, spec: &'a Spec) -> Resolver<'a> {
        Resolver {
            sources,
            spec,
            defs: Vec::new(),
            refs: Vec::new(),
            own: HashMap::new(),
            library: HashMap::new(),
            in_library: false,
            stages: HashMap::new(),
            parameters: HashMap::new(),
            by_span: HashMap::new(),
            instances: HashMap::new(),
            chosen: None,
        }
    }

    fn def(&mut self, what: What, name: &Name, whole: Span, owner: Option<DefId>, many: bool) -> DefId {
        let id = DefId(self.defs.len());
        self.defs.push(Def { what, name: name.text.clone(), span: name.span, whole, owner, many });
        self.by_span.insert(name.span, id);
        if what != What::Copy {
            self.refs.push(Ref { span: name.span, to: Target::Def(id), quoted: name.quoted });
        }
        id
    }

    fn top(&mut self, what: What, name: &Name, whole: Span, many: bool) -> DefId {
        let id = self.def(what, name, whole, None, many);
        let names = if self.in_library { &mut self.library } else { &mut self.own };
        names.entry((what, name.text.clone())).or_insert(id);
        id
    }

    /// What a name means in the file that is being read: of the user's own before the library's, and in the library only that.
    fn named(&self, what: What, name: &str) -> Option<DefId> {
        let key = (what, name.to_string());
        let own = self.own.get(&key).filter(|_| !self.in_library);
        own.or_else(|| self.library.get(&key)).copied()
    }

    /// Begins to read a file.
    fn enter(&mut self, file: FileId) {
        self.in_library = self.is_library(file);
    }

    fn is_library(&self, file: FileId) -> bool {
        self.sources.file(file).path.is_none() && file.0 != 0
    }

    fn define(&mut self, item: &Item) {
        if item.keyword.text == "topology" {
            self.topology_defs(item);
        }
        let Some(name) = item.names.first() else { return };
        match item.keyword.text.as_str() {
            "param" => drop(self.top(What::Param, name, item.span, false)),
            "data" => drop(self.top(What::Data, name, item.span, false)),
            "input" => drop(self.top(What::Input, name, item.span, false)),
            "space" => drop(self.top(What::Space, name, item.span, false)),
            "topology" => drop(self.top(What::Topology, name, item.span, false)),
            "task" => match &item.index {
                None => drop(self.top(What::Task, name, item.span, false)),
                Some(_) => drop(self.top(What::Family, name, item.span, true)),
            },
            "block" => {
                let id = self.top(What::Block, name, item.span, false);
                self.parameters_of(item, id);
            }
            "backbone" => {
                let id = self.top(What::Backbone, name, item.span, false);
                self.parameters_of(item, id);
                if let Some(callee) = item.value.as_ref().and_then(callee) {
                    self.instances.insert(name.text.clone(), callee.text.clone());
                }
                for entry in item.body.iter().flat_map(|b| &b.entries) {
                    if let Entry::Nested(n) = entry
                        && n.keyword.text == "stage"
                        && let Some(name) = n.names.first()
                    {
                        let stage = self.def(What::Stage, name, n.span, Some(id), n.index.is_some());
                        self.stages.entry((id, name.text.clone())).or_insert(stage);
                    }
                }
            }
            _ => {}
        }
    }

    fn parameters_of(&mut self, item: &Item, owner: DefId) {
        for p in item.params.iter().flat_map(|p| &p.value) {
            // Without a type it names an input of the network.
            if item.keyword.text == "backbone" && p.ty.is_none() {
                continue;
            }
            let id = self.def(What::Parameter, &p.name, p.span, Some(owner), false);
            self.parameters.insert((owner, p.name.text.clone()), id);
        }
    }

    fn topology_defs(&mut self, item: &Item) {
        for entry in item.body.iter().flat_map(|b| &b.entries) {
            let Entry::Edge(edge) = entry else { continue };
            for target in &edge.targets {
                match &target.kind {
                    ExprKind::Path(parts) if parts.len() == 2 => {
                        let name = Name { text: copy_name(parts), quoted: false, span: target.span };
                        let id = self.def(What::Copy, &name, edge.span, None, false);
                        self.own.entry((What::Copy, name.text)).or_insert(id);
                    }
                    ExprKind::Path(parts)
                        if is_mix(&edge.source)
                            && edge.targets.len() == 1
                            && self.named(What::Task, &parts[0].text).is_none() =>
                    {
                        self.top(What::Mix, &parts[0], edge.span, false);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The backbone that a space or a topology stands over, or the only one.
    fn choose_backbone(&mut self, files: &[(FileId, File)]) {
        let items = || files.iter().flat_map(|(_, f)| &f.items);
        let over = items().find_map(|i| i.over.as_ref()).map(|n| n.text.clone());
        let own = files.iter().filter(|(id, _)| !self.is_library(*id)).flat_map(|(_, f)| &f.items);
        let written = own.filter(|i| i.keyword.text == "backbone").filter_map(|i| i.names.first()).next_back();
        let name = over.or(written.map(|n| n.text.clone()));
        self.chosen = name.and_then(|n| self.backbone(&n));
    }

    /// The backbone whose stages a name stands for: of an instance, its template's.
    fn backbone(&self, name: &str) -> Option<DefId> {
        let mut name = name;
        for _ in 0..8 {
            match self.instances.get(name) {
                Some(of) if of != name => name = of,
                _ => break,
            }
        }
        self.named(What::Backbone, name)
    }

    fn refer(&mut self, name: &Name, to: Target) {
        self.refs.push(Ref { span: name.span, to, quoted: name.quoted });
    }

    fn keyword(&mut self, name: &Name, def: &'static ItemDef) {
        self.refer(name, Target::Keyword(def));
    }

    /// A stage of a backbone, or one of a repetition.
    fn stage(&self, backbone: Option<DefId>, name: &str) -> Option<Target> {
        let backbone = backbone.or(self.chosen)?;
        if let Some(id) = self.stages.get(&(backbone, name.to_string())).filter(|id| !self.defs[id.0].many) {
            return Some(Target::Def(*id));
        }
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let id = self.stages.get(&(backbone, stem.to_string()))?;
        (self.defs[id.0].many && stem != name).then_some(Target::Member(*id))
    }

    fn task(&self, name: &str) -> Option<Target> {
        for what in [What::Task, What::Family] {
            if let Some(id) = self.named(what, name) {
                return Some(Target::Def(id));
            }
        }
        let task = self.spec.tasks.iter().find(|t| t.name == name)?;
        let family = self.spec.families.get(task.family?)?;
        Some(Target::Member(self.named(What::Family, &family.name)?))
    }

    fn lookup(&self, name: &str, place: Place) -> Option<Target> {
        if let Some((_, id)) = place.locals.iter().rev().find(|(n, _)| n == name) {
            return Some(Target::Def(*id));
        }
        place.kinds.iter().find_map(|what| match what {
            What::Stage => self.stage(place.backbone, name),
            What::Task | What::Family => self.task(name),
            what => self.named(*what, name).map(Target::Def),
        })
    }

    fn op_or_block(&self, name: &str) -> Option<Target> {
        if let Some(id) = self.named(What::Block, name) {
            return Some(Target::Def(id));
        }
        ops::find(name).map(|o| Target::Builtin(Builtin { topic: "ops", def: &o.call }))
    }
}

fn known_attr(tables: Tables, name: &str) -> Option<&'static AttrDef> {
    tables.iter().copied().flatten().find(|a| a.name == name)
}

fn copy_name(parts: &[Name]) -> String {
    format!("{}.{}", parts[0].text, parts[1].text)
}

fn is_mix(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Index { base, .. } => is_mix(base),
        _ => callee(expr).is_some_and(|n| n.text == "mix"),
    }
}

fn hir_gate(word: &str) -> bool {
    ["softmax", "sigmoid", "sum", "mean"].contains(&word)
}

fn kind(name: &str) -> Option<Target> {
    let def = hir::KINDS.iter().find(|k| k.name == name)?;
    Some(Target::Builtin(Builtin { topic: "kinds", def }))
}

/// The name that a call, or a bare name, begins with.
fn callee(expr: &Expr) -> Option<Name> {
    match &expr.kind {
        ExprKind::Call { callee, .. } => callee.as_name(),
        _ => expr.as_name(),
    }
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    let parts = |p: &std::path::Path| {
        let mut out: Vec<std::ffi::OsString> = Vec::new();
        for c in p.components() {
            match c {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir if out.last().is_some_and(|l| l != "..") => drop(out.pop()),
                other => out.push(other.as_os_str().to_os_string()),
            }
        }
        out
    };
    parts(a) == parts(b)
}
