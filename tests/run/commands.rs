//! The running commands as a script meets them: standard output is the product, standard error is talk.

use super::support::*;

#[test]
fn a_run_from_the_outside() {
    let place = Place::table();
    let run = place.run("run net.mtl -o run --json --device cpu --set epochs=12").ok();
    let summary = run.json();
    assert_eq!(summary, place.json("run/summary.json"));
    assert_eq!(place.json("run/run.json")["status"], "done");
    assert_eq!(place.text("run/source.mtl"), SPEC);
    let names: Vec<&str> =
        summary["networks"].as_array().expect("a list").iter().filter_map(|n| n["name"].as_str()).collect();
    assert_eq!(names, ["derived", "all_shared", "independent"]);

    // Not a terminal: the first and the last epoch of each phase at most, while they take no time.
    for phase in ["search", "derived", "all_shared", "independent"] {
        let lines = run.err.lines().filter(|l| l.trim_start().starts_with(&format!("{phase}  epoch"))).count();
        assert!((1..=4).contains(&lines), "{phase}: {lines} lines\n{}", run.err);
    }
    assert!(!run.err.contains('\u{1b}') && !run.err.contains('\r'), "plain lines: {:?}", run.err);
    assert_eq!(place.lines("run/metrics.jsonl").len(), 4 * 12);
    assert_eq!(place.lines("run/search.jsonl").len(), 12);

    // Evaluating the run gives its numbers.
    let derived = &summary["networks"][0];
    let evaluated = place.run("evaluate run --json --device cpu").ok().json();
    assert_eq!(evaluated["test"], derived["test"]);
    assert_eq!(evaluated["validation"], derived["validation"]);
    let by_file = "evaluate run/derived/net.mtl --weights run/checkpoints/derived.safetensors --json --device cpu";
    assert_eq!(place.run(by_file).ok().json()["test"], derived["test"]);
    let table = place.run("evaluate run --device cpu").ok();
    assert!(table.out.contains("yes") && table.out.contains("test loss"), "{}", table.out);

    // Deriving again gives the same bytes, on standard output and elsewhere.
    let file = place.text("run/derived/net.mtl");
    assert_eq!(place.run("derive run").ok().out, file);
    assert_eq!(place.run("derive run").ok().out, file);
    place.run("derive run -o run/derived/again.mtl").ok();
    assert_eq!(place.text("run/derived/again.mtl"), file);
    place.run("derive run -o found.mtl").ok();
    place.run("check found.mtl").ok();
    let before = place.contents();
    let refused = place.run("derive run -o found.mtl");
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("`found.mtl` exists already"), "{}", refused.err);
    assert_eq!(before, place.contents());

    // `--quiet` leaves warnings (twelve rows prove little); the product is the same kind of thing.
    let warnings = |text: &str| text.lines().all(|l| l.starts_with("warning: ") || l.starts_with("  help: "));
    let quiet = place.run("evaluate run --quiet --device cpu").ok();
    assert!(warnings(&quiet.err), "{}", quiet.err);
    assert!(!quiet.out.is_empty());
    let quiet = place.run("train found.mtl -o trained --quiet --device cpu --set epochs=1").ok();
    assert!(warnings(&quiet.err), "{}", quiet.err);
    assert!(quiet.out.contains("trained"), "{}", quiet.out);
}

#[test]
fn search_and_train_as_json() {
    let place = Place::table();
    let search = place.run("search net.mtl -o found --json --quiet --device cpu").ok();
    assert_eq!(search.err, "");
    assert_eq!(search.json(), place.json("found/search.json"));
    assert_eq!(place.json("found/summary.json")["networks"], serde_json::json!([]), "nothing was retrained");
    assert_eq!(place.run("derive found").ok().out, place.text("found/derived/net.mtl"));

    let train = place.run("train found/derived/net.mtl -o trained --json --device cpu").ok();
    let summary = train.json();
    assert_eq!(summary, place.json("trained/summary.json"));
    assert_eq!(summary["networks"][0]["name"], "trained");
    let evaluated = place.run("evaluate trained --json --device cpu").ok().json();
    assert_eq!(evaluated["test"], summary["networks"][0]["test"]);

    // Without a topology everything is shared, and that can be evaluated too.
    let shared = place.run("train net.mtl -o shared --json --device cpu").ok();
    assert!(shared.err.contains("no topology"), "{}", shared.err);
    let summary = shared.json();
    assert_eq!(summary["networks"][0]["name"], "all_shared");
    let evaluated = place.run("evaluate shared --json --device cpu").ok().json();
    assert_eq!(evaluated["test"], summary["networks"][0]["test"]);
}

#[test]
fn random_topologies_stand_beside() {
    let place = Place::table();
    let run = place.run("run net.mtl -o run --json --random 1 --seed 2 --device cpu --set epochs=1").ok();
    let networks = run.json()["networks"].as_array().expect("a list").len();
    assert!(networks == 4 || run.err.contains("no random topology"), "{}", run.err);
}

#[test]
fn freezing_closes_what_is_open() {
    let place = Place::table();
    let open = place.run("check net.mtl --json").ok();
    let last = |e: &Output| -> serde_json::Value {
        serde_json::from_str(e.out.lines().last().expect("a line")).expect("JSON")
    };
    assert_eq!(last(&open)["open"], true);
    let shown = place.run("data freeze net.mtl --stdout").ok();
    assert_eq!(place.text("net.mtl"), SPEC, "--stdout leaves the file");
    place.run("data freeze net.mtl").ok();
    let frozen = place.text("net.mtl");
    assert_eq!(shown.out, frozen);
    assert!(frozen.contains("schema d"), "{frozen}");
    let closed = place.run("check net.mtl --json").ok();
    assert_eq!(last(&closed)["open"], false);
    assert!(last(&closed)["parameters"].as_u64().is_some_and(|n| n > 0));
    place.run("data freeze net.mtl").ok();
    assert_eq!(place.text("net.mtl"), frozen, "freezing again changes nothing");
    place.run("fmt --check net.mtl").ok();

    // The frozen file runs, and gives what the open one gives.
    place.write("open.mtl", SPEC.as_bytes());
    place.run("train open.mtl -o one --device cpu --quiet").ok();
    place.run("train net.mtl -o two --device cpu --quiet").ok();
    let weights =
        |run: &str| std::fs::read(place.path(run).join("checkpoints/all_shared.safetensors")).expect("weights");
    assert_eq!(weights("one"), weights("two"));

    // New data under an old schema: said, and freezing again is the way out.
    place.write("train.csv", table(61).as_bytes());
    let before = place.contents();
    let stale = place.run("train net.mtl -o three --device cpu");
    assert_eq!(stale.code, 4, "{}", stale.err);
    assert!(stale.err.contains("frozen schema") && stale.err.contains("mtlc data freeze"), "{}", stale.err);
    assert_eq!(before, place.contents());
    place.run("data freeze net.mtl").ok();
    place.run("train net.mtl -o three --device cpu --quiet").ok();
}
