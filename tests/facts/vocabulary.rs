//! Vocabularies of any size, and programs without them.

use mtlc::data::vocabulary::{Sidecar, bucket};
use mtlc::driver;
use mtlc::hir::Options;

use crate::support::{Place, numbers};

/// As many texts of this length; `y` follows from `a`.
fn rows(texts: usize, length: usize) -> String {
    let mut out = String::from("text,a,y\n");
    for (i, a) in numbers(texts, 5).into_iter().enumerate() {
        out += &format!("{i:05}{},{a},{}\n", "x".repeat(length), u8::from(a > 0.0));
    }
    out
}

const PROGRAM: &str = "mtl 1
data d { format = csv, train = \"t.csv\", validation = share(0.1, of = train), test = share(0.1, of = train) }
input x: fields { from = d, except = [y] }
task y: binary { label = d.y == 1 }
task a: regression(1) { label = d.a * 2 }
backbone net(x) {
  stage s = embedding(2) -> concat_fields -> mlp(4)
  stage t = mlp(3)
}
head for * = linear(outputs)
space branching over net {
  level s { copies = 1 }
  level t { copies = 2, reads = one }
  heads   { per = task, reads = one }
}
search random { draws = 2 }
train { epochs = 1, batch = 4096 }
";

fn place(texts: usize, length: usize) -> Place {
    let place = Place::new();
    place.write("t.csv", rows(texts, length).as_bytes());
    place.write("net.mtl", PROGRAM.as_bytes());
    place
}

/// Names of files in a folder that end in `.vocab`.
fn beside(place: &Place, folder: &str) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(place.path(folder))
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|n| n.ends_with(".vocab"))
        .collect();
    all.sort();
    all
}

/// 22 MiB of texts: more than a program may hold.
#[test]
fn a_vocabulary_may_be_larger_than_a_program() {
    let place = place(25_000, 900);
    place.run("train net.mtl -o run -q").ok();
    assert!(place.text("run/program.mtl").len() < 10_000);
    assert_eq!(beside(&place, "run").len(), 1);
    place.run("verify run").ok();
    // The run needs nothing but itself.
    std::fs::rename(place.path("run"), place.path("moved")).expect("it moves");
    place.write("new.csv", rows(40, 900).as_bytes());
    std::fs::remove_file(place.path("t.csv")).expect("it was there");
    assert_eq!(place.run("predict moved new.csv").ok().out.lines().count(), 41);
}

