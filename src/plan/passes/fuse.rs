//! Neighbours in a chain as one op, where the ops say that they can be: what lies between them is never written to memory.

use super::Rewrite;
use crate::plan::{Kind, Plan, Step};

pub static PASS: Rewrite = Rewrite {
    name: "fuse",
    doc: "An op and the one that alone reads it are one: a convolution, a linear layer or a batch norm with the ReLU after it, and \
          with the max pool after that.",
    run,
};

fn run(plan: &mut Plan) {
    let mut readers = vec![0usize; plan.values];
    plan.steps.iter().flat_map(|s| &s.inputs).for_each(|v| readers[*v] += 1);
    // What is given out must be there.
    plan.outputs.iter().flat_map(|o| &o.heads).for_each(|v| readers[*v] += 2);
    let mut kept: Vec<Step> = Vec::with_capacity(plan.steps.len());
    let mut producer = vec![None; plan.values];
    for step in plan.steps.drain(..) {
        if let Some(at) = before(&kept, &producer, &readers, &step)
            && let Some(fused) = both(&kept[at], &step)
        {
            producer[fused.output] = Some(at);
            kept[at] = fused;
            continue;
        }
        producer[step.output] = Some(kept.len());
        kept.push(step);
    }
    plan.steps = kept;
}

/// The step whose value this one alone reads, and nothing else.
fn before(kept: &[Step], producer: &[Option<usize>], readers: &[usize], step: &Step) -> Option<usize> {
    let [value] = step.inputs.as_slice() else { return None };
    let at = producer[*value]?;
    (readers[*value] == 1 && kept[at].unit == step.unit).then_some(at)
}

fn both(first: &Step, second: &Step) -> Option<Step> {
    let (Kind::Op(a), Kind::Op(b)) = (&first.kind, &second.kind) else { return None };
    Some(Step {
        kind: Kind::Op(a.fuse(&**b)?),
        inputs: first.inputs.clone(),
        output: second.output,
        weights: [first.weights.as_slice(), &second.weights].concat(),
        unit: first.unit,
        // Draws nothing itself: what draws is not fused.
        site: first.site,
        siblings: None,
    })
}
