//! The orientation of a picture according to the EXIF data in its file. Cameras store pixels in the order of the sensor and record how
//! the camera was held.
//!
//! Nothing here fails: malformed data are ignored, and the picture is not changed.

/// The tag of the orientation, in the first directory.
const ORIENTATION: u16 = 0x0112;

/// One of the eight orientations of EXIF, from 1. 1 is upright, and is used if the orientation is absent or malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    pub const UPRIGHT: Orientation = Orientation(1);

    /// Reads the orientation of a jpeg or png file.
    pub fn of(file: &[u8]) -> Orientation {
        let block = if file.starts_with(&[0xff, 0xd8]) { jpeg(file) } else { png(file) };
        block.and_then(tag).map_or(Orientation::UPRIGHT, Orientation)
    }

    /// Whether width and height are swapped.
    pub fn swaps(self) -> bool {
        self.0 >= 5
    }

    /// Turns a picture upright. `pixels` has `step` values per pixel, row by row. Returns the pixels and the new width and height.
    pub fn upright<T: Copy>(self, pixels: Vec<T>, step: usize, [width, height]: [usize; 2]) -> (Vec<T>, [usize; 2]) {
        if self == Orientation::UPRIGHT {
            return (pixels, [width, height]);
        }
        let sizes = if self.swaps() { [height, width] } else { [width, height] };
        let mut out = Vec::with_capacity(pixels.len());
        for y in 0..sizes[1] {
            for x in 0..sizes[0] {
                let (column, row) = match self.0 {
                    2 => (width - 1 - x, y),
                    3 => (width - 1 - x, height - 1 - y),
                    4 => (x, height - 1 - y),
                    5 => (y, x),
                    6 => (y, height - 1 - x),
                    7 => (width - 1 - y, height - 1 - x),
                    _ => (width - 1 - y, x),
                };
                let at = (row * width + column) * step;
                out.extend_from_slice(&pixels[at..at + step]);
            }
        }
        (out, sizes)
    }
}

/// The EXIF block of a jpeg. It is in an APP1 segment before the first scan.
fn jpeg(b: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        if *b.get(at)? != 0xff {
            return None;
        }
        match *b.get(at + 1)? {
            // Fill bytes.
            0xff => at += 1,
            // Markers without a segment.
            0x01 | 0xd0..=0xd7 => at += 2,
            // The scan, or the end.
            0xd9 | 0xda => return None,
            mark => {
                let length = usize::from(u16::from_be_bytes([*b.get(at + 2)?, *b.get(at + 3)?]));
                let body = b.get(at + 4..at + 2 + length)?;
                // The sixth byte is padding; some files have a value other than 0 there.
                if mark == 0xe1 && body.starts_with(b"Exif\0") {
                    return body.get(6..);
                }
                at += 2 + length;
            }
        }
    }
}

/// The EXIF block of a png: the chunk `eXIf`, which may be before or after the pixels.
fn png(b: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(b.get(at..at + 4)?.try_into().ok()?) as usize;
        let chunk = b.get(at + 4..)?.get(..length.checked_add(4)?)?;
        let sum = u32::from_be_bytes(b.get(at + 8 + length..at + 12 + length)?.try_into().ok()?);
        if chunk.starts_with(b"eXIf") {
            let mut crc = flate2::Crc::new();
            crc.update(chunk);
            let body = &chunk[4..];
            return (crc.sum() == sum).then_some(body.strip_prefix(b"Exif\0\0").unwrap_or(body));
        }
        at += 12 + length;
    }
}

