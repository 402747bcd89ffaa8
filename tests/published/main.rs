//! Published methods against their papers and released code: what is drawn, learned, kept, read and reported.

#[path = "../run/support.rs"]
#[allow(dead_code, reason = "shared with `tests/run`")]
mod support;

mod bmtas;
mod dmtg;
mod elsewhere;
mod mtnas;

use support::*;

/// Checks that a search that is stopped and resumed until it is complete writes the same bytes as an uninterrupted one.
fn stopped_and_resumed(make: impl Fn() -> Place, files: &[&str]) {
    let whole = make();
    whole.run("search net.mtl -o run --device cpu --quiet").ok();
    let stopped = make();
    let mut code = stopped.run("search net.mtl -o run --device cpu --quiet --time 1200ms --save-every 1ms").code;
    let mut stops = 0;
    while code == 75 && stops < 200 {
        stops += 1;
        code = stopped.run("search --resume run --quiet --time 1200ms --save-every 1ms").code;
    }
    assert_eq!(code, 0, "after {stops} stops");
    for name in files {
        let read = |p: &Place| std::fs::read(p.path("run").join(name)).expect("it is there");
        assert!(read(&whole) == read(&stopped), "{name} differs after {stops} stops");
    }
}

/// The table's program with another space and search.
fn program(space: &str, search: &str) -> String {
    let (start, end) = (SPEC.find("space branching").expect("it has one"), SPEC.find("train {").expect("it has one"));
    format!("{}{space}\n\n{search}\n\n{}", &SPEC[..start], &SPEC[end..])
}

/// The numbers of all weights of a checkpoint, by name.
fn checkpoint(place: &Place, name: &str) -> std::collections::BTreeMap<String, Vec<f64>> {
    let path = place.path(name);
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).expect("a checkpoint");
    let flat = |t: candle_core::Tensor| t.flatten_all()?.to_dtype(candle_core::DType::F64)?.to_vec1::<f64>();
    tensors.into_iter().map(|(n, t)| (n, flat(t).expect("numbers"))).collect()
}

/// The largest difference of two lists.
fn far(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
