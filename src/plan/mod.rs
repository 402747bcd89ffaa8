//! A checked network to something that runs: concrete and ordered, no names and no unknown shapes. Names stand beside it, in
//! [`Symbols`], for checkpoints and logs. A supernet's choices stay, as data for `runtime`; a fixed network has none.

pub mod memory;
pub mod passes;
mod per_task;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use petgraph::graph::NodeIndex;

use crate::check::nodes::{mix_ops, queries};
use crate::check::{Checked, Typed};
use crate::hir::Flow;
use crate::ir::{Choice, Network, Node, Role};
use crate::ops::mix::Gate;
use crate::ops::{Init, Op};

pub use per_task::{PerTask, lower_per_task};

/// Index of a value computed in a step.
pub type ValueId = usize;

#[derive(Debug, Clone)]
pub struct Plan {
    /// Input of the spec, and the value it becomes.
    pub inputs: Vec<(usize, ValueId)>,
    pub weights: Vec<Weight>,
    pub steps: Vec<Step>,
    /// For each choice, the upper bound (exclusive) of its decision numbers.
    pub choices: Vec<usize>,
    pub outputs: Vec<Output>,
    pub values: usize,
    /// Parameters per sample-independent unit (a stage copy, a head), for costs by unit.
    pub units: Vec<Unit>,
    /// Stretches of steps, in order and apart, that a training step computes again on its way back instead of keeping what their
    /// gradients need. They begin and end where waves do, so that siblings are not parted.
    pub forgotten: Vec<Range<usize>>,
}

impl Plan {
    /// Whether a choice is one of (subset, query).
    pub fn is_route(&self, choice: usize) -> bool {
        self.steps.iter().any(|s| matches!(&s.kind, Kind::Route(r) if r.choice == choice))
    }
}

#[derive(Debug, Clone)]
pub struct Weight {
    pub shape: Vec<usize>,
    pub init: Init,
    pub trained: bool,
    pub unit: usize,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub kind: Kind,
    pub inputs: Vec<ValueId>,
    pub output: ValueId,
    /// Indices into the plan's weights, in the op's order.
    pub weights: Vec<usize>,
    /// The unit it belongs to; `None` for selections.
    pub unit: Option<usize>,
    /// What its random draws differ by from those of other steps; no pass over the plan changes it.
    pub site: u64,
    /// Steps of one number that run do so as one ([`Op::siblings`]).
    pub siblings: Option<usize>,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Op(Arc<dyn Op>),
    /// One of the inputs, by a choice.
    Select(usize),
    /// The sum of the inputs, each times its probability in a choice; one of them where the choice has none.
    Blend(usize),
    /// Some of the inputs combined, by a choice.
    Route(Route),
}

/// A mix whose members and query a choice says. Its step's inputs are the queries, then the candidates; its weights are one gate
/// per query, over all candidates (`[candidates, numbers of the query]`): a subset takes its rows.
#[derive(Debug, Clone)]
pub struct Route {
    pub choice: usize,
    pub gate: Gate,
    /// How many of the inputs are queries.
    pub queries: usize,
    /// The mix of all candidates, by the first query: what it yields, and costs at the most.
    pub whole: Arc<dyn Op>,
}

/// A task's result: one head, or several of which a choice picks.
#[derive(Debug, Clone)]
pub struct Output {
    pub task: usize,
    pub heads: Vec<ValueId>,
    pub choice: Option<usize>,
}

/// A stage copy, a head or a mix: what is reached or not as a whole.
#[derive(Debug, Clone)]
pub struct Unit {
    pub params: u64,
}

/// Names, in step with the plan's weights and units.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    /// `c2.a.0.weight`, `heads.smiling.0.bias`: unique and stable.
    pub weights: Vec<String>,
    pub units: Vec<String>,
    /// `c2.b`, `heads.smiling`: who chooses.
    pub choices: Vec<String>,
    /// Names of each choice's candidates.
    pub candidates: Vec<Vec<String>>,
    pub tasks: Vec<String>,
}

/// Why a checked network has no plan yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotYet {
    #[error("sizes are open until the data schema is frozen")]
    Open,
    #[error("one task at a time needs a space whose levels read `one`")]
    NoTree,
}

struct Lowering<'a> {
    checked: &'a Checked,
    network: &'a Network,
    plan: Plan,
    symbols: Symbols,
    values: HashMap<NodeIndex, ValueId>,
}

