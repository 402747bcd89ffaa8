//! Pictures: png and jpeg files, or folders of them sorted by name, for a network that reads one image.
//!
//! A picture is decoded to 8 bits, one channel or three as the input has them (grey is BT.601 luma). Sizes are read from the headers of
//! all files before any is decoded, so a file that promises an absurd size is refused before memory is taken for it, and a wrong
//! file is found before the first row is predicted.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::resize::bilinear;
use super::{Piece, Source, Wanted};
use crate::data::DataError;
use crate::data::freeze::{ColumnFacts, Facts};
use crate::data::raw::Values;

/// Largest side, and most pixels, of a picture that is brought to another size.
const MOST_SIDE: usize = 16_384;
const MOST_PIXELS: usize = 100_000_000;

pub struct Pictures<'a> {
    wanted: &'a Wanted,
    files: Vec<PathBuf>,
    at: usize,
    form: Form,
    notes: Vec<String>,
}

/// What the input takes.
#[derive(Debug, Clone, Copy)]
struct Form {
    channels: usize,
    height: usize,
    width: usize,
    /// What 0 and 255 become.
    ends: [f64; 2],
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
                format!("`--id {id}` names a column, and pictures have none"),
                "leave `--id` out: every row begins with the name of its file",
            ));
        }
        let mut notes = Vec::new();
        let form = Form::of(column, wanted.range, &mut notes)?;
        let mut files = Vec::new();
        for path in paths {
            match path.is_dir() {
                true => files.extend(listed(path, &mut notes)?),
                false => files.push(path.clone()),
            }
        }
        for path in &files {
            form.fits(path, wanted.resize)?;
        }
        Ok(Pictures { wanted, files, at: 0, form, notes })
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
            "1 entry that is no picture is".into()
        } else {
            format!("{other} entries that are no pictures are")
        };
        notes.push(format!("`{}`: {what} passed over", folder.display()));
    }
    files.sort();
    Ok(files)
}

impl Form {
    fn of(c: &ColumnFacts, range: Option<[f64; 2]>, notes: &mut Vec<String>) -> Result<Form, DataError> {
        let (channels, height, width) = match c.shape.as_slice() {
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
        let ends = match (range.or(c.range), &c.facts) {
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
            (None, Facts::Category { .. }) => [0.0, 255.0],
        };
        Ok(Form { channels, height, width, ends })
    }

    /// Refuses a picture by its header.
    fn fits(&self, path: &Path, resize: bool) -> Result<(), DataError> {
        let bytes = std::fs::read(path).map_err(|e| super::cannot_read(path, &e))?;
        let (width, height) = size(&bytes, path)?;
        let says = format!("`{}` is {width} x {height} pixels", path.display());
        let wants = format!("{} x {}", self.width, self.height);
        if (width, height) == (self.width, self.height) {
            return Ok(());
        }
        let absurd = width.max(height) > MOST_SIDE || width * height > MOST_PIXELS || width * height == 0;
        if absurd {
            return Err(DataError::option(
                format!("{says} by its header, which is not read (the network reads {wants})"),
                format!(
                    "is the file sound? at most {MOST_SIDE} pixels a side and {} million in all are resized",
                    MOST_PIXELS / 1_000_000
                ),
            ));
        }
        if !resize {
            return Err(DataError::option(
                format!("{says}, and the network reads {wants}"),
                "`--resize` brings pictures to that size (bilinear; the shape is not kept)",
            ));
        }
        Ok(())
    }

    /// The values of one picture, `[channels, height, width]`, as bytes say them.
    fn read(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        let bytes = std::fs::read(path).map_err(|e| super::cannot_read(path, &e))?;
        let picture = decode(&bytes, path, self.channels)?;
        let pixels = if (picture.width, picture.height) == (self.width, self.height) {
            picture.pixels.iter().map(|v| f32::from(*v)).collect()
        } else {
            bilinear(&picture.pixels, self.channels, [picture.width, picture.height], [self.width, self.height])
        };
        let [low, high] = self.ends;
        let value = |v: f32| match self.ends {
            // To the bit what an array of bytes gives.
            [0.0, 255.0] => v,
            _ => (low + f64::from(v) * (high - low) / 255.0) as f32,
        };
        let n = self.width * self.height;
        // A decoder gives channels pixel by pixel, a network reads them plane by plane.
        Ok((0..self.channels)
            .flat_map(|c| (0..n).map(move |i| (c, i)))
            .map(|(c, i)| value(pixels[i * self.channels + c]))
            .collect())
    }
}

fn broken(path: &Path, why: &str) -> DataError {
    DataError::option(
        format!("`{}` is damaged, or no png or jpeg: {why}", path.display()),
        "copy or fetch the file again, or take it out of the folder",
    )
}

/// Libraries' words, without their punctuation and line ends.
fn words(e: &impl std::fmt::Display) -> String {
    let text = e.to_string().replace('\n', " ");
    text.trim_end_matches(['.', ' ']).to_string()
}

fn jpeg_options(width: usize, height: usize) -> DecoderOptions {
    // Strict: a file that is cut off is an error, not a picture with a grey end.
    DecoderOptions::default().set_strict_mode(true).set_max_width(width).set_max_height(height)
}

/// Width and height by the header alone.
fn size(bytes: &[u8], path: &Path) -> Result<(usize, usize), DataError> {
    if bytes.starts_with(&[0xff, 0xd8]) {
        let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), jpeg_options(1 << 16, 1 << 16));
        decoder.decode_headers().map_err(|e| broken(path, &format!("{e:?}")))?;
        let info = decoder.info().ok_or_else(|| broken(path, "it has no header"))?;
        return Ok((usize::from(info.width), usize::from(info.height)));
    }
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let first: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
        return Err(broken(
            path,
            &format!("it begins with {}", if first.is_empty() { "nothing".into() } else { first.join(" ") }),
        ));
    }
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    let info = decoder.read_header_info().map_err(|e| broken(path, &words(&e)))?;
    Ok((info.width as usize, info.height as usize))
}

