//! Predictions as JSON Lines: one object per row and line. Values that are not finite are `null`.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Contents, Rows, Writer, read};
use crate::objective::TaskKind;
use crate::runtime::answers::Answer;
use crate::screen;

pub struct Jsonl<'a> {
    pub contents: Contents,
    pub out: Box<dyn Write + 'a>,
}

fn text(s: &str) -> String {
    screen::json(&serde_json::Value::from(s).to_string())
}

fn number(v: f32) -> String {
    // As text: the library's values hold f64, which has more digits than there are.
    if v.is_finite() { super::number(v) } else { "null".into() }
}

fn object(names: &[String], values: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = names.iter().zip(values).map(|(n, v)| format!("{}:{v}", text(n))).collect();
    format!("{{{}}}", parts.join(","))
}

fn value(a: &Answer, raw: &[f32], with_raw: bool) -> String {
    let of = |v: f64| if v.is_finite() { read(a, v) } else { "null".into() };
    let values: Vec<String> = a.values(raw).into_iter().map(of).collect();
    let mut out = match a.kind {
        TaskKind::Binary => format!("{{\"probability\":{}", values[0]),
        TaskKind::Classes(_) => {
            format!("{{\"class\":{},\"probabilities\":{}", text(a.class(raw)), object(&a.names, values.into_iter()))
        }
        TaskKind::Multilabel(_) => format!("{{\"probabilities\":{}", object(&a.names, values.into_iter())),
        _ if values.len() == 1 => return values.into_iter().collect(),
        _ => return format!("[{}]", values.join(",")),
    };
    if with_raw {
        let raw = match a.kind {
            TaskKind::Binary => number(raw[0]),
            _ => object(&a.names, raw.iter().copied().map(number)),
        };
        let _ = write!(out, ",\"raw\":{raw}");
    }
    out + "}"
}

impl Writer for Jsonl<'_> {
    fn rows(&mut self, rows: Rows) -> io::Result<()> {
        for row in 0..rows.rows {
            let leads =
                self.contents.leads.iter().zip(rows.leads).map(|(n, l)| format!("{}:{}", text(n), text(&l[row])));
            let answers = self.contents.answers.iter().enumerate().map(|(i, a)| {
                let value = value(a, rows.raw(&self.contents, i, row), self.contents.raw_of(a));
                format!("{}:{value}", text(&a.task))
            });
            let all: Vec<String> = leads.chain(answers).collect();
            writeln!(self.out, "{{{}}}", all.join(","))?;
        }
        self.out.flush()
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}
