//! `check` reads the training file and reports the same problems of labels and columns as `train`.

use serde_json::Value;

use super::support::*;

/// A table with the columns `a`, `b` and `y`, and a program with the given task. The inputs are `a` and `b`.
fn place(task: &str, attributes: &str, row: impl Fn(usize) -> [String; 3]) -> Place {
    let place = Place::new();
    let rows: String = (0..40).map(|i| row(i).join(",") + "\n").collect();
    place.write("t.csv", format!("a,b,y\n{rows}").as_bytes());
    let text = format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\", validation = share(0.2){attributes} }}\ninput x: fields {{ from = d[a, b] }}\n\
         task y: {task}\nbackbone net(x) {{ stage s = one_hot -> linear(2) }}\nhead for y = linear(outputs)\n\
         train {{ epochs = 1, batch = 16 }}\n"
    );
    place.write("p.mtl", text.as_bytes());
    place
}

/// Like [`place`], with the given cells of `y` repeated in turn.
fn with_label(task: &str, label: &[&str]) -> Place {
    place(task, "", |i| [format!("{i}.5"), ["p", "q"][i % 2].into(), label[i % label.len()].into()])
}

/// The severity, message and line of each diagnostic of `check`, except the advice about sizes that are open.
fn checked(place: &Place, code: i32) -> Vec<(String, String, u64)> {
    let ended = place.run("check p.mtl --message-format json");
    assert_eq!(ended.code, code, "{}{}", ended.out, ended.err);
    let of = |v: &Value| {
        let text = |key: &str| v[key].as_str().unwrap_or_default().to_string();
        let line = v.pointer("/primary/start/line").and_then(Value::as_u64);
        (text("severity"), text("message"), line.unwrap_or_default())
    };
    let all = ended.out.lines().map(|l| serde_json::from_str::<Value>(l).expect("an object a line"));
    all.filter(|v| v["code"] != "mtl::shape::open").map(|v| of(&v)).collect()
}

/// The output of a command as one line, without the frames of diagnostics.
fn said(text: &str) -> String {
    text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn labels_that_do_not_fit_their_column() {
    for (task, label, code, wanted) in [
        ("binary { label = d.y }", &["yes", "No", "YES"][..], 3, "a `binary` label is true or false, and this is text"),
        ("binary { label = d.y }", &["True", "0", "1"], 3, "a `binary` label is true or false, and this is text"),
        ("binary { label = d.y }", &["0", "0.5", "3"], 4, "a `binary` label is 0 or 1, and this goes from 0 to 3"),
        (
            "classes(2) { label = d.y }",
            &["0", "1", "2"],
            4,
            "a label of `classes(2)` is 0 to 1, and this goes from 0 to 2",
        ),
        (
            "classes(2) { label = d.y }",
            &["p", "q", "r"],
            3,
            "column `y` has 3 different values, and the task 2 classes",
        ),
        (
            "binary { label = d.y }",
            &["0", "0.5", "1"],
            4,
            "line 3: the label of task `y` is 0.5, and it must be 0 or 1",
        ),
        (
            "classes(6) { label = d.y }",
            &["0.5", "1.5"],
            4,
            "line 2: the label of task `y` is 0.5, and `classes(6)` takes",
        ),
        ("regression(1) { label = d.y }", &["low", "high"], 3, "the label of a `regression` task is a number"),
        ("binary { label = d.y == \"c\" }", &["a", "b"], 3, "column `y` never holds \"c\" in training"),
        ("binary { label = d.z }", &["0", "1"], 3, "data `d` has no column `z`"),
        ("binary { label = d.y, mask = d.b }", &["0", "1"], 3, "a mask is true or false"),
    ] {
        let place = with_label(task, label);
        let found = checked(&place, 3);
        let [(severity, message, line)] = &found[..] else { panic!("{task}: {found:?}") };
        assert_eq!((severity.as_str(), *line), ("error", 4), "{task}: {message}");
        assert!(message.contains(wanted), "{message}");
        let trained = place.run("train p.mtl -o R --device cpu");
        assert_eq!(trained.code, code, "{task}: {}", trained.err);
        assert!(said(&trained.err).contains(message), "{message}: {}", trained.err);
    }
    // Labels that fit are accepted, with advice at most.
    for (task, label) in [
        ("binary { label = d.y }", &["True", "false", "NA"][..]),
        ("classes(3) { label = d.y }", &["p", "q", "r"]),
        ("binary { label = d.y == \"b\" }", &["a", "b"]),
        ("classes { label = d.y }", &["0", "1", "2"]),
    ] {
        let place = with_label(task, label);
        let found = checked(&place, 0);
        assert!(found.iter().all(|(severity, ..)| severity == "advice"), "{task}: {found:?}");
        place.run("train p.mtl -o R --device cpu").ok();
    }
}

#[test]
fn notes_on_columns_are_the_same_as_in_training() {
    let place = place("binary { label = d.y }", "", |i| {
        let a = if i % 8 == 0 { format!("<{i}") } else { format!("{i}.5") };
        [a, "7".into(), if i == 5 { "NA".into() } else { (i % 2).to_string() }]
    });
    let found = checked(&place, 0);
    let trained = place.run("train p.mtl -o R --device cpu").ok();
    let notes: Vec<&str> = trained.err.lines().filter_map(|l| l.strip_prefix("note: ")).collect();
    for wanted in
        ["though 35 of its 40 cells are numbers", "holds \"NA\" in line 7: read as missing", "the same number, 7"]
    {
        let note = notes.iter().find(|n| n.contains(wanted)).unwrap_or_else(|| panic!("{wanted}: {notes:?}"));
        assert!(
            found.iter().any(|(severity, message, _)| severity == "advice" && message == note),
            "{note}: {found:?}"
        );
    }
    // A time that training refuses is only a warning of `check`.
    let refused = self::place("binary { label = d.y }", ", time = b", |i| [i.to_string(), "soon".into(), "1".into()]);
    let found = checked(&refused, 0);
    assert!(found.iter().any(|(s, m, _)| s == "warning" && m.contains("neither a number nor a date")), "{found:?}");
    let trained = refused.run("train p.mtl -o R --device cpu");
    assert_eq!(trained.code, 4, "{}", trained.err);
    assert!(said(&trained.err).contains("neither a number nor a date"), "{}", trained.err);
}

/// `check` finds problems of the training labels even if the test file is missing, also if validation rows are taken from that file.
#[test]
fn other_files_are_not_needed() {
    for splits in [", test = \"none.csv\"", "@of"] {
        let more = if splits == "@of" { "" } else { splits };
        let place = place("binary { label = d.y }", more, |i| [i.to_string(), "p".into(), ["yes", "no"][i % 2].into()]);
        if splits == "@of" {
            let text = place.text("p.mtl").replace("share(0.2)", "share(0.2, of = test), test = \"none.csv\"");
            place.write("p.mtl", text.as_bytes());
        }
        let found = checked(&place, 3);
        assert!(found.iter().any(|(s, m, _)| s == "error" && m.contains("and this is text")), "{splits}: {found:?}");
    }
}
