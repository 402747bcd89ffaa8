//! Which columns of a table are numbers: usual spellings of missing values, numbers with other signs, and columns that are almost
//! numeric.

use mtlc::data::label::check_label;
use mtlc::data::{Facts, InputFrom, InputSpec, Known, LabelSpec, LoadContext, Raw, Reading, Schema, encode};
use mtlc::objective::TaskKind;

use super::support::*;

/// `rows` rows of a number `a`, in which some rows hold something else, a text `b` and a label `y`.
fn table(rows: usize, other: impl Fn(usize) -> Option<String>) -> String {
    let row = |i: usize| {
        let a = other(i).unwrap_or_else(|| format!("{}.{}", i, i % 7));
        format!("{a},{},{}\n", ["red", "blue", "None"][i % 3], i % 2)
    };
    format!("a,b,y\n{}", (0..rows).map(row).collect::<String>())
}

fn quoted(cell: &str) -> Option<String> {
    Some(format!("\"{cell}\""))
}

fn read(text: &str, more: &str) -> Result<Raw, String> {
    let at = folder();
    write(at.path(), "t.csv", text.as_bytes());
    let item = format!("format = csv, train = \"t.csv\", validation = \"t.csv\"{more}");
    let (def, args) = attributes(&item);
    let problems = (def.check)(&args, mtlc::source::Span::new(mtlc::source::FileId(0), 0, 0));
    assert!(problems.is_empty(), "{problems:#?}");
    (def.load)(&args, &LoadContext { base: at.path(), schema: None })
        .map_err(|e| format!("{e}\n{}", e.help().unwrap_or_default()).replace(&format!("{}/", at.path().display()), ""))
}

fn numbers(raw: &Raw, column: &str) -> Vec<f64> {
    let values = &raw.splits[0].columns[raw.index(column).expect("a column")];
    assert!(!values.is_text(), "`{column}` is text");
    values.numbers().collect()
}

fn is_text(raw: &Raw, column: &str) -> bool {
    raw.splits[0].columns[raw.index(column).expect("a column")].is_text()
}

#[test]
fn usual_spellings_are_missing_in_columns_of_numbers_only() {
    for word in ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "?", "-", "#N/A", "n/a", "<NA>", "none"] {
        let raw = read(&table(40, |i| (i % 9 == 4).then(|| word.to_string())), "").expect(word);
        let a = numbers(&raw, "a");
        assert_eq!(a.iter().filter(|v| v.is_nan()).count(), 4, "{word:?}");
        assert_eq!(a[5], 5.5);
        let told =
            raw.notes.iter().any(|n| n.contains(&format!("{word:?} in 4 cells, first in line 6: read as missing")));
        assert_eq!(told, !matches!(word, "" | "?"), "{word:?}: {:?}", raw.notes);
        // A category that is called `None` is one.
        assert!(is_text(&raw, "b") && raw.columns[1].dictionary.contains(&"None".to_string()));
    }
    // The first cells do not decide, nor does their order.
    for first in [0, 1, 1999] {
        let raw = read(&table(2000, |i| (i == first).then(|| "NA".into())), "").expect("numbers");
        assert!(numbers(&raw, "a")[first].is_nan());
    }
    let late = read(&table(3000, |i| (i < 1500).then(|| "NULL".into())), "").expect("numbers");
    assert_eq!(numbers(&late, "a").iter().filter(|v| v.is_nan()).count(), 1500);
    // Nothing but such words is no column of numbers.
    assert!(is_text(&read(&table(40, |_| Some("None".into())), "").expect("a table"), "a"));
}

