//! Ops of one kind that read one value are marked, and those of them that a step needs run as one where that is worth it, which their op
//! knows ([`crate::ops::Op::siblings`]): heads of one trunk; on a GPU also copies of a stage that all read the input. Copies that choose
//! their parents each want a gradient of their own for what they read: they run at once (`level`).

use std::collections::HashMap;

use super::Rewrite;
use crate::plan::{Kind, Plan};

pub static PASS: Rewrite = Rewrite {
    name: "siblings",
    doc: "Linear layers that read one value, as the heads of a trunk do, are one product, and what they read gets \
          one gradient in place of a sum.",
    run,
};

fn run(plan: &mut Plan) {
    let mut found: HashMap<(usize, String), Vec<usize>> = HashMap::new();
    for (i, step) in plan.steps.iter().enumerate() {
        if let (Kind::Op(op), [value]) = (&step.kind, step.inputs.as_slice())
            && let Some(kin) = op.kin()
        {
            found.entry((*value, kin)).or_default().push(i);
        }
    }
    for steps in found.into_values().filter(|s| s.len() > 1) {
        // A number that no other siblings have, whatever the order of the map.
        steps.iter().for_each(|i| plan.steps[*i].siblings = Some(steps[0]));
    }
}
