//! Arrays from data to predictions: layouts, pixels and components without labels, the way up of pictures.

use serde_json::Value;

use super::support::*;

const NET: &str = r#"mtl 1
data d { format = npy, train = "d.npz", validation = "v.npz" }
input x: f32[3, 4, 6] { from = d.xINPUT }
TASKS
backbone net(x) { stage all = conv(4, kernel = 1) -> relu }
head for s, n, far = conv(outputs, kernel = 1)
head for tags, warm = global_avg_pool -> linear(outputs)
train { epochs = 2, batch = 4, optimizer = adam(lr = 1e-2) }
"#;

/// The program with these attributes of its input and these tasks, whose heads alone stay.
fn program(input: &str, tasks: &str) -> String {
    let input = if input.is_empty() { String::new() } else { format!(", {input}") };
    let text = NET.replace("INPUT", &input).replace("TASKS", tasks);
    let kept = |names: &[&str]| {
        let there = names.iter().filter(|t| tasks.contains(&format!("task {t}:")));
        there.copied().collect::<Vec<_>>().join(", ")
    };
    text.replace("s, n, far", &kept(&["s", "n", "far"]))
        .replace("tags, warm", &kept(&["tags", "warm"]))
        .lines()
        .filter(|l| !l.starts_with("head for  ="))
        .map(|l| format!("{l}\n"))
        .collect()
}

/// An archive of stored arrays of f32.
fn npz(members: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, shape, values) in members {
        let (name, body, at) = (format!("{name}.npy"), npy(shape, values), out.len() as u32);
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        let mut about = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        about.extend(crc.sum().to_le_bytes());
        about.extend([(body.len() as u32).to_le_bytes(); 2].concat());
        about.extend((name.len() as u16).to_le_bytes());
        about.extend([0, 0]);
        out.extend([b"PK\x03\x04", about.as_slice(), name.as_bytes(), &body].concat());
        directory.extend([b"PK\x01\x02\x14\0", about.as_slice(), &[0; 10]].concat());
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, count) = (out.len() as u32, (members.len() as u16).to_le_bytes());
    out.extend(&directory);
    out.extend(
        [
            &b"PK\x05\x06\0\0\0\0"[..],
            &count,
            &count,
            &(directory.len() as u32).to_le_bytes(),
            &start.to_le_bytes(),
            &[0, 0],
        ]
        .concat(),
    );
    out
}

/// The same samples for training and validation.
fn data(place: &Place, members: &[(&str, &[usize], &[f32])]) {
    let bytes = npz(members);
    place.write("d.npz", &bytes);
    place.write("v.npz", &bytes);
}

const ROWS: usize = 12;
const PIXELS: usize = 24;

/// Images `[rows, 3, 4, 6]`.
fn chw() -> Vec<f32> {
    numbers(ROWS * 3 * PIXELS, 5)
}

/// `[rows, 3, 4, 6]` as `[rows, 4, 6, 3]`.
fn hwc(values: &[f32]) -> Vec<f32> {
    let sample = |s: &[f32]| (0..s.len()).map(|i| s[i % 3 * PIXELS + i / 3]).collect::<Vec<_>>();
    values.chunks_exact(3 * PIXELS).flat_map(sample).collect()
}

fn classes() -> Vec<f32> {
    chw().chunks_exact(3 * PIXELS).flat_map(|s| s[..PIXELS].iter().map(|v| f32::from(*v > 0.0))).collect()
}

fn weights(place: &Place) -> Vec<u8> {
    let file = std::fs::read(place.path("run/checkpoints/all_shared.safetensors")).expect("weights");
    let (header, _) = safetensors::SafeTensors::read_metadata(&file).expect("safetensors");
    file[8 + header..].to_vec()
}

