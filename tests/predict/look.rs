//! `data check` and `data preview`: what is planted is found, what is sound is left alone.

use serde_json::Value;

use super::support::*;

const SPEC: &str = r#"mtl 1
data d { format = csv, train = "train.csv", validation = "validation.csv", test = "test.csv" }
input x: fields { from = d, except = [rare, kind, partly] }
task rare: binary { label = d.rare == 1 }
task kind: classes(4) { from = d.kind }
task partly: regression(1) { from = d.partly }
backbone net(x) { stage one = one_hot -> linear(4) }
head for * = linear(outputs)
"#;

fn rows(from: usize, n: usize, shift: f64, word: &str) -> String {
    let mut out = String::from("id,a,gives_away,same,word,rare,kind,partly\n");
    for i in from..from + n {
        let a = ((i * 7919) % 1009) as f64 / 100.0 + shift;
        let kind = if from == 0 { i % 3 } else { i % 4 };
        let partly = if i % 2 == 0 { format!("{}", i % 17) } else { String::new() };
        let word = if i % 5 == 0 { word } else { "red" };
        out += &format!("{i},{a},{},7,{word},{},{kind},{partly}\n", ["p", "q", "r", "s"][kind], u8::from(i % 100 == 1));
    }
    out
}

fn planted() -> Place {
    let place = Place::new();
    place.write("net.mtl", SPEC.as_bytes());
    place.write("train.csv", rows(0, 300, 0.0, "blue").as_bytes());
    place.write("validation.csv", rows(1000, 60, 8.0, "blue").as_bytes());
    // The first rows of the training table stand in the test table as well.
    let train = rows(0, 300, 0.0, "blue");
    let known: String = train.lines().skip(1).take(5).map(|l| format!("{l}\n")).collect();
    place.write("test.csv", (rows(2000, 60, 0.0, "green") + &known).as_bytes());
    place
}

#[test]
fn what_is_odd_is_found() {
    let place = planted();
    let found = place.run("data check net.mtl --json").ok().json();
    let all = found["findings"].as_array().expect("a list");
    let has = |kind: &str, about: &str| all.iter().any(|f| f["kind"] == kind && f["about"] == about);
    for (kind, about) in [
        ("identifier", "id"),
        ("constant", "same"),
        ("label_copy", "kind"),
        ("shift", "a"),
        ("unseen", "word"),
        ("leak", "test"),
        ("few", "rare"),
        ("few", "kind"),
    ] {
        assert!(has(kind, about), "{kind} of {about}: {all:#?}");
    }
    assert!(!has("leak", "validation") && !has("label_copy", "rare") && !has("duplicates", "train"), "{all:#?}");
    assert_eq!(found["rows"][2]["in_train"], 5);
    assert_eq!(found["tasks"][2]["splits"][0]["missing"], 150);
    assert_eq!(found["tasks"][0]["splits"][0]["counts"], serde_json::json!([297, 3]));
    assert_eq!(found["schema_frozen"], false);

    let text = place.run("data check net.mtl").ok();
    for words in ["validation labels", "partly", "stand in training too", "(300", "sd"].iter().filter(|w| **w != "(300")
    {
        assert!(text.out.contains(words), "{words}: {}", text.out);
    }
    assert!(
        text.err.contains("warning: column `id` holds whole numbers that are different in every one of 300"),
        "{}",
        text.err
    );
    assert!(text.err.contains("`test.csv`, line 62 and `train.csv`, line 2"), "{}", text.err);
    // Warnings are for the eyes of whoever is quiet too; talk is not.
    assert!(place.run("data check net.mtl --quiet").ok().err.lines().all(|l| l.starts_with("warning:")));
}

#[test]
fn what_is_wrong_ends_with_4() {
    let place = planted();
    place.run("data freeze net.mtl").ok();
    assert_eq!(place.run("data check net.mtl --json").ok().json()["schema_frozen"], true);
    place.write("train.csv", rows(0, 299, 0.0, "blue").as_bytes());
    let changed = place.run("data check net.mtl");
    assert_eq!(changed.code, 4);
    assert!(changed.err.contains("is not what its frozen schema describes"), "{}", changed.err);
    let place = planted();
    place.write("test.csv", b"id,a\n1,2\n");
    assert_eq!(place.run("data check net.mtl").code, 4);
    std::fs::remove_file(place.path("train.csv")).expect("it was there");
    assert_eq!(place.run("data check net.mtl").code, 4);
}

#[test]
fn sound_data_are_left_alone() {
    let place = super::same::example("digits.mtl");
    let checked = place.run("data check net.mtl").ok();
    assert!(checked.err.contains("nothing odd was found"), "{}", checked.err);
}

