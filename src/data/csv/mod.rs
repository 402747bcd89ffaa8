//! `format = csv`: a table of text and numbers, with or without a header, compressed or not.
//!
//! Cells are trimmed. A column is numeric when `numeric` says so, or, without `numeric`, when `categories` does not name it and
//! every present training cell reads as a number (of which NaN and infinities are then refused); everything else is a category.

mod attributes;
mod kinds;
mod read;

pub(super) use attributes::names;
pub(super) use read::named_shortly;

use super::raw::{Raw, RawColumn};
use super::split::{Parts, SHARE_TY, SPLIT_SEED, share};
use super::{DataError, FormatDef, LoadContext, vocabulary};
use crate::schema::{Args, AttrDef, CallDef, Need, Ty, Value};
use attributes::plain;
use read::{Reader, require};

const FILE_OR_SHARE: Ty = Ty::AnyOf(&[Ty::Path, SHARE_TY]);
const NAMES: Ty = Ty::List(&Ty::Name);

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "csv",
        doc: "A table in text form, one sample a line; `.gz` files are read as they are.",
        args: &[
            AttrDef { name: "train", ty: Ty::Path, need: Need::Required, doc: "The training file." },
            AttrDef {
                name: "validation",
                ty: FILE_OR_SHARE,
                need: Need::Default("share(0.1, of = train)"),
                doc: "A file, or a share of another split's file.",
            },
            AttrDef {
                name: "test",
                ty: FILE_OR_SHARE,
                need: Need::Optional,
                doc: "A file, or a share of the training file. Absent: there is no test split.",
            },
            AttrDef {
                name: "header",
                ty: Ty::Bool,
                need: Need::Default("true"),
                doc: "Whether the first line of each file names the columns.",
            },
            AttrDef {
                name: "columns",
                ty: NAMES,
                need: Need::Optional,
                doc: "Names of all columns in the file's order. Needed without a header; with one, it must say the same.",
            },
            AttrDef {
                name: "numeric",
                ty: NAMES,
                need: Need::Optional,
                doc: "The numeric columns; the rest are categories. Absent: a column is numeric when every present training cell is a number and `categories` does not name it.",
            },
            AttrDef {
                name: "categories",
                ty: NAMES,
                need: Need::Default("[]"),
                doc: "Columns that are categories though their cells are numbers: ids and codes. With `numeric`, which already says it, there is no need of it.",
            },
            AttrDef {
                name: "missing",
                ty: Ty::List(&Ty::Str),
                need: Need::Default("[\"?\", \"\"]"),
                doc: "Cells that mean \"missing\", after trimming.",
            },
            AttrDef { name: "drop", ty: NAMES, need: Need::Default("[]"), doc: "Columns that are read past." },
            AttrDef { name: "delimiter", ty: Ty::Str, need: Need::Default("\",\""), doc: "One ASCII character." },
            vocabulary::MIN_COUNT,
            vocabulary::BUCKETS,
            SPLIT_SEED,
        ],
    },
    outline: attributes::outline,
    check: attributes::check,
    load,
};

fn load(args: &Args, context: &LoadContext) -> Result<Raw, DataError> {
    let drop = plain(args, "drop");
    let missing = plain(args, "missing");
    let mut reader = Reader {
        names: plain(args, "columns"),
        keep: Vec::new(),
        dictionaries: Vec::new(),
        missing: missing.iter().cloned().collect(),
        delimiter: args.str("delimiter").bytes().next().unwrap_or(b','),
        header: args.bool("header"),
        facts: Vec::new(),
    };
    let train = reader.read(args.str("train"), &drop, context)?;
    if train.rows == 0 {
        return Err(DataError::EmptySplit { split: "train", why: format!("`{}` has no rows", train.source.display()) });
    }
    let mut other = |name: &str| match args.get(name) {
        Some(Value::Path(p) | Value::Str(p)) => reader.read(p, &drop, context).map(Some),
        _ => Ok(None),
    };
    let validation = other("validation")?;
    let test = other("test")?;
    let parts = Parts {
        train,
        validation,
        test,
        validation_share: share(args, "validation"),
        test_share: share(args, "test"),
        seed: args.size("split_seed") as u64,
    };
    let names = reader.names.iter().zip(&reader.keep).filter(|(_, k)| **k).map(|(n, _)| n.clone());
    let columns = names
        .zip(reader.dictionaries)
        .map(|(name, (_, words))| RawColumn { dictionary: words, ..RawColumn::new(name, &[]) })
        .collect();
    let mut raw = parts.assemble(DEF.call.name, columns, reader.facts, missing)?;
    let numeric = args.get("numeric").map(|_| plain(args, "numeric"));
    let categories = plain(args, "categories");
    let named = |list: &[String], attribute: &str, raw: &Raw| {
        let all: Vec<String> = raw.columns.iter().map(|c| c.name.clone()).collect();
        list.iter().filter(|n| !drop.contains(n)).try_for_each(|n| require(&all, n, attribute))
    };
    named(numeric.as_deref().unwrap_or_default(), "numeric", &raw)?;
    named(&categories, "categories", &raw)?;
    for c in 0..raw.columns.len() {
        let name = &raw.columns[c].name;
        let wanted = match &numeric {
            Some(n) => n.contains(name),
            None => !categories.contains(name) && kinds::looks_numeric(&raw, c),
        };
        if wanted {
            kinds::to_numbers(&mut raw, c)?;
        }
    }
    vocabulary::apply(&mut raw, args)?;
    Ok(raw)
}