#[test]
fn words_of_the_program_and_of_a_schema_win() {
    let text = table(40, |i| (i == 7).then(|| "NA".into()));
    let refused = read(&text, ", missing = [\"\"]").expect_err("`NA` is no missing value here");
    assert!(refused.contains("1 cell that is not a number (\"NA\" in line 9)"), "{refused}");
    assert!(refused.contains("add `missing = [\"\", \"NA\"]`"), "{refused}");
    let raw = read(&text, ", missing = [\"NA\"]").expect("listed");
    assert!(numbers(&raw, "a")[7].is_nan() && raw.missing_numbers.is_empty());
    // A number may mean missing.
    let raw = read(&table(40, |i| (i == 7).then(|| "-999".into())), ", missing = [\"-999\"]").expect("listed");
    assert!(numbers(&raw, "a")[7].is_nan());

    let at = folder();
    write(at.path(), "t.csv", text.as_bytes());
    write(at.path(), "more.csv", b"a,b,y\nNULL,red,1\n5,None,0\n");
    let (def, args) = attributes("format = csv, train = \"t.csv\", validation = \"more.csv\"");
    let load = |schema: Option<&Schema>| (def.load)(&args, &LoadContext { base: at.path(), schema });
    let schema = Schema::freeze(&load(None).expect("a table"));
    let back = Schema::from_ast(&item(&schema.to_mtl("d")), &|_| unreachable!()).expect("a schema");
    assert_eq!(back, schema);
    assert!(back.missing_numbers.contains(&"NULL".to_string()));
    let again = load(Some(&back)).expect("as frozen");
    back.verify(&again).expect("the same");
    assert!(again.splits[1].columns[0].number(0).is_nan());
    // A schema that was frozen with other words keeps them.
    let own = Schema { missing_numbers: vec!["NA".into()], ..schema };
    let e = load(Some(&own)).expect_err("`NULL` is not among its words");
    assert!(e.to_string().contains("more.csv`, line 2, column `a`: \"NULL\" is not a number"), "{e}");
    // In a comparison a missing word asks for missing cells.
    let known = vec![Known::from_schema("d", &back)];
    assert!(check_label(&expr("d.a == \"NA\""), TaskKind::Binary, false, &known).is_ok());
    assert!(check_label(&expr("d.b == \"NA\""), TaskKind::Binary, false, &known).is_err(), "`b` is a category");
}

/// If a number is listed in `missing`, every spelling of that number is a missing cell.
#[test]
fn a_missing_number_matches_every_spelling() {
    let holes = |raw: &Raw| numbers(raw, "a").iter().filter(|v| v.is_nan()).count();
    for (words, cells) in [
        ("[\"-999\"]", &["-999", "-999.0", "-999.00", "-9.99e2", "-0999"][..]),
        ("[\"-9.990e+2\", \"0\"]", &["-999", "0.0", "-0", "0e5", "00"]),
        ("[\"1e39\", \"inf\"]", &["1e39", "10e38", "infinity", "inf", "Inf"]),
    ] {
        let raw =
            read(&table(200, |i| (i % 20 == 7).then(|| cells[i / 20 % 5].into())), &format!(", missing = {words}"));
        // The first row holds 0.0.
        assert_eq!(holes(&raw.expect(words)), 10 + usize::from(words.contains("\"0\"")), "{words}");
    }
    let text = table(200, |i| Some(if i % 20 == 7 { "\"-999,0\"".into() } else { format!("\"{i},5\"") }));
    assert_eq!(holes(&read(&text, ", decimal = \",\", missing = [\"-999\"]").expect("decimal commas are read")), 10);
    // In a column of categories, `missing` is compared as text: "-999.0" is not "-999".
    let text = table(200, |i| (i % 20 == 7).then(|| "-999.0".into()));
    let raw = read(&text, ", missing = [\"-999\"], categories = [a]").expect("chosen");
    assert!(raw.columns[0].dictionary.contains(&"-999.0".to_string()));
}

