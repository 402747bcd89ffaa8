//! One file for two splits: every command works, and says what the scores then mean.

use std::io::Write;

use super::support::*;

const TEXT: &str = "id,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n";
const OTHER: &str = "id,y\n7,0\n8,1\n9,1\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text.as_bytes()).expect("to memory");
    writer.finish().expect("to memory")
}

/// Check, data check, train, freeze, check again, train again.
#[track_caller]
fn whole_way(place: &Place, warned_by_check: bool, words: &str) {
    let check = place.run("check p.mtl").ok();
    assert_eq!(check.err.contains("mtl::data::same_file"), warned_by_check, "{}", check.err);
    let trained = place.run("train p.mtl -o R --device cpu").ok();
    assert!(trained.err.contains(words), "{words:?} is not in {}", trained.err);
    assert_eq!(trained.err.contains("mtl::data::same_file"), warned_by_check, "{}", trained.err);
    place.run("verify R").ok();
    place.run("data check p.mtl").ok();
    place.run("data freeze p.mtl").ok();
    place.run("check p.mtl").ok();
    place.run("train p.mtl -o S --device cpu").ok();
    place.run("evaluate R").ok();
}

fn csv(data: &str) -> Place {
    let place = Place::new();
    place.write("t.csv", TEXT.as_bytes());
    place.write("a.csv", OTHER.as_bytes());
    place.program(&format!("data d {{ format = csv, {data} }}"));
    place
}

#[test]
fn validation_and_test() {
    let place = csv("train = \"t.csv\", validation = \"a.csv\", test = \"a.csv\"");
    whole_way(&place, true, "`validation` and `test` read the same file");
}

#[test]
fn training_and_validation() {
    let place = csv("train = \"t.csv\", validation = \"t.csv\"");
    whole_way(&place, true, "`train` and `validation` read the same file");
}

#[test]
fn all_three_in_several_spellings() {
    let place = csv("train = \"t.csv\", validation = \"./t.csv\", test = \"x/../t.csv\"");
    std::fs::create_dir(place.path("x")).expect("a folder");
    whole_way(&place, true, "`train` and `test` read the same file");
}

#[test]
fn a_compressed_twin_by_its_name() {
    let place = csv("train = \"t.csv\", validation = \"a.csv\", test = \"a.csv.gz\"");
    place.write("a.csv.gz", &gzip(OTHER));
    whole_way(&place, true, "`validation` and `test` read the same file");
}

#[test]
fn copies_and_compressed_copies_by_their_contents() {
    let place = csv("train = \"t.csv\", validation = \"a.csv\", test = \"b.csv\"");
    place.write("b.csv", OTHER.as_bytes());
    whole_way(&place, false, "`validation` and `test` read the same file");
    let place = csv("train = \"t.csv\", validation = \"a.csv\", test = \"packed\"");
    place.write("packed", &gzip(OTHER));
    whole_way(&place, false, "`validation` and `test` read the same file");
}

#[test]
#[cfg(unix)]
fn links() {
    let place = csv("train = \"t.csv\", validation = \"a.csv\", test = \"link.csv\"");
    std::os::unix::fs::symlink(place.path("a.csv"), place.path("link.csv")).expect("a link");
    whole_way(&place, false, "`validation` and `test` read the same file");
}

/// One `.npy` of f32: `rows` samples of `values` each.
fn npy(rows: usize, values: &[f32]) -> Vec<u8> {
    let shape = if values.len() == rows { format!("({rows},)") } else { format!("({rows}, {})", values.len() / rows) };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    values.iter().for_each(|v| out.extend(v.to_le_bytes()));
    out
}

#[test]
fn arrays() {
    let place = Place::new();
    place.write("x.npy", &npy(4, &[0.0, 1.0, 2.0, 3.0]));
    place.write("y.npy", &npy(4, &[0.0, 1.0, 0.0, 1.0]));
    let text = program(
        "data d { format = npy, train = [\"x.npy\", \"y.npy\"], columns = [id, y], validation = [\"./x.npy\", \"y.npy\"] }",
    );
    place.write(
        "p.mtl",
        text.replace("x: fields { from = d[id] }", "x: f32[1] { from = d.id }").replace("one_hot -> ", "").as_bytes(),
    );
    whole_way(&place, true, "`train` and `validation` read the same file");
}

fn idx(sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|s| out.extend(s.to_be_bytes()));
    out.extend(values);
    out
}

#[test]
fn idx_files() {
    let place = Place::new();
    place.write("images", &idx(&[4, 1, 2], &[0, 1, 2, 3, 4, 5, 6, 7]));
    place.write("labels", &idx(&[4], &[0, 1, 0, 1]));
    place.write(
        "p.mtl",
        b"mtl 1\n\ndata d { format = idx, images = \"images\", labels = \"labels\", validation = share(0.25), test_images = \"images\", \
          test_labels = \"labels\" }\ninput x: f32[1, 1, 2] { from = d.image, scale = [0, 1] }\ntask y: binary { label = d.label == 1 \
          }\nbackbone net(x) { stage s = flatten -> linear(2) }\nhead for y = linear(outputs)\ntrain { epochs = 1, batch = 2 }\n",
    );
    whole_way(&place, true, "`train` and `test` read the same file");
}

#[test]
fn files_of_their_own_are_not_reported() {
    let place = csv("train = \"t.csv\", validation = \"a.csv\"");
    let trained = place.run("train p.mtl -o R --device cpu").ok();
    assert!(!trained.err.contains("same file"), "{}", trained.err);
}