#[test]
fn freezing_writes_the_file_beside_the_program() {
    let place = place(3_000, 200);
    place.run("data freeze net.mtl").ok();
    let files = beside(&place, ".");
    assert_eq!(files.len(), 1, "{files:?}");
    let (text, words) = (place.text("net.mtl"), place.text(&files[0]));
    assert!(text.contains("vocabulary = file") && text.len() < 4_000, "{text}");
    assert!(words.starts_with("mtl vocabulary 1\ncolumn text "), "{}", &words[..60]);
    place.run("check net.mtl").ok();
    place.run("data freeze net.mtl").ok();
    assert_eq!((place.text("net.mtl"), beside(&place, ".")), (text.clone(), files.clone()));
    // Runs, and what is derived from them, take it with them.
    place.run("run net.mtl -o run -q").ok();
    place.run("verify run").ok();
    assert_eq!(beside(&place, "run/derived"), files);
    place.run("derive run -o elsewhere/mine.mtl").ok();
    assert_eq!(beside(&place, "elsewhere"), files);
    place.run("check elsewhere/mine.mtl").ok();
    place.run("verify elsewhere/mine.mtl --spec net.mtl").ok();
    let same = place.run("diff run elsewhere/mine.mtl").ok().out;
    assert!(same.contains("mean the same"), "{same}");
    place.run("predict run t.csv").ok();
    // Its meaning is the same where the vocabulary stands in the program.
    let frozen = place.text("net.mtl");
    let compiled = driver::compile(&place.path("net.mtl"), &Options::default()).expect("it reads");
    let spec = &compiled.checked.as_ref().expect("it checks").spec;
    let mut open = spec.data[0].schema.clone().expect("frozen");
    let digest = open.digest_text();
    open.withhold();
    assert_eq!(open.digest_text(), digest);
    assert!(frozen.contains("values = "));

    // A file that was edited, or is gone, is told with its place.
    place.write(&files[0], words.replacen("00001x", "00001y", 1).as_bytes());
    let edited = place.run("check net.mtl");
    assert_eq!(edited.code, 3, "{}", edited.err);
    assert!(edited.err.contains("mtl::data::schema") && edited.err.contains("sha256"), "{}", edited.err);
    // Nothing of another content is overwritten.
    let refused = place.run("data freeze elsewhere/mine.mtl");
    assert_eq!(refused.code, 0, "{}", refused.err);
    place.write("net.mtl", PROGRAM.as_bytes());
    let refused = place.run("data freeze net.mtl");
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    assert_eq!(place.text("net.mtl"), PROGRAM);
    assert_ne!(place.text(&files[0]), words);
    std::fs::remove_file(place.path(&files[0])).expect("it was there");
    place.write("net.mtl", frozen.as_bytes());
    let gone = place.run("check net.mtl");
    assert_eq!(gone.code, 3);
    assert!(gone.err.contains("there is no such file"), "{}", gone.err);
    place.write(&files[0], words.as_bytes());
    place.run("check net.mtl").ok();
}

/// What `check` refuses is never written: labels that the frozen columns cannot be.
#[test]
fn freezing_never_writes_what_check_refuses() {
    for wrong in ["label = d.text == \"never\"", "label = d.text"] {
        let place = place(50, 3);
        let program = PROGRAM.replace("label = d.y == 1", wrong);
        place.write("net.mtl", program.as_bytes());
        let before = place.contents();
        let out = place.run("data freeze net.mtl");
        assert_eq!(out.code, 3, "{wrong}: {}{}", out.out, out.err);
        assert!(out.err.contains("stays as it is"), "{}", out.err);
        assert_eq!(place.contents(), before);
    }
}

#[test]
fn a_derived_file_without_texts() {
    let place = place(400, 3);
    place.run("run net.mtl -o run -q").ok();
    let held = place.text("run/derived/net.mtl");
    assert!(held.contains("00007xxx"), "{held}");
    place.run("derive run --no-vocabulary -o shared.mtl").ok();
    let text = place.text("shared.mtl");
    assert!(!text.contains("xxx") && text.contains("sha256"), "{text}");
    place.run("check shared.mtl").ok();
    place.run("verify shared.mtl --spec net.mtl").ok();
    let same = place.run("diff run shared.mtl").ok().out;
    assert!(same.contains("mean the same"), "{same}");
    // Where the data are, it trains to the same weights, and that run predicts.
    place.run("train shared.mtl -o again -q").ok();
    place.run("train run/derived/net.mtl -o first -q").ok();
    let weights = |run: &str| std::fs::read(place.path(run).join("checkpoints/trained.safetensors")).expect("weights");
    assert_eq!(weights("again").len(), weights("first").len());
    assert_eq!(place.run("predict again t.csv").ok().out, place.run("predict first t.csv").ok().out);
    // By itself it cannot read texts, and says so.
    let refused = place.run("predict shared.mtl t.csv --weights first/checkpoints/trained.safetensors");
    assert_eq!(refused.code, 4, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("without the vocabulary of column `text`"), "{}", refused.err);
    // Other data are told from those that it was derived from.
    place.write("t.csv", rows(400, 4).as_bytes());
    let other = place.run("train shared.mtl -o other -q");
    assert_eq!(other.code, 4, "{}", other.err);
}