/// The whole column is written so, and every tenth cell; a message names count, lines and attribute, and the attribute reads it.
#[test]
fn numbers_with_other_signs_are_reported_with_their_attribute() {
    type Write = fn(usize) -> String;
    let cases: &[(Write, &str, &str, Write)] = &[
        (|i| format!("{},{}", i, i % 10), "with a decimal comma", "decimal = \",\"", |i| format!("{}.{}", i, i % 10)),
        (
            |i| format!("1,{:03},{:03}", i, i),
            "with `,` between thousands",
            "thousands = \",\"",
            |i| format!("1{:03}{:03}", i, i),
        ),
        (
            |i| format!("{},{:03}.5", i + 1, i),
            "with `,` between thousands",
            "thousands = \",\"",
            |i| format!("{}{:03}.5", i + 1, i),
        ),
        (
            |i| format!("{}\u{a0}{:03}", i + 1, i),
            "with spaces between thousands",
            "thousands = \" \"",
            |i| format!("{}{:03}", i + 1, i),
        ),
        (
            |i| format!("{}\u{202f}{:03}", i + 1, i),
            "with spaces between thousands",
            "thousands = \" \"",
            |i| format!("{}{:03}", i + 1, i),
        ),
        (
            |i| format!("{}'{:03}", i + 1, i),
            "with `'` between thousands",
            "thousands = \"'\"",
            |i| format!("{}{:03}", i + 1, i),
        ),
        (|i| format!("{}.5%", i), "with the sign `%`", "strip = [\"%\"]", |i| format!("{}.5", i)),
        (|i| format!("${}.25", i), "with the sign `$`", "strip = [\"$\"]", |i| format!("{}.25", i)),
        (|i| format!("{} €", i), "with the sign `€`", "strip = [\"€\"]", |i| format!("{}", i)),
        (|i| format!("CHF {}", i), "with the sign `CHF`", "strip = [\"CHF\"]", |i| format!("{}", i)),
        (
            |i| format!("\u{2212}{}", i + 1),
            "with the minus sign \"\u{2212}\" (U+2212)",
            "minus = [\"\u{2212}\"]",
            |i| format!("-{}", i + 1),
        ),
        (|i| format!("{} kg", i), "with the unit `kg`", "strip = [\"kg\"]", |i| format!("{}", i)),
        (|i| format!("-{}.5km/h", i), "with the unit `km/h`", "strip = [\"km/h\"]", |i| format!("-{}.5", i)),
        (|i| format!("'{}", i), "with the sign `'`", "strip = [\"'\"]", |i| format!("{}", i)),
    ];
    for (write, what, attribute, means) in cases {
        for every in [1, 10] {
            let text = table(200, |i| if i % every == 0 { quoted(&write(i)) } else { None });
            let refused = read(&text, "").expect_err(what);
            let first = format!("{:?} in line 2", write(0));
            assert!(refused.contains(&format!("{} cells {what} ({first}", 200 / every)), "{refused}");
            assert!(refused.contains(&format!("`{attribute}`")) && refused.contains("`categories = [a]`"), "{refused}");
            if attribute.starts_with("decimal") && every > 1 {
                continue; // The plain cells have a decimal point: no notation is right for both.
            }
            let raw = read(&text, &format!(", {attribute}")).expect(what);
            let a = numbers(&raw, "a");
            for i in (0..200).step_by(every) {
                assert_eq!(a[i], means(i).parse::<f64>().expect("a number"), "{what}, row {i}");
            }
            assert!(is_text(&read(&text, ", categories = [a]").expect("chosen"), "a"));
        }
    }
    let text = table(60, |i| quoted(&format!("{}.{:03},{}", i + 1, i, i % 10)));
    let refused = read(&text, "").expect_err("German");
    assert!(refused.contains("add `decimal = \",\"`, `thousands = \".\"`"), "{refused}");
    assert_eq!(numbers(&read(&text, ", decimal = \",\", thousands = \".\"").expect("German"), "a")[1], 2001.1);
    // One or the other: both ways are named, and neither is taken.
    let refused = read(&table(60, |i| quoted(&format!("{},{:03}", i + 1, i))), "").expect_err("ambiguous");
    assert!(
        refused.contains("if \"1,000\" is 1000, add `thousands = \",\"`; if it is 1.000, add `decimal = \",\"`"),
        "{refused}"
    );
    let both = table(60, |i| quoted(&if i % 2 == 0 { format!("{i},5") } else { format!("1,{i:03},000") }));
    let refused = read(&both, "").expect_err("contradictory");
    assert!(
        refused.contains("add `thousands = \",\"`; if it is") && refused.contains("with a decimal comma"),
        "{refused}"
    );
}

