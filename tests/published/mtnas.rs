//! MTNAS: a subset of one copy is one option, however many queries there are; and loss weightings in the searches of routes.

use super::support::*;

const DATA: &str = "mtl 1
data d { format = mmoe_synthetic, dim = 8, samples = 200, validation_samples = 50, test_samples = 0 }
input x: f32[8] { from = d.x }
task a: regression { from = d.y1 }
task b: regression { from = d.y2 }
backbone net(x) {
  stage embed = linear(8) -> relu
  stage low = linear(8) -> relu
  stage high = linear(8) -> relu
}
head for * = linear(outputs)
";

fn routes(copies: usize, query: &str, search: &str) -> String {
    format!(
        "{DATA}space s over net {{
  level embed {{ copies = 1 }}
  level low {{ copies = {copies} }}
  level high {{ copies = 4, reads = some(gate = softmax, query = {query}) }}
  heads {{ per = task, reads = some(gate = softmax, query = embed) }}
}}
{search}
train {{ epochs = 1 }}
"
    )
}

/// How many of the readers of `low` take one copy, and of how many, over some seeds.
fn alone(place: &Place, query: &str, queries: usize, seeds: usize) -> (usize, usize) {
    let search = "search reinforce { epochs = 8, batch = 50, choices = adam(lr = 1e-2) }";
    place.write("bias.mtl", routes(3, query, search).as_bytes());
    let (mut one, mut all) = (0, 0);
    for seed in 0..seeds {
        let out = format!("o-{queries}-{seed}");
        place.run(&format!("search bias.mtl --seed {seed} -o {out} --device cpu --quiet")).ok();
        let found = place.json(&format!("{out}/search.json"));
        let names = found["choices"].as_array().expect("names").iter();
        for (name, number) in names.zip(found["decisions"].as_array().expect("numbers")) {
            if name.as_str().expect("text").starts_with("high") {
                let mask = number.as_u64().expect("a number") as usize / queries + 1;
                one += usize::from(mask.count_ones() == 1);
                all += 1;
            }
        }
    }
    (one, all)
}

/// Nothing is to be learned in so short a search. Before, three queries made a subset of one win for all of 40 readers, and one query
/// for about half.
#[test]
fn one_copy_is_derived_as_often_with_three_queries() {
    let place = Place::new();
    let (one, all) = alone(&place, "embed", 1, 8);
    let (three, of) = alone(&place, "[embed, previous, x]", 3, 8);
    println!("one query: {one} of {all}; three queries: {three} of {of}");
    assert_eq!((all, of), (32, 32));
    // Three standard deviations of a difference of two such counts.
    let deviation = (2.0 * 32.0 * 0.25f64).sqrt();
    assert!(((one as f64) - (three as f64)).abs() <= 3.0 * deviation, "{one} and {three} of 32");
    assert!(three < 32 && three > 0, "{three}");
}

/// In the warm-up, of every subset: 1 / (2^n - 1) for any number of queries, shared evenly by them.
#[test]
fn warm_ups_are_uniform_over_subsets() {
    let place = Place::new();
    for (copies, query, queries) in
        [(2, "embed", 1), (2, "[embed, x]", 2), (3, "[embed, previous, x]", 3), (4, "[previous, x]", 2)]
    {
        let search = "search reinforce { epochs = 1, batch = 100, warmup = 1 epochs }";
        place.write("warm.mtl", routes(copies, query, search).as_bytes());
        let out = format!("warm-{copies}-{queries}");
        place.run(&format!("search warm.mtl -o {out} --device cpu --quiet")).ok();
        let line = place.lines(&format!("{out}/search.jsonl")).remove(0);
        let subsets = (1 << copies) - 1;
        for choice in line["choices"].as_array().expect("choices") {
            if !choice["reader"].as_str().expect("text").starts_with("high") {
                continue;
            }
            let names = choice["candidates"].as_array().expect("names");
            assert_eq!(names.len(), copies + (subsets - copies) * queries, "{choice}");
            for (name, p) in names.iter().zip(choice["probabilities"].as_array().expect("numbers")) {
                let several = name.as_str().expect("text").contains(" + ");
                let share = 1.0 / subsets as f64 / if several { queries as f64 } else { 1.0 };
                assert!((p.as_f64().expect("a number") - share).abs() < 1e-12, "{copies} {queries} {name}: {p}");
            }
            let all: std::collections::HashSet<&str> = names.iter().filter_map(|n| n.as_str()).collect();
            assert_eq!(all.len(), names.len(), "each route once: {names:?}");
        }
        assert_eq!(line["entropy"], 1.0, "nothing is decided at the start");
    }
}

