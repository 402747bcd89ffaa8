//! Numbers that mean what they say: training losses, values that are not finite, batches of one row, probabilities, findings.

use serde_json::Value;

use super::support::*;

/// Three tasks of three kinds; a third of the labels of `value` and of `kind` are missing.
const TASKS: &str = r#"mtl 1
data d { format = csv, train = "t.csv", validation = "same.csv", test = "test.csv" }
input x: fields { from = d, except = [yes, kind, value], unknown = 0 }
task yes: binary { label = d.yes == 1 }
task kind: classes(3) { from = d.kind, weight = 0.5 }
task value: regression(1) { from = d.value, weight = 2 }
backbone net(x) {
  stage trunk  = one_hot -> linear(8) -> relu
  stage branch = linear(6) -> relu
}
head for * = linear(outputs)
"#;

fn with_gaps(rows: usize) -> String {
    let gap = |(i, line): (usize, &str)| match line.rsplit(',').collect::<Vec<_>>().as_slice() {
        [_, kind, rest @ ..] if i % 3 == 1 && i > 0 => {
            let rest: Vec<&str> = rest.iter().rev().copied().collect();
            format!("{},{kind},\n", rest.join(","))
        }
        _ => format!("{line}\n"),
    };
    table(rows).lines().enumerate().map(gap).collect()
}

/// A place whose validation and test splits are the training rows.
fn same_rows(rows: usize) -> Place {
    let place = Place::new();
    for name in ["t.csv", "same.csv", "test.csv"] {
        place.write(name, with_gaps(rows).as_bytes());
    }
    place
}

#[track_caller]
fn close(a: &Value, b: &Value, what: &str) {
    let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
    assert!((a - b).abs() <= 2e-6 * b.abs().max(1e-3), "{what}: {a} {b}");
}

/// With a rate of 0 every batch is computed with the same weights: the training loss of the epoch is the validation loss of the same
/// rows, in all and for every task, however the rows are dealt and whatever labels are missing.
#[test]
fn the_training_loss_is_the_mean_over_labels() {
    let place = same_rows(53);
    for batch in [1, 7, 10, 52, 53, 400] {
        let text = format!("{TASKS}train {{ epochs = 2, batch = {batch}, optimizer = sgd(lr = 0), select = last }}");
        place.write("net.mtl", text.as_bytes());
        let run = format!("b{batch}");
        let out = place.run(&format!("train net.mtl -o {run} --json --device cpu")).ok().json();
        let lines = place.lines(&format!("{run}/metrics.jsonl"));
        assert_eq!(lines.len(), 2);
        for line in &lines {
            close(&line["train"]["loss"], &line["validation"]["loss"], &format!("batch {batch}"));
            for (t, v) in line["train"]["tasks"]
                .as_array()
                .expect("tasks")
                .iter()
                .zip(line["validation"]["tasks"].as_array().expect("tasks"))
            {
                assert_eq!(t["task"], v["task"]);
                close(&t["loss"], &v["loss"], &format!("batch {batch}, {}", t["task"]));
            }
        }
        // The summary has the losses of the selected epoch, per task.
        let network = &out["networks"][0];
        assert_eq!(network["train"], lines[1]["train"], "batch {batch}");
        close(&network["train"]["tasks"][2]["loss"], &network["validation"]["tasks"][2]["loss"], "summary");
    }
}

