//! `format = csv`: a table of text and numbers, with or without a header, compressed or not.
//!
//! Cells are trimmed. A column is numeric when `numeric` says so, or, without `numeric`, when `categories` does not name it and
//! every present training cell reads as a number (of which NaN and infinities are then refused); everything else is a category.

use std::collections::{HashMap, HashSet};

use super::error::{LARGEST, excerpt};
use super::raw::{MISSING, Part, Raw, RawColumn, Values};
use super::split::{Parts, SHARE_TY, SPLIT_SEED, share};
use super::{DataError, FormatDef, KnownColumn, KnownKind, LoadContext, Outline, files};
use crate::diag::{Diagnostic, codes, suggest};
use crate::schema::{Args, AttrDef, CallDef, Need, Ty, Value};
use crate::source::{Span, Spanned};

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
            SPLIT_SEED,
        ],
    },
    outline,
    check,
    load,
};

/// The names in a list attribute.
pub(super) fn names(args: &Args, attribute: &str) -> Vec<Spanned<String>> {
    let text = |v: &Spanned<Value>| {
        let text = match &v.value {
            Value::Name(parts) => parts.join("."),
            Value::Str(s) | Value::Path(s) => s.clone(),
            other => panic!("`{attribute}` holds {other:?}, not names"),
        };
        Spanned { value: text, span: v.span }
    };
    args.list(attribute).iter().map(text).collect()
}

fn plain(args: &Args, attribute: &str) -> Vec<String> {
    names(args, attribute).into_iter().map(|n| n.value).collect()
}

fn outline(args: &Args) -> Outline {
    let drop = plain(args, "drop");
    let numeric = args.get("numeric").map(|_| plain(args, "numeric"));
    let categories = plain(args, "categories");
    let columns = args.get("columns").map(|_| {
        let kind = |name: &String| match &numeric {
            _ if categories.contains(name) => KnownKind::Category(None),
            None => KnownKind::Open,
            Some(n) if n.contains(name) => KnownKind::Numeric(None),
            Some(_) => KnownKind::Category(None),
        };
        let known =
            |name: &String| KnownColumn { kind: kind(name), shape: Some(vec![]), ..KnownColumn::open(name.clone()) };
        plain(args, "columns").iter().filter(|n| !drop.contains(n)).map(known).collect()
    });
    Outline { columns, missing: plain(args, "missing") }
}

fn check(args: &Args, item: Span) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let columns = names(args, "columns");
    if !args.bool("header") && columns.is_empty() {
        let span = args.span("header").unwrap_or(item);
        found.push(
            Diagnostic::new(
                codes::TYPE_MISSING_ATTRIBUTE,
                span,
                "a table without a header needs names for its columns",
            )
            .help("add `columns = [...]`, one name per column in the file's order"),
        );
    }
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for c in &columns {
        if let Some(first) = seen.insert(&c.value, c.span) {
            found.push(
                Diagnostic::new(codes::NAME_DUPLICATE, c.span, format!("column `{}` is named twice", c.value))
                    .also(first, "first here"),
            );
        }
    }
    if !columns.is_empty() {
        let all = || columns.iter().map(|c| c.value.as_str());
        for name in ["numeric", "categories", "drop"].into_iter().flat_map(|a| names(args, a)) {
            if !all().any(|c| c == name.value) {
                found.push(
                    Diagnostic::new(codes::DATA_COLUMN, name.span, format!("`columns` has no `{}`", name.value))
                        .label("no such column")
                        .help(format!("the columns are {}", suggest::listing(all())))
                        .nearest(&name.value, name.span, all(), super::schema_text::name),
                );
            }
        }
    }
    let numeric = plain(args, "numeric");
    for name in names(args, "categories") {
        if numeric.contains(&name.value) {
            found.push(
                Diagnostic::new(
                    codes::NAME_DUPLICATE,
                    name.span,
                    format!("column `{}` is in `numeric` and in `categories`", name.value),
                )
                .help("take it out of one of them"),
            );
        }
    }
    if args.str("delimiter").len() != 1 {
        let span = args.span("delimiter").unwrap_or(item);
        found.push(
            Diagnostic::new(codes::TYPE_RANGE, span, "a delimiter is one ASCII character")
                .help("for example \",\" or \";\", and \"\\t\" for a tab"),
        );
    }
    found
}

