//! Cross-validation: one command, a run folder per fold, mean and spread.

use super::support::*;

fn place(data: &str) -> Place {
    Place::with(&table(60), &format!("data d {{ format = csv, train = \"t.csv\"{data} }}"))
}

fn number(v: &serde_json::Value) -> f64 {
    v.as_f64().unwrap_or_else(|| panic!("{v} is not a number"))
}

#[test]
fn mean_and_spread_of_every_metric() {
    let place = place(", validation = share(0.1)");
    let shown = place.run("train p.mtl --folds 3 -o F --device cpu").ok();
    assert!(shown.out.contains("3 folds") && shown.out.contains("±"), "{}", shown.out);
    let found = place.json("F/folds.json");
    let row = &found["networks"][0];
    let folds = row["folds"].as_array().expect("a list");
    assert_eq!(folds.len(), 3);
    assert_eq!(folds.iter().map(|f| number(&f["rows"][2])).sum::<f64>(), 60.0, "every row is tested once");
    let losses: Vec<f64> = folds.iter().map(|f| number(&f["network"]["test"]["loss"])).collect();
    let mean = losses.iter().sum::<f64>() / 3.0;
    let std = (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert!((number(&row["loss"]["mean"]) - mean).abs() < 1e-12);
    assert!((number(&row["loss"]["deviation"]) - std).abs() < 1e-12);
    // Each fold is an ordinary run.
    for fold in 1..=3 {
        let summary = place.json(&format!("F/runs/fold_{fold}/summary.json"));
        assert_eq!(summary["networks"][0]["test"]["loss"], folds[fold - 1]["network"]["test"]["loss"]);
        place.run(&format!("verify F/runs/fold_{fold}")).ok();
        let text = place.text(&format!("F/runs/fold_{fold}/program.mtl"));
        assert!(text.contains(&format!("fold({fold}, of = 3)")), "{text}");
    }
    assert!(place.text("F/folds.md").contains("±"));
    let csv = place.text("F/folds.csv");
    assert_eq!(csv.lines().count(), 1 + 3 + 2, "{csv}");
    assert!(csv.lines().any(|l| l.contains(",mean,")) && csv.lines().any(|l| l.contains(",std,")), "{csv}");
    // Asked once more, nothing is trained again, and the same is shown; as JSON too.
    let again = place.run("train --resume F").ok();
    assert_eq!(again.out, shown.out);
    let json: serde_json::Value = serde_json::from_str(&place.run("train --resume F --json").ok().out).expect("JSON");
    assert_eq!(json["networks"][0]["loss"], row["loss"]);
    // By another command it does not go on.
    place.run("run --resume F").fails(2, &["was begun by `mtlc train`"]);
    // Nothing that is there is overwritten.
    place.run("train p.mtl --folds 3 -o F --device cpu").fails(1, &["exists and is not empty"]);
}

#[test]
fn folds_honour_groups_and_strata() {
    for data in [
        ", group = user, stratify = y",
        ", validation = share(0.2, by = user)",
        ", validation = share(0.2), test = share(0.1, by = user)",
    ] {
        let place = place(data);
        place.run("train p.mtl --folds 3 -o F --device cpu -q").ok();
        for fold in 1..=3 {
            let program = format!("F/runs/fold_{fold}/program.mtl");
            let checked = place.run(&format!("data check {program}")).ok();
            assert!(!checked.err.contains("are in train and in test"), "{data}: {}", checked.err);
        }
        let rows = place.json("F/folds.json")["networks"][0]["folds"].as_array().expect("a list").clone();
        assert_eq!(rows.iter().map(|f| number(&f["rows"][2])).sum::<f64>(), 60.0, "{data}");
    }
}

/// A fold knows nothing of the rows that it is tested on: its schema is of its own training rows, though the program has one.
#[test]
fn a_frozen_schema_is_taken_anew() {
    let place = place("");
    place.run("data freeze p.mtl").ok();
    place.run("train p.mtl --folds 2 -o F --device cpu -q").ok();
    let mean = |fold: usize| {
        let text = place.text(&format!("F/runs/fold_{fold}/program.mtl"));
        text.lines().find(|l| l.contains("column id")).expect("the column").to_string()
    };
    assert_ne!(mean(1), mean(2));
}

#[test]
fn a_test_file_is_not_read() {
    let place = place(", test = \"no/such/file.csv\"");
    place.write("u.csv", table(10).as_bytes());
    place.program("data d { format = csv, train = \"t.csv\", test = \"u.csv\" }");
    let shown = place.run("train p.mtl --folds 2 -o F --device cpu").ok();
    assert!(shown.err.contains("`u.csv` is not read"), "{}", shown.err);
}

#[test]
fn what_cannot_be_folded() {
    let place = place(", split = part");
    place.run("train p.mtl --folds 3 -o F --device cpu").fails(1, &["`split` names them, too"]);
    place.program("data d { format = csv, train = \"t.csv\" }");
    place.run("train p.mtl --folds 1 -o F").fails(2, &["--folds"]);
    place.run("train p.mtl --folds 500 -o F --device cpu").fails(4, &["`--folds 500` needs 500 training rows"]);
    place.run("search p.mtl --folds 3 -o F").fails(2, &["a search alone has no test scores"]);
    assert!(!place.path("F").exists());
}

#[test]
fn a_stopped_fold_goes_on() {
    let place = place("");
    let text = place.text("p.mtl").replace("epochs = 1", "epochs = 2");
    place.write("p.mtl", text.as_bytes());
    place.run("train p.mtl --folds 2 -o whole --device cpu -q").ok();
    let stopped = place.run("train p.mtl --folds 2 -o F --device cpu --time 0s");
    assert_eq!(stopped.code, 75, "{}", stopped.err);
    assert!(stopped.err.contains("mtlc train --resume F"), "{}", stopped.err);
    place.run("train --resume F -q").ok();
    let loss = |f: &str| place.json(&format!("{f}/folds.json"))["networks"][0]["loss"].clone();
    assert_eq!(loss("F"), loss("whole"));
}
