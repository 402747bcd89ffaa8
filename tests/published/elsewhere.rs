//! TreeMTL and BMTN from results that were measured before, here or elsewhere.

use super::program;
use super::support::*;

/// Four tasks and three stages: 154 trees.
const FOUR: &str = "mtl 1
data d { format = csv, train = \"t.csv\" }
input x: fields { from = d, except = [t1, t2, t3, t4] }
task t1: regression { from = d.t1 }
task t2: regression { from = d.t2 }
task t3: regression { from = d.t3 }
task t4: regression { from = d.t4 }
backbone net(x) {
  stage s1 = one_hot -> linear(4) -> relu
  stage s2 = linear(8) -> relu
  stage s3 = linear(3) -> tanh
}
head for * = linear(outputs)
space branching over net { tree { s1 = any, s2 = any, s3 = any } }
";

fn four(search: &str) -> Place {
    let place = Place::new();
    let mut rows = "a,b,t1,t2,t3,t4\n".to_string();
    for i in 0..40 {
        let (a, b) = ((i * 7 % 11) as f64 / 5.0 - 1.0, (i * 5 % 13) as f64 / 6.0 - 1.0);
        rows += &format!("{a:.2},{b:.2},{:.3},{:.3},{:.3},{:.3}\n", a + b, a - b, a * b, a * a);
    }
    place.write("t.csv", rows.as_bytes());
    place.write("net.mtl", format!("{FOUR}{search}\ntrain {{ epochs = 2, batch = 10 }}\n").as_bytes());
    place
}

/// Every distinct tree is in the ranking once, the smallest too; results by pair are kept, and serve any budget without training.
#[test]
fn all_trees_are_ranked_and_pairs_are_kept() {
    let place = four("search pairwise { single { epochs = 1, batch = 20 } }");
    place.run("search net.mtl -o run --device cpu --quiet").ok();
    let ranking = place.json("run/ranking.json");
    let trees = ranking["ranking"].as_array().expect("a list").clone();
    assert_eq!((&ranking["trees"], &ranking["listed"], trees.len()), (&154.into(), &154.into(), 154));
    assert!(ranking["cut"].is_null());
    let clusters: std::collections::HashSet<String> = trees.iter().map(|t| t["clusters"].to_string()).collect();
    assert_eq!(clusters.len(), 154, "each once");
    assert!(clusters.contains("[[0,0,0,0],[0,0,0,0],[0,0,0,0]]"), "the smallest");
    assert!(trees.windows(2).all(|w| w[0]["estimate"].as_f64() <= w[1]["estimate"].as_f64()));
    let pairs = place.json("run/pairwise.json");
    assert_eq!(pairs["pairs"].as_array().map(Vec::len), Some(12));
    assert!(
        pairs["pairs"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|p| p["by_shared_stages"].as_array().map(Vec::len) == Some(4))
    );
    let trained = std::fs::read_dir(place.path("run/checkpoints")).expect("a folder").count();
    assert_eq!(trained, 24, "six pairs, four networks each");
    // For each budget, the tree that the ranking has first among those that keep it.
    let params = |of: &serde_json::Value| of["params"].as_u64().expect("a number");
    for limit in [150, 200, 300, 400, 10_000] {
        let search = format!("search pairwise {{ pairs = \"run/pairwise.json\", budget = params <= {limit} }}");
        let text = place.text("net.mtl");
        let (head, rest) = text.split_once("search").expect("a search");
        let train = &rest[rest.find("train {").expect("training")..];
        place.write("again.mtl", format!("{head}{search}\n{train}").as_bytes());
        let said = place.run(&format!("search again.mtl -o again-{limit} --device cpu")).ok();
        assert!(said.err.contains("nothing is trained"), "{}", said.err);
        assert!(!place.path(&format!("again-{limit}/checkpoints/pair_1_2_0.safetensors")).exists());
        assert_eq!(place.text(&format!("again-{limit}/pairwise.json")), place.text("run/pairwise.json"));
        let again = place.json(&format!("again-{limit}/ranking.json"));
        let first =
            again["ranking"].as_array().expect("a list").iter().find(|t| t["within_budget"] == true).expect("one");
        let wanted = trees.iter().find(|t| params(t) <= limit).expect("one fits");
        assert_eq!(first["clusters"], wanted["clusters"], "budget {limit}");
        let nodes: usize = (0..3)
            .map(|s| {
                wanted["clusters"][s].as_array().expect("labels").iter().filter_map(|l| l.as_u64()).max().expect("some")
                    + 1
            })
            .sum::<u64>() as usize;
        assert_eq!(said.out.lines().filter(|l| l.trim_start().starts_with('s') && l.contains("<-")).count(), nodes);
        place.run(&format!("verify again-{limit}")).ok();
    }
}

/// A table as TreeMTL's authors have it, of scores: pairs that gain by sharing are put together.
#[test]
fn tables_of_other_tools_are_ranked() {
    let mut table = String::new();
    let all = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
    for (a, b) in all {
        table += &format!(",\"({a}, {b})-0\",\"({a}, {b})-1\"");
    }
    table += "\n";
    for shared in 0..=3 {
        table += &shared.to_string();
        for (a, b) in all {
            // t1 and t2 gain, so do t3 and t4; all others lose.
            let score = 70.0 + f64::from(shared) * if (a, b) == (0, 1) || (a, b) == (2, 3) { 2.0 } else { -3.0 };
            table += &format!(",{score},{score}");
        }
        table += "\n";
    }
    let place = four("search pairwise { pairs = \"scores.csv\", better = higher }");
    place.write("scores.csv", table.as_bytes());
    place.run("search net.mtl -o run --device cpu --quiet").ok();
    let best = place.json("run/ranking.json")["ranking"][0].clone();
    assert_eq!(best["clusters"], serde_json::json!([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]));
    assert!(place.json("run/search.json")["validation"].is_null(), "nothing was measured here");
    place.run("verify run").ok();
    // As losses the same numbers say the opposite.
    place.write("net.mtl", place.text("net.mtl").replace("better = higher", "better = lower").as_bytes());
    place.run("search net.mtl -o losses --device cpu --quiet").ok();
    assert_ne!(place.json("losses/ranking.json")["ranking"][0]["clusters"], best["clusters"]);
    // Wrong tables are told with line and column, before a run folder says anything is done.
    for (from, to, said) in [
        ("(2, 3)-1", "(2, 9)-1", "line 1: column `(2, 9)-1`: the program has no task `9`"),
        ("76", "many", "line 5: column `(0, 1)-0`: \"many\" is not a finite number"),
        ("\n3,", "\n7,", "line 5: column `1`: the numbers of shared stages are 0 to 3, each once"),
    ] {
        place.write("scores.csv", table.replacen(from, to, 1).as_bytes());
        let out = place.run(&format!("search net.mtl -o wrong{} --device cpu --quiet", said.len()));
        assert_eq!(out.code, 4, "{}", out.err);
        assert!(out.err.contains("scores.csv") && out.err.contains(said), "{}", out.err);
    }
    std::fs::remove_file(place.path("scores.csv")).expect("removed");
    let out = place.run("search net.mtl -o none --device cpu --quiet");
    assert!(out.code == 4 && out.err.contains("no file"), "{}", out.err);
}

fn affine(file: &str) -> String {
    let tree = "space branching over net { tree { trunk = any, branch = any } }";
    program(tree, &format!("search affinity {{ affinities = \"{file}\", budget = params <= 0.8 * independent }}"))
}

/// A plain csv and a plain JSON of the same numbers choose the same tree; tasks are found by their names.
#[test]
fn affinities_of_other_tools_choose_a_tree() {
    let place = Place::table();
    // `yes` and `value` agree, `kind` with neither.
    place.write("a.csv", b",value,kind,yes\nvalue,1,0.1,0.9\nkind,0.1,1,0.2\nyes,0.9,0.2,1\n");
    place.write("a.json", b"{\"yes\": {\"value\": 0.9, \"kind\": 0.2}, \"value\": {\"kind\": 0.1}, \"kind\": {}}");
    let mut found = Vec::new();
    for file in ["a.csv", "a.json"] {
        place.write("net.mtl", affine(file).as_bytes());
        let out = format!("run-{}", file.replace('.', "-"));
        let said = place.run(&format!("search net.mtl -o {out} --device cpu")).ok();
        assert!(
            said.err.contains("nothing is trained") && said.err.contains("it is used at every stage"),
            "{}",
            said.err
        );
        let text = said.out;
        let line = text.lines().find(|l| l.contains("yes") && l.contains("<-")).expect("a line");
        assert!(line.contains("value") && !line.contains("kind"), "{text}");
        found.push(text);
        let record = place.json(&format!("{out}/affinity.json"));
        assert_eq!((&record["measure"], &record["samples"]), (&"given".into(), &0.into()));
        assert_eq!(record["affinities"].as_array().map(Vec::len), Some(2), "a matrix per stage");
        assert!(place.json(&format!("{out}/search.json"))["validation"].is_null());
        place.run(&format!("verify {out}")).ok();
        // What it leaves is read again, like that of a run that has measured.
        place.write("net.mtl", affine(&format!("{out}/affinity.json")).as_bytes());
        let again = place.run(&format!("search net.mtl -o again-{out} --device cpu --quiet")).ok().out;
        assert_eq!(again, found[0]);
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn wrong_affinities_are_told_with_their_place() {
    let place = Place::table();
    place.write("net.mtl", affine("a.csv").as_bytes());
    for (text, said) in [
        (
            ",yes,kind,worth\nyes,1,1,1\nkind,1,1,1\nworth,1,1,1\n",
            "line 1: the program has no task `worth`; it has `yes`, `kind`, `value`",
        ),
        (
            ",yes,kind,value\nyes,1,1,1\nkind,1,1,?\nvalue,1,1,1\n",
            "line 3: column `value`: \"?\" is not a finite number",
        ),
        (
            ",yes,kind,value\nyes,1,1,1\nkind,1,1,1\n",
            "has 2 rows of numbers; 3 tasks at 2 stages have one matrix of 3 rows",
        ),
        ("1,1\n1,1\n", "line 1: there are 2 columns; 3 tasks at 2 stages"),
        (",yes,kind,value\nyes,1,1\n", "line 2: 3 cells where 4 are expected"),
        ("[[1,0,0],[0,1,7],[0,0,1]]", "row `kind`, column `value`: 7 is not an affinity: affinities are from -1 to 1"),
    ] {
        place.write("a.csv", text.as_bytes());
        let out = place.run("search net.mtl -o run --device cpu --quiet");
        assert_eq!(out.code, 4, "{text}: {}", out.err);
        assert!(out.err.contains("a.csv") && out.err.contains(said), "{text}: {}", out.err);
        let _ = std::fs::remove_dir_all(place.path("run"));
    }
}