/// Channels last, declared so: the same network to the last bit, in training and for new arrays.
#[test]
fn a_layout_is_read_as_declared_or_refused() {
    let (x, s) = (chw(), classes());
    let (image, class, turned) = (&[ROWS, 3, 4, 6][..], &[ROWS, 4, 6][..], &[ROWS, 4, 6, 3][..]);
    let first = Place::new();
    data(&first, &[("x", image, &x), ("n", image, &x), ("s", class, &s)]);
    first.write(
        "net.mtl",
        program("normalize = true", "task n: normals { from = d.n }\ntask s: segmentation(2) { from = d.s }")
            .as_bytes(),
    );
    first.run("train net.mtl -o run --device cpu --quiet").ok();
    let last = Place::new();
    data(&last, &[("x", turned, &hwc(&x)), ("n", turned, &hwc(&x)), ("s", class, &s)]);
    let declared = program(
        "normalize = true, layout = hwc",
        "task n: normals { from = d.n, layout = hwc }\ntask s: segmentation(2) { from = d.s }",
    );
    last.write("net.mtl", declared.as_bytes());
    last.run("train net.mtl -o run --device cpu --quiet").ok();
    assert_eq!(weights(&first), weights(&last));
    let predicted = |place: &Place, name: &str| {
        place.run(&format!("predict run {name} -o out.npz --raw --device cpu --quiet")).ok();
        let out = std::fs::read(place.path("out.npz")).expect("written");
        std::fs::remove_file(place.path("out.npz")).expect("it was there");
        out
    };
    assert_eq!(predicted(&first, "d.npz"), predicted(&last, "d.npz"));
    // New arrays in another order than those of training.
    last.write("new.npz", &npz(&[("x", image, &x)]));
    let refused = last.run("predict run new.npz -o out.npz --device cpu");
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("[3, 4, 6]") && refused.err.contains("[4, 6, 3]"), "{}", refused.err);
    assert!(refused.err.contains("another order than in training"), "{}", refused.err);

    // Not declared: refused with both sizes, before anything is trained; for an input, and for a label.
    for (attributes, tasks, holds) in [
        ("", "task s: segmentation(2) { from = d.s }", "[4, 6, 3]"),
        ("layout = hwc", "task n: normals { from = d.n }", "f32[3, 4, 6]"),
        ("layout = hwc", "task s: segmentation(2) { from = d.t }", "[6, 4]"),
    ] {
        data(&last, &[("x", turned, &hwc(&x)), ("n", turned, &hwc(&x)), ("s", class, &s), ("t", &[ROWS, 6, 4], &s)]);
        last.write("bad.mtl", program(attributes, tasks).as_bytes());
        last.write("good.mtl", declared.as_bytes());
        for command in ["data check bad.mtl", "train bad.mtl -o no --device cpu"] {
            let refused = last.run(command);
            assert_eq!(refused.code, 4, "{command} {tasks}: {}", refused.err);
            assert!(
                refused.err.contains("mtl::data::shape") && refused.err.contains(holds),
                "{command}: {}",
                refused.err
            );
            let offered = refused.err.contains("write `layout = hwc`");
            assert_eq!(offered, holds != "[6, 4]", "{command}: {}", refused.err);
        }
        assert!(!last.path("no").exists());
        // With the sizes frozen, the text alone shows it.
        let frozen = last.run("data freeze good.mtl");
        assert_eq!(frozen.code, 0, "{}", frozen.err);
        let schema = last.text("good.mtl");
        let schema = &schema[schema.find("schema d").expect("frozen")..];
        last.write("frozen.mtl", (last.text("bad.mtl") + schema).as_bytes());
        let refused = last.run("check frozen.mtl");
        assert!(refused.code == 3 && refused.err.contains("mtl::data::shape"), "{}", refused.err);
    }
}

/// A picture as png, with an orientation if one is given.
fn png(width: usize, height: usize, pixels: &[[u8; 3]], orientation: Option<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().expect("written").write_image_data(pixels.as_flattened()).expect("written");
    let Some(value) = orientation else { return out };
    let mut body = b"eXIfMM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    body.extend([value, 0, 0, 0, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let chunk = [&((body.len() - 4) as u32).to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat();
    // After the header, which is 33 bytes with the signature.
    out.splice(33..33, chunk);
    out
}

