//! The digest of a spec's meaning. It changes with every change of meaning and with nothing else: layout, comments, names of
//! parameters and blocks, the order of independent items, defaults written or not, what stands in which file, where data lie and
//! provenance do not count, nor does the memory that a training may take. The order of tasks and of stages counts: copies are named and weights are drawn in it.

use sha2::{Digest, Sha256};

use super::canonical::canonical;
use super::encode::Encoder;
use super::topology_text;
use crate::data::Reading;
use crate::data::axes::Order;
use crate::hir::{
    Body, Columns, Data, Flow, Head, Input, Level, Mix, Query, Read, Reads, Search, Space, Spec, Stage, StageId, Task,
    Topology,
};
use crate::objective::TaskKind;
use crate::ops::{Dim, TensorType};

/// Says how the digest is made, so that it may be made otherwise one day.
pub(super) const PREFIX: &str = "mtl1:sha256:";

/// The hexadecimal digits of a short digest.
pub(super) const SHORT: usize = 8;

/// Attributes of a training that change no number of it.
const NO_NUMBER: &[&str] = &["memory"];

/// `mtl1:sha256:` and 64 hexadecimal digits.
pub fn digest(spec: &Spec) -> String {
    of_text(&meaning(spec, None))
}

/// The digest of one network of a spec: that of the file that [`derived_file`](super::derived_file) writes for this topology,
/// which has neither space nor search.
pub fn network_digest(spec: &Spec, topology: &Topology) -> String {
    of_text(&meaning(spec, Some(topology)))
}

/// An eight-digit digest of a part of a spec.
fn short(write: &dyn Fn(&mut Encoder)) -> String {
    let mut e = Encoder::default();
    write(&mut e);
    of_text(&e.text)[PREFIX.len()..][..SHORT].to_string()
}

/// The parts of a spec that determine what is searched and how, each with a short digest. Like [`parts`], but with the space and the
/// search instead of the topology.
pub fn search_parts(spec: &Spec) -> Vec<(&'static str, String)> {
    let mut all = parts(spec);
    all.retain(|(name, _)| *name != "topology");
    all.push(("space", short(&|e| spec.space.iter().for_each(|s| space(e, spec, s)))));
    all.push(("search", short(&|e| sorted(e, &spec.searches, |e, s| search(e, spec, s)))));
    all
}

/// The parts of a spec that say what is trained and on what, each with a short digest. They tell which part of a file was
/// changed; whether one was is for the whole digest to say.
pub fn parts(spec: &Spec) -> Vec<(&'static str, String)> {
    vec![
        ("data", short(&|e| sorted(e, &spec.data, source))),
        ("schema", short(&|e| sorted(e, &spec.data, frozen))),
        ("inputs", short(&|e| sorted(e, &spec.inputs, |e, i| input(e, spec, i)))),
        ("tasks", short(&|e| spec.tasks.iter().for_each(|t| goal(e, t)))),
        ("heads", short(&|e| spec.tasks.iter().for_each(|t| decoder(e, spec, t)))),
        ("backbone", short(&|e| backbone(e, spec))),
        ("topology", short(&|e| topology(e, spec, spec.topology.as_ref()))),
        ("train", short(&|e| train(e, spec))),
    ]
}

pub(super) fn of_text(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    PREFIX.chars().chain(hash.iter().flat_map(|b| format!("{b:02x}").chars().collect::<Vec<_>>())).collect()
}

/// The text that digests are taken over: of the spec, or of one network of it.
fn meaning(spec: &Spec, network: Option<&Topology>) -> String {
    let mut e = Encoder::default();
    e.list("mtl", |e| {
        e.word(1);
        sorted(e, &spec.data, data);
        sorted(e, &spec.inputs, |e, i| input(e, spec, i));
        for t in &spec.tasks {
            task(e, spec, t);
        }
        backbone(e, spec);
        if network.is_none() {
            if let Some(s) = &spec.space {
                space(e, spec, s);
            }
            sorted(e, &spec.searches, |e, s| search(e, spec, s));
        }
        topology(e, spec, network.or(spec.topology.as_ref()));
        train(e, spec);
    });
    e.text
}

fn backbone(e: &mut Encoder, spec: &Spec) {
    let Some(b) = &spec.backbone else { return };
    e.list("backbone", |e| {
        e.name(&b.name);
        b.stages.iter().for_each(|s| stage(e, spec, s));
    });
}

