//! Derived files as wholes: what is kept, what is replaced, what is embedded.

use mtlc::ir::partition;

use super::digests::replaced;
use super::*;

#[test]
fn a_derived_file_is_the_spec_without_its_search() {
    let c = compile(SEARCH);
    let text = round_trip(&c, &partition::all_shared(spec(&c)));
    for gone in ["\nspace", "search learn", "What may be chosen", "as published"] {
        assert!(!text.contains(gone), "{gone}\n{text}");
    }
    for kept in ["# Where do regressions branch?", "# kept", "# the end", "strategy = learn_to_branch", "seed     = 7"]
    {
        assert!(text.contains(kept), "{kept}\n{text}");
    }
    assert!(text.contains("searched = { validation_loss = 0.214, epochs = 30 }"), "{text}");
    assert!(text.contains(&format!("derived = \"{}\"", artifact::digest(spec(&c)))), "{text}");
    assert!(text.trim_end().ends_with("<- third.a\n}"), "{text}");
}

#[test]
fn an_edited_derived_file_is_told() {
    let c = compile(SEARCH);
    let text = derive(&c, &partition::all_shared(spec(&c)), "");
    let told = |text: &str| compile(text).diagnostics.iter().filter(|d| d.code.name().contains("digest")).count();
    assert_eq!(told(&text), 0);
    assert_eq!(told(&format!("{text}\n# a remark\n")), 0);
    let edited = replaced(&text, "weight = 2", "weight = 3");
    assert_eq!(told(&edited), 1);
    assert_eq!(artifact::verify_self(spec(&compile(&edited))), Standing::Edited);
    assert_eq!(artifact::verify_self(spec(&c)), Standing::Handwritten);
    // `--set` changes the run, not the file.
    let options = Options { set: vec![("width".into(), "64".into())], ..Options::default() };
    let set = compile_at(&text, "spec.mtl", &options, &HashMap::new());
    assert!(set.diagnostics.iter().all(|d| !d.code.name().contains("digest")));
    // The older spelling is read too.
    assert_eq!(told(&replaced(&text, "searched = {", "searched {")), 0);
}

