//! What is known about a data set's columns before or after freezing, in one shape that checks read: names, kinds, shapes,
//! vocabularies. Each of them may be open.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::freeze::{Facts, Schema};
use crate::diag::{Code, Diagnostic, codes, suggest};
use crate::ops::{Field, Fields};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Name};

/// What attributes alone say. `None`: open until the schema is frozen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outline {
    pub columns: Option<Vec<KnownColumn>>,
    /// Cells that mean "missing".
    pub missing: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct KnownColumn {
    pub name: String,
    pub kind: KnownKind,
    /// Sizes per sample; `None` while open, empty for one value.
    pub shape: Option<Vec<usize>>,
    pub groups: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum KnownKind {
    Open,
    /// With the smallest and largest training value, where frozen.
    Numeric(Option<[f64; 2]>),
    /// With the training vocabulary, where frozen.
    Category(Option<Vec<String>>),
    /// Categories of that number; not all of their words are known.
    Counted(usize),
    /// Texts that are hashed into that number of buckets.
    Hashed(usize),
    /// Pixels from 0 to 255.
    Picture,
}

impl KnownColumn {
    pub fn numeric(name: impl Into<String>, shape: &[usize]) -> KnownColumn {
        KnownColumn {
            name: name.into(),
            kind: KnownKind::Numeric(None),
            shape: Some(shape.to_vec()),
            groups: Vec::new(),
        }
    }

    pub fn picture(name: impl Into<String>, shape: &[usize]) -> KnownColumn {
        KnownColumn { kind: KnownKind::Picture, ..KnownColumn::numeric(name, shape) }
    }

    pub fn open(name: impl Into<String>) -> KnownColumn {
        KnownColumn { name: name.into(), kind: KnownKind::Open, shape: None, groups: Vec::new() }
    }

    pub fn group(mut self, name: &str) -> KnownColumn {
        self.groups.push(name.into());
        self
    }
}

/// A named data set as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The name of the `data` item.
    pub data: String,
    pub outline: Outline,
    /// Whether this comes from a frozen schema: then nothing is open.
    pub frozen: bool,
    /// Cells that mean "missing" in numeric columns and in columns of true and false, in addition to those of the outline.
    pub missing_numbers: Vec<String>,
    places: Places,
}

/// The place of each column by name, found when the first is asked for.
#[derive(Debug, Clone, Default)]
struct Places(OnceLock<HashMap<String, usize>>);

impl PartialEq for Places {
    /// It follows from the columns.
    fn eq(&self, _: &Places) -> bool {
        true
    }
}

impl Known {
    pub fn from_outline(data: impl Into<String>, outline: Outline) -> Known {
        Known { data: data.into(), outline, frozen: false, missing_numbers: Vec::new(), places: Places::default() }
    }

    pub fn from_schema(data: impl Into<String>, schema: &Schema) -> Known {
        let columns = schema
            .columns
            .iter()
            .map(|c| KnownColumn {
                name: c.name.clone(),
                kind: match &c.facts {
                    Facts::Numeric { min, max, .. } => KnownKind::Numeric(Some([*min, *max])),
                    Facts::Category { values } if c.rare.is_some() && !c.is_truths() => {
                        KnownKind::Counted(values.len())
                    }
                    Facts::Withheld { values, .. } => KnownKind::Counted(*values),
                    Facts::Hashed { buckets } => KnownKind::Hashed(*buckets),
                    Facts::Category { values } => {
                        KnownKind::Category(Some(values.iter().map(|(v, _)| v.clone()).collect()))
                    }
                    Facts::Picture => KnownKind::Picture,
                },
                shape: Some(c.shape.clone()),
                groups: c.groups.clone(),
            })
            .collect();
        let outline = Outline { columns: Some(columns), missing: schema.missing.clone() };
        Known { frozen: true, missing_numbers: schema.missing_numbers.clone(), ..Known::from_outline(data, outline) }
    }

    pub fn column(&self, name: &str) -> Option<&KnownColumn> {
        let columns = self.outline.columns.as_ref()?;
        let all = || columns.iter().enumerate().rev().map(|(i, c)| (c.name.clone(), i)).collect();
        columns.get(*self.places.0.get_or_init(all).get(name)?)
    }

    /// Members of a group of columns, in order; `None` if there is no such group or columns are open.
    pub fn group(&self, name: &str) -> Option<Vec<String>> {
        let of = |c: &&KnownColumn| c.groups.iter().any(|g| g == name);
        let members: Vec<String> = self.outline.columns.as_ref()?.iter().filter(of).map(|c| c.name.clone()).collect();
        (!members.is_empty()).then_some(members)
    }

    /// Sizes per sample of a column; `None` while open.
    pub fn shape(&self, column: &str) -> Option<Vec<usize>> {
        self.column(column)?.shape.clone()
    }