/// The same in every strategy that trains on losses by itself, whatever is added to them.
#[test]
fn searches_count_labels_too() {
    let place = same_rows(31);
    let trees = "space s over net { level trunk { copies = 1 }\n level branch { copies = 2, reads = one }\n heads { per = task, reads = one } }";
    let routes = "space s over net { level trunk { copies = 1 }\n level branch { copies = 2 }\n heads { per = task, reads = some(gate = mean) } }";
    let groups = "space s over net { level trunk { copies = 1 }\n level branch { copies = 2 }\n heads { per = copy } }";
    for (name, space, search) in [
        (
            "ltb",
            trees,
            "learn_to_branch { epochs = 2, warmup = 0, batch = 8, weights = sgd(lr = 0), choices = sgd(lr = 0) }",
        ),
        ("bmtas", trees, "expected_cost { epochs = 2, batch = 8, weights = sgd(lr = 0), choices = sgd(lr = 0) }"),
        ("mtnas", routes, "reinforce { epochs = 2, batch = 8, weights = sgd(lr = 0), choices = sgd(lr = 0) }"),
        ("snr", routes, "snr { epochs = 2, batch = 8, weights = sgd(lr = 0), choices = sgd(lr = 0) }"),
        ("dselect", routes, "dselect_k { epochs = 2, batch = 8, weights = sgd(lr = 0), choices = sgd(lr = 0) }"),
        ("dmtg", groups, "group { epochs = 2, batch = 8, weights = sgd(lr = 0) }"),
    ] {
        place.write("net.mtl", format!("{TASKS}{space}\nsearch {search}\n").as_bytes());
        place.run(&format!("search net.mtl -o {name} --device cpu")).ok();
        let lines = place.lines(&format!("{name}/metrics.jsonl"));
        assert_eq!(lines.len(), 2, "{name}");
        for line in &lines {
            let tasks = line["train"]["tasks"].as_array().expect("tasks");
            let names: Vec<&str> = tasks.iter().filter_map(|t| t["task"].as_str()).collect();
            assert_eq!(names, ["yes", "kind", "value"], "{name}");
            let sum: f64 =
                tasks.iter().zip([1.0, 0.5, 2.0]).map(|(t, w)| w * t["loss"].as_f64().expect("a loss")).sum();
            let total = line["train"]["loss"].as_f64().expect("a loss");
            assert!(total >= sum - 1e-9 && total < sum + 0.1, "{name}: {total} {sum}");
        }
        // What was found is told, in a summary too.
        let summary = place.json(&format!("{name}/summary.json"));
        assert!(summary["findings"].is_array(), "{name}");
        let kinds: Vec<&str> =
            summary["findings"].as_array().expect("a list").iter().filter_map(|f| f["kind"].as_str()).collect();
        assert!(kinds.contains(&"undecided"), "{name} cannot decide with a rate of 0: {kinds:?}");
    }
}

