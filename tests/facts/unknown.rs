//! Texts without a number of their own: read as unknown, which training shows to the network; rare ones; hashed ones.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use mtlc::data::vocabulary::bucket;
use mtlc::data::{Drawn, Facts};
use mtlc::random::Randomness;

use crate::support::{Place, numbers, prepare};

/// 400 rows of 80 users and 5 items, one of which is rare; `y` follows from `a`.
fn rows(prefix: &str) -> String {
    let mut out = String::from("user,item,a,y\n");
    for (i, a) in numbers(400, 11).into_iter().enumerate() {
        let item = if i % 100 == 7 { "rare".to_string() } else { format!("i{}", i % 4) };
        out += &format!("{prefix}{},{item},{a},{}\n", i % 80, u8::from(a > 0.0));
    }
    out
}

fn place(data: &str, input: &str) -> Place {
    let place = Place::new();
    place.write("t.csv", rows("u").as_bytes());
    place.write("test.csv", rows("u").as_bytes());
    place.write("new.csv", rows("new").as_bytes());
    let program = format!(
        "mtl 1\nparam e: int = 1\ndata d {{ format = csv, train = \"t.csv\", test = \"test.csv\"{data} }}\n\
         input x: fields {{ from = d, except = [y]{input} }}\ntask y: binary {{ label = d.y == 1 }}\n\
         backbone net(x) {{ stage s = embedding(4) -> concat_fields -> mlp(8) }}\nhead for y = linear(outputs)\n\
         train {{ epochs = e, batch = 16, select = last, optimizer = adam(lr = 1e-2) }}\n"
    );
    place.write("net.mtl", program.as_bytes());
    place
}

/// The embedding of a run: users, then items; each begins with its row of unknown and missing.
fn table(place: &Place, run: &str) -> Vec<Vec<f32>> {
    let path = place.path(run).join("checkpoints/all_shared.safetensors");
    let all: HashMap<String, Tensor> = candle_core::safetensors::load(path, &Device::Cpu).expect("weights");
    all["s.a.0.table"].to_vec2().expect("rows")
}

fn trained(place: &Place) -> [Vec<Vec<f32>>; 2] {
    for e in [1, 4] {
        place.run(&format!("train net.mtl --set e={e} -o run{e} -q")).ok();
    }
    [table(place, "run1"), table(place, "run4")]
}

/// No training cell is missing, and yet the rows of unknown are trained, those of users and of items.
#[test]
fn the_row_of_unknown_texts_is_trained() {
    let [one, four] = trained(&place("", ""));
    assert_eq!(one.len(), 1 + 80 + 1 + 5);
    for row in [0, 1, 81, 82] {
        assert_ne!(one[row], four[row], "row {row}");
    }
    let [one, four] = trained(&place("", ", unknown = 0"));
    assert_eq!((&one[0], &one[81]), (&four[0], &four[81]));
    assert_ne!(one[1], four[1]);
}

/// What training reads as unknown is a function of seed, epoch and row; evaluation draws nothing.
#[test]
fn draws_do_not_depend_on_batches() {
    let place = place("", ", unknown = 0.2");
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let table = &prepared.feed.dataset.train;
    let all: Vec<u32> = (0..table.rows as u32).collect();
    let drawn = |seed, epoch| Some(Drawn { random: Randomness::new(seed), epoch });
    let gather = |rows: &[u32], d| table.gather(rows, d).expect("a batch").inputs[0].clone();
    let plain = gather(&all, None);
    assert_eq!(plain, table.inputs[0].values);
    let whole = gather(&all, drawn(5, 3));
    let parts: Vec<f32> = all.chunks(7).rev().map(|rows| gather(rows, drawn(5, 3))).rev().flatten().collect();
    assert_eq!(whole, parts);
    assert_ne!(whole, gather(&all, drawn(5, 4)));
    assert_ne!(whole, gather(&all, drawn(6, 3)));
    let size = table.inputs[0].size;
    for (at, share) in [(0, 0.2), (1, 0.2), (2, 0.0)] {
        let zeros = (0..table.rows).filter(|r| whole[r * size + at] != plain[r * size + at]).count();
        let got = zeros as f64 / table.rows as f64;
        assert!((got - share).abs() < 0.07, "column {at}: {got}");
    }
}

