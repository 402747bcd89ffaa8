//! What cannot be divided is said before a run, with the way out; and what `check` takes, `train` takes.

use super::support::*;

const HEAD: &str = "format = csv, train = \"t.csv\"";

#[track_caller]
fn refused(data: &str, words: &[&str]) {
    let place = Place::with(&table(40), &format!("data d {{ {HEAD}, {data} }}"));
    place.run("check p.mtl").fails(3, words);
    place.run("train p.mtl -o R --device cpu").fails(3, words);
    assert!(!place.path("R").exists());
}

#[test]
fn combinations_that_contradict() {
    let split = "mtl::data::split";
    refused("split = part, validation = \"v.csv\"", &[split, "given twice", "keep `split` or `validation`"]);
    refused("split = part, test = d.id > 3", &[split, "given twice", "by an expression"]);
    refused("time = day, group = user, validation = share(0.1)", &[split, "last in time", "groups"]);
    refused("validation = share(0.1, time = day, stratify = y)", &[split, "strata"]);
    refused("stratify = y, validation = \"v.csv\"", &[split, "`stratify` has no effect"]);
    refused("time = day, validation = d.id > 3", &[split, "`time` has no effect"]);
    refused("validation = share(0.6), test = share(0.5)", &[split, "add up to 1.1"]);
    refused("test = fold(4, of = 3)", &[split, "no fold 4 of 3"]);
    refused("validation = fold(1, of = 3), test = fold(1, of = 3)", &[split, "the same fold"]);
    refused("validation = fold(1, of = 3), test = fold(1, of = 4)", &[split, "cut differently"]);
    refused("validation = fold(1, of = 3), test = fold(2, of = 3, by = user)", &[split, "drawn differently"]);
    refused("validation = share(0.1, of = test)", &[split, "share of the test split, and there is none"]);
    refused("test = share(0.1, of = test)", &[split, "a share of itself"]);
}

#[test]
fn columns_that_are_not_there() {
    let place = Place::with(&table(40), &format!("data d {{ {HEAD}, validation = share(0.2, by = usr) }}"));
    place.run("train p.mtl -o R --device cpu").fails(4, &["no column `usr`, which `by` names", "did you mean `user`?"]);
    place.program(&format!("data d {{ {HEAD}, split = parts }}"));
    place.run("data check p.mtl").fails(4, &["no column `parts`, which `split` names", "did you mean `part`?"]);
    place.program(&format!("data d {{ {HEAD}, time = dy, validation = share(0.2) }}"));
    place.run("data check p.mtl").fails(4, &["no column `dy`, which `time` names"]);
    place.program(&format!("data d {{ {HEAD}, validation = d.ag > 3 }}"));
    place.run("data check p.mtl").fails(4, &["no column `ag`"]);
    // With a frozen schema `check` knows.
    place.program(&format!("data d {{ {HEAD} }}"));
    place.run("data freeze p.mtl").ok();
    let frozen = place.text("p.mtl");
    for (written, words) in [
        ("train = \"t.csv\", validation = share(0.2, by = usr)", ["no column `usr`", "user"]),
        ("train = \"t.csv\", validation = d.ide > 3", ["no column `ide`", "id"]),
        ("train = \"t.csv\", stratify = kid, validation = share(0.2)", ["no column `kid`", "kind"]),
    ] {
        place.write("p.mtl", frozen.replace("train = \"t.csv\"", written).as_bytes());
        place.run("check p.mtl").fails(3, &words);
    }
}

#[test]
fn data_that_cannot_be_divided_so() {
    let refused = |table: &str, data: &str, words: &[&str]| {
        let place = Place::with(table, &format!("data d {{ {HEAD}, {data} }}"));
        place.run("check p.mtl").ok();
        place.run("data check p.mtl").fails(4, words);
    };
    let good = table(40);
    refused(
        &good.replace(",Val,", ",maybe,"),
        "split = part",
        &["`t.csv`, line", "column `part`: \"maybe\" names no split", "split = column(part"],
    );
    refused(&good.replace(",Val,", ",,"), "split = part", &["the cell that names the split is missing"]);
    refused(
        &good,
        "test = fold(1000000000000000000, of = 1000000000000000000, time = id)",
        &["1000000000000000000 folds in order of time", "there are 40 rows", "fewer folds"],
    );
    refused(
        &good.replacen("2026-", "yesterday ", 3),
        "validation = share(0.2, time = day)",
        &["neither a number nor a date", "2026-11-30"],
    );
    for (cells, words) in [
        (["2026-02-30"; 2], ["line 2, column `day`: \"2026-02-30\" is neither a number nor a date", "has no such day"]),
        (["2026-01-01 12:00 AM"; 2], ["line 2", "hours from 0 to 23"]),
        (["31/12/2026"; 2], ["line 2", "write dates as 2026-11-30"]),
        (
            ["2026-01-01", "2026-01-02T05:00Z"],
            [
                "line 2, column `day`: \"2026-01-01\" has no offset from UTC, and \"2026-01-02T05:00Z\" in line 3 has one",
                "in every row",
            ],
        ),
    ] {
        let rows: String = (0..20).map(|i| format!("{i},{},{}\n", cells[usize::from(i > 0)], i % 2)).collect();
        refused(&format!("id,day,y\n{rows}"), "validation = share(0.2, time = day)", &words);
    }
    refused(
        &good.replacen("2026-01-01", "", 1),
        "validation = share(0.2, time = day)",
        &["`t.csv`, line 2, column `day`: the time is missing"],
    );
    refused(&good, "validation = share(0.2, stratify = id)", &["`stratify` has 40 different values in 40 rows"]);
    refused(&good, "validation = d.id > 10, test = d.id > 20", &["belongs to two splits", "exclude each other"]);
    refused(&good, "test = fold(1, of = 30, by = user)", &["30 folds are asked for, and there are"]);
    refused(&good, "split = part, validation = share(0.2)", &["names validation rows, and `validation` takes others"]);
    refused(&good, "validation = d.id > 1000", &["the validation split has no rows"]);
}

