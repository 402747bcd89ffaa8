//! Predictions as a table.

use std::io::{self, Write};

use super::{Contents, Rows, Writer, number, read};
use crate::objective::TaskKind;
use crate::runtime::answers::Answer;

pub struct Csv<'a> {
    contents: Contents,
    out: ::csv::Writer<Box<dyn Write + 'a>>,
    begun: bool,
}

impl<'a> Csv<'a> {
    pub fn new(contents: Contents, out: Box<dyn Write + 'a>) -> Csv<'a> {
        Csv { contents, out: ::csv::Writer::from_writer(out), begun: false }
    }

    /// The header, before the first row; at the end where there was none. Data that cannot be read leave nothing behind.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let mut titles = self.contents.leads.clone();
        for a in &self.contents.answers {
            let single = a.len() == 1;
            let classes = matches!(a.kind, TaskKind::Classes(_));
            if classes || single {
                titles.push(a.task.clone());
            }
            if classes || !single {
                titles.extend(a.names.iter().map(|n| format!("{}.{n}", a.task)));
            }
            if self.contents.raw_of(a) {
                match a.kind {
                    TaskKind::Binary => titles.push(format!("{}.raw", a.task)),
                    _ => titles.extend(a.names.iter().map(|n| format!("{}.raw.{n}", a.task))),
                }
            }
        }
        Ok(self.out.write_record(&titles)?)
    }
}

fn cells(a: &Answer, raw: &[f32], with_raw: bool, record: &mut Vec<String>) {
    if matches!(a.kind, TaskKind::Classes(_)) {
        record.push(a.class(raw).to_string());
    }
    record.extend(a.values(raw).into_iter().map(|v| read(a, v)));
    if with_raw {
        record.extend(raw.iter().copied().map(number));
    }
}

impl Writer for Csv<'_> {
    fn rows(&mut self, rows: Rows) -> io::Result<()> {
        self.begin()?;
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
        self.begin()?;
        self.out.flush()
    }
}
