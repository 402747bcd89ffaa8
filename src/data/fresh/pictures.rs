//! Pictures: png and jpeg files, or folders of them sorted by name, for a network that reads one image.
//!
//! Pictures are decoded by [`crate::data::picture`], as in training. Sizes are read from the headers of all files before any is decoded,
//! so a file that promises an absurd size is refused before memory is taken for it, and a wrong file is found before
//! the first row is predicted.

use std::path::{Path, PathBuf};

use super::{Piece, Source, Wanted};
use crate::data::DataError;
use crate::data::axes::Order;
use crate::data::freeze::{ColumnFacts, Facts};
use crate::data::picture::{self, Form};
use crate::data::raw::{Split, Values};
use crate::screen::shell;

pub struct Pictures<'a> {
    wanted: &'a Wanted,
    files: Vec<PathBuf>,
    at: usize,
    intake: Intake,
    notes: Vec<String>,
}

/// What the input takes.
#[derive(Debug, Clone, Copy)]
struct Intake {
    form: Form,
    /// What 0 and 255 become.
    ends: [f64; 2],
    /// The order of the axes in the training arrays, and in the values.
    order: Order,
    exif: bool,
}

/// Whether a file is called like a picture.
pub fn named(path: &Path) -> bool {
    let end = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    matches!(end.as_deref(), Some("png" | "jpg" | "jpeg"))
}

impl<'a> Pictures<'a> {
    pub fn open(paths: &[PathBuf], wanted: &'a Wanted) -> Result<Pictures<'a>, DataError> {
        let Some(column) = wanted.array() else {
            return Err(DataError::option(
                format!("pictures are one image per row, and the network reads {}", wanted.names()),
                "give a table (csv), or arrays that are named like these columns (`.npz`)",
            ));
        };
        if let Some(id) = &wanted.id {
            return Err(DataError::option(
                format!("{} names a column, and pictures have none", shell::option("--id").word(id)),
                "leave `--id` out: every row begins with the name of its file",
            ));
        }
        let mut notes = Vec::new();
        let intake = Intake::of(column, wanted, &mut notes)?;
        let mut files = Vec::new();
        for path in paths {
            match path.is_dir() {
                true => files.extend(listed(path, &mut notes)?),
                false => files.push(path.clone()),
            }
        }
        for path in &files {
            intake.fits(path, wanted.resize)?;
        }
        Ok(Pictures { wanted, files, at: 0, intake, notes })
    }
}

/// The pictures of a folder, by name.
fn listed(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<PathBuf>, DataError> {
    let entries = std::fs::read_dir(folder).map_err(|e| super::cannot_read(folder, &e))?;
    let (mut files, mut other) = (Vec::new(), 0);
    for entry in entries {
        let path = entry.map_err(|e| super::cannot_read(folder, &e))?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        match (named(&path) && path.is_file(), hidden) {
            (_, true) => {}
            (true, _) => files.push(path),
            (false, _) => other += 1,
        }
    }
    if files.is_empty() {
        return Err(DataError::option(
            format!("the folder `{}` holds no picture", folder.display()),
            "pictures are files whose names end in .png, .jpg or .jpeg; folders within it are not looked into",
        ));
    }
    if other > 0 {
        let what = if other == 1 {
            "1 entry that is not a picture was".into()
        } else {
            format!("{other} entries that are not pictures were")
        };
        notes.push(format!("`{}`: {what} skipped", folder.display()));
    }
    files.sort();
    Ok(files)
}

impl Intake {
    fn of(c: &ColumnFacts, wanted: &Wanted, notes: &mut Vec<String>) -> Result<Intake, DataError> {
        let (channels, height, width) = match wanted.order.sizes(&c.shape).as_slice() {
            [h, w] => (1, *h, *w),
            [n @ (1 | 3), h, w] => (*n, *h, *w),
            other => {
                return Err(DataError::option(
                    format!(
                        "the network reads `{}` of sizes {other:?}, and a picture has one channel or three",
                        c.name
                    ),
                    "give arrays (`.npy`, `.npz`)",
                ));
            }
        };
        let ends = match (wanted.range.or(c.range), &c.facts) {
            (Some(ends), _) => ends,
            // Bytes, as pictures have them.
            (None, Facts::Numeric { min, max, .. }) if *min >= 0.0 && (128.0..=255.0).contains(max) => [0.0, 255.0],
            (None, Facts::Numeric { min, max, .. }) if *min == 0.0 && *max > 0.0 => {
                notes.push(format!(
                    "training images go from 0 to {max}: black is read as 0 and white as {max} (`--range LOW HIGH` says otherwise)"
                ));
                [0.0, *max]
            }
            (None, Facts::Numeric { min, max, .. }) => {
                return Err(DataError::option(
                    format!(
                        "training images go from {min} to {max}, and what a picture's black and white are there is not known"
                    ),
                    "say it with `--range LOW HIGH`",
                ));
            }
            (None, _) => [0.0, 255.0],
        };
        Ok(Intake { form: Form { channels, height, width }, ends, order: wanted.order, exif: wanted.exif })
    }

    /// Refuses a picture by its header.
    fn fits(&self, path: &Path, resize: bool) -> Result<(), DataError> {
        let bytes = picture::bytes(path).map_err(|e| super::cannot_read(path, &e))?;
        let (width, height) = picture::shown(&bytes, path, self.exif)?;
        if (width, height) == (self.form.width, self.form.height) {
            return Ok(());
        }
        if picture::absurd(width, height) {
            return Err(picture::refused(path, [width, height], self.form));
        }
        if !resize {
            return Err(DataError::option(
                format!(
                    "`{}` is {width} x {height} pixels, and the network reads {} x {}",
                    path.display(),
                    self.form.width,
                    self.form.height
                ),
                "`--resize` brings pictures to that size (bilinear; the shape is not kept)",
            ));
        }
        Ok(())
    }

    /// The values of one picture, in the axis order of the training arrays.
    fn read(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        let bytes = picture::bytes(path).map_err(|e| super::cannot_read(path, &e))?;
        let planes = self.form.read(path, &bytes, self.exif)?;
        let mut pixels = self.order.held(self.form.sizes(), planes);
        let [low, high] = self.ends;
        // Else to the bit what an array of bytes gives.
        if self.ends != [0.0, 255.0] {
            pixels.iter_mut().for_each(|v| *v = (low + f64::from(*v) * (high - low) / 255.0) as f32);
        }
        Ok(pixels)
    }
}

impl Source for Pictures<'_> {
    fn next(&mut self, rows: usize) -> Result<Option<Piece>, DataError> {
        let files = &self.files[self.at..(self.at + rows).min(self.files.len())];
        if files.is_empty() {
            return Ok(None);
        }
        let origin = (self.at as u32..).take(files.len()).collect();
        self.at += files.len();
        let mut values = Vec::with_capacity(files.len() * self.intake.form.elements());
        for path in files {
            values.extend(self.intake.read(path)?);
        }
        let columns = vec![Values::F32(values)];
        let raw = self
            .wanted
            .raw("pictures", Split { rows: files.len(), columns, source: String::new(), origin, unit: "picture" });
        let ids = files.iter().map(|p| p.display().to_string()).collect();
        Ok(Some(Piece { raw, rows: files.len(), ids: Some(ids) }))
    }

    fn id(&self) -> Option<&str> {
        Some("file")
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
