//! Which rows are in which split.

use std::collections::{BTreeMap, BTreeSet};

use super::support::*;

const ROWS: usize = 400;

fn place(data: &str) -> (Place, String) {
    let table = table(ROWS);
    (Place::with(&table, &format!("data d {{ format = csv, train = \"t.csv\", {data} }}")), table)
}

/// The splits are disjoint, and all rows are in one.
#[track_caller]
fn whole(ids: &[BTreeSet<i64>; 3]) {
    let all: BTreeSet<i64> = ids.iter().flatten().copied().collect();
    assert_eq!(ids.iter().map(BTreeSet::len).sum::<usize>(), all.len(), "a row is in two splits");
    assert_eq!(all.len(), ROWS, "a row is in no split");
}

fn values<'a>(column: &'a [String], ids: &BTreeSet<i64>) -> BTreeSet<&'a str> {
    ids.iter().map(|i| column[*i as usize].as_str()).collect()
}

/// The same table with its rows in another order.
fn shuffled(table: &str) -> String {
    let mut lines: Vec<&str> = table.lines().collect();
    let mut rows = lines.split_off(1);
    rows.reverse();
    rows.rotate_left(131);
    lines.into_iter().chain(rows).map(|l| format!("{l}\n")).collect()
}

#[test]
fn by_a_column() {
    for split in ["part", "d.part", "column(part)"] {
        let (place, table) = place(&format!("split = {split}"));
        let ids = place.ids();
        whole(&ids);
        let part = column(&table, "part");
        assert_eq!(values(&part, &ids[0]), BTreeSet::from(["train"]));
        assert_eq!(values(&part, &ids[1]), BTreeSet::from(["Val"]));
        assert_eq!(values(&part, &ids[2]), BTreeSet::from(["TEST"]));
    }
}

#[test]
fn by_a_column_with_words_of_its_own() {
    let (place, table) = place(
        "split = column(user, train = [\"u0\", \"u1\", \"u4\"], validation = [\"u9\"], test = [\"u16\"], leave_out = [\"u2\"])",
    );
    let shown =
        place.run("data check p.mtl").fails(4, &["`t.csv`, line", "column `user`", "names no split", "leave_out"]);
    assert!(shown.out.is_empty());
    let users = column(&table, "user");
    let names: BTreeSet<&str> = users.iter().map(String::as_str).collect();
    let rest: Vec<String> =
        names.iter().filter(|n| !["u9", "u16", "u2"].contains(n)).map(|n| format!("{n:?}")).collect();
    place.program(&format!(
        "data d {{ format = csv, train = \"t.csv\", split = column(user, train = [{}], validation = [\"u9\"], test = [\"u16\"], \
         leave_out = [\"u2\"]) }}",
        rest.join(", ")
    ));
    let ids = place.ids();
    assert_eq!(values(&users, &ids[1]), BTreeSet::from(["u9"]));
    assert_eq!(values(&users, &ids[2]), BTreeSet::from(["u16"]));
    let out = ROWS - ids.iter().map(BTreeSet::len).sum::<usize>();
    assert_eq!(out, users.iter().filter(|u| *u == "u2").count());
}

#[test]
fn the_column_of_the_split_is_no_input() {
    let table = table(ROWS);
    let place = Place::with(&table, "data d { format = csv, train = \"t.csv\", split = part }");
    for except in ["[y]", "[y, part]"] {
        let text = place.text("p.mtl");
        let text = text.split("input x").next().expect("a part").to_string()
            + &format!(
                "input x: fields {{ from = d, except = {except} }}\ntask y: binary {{ label = d.y == 1 }}\nbackbone net(x) {{ stage \
                s = one_hot -> linear(2) }}\nhead for y = linear(outputs)\ntrain {{ epochs = 1 }}\n"
            );
        place.write("q.mtl", text.as_bytes());
        let check = place.run("data check q.mtl").ok();
        assert!(!check.out.contains("part "), "{}", check.out);
    }
}

