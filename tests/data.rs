//! Every data format on small generated files, oddities included; frozen schemas; labels; encoding; batches.

#[path = "data/arrays.rs"]
mod arrays;
#[path = "data/celeba.rs"]
mod celeba;
#[path = "data/conventions.rs"]
mod conventions;
#[path = "data/exact.rs"]
mod exact;
#[path = "data/numbers.rs"]
mod numbers;
#[path = "data/pixels.rs"]
mod pixels;
#[path = "data/support.rs"]
mod support;
#[path = "data/verdicts.rs"]
mod verdicts;

use mtlc::data::axes::Order;
use mtlc::data::label::{check_label, check_mask, classes};
use mtlc::data::{
    Batches, Dataset, Facts, InputFrom, InputSpec, Known, LabelSpec, Mask, Raw, Reading, Schema, Values, encode,
};
use mtlc::objective::TaskKind;
use mtlc::random::Randomness;
use support::*;

const PEOPLE: &str = "age,job,\"the pay\"\n30, clerk ,1.5\n41,\"cook, head\",?\n?,clerk,2.5\n52,?,0\n23,clerk,1\n";

fn people(more: &str) -> (tempfile::TempDir, String) {
    let at = folder();
    write(at.path(), "people.csv", PEOPLE.as_bytes());
    write(at.path(), "other.csv", b"age,job,the pay\n33,pilot,7\n30,clerk,?\n");
    (at, format!("format = csv, train = \"people.csv\", test = \"other.csv\", validation = \"other.csv\" {more}"))
}

fn problem(result: Result<mtlc::data::label::Label, Vec<mtlc::diag::Diagnostic>>) -> String {
    let d = result.expect_err("must be refused").remove(0);
    format!(
        "{} {} | {} | {}",
        d.code.name(),
        d.message,
        d.primary.map(|p| p.text).unwrap_or_default(),
        d.help.unwrap_or_default()
    )
}

/// A program beside which there is no file.
fn nothing(_: &str) -> std::io::Result<String> {
    Err(std::io::ErrorKind::NotFound.into())
}

fn label(text: &str, kind: TaskKind, raw: &Raw) -> LabelSpec {
    let label = check_label(&expr(text), kind, false, &known(raw)).expect("a label");
    let (task, reading) = ("t".into(), Reading::default());
    LabelSpec { task, kind, label, mask: None, standardize: false, reading, pixels: None }
}

fn all_of(raw: &Raw, inputs: &[InputSpec], labels: &[LabelSpec]) -> Dataset {
    encode(raw, &Schema::freeze(raw), inputs, labels).expect("encodes")
}

fn dense(columns: &[&str], sizes: &[usize], scale: Option<[f64; 2]>, normalize: bool) -> InputSpec {
    let (columns, sizes) = (columns.iter().map(|c| c.to_string()).collect(), sizes.to_vec());
    let from = InputFrom::Dense { columns, sizes, order: Order::Chw, scale, normalize, exif: true };
    InputSpec { name: "x".into(), from }
}

// ---- csv

#[test]
fn csv_reads_kinds_quotes_and_missing_cells() {
    let (at, text) = people("");
    let raw = load(&text, at.path()).unwrap();
    assert_eq!(raw.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["age", "job", "the pay"]);
    assert_eq!(raw.splits.each_ref().map(|s| s.rows), [5, 2, 2]);
    assert!(!raw.splits[0].columns[0].is_text(), "age is numeric");
    let age: Vec<f64> = raw.splits[0].columns[0].numbers().collect();
    assert!(age[2].is_nan() && age[0] == 30.0);
    let s = Schema::freeze(&raw);
    assert_eq!(
        s.column("job").unwrap().facts,
        Facts::Category { values: vec![("clerk".into(), 3), ("cook, head".into(), 1)].into() }
    );
    assert_eq!((s.column("job").unwrap().missing, s.column("age").unwrap().missing), (1, 1));
    assert_eq!(raw.splits[0].place(1), format!("`{}`, line 3", at.path().join("people.csv").display()));
}

#[test]
fn csv_ids_are_categories_where_the_program_says_so() {
    let (at, text) = people(", categories = [age]");
    let s = Schema::freeze(&load(&text, at.path()).unwrap());
    assert!(matches!(s.column("age").unwrap().facts, Facts::Category { .. }));
    assert!(matches!(s.column("the pay").unwrap().facts, Facts::Numeric { .. }));
    let (at, text) = people(", categories = [aeg]");
    assert!(failure(&text, at.path()).starts_with("no column `aeg`, which `categories` names\ndid you mean `age`?"));
    let (def, args) = attributes("format = csv, train = \"x\", numeric = [age], categories = [age]");
    let span = mtlc::source::Span::new(mtlc::source::FileId(0), 0, 0);
    assert_eq!((def.check)(&args, span)[0].message, "column `age` is in `numeric` and in `categories`");
}

/// A table that was frozen with one column, because its cells are separated by another sign: the report says why.
#[test]
fn csv_frozen_with_another_delimiter() {
    let at = folder();
    write(at.path(), "t.tsv", b"user stars\n1 5\n2 3\n3 1\n4 1\n");
    let mut raw = load("format = csv, train = \"t.tsv\", validation = share(0.5)", at.path()).unwrap();
    raw.columns[0].name = "user\tstars".into();
    let report = problem(check_label(&expr("d.stars"), TaskKind::Regression(1), false, &known(&raw)));
    assert!(report.contains("the whole line is one column"), "{report}");
    assert!(report.contains("write `delimiter = \"\\t\"`"), "{report}");
}

