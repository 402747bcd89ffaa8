//! Items to [`Spec`]: headers and attributes against the schema table, then each kind of item in the order in which they need
//! one another. Every item is read whatever is wrong with the others.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::eval::{self, Const, Scope};
use super::headers::Header;
use super::import::{Gathered, Importer, Loaded, Loader};
use super::schema::{self, ItemDef};
use super::*;
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::schema::{AttrDef, Need};
use crate::source::{SourceMap, Span};
use crate::syntax::Parse;
use crate::syntax::ast::{Attr, Body as AstBody, Edge, Entry, Item, Name, Nested};

/// What a run changes about a spec.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--set name=value`, in order.
    pub set: Vec<(String, String)>,
    /// Schemas frozen from the data themselves, by data name; one written in the spec goes first.
    pub schemas: HashMap<String, data::Schema>,
    /// What `check` found in data sets without a schema, by data name.
    pub known: HashMap<String, data::Known>,
}

/// Resolves `root` and all it imports.
pub fn lower(
    root: FileId,
    parsed: &Parse,
    path: Option<&Path>,
    sources: &mut SourceMap,
    load: Loader,
    options: &Options,
    diags: &mut Diagnostics,
) -> Spec {
    let gathered = Importer::new(sources, load, diags).gather(parsed, path);
    let Gathered { mut items, topologies } = gathered;
    let incomplete = diags.has_errors();
    super::slips::mend(&mut items, sources, diags);
    let mut builder = Builder {
        diags,
        scope: Scope::default(),
        blocks: HashMap::new(),
        library: HashMap::new(),
        library_files: HashSet::new(),
        spec: Spec { incomplete, ..Spec::default() },
        root,
        declared: HashSet::new(),
        used_blocks: HashSet::new(),
        heights: HashMap::new(),
        inputs: HashMap::new(),
        templates_only: false,
        stages_lost: false,
        links_read: 0,
        sources,
        load,
        wrong_headers: Vec::new(),
    };
    builder.run(&items, &topologies, options);
    builder.spec
}

pub(super) struct Builder<'a> {
    pub diags: &'a mut Diagnostics,
    /// The file's parameters.
    pub scope: Scope,
    /// The user's blocks by name, and the library's.
    pub blocks: HashMap<String, Rc<Item>>,
    pub library: HashMap<String, Rc<Item>>,
    /// The files of the library. What is named there means the library's, whatever the user declares.
    pub library_files: HashSet<FileId>,
    pub spec: Spec,
    pub root: FileId,
    /// Keyword and name of everything that is declared, whether it can be read or not: calling what could not be read is no
    /// second mistake.
    pub declared: HashSet<(String, String)>,
    pub used_blocks: HashSet<String>,
    /// How many blocks are nested in each that was read, itself included.
    pub heights: HashMap<BlockId, usize>,
    /// The inputs by name.
    pub inputs: HashMap<String, InputId>,
    /// The file has backbones for others to use, and no inputs of its own: any input name stands.
    pub templates_only: bool,
    /// There is no backbone to read, which is reported: any name may be a stage.
    pub stages_lost: bool,
    /// Links of chains, counted as they are expanded.
    pub links_read: usize,
    /// The texts, for fixes that move them.
    pub sources: &'a SourceMap,
    /// Reads further files that the program refers to.
    pub load: Loader<'a>,
    /// Headers that something was said of.
    pub wrong_headers: Vec<Span>,
}

/// A block, known by its name and whether it is the library's.
pub(super) type BlockId = (bool, String);

/// A body read against its table entry.
pub(super) struct Fields<'t> {
    pub args: Args,
    /// Entries of the user's own names, where the body is open.
    pub own: Vec<&'t Attr>,
    pub nested: Vec<&'t Nested>,
    pub edges: Vec<&'t Edge>,
    /// A required attribute is missing or unreadable.
    pub broken: bool,
}