/// A column that names the test rows alone leaves validation to a share.
#[test]
fn a_column_and_a_share() {
    let table = table(ROWS).replace(",Val,", ",train,");
    let place = Place::with(&table, "data d { format = csv, train = \"t.csv\", split = part }");
    let ids = place.ids();
    whole(&ids);
    assert_eq!(ids[2].len(), ROWS / 5);
    assert_eq!(ids[1].len(), (ROWS - ROWS / 5) / 10, "a tenth of what is left to train");
}

#[test]
fn by_groups() {
    for data in [
        "validation = share(0.2, by = user), test = share(0.2, by = user)",
        "group = user, validation = share(0.2), test = share(0.2)",
        "group = d.user, validation = share(0.2), test = share(0.2), split_seed = 7",
        "validation = share(0.2, by = [user]), test = share(0.2, by = [user]), split_seed = 3",
    ] {
        let (place, table) = place(data);
        let ids = place.ids();
        whole(&ids);
        let users = column(&table, "user");
        let [a, b, c] = [0, 1, 2].map(|s| values(&users, &ids[s]));
        assert!(a.is_disjoint(&b) && a.is_disjoint(&c) && b.is_disjoint(&c), "{data}: {a:?} {b:?} {c:?}");
        for split in [1, 2] {
            let share = ids[split].len() as f64 / ROWS as f64;
            assert!((0.1..0.3).contains(&share), "{data}: {share}");
        }
        // The same groups whatever the order of the rows.
        place.write("t.csv", shuffled(&table).as_bytes());
        assert_eq!(place.ids(), ids, "{data}");
    }
}

#[test]
fn seeds_draw_other_groups() {
    let drawn: BTreeSet<Vec<i64>> = (0..6)
        .map(|seed| {
            let (place, _) = place(&format!("validation = share(0.2, by = user), split_seed = {seed}"));
            place.ids()[1].iter().copied().collect()
        })
        .collect();
    assert!(drawn.len() >= 4, "{} of 6 seeds draw different groups", drawn.len());
}

#[test]
fn by_pairs_of_columns() {
    let (place, table) = place("validation = share(0.25, by = [user, kind])");
    let ids = place.ids();
    whole(&ids);
    let (users, kinds) = (column(&table, "user"), column(&table, "kind"));
    let of = |s: usize| -> BTreeSet<(String, String)> {
        ids[s].iter().map(|i| (users[*i as usize].clone(), kinds[*i as usize].clone())).collect()
    };
    assert!(of(0).is_disjoint(&of(1)));
    assert!(!ids[1].is_empty());
}

#[test]
fn rows_without_a_group_stand_for_themselves() {
    let table: String = table(ROWS)
        .lines()
        .enumerate()
        .map(|(i, l)| {
            let mut cells: Vec<&str> = l.split(',').collect();
            if i % 2 == 0 && i > 0 {
                cells[1] = "";
            }
            format!("{}\n", cells.join(","))
        })
        .collect();
    let place = Place::with(&table, "data d { format = csv, train = \"t.csv\", validation = share(0.2, by = user) }");
    let ids = place.ids();
    whole(&ids);
    let share = ids[1].len() as f64 / ROWS as f64;
    assert!((0.15..0.25).contains(&share), "{share}");
}

#[test]
fn evenly_over_strata() {
    for data in [
        "validation = share(0.2, stratify = kind), test = share(0.1, stratify = kind)",
        "stratify = kind, validation = share(0.2), test = share(0.1)",
        "stratify = d.kind == \"a\", validation = share(0.2), test = share(0.1), split_seed = 5",
    ] {
        let (place, table) = place(data);
        let ids = place.ids();
        whole(&ids);
        let kinds = column(&table, "kind");
        for (split, n) in [(1, 80), (2, 40)] {
            let of_a = ids[split].iter().filter(|i| kinds[**i as usize] == "a").count();
            assert_eq!((ids[split].len(), of_a), (n, n / 4), "{data}");
        }
    }
}