/// Interns the cells of all files, column by column.
struct Reader {
    names: Vec<String>,
    keep: Vec<bool>,
    dictionaries: Vec<(HashMap<String, u32>, Vec<String>)>,
    missing: HashSet<String>,
    delimiter: u8,
    header: bool,
    facts: Vec<super::FileFact>,
}

impl Reader {
    /// Reads one file: a column of codes per kept column, and the line of each row.
    fn read(&mut self, written: &str, drop: &[String], context: &LoadContext) -> Result<Part, DataError> {
        let file = files::open(written, context)?;
        let path = file.path;
        if let Some(line) = too_long(&file.bytes) {
            let detail = format!("the line has more than {} MiB: this is no table", MAX_LINE >> 20);
            return Err(DataError::Text { path, line, detail });
        }
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .trim(::csv::Trim::All)
            .from_reader(file.bytes.as_slice());
        let mut record = ::csv::ByteRecord::new();
        let mut columns: Vec<Vec<u32>> = Vec::new();
        let mut lines = Vec::new();
        let mut first = true;
        loop {
            let more = reader.read_byte_record(&mut record).map_err(|e| DataError::Text {
                path: path.clone(),
                line: reader_line(&record),
                detail: e.to_string(),
            })?;
            if !more {
                break;
            }
            let line = reader_line(&record);
            if std::mem::take(&mut first) {
                self.start(&record, &path, drop)?;
                columns = vec![Vec::new(); self.keep.iter().filter(|k| **k).count()];
                if self.header {
                    continue;
                }
            }
            if record.len() != self.names.len() {
                return Err(DataError::Ragged { path, line, found: record.len(), expected: self.names.len() });
            }
            let kept = record.iter().zip(&self.keep).filter(|(_, k)| **k).map(|(c, _)| c);
            for ((cell, column), (index, words)) in kept.zip(&mut columns).zip(&mut self.dictionaries) {
                let text = std::str::from_utf8(cell).map_err(|_| DataError::Text {
                    path: path.clone(),
                    line,
                    detail: format!("the cell {:?} is not UTF-8", excerpt(&String::from_utf8_lossy(cell))),
                })?;
                column.push(match index.get(text) {
                    Some(code) => *code,
                    None if self.missing.contains(text) => MISSING,
                    None => {
                        words.push(text.to_string());
                        index.insert(text.to_string(), words.len() as u32 - 1);
                        words.len() as u32 - 1
                    }
                });
            }
            lines.push(line as u32);
        }
        self.facts.push(file.fact);
        let columns = columns.into_iter().map(Values::Text).collect();
        Ok(Part { rows: lines.len(), columns, source: path, origin: lines, unit: "line" })
    }

    /// Fixes the names by the first line of the first file, and compares those of later files with them.
    fn start(&mut self, record: &::csv::ByteRecord, path: &std::path::Path, drop: &[String]) -> Result<(), DataError> {
        if self.header {
            let found: Vec<String> = record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
            let found: Vec<String> = found.into_iter().map(|c| c.trim_start_matches('\u{feff}').to_string()).collect();
            if self.names.is_empty() {
                self.names = found;
            } else if self.names != found {
                let differ = self.names.iter().zip(&found).position(|(a, b)| a != b);
                let detail = match differ {
                    Some(i) => {
                        format!(
                            "the header calls column {} `{}`, expected `{}`",
                            i + 1,
                            excerpt(&found[i]),
                            excerpt(&self.names[i])
                        )
                    }
                    None => format!("the header has {} columns, expected {}", found.len(), self.names.len()),
                };
                return Err(DataError::Text { path: path.to_path_buf(), line: 1, detail });
            }
        } else if self.names.is_empty() {
            return Err(DataError::option(
                "a table without a header needs names for its columns",
                "add `columns = [...]`, one name per column in the file's order",
            ));
        }
        named_shortly(self.names.iter().map(String::as_str))?;
        let mut seen = HashSet::new();
        if let Some(twice) = self.names.iter().find(|n| !seen.insert(n.as_str())) {
            return Err(DataError::option(
                format!("column `{}` is named twice", excerpt(twice)),
                "every column needs its own name",
            ));
        }
        if self.keep.is_empty() {
            for name in drop {
                require(&self.names, name, "drop")?;
            }
            self.keep = self.names.iter().map(|n| !drop.contains(n)).collect();
            self.dictionaries = vec![Default::default(); self.keep.iter().filter(|k| **k).count()];
        }
        Ok(())
    }
}