fn topology(e: &mut Encoder, spec: &Spec, t: Option<&Topology>) {
    if let Some(t) = t {
        e.word(topology_text::plain(spec, &canonical(spec, t)));
    }
}

/// A spec without `train` is trained by its defaults, so that it means the same as one that writes them.
fn train(e: &mut Encoder, spec: &Spec) {
    let defaults;
    let args = match &spec.train {
        Some(t) => &t.args,
        None => {
            defaults = crate::hir::build::defaults(crate::hir::schema::train_attrs());
            &defaults
        }
    };
    e.list("train", |e| e.args(args, NO_NUMBER));
}

/// Items whose order has no meaning.
fn sorted<T>(e: &mut Encoder, items: &[T], write: impl Fn(&mut Encoder, &T)) {
    let mut texts: Vec<String> = items
        .iter()
        .map(|i| {
            let mut e = Encoder::default();
            write(&mut e, i);
            e.text
        })
        .collect();
    texts.sort_unstable();
    texts.iter().for_each(|t| e.text.push_str(t));
}

fn data(e: &mut Encoder, d: &Data) {
    source(e, d);
    frozen(e, d);
}

/// Encodes where a data set comes from and how it is read.
fn source(e: &mut Encoder, d: &Data) {
    e.list("data", |e| {
        e.name(&d.name);
        e.args(&d.args, &[]);
    });
}

/// Encodes the frozen facts of a data set.
fn frozen(e: &mut Encoder, d: &Data) {
    if let Some(s) = &d.schema {
        e.list("schema", |e| {
            e.name(&d.name);
            e.name(&s.digest_text());
        });
    }
}

fn input(e: &mut Encoder, spec: &Spec, i: &Input) {
    e.list("input", |e| {
        e.name(&i.name);
        match &i.ty {
            TensorType::Dense(dims) => e.list("f32", |e| {
                dims.iter().for_each(|d| match d {
                    Dim::Known(n) => e.word(n),
                    Dim::Open => e.word("open"),
                })
            }),
            // The columns say the rest.
            TensorType::Fields(_) => e.word("fields"),
        }
        let sources: Vec<&Columns> = i.from.iter().chain(&i.also).collect();
        if sources.is_empty() || sources.iter().any(|c| c.names.is_none()) {
            e.args(&i.args, &[]);
            return;
        }
        for source in sources {
            e.list("from", |e| {
                e.name(&spec.data[source.data.0].name);
                source.names.iter().flatten().for_each(|n| e.name(n));
            });
        }
        e.args(&i.args, &["from", "except"]);
    });
}

fn task(e: &mut Encoder, spec: &Spec, t: &Task) {
    e.list("task", |e| {
        aim(e, t);
        head(e, spec, t);
    });
}

/// A task without its head, for what is said of parts.
fn goal(e: &mut Encoder, t: &Task) {
    e.list("task", |e| aim(e, t));
}

/// The head of a task alone.
fn decoder(e: &mut Encoder, spec: &Spec, t: &Task) {
    e.list("task", |e| {
        e.name(&t.name);
        head(e, spec, t);
    });
}

fn aim(e: &mut Encoder, t: &Task) {
    e.name(&t.name);
    e.word(t.kind.name());
    match t.kind {
        TaskKind::Classes(n) | TaskKind::Multilabel(n) => match n {
            Some(n) => e.word(n),
            None => e.word("open"),
        },
        TaskKind::Regression(n) | TaskKind::Segmentation(n) => e.word(n),
        TaskKind::Binary | TaskKind::Depth | TaskKind::Normals => {}
    }
    if let Some(l) = &t.label {
        e.list("label", |e| e.label(&l.label));
    }
    if let Some(m) = &t.mask {
        e.list("mask", |e| e.label(&m.label));
    }
    let Reading { ignore, order, resize } = &t.reading;
    if !ignore.is_empty() {
        sorted(e, ignore, |e, v| e.list("ignore", |e| e.number(*v)));
    }
    if *order != Order::Chw {
        e.list("layout", |e| e.word(order.word()));
    }
    if let Some(how) = resize {
        e.list("resize", |e| e.word(how.word()));
    }
    e.list("loss", |e| e.call(&t.loss));
    e.list("metrics", |e| t.metrics.iter().for_each(|m| e.call(m)));
    e.list("weight", |e| e.number(t.weight));
    if t.kind.has_units() {
        e.list("standardize", |e| e.word(t.standardize));
    }
}

