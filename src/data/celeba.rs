//! `format = celeba`: 202,599 face images with 40 attributes (Liu et al. 2015, "Deep Learning Face Attributes in the Wild").
//!
//! The two lists are read whole and checked against each other and against the folder; an image is opened when a batch of it is
//! gathered. Attributes are 1 and -1 in the list and 1 and 0 here.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::album::Album;
use super::error::excerpt;
use super::files::{self, Claim, Opened};
use super::picture::Form;
use super::{DataError, FormatDef, KnownColumn, LoadContext, Outline, Raw, RawColumn, Split, Values, text};
use crate::diag::{Diagnostic, codes};
use crate::schema::{Args, AttrDef, CallDef, Need, Ty, Value};
use crate::source::Span;

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "celeba",
        doc: "CelebA: `img_align_celeba/`, `list_attr_celeba.txt`, `list_eval_partition.txt`. Columns: `image` `[3, height, \
              width]` and the 40 attributes, 0 or 1, which are the group `attributes`. Images are read from their files while \
              training, batch by batch; a frozen schema knows the lists by their sha256, and the images by their names alone.",
        args: &[
            AttrDef {
                name: "root",
                ty: Ty::Path,
                need: Need::Required,
                doc: "Folder with the images and the two lists.",
            },
            AttrDef {
                name: "resize",
                ty: Ty::List(&Ty::Int { min: 1, max: 1 << 16 }),
                need: Need::Default("[218, 178]"),
                doc: "Height and width of the images, or one number for both; those on disk are 218 by 178. Bilinear, where an image \
                      shrinks over all pixels that fall together (as Pillow and torchvision do; values are not rounded).",
            },
            AttrDef {
                name: "augment",
                ty: Ty::List(&Ty::OneOf(&["flip"])),
                need: Need::Default("[]"),
                doc: "`flip`: training images are mirrored with probability one half, drawn anew each epoch.",
            },
        ],
    },
    outline: |args| {
        let image = match form(args) {
            Some(f) => KnownColumn::picture("image", &[f.channels, f.height, f.width]),
            None => KnownColumn { shape: None, ..KnownColumn::picture("image", &[]) },
        };
        let attributes = ATTRIBUTES.iter().map(|a| KnownColumn::numeric(*a, &[]).group("attributes"));
        Outline { columns: Some(std::iter::once(image).chain(attributes).collect()), missing: Vec::new() }
    },
    check,
    files: |_| Default::default(),
    load,
};

/// What images are brought to; `None` if `resize` has neither one number nor two.
fn form(args: &Args) -> Option<Form> {
    let of = |v: &Value| match v {
        Value::Int(n) => usize::try_from(*n).ok(),
        _ => None,
    };
    let sizes: Option<Vec<usize>> = args.list("resize").iter().map(|v| of(&v.value)).collect();
    match sizes?.as_slice() {
        [height, width] => Some(Form { channels: 3, height: *height, width: *width }),
        [side] => Some(Form { channels: 3, height: *side, width: *side }),
        _ => None,
    }
}

fn check(args: &Args, item: Span) -> Vec<Diagnostic> {
    if form(args).is_some() {
        return Vec::new();
    }
    let span = args.span("resize").unwrap_or(item);
    let d = Diagnostic::new(codes::TYPE_MISMATCH, span, "`resize` takes a height and a width");
    vec![d.help("write `resize = [64, 64]`, or `[64]` for a square")]
}

const IMAGES: &str = "img_align_celeba";
const LIST: &str = "list_attr_celeba.txt";
const PARTITION: &str = "list_eval_partition.txt";

/// The lists of CelebA have less than 30 MB.
const MOST: u64 = 1 << 30;

