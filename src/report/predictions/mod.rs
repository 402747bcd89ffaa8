//! Predictions as files: csv, one JSON object per line, NumPy arrays. Rows arrive in pieces and are written in order. Numbers in the units
//! of a standardised label are f64; all others are f32, including raw outputs of heads. As text, a number is the shortest that reads back
//! as the same number; in arrays, it is `<f8` or `<f4`.
//!
//! ```text
//!                     csv                                    jsonl                                    npz
//! binary              T (probability)                        T: {"probability"}                       T [rows]
//! classes             T (the likeliest), T.NAME per class    T: {"class", "probabilities": {NAME}}    T [rows, n]
//! multilabel          T.0 .. (probabilities)                 T: {"probabilities": {NAME}}             T [rows, n]
//! regression          T, or T.0 ..                           T: number, or [numbers]                  T [rows], or [rows, n]
//! dense kinds         -                                      -                                        T [rows, n, height, width]
//! with raw outputs    T.raw, or T.raw.NAME ..                "raw" beside                             T.raw
//! ```
//!
//! Before the tasks stand the columns that say which row it is, as they are called.

mod csv;
mod jsonl;
mod npz;

use std::io::{self, Write};
use std::path::Path;

use crate::runtime::answers::Answer;

/// How predictions are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Csv,
    Jsonl,
    /// All arrays in one archive.
    Npz,
    /// The only array.
    Npy,
}

impl Layout {
    /// Whether outputs per pixel have a place in it.
    pub fn takes_dense(self) -> bool {
        matches!(self, Layout::Npz | Layout::Npy)
    }
}

/// What stands in a file.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Names of the columns before the tasks.
    pub leads: Vec<String>,
    pub answers: Vec<Answer>,
    /// Also what the heads gave.
    pub raw: bool,
}

impl Contents {
    /// `leads` that are called like a task get a name of their own.
    pub fn new(leads: &[&str], answers: Vec<Answer>, raw: bool) -> Contents {
        let taken = |n: &str| answers.iter().any(|a| a.task == n);
        let leads = leads.iter().map(|n| if taken(n) { format!("id.{n}") } else { (*n).to_string() });
        Contents { leads: leads.collect(), answers, raw }
    }

    /// Whether the outputs of the head are written beside what people read.
    fn raw_of(&self, a: &Answer) -> bool {
        self.raw && a.is_logit()
    }
}

/// Some rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub rows: usize,
    /// Per lead, a text per row.
    pub leads: &'a [Vec<String>],
    /// Per answer, the outputs of its head, row after row.
    pub outputs: &'a [Vec<f32>],
}

impl Rows<'_> {
    fn raw(&self, contents: &Contents, answer: usize, row: usize) -> &[f32] {
        let n = contents.answers[answer].len();
        &self.outputs[answer][row * n..(row + 1) * n]
    }
}

/// Writes rows; a file is whole after [`Writer::finish`].
pub trait Writer {
    fn rows(&mut self, rows: Rows) -> io::Result<()>;
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A writer of that layout. `spool` is a folder for what must wait until the number of rows is known.
pub fn writer<'a>(
    layout: Layout,
    contents: Contents,
    out: Box<dyn Write + 'a>,
    spool: &Path,
) -> io::Result<Box<dyn Writer + 'a>> {
    Ok(match layout {
        Layout::Csv => Box::new(csv::Csv::new(contents, out)),
        Layout::Jsonl => Box::new(jsonl::Jsonl { contents, out }),
        Layout::Npz => Box::new(npz::Npz::new(contents, out, spool, true)?),
        Layout::Npy => Box::new(npz::Npz::new(contents, out, spool, false)?),
    })
}

/// The shortest text that reads back as the same f32.
fn number(v: f32) -> String {
    format!("{v:?}")
}

/// A number of an answer as text: the shortest that reads back as the same number of its width.
fn read(a: &Answer, v: f64) -> String {
    if a.is_wide() { format!("{v:?}") } else { number(v as f32) }
}
