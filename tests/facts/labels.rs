//! Labels are learned in units of their own deviation, and read in theirs.

use mtlc::data::{self, Schema};
use mtlc::driver;
use mtlc::experiment::{RunFolder, Summary};
use mtlc::hir::Options;
use mtlc::objective::{TaskKind, find_loss};
use mtlc::schema::{Args, Value};
use mtlc::source::{FileId, Span, Spanned};

use candle_core::{Device, Tensor};

use crate::support::{Place, npy, numbers, prepare};

/// `x` and a label `y = at + by * x`, more or less, and `half`, which is half of it; every third row has no `half`.
fn line(rows: usize, at: f64, by: f64) -> String {
    let noise = numbers(rows, 7);
    let mut out = String::from("x,z,y,half,fixed\n");
    for (i, x) in numbers(rows, 3).into_iter().enumerate() {
        let y = at + by * (f64::from(x) + 0.02 * f64::from(noise[i]));
        let half = if i % 3 == 0 { String::new() } else { format!("{}", y / 2.0) };
        out += &format!("{x},{},{y},{half},5\n", noise[i]);
    }
    out
}

fn program(tasks: &str) -> String {
    format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\", validation = share(0.2, of = train), test = share(0.2, of = train) }}\n\
         input x: fields {{ from = d[x, z] }}\n{tasks}\nbackbone net(x) {{ stage s = one_hot -> linear(8) -> tanh }}\nhead for * = linear(outputs)\n\
         train {{ epochs = 30, batch = 16, optimizer = adam(lr = 1e-2) }}\n"
    )
}

fn place(at: f64, by: f64, tasks: &str) -> Place {
    let place = Place::new();
    place.write("t.csv", line(300, at, by).as_bytes());
    place.write("net.mtl", program(tasks).as_bytes());
    place
}

fn metric(place: &Place, run: &str, task: &str, metric: &str) -> f64 {
    let summary: Summary =
        RunFolder::open(&place.path(run)).expect("a run").read_json("summary.json").expect("a summary");
    let scores = summary.networks[0].test.as_ref().expect("there is a test split");
    let task = scores.tasks.iter().find(|t| t.task == task).expect("the task");
    task.metrics.iter().find(|m| m.name == metric).expect("the metric").value.expect("a value")
}

/// However far from 0 labels lie and however large they are, what matters is their spread.
#[test]
fn a_label_is_learned_whatever_its_units() {
    for (at, by) in [(0.0, 1.0), (190.0, 88.0), (-4e6, 3e5), (1.7e9, 500.0), (3e-7, 2e-8)] {
        let place = place(at, by, "task y: regression(1) { label = d.y, metrics = [rmse, mae, r2] }");
        place.run("train net.mtl -o run -q").ok();
        // x is uniform in -1..1.
        let deviation = by / 3f64.sqrt();
        let rmse = metric(&place, "run", "y", "rmse");
        assert!(rmse < 0.2 * deviation, "{at} {by}: rmse {rmse}, deviation {deviation}");
        assert!(metric(&place, "run", "y", "r2") > 0.9, "{at} {by}");
        assert!(metric(&place, "run", "y", "mae") <= rmse, "{at} {by}");
    }
    let raw = place(190.0, 88.0, "task y: regression(1) { label = d.y, standardize = false, metrics = [rmse] }");
    raw.run("train net.mtl -o run -q").ok();
    assert!(metric(&raw, "run", "y", "rmse") > 88.0, "labels as they are need more epochs");
}