/// A picture: width, height, pixels row by row.
#[derive(Clone)]
struct Picture(usize, usize, Vec<[u8; 3]>);

impl Picture {
    /// A quarter turn clockwise.
    fn turned(&self) -> Picture {
        let Picture(w, h, p) = self;
        Picture(*h, *w, (0..w * h).map(|i| p[(h - 1 - i % h) * w + i / h]).collect())
    }

    fn mirrored(&self) -> Picture {
        let Picture(w, h, p) = self;
        Picture(*w, *h, (0..w * h).map(|i| p[i / w * w + w - 1 - i % w]).collect())
    }

    /// How a camera stores it that notes this orientation.
    fn stored(&self, orientation: u8) -> Picture {
        let half = || self.turned().turned();
        match orientation {
            2 => self.mirrored(),
            3 => half(),
            4 => half().mirrored(),
            5 => self.turned().mirrored(),
            6 => half().turned(),
            7 => half().turned().mirrored(),
            8 => self.turned(),
            _ => self.clone(),
        }
    }
}

#[test]
fn pictures_are_turned_the_right_way_up() {
    let place = Place::new();
    let bytes: Vec<f32> = chw().iter().map(|v| ((v + 1.0) * 127.0).round()).collect();
    let warm: Vec<f32> = bytes.chunks_exact(3 * PIXELS).map(|s| f32::from(s[0] > 127.0)).collect();
    data(&place, &[("x", &[ROWS, 3, 4, 6], &bytes), ("y", &[ROWS, 1], &warm)]);
    // A network that depends on where a pixel lies.
    let text = |more: &str| {
        program(&format!("scale = [0, 1]{more}"), "task warm: binary { from = d.y }")
            .replace("global_avg_pool", "flatten")
    };
    place.write("net.mtl", text("").as_bytes());
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    place.write("as_stored.mtl", text(", exif = false").as_bytes());
    place.run("train as_stored.mtl -o stored --device cpu --quiet").ok();
    let sample = &bytes[..3 * PIXELS];
    let pixels = (0..PIXELS).map(|i| [0, 1, 2].map(|c| sample[c * PIXELS + i] as u8)).collect();
    let upright = Picture(6, 4, pixels);
    let mut names = String::from("plain.png");
    place.write("plain.png", &png(6, 4, &upright.2, None));
    for orientation in 1..=8 {
        let Picture(w, h, p) = upright.stored(orientation);
        place.write(&format!("{orientation}.png"), &png(w, h, &p, Some(orientation)));
        names += &format!(" {orientation}.png");
    }
    let out = place.run(&format!("predict run {names} --raw --device cpu --quiet")).ok().out;
    let values: Vec<&str> = out.lines().skip(1).filter_map(|l| Some(l.split_once(',')?.1)).collect();
    assert_eq!(values, vec![values[0]; 9], "{out}");
    // Turned off: half a turn changes the prediction, and a quarter the size.
    let out = place.run("predict stored plain.png 3.png --raw --device cpu --quiet").ok().out;
    let stored: Vec<&str> = out.lines().skip(1).filter_map(|l| Some(l.split_once(',')?.1)).collect();
    assert!(stored[0] == values[0] && stored[1] != values[0], "{out}");
    let refused = place.run("predict stored 6.png --device cpu");
    assert!(
        refused.code == 4 && refused.err.contains("`6.png` is 4 x 6 pixels, and the network reads 6 x 4"),
        "{}",
        refused.err
    );

    // A network trained on arrays with channels last reads the same pictures.
    data(&place, &[("x", &[ROWS, 4, 6, 3], &hwc(&bytes)), ("y", &[ROWS, 1], &warm)]);
    place.write("last.mtl", text(", layout = hwc").as_bytes());
    place.run("train last.mtl -o last --device cpu --quiet").ok();
    let out = place.run(&format!("predict last {names} --raw --device cpu --quiet")).ok().out;
    let last: Vec<&str> = out.lines().skip(1).filter_map(|l| Some(l.split_once(',')?.1)).collect();
    assert_eq!(last, values);
}

