//! What the names of a text mean: definitions, and every place that refers to one. How places find their definition is
//! `resolve.rs`.

use std::collections::HashMap;

use crate::hir::schema::ItemDef;
use crate::schema::{AttrDef, CallDef};
use crate::source::{FileId, Span};

/// Index of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DefId(pub usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    Param,
    Data,
    Input,
    Task,
    /// Tasks declared in one line.
    Family,
    Block,
    Backbone,
    Stage,
    Space,
    Topology,
    /// A copy of a stage in a topology.
    Copy,
    Mix,
    /// A parameter of a block or a backbone.
    Parameter,
    /// A value of a block, a stage or a head.
    Value,
    /// The variable of a repetition.
    Counter,
}

impl What {
    /// "stage", "data set"
    pub fn word(self) -> &'static str {
        match self {
            What::Param => "param",
            What::Data => "data",
            What::Input => "input",
            What::Task => "task",
            What::Family => "family of tasks",
            What::Block => "block",
            What::Backbone => "backbone",
            What::Stage => "stage",
            What::Space => "space",
            What::Topology => "topology",
            What::Copy => "copy",
            What::Mix => "mix",
            What::Parameter => "parameter",
            What::Value => "value",
            What::Counter => "counter",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Def {
    pub what: What,
    pub name: String,
    /// The name where it is defined.
    pub span: Span,
    /// The whole definition.
    pub whole: Span,
    /// The item whose inside it belongs to.
    pub owner: Option<DefId>,
    /// Stands for several: `stage s[4]`, a family.
    pub many: bool,
}

/// An entry of a table, and what it is called there.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    pub topic: &'static str,
    pub def: &'static CallDef,
}

/// What a place refers to.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    Def(DefId),
    /// One of several that a definition stands for: its name is not written there.
    Member(DefId),
    /// An op, a loss, a strategy, ...
    Builtin(Builtin),
    /// An item keyword, or one of a nested entry.
    Keyword(&'static ItemDef),
    /// An attribute or an argument.
    Attr(&'static AttrDef),
    /// A word of a list (`softmax`), `in`, `out`, `outputs`, `true`.
    Word,
    /// A column of a data set.
    Column(DefId),
    /// An imported file.
    File(FileId),
    /// Nothing of that name.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub struct Ref {
    pub span: Span,
    pub to: Target,
    pub quoted: bool,
}

#[derive(Debug, Default)]
pub struct Names {
    pub defs: Vec<Def>,
    /// In order of place; places do not overlap, but for a copy and the stage in its name.
    pub refs: Vec<Ref>,
    by_file: HashMap<FileId, std::ops::Range<usize>>,
}

impl Names {
    pub fn new(defs: Vec<Def>, mut refs: Vec<Ref>) -> Names {
        refs.sort_by_key(|r| (r.span.file, r.span.start, std::cmp::Reverse(r.span.end)));
        refs.dedup_by_key(|r| r.span);
        let mut by_file: HashMap<FileId, std::ops::Range<usize>> = HashMap::new();
        for (i, r) in refs.iter().enumerate() {
            by_file.entry(r.span.file).or_insert(i..i).end = i + 1;
        }
        Names { defs, refs, by_file }
    }

    pub fn def(&self, id: DefId) -> &Def {
        &self.defs[id.0]
    }

    /// The places of one file, in order.
    pub fn in_file(&self, file: FileId) -> &[Ref] {
        self.by_file.get(&file).map_or(&[], |r| &self.refs[r.clone()])
    }

    /// The innermost place at an offset; the end of a name counts as the name.
    pub fn at(&self, file: FileId, offset: usize) -> Option<&Ref> {
        let refs = self.in_file(file);
        let offset = offset as u32;
        let end = refs.partition_point(|r| r.span.start <= offset);
        refs[..end].iter().rev().take(4).filter(|r| offset <= r.span.end).min_by_key(|r| {
            // Where two meet, the one that begins here.
            (r.span.end == offset && r.span.start != offset, r.span.end - r.span.start)
        })
    }

    /// Every place that names a definition, its own included.
    pub fn uses(&self, id: DefId) -> impl Iterator<Item = &Ref> {
        self.refs.iter().filter(move |r| matches!(r.to, Target::Def(d) if d == id))
    }

    /// Definitions of a kind, by name.
    pub fn of(&self, what: What) -> impl Iterator<Item = (DefId, &Def)> {
        self.defs.iter().enumerate().filter(move |(_, d)| d.what == what).map(|(i, d)| (DefId(i), d))
    }
}
