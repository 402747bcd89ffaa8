//! One seed, one run: whatever the number of threads, and however often.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::*;

/// Takes out what two runs may differ in: times, and the sum of the list of sums, which covers files with times.
fn timeless(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["seconds", "latency", "latency_batch", "device", "marks", "sums"] {
                map.remove(key);
            }
            map.values_mut().for_each(timeless);
        }
        Value::Array(list) => list.iter_mut().for_each(timeless),
        _ => {}
    }
}

/// The files of a run, times taken out.
fn files(place: &Place, run: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    for (path, bytes) in place.contents() {
        let Ok(name) = path.strip_prefix(run) else { continue };
        // Sums of files that hold times.
        if name == Path::new("SHA256SUMS") {
            continue;
        }
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let bytes = match ending {
            "json" | "jsonl" => {
                let text = String::from_utf8(bytes).expect("UTF-8");
                let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
                let mut kept = String::new();
                for value in values {
                    let mut value = value.expect("JSON");
                    timeless(&mut value);
                    kept += &format!("{value}\n");
                }
                kept.into_bytes()
            }
            _ => bytes,
        };
        out.insert(name.to_path_buf(), bytes);
    }
    out
}

#[track_caller]
fn same(a: &BTreeMap<PathBuf, Vec<u8>>, b: &BTreeMap<PathBuf, Vec<u8>>) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    let differ: Vec<&Path> = a.iter().filter(|(n, bytes)| b[*n] != **bytes).map(|(n, _)| n.as_path()).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn one_seed_gives_one_run() {
    let place = Place::table();
    place.run("run net.mtl -o one --seed 3 --device cpu").ok();
    place.run("run net.mtl -o two --seed 3 --device cpu").ok();
    place.run_with("run net.mtl -o single --seed 3 --device cpu", &[("RAYON_NUM_THREADS", "1")]).ok();
    place.run_with("run net.mtl -o pair --seed 3 --device cpu", &[("RAYON_NUM_THREADS", "2")]).ok();
    place.run("run net.mtl -o other --seed 4 --device cpu").ok();
    let one = files(&place, "one");
    for name in ["supernet", "derived", "all_shared", "independent"] {
        assert!(one.contains_key(Path::new(&format!("checkpoints/{name}.safetensors"))), "{:?}", one.keys());
    }
    for name in
        ["run.json", "source.mtl", "program.mtl", "search.json", "summary.json", "metrics.jsonl", "search.jsonl"]
    {
        assert!(one.contains_key(Path::new(name)), "{:?}", one.keys());
    }
    for again in ["two", "single", "pair"] {
        same(&one, &files(&place, again));
    }
    let other = files(&place, "other");
    for name in
        ["checkpoints/supernet.safetensors", "checkpoints/all_shared.safetensors", "metrics.jsonl", "search.jsonl"]
    {
        assert_ne!(one[Path::new(name)], other[Path::new(name)], "{name} of another seed");
    }

    // The derived file is a program like any other: the same seed trains it to the same weights.
    place.run("train one/derived/net.mtl -o again --seed 3 --device cpu").ok();
    let again = files(&place, "again");
    let weights = Path::new("checkpoints/trained.safetensors");
    assert_eq!(one[Path::new("checkpoints/derived.safetensors")], again[weights]);
    place.run("train one/derived/net.mtl -o later --seed 5 --device cpu").ok();
    assert_ne!(again[weights], files(&place, "later")[weights]);

    // Evaluation draws nothing.
    let first = place.run("evaluate one --json --device cpu").ok().json();
    let second = place.run_with("evaluate one --json --device cpu", &[("RAYON_NUM_THREADS", "1")]).ok().json();
    let [mut first, mut second] = [first, second];
    timeless(&mut first);
    timeless(&mut second);
    assert_eq!(first, second);
}

#[test]
fn convolutions_with_batch_norm_repeat() {
    let place = Place::new();
    place.write("image.npy", &npy(&[40, 1, 8, 8], &numbers(40 * 64, 1)));
    place.write("far.npy", &npy(&[40], &numbers(40, 4)));
    place.write("near.npy", &npy(&[40], &numbers(40, 5)));
    let spec = r#"mtl 1
data d {
  format = npy
  train = ["image.npy", "far.npy", "near.npy"]
  validation = share(0.25, of = train), test = share(0.25, of = train)
}
input image: f32[1, 8, 8] { from = d.image }
task far: regression(1) { from = d.far }
task near: regression(1) { from = d.near }
backbone net(image) {
  stage c1 = conv_bn(3)
  stage c2 = conv_bn(4) -> max_pool(2) -> flatten -> linear(6) -> relu -> dropout(0.2)
}
head for * = linear(outputs)
space s over net {
  level c1 { copies = 1 }
  level c2 { copies = 2, reads = one }
  heads { per = task, reads = one }
}
search learn_to_branch { epochs = 3, warmup = 1, batch = 8 }
train { epochs = 2, batch = 8 }
"#;
    place.write("net.mtl", spec.as_bytes());
    place.run_with("run net.mtl -o one --device cpu", &[("RAYON_NUM_THREADS", "1")]).ok();
    place.run_with("run net.mtl -o two --device cpu", &[("RAYON_NUM_THREADS", "2")]).ok();
    same(&files(&place, "one"), &files(&place, "two"));

    // With less memory than there can be, steps compute again; nothing else changes.
    place.write("little.mtl", spec.replace("train { ", "train { memory = 1, ").as_bytes());
    let said = place.run("run little.mtl -o little --device cpu").ok().err;
    assert!(said.contains("of the way forward computed twice, in place of"), "{said}");
    assert!(said.contains("`memory` allows 1 B"), "{said}");
    let (one, little) = (files(&place, "one"), files(&place, "little"));
    let mut seen = 0;
    for (name, bytes) in one.iter().filter(|(n, _)| n.starts_with("checkpoints") || **n == *Path::new("search.jsonl")) {
        assert!(little[name] == *bytes, "{} differs", name.display());
        seen += 1;
    }
    assert!(seen >= 5, "{seen} files");
    let plain = place.run_with("run little.mtl -o plain --device cpu", &[("MTLC_WITHOUT", "recompute")]).ok().err;
    assert!(!plain.contains("computed twice"), "{plain}");
}
