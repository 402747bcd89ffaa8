//! A row's outputs are the same to the bit, whatever file, order and piece it comes in, and wherever the run folder is.

use std::io::Read;
use std::path::Path;

use super::support::*;

/// A program of the examples with few epochs, and its data.
pub fn example(name: &str) -> Place {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let text = std::fs::read_to_string(folder.join(name)).expect("an example");
    let text: Vec<String> = text
        .lines()
        .map(|l| if l.trim_start().starts_with("epochs") { "  epochs = 1".to_string() } else { l.to_string() })
        .collect();
    place.write("net.mtl", text.join("\n").as_bytes());
    for file in ["census_train.csv.gz", "census_test.csv.gz", "digits-images.idx.gz", "digits-labels.idx.gz"] {
        if text.iter().any(|l| l.contains(file)) {
            place.write(&format!("data/{file}"), &std::fs::read(folder.join("data").join(file)).expect("data"));
        }
    }
    place
}

pub fn unpacked(place: &Place, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let file = std::fs::File::open(place.path(name)).expect("data");
    flate2::read::GzDecoder::new(file).read_to_end(&mut out).expect("gzip");
    out
}

/// Header, and the rows of a split without the columns that say where they stand; and where they stand.
fn evaluated(text: &str, split: &str) -> (String, Vec<(usize, String)>) {
    let rest = |l: &str| l.splitn(3, ',').nth(2).expect("three cells").to_string();
    let rows = text.lines().skip(1).filter(|l| l.starts_with(split)).map(|l| {
        let row = l.split(',').nth(1).and_then(|n| n.parse().ok()).expect("a number");
        (row, rest(l))
    });
    (rest(text.lines().next().expect("a header")), rows.collect())
}

/// Moves the run away and takes the training data with it.
fn moved(place: &Place) {
    std::fs::create_dir(place.path("elsewhere")).expect("a folder");
    std::fs::rename(place.path("run"), place.path("elsewhere/moved")).expect("it moves");
    let _ = std::fs::remove_dir_all(place.path("data"));
    let _ = std::fs::remove_file(place.path("train.csv"));
    std::fs::remove_file(place.path("net.mtl")).expect("it was there");
}

#[test]
fn a_table_in_any_pieces() {
    let place = example("census.mtl");
    let all = unpacked(&place, "data/census_test.csv.gz");
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    place.run("evaluate run --outputs outputs.csv --device cpu --quiet").ok();
    let (header, want) = evaluated(&place.text("outputs.csv"), "test");
    moved(&place);

    let lines: Vec<&str> = std::str::from_utf8(&all).expect("text").lines().collect();
    assert_eq!(lines.len(), want.len());
    let cuts = [0, 1, 18, 274, 5000, lines.len()];
    let mut together = String::new();
    let mut files = Vec::new();
    for (i, ends) in cuts.windows(2).enumerate() {
        place.write(&format!("part{i}.csv"), (lines[ends[0]..ends[1]].join("\n") + "\n").as_bytes());
        let one = place.run(&format!("predict elsewhere/moved part{i}.csv --raw --device cpu --quiet")).ok().out;
        let (first, rest) = one.split_once('\n').expect("a header");
        assert_eq!(first, header);
        together += rest;
        files.push(format!("part{i}.csv"));
    }
    let want: String = want.iter().map(|(_, r)| format!("{r}\n")).collect();
    assert!(together == want, "file by file");
    let at_once =
        place.run(&format!("predict elsewhere/moved {} --raw --device cpu --quiet", files.join(" "))).ok().out;
    assert!(at_once == format!("{header}\n{want}"), "all at once");
}

#[test]
fn arrays_in_any_pieces() {
    let place = example("digits.mtl");
    let images = unpacked(&place, "data/digits-images.idx.gz");
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    place.run("evaluate run --outputs outputs.csv --device cpu --quiet").ok();
    let (header, mut want) = evaluated(&place.text("outputs.csv"), "test");
    want.extend(evaluated(&place.text("outputs.csv"), "validation").1);
    moved(&place);
    let (head, pixels) = images.split_at(16);
    let part = |rows: std::ops::Range<usize>| {
        let mut out = head[..4].to_vec();
        out.extend((rows.len() as u32).to_be_bytes());
        out.extend(&head[8..]);
        out.extend(&pixels[rows.start * 64..rows.end * 64]);
        out
    };
    for cuts in [vec![0, 1797], vec![0, 3, 700, 701, 1797]] {
        let mut files = Vec::new();
        for ends in cuts.windows(2) {
            let name = format!("part{}.idx", ends[0]);
            place.write(&name, &part(ends[0]..ends[1]));
            files.push(name);
        }
        let out =
            place.run(&format!("predict elsewhere/moved {} --raw --device cpu --quiet", files.join(" "))).ok().out;
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], header);
        assert_eq!(lines.len(), 1798);
        for (row, text) in &want {
            assert_eq!(lines[row + 1], text, "sample {row}");
        }
    }
}

/// Every network that a run trains can be evaluated and used, without the training data.
#[test]
fn every_network_of_a_run() {
    let place = Place::table();
    let summary = place.run("run net.mtl -o run --random 1 --json --device cpu --quiet").ok().json();
    let names: Vec<String> = summary["networks"]
        .as_array()
        .expect("networks")
        .iter()
        .filter_map(|n| n["name"].as_str().map(str::to_string))
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    let mut want = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let test = &summary["networks"][i]["test"];
        let by_name = place.run(&format!("evaluate run --network {name} --outputs {name}.csv --json --device cpu -q"));
        assert_eq!(&by_name.ok().json()["test"], test, "{name}");
        let weights = format!("run/checkpoints/{name}.safetensors");
        let by_weights = place.run(&format!("evaluate run --weights {weights} --json --device cpu -q"));
        assert_eq!(&by_weights.ok().json()["test"], test, "{name}");
        want.push(evaluated(&place.text(&format!("{name}.csv")), "test"));
    }
    assert_ne!(want[0], want[1]);
    // The rows by their lines of the training table.
    let lines: Vec<String> = table(60).lines().map(str::to_string).collect();
    let rows: Vec<String> = want[0].1.iter().map(|(line, _)| lines[line - 1].clone()).collect();
    place.write("new.csv", format!("{}\n{}\n", lines[0], rows.join("\n")).as_bytes());
    moved(&place);
    for (name, (header, rows)) in names.iter().zip(want) {
        let command = format!("predict elsewhere/moved new.csv --network {name} --raw --device cpu --quiet");
        let out = place.run(&command).ok().out;
        let rows: String = rows.iter().map(|(_, r)| format!("{r}\n")).collect();
        assert_eq!(out, format!("{header}\n{rows}"), "{name}");
    }
    let own = place.run("predict elsewhere/moved new.csv --device cpu --quiet").ok().out;
    assert_eq!(own, place.run("predict elsewhere/moved new.csv --network derived --device cpu --quiet").ok().out);
}
