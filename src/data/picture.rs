//! One picture from a png or jpeg file to numbers, for training and prediction alike: both see the same pixels.
//!
//! A picture is decoded to one or three channels (grey is BT.601 luma), rotated according to its EXIF orientation ([`super::exif`]), and
//! resized by [`super::resize`]. Its pixels range from 0 to 255; those with 16 bits per channel keep their low byte as a fraction: 65535 is
//! 255, and 257 is 1. The file format is recognised by the first bytes, not by the name.

use std::io::Cursor;
use std::path::Path;

use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::DataError;
use super::exif::Orientation;
use super::resize::bilinear;
use crate::source::read_bytes;

/// Largest side, and most pixels, of a picture that is brought to another size.
pub const MOST_SIDE: usize = 16_384;
pub const MOST_PIXELS: usize = 100_000_000;

/// Most bytes of the file of a picture.
const MOST_BYTES: u64 = 512 << 20;

/// The file of a picture.
pub fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    read_bytes(path, MOST_BYTES)
}

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
        let turn = if exif { Orientation::of(bytes) } else { Orientation::UPRIGHT };
        let Picture { width, height, pixels } = decode(bytes, path, self)?;
        let pixels = match pixels {
            Pixels::Bytes(pixels) => self.shaped(pixels, [width, height], turn),
            Pixels::Words(pixels) => {
                let mut pixels = self.shaped(pixels, [width, height], turn);
                pixels.iter_mut().for_each(|v| *v /= WORD);
                pixels
            }
        };
        // A decoder gives channels pixel by pixel, a network reads them plane by plane.
        let mut planes = Vec::with_capacity(pixels.len());
        for c in 0..self.channels {
            planes.extend(pixels.iter().skip(c).step_by(self.channels));
        }
        Ok(planes)
    }

    /// The pixels, upright and resized to this size.
    fn shaped<T: Copy + Into<f32>>(self, pixels: Vec<T>, sizes: [usize; 2], turn: Orientation) -> Vec<f32> {
        let (pixels, sizes) = turn.upright(pixels, self.channels, sizes);
        match sizes == [self.width, self.height] {
            true => pixels.into_iter().map(T::into).collect(),
            false => bilinear(&pixels, self.channels, sizes, [self.width, self.height]),
        }
    }
}

/// One step of an 8-bit value, in steps of a 16-bit value.
const WORD: f32 = 257.0;

/// Whether a size is one that no sound file has, so that no memory is taken for it.
pub fn absurd(width: usize, height: usize) -> bool {
    width.max(height) > MOST_SIDE || width * height > MOST_PIXELS || width * height == 0
}

