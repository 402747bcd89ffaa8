//! New rows for a trained network: files that no `data` item names, read by a frozen schema and in pieces, so that a table larger
//! than memory passes through. Values are read as the training data were; what encodes them is [`super::encode`] again.
//!
//! A reader per kind of file: [`table`](self), arrays, pictures. A kind is known by the first bytes of a file, not its name.

mod arrays;
mod pictures;
mod table;

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::axes::Order;
use super::csv::{self, Notation};
use super::freeze::{ColumnFacts, Schema};
use super::raw::{Raw, RawColumn, Split};
use super::{DataError, text};
use crate::diag::suggest;
use crate::schema::Args;
use crate::source::open_regular;

/// The split of a [`Raw`] that new rows stand in: not the training split, whose oddities are worth notes.
pub const SPLIT: usize = 2;

/// What a network reads, and how the caller wants files read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Columns that inputs read, each once, with what training knew of them.
    pub columns: Vec<ColumnFacts>,
    /// Cells that mean "missing".
    pub missing: Vec<String>,
    /// Cells that mean "missing" in numeric columns and in columns of true and false, in addition to `missing`.
    pub missing_numbers: Vec<String>,
    /// How the training tables were laid out, where they were tables.
    pub layout: Layout,
    /// A column to hand through.
    pub id: Option<String>,
    /// Pictures of another size are brought to the input's.
    pub resize: bool,
    /// What black and white of a picture stand for; absent: by the schema.
    pub range: Option<[f64; 2]>,
    /// The order of the axes in the training arrays.
    pub order: Order,
    /// Whether pictures are rotated according to their EXIF orientation.
    pub exif: bool,
}

/// Of a table.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Names by position, for tables without a header.
    pub columns: Option<Vec<String>>,
    pub text: text::Layout,
    pub notation: Notation,
}

impl Layout {
    /// As the attributes of a `data` item say.
    pub fn of(format: &str, args: &Args) -> Layout {
        if format != csv::DEF.call.name {
            let text = text::Layout { delimiter: b',', encoding: None };
            return Layout { columns: None, text, notation: Notation::default() };
        }
        let names = || csv::names(args, "columns").into_iter().map(|n| n.value).collect();
        Layout { columns: (!args.bool("header")).then(names), text: csv::layout(args), notation: Notation::of(args) }
    }
}

impl Wanted {
    /// The columns of these names, each once.
    pub fn new<'a>(schema: &Schema, names: impl IntoIterator<Item = &'a String>, layout: Layout) -> Wanted {
        let mut columns: Vec<ColumnFacts> = Vec::new();
        let (facts, mut seen) = (schema.by_name(), HashSet::new());
        for facts in names.into_iter().filter_map(|n| facts.get(n.as_str()).copied()) {
            if seen.insert(&facts.name) {
                columns.push(facts.clone());
            }
        }
        Wanted {
            columns,
            missing: schema.missing.clone(),
            missing_numbers: schema.missing_numbers.clone(),
            layout,
            id: None,
            resize: false,
            range: None,
            order: Order::Chw,
            exif: true,
        }
    }

    /// The only column, if it holds arrays.
    fn array(&self) -> Option<&ColumnFacts> {
        match self.columns.as_slice() {
            [c] if !c.shape.is_empty() => Some(c),
            _ => None,
        }
    }

    fn names(&self) -> String {
        suggest::listing(self.columns.iter().map(|c| c.name.as_str()))
    }

    /// Rows of this kind of file in the form of [`Raw`]. The split contains their positions in the file.
    fn raw(&self, format: &'static str, split: Split) -> Raw {
        let columns = self.columns.iter().map(|c| RawColumn {
            dictionary: match &c.facts {
                super::Facts::Category { values } => values.iter().map(|(v, _)| v.clone()).collect(),
                _ => Vec::new(),
            },
            ..RawColumn::new(c.name.clone(), &c.shape)
        });
        Raw {
            format,
            columns: columns.collect(),
            splits: [Split::default(), Split::default(), split],
            missing: self.missing.clone(),
            missing_numbers: self.missing_numbers.clone(),
            files: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Some rows of one file, in the order of the files.
pub struct Piece {
    /// With the rows in [`SPLIT`] and nothing else.
    pub raw: Raw,
    pub rows: usize,
    /// Per row, if asked for or if the rows are files.
    pub ids: Option<Vec<String>>,
}

/// Rows, a piece at a time.
pub trait Source {
    /// Up to `rows` more rows; `None` at the end.
    fn next(&mut self, rows: usize) -> Result<Option<Piece>, DataError>;
    /// What [`Piece::ids`] is called.
    fn id(&self) -> Option<&str>;
    /// Things worth telling that are no errors; complete at the end.
    fn notes(&self) -> Vec<String>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Table,
    Numpy,
    Idx,
    Picture,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::Table => "a table",
            Kind::Numpy => "a NumPy array",
            Kind::Idx => "an idx array",
            Kind::Picture => "a picture or a folder of them",
        }
    }
}