#[test]
fn whole_groups_evenly() {
    let (place, table) = place("group = user, stratify = y, validation = share(0.3)");
    let ids = place.ids();
    whole(&ids);
    let (users, y) = (column(&table, "user"), column(&table, "y"));
    assert!(values(&users, &ids[0]).is_disjoint(&values(&users, &ids[1])));
    let ones = ids[1].iter().filter(|i| y[**i as usize] == "1").count() as f64 / ids[1].len() as f64;
    assert!((0.35..0.65).contains(&ones), "{ones}");
}

#[test]
fn in_time() {
    for data in [
        "time = day, validation = share(0.2), test = share(0.2)",
        "validation = share(0.2, time = day), test = share(0.2, time = day)",
    ] {
        let (place, table) = place(data);
        let ids = place.ids();
        whole(&ids);
        let days = column(&table, "day");
        let ends = |s: usize| {
            let all = values(&days, &ids[s]);
            (all.first().copied().expect("rows"), all.last().copied().expect("rows"))
        };
        assert!(ends(0).1 < ends(1).0 && ends(1).1 < ends(2).0, "{:?} {:?} {:?}", ends(0), ends(1), ends(2));
        for split in [1, 2] {
            assert!((60..100).contains(&ids[split].len()), "{}", ids[split].len());
        }
        place.write("t.csv", shuffled(&table).as_bytes());
        assert_eq!(place.ids(), ids, "the order of the rows does not matter");
    }
    let (place, _) = place("validation = share(0.25, time = id)");
    assert_eq!(place.ids()[1], (300..400).collect());
}

/// With `time`, the latest rows are validation rows in every format of times. As text, most of these formats would sort differently.
#[test]
fn times_are_ordered_by_time_and_not_as_text() {
    type Write = fn(usize) -> String;
    let ways: [Write; 4] = [
        |h| format!("2026-01-01 {h}:00"),
        |h| format!("2026-01-01{}{h:02}:00", if h % 2 == 0 { "T" } else { " " }),
        |h| format!("2026-01-01T{h:02}:00:00{}", [".5", ",25", "", ".000000001"][h % 4]),
        // Every other time has the offset of Tonga, thirteen hours ahead of UTC.
        |h| {
            if h % 2 == 0 {
                format!("2026-01-01T{h:02}:00Z")
            } else {
                format!("2026-01-{:02}T{:02}:00+13:00", 1 + (h + 13) / 24, (h + 13) % 24)
            }
        },
    ];
    for (n, write) in ways.iter().enumerate() {
        let rows: String = (0..20).map(|i| (i * 7) % 20).map(|h| format!("{h},\"{}\",{}\n", write(h), h % 2)).collect();
        let data = "data d { format = csv, train = \"t.csv\", time = at, validation = share(0.25) }";
        let ids = Place::with(&format!("id,at,y\n{rows}"), data).ids();
        assert_eq!(ids[1], (15..20).collect(), "{n}: {}", write(5));
    }
}

#[test]
fn by_conditions() {
    let (place, _) = place("validation = d.id >= 300, test = d.id in 100..149");
    let ids = place.ids();
    whole(&ids);
    assert_eq!(ids[1], (300..400).collect());
    assert_eq!(ids[2], (100..150).collect());
    for condition in ["d.kind == \"a\"", "not d.kind == \"b\"", "d.kind in [\"a\"]"] {
        let (place, table) = self::place(&format!("validation = {condition}"));
        let kinds = column(&table, "kind");
        let ids = place.ids();
        whole(&ids);
        assert_eq!(values(&kinds, &ids[1]), BTreeSet::from(["a"]), "{condition}");
        assert_eq!(values(&kinds, &ids[0]), BTreeSet::from(["b"]), "{condition}");
    }
}

