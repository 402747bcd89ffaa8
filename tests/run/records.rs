//! What a run folder records and what is checked of it: the settings, the network that it is about, its own consistency.

use super::support::*;

fn remove(place: &Place, name: &str) {
    std::fs::remove_file(place.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
}

/// `about question verdict` of every answer that is not ok.
#[track_caller]
fn not_ok(place: &Place, run: &str) -> Vec<String> {
    let ended = place.run(&format!("verify {run} --json"));
    let text = |v: &serde_json::Value| v.as_str().expect("a text").to_string();
    let json = ended.json();
    let all = json["answers"].as_array().expect("a list").iter();
    let line =
        |a: &serde_json::Value| format!("{} {} {}", text(&a["about"]), text(&a["question"]), text(&a["verdict"]));
    let found: Vec<String> = all.filter(|a| a["verdict"] != "ok").map(line).collect();
    assert_eq!(ended.code, i32::from(!found.is_empty()), "{}", ended.out);
    found
}

#[test]
fn no_network_stands_in_for_another() {
    let place = Place::table();
    place.run("run net.mtl -o run --device cpu --quiet").ok();
    let refused = |arguments: &str, said: &[&str]| {
        let ended = place.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{arguments}: {}{}", ended.out, ended.err);
        for s in said {
            assert!(ended.err.contains(s), "{arguments}: {s}: {}", ended.err);
        }
    };
    // The derived file is moved away: README says that it is a program like any other.
    std::fs::rename(place.path("run/derived/net.mtl"), place.path("mine.mtl")).expect("moved");
    let said = ["`run/derived/net.mtl` is missing", "--network all_shared", "mtlc derive run -o run/derived/net.mtl"];
    refused("evaluate run --device cpu", &said);
    refused("predict run train.csv --device cpu", &said);
    refused("evaluate run --network derived --device cpu", &said);
    refused("evaluate run --weights run/checkpoints/derived.safetensors --device cpu", &said[..1]);
    place.run("evaluate run --network all_shared --device cpu").ok();
    place.run("derive run -o run/derived/net.mtl").ok();
    assert_eq!(place.text("run/derived/net.mtl"), place.text("mine.mtl"));
    place.run("evaluate run --device cpu").ok();
    // Its weights.
    let weights = place.path("run/checkpoints/derived.safetensors");
    let bytes = std::fs::read(&weights).expect("weights");
    std::fs::remove_file(&weights).expect("removed");
    let said = ["`run/checkpoints/derived.safetensors` is missing", "--network all_shared"];
    refused("evaluate run --device cpu", &said);
    refused("predict run train.csv --device cpu", &said);
    // Both.
    remove(&place, "run/derived/net.mtl");
    refused("evaluate run --device cpu", &["`run/derived/net.mtl` is missing"]);
    std::fs::write(&weights, bytes).expect("written");
    // The program of another network of the run.
    std::fs::rename(place.path("mine.mtl"), place.path("run/derived/net.mtl")).expect("moved");
    remove(&place, "run/networks/independent.mtl");
    refused("evaluate run --network independent --device cpu", &["`run/networks/independent.mtl` is missing"]);
    refused("evaluate run --network nothing --device cpu", &["holds no network `nothing`", "`derived`, `all_shared`"]);
    // Another network under the right name: names and shapes agree, only the op differs.
    let file = place.text("run/derived/net.mtl");
    place.write("run/derived/net.mtl", file.replace("linear(6) -> relu", "linear(6) -> tanh").as_bytes());
    refused("evaluate run --device cpu", &["saved for another network", "mtlc verify"]);
    refused("predict run train.csv --device cpu", &["saved for another network"]);
    place.run("evaluate run/derived/net.mtl --weights run/checkpoints/derived.safetensors --device cpu").ok();
    place.write("run/derived/net.mtl", file.as_bytes());
    // A training: its program is the run's own, and no other is taken where its weights are gone.
    place.run("train run/derived/net.mtl -o trained --device cpu --quiet").ok();
    place.run("train net.mtl -o shared --device cpu --quiet").ok();
    for (run, network) in [("trained", "trained"), ("shared", "all_shared")] {
        assert_eq!(place.json(&format!("{run}/run.json"))["network"], network);
        place.run(&format!("evaluate {run} --device cpu")).ok();
        remove(&place, &format!("{run}/checkpoints/{network}.safetensors"));
        let ended = place.run(&format!("evaluate {run} --device cpu"));
        assert!(ended.code == 1 && ended.err.contains("holds no trained network"), "{}", ended.err);
    }
}

#[test]
fn settings_are_recorded() {
    let place = Place::table();
    let set = "--set epochs=1 --set lr=0.02 --set strategy_idle=freeze";
    let want = serde_json::json!({ "epochs": 1, "lr": 0.02, "strategy_idle": "freeze" });
    place.run(&format!("run net.mtl -o run --device cpu --quiet {set}")).ok();
    place.run(&format!("train net.mtl -o trained --device cpu --quiet {set}")).ok();
    for run in ["run", "trained"] {
        assert_eq!(place.json(&format!("{run}/run.json"))["set"], want, "{run}");
        assert_eq!(place.json(&format!("{run}/summary.json"))["set"], want, "{run}");
        assert_eq!(not_ok(&place, run), Vec::<String>::new());
    }
    place.run("search net.mtl -o plain --device cpu --quiet").ok();
    assert_eq!(place.json("plain/run.json")["set"], serde_json::json!({}), "nothing was set");
    place.run(&format!("compare net.mtl --with learn_to_branch --seeds 1 -o compared --quiet {set}")).ok();
    for name in ["request.json", "compare.json", "runs/learn_to_branch-0/run.json", "runs/all_shared-0/summary.json"] {
        assert_eq!(place.json(&format!("compared/{name}"))["set"], want, "{name}");
    }
    // The last of several counts, and a value that is a parameter's default is still set.
    place.run("train net.mtl -o twice --device cpu --quiet --set epochs=3 --set epochs=1 --set warmup=1").ok();
    assert_eq!(place.json("twice/run.json")["set"], serde_json::json!({ "epochs": 1, "warmup": 1.0 }));
}

#[test]
fn every_edit_is_told() {
    let place = Place::table();
    place.run("train net.mtl -o run --device cpu --quiet --set epochs=1").ok();
    assert_eq!(not_ok(&place, "run"), Vec::<String>::new());
    let text = |name: &str| place.text(&format!("run/{name}"));
    let (record, summary, sums) = (text("run.json"), text("summary.json"), text("SHA256SUMS"));
    let edited = |name: &str, from: &str, to: &str| {
        let old = text(name);
        assert!(old.contains(from), "{name} has no {from}: {old}");
        place.write(&format!("run/{name}"), old.replacen(from, to, 1).as_bytes());
    };
    let restore = || {
        place.write("run/run.json", record.as_bytes());
        place.write("run/summary.json", summary.as_bytes());
        place.write("run/SHA256SUMS", sums.as_bytes());
        assert_eq!(not_ok(&place, "run"), Vec::<String>::new());
    };
    // Each alone, in the record.
    for (from, to, known) in [
        ("\"seed\": 0", "\"seed\": 7", true),
        ("\"tool\": \"mtlc ", "\"tool\": \"mtlc 9.", true),
        ("\"epochs\": 1", "\"epochs\": 2", true),
        ("\"random\": 0", "\"random\": 1", false),
        ("\"device\": \"cpu", "\"device\": \"cuda", false),
        ("\"spec\": \"net.mtl\"", "\"spec\": \"other.mtl\"", true),
    ] {
        edited("run.json", from, to);
        let found = not_ok(&place, "run");
        assert!(found.contains(&"run.json id differs".to_string()), "{to}: {found:?}");
        assert_eq!(found.contains(&"summary.json records differs".to_string()), known, "{to}: {found:?}");
        restore();
    }
    // A result: by its sum, and without sums by the record of the phases.
    let loss = summary.lines().find(|l| l.contains("\"loss\"")).expect("a loss").trim();
    edited("summary.json", loss, "\"loss\": 0.001,");
    let found = not_ok(&place, "run");
    for want in ["SHA256SUMS files differs", "summary.json files differs", "summary.json records differs"] {
        assert!(found.contains(&want.to_string()), "{want}: {found:?}");
    }
    place.write("run/SHA256SUMS", b"");
    edited("run.json", "\"seed\": 0", "\"seed\": 7");
    edited("run.json", "\"tool\": \"mtlc ", "\"tool\": \"mtlc 9.");
    let found = not_ok(&place, "run");
    for want in
        ["SHA256SUMS files differs", "run.json id differs", "summary.json records differs", "program.mtl files unknown"]
    {
        assert!(found.contains(&want.to_string()), "{want}: {found:?}");
    }
    let shown = place.run("verify run").out;
    for want in [
        "its seed is `0`, and `run.json` has `7`",
        "its tool is",
        "its train.loss of `all_shared` is `0.001`",
        "not the list that the run wrote",
    ] {
        assert!(shown.contains(want), "{want}: {shown}");
    }
    restore();
    // Sums that were written again for an edited result: the list is not the run's.
    edited("summary.json", loss, "\"loss\": 0.001,");
    let sum = |text: &str| {
        use sha2::{Digest, Sha256};
        Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    place.write("run/SHA256SUMS", sums.replace(&sum(&summary), &sum(&text("summary.json"))).as_bytes());
    let found = not_ok(&place, "run");
    assert!(found.contains(&"SHA256SUMS files differs".to_string()), "{found:?}");
    restore();
    // A list that is gone, or is no list; a line that is gone.
    remove(&place, "run/SHA256SUMS");
    assert_eq!(not_ok(&place, "run"), ["SHA256SUMS files differs"]);
    place.write("run/SHA256SUMS", b"nonsense\n");
    assert_eq!(not_ok(&place, "run"), ["SHA256SUMS files differs"]);
    let without: String = sums.lines().filter(|l| !l.ends_with("source.mtl")).map(|l| format!("{l}\n")).collect();
    place.write("run/SHA256SUMS", without.as_bytes());
    assert_eq!(not_ok(&place, "run"), ["SHA256SUMS files differs", "source.mtl files unknown"]);
    restore();
    // Files that belong to no run get a line each, wherever they are.
    for name in ["notes.txt", "checkpoints/mine.safetensors", "derived/other.mtl", "deep/er/x"] {
        place.write(&format!("run/{name}"), b"mine");
        assert_eq!(not_ok(&place, "run"), [format!("{name} files unknown")]);
        remove(&place, &format!("run/{name}"));
    }
    // A file that is gone, listed or not.
    for name in ["metrics.jsonl", "source.mtl", "checkpoints/all_shared.safetensors", "networks/all_shared.mtl"] {
        let old = std::fs::read(place.path(&format!("run/{name}"))).expect("it is there");
        remove(&place, &format!("run/{name}"));
        let found = not_ok(&place, "run");
        assert!(found.contains(&format!("{name} files differs")), "{name}: {found:?}");
        place.write(&format!("run/{name}"), &old);
    }
    // The program of a network that is used by `evaluate`.
    let old = text("networks/all_shared.mtl");
    place.write("run/networks/all_shared.mtl", old.replace("linear(6) -> relu", "linear(6) -> tanh").as_bytes());
    assert!(not_ok(&place, "run").contains(&"networks/all_shared.mtl program differs".to_string()));
    place.write("run/networks/all_shared.mtl", old.as_bytes());
    restore();
}

#[test]
fn later_formats_are_named() {
    let place = Place::table();
    place.run("run net.mtl -o run --device cpu --quiet --set epochs=1").ok();
    place.run("compare net.mtl --with learn_to_branch --seeds 1 -o compared --quiet --set epochs=1").ok();
    for (name, command) in [
        ("run/run.json", "evaluate run --device cpu"),
        ("run/run.json", "run --resume run"),
        ("run/search.json", "derive run"),
        ("run/summary.json", "run --resume run"),
        ("compared/request.json", "compare --resume compared"),
    ] {
        let old = place.text(name);
        assert!(old.contains("\"version\": 1"), "{name} has a format: {old}");
        place.write(name, old.replacen("\"version\": 1", "\"version\": 2", 1).as_bytes());
        let ended = place.run(command);
        assert_eq!(ended.code, 1, "{command}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains("has format 2") && ended.err.contains(name), "{command}: {}", ended.err);
        place.write(name, old.as_bytes());
    }
    place.write("later.mtl", place.text("net.mtl").replacen("mtl 1", "mtl 2", 1).as_bytes());
    let ended = place.run("check later.mtl");
    assert!(ended.code == 3 && ended.err.contains("later edition"), "{}", ended.err);
}
