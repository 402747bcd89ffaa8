//! What is known of a network's nodes before lowering: the types of their values, and the ops of mixes, which those fix.

use std::sync::Arc;

use petgraph::graph::NodeIndex;

use super::Checked;
use crate::ir::{Network, Node, Role};
use crate::ops::{self, Op, TensorType};
use crate::schema::{Args, Value};
use crate::source::{FileId, Span, Spanned};

/// What the gate of a mix may read.
pub fn queries(network: &Network, node: NodeIndex) -> Vec<NodeIndex> {
    let query = |(role, n): (Role, NodeIndex)| matches!(role, Role::Query(_)).then_some(n);
    network.sources(node).into_iter().filter_map(query).collect()
}

/// The op of a mix over all that it may read: one for each query, or the only one. `None` while its sizes are open.
pub fn mix_ops(checked: &Checked, network: &Network, node: NodeIndex) -> Option<Vec<Arc<dyn Op>>> {
    let Node::Mix { gate, .. } = &network.graph[node] else { return None };
    let of = |n: NodeIndex| node_type(checked, network, n);
    let members: Vec<TensorType> = network.candidates(node).into_iter().map(of).collect::<Option<_>>()?;
    let mut args = Args::default();
    let span = Span::new(FileId(0), 0, 0);
    args.set("gate", Spanned { value: Value::Name(vec![gate.word().to_string()]), span }, false);
    let make = |query: Option<TensorType>| {
        let types: Vec<TensorType> = query.into_iter().chain(members.iter().cloned()).collect();
        let made = (ops::find("mix")?.make)(&args, &types).ok()?;
        made.into_iter().next().map(Arc::from)
    };
    let queries: Vec<TensorType> = queries(network, node).into_iter().map(of).collect::<Option<_>>()?;
    match queries.is_empty() {
        true => Some(vec![make(None)?]),
        false => queries.into_iter().map(|q| make(Some(q))).collect(),
    }
}

/// Type of the value of a node.
pub fn node_type(checked: &Checked, network: &Network, node: NodeIndex) -> Option<TensorType> {
    match &network.graph[node] {
        Node::Input(i) => Some(checked.spec.inputs[i.0].ty.clone()),
        Node::Stage { stage, .. } => Some(checked.stages[stage.0].ty.clone()),
        Node::Head { task, .. } => checked.heads[task.0].as_ref().map(|h| h.ty.clone()),
        Node::Select { .. } | Node::Mix { .. } | Node::Pool { .. } | Node::Loss { .. } => {
            let first = *network.candidates(node).first()?;
            node_type(checked, network, first)
        }
    }
}