/// The number of choices that `check` prints counts a subset of one once.
#[test]
fn spaces_are_counted_by_distinct_routes() {
    let place = Place::new();
    for (copies, query, per_reader) in [(2, "embed", 3u64), (2, "[embed, x]", 4), (2, "[embed, previous, x]", 5)] {
        let space = format!(
            "{DATA}space s over net {{
  level embed {{ copies = 1 }}
  level low {{ copies = {copies} }}
  level high {{ copies = 1, reads = some(gate = softmax, query = {query}) }}
}}
search reinforce {{ }}
"
        );
        place.write("count.mtl", space.as_bytes());
        let said = place.run("check count.mtl").ok().err;
        assert!(said.contains(&format!("a space of {per_reader} choices")), "{said}");
    }
}

/// Random routes of a reader come as often with three queries as with one: a subset's chance is 1 / 7.
#[test]
fn random_routes_do_not_depend_on_queries() {
    let place = Place::new();
    let count = |query: &str, queries: usize| {
        place.write("random.mtl", routes(3, query, "search random { draws = 40 }").as_bytes());
        let prepared = prepare(&place.path("random.mtl"), &[]);
        let network = prepared.checked().supernet.as_ref().expect("a space");
        let choice = network.choices.iter().find(|c| c.candidates == 3).expect("a reader of low");
        let mut counts = [0.0; 7];
        let n = 7_000;
        for i in 0..n {
            let mut rng = mtlc::random::Randomness::new(1).stream("test", [i, queries as u64, 0]);
            counts[choice.draw(&mut rng) / queries] += 1.0;
        }
        let expected = n as f64 / 7.0;
        counts.iter().map(|c: &f64| (c - expected).powi(2) / expected).sum::<f64>()
    };
    // The 99.9th percentile of chi-square with 6 degrees of freedom.
    for (query, queries) in [("embed", 1), ("[embed, x]", 2), ("[embed, previous, x]", 3)] {
        let chi = count(query, queries);
        assert!(chi < 22.46, "{queries} queries: {chi}");
    }
}

/// A weighting reaches the weights of every search of routes, and what is carried for it survives a save.
#[test]
fn searches_of_routes_take_a_weighting() {
    for (name, query) in [("reinforce", "[embed, x]"), ("snr", "embed"), ("dselect_k", "embed")] {
        let mut all: Vec<(&str, Vec<f64>)> = Vec::new();
        for weighting in ["static", "uncertainty", "dwa", "gradnorm", "pcgrad", "famo"] {
            let place = Place::new();
            let search = format!("search {name} {{ epochs = 4, batch = 50, weighting = {weighting} }}");
            place.write("net.mtl", routes(2, query, &search).as_bytes());
            place.run("search net.mtl -o run --device cpu --quiet").ok();
            let weights = super::checkpoint(&place, "run/checkpoints/supernet.safetensors");
            all.push((weighting, weights.into_values().flatten().collect()));
        }
        for (i, (a, of_a)) in all.iter().enumerate() {
            for (b, of_b) in &all[..i] {
                assert!(super::far(of_a, of_b) > 1e-6, "{name}: `{a}` goes the way of `{b}`");
            }
        }
    }
}

/// A finding reports rewards that never rose, with their mean at the start and at the end. With learning rates of 0, chance decides whether
/// they rise. If the network learns, they rise.
#[test]
fn rewards_that_never_rise_are_reported() {
    let place = Place::new();
    let found = |rates: &str, seed: usize| -> Option<[f64; 2]> {
        let search = format!("search reinforce {{ epochs = 16, batch = 50, {rates} }}");
        place.write("flat.mtl", routes(2, "embed", &search).as_bytes());
        let out = format!("o-{}-{seed}", rates.len());
        let said = place.run(&format!("search flat.mtl --seed {seed} -o {out} --device cpu")).ok().err;
        let summary = place.json(&format!("{out}/summary.json"));
        let flat = summary["findings"].as_array().expect("a list").iter().find(|f| f["kind"] == "flat_reward");
        assert_eq!(flat.is_some(), said.contains("the rewards of `reinforce` never rose"), "{said}");
        flat.map(|f| ["value", "against"].map(|k| f[k].as_f64().expect("a number")))
    };
    let still: Vec<_> = (0..8).map(|seed| found("weights = sgd(lr = 0), choices = sgd(lr = 0)", seed)).collect();
    let flat: Vec<[f64; 2]> = still.iter().flatten().copied().collect();
    assert!((1..8).contains(&flat.len()), "{still:?}");
    assert!(flat.iter().all(|[last, first]| last <= first), "{flat:?}");
    assert!((0..3).all(|seed| found("weights = adam(lr = 3e-3), choices = adam(lr = 1e-2)", seed).is_none()));
}
