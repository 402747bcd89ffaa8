//! Arrays: `.npy`, `.npz` and idx files, read whole and dealt out in pieces.
//!
//! A network that reads one array takes it from any one file, and from several as if they were one; else arrays are found by
//! name: of an `.npz` its members, of an `.npy` the name of the file.

use std::path::{Path, PathBuf};

use super::{Piece, Source, Wanted};
use crate::data::axes::{self, Order};
use crate::data::freeze::ColumnFacts;
use crate::data::raw::{Split, Values};
use crate::data::{DataError, LoadContext, idx, npy};
use crate::diag::suggest;
use crate::screen::shell;

pub struct Arrays<'a> {
    wanted: &'a Wanted,
    /// Values and rows of each wanted column, file after file, and the name of the file if one file holds all columns.
    files: Vec<(Vec<Values>, usize, Option<PathBuf>)>,
    ids: Vec<String>,
    /// File and row that come next.
    at: (usize, usize),
    given: usize,
}

/// An array as either format gives it.
struct Found {
    name: String,
    sizes: Vec<usize>,
    values: Values,
    /// For messages: the file, or the archive and its member.
    path: PathBuf,
    file: PathBuf,
}

/// Paths are the command line's.
fn here() -> LoadContext<'static> {
    LoadContext { base: Path::new(""), schema: None }
}

