//! `format = npy`: columns from NumPy's `.npy` files, or from all arrays of one `.npz`.
//!
//! Supported are integers of every width, bool, f16, f32 and f64, in either byte order, in C and in Fortran order, from versions 1 to 3 of
//! the format. The first dimension is that of the samples.

use std::path::{Path, PathBuf};

use super::files::Claim;
use super::idx::refuse_infinite;
use super::numbers::{Stored, from_fortran};
use super::raw::{Part, Raw, RawColumn, Values};
use super::split::{self, Parts, SHARE_TY};
use super::{DataError, FileFact, FormatDef, KnownColumn, LoadContext, Outline, csv, files, zip};
use crate::diag::{Diagnostic, codes};
use crate::schema::{Args, AttrDef, CallDef, Need, Ty};
use crate::source::Span;

const FILES: Ty = Ty::List(&Ty::Path);
const FILES_OR_SHARE: Ty = Ty::AnyOf(&[SHARE_TY, FILES, Ty::Condition]);

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "npy",
        doc: "Arrays in NumPy's files. Columns are the arrays of the `.npz`, or the `.npy` files by their names.",
        args: &[
            AttrDef {
                name: "train",
                ty: FILES,
                need: Need::Required,
                doc: "One `.npz`, or a list of `.npy` files, one per column.",
            },
            AttrDef {
                name: "validation",
                ty: FILES_OR_SHARE,
                need: Need::Default("share(0.1, of = train)"),
                doc: "The same for validation; a share or a fold of another split's rows; or a condition, `d.age > 60`: the training samples for which it is true.",
            },
            AttrDef {
                name: "test",
                ty: FILES_OR_SHARE,
                need: Need::Optional,
                doc: "The same for the test split. Absent: there is none, unless `split` names its samples.",
            },
            AttrDef {
                name: "columns",
                ty: Ty::List(&Ty::Name),
                need: Need::Optional,
                doc: "Names for the `.npy` files of every split, in order. Absent: the file names without their ends.",
            },
            split::SPLIT,
            split::GROUP,
            split::STRATIFY,
            split::TIME,
            split::SPLIT_SEED,
        ],
    },
    outline: |args| Outline {
        columns: names(args).map(|n| n.into_iter().map(KnownColumn::open).collect()),
        missing: Vec::new(),
    },
    check,
    files: |args| ["train", "validation", "test"].map(|split| files::written(args, split)),
    load,
};

/// Column names, unless an `.npz` holds them.
fn names(args: &Args) -> Option<Vec<String>> {
    if args.get("columns").is_some() {
        return Some(csv::names(args, "columns").into_iter().map(|n| n.value).collect());
    }
    let files = paths(args, "train")?;
    if files.iter().any(|f| f.ends_with(".npz")) { None } else { Some(files.iter().map(|f| stem(f)).collect()) }
}

fn paths(args: &Args, attribute: &str) -> Option<Vec<String>> {
    Some(files::written(args, attribute)).filter(|p| !p.is_empty())
}

fn stem(path: &str) -> String {
    let name = Path::new(path).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(".gz").unwrap_or(&name).trim_end_matches(".npy").to_string()
}

fn check(args: &Args, item: Span) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for split in ["train", "validation", "test"] {
        let Some(files) = paths(args, split) else { continue };
        let span = args.span(split).unwrap_or(item);
        if files.len() > 1 && files.iter().any(|f| f.ends_with(".npz")) {
            found.push(
                Diagnostic::new(codes::TYPE_MISMATCH, span, "an `.npz` stands among other files")
                    .help("give one `.npz` that holds all arrays, or one `.npy` per column"),
            );
        }
        if split == "train" && args.get("columns").is_some() && files.iter().any(|f| f.ends_with(".npz")) {
            found.push(
                Diagnostic::new(
                    codes::TYPE_MISMATCH,
                    args.span("columns").unwrap_or(item),
                    "an `.npz` contains the names of its arrays, so `columns` has no effect",
                )
                .label("not for an `.npz`")
                .help("leave `columns` out; `d.NAME` reads the array of that name"),
            );
        }
        if let Some(names) = names(args)
            && files.len() != names.len()
            && !files.iter().any(|f| f.ends_with(".npz"))
        {
            found.push(
                Diagnostic::new(
                    codes::TYPE_MISMATCH,
                    span,
                    format!("`{split}` has {} files, and the columns are {}", files.len(), names.len()),
                )
                .help("every split has one file per column, in the same order"),
            );
        }
    }
    found.extend(split::check(args, item, !files::written(args, "test").is_empty()));
    found
}