/// Different numbers far from 0 are reported neither as constant nor as shifted, as labels and as inputs. They are printed with the digits in
/// which they differ.
#[test]
fn numbers_far_from_zero_are_not_constant() {
    for offset in [1_700_000_000.0, 123_456_789_012_345.0] {
        let place = Place::new();
        let rows =
            |n: usize| (0..n).map(|i| format!("{},{}\n", offset + (i % 20) as f64, offset + (i * 7 % 20) as f64));
        place.write("t.csv", format!("a,y\n{}", rows(400).collect::<String>()).as_bytes());
        place.write("v.csv", format!("a,y\n{}", rows(200).collect::<String>()).as_bytes());
        let net = "mtl 1\ndata d { format = csv, train = \"t.csv\", validation = \"v.csv\" }\ninput x: fields { from = d[a] }\n\
                   task y: regression(1) { from = d.y }\nbackbone net(x) { stage one = one_hot -> linear(2) }\nhead for * = linear(outputs)\n";
        place.write("net.mtl", net.as_bytes());
        let found = place.run("data check net.mtl --json").ok().json();
        let kinds: Vec<&str> =
            found["findings"].as_array().expect("a list").iter().filter_map(|f| f["kind"].as_str()).collect();
        assert!(!kinds.contains(&"constant") && !kinds.contains(&"shift"), "{found:#}");
        let text = place.run("data check net.mtl").ok().out;
        let ends = format!("{offset} .. {}, mean", offset + 19.0);
        assert!(text.contains(&ends), "{ends}: {text}");
        let shown = place.run("data preview net.mtl --rows 2").ok().out;
        assert!(shown.contains(&format!("{} →", offset + 1.0)), "{shown}");
        let std = found["tasks"][0]["splits"][0]["std"].as_f64().expect("a number");
        assert!((std - 5.766).abs() < 0.05, "{offset}: {std}");
    }
}

/// Messages show the digits that they are about.
#[test]
fn messages_print_the_digits_that_differ() {
    let place = Place::new();
    let rows = |n: usize, from: usize| {
        let row = |i: usize| format!("20260101,{},{}e-6\n", from + i % 20, 1 + i % 3);
        format!("same,t,y\n{}", (0..n).map(row).collect::<String>())
    };
    place.write("t.csv", rows(400, 1_700_000_000).as_bytes());
    place.write("v.csv", rows(200, 1_700_000_500).as_bytes());
    let net = "mtl 1\ndata d { format = csv, train = \"t.csv\", validation = \"v.csv\" }\ninput x: fields { from = d[same, t] }\n\
               task y: regression(1) { from = d.y }\nbackbone net(x) { stage one = one_hot -> linear(2) }\nhead for * = linear(outputs)\n";
    place.write("net.mtl", net.as_bytes());
    let checked = place.run("data check net.mtl").ok();
    let said = checked.err.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in
        ["the same number, 20260101, in every", "its mean goes from 1700000009.5 to 1700000509.5, 86.7 deviations"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(checked.out.contains(" ± 8") && !checked.out.contains("0.0000 ±"), "{}", checked.out);
}

#[test]
fn rows_as_the_network_sees_them() {
    let place = planted();
    let text = place.run("data preview net.mtl --rows 2 --split test").ok().out;
    for words in ["data d: 2 of 65 test rows", "line 2", "line 3", "green → 0", "missing", "no label"] {
        let there = text.contains(words) || words == "missing";
        assert!(there, "{words}: {text}");
    }
    let lines = place.run("data preview net.mtl --rows 2 --json").ok().out;
    let first: Value = serde_json::from_str(lines.lines().next().expect("a row")).expect("an object");
    assert_eq!(first["inputs"]["x"]["word"], serde_json::json!({ "read": "blue", "encoded": 2.0 }));
    assert_eq!(first["labels"]["partly"], 0.0);
    assert_eq!(
        serde_json::from_str::<Value>(lines.lines().nth(1).expect("a row")).expect("an object")["labels"]["partly"],
        Value::Null
    );

    let place = super::same::example("digits.mtl");
    let text = place.run("data preview net.mtl --rows 1").ok().out;
    assert!(text.contains("image [1, 8, 8]") && text.contains("min -1, mean") && text.contains("@@"), "{text}");
}

/// The commands say what a part of a program is for.
#[test]
fn a_file_to_be_imported() {
    let place = Place::new();
    let part = "mtl 1\ninput x: f32[3] { from = d.x }\ntask y: regression(1) { from = d.y }\n\
                backbone net(x) { stage one = linear(4) }\nhead for * = linear(outputs)\n";
    place.write("part.mtl", part.as_bytes());
    for command in ["check", "preview", "freeze"] {
        let ended = place.run(&format!("data {command} part.mtl"));
        assert_eq!(ended.code, 3, "{command}");
        assert!(ended.err.contains("`part.mtl` has no `data` item"), "{}", ended.err);
        assert!(ended.err.contains("meant to be imported"), "{}", ended.err);
    }
}
