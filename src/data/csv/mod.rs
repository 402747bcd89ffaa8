//! `format = csv`: a table of text and numbers, with or without a header, compressed or not.
//!
//! Files are read from front to back (`read.rs`), and each cell is converted to a number as it is read (`numbers.rs`, `column.rs`).
//! `kinds.rs` decides the kind of a column from the training file if neither the attributes nor a frozen schema give it.

mod attributes;
mod column;
mod hints;
mod kinds;
mod look;
mod messages;
mod missing;
mod numbers;
mod read;
mod words;

pub use attributes::{names, plain};
pub use kinds::{Other, Tally, Verdict, judge, report, usual};
pub use look::{Look, look};
pub(super) use messages::{named_shortly, not_utf8};
pub(super) use missing::{Cell, Missing, cell};
pub use numbers::Notation;

use super::raw::Raw;
use super::split::{self, Parts, SHARE_TY};
use super::text::{self, Encoding};
use super::{DataError, FormatDef, LoadContext, files, vocabulary};
use crate::schema::{Args, AttrDef, CallDef, Need, Ty, Value};
use read::Reader;

const FILE_OR_SHARE: Ty = Ty::AnyOf(&[Ty::Path, SHARE_TY, Ty::Condition]);
const NAMES: Ty = Ty::List(&Ty::Name);

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "csv",
        doc: "A table in text form, one sample per line; `.gz` files are decompressed while reading.",
        args: &[
            AttrDef { name: "train", ty: Ty::Path, need: Need::Required, doc: "The training file." },
            AttrDef {
                name: "validation",
                ty: FILE_OR_SHARE,
                need: Need::Default("share(0.1, of = train)"),
                doc: "A file; a share or a fold of another split's rows; or a condition, `d.age > 60`: the rows of the training file for which it is true.",
            },
            AttrDef {
                name: "test",
                ty: FILE_OR_SHARE,
                need: Need::Optional,
                doc: "The same for the test split. Absent: there is none, unless `split` names its rows.",
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
                doc: "Names of all columns in the file's order. Required without a header; with a header, they must agree with it.",
            },
            AttrDef {
                name: "numeric",
                ty: NAMES,
                need: Need::Optional,
                doc: "The numeric columns; the rest are categories. Absent: a column is numeric if every present training cell is a number and `categories` does not name it; a column with few cells that are not numbers is an error, and so is one with whole numbers of more than 53 bits, which are rounded only in columns that are listed here, and one with leading zeros (`007` and `7`) that would become equal numbers. A frozen schema records which columns are numeric.",
            },
            AttrDef {
                name: "categories",
                ty: NAMES,
                need: Need::Default("[]"),
                doc: "Columns that are categories although their cells are numbers: ids and codes of any length. Not needed with `numeric`, which already determines the categories.",
            },
            AttrDef {
                name: "missing",
                ty: Ty::List(&Ty::Str),
                need: Need::Default("[\"?\", \"\"]"),
                doc: "Cells that mean \"missing\", after trimming. In numeric columns, a word that is a number is compared by value: \"-999\" also matches -999.0. Without it, the usual spellings (`NA`, `N/A`, `NaN`, `NULL`, `None`, `-`, `#N/A` and the like) are also missing in numeric columns and in columns of true and false that `categories` does not list; with it, only the listed words are.",
            },
            AttrDef {
                name: "decimal",
                ty: Ty::Str,
                need: Need::Default("\".\""),
                doc: "The decimal separator of numbers: \".\" or \",\".",
            },
            AttrDef {
                name: "thousands",
                ty: Ty::Str,
                need: Need::Optional,
                doc: "The separator between groups of three digits: \",\", \".\", \"'\", or \" \", which also matches no-break and thin spaces.",
            },
            AttrDef {
                name: "strip",
                ty: Ty::List(&Ty::Str),
                need: Need::Default("[]"),
                doc: "Texts that may precede or follow a number and are removed, such as [\"$\", \"%\", \"kg\"]: 12% is 12. White space around a number is always ignored. Brackets and a minus sign after the number cannot be removed, because they make it negative.",
            },
            AttrDef {
                name: "minus",
                ty: Ty::List(&Ty::Str),
                need: Need::Default("[]"),
                doc: "Minus signs in addition to \"-\", such as [\"\u{2212}\"].",
            },
            AttrDef { name: "drop", ty: NAMES, need: Need::Default("[]"), doc: "Columns that are skipped." },
            AttrDef { name: "delimiter", ty: Ty::Str, need: Need::Default("\",\""), doc: "One ASCII character." },
            AttrDef {
                name: "encoding",
                ty: Ty::OneOf(text::ENCODINGS),
                need: Need::Optional,
                doc: "The encoding of the files. A byte order mark takes precedence; without either, files are UTF-8.",
            },
            vocabulary::MIN_COUNT,
            vocabulary::BUCKETS,
            split::SPLIT,
            split::GROUP,
            split::STRATIFY,
            split::TIME,
            split::SPLIT_SEED,
        ],
    },
    outline: attributes::outline,
    check: attributes::check,
    files: |args| ["train", "validation", "test"].map(|split| files::written(args, split)),
    load,
};

/// The delimiter and the encoding of the files.
pub(super) fn layout(args: &Args) -> text::Layout {
    text::Layout {
        delimiter: args.str("delimiter").bytes().next().unwrap_or(b','),
        encoding: args.opt_str("encoding").and_then(Encoding::named),
    }
}

fn load(args: &Args, context: &LoadContext) -> Result<Raw, DataError> {
    let mut reader = Reader::new(args, context);
    let train = reader.train(args.str("train"))?;
    if train.rows == 0 {
        return Err(DataError::EmptySplit { split: "train", why: format!("`{}` has no rows", train.source.display()) });
    }
    let mut other = |name: &str| match args.get(name) {
        Some(Value::Path(p) | Value::Str(p)) => reader.other(p).map(Some),
        _ => Ok(None),
    };
    let validation = other("validation")?;
    let test = other("test")?;
    let parts = Parts { train, validation, test, args, missing: reader.words.both() };
    let (facts, notes) = (std::mem::take(&mut reader.facts), std::mem::take(&mut reader.notes));
    let raw = parts.assemble(DEF.call.name, reader.finish(), facts)?;
    let mut raw = Raw { notes, ..raw };
    vocabulary::apply(&mut raw, args)?;
    Ok(raw)
}