fn load(args: &Args, context: &LoadContext) -> Result<Raw, DataError> {
    let root = args.str("root").trim_end_matches('/');
    let open = |name: &str| files::open(&format!("{root}/{name}"), context, "a list", |_| Claim::AtMost(MOST));
    let (list, partition) = (open(LIST)?, open(PARTITION)?);
    let mut notes = Vec::new();
    let (listed, parted) = (List::of(&list)?, List::of(&partition)?);
    let listed = attributes(&listed, &mut notes)?;
    let parts = self::partition(&parted, &listed, &list)?;
    let folder = context.base.join(root).join(IMAGES);
    on_disk(&folder, &listed, &list, &mut notes)?;

    let form = form(args).expect("checked");
    let image =
        RawColumn { range: Some([0.0, 255.0]), ..RawColumn::new("image", &[form.channels, form.height, form.width]) };
    let columns = std::iter::once(image)
        .chain(ATTRIBUTES.iter().map(|a| RawColumn { groups: vec!["attributes".into()], ..RawColumn::new(*a, &[]) }))
        .collect();
    let flip = args.list("augment").iter().any(|v| matches!(&v.value, Value::Name(n) if n == &["flip"]));
    let split = |s: usize| {
        let rows: Vec<usize> = (0..listed.names.len()).filter(|r| usize::from(parts[*r]) == s).collect();
        let names = rows.iter().map(|r| Box::from(listed.names[*r])).collect();
        let images = Values::Pictures(Album::new(form, &folder, names).flipped(flip && s == 0));
        let attributes = listed.values.iter().map(|v| Values::U8(rows.iter().map(|r| v[*r]).collect()));
        Split {
            rows: rows.len(),
            columns: std::iter::once(images).chain(attributes).collect(),
            source: list.path.display().to_string(),
            origin: rows.iter().map(|r| listed.lines[*r]).collect(),
            unit: "line",
        }
    };
    let splits = [0, 1, 2].map(split);
    let files = vec![list.fact.clone(), partition.fact.clone()];
    Raw { format: DEF.call.name, columns, splits, missing: Vec::new(), missing_numbers: Vec::new(), files, notes }
        .require_rows([true, true, false], "the partition numbers training images 0, validation 1 and test 2")
}

/// Problems of one kind, of which the first few are told.
struct Problems {
    path: String,
    told: Vec<String>,
    all: usize,
}

impl Problems {
    const TOLD: usize = 5;

    fn of(file: &Opened) -> Problems {
        Problems { path: file.path.display().to_string(), told: Vec::new(), all: 0 }
    }

    fn add(&mut self, line: u32, what: impl std::fmt::Display) {
        self.all += 1;
        if self.told.len() < Self::TOLD {
            self.told.push(format!("line {line}{what}"));
        }
    }

    /// An error if there are any.
    fn end(self, help: &str) -> Result<(), DataError> {
        if self.all == 0 {
            return Ok(());
        }
        let more = match self.all - self.told.len() {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        Err(DataError::option(format!("`{}`, {}{more}", self.path, self.told.join("; ")), help))
    }
}

/// The list of attributes, in its order.
struct Listed<'a> {
    names: Vec<&'a str>,
    lines: Vec<u32>,
    /// By attribute in the order of [`ATTRIBUTES`], 1 or 0 per image.
    values: Vec<Vec<u8>>,
}

/// The text of a list file.
struct List<'a> {
    file: &'a Opened,
    text: String,
}

impl List<'_> {
    fn of(file: &Opened) -> Result<List<'_>, DataError> {
        let text = text::whole(&file.bytes).map_err(|p| p.of(&file.path, |e| DataError::read(&file.path, e)))?;
        Ok(List { file, text })
    }

    /// The lines that are not empty, with their line numbers from 1.
    fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        text::lines(&self.text).map(|(n, l)| (n, l.trim())).filter(|(_, l)| !l.is_empty())
    }
}