fn split<'a>(found: &'a Value, task: &str, split: usize) -> &'a Value {
    let tasks = found["tasks"].as_array().expect("tasks");
    &tasks.iter().find(|t| t["task"] == task).expect("the task")["splits"][split]
}

fn metric(place: &Place, task: &str, name: &str) -> f64 {
    let found = place.run("evaluate run --json --device cpu --quiet").ok().json();
    find(&found, task, name).unwrap_or_else(|| panic!("no {name} of {task}: {found:#}"))
}

/// A metric of a task, wherever in the summary it stands first.
fn find(v: &Value, task: &str, name: &str) -> Option<f64> {
    match v {
        Value::Object(fields) => {
            if fields.get("task").is_some_and(|t| t == task) {
                let metrics = fields.get("metrics")?.as_array()?;
                return metrics.iter().find(|m| m["name"] == name)?["value"].as_f64();
            }
            fields.values().find_map(|v| find(v, task, name))
        }
        Value::Array(items) => items.iter().find_map(|v| find(v, task, name)),
        _ => None,
    }
}

/// What is not labelled has no part in training and metrics, whatever stands there, and is counted.
#[test]
fn pixels_without_labels_do_not_count() {
    let (x, s) = (chw(), classes());
    let far: Vec<f32> =
        chw().chunks_exact(3 * PIXELS).flat_map(|s| s[PIXELS..2 * PIXELS].iter().map(|v| v + 2.0)).collect();
    // Every fifth pixel, and all of the second image, has no label.
    let hole = |i: usize| i.is_multiple_of(5) || i / PIXELS == 1;
    let holes = (0..s.len()).filter(|i| hole(*i)).count();
    let with = |values: &[f32], odd: f32| -> Vec<f32> {
        values.iter().enumerate().map(|(i, v)| if hole(i) { odd } else { *v }).collect()
    };
    let valid: Vec<f32> = (0..s.len()).map(|i| f32::from(!hole(i))).collect();
    let (image, class) = (&[ROWS, 3, 4, 6][..], &[ROWS, 4, 6][..]);
    let mut trained = Vec::new();
    for (odd_class, odd_depth, tasks) in [
        (
            255.0,
            0.0,
            "task s: segmentation(2) { from = d.s, ignore = 255 }\ntask far: depth { from = d.far, ignore = 0 }",
        ),
        (7.0, f32::NAN, "task s: segmentation(2) { from = d.s, mask = d.s < 2 }\ntask far: depth { from = d.far }"),
        (
            -1.0,
            -9.0,
            "task s: segmentation(2) { from = d.s, mask = d.valid }\ntask far: depth { from = d.far, mask = d.valid == 1 }",
        ),
    ] {
        let place = Place::new();
        data(
            &place,
            &[
                ("x", image, &x),
                ("s", class, &with(&s, odd_class)),
                ("far", class, &with(&far, odd_depth)),
                ("valid", class, &valid),
            ],
        );
        place.write("net.mtl", program("", tasks).as_bytes());
        let found = place.run("data check net.mtl --json").ok().json();
        for task in ["s", "far"] {
            assert_eq!(split(&found, task, 0)["missing"], holes, "{tasks}");
            assert_eq!(split(&found, task, 0)["labelled"], ROWS * PIXELS - holes);
            assert_eq!(split(&found, task, 0)["rows"], ROWS - 1, "the second image has no label");
        }
        let zeros = s.iter().enumerate().filter(|(i, v)| !hole(*i) && **v == 0.0).count();
        assert_eq!(split(&found, "s", 0)["counts"][0], zeros);
        place.run("train net.mtl -o run --device cpu --quiet").ok();
        trained.push((weights(&place), metric(&place, "s", "accuracy"), metric(&place, "far", "mae")));
    }
    assert!(trained.iter().all(|t| t == &trained[0]), "{:?}", trained.iter().map(|t| (t.1, t.2)).collect::<Vec<_>>());

    // Zeros may mean that nothing was measured: `data check` asks.
    let place = Place::new();
    data(&place, &[("x", image, &x), ("far", class, &with(&far, 0.0))]);
    place.write("net.mtl", program("", "task far: depth { from = d.far }").as_bytes());
    let found = place.run("data check net.mtl --json").ok().json();
    let finding = found["findings"].as_array().expect("a list").iter().find(|f| f["kind"] == "zeros");
    let message = finding.expect("zeros are reported")["message"].as_str().expect("text");
    assert!(message.contains(&format!("{holes} of {} labelled train pixels", ROWS * PIXELS)), "{message}");

    // Not declared: told, with the pixel, before training.
    let place = Place::new();
    data(&place, &[("x", image, &x), ("s", class, &with(&s, 255.0))]);
    for label in ["from = d.s", "label = d.s + 0"] {
        place.write("net.mtl", program("", &format!("task s: segmentation(2) {{ {label} }}")).as_bytes());
        for command in ["data check net.mtl", "train net.mtl -o run --device cpu"] {
            let refused = place.run(command);
            assert_eq!(refused.code, 4, "{command}: {}", refused.err);
            assert!(refused.err.contains("255") && refused.err.contains("`ignore = 255`"), "{}", refused.err);
        }
    }
}

