//! Tables as people have them, by the binary: line ends, a stray `NA`, numbers with other signs, other encodings, an empty column, an
//! index without a name.

use super::support::*;

const SPEC: &str = "mtl 1\n\
data d { format = csv, train = \"t.csv\", validation = share(0.2), test = share(0.2, of = train) ATTRIBUTES }\n\
input x: fields { from = d, except = [churn, spend] }\n\
task churn: binary { from = d.churn }\n\
task spend: regression { from = d.spend }\n\
backbone net(x) { stage a = one_hot -> linear(4) -> relu }\n\
head for * = linear(outputs)\n\
train { epochs = 1, batch = 16 }\n";

fn table(rows: usize) -> String {
    let row = |i: usize| {
        let city = ["Bern", "Graz", "Lyon"][i % 3];
        format!("{},{},{city},{},{}.{}\n", 20 + i * 7 % 60, 200 + i * 37 % 900, i * 5 % 2, i * 11 % 40, i % 10)
    };
    format!("age,income,city,churn,spend\n{}", (0..rows).map(row).collect::<String>())
}

fn place(bytes: &[u8], attributes: &str) -> Place {
    let place = Place::new();
    place.write("t.csv", bytes);
    place.write("p.mtl", SPEC.replace("ATTRIBUTES", attributes).as_bytes());
    place
}

/// The column `row` of the outputs and the places of `data preview`, however lines end.
#[test]
fn rows_are_numbered_by_the_lines_of_the_file() {
    let text = table(40);
    let rows = |bytes: &[u8]| -> (Vec<usize>, String) {
        let place = place(bytes, "");
        place.run("train p.mtl -o R --device cpu --quiet").ok();
        place.run("evaluate R --outputs o.csv --device cpu --quiet").ok();
        let lines: Vec<usize> = place
            .text("o.csv")
            .lines()
            .skip(1)
            .map(|l| l.split(',').nth(1).and_then(|c| c.parse().ok()).expect("a line"))
            .collect();
        (lines, place.run("data preview p.mtl --split test --rows 3 --quiet").ok().out)
    };
    let (lf, shown) = rows(text.as_bytes());
    assert_eq!(lf.len(), 16);
    assert!(lf.iter().all(|l| (2..42).contains(l)) && lf[0] < lf[1], "{lf:?}");
    for bytes in [text.replace('\n', "\r\n"), text.replace('\n', "\r"), format!("\u{feff}{}", text.replace('\n', "\r"))]
    {
        assert_eq!(rows(bytes.as_bytes()), (lf.clone(), shown.clone()));
    }
    // A blank line after every row, and two before the header.
    let spread = format!("\n\n{}", text.replace('\n', "\n\n"));
    let (lines, _) = rows(spread.as_bytes());
    assert_eq!(lines, lf.iter().map(|l| 2 * l + 1).collect::<Vec<_>>());
    let held = spread.lines().nth(lines[0] - 1).expect("a line");
    assert_eq!(text.lines().nth(lf[0] - 1), Some(held));
}

/// A missing value by another name changes no result.
#[test]
fn one_missing_value_does_not_make_a_category() {
    let numbers = |word: &str| {
        let text = table(60).replacen("\n41,", &format!("\n{word},"), 1);
        let place = place(text.as_bytes(), "");
        let ended = place.run("train p.mtl -o R --device cpu").ok();
        (place.json("R/summary.json")["networks"].clone(), ended.err)
    };
    let (empty, _) = numbers("");
    assert!(empty.is_array(), "{empty}");
    let strip = |mut v: serde_json::Value| {
        for n in v.as_array_mut().expect("networks") {
            for key in ["seconds", "latency", "latency_batch"] {
                n.as_object_mut().expect("a network").remove(key);
            }
        }
        v
    };
    let empty = strip(empty);
    for word in ["NA", "NULL", "#N/A"] {
        let (same, said) = numbers(word);
        assert_eq!(strip(same), empty, "{word}");
        assert!(said.contains(&format!("the numeric column `age` holds {word:?} in line")), "{said}");
    }
}

