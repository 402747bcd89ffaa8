//! One table written in many encodings and with many line ends: every reader of text finds the same rows, the same numbers and the
//! same line numbers.

use mtlc::data::fresh::{self, Layout, Wanted};
use mtlc::data::{Raw, Schema, Values};

use super::celeba::{faces, line};
use super::support::*;

/// Seven rows. A cell of row 3 goes over two lines, and one blank line stands after row 4.
const TABLE: &str = "name,age,city,pay,sold\n\
                     r1,26,Zürich,22.5,1\n\
                     r2,,Lyon,\"1\",0\n\
                     r3,53,\"New\nYork\",-3.25,1\n\
                     r4,7,Genève,1e3,0\n\
                     \n\
                     r5,41,\"a, b\",0.5,1\n\
                     r6,NA,\"say \"\"ß\"\"\",70000,0\n\
                     r7,12,Lyon,16777217,1\n";

/// The lines on which its rows begin.
const LINES: [u32; 7] = [2, 3, 4, 6, 8, 9, 10];

/// A way to write the table: its bytes, attributes that it needs, and the lines of its rows.
struct Way {
    name: &'static str,
    bytes: Vec<u8>,
    attributes: &'static str,
    lines: [u32; 7],
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|u| if big_endian { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
}

fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect()
}

/// The table with other line ends, outside quotes and within.
fn ends(text: &str, end: &str) -> String {
    text.replace('\n', end)
}

/// Every line ends in another way than the one before.
fn mixed(text: &str) -> String {
    let mut n = 0;
    let end = |c: char| {
        if c != '\n' {
            return c.to_string();
        }
        n += 1;
        ["\n", "\r\n", "\r"][n % 3].to_string()
    };
    // CR and then LF would be one line end: a blank line keeps LF out of the way.
    text.chars().map(end).collect::<String>().replace("\r\n\r\n", "\r\n\n")
}

fn ways(table: &str) -> Vec<Way> {
    let way = |name, bytes, attributes| Way { name, bytes, attributes, lines: LINES };
    let (crlf, cr) = (ends(table, "\r\n"), ends(table, "\r"));
    let spaced = |t: &str| {
        // Blanks around cells, at the ends of lines, and on the blank line; none within quotes.
        t.lines()
            .map(|l| {
                if l.matches('"').count() % 2 == 1 {
                    // The line end stands within quotes.
                    format!("{l}\n")
                } else if l.contains('"') {
                    format!("{l} \t\n")
                } else {
                    format!(" {} \t\n", l.replace(',', " , "))
                }
            })
            .collect::<String>()
    };
    let quoted = |t: &str| {
        let name = |l: &str| match l.split_once(',') {
            // Not the second line of a cell, nor the blank line.
            Some((name, rest)) if name == "name" || name.starts_with('r') => format!("\"{name}\",{rest}"),
            _ => l.to_string(),
        };
        t.split_inclusive('\n').map(name).collect::<String>()
    };
    let with = |sign: &str| {
        let mut inside = false;
        let swap = |c: char| {
            inside ^= c == '"';
            if c == ',' && !inside { sign.to_string() } else { c.to_string() }
        };
        table.chars().map(swap).collect::<String>()
    };
    let mut all = vec![
        way("UTF-8, LF", table.as_bytes().to_vec(), ""),
        way("UTF-8, CR LF", crlf.as_bytes().to_vec(), ""),
        way("UTF-8, CR", cr.as_bytes().to_vec(), ""),
        way("UTF-8, mixed line ends", mixed(table).into_bytes(), ""),
        way("UTF-8 with a mark, LF", format!("\u{feff}{table}").into_bytes(), ""),
        way("UTF-8 with a mark, CR LF", format!("\u{feff}{crlf}").into_bytes(), ""),
        way("UTF-16 LE with a mark, CR LF", utf16(&format!("\u{feff}{crlf}"), false), ""),
        way("UTF-16 BE with a mark, LF", utf16(&format!("\u{feff}{table}"), true), ""),
        way("UTF-16 LE, CR", utf16(&cr, false), ", encoding = utf16le"),
        way("UTF-16 BE, CR LF", utf16(&crlf, true), ", encoding = utf16be"),
        way("Latin-1, LF", latin(table), ", encoding = latin1"),
        way("Windows-1252, CR LF", latin(&crlf), ", encoding = windows1252"),
        way("no line end at the end", crlf.trim_end().as_bytes().to_vec(), ""),
        way("gzip, LF", gzip(table.as_bytes()), ""),
        way("gzip of UTF-16, CR LF", gzip(&utf16(&format!("\u{feff}{crlf}"), false)), ""),
        way("gzip in two members", [gzip(&crlf.as_bytes()[..40]), gzip(&crlf.as_bytes()[40..])].concat(), ""),
        way("blanks around cells", spaced(table).into_bytes(), ""),
        way("names in quotes", quoted(table).into_bytes(), ""),
        way("semicolons, CR", ends(&with(";"), "\r").into_bytes(), ", delimiter = \";\""),
        way("tabs, CR LF", ends(&with("\t"), "\r\n").into_bytes(), ", delimiter = \"\\t\""),
        way("bars, LF", with("|").into_bytes(), ", delimiter = \"|\""),
    ];
    let later = |by: u32| LINES.map(|l| l + by);
    all.push(Way {
        name: "blank lines first",
        bytes: format!("\r\n\r\n  \r\n{crlf}").into_bytes(),
        attributes: "",
        lines: later(3),
    });
    all.push(Way {
        name: "a line that declares the delimiter",
        bytes: format!("sep=;\r\n{}", ends(&with(";"), "\r\n")).into_bytes(),
        attributes: ", delimiter = \";\"",
        lines: later(1),
    });
    // Twice as many line ends, but none within quotes.
    let wide = crlf.replace("New\r\nYork", "@").replace("\r\n", "\r\n\r\n").replace('@', "New\r\nYork");
    all.push(Way {
        name: "every other line blank",
        bytes: wide.into_bytes(),
        attributes: "",
        lines: [3, 5, 7, 10, 14, 16, 18],
    });
    all
}

