//! `format = idx`: MNIST's array files, compressed or not. Columns `image` and `label`.
//!
//! An idx file is two zero bytes, a type code, the number of dimensions, each size as a big-endian `u32`, then the values
//! big-endian in C order.

use std::path::Path;

use super::error::LARGEST;
use super::files::Claim;
use super::numbers::{Kind, Stored};
use super::raw::{Part, Raw, RawColumn, Values};
use super::split::{self, Parts, SHARE_TY};
use super::{DataError, FormatDef, KnownColumn, LoadContext, Outline, files};
use crate::diag::{Diagnostic, codes};
use crate::schema::{Args, AttrDef, CallDef, NUMBER, Need, Ty, Value};
use crate::source::Span;

pub(super) const RANGE: AttrDef = AttrDef {
    name: "range",
    ty: Ty::List(&NUMBER),
    need: Need::Optional,
    doc: "Smallest and largest value that an image can hold, which an input's `scale` maps from. Absent: those of the training split.",
};

const SHARE_OR_CONDITION: Ty = Ty::AnyOf(&[SHARE_TY, Ty::Condition]);

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "idx",
        doc: "Images and labels in MNIST's idx files. Columns: `image` `[1, height, width]` and `label`.",
        args: &[
            AttrDef { name: "images", ty: Ty::Path, need: Need::Required, doc: "Training images." },
            AttrDef { name: "labels", ty: Ty::Path, need: Need::Required, doc: "Training labels, in the same order." },
            AttrDef {
                name: "validation",
                ty: SHARE_OR_CONDITION,
                need: Need::Default("share(0.1, of = train)"),
                doc: "A share or a fold of the training or the test images; or a condition on the training labels, `d.label > 4`.",
            },
            AttrDef {
                name: "test",
                ty: SHARE_OR_CONDITION,
                need: Need::Optional,
                doc: "The same for the test split, if there are no test files. With neither, there is no test split.",
            },
            AttrDef { name: "test_images", ty: Ty::Path, need: Need::Optional, doc: "Test images." },
            AttrDef { name: "test_labels", ty: Ty::Path, need: Need::Optional, doc: "Test labels." },
            RANGE,
            split::SPLIT,
            split::GROUP,
            split::STRATIFY,
            split::TIME,
            split::SPLIT_SEED,
        ],
    },
    outline: |args| Outline {
        columns: Some(vec![
            KnownColumn { shape: None, ..KnownColumn::numeric("image", &[]) },
            KnownColumn::numeric("label", &[]),
        ])
        .filter(|_| args.get("images").is_some()),
        missing: Vec::new(),
    },
    check,
    files: |args| {
        let both = |names: [&str; 2]| names.iter().flat_map(|n| files::written(args, n)).collect();
        [both(["images", "labels"]), Vec::new(), both(["test_images", "test_labels"])]
    },
    load,
};

fn check(args: &Args, item: Span) -> Vec<Diagnostic> {
    let mut found = check_range(args, item);
    let [images, labels] = ["test_images", "test_labels"].map(|n| args.get(n).is_some());
    if images != labels {
        let (has, lacks) = if images { ("test_images", "test_labels") } else { ("test_labels", "test_images") };
        found.push(
            Diagnostic::new(
                codes::TYPE_MISSING_ATTRIBUTE,
                args.span(has).unwrap_or(item),
                format!("`{has}` requires `{lacks}`"),
            )
            .help(format!("add `{lacks} = \"...\"`")),
        );
    }
    if images && args.get("test").is_some() {
        let span = args.span("test").unwrap_or(item);
        found.push(
            Diagnostic::new(codes::TYPE_ARGUMENTS, span, "the test split is given twice: as files and as a share")
                .help("keep `test_images` and `test_labels`, or `test`"),
        );
    }
    found.extend(split::check(args, item, images));
    found
}

pub(super) fn check_range(args: &Args, item: Span) -> Vec<Diagnostic> {
    match range(args) {
        Some(Ok(_)) | None => Vec::new(),
        Some(Err(())) => vec![
            Diagnostic::new(
                codes::TYPE_RANGE,
                args.span("range").unwrap_or(item),
                "a range is two numbers, the smaller first",
            )
            .help("for example `range = [0, 16]`"),
        ],
    }
}

/// The `range` attribute, if given; `Err` if it is not two rising numbers.
pub(super) fn range(args: &Args) -> Option<Result<[f64; 2], ()>> {
    args.get("range")?;
    let number = |v: &Value| match v {
        Value::Int(i) => Some(*i as f64),
        Value::Float(f) => Some(*f),
        _ => None,
    };
    let ends: Option<Vec<f64>> = args.list("range").iter().map(|v| number(&v.value)).collect();
    Some(match ends.as_deref() {
        Some([a, b]) if a < b => Ok([*a, *b]),
        _ => Err(()),
    })
}

/// An idx file: all sizes, and the values.
pub(super) struct Array {
    pub sizes: Vec<usize>,
    pub values: Values,
    pub path: std::path::PathBuf,
    pub fact: super::FileFact,
}

pub(super) fn read(written: &str, context: &LoadContext) -> Result<Array, DataError> {
    let file = files::open(written, context, EXPECTED, claim)?;
    let (b, path) = (&file.bytes, file.path);
    let Header { start, sizes, stored } = header(b, &path)?;
    let count = sizes.iter().product::<usize>();
    let wanted = count * stored.width();
    let body = &b[start..];
    if body.len() < wanted {
        let detail = format!("the header promises {sizes:?} values ({wanted} bytes), and {} bytes follow", body.len());
        return Err(DataError::Truncated { path, detail });
    }
    let values = stored.read(body);
    refuse_infinite(&values, count / sizes[0].max(1), &path, "the array")?;
    Ok(Array { sizes, values, path, fact: file.fact })
}

