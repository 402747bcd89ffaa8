//! The derived network is the supernet's decided part: with its weights it gives its outputs.

use std::path::Path;

use candle_core::Device;
use mtlc::experiment::{self, Prepared};
use mtlc::plan::lower;
use mtlc::random::Randomness;
use mtlc::runtime::control::Control;
use mtlc::runtime::evaluate::predictions;
use mtlc::runtime::model::{Decided, Model};

use super::support::*;

/// Searches, derives, inherits and compares on the validation split; gives the number of copies that fell away.
#[track_caller]
fn agrees(prepared: &Prepared, seed: u64) -> usize {
    let checked = prepared.checked();
    let found = search(prepared, seed, &mut Heard::default());
    let network = experiment::network_of(checked, &found.derived.topology).expect("it is legal");
    let (plan, symbols) = lower(checked, &network).expect("it lowers");
    // Other weights to begin with, so that what is not inherited shows.
    let derived = Model::new(plan, symbols, Randomness::new(seed + 1000), &Device::Cpu).expect("a model");
    experiment::inherit(checked, &found.derived, found.supernet(), &derived).expect("it inherits");
    let decided: Vec<Decided> = found.result.decisions.iter().map(|d| Decided::hard(*d)).collect();
    let table = &prepared.feed.dataset.validation;
    let of_supernet =
        predictions(found.supernet(), &prepared.feed, table, &decided, &Control::free()).expect("outputs");
    let of_derived = predictions(&derived, &prepared.feed, table, &[], &Control::free()).expect("outputs");
    assert_eq!(of_supernet.len(), checked.spec.tasks.len());
    for ((a, b), task) in of_supernet.iter().zip(&of_derived).zip(&checked.spec.tasks) {
        assert_eq!(a.len(), b.len());
        assert!(!a.is_empty());
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(worst <= 1e-5, "task {}: {worst}", task.name);
        assert!(a.iter().all(|v| v.is_finite()), "task {}", task.name);
    }
    let supernet = checked.supernet.as_ref().expect("it has a space");
    let copies: usize = mtlc::check::cost::copies(supernet).values().sum();
    copies - found.derived.topology.nodes.len()
}

/// An example with a few epochs: its text rewritten, paths made absolute.
fn example(name: &str, changes: &[(&str, &str)]) -> (Place, Prepared) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut text = std::fs::read_to_string(folder.join(name)).expect("it ships");
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no `{from}`");
        text = text.replace(from, to);
    }
    text = text.replace("\"data/", &format!("\"{}/", folder.join("data").display()));
    text = text.replace("use \"", &format!("use \"{}/", folder.display()));
    let place = Place::new();
    let path = place.write(name, text.as_bytes());
    let prepared = prepare(&path, &[]);
    (place, prepared)
}

#[test]
fn census() {
    // A file small enough for seconds: the first rows of the excerpt.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let file = std::fs::File::open(folder.join("census_test.csv.gz")).expect("it ships");
    let text = std::io::read_to_string(flate2::read::GzDecoder::new(file)).expect("text");
    let rows: String = text.lines().take(1500).map(|l| format!("{l}\n")).collect();
    let spec = std::fs::read_to_string(folder.parent().expect("examples").join("census.mtl")).expect("it ships");
    let spec = spec
        .replace("data/census_train.csv.gz", "rows.csv")
        .replace("\"data/census_test.csv.gz\"", "share(0.1, of = train)")
        .replace("  epochs      = 12\n  warmup      = 2\n", "  epochs = 3\n  warmup = 1\n");
    let place = Place::new();
    place.write("rows.csv", rows.as_bytes());
    let prepared = prepare(&place.write("census.mtl", spec.as_bytes()), &[("width", "16")]);
    agrees(&prepared, 0);
    agrees(&prepared, 1);
}

#[test]
fn digits_with_batch_norm() {
    let (_place, prepared) = example(
        "digits.mtl",
        &[
            ("  epochs      = 20\n  warmup      = 2\n", "  epochs = 1\n  warmup = 0\n"),
            ("choices     = adam(lr = 1e-2)", "choices = adam(lr = 0.3)"),
        ],
    );
    agrees(&prepared, 0);
}

