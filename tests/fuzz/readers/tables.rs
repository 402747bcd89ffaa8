//! Mutated tables through the csv reader, and what it makes of them.

use mtlc::data::{LoadContext, Raw, Values};

use super::{Folder, data_laws, says_what};
use crate::dice::Dice;
use crate::mutate::bytes;
use crate::runner::Target;
use crate::support;

/// How the table is declared; the first byte of an input says which.
const WAYS: &[&str] = &[
    r#"format = csv, train = "t.csv", validation = share(0.2)"#,
    r#"format = csv, train = "t.csv", validation = share(0.3), test = share(0.2), numeric = [age]"#,
    r#"format = csv, train = "t.csv", validation = "t.csv", header = false, columns = [age, work, pay]"#,
    r#"format = csv, train = "t.csv", validation = share(0.5), delimiter = ";", missing = ["NA"]"#,
    r#"format = csv, train = "t.csv", validation = "t.csv", test = "t.csv", drop = [work]"#,
    "format = csv, train = \"t.csv\", validation = share(0.2), delimiter = \"\\t\"",
];

const TABLES: &[&str] = &[
    "age,work,pay\n17,none,0\n42,\"clerk, senior\",1200.5\n38,?,900\n61,\"he said \"\"no\"\"\",-3\n20,nurse,\n",
    "age;work;pay\r\n17;none;0\r\n42;clerk;1e3\r\nNA;clerk;-0.0\r\n5;baker;7\r\n",
    "age\twork\tpay\n1\ta\t1\n2\tb\t0\n3\ta\t1\n4\tc\t0\n",
    "\u{feff}age,work,pay\n1,é,1\n2,\u{1f600},0\n3,é,1\n4,,0\n",
    "1,a,1\n2,b,0\n3,a,1\n4,c,0\n5,a,1\n6,b,0\n",
    "age,work,pay\n1,\"two\nlines\",1\n2,\"\",0\n3,x,1\n4,y,0\n",
];

/// Cells that a reader is weak against.
const CELLS: &[&str] = &[
    "",
    "\"",
    "\"\"",
    "\"\"\"",
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "nan",
    "inf",
    "-inf",
    "1e308",
    "-1e308",
    "1e309",
    "1e-320",
    "0x10",
    "1_000",
    "9223372036854775808",
    "4294967295",
    "?",
    "NA",
    "true",
    " 7 ",
    "\u{feff}",
    "é",
    "\u{202e}",
    "-0",
    "+1",
    ".5",
    "5.",
    "\\",
    "#",
    "\n\n\n",
    "a,b,c,d,e,f",
    "\"open",
    "close\"",
    "\"a\"b",
    "3.4e38",
    "3.5e38",
    "1e39",
];

pub struct Tables {
    folder: Folder,
}

impl Tables {
    pub fn new() -> Tables {
        Tables { folder: Folder::new() }
    }
}

impl Target for Tables {
    fn name(&self) -> &'static str {
        "tables"
    }
    fn ending(&self) -> &'static str {
        ".csv"
    }
    fn rounds(&self) -> (u64, u64) {
        (10, 400)
    }

    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut text = (*dice.pick(TABLES)).to_string();
        for _ in 0..1 + dice.roll(4) {
            text = cells(&text, dice);
        }
        let mut data = text.into_bytes();
        if dice.one_in(3) {
            for _ in 0..1 + dice.roll(3) {
                bytes::mutate(&mut data, dice.pick(TABLES).as_bytes(), dice);
            }
        }
        if dice.one_in(40) {
            // One cell of many bytes.
            let at = dice.roll(data.len() + 1);
            let long = vec![*dice.pick(b"a\"9,"); 100_000];
            data.splice(at..at, long);
        }
        if dice.one_in(8) {
            data = support::gzip(&data);
            for _ in 0..dice.roll(3) {
                bytes::mutate(&mut data, b"", dice);
            }
        }
        data.insert(0, dice.roll(WAYS.len()) as u8);
        data
    }

    fn run(&mut self, input: &[u8]) -> &'static str {
        let Some((way, data)) = input.split_first() else { return "nothing" };
        let way = WAYS[usize::from(*way) % WAYS.len()];
        self.folder.write("t.csv", data);
        let (def, args) = support::attributes(way);
        match (def.load)(&args, &LoadContext { base: self.folder.path(), schema: None }) {
            Ok(raw) => {
                data_laws(&raw);
                plain_cells_are_read(&raw, data, way);
                "read"
            }
            Err(e) => {
                says_what(&e);
                "refused"
            }
        }
    }
}