/// Every command that reads the table refuses it in the same words; `check` warns.
#[test]
fn columns_that_are_almost_numeric_are_told_by_every_command() {
    let odd = table(60).replacen("\n41,", "\noops,", 1);
    let line = odd.lines().position(|l| l.starts_with("oops")).expect("it is there") + 1;
    let what = format!("1 cell that is not a number (\"oops\" in line {line})");
    let euros: String = table(60)
        .lines()
        .enumerate()
        .map(|(i, l)| if i == 0 { format!("{l}\n") } else { format!("{l} €\n") })
        .collect();
    let commas = table(60).replace(',', ";").replace('.', ",");
    for (text, attributes, what, way) in [
        (odd, "", what.as_str(), "missing = [\"?\", \"\", \"oops\"]"),
        (euros, "", "60 cells with the sign `€`", "strip = [\"€\"]"),
        (commas, ", delimiter = \";\"", "with a decimal comma", "decimal = \",\""),
    ] {
        let place = place(text.as_bytes(), attributes);
        for command in
            ["train p.mtl -o R", "run p.mtl -o R", "data check p.mtl", "data freeze p.mtl", "data preview p.mtl"]
        {
            let ended = place.run(command);
            assert_eq!(ended.code, 4, "{command}: {}{}", ended.out, ended.err);
            let said: String = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(what) && said.contains(way), "{command}: {}", ended.err);
            assert!(!place.path("R").exists());
        }
        let checked = place.run("check p.mtl --json").ok();
        assert!(checked.out.contains("mtl::data::table"), "{}", checked.out);
        // With the attribute everything runs.
        place.write("p.mtl", SPEC.replace("ATTRIBUTES", &format!("{attributes}, {way}")).as_bytes());
        assert!(!place.run("check p.mtl").ok().err.contains("mtl::data::table"));
        place.run("data check p.mtl").ok();
    }
}

/// New rows are read by what training decided and the program says.
#[test]
fn new_rows_are_read_as_the_training_table_was() {
    let text: String = table(60).replace(',', ";").replace('.', ",");
    let place = place(text.as_bytes(), ", delimiter = \";\", decimal = \",\"");
    place.run("train p.mtl -o R --device cpu --quiet").ok();
    let rows: String = text.lines().take(11).map(|l| format!("{l}\n")).collect();
    place.write("new.csv", rows.as_bytes());
    let want = place.run("predict R new.csv --device cpu --quiet").ok().out;
    let wide: Vec<u8> =
        format!("\u{feff}{}", rows.replace('\n', "\r\n")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.write("wide.csv", &wide);
    assert_eq!(place.run("predict R wide.csv --device cpu --quiet").ok().out, want);
    place.write("na.csv", rows.replacen("\n27;", "\nN/A;", 1).as_bytes());
    assert_ne!(place.run("predict R na.csv --device cpu --quiet").ok().out, want);
    place.write("odd.csv", rows.replacen("\n27;", "\n27 %;", 1).as_bytes());
    let refused = place.run("predict R odd.csv --device cpu");
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("line 3, column `age`: \"27 %\" is not a number"), "{}", refused.err);
}

#[test]
fn helps_of_labels_and_of_an_index_without_a_name() {
    let text = table(60);
    let churn = |of: &dyn Fn(&str) -> &'static str| -> String {
        let row = |l: &str| {
            let c: Vec<&str> = l.split(',').collect();
            format!("{},{},{},{},{}\n", c[0], c[1], c[2], of(c[3]), c[4])
        };
        let rows: String = text.lines().skip(1).map(row).collect();
        format!("age,income,city,churn,spend\n{rows}")
    };
    let labels = place(churn(&|c| if c == "1" { "True" } else { "False" }).as_bytes(), "");
    labels.run("data check p.mtl").ok();
    labels.run("train p.mtl -o R --device cpu --quiet").ok();
    let empty = place(churn(&|_| "").as_bytes(), "").run("data check p.mtl");
    assert_eq!(empty.code, 3, "{}", empty.err);
    assert!(empty.err.contains("column `churn` is empty"), "{}", empty.err);
    let indexed: String =
        text.lines().enumerate().map(|(i, l)| if i == 0 { format!(",{l}\n") } else { format!("{i},{l}\n") }).collect();
    let place = place(indexed.as_bytes(), "");
    let found = place.run("data check p.mtl --json").ok().json();
    let findings = found["findings"].as_array().expect("a list");
    let index = |f: &&serde_json::Value| f["kind"] == "identifier" && f["about"] == "";
    let help = findings.iter().find(index).expect("the index")["message"].as_str().expect("text");
    assert!(help.contains("`except = [\"\"]`"), "{help}");
    // The help is right.
    place.write("p.mtl", SPEC.replace("ATTRIBUTES", "").replace("[churn, spend]", "[churn, spend, \"\"]").as_bytes());
    let found = place.run("data check p.mtl --json").ok().json();
    assert!(!found["findings"].as_array().expect("a list").iter().any(|f| f["about"] == ""), "{found}");
}