/// A number format that no attribute reads is an error that says how to write the numbers, unless `categories` makes the column text.
#[test]
fn number_formats_that_no_attribute_reads_are_errors() {
    type Write = fn(usize) -> String;
    let cases: &[(Write, &str, &str, &str)] = &[
        (|i| format!("1,{:02},000", i), "with groups of two digits", "write 111000 for 1,11,000", ""),
        (|i| format!("{i}.5-"), "with a minus sign after the number", "write -12 for 12-", ""),
        (|i| format!("({i}.47)"), "in brackets", "if (12) is minus 12, write -12", ""),
        (|i| format!("($ 1,{i:03}.47)"), "in brackets", "if (12) is minus 12, write -12", ""),
        (
            |i| i.to_string().chars().map(|c| char::from_u32(0x660 - 0x30 + c as u32).expect("a digit")).collect(),
            "with digits other than 0 to 9",
            "write the digits 0 to 9",
            "",
        ),
        (|i| format!("{i} {}", ["kg", "g"][i % 2]), "in several units", "convert them to one unit", ""),
        (
            |i| format!("{i}.5"),
            "with a decimal point, though `decimal` is \",\"",
            "leave `decimal` out",
            ", decimal = \",\"",
        ),
        (
            |i| format!("0.6{i:02}"),
            "with a decimal point, though `decimal` is \",\"",
            "leave `decimal` out",
            ", decimal = \",\", thousands = \".\"",
        ),
        (
            |i| format!("{i},5"),
            "with a comma that is not followed by three digits",
            "leave `thousands` out",
            ", thousands = \",\"",
        ),
    ];
    for (write, what, way, more) in cases {
        let text = table(60, |i| quoted(&write(i)));
        let refused = read(&text, more).expect_err(what);
        let first = format!("{:?} in line 2", write(0));
        let counted = if *what == "in several units" {
            "30 cells with the unit `kg` (".into()
        } else {
            format!("60 cells {what}")
        };
        assert!(refused.contains(&counted) && refused.contains(&first), "{refused}");
        assert!(refused.contains(&format!("no attribute reads numbers {what}")) && refused.contains(way), "{refused}");
        assert!(refused.contains("add `categories = [a]`"), "{refused}");
        assert!(is_text(&read(&text, &format!("{more}, categories = [a]")).expect("chosen"), "a"));
        if more.is_empty() && !what.contains("units") {
            let some = read(&table(60, |i| if i % 2 == 0 { quoted(&write(i)) } else { None }), "").expect_err(what);
            assert!(some.contains(&format!("30 cells {what}")) && some.contains("30 of 60 cells are plain"), "{some}");
            let strict = read(&table(60, |i| if i == 3 { quoted(&write(i)) } else { None }), ", numeric = [a]");
            assert!(strict.expect_err(what).contains(way), "{what}");
        }
    }
    // `strip` refuses a sign that can make a number negative, because removing it would change the number.
    for text in ["(", ")", "-", "\u{2212}"] {
        let (def, args) = attributes(&format!("format = csv, train = \"x\", strip = [{text:?}]"));
        let found = (def.check)(&args, mtlc::source::Span::new(mtlc::source::FileId(0), 0, 0));
        assert!(found.iter().any(|d| d.message.contains("can mean that a number is negative")), "{text}: {found:?}");
    }
    // Cells that a spreadsheet exports as text (`="1"`), and integers whose thousands are separated by points: then the decimal separator
    // is a comma.
    for (text, attribute, second) in [
        (table(60, |i| Some(format!("\"=\"\"{i}\"\"\""))), "`strip = [\"=\\\"\", \"\\\"\"]`", 1.0),
        (table(60, |i| Some(format!("1.{i:03}.000"))), "`decimal = \",\"`, `thousands = \".\"`", 1_001_000.0),
    ] {
        let refused = read(&text, "").expect_err(attribute);
        assert!(refused.contains(attribute), "{refused}");
        let raw = read(&text, &format!(", {}", attribute.replace('`', ""))).expect(attribute);
        assert_eq!(numbers(&raw, "a")[1], second);
    }
}