/// A loss that is saved in the middle of an epoch goes on to the same bytes.
#[test]
fn a_resumed_epoch_has_the_same_means() {
    let place = same_rows(53);
    place.write(
        "net.mtl",
        format!("{TASKS}train {{ epochs = 300, batch = 7, optimizer = adam(lr = 1e-3) }}").as_bytes(),
    );
    place.run("train net.mtl -o whole --device cpu --quiet").ok();
    let mut child = super::resume::spawn(&place, "train net.mtl -o run --device cpu --quiet --save-every 5ms");
    super::resume::wait_for(&mut child, || super::resume::has_state(&place, "all_shared-"));
    super::resume::signal(&child, "-TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    place.run("train --resume run --device cpu --quiet").ok();
    let losses = |name: &str| -> Vec<Value> {
        let lines = place.lines(&format!("{name}/metrics.jsonl"));
        lines.into_iter().map(|l| serde_json::json!([l["epoch"], l["train"], l["validation"]])).collect()
    };
    assert_eq!(losses("run"), losses("whole"));
    assert_eq!(
        place.json("run/summary.json")["networks"][0]["train"],
        place.json("whole/summary.json")["networks"][0]["train"]
    );
}

/// No temperature and no factor leaves its range: the program is refused before anything runs.
#[test]
fn a_schedule_stays_within_its_range() {
    let place = same_rows(31);
    let trees = "space s over net { tree { trunk = 1, branch = any } }";
    let groups = "space s over net { level trunk { copies = 1 }\n level branch { copies = 2 }\n heads { per = copy } }";
    for (space, search, tells) in [
        (
            trees,
            "learn_to_branch { epochs = 8, warmup = 1 epochs, temperature = linear(5, 0, over = 4 epochs) }",
            "epoch 5 of 8",
        ),
        (trees, "learn_to_branch { epochs = 8, warmup = 1 epochs, temperature = constant(-1) }", "epoch 1 of 8"),
        (
            trees,
            "learn_to_branch { epochs = 8, temperature = exponential(1, rate = 1e-200, every = 1 epochs) }",
            "epoch 3 of 8",
        ),
        (
            trees,
            "learn_to_branch { epochs = 8, temperature = warmup(2 epochs, then = linear(5, 0, over = 3 epochs)) }",
            "epoch 6 of 8",
        ),
        (trees, "expected_cost { epochs = 40, temperature = linear(5, 0, over = 10 epochs) }", "epoch 13 of 40"),
        (trees, "learn_to_branch { epochs = 8, schedule = linear(1, -1) }", "epoch 5 of 8"),
        (groups, "group { epochs = 6, temperature = linear(5, 0, over = 3 epochs) }", "epoch 4 of 6"),
        (groups, "group { epochs = 6, temperature = cosine(to = -1) }", "of 6"),
        (groups, "group { epochs = 6, schedule = step(1e300, 1 epochs) }", "epoch 3 of 6"),
    ] {
        place.write("net.mtl", format!("{TASKS}{space}\nsearch {search}\n").as_bytes());
        let out = place.run("check net.mtl");
        assert_eq!(out.code, 3, "{search}: {}", out.err);
        assert!(out.err.contains("mtl::train::range") && out.err.contains(tells), "{search}: {}", out.err);
        let run = place.run("search net.mtl -o run");
        assert_eq!(run.code, 3, "{search}");
        assert!(!place.path("run").exists());
    }
    // Only with the rows is it known how long the training is.
    let late = "learn_to_branch { epochs = 8, batch = 4, temperature = linear(5, 0, over = 30 steps) }";
    place.write("net.mtl", format!("{TASKS}{trees}\nsearch {late}\n").as_bytes());
    place.run("check net.mtl").ok();
    let run = place.run("search net.mtl -o run");
    assert!(run.code == 3 && run.err.contains("step 31 (epoch 4 of 8)"), "{}", run.err);
    // What ends at 0 only after the last step never gets there.
    for fine in
        ["linear(5, 0)", "linear(5, 0, over = 8 epochs)", "inverse(10)", "constant(1e-30)", "cosine(to = 0, value = 5)"]
    {
        let search = format!("learn_to_branch {{ epochs = 8, batch = 8, temperature = {fine} }}");
        place.write("net.mtl", format!("{TASKS}{trees}\nsearch {search}\n").as_bytes());
        let out = place.run("check net.mtl").ok();
        assert!(!out.err.contains("range"), "{fine}: {}", out.err);
    }
}

/// Temperatures near 0 are the argmax, and nothing that is written holds a `null` where a number is.
#[test]
fn a_temperature_near_zero_decides() {
    let place = same_rows(31);
    let trees = "space s over net { tree { trunk = 1, branch = any } }";
    for (name, search) in [
        ("ltb", "learn_to_branch { epochs = 3, batch = 8, warmup = 0, temperature = constant(1e-300) }"),
        ("bmtas", "expected_cost { epochs = 3, batch = 8, temperature = constant(1e-300) }"),
    ] {
        place.write("net.mtl", format!("{TASKS}{trees}\nsearch {search}\n").as_bytes());
        place.run(&format!("search net.mtl -o {name} --device cpu")).ok();
        for line in place.lines(&format!("{name}/search.jsonl")) {
            for choice in line["choices"].as_array().expect("choices") {
                assert!(
                    choice["probabilities"].as_array().expect("a list").iter().all(Value::is_f64),
                    "{name}: {choice}"
                );
            }
        }
        place.run(&format!("derive {name}")).ok();
    }
}

/// Every JSON file of every run can be read, and holds no `null` where a number belongs.
#[test]
fn every_json_file_is_whole() {
    let place = Place::table();
    place.run("run net.mtl -o run --device cpu --random 1").ok();
    let bmtas = SPEC.replace("search learn_to_branch {\n  epochs = epochs, warmup = warmup, batch = 12\n  weights = adam(lr = lr)\n  choices = adam(lr = 0.05)\n  idle = strategy_idle\n}", "search expected_cost { epochs = epochs, batch = 12 }");
    assert_ne!(bmtas, SPEC);
    place.write("bmtas.mtl", bmtas.as_bytes());
    place.run("search bmtas.mtl -o bmtas --device cpu").ok();
    let affinity = bmtas.replace(
        "search expected_cost { epochs = epochs, batch = 12 }",
        "search affinity { samples = 8, single { epochs = 2 } }",
    );
    place.write("affinity.mtl", affinity.as_bytes());
    place.run("search affinity.mtl -o affinity --device cpu").ok();
    place.run("compare net.mtl -o compared --with random --seeds 1 --device cpu").ok();
    // What may be undefined, and is `null` then.
    let may = [
        "value",
        "test",
        "latency",
        "latency_batch",
        "delta",
        "agreement",
        "verdict",
        "deviation",
        "note",
        "chain",
        "search",
        "search_epochs",
        "search_seconds",
        "train",
        "result",
        "trained",
        "validation",
        "rewards",
        "network",
    ];
    fn look(value: &Value, key: &str, may: &[&str], file: &str) {
        match value {
            Value::Null => assert!(may.contains(&key), "{file}: `{key}` is null"),
            Value::Array(all) => all.iter().for_each(|v| look(v, key, may, file)),
            Value::Object(all) => all.iter().for_each(|(k, v)| look(v, k, may, file)),
            _ => {}
        }
    }
    let mut seen = 0;
    for (path, bytes) in place.contents() {
        let name = path.display().to_string();
        let text = || String::from_utf8(bytes.clone()).expect("UTF-8");
        let values: Vec<Value> = match path.extension().and_then(|e| e.to_str()) {
            Some("json") => vec![serde_json::from_str(&text()).unwrap_or_else(|e| panic!("{name}: {e}"))],
            Some("jsonl") => {
                text().lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{name}: {e}"))).collect()
            }
            _ => continue,
        };
        seen += 1;
        values.iter().for_each(|v| look(v, "", &may, &name));
    }
    assert!(seen >= 15, "{seen} files");
}

/// A rate that is far too large: the quantity, the task or the weight, the step, and exit code 5; what was written can be read.
#[test]
fn a_divergence_names_its_cause() {
    let place = same_rows(31);
    for optimizer in ["sgd(lr = 1e30)", "sgd(lr = 1e12)"] {
        place.write("net.mtl", format!("{TASKS}train {{ epochs = 4, batch = 8, optimizer = {optimizer} }}").as_bytes());
        let out = place.run("train net.mtl -o run --device cpu");
        assert_eq!(out.code, 5, "{}", out.err);
        assert!(out.err.contains(" became ") && out.err.contains("step ") && out.err.contains('`'), "{}", out.err);
        let lines =
            if place.path("run/metrics.jsonl").exists() { place.lines("run/metrics.jsonl") } else { Vec::new() };
        for line in lines {
            assert!(line["train"]["loss"].is_f64() && line["validation"]["loss"].is_f64(), "{line}");
        }
        std::fs::remove_dir_all(place.path("run")).expect("a folder");
    }
}

const NORMS: &str = r#"mtl 1
data d { format = csv, train = "t.csv", validation = "same.csv" }
input x: fields { from = d, except = [yes, kind, value] }
task yes: binary { label = d.yes == 1 }
task value: regression(1) { from = d.value }
backbone net(x) {
  stage trunk  = one_hot -> linear(8) -> batch_norm -> relu
  stage branch = linear(6) -> batch_norm -> relu
}
head for * = linear(outputs)
"#;

/// 43 rows: batches of one row are refused, a last batch of one is told and harms nothing, and can be left out.
#[test]
fn batch_norm_of_one_row() {
    let place = same_rows(43);
    let train = |attributes: &str| {
        place.write(
            "net.mtl",
            format!("{NORMS}train {{ epochs = 6, optimizer = adam(lr = 5e-3), {attributes} }}").as_bytes(),
        );
    };
    train("batch = 1");
    let out = place.run("train net.mtl -o run --device cpu");
    assert!(out.code == 3 && out.err.contains("mtl::train::norm"), "{}", out.err);
    assert_eq!(place.run("check net.mtl").code, 3, "without the rows too");
    let loss = |run: &str| {
        place.json(&format!("{run}/summary.json"))["networks"][0]["validation"]["loss"].as_f64().expect("a loss")
    };
    for (run, attributes, warned) in [
        ("whole", "batch = 43", false),
        ("last", "batch = 21", true),
        ("sixes", "batch = 6", true),
        ("left_out", "batch = 6, drop_last = true", false),
        ("even", "batch = 8", false),
    ] {
        train(attributes);
        let out = place.run(&format!("train net.mtl -o {run} --device cpu")).ok();
        assert_eq!(out.err.contains("mtl::train::last_batch"), warned, "{run}: {}", out.err);
        assert!(loss(run) < 3.0, "{run}: {}", loss(run));
    }
    // Seven steps of six rows, and one of one.
    let steps = |run: &str| place.lines(&format!("{run}/metrics.jsonl"))[0]["step"].as_u64().expect("a step");
    assert_eq!((steps("sixes"), steps("left_out")), (8, 7));
    // Searches have batches of their own.
    let space = "space s over net { tree { trunk = 1, branch = any } }";
    place.write("net.mtl", format!("{NORMS}{space}\nsearch learn_to_branch {{ epochs = 2, batch = 1 }}").as_bytes());
    assert!(place.run("check net.mtl").err.contains("mtl::train::norm"));
    place.write("net.mtl", format!("{NORMS}{space}\nsearch learn_to_branch {{ epochs = 2, batch = 6, drop_last = true }}\ntrain {{ batch = 8 }}").as_bytes());
    let out = place.run("search net.mtl -o dropped --device cpu").ok();
    assert!(!out.err.contains("last_batch"), "{}", out.err);
    assert_eq!(steps("dropped"), 7);
}

/// ESMM: what is bought is clicked and converted. The product of two probabilities is learned, measured and predicted as it is.
#[test]
fn probabilities_are_not_squashed_twice() {
    let place = Place::table();
    let esmm = |click: &str, buy: &str| {
        format!(
            r#"mtl 1
data d {{ format = csv, train = "train.csv", validation = share(0.2, of = train), test = share(0.2, of = train) }}
input x: fields {{ from = d, except = [yes, kind, value] }}
task click: binary {{ label = d.yes == 1{click} }}
task buy: binary {{ label = d.value > 0.5{buy} }}
backbone net(x) {{
  stage body = one_hot -> linear(12) -> relu
  stage ctr {{ from = body, out = body -> linear(1) -> sigmoid }}
  stage cvr {{ from = body, out = body -> linear(1) -> sigmoid }}
}}
head for click {{ from = ctr, out = ctr }}
head for buy {{ from = [ctr, cvr], out = mul(ctr, cvr) }}
train {{ epochs = 40, batch = 12, optimizer = adam(lr = 2e-2) }}
"#
        )
    };
    let probable = ", loss = bce(from = probabilities), metrics = [auc, log_loss]";
    place.write("wrong.mtl", esmm("", "").as_bytes());
    let out = place.run("check wrong.mtl");
    assert!(out.code == 3 && out.err.matches("mtl::task::probabilities").count() == 2, "{}", out.err);
    assert!(out.err.contains("`sigmoid`") && out.err.contains("from = probabilities"), "{}", out.err);
    place.write("esmm.mtl", esmm(probable, probable).as_bytes());
    let out = place.run("train esmm.mtl -o run --json --device cpu").ok().json();
    let test = &out["networks"][0]["test"]["tasks"];
    for task in [0, 1] {
        // The loss without weights is the log loss, which a metric computes by another way.
        close(&test[task]["loss"], &test[task]["metrics"][1]["value"], "log loss");
    }
    assert!(test[0]["metrics"][0]["value"].as_f64().expect("an AUC") > 0.9, "{test}");
    let predicted = place.run("predict run train.csv").ok().out;
    let mut rows = predicted.lines().map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
    let names = rows.next().expect("names");
    let at = |n: &str| names.iter().position(|c| c == n).unwrap_or_else(|| panic!("{n} in {names:?}"));
    let (click, buy) = (at("click"), at("buy"));
    let mut small = 0;
    for row in rows {
        let p = |i: usize| row[i].parse::<f64>().expect("a probability");
        assert!(p(buy) <= p(click) + 1e-6, "a product is no more than a factor: {row:?}");
        small += usize::from(p(click) < 0.3);
    }
    assert!(small > 0, "a second sigmoid gives nothing below 0.5");
    // What may be any number is no probability.
    place.write(
        "linear.mtl",
        SPEC.replace("{ label = d.yes == 1 }", "{ label = d.yes == 1, loss = bce(from = probabilities) }").as_bytes(),
    );
    let out = place.run("check linear.mtl");
    assert!(
        out.code == 3 && out.err.contains("mtl::task::probabilities") && out.err.contains("`linear`"),
        "{}",
        out.err
    );
}

/// Classes whose head ends in `softmax`.
#[test]
fn class_probabilities_are_taken_as_they_are() {
    let place = Place::table();
    let net = |loss: &str, head: &str| {
        format!(
            r#"mtl 1
data d {{ format = csv, train = "train.csv", validation = share(0.2, of = train), test = share(0.2, of = train) }}
input x: fields {{ from = d, except = [yes, kind, value] }}
task kind: classes(3) {{ from = d.kind{loss}, metrics = [accuracy, log_loss] }}
backbone net(x) {{ stage body = one_hot -> linear(12) -> relu }}
head for * = linear(outputs){head}
train {{ epochs = 5, batch = 12, optimizer = adam(lr = 1e-2) }}
"#
        )
    };
    place.write("logits.mtl", net("", "").as_bytes());
    place.write("squashed.mtl", net("", " -> softmax").as_bytes());
    place.write("probable.mtl", net(", loss = cross_entropy(from = probabilities)", " -> softmax").as_bytes());
    assert!(place.run("check squashed.mtl").err.contains("mtl::task::probabilities"));
    let scores = |name: &str| {
        let out = place.run(&format!("train {name}.mtl -o {name} --json --device cpu")).ok().json();
        out["networks"][0]["test"]["tasks"][0].clone()
    };
    let (logits, probable) = (scores("logits"), scores("probable"));
    // The same network, its softmax once in the loss and once in the head: the same losses but for rounding.
    let (a, b) = (logits["loss"].as_f64().expect("a loss"), probable["loss"].as_f64().expect("a loss"));
    assert!((a - b).abs() < 1e-3 * a, "{a} {b}");
    close(&probable["loss"], &probable["metrics"][1]["value"], "log loss");
}

/// Labels that nothing in the inputs tells, and labels that something does.
#[test]
fn a_network_that_has_learned_nothing_is_told() {
    let place = Place::new();
    let mut text = String::from("a,b,known,noise,value,price\n");
    let draws = numbers(5 * 400, 7);
    for r in draws.chunks_exact(5) {
        let known = u8::from(r[0] > 0.1);
        text += &format!(
            "{:.3},{:.3},{known},{},{:.3},{:.3}\n",
            r[0],
            r[1],
            u8::from(r[2] > 0.0),
            r[3],
            2.0 * r[1] + 0.1 * r[4]
        );
    }
    place.write("t.csv", text.as_bytes());
    let net = r#"mtl 1
data d { format = csv, train = "t.csv", validation = share(0.25), test = share(0.25) }
input x: fields { from = d, except = [known, noise, value, price] }
task known: binary { label = d.known == 1 }
task noise: binary { label = d.noise == 1 }
task value: regression { from = d.value }
task price: regression { from = d.price }
backbone net(x) { stage body = one_hot -> linear(16) -> relu }
head for * = linear(outputs)
train { epochs = 40, batch = 20, optimizer = adam(lr = 1e-2), select = last }
"#;
    place.write("net.mtl", net.as_bytes());
    let out = place.run("train net.mtl -o run --device cpu").ok();
    let summary = place.json("run/summary.json");
    let findings = summary["findings"].as_array().expect("a list");
    let tasks: Vec<&str> = findings.iter().filter_map(|f| f["task"].as_str()).collect();
    // What is drawn by chance may look a little better by chance; what the inputs hold does not look worse.
    assert!(tasks.contains(&"value") && !tasks.contains(&"known") && !tasks.contains(&"price"), "{findings:?}");
    assert!(findings.iter().all(|f| f["kind"] == "no_better_than_constant" && f["network"] == "all_shared"));
    let told = ["no better", "not shown to be better"]
        .map(|how| out.err.matches(&format!("warning: `all_shared` is {how} than a constant")).count());
    assert_eq!(told.iter().sum::<usize>(), findings.len(), "{}", out.err);
}

/// A search that learns its choices slowly has decided nothing, and says so; one that learns them fast has.
#[test]
fn an_undecided_search_is_told() {
    let place = Place::table();
    let with = |rate: &str, epochs: usize| {
        let text = SPEC.replace("choices = adam(lr = 0.05)", &format!("choices = adam(lr = {rate})"));
        place.write("net.mtl", text.as_bytes());
        let run = format!("r{}", rate.replace('.', "_"));
        let out = place.run(&format!("search net.mtl -o {run} --device cpu --set epochs={epochs}")).ok();
        let summary = place.json(&format!("{run}/summary.json"));
        let undecided = summary["findings"].as_array().expect("a list").iter().any(|f| f["kind"] == "undecided");
        assert_eq!(out.err.contains("has decided little or nothing"), undecided, "{}", out.err);
        undecided
    };
    assert!(with("1e-6", 3), "logits that hardly move");
    assert!(!with("0.5", 10), "logits that move far");
}