/// One array: sizes per file and its values.
pub(super) struct Array {
    pub name: String,
    pub sizes: Vec<usize>,
    pub values: Values,
    /// For messages: the file, or the archive and its member.
    pub path: PathBuf,
    pub file: PathBuf,
}

/// All arrays of one split, and what was read.
pub(super) fn arrays(
    files: &[String],
    columns: Option<&[String]>,
    context: &LoadContext,
    facts: &mut Vec<FileFact>,
) -> Result<Vec<Array>, DataError> {
    let mut arrays = Vec::new();
    for (i, written) in files.iter().enumerate() {
        let file = files::open(written, context, EXPECTED, claim)?;
        facts.push(file.fact);
        if zip::is_zip(&file.bytes) {
            for (member, bytes) in zip::members(&file.bytes, &file.path)? {
                let name = member.trim_end_matches(".npy").to_string();
                let path = PathBuf::from(format!("{}:{member}", file.path.display()));
                arrays.push(Array { file: file.path.clone(), ..parse(&bytes, name, path)? });
            }
        } else {
            let name = columns.and_then(|c| c.get(i).cloned()).unwrap_or_else(|| stem(written));
            arrays.push(parse(&file.bytes, name, file.path)?);
        }
    }
    Ok(arrays)
}

const EXPECTED: &str = "an array that can be read";

fn claim(first: &[u8]) -> Claim {
    if zip::is_zip(first) {
        return Claim::Archive;
    }
    match header(first, Path::new("")) {
        Ok(h) => Claim::Bytes((h.start + h.bytes()) as u64),
        Err(_) => Claim::Wrong,
    }
}

/// The header of one `.npy`.
struct Header {
    /// Where the values begin.
    start: usize,
    sizes: Vec<usize>,
    stored: Stored,
    fortran: bool,
}

impl Header {
    /// The length of the values.
    fn bytes(&self) -> usize {
        self.sizes.iter().product::<usize>() * self.stored.width()
    }
}

/// Reads the header of one `.npy`. `path` is for messages.
fn header(b: &[u8], path: &Path) -> Result<Header, DataError> {
    let magic = |found: String| DataError::Magic { path: path.to_path_buf(), expected: EXPECTED, found };
    let short = |detail: &str| DataError::Truncated { path: path.to_path_buf(), detail: detail.into() };
    if !b.starts_with(b"\x93NUMPY") {
        return Err(magic(format!("it begins with {}, not 93 \"NUMPY\"", files::hex(&b[..b.len().min(6)]))));
    }
    let (length, start): (usize, usize) = match (b.get(6), b.get(8..12)) {
        (Some(1), Some(n)) => (u16::from_le_bytes([n[0], n[1]]) as usize, 10),
        (Some(2 | 3), Some(n)) => (u32::from_le_bytes([n[0], n[1], n[2], n[3]]) as usize, 12),
        (Some(v), Some(_)) => return Err(magic(format!("version {v} of the format"))),
        _ => return Err(short("no room for a header")),
    };
    let header = b.get(start..start.saturating_add(length)).ok_or_else(|| short("the header is cut off"))?;
    let header = String::from_utf8_lossy(header).into_owned();
    let field = |key: &str| {
        let at = header.find(&format!("'{key}':"))? + key.len() + 3;
        Some(header[at..].trim_start())
    };
    let (Some(dtype), Some(order), Some(shape)) = (field("descr"), field("fortran_order"), field("shape")) else {
        return Err(magic(format!("a header without `descr`, `fortran_order` or `shape`: {}", header.trim())));
    };
    if dtype.starts_with('[') {
        return Err(magic("a structured type, of several named fields; save each field as an array of its own".into()));
    }
    let dtype = dtype.trim_start_matches(['\'', '"']).split(['\'', '"']).next().unwrap_or("");
    let fortran = order.starts_with("True");
    let inside = shape.trim_start_matches('(').split(')').next().unwrap_or("");
    let sizes: Option<Vec<usize>> =
        inside.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect();
    let Some(sizes) = sizes.filter(|s| !s.is_empty()) else {
        return Err(magic(format!("shape ({inside}); the first dimension must count samples")));
    };
    let Some(stored) = Stored::numpy(dtype) else {
        return Err(magic(format!("type `{dtype}`; supported are bool, integers, f16, f32 and f64")));
    };
    // Counted without zeros, so that no array of no samples hides a size that overflows later.
    let product = |sizes: &[usize]| sizes.iter().try_fold(1usize, |n, s| n.checked_mul((*s).max(1)));
    if product(&sizes).is_none_or(|n| n >= usize::MAX / 16) {
        return Err(magic(format!("shape {sizes:?}, which no file can hold")));
    }
    // A file of a few bytes could count as many such samples as it likes.
    if sizes[1..].contains(&0) {
        return Err(magic(format!("shape {sizes:?}, whose samples hold no values")));
    }
    Ok(Header { start: start + length, sizes, stored, fortran })
}