#[test]
fn the_synthetic_settings() {
    for (setting, seed) in [("a", 0), ("b", 1), ("c", 2)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let text = std::fs::read_to_string(folder.join(format!("synthetic_{setting}.mtl"))).expect("it ships");
        let text = text
            .replace("use \"", &format!("use \"{}/", folder.display()))
            .replace("samples     = 2000", "samples = 300, validation_samples = 50, test_samples = 50");
        let place = Place::new();
        let prepared = prepare(&place.write("s.mtl", text.as_bytes()), &[("epochs", "4"), ("warmup", "1")]);
        let dropped = agrees(&prepared, seed);
        assert!(dropped > 0, "setting {setting}: five or six of nine copies at most are needed, as a rule");
    }
}

/// 24 images of two channels and 8 by 8 pixels, and two masks to be found in each.
fn images(place: &Place) {
    place.write("image.npy", &npy(&[24, 2, 8, 8], &numbers(24 * 128, 1)));
    place.write("other.npy", &npy(&[24, 5], &numbers(24 * 5, 2)));
    let sign = |v: f32| if v > 0.0 { 1.0 } else { 0.0 };
    let labels: Vec<f32> = numbers(24, 3).into_iter().map(sign).collect();
    place.write("near.npy", &npy(&[24], &labels));
    place.write("far.npy", &npy(&[24], &numbers(24, 4)));
    place.write("wide.npy", &npy(&[24, 2], &numbers(48, 5)));
}

const HEAD: &str = r#"mtl 1
data d {
  format = npy
  train = ["image.npy", "other.npy", "near.npy", "far.npy", "wide.npy"]
  validation = share(0.25, of = train)
  test = share(0.25, of = train)
}
input image: f32[2, 8, 8] { from = d.image }
input other: f32[5] { from = d.other }
task near: binary { label = d.near == 1 }
task far: regression(1) { from = d.far }
task wide: regression(2) { from = d.wide }
head for * = linear(outputs)
"#;

const SEARCH: &str = r#"
search learn_to_branch {
  epochs = 4, warmup = 1, batch = 6
  weights = adam(lr = 1e-2)
  choices = adam(lr = 0.2)
}
"#;

#[test]
fn skips_follow_the_path_that_was_chosen() {
    let place = Place::new();
    images(&place);
    let body = r#"
backbone unet(image) {
  stage down1 = conv_bn(4)
  stage down2 = max_pool(2) -> conv_bn(6)
  stage up    { from = [down2, down1], out = concat(down2 -> upsample(2), down1) -> conv_bn(4) }
  stage top   = max_pool(4) -> flatten -> linear(6) -> relu
}
space branching over unet { tree { down1 = any, down2 = any, up = any, top = any } }
"#;
    let path = place.write("unet.mtl", format!("{HEAD}{body}{SEARCH}").as_bytes());
    let prepared = prepare(&path, &[]);
    let mut topologies = Vec::new();
    for seed in 0..4 {
        agrees(&prepared, seed);
        topologies.push(search(&prepared, seed, &mut Heard::default()).result.decisions);
    }
    topologies.dedup();
    assert!(topologies.len() > 1, "the seeds should find more than one topology: {topologies:?}");
}

#[test]
fn two_inputs() {
    let place = Place::new();
    images(&place);
    let body = r#"
backbone two(image, other) {
  stage look  { from = image, out = conv_bn(3) -> max_pool(4) -> flatten -> linear(5) }
  stage read  { from = other, out = linear(5) -> relu }
  stage both  { from = [look, read, other], out = concat(look, read, other) -> linear(6) -> batch_norm -> relu }
  stage last  { from = [both, other], out = concat(both, other) -> linear(4) }
}
space branching over two {
  level look { copies = 2 }
  level read { copies = 2 }
  level both { copies = 3, reads = one }
  level last { copies = 3, reads = one }
  heads { per = task, reads = one }
}
"#;
    let path = place.write("two.mtl", format!("{HEAD}{body}{SEARCH}").as_bytes());
    let prepared = prepare(&path, &[]);
    for seed in 0..4 {
        agrees(&prepared, seed);
    }
}