/// A column with a few distinct values that all have a unit is a column of categories, and a note names the attribute that makes it numeric.
#[test]
fn a_few_values_with_a_unit_are_categories_with_a_note() {
    let raw = read(&table(60, |i| Some(format!(" {} months", [36, 60][i % 2]))), "").expect("categories");
    let told = |n: &String| n.contains("60 cells with the unit `months`") && n.contains("`strip = [\"months\"]`");
    assert!(is_text(&raw, "a") && raw.notes.iter().any(told), "{:?}", raw.notes);
    let chosen = read(&table(60, |i| Some(format!("{} months", [36, 60][i % 2]))), ", categories = [a]").expect("text");
    assert!(chosen.notes.is_empty(), "{:?}", chosen.notes);
}

/// Texts that contain digits but are not numbers cause neither an error nor a note.
#[test]
fn dates_and_names_are_read_as_text() {
    type Write = fn(usize) -> String;
    let cases: &[Write] = &[
        |i| format!("2026-01-{:02}", 1 + i % 28),
        |i| format!("{:02}/{:02}/2026", 1 + i % 12, 1 + i % 28),
        |i| format!("{}.{}.2026", 1 + i % 28, 1 + i % 12),
        |i| format!("{} May", 1 + i % 31),
        |i| format!("{} May 2026", 1 + i % 31),
        |i| format!("2026-01-{:02}T05:00:00Z", 1 + i % 28),
        |i| format!("2026-01-{:02} {}:30", 1 + i % 28, i % 24),
        |i| format!("{}:30", i % 24),
        |i| format!("{:02}:30:{i:02}", i % 24),
        |i| format!("{} {}", 1 + i % 12, ["AM", "PM"][i % 2]),
        |i| format!("{}:00pm", 1 + i % 12),
        |i| format!("1.{i}.2"),
        |i| format!("v2.{i}"),
        |i| format!("1.{i}rc1"),
        |i| format!("2.{i}-beta"),
        |i| format!("555-12{i:02}"),
        |i| format!("+49 30 1234{i:02}"),
        |i| format!("(030) 1234{i:02}"),
        |i| format!("030 123 4{i:02}"),
        |i| format!("1-800-555-01{i:02}"),
        |i| format!("+1 (555) 010-99{i:02}"),
        |i| format!("123{i:02}-6789"),
        |i| format!("SW{}A 1AA", i % 20),
        |i| format!("12{i:02} {}B", char::from(b'A' + (i % 26) as u8)),
        |i| format!("A{i}"),
        |i| format!("INV-00{i}"),
        |i| format!("{i}-A"),
        |i| format!("00{i}X"),
        |i| format!("7f{i}a9c"),
        |i| format!("{i}{}", ["a", "b", "c", "d"][i % 4]),
        |i| format!("{i}{}", ["st", "nd", "rd", "th"][i % 4]),
        |i| format!("192.168.1.{i}"),
        |i| format!("{i}/60"),
        |i| format!("{i}-{}", i + 10),
        |i| format!("{i} Main Street"),
        |i| format!("size {i}"),
    ];
    for write in cases {
        let raw = read(&table(60, |i| quoted(&write(i))), "").unwrap_or_else(|e| panic!("{}: {e}", write(1)));
        assert!(is_text(&raw, "a") && raw.notes.is_empty(), "{}: {:?}", write(1), raw.notes);
    }
}

#[test]
fn attributes_that_cannot_be_are_found_without_the_data() {
    let problem = |more: &str| {
        let (def, args) = attributes(&format!("format = csv, train = \"x\"{more}"));
        let found = (def.check)(&args, mtlc::source::Span::new(mtlc::source::FileId(0), 0, 0));
        found.first().map(|d| d.message.clone()).unwrap_or_default()
    };
    assert_eq!(problem(", decimal = \",\", thousands = \".\", strip = [\"$\"], minus = [\"\u{2212}\"]"), "");
    assert!(problem(", decimal = \";\"").contains("not a decimal separator"));
    assert!(problem(", decimal = \",\", thousands = \",\"").contains("both of thousands and of the fraction"));
    assert!(problem(", thousands = \"..\"").contains("not a thousands separator"));
    assert!(problem(", thousands = \"0\"").contains("not a thousands separator"));
    assert!(problem(", strip = [\"\"]").contains("cannot be removed from a number"));
    assert!(problem(", minus = [\"minus\"]").contains("not a minus sign"));
}