#[test]
fn endings_that_stand_for_no_format_are_refused() {
    let place = place(table(60).as_bytes(), "");
    place.run("train p.mtl -o R --device cpu --quiet").ok();
    for name in ["x.parquet", "x.xlsx", "x.csv.gz", "x.txt"] {
        let refused = place.run(&format!("predict R t.csv -o {name} --device cpu"));
        assert_eq!(refused.code, 2, "{name}: {}", refused.err);
        assert!(
            refused.err.contains("not a format for predictions") && refused.err.contains(".csv, .jsonl, .npz or .npy"),
            "{}",
            refused.err
        );
        assert!(!place.path(name).exists());
    }
    place.run("predict R t.csv -o x.txt --format csv --device cpu --quiet").ok();
    place.run("predict R t.csv -o plain --device cpu --quiet").ok();
    assert_eq!(place.text("x.txt"), place.text("plain"));
    let book = [&b"PK\x03\x04\x14\0\0\0\0\0"[..], &[0; 16], b"[Content_Types].xml"].concat();
    for (name, bytes, what) in
        [("b.xlsx", &book[..], "a spreadsheet"), ("t.parquet", b"PAR1\x15no rows", "a Parquet file")]
    {
        place.write(name, bytes);
        let refused = place.run(&format!("predict R {name} --device cpu"));
        assert_eq!(refused.code, 4, "{}", refused.err);
        assert!(refused.err.contains(what), "{}", refused.err);
    }
}

/// If a number is listed in `missing`, every spelling of it is a missing cell, in training and in new rows. Spaces around quotes have no
/// effect.
#[test]
fn spellings_of_missing_numbers_and_spaces_around_quotes() {
    let holes = |spelling: fn(usize) -> &'static str| {
        let cell = |(i, l): (usize, &str)| {
            let (age, rest) = l.split_once(',').expect("cells");
            format!("{},{rest}\n", if i % 5 == 4 { spelling(i) } else { age })
        };
        table(60).lines().enumerate().map(cell).collect::<String>()
    };
    let spellings: fn(usize) -> &'static str = |i| ["-999.0", "\"-999\"", "-9.99e2", "-0999.00"][i / 5 % 4];
    let [plain, other] = [holes(|_| "-999"), holes(spellings).replace(',', ", ")];
    assert!(other.contains("\n\"-999\", ") && other.contains(", city"));
    let other = other.replace(", city", ", \"city\" ").replace(", Bern", ", \"Bern\"");
    let attributes = ", missing = [\"\", \"-999\"]";
    let (first, second) = (place(plain.as_bytes(), attributes), place(other.as_bytes(), attributes));
    for place in [&first, &second] {
        place.run("train p.mtl -o R --device cpu --quiet").ok();
        place.write("new.csv", other.as_bytes());
    }
    let [of_first, of_second] = [&first, &second].map(|p| p.run("predict R new.csv --device cpu --quiet").ok().out);
    assert_eq!(of_first, of_second);
    assert_eq!(of_first, first.run("predict R t.csv --device cpu --quiet").ok().out);
    let lacking = first.run("data check p.mtl --json").ok().json();
    let column = lacking["columns"].as_array().expect("columns").iter().find(|c| c["column"] == "age").expect("`age`");
    assert!(column["splits"][0]["missing"].as_u64().is_some_and(|n| n > 4), "{column}");
}

/// The error about a cell that cannot be encoded names its file and its line in that file, however many rows come before it.
#[test]
fn errors_name_the_row_that_cannot_be_encoded() {
    const SMALL: &str = "mtl 1\ndata d { format = csv, train = \"t.csv\", validation = share(0.2) }\n\
        input x: fields { from = d[a] }\ntask y: binary { from = d.y }\nbackbone net(x) { stage s = one_hot -> linear(2) }\n\
        head for y = linear(outputs)\ntrain { epochs = 1, batch = 16 }\n";
    let place = Place::new();
    let rows = |n: usize| (0..n).map(|i| format!("{}.25,{}\n", i % 2, i % 2)).collect::<String>();
    place.write("t.csv", format!("a,y\n{}", rows(40)).as_bytes());
    place.write("p.mtl", SMALL.as_bytes());
    place.run("train p.mtl -o R --device cpu --quiet").ok();
    place.write("good.csv", format!("a\n{}", rows(3).replace(",0", "").replace(",1", "")).as_bytes());
    place.write("bad.csv", b"a\n\n0.25\n3e38\n");
    place.write("long.csv", format!("a,y\n{}3e38,1\n0.25,1\n", rows(9_000)).as_bytes());
    for (files, wanted) in [
        ("bad.csv", "`bad.csv`, line 4, column `a`: 3"),
        ("good.csv bad.csv", "`bad.csv`, line 4, column `a`: 3"),
        ("long.csv", "`long.csv`, line 9002, column `a`: 3"),
        ("long.csv good.csv", "`long.csv`, line 9002, column `a`: 3"),
    ] {
        let refused = place.run(&format!("predict R {files} -o out.csv --device cpu"));
        assert_eq!(refused.code, 4, "{files}: {}", refused.err);
        assert!(refused.err.contains(wanted), "{files}: {}", refused.err);
    }
}