/// Reads one `.npy`.
fn parse(b: &[u8], name: String, path: PathBuf) -> Result<Array, DataError> {
    let h = header(b, &path)?;
    let (wanted, body) = (h.bytes(), &b[h.start..]);
    let Header { sizes, stored, fortran, .. } = h;
    let elements = sizes[1..].iter().product::<usize>();
    if body.len() < wanted {
        let detail = format!("shape {sizes:?} needs {wanted} bytes, and {} follow the header", body.len());
        return Err(DataError::Truncated { path, detail });
    }
    if body.len() > wanted {
        let found = format!("{} bytes follow after the last value", body.len() - wanted);
        return Err(DataError::Magic { path, expected: EXPECTED, found });
    }
    let values = stored.read(body);
    let values = if fortran { from_fortran(values, &sizes) } else { values };
    refuse_infinite(&values, elements, &path, &name)?;
    Ok(Array { name, sizes, values, file: path.clone(), path })
}

fn load(args: &Args, context: &LoadContext) -> Result<Raw, DataError> {
    let named = args.get("columns").is_some().then(|| names(args).unwrap_or_default());
    let mut facts = Vec::new();
    let train = arrays(&paths(args, "train").unwrap_or_default(), named.as_deref(), context, &mut facts)?;
    let columns: Vec<RawColumn> = train.iter().map(|a| RawColumn::new(a.name.clone(), &a.sizes[1..])).collect();
    csv::named_shortly(columns.iter().map(|c| c.name.as_str()))?;
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = columns.iter().find(|c| !seen.insert(&c.name)) {
        return Err(DataError::option(
            format!("two arrays are called `{}`", twice.name),
            "give each its own name with `columns = [...]`",
        ));
    }
    let mut other = |name: &str| match paths(args, name) {
        None => Ok(None),
        Some(files) => part(arrays(&files, named.as_deref(), context, &mut facts)?, &columns).map(Some),
    };
    let (validation, test) = (other("validation")?, other("test")?);
    let parts = Parts { train: part(train, &columns)?, validation, test, args, missing: Default::default() };
    parts.assemble(DEF.call.name, columns, facts)
}

/// The place that messages about rows name: the file if it holds all arrays, else the first array.
fn source(arrays: &[Array]) -> PathBuf {
    match arrays {
        [] => PathBuf::new(),
        [first, others @ ..] if !others.is_empty() && others.iter().all(|a| a.file == first.file) => first.file.clone(),
        [first, ..] => first.path.clone(),
    }
}

/// Puts a split's arrays in the order of the columns, and compares their samples and shapes.
fn part(mut arrays: Vec<Array>, columns: &[RawColumn]) -> Result<Part, DataError> {
    let mut out: Vec<Array> = Vec::new();
    for c in columns {
        let Some(at) = arrays.iter().position(|a| a.name == c.name) else {
            let there = arrays.iter().chain(&out).map(|a| a.name.as_str());
            return Err(DataError::Column {
                column: c.name.clone(),
                context: " in this split, and the training split has it".into(),
                help: format!(
                    "this split has {}; with `.npy` files, `columns = [...]` names them alike",
                    crate::diag::suggest::listing(there)
                ),
            });
        };
        let a = arrays.swap_remove(at);
        if a.sizes[1..] != c.shape[..] {
            return Err(DataError::option(
                format!(
                    "`{}` holds {:?} per sample, and the training split {:?}",
                    a.path.display(),
                    &a.sizes[1..],
                    c.shape
                ),
                "all splits of one data set have the same shapes",
            ));
        }
        if let Some(first) = out.first()
            && first.sizes[0] != a.sizes[0]
        {
            return Err(DataError::Lengths {
                place: "arrays of one split disagree".into(),
                first: first.path.clone(),
                left: first.sizes[0],
                second: a.path,
                right: a.sizes[0],
            });
        }
        out.push(a);
    }
    Ok(Part {
        rows: out.first().map_or(0, |a| a.sizes[0]),
        source: source(&out),
        columns: out.into_iter().map(|a| a.values).collect(),
        origin: Vec::new(),
        unit: "sample",
    })
}