struct Picture {
    width: usize,
    height: usize,
    /// Row by row, channels side by side.
    pixels: Vec<u8>,
}

fn decode(bytes: &[u8], path: &Path, channels: usize) -> Result<Picture, DataError> {
    // The size has been found bearable.
    let (width, height) = size(bytes, path)?;
    if bytes.starts_with(&[0xff, 0xd8]) {
        // The decoder fills up a scan that stops short with grey. Marks cannot stand within a scan, so after the last one there
        // must be an end.
        let mark = |m: u8| bytes.windows(2).rposition(|w| w == [0xff, m]);
        if mark(0xd9).is_none_or(|end| mark(0xda).is_some_and(|scan| scan > end)) {
            return Err(broken(path, "it is cut off"));
        }
        let space = if channels == 1 { ColorSpace::Luma } else { ColorSpace::RGB };
        let options = jpeg_options(width, height).jpeg_set_out_colorspace(space);
        let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
        let pixels = decoder.decode().map_err(|e| broken(path, &format!("{e:?}")))?;
        return match pixels.len() == width * height * channels {
            true => Ok(Picture { width, height, pixels }),
            false => Err(broken(path, "its colours are of a kind that is not read")),
        };
    }
    let limits = png::Limits { bytes: width * height * 8 + (1 << 26) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|e| broken(path, &words(&e)))?;
    let length = reader.output_buffer_size().ok_or_else(|| broken(path, "it is too large"))?;
    let mut all = vec![0; length];
    let info = reader.next_frame(&mut all).map_err(|e| broken(path, &words(&e)))?;
    let (colours, alpha) = match info.color_type {
        png::ColorType::Grayscale => (1, false),
        png::ColorType::GrayscaleAlpha => (1, true),
        png::ColorType::Rgb => (3, false),
        png::ColorType::Rgba => (3, true),
        png::ColorType::Indexed => return Err(broken(path, "its palette is missing")),
    };
    let step = colours + usize::from(alpha);
    let mut pixels = Vec::with_capacity(width * height * channels);
    for p in all[..info.buffer_size()].chunks_exact(step) {
        if alpha && p[colours] != 255 {
            return Err(DataError::option(
                format!("`{}` is transparent in places, and what stands behind it is not known", path.display()),
                "save it without transparency, on the background that it is to have",
            ));
        }
        match (colours, channels) {
            (1, 1) => pixels.push(p[0]),
            (1, _) => pixels.extend([p[0]; 3]),
            (_, 1) => {
                let [r, g, b] = [p[0], p[1], p[2]].map(u32::from);
                pixels.push(((299 * r + 587 * g + 114 * b + 500) / 1000) as u8);
            }
            _ => pixels.extend(&p[..3]),
        }
    }
    Ok(Picture { width, height, pixels })
}

impl Source for Pictures<'_> {
    fn next(&mut self, rows: usize) -> Result<Option<Piece>, DataError> {
        let files = &self.files[self.at..(self.at + rows).min(self.files.len())];
        if files.is_empty() {
            return Ok(None);
        }
        self.at += files.len();
        let mut values = Vec::with_capacity(files.len() * self.form.channels * self.form.height * self.form.width);
        for path in files {
            values.extend(self.form.read(path)?);
        }
        let raw = self.wanted.raw("pictures", vec![Values::F32(values)], files.len(), String::new());
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