#[test]
fn csv_without_header_compressed_and_dropped() {
    let at = folder();
    write(at.path(), "t.csv.gz", &gzip(b"1;a;9\r\n2;b;9\r\n3;a;9\r\n4;b;9\r\n"));
    let text = "format = csv, train = \"t.csv.gz\", header = false, columns = [n, \"kind of\", w], numeric = n, drop = [w], \
                delimiter = \";\", validation = share(0.5)";
    let raw = load(text, at.path()).unwrap();
    assert_eq!(raw.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["n", "kind of"]);
    assert_eq!(raw.splits.each_ref().map(|s| s.rows), [2, 2, 0]);
    let (def, args) = attributes(text);
    assert_eq!(def.columns(&args), Some(vec!["n".into(), "kind of".into()]));
}

#[test]
fn csv_failures_name_file_line_column_and_the_way_out() {
    let at = folder();
    write(at.path(), "ragged.csv", b"a,b\n1,2\n3\n");
    write(at.path(), "text.csv", b"a,b\n1,2\nx,4\n5,6\n");
    write(at.path(), "nan.csv", b"a,b\n1,2\nNaN,4\n5,6\n");
    write(at.path(), "head.csv", b"a,c\n1,2\n");
    write(at.path(), "empty.csv", b"a,b\n");
    write(at.path(), "cut.csv.gz", &gzip(PEOPLE.as_bytes())[..40]);
    let fail = |name: &str, more: &str| failure(&format!("format = csv, train = \"{name}\" {more}"), at.path());
    assert_eq!(
        fail("ragged.csv", ""),
        "`ragged.csv`, line 3: 1 cells where 2 are expected\neach row needs one cell per column; cells that contain the delimiter stand in double quotes"
    );
    assert_eq!(
        fail("head.csv", ", numeric = [a], validation = share(0)").lines().next().unwrap(),
        "the validation split has no rows"
    );
    assert!(
        fail("text.csv", ", numeric = [a], validation = share(0.3)")
            .starts_with("`text.csv`, line 3, column `a`: \"x\" is not a number\n")
    );
    assert!(
        fail("nan.csv", ", numeric = [a], missing = [\"\"], validation = share(0.3)")
            .starts_with("`nan.csv`, line 3, column `a`: NaN is not a finite number")
    );
    assert!(
        fail("head.csv", ", columns = [a, b]").starts_with(
            "`head.csv`, line 1: the header calls column 2 `c`, expected `b`\n`columns` repeats the header"
        )
    );
    // For a file after the first one, the message asks to correct that file and not `columns`, which may be absent.
    for more in ["", ", columns = [a, c]"] {
        write(at.path(), "turned.csv", b"c,a\n1,2\n");
        let turned = fail("head.csv", &format!("{more}, validation = \"turned.csv\""));
        assert!(
            turned.starts_with(
                "`turned.csv`, line 1: the header calls column 1 `c`, expected `a`\nthe files of a data set"
            ) && turned.ends_with("correct this one to match `head.csv`"),
            "{turned}"
        );
    }
    assert_eq!(fail("empty.csv", ""), "the train split has no rows\n`empty.csv` has no rows");
    assert!(fail("cut.csv.gz", "").starts_with("`cut.csv.gz` ends early: the compressed stream is cut off"));
    assert_eq!(
        fail("text.csv", ", drop = [bb]"),
        "no column `bb`, which `drop` names\ndid you mean `b`? the columns are `a`, `b`"
    );
    assert_eq!(fail("no.csv", "").lines().next().unwrap(), "no file `no.csv`");
    assert!(fail("full/census/x.csv", "").contains("`examples/data/fetch.sh` brings"));
}

#[test]
fn csv_attributes_that_contradict_each_other_are_found_without_the_data() {
    let (def, args) = attributes("format = csv, train = \"x\", header = false");
    let span = mtlc::source::Span::new(mtlc::source::FileId(0), 0, 0);
    assert!((def.check)(&args, span)[0].message.contains("needs names for its columns"));
    let (def, args) = attributes("format = csv, train = \"x\", columns = [age, job, age], numeric = [aeg]");
    let found = (def.check)(&args, span);
    assert_eq!(found[0].message, "column `age` is named twice");
    assert_eq!(found[1].primary.as_ref().unwrap().text, "did you mean `age`?");
}