/// Weekly retraining: other rows, frozen again. The search is the same, and `verify --spec` says so.
#[test]
fn a_schema_that_was_frozen_again_is_no_other_search() {
    let place = place(400, 3);
    place.run("run net.mtl -o run -q").ok();
    place.run("derive run -o mine.mtl").ok();
    let spec = |file: &str, against: &str| {
        let out = place.run(&format!("verify {file} --spec {against} --json"));
        let answers = out.json()["answers"].as_array().expect("answers").clone();
        let of = |q: &str| answers.iter().find(|a| a["question"] == q).unwrap_or_else(|| panic!("{q}")).clone();
        (of("untouched"), of("spec"))
    };
    let (own, from) = spec("mine.mtl", "net.mtl");
    assert_eq!((own["verdict"].as_str(), from["verdict"].as_str()), (Some("ok"), Some("ok")));
    // The next week.
    place.write("week2.csv", rows(500, 3).as_bytes());
    let again = place.text("mine.mtl").replace("\"t.csv\"", "\"week2.csv\"");
    place.write("week2.mtl", again.as_bytes());
    place.run("data freeze week2.mtl").ok();
    let (own, from) = spec("week2.mtl", "net.mtl");
    assert_eq!(own["verdict"], "differs");
    assert!(own["why"].as_str().expect("words").contains("schema"), "{own}");
    assert_eq!(from["verdict"], "ok", "{from}");
    assert!(from["why"].as_str().expect("words").contains("frozen again"), "{from}");
    // A search of other epochs, another space, another task: told by name.
    for (from, to, part) in [
        ("search random { draws = 2 }", "search random { draws = 3 }", "search"),
        ("level t { copies = 2", "level t { copies = 1", "space"),
        ("label = d.a * 2", "label = d.a * 3", "tasks"),
    ] {
        let other = PROGRAM.replace(from, to);
        assert_ne!(other, PROGRAM);
        place.write("other.mtl", other.as_bytes());
        let (_, answer) = spec("week2.mtl", "other.mtl");
        assert_eq!(answer["verdict"], "differs", "{answer}");
        let why = answer["why"].as_str().expect("words");
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn a_bucket_is_what_the_documentation_says() {
    // int.from_bytes(hashlib.sha256(b"...").digest()[:8], "little") % 1000, by Python.
    for (text, want) in [("user 7", 880), ("", 227), ("\u{e9}", 146)] {
        assert_eq!(bucket(text, 1000), want, "{text}");
    }
    let spread: std::collections::HashSet<usize> = (0..1000).map(|i| bucket(&i.to_string(), 64)).collect();
    assert_eq!(spread.len(), 64);
}

/// Any text may stand in a vocabulary.
#[test]
fn texts_with_line_ends_and_backslashes_come_back() {
    use mtlc::data::vocabulary::Shelf;
    use mtlc::data::{ColumnFacts, Facts, Schema};
    let mut values: Vec<(String, usize)> =
        ["", " a ", "a\nb", "a\r\nb", "\\n", "\\", "tab\t", "3 x", "column \"a\" 2", "é"]
            .iter()
            .map(|v| (v.to_string(), 1))
            .chain((0..40_000).map(|i| (format!("filler {i}"), 1)))
            .collect();
    values.sort();
    let facts = Facts::Category { values: values.clone().into() };
    let name = "a \"name\"\nof two lines";
    let column =
        ColumnFacts { name: name.into(), shape: vec![], facts, missing: 0, range: None, groups: vec![], rare: None };
    let schema = Schema { format: "csv".into(), rows: [1, 1, 1], columns: vec![column], ..Schema::default() };
    let file: Sidecar = schema.sidecar("d e").expect("it is large");
    assert!(file.name.starts_with("d_e.") && file.name.ends_with(".vocab"), "{}", file.name);
    let mut shelf = Shelf::read(&file.text, &file.sha256).expect("it reads");
    assert_eq!(shelf.take(name), Some(values));
    assert!(Shelf::read(&format!("{} ", file.text), &file.sha256).is_err());
}
