//! A supernet unrolled by task: every task goes its own way through the copies of each stage, and its feature after a stage is a blend
//! of what the copies make of its feature before it (the forward pass of BMTAS, Bruggemann et al. 2020). Weights, their names and
//! their order are the supernet's; a copy that serves several tasks runs once for each. What no choice comes before is the same for all
//! tasks and runs once.

use std::collections::HashMap;

use super::{Kind, NotYet, Output, Plan, Step, Symbols, ValueId, lower};
use crate::check::{Checked, Typed};
use crate::hir::{Flow, StageId};
use crate::ir::{Network, Node, Role};

/// The unrolled plan. Its choices are of a task at a stage, by stage and then by task.
pub struct PerTask {
    pub plan: Plan,
    pub symbols: Symbols,
    /// `(stage, task)` of each choice.
    pub places: Vec<(usize, usize)>,
}

/// A value for all tasks, or one for each.
#[derive(Clone)]
enum Feature {
    All(ValueId),
    Each(Vec<ValueId>),
}

impl Feature {
    fn of(&self, task: usize) -> ValueId {
        match self {
            Feature::All(v) => *v,
            Feature::Each(all) => all[task],
        }
    }
}

struct Unrolling {
    plan: Plan,
    units: HashMap<String, usize>,
    weights: HashMap<String, usize>,
}

/// Unrolls the supernet of a space of trees.
pub fn lower_per_task(checked: &Checked, network: &Network) -> Result<PerTask, NotYet> {
    let (supernet, mut symbols) = lower(checked, network)?;
    let place = |names: &[String]| names.iter().enumerate().map(|(i, n)| (n.clone(), i)).collect();
    let (units, weights) = (place(&symbols.units), place(&symbols.weights));
    let plan =
        Plan { inputs: Vec::new(), steps: Vec::new(), choices: Vec::new(), outputs: Vec::new(), values: 0, ..supernet };
    let mut u = Unrolling { plan, units, weights };
    (symbols.choices, symbols.candidates) = (Vec::new(), Vec::new());
    let stages = checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let tasks = checked.spec.tasks.len();
    let mut inputs: HashMap<usize, ValueId> = HashMap::new();
    let mut features: Vec<Option<Feature>> = vec![None; stages.len()];
    let mut places = Vec::new();
    // A stage's copies in their order, when the first of them comes up.
    for node in &network.order {
        match network.graph[*node] {
            Node::Input(id) => {
                let v = u.value();
                u.plan.inputs.push((id.0, v));
                inputs.insert(id.0, v);
            }
            Node::Stage { stage: StageId(s), .. } if features[s].is_none() => {
                let mut copies: Vec<(usize, _)> = network
                    .graph
                    .node_indices()
                    .filter_map(|n| match network.graph[n] {
                        Node::Stage { stage, copy } if stage.0 == s => Some((copy, n)),
                        _ => None,
                    })
                    .collect();
                copies.sort_unstable();
                let reads = sources(network, copies[0].1, &inputs, &features);
                let alike = reads.iter().all(|f| matches!(f, Feature::All(_)));
                let label = |copy: usize| format!("{}.{}", stages[s].name, network.copy_name(StageId(s), copy));
                let body = &checked.stages[s];
                // What the copies make of the features of a task.
                let run = |u: &mut Unrolling, task: usize| -> Result<Vec<ValueId>, NotYet> {
                    let args: Vec<ValueId> = reads.iter().map(|f| f.of(task)).collect();
                    copies.iter().map(|(copy, _)| u.body(body, &args, &label(*copy))).collect()
                };
                let once = if alike { Some(run(&mut u, 0)?) } else { None };
                features[s] = Some(match (&once, copies.len()) {
                    (Some(values), 1) => Feature::All(values[0]),
                    (_, count) => {
                        let mut each = Vec::with_capacity(tasks);
                        for task in 0..tasks {
                            let values = match &once {
                                Some(values) => values.clone(),
                                None => run(&mut u, task)?,
                            };
                            if count == 1 {
                                each.push(values[0]);
                                continue;
                            }
                            let output = u.value();
                            let choice = u.plan.choices.len();
                            u.plan.choices.push(count);
                            places.push((s, task));
                            symbols.choices.push(format!("{}.{}", checked.spec.tasks[task].name, stages[s].name));
                            symbols.candidates.push(copies.iter().map(|(copy, _)| label(*copy)).collect());
                            u.step(Kind::Blend(choice), values, output, Vec::new(), None);
                            each.push(output);
                        }
                        Feature::Each(each)
                    }
                });
            }
            Node::Head { task, copy: None } => {
                let reads = sources(network, *node, &inputs, &features);
                let args: Vec<ValueId> = reads.iter().map(|f| f.of(task.0)).collect();
                let typed = checked.heads[task.0].as_ref().ok_or(NotYet::Open)?;
                let value = u.body(typed, &args, &format!("heads.{}", checked.spec.tasks[task.0].name))?;
                u.plan.outputs.push(Output { task: task.0, heads: vec![value], choice: None });
            }
            Node::Head { .. } | Node::Mix { .. } => return Err(NotYet::NoTree),
            Node::Stage { .. } | Node::Select { .. } | Node::Pool { .. } | Node::Loss { .. } => {}
        }
    }
    Ok(PerTask { plan: u.plan, symbols, places })
}

/// What a copy or a head reads, in its order: of a selection, the stage whose copies are to choose from.
fn sources(
    network: &Network,
    node: petgraph::graph::NodeIndex,
    inputs: &HashMap<usize, ValueId>,
    features: &[Option<Feature>],
) -> Vec<Feature> {
    let of = |stage: StageId| features[stage.0].clone().expect("stages come in order");
    let args = network.sources(node).into_iter().filter(|(r, _)| matches!(r, Role::Arg(_)));
    args.map(|(_, n)| match network.graph[n] {
        Node::Input(id) => Feature::All(inputs[&id.0]),
        Node::Select { choice, .. } => of(network.choices[choice.0].of),
        Node::Stage { stage, .. } => of(stage),
        _ => unreachable!("a copy of a tree reads inputs and copies"),
    })
    .collect()
}

impl Unrolling {
    fn value(&mut self) -> ValueId {
        self.plan.values += 1;
        self.plan.values - 1
    }

    fn step(&mut self, kind: Kind, inputs: Vec<ValueId>, output: ValueId, weights: Vec<usize>, unit: Option<usize>) {
        let site = self.plan.steps.len() as u64;
        self.plan.steps.push(Step { kind, inputs, output, weights, unit, site, siblings: None });
    }

    /// A stage copy or a head on these values, with the weights that the supernet gives it.
    fn body(&mut self, typed: &Typed, sources: &[ValueId], label: &str) -> Result<ValueId, NotYet> {
        let mut values: Vec<ValueId> = Vec::with_capacity(typed.ops.len());
        let value = |values: &[ValueId], f: &Flow| match f {
            Flow::Source(s) => sources[*s],
            Flow::Node(n) => values[*n],
        };
        for (i, t) in typed.ops.iter().enumerate() {
            let inputs = t.inputs.iter().map(|f| value(&values, f)).collect();
            let weights = t.op.weights().iter().map(|w| self.weights[&format!("{label}.{i}.{}", w.name)]).collect();
            let output = self.value();
            self.step(Kind::Op(t.op.clone()), inputs, output, weights, Some(self.units[label]));
            values.push(output);
        }
        Ok(value(&values, &typed.out))
    }
}
