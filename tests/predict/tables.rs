//! Tables in, every layout out.

use serde_json::Value;

use super::support::*;

/// A trained network, and `new.csv` with its columns in another order, no labels, and columns that nothing reads.
pub fn trained() -> Place {
    let place = Place::table();
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    let text: String = table(20)
        .lines()
        .enumerate()
        .map(|(i, l)| {
            let c: Vec<&str> = l.split(',').collect();
            let who = if i == 0 { "who".into() } else { format!("\"row, {i}\"") };
            format!("{},{who},{},{}\n", c[2], c[1], c[0])
        })
        .collect();
    place.write("new.csv", text.as_bytes());
    place
}

#[test]
fn columns_go_by_name_and_one_is_handed_through() {
    let place = trained();
    let rows: String = table(60).lines().take(21).map(|l| format!("{l}\n")).collect();
    place.write("as_trained.csv", rows.as_bytes());
    let same = place.run("predict run as_trained.csv --device cpu --quiet").ok().out;
    assert_eq!(place.run("predict run new.csv --device cpu --quiet").ok().out, same);
    assert_eq!(same.lines().next(), Some("yes,kind,kind.0,kind.1,kind.2,value"));
    assert_eq!(same.lines().count(), 21);

    let with_id = place.run("predict run new.csv --id who --device cpu --quiet").ok().out;
    let second = with_id.lines().nth(1).expect("a row");
    assert_eq!(second, format!("\"row, 1\",{}", same.lines().nth(1).expect("a row")));
    // A column that is called like a task keeps apart from it.
    let label = place.run("predict run as_trained.csv --id yes --tasks yes --device cpu --quiet").ok().out;
    assert_eq!(label.lines().next(), Some("id.yes,yes"));
}

#[test]
fn layouts_hold_the_same_numbers() {
    let place = trained();
    let csv = place.run("predict run new.csv --raw --device cpu --quiet").ok().out;
    let mut csv = csv.lines().skip(1).map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
    let json = place.run("predict run new.csv --raw --json --id who --device cpu --quiet").ok().out;
    for line in json.lines() {
        let v: Value = serde_json::from_str(line).expect("an object a line");
        let c = csv.next().expect("as many rows");
        let same = |cell: &str, v: &Value| assert_eq!(cell.parse::<f64>().ok(), v.as_f64(), "{line}");
        same(&c[0], &v["yes"]["probability"]);
        same(&c[1], &v["yes"]["raw"]);
        assert_eq!(v["kind"]["class"], c[2]);
        same(&c[5], &v["kind"]["probabilities"]["2"]);
        same(&c[8], &v["kind"]["raw"]["2"]);
        same(&c[9], &v["value"]);
        assert!(v["who"].as_str().is_some_and(|w| w.starts_with("row, ")));
        let sum: f64 = (3..6).map(|i| c[i].parse::<f64>().expect("a number")).sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }
    assert!(csv.next().is_none());

    // An archive is read back as data.
    place.run("predict run new.csv --id who -o out.npz --device cpu --quiet").ok();
    let spec = "mtl 1\ndata d { format = npy, train = [\"out.npy\"], validation = share(0.1, of = train) }\n\
                input x: f32[1] { from = d.out }\ntask t: regression(1) { from = d.out }\n\
                backbone b(x) { stage s = linear(1) }\nhead for * = linear(outputs)\n";
    place.write("back.mtl", spec.as_bytes());
    place.run("predict run new.csv --tasks value -o out.npy --device cpu --quiet").ok();
    let back = place.run("data preview back.mtl --rows 1 --json --quiet").ok().json();
    let want: f64 = json.lines().next().and_then(|l| serde_json::from_str::<Value>(l).ok()).expect("a row")["value"]
        .as_f64()
        .expect("a number");
    assert_eq!(back["labels"]["t"].as_f64().map(|v| v as f32), Some(want as f32));
    let bytes = std::fs::read(place.path("out.npz")).expect("written");
    for name in ["who.npy", "yes.npy", "kind.npy", "value.npy"] {
        assert!(bytes.windows(name.len()).any(|w| w == name.as_bytes()), "{name}");
    }
    let text = spec.replace("[\"out.npy\"]", "\"out.npz\"").replace("d.out", "d.value");
    place.write("back.mtl", text.as_bytes());
    // Texts are no numbers for this reader, which says so by name; the archive itself is sound.
    let refused = place.run("data preview back.mtl");
    assert!(refused.err.contains("out.npz:who.npy"), "{}", refused.err);
}

#[test]
fn missing_and_unseen_cells_are_as_in_training() {
    let place = trained();
    place.write("one.csv", b"a,b,colour\n0.1,0.2,\n0.1,0.2,?\n0.1,0.2,violet\n,0.2,red\n");
    let out = place.run("predict run one.csv --device cpu").ok();
    let rows: Vec<&str> = out.out.lines().skip(1).collect();
    assert!(rows[0] == rows[1] && rows[1] == rows[2] && rows[2] != rows[3]);
    assert!(
        out.err.contains("column `colour`: 1 cell holds a text that does not occur in the training rows"),
        "{}",
        out.err
    );
}

#[test]
fn files_are_whole_and_never_replaced_unasked() {
    let place = trained();
    place.run("predict run new.csv -o new/out.csv --device cpu").ok();
    let before = place.contents();
    let refused = place.run("predict run new.csv -o new/out.csv --device cpu");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("exists already") && refused.err.contains("--force"), "{}", refused.err);
    // A row that cannot be read leaves no half file and no traces.
    let mut text = place.text("new.csv").repeat(300);
    text = format!("{}\n{}", text.lines().next().expect("a header"), text.replace("colour,who,b,a\n", ""));
    text += "red,x,1,oops\n";
    std::fs::write(place.path("long.csv"), &text).expect("written");
    let failed = place.run("predict run long.csv -o new/half.csv --device cpu");
    assert_eq!(failed.code, 4, "{}", failed.err);
    assert!(failed.err.contains("line 6002, column `a`: \"oops\" is not a number"), "{}", failed.err);
    std::fs::remove_file(place.path("long.csv")).expect("written");
    assert_eq!(before, place.contents());
    place.run("predict run new.csv -o new/out.csv --force --tasks yes --device cpu").ok();
    assert!(place.text("new/out.csv").starts_with("yes\n"));
}

#[test]
fn a_program_with_weights_predicts_too() {
    let place = trained();
    let want = place.run("predict run new.csv --device cpu --quiet").ok().out;
    let weights = "--weights run/checkpoints/all_shared.safetensors";
    let open = place.run(&format!("predict net.mtl new.csv {weights} --device cpu --quiet")).ok().out;
    assert_eq!(open, want, "the schema is frozen from the training data");
    place.run("data freeze net.mtl").ok();
    std::fs::remove_file(place.path("train.csv")).expect("it was there");
    assert_eq!(place.run(&format!("predict net.mtl new.csv {weights} --device cpu --quiet")).ok().out, want);
}