const EXPECTED: &str = "an idx file";

fn claim(first: &[u8]) -> Claim {
    match header(first, Path::new("")) {
        Ok(h) => Claim::Bytes((h.start + h.sizes.iter().product::<usize>() * h.stored.width()) as u64),
        Err(_) => Claim::Wrong,
    }
}

struct Header {
    /// Where the values begin.
    start: usize,
    sizes: Vec<usize>,
    stored: Stored,
}

/// Reads the header of an idx file. `path` is for messages.
fn header(b: &[u8], path: &Path) -> Result<Header, DataError> {
    let magic = |found: String| DataError::Magic { path: path.to_path_buf(), expected: EXPECTED, found };
    let cut = |detail: String| DataError::Truncated { path: path.to_path_buf(), detail };
    if b.len() < 4 {
        return Err(cut(format!("{} bytes, no room for a header", b.len())));
    }
    if b[0] != 0 || b[1] != 0 || b[3] == 0 {
        return Err(magic(format!("it begins with {}, not 00 00 TYPE DIMENSIONS", files::hex(&b[..4]))));
    }
    let rank = b[3] as usize;
    let start = 4 + 4 * rank;
    if b.len() < start {
        return Err(cut(format!("the header names {rank} sizes and stops")));
    }
    let sizes: Vec<usize> =
        b[4..start].chunks_exact(4).map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]) as usize).collect();
    // Counted without zeros, so that no array of no samples hides a size that overflows later.
    let whole = sizes.iter().try_fold(1usize, |n, s| n.checked_mul((*s).max(1))).filter(|n| *n < usize::MAX / 16);
    if whole.is_none() {
        return Err(magic(format!("sizes {sizes:?}, which no file can hold")));
    }
    // A file of a few bytes could count as many such samples as it likes.
    if sizes[1..].contains(&0) {
        return Err(magic(format!("sizes {sizes:?}, whose samples hold no values")));
    }
    let kind = match b[2] {
        0x08 => Kind::U8,
        0x09 => Kind::I8,
        0x0b => Kind::I16,
        0x0c => Kind::I32,
        0x0d => Kind::F32,
        0x0e => Kind::F64,
        other => return Err(magic(format!("type code {other:#04x} does not exist"))),
    };
    Ok(Header { start, sizes, stored: Stored { kind, big: true } })
}

/// Refuses infinite and too large numbers. A NaN is accepted, since it may mark a missing label; inputs refuse it later.
pub(super) fn refuse_infinite(v: &Values, elements: usize, path: &Path, column: &str) -> Result<(), DataError> {
    let bad = match v {
        Values::F16(v) => v.iter().position(|x| x & 0x7fff == 0x7c00),
        Values::F32(v) => v.iter().position(|x| x.is_infinite()),
        Values::F64(v) => v.iter().position(|x| x.abs() > LARGEST),
        _ => None,
    };
    match bad {
        Some(i) => Err(DataError::NotFinite {
            place: format!("`{}`, sample {}", path.display(), i / elements.max(1)),
            column: column.into(),
            value: v.number(i),
        }),
        None => Ok(()),
    }
}

/// Images and labels of one split, and the shapes per sample. A picture without channels gets one.
pub(super) fn pair(images: Array, labels: Array) -> Result<(Part, [Vec<usize>; 2]), DataError> {
    if images.sizes[0] != labels.sizes[0] {
        return Err(DataError::Lengths {
            place: "images and labels disagree".into(),
            first: images.path,
            left: images.sizes[0],
            second: labels.path,
            right: labels.sizes[0],
        });
    }
    let image_shape = match &images.sizes[1..] {
        [h, w] => vec![1, *h, *w],
        other => other.to_vec(),
    };
    let shapes = [image_shape, labels.sizes[1..].to_vec()];
    let rows = images.sizes[0];
    let part = Part {
        rows,
        columns: vec![images.values, labels.values],
        source: images.path,
        origin: Vec::new(),
        unit: "sample",
    };
    Ok((part, shapes))
}

fn load(args: &Args, context: &LoadContext) -> Result<Raw, DataError> {
    let mut facts = Vec::new();
    let mut open = |name: &str| -> Result<Array, DataError> {
        let array = read(args.str(name), context)?;
        facts.push(array.fact.clone());
        Ok(array)
    };
    let images = open("images")?;
    let image_path = images.path.clone();
    let (train, shapes) = pair(images, open("labels")?)?;
    let test = match args.get("test_images") {
        Some(_) => {
            let (part, test_shapes) = pair(open("test_images")?, open("test_labels")?)?;
            if test_shapes != shapes {
                return Err(DataError::option(
                    format!(
                        "test images and labels are {test_shapes:?} per sample, those of `{}` {shapes:?}",
                        image_path.display()
                    ),
                    "all splits of one data set have the same shapes",
                ));
            }
            Some(part)
        }
        None => None,
    };
    let [image, label] = shapes;
    let columns = vec![
        RawColumn { range: range(args).and_then(Result::ok), ..RawColumn::new("image", &image) },
        RawColumn::new("label", &label),
    ];
    let parts = Parts { train, validation: None, test, args, missing: Default::default() };
    parts.assemble(DEF.call.name, columns, facts)
}