/// One cell for another, or lines moved.
fn cells(text: &str, dice: &mut Dice) -> String {
    let ends: Vec<usize> =
        text.char_indices().filter(|(_, c)| matches!(c, ',' | ';' | '\t' | '\n')).map(|(i, _)| i).collect();
    if ends.len() < 3 {
        return format!("{text}{}", dice.pick::<&str>(CELLS));
    }
    let i = dice.roll(ends.len() - 1);
    match dice.roll(5) {
        0..=2 => format!("{}{}{}", &text[..=ends[i]], dice.pick::<&str>(CELLS), &text[ends[i + 1]..]),
        3 => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let (a, b) = (dice.roll(lines.len()), dice.roll(lines.len()));
            if dice.one_in(2) {
                lines.swap(a, b)
            } else {
                lines.insert(a, lines[b])
            }
            lines.concat()
        }
        _ => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            lines.remove(dice.roll(lines.len()));
            lines.concat()
        }
    }
}

/// The judge, for tables without quotes: rows are lines that are not empty, cells stand between delimiters, and the multiset of
/// what stands in the first column is that of the file.
fn plain_cells_are_read(raw: &Raw, data: &[u8], way: &str) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains('"') || data.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    let delimiter = match () {
        _ if way.contains("\";\"") => ';',
        _ if way.contains("\\t") => '\t',
        _ => ',',
    };
    let header = !way.contains("header = false");
    // A byte order mark is no part of the first cell.
    let text = text.trim_start_matches('\u{feff}');
    let blank = |c: char| c.is_ascii_whitespace() && c != delimiter;
    let mut lines = text.split(['\n', '\r']).filter(|l| !l.trim_matches(blank).is_empty());
    if header {
        lines.next();
    }
    // Reading a file three times gives its rows three times.
    let times = way.matches("\"t.csv\"").count();
    let blank = |c: char| c.is_ascii_whitespace();
    let first = |l: &str| l.split(delimiter).next().unwrap_or_default().trim_matches(blank).to_string();
    let mut wanted: Vec<String> = lines.flat_map(|l| vec![first(l); times]).collect();
    let rows: usize = raw.splits.iter().map(|s| s.rows).sum();
    assert_eq!(rows, wanted.len(), "rows of the file, {times} times");
    let numeric = !raw.splits[0].columns[0].is_text();
    let in_numbers = |c: &str| numeric && raw.missing_numbers.iter().any(|m| m == c);
    let missing = |c: &str| raw.missing.iter().any(|m| m == c) || in_numbers(c);
    let mut found: Vec<String> = Vec::new();
    for split in &raw.splits {
        found.extend((0..split.rows).map(|row| match &split.columns[0] {
            Values::Text(codes) => match raw.columns[0].dictionary.get(codes[row] as usize) {
                Some(word) => word.clone(),
                None => "missing".into(),
            },
            numbers => match numbers.number(row) {
                v if v.is_nan() => "missing".into(),
                v => format!("{v:?}"),
            },
        }));
    }
    for cell in &mut wanted {
        if missing(cell) {
            *cell = "missing".into();
        } else if numeric {
            *cell = format!("{:?}", cell.parse::<f64>().expect("it was read as a number"));
        }
    }
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "the cells of the first column");
}