/// Predictions are in the units of the label and agree with the reported metrics, also for labels far from 0. `predict` does not need the
/// training data.
#[test]
fn predictions_agree_with_the_metrics() {
    for (from, by) in [(190.0, 88.0), (1.7e9, 20.0)] {
        let place = place(from, by, "task y: regression(1) { label = d.y, metrics = [rmse] }");
        place.run("train net.mtl -o run -q").ok();
        place.run("evaluate run --outputs outputs.csv").ok();
        let table: Vec<String> = place.text("t.csv").lines().map(str::to_string).collect();
        let label =
            |line: usize| -> f64 { table[line - 1].split(',').nth(2).expect("a cell").parse().expect("a number") };
        let text = place.text("outputs.csv");
        let head: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
        let at = |name: &str| head.iter().position(|h| *h == name).unwrap_or_else(|| panic!("{head:?}"));
        let (row, split, y) = (at("row"), at("split"), at("y"));
        let (mut n, mut sum, mut told) = (0, 0.0, Vec::new());
        for cells in text.lines().skip(1).map(|l| l.split(',').collect::<Vec<_>>()).filter(|c| c[split] == "test") {
            let y: f64 = cells[y].parse().expect("a number");
            sum += (y - label(cells[row].parse().expect("a line"))).powi(2);
            n += 1;
            told.push(y);
        }
        let (own, metric) = ((sum / f64::from(n)).sqrt(), metric(&place, "run", "y", "rmse"));
        assert!((own - metric).abs() < 1e-4 * metric, "{from}: {own} {metric}");

        // All formats contain the same numbers.
        place.run("evaluate run --outputs outputs.jsonl").ok();
        place.run("evaluate run --outputs outputs.npz").ok();
        let lines: Vec<f64> = place
            .text("outputs.jsonl")
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("an object"))
            .filter(|l| l["split"] == "test")
            .map(|l| l["y"].as_f64().expect("a number"))
            .collect();
        assert_eq!(lines, told);
        let bytes = std::fs::read(place.path("outputs.npz")).expect("arrays");
        assert!(bytes.windows(5).any(|w| w == b"'<f8'"));
        let holds = |v: &f64| bytes.windows(8).any(|w| w == v.to_le_bytes());
        assert!(told.iter().all(holds), "{from}");

        // `data preview` shows the label with enough digits for its spread.
        let shown = place.run("data preview net.mtl --rows 5 --json").ok().out;
        for line in shown.lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("an object");
            let place = row["place"].as_str().and_then(|p| p.strip_prefix("line ")).expect("a line");
            let shown = row["labels"]["y"].as_f64().expect("a number");
            assert!((shown - label(place.parse().expect("a number"))).abs() < 1e-6 * by, "{from}: {row}");
        }

        let before = place.run("predict run t.csv").ok().out;
        place.write("new.csv", place.text("t.csv").replace(",y,", ",unused,").as_bytes());
        std::fs::remove_file(place.path("t.csv")).expect("it was there");
        assert_eq!(place.run("predict run new.csv").ok().out, before);
    }
}

/// If no training row has a label of a task, a note says so, for binary and for regression tasks. It does not describe the labels as constant 0.
#[test]
fn tasks_without_labels_are_reported() {
    let mut table = String::from("x,z,gone,part\n");
    for (i, x) in numbers(60, 3).into_iter().enumerate() {
        table += &format!("{x},{},,{x}\n", i % 3);
    }
    for (task, told) in [
        ("binary { label = d.part > 9, mask = d.z > 7 }", "no train row has a label"),
        ("regression(1) { label = d.part, mask = d.z > 7 }", "no train row has a label"),
        ("regression(1) { label = d.part / (d.part - d.part) }", "no train row has a label"),
        ("regression(2) { label = [d.part, d.part / (d.part - d.part)] }", "no train row has component 1 of the label"),
    ] {
        let place = Place::new();
        place.write("t.csv", table.as_bytes());
        place.write("net.mtl", program(&format!("task y: {task}")).as_bytes());
        let err = place.run("train net.mtl -o run").ok().err;
        let said = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("task `y`: {told}")), "{task}: {err}");
        assert!(!said.contains("its standard deviation is 0"), "{task}: {err}");
    }
    // An input column without any number is reported as missing, not as constant.
    let place = Place::new();
    place.write("t.csv", table.as_bytes());
    let text = program("task y: regression(1) { label = d.part }").replace("d[x, z]", "d[x, gone]");
    place.write("net.mtl", text.replace("\"t.csv\"", "\"t.csv\", numeric = [x, z, gone, part]").as_bytes());
    let err = place.run("train net.mtl -o run").ok().err;
    let said = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("column `gone` is missing in every training row: it is encoded as 0"), "{err}");
    assert!(!said.contains("the same number, 0"), "{err}");
}