/// The longest line of a table.
const MAX_LINE: usize = 16 << 20;

/// The number of the first line that is longer than any table's.
fn too_long(bytes: &[u8]) -> Option<u64> {
    if bytes.len() <= MAX_LINE {
        return None;
    }
    bytes.split(|b| *b == b'\n').position(|l| l.len() > MAX_LINE).map(|n| n as u64 + 1)
}

/// Refuses names that are none: a file that is not what it is taken for has such.
pub(super) fn named_shortly<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), DataError> {
    const LONGEST: usize = 256;
    match names.into_iter().find(|n| n.len() > LONGEST) {
        None => Ok(()),
        Some(n) => Err(DataError::option(
            format!("the name of a column has {} bytes: `{}`", n.len(), excerpt(n)),
            format!("a name has {LONGEST} at most: is this the file that you mean, and the right `delimiter`?"),
        )),
    }
}

fn reader_line(record: &::csv::ByteRecord) -> u64 {
    record.position().map_or(1, |p| p.line())
}

fn require(names: &[String], name: &str, attribute: &str) -> Result<(), DataError> {
    if names.iter().any(|n| n == name) {
        return Ok(());
    }
    let all = || names.iter().map(String::as_str);
    let near = suggest::nearest(name, all()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
    Err(DataError::Column {
        column: name.into(),
        context: format!(", which `{attribute}` names"),
        help: format!("{near}the columns are {}", suggest::listing(all())),
    })
}

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
            None => !categories.contains(name) && looks_numeric(&raw, c),
        };
        if wanted {
            to_numbers(&mut raw, c)?;
        }
    }
    Ok(raw)
}

/// Every present training cell reads as a number, and one is finite. A NaN among numbers is a mistake to be reported, not a
/// reason to take the numbers for categories.
fn looks_numeric(raw: &Raw, c: usize) -> bool {
    let numbers: Vec<Option<f64>> = raw.columns[c].dictionary.iter().map(|w| w.parse().ok()).collect();
    let Values::Text(codes) = &raw.splits[0].columns[c] else { return false };
    let mut present = codes.iter().filter(|code| **code != MISSING);
    let mut finite = false;
    present.all(|code| numbers[*code as usize].inspect(|v| finite |= v.is_finite()).is_some()) && finite
}

fn finite(word: &str) -> Option<f64> {
    word.parse::<f64>().ok().filter(|v| v.abs() <= LARGEST)
}

fn to_numbers(raw: &mut Raw, c: usize) -> Result<(), DataError> {
    let column = &mut raw.columns[c];
    let words = std::mem::take(&mut column.dictionary);
    let numbers: Vec<Option<f64>> = words.iter().map(|w| finite(w)).collect();
    for split in &mut raw.splits {
        let Values::Text(codes) = &split.columns[c] else { continue };
        let mut values = Vec::with_capacity(codes.len());
        for (row, code) in codes.iter().enumerate() {
            let value = if *code == MISSING { Some(f64::NAN) } else { numbers[*code as usize] };
            match value {
                Some(v) => values.push(v),
                None => {
                    let text = &words[*code as usize];
                    return Err(match text.parse::<f64>() {
                        Ok(value) => {
                            DataError::NotFinite { place: split.place(row), column: column.name.clone(), value }
                        }
                        Err(_) => DataError::NotANumber {
                            path: split.source.clone().into(),
                            line: split.origin[row] as u64,
                            column: column.name.clone(),
                            text: text.clone(),
                        },
                    });
                }
            }
        }
        split.columns[c] = Values::F64(values);
    }
    Ok(())
}
