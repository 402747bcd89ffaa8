//! A column of pictures: one file per row, decoded when a batch is gathered. 200,000 images of 3 x 64 x 64 are 10 GB as numbers, and
//! their names 10 MB.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;

use super::DataError;
use super::picture::{self, Form};
use crate::random::Randomness;

/// The pictures of one column in one split, by row. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Album {
    pub form: Form,
    folder: Arc<Path>,
    /// Within the folder.
    names: Arc<[Box<str>]>,
    /// Training images are mirrored with probability one half.
    flip: bool,
    /// Whether pictures are rotated according to their EXIF orientation.
    exif: bool,
}

/// What augmentation is drawn by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    pub random: Randomness,
    pub epoch: u64,
}

impl Album {
    pub fn new(form: Form, folder: &Path, names: Vec<Box<str>>) -> Album {
        Album { form, folder: folder.into(), names: names.into(), flip: false, exif: true }
    }

    /// With training images mirrored, or not.
    pub fn flipped(self, flip: bool) -> Album {
        Album { flip, ..self }
    }

    /// Sets whether pictures are rotated according to their EXIF orientation.
    pub fn turned(self, exif: bool) -> Album {
        Album { exif, ..self }
    }

    pub fn rows(&self) -> usize {
        self.names.len()
    }

    /// The name of a row's file in its folder.
    pub fn name(&self, row: usize) -> &str {
        &self.names[row]
    }

    /// The pictures at `rows`, in that order.
    pub fn take(&self, rows: &[u32]) -> Album {
        Album { names: rows.iter().map(|r| self.names[*r as usize].clone()).collect(), ..self.clone() }
    }

    /// Whether the picture of a row is mirrored: by seed, epoch and row alone, and never without a draw.
    fn mirrored(&self, row: usize, drawn: Option<Drawn>) -> bool {
        let draw = |d: Drawn| d.random.stream("flip", [d.epoch, row as u64, 0]).random_bool(0.5);
        self.flip && drawn.is_some_and(draw)
    }

    /// The pixels of a row, `[channels, height, width]`, from 0 to 255. A file that is not there, is damaged, or has an absurd size
    /// is an error that names it.
    pub fn read(&self, row: usize, drawn: Option<Drawn>) -> Result<Vec<f32>, DataError> {
        let path: PathBuf = self.folder.join(self.name(row));
        let bytes = picture::bytes(&path).map_err(|e| DataError::read(&path, e))?;
        let mut pixels = self.form.read(&path, &bytes, self.exif)?;
        if self.mirrored(row, drawn) {
            pixels.chunks_exact_mut(self.form.width).for_each(<[f32]>::reverse);
        }
        Ok(pixels)
    }
}