#[test]
fn a_column_with_few_other_cells_is_an_error_and_with_many_a_category() {
    let few = table(200, |i| (i == 11 || i == 150).then(|| if i == 11 { "oops".into() } else { "12b".into() }));
    let refused = read(&few, "").expect_err("almost numeric");
    assert!(
        refused.contains("column `a`: 2 cells that are not numbers (\"oops\" in line 13, \"12b\" in line 152); 198 of 200 cells are plain numbers"),
        "{refused}"
    );
    assert!(
        refused.contains("add `missing = [\"?\", \"\", \"oops\", \"12b\"]`") && refused.contains("`categories = [a]`"),
        "{refused}"
    );
    // The usual words that occur are kept in the list that is offered.
    let both = table(200, |i| (i < 4).then(|| if i < 2 { "NA".into() } else { "oops".into() }));
    let refused = read(&both, "").expect_err("almost numeric");
    assert!(refused.contains("add `missing = [\"?\", \"\", \"NA\", \"oops\"]`"), "{refused}");
    let raw = read(&both, ", missing = [\"\", \"NA\", \"oops\"]").expect("listed");
    assert_eq!(numbers(&raw, "a").iter().filter(|v| v.is_nan()).count(), 4);
    // Many other cells: a category, with a note where most are different numbers.
    let many = read(&table(200, |i| (i % 4 == 0).then(|| "unknown".into())), "").expect("a category");
    assert!(is_text(&many, "a"));
    assert!(
        many.notes
            .iter()
            .any(|n| n.contains("150 of its 200 cells are numbers") && n.contains("\"unknown\" in line 2")),
        "{:?}",
        many.notes
    );
    let codes = read(&table(200, |i| Some(["1", "2", "3", "A", "B"][i % 5].into())), "").expect("codes");
    assert!(is_text(&codes, "a") && codes.notes.is_empty(), "{:?}", codes.notes);
    // Texts of a column that began as numbers are kept as they were written.
    let mixed =
        read(&table(4000, |i| Some(if i < 2000 { format!("{:04}", i % 50) } else { format!("x{}", i % 50) })), "")
            .expect("codes");
    assert_eq!((mixed.columns[0].dictionary.len(), mixed.columns[0].dictionary[7].as_str()), (100, "0007"));
    // Strict where the program says numbers, in every file.
    for more in [", numeric = [a, y]", ", numeric = [a]"] {
        let refused = read(&few, more).expect_err("strict");
        assert!(refused.starts_with("`t.csv`, line 13, column `a`: \"oops\" is not a number\n"), "{refused}");
        assert!(refused.contains("take `a` out of `numeric`"), "{refused}");
    }
    let refused = read(&table(40, |i| (i == 3).then(|| "\"4,5\"".into())), ", numeric = [a]").expect_err("strict");
    assert!(
        refused.contains("line 5, column `a`: \"4,5\" is not a number") && refused.contains("`decimal = \",\"`"),
        "{refused}"
    );
    let refused = read(&table(40, |i| (i == 3).then(|| "inf".into())), "").expect_err("not finite");
    assert!(refused.contains("line 5, column `a`: inf is not a finite number"), "{refused}");
}

#[test]
fn a_vocabulary_as_large_as_the_file_is_read() {
    let text = table(30_000, |i| Some(format!("{i:05}{}", "x".repeat(200))));
    let raw = read(&text, "").expect("a category");
    assert_eq!(raw.columns[0].dictionary.len(), 30_000);
    assert_eq!(raw.columns[0].dictionary[29_999][..6], *"29999x");
}

fn schema_of(text: &str) -> (Raw, Schema) {
    let raw = read(text, "").expect("a table");
    let schema = Schema::freeze(&raw);
    (raw, schema)
}

