//! What goes wrong with new rows: every message with its exit code in `tests/predict/messages.txt`. A message names the place and the
//! way out; `UPDATE=1` rewrites the file: read it as the person who made the mistake.

use std::path::Path;

use super::expectations::Expectations;
use super::tables::trained;

#[test]
fn mistakes() {
    let place = trained();
    let good = place.text("new.csv");
    let with = |name: &str, text: &str| drop(place.write(name, text.as_bytes()));
    with("lacks.csv", &good.replacen("colour,who,b,a", "color,who,b,c", 1));
    with("twice.csv", &good.replacen("colour,who,b,a", "colour,a,b,a", 1));
    with("word.csv", &good.replacen("\"row, 3\",", "\"row, 3\",much", 1));
    with("short.csv", "a,b,colour\n1,2,red\n1,2\n");
    with("tabs.csv", &good.replace(',', "\t"));
    with("empty.csv", "");
    with("header.csv", "a,b,colour\n");
    place.write("latin.csv", b"a,b,colour\n1,2,bl\xe9\n");
    place.write("table.parquet", b"PAR1\x15\x04\x15");
    place.write("cut.csv.gz", &[0x1f, 0x8b, 8, 0, 0, 0]);
    place.write("x.npy", &super::support::npy(&[2, 3], &[0.0; 6]));
    place.run("search net.mtl -o searched --device cpu --quiet").ok();
    let cases = [
        ("a column that is called otherwise", 4, "predict run lacks.csv"),
        ("a column twice", 4, "predict run twice.csv"),
        ("a word for a number", 4, "predict run word.csv"),
        ("a row too short", 4, "predict run short.csv"),
        ("another delimiter", 4, "predict run tabs.csv"),
        ("an empty file", 4, "predict run empty.csv"),
        ("a header alone", 0, "predict run header.csv"),
        ("text in another encoding", 4, "predict run latin.csv"),
        ("a compressed table that is cut off", 4, "predict run cut.csv.gz"),
        ("no such file", 4, "predict run none.csv"),
        ("no such column to hand through", 4, "predict run new.csv --id whom"),
        ("an array for a table", 4, "predict run x.npy"),
        ("a table and an array", 4, "predict run new.csv x.npy"),
        ("a picture size for a table", 2, "predict run new.csv --resize"),
        ("a pixel range for an array", 2, "predict run x.npy --range 0 1"),
        ("no such task", 2, "predict run new.csv --tasks yes,kinds"),
        ("no such network", 1, "predict run new.csv --network derived"),
        ("a run that only searched", 1, "predict searched new.csv"),
        ("no run", 1, "predict nowhere new.csv"),
        ("a folder that is no run", 1, "predict . new.csv"),
        ("a program without weights", 2, "predict net.mtl new.csv"),
        (
            "weights of another network",
            1,
            "predict net.mtl new.csv --weights searched/checkpoints/supernet.safetensors",
        ),
        ("arrays to a terminal", 2, "predict run new.csv --format npy"),
        ("one array for three tasks", 2, "predict run new.csv -o out.npy"),
        ("an ending that stands for no format", 2, "predict run new.csv -o out.parquet"),
        ("a Parquet file", 4, "predict run table.parquet"),
        ("outputs of no known layout", 2, "evaluate run --outputs out.txt"),
    ];
    let mut text = String::new();
    for (name, code, command) in cases {
        let ended = place.run(&format!("{command} --device cpu"));
        assert_eq!(ended.code, code, "{name}: {}{}", ended.out, ended.err);
        assert!(!ended.err.contains("bug in mtlc"), "{name}: {}", ended.err);
        assert!(code == 0 || ended.out.is_empty(), "{name}: nothing is produced: {}", ended.out);
        text += &format!("## {name}\n$ mtlc {command}\n{}{}[exit {code}]\n\n", ended.out, ended.err);
    }
    let mut expectations = Expectations::default();
    expectations.check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/predict/messages.txt"), &text);
    expectations.finish();
}