impl<'a> Arrays<'a> {
    pub fn numpy(paths: &[PathBuf], wanted: &'a Wanted) -> Result<Arrays<'a>, DataError> {
        let mut found = Vec::new();
        for path in paths {
            for a in npy::arrays(&[path.display().to_string()], None, &here(), &mut Vec::new())? {
                found.push(Found { name: a.name, sizes: a.sizes, values: a.values, path: a.path, file: a.file });
            }
        }
        Arrays::new(found, wanted)
    }

    pub fn idx(paths: &[PathBuf], wanted: &'a Wanted) -> Result<Arrays<'a>, DataError> {
        let mut found = Vec::new();
        for path in paths {
            let a = idx::read(&path.display().to_string(), &here())?;
            found.push(Found {
                name: String::new(),
                sizes: a.sizes,
                values: a.values,
                file: a.path.clone(),
                path: a.path,
            });
        }
        if wanted.columns.len() != 1 || wanted.id.is_some() {
            let what = match &wanted.id {
                Some(id) => format!("{} names an array, and idx files have no names", shell::option("--id").word(id)),
                None => {
                    format!("the network reads several columns, {}, and idx files have no names", wanted.names())
                }
            };
            return Err(DataError::option(what, "give an `.npz` that names its arrays"));
        }
        Arrays::new(found, wanted)
    }

    fn new(mut found: Vec<Found>, wanted: &'a Wanted) -> Result<Arrays<'a>, DataError> {
        for a in &found {
            if a.sizes.is_empty() {
                let what = format!("`{}` holds a single number", a.path.display());
                return Err(DataError::option(what, "the first dimension counts rows"));
            }
        }
        if let Some(c) = wanted.columns.iter().find(|c| c.facts.is_text()) {
            return Err(DataError::option(
                format!("the network reads the text column `{}`, and arrays hold numbers", c.name),
                "give a table (csv)",
            ));
        }
        let ids = match &wanted.id {
            Some(name) => {
                let at =
                    found.iter().position(|a| &a.name == name).ok_or_else(|| lacks(name, " for `--id`", &found))?;
                let a = found.remove(at);
                if a.values.len() != a.sizes[0] {
                    let what = format!("`{}` holds {:?} numbers per row", a.path.display(), &a.sizes[1..]);
                    return Err(DataError::option(what, "`--id` takes an array of one value per row"));
                }
                (0..a.values.len()).map(|i| a.values.written(i).unwrap_or_else(|| "NaN".into())).collect()
            }
            None => Vec::new(),
        };
        let mut files: Vec<(Vec<Values>, usize, Option<PathBuf>)> = Vec::new();
        let named = |c: &ColumnFacts, found: &[Found]| found.iter().any(|a| a.name == c.name);
        match wanted.columns.as_slice() {
            [only] if !named(only, &found) || found.iter().filter(|a| a.name == only.name).count() > 1 => {
                for a in found {
                    fits(&a, only)?;
                    files.push((vec![a.values], a.sizes[0], Some(a.path)));
                }
            }
            columns => {
                let mut values = Vec::new();
                let mut first: Option<(usize, PathBuf, PathBuf)> = None;
                let mut one_file = true;
                for c in columns {
                    let at = found.iter().position(|a| a.name == c.name);
                    let a = found.remove(at.ok_or_else(|| lacks(&c.name, ", which the network reads", &found))?);
                    fits(&a, c)?;
                    if let Some((rows, path, _)) = &first
                        && *rows != a.sizes[0]
                    {
                        return Err(DataError::Lengths {
                            place: "the arrays disagree".into(),
                            first: path.clone(),
                            left: *rows,
                            second: a.path,
                            right: a.sizes[0],
                        });
                    }
                    one_file &= first.as_ref().is_none_or(|(.., file)| *file == a.file);
                    first.get_or_insert((a.sizes[0], a.path, a.file));
                    values.push(a.values);
                }
                let (rows, path, file) = first.unwrap_or_default();
                let source = if columns.len() == 1 { path } else { file };
                files.push((values, rows, one_file.then_some(source)));
            }
        }
        let rows: usize = files.iter().map(|f| f.1).sum();
        if wanted.id.is_some() && ids.len() != rows {
            let what = format!("`--id` gives {} values, and there are {rows} rows", ids.len());
            return Err(DataError::option(what, "both need the same rows in the same order"));
        }
        Ok(Arrays { wanted, files, ids, at: (0, 0), given: 0 })
    }
}

fn lacks(name: &str, why: &str, found: &[Found]) -> DataError {
    let there: Vec<&str> = found.iter().map(|a| a.name.as_str()).collect();
    let near =
        suggest::nearest(name, there.iter().copied()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
    DataError::Column {
        column: name.into(),
        context: format!("{why}: there is no array of that name"),
        help: format!(
            "{near}the arrays are {}; an array is called by its name in the `.npz`, or by its `.npy` file",
            suggest::listing(there)
        ),
    }
}

/// Whether the sizes per row equal those of training, axis by axis. Axes of size 1 may be missing.
fn fits(a: &Found, c: &ColumnFacts) -> Result<(), DataError> {
    let sizes = &a.sizes[1..];
    if axes::same(sizes, &c.shape) {
        return Ok(());
    }
    let what = |s: &[usize]| if s.is_empty() { "one number".to_string() } else { format!("{s:?} numbers") };
    let images = sizes.len() == 3 && c.shape.len() == 3;
    // The order of the axes may be exchanged in either direction.
    let turned = images && (Order::Hwc.fits(&c.shape, sizes) || Order::Hwc.fits(sizes, &c.shape));
    Err(DataError::option(
        format!(
            "`{}` holds {} per row, and the network reads {} as `{}`",
            a.path.display(),
            what(sizes),
            what(&c.shape),
            c.name
        ),
        match sizes.is_empty() {
            true => "is this the file of labels? give the one of inputs",
            false if turned => "the axes are in another order than in training: transpose the array to these sizes",
            false => "bring the array to these sizes; its first dimension counts rows",
        },
    ))
}

impl Source for Arrays<'_> {
    fn next(&mut self, rows: usize) -> Result<Option<Piece>, DataError> {
        while self.at.0 < self.files.len() && self.at.1 == self.files[self.at.0].1 {
            self.at = (self.at.0 + 1, 0);
        }
        let Some((columns, total, path)) = self.files.get(self.at.0) else { return Ok(None) };
        let from = self.at.1;
        let to = (from + rows).min(*total);
        self.at.1 = to;
        let picked: Vec<u32> = (from as u32..to as u32).collect();
        let values = columns.iter().zip(&self.wanted.columns).map(|(v, c)| v.take(&picked, c.shape.iter().product()));
        let raw = self.wanted.raw(
            "npy",
            Split {
                rows: to - from,
                columns: values.collect(),
                source: path.as_ref().map(|p| p.display().to_string()).unwrap_or_default(),
                origin: picked,
                unit: "sample",
            },
        );
        let ids = self.wanted.id.as_ref().map(|_| self.ids[self.given..self.given + to - from].to_vec());
        self.given += to - from;
        Ok(Some(Piece { raw, rows: to - from, ids }))
    }

    fn id(&self) -> Option<&str> {
        self.wanted.id.as_deref()
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