impl Builder<'_> {
    fn run(&mut self, items: &[Loaded], topologies: &[Loaded], options: &Options) {
        let parsed = self.diags.len();
        let headers: Vec<Header> = items
            .iter()
            .map(|l| {
                self.declare(&l.item);
                self.header(&l.item)
            })
            .collect();
        self.said_by_headers(parsed);
        let mended: Vec<Option<Loaded>> = headers
            .iter()
            .zip(items)
            .map(|(h, l)| match h {
                Header::Mended(item) => {
                    Some(Loaded { item: (**item).clone(), base: l.base.clone(), library: l.library })
                }
                Header::Good | Header::Unusable => None,
            })
            .collect();
        let mut good: Vec<&Loaded> = Vec::new();
        let mut lost: Vec<&Loaded> = Vec::new();
        for ((loaded, header), mended) in items.iter().zip(&headers).zip(&mended) {
            match header {
                Header::Good => good.push(loaded),
                Header::Mended(_) => good.extend(mended),
                Header::Unusable => {
                    self.spec.incomplete = true;
                    lost.push(loaded);
                    if let ("param", Some(n)) = (loaded.item.keyword.text.as_str(), loaded.item.names.first()) {
                        self.scope.declare(&n.text, Const::Open);
                    }
                }
            }
        }
        self.declared_names(&good);
        self.scope.any_name = self.imports_failed();
        for loaded in good.iter().filter(|l| !l.library) {
            self.spec.written.push(Written { item: loaded.item.clone(), base: loaded.base.clone() });
        }
        let of = |kw: &'static str| good.iter().copied().filter(move |l| l.item.keyword.text == kw);
        self.params(&of("param").collect::<Vec<_>>(), options);
        self.duplicates(&of("block").filter(|l| !l.library).collect::<Vec<_>>(), "block");
        self.library_files = items.iter().filter(|l| l.library).map(|l| l.item.keyword.span.file).collect();
        for l in of("block") {
            let blocks = if l.library { &mut self.library } else { &mut self.blocks };
            blocks.insert(l.item.names[0].text.clone(), Rc::new(l.item.clone()));
        }
        self.datas(&of("data").collect::<Vec<_>>(), &of("schema").collect::<Vec<_>>(), options);
        self.inputs(&of("input").collect::<Vec<_>>());
        self.tasks(&of("task").collect::<Vec<_>>());
        let spaces: Vec<&Loaded> = of("space").collect();
        let imported: Vec<&Loaded> =
            topologies.iter().filter(|l| matches!(self.header(&l.item), Header::Good)).collect();
        let topologies: Vec<&Loaded> = of("topology").chain(imported).collect();
        self.at_most_one(&spaces, "space");
        self.at_most_one(&topologies, "topology");
        let over = spaces.iter().chain(&topologies).filter_map(|l| l.item.over.clone()).collect::<Vec<_>>();
        self.backbones(&of("backbone").collect::<Vec<_>>(), &over);
        self.heads(&of("head").collect::<Vec<_>>());
        // The first one counts; the others are read so that every mistake is found.
        for s in spaces.iter().rev() {
            self.spec.space = None;
            self.space(&s.item);
        }
        let searches: Vec<&Loaded> = of("search").collect();
        for s in &searches {
            self.search(&s.item, &s.base);
        }
        for t in topologies.iter().rev() {
            self.spec.topology = None;
            self.topology(&t.item);
        }
        let trains: Vec<&Loaded> = of("train").collect();
        self.at_most_one(&trains, "train");
        for t in trains.iter().rev() {
            let def = schema::item("train").expect("in the table");
            let fields = self.fields(&t.item.keyword, t.item.body.as_ref(), def.attrs, def, t.item.span);
            self.spec.train = Some(Train { args: fields.args });
        }
        let provenances: Vec<&Loaded> = of("provenance").collect();
        self.at_most_one(&provenances, "provenance");
        self.unused(&good);
        // What was to have them cannot be told; what their attributes say is checked all the same.
        for l in lost {
            let def = schema::item(&l.item.keyword.text).filter(|d| !d.open);
            match (def, &l.item.body) {
                (Some(def), body) if def.variants.is_some() => self.fields_of_any(body.as_ref(), def),
                (Some(def), Some(body)) => {
                    self.fields(&l.item.keyword, Some(body), def.attrs, def, l.item.span);
                }
                _ => {}
            }
        }
        if let Some(p) = provenances.first() {
            let def = schema::item("provenance").expect("in the table");
            let fields = self.fields(&p.item.keyword, p.item.body.as_ref(), def.attrs, def, p.item.span);
            let searched = self.searched(&fields.nested);
            if !fields.broken {
                self.spec.provenance = Some(Provenance { args: fields.args, searched, span: p.item.span });
            }
        }
    }

    /// The values of `searched = { ... }`.
    fn searched(&mut self, nested: &[&Nested]) -> Vec<(String, Const)> {
        let scope = self.scope.clone();
        let mut out = Vec::new();
        for body in nested.iter().filter_map(|n| n.body.as_ref()) {
            for a in self.lines(body, "searched") {
                if let Some(v) = eval::constant(&a.value, &scope, self.diags) {
                    out.push((a.key.text.clone(), v));
                }
            }
        }
        out
    }

    /// The lines `NAME = VALUE` of a body that takes nothing else.
    pub(super) fn lines<'t>(&mut self, body: &'t AstBody, keyword: &str) -> Vec<&'t Attr> {
        let mut out = Vec::new();
        for entry in &body.entries {
            let span = match entry {
                Entry::Attr(a) => {
                    out.push(a);
                    continue;
                }
                Entry::Nested(n) => n.span,
                Entry::Edge(e) => e.span,
            };
            let message = format!("{} takes lines `NAME = VALUE` only", named(keyword));
            self.diags.push(Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, message).label("not read"));
        }
        out
    }

    /// Blocks, parameters and values of the root file that nothing uses. A file for `use` keeps its own for others.
    fn unused(&mut self, items: &[&Loaded]) {
        let module = self.spec.tasks.is_empty() || self.spec.backbone.is_none();
        for l in items.iter().filter(|l| !l.library) {
            if !self.diags.has_errors() {
                super::unread::warn(&l.item, self.root, self.diags);
                super::unread::warn_parameters(&l.item, self.root, self.diags);
            }
            let (keyword, name) = (&l.item.keyword, &l.item.names.first());
            let Some(name) = name else { continue };
            let (what, used, help) = match keyword.text.as_str() {
                // Of two blocks of one name the second is read where it is used.
                "block" if self.blocks.get(&name.text).is_some_and(|b| b.span != l.item.span) => {
                    self.try_block(&l.item);
                    continue;
                }
                "block" if !self.used_blocks.contains(&name.text) => {
                    self.try_block(&l.item);
                    ("block", false, "remove it, or use it in a stage or a head")
                }
                "param" => (
                    "parameter",
                    self.scope.was_used(&name.text),
                    "remove it, or use it: setting it changes nothing now",
                ),
                _ => continue,
            };
            // What could not be read may be what uses it.
            let quiet = module || keyword.span.file != self.root || self.diags.has_errors();
            if !used && !quiet {
                self.diags.push(
                    Diagnostic::new(codes::NAME_UNUSED, name.span, format!("nothing uses the {what} `{}`", name.text))
                        .help(help),
                );
            }
        }
    }

    /// Whether a name is written in a file of the library.
    pub(super) fn is_library(&self, name: &Name) -> bool {
        self.library_files.contains(&name.span.file)
    }

    /// The block that a name means where it stands: in the user's files the user's before the library's, in the library's only those.
    pub(super) fn block(&self, name: &Name) -> Option<Rc<Item>> {
        let own = self.blocks.get(&name.text).filter(|_| !self.is_library(name));
        own.or_else(|| self.library.get(&name.text)).cloned()
    }

    /// What the body of an item may read apart from its own parameters: of the library nothing of the user's.
    pub(super) fn outer_scope(&self, item: &Item) -> Scope {
        if self.is_library(&item.keyword) { Scope::default() } else { self.scope.clone() }
    }

    fn declare(&mut self, item: &Item) {
        let nested = item.body.iter().flat_map(|b| &b.entries).filter_map(|e| match e {
            Entry::Nested(n) => Some((&n.keyword, &n.names)),
            _ => None,
        });
        // One without a name may be any that is asked for.
        if item.names.is_empty() && schema::item(&item.keyword.text).is_some_and(|d| d.header.names.0 > 0) {
            self.declared.insert((item.keyword.text.clone(), String::new()));
        }
        for (keyword, names) in nested.chain([(&item.keyword, &item.names)]) {
            self.declared.extend(names.iter().map(|n| (keyword.text.clone(), n.text.clone())));
        }
    }

    /// Whether something of that name is written and could not be read, which is reported already.
    pub(super) fn is_reported(&self, keywords: &[&str], name: &str) -> bool {
        let written = |k: &str, name: &str| self.declared.contains(&(k.to_string(), name.to_string()));
        let declared = keywords.iter().any(|k| written(k, name) || written(k, ""));
        declared && self.diags.has_errors() || self.imports_failed()
    }

    /// A file that cannot be read may hold any name.
    fn imports_failed(&self) -> bool {
        [codes::IMPORT_NOT_FOUND, codes::IMPORT_CYCLE].into_iter().any(|c| self.diags.count(c) > 0)
    }

    /// Reports all but the first of items that may stand once.
    fn at_most_one(&mut self, items: &[&Loaded], what: &str) {
        for extra in items.iter().skip(1) {
            self.diags.push(
                Diagnostic::new(
                    codes::NAME_DUPLICATE,
                    extra.item.keyword.span,
                    format!("a second `{what}`: a spec has one"),
                )
                .also(items[0].item.keyword.span, "the first")
                .help(format!("keep one `{what}`, or put the other into a file of its own")),
            );
        }
    }

    pub(super) fn duplicates(&mut self, items: &[&Loaded], what: &str) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for l in items {
            let Some(name) = l.item.names.first() else { continue };
            match seen.get(name.text.as_str()) {
                Some(first) => self.diags.push(duplicate(what, name, *first)),
                None => {
                    seen.insert(&name.text, name.span);
                }
            }
        }
    }

    /// Reads a body against `attrs` and the nested entries and openness of `def`. A wrong attribute is reported and takes its default.
    pub(super) fn fields<'t>(
        &mut self,
        who: &Name,
        body: Option<&'t AstBody>,
        attrs: &[AttrDef],
        def: &ItemDef,
        span: Span,
    ) -> Fields<'t> {
        let mut out =
            Fields { args: Args::default(), own: Vec::new(), nested: Vec::new(), edges: Vec::new(), broken: false };
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut failed: Vec<&str> = Vec::new();
        let scope = self.scope.clone();
        let attributes = body.iter().flat_map(|b| &b.entries).filter_map(|e| match e {
            Entry::Attr(a) => Some(a.key.text.as_str()),
            _ => None,
        });
        let written: HashSet<&str> = attributes.collect();
        for entry in body.map(|b| b.entries.as_slice()).unwrap_or_default() {
            match entry {
                Entry::Attr(a) => {
                    let found = attrs.iter().find(|d| d.name == a.key.text);
                    // Names of the user's own are told by their reader.
                    let first = seen.get(a.key.text.as_str()).filter(|_| found.is_some() || !def.open);
                    if let Some(first) = first {
                        self.diags.push(duplicate("attribute", &a.key, *first));
                        found.map(|d| eval::value(&a.value, &d.ty, &scope, self.diags));
                        continue;
                    }
                    seen.insert(&a.key.text, a.key.span);
                    if found.is_none() && def.open {
                        out.own.push(a);
                        continue;
                    }
                    // Misspelt, it is read as what it is near to: the value counts, and is not missing.
                    let meant = found.or_else(|| {
                        self.unknown_attribute(who, &a.key, attrs, def, |near| written.contains(near));
                        let near = suggest::nearest(&a.key.text, super::unknown::known_in(attrs, def))?;
                        attrs.iter().find(|d| d.name == near && !written.contains(near))
                    });
                    let Some(d) = meant.filter(|d| found.is_some() || out.args.get(d.name).is_none()) else { continue };
                    self.diags.explain(codes::SYNTAX_MISSING_VALUE, a.value.span, || {
                        format!("`{}` takes {}. {}", d.name, d.ty.describe(), d.doc)
                    });
                    match eval::value(&a.value, &d.ty, &scope, self.diags) {
                        Some(v) => out.args.set(d.name, v, true),
                        None => failed.push(d.name),
                    }
                }
                Entry::Nested(n) => {
                    let known = |k: &str| crate::syntax::ast::NESTED_KEYWORDS.contains(&k);
                    if let Some(inner) = def.nested.iter().find(|d| d.keyword == n.keyword.text) {
                        // What is wrong with its header is said; its body is read all the same.
                        self.spec.incomplete |= !self.nested_header(n, inner);
                        out.nested.push(n);
                    } else if def.open {
                        out.nested.push(n);
                    } else if known(&n.keyword.text) && self.diags.count(codes::SYNTAX_UNCLOSED) > 0 {
                        // It slipped into this body because a bracket is not closed, which is reported.
                    } else if attrs.iter().any(|d| d.name == n.keyword.text) {
                        self.attribute_with_names(n, def);
                    } else {
                        self.unknown_attribute(who, &n.keyword, attrs, def, |near| written.contains(near));
                    }
                }
                Entry::Edge(e) if def.keyword == "topology" => out.edges.push(e),
                Entry::Edge(e) => self.diags.push(
                    Diagnostic::new(
                        codes::SYNTAX_UNEXPECTED,
                        e.span,
                        format!("`<-` does not belong into {}", named(def.keyword)),
                    )
                    .help("`<-` connects the nodes of a `topology`; an attribute is written `name = value`"),
                ),
            }
        }
        for d in attrs {
            if out.args.get(d.name).is_some() {
                continue;
            }
            match d.need {
                Need::Optional => {}
                Need::Default(text) => out.args.set(d.name, super::arguments::default_value(text, &d.ty, span), false),
                Need::Required => {
                    out.broken = true;
                    // A text that is not closed may have swallowed it.
                    let unclosed = body.and_then(|b| b.span).is_some_and(|b| self.diags.any_unclosed_within(b));
                    if !failed.contains(&d.name) && !unclosed {
                        self.diags.push(
                            Diagnostic::new(
                                codes::TYPE_MISSING_ATTRIBUTE,
                                who.span,
                                format!("this `{}` lacks `{}`", def.keyword, d.name),
                            )
                            .label(format!("`{}` is missing", d.name))
                            .help(format!("{}: {}. {}", d.name, d.ty.describe(), d.doc)),
                        );
                    }
                }
            }
        }
        out
    }

    /// Reads the attributes of a body whose variant (a format, a strategy) is not known: those that every variant that has them types alike.
    pub(super) fn fields_of_any(&mut self, body: Option<&AstBody>, def: &ItemDef) {
        let variants = def.variants.map(|v| v()).unwrap_or_default();
        let scope = self.scope.clone();
        for entry in body.map(|b| b.entries.as_slice()).unwrap_or_default() {
            match entry {
                Entry::Attr(a) => {
                    let mut found = variants.iter().flat_map(|v| v.args).filter(|d| d.name == a.key.text);
                    let Some(first) = found.next() else { continue };
                    if found.all(|d| d.ty.describe() == first.ty.describe()) {
                        eval::value(&a.value, &first.ty, &scope, self.diags);
                    }
                }
                Entry::Nested(n) => {
                    if let Some(inner) = def.nested.iter().find(|d| d.keyword == n.keyword.text) {
                        self.fields(&n.keyword, n.body.as_ref(), inner.attrs, inner, n.span);
                    }
                }
                Entry::Edge(_) => {}
            }
        }
    }

    /// Something of that name, or the report with the nearest.
    pub(super) fn unknown_name<'n>(&mut self, what: &str, name: &Name, known: impl Iterator<Item = &'n str> + Clone) {
        let keywords: &[&str] = match what {
            "data set" => &["data"],
            "stage or input" => &["stage", "input"],
            other => &[other],
        };
        if self.is_reported(keywords, &name.text) {
            return;
        }
        let mut d = Diagnostic::new(codes::NAME_UNKNOWN, name.span, format!("there is no {what} `{}`", name.text));
        d = match suggest::nearest(&name.text, known.clone()) {
            Some(near) => d.label(format!("did you mean `{near}`?")).fix(
                format!("replace `{}` with `{near}`", name.text),
                name.span,
                if name.quoted { format!("{near:?}") } else { quoted_if_needed(near) },
                suggest::certainty(&name.text, near, known.clone()),
            ),
            None if known.clone().next().is_none() => {
                d.label("unknown").help(format!("none is declared{}", declare(keywords, name)))
            }
            None if suggest::is_spent() => d.label("unknown"),
            None => d.label("unknown").help(format!("known: {}{}", suggest::listing(known), declare(keywords, name))),
        };
        self.diags.push(d);
    }
}

