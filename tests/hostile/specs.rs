//! Specs that are not what they should be.

use std::time::Duration;

use crate::place::{Place, Record, SPEC, no_bug};

#[test]
fn texts() {
    let mut record = Record::new();
    let place = Place::new();
    let mut case = |name: &str, code: i32, text: &[u8]| {
        place.write("net.mtl", text);
        let ended = record.case(name, &place, code, "check net.mtl");
        assert!(ended.took < Duration::from_secs(10), "{name} takes {:?}", ended.took);
    };
    case("empty", 3, b"");
    case("cut in the middle of a name", 3, &SPEC.as_bytes()[..SPEC.find("linear(4)").expect("it is there") + 3]);
    case("not UTF-8", 1, b"mtl 1\ntask caf\xe9: binary\n");
    case("UTF-16", 1, b"\xff\xfem\0t\0l\0 \x001\0\n\0");
    case("NUL bytes", 3, b"mtl 1\ntask a\0b: binary\n");
    case("a byte order mark", 0, format!("\u{feff}{}", SPEC.replace("\n", "\r\n")).as_bytes());
    case("characters that steer a terminal", 3, "mtl 1\ntask \u{1b}[31mred\u{202e}: binary\n".as_bytes());
    case("brackets a hundred thousand deep", 3, format!("mtl 1\ntrain {{ x = {}", "(".repeat(100_000)).as_bytes());
    case("a hundred thousand minus signs", 3, format!("mtl 1\ntrain {{ x = {}1 }}", "-".repeat(100_000)).as_bytes());
    case("a hundred megabytes", 3, &b"a".repeat(100 << 20));
    record.finish("texts");
}

/// Each way to fill the memory with few words is refused where it stands.
#[test]
fn sizes() {
    let mut record = Record::new();
    let place = Place::new();
    let base = |input: &str, stage: &str, space: &str, more: &str| {
        format!(
            "mtl 1\n{more}\ninput x: {input}\ntask a: binary\nbackbone net(x) {{ {stage} }}\nhead for * = linear(outputs)\n{space}\n"
        )
    };
    let one = "stage s = linear(4)";
    let doubling: String =
        (1..40).map(|i| format!("block b{i} = b{} -> b{}\n", i - 1, i - 1)).collect::<String>() + "block b0 = in\n";
    let cases = [
        ("an input of too many numbers", base("f32[1G, 1G]", one, "", "")),
        ("channels beyond all", base("f32[3, 8, 8]", "stage s = conv(9e18)", "", "")),
        ("a weight beyond all", base("f32[1G]", "stage s = linear(1G)", "", "")),
        ("values that grow without end", base("f32[64, 64, 64]", "stage s = 30 * upsample(1000) -> flatten", "", "")),
        ("a million repetitions", base("f32[8]", "stage s = 1000000 * linear(4)", "", "")),
        (
            "repetitions of repetitions",
            base("f32[8]", "stage s = 1000 * n", "", "block n = 1000 * m\nblock m = 1000 * linear(4)"),
        ),
        ("blocks that double and do nothing", base("f32[8]", "stage s = b39", "", &doubling)),
        ("ten thousand stages", base("f32[8]", "stage s[10000] = linear(4)", "", "")),
        ("a billion copies", base("f32[8]", one, "space t over net { level s { copies = 1G } }", "")),
        (
            "ten thousand copies of everything",
            base("f32[8]", "stage s[100] = linear(4)", "space t over net { level s[100] { copies = 10000 } }", ""),
        ),
        ("a billion tasks", base("f32[8]", one, "", "data d { format = ltb_synthetic, noises = 1G }")),
        ("more data than memory", base("f32[8]", one, "", "data d { format = ltb_synthetic, samples = 1G }")),
        ("classes beyond counting", base("f32[8]", one, "", "task b: classes(9e18)")),
    ];
    for (name, text) in cases {
        place.write("net.mtl", text.as_bytes());
        let ended = record.case(name, &place, 3, "check net.mtl --message-format short");
        assert!(ended.took < Duration::from_secs(10), "{name} takes {:?}", ended.took);
    }
    record.finish("sizes");
}

/// A text cut anywhere is a text with mistakes, or a shorter program.
#[test]
fn cut_anywhere() {
    let place = Place::new();
    for end in (0..SPEC.len()).step_by(29) {
        place.write("net.mtl", &SPEC.as_bytes()[..end]);
        for command in ["check net.mtl", "fmt --stdout net.mtl", "graph net.mtl"] {
            let before = place.contents();
            let ended = place.run(command);
            assert!([0, 3].contains(&ended.code), "{command} at {end}: {} {}", ended.code, ended.err);
            no_bug(command, &ended);
            assert_eq!(place.contents(), before);
        }
    }
}

/// What is no file is refused before it is opened: a pipe would wait for a writer, `/dev/zero` has no end.
#[test]
fn what_is_no_file() {
    let mut record = Record::new();
    let place = Place::table();
    std::fs::create_dir(place.path("folder.mtl")).expect("a folder");
    assert!(std::process::Command::new("mkfifo").arg(place.path("pipe.mtl")).status().is_ok_and(|s| s.success()));
    place.link("zero.mtl", "/dev/zero");
    place.link("loop.mtl", "loop.mtl");
    place.link("gone.mtl", "nowhere.mtl");
    for name in ["folder", "pipe", "zero", "loop", "gone"] {
        record.case(&format!("check of {name}"), &place, 1, &format!("check {name}.mtl"));
    }
    for command in ["fmt", "check --fix", "graph", "data freeze"] {
        record.case(&format!("{command} of a pipe"), &place, 1, &format!("{command} pipe.mtl"));
    }
    record.case("train of a pipe", &place, 1, "train pipe.mtl -o run --device cpu");
    let large = std::fs::File::create(place.path("large.mtl")).expect("a file");
    large.set_len(300 << 20).expect("a sparse file");
    record.case("three hundred megabytes", &place, 1, "check large.mtl");
    place.write("pipe_user.mtl", b"mtl 1\nuse \"pipe.mtl\"\nuse \"zero.mtl\"\nuse \"loop.mtl\"\n");
    record.case("imports of what is no file", &place, 3, "check pipe_user.mtl --message-format short");
    record.finish("no_files");
}