#[test]
fn only_labels_that_count_are_counted() {
    let tasks = "task y: regression(1) { label = d.y, mask = d.z > 0 }\n\
                 task half: regression(1) { label = d.half }\n\
                 task both: regression(2) { label = [d.y, d.y / 10 - 3] }\n\
                 task raw: regression(1) { label = d.y, standardize = false }\n\
                 task fixed: regression(1) { label = d.fixed }\n\
                 task up: binary { label = d.x > 0 }";
    let place = place(190.0, 88.0, tasks);
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let schema = prepared.checked().spec.data[0].schema.as_ref().expect("frozen");
    let raw = mtlc::runtime::feed::load(&prepared.checked().spec.data[0]).expect("it reads");
    let column =
        |name: &str| -> Vec<f64> { raw.splits[0].columns[raw.index(name).expect("a column")].numbers().collect() };
    let (y, half, z) = (column("y"), column("half"), column("z"));
    let facts = |values: Vec<f64>| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt())
    };
    let close = |task: &str, at: usize, (mean, std): (f64, f64)| {
        let l = schema.label(task).unwrap_or_else(|| panic!("{task}"));
        assert!(
            (l.mean[at] - mean).abs() < 1e-6 * std.max(1.0) && (l.std[at] - std).abs() < 1e-6 * std.max(1.0),
            "{task} {l:?} {mean} {std}"
        );
    };
    close("y", 0, facts(y.iter().zip(&z).filter(|(_, z)| **z > 0.0).map(|(y, _)| *y).collect()));
    close("half", 0, facts(half.iter().copied().filter(|v| !v.is_nan()).collect()));
    close("both", 0, facts(y.clone()));
    close("both", 1, facts(y.iter().map(|v| v / 10.0 - 3.0).collect()));
    close("fixed", 0, (5.0, 0.0));
    assert!(schema.label("raw").is_none() && schema.label("up").is_none());
    let notes = prepared.feed.dataset.notes.join("\n");
    assert!(notes.contains("task `fixed`: the label is 5"), "{notes}");
    // What is learned has the mean 0 and the deviation 1; of a label without spread, the distance.
    for (l, want) in
        prepared.feed.dataset.train.labels.iter().zip([1.0, 1.0, 1.0, f64::NAN, 0.0]).filter(|(_, w)| !w.is_nan())
    {
        let kept: Vec<f64> =
            (0..l.values.len()).filter(|i| l.counts(i / l.size, i % l.size)).map(|i| f64::from(l.values[i])).collect();
        let (mean, std) = facts(kept);
        assert!(mean.abs() < 1e-5 && (std - want).abs() < 1e-5, "{}: {mean} {std}", l.task);
    }
    // And is read back in the label's units.
    let first: Vec<f64> = prepared.feed.dataset.train.labels[2].own(0).collect();
    assert!((first[0] - y[0]).abs() < 1e-4 && (first[1] - (y[0] / 10.0 - 3.0)).abs() < 1e-5, "{first:?}");
}

fn delta(v: f64) -> Args {
    let mut args = Args::default();
    args.set("delta", Spanned { value: Value::Float(v), span: Span::new(FileId(0), 0, 0) }, true);
    args
}

/// Huber's loss of standardised labels is that of the labels, in units of the squared deviation, whichever component it is.
#[test]
fn a_delta_keeps_the_units_of_the_label() {
    let def = find_loss("huber").expect("in the table");
    let (outputs, labels) = (numbers(12, 5), numbers(12, 9));
    for stds in [vec![88.0, 0.5, 3.0], vec![4.0, 4.0, 4.0], vec![7.0]] {
        let shape = (12 / stds.len(), stds.len());
        let tensor = |v: &[f32]| Tensor::from_slice(v, shape, &Device::Cpu).expect("a tensor");
        let args = def.rescaled(&delta(0.4), &stds);
        let got = def
            .forward(&args, &tensor(&outputs), &tensor(&labels), None)
            .expect("a loss")
            .to_scalar::<f32>()
            .expect("a number");
        let one = |i: usize| {
            let s = stds[i % stds.len()];
            let d = (f64::from(outputs[i]) - f64::from(labels[i])).abs() * s;
            let loss = if d <= 0.4 { d * d / 2.0 } else { 0.4 * (d - 0.2) };
            loss / (s * s)
        };
        let want = (0..12).map(one).sum::<f64>() / 12.0;
        assert!((f64::from(got) - want).abs() < 1e-6, "{stds:?}: {got} {want}");
        let each = def.by_sample(&args, &tensor(&outputs), &tensor(&labels), None).expect("losses");
        let sum = each.sum_all().expect("a sum").to_scalar::<f32>().expect("a number");
        assert!((f64::from(sum) - want).abs() < 1e-6, "{stds:?}: {sum} {want}");
    }
    assert!(TaskKind::Depth.has_units() && !TaskKind::Normals.has_units());
}

#[test]
fn statistics_are_frozen_and_follow_the_label() {
    let place = place(190.0, 88.0, "task y: regression(1) { label = d.y }");
    place.run("data freeze net.mtl").ok();
    let frozen = place.text("net.mtl");
    assert!(frozen.contains("label y") && frozen.contains("std"), "{frozen}");
    place.run("check net.mtl").ok();
    place.run("data freeze net.mtl").ok();
    assert_eq!(place.text("net.mtl"), frozen, "the same data give the same text");
    place.run("train net.mtl -o run -q").ok();
    // Another label: its own statistics, and a word about it.
    place.write("net.mtl", frozen.replace("label = d.y", "label = d.y / 1000 + 4").as_bytes());
    let told = place.run("train net.mtl -o other").ok();
    assert!(told.err.contains("has another mean and deviation than the schema"), "{}", told.err);
    let text = place.text("other/program.mtl");
    let options = Options::default();
    let compiled = driver::compile(&place.path("other/program.mtl"), &options).expect("it reads");
    let schema: &Schema = compiled.checked.as_ref().expect("it checks").spec.data[0].schema.as_ref().expect("frozen");
    let facts: &data::LabelFacts = schema.label("y").unwrap_or_else(|| panic!("{text}"));
    assert!((facts.mean[0] - 4.19).abs() < 0.02 && (facts.std[0] - 0.0508).abs() < 0.005, "{facts:?}");
    place.run("verify other").ok();
}

