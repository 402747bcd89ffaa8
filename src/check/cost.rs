//! Parameters, multiply-accumulates and activation memory per unit, per task and of whole networks.

use std::collections::HashMap;

use super::shared::{Shared, passing};
use super::{Checked, Typed};
use crate::hir::{Read, Reads, Search, Spec, StageId, TopoSource, Topology};
use crate::ir::{ChoiceKind, Network, Node, Reader};
use crate::ops::input::count;
use crate::ops::mix::{Gate, Mix};
use crate::ops::{Op, TensorType};
use crate::schema::Budget;

/// Cost of one copy of a stage, or one head. `None` while a size is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Trained values.
    pub params: Option<u64>,
    /// Multiply-accumulates per sample.
    pub macs: Option<u64>,
    /// Values kept for the backward pass, per sample (each op's output once).
    pub activations: Option<u64>,
}

impl Default for Cost {
    fn default() -> Self {
        Cost { params: Some(0), macs: Some(0), activations: Some(0) }
    }
}

impl Cost {
    pub fn add_op(&mut self, op: &dyn Op) {
        let params: Option<u64> = op
            .weights()
            .into_iter()
            .filter(|w| w.trained)
            .map(|w| count(w.shape))
            .try_fold(0u64, |n, of| Some(n.saturating_add(of?)));
        self.params = sum(self.params, params);
        self.macs = sum(self.macs, op.macs());
        self.activations = sum(self.activations, op.output().elements().map(|n| n as u64));
    }

    pub fn add(&mut self, other: Cost) {
        self.params = sum(self.params, other.params);
        self.macs = sum(self.macs, other.macs);
        self.activations = sum(self.activations, other.activations);
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a?.saturating_add(b?))
}

/// Cost of a network, whole and by task.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkCost {
    pub total: Cost,
    /// Of the nodes on each task's path, its head included; by task index.
    pub per_task: Vec<Cost>,
    /// The fraction of work that the tasks have in common.
    pub shared: Shared,
}

/// The costs that matter beside one another.
#[derive(Debug, Clone, PartialEq)]
pub struct CostReport {
    /// Of the fixed topology, or of the supernet.
    pub network: NetworkCost,
    pub all_shared: NetworkCost,
    pub independent: NetworkCost,
}

/// Cost of the op inside a mix: the gate's linear map, over all that may be read; where the query is to be found, of all gates.
pub fn mix_cost(checked: &Checked, network: &Network, node: petgraph::graph::NodeIndex) -> Cost {
    let mut cost = Cost::default();
    for op in super::nodes::mix_ops(checked, network, node).iter().flatten() {
        let activations = cost.activations.filter(|n| *n > 0);
        cost.add_op(&**op);
        // Its value is one, however many gates it may have.
        cost.activations = activations.or(cost.activations);
    }
    cost
}

/// Cost of a topology without building its network: its copies, its mixes' gates, and all heads.
pub fn topology_cost(checked: &Checked, topology: &Topology) -> Cost {
    let mut total = Cost::default();
    topology.nodes.iter().for_each(|n| total.add(checked.stages[n.stage.0].cost));
    checked.heads.iter().flatten().for_each(|h| total.add(h.cost));
    for mix in &topology.mixes {
        let types = mix.query.iter().chain(&mix.members).map(|s| source_type(checked, topology, *s));
        if let Ok(op) = Mix::new(Gate::named(mix.gate.word()), &types.collect::<Vec<_>>()) {
            total.add_op(&op);
        }
    }
    total
}

fn source_type(checked: &Checked, topology: &Topology, source: TopoSource) -> TensorType {
    match source {
        TopoSource::Input(i) => checked.spec.inputs[i.0].ty.clone(),
        TopoSource::Node(n) => checked.stages[topology.nodes[n].stage.0].ty.clone(),
        TopoSource::Mix(m) => source_type(checked, topology, topology.mixes[m].members[0]),
    }
}

/// Costs of a network built from this spec.
pub fn network_cost(checked: &Checked, network: &Network) -> NetworkCost {
    let sets = network.task_sets();
    let mut total = Cost::default();
    let mut per_task = vec![Cost::default(); checked.spec.tasks.len()];
    // Units with one cost and one task set are many in a supernet; add them by task only where sets are small.
    for node in &network.order {
        let cost = match &network.graph[*node] {
            Node::Stage { stage, .. } => checked.stages[stage.0].cost,
            Node::Head { task, .. } => checked.heads[task.0]
                .as_ref()
                .map_or(Cost { params: None, macs: None, activations: None }, |h: &Typed| h.cost),
            Node::Mix { .. } => mix_cost(checked, network, *node),
            _ => continue,
        };
        total.add(cost);
        let set = &sets[node.index()];
        if network.is_fixed() {
            for t in set.iter() {
                per_task[t].add(cost);
            }
        }
    }
    NetworkCost { total, per_task, shared: Shared::of(checked, network) }
}

/// Costs of the network, of the all-shared network and of the independent network, computed from unit costs (no graph is built for the
/// last two). They include only stages that some task uses; the independent network has one copy of a stage per task that uses it.
pub fn report(checked: &Checked, network: &Network) -> CostReport {
    let unknown = Cost { params: None, macs: None, activations: None };
    let heads: Vec<Cost> = checked.heads.iter().map(|h| h.as_ref().map_or(unknown, |h| h.cost)).collect();
    let (mut shared, mut independent) = (Cost::default(), Cost::default());
    let mut per_task = heads.clone();
    for (stage, tasks) in checked.stages.iter().zip(passing(&checked.spec)) {
        if !tasks.is_empty() {
            shared.add(stage.cost);
        }
        for t in tasks {
            independent.add(stage.cost);
            per_task[t].add(stage.cost);
        }
    }
    heads.iter().for_each(|h| [&mut shared, &mut independent].into_iter().for_each(|c| c.add(*h)));
    CostReport {
        network: network_cost(checked, network),
        all_shared: NetworkCost { total: shared, per_task: per_task.clone(), shared: Shared::all(checked) },
        independent: NetworkCost { total: independent, per_task, shared: Shared::nothing(checked) },
    }
}