/// A column of the training split: its texts, or its numbers.
fn cells(raw: &Raw, split: usize, column: &str) -> Vec<String> {
    let at = raw.index(column).expect("a column");
    match &raw.splits[split].columns[at] {
        Values::Text(codes) => codes
            .iter()
            .map(|c| raw.columns[at].dictionary.get(*c as usize).cloned().unwrap_or("missing".into()))
            .collect(),
        numbers => numbers.numbers().map(|v| if v.is_nan() { "missing".into() } else { format!("{v:?}") }).collect(),
    }
}

fn everything(raw: &Raw, split: usize) -> Vec<Vec<String>> {
    ["name", "age", "city", "pay", "sold"].map(|c| cells(raw, split, c)).to_vec()
}

#[test]
fn the_training_reader_finds_the_same_table_in_all_of_them() {
    let at = folder();
    let all = ways(TABLE);
    assert!(all.len() >= 20);
    let mut first = None;
    for way in all {
        write(at.path(), "t.csv", &way.bytes);
        let raw =
            load(&format!("format = csv, train = \"t.csv\", validation = \"t.csv\"{}", way.attributes), at.path())
                .unwrap_or_else(|e| panic!("{}: {e}", way.name));
        for split in 0..2 {
            assert_eq!(raw.splits[split].origin, way.lines, "{}", way.name);
            let found = everything(&raw, split);
            let wanted = first.get_or_insert_with(|| found.clone());
            assert_eq!(&found, wanted, "{}", way.name);
        }
    }
    let first = first.expect("some");
    assert_eq!(first[0], ["r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
    assert_eq!(first[1], ["26.0", "missing", "53.0", "7.0", "41.0", "missing", "12.0"]);
    assert_eq!(first[2], ["Zürich", "Lyon", "New\nYork", "Genève", "a, b", "say \"ß\"", "Lyon"]);
    assert_eq!(first[3], ["22.5", "1.0", "-3.25", "1000.0", "0.5", "70000.0", "16777217.0"]);
}

/// Messages of the training reader: a cell, a row that is too short, a quote that is never closed.
#[test]
fn errors_of_the_training_reader_name_the_line() {
    let at = folder();
    let kinds = ", numeric = [age, pay, sold]";
    for way in ways(&TABLE.replace("r7,12", "r7,oops")) {
        write(at.path(), "t.csv", &way.bytes);
        let text = failure(&format!("format = csv, train = \"t.csv\"{kinds}{}", way.attributes), at.path());
        let line = way.lines[6];
        assert!(
            text.starts_with(&format!("`t.csv`, line {line}, column `age`: \"oops\" is not a number")),
            "{}: {text}",
            way.name
        );
    }
    for way in ways(&TABLE.replace(",16777217,1", "")) {
        write(at.path(), "t.csv", &way.bytes);
        let text = failure(&format!("format = csv, train = \"t.csv\"{}", way.attributes), at.path());
        let line = way.lines[6];
        assert!(
            text.starts_with(&format!("`t.csv`, line {line}: 3 cells where 5 are expected")),
            "{}: {text}",
            way.name
        );
    }
    for end in ["\n", "\r\n", "\r"] {
        write(at.path(), "t.csv", ends("a,b\n1,2\n\n3,\"open\n5,6\n", end).as_bytes());
        let text = failure("format = csv, train = \"t.csv\"", at.path());
        assert!(text.starts_with("`t.csv`, line 4: a quote is opened here and never closed"), "{text}");
    }
}

fn wanted(schema: &Schema, attributes_text: &str) -> Wanted {
    let (def, args) = attributes(&format!("format = csv, train = \"t.csv\"{attributes_text}"));
    let names: Vec<String> = ["age", "city", "pay"].map(String::from).to_vec();
    let mut wanted = Wanted::new(schema, &names, Layout::of(def.call.name, &args));
    wanted.id = Some("name".into());
    wanted
}

#[test]
fn the_reader_of_new_rows_finds_the_same_table_in_all_of_them() {
    let at = folder();
    write(at.path(), "t.csv", TABLE.as_bytes());
    let raw = load("format = csv, train = \"t.csv\", validation = \"t.csv\"", at.path()).expect("a table");
    let schema = Schema::freeze(&raw);
    // By the schema, whose numbers count categories.
    let mut first = None;
    for (way, broken) in ways(TABLE).into_iter().zip(ways(&TABLE.replace("r7,12", "r7,oops"))) {
        let wanted = wanted(&schema, way.attributes);
        write(at.path(), "new.csv", &way.bytes);
        let path = [at.path().join("new.csv")];
        let mut source = fresh::open(&path, &wanted).unwrap_or_else(|e| panic!("{}: {e}", way.name));
        // In pieces of three rows.
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        while let Some(piece) = source.next(3).unwrap_or_else(|e| panic!("{}: {e}", way.name)) {
            ids.extend(piece.ids.expect("asked for"));
            values.push(["age", "city", "pay"].map(|c| cells(&piece.raw, fresh::SPLIT, c)));
        }
        assert_eq!(ids, ["r1", "r2", "r3", "r4", "r5", "r6", "r7"], "{}", way.name);
        let wanted_values = first.get_or_insert_with(|| values.clone());
        assert_eq!(&values, wanted_values, "{}", way.name);

        write(at.path(), "new.csv", &broken.bytes);
        let mut source = fresh::open(&path, &wanted).expect("a header");
        let e = source.next(100).err().expect("not a number");
        let line = broken.lines[6];
        assert!(
            e.to_string().contains(&format!("new.csv`, line {line}, column `age`: \"oops\"")),
            "{}: {e}",
            broken.name
        );
    }
    let first = first.expect("some").concat();
    assert_eq!(first[1], ["Zürich", "Lyon", "New\nYork"]);
    assert_eq!(first[0], ["26.0", "missing", "53.0"]);
    assert_eq!(first[6][0], "12.0");
}

/// The lists of `celeba`, which have no quotes and no cells over two lines.
#[test]
fn the_reader_of_lists_finds_the_same_lines_in_all_of_them() {
    let at = faces(10);
    let text = std::fs::read_to_string(at.path().join("c/list_attr_celeba.txt")).expect("a list");
    let wide = |t: &str| utf16(&format!("\u{feff}{t}"), false);
    let written = |t: &str| -> Vec<(&'static str, Vec<u8>, u32)> {
        let (crlf, cr) = (ends(t, "\r\n"), ends(t, "\r"));
        vec![
            ("LF", t.as_bytes().to_vec(), 0),
            ("CR LF", crlf.as_bytes().to_vec(), 0),
            ("CR", cr.as_bytes().to_vec(), 0),
            ("mixed", mixed(t).into_bytes(), 0),
            ("a mark, LF", format!("\u{feff}{t}").into_bytes(), 0),
            ("a mark, CR", format!("\u{feff}{cr}").into_bytes(), 0),
            ("UTF-16 LE", wide(&crlf), 0),
            ("UTF-16 BE", utf16(&format!("\u{feff}{t}"), true), 0),
            ("gzip", gzip(t.as_bytes()), 0),
            ("gzip of UTF-16, CR", gzip(&wide(&cr)), 0),
            ("no line end at the end", crlf.trim_end().as_bytes().to_vec(), 0),
            ("blanks at the ends of lines", ends(t, "  \t\n").into_bytes(), 0),
            ("two blank lines first", format!("\r\n\r\n{crlf}").into_bytes(), 2),
        ]
    };
    let read = || load("format = celeba, root = \"c\"", at.path());
    let wanted = read().expect("lists");
    for (name, bytes, later) in written(&text) {
        write(at.path(), "c/list_attr_celeba.txt", &bytes);
        let raw = read().unwrap_or_else(|e| panic!("{name}: {e}"));
        for (a, b) in raw.splits.iter().zip(&wanted.splits) {
            assert_eq!(a.columns[1..], b.columns[1..], "{name}");
            assert_eq!(a.origin, b.origin.iter().map(|l| l + later).collect::<Vec<_>>(), "{name}");
        }
    }
    let bad = text.replace(&line(6), &line(6).replacen(" 1 ", " 3 ", 1));
    assert_ne!(bad, text);
    for (name, bytes, later) in written(&bad) {
        write(at.path(), "c/list_attr_celeba.txt", &bytes);
        let e = read().expect_err("3 is no attribute").to_string();
        assert!(e.contains(&format!("line {}, column", 9 + later)), "{name}: {e}");
    }
    write(at.path(), "c/list_attr_celeba.txt", &[b"10\r\r\n", &b"caf\xe9\n"[..]].concat());
    let e = read().expect_err("not UTF-8");
    assert!(e.to_string().contains("line 3: this is not UTF-8 text; in Windows-1252 it reads \"café\""), "{e}");
    assert!(e.help().expect("a way out").contains("iconv"));
}

/// Bytes that the encoding does not allow, and encodings that nothing declares.
#[test]
fn other_encodings_are_named_with_the_way_out() {
    let at = folder();
    let fail = |bytes: &[u8], more: &str| {
        write(at.path(), "t.csv", bytes);
        failure(&format!("format = csv, train = \"t.csv\"{more}"), at.path())
    };
    let text = fail(b"a,city\r1,Bern\r2,Z\xfcrich\r", "");
    assert!(text.starts_with("`t.csv`, line 3, column `city`: \"Z\u{fffd}rich\" is not UTF-8"), "{text}");
    assert!(text.contains("reads \"Zürich\"") && text.contains("`encoding = windows1252`"), "{text}");
    let text = fail(b"a,stra\xdfe\n1,x\n", "");
    assert!(text.contains("line 1, column `number 2`") && text.contains("\"straße\""), "{text}");
    let text = fail(&utf16("a,b\n1,2\n3,4\n", false), "");
    assert!(text.contains("UTF-16 (little-endian)") && text.contains("`encoding = utf16le`"), "{text}");
    let text = fail(&utf16("a,b\n1,2\n3,4\n", true), "");
    assert!(text.contains("UTF-16 (big-endian)") && text.contains("`encoding = utf16be`"), "{text}");
    let mut torn = utf16("\u{feff}a,b\n1,2\n3,4\n", false);
    torn.pop();
    assert!(fail(&torn, "").starts_with("`t.csv`, line 3: the UTF-16 text ends in the middle of a character"));
    assert!(fail(b"\xff\xfe\0\0a\0\0\0", "").contains("UTF-32"));
}

/// Files that are no text, and tables with another delimiter.
#[test]
fn other_files_are_recognised_by_their_contents() {
    let at = folder();
    let fail = |bytes: &[u8]| {
        write(at.path(), "t.csv", bytes);
        failure("format = csv, train = \"t.csv\"", at.path())
    };
    let archive = |name: &str| zip(&[(name, b"<xml/>".to_vec(), false)]);
    for (bytes, what, way) in [
        (archive("xl/workbook.xml"), "a spreadsheet (xlsx or ods)", "CSV UTF-8"),
        (archive("data.csv"), "a zip archive", "unpack it"),
        (b"PK\x03\x04no sheet".to_vec(), "a zip archive (xlsx", "CSV UTF-8"),
        (b"PAR1\x15no rows".to_vec(), "a Parquet file", "to_csv"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), "an Excel workbook (xls)", "CSV UTF-8"),
        (npy("<f4", false, &[1], &[0; 4]), "a NumPy array", "format = npy"),
        (b"BZh91AY&SY".to_vec(), "bzip2", "unpack"),
        (b"<!DOCTYPE html><html>".to_vec(), "a web page", "download the table"),
        (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "Git LFS pointer", "git lfs pull"),
        (gzip(b"PAR1\x15no rows"), "a Parquet file", "to_csv"),
    ] {
        let text = fail(&bytes);
        assert!(text.starts_with(&format!("`t.csv`: this is {what}")) || text.contains(what), "{text}");
        assert!(text.contains(way) && text.contains("a table in text form is expected"), "{text}");
    }
    for (bytes, sign) in [
        (&b"id\tplace\ty\n1\ta,b\t0\n2\tc,d\t1\n3\te\t0\n"[..], "\"\\t\""),
        (b"a;b\r1;2\r3;4\r", "\";\""),
        (b"a|b|c\n1|2|3\n", "\"|\""),
        (b"sep=;\r\na;b\r\n1;2\r\n", "\";\""),
        (b"\xff\xfea\0;\0b\0\n\x001\0;\x002\0\n\0", "\";\""),
    ] {
        let text = fail(bytes);
        assert!(text.contains(&format!("add `delimiter = {sign}`")), "{text}");
    }
    write(at.path(), "t.csv", b"a,b\n1,2\n");
    let text = failure("format = csv, train = \"t.csv\", delimiter = \";\"", at.path());
    assert!(
        text.contains("its cells are separated by `,` (2 in each of its first 2 lines), and `;` are expected"),
        "{text}"
    );
}
