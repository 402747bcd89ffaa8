//! What ties a weights file to its network. A digest of meaning is not enough: weights are found by name, and names of copies, of
//! mixes, and the order in which ops are written have no meaning, so two files that mean the same may name the same weight
//! differently. The binding is the digest of meaning and beside it one of those names.

use super::canonical::canonicalise;
use super::digest::{digest, network_digest, of_text, order};
use super::encode::Encoder;
use crate::hir::{Spec, TopoSource, Topology};

/// `mtl1:sha256:...` of the network (of the whole spec for a supernet, where there is no topology), a blank, and `names:` with
/// sixteen digits.
pub fn binding(spec: &Spec, topology: Option<&Topology>) -> String {
    let meaning = match topology {
        Some(t) => network_digest(spec, t),
        None => digest(spec),
    };
    let names = of_text(&names(spec, topology));
    let digits = names.rsplit(':').next().unwrap_or_default();
    format!("{meaning} names:{}", &digits[..16])
}

/// Everything that weights are named by and meaning leaves out, in an order that follows from the meaning.
fn names(spec: &Spec, topology: Option<&Topology>) -> String {
    let mut e = Encoder::default();
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    for s in stages {
        e.list("stage", |e| order(&s.body).iter().for_each(|n| e.word(n)));
    }
    for h in spec.tasks.iter().filter_map(|t| t.head) {
        e.list("head", |e| order(&spec.heads[h.0].body).iter().for_each(|n| e.word(n)));
    }
    let Some(t) = topology else { return e.text };
    let canonical = canonicalise(spec, t);
    for n in &canonical.nodes {
        e.list("copy", |e| e.name(&t.nodes[*n].copy));
    }
    for m in &canonical.mixes {
        e.list("mix", |e| {
            e.name(&t.mixes[*m].name);
            // The rows of a gate stand in the order in which its members are written.
            for member in &t.mixes[*m].members {
                match member {
                    TopoSource::Input(i) => e.word(i.0),
                    TopoSource::Node(n) => e.name(&t.nodes[*n].copy),
                    TopoSource::Mix(m) => e.name(&t.mixes[*m].name),
                }
            }
        });
    }
    e.text
}
