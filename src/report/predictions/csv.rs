//! Predictions as a table.

use std::io::{self, Write};

use super::{Contents, Rows, Writer, number};
use crate::objective::TaskKind;
use crate::runtime::answers::Answer;

pub struct Csv<'a> {
    contents: Contents,
    out: ::csv::Writer<Box<dyn Write + 'a>>,
}

impl<'a> Csv<'a> {
    /// Writes the header, so that a table of no rows has one.
    pub fn new(contents: Contents, out: Box<dyn Write + 'a>) -> io::Result<Csv<'a>> {
        let mut out = ::csv::Writer::from_writer(out);
        let mut titles = contents.leads.clone();
        for a in &contents.answers {
            let single = a.len() == 1;
            if matches!(a.kind, TaskKind::Classes(_)) || single {
                titles.push(a.task.clone());
            }
            if matches!(a.kind, TaskKind::Classes(_)) || !single {
                titles.extend(a.names.iter().map(|n| format!("{}.{n}", a.task)));
            }
            if contents.raw_of(a) {
                match a.kind {
                    TaskKind::Binary => titles.push(format!("{}.raw", a.task)),
                    _ => titles.extend(a.names.iter().map(|n| format!("{}.raw.{n}", a.task))),
                }
            }
        }
        out.write_record(&titles)?;
        Ok(Csv { contents, out })
    }
}

fn cells(a: &Answer, raw: &[f32], with_raw: bool, record: &mut Vec<String>) {
    if matches!(a.kind, TaskKind::Classes(_)) {
        record.push(a.class(raw).to_string());
    }
    record.extend(a.values(raw).into_iter().map(number));
    if with_raw {
        record.extend(raw.iter().copied().map(number));
    }
}

impl Writer for Csv<'_> {
    fn rows(&mut self, rows: Rows) -> io::Result<()> {
        let mut record = Vec::new();
        for row in 0..rows.rows {
            record.clear();
            record.extend(rows.leads.iter().map(|l| l[row].clone()));
            for (i, a) in self.contents.answers.iter().enumerate() {
                cells(a, rows.raw(&self.contents, i, row), self.contents.raw_of(a), &mut record);
            }
            self.out.write_record(&record)?;
        }
        self.out.flush()
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}