/// What a budget counts, of one copy of each stage, and of all heads together. `None` while a size is open.
pub fn sizes(checked: &Checked, of: crate::schema::Cost) -> Option<(Vec<u64>, u64)> {
    let count = |c: &Cost| match of {
        crate::schema::Cost::Params => c.params,
        crate::schema::Cost::Macs => c.macs,
    };
    let stages: Option<Vec<u64>> = checked.stages.iter().map(|s| count(&s.cost)).collect();
    let heads: Option<u64> = checked.heads.iter().map(|h| h.as_ref().and_then(|h| count(&h.cost))).sum();
    Some((stages?, heads?))
}

/// What a budget allows, in what it counts: `trunk` is one copy of every stage, `heads` all heads.
pub fn limit(budget: &Budget, trunk: u64, heads: u64, tasks: usize) -> f64 {
    use crate::schema::Reference;
    match budget.relative_to {
        None => budget.at_most,
        Some(Reference::Independent) => budget.at_most * (trunk * tasks as u64 + heads) as f64,
        Some(Reference::Shared) => budget.at_most * (trunk + heads) as f64,
    }
}

/// A budget that only the fully shared network meets.
pub struct Forced {
    pub budget: Budget,
    /// What the budget allows.
    pub limit: f64,
    /// The cost of the shared network, and of the next smallest tree, which splits the last stage once.
    pub shared: u64,
    pub next: u64,
}

/// Whether only the shared network meets the budget of a search, in a space of trees over a chain of stages. `None` if larger networks
/// meet it too, if the shared network exceeds it, in other spaces, and while a size is unknown.
pub fn forced(spec: &Spec, search: &Search, stages: &[Cost], heads: &[Cost]) -> Option<Forced> {
    let (space, backbone) = (spec.space.as_ref()?, spec.backbone.as_ref()?);
    // In a chain of stages that read `one`, the cheapest split is that of the last stage alone.
    let chain = backbone.stages.iter().enumerate().skip(1).all(|(i, s)| s.reads == [Read::Stage(StageId(i - 1))]);
    let tree = space.levels.iter().all(|l| matches!(l.reads, Reads::One)) && matches!(space.heads.reads, Reads::One);
    if !chain || !tree || spec.tasks.len() < 2 || space.levels.last().is_none_or(|l| l.copies < 2) {
        return None;
    }
    let budget = search.args.get("budget").and_then(|_| search.args.budget("budget"))?;
    let counted = |c: &Cost| if budget.of == crate::schema::Cost::Params { c.params } else { c.macs };
    let stages: Vec<u64> = stages.iter().map(counted).collect::<Option<_>>()?;
    let tasks = heads.len();
    let heads: u64 = heads.iter().map(counted).sum::<Option<u64>>()?;
    let trunk: u64 = stages.iter().sum();
    let shared = trunk + heads;
    let limit = limit(&budget, trunk, heads, tasks);
    let next = shared + stages.last().copied().unwrap_or(0);
    (limit >= shared as f64 && limit < next as f64).then_some(Forced { budget, limit, shared, next })
}

/// Sizes of a supernet with heads on every copy, during the search and after pruning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouped {
    /// Logits of the heads' choices.
    pub logits: u64,
    /// Parameters and logits while the groups are searched.
    pub searched: u64,
    /// The largest number of parameters after pruning: every task keeps one head, and copies that no task selects are removed.
    pub pruned: u64,
}

/// The sizes of a space whose heads are on every copy; `None` for other spaces and while a size is unknown.
pub fn grouped(checked: &Checked, network: &Network) -> Option<Grouped> {
    let total = network_cost(checked, network).total.params?;
    let (mut logits, mut spare) = (0u64, 0u64);
    // The number of tasks that choose among the copies of each stage.
    let mut choosing: HashMap<usize, usize> = HashMap::new();
    for choice in network.choices.iter().filter(|c| c.kind == ChoiceKind::Copy) {
        let Reader::Head(task) = choice.reader else { continue };
        let head = checked.heads.get(task.0)?.as_ref()?.cost.params?;
        logits += choice.candidates as u64;
        spare = spare.saturating_add(head.saturating_mul(choice.candidates as u64 - 1));
        *choosing.entry(choice.of.0).or_default() += 1;
    }
    let copies = copies(network);
    for (stage, tasks) in &choosing {
        let unused = copies.get(stage).copied().unwrap_or(0).saturating_sub(*tasks);
        spare = spare.saturating_add(checked.stages[*stage].cost.params?.saturating_mul(unused as u64));
    }
    let searched = total.saturating_add(logits);
    (logits > 0).then(|| Grouped { logits, searched, pruned: total.saturating_sub(spare) })
}

/// Copies of each stage in a network, by stage index.
pub fn copies(network: &Network) -> HashMap<usize, usize> {
    let mut out = HashMap::new();
    for node in network.graph.node_weights() {
        if let Node::Stage { stage, .. } = node {
            *out.entry(stage.0).or_insert(0) += 1;
        }
    }
    out
}
