//! Steps in the order of their depth: those that do not wait for one another become neighbours, and the runtime runs such neighbours
//! at once. Copies of a stage and heads do not wait for one another, whichever parents they have.

use super::Rewrite;
use crate::plan::Plan;

pub static PASS: Rewrite = Rewrite {
    name: "level",
    doc: "Steps stand in the order of their depth, so that copies of a stage, and heads, run at once on several threads.",
    run,
};

fn run(plan: &mut Plan) {
    let mut of_value = vec![0usize; plan.values];
    let mut depths = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let depth = step.inputs.iter().map(|v| of_value[*v] + 1).max().unwrap_or(0);
        of_value[step.output] = depth;
        depths.push(depth);
    }
    // Of one depth in the order that they had.
    let mut steps: Vec<_> = depths.into_iter().zip(plan.steps.drain(..)).collect();
    steps.sort_by_key(|(depth, _)| *depth);
    plan.steps = steps.into_iter().map(|(_, step)| step).collect();
}