fn head(e: &mut Encoder, spec: &Spec, t: &Task) {
    let Some(h) = t.head else { return };
    let Head { reads, body: b, .. } = &spec.heads[h.0];
    e.list("head", |e| body(e, spec, reads, b));
}

fn stage(e: &mut Encoder, spec: &Spec, s: &Stage) {
    e.list("stage", |e| {
        e.name(&s.name);
        body(e, spec, &s.reads, &s.body);
    });
}

fn stage_name(spec: &Spec, s: StageId) -> &str {
    spec.backbone.as_ref().and_then(|b| b.stages.get(s.0)).map_or("", |s| &s.name)
}

fn read(e: &mut Encoder, spec: &Spec, r: Read) {
    match r {
        Read::Input(i) => e.list("input", |e| e.name(&spec.inputs[i.0].name)),
        Read::Stage(s) => e.list("of", |e| e.name(stage_name(spec, s))),
    }
}

/// The ops of a dataflow in an order that follows from its result alone: what an op reads before itself, in the order in which it
/// reads it. Values that nothing uses still have weights; they follow in the order written.
pub(super) fn order(b: &Body) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    let mut placed = vec![false; b.nodes.len()];
    let roots = match b.out {
        Flow::Node(n) => Some(n),
        Flow::Source(_) => None,
    };
    for root in roots.into_iter().chain(0..b.nodes.len()) {
        let mut stack = vec![(root, false)];
        while let Some((n, ready)) = stack.pop() {
            if placed[n] {
                continue;
            }
            if ready {
                placed[n] = true;
                order.push(n);
                continue;
            }
            stack.push((n, true));
            stack.extend(b.nodes[n].inputs.iter().rev().filter_map(|f| match f {
                Flow::Node(n) => Some((*n, false)),
                Flow::Source(_) => None,
            }));
        }
    }
    order
}

/// A dataflow by what its result is made of, so that names and the order of values in a block do not count.
fn body(e: &mut Encoder, spec: &Spec, reads: &[Read], b: &Body) {
    e.list("reads", |e| sorted(e, reads, |e, r| read(e, spec, *r)));
    let order = order(b);
    let mut number = vec![0; b.nodes.len()];
    order.iter().enumerate().for_each(|(at, n)| number[*n] = at);
    let flow = |e: &mut Encoder, f: Flow| match f {
        Flow::Source(i) => match reads.get(i) {
            Some(r) => read(e, spec, *r),
            None => e.word("nothing"),
        },
        Flow::Node(n) => e.word(number[n]),
    };
    for n in order {
        let node = &b.nodes[n];
        e.list(node.op.call.name, |e| {
            e.args(&node.args, &[]);
            e.list("on", |e| node.inputs.iter().for_each(|f| flow(e, *f)));
        });
    }
    e.list("out", |e| flow(e, b.out));
}

fn space(e: &mut Encoder, spec: &Spec, s: &Space) {
    e.list("space", |e| {
        for Level { stage, copies, reads: r, .. } in &s.levels {
            e.list("level", |e| {
                e.name(stage_name(spec, *stage));
                e.word(copies);
                reads(e, spec, r);
            });
        }
        e.list("heads", |e| {
            e.word(if s.heads.per_copy { "copy" } else { "task" });
            reads(e, spec, &s.heads.reads);
        });
    });
}

fn reads(e: &mut Encoder, spec: &Spec, r: &Reads) {
    e.list(r.word(), |e| {
        let Some(Mix { gate, queries, .. }) = r.mix() else { return };
        e.word(gate.word());
        sorted(e, queries, |e, q| match q {
            Query::Read(r) => read(e, spec, *r),
            Query::Previous => e.word("previous"),
        });
    });
}

fn search(e: &mut Encoder, spec: &Spec, s: &Search) {
    e.list("search", |e| {
        e.word(s.strategy.call.name);
        e.args(&s.args, &[]);
        if let Some(single) = &s.single {
            e.list("single", |e| e.args(single, NO_NUMBER));
        }
        sorted(e, &s.stages, |e, stage| read(e, spec, Read::Stage(*stage)));
        if s.heads {
            e.word("heads");
        }
    });
}
