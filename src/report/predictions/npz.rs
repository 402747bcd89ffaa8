//! Predictions as NumPy arrays: an `.npz` with an array per task, or the `.npy` of the only one. The header of an array says how many
//! rows it has, so values wait in nameless files until the last row is there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Contents, Rows, Writer};

pub struct Npz<'a> {
    contents: Contents,
    out: Box<dyn Write + 'a>,
    arrays: Vec<Spooled>,
    /// Per lead; short beside the arrays.
    leads: Vec<Vec<String>>,
    rows: usize,
    archive: bool,
}

/// Values in the order in which they came: f64 for a wide answer, else f32, as for all raw outputs of heads.
struct Spooled {
    name: String,
    answer: usize,
    raw: bool,
    wide: bool,
    sizes: Vec<usize>,
    file: io::BufWriter<File>,
    crc: flate2::Crc,
}

impl<'a> Npz<'a> {
    pub fn new(contents: Contents, out: Box<dyn Write + 'a>, spool: &Path, archive: bool) -> io::Result<Npz<'a>> {
        let mut arrays = Vec::new();
        for (answer, a) in contents.answers.iter().enumerate() {
            for raw in [false, true] {
                if raw && !contents.raw_of(a) {
                    continue;
                }
                arrays.push(Spooled {
                    name: if raw { format!("{}.raw", a.task) } else { a.task.clone() },
                    answer,
                    raw,
                    wide: !raw && a.is_wide(),
                    sizes: if a.sizes == [1] { Vec::new() } else { a.sizes.clone() },
                    file: io::BufWriter::new(tempfile::tempfile_in(spool)?),
                    crc: flate2::Crc::new(),
                });
            }
        }
        let leads = vec![Vec::new(); contents.leads.len()];
        Ok(Npz { contents, out, arrays, leads, rows: 0, archive })
    }
}

impl Writer for Npz<'_> {
    fn rows(&mut self, rows: Rows) -> io::Result<()> {
        for s in &mut self.arrays {
            let raw = &rows.outputs[s.answer];
            let answer = &self.contents.answers[s.answer];
            let bytes: Vec<u8> = match (s.raw, s.wide) {
                (true, _) => raw.iter().flat_map(|v| v.to_le_bytes()).collect(),
                (false, true) => answer.all(raw).iter().flat_map(|v| v.to_le_bytes()).collect(),
                (false, false) => answer.all(raw).iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
            };
            s.crc.update(&bytes);
            s.file.write_all(&bytes)?;
        }
        for (all, new) in self.leads.iter_mut().zip(rows.leads) {
            all.extend_from_slice(new);
        }
        self.rows += rows.rows;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let mut zip = Zip { out: &mut self.out, at: 0, directory: Vec::new(), members: 0 };
        for (name, texts) in self.contents.leads.iter().zip(&self.leads).filter(|_| self.archive) {
            let (header, body) = unicode(texts);
            let mut crc = flate2::Crc::new();
            crc.update(&header);
            crc.update(&body);
            zip.member(name, crc.sum(), &header, body.len() as u64, &mut body.as_slice())?;
        }
        for s in self.arrays {
            let mut file = s.file.into_inner().map_err(|e| e.into_error())?;
            let length = file.stream_position()?;
            file.seek(SeekFrom::Start(0))?;
            let shape: Vec<usize> = std::iter::once(self.rows).chain(s.sizes).collect();
            let header = header(if s.wide { "<f8" } else { "<f4" }, &shape);
            if !self.archive {
                zip.out.write_all(&header)?;
                io::copy(&mut file, zip.out)?;
                return zip.out.flush();
            }
            let mut crc = flate2::Crc::new();
            crc.update(&header);
            crc.combine(&s.crc);
            zip.member(&s.name, crc.sum(), &header, length, &mut file)?;
        }
        zip.finish()
    }
}

/// The head of a version 1 `.npy`, as long as a multiple of 64 bytes.
fn header(dtype: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|s| format!("{s}, ")).collect();
    let mut text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.bytes());
    out
}

/// Texts as an array of NumPy's fixed width: UTF-32, filled up with zeros.
fn unicode(texts: &[String]) -> (Vec<u8>, Vec<u8>) {
    let width = texts.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(1);
    let mut body = Vec::with_capacity(texts.len() * width * 4);
    for t in texts {
        let filled = t.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
        body.extend(filled.flat_map(u32::to_le_bytes));
    }
    (header(&format!("<U{width}"), &[texts.len()]), body)
}

/// Just enough of the zip format: stored members, without a date.
struct Zip<'o, W: Write> {
    out: &'o mut W,
    at: u64,
    directory: Vec<u8>,
    members: u16,
}

impl<W: Write> Zip<'_, W> {
    fn member(&mut self, name: &str, crc: u32, head: &[u8], length: u64, body: &mut impl Read) -> io::Result<()> {
        let size = head.len() as u64 + length;
        let too_large = || {
            io::Error::other(
                "an `.npz` holds less than 4 GiB: predict fewer rows at a time, or fewer tasks with `--tasks`",
            )
        };
        let size = u32::try_from(size).map_err(|_| too_large())?;
        let at = u32::try_from(self.at).map_err(|_| too_large())?;
        let name = format!("{name}.npy");
        let mut common = Vec::new();
        // Version 2.0, names in UTF-8, stored, the first day that the format knows.
        for field in [20u16, 0x0800, 0, 0, 0x21] {
            common.extend(field.to_le_bytes());
        }
        for field in [crc, size, size] {
            common.extend(field.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        let mut local = b"PK\x03\x04".to_vec();
        local.extend(&common);
        local.extend(name.bytes());
        self.out.write_all(&local)?;
        self.out.write_all(head)?;
        io::copy(body, self.out)?;
        self.at += local.len() as u64 + u64::from(size);
        self.members += 1;
        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&common);
        self.directory.extend([0; 10]);
        self.directory.extend(at.to_le_bytes());
        self.directory.extend(name.bytes());
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        let at = u32::try_from(self.at).map_err(|_| io::Error::other("an `.npz` holds less than 4 GiB"))?;
        let mut end = self.directory;
        let length = end.len() as u32;
        end.extend(b"PK\x05\x06\0\0\0\0");
        end.extend(self.members.to_le_bytes());
        end.extend(self.members.to_le_bytes());
        end.extend(length.to_le_bytes());
        end.extend(at.to_le_bytes());
        end.extend([0, 0]);
        self.out.write_all(&end)?;
        self.out.flush()
    }
}