    /// The type of an input made of these columns: open until kinds and vocabularies are frozen.
    pub fn fields(&self, names: &[String]) -> Fields {
        let columns = self.outline.columns.iter().flatten();
        let kinds: HashMap<&str, &KnownKind> = columns.map(|c| (c.name.as_str(), &c.kind)).collect();
        let field = |name: &String| match kinds.get(name.as_str())? {
            KnownKind::Numeric(_) => Some(Field::Numeric),
            KnownKind::Category(Some(values)) => Some(Field::Category { values: values.len() + 1 }),
            KnownKind::Counted(n) | KnownKind::Hashed(n) => Some(Field::Category { values: n + 1 }),
            _ => None,
        };
        Fields(names.iter().map(field).collect::<Option<Vec<_>>>().map(Arc::from))
    }

    /// Checks that a column exists; open columns pass. The diagnostic has a suggestion and the list.
    pub fn require(&self, column: &Name) -> Result<Option<&KnownColumn>, Box<Diagnostic>> {
        if self.outline.columns.is_none() {
            return Ok(None);
        }
        match self.column(&column.text) {
            Some(c) => Ok(Some(c)),
            None => Err(Box::new(self.unknown(codes::DATA_COLUMN, &column.text, column.span))),
        }
    }

    pub(super) fn unknown(&self, code: Code, name: &str, span: Span) -> Diagnostic {
        let names = || self.outline.columns.iter().flatten().map(|c| c.name.as_str());
        let d = Diagnostic::new(code, span, format!("data `{}` has no column `{name}`", self.data));
        // A table of one column whose name is the whole first line: read with another delimiter than it was written with.
        if let Some([only]) = self.outline.columns.as_deref()
            && let Some(sign) = ["\t", ";", "|", ","].into_iter().find(|s| only.name.contains(s))
        {
            return d.label("the whole line is one column").help(format!(
                "the first line is {:?}, and no `delimiter` was found in it: write `delimiter = {sign:?}`",
                super::error::excerpt(&only.name)
            ));
        }
        if suggest::is_spent() {
            return d.label("no such column");
        }
        let list = format!("its columns are {}", suggest::listing(names()));
        // A group may stand where columns do.
        let groups = || self.outline.columns.iter().flatten().flat_map(|c| c.groups.iter().map(String::as_str));
        match suggest::nearest(name, names().chain(groups())) {
            Some(near) => d.label(format!("did you mean `{near}`?")).help(list).fix(
                format!("replace `{name}` with `{near}`"),
                span,
                super::schema_text::name(near),
                suggest::certainty(name, near, names().chain(groups())),
            ),
            None => d.label("no such column").help(list),
        }
    }

    /// The columns that an input takes: `from = census` (all), `census.image` (one, or a group), `census[age, sex]`, less
    /// `except`. `None` while the names are open. `dropped` are names that `drop` took out: naming them again is harmless.
    pub fn select(
        &self,
        from: &Expr,
        except: &[Name],
        dropped: &[String],
    ) -> Result<Option<Vec<String>>, Vec<Diagnostic>> {
        let mut wrong = Vec::new();
        let chosen: Option<Vec<String>> = match &from.kind {
            ExprKind::Path(parts) if parts.len() == 1 => {
                self.outline.columns.as_ref().map(|c| c.iter().map(|c| c.name.clone()).collect())
            }
            ExprKind::Path(parts) if parts.len() == 2 => match self.group(&parts[1].text) {
                Some(members) => Some(members),
                None => self.require(&parts[1]).map(|_| Some(vec![parts[1].text.clone()])).unwrap_or_else(|d| {
                    wrong.push(*d);
                    None
                }),
            },
            ExprKind::Index { items, .. } => {
                let mut names = Vec::new();
                for item in items {
                    match as_name(item).map(|n| (self.require(&n).map(|_| ()), n)) {
                        Some((Ok(()), n)) => names.push(n.text),
                        Some((Err(d), _)) => wrong.push(*d),
                        None => wrong.push(
                            Diagnostic::new(codes::DATA_COLUMN, item.span, "a column is given by its name")
                                .help(format!("for example `{}[age, \"marital status\"]`", self.data)),
                        ),
                    }
                }
                Some(names)
            }
            _ => {
                wrong.push(
                    Diagnostic::new(codes::DATA_COLUMN, from.span, "this does not select columns of a data set")
                        .help(format!("write `{0}`, `{0}.COLUMN` or `{0}[COLUMN, COLUMN]`", self.data)),
                );
                None
            }
        };
        let dropped: HashSet<&str> = dropped.iter().map(String::as_str).collect();
        for name in except.iter().filter(|n| !dropped.contains(n.text.as_str())) {
            wrong.extend(self.require(name).err().map(|d| *d));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let except: HashSet<&str> = except.iter().map(|n| n.text.as_str()).collect();
        Ok(chosen.map(|c| c.into_iter().filter(|c| !except.contains(c.as_str())).collect()))
    }
}

/// An expression that is a bare or quoted name.
pub(super) fn as_name(e: &Expr) -> Option<Name> {
    match &e.kind {
        ExprKind::Path(parts) if parts.len() == 1 => Some(parts[0].clone()),
        ExprKind::Str(text) => Some(Name { text: text.clone(), quoted: true, span: e.span }),
        _ => None,
    }
}