#[test]
fn rare_texts_are_unknown() {
    let place = place(", min_count = [item(5)]", "");
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let schema = prepared.checked().spec.data[0].schema.as_ref().expect("frozen");
    let item = schema.column("item").expect("a column");
    let Facts::Category { values } = &item.facts else { panic!("{item:?}") };
    assert_eq!(values.len(), 4);
    // Four rows hold it, and some of them may be held out.
    assert!((1..=4).contains(&item.rare.expect("asked for").cells), "{item:?}");
    assert!(schema.column("user").expect("a column").rare.is_none());
    place.run("data freeze net.mtl").ok();
    place.run("check net.mtl").ok();
    place.run("train net.mtl -o run -q").ok();
    let table = table(&place, "run");
    assert_eq!(table.len(), 1 + 80 + 1 + 4);
    // A rare text and one that training never showed are the same to the network.
    let of = |text: &str| -> String {
        place.write("one.csv", format!("user,item,a\nu1,{text},0.3\n").as_bytes());
        place.run("predict run one.csv").ok().out
    };
    assert_eq!(of("rare"), of("never seen"));
    assert_ne!(of("rare"), of("i1"));
    let all = self::place(", min_count = 6", "");
    let prepared = prepare(&all.path("net.mtl"), &[]);
    let schema = prepared.checked().spec.data[0].schema.as_ref().expect("frozen");
    assert!(matches!(&schema.column("user").expect("a column").facts, Facts::Category { values } if values.is_empty()));
}

/// With `min_count`, rare classes are masked with a note that calls them rare. If no class remains, the error names `min_count`.
#[test]
fn rare_classes_are_masked() {
    let text = |least: &str| format!(", min_count = [item({least})]");
    let class = |place: &crate::support::Place, classes: &str| {
        let program =
            place.text("net.mtl").replace("task y: binary { label = d.y == 1 }", &format!("task y: {classes}"));
        place.write("net.mtl", program.replace("except = [y]", "except = [y, item]").as_bytes());
        let out = place.run("train net.mtl -o run");
        (out.code, out.err.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (code, said) = class(&place(&text("5"), ""), "classes { from = d.item }");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("a class that occurs in fewer than 5 training rows")
            && !said.contains("does not occur in training;"),
        "{said}"
    );
    for classes in ["classes { from = d.item }", "classes(4) { from = d.item }"] {
        let (code, said) = class(&place(&text("100000"), ""), classes);
        assert!((3..=4).contains(&code), "{code} {said}");
        assert!(said.contains("`min_count` requires") && !said.contains("out of range"), "{said}");
    }
}

#[test]
fn hashed_texts_need_no_vocabulary() {
    let place = place(", buckets = [user(16)]", "");
    place.run("train net.mtl -o run -q").ok();
    assert_eq!(table(&place, "run").len(), 1 + 16 + 1 + 5);
    let program = place.text("run/program.mtl");
    assert!(program.contains("buckets = 16") && !program.contains("\"u7\""), "{program}");
    let of = |user: &str| -> String {
        place.write("one.csv", format!("user,item,a\n{user},i1,0.3\n").as_bytes());
        place.run("predict run one.csv").ok().out
    };
    let twin =
        (0..10_000).map(|i| format!("stranger {i}")).find(|t| bucket(t, 16) == bucket("u7", 16)).expect("one of them");
    let other =
        (0..10_000).map(|i| format!("stranger {i}")).find(|t| bucket(t, 16) != bucket("u7", 16)).expect("one of them");
    assert_eq!(of("u7"), of(&twin));
    assert_ne!(of("u7"), of(&other));
    // Many rows at once are read as one by one.
    let many = place.run("predict run new.csv").ok().out;
    assert_eq!(many.lines().count(), 401);
    place.run("evaluate run").ok();
    place.run("verify run").ok();
    // A bare number is for columns with more texts than that.
    let some = self::place(", buckets = 16", "");
    let prepared = prepare(&some.path("net.mtl"), &[]);
    let schema = prepared.checked().spec.data[0].schema.as_ref().expect("frozen");
    assert_eq!(schema.column("user").expect("a column").facts, Facts::Hashed { buckets: 16 });
    assert!(matches!(schema.column("item").expect("a column").facts, Facts::Category { .. }));
}

#[test]
fn columns_that_cannot_be_hashed_are_named() {
    for (data, said) in [
        (", buckets = [nobody(16)]", "no column `nobody`"),
        (", buckets = [a(16)]", "`buckets` names the column `a`, which holds numbers"),
        (", min_count = [a(16)]", "`min_count` names the column `a`, which holds numbers"),
    ] {
        let place = place(data, "");
        let out = place.run("train net.mtl -o run -q");
        assert_eq!(out.code, 4, "{}", out.err);
        assert!(out.err.contains(said), "{}", out.err);
    }
}