/// The orientation in an EXIF block, which is a TIFF file: a header, then directories of 12 bytes per entry.
fn tag(b: &[u8]) -> Option<u8> {
    let big = match b.get(..2)? {
        b"II" => false,
        b"MM" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = b.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes: [u8; 4] = b.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    if short(2)? != 42 {
        return None;
    }
    let directory = long(4)? as usize;
    for entry in 0..usize::from(short(directory)?) {
        let at = directory.checked_add(2 + 12 * entry)?;
        if short(at)? != ORIENTATION {
            continue;
        }
        let value = match short(at + 2)? {
            1 => u32::from(*b.get(at + 8)?),
            3 => u32::from(short(at + 8)?),
            4 => long(at + 8)?,
            _ => return None,
        };
        return u8::try_from(value).ok().filter(|v| (1..=8).contains(v));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An EXIF block with a width and an orientation.
    fn block(big: bool, kind: u16, value: u16) -> Vec<u8> {
        let short = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let long = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let mut b = if big { b"MM".to_vec() } else { b"II".to_vec() };
        b.extend(short(42));
        b.extend(long(8));
        b.extend(short(2));
        b.extend([&short(0x0100)[..], &short(3), &long(1), &short(640), &short(0)].concat());
        b.extend([&short(ORIENTATION)[..], &short(kind), &long(1)].concat());
        match kind {
            4 => b.extend(long(u32::from(value))),
            _ => b.extend([short(value), short(0)].concat()),
        }
        b.extend(long(0));
        b
    }

    fn in_jpeg(block: &[u8]) -> Vec<u8> {
        let segment = |mark: u8, body: &[u8]| {
            let mut s = vec![0xff, mark];
            s.extend((body.len() as u16 + 2).to_be_bytes());
            s.extend(body);
            s
        };
        let exif = [b"Exif\0\0", block].concat();
        [
            &[0xff, 0xd8][..],
            &segment(0xe0, b"JFIF\0"),
            &segment(0xe1, b"http://ns"),
            &segment(0xe1, &exif),
            &[0xff, 0xda],
        ]
        .concat()
    }

    fn in_png(block: &[u8]) -> Vec<u8> {
        let chunk = |name: &[u8; 4], body: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(name);
            crc.update(body);
            [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
        };
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &[0; 13]), chunk(b"IDAT", &[1]), chunk(b"eXIf", block)].concat()
    }

    #[test]
    fn every_orientation_in_both_byte_orders_and_both_kinds_of_file() {
        for value in 1..=8 {
            for big in [false, true] {
                for kind in [3, 4] {
                    let block = block(big, kind, value);
                    let wanted = Orientation(value as u8);
                    assert_eq!(Orientation::of(&in_jpeg(&block)), wanted, "jpeg, big {big}, type {kind}");
                    assert_eq!(Orientation::of(&in_png(&block)), wanted, "png, big {big}, type {kind}");
                }
            }
        }
    }

    /// A picture of 3 x 2, with pixels numbered row by row, in each orientation. The standard defines at which sides the first row and the
    /// first column of the stored picture appear: 1 top and left, 2 top and right, 3 bottom and right, 4 bottom and left, 5 left and
    /// top, 6 right and top, 7 right and bottom, 8 left and bottom.
    #[test]
    fn pixels_of_every_orientation() {
        let stored = vec![1, 2, 3, 4, 5, 6];
        let shown: [(u8, [usize; 2], [u8; 6]); 8] = [
            (1, [3, 2], [1, 2, 3, 4, 5, 6]),
            (2, [3, 2], [3, 2, 1, 6, 5, 4]),
            (3, [3, 2], [6, 5, 4, 3, 2, 1]),
            (4, [3, 2], [4, 5, 6, 1, 2, 3]),
            (5, [2, 3], [1, 4, 2, 5, 3, 6]),
            (6, [2, 3], [4, 1, 5, 2, 6, 3]),
            (7, [2, 3], [6, 3, 5, 2, 4, 1]),
            (8, [2, 3], [3, 6, 2, 5, 1, 4]),
        ];
        for (value, sizes, pixels) in shown {
            let (out, to) = Orientation(value).upright(stored.clone(), 1, [3, 2]);
            assert_eq!((to, out.as_slice()), (sizes, &pixels[..]), "orientation {value}");
            // The three channels of a pixel stay together.
            let three: Vec<u8> = stored.iter().flat_map(|v| [*v, v + 10, v + 20]).collect();
            let (out, _) = Orientation(value).upright(three, 3, [3, 2]);
            let wanted: Vec<u8> = pixels.iter().flat_map(|v| [*v, v + 10, v + 20]).collect();
            assert_eq!(out, wanted, "orientation {value}");
        }
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        for file in [in_jpeg(&block(false, 3, 6)), in_png(&block(true, 3, 6))] {
            // Files that are truncated at every position, or have one byte replaced.
            for end in 0..file.len() {
                Orientation::of(&file[..end]);
            }
            for at in 0..file.len() {
                for byte in [0, 1, 0x7f, 0xff] {
                    let mut broken = file.clone();
                    broken[at] = byte;
                    assert!((1..=8).contains(&Orientation::of(&broken).0));
                }
            }
        }
        for value in [0, 9, 255, 65535] {
            assert_eq!(Orientation::of(&in_jpeg(&block(false, 3, value))), Orientation::UPRIGHT, "{value}");
        }
        // A text is not an orientation.
        assert_eq!(Orientation::of(&in_jpeg(&block(false, 2, 6))), Orientation::UPRIGHT);
        // A chunk whose checksum is wrong.
        let mut damaged = in_png(&block(false, 3, 6));
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(Orientation::of(&damaged), Orientation::UPRIGHT);
    }
}
