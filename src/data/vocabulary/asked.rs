//! The attributes `min_count` and `buckets` of a data set, which decide which texts have their own category number.

use std::collections::HashMap;

use crate::data::DataError;
use crate::data::freeze::{Facts, Schema};
use crate::data::raw::{MISSING, Raw, Values};
use crate::diag::{Diagnostic, codes};
use crate::schema::{Args, AttrDef, COUNT, Need, Ty, Value};
use crate::syntax::ast::{Expr, ExprKind};

pub const MIN_COUNT: AttrDef = AttrDef {
    name: "min_count",
    ty: Ty::AnyOf(&[COUNT, Ty::Expr]),
    need: Need::Optional,
    doc: "Texts that occur in fewer training rows than this are read as unknown: `5` for all categories, `[user(5), item(20)]` for some \
          columns. If the column is the label of a `classes` task, such rows have no label. Absent: every text in the training rows is a \
          category.",
};

pub const BUCKETS: AttrDef = AttrDef {
    name: "buckets",
    ty: Ty::AnyOf(&[COUNT, Ty::Expr]),
    need: Need::Optional,
    doc: "Texts are hashed into this number of categories, without a vocabulary: `10000` for all columns with more distinct training \
          texts than that, `[user(10000)]` for some columns. The bucket of a text is the first eight bytes of the SHA-256 of its \
          UTF-8 bytes, as a little-endian number, modulo the number of buckets. No text is unknown in such a column.",
};

/// A number for all columns, or numbers for some columns.
#[derive(Debug, Default)]
struct Asked {
    all: Option<usize>,
    by: HashMap<String, usize>,
}

/// Reads an attribute. An error has the span of the part that is wrong.
fn asked(args: &Args, attribute: &str) -> Result<Asked, Box<Diagnostic>> {
    match args.get(attribute) {
        Some(Value::Int(n)) => Ok(Asked { all: Some(*n as usize), by: HashMap::new() }),
        Some(Value::Expr(expr)) => {
            let mut out = Asked::default();
            let items = match &expr.kind {
                ExprKind::List(items) => items.as_slice(),
                _ => std::slice::from_ref(expr),
            };
            for item in items {
                let (name, n) = one(item).ok_or_else(|| {
                    let message = format!("`{attribute}` takes a number, or columns with a number each");
                    Diagnostic::new(codes::TYPE_MISMATCH, item.span, message)
                        .label("neither")
                        .help(format!("write `{attribute} = 5`, or `{attribute} = [user(5), item(20)]`"))
                })?;
                let twice = match name {
                    None => out.all.replace(n).is_some(),
                    Some(name) => out.by.insert(name, n).is_some(),
                };
                if twice {
                    let message = "this is given twice";
                    return Err(Box::new(
                        Diagnostic::new(codes::TYPE_MISMATCH, item.span, message).help("remove one of the two"),
                    ));
                }
            }
            Ok(out)
        }
        _ => Ok(Asked::default()),
    }
}

/// Parses `user(5)` or `5`.
fn one(e: &Expr) -> Option<(Option<String>, usize)> {
    let count = |e: &Expr| match e.kind {
        ExprKind::Int(n) if n >= 1 => usize::try_from(n).ok(),
        _ => None,
    };
    match &e.kind {
        ExprKind::Call { callee, args } => {
            let ExprKind::Path(parts) = &callee.kind else { return None };
            let ([name], [arg]) = (parts.as_slice(), args.as_slice()) else { return None };
            (arg.name.is_none()).then_some(())?;
            Some((Some(name.text.clone()), count(&arg.value)?))
        }
        _ => Some((None, count(e)?)),
    }
}

/// Reports errors in the two attributes.
pub fn check(args: &Args) -> Vec<Diagnostic> {
    ["min_count", "buckets"].iter().filter_map(|a| asked(args, a).err().map(|d| *d)).collect()
}

/// Stores the attributes in the columns that they apply to.
pub fn apply(raw: &mut Raw, args: &Args) -> Result<(), DataError> {
    for attribute in ["min_count", "buckets"] {
        // `check` has reported an invalid attribute.
        let Ok(asked) = asked(args, attribute) else { continue };
        for name in asked.by.keys() {
            let at = raw.index(name).ok_or_else(|| {
                let all = raw.columns.iter().map(|c| c.name.as_str());
                DataError::no_column(name, format!(", which `{attribute}` names"), all)
            })?;
            if !raw.splits[0].columns[at].is_text() {
                return Err(DataError::option(
                    format!("`{attribute}` names the column `{name}`, which holds numbers"),
                    format!("if they are ids or codes, name it in `categories`; else leave it out of `{attribute}`"),
                ));
            }
        }
        for (column, values) in raw.columns.iter_mut().zip(&raw.splits[0].columns) {
            let Values::Text(codes) = values else { continue };
            match (attribute, asked.by.get(&column.name), asked.all) {
                ("min_count", Some(n), _) => column.min_count = *n,
                ("min_count", None, Some(n)) => column.min_count = n,
                ("buckets", Some(n), _) => column.buckets = Some(*n),
                ("buckets", None, Some(n)) if different(codes, column.dictionary.len()) > n => column.buckets = Some(n),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The contradictions between the two attributes and the schema, each with the name of its attribute.
pub fn contradictions(args: &Args, schema: &Schema) -> Vec<(&'static str, String)> {
    let (Ok(counts), Ok(buckets)) = (asked(args, MIN_COUNT.name), asked(args, BUCKETS.name)) else { return Vec::new() };
    let mut out = Vec::new();
    for c in &schema.columns {
        let name = &c.name;
        let wanted = |of: &Asked| of.by.get(name).copied().or(of.all);
        let hashed = match &c.facts {
            Facts::Hashed { buckets } => Some(*buckets),
            Facts::Category { .. } | Facts::Withheld { .. } => None,
            _ => continue,
        };
        let texts = match &c.facts {
            Facts::Category { values } => values.len(),
            Facts::Withheld { values, .. } => *values,
            _ => usize::MAX,
        };
        // A number for all columns applies to those with more texts.
        let all = buckets.all.filter(|n| texts > *n);
        match (hashed, buckets.by.get(name).copied().or(all)) {
            (Some(was), Some(is)) if was != is => {
                out.push((BUCKETS.name, format!("`buckets` is {is} for `{name}`, but {was} in the schema")));
            }
            (Some(was), None) => {
                let message = format!("the schema has {was} buckets for `{name}`, but `buckets` does not");
                out.push((BUCKETS.name, message));
            }
            (None, Some(is)) => {
                let message = format!("`buckets` is {is} for `{name}`, but the schema has its vocabulary");
                out.push((BUCKETS.name, message));
            }
            _ => {}
        }
        let (was, is) = (c.rare.map_or(1, |r| r.below), wanted(&counts).unwrap_or(1));
        if hashed.is_none() && was != is {
            let message = format!("`min_count` is {is} for `{name}`, but {was} in the schema");
            out.push((MIN_COUNT.name, message));
        }
    }
    out
}

/// The number of distinct texts in the training rows.
fn different(codes: &[u32], words: usize) -> usize {
    let mut seen = vec![false; words];
    codes.iter().filter(|c| **c != MISSING).for_each(|c| seen[*c as usize] = true);
    seen.into_iter().filter(|s| *s).count()
}
