//! Columns, cells and files that were read wrongly or refused without reason. Unusual notations are read, and ambiguous ones are errors.

use mtlc::data::label::check_label;
use mtlc::data::{Facts, Known, KnownKind, LabelData, LoadContext, Raw, Schema, contradictions};
use mtlc::objective::{TaskKind, Units};
use mtlc::source::{FileId, Span};

use super::support::*;

fn nowhere() -> Span {
    Span::new(FileId(0), 0, 0)
}

/// Reads a table as training and validation data, or gives the message and the help.
fn read(table: &str, more: &str) -> Result<Raw, String> {
    let at = folder();
    write(at.path(), "t.csv", table.as_bytes());
    let item = format!("format = csv, train = \"t.csv\", validation = \"t.csv\"{more}");
    load(&item, at.path())
        .map_err(|e| format!("{e}\n{}", e.help().unwrap_or_default()).replace(&format!("{}/", at.path().display()), ""))
}

/// One column `a` of these cells, which are quoted.
fn column(cells: &[&str]) -> String {
    format!("a,y\n{}", cells.iter().map(|c| format!("\"{c}\",1\n")).collect::<String>())
}

#[track_caller]
fn numbers(raw: &Raw) -> Vec<f64> {
    assert!(!raw.splits[0].columns[0].is_text(), "`a` is text");
    raw.splits[0].columns[0].numbers().collect()
}

#[test]
fn names_of_columns_are_not_taken_for_binary_files() {
    for name in ["ORCID", "PAR1", "ARROW1", "BZh"] {
        for other in ["PAR2", "größe"] {
            let raw = read(&format!("{name},{other},y\n1,2,3\n4,5,6\n"), "").unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(raw.columns[0].name, name);
        }
        let refused = read(&format!("{name}\u{15}\u{4}\u{15}\n"), "").expect_err(name);
        assert!(refused.contains("a table in text form is expected"), "{refused}");
    }
}

