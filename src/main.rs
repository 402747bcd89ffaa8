//! temporary
use std::path::Path;
use mtlc::experiment::{self, *};
struct P(std::time::Instant);
impl mtlc::runtime::record::Listener for P {
    fn epoch(&mut self, e: &mtlc::runtime::record::EpochEvent) {
        let v = e.validation.as_ref().unwrap();
        eprintln!("{} {} train {:.4} val {:.4} {:.1}s {}", e.phase, e.epoch, e.train_loss, v.loss, e.seconds, v.tasks.iter().map(|t| format!("{} {:.4}", t.task, t.metrics.last().unwrap().value.unwrap_or(0.))).collect::<Vec<_>>().join(" "));
    }
    fn choices(&mut self, e: &mtlc::runtime::record::ChoicesEvent) { eprintln!("  tau {:.2} entropy {:.4}", e.temperature, e.entropy); }
}
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let p = match experiment::prepare(Path::new(&a[1]), &[]) { Ok(p) => p, Err(Failure::Spec(c)) => { print!("{}", mtlc::diag::render::render(mtlc::diag::render::MessageFormat::Human, &c.diagnostics, &c.sources, Default::default())); return } Err(Failure::Run(e)) => { println!("{e} {:?}", e.help()); return } };
    for n in &p.feed.dataset.notes { println!("note {n}"); }
    let f = RunFolder::create(Path::new(&a[2])).unwrap();
    let mut l = P(std::time::Instant::now());
    let d = candle_core::Device::Cpu;
    let found = match experiment::search(&p, &f, 0, &d, &mut l) { Ok(f) => f, Err(Failure::Run(e)) => panic!("{e}"), Err(Failure::Spec(c)) => { print!("{}", mtlc::diag::render::render(mtlc::diag::render::MessageFormat::Human, &c.diagnostics, &c.sources, Default::default())); return } };
    println!("{:?}", found.result.decisions);
    for n in &found.derived.topology.nodes { println!("{:?}.{} {:?}", n.stage, n.copy, n.reads); }
    println!("{:?}", found.derived.topology.tasks);
    let mut all = vec![Candidate { name: "derived".into(), topology: found.derived.topology.clone() }];
    all.extend(experiment::baselines(p.checked()));
    for c in &all { match experiment::train(&p, c, &f, 0, &d, &mut l) { Ok(r) => println!("{} params {} lat {:?} {:?}", r.name, r.params, r.latency.unwrap().median, r.test.tasks.iter().map(|t| t.metrics.iter().map(|m| m.value.unwrap_or(0.)).collect::<Vec<_>>()).collect::<Vec<_>>()), Err(Failure::Run(e)) => panic!("{e}"), _ => {} } }
}