#[test]
fn true_and_false_are_labels_in_any_case() {
    for (yes, no) in [("True", "False"), ("TRUE", "FALSE"), ("true", "false")] {
        let (raw, schema) = schema_of(&table(40, |i| {
            Some(if i % 4 == 0 {
                yes.into()
            } else if i == 7 {
                String::new()
            } else {
                no.into()
            })
        }));
        let known = [Known::from_schema("d", &schema)];
        for (text, wanted) in [("d.a", 1.0), ("not d.a", 0.0), ("d.a == true", 1.0), ("d.a and d.y == 0", 1.0)] {
            let label =
                check_label(&expr(text), TaskKind::Binary, false, &known).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            let spec = LabelSpec {
                task: "t".into(),
                kind: TaskKind::Binary,
                label,
                mask: None,
                reading: Reading::default(),
                pixels: None,
                standardize: false,
            };
            let columns = vec!["y".to_string()];
            let input = InputSpec { name: "x".into(), from: InputFrom::Fields { columns, unknown: 0.0 } };
            let data = encode(&raw, &schema, &[input], &[spec]).expect("labels");
            assert_eq!(
                (data.train.labels[0].values[0], data.train.labels[0].values[1]),
                (wanted, 1.0 - wanted),
                "{text}"
            );
        }
        // As text it can be compared as before.
        assert!(check_label(&expr(&format!("d.a == \"{yes}\"")), TaskKind::Binary, false, &known).is_ok());
    }
    let (_, schema) = schema_of(&table(40, |i| Some(["True", "False", "maybe"][i % 3].into())));
    let refused = check_label(&expr("d.a"), TaskKind::Binary, false, &[Known::from_schema("d", &schema)])
        .expect_err("three words");
    assert!(refused[0].message.contains("this is text"));
}

/// In a column of true and false, the usual spellings of missing values are missing cells.
#[test]
fn usual_spellings_are_missing_in_columns_of_true_and_false() {
    let text = table(40, |i| Some(["True", "False", "", "NA", "n/a"][i % 5].into()));
    let (raw, schema) = schema_of(&text);
    assert!(
        raw.notes
            .iter()
            .any(|n| n.contains("the column of true and false `a` holds \"NA\" in 8 cells, first in line 5")),
        "{:?}",
        raw.notes
    );
    let facts = schema.column("a").expect("it is there");
    assert!(facts.facts.is_truths() && facts.missing == 24, "{facts:?}");
    let known = [Known::from_schema("d", &schema)];
    for text in ["d.a", "not d.a", "d.a == \"NA\""] {
        check_label(&expr(text), TaskKind::Binary, false, &known).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    }
    // These spellings remain values in a column that the program lists in `categories`, and in a column that contains other words.
    let chosen = read(&text, ", categories = [a]").expect("chosen");
    let other = read(&table(40, |i| Some(["True", "NA", "maybe"][i % 3].into())), "").expect("words");
    for raw in [chosen, other] {
        assert!(raw.notes.is_empty() && Schema::freeze(&raw).column("a").is_some_and(|c| c.missing <= 8));
    }
    let frozen = Schema::from_ast(&item(&schema.to_mtl("d")), &|_| unreachable!()).expect("a schema");
    frozen.verify(&raw).expect("the data have not changed");
}

#[test]
fn an_empty_column_is_called_empty() {
    let (_, schema) = schema_of(&table(40, |_| Some(String::new())));
    assert!(matches!(&schema.column("a").expect("it is there").facts, Facts::Category { values } if values.is_empty()));
    let known = [Known::from_schema("d", &schema)];
    for (text, kind) in [
        ("d.a", TaskKind::Binary),
        ("d.a == \"yes\"", TaskKind::Binary),
        ("d.a", TaskKind::Regression(1)),
        ("d.a", TaskKind::Classes(Some(3))),
    ] {
        let refused = check_label(&expr(text), kind, false, &known).expect_err("empty");
        assert_eq!(refused[0].message, "column `a` is empty: no training row holds a value in it", "{text}");
    }
}