/// Opens files of one kind, folders of pictures, or `-`, a table from standard input.
pub fn open<'a>(paths: &[PathBuf], wanted: &'a Wanted) -> Result<Box<dyn Source + 'a>, DataError> {
    let mut kinds: BTreeMap<Kind, PathBuf> = BTreeMap::new();
    for path in paths {
        kinds.entry(kind(path)?).or_insert_with(|| path.clone());
    }
    let mut each = kinds.iter();
    if let (Some((a, first)), Some((b, second))) = (each.next(), each.next()) {
        return Err(DataError::option(
            format!("`{}` is {}, and `{}` is {}", first.display(), a.words(), second.display(), b.words()),
            "give files of one kind; run the command once per kind",
        ));
    }
    Ok(match kinds.into_keys().next() {
        None | Some(Kind::Table) => Box::new(table::Table::open(paths, wanted)?),
        Some(Kind::Numpy) => Box::new(arrays::Arrays::numpy(paths, wanted)?),
        Some(Kind::Idx) => Box::new(arrays::Arrays::idx(paths, wanted)?),
        Some(Kind::Picture) => Box::new(pictures::Pictures::open(paths, wanted)?),
    })
}

/// The first path that is not a picture, and what it is.
pub fn without_pictures(paths: &[PathBuf]) -> Result<Option<(PathBuf, &'static str)>, DataError> {
    for path in paths {
        let kind = kind(path)?;
        if kind != Kind::Picture {
            return Ok(Some((shown(path), kind.words())));
        }
    }
    Ok(None)
}

/// What a file is, by how it begins.
fn kind(path: &Path) -> Result<Kind, DataError> {
    if path == Path::new("-") {
        return Ok(Kind::Table);
    }
    let about = std::fs::metadata(path).map_err(|e| cannot_read(path, &e))?;
    if about.is_dir() {
        return Ok(Kind::Picture);
    }
    if is_stream(path) {
        // A pipe can be read once.
        return Ok(Kind::Table);
    }
    let mut first = Vec::new();
    // A stream that is cut off is told of when it is read.
    let _ = unpacked(path)?.take(1 << 12).read_to_end(&mut first);
    Ok(match first.as_slice() {
        // A zip archive that is not a `.npz`: the table reader reports what it is.
        first if text::is_spreadsheet(first) => Kind::Table,
        [0x93, b'N', b'U', b'M', ..] | [b'P', b'K', 3 | 5, 4 | 6, ..] => Kind::Numpy,
        [0, 0, 0x08..=0x0e, 1..=8, ..] => Kind::Idx,
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => Kind::Picture,
        // A damaged picture is no table.
        _ if pictures::named(path) => Kind::Picture,
        _ => Kind::Table,
    })
}

/// Whether the path is one of the streams that this process was started with, as in `mtlc predict run <(zcat new.csv.gz)`. Other pipes
/// are refused: to open one could block for ever.
fn is_stream(path: &Path) -> bool {
    let given = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|p| path.starts_with(p));
    given && std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// A file's bytes, unpacked if it is gzip.
fn unpacked(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let file: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false if is_stream(path) => Box::new(std::fs::File::open(path).map_err(|e| cannot_read(path, &e))?),
        false => Box::new(open_regular(path).map_err(|e| cannot_read(path, &e))?),
    };
    let mut file = std::io::BufReader::with_capacity(1 << 16, file);
    let mut first = Vec::with_capacity(2);
    file.by_ref().take(2).read_to_end(&mut first).map_err(|e| cannot_read(path, &e))?;
    let zipped = first == [0x1f, 0x8b];
    let whole = std::io::Cursor::new(first).chain(file);
    Ok(match zipped {
        true => Box::new(flate2::bufread::MultiGzDecoder::new(std::io::BufReader::new(whole))),
        false => Box::new(whole),
    })
}

/// As people know the file.
fn shown(path: &Path) -> PathBuf {
    if path == Path::new("-") { PathBuf::from("standard input") } else { path.to_path_buf() }
}

/// Here paths are the command line's, relative to where the user stands.
fn cannot_read(path: &Path, e: &std::io::Error) -> DataError {
    use std::io::ErrorKind::*;
    let path = shown(path);
    match e.kind() {
        NotFound => DataError::option(format!("there is no `{}`", path.display()), "name files or folders of new data"),
        UnexpectedEof => DataError::Truncated { path, detail: "the compressed stream is cut off".into() },
        PermissionDenied => DataError::option(format!("cannot read `{}`: permission denied", path.display()), ""),
        InvalidInput => DataError::option(
            format!("cannot read `{}`: {e}", path.display()),
            "copy it to a file, or give a table as standard input: `mtlc predict RUN - < FILE`",
        ),
        IsADirectory => DataError::option(format!("`{}` is a folder", path.display()), "name the files in it"),
        _ => DataError::option(format!("cannot read `{}`: {e}", path.display()), "copy or fetch the file again"),
    }
}