/// Labels of a sample that are missing one by one: as many as the same labels have as tasks of their own, and metrics over those.
#[test]
fn components_without_labels_do_not_count() {
    let n = 40;
    let x = numbers(n * 4, 8);
    let mut table = String::from("x1,x2,x3,x4,a,b,c\n");
    let (mut labels, mut counts) = (Vec::new(), [0usize; 3]);
    for row in 0..n {
        let inputs = &x[row * 4..row * 4 + 4];
        let own: Vec<f32> = (0..3)
            .map(|c| if (row * 7 + c * 3) % 5 < 2 { f32::NAN } else { f32::from(inputs[c] + 0.2 * inputs[3] > 0.0) })
            .collect();
        own.iter().zip(&mut counts).for_each(|(v, n)| *n += usize::from(!v.is_nan()));
        let cell = |v: &f32| if v.is_nan() { String::new() } else { v.to_string() };
        let cells: Vec<String> = inputs.iter().chain(&own).map(cell).collect();
        table += &(cells.join(",") + "\n");
        labels.extend(own);
    }
    let net = |tasks: &str| {
        format!(
            "mtl 1\ndata d {{ format = csv, train = \"t.csv\", validation = \"v.csv\" }}\ninput x: fields {{ from = d[x1, x2, x3, x4] }}\n{tasks}\n\
             backbone net(x) {{ stage s = one_hot -> linear(6) -> relu }}\nhead for * = linear(outputs)\ntrain {{ epochs = 3, batch = 10 }}\n"
        )
    };
    let place = Place::new();
    place.write("t.csv", table.as_bytes());
    place.write("v.csv", table.as_bytes());
    let several = "task all: multilabel(3) { label = [d.a == 1, d.b == 1, d.c == 1], metrics = [log_loss, accuracy] }";
    place.write("net.mtl", net(several).as_bytes());
    let one = |name: &str| format!("task {name}: binary {{ from = d.{name} }}\n");
    place.write("tasks.mtl", net(&(one("a") + &one("b") + &one("c"))).as_bytes());
    let found = place.run("data check net.mtl --json").ok().json();
    let of_tasks = place.run("data check tasks.mtl --json").ok().json();
    let alone = ["a", "b", "c"].map(|t| split(&of_tasks, t, 0)["labelled"].as_u64().expect("a number") as usize);
    assert_eq!(alone, counts);
    assert_eq!(split(&found, "all", 0)["labelled"], counts.iter().sum::<usize>());
    assert_eq!(split(&found, "all", 0)["missing"], 3 * n - counts.iter().sum::<usize>());
    assert_eq!(split(&found, "all", 0)["each"], serde_json::json!(counts));

    place.run("train net.mtl -o run --device cpu --quiet").ok();
    let outputs = place.run("predict run t.csv --raw --device cpu --quiet").ok().out;
    let header: Vec<&str> = outputs.lines().next().expect("a header").split(',').collect();
    let raw: Vec<usize> = (0..header.len()).filter(|i| header[*i].contains("raw")).collect();
    assert_eq!(raw.len(), 3, "{header:?}");
    let (mut loss, mut right) = (0.0, 0usize);
    for (row, line) in outputs.lines().skip(1).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        for (c, at) in raw.iter().enumerate() {
            let (x, y) = (cells[*at].parse::<f64>().expect("a number"), f64::from(labels[row * 3 + c]));
            if !y.is_nan() {
                loss += (1.0 + (-x).exp()).ln() + (1.0 - y) * x;
                right += usize::from((x > 0.0) == (y > 0.5));
            }
        }
    }
    let all = counts.iter().sum::<usize>() as f64;
    assert!(
        (metric(&place, "all", "log_loss") - loss / all).abs() < 1e-6,
        "{} {}",
        metric(&place, "all", "log_loss"),
        loss / all
    );
    assert!((metric(&place, "all", "accuracy") - right as f64 / all).abs() < 1e-9);
}

