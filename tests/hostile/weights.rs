//! Weights that are not those of the program.

use crate::place::{Place, Record, SPEC};

/// A network that no memory holds is refused in words, before the system ends the program.
#[test]
fn weights_without_end() {
    let place = Place::table();
    let large = SPEC.replace("linear(4) -> relu\n", "linear(1G) -> linear(1000) -> relu\n");
    place.write("net.mtl", large.as_bytes());
    let before = place.contents();
    let ended = place.run("train net.mtl -o run --device cpu --quiet");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("the run needs about "), "{}", ended.err);
    let mut after = place.contents();
    after.retain(|p, _| !p.starts_with("run"));
    assert_eq!(after, before);
}

#[test]
fn weights() {
    let mut record = Record::new();
    let place = Place::table();
    let trained = place.run("train net.mtl -o run --device cpu --quiet");
    assert_eq!(trained.code, 0, "{}", trained.err);
    let good = place.bytes("run/checkpoints/trained.safetensors");
    place.write("wide.mtl", SPEC.replace("linear(4)", "linear(5)").as_bytes());
    place.write("shared.mtl", SPEC.replace("  branch.b <- trunk.a\n", "").replace("branch.b", "branch.a").as_bytes());
    for (spec, run) in [("wide.mtl", "wide"), ("shared.mtl", "shared")] {
        let ended = place.run(&format!("train {spec} -o {run} --device cpu --quiet"));
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    let header = u64::from_le_bytes(good[..8].try_into().expect("eight")) as usize;
    let renamed = |from: &str, to: &str| {
        let text = String::from_utf8(good[8..8 + header].to_vec()).expect("JSON").replacen(from, to, 1);
        let mut out = (text.len() as u64).to_le_bytes().to_vec();
        out.extend(text.into_bytes());
        out.extend(&good[8 + header..]);
        out
    };
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut long = good.clone();
    long[..8].copy_from_slice(&(1u64 << 63).to_le_bytes());
    let cases: [(&str, Vec<u8>); 10] = [
        ("cut in the values", good[..good.len() - 5].to_vec()),
        ("cut in the header", good[..20].to_vec()),
        ("nothing", Vec::new()),
        ("no safetensors file", b"PK\x03\x04 this is a zip of pickles".to_vec()),
        ("a header of 2^63 bytes", long),
        ("another type", renamed("F32", "I32")),
        ("another name", renamed("trunk.a", "trunk.z")),
        ("no numbers", nan),
        ("another network's", place.bytes("wide/checkpoints/trained.safetensors")),
        ("another topology's", place.bytes("shared/checkpoints/trained.safetensors")),
    ];
    for (name, bytes) in cases {
        place.write("w.safetensors", &bytes);
        record.case(name, &place, 1, "evaluate net.mtl --weights w.safetensors --device cpu --quiet");
    }
    place.link("zero.safetensors", "/dev/zero");
    record.case("endless", &place, 1, "evaluate net.mtl --weights zero.safetensors --device cpu --quiet");
    record.case(
        "of another run",
        &place,
        1,
        "evaluate run --weights wide/checkpoints/trained.safetensors --device cpu --quiet",
    );
    // Weights and records of a run in each other's place.
    std::fs::copy(place.path("shared/program.mtl"), place.path("run/program.mtl")).expect("copied");
    record.case("a run whose program was exchanged", &place, 1, "evaluate run --device cpu --quiet");
    place.write("run/search.json", b"{ \"strategy\": ");
    record.case("a record that is cut", &place, 1, "derive run");
    let text = r#"{"strategy": "x", "seed": 1, "epochs": 1, "steps": 1, "supernet_params": 1, "validation": {"loss": 1, "tasks": []}, "choices": [], "decisions": [7], "logits": [], "seconds": 1}"#;
    place.write("run/search.json", text.as_bytes());
    record.case("a record of another run", &place, 1, "derive run");
    record.finish("weights");
}