#[test]
fn folds_are_all_rows_once() {
    for how in ["", ", by = user", ", stratify = kind", ", by = user, stratify = y"] {
        let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
        for fold in 1..=4 {
            let (place, table) = place(&format!("validation = share(0.1), test = fold({fold}, of = 4{how})"));
            let ids = place.ids();
            whole(&ids);
            ids[2].iter().for_each(|i| *seen.entry(*i).or_default() += 1);
            let (users, kinds) = (column(&table, "user"), column(&table, "kind"));
            if how.contains("by") {
                let rest: BTreeSet<i64> = ids[0].union(&ids[1]).copied().collect();
                assert!(values(&users, &ids[2]).is_disjoint(&values(&users, &rest)), "{how}");
                assert!((80..121).contains(&ids[2].len()), "{how}: {}", ids[2].len());
            } else {
                assert_eq!(ids[2].len(), 100, "{how}");
            }
            if how.contains("kind") {
                assert_eq!(ids[2].iter().filter(|i| kinds[**i as usize] == "a").count(), 25);
            }
        }
        assert!(seen.len() == ROWS && seen.values().all(|n| *n == 1), "{how}: {} rows", seen.len());
    }
}

#[test]
fn folds_in_time_test_on_what_comes_after() {
    let mut last = 0;
    for fold in 1..=3 {
        let (place, _) = place(&format!("validation = share(0.1, time = id), test = fold({fold}, of = 3, time = id)"));
        let ids = place.ids();
        let known: BTreeSet<i64> = ids[0].union(&ids[1]).copied().collect();
        assert_eq!(known, (0..100 * fold).collect());
        assert_eq!(ids[2], (100 * fold..100 * fold + 100).collect());
        last = *ids[2].last().expect("rows");
    }
    assert_eq!(last, 399);
}

/// Conditions know what the cells of a column mean, whether the facts are frozen or not.
#[test]
fn conditions_on_true_and_false_and_on_missing_cells() {
    let rows: String = (0..60)
        .map(|i| format!("{i},{},{},{}\n", ["True", "false", "NA"][i % 3], ["1", "NA", "2", "5"][i % 4], i % 2))
        .collect();
    let is = |of: fn(i64) -> bool| (0..60).filter(|i| of(*i)).collect::<BTreeSet<i64>>();
    for (condition, wanted) in [
        ("d.flag == true", is(|i| i % 3 == 0)),
        ("not d.flag", is(|i| i % 3 == 1)),
        ("d.flag and d.id > 30", is(|i| i % 3 == 0 && i > 30)),
        ("d.flag == \"NA\"", is(|i| i % 3 == 2)),
        ("d.x == \"NA\"", is(|i| i % 4 == 1)),
    ] {
        let data = format!("data d {{ format = csv, train = \"t.csv\", validation = {condition} }}");
        let place = Place::with(&format!("id,flag,x,y\n{rows}"), &data);
        place.run("check p.mtl").ok();
        assert_eq!(place.ids()[1], wanted, "{condition}");
        place.run("data freeze p.mtl").ok();
        place.run("check p.mtl").ok();
        assert_eq!(place.ids()[1], wanted, "{condition}, frozen");
    }
}

/// The order that shares were always drawn in: a program keeps its splits.
#[test]
fn plain_shares_are_what_they_were() {
    let (place, _) = place("validation = share(0.1), test = share(0.05)");
    let ids = place.ids();
    whole(&ids);
    assert_eq!((ids[1].len(), ids[2].len()), (40, 20));
    let (again, _) = self::place("validation = share(0.1, of = train), test = share(0.05, of = train), split_seed = 0");
    assert_eq!(again.ids(), ids);
}

#[test]
fn statistics_are_of_training_rows_alone() {
    let (place, _) = place("validation = d.id >= 100, split_seed = 1");
    place.run("data freeze p.mtl").ok();
    let text = place.text("p.mtl");
    let line = text.lines().find(|l| l.contains("column id")).expect("the column");
    assert!(line.contains("max = 99") && line.contains("mean = 49.5"), "{line}");
    assert!(text.contains("split train      { rows = 100 }"), "{text}");
    assert!(text.contains("split validation { rows = 300 }"), "{text}");
    place.run("check p.mtl").ok();
    place.run("train p.mtl -o R --device cpu").ok();
}