#[test]
fn values_that_were_set_become_defaults() {
    let text = replaced(SEARCH, "in 8..512", "in 8..512\nparam half: int = width / 2\nparam note: string = \"none\"");
    let text = replaced(&text, "layer(width)\n  stage second", "layer(half) -> layer(width)\n  stage second");
    let set = vec![("width".into(), "48".into()), ("note".into(), "\"a \\\"b\\\"\"".into())];
    let c = compile_at(&text, "spec.mtl", &Options { set, ..Options::default() }, &HashMap::new());
    clean(&c, &text);
    let derived = round_trip(&c, &partition::independent(spec(&c)));
    for line in ["param width: int = 48 in 8..512", "param half: int = width / 2", r#"param note: string = "a \"b\"""#]
    {
        assert!(derived.contains(line), "{line}\n{derived}");
    }
}

const CENSUS: &str = r#"mtl 1
data census {
  format = csv
  train  = "data/train.csv"
  test   = "../shared/test.csv"
}
input features: fields { from = census, except = [income, "never married"] }
task income: binary { label = census.income == "50000+." }
task "never married": binary { label = census."never married" == "yes", mask = census.age > 17 }
use std.mmoe
head for binary = linear(1)
"#;

fn census() -> mtlc::data::Schema {
    use mtlc::data::{ColumnFacts, Facts, FileFact, Schema};
    let column = |name: &str, facts| ColumnFacts {
        name: name.into(),
        shape: Vec::new(),
        facts,
        missing: 0,
        range: None,
        groups: Vec::new(),
        rare: None,
    };
    let words = |a: &str, b: &str| Facts::Category { values: vec![(a.into(), 7), (b.into(), 3)].into() };
    Schema {
        format: "csv".into(),
        missing: vec!["?".into()],
        missing_numbers: Vec::new(),
        files: vec![FileFact { path: "data/train.csv".into(), sha256: "ab".repeat(32), bytes: 10, contents: None }],
        rows: [10, 2, 2],
        columns: vec![
            column("age", Facts::Numeric { mean: 40.0, std: 10.0, min: 17.0, max: 90.0 }),
            column("sex", words("f", "m")),
            column("income", words("- 50000.", "50000+.")),
            column("never married", words("no", "yes")),
        ],
        labels: Vec::new(),
    }
}

#[test]
fn a_frozen_schema_is_embedded_and_paths_follow_the_file() {
    let options = Options { schemas: HashMap::from([("census".into(), census())]), ..Options::default() };
    let c = compile_at(CENSUS, "specs/census.mtl", &options, &HashMap::new());
    clean(&c, CENSUS);
    let shared = partition::all_shared(spec(&c));
    let there = derive(&c, &shared, "runs/1");
    for part in [
        r#"train  = "../../specs/data/train.csv""#,
        r#"test   = "../../shared/test.csv""#,
        r#"file "../../specs/data/train.csv""#,
        "use std.mmoe",
        r#"income, "never married" <- expert.a"#,
        "topology over mmoe {",
    ] {
        assert!(there.contains(part), "{part}\n{there}");
    }
    // Read where it stands and derived for where the spec was, paths are as they were.
    let back = compile_at(&there, "runs/1/derived.mtl", &Options::default(), &HashMap::new());
    clean(&back, &there);
    assert_eq!(artifact::verify_self(spec(&back)), Standing::Untouched);
    let provenance = Provenance::of(spec(&back)).unwrap();
    let of = |folder| Derivation {
        sources: &back.sources,
        spec: spec(&back),
        topology: spec(&back).topology.as_ref().unwrap(),
        folder: Path::new(folder),
        provenance: &provenance,
    };
    assert_eq!(artifact::derived_file(of("runs/1")), there);
    let home = artifact::derived_file(of("specs"));
    assert_eq!(home, derive(&c, &shared, "specs"));
    assert!(home.contains(r#"train  = "data/train.csv""#), "{home}");
    // The facts count, where they came from does not.
    let other = |change: &dyn Fn(&mut mtlc::data::Schema)| {
        let mut schema = census();
        change(&mut schema);
        let options = Options { schemas: HashMap::from([("census".into(), schema)]), ..Options::default() };
        let c = compile_at(CENSUS, "specs/census.mtl", &options, &HashMap::new());
        artifact::digest(spec(&c))
    };
    let want = artifact::digest(spec(&c));
    assert_eq!(other(&|s| s.files[0].path = "elsewhere.csv".into()), want);
    assert_ne!(other(&|s| s.files[0].sha256 = "cd".repeat(32)), want);
    assert_ne!(other(&|s| s.rows[0] = 11), want);
    let moved = compile_at(&replaced(CENSUS, "data/train", "train"), "specs/census.mtl", &options, &HashMap::new());
    assert_eq!(artifact::digest(spec(&moved)), want);
    for (from, to) in
        [("age > 17", "age > 18"), (r#"== "50000+.""#, r#"!= "50000+.""#), ("except = [", "except = [sex, ")]
    {
        let c = compile_at(&replaced(CENSUS, from, to), "specs/census.mtl", &options, &HashMap::new());
        clean(&c, from);
        assert_ne!(artifact::digest(spec(&c)), want, "{from}");
    }
}

#[test]
fn imports_stand_in_place() {
    let text = "mtl 1\n# Top.\nuse std.thin_vgg\n# Shared by all.\nuse \"lib/net.mtl\"\nuse \"lib/net.mtl\"\ntask a: binary\ntask \"b c\": binary  # quoted\n";
    let net = "mtl 1  # ours\n# The net.\nuse std.thin_vgg\nuse \"blocks.mtl\"\ninput x: f32[4]  # four\nbackbone net(x) { stage s = layer(3) }\nhead for binary = linear(1)  # last\n# Bottom of net.\n";
    let blocks = "mtl 1\nblock layer(n: int) = linear(n)  # a block\n";
    let files = HashMap::from([
        (PathBuf::from("lib/net.mtl"), net.to_string()),
        (PathBuf::from("lib/blocks.mtl"), blocks.to_string()),
    ]);
    let c = compile_at(text, "spec.mtl", &Options::default(), &files);
    clean(&c, text);
    let derived = round_trip(&c, &partition::independent(spec(&c)));
    let body = &derived[derived.find("# Top").unwrap()..];
    let want = "# Top.
use std.thin_vgg
# Shared by all.

# ours
# The net.

block layer(n: int) = linear(n)  # a block

input x: f32[4]  # four
backbone net(x) { stage s = layer(3) }
head for binary = linear(1)  # last
# Bottom of net.

task a: binary
task \"b c\": binary  # quoted

topology over net {
  s.a   <- x
  s.b   <- x
  a     <- s.a
  \"b c\" <- s.b
}
";
    assert_eq!(body, want);
}

#[test]
fn an_imported_topology_is_written_out() {
    let text = format!("{}# From another data set.\nuse topology \"runs/a.mtl\"\n", table(2, 1));
    let other = "mtl 1\ntopology over net {\n s0.b <- x\n s0.a <- x\n t1 <- s0.b\n t0 <- s0.a\n}\n";
    let files = HashMap::from([(PathBuf::from("runs/a.mtl"), other.to_string())]);
    let c = compile_at(&text, "spec.mtl", &Options::default(), &files);
    clean(&c, &text);
    let derived = round_trip(&c, spec(&c).topology.as_ref().unwrap());
    assert!(!derived.contains("use ") && !derived.contains("From another"), "{derived}");
    assert!(derived.ends_with("  s0.a <- x\n  s0.b <- x\n  t0   <- s0.a\n  t1   <- s0.b\n}\n"), "{derived}");
}

#[test]
fn several_inputs_skips_and_odd_names() {
    let text = r#"mtl 1
input image: f32[3, 16, 16]
input "meta data": f32[4]
task "in": segmentation(2)
task "topology": segmentation(2)
task m1: segmentation(2)
task whole: classes(3)
backbone unet(image, "meta data") {
  stage down1 = conv_bn(4)
  stage down2 = max_pool(2) -> conv_bn(8)
  stage up1 { from = [down2, down1], out = concat(down2 -> upsample(2), down1) -> conv_bn(4) }
  stage "2nd" = conv_bn(4)
  stage side { from = "meta data", out = in -> linear(4) -> relu }
}
head for segmentation { from = "2nd", out = in -> conv(outputs, kernel = 1) }
head for whole { from = [down2, side], out = concat(down2 -> global_avg_pool, side) -> linear(outputs) }
"#;
    let c = compile(text);
    let chain = [vec![0, 0, 0, 0], vec![0, 1, 1, 0], vec![0, 1, 2, 0], vec![0, 1, 2, 0], vec![0, 1, 2, 3]];
    let derived = round_trip(&c, &partition::tree(spec(&c), &chain));
    for line in [r#""2nd".b "#, r#""in" "#, r#""topology" "#, "<- [down2.a, side.a]", r#"<- "meta data""#] {
        assert!(derived.contains(line), "{line}\n{derived}");
    }
    // A mix keeps clear of a task's name.
    let tail = &derived[derived.find("topology over").unwrap()..];
    let mixed = replaced(
        &derived,
        tail,
        "topology over unet {\n down1.a <- image\n down2.a <- down1.a\n up1.a <- down2.a\n \"2nd\".a <- up1.a\n \"2nd\".b <- up1.a\n side.a <- \"meta data\"\n g <- mix(mean)[\"2nd\".b, \"2nd\".a]\n \"in\", m1, \"topology\" <- g\n whole <- [side.a, down2.a]\n}\n",
    );
    let c = compile(&mixed);
    let derived = round_trip(&c, spec(&c).topology.as_ref().unwrap());
    assert!(derived.contains(r#""in", "topology", m1 <- m1_"#), "{derived}");
}