fn attributes<'a>(list: &'a List, notes: &mut Vec<String>) -> Result<Listed<'a>, DataError> {
    let file = list.file;
    let wrong = |line: u32, detail: String| DataError::Text { path: file.path.clone(), line: line.into(), detail };
    let mut lines = list.lines();
    let (first, count) = lines.next().ok_or_else(|| wrong(1, "the file is empty".into()))?;
    let Ok(count) = count.parse::<usize>() else {
        return Err(wrong(first, format!("the number of images is expected, and it is {:?}", excerpt(count))));
    };
    let (at, header) = lines.next().ok_or_else(|| wrong(first, "names of attributes are expected after it".into()))?;
    let header: Vec<&str> = header.split_whitespace().collect();
    let place = |a: &&str| header.iter().position(|h| h == a);
    if let Some(lost) = ATTRIBUTES.iter().find(|a| place(a).is_none()) {
        return Err(wrong(at, format!("no attribute is called `{lost}`")));
    }
    if header.len() != ATTRIBUTES.len() {
        return Err(wrong(at, format!("{} attributes are named, and CelebA has 40", header.len())));
    }
    let order: Vec<usize> = ATTRIBUTES.iter().filter_map(place).collect();
    let (mut cells, mut values, mut twice) = (Problems::of(file), Problems::of(file), Problems::of(file));
    let mut out = Listed { names: Vec::new(), lines: Vec::new(), values: vec![Vec::with_capacity(count); order.len()] };
    let mut seen: HashSet<&str> = HashSet::new();
    let mut row: Vec<&str> = Vec::new();
    for (line, text) in lines {
        row.clear();
        row.extend(text.split_whitespace());
        if row.len() != header.len() + 1 {
            cells.add(line, format_args!(": {} cells where a name and 40 values are expected", row.len()));
            continue;
        }
        if !seen.insert(row[0]) {
            twice.add(line, format_args!(": `{}` stands in the list already", excerpt(row[0])));
        }
        for (to, at) in out.values.iter_mut().zip(&order) {
            to.push(match row[at + 1] {
                "1" => 1,
                "-1" => 0,
                other => {
                    values.add(
                        line,
                        format_args!(", column `{}`: {:?} is neither 1 nor -1", header[*at], excerpt(other)),
                    );
                    0
                }
            });
        }
        out.names.push(row[0]);
        out.lines.push(line);
    }
    cells.end("each line of the list is the name of an image and 40 numbers, 1 or -1, between spaces")?;
    values.end("an attribute that an image has is 1, one that it lacks -1")?;
    twice.end("each image stands in the list once")?;
    if count != out.names.len() {
        notes.push(format!(
            "`{}` says that it lists {count} images, and lists {}",
            file.path.display(),
            out.names.len()
        ));
    }
    Ok(out)
}

/// The split of each listed image.
fn partition(partition: &List, listed: &Listed, list: &Opened) -> Result<Vec<u8>, DataError> {
    const NONE: u8 = u8::MAX;
    let file = partition.file;
    let at: HashMap<&str, usize> = listed.names.iter().zip(0..).map(|(n, i)| (*n, i)).collect();
    let mut out = vec![NONE; listed.names.len()];
    let (mut wrong, mut twice, mut unknown) = (Problems::of(file), Problems::of(file), Problems::of(file));
    for (line, text) in partition.lines() {
        let mut cells = text.split_whitespace();
        let (name, part) = match (cells.next(), cells.next(), cells.next()) {
            (Some(name), Some(part @ ("0" | "1" | "2")), None) => (name, part.as_bytes()[0] - b'0'),
            _ => {
                wrong.add(line, format_args!(": {:?} is no image and its split, 0, 1 or 2", excerpt(text)));
                continue;
            }
        };
        match at.get(name) {
            None => unknown.add(line, format_args!(": `{}` does not stand in `{LIST}`", excerpt(name))),
            Some(row) if out[*row] != NONE => {
                twice.add(line, format_args!(": `{}` stands in the list already", excerpt(name)))
            }
            Some(row) => out[*row] = part,
        }
    }
    wrong.end("each line of the partition is the name of an image and 0 (training), 1 (validation) or 2 (test)")?;
    twice.end("each image belongs to one split")?;
    let both = format!("`{LIST}` and `{PARTITION}` list the same images");
    unknown.end(&both)?;
    let mut lost = Problems::of(list);
    for (row, _) in out.iter().enumerate().filter(|(_, part)| **part == NONE) {
        lost.add(listed.lines[row], format_args!(": `{}` does not stand in `{PARTITION}`", excerpt(listed.names[row])));
    }
    lost.end(&both)?;
    Ok(out)
}

/// That every listed image is there; none is opened.
fn on_disk(folder: &Path, listed: &Listed, list: &Opened, notes: &mut Vec<String>) -> Result<(), DataError> {
    let mut there: HashSet<std::ffi::OsString> = HashSet::with_capacity(listed.names.len());
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::read(folder, e))? {
        there.insert(entry.map_err(|e| DataError::read(folder, e))?.file_name());
    }
    let mut lost = Problems::of(list);
    for (name, line) in listed.names.iter().zip(&listed.lines) {
        if !there.contains(std::ffi::OsStr::new(name)) {
            lost.add(*line, format_args!(": there is no `{}`", folder.join(excerpt(name)).display()));
        }
    }
    lost.end("unpack all images into the folder, or take the lines of those that are not there out of both lists")?;
    if there.len() > listed.names.len() {
        let n = there.len() - listed.names.len();
        let (what, are) = if n == 1 { ("entry", "is") } else { ("entries", "are") };
        notes.push(format!("`{}` holds {n} {what} that no list names, which {are} not read", folder.display()));
    }
    Ok(())
}

/// In the order of `list_attr_celeba.txt`.
const ATTRIBUTES: [&str; 40] = [
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
];