#[test]
fn groups_in_two_splits_are_reported() {
    // `group` does not divide files, conditions or columns; what crosses is counted.
    let (place, table) = place("group = user, split = part");
    let users = column(&table, "user");
    let checked = place.run("data check p.mtl").ok();
    assert!(checked.err.contains("of `user` are in train and in validation"), "{}", checked.err);
    assert!(checked.err.contains("of `user` are in train and in test"), "{}", checked.err);
    let ids = place.ids();
    let both = values(&users, &ids[0]).intersection(&values(&users, &ids[1])).count();
    assert!(
        checked.err.contains(&format!("{both} values of `user` are in train and in validation")),
        "{}",
        checked.err
    );
    let trained = place.run("train p.mtl -o R --device cpu").ok();
    assert!(trained.err.contains("of `user` are in train and in validation"), "{}", trained.err);
    let json: serde_json::Value = serde_json::from_str(&place.run("data check p.mtl --json").ok().out).expect("JSON");
    let kinds: Vec<&str> =
        json["findings"].as_array().expect("a list").iter().filter_map(|f| f["kind"].as_str()).collect();
    assert!(kinds.contains(&"group_leak"), "{kinds:?}");
    // Groups of several columns are compared cell by cell.
    let cells = "id,a,b,y,part\n1,\"x, y\",z,1,train\n2,x,\"y, z\",0,val\n3,q,r,1,train\n4,q,r,0,val\n";
    let place = Place::with(cells, "data d { format = csv, train = \"t.csv\", group = [a, b], split = part }");
    let checked = place.run("data check p.mtl").ok();
    assert!(
        checked.err.contains("1 value of `a` and `b` are in train and in validation, for example \"q, r\""),
        "{}",
        checked.err
    );
    // Whole groups cross nothing.
    let (place, _) = self::place("group = user, validation = share(0.2)");
    assert!(!place.run("data check p.mtl").ok().err.contains("of `user` are in"));
}

#[test]
fn arrays_are_divided_alike() {
    let place = Place::new();
    // An npz of numbers by hand would be longer than its two files.
    let npy = |values: &[f32]| {
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", values.len());
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend((header.len() as u16).to_le_bytes());
        out.extend(header.as_bytes());
        values.iter().for_each(|v| out.extend(v.to_le_bytes()));
        out
    };
    let n = 120;
    let of = |f: &dyn Fn(usize) -> f32| npy(&(0..n).map(f).collect::<Vec<_>>());
    place.write("id.npy", &of(&|i| i as f32));
    place.write("user.npy", &of(&|i| (i % 11) as f32));
    place.write("y.npy", &of(&|i| (i % 2) as f32));
    let data = |how: &str| format!("data d {{ format = npy, train = [\"id.npy\", \"user.npy\", \"y.npy\"], {how} }}");
    place.program(&data("validation = share(0.3, by = user)"));
    let ids = place.ids();
    let users = |s: usize| -> BTreeSet<i64> { ids[s].iter().map(|i| i % 11).collect() };
    assert!(users(0).is_disjoint(&users(1)) && !users(1).is_empty());
    place.program(&data("validation = d.id > 99.5, test = share(0.1, stratify = y)"));
    let ids = place.ids();
    assert_eq!(ids[1], (100..120).collect());
    assert_eq!(ids[2].iter().filter(|i| *i % 2 == 1).count(), ids[2].len() / 2);
    place.program(&data("split = column(y, train = [\"0\"], validation = [\"1\"])"));
    let text = place.text("p.mtl").replace("d.y == 1", "d.user > 5");
    place.write("p.mtl", text.as_bytes());
    assert!(place.ids()[1].iter().all(|i| i % 2 == 1));
}
