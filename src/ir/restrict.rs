//! A supernet in which some choices are decided: what is left is a supernet of the others, over the same copies by the same names.

use std::collections::{HashMap, HashSet};

use super::derive::Decision;
use super::*;

/// A supernet with fewer choices.
#[derive(Debug, Clone)]
pub struct Restricted {
    pub network: Network,
    /// For each of its choices, which one of the whole supernet it is. A choice that is open and missing here belongs to a reader
    /// that no task reaches under the decisions.
    pub choices: Vec<usize>,
}

/// Applies a decision to some choices; `None` leaves a choice open. What no task can reach any more is gone.
pub fn restrict(whole: &Network, decisions: &[Option<Decision>]) -> Restricted {
    let kept = kept(whole, decisions);
    let choice_of = |n: &Node| match n {
        Node::Select { choice, .. } => Some(choice.0),
        Node::Mix { choice, .. } | Node::Loss { choice, .. } => choice.map(|c| c.0),
        _ => None,
    };
    let used: HashSet<usize> = kept.iter().filter_map(|n| choice_of(&whole.graph[*n])).collect();
    let choices: Vec<usize> =
        (0..whole.choices.len()).filter(|c| decisions[*c].is_none() && used.contains(c)).collect();
    let renamed = |c: ChoiceId| choices.iter().position(|o| *o == c.0).map(ChoiceId);
    let mut graph = DiGraph::new();
    let mut at: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut losses = Vec::new();
    for &node in whole.order.iter().filter(|n| kept.contains(n)) {
        let sources = read(whole, decisions, node);
        let decided = choice_of(&whole.graph[node]).is_some_and(|c| decisions[c].is_some());
        // What is decided to read one thing is that thing.
        if decided && sources.len() == 1 && !matches!(whole.graph[node], Node::Loss { .. }) {
            at.insert(node, at[&sources[0].1]);
            continue;
        }
        let mut made = whole.graph[node].clone();
        match &mut made {
            Node::Select { choice, .. } => *choice = renamed(*choice).expect("an open choice that is read"),
            Node::Mix { choice, name, .. } => {
                *choice = choice.and_then(renamed);
                // Its gate is called as in the whole supernet, whatever else has gone.
                name.get_or_insert_with(|| format!("mix{}", node.index()));
            }
            Node::Loss { choice, .. } => *choice = choice.and_then(renamed),
            _ => {}
        }
        if let Node::Loss { task, .. } = made {
            losses.push((task, graph.add_node(made)));
            at.insert(node, losses[losses.len() - 1].1);
        } else {
            at.insert(node, graph.add_node(made));
        }
        for (role, source) in sources {
            graph.add_edge(at[&source], at[&node], role);
        }
    }
    losses.sort();
    let order = graph.node_indices().collect();
    let copy_names = whole.copy_names.clone();
    let left = choices.iter().map(|c| whole.choices[*c].clone()).collect();
    Restricted { network: Network { graph, choices: left, order, copy_names, losses }, choices }
}

/// What a node reads under the decisions, with roles as if it had never read more.
fn read(whole: &Network, decisions: &[Option<Decision>], node: NodeIndex) -> Vec<(Role, NodeIndex)> {
    let choice = match &whole.graph[node] {
        Node::Select { choice, .. } => Some(*choice),
        Node::Mix { choice, .. } | Node::Loss { choice, .. } => *choice,
        _ => None,
    };
    let Some(decision) = choice.and_then(|c| decisions[c.0].as_ref()) else { return whole.sources(node) };
    let candidates = whole.candidates(node);
    let (members, query) = match decision {
        Decision::One(i) => (vec![*i], 0),
        Decision::Some(members, query) => (members.clone(), *query),
    };
    let queries: Vec<NodeIndex> =
        whole.sources(node).into_iter().filter(|(r, _)| matches!(r, Role::Query(_))).map(|(_, n)| n).collect();
    let query = queries.get(query).filter(|_| members.len() > 1);
    let members = members.iter().enumerate().map(|(i, m)| (Role::Candidate(i), candidates[*m]));
    members.chain(query.map(|q| (Role::Query(0), *q))).collect()
}

/// What the tasks can reach.
fn kept(whole: &Network, decisions: &[Option<Decision>]) -> HashSet<NodeIndex> {
    let mut kept = HashSet::new();
    let mut stack: Vec<NodeIndex> = whole.losses.iter().map(|(_, n)| *n).collect();
    while let Some(node) = stack.pop() {
        if kept.insert(node) {
            stack.extend(read(whole, decisions, node).into_iter().map(|(_, n)| n));
        }
    }
    kept
}
