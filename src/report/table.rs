//! A small table: for terminals, as Markdown, as CSV. Also how counts and sizes are written everywhere.

pub use crate::diag::numbers::{human_bytes, human_count};
use unicode_width::UnicodeWidthStr;

use crate::screen::{paint, visible};

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    /// For numbers.
    Right,
}

/// A column's title and alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub title: String,
    pub align: Align,
}

impl Column {
    /// A column of text.
    pub fn left(title: impl Into<String>) -> Column {
        Column { title: title.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn right(title: impl Into<String>) -> Column {
        Column { title: title.into(), align: Align::Right }
    }
}

/// Rows under titled columns. A row may be shorter than the columns; the rest of it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Aligned columns under a rule; titles are bold where `color` is on.
    pub fn terminal(&self, color: bool) -> String {
        // A cell is one line, and as wide as it is shown.
        let shown = self.map(|cell| visible(cell, false));
        let widths = shown.widths();
        let mut out = String::new();
        let titles: Vec<String> = shown.columns.iter().map(|c| c.title.clone()).collect();
        let line = shown.line(&titles, &widths);
        out.push_str(&format!("{}\n", paint(&line, "1", color)));
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        out.push_str(&format!("{}\n", "─".repeat(total)));
        for row in &shown.rows {
            out.push_str(&format!("{}\n", shown.line(row, &widths)));
        }
        out
    }

    fn map(&self, cell: impl Fn(&str) -> String) -> Table {
        Table {
            columns: self.columns.iter().map(|c| Column { title: cell(&c.title), align: c.align }).collect(),
            rows: self.rows.iter().map(|r| r.iter().map(|c| cell(c)).collect()).collect(),
        }
    }

    /// A table of GitHub's Markdown, padded so that it can be read as it is.
    pub fn markdown(&self) -> String {
        let escape = |s: &str| s.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ");
        let escaped = self.map(|cell| visible(&escape(cell), false));
        let widths: Vec<usize> = escaped.widths().into_iter().map(|w| w.max(3)).collect();
        let line = |cells: &[String]| {
            let mut out = String::from("|");
            for (i, (c, w)) in escaped.columns.iter().zip(&widths).enumerate() {
                let cell = cells.get(i).map(String::as_str).unwrap_or_default();
                out.push_str(&format!(" {} |", pad(cell, *w, c.align)));
            }
            out + "\n"
        };
        let titles: Vec<String> = escaped.columns.iter().map(|c| c.title.clone()).collect();
        let mut out = line(&titles);
        out.push('|');
        for (c, w) in escaped.columns.iter().zip(&widths) {
            match c.align {
                Align::Left => out.push_str(&format!(" {} |", "-".repeat(*w))),
                Align::Right => out.push_str(&format!(" {}: |", "-".repeat(w - 1))),
            }
        }
        out.push('\n');
        escaped.rows.iter().for_each(|r| out.push_str(&line(r)));
        out
    }

    /// Comma-separated values with a line of titles, quoted where they must be.
    pub fn csv(&self) -> String {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let titles = self.columns.iter().map(|c| c.title.as_str());
        let written = writer.write_record(titles).and_then(|()| {
            self.rows.iter().try_for_each(|r| {
                let blank = self.columns.len().saturating_sub(r.len());
                writer.write_record(r.iter().map(String::as_str).chain(std::iter::repeat_n("", blank)))
            })
        });
        written.expect("writing to memory");
        String::from_utf8(writer.into_inner().expect("writing to memory")).expect("made of strings")
    }

    fn widths(&self) -> Vec<usize> {
        let of = |i: usize, c: &Column| {
            let cells = self.rows.iter().filter_map(|r| r.get(i)).map(|s| s.width()).max().unwrap_or(0);
            cells.max(c.title.width())
        };
        self.columns.iter().enumerate().map(|(i, c)| of(i, c)).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut out = String::new();
        for (i, (c, w)) in self.columns.iter().zip(widths).enumerate() {
            if i > 0 {
                out.push_str("  ");
            }
            out.push_str(&pad(cells.get(i).map(String::as_str).unwrap_or_default(), *w, c.align));
        }
        out.truncate(out.trim_end().len());
        out
    }
}

/// Pads to a width in terminal cells; longer text stays as it is.
pub fn pad(text: &str, width: usize, align: Align) -> String {
    let blank = " ".repeat(width.saturating_sub(text.width()));
    match align {
        Align::Left => format!("{text}{blank}"),
        Align::Right => format!("{blank}{text}"),
    }
}

/// The titles of the two columns, or rows, of shared fractions.
pub const SHARED: [&str; 2] = ["params shared", "MACs shared"];

/// The cells of the columns [`SHARED`].
pub fn shared(s: &crate::check::Shared) -> [String; 2] {
    [percent(s.params), percent(s.macs)]
}

/// Formats a fraction as `33.3 %` or `100 %`, and `None` as `-`.
pub fn percent(share: Option<f64>) -> String {
    let Some(share) = share else { return "-".to_string() };
    let text = format!("{:.1}", 100.0 * share);
    format!("{} %", text.strip_suffix(".0").filter(|_| (100.0 * share).fract() == 0.0).unwrap_or(&text))
}

/// [`human_count`], or `open` where the size is not known yet.
pub fn count_or_open(n: Option<u64>) -> String {
    n.map_or_else(|| "open".to_string(), human_count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::for_terminal;

    #[test]
    fn counts_and_bytes_have_three_digits() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1.00 k"),
            (9_536, "9.54 k"),
            (99_949, "99.9 k"),
            (99_951, "100 k"),
            (999_499, "999 k"),
            (999_999, "1.00 M"),
            (2_200_000, "2.20 M"),
            (u64::MAX, "18.4 E"),
        ];
        for (n, want) in cases {
            assert_eq!(human_count(n), want);
        }
        assert_eq!(human_bytes(1023), "1023 B");
        assert_eq!(human_bytes(1536), "1.50 KiB");
        assert_eq!(human_bytes(2_202_010), "2.10 MiB");
    }

    fn table() -> Table {
        let mut t = Table::new([Column::left("task"), Column::right("auc")]);
        t.row(["Smiling", "0.9"]);
        t.row(["笑顔", "12.25"]);
        t.row(["a|b, c"]);
        t
    }

    #[test]
    fn wide_characters_keep_columns_aligned() {
        let want = "task       auc\n──────────────\nSmiling    0.9\n笑顔     12.25\na|b, c\n";
        assert_eq!(table().terminal(false), want);
        assert!(for_terminal(&table().terminal(true)).starts_with("\x1b[1mtask"));
    }

    #[test]
    fn markdown_and_csv_escape() {
        let want = "| task    |   auc |\n| ------- | ----: |\n| Smiling |   0.9 |\n| 笑顔    | 12.25 |\n| a\\|b, c |       |\n";
        assert_eq!(table().markdown(), want);
        assert_eq!(table().csv(), "task,auc\nSmiling,0.9\n笑顔,12.25\n\"a|b, c\",\n");
    }
}
