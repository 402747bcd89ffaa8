//! What a spec that comes from somebody else may name, and what a name may become.

use crate::place::{Place, Record, SPEC};

#[test]
fn imports_show_nothing_of_other_files() {
    let mut record = Record::new();
    let outer = Place::new();
    outer.write("secret", b"root:x:0:0:hunter2\n");
    outer.write("notes.txt", b"password 123\nhunter2 hunter2\n");
    outer.write("plain.mtl", b"token 1\nhunter2 = hunter2\n");
    outer.write("work/good.mtl", b"mtl 1\nblock b = relu\n");
    outer.link("work/linked.mtl", outer.path("secret"));
    let mut case = |name: &str, text: &str| {
        outer.write("work/net.mtl", text.as_bytes());
        for format in ["human", "json", "sarif"] {
            let ended = outer.run(&format!("check work/net.mtl --message-format {format}"));
            assert!(!(ended.out + &ended.err).contains("hunter2"), "{name}: {format}");
        }
        record.case(name, &outer, 3, "check work/net.mtl");
    };
    case("an absolute path", &format!("mtl 1\nuse \"{}\"\n", outer.path("secret").display()));
    case("a file of the system", "mtl 1\nuse \"/etc/passwd\"\n");
    case("a file above", "mtl 1\nuse \"../notes.txt\"\n");
    case("another file that is called a program", "mtl 1\nuse \"../plain.mtl\"\n");
    case("a link to another file", "mtl 1\nuse \"linked.mtl\"\n");
    case("the topology of another file", "mtl 1\nuse topology \"../notes.txt\"\n");
    case("a folder", "mtl 1\nuse \"..\"\n");
    record.finish("imports");
}

/// A data file is the user's business, wherever it lies; what is shown of it is one short cell.
#[test]
fn data_that_are_none_are_hardly_shown() {
    let mut record = Record::new();
    let place = Place::table();
    let line = "secret".repeat(2000);
    place.write("other.txt", format!("a,b,yes,value\n{}", format!("{line},1,1,1\n").repeat(20)).as_bytes());
    let spec = SPEC.replace("csv,", "csv, numeric = [a, b, yes, value],").replace("train.csv", "other.txt");
    place.write("net.mtl", spec.as_bytes());
    let ended = record.case("a cell that should be a number", &place, 4, "train net.mtl -o run --device cpu --quiet");
    assert!(ended.err.len() < 2000, "{} bytes", ended.err.len());
    place.write("net.mtl", SPEC.replace("train.csv", "no\\u{1b}[2Jsuch\\nfile").as_bytes());
    let ended = record.case("a path that steers the terminal", &place, 4, "train net.mtl -o run --device cpu");
    assert!(!ended.err.contains('\u{1b}'), "{:?}", ended.err);
    record.finish("data_paths");
}

/// Names of the spec's stand in files, never as files.
#[test]
fn names_become_no_paths() {
    let place = Place::table();
    let text = SPEC
        .replace("trunk", "\"../../up\"")
        .replace("branch", "\"/abs/b\"")
        .replace("task yes", "task \"../yes\"")
        .replace("  yes      <-", "  \"../yes\" <-")
        .replace("net", "\"..\"")
        .replace("topology over", "topology \"../../t\" over");
    place.write("net.mtl", text.as_bytes());
    let before = place.contents();
    let ended = place.run("train net.mtl -o run --device cpu --quiet");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let mut after = place.contents();
    after.retain(|p, _| !p.starts_with("run"));
    assert_eq!(after, before, "only the run folder is new");
    let above = place.root().parent().expect("it has one");
    assert!(!above.join("yes").exists() && !above.join("up").exists());
}

/// Nothing is written through a link that stands where a new file should.
#[test]
fn links_are_not_written_through() {
    let mut record = Record::new();
    let place = Place::table();
    place.write("outside/precious", b"precious\n");
    place.link("run", "nowhere");
    record.case("a run folder that is a dead link", &place, 1, "train net.mtl -o run --device cpu --quiet");
    place.link("full", "outside");
    record.case("a run folder that is a link to files", &place, 1, "train net.mtl -o full --device cpu --quiet");
    place.link("picture.svg", "outside/picture.svg");
    place.link("new.mtl", "outside/new.mtl");
    record.case("a new program where a dead link is", &place, 1, "new new");
    let (start, end) = (SPEC.find("topology").expect("it has one"), SPEC.find("train {").expect("it has one"));
    let space = "space trees over net {\n  level trunk { copies = 1 }\n  level branch { copies = 2 }\n}\n\
                 search learn_to_branch { epochs = 1, warmup = 0, batch = 12 }\n";
    place.write("search.mtl", format!("{}{space}{}", &SPEC[..start], &SPEC[end..]).as_bytes());
    let ended = place.run("search search.mtl -o good --device cpu --quiet");
    assert_eq!(ended.code, 0, "{}", ended.err);
    place.link("derived.mtl", "outside/derived.mtl");
    record.case("a derived file where a dead link is", &place, 1, "derive good -o derived.mtl");
    record.finish("links");
}