/// The error about a NaN names the file and the sample in that file, counted from 0.
#[test]
fn errors_name_the_sample_with_a_nan() {
    let place = Place::new();
    data(&place, &[("x", &[ROWS, 3, 4, 6], &chw()), ("far", &[ROWS, 4, 6], &classes())]);
    place.write("net.mtl", program("", "task far: depth { from = d.far }").as_bytes());
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    let samples = |n: usize, at: usize| {
        let mut values = vec![0.5; n * 3 * PIXELS];
        values[at * 3 * PIXELS + 7] = f32::NAN;
        npy(&[n, 3, 4, 6], &values)
    };
    place.write("good.npy", &npy(&[3, 3, 4, 6], &[0.5; 9 * PIXELS]));
    place.write("bad.npy", &samples(4, 2));
    place.write("long.npy", &samples(9_000, 8_500));
    for (files, wanted) in [
        ("bad.npy", "`bad.npy`, sample 2, column `x`"),
        ("good.npy bad.npy", "`bad.npy`, sample 2, column `x`"),
        ("long.npy", "`long.npy`, sample 8500, column `x`"),
    ] {
        let refused = place.run(&format!("predict run {files} -o out.npz --device cpu"));
        assert_eq!(refused.code, 4, "{files}: {}", refused.err);
        assert!(refused.err.contains(wanted), "{files}: {}", refused.err);
    }
    // Several arrays of one archive.
    let place = Place::new();
    let two = |b: f32| {
        npz(&[("a", &[4], &[0.0, 1.0, 2.0, 3.0]), ("b", &[4], &[1.0, 0.0, b, 4.0]), ("y", &[4], &[0.0, 1.0, 0.0, 1.0])])
    };
    place.write("d.npz", &two(2.0));
    place.write("bad.npz", &two(f32::NAN));
    let net = "mtl 1\ndata d { format = npy, train = \"d.npz\", validation = \"d.npz\" }\ninput x: fields { from = d[a, b] }\n\
               task y: binary { label = d.y == 1 }\nbackbone net(x) { stage s = one_hot -> linear(2) }\nhead for * = linear(outputs)\n\
               train { epochs = 1, batch = 4 }\n";
    place.write("net.mtl", net.as_bytes());
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    let refused = place.run("predict run bad.npz -o out.npz --device cpu");
    assert!(refused.err.contains("`bad.npz`, sample 2, column `b`"), "{}", refused.err);
    place.write("net.mtl", net.replacen("d.npz", "bad.npz", 1).as_bytes());
    let refused = place.run("data check net.mtl");
    assert!(refused.err.contains("`bad.npz`, sample 2, column `b`"), "{}", refused.err);
}
