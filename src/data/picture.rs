//! One picture from a png or jpeg file to numbers, for training and prediction alike: both see the same pixels.
//!
//! A picture is decoded to 8 bits with one or three channels (grey is BT.601 luma), rotated according to its EXIF orientation
//! ([`super::exif`]), and resized by [`super::resize`]. The file format is recognised by the first bytes, not by the name.

use std::io::Cursor;
use std::path::Path;

use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::DataError;
use super::exif::Orientation;
use super::resize::bilinear;

/// Largest side, and most pixels, of a picture that is brought to another size.
pub const MOST_SIDE: usize = 16_384;
pub const MOST_PIXELS: usize = 100_000_000;

/// Channels and sizes that a picture is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// One or three.
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Form {
    /// Numbers of one picture.
    pub fn elements(self) -> usize {
        self.channels * self.height * self.width
    }

    pub fn sizes(self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// The pixels of one file, `[channels, height, width]`, from 0 to 255. Resized pixels are not rounded. With `exif`, the picture is
    /// rotated according to its EXIF orientation.
    pub fn read(self, path: &Path, bytes: &[u8], exif: bool) -> Result<Vec<f32>, DataError> {
        let mut picture = decode(bytes, path, self)?;
        if exif {
            let sizes = [picture.width, picture.height];
            let (pixels, [width, height]) = Orientation::of(bytes).upright(picture.pixels, self.channels, sizes);
            picture = Picture { width, height, pixels };
        }
        let pixels = if (picture.width, picture.height) == (self.width, self.height) {
            picture.pixels.iter().map(|v| f32::from(*v)).collect()
        } else {
            bilinear(&picture.pixels, self.channels, [picture.width, picture.height], [self.width, self.height])
        };
        // A decoder gives channels pixel by pixel, a network reads them plane by plane.
        let mut planes = Vec::with_capacity(pixels.len());
        for c in 0..self.channels {
            planes.extend(pixels.iter().skip(c).step_by(self.channels));
        }
        Ok(planes)
    }
}

/// Whether a size is one that no sound file has, so that no memory is taken for it.
pub fn absurd(width: usize, height: usize) -> bool {
    width.max(height) > MOST_SIDE || width * height > MOST_PIXELS || width * height == 0
}

fn broken(path: &Path, why: &str) -> DataError {
    DataError::option(
        format!("`{}` is damaged, or no png or jpeg: {why}", path.display()),
        "copy or fetch the file again, or take it out of what is read",
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

/// Width and height of the picture as it is displayed, from the header alone. With `exif`, its EXIF orientation is applied.
pub fn shown(bytes: &[u8], path: &Path, exif: bool) -> Result<(usize, usize), DataError> {
    let (width, height) = size(bytes, path)?;
    Ok(if exif && Orientation::of(bytes).swaps() { (height, width) } else { (width, height) })
}

/// Width and height as stored, from the header alone.
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

/// A picture that is too large, by its header, to be brought to another size.
pub fn refused(path: &Path, [width, height]: [usize; 2], form: Form) -> DataError {
    DataError::option(
        format!(
            "`{}` is {width} x {height} pixels by its header, which is not read (the network reads {} x {})",
            path.display(),
            form.width,
            form.height
        ),
        format!(
            "is the file sound? at most {MOST_SIDE} pixels a side and {} million in all are resized",
            MOST_PIXELS / 1_000_000
        ),
    )
}

struct Picture {
    width: usize,
    height: usize,
    /// Row by row, channels side by side.
    pixels: Vec<u8>,
}

fn decode(bytes: &[u8], path: &Path, form: Form) -> Result<Picture, DataError> {
    let channels = form.channels;
    let (width, height) = size(bytes, path)?;
    let wanted = [(form.width, form.height), (form.height, form.width)];
    if absurd(width, height) && !wanted.contains(&(width, height)) {
        return Err(refused(path, [width, height], form));
    }
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