/// Lowers a network of this spec.
pub fn lower(checked: &Checked, network: &Network) -> Result<(Plan, Symbols), NotYet> {
    lower_with(checked, network, &[])
}

/// Lowers a network, with the values of some of its stage copies as outputs after the tasks' own.
pub fn lower_with(checked: &Checked, network: &Network, taps: &[NodeIndex]) -> Result<(Plan, Symbols), NotYet> {
    let plan = Plan {
        inputs: Vec::new(),
        weights: Vec::new(),
        steps: Vec::new(),
        choices: network.choices.iter().map(Choice::numbers).collect(),
        outputs: Vec::new(),
        values: 0,
        units: Vec::new(),
        forgotten: Vec::new(),
    };
    let mut l = Lowering { checked, network, plan, symbols: Symbols::default(), values: HashMap::new() };
    l.symbols.tasks = checked.spec.tasks.iter().map(|t| t.name.clone()).collect();
    l.name_choices();
    for node in &network.order {
        l.node(*node)?;
    }
    for tap in taps {
        l.plan.outputs.push(Output { task: 0, heads: vec![l.values[tap]], choice: None });
    }
    Ok((l.plan, l.symbols))
}

impl Lowering<'_> {
    fn value(&mut self) -> ValueId {
        self.plan.values += 1;
        self.plan.values - 1
    }

    fn name_choices(&mut self) {
        let stages = self.checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        self.symbols.choices = choice_names(self.checked, self.network);
        for c in &self.network.choices {
            let of = &stages[c.of.0].name;
            let names = (0..c.candidates).map(|i| format!("{of}.{}", self.network.copy_name(c.of, i))).collect();
            self.symbols.candidates.push(names);
        }
    }

    fn node(&mut self, node: NodeIndex) -> Result<(), NotYet> {
        let checked = self.checked;
        let stages = checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        match self.network.graph[node].clone() {
            Node::Input(id) => {
                let v = self.value();
                self.plan.inputs.push((id.0, v));
                self.values.insert(node, v);
            }
            Node::Pool { .. } => {}
            Node::Select { choice, .. } => {
                let inputs = self.network.candidates(node).iter().map(|c| self.values[c]).collect();
                let output = self.value();
                self.plan.steps.push(Step {
                    kind: Kind::Select(choice.0),
                    inputs,
                    output,
                    weights: vec![],
                    unit: None,
                    site: self.plan.steps.len() as u64,
                    siblings: None,
                });
                self.values.insert(node, output);
            }
            Node::Mix { choice: Some(choice), .. } => self.route(node, choice.0)?,
            Node::Mix { name, .. } => {
                let op = mix_ops(checked, self.network, node).ok_or(NotYet::Open)?.swap_remove(0);
                let inputs: Vec<ValueId> = mix_inputs(self.network, node).iter().map(|n| self.values[n]).collect();
                let label = name.unwrap_or_else(|| format!("mix{}", node.index()));
                let unit = self.unit(format!("mix.{label}"));
                let output = self.op(op, inputs, unit, &format!("mix.{label}"))?;
                self.values.insert(node, output);
            }
            Node::Stage { stage, copy } => {
                let label = format!("{}.{}", stages[stage.0].name, self.network.copy_name(stage, copy));
                let output = self.body(&checked.stages[stage.0], node, &label)?;
                self.values.insert(node, output);
            }
            Node::Head { task, copy } => {
                let name = &checked.spec.tasks[task.0].name;
                let label = match copy {
                    None => format!("heads.{name}"),
                    Some(k) => format!("heads.{name}.{}", crate::ir::copy_letters(k)),
                };
                let typed = checked.heads[task.0].as_ref().ok_or(NotYet::Open)?;
                let output = self.body(typed, node, &label)?;
                self.values.insert(node, output);
            }
            Node::Loss { task, choice } => {
                let heads = self.network.candidates(node).iter().map(|h| self.values[h]).collect();
                self.plan.outputs.push(Output { task: task.0, heads, choice: choice.map(|c| c.0) });
            }
        }
        Ok(())
    }

    /// The mix of a reader that reads `some`: a gate for each query.
    fn route(&mut self, node: NodeIndex, choice: usize) -> Result<(), NotYet> {
        let ops = mix_ops(self.checked, self.network, node).ok_or(NotYet::Open)?;
        let Node::Mix { gate, .. } = &self.network.graph[node] else { unreachable!("called for mixes") };
        let gate = Gate::named(gate.word());
        let stages = self.checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        let of = &stages[self.network.choices[choice].of.0].name;
        // A reader may choose among the copies of several stages.
        let label = format!("mix.{}.{of}", self.symbols.choices[choice]);
        let unit = self.unit(label.clone());
        let queries: Vec<NodeIndex> = queries(self.network, node);
        let mut weights = Vec::new();
        for (q, op) in ops.iter().enumerate() {
            weights.extend(self.weights(&**op, unit, &format!("{label}.{q}"))?);
        }
        let inputs = queries.iter().chain(&self.network.candidates(node)).map(|n| self.values[n]).collect();
        let whole = ops.into_iter().next().expect("a mix has an op");
        let route = Route { choice, gate, queries: queries.len(), whole };
        let output = self.value();
        let site = self.plan.steps.len() as u64;
        let kind = Kind::Route(route);
        self.plan.steps.push(Step { kind, inputs, output, weights, unit: Some(unit), site, siblings: None });
        self.values.insert(node, output);
        Ok(())
    }

    fn unit(&mut self, name: String) -> usize {
        self.plan.units.push(Unit { params: 0 });
        self.symbols.units.push(name);
        self.plan.units.len() - 1
    }

    fn body(&mut self, typed: &Typed, node: NodeIndex, label: &str) -> Result<ValueId, NotYet> {
        let sources: Vec<ValueId> = self
            .network
            .sources(node)
            .iter()
            .filter(|(r, _)| matches!(r, Role::Arg(_)))
            .map(|(_, n)| self.values[n])
            .collect();
        let unit = self.unit(label.to_string());
        let mut values: Vec<ValueId> = Vec::with_capacity(typed.ops.len());
        for (i, t) in typed.ops.iter().enumerate() {
            let inputs = t
                .inputs
                .iter()
                .map(|f| match f {
                    Flow::Source(s) => sources[*s],
                    Flow::Node(n) => values[*n],
                })
                .collect();
            let output = self.op(t.op.clone(), inputs, unit, &format!("{label}.{i}"))?;
            values.push(output);
        }
        Ok(match typed.out {
            Flow::Source(s) => sources[s],
            Flow::Node(n) => values[n],
        })
    }

    fn op(&mut self, op: Arc<dyn Op>, inputs: Vec<ValueId>, unit: usize, label: &str) -> Result<ValueId, NotYet> {
        let weights = self.weights(&*op, unit, label)?;
        let output = self.value();
        let site = self.plan.steps.len() as u64;
        let kind = Kind::Op(op);
        self.plan.steps.push(Step { kind, inputs, output, weights, unit: Some(unit), site, siblings: None });
        Ok(output)
    }

    /// Adds an op's weights to the plan.
    fn weights(&mut self, op: &dyn Op, unit: usize, label: &str) -> Result<Vec<usize>, NotYet> {
        let mut weights = Vec::new();
        for w in op.weights() {
            let shape: Vec<usize> = w.shape.iter().map(|d| d.known()).collect::<Option<_>>().ok_or(NotYet::Open)?;
            if w.trained {
                let numbers = shape.iter().fold(1u64, |n, d| n.saturating_mul(*d as u64));
                self.plan.units[unit].params = self.plan.units[unit].params.saturating_add(numbers);
            }
            self.symbols.weights.push(format!("{label}.{}", w.name));
            self.plan.weights.push(Weight { shape, init: w.init, trained: w.trained, unit });
            weights.push(self.plan.weights.len() - 1);
        }
        Ok(weights)
    }
}

/// Who makes each choice of a supernet: `c2.b`, `heads.smiling`.
pub fn choice_names(checked: &Checked, network: &Network) -> Vec<String> {
    let stages = checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let name = |c: &crate::ir::Choice| match c.reader {
        crate::ir::Reader::Stage(s, copy) => format!("{}.{}", stages[s.0].name, network.copy_name(s, copy)),
        crate::ir::Reader::Head(t) => format!("heads.{}", checked.spec.tasks[t.0].name),
    };
    network.choices.iter().map(name).collect()
}

/// What a mix's op reads, in its order: the query where there is one, then the members.
fn mix_inputs(network: &Network, node: NodeIndex) -> Vec<NodeIndex> {
    queries(network, node).into_iter().take(1).chain(network.candidates(node)).collect()
}