/// `check --fix` does not make a path of a condition, and a path without quotes still gets them.
#[test]
fn a_condition_gets_no_quotes() {
    let data = format!("data d {{ {HEAD}, validation = d.id > 30 }}");
    let place = Place::with(&table(40), &data);
    let before = place.text("p.mtl");
    place.run("check --fix p.mtl").ok();
    assert_eq!(place.text("p.mtl"), before);
    place.run("train p.mtl -o R --device cpu").ok();
    // Where no condition can stand, nothing is quoted, and the place for one is named.
    for wrong in ["d.id > 30", "d.id == 3 and d.id < 5", "not d.kind == \"a\"", "d.id in [1, 2]"] {
        place.write("p.mtl", before.replace("train = \"t.csv\"", &format!("train = {wrong}")).as_bytes());
        let text = place.text("p.mtl");
        let checked = place.run("check --fix p.mtl").fails(3, &["mtl::type::mismatch"]);
        assert_eq!(place.text("p.mtl"), text, "{wrong}: {}", checked.err);
    }
    // Sums are no paths either.
    place.write("p.mtl", before.replace("validation = d.id > 30", "validation = d.id + 30").as_bytes());
    let text = place.text("p.mtl");
    place.run("check --fix p.mtl").fails(3, &["mtl::type::mismatch"]);
    assert_eq!(place.text("p.mtl"), text);
    place.write("p.mtl", before.replace("train = \"t.csv\"", "train = t.csv").as_bytes());
    place.run("check --fix p.mtl").ok();
    assert!(place.text("p.mtl").contains("train = \"t.csv\""));
}

/// What a run refuses for the program's sake, `check` refuses with the same words.
#[test]
fn check_refuses_what_a_run_refuses() {
    let place = Place::with(&table(40), "");
    place.write("u.csv", table(40).as_bytes());
    let parts = |input: &str, tasks: &str| {
        format!(
            "mtl 1\n\ndata d {{ {HEAD} }}\ndata e {{ format = csv, train = \"u.csv\" }}\n{input}\n{tasks}\nbackbone net(x) {{ stage s = one_hot -> \
             linear(2) }}\nhead for * = linear(outputs)\ntrain {{ epochs = 1 }}\n"
        )
    };
    let several = "inputs and tasks read several data sets, `d`, `e`: this does not run yet";
    for (input, tasks) in [
        (
            "input x: fields { from = [d[id], e[id]] }",
            "task a: binary { label = d.y == 1 }\ntask b: binary { label = e.y == 1 }",
        ),
        (
            "input x: fields { from = d[id] }",
            "task a: binary { label = d.y == 1 }\ntask b: binary { label = e.y == 1 }",
        ),
        ("input x: fields { from = d[id] }", "task a: binary { label = e.y == 1 }"),
        ("input x: fields { from = d[id] }", "task a: binary { label = d.y == 1, mask = e.id > 3 }"),
    ] {
        place.write("p.mtl", parts(input, tasks).as_bytes());
        for command in ["check p.mtl", "train p.mtl -o R --device cpu", "data check p.mtl"] {
            place.run(command).fails(3, &["mtl::data::several", several]);
        }
    }
    // A data set that nothing reads is no reason to refuse.
    place.write("p.mtl", parts("input x: fields { from = d[id] }", "task a: binary { label = d.y == 1 }").as_bytes());
    place.run("check p.mtl").ok();
    place.run("train p.mtl -o R --device cpu").ok();
    // An input that reads nothing.
    place.write(
        "p.mtl",
        parts("input x: f32[1]", "task a: binary { label = d.y == 1 }").replace("one_hot -> ", "").as_bytes(),
    );
    for command in ["check p.mtl", "train p.mtl -o S --device cpu"] {
        place.run(command).fails(3, &["the input `x` has no `from`"]);
    }
}