#[test]
fn leading_zeros_are_errors_where_they_matter_and_notes_elsewhere() {
    let hours = column(&["00", "01", "12", "0.5", "0", "23"]);
    // "00" and "0" differ in zeros alone.
    let refused = read(&hours, "").expect_err("two texts would be equal");
    for words in [
        "2 cells with leading zeros",
        "\"00\" and \"0\" would become equal",
        "`categories = [a]`",
        "`numeric = [a, ...]`",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let refused = read(&column(&["007", "07", "9"]), "").expect_err("two texts would be equal");
    assert!(refused.contains("\"007\" and \"07\" would become equal"), "{refused}");
    for more in [", numeric = [a, y]", ", categories = [a]"] {
        assert!(read(&hours, more).is_ok_and(|r| r.notes.is_empty()), "{more}");
    }
    // Without such texts, there is only a note.
    let hours = column(&["00", "01", "12", "0.5", "23"]);
    let raw = read(&hours, "").expect("numbers");
    assert_eq!(numbers(&raw), [0.0, 1.0, 12.0, 0.5, 23.0]);
    let noted: Vec<&String> = raw.notes.iter().filter(|n| n.contains("leading zeros (\"00\" in line 2")).collect();
    assert_eq!(noted.len(), 1, "{:?}", raw.notes);
    // The schema has decided.
    let at = folder();
    write(at.path(), "t.csv", column(&["00", "0", "5"]).as_bytes());
    let (def, args) = attributes("format = csv, train = \"t.csv\", validation = \"t.csv\"");
    let schema = Schema::freeze(&raw);
    assert!((def.load)(&args, &LoadContext { base: at.path(), schema: Some(&schema) }).is_ok());
    // Groups are texts.
    let refused = read(&hours, ", group = a").expect_err("a group");
    assert!(refused.contains("the column defines groups"), "{refused}");
    // Other files are looked at too.
    write(at.path(), "v.csv", column(&["07", "7"]).as_bytes());
    write(at.path(), "t.csv", column(&["1", "2"]).as_bytes());
    let later = failure("format = csv, train = \"t.csv\", validation = \"v.csv\"", at.path());
    assert!(later.starts_with("`v.csv`: column `a`: 1 cell with leading zeros"), "{later}");
}

#[test]
fn the_order_of_rows_does_not_change_the_verdict() {
    let mut cells: Vec<String> = (0..1001).map(|i| format!("{} kg", 5 + i % 2)).collect();
    cells.extend((0..10_000).map(|i| format!("{}{}", i % 15, if i / 15 % 2 == 0 { "" } else { ".0" })));
    let read = |cells: &[String]| {
        let table = column(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        let raw = read(&table, "").expect("a category with a note");
        (raw.splits[0].columns[0].is_text(), raw.notes.len())
    };
    let units_first = read(&cells);
    cells.reverse();
    assert_eq!((units_first, read(&cells)), ((true, 1), (true, 1)));
}

#[test]
fn advice_on_notations_can_be_followed() {
    let cells = |of: &[&str]| column(&of.repeat(30));
    // White space around a number is no notation.
    let padded = read(&cells(&["\u{a0}1.5", "2\u{202f}"]), "").expect("numbers");
    assert_eq!(numbers(&padded)[..2], [1.5, 2.0]);
    let refused = read(&cells(&["Rs. 500", "Rs. 750"]), "").expect_err("a currency");
    assert!(refused.contains("`strip = [\"Rs.\"]`"), "{refused}");
    assert_eq!(numbers(&read(&cells(&["Rs. 500"]), ", strip = [\"Rs.\"]").expect("numbers"))[0], 500.0);
    // What is given already is not asked for.
    let refused = read(&cells(&["1.234,5", "1,5"]), ", decimal = \",\"").expect_err("thousands");
    assert!(refused.contains("`thousands = \".\"`") && !refused.contains("`decimal"), "{refused}");
    let refused = read(&cells(&["1'234", "1,234"]), ", thousands = \",\"").expect_err("two separators");
    assert!(
        refused.contains("another separator between thousands") && !refused.contains("add `thousands"),
        "{refused}"
    );
}

#[test]
fn a_delimiter_is_no_quote_or_line_end() {
    for (sign, good) in [("\\\"", false), ("\\n", false), ("\\r", false), ("\\t", true), (";", true)] {
        let (def, args) = attributes(&format!("format = csv, train = \"t.csv\", delimiter = \"{sign}\""));
        assert_eq!((def.check)(&args, nowhere()).is_empty(), good, "{sign}");
    }
}

/// Rare texts and vocabularies that are left out do not turn true and false into texts.
#[test]
fn columns_of_true_and_false_stay_what_they_are() {
    let cells = ["True", "False", "NA"].repeat(10);
    for (cells, truths) in [(cells.clone(), true), ([cells, vec!["maybe"]].concat(), false)] {
        let raw = read(&column(&cells), ", min_count = 5").expect("a table");
        let mut schema = Schema::freeze(&raw);
        let digest = schema.digest_text();
        for left_out in [false, true] {
            let known = [Known::from_schema("d", &schema)];
            let label = check_label(&expr("d.a"), TaskKind::Binary, false, &known);
            assert_eq!(label.is_ok(), truths, "{left_out}: {label:?}");
            assert!(truths || matches!(known[0].column("a").expect("a column").kind, KnownKind::Counted(_)));
            schema.verify(&raw).expect("the same data");
            schema.withhold();
        }
        assert_eq!(schema.digest_text(), digest);
        // The missing cells are the same with a schema that has no texts.
        let at = folder();
        write(at.path(), "t.csv", column(&cells).as_bytes());
        let (def, args) = attributes("format = csv, train = \"t.csv\", validation = \"t.csv\", min_count = 5");
        let again = (def.load)(&args, &LoadContext { base: at.path(), schema: Some(&schema) }).expect("a table");
        schema.verify(&again).expect("the same data");
    }
    // Other vocabularies are left out.
    let mut schema = Schema::freeze(&read(&column(&["anna", "otto"]), "").expect("a table"));
    schema.withhold();
    assert!(matches!(schema.columns[0].facts, Facts::Withheld { values: 2, .. }));
}

/// `check` and training agree on which `missing` contradicts a schema.
#[test]
fn words_for_missing_cells_are_a_set() {
    let table = column(&["1", "?", ""]);
    let found = |schema: &Schema, more: &str| {
        let (_, args) = attributes(&format!("format = csv, train = \"t.csv\", validation = \"t.csv\"{more}"));
        contradictions(&args, schema, nowhere())
    };
    let (one, other) = (", missing = [\"?\", \"\"]", ", missing = [\"\", \"?\"]");
    let schema = Schema::freeze(&read(&table, one).expect("a table"));
    assert!(found(&schema, other).is_empty());
    schema.verify(&read(&table, other).expect("a table")).expect("the order means nothing");
    let usual = Schema::freeze(&read(&table, "").expect("a table"));
    assert!(usual.verify(&read(&table, one).expect("a table")).is_err());
    let told = found(&usual, one);
    assert!(told.len() == 1 && told[0].message.contains("frozen without `missing`"), "{told:?}");
    assert!(found(&usual, "").is_empty());
}

/// A map of pixels is read in time that is proportional to its size.
#[test]
fn parts_of_labels_are_found_by_their_position() {
    let labels = 100_000;
    let values: Vec<f32> = (0..3 * labels).map(|v| v as f32).collect();
    let units = Units::new(&[1.0], &[2.0]);
    for units in [None, Some(units)] {
        let size = if units.is_some() { labels } else { 3 * labels };
        let values = values[..size].to_vec();
        let data = LabelData { task: "t".into(), size, labels, values, mask: None, units };
        let own: Vec<f64> = data.own(0).collect();
        for label in 0..labels {
            let wanted: Vec<f64> = (label..size).step_by(labels).map(|at| own[at]).collect();
            assert_eq!(data.parts(0, label).collect::<Vec<_>>(), wanted);
        }
    }
}