#[test]
fn a_digest_says_whether_labels_are_standardised() {
    let digest = |attribute: &str| {
        let place = place(1.0, 2.0, &format!("task y: regression(1) {{ label = d.y{attribute} }}"));
        let prepared = prepare(&place.path("net.mtl"), &[]);
        mtlc::artifact::digest(&prepared.checked().spec)
    };
    assert_eq!(digest(""), digest(", standardize = true"));
    assert_ne!(digest(""), digest(", standardize = false"));
}

/// Arrays: each component of a vector by itself, pixels of a depth together, ignored ones not at all.
#[test]
fn components_and_pixels_have_their_own_statistics() {
    let place = Place::new();
    let rows = 60;
    place.write("x.npy", &npy(&[rows, 1, 4, 4], &numbers(rows * 16, 1)));
    // Metres, with holes; every seventh pixel.
    let far: Vec<f32> = numbers(rows * 16, 2)
        .iter()
        .enumerate()
        .map(|(i, v)| if i % 7 == 0 { 0.0 } else { 900.0 + 40.0 * v })
        .collect();
    place.write("far.npy", &npy(&[rows, 1, 4, 4], &far));
    let scales = [1000.0f32, 1.0, 0.001];
    let pose: Vec<f32> = numbers(rows * 3, 3).iter().enumerate().map(|(i, v)| scales[i % 3] * (v + 5.0)).collect();
    place.write("pose.npy", &npy(&[rows, 3], &pose));
    let program = "mtl 1
data d {
  format = npy
  train = [\"x.npy\", \"far.npy\", \"pose.npy\"]
  columns = [x, far, pose]
  validation = share(0.2, of = train)
  test = share(0.2, of = train)
}
input x: f32[1, 4, 4] { from = d.x }
task far: depth { from = d.far, ignore = 0, metrics = [rmse] }
task pose: regression(3) { from = d.pose, loss = huber(delta = 2), metrics = [rmse, r2] }
backbone net(x) { stage s = conv(2, kernel = 1) }
head for far = conv(outputs, kernel = 1)
head for pose = flatten -> linear(outputs)
train { epochs = 1, batch = 12, optimizer = sgd(lr = 1e-6) }
";
    let prepared = prepare(&place.write("net.mtl", program.as_bytes()), &[]);
    let schema = prepared.checked().spec.data[0].schema.as_ref().expect("frozen");
    let far = schema.label("far").expect("standardised");
    assert_eq!(far.mean.len(), 1);
    // Uniform in -1..1: a deviation of 1 over the root of 3.
    assert!((far.mean[0] - 900.0).abs() < 5.0 && (far.std[0] - 40.0 / 3f64.sqrt()).abs() < 2.0, "{far:?}");
    let pose = schema.label("pose").expect("standardised");
    for (at, scale) in scales.into_iter().map(f64::from).enumerate() {
        assert!((pose.mean[at] / scale - 5.0).abs() < 0.4 && (pose.std[at] / scale - 0.577).abs() < 0.1, "{pose:?}");
    }
    let train = &prepared.feed.dataset.train;
    for (l, n) in train.labels.iter().zip([1, 3]) {
        for at in 0..n {
            let kept: Vec<f64> = (0..l.values.len())
                .filter(|i| i % n == at && l.counts(i / l.size, i % l.size))
                .map(|i| f64::from(l.values[i]))
                .collect();
            let mean = kept.iter().sum::<f64>() / kept.len() as f64;
            let square = kept.iter().map(|v| v * v).sum::<f64>() / kept.len() as f64;
            assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-4, "{} {at}: {mean} {square}", l.task);
        }
    }
    // A network that has learned nothing is off by about the deviation, in the label's units.
    place.run("train net.mtl -o run -q").ok();
    let rmse = metric(&place, "run", "far", "rmse");
    assert!((15.0..80.0).contains(&rmse), "{rmse}");
    assert!((200.0..1500.0).contains(&metric(&place, "run", "pose", "rmse")));
    place.run("predict run x.npy -o out.npz").ok();
}