fn broken(path: &Path, why: &str) -> DataError {
    DataError::option(
        format!("`{}` is damaged, or is not a png or jpeg file: {why}", path.display()),
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
    pixels: Pixels,
}

/// Row by row, channels side by side.
enum Pixels {
    Bytes(Vec<u8>),
    /// 16 bits per channel.
    Words(Vec<u16>),
}

/// BT.601, rounded.
fn luma(p: [u32; 3]) -> u32 {
    (299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000
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
        let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), jpeg_options(width, height));
        decoder.decode_headers().map_err(|e| broken(path, &format!("{e:?}")))?;
        // Files in these colour spaces contain grey directly; for others (RGB, CMYK) it is computed.
        let has_grey = matches!(decoder.input_colorspace(), Some(ColorSpace::Luma | ColorSpace::YCbCr));
        let (space, step) = if channels == 1 && has_grey { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
        decoder.set_options(jpeg_options(width, height).jpeg_set_out_colorspace(space));
        let mut pixels = decoder.decode().map_err(|e| broken(path, &format!("{e:?}")))?;
        if pixels.len() != width * height * step {
            return Err(broken(path, "its colour space is not supported"));
        }
        if step > channels {
            pixels = pixels.chunks_exact(3).map(|p| luma([p[0], p[1], p[2]].map(u32::from)) as u8).collect();
        }
        return Ok(Picture { width, height, pixels: Pixels::Bytes(pixels) });
    }
    let limits = png::Limits { bytes: width * height * 8 + (1 << 26) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(|e| broken(path, &words(&e)))?;
    let length = reader.output_buffer_size().ok_or_else(|| broken(path, "it is too large"))?;
    let mut all = vec![0; length];
    let info = reader.next_frame(&mut all).map_err(|e| broken(path, &words(&e)))?;
    all.truncate(info.buffer_size());
    let (colours, alpha) = match info.color_type {
        png::ColorType::Grayscale => (1, false),
        png::ColorType::GrayscaleAlpha => (1, true),
        png::ColorType::Rgb => (3, false),
        png::ColorType::Rgba => (3, true),
        png::ColorType::Indexed => return Err(broken(path, "its palette is missing")),
    };
    let pixels = match info.bit_depth {
        png::BitDepth::Sixteen => {
            let words: Vec<u16> = all.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
            opaque(&words, (colours, alpha), u16::MAX, channels, |grey| grey as u16).map(Pixels::Words)
        }
        _ => opaque(&all, (colours, alpha), u8::MAX, channels, |grey| grey as u8).map(Pixels::Bytes),
    };
    let pixels = pixels.ok_or_else(|| {
        DataError::option(
            format!("`{}` is transparent in places, and its background is unknown", path.display()),
            "save it without transparency, on the background that it should have",
        )
    })?;
    Ok(Picture { width, height, pixels })
}

/// The pixels of a png with interleaved colours and alpha, converted to the wanted channels; `None` if one is transparent.
fn opaque<T: Copy + PartialEq + Into<u32>>(
    all: &[T],
    (colours, alpha): (usize, bool),
    full: T,
    channels: usize,
    grey: fn(u32) -> T,
) -> Option<Vec<T>> {
    let step = colours + usize::from(alpha);
    let mut pixels = Vec::with_capacity(all.len() / step * channels);
    for p in all.chunks_exact(step) {
        if alpha && p[colours] != full {
            return None;
        }
        match (colours, channels) {
            (1, 1) => pixels.push(p[0]),
            (1, _) => pixels.extend([p[0]; 3]),
            (_, 1) => pixels.push(grey(luma([p[0], p[1], p[2]].map(T::into)))),
            _ => pixels.extend(&p[..3]),
        }
    }
    Some(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], [channels, height, width]: [usize; 3]) -> Result<Vec<f32>, DataError> {
        Form { channels, height, width }.read(Path::new("p"), bytes, true)
    }

    /// A png of one row with 16 bits per channel.
    fn png16(colour: png::ColorType, words: &[u16]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, (words.len() / colour.samples()) as u32, 1);
        encoder.set_color(colour);
        encoder.set_depth(png::BitDepth::Sixteen);
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        encoder.write_header().expect("written").write_image_data(&bytes).expect("written");
        out
    }

    #[test]
    fn sixteen_bits_keep_their_low_byte() {
        let words = [0, 1, 255, 257, 258, 40_000, 65_535];
        let wanted: Vec<f32> = words.iter().map(|w| f32::from(*w) / 257.0).collect();
        assert_eq!((wanted[3], wanted[6]), (1.0, 255.0));
        assert!(wanted[0] < wanted[1] && wanted[3] < wanted[4]);
        let grey = png16(png::ColorType::Grayscale, &words);
        assert_eq!(read(&grey, [1, 1, 7]).expect("pixels"), wanted);
        assert_eq!(read(&grey, [3, 1, 7]).expect("pixels"), wanted.repeat(3));
        let colour = png16(png::ColorType::Rgb, &[1000, 20, 3, 65_535, 65_535, 65_535]);
        let planes: Vec<f32> = [1000u16, 65_535, 20, 65_535, 3, 65_535].map(|w| f32::from(w) / 257.0).to_vec();
        assert_eq!(read(&colour, [3, 1, 2]).expect("pixels"), planes);
        assert_eq!(read(&colour, [1, 1, 2]).expect("pixels"), [311.0 / 257.0, 255.0]);
        // Resizing uses all bytes.
        let half = read(&png16(png::ColorType::Grayscale, &[300, 300]), [1, 1, 1]).expect("pixels");
        assert!((half[0] - 300.0 / 257.0).abs() < 1e-5, "{half:?}");
        let alpha = |a: u16| read(&png16(png::ColorType::GrayscaleAlpha, &[300, a]), [1, 1, 1]);
        assert_eq!(alpha(65_535).expect("opaque"), [300.0 / 257.0]);
        assert!(alpha(65_534).expect_err("not quite").to_string().contains("transparent in places"));
    }

    /// An 8 by 8 jpeg of one CMYK colour. Each component is 64 or 192, stored as Adobe does: 255 means no ink.
    fn cmyk(parts: [u8; 4]) -> Vec<u8> {
        let mut out = vec![0xff, 0xd8, 0xff, 0xee, 0, 14];
        out.extend(b"Adobe\0\x64\0\0\0\0\0");
        out.extend([0xff, 0xdb, 0, 67, 0]);
        out.extend([1; 64]);
        out.extend([0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]);
        // One code each: a difference of ten bits for the mean, the end of the block for the rest.
        for (table, symbol) in [(0x00, 10), (0x10, 0)] {
            out.extend([0xff, 0xc4, 0, 20, table, 1]);
            out.extend([0; 15]);
            out.push(symbol);
        }
        out.extend([0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
        let bits: String = parts.map(|p| format!("0{:010b}0", if p < 128 { 511 } else { 512 })).concat();
        let bytes = bits.as_bytes().chunks(8).map(|b| u8::from_str_radix(std::str::from_utf8(b).expect("bits"), 2));
        for byte in bytes {
            let byte = byte.expect("eight bits");
            out.push(byte);
            if byte == 0xff {
                out.push(0);
            }
        }
        out.extend([0xff, 0xd9]);
        out
    }

    #[test]
    fn grey_is_read_of_every_kind_of_colours() {
        let jpeg = cmyk([64, 192, 192, 192]);
        let colours = read(&jpeg, [3, 8, 8]).expect("colours");
        let [r, g, b] = [colours[0], colours[64], colours[128]];
        assert!((r - 48.0).abs() <= 2.0 && (g - 145.0).abs() <= 2.0 && g == b, "{r} {g} {b}");
        let grey = read(&jpeg, [1, 8, 8]).expect("grey");
        assert_eq!(grey, [luma([r, g, b].map(|v| v as u32)) as f32; 64]);
    }
}