/// "a `task`", "an `input`"
pub(super) fn named(keyword: &str) -> String {
    let article = if keyword.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} `{keyword}`")
}

/// How to declare what is missing.
fn declare(keywords: &[&str], name: &Name) -> String {
    let [keyword] = keywords else { return String::new() };
    match schema::item(keyword) {
        Some(def) => {
            let form = def.form.split("  |  ").next().unwrap_or_default();
            format!("; declare it: `{}`", form.replacen("NAME", &quoted_if_needed(&name.text), 1))
        }
        None => String::new(),
    }
}

pub(super) fn duplicate(what: &str, name: &Name, first: Span) -> Diagnostic {
    Diagnostic::new(codes::NAME_DUPLICATE, name.span, format!("the {what} `{}` is defined twice", name.text))
        .label("again here")
        .also(first, "first defined here")
        .help("rename one of them, or remove it")
}

/// The values that attributes have where nothing is written; required ones are absent.
pub fn defaults(attrs: &[AttrDef]) -> Args {
    let mut args = Args::default();
    for d in attrs {
        if let Need::Default(text) = d.need {
            args.set(d.name, super::arguments::default_value(text, &d.ty, Span::new(FileId(0), 0, 0)), false);
        }
    }
    args
}

/// A name as it must be written: bare where it is an identifier, else in quotes.
pub fn quoted_if_needed(name: &str) -> String {
    let mut chars = name.chars();
    let bare = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if bare { name.to_string() } else { format!("{name:?}") }
}