#[test]
fn shares_are_disjoint_and_fixed_by_split_seed() {
    let at = folder();
    let rows: String = (0..1000).map(|i| format!("{i}\n")).collect();
    write(at.path(), "n.csv", format!("n\n{rows}").as_bytes());
    let draw = |seed: u32| {
        let text = format!(
            "format = csv, train = \"n.csv\", validation = share(0.1), test = share(0.2, of = train), split_seed = {seed}"
        );
        let raw = load(&text, at.path()).unwrap();
        raw.splits.map(|s| s.columns[0].numbers().map(|x| x as u32).collect::<Vec<_>>())
    };
    let [train, validation, test] = draw(0);
    assert_eq!([train.len(), validation.len(), test.len()], [700, 100, 200]);
    let mut all = [train.clone(), validation.clone(), test.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert_eq!(draw(0), [train.clone(), validation, test]);
    assert_ne!(draw(1)[0], train);
    let halves = "format = csv, train = \"n.csv\", test = \"n.csv\", validation = share(0.5, of = test)";
    assert_eq!(load(halves, at.path()).unwrap().splits.map(|s| s.rows), [1000, 500, 500]);
}

// ---- arrays

#[test]
fn idx_reads_images_and_labels() {
    let at = folder();
    let pixels: Vec<u8> = (0..40).map(|i| i % 17).collect();
    write(at.path(), "i.idx.gz", &gzip(&idx(&[10, 2, 2], &pixels)));
    write(at.path(), "l.idx", &idx(&[10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    write(at.path(), "short.idx", &idx(&[9], &[0; 9]));
    write(at.path(), "cut.idx", &idx(&[10], &[0; 9]));
    write(at.path(), "png.idx", b"\x89PNG\r\n");
    let text = "format = idx, images = \"i.idx.gz\", labels = \"l.idx\", validation = share(0.2), test = share(0.3)";
    let raw = load(text, at.path()).unwrap();
    assert_eq!(raw.columns[0].shape, [1, 2, 2]);
    assert_eq!(raw.splits.each_ref().map(|s| s.rows), [5, 2, 3]);
    let fail =
        |labels: &str| failure(&format!("format = idx, images = \"i.idx.gz\", labels = \"{labels}\""), at.path());
    assert_eq!(
        fail("short.idx"),
        "images and labels disagree: `i.idx.gz` has 10 samples and `short.idx` has 9\nboth need the same samples in the same order"
    );
    assert!(
        fail("cut.idx")
            .starts_with("`cut.idx` ends early: the header promises [10] values (10 bytes), and 9 bytes follow")
    );
    assert!(fail("png.idx").starts_with("`png.idx` is not an idx file: it begins with 89504e47"));
}

#[test]
fn npy_files_and_npz_give_the_same_columns() {
    let at = folder();
    let floats: Vec<u8> = (0..12).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let ints: Vec<u8> = (0..4i64).flat_map(|i| i.to_le_bytes()).collect();
    let (x, y) = (npy("<f4", false, &[4, 3], &floats), npy("<i8", false, &[4], &ints));
    write(at.path(), "x.npy", &x);
    write(at.path(), "y.npy", &y);
    write(at.path(), "both.npz", &zip(&[("x.npy", x, true), ("y.npy", y, false)]));
    let files = load("format = npy, train = [\"x.npy\", \"y.npy\"], validation = share(0.5)", at.path()).unwrap();
    let archive = load("format = npy, train = \"both.npz\", validation = share(0.5)", at.path()).unwrap();
    assert_eq!((&files.columns, &files.splits[0].columns), (&archive.columns, &archive.splits[0].columns));
    assert_eq!(files.columns[0].shape, [3]);
    write(at.path(), "three.npy", &npy("|u1", false, &[3], &[1, 2, 3]));
    write(at.path(), "text.npy", &npy("<U3", false, &[1], &[0; 12]));
    let fields = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n";
    write(
        at.path(),
        "fields.npy",
        &[b"\x93NUMPY\x01\0".to_vec(), vec![fields.len() as u8, 0], fields.into(), vec![0; 4]].concat(),
    );
    write(at.path(), "inf.npy", &npy("<f4", false, &[1], &f32::INFINITY.to_le_bytes()));
    write(at.path(), "cut.npy", &npy("<f4", false, &[2], &[0; 4]));
    let fail = |files: &str| failure(&format!("format = npy, train = [{files}]"), at.path());
    assert!(fail("\"x.npy\", \"three.npy\"").contains("`x.npy` has 4 samples and `three.npy` has 3"));
    assert!(fail("\"text.npy\"").contains("type `<U3`; supported are bool, integers, f16, f32 and f64"));
    assert!(fail("\"fields.npy\"").contains("a structured type"));
    assert!(fail("\"inf.npy\"").starts_with("`inf.npy`, sample 0, column `inf`: inf is not a finite number"));
    assert!(fail("\"cut.npy\"").contains("shape [2] needs 8 bytes, and 4 follow the header"));
}

#[test]
fn multi_mnist_composes_two_digits_and_keeps_splits_apart() {
    let at = folder();
    // Each digit is a plate of its own brightness, its label the brightness / 10.
    let plates = |n: u8| (1..=n).flat_map(|d| [d * 10; 784]).collect::<Vec<u8>>();
    for (prefix, n) in [("train", 20u8), ("t10k", 5)] {
        write(at.path(), &format!("{prefix}-images-idx3-ubyte"), &idx(&[n.into(), 28, 28], &plates(n)));
        write(
            at.path(),
            &format!("{prefix}-labels-idx1-ubyte.gz"),
            &gzip(&idx(&[n.into()], &(1..=n).collect::<Vec<_>>())),
        );
    }
    let text =
        "format = multi_mnist, root = \".\", samples = 50, validation_samples = 20, test_samples = 7, held_out = 5";
    let raw = load(text, at.path()).unwrap();
    assert_eq!(raw.columns[0].shape, [1, 36, 36]);
    assert_eq!(raw.splits.each_ref().map(|s| s.rows), [50, 20, 7]);
    for split in &raw.splits {
        let [Values::U8(image), Values::U8(left), Values::U8(right)] = split.columns.as_slice() else { panic!() };
        for row in 0..split.rows {
            let pixel = |y: usize, x: usize| image[row * 36 * 36 + y * 36 + x];
            let (l, r) = (left[row] * 10, right[row] * 10);
            assert_eq!((pixel(0, 0), pixel(33, 33), pixel(10, 10), pixel(35, 35)), (l, r, l.max(r), 0));
        }
    }
    let digits = |s: usize| match (&raw.splits[s].columns[1], &raw.splits[s].columns[2]) {
        (Values::U8(l), Values::U8(r)) => l.iter().chain(r).copied().collect::<std::collections::HashSet<u8>>(),
        _ => panic!(),
    };
    assert!(digits(0).is_disjoint(&digits(1)));
    let again = load(text, at.path()).unwrap();
    assert_eq!(again.splits[0].columns, raw.splits[0].columns);
    assert_ne!(load(&format!("{text}, seed = 1"), at.path()).unwrap().splits[0].columns, raw.splits[0].columns);
    let spread = load(&format!("{text}, place = random, shift = 4, distinct = true"), at.path()).unwrap();
    assert!(spread.splits[0].columns[1] != spread.splits[0].columns[2]);
}

// ---- generators

#[test]
fn ltb_synthetic_is_equation_8() {
    let at = folder();
    let text = "format = ltb_synthetic, activations = [sin, 2 * sin, square], noises = 2, samples = 40, validation_samples = 3, \
                test_samples = 3, delta_std = 0";
    let raw = load(text, at.path()).unwrap();
    let s = Schema::freeze(&raw);
    assert_eq!(s.group("targets"), ["t_sin_0", "t_sin_1", "t_2sin_0", "t_2sin_1", "t_square_0", "t_square_1"]);
    assert_eq!(
        (s.column("z").unwrap().shape.as_slice(), s.column("t_sin_0").unwrap().shape.as_slice()),
        (&[200][..], &[100][..])
    );
    let (def, args) = attributes(text);
    let known = Known::from_outline("d", (def.outline)(&args));
    assert_eq!(known.group("targets"), Some(s.group("targets")));
    assert_eq!(known.shape("t_2sin_1"), Some(vec![100]));
    let column = |name: &str| match &raw.splits[0].columns[raw.index(name).unwrap()] {
        Values::F32(v) => v.clone(),
        other => panic!("{other:?}"),
    };
    // Without delta all tasks of one activation are the same, and 2 sin is twice sin.
    assert_eq!(column("t_sin_0"), column("t_sin_1"));
    for (a, b) in column("t_sin_0").iter().zip(column("t_2sin_0")) {
        assert!((2.0 * a - b).abs() < 1e-6);
    }
    // Pre-activations have deviation 10 sqrt(200) / 200 = 0.71, so their squares have mean 0.5.
    let mean = column("t_square_0").iter().map(|v| f64::from(*v)).sum::<f64>() / 4000.0;
    assert!((mean - 0.5).abs() < 0.08, "{mean}");
    let noisy = load(&text.replace(", delta_std = 0", ""), at.path()).unwrap();
    assert_ne!(noisy.splits[0].columns[1], noisy.splits[0].columns[2]);
    let span = mtlc::source::Span::new(mtlc::source::FileId(0), 0, 0);
    let (def, args) = attributes("format = ltb_synthetic, activations = [sinn]");
    assert_eq!((def.check)(&args, span)[0].primary.as_ref().unwrap().text, "did you mean `sin`?");
}

/// Tasks of a group are linear maps of one hidden layer, so they explain each other better than tasks of another group or family do;
/// and a sample is a function of the seed and its number alone.
#[test]
fn hierarchy_synthetic_has_families_and_groups() {
    let at = folder();
    let text =
        "format = hierarchy_synthetic, families = 2, groups = 2, tasks = 2, outputs = 1, hidden = 4, noise_std = 0";
    let raw = load(&format!("{text}, samples = 50"), at.path()).unwrap();
    let names: Vec<&str> = raw.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names[..4], ["z", "t_0_0_0", "t_0_0_1", "t_0_1_0"]);
    assert_eq!((names.len(), names[8]), (9, "t_1_1_1"));
    let more = load(&format!("{text}, samples = 80"), at.path()).unwrap();
    for (a, b) in raw.splits[0].columns.iter().zip(&more.splits[0].columns) {
        let (a, b): (Vec<f64>, Vec<f64>) = (a.numbers().collect(), b.numbers().collect());
        assert_eq!(a, b[..a.len()]);
        assert!(a.iter().all(|v| v.is_finite()));
    }
    let other = load(&format!("{text}, samples = 50, seed = 1"), at.path()).unwrap();
    assert_ne!(raw.splits[0].columns[1], other.splits[0].columns[1]);
}

#[test]
fn mmoe_synthetic_has_the_correlation_asked_for() {
    let at = folder();
    let correlation = |p: &str| {
        let text =
            format!("format = mmoe_synthetic, correlation = {p}, dim = 20, terms = 0, noise_std = 0, samples = 4000");
        let raw = load(&text, at.path()).unwrap();
        let y = |c: usize| raw.splits[0].columns[c].numbers().collect::<Vec<f64>>();
        let (a, b) = (y(1), y(2));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    };
    for p in [1.0, 0.5, 0.0, -0.5] {
        assert!((correlation(&p.to_string()) - p).abs() < 0.06, "{p}: {}", correlation(&p.to_string()));
    }
}

// ---- schema

#[test]
fn schema_goes_to_text_and_back() {
    let (at, text) = people("");
    let csv = load(&text, at.path()).unwrap();
    let synthetic =
        load("format = ltb_synthetic, noises = 1, samples = 5, inputs = 4, outputs = 3", at.path()).unwrap();
    write(at.path(), "i", &idx(&[10, 2, 2], &[3; 40]));
    write(at.path(), "l", &idx(&[10], &[1; 10]));
    let images = load("format = idx, images = \"i\", labels = \"l\", range = [-1, 0.5]", at.path()).unwrap();
    for raw in [csv, synthetic, images] {
        let schema = Schema::freeze(&raw);
        let text = schema.to_mtl("the data");
        let back = Schema::from_ast(&item(&text), &nothing).unwrap_or_else(|d| panic!("{d:#?}\n{text}"));
        assert_eq!(back, schema);
        assert_eq!(back.to_mtl("the data"), text);
        schema.verify(&raw).unwrap();
    }
}

#[test]
fn schema_text_reads_well() {
    let (at, text) = people("");
    let schema = Schema::freeze(&load(&text, at.path()).unwrap());
    let printed = schema.to_mtl("people");
    let without_files: String = printed.lines().filter(|l| !l.contains("sha256")).map(|l| format!("{l}\n")).collect();
    assert_eq!(
        without_files,
        r##"schema people {
  format = csv
  missing = ["?", ""]
  missing_numbers = ["NA", "N/A", "n/a", "na", "<NA>", "#N/A", "#NA", "NaN", "nan", "NAN", "-nan", "-NaN", "NULL", "Null", "null", "None", "none", "-", "--"]
  split train { rows = 5 }
  split validation { rows = 2 }
  split test { rows = 2 }
  column age { kind = numeric, mean = 36.5, std = 11.0113578, min = 23, max = 52, missing = 1 }
  column job {
    kind = category, missing = 1
    values = ["clerk", "cook, head"]
    counts = [3, 1]
  }
  column "the pay" { kind = numeric, mean = 1.25, std = 0.901387819, min = 0, max = 2.5, missing = 1 }
}
"##
    );
    let moved = Schema {
        files: schema.files.iter().cloned().map(|f| mtlc::data::FileFact { path: "elsewhere".into(), ..f }).collect(),
        ..schema.clone()
    };
    assert_eq!(moved.digest_text(), schema.digest_text());
    assert_ne!(moved.to_mtl("people"), printed);
}

#[test]
fn schema_refuses_what_it_does_not_know() {
    let wrong = |body: &str| {
        let text = format!(
            "schema s {{\n format = csv\n split train {{ rows = 1 }}\n split validation {{ rows = 1 }}\n split test {{ rows = 0 }}\n {body}\n}}"
        );
        let found = Schema::from_ast(&item(&text), &nothing).expect_err(&text);
        assert!(found.iter().all(|d| d.code == mtlc::diag::codes::DATA_SCHEMA));
        found[0].message.clone()
    };
    assert_eq!(wrong("column a { kind = numeric, mean = 0, std = 1, min = 0 }"), "`max` is missing here");
    assert_eq!(wrong("column a { kind = text }"), "a column is `numeric`, `category` or `picture`, not `text`");
    assert_eq!(
        wrong("column a { kind = category, values = [\"x\"], counts = [1], meen = 1 }"),
        "a schema has no fact `meen` here"
    );
    assert_eq!(
        wrong("column a { kind = category, values = [\"x\"], counts = [1], mean = 1 }"),
        "a column of kind `category` has no `mean`"
    );
    assert!(
        wrong("column a { kind = category, values = [\"x\", \"y\"], counts = [1, 2] }")
            .contains("sorted by descending count")
    );
    assert!(wrong("file \"x\" { bytes = 1, sha256 = \"abc\" }").contains("64 lower-case"));
    assert_eq!(wrong("split train { rows = 2 }"), "split `train` appears twice");
    assert_eq!(wrong("stage a { x = 1 }"), "a schema has no `stage`; it has `file`, `split`, `column` and `label`");
}

#[test]
fn verify_names_what_differs() {
    let (at, text) = people("");
    let schema = Schema::freeze(&load(&text, at.path()).unwrap());
    write(at.path(), "people.csv", PEOPLE.replace("clerk", "clark").as_bytes());
    let differ = schema.verify(&load(&text, at.path()).unwrap()).unwrap_err();
    assert!(differ[0].starts_with("file `people.csv` has changed"), "{differ:?}");
    assert_eq!(differ[1], "column `job` no longer holds \"clerk\"");
    assert_eq!(differ.len(), 2);
}

// ---- labels

#[test]
fn labels_are_checked_by_kind_and_vocabulary() {
    let (at, text) = people("");
    let raw = load(&text, at.path()).unwrap();
    let data = known(&raw);
    let bad = |text: &str, kind| problem(check_label(&expr(text), kind, false, &data));
    let binary = TaskKind::Binary;
    assert_eq!(
        bad("d.jobb == \"clerk\"", binary),
        "mtl::data::column data `d` has no column `jobb` | did you mean `job`? | its columns are `age`, `job`, `the pay`"
    );
    assert_eq!(
        bad("d.job == \"clark\"", binary),
        "mtl::task::label column `job` never holds \"clark\" in training | did you mean \"clerk\"? | its values are `clerk`, `cook, head`"
    );
    assert!(bad("d.job in [\"clerk\", \"boss\"]", binary).contains("never holds \"boss\""));
    assert!(bad("d.job == 3", binary).starts_with("mtl::type::mismatch text is compared with a number"));
    assert!(bad("d.age == \"30\"", binary).contains("column `age` is numeric"));
    assert!(bad("d.job < \"z\"", binary).contains("`<` takes a number, and this is text"));
    assert!(bad("d.job", binary).contains("a `binary` label is true or false, and this is text"));
    assert!(bad("d.age", binary).contains("this goes from 23 to 52"));
    assert!(bad("d.age", TaskKind::Classes(Some(10))).contains("0 to 9, and this goes from 23 to 52"));
    assert!(bad("d.job", TaskKind::Classes(Some(3))).contains("has 2 different values, and the task 3 classes"));
    assert!(bad("d.age > 3", TaskKind::Regression(1)).contains("is a number, an array, or a list of numbers"));
    assert!(bad("[d.age, d.age]", TaskKind::Regression(3)).contains("this gives 2"));
    assert!(bad("e.age > 3", binary).contains("no data set is called `e`"));
    assert!(bad("age > 3", binary).contains("`age` alone is no column"));
    assert!(bad("1 < 2", binary).contains("reads no column"));
    assert!(bad("d.age % 0 == 1", binary).contains("division by zero"));
    assert!(bad("not d.age", binary).contains("`not` takes true or false"));
    assert!(problem(check_mask(&expr("d.age"), binary, &data)).contains("a mask is true or false"));
    let job = check_label(&expr("d.job"), TaskKind::Classes(None), false, &data).unwrap();
    assert_eq!(classes(&job, &[], &data[0]), Some(2));
}

#[test]
fn open_columns_pass_until_frozen() {
    let (def, args) = attributes("format = csv, train = \"x\"");
    let open = [Known::from_outline("d", (def.outline)(&args))];
    check_label(&expr("d.anything == \"at all\""), TaskKind::Binary, false, &open).unwrap();
    let (def, args) = attributes("format = csv, train = \"x\", columns = [a, b], numeric = [a]");
    let named = [Known::from_outline("d", (def.outline)(&args))];
    assert!(problem(check_label(&expr("d.c == 1"), TaskKind::Binary, false, &named)).contains("no column `c`"));
    assert!(
        problem(check_label(&expr("d.b == 1"), TaskKind::Binary, false, &named))
            .contains("text is compared with a number")
    );
    check_label(&expr("d.b == \"any\""), TaskKind::Binary, false, &named).unwrap();
}

#[test]
fn labels_are_computed_and_missing_cells_mask() {
    let (at, text) = people("");
    let raw = load(&text, at.path()).unwrap();
    let column = |text: &str, kind| {
        let data = all_of(&raw, &[], &[label(text, kind, &raw)]);
        let l = &data.train.labels[0];
        (l.values.clone(), l.mask.clone())
    };
    // ages 30 41 ? 52 23; jobs clerk cook clerk ? clerk; pays 1.5 ? 2.5 0 1
    let all = |v: [f32; 5]| (v.to_vec(), None);
    let marks = |m: &[f32]| Some(Mask { size: 1, marks: m.iter().map(|m| *m as u8).collect() });
    let masked = |v: [f32; 5], m: [f32; 5]| (v.to_vec(), marks(&m));
    assert_eq!(column("d.age % 2 == 1", TaskKind::Binary), masked([0., 1., 0., 0., 1.], [1., 1., 0., 1., 1.]));
    assert_eq!(column("d.age in 30..45", TaskKind::Binary), masked([1., 1., 0., 0., 0.], [1., 1., 0., 1., 1.]));
    assert_eq!(column("d.job == \"?\"", TaskKind::Binary), all([0., 0., 0., 1., 0.]));
    assert_eq!(column("d.job != \"?\" and not d.age == \"?\"", TaskKind::Binary), all([1., 1., 0., 0., 1.]));
    assert_eq!(column("d.job in [\"clerk\", \"?\"]", TaskKind::Binary), all([1., 0., 1., 1., 1.]));
    assert_eq!(column("d.job == \"clerk\" or d.age > 50", TaskKind::Binary), all([1., 0., 1., 1., 1.]));
    assert_eq!(column("d.job", TaskKind::Classes(Some(2))), masked([0., 1., 0., 0., 0.], [1., 1., 1., 0., 1.]));
    assert_eq!(
        column("-d.age / 2 + 1", TaskKind::Regression(1)),
        masked([-14., -19.5, 0., -25., -10.5], [1., 1., 0., 1., 1.])
    );
    let many = all_of(&raw, &[], &[label("[d.age > 35, d.job == \"clerk\"]", TaskKind::Multilabel(Some(2)), &raw)]);
    // Of two labels, one may be there without the other.
    assert_eq!(many.train.labels[0].values, [0., 1., 1., 0., 0., 1., 1., 0., 0., 1.]);
    assert_eq!(many.train.labels[0].mask, Some(Mask { size: 2, marks: vec![1, 1, 1, 1, 0, 1, 1, 0, 1, 1] }));
    let mut with_mask = label("d.age > 25", TaskKind::Binary, &raw);
    with_mask.mask = Some(check_mask(&expr("d.\"the pay\" > 1"), TaskKind::Binary, &known(&raw)).unwrap());
    assert_eq!(all_of(&raw, &[], &[with_mask]).train.labels[0].mask, marks(&[1., 0., 0., 0., 0.]));
    // "pilot" does not occur in training: the row is masked, and a note reports it.
    let jobs = all_of(&raw, &[], &[label("d.job", TaskKind::Classes(Some(2)), &raw)]);
    assert_eq!(jobs.test.labels[0].mask, marks(&[0., 1.]));
    assert!(
        jobs.notes.iter().any(|n| n.contains("1 test row holds a class that does not occur in training; it is masked")),
        "{:?}",
        jobs.notes
    );
    let one_sided = all_of(&raw, &[], &[label("d.age > 1", TaskKind::Binary, &raw)]);
    assert!(one_sided.notes.iter().any(|n| n.contains("every train label is 1; AUC is undefined")));
}

#[test]
fn labels_out_of_range_name_the_row() {
    let at = folder();
    write(at.path(), "a.csv", b"n\n0\n1\n2\n");
    write(at.path(), "b.csv", b"n\n0\n5\n");
    let raw = load("format = csv, train = \"a.csv\", validation = \"b.csv\"", at.path()).unwrap();
    let spec = label("d.n", TaskKind::Classes(Some(3)), &raw);
    let e = encode(&raw, &Schema::freeze(&raw), &[], &[spec]).unwrap_err().to_string();
    assert!(
        e.ends_with("b.csv`, line 3: the label of task `t` is 5, and `classes(3)` takes whole numbers from 0 to 2"),
        "{e}"
    );
}

// ---- encoding

#[test]
fn fields_are_standardised_and_numbered_by_training_facts() {
    let (at, text) = people("");
    let raw = load(&text, at.path()).unwrap();
    let fields = InputSpec {
        name: "f".into(),
        from: InputFrom::Fields { columns: vec!["age".into(), "job".into()], unknown: 0.0 },
    };
    let data = all_of(&raw, &[fields], &[]);
    let x = &data.train.inputs[0];
    assert_eq!((x.size, x.values.len()), (2, 10));
    let std = 11.0113578;
    let want = [
        (30.0 - 36.5) / std,
        1.0,
        (41.0 - 36.5) / std,
        2.0,
        0.0,
        1.0,
        (52.0 - 36.5) / std,
        0.0,
        (23.0 - 36.5) / std,
        1.0,
    ];
    for (a, b) in x.values.iter().zip(want) {
        assert!((f64::from(*a) - b).abs() < 1e-6, "{a} {b}");
    }
    // An unseen category is 0.
    assert_eq!(data.test.inputs[0].values[1], 0.0);
    let known = &known(&raw)[0];
    let names = known.select(&expr("d"), &[], &[]).unwrap().unwrap();
    assert_eq!(names, ["age", "job", "the pay"]);
    assert_eq!(known.select(&expr("d[job, \"the pay\"]"), &[], &[]).unwrap().unwrap(), ["job", "the pay"]);
    assert!(known.select(&expr("d[jib]"), &[], &[]).is_err());
    assert_eq!(
        known.fields(&names[..2]).0.unwrap().to_vec(),
        [mtlc::ops::Field::Numeric, mtlc::ops::Field::Category { values: 3 }]
    );
}

#[test]
fn images_are_scaled_from_the_storage_range() {
    let at = folder();
    let pixels: Vec<u8> = (0..40).map(|i| (i % 4) * 4).collect();
    write(at.path(), "i", &idx(&[10, 2, 2], &pixels));
    write(at.path(), "l", &idx(&[10], &[1, 0, 1, 0, 1, 0, 1, 0, 1, 0]));
    let text = "format = idx, images = \"i\", labels = \"l\"";
    let raw = load(text, at.path()).unwrap();
    let scaled = |raw: &Raw, scale, normalize| {
        all_of(raw, &[dense(&["image"], &[1, 2, 2], scale, normalize)], &[]).train.inputs[0].values[..4].to_vec()
    };
    assert_eq!(scaled(&raw, Some([-1.0, 1.0]), false), [-1.0, -1.0 / 3.0, 1.0 / 3.0, 1.0]);
    assert_eq!(scaled(&raw, None, false), [0.0, 4.0, 8.0, 12.0]);
    let normal = scaled(&raw, None, true);
    assert!((normal.iter().sum::<f32>()).abs() < 1e-6 && (normal[3] - 6.0 / 20f32.sqrt()).abs() < 1e-6);
    let ranged = load(&format!("{text}, range = [0, 16]"), at.path()).unwrap();
    assert_eq!(scaled(&ranged, Some([0.0, 1.0]), false), [0.0, 0.25, 0.5, 0.75]);
    write(at.path(), "flat", &idx(&[10, 2, 2], &[7; 40]));
    let flat = load("format = idx, images = \"flat\", labels = \"l\"", at.path()).unwrap();
    let e = encode(&flat, &Schema::freeze(&flat), &[dense(&["image"], &[1, 2, 2], Some([0.0, 1.0]), false)], &[])
        .unwrap_err();
    assert_eq!(e.to_string(), "column `image` holds the same number, 7, in every training row");
}

#[test]
fn batches_deal_every_row_once_and_depend_on_seed_and_epoch_alone() {
    let batches = Batches::shuffled(10, 4, Randomness::new(3));
    let first = batches.epoch(1);
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let mut rows = first.concat();
    rows.sort_unstable();
    assert_eq!(rows, (0..10).collect::<Vec<_>>());
    assert_eq!(first, Batches::shuffled(10, 4, Randomness::new(3)).epoch(1));
    assert_ne!(first, batches.epoch(2));
    assert_eq!(
        (batches.per_epoch(), batches.drop_last(true).per_epoch(), batches.drop_last(true).epoch(1).len()),
        (3, 2, 2)
    );
    assert_eq!(Batches::in_order(3, 2).epoch(9), [vec![0, 1], vec![2]]);
    assert_eq!(Batches::in_order(3, 8).drop_last(true).per_epoch(), 1);
    let (at, text) = people("");
    let raw = load(&text, at.path()).unwrap();
    let data = all_of(&raw, &[dense(&["age"], &[1], None, false)], &[label("d.age > 40", TaskKind::Binary, &raw)]);
    let batch = data.train.gather(&[4, 1], None).expect("no files are read");
    assert_eq!((batch.rows, &batch.inputs[0][..], &batch.labels[0][..]), (2, &[23.0, 41.0][..], &[0.0, 1.0][..]));
    assert_eq!(batch.masks[0], Some(vec![1.0, 1.0]));
}

// ---- the excerpts in the tree

#[test]
fn the_excerpts_load() {
    let base = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let digits = "format = idx, images = \"data/digits-images.idx.gz\", labels = \"data/digits-labels.idx.gz\", \
                  validation = share(0.15, of = train), test = share(0.2, of = train)";
    let raw = load(digits, &base).unwrap();
    assert_eq!(raw.splits.each_ref().map(|s| s.rows), [1168, 270, 359]);
    let data = all_of(
        &raw,
        &[dense(&["image"], &[1, 8, 8], Some([0.0, 1.0]), false)],
        &[label("d.label", TaskKind::Classes(Some(10)), &raw)],
    );
    assert!(data.train.inputs[0].values.iter().all(|v| (0.0..=1.0).contains(v)));
    let readme = std::fs::read_to_string(base.join("data/README.md")).unwrap();
    let list = readme.split("```").nth(1).unwrap();
    let columns: Vec<&str> = list.split([',', '\n']).map(str::trim).filter(|c| !c.is_empty()).collect();
    assert_eq!(columns.len(), 42);
    let census = format!(
        "format = csv, train = \"data/census_train.csv.gz\", test = \"data/census_test.csv.gz\", header = false, columns = [{}], \
         numeric = [age, wage_per_hour, capital_gains, capital_losses, dividends, persons_worked_for_employer, weeks_worked], \
         drop = [instance_weight]",
        columns.join(", ")
    );
    let raw = load(&census, &base).unwrap();
    assert_eq!(raw.splits.each_ref().map(|s| s.rows), [17958, 1995, 9977]);
    let schema = Schema::freeze(&raw);
    assert_eq!(schema.notes(), Vec::<String>::new());
    assert_eq!(Schema::from_ast(&item(&schema.to_mtl("census")), &nothing).unwrap(), schema);
    for f in &schema.files {
        assert!(readme.contains(&f.sha256), "{} is not the file that the README names", f.path);
    }
    let labels = [
        label("d.income == \"50000+.\"", TaskKind::Binary, &raw),
        label("d.marital_status == \"Never married\"", TaskKind::Binary, &raw),
    ];
    let data = all_of(&raw, &[], &labels);
    let rate = |t: usize| data.train.labels[t].values.iter().sum::<f32>() / 17958.0;
    assert!((rate(0) - 0.062).abs() < 0.004 && (rate(1) - 0.43).abs() < 0.01, "{} {}", rate(0), rate(1));
}

/// Needs `examples/data/fetch.sh census mnist`; run with `--ignored`.
#[test]
#[ignore = "needs the full files"]
fn the_full_files_load() {
    let base = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/full");
    let columns: Vec<String> = (0..42).map(|i| format!("c{i}")).collect();
    let census = format!(
        "format = csv, train = \"census/census_income_1994_1995_train.csv\", test = \"census/census_income_1994_1995_test.csv\", \
         validation = share(0.5, of = test), header = false, columns = [{}], numeric = [c0, c5, c16, c17, c18, c30, c39], \
         drop = [c24]",
        columns.join(", ")
    );
    let raw = load(&census, &base).unwrap();
    assert_eq!(raw.splits.each_ref().map(|s| s.rows), [199523, 49881, 49881]);
    let data = all_of(&raw, &[], &[label("d.c41 == \"50000+.\"", TaskKind::Binary, &raw)]);
    let rate = data.train.labels[0].values.iter().sum::<f32>() / 199523.0;
    assert!((rate - 0.0621).abs() < 1e-4, "{rate}");
    let mnist = load("format = multi_mnist, root = \"mnist\", samples = 1000", &base).unwrap();
    assert_eq!(mnist.splits.each_ref().map(|s| s.rows), [1000, 500, 500]);
}
