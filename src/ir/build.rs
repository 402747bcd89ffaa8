//! Spec to [`Network`]: a supernet from a space, a fixed network from a topology.

use std::collections::HashMap;
use std::rc::Rc;

use petgraph::graph::{DiGraph, NodeIndex};

use super::*;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Reads, Space, Spec, TopoSource, Topology};

/// How a reader got a value of a stage, to follow paths back to skipped stages.
#[derive(Debug, Clone)]
enum Parent {
    Direct(NodeIndex),
    Selected(ChoiceId, StageId, Rc<[NodeIndex]>),
    Mixed(Rc<[NodeIndex]>),
}

struct Builder<'a> {
    spec: &'a Spec,
    graph: DiGraph<Node, Role>,
    choices: Vec<Choice>,
    inputs: HashMap<InputId, NodeIndex>,
    /// Parents of each stage instance, per primary stage.
    parents: HashMap<NodeIndex, Vec<(StageId, Parent)>>,
    carried: HashMap<(NodeIndex, StageId), Option<NodeIndex>>,
    selects: HashMap<(ChoiceId, StageId), NodeIndex>,
    /// In a supernet: values of a stage on the paths of all copies of another, and the pools made of them.
    seen: HashMap<(StageId, StageId), Option<Rc<[NodeIndex]>>>,
    pools: HashMap<(StageId, Option<StageId>), NodeIndex>,
    copy_names: HashMap<(StageId, usize), String>,
    losses: Vec<(TaskId, NodeIndex)>,
    ancestors: Vec<Vec<bool>>,
}

impl<'a> Builder<'a> {
    fn new(spec: &'a Spec) -> Option<Builder<'a>> {
        let backbone = spec.backbone.as_ref()?;
        Some(Builder {
            spec,
            graph: DiGraph::new(),
            choices: Vec::new(),
            inputs: HashMap::new(),
            parents: HashMap::new(),
            carried: HashMap::new(),
            selects: HashMap::new(),
            seen: HashMap::new(),
            pools: HashMap::new(),
            copy_names: HashMap::new(),
            losses: Vec::new(),
            ancestors: ancestors(&backbone.stages),
        })
    }

    fn input(&mut self, id: InputId) -> NodeIndex {
        *self.inputs.entry(id).or_insert_with(|| self.graph.add_node(Node::Input(id)))
    }

    fn finish(self) -> Network {
        let order = petgraph::algo::toposort(&self.graph, None).expect("readers come after what they read");
        // Stable whatever the algorithm: nodes were added before their readers.
        let mut order = order;
        order.sort();
        Network { graph: self.graph, choices: self.choices, order, copy_names: self.copy_names, losses: self.losses }
    }

    /// The value of stage `q` on the path of a node. `None`: the path splits through a mix.
    fn on_path(&mut self, node: NodeIndex, q: StageId) -> Option<NodeIndex> {
        if let Node::Stage { stage, .. } = self.graph[node]
            && stage == q
        {
            return Some(node);
        }
        if let Some(found) = self.carried.get(&(node, q)) {
            return *found;
        }
        let parents = self.parents.get(&node).cloned().unwrap_or_default();
        let way = parents.into_iter().find(|(p, _)| *p == q || self.ancestors[p.0][q.0]);
        let found = match way {
            None => None,
            Some((_, Parent::Direct(p))) => self.on_path(p, q),
            Some((_, Parent::Selected(choice, of, candidates))) => self.selected(choice, of, &candidates, q),
            Some((_, Parent::Mixed(members))) => self.common(&members, q),
        };
        self.carried.insert((node, q), found);
        found
    }

    /// The value of stage `q` on the paths of all these nodes, if it is one.
    fn common(&mut self, nodes: &[NodeIndex], q: StageId) -> Option<NodeIndex> {
        let first = self.on_path(nodes[0], q)?;
        nodes[1..].iter().all(|n| self.on_path(*n, q) == Some(first)).then_some(first)
    }

    /// The value of stage `q` on the path that a choice among the copies of `of` takes.
    fn selected(
        &mut self,
        choice: ChoiceId,
        of: StageId,
        candidates: &Rc<[NodeIndex]>,
        q: StageId,
    ) -> Option<NodeIndex> {
        if !self.seen.contains_key(&(of, q)) {
            let values: Option<Vec<NodeIndex>> = candidates.iter().map(|c| self.on_path(*c, q)).collect();
            self.seen.insert((of, q), values.map(Rc::from));
        }
        let values = self.seen[&(of, q)].clone()?;
        if values.iter().all(|v| *v == values[0]) {
            return Some(values[0]);
        }
        if let Some(s) = self.selects.get(&(choice, q)) {
            return Some(*s);
        }
        let pool = self.pool(of, Some(q), &values);
        let select = self.graph.add_node(Node::Select { choice, carries: Some(q) });
        self.graph.add_edge(pool, select, Role::Pool);
        self.selects.insert((choice, q), select);
        Some(select)
    }

    fn pool(&mut self, of: StageId, carries: Option<StageId>, values: &[NodeIndex]) -> NodeIndex {
        if let Some(p) = self.pools.get(&(of, carries)) {
            return *p;
        }
        let pool = self.graph.add_node(Node::Pool { of, carries });
        for (i, v) in values.iter().enumerate() {
            self.graph.add_edge(*v, pool, Role::Candidate(i));
        }
        self.pools.insert((of, carries), pool);
        pool
    }
}

/// The supernet of the spec's space: every copy, every candidate, every choice. `None`: parts are missing, which is reported.
pub fn supernet(spec: &Spec, space: &Space, diags: &mut Diagnostics) -> Option<Network> {
    let mut b = Builder::new(spec)?;
    let backbone = spec.backbone.as_ref()?;
    if let Some(message) = too_large(spec, space, &b.ancestors) {
        diags.push(Diagnostic::new(codes::SPACE_COPIES, space.span, message).help("give the levels fewer copies"));
        return None;
    }
    let mut copies: Vec<Rc<[NodeIndex]>> = Vec::new();
    let mut ok = true;
    for (s, stage) in backbone.stages.iter().enumerate() {
        let level = &space.levels[s];
        let primary = primary(&stage.reads, &b.ancestors);
        let mut row = Vec::with_capacity(level.copies);
        for copy in 0..level.copies {
            let reader = Reader::Stage(StageId(s), copy);
            let wired = b.wire(&primary, &level.reads, reader, &copies, diags, level.span);
            let Some((values, parents)) = wired else {
                ok = false;
                break;
            };
            let Some(args) = b.args(&stage.reads, &values, &parents) else {
                split_skip(diags, stage.span, &stage.name);
                ok = false;
                break;
            };
            let node = b.graph.add_node(Node::Stage { stage: StageId(s), copy });
            for (i, a) in args.iter().enumerate() {
                b.graph.add_edge(*a, node, Role::Arg(i));
            }
            b.parents.insert(node, parents);
            b.copy_names.insert((StageId(s), copy), copy_letters(copy));
            row.push(node);
        }
        copies.push(row.into());
        if !ok {
            return None;
        }
    }
    for (t, task) in spec.tasks.iter().enumerate() {
        let Some(head) = task.head else { continue };
        let head = &spec.heads[head.0];
        let primary = primary(&head.reads, &b.ancestors);
        let task_id = TaskId(t);
        if space.heads.per_copy {
            let [p] = primary.as_slice() else {
                diags.push(
                    Diagnostic::new(
                        codes::SPACE_READS,
                        space.heads.span,
                        "`per = copy` needs heads that read one stage",
                    )
                    .also(head.span, "this head reads several")
                    .help("let the heads stand `per = task`, or read one stage"),
                );
                return None;
            };
            let candidates = copies[p.0].clone();
            let mut heads = Vec::new();
            for (k, c) in candidates.iter().enumerate() {
                let parents = vec![(*p, Parent::Direct(*c))];
                let args = b.args(&head.reads, &[*c], &parents)?;
                let node = b.graph.add_node(Node::Head { task: task_id, copy: Some(k) });
                for (i, a) in args.iter().enumerate() {
                    b.graph.add_edge(*a, node, Role::Arg(i));
                }
                heads.push(node);
            }
            let choice = (heads.len() > 1).then(|| {
                b.choices.push(Choice {
                    reader: Reader::Head(task_id),
                    of: *p,
                    candidates: heads.len(),
                    kind: ChoiceKind::Copy,
                });
                ChoiceId(b.choices.len() - 1)
            });
            let loss = b.graph.add_node(Node::Loss { task: task_id, choice });
            for (i, h) in heads.iter().enumerate() {
                b.graph.add_edge(*h, loss, Role::Candidate(i));
            }
            b.losses.push((task_id, loss));
        } else {
            let reader = Reader::Head(task_id);
            let (values, parents) = b.wire(&primary, &space.heads.reads, reader, &copies, diags, space.heads.span)?;
            let Some(args) = b.args(&head.reads, &values, &parents) else {
                split_skip(diags, head.span, &task.name);
                return None;
            };
            b.head(task_id, &args);
        }
    }
    Some(b.finish())
}

/// The most copies and heads of a supernet, and the most candidates of all its choices together: what is kept per candidate is a
/// logit at the least, and a name.
const MAX_COPIES: usize = 100_000;
const MAX_CANDIDATES: usize = 20_000_000;

/// Says by what a space is beyond all search.
fn too_large(spec: &Spec, space: &Space, ancestors: &[Vec<bool>]) -> Option<String> {
    let backbone = spec.backbone.as_ref()?;
    let of = |reads: &[Read]| -> usize { primary(reads, ancestors).iter().map(|p| space.levels[p.0].copies).sum() };
    let (mut nodes, mut candidates) = (0usize, 0usize);
    for (stage, level) in backbone.stages.iter().zip(&space.levels) {
        nodes += level.copies;
        candidates += level.copies * of(&stage.reads);
    }
    for head in spec.tasks.iter().filter_map(|t| t.head) {
        let copies = of(&spec.heads[head.0].reads);
        nodes += if space.heads.per_copy { copies } else { 1 };
        candidates += copies;
    }
    if nodes > MAX_COPIES {
        return Some(format!("this space has {nodes} copies of stages and heads in all; {MAX_COPIES} are the most"));
    }
    (candidates > MAX_CANDIDATES).then(|| {
        format!("the choices of this space have {candidates} candidates in all; {MAX_CANDIDATES} are the most")
    })
}

fn split_skip(diags: &mut Diagnostics, span: crate::source::Span, name: &str) {
    let code = codes::SPACE_READS;
    if diags.has(code, span) {
        return;
    }
    diags.push(
        Diagnostic::new(code, span, format!("`{name}` reads a skip whose path splits through a mix"))
            .label("which copy of the skipped stage is meant?")
            .help("below a level that reads `some` or `all`, a skipped stage must have one copy"),
    );
}

type Wired = (Vec<NodeIndex>, Vec<(StageId, Parent)>);

impl Builder<'_> {
    /// Connects a reader to the copies of each primary stage: directly, through a selection, or through a mix.
    fn wire(
        &mut self,
        primary: &[StageId],
        reads: &Reads,
        reader: Reader,
        copies: &[Rc<[NodeIndex]>],
        diags: &mut Diagnostics,
        span: crate::source::Span,
    ) -> Option<Wired> {
        let mut values = Vec::new();
        let mut parents = Vec::new();
        for p in primary {
            let candidates = &copies[p.0];
            if candidates.len() == 1 {
                values.push(candidates[0]);
                parents.push((*p, Parent::Direct(candidates[0])));
                continue;
            }
            match reads {
                Reads::One => {
                    let choice = self.choose(reader, *p, candidates.len(), ChoiceKind::One);
                    let pool = self.pool(*p, None, candidates);
                    let node = self.graph.add_node(Node::Select { choice, carries: None });
                    self.graph.add_edge(pool, node, Role::Pool);
                    self.selects.insert((choice, *p), node);
                    values.push(node);
                    parents.push((*p, Parent::Selected(choice, *p, candidates.clone())));
                }
                Reads::Some(mix) | Reads::All(mix) => {
                    if matches!(reads, Reads::Some(_)) && candidates.len() > routes::MOST_MEMBERS {
                        let of = &self.spec.backbone.as_ref()?.stages[p.0].name;
                        let most = routes::MOST_MEMBERS;
                        let message = format!("a subset of {} copies of `{of}` is to be chosen", candidates.len());
                        let mut d =
                            Diagnostic::new(codes::SPACE_COPIES, mix.span, format!("{message}; {most} are the most"));
                        if let Some(level) = self.spec.space.as_ref().and_then(|s| s.levels.get(p.0)) {
                            d = d.also(level.span, format!("`copies = {}` here", candidates.len()));
                        }
                        diags.push(d.help(format!("give `{of}` fewer copies, or let it be read by `all` or `one`")));
                        return None;
                    }
                    let choice = match reads {
                        Reads::Some(_) => Some(self.choose(
                            reader,
                            *p,
                            candidates.len(),
                            ChoiceKind::Some { queries: mix.queries.clone() },
                        )),
                        _ => None,
                    };
                    let mut queries = Vec::new();
                    for q in &mix.queries {
                        let node = match q {
                            Query::Previous => {
                                let pool = self.pool(*p, None, candidates);
                                let mean =
                                    self.graph.add_node(Node::Mix { gate: Gate::Mean, choice: None, name: None });
                                self.graph.add_edge(pool, mean, Role::Pool);
                                Some(mean)
                            }
                            Query::Read(Read::Input(i)) => Some(self.input(*i)),
                            Query::Read(Read::Stage(s)) => self.query(*s, *p, candidates, copies),
                        };
                        let Some(node) = node else {
                            let stages = &self.spec.backbone.as_ref()?.stages;
                            let name = match q {
                                Query::Read(Read::Stage(s)) => stages[s.0].name.clone(),
                                _ => "previous".into(),
                            };
                            let at = mix.span;
                            if !diags.has(codes::SPACE_QUERY, at) {
                                diags.push(
                                    Diagnostic::new(
                                        codes::SPACE_QUERY,
                                        at,
                                        format!("the query `{name}` cannot be read here"),
                                    )
                                    .label("the readers' paths pass different copies of it, or none")
                                    .also(span, "for this level")
                                    .help("a query is an input, a stage with one copy above this level, or `previous`"),
                                );
                            }
                            return None;
                        };
                        queries.push(node);
                    }
                    let pool = self.pool(*p, None, candidates);
                    let node = self.graph.add_node(Node::Mix { gate: mix.gate, choice, name: None });
                    self.graph.add_edge(pool, node, Role::Pool);
                    for (i, q) in queries.iter().enumerate() {
                        self.graph.add_edge(*q, node, Role::Query(i));
                    }
                    values.push(node);
                    parents.push((*p, Parent::Mixed(candidates.clone())));
                }
            }
        }
        Some((values, parents))
    }

    /// What a gate that queries stage `s` reads: its value on the paths of all that may be read, if that is one; else the mean of
    /// its copies. `None` for a stage that comes later.
    fn query(
        &mut self,
        s: StageId,
        p: StageId,
        candidates: &[NodeIndex],
        copies: &[Rc<[NodeIndex]>],
    ) -> Option<NodeIndex> {
        let own = copies.get(s.0)?.clone();
        if own.len() == 1 {
            return Some(own[0]);
        }
        if self.ancestors[p.0][s.0]
            && let Some(one) = self.common(candidates, s)
        {
            return Some(one);
        }
        let pool = self.pool(s, None, &own);
        let mean = self.graph.add_node(Node::Mix { gate: Gate::Mean, choice: None, name: None });
        self.graph.add_edge(pool, mean, Role::Pool);
        Some(mean)
    }

    fn choose(&mut self, reader: Reader, of: StageId, candidates: usize, kind: ChoiceKind) -> ChoiceId {
        self.choices.push(Choice { reader, of, candidates, kind });
        ChoiceId(self.choices.len() - 1)
    }

    /// The values of `reads`, in order: inputs, primaries, and skips found on the primaries' paths.
    fn args(&mut self, reads: &[Read], values: &[NodeIndex], parents: &[(StageId, Parent)]) -> Option<Vec<NodeIndex>> {
        let mut out = Vec::new();
        for r in reads {
            out.push(match r {
                Read::Input(i) => self.input(*i),
                Read::Stage(s) => match parents.iter().position(|(p, _)| p == s) {
                    Some(at) => values[at],
                    None => {
                        let (_, way) = parents.iter().find(|(p, _)| self.ancestors[p.0][s.0])?.clone();
                        match way {
                            Parent::Direct(p) => self.on_path(p, *s)?,
                            Parent::Selected(choice, of, candidates) => self.selected(choice, of, &candidates, *s)?,
                            Parent::Mixed(members) => self.common(&members, *s)?,
                        }
                    }
                },
            });
        }
        Some(out)
    }

    fn head(&mut self, task: TaskId, args: &[NodeIndex]) {
        let node = self.graph.add_node(Node::Head { task, copy: None });
        for (i, a) in args.iter().enumerate() {
            self.graph.add_edge(*a, node, Role::Arg(i));
        }
        let loss = self.graph.add_node(Node::Loss { task, choice: None });
        self.graph.add_edge(node, loss, Role::Candidate(0));
        self.losses.push((task, loss));
    }
}

/// The fixed network of a topology. `None`: something is reported.
pub fn fixed(spec: &Spec, topology: &Topology, diags: &mut Diagnostics) -> Option<Network> {
    let mut b = Builder::new(spec)?;
    let backbone = spec.backbone.as_ref()?;
    let at = topology.span.or(backbone.stages.first().map(|s| s.span))?;
    let mut nodes: Vec<NodeIndex> = Vec::new();
    let mut mixes: HashMap<usize, NodeIndex> = HashMap::new();
    let mut counts: HashMap<StageId, usize> = HashMap::new();
    let mut ok = true;
    for node in &topology.nodes {
        let stage = &backbone.stages[node.stage.0];
        let primary = primary(&stage.reads, &b.ancestors);
        let span = node.span.unwrap_or(at);
        let reader = format!("{}.{}", stage.name, node.copy);
        let wired =
            b.connect(topology, &node.reads, &stage.reads, &primary, &nodes, &mut mixes, (span, &reader), diags);
        let Some((values, parents)) = wired else {
            ok = false;
            // Keep indices in step so that one mistake gives one message.
            let copy = *counts.entry(node.stage).and_modify(|c| *c += 1).or_insert(0);
            nodes.push(b.graph.add_node(Node::Stage { stage: node.stage, copy }));
            continue;
        };
        let Some(args) = b.args(&stage.reads, &values, &parents) else {
            split_skip(diags, span, &reader);
            return None;
        };
        let copy = *counts.entry(node.stage).and_modify(|c| *c += 1).or_insert(0);
        let id = b.graph.add_node(Node::Stage { stage: node.stage, copy });
        for (i, a) in args.iter().enumerate() {
            b.graph.add_edge(*a, id, Role::Arg(i));
        }
        b.parents.insert(id, parents);
        b.copy_names.insert((node.stage, copy), node.copy.clone());
        nodes.push(id);
    }
    for (task, sources, span) in &topology.tasks {
        let Some(head) = spec.tasks[task.0].head else { continue };
        let head = &spec.heads[head.0];
        let primary = primary(&head.reads, &b.ancestors);
        let name = &spec.tasks[task.0].name;
        let wired =
            b.connect(topology, sources, &head.reads, &primary, &nodes, &mut mixes, (span.unwrap_or(at), name), diags);
        let Some((values, parents)) = wired else {
            ok = false;
            continue;
        };
        match b.args(&head.reads, &values, &parents) {
            Some(args) => b.head(*task, &args),
            None => {
                split_skip(diags, span.unwrap_or(at), name);
                ok = false;
            }
        }
    }
    if !ok {
        return None;
    }
    let network = b.finish();
    // A task that could not be attached, or has no head, is reported: what it would read is no second mistake.
    if network.losses.len() < spec.tasks.len() || spec.incomplete {
        return Some(network);
    }
    let sets = network.task_sets();
    for (i, node) in topology.nodes.iter().enumerate() {
        if sets[nodes[i].index()].is_empty() {
            let stage = &backbone.stages[node.stage.0];
            diags.push(
                Diagnostic::new(
                    codes::TOPOLOGY_UNREAD,
                    node.span.unwrap_or(at),
                    format!("no task reaches `{}.{}`", stage.name, node.copy),
                )
                .help("remove the line, or attach a task to it"),
            );
            ok = false;
        }
    }
    ok.then_some(network)
}

impl Builder<'_> {
    /// What a line of a topology reads, matched with the stages that its reader needs.
    #[allow(clippy::too_many_arguments)]
    fn connect(
        &mut self,
        topology: &Topology,
        sources: &[TopoSource],
        reads: &[Read],
        primary: &[StageId],
        nodes: &[NodeIndex],
        mixes: &mut HashMap<usize, NodeIndex>,
        reader: (crate::source::Span, &str),
        diags: &mut Diagnostics,
    ) -> Option<Wired> {
        let (span, who) = reader;
        let backbone = self.spec.backbone.as_ref()?;
        let stage_name = |s: StageId| backbone.stages[s.0].name.clone();
        let mut values: Vec<Option<NodeIndex>> = vec![None; primary.len()];
        let mut parents: Vec<Option<(StageId, Parent)>> = vec![None; primary.len()];
        let mut ok = true;
        for source in sources {
            let (value, of, parent) = match source {
                TopoSource::Input(i) => {
                    if !reads.contains(&Read::Input(*i)) {
                        diags.push(
                            Diagnostic::new(
                                codes::TOPOLOGY_SOURCE,
                                span,
                                format!("`{who}` does not read the input `{}`", self.spec.inputs[i.0].name),
                            )
                            .help(wants(reads, self.spec)),
                        );
                        ok = false;
                    }
                    continue;
                }
                TopoSource::Node(n) => {
                    let of = topology.nodes[*n].stage;
                    (nodes[*n], of, Parent::Direct(nodes[*n]))
                }
                TopoSource::Mix(m) => {
                    let (node, of, members) = self.mix(topology, *m, nodes, mixes, diags)?;
                    (node, of, Parent::Mixed(members.into()))
                }
            };
            match primary.iter().position(|p| *p == of) {
                Some(at) if values[at].is_some() => {
                    diags.push(
                        Diagnostic::new(
                            codes::TOPOLOGY_SOURCE,
                            span,
                            format!("`{who}` is given two copies of `{}`", stage_name(of)),
                        )
                        .help(format!("combine them: `mix(mean)[{0}.a, {0}.b]`", stage_name(of))),
                    );
                    ok = false;
                }
                Some(at) => {
                    values[at] = Some(value);
                    parents[at] = Some((of, parent));
                }
                None if reads.contains(&Read::Stage(of)) => {
                    diags.push(
                        Diagnostic::new(
                            codes::TOPOLOGY_SOURCE,
                            span,
                            format!("`{}` is on the path of `{who}` already", stage_name(of)),
                        )
                        .help("skips follow the path; name only what the path does not pass"),
                    );
                    ok = false;
                }
                None => {
                    diags.push(
                        Diagnostic::new(
                            codes::TOPOLOGY_SOURCE,
                            span,
                            format!("`{who}` does not read `{}`", stage_name(of)),
                        )
                        .help(wants(reads, self.spec)),
                    );
                    ok = false;
                }
            }
        }
        if !ok {
            return None;
        }
        for (p, v) in primary.iter().zip(&values) {
            if v.is_none() {
                diags.push(
                    Diagnostic::new(
                        codes::TOPOLOGY_SOURCE,
                        span,
                        format!("`{who}` reads a copy of `{}`, and none is named", stage_name(*p)),
                    )
                    .help(wants(reads, self.spec)),
                );
                ok = false;
            }
        }
        if !ok {
            return None;
        }
        Some((values.into_iter().flatten().collect(), parents.into_iter().flatten().collect()))
    }

    /// Node of a mix, the stage its members are copies of, and the members.
    fn mix(
        &mut self,
        topology: &Topology,
        m: usize,
        nodes: &[NodeIndex],
        mixes: &mut HashMap<usize, NodeIndex>,
        diags: &mut Diagnostics,
    ) -> Option<(NodeIndex, StageId, Vec<NodeIndex>)> {
        let mix = &topology.mixes[m];
        // A topology that was derived and not written has no places.
        let stages = &self.spec.backbone.as_ref()?.stages;
        let span = mix.span.or(topology.span).or(stages.first().map(|s| s.span))?;
        let mut members = Vec::new();
        let mut of = None;
        for member in &mix.members {
            let TopoSource::Node(n) = member else {
                diags.push(
                    Diagnostic::new(
                        codes::TOPOLOGY_SOURCE,
                        span,
                        "a mix combines copies of a stage, not inputs or mixes",
                    )
                    .help("name the copies: `mix(mean)[low.a, low.b]`"),
                );
                return None;
            };
            let stage = topology.nodes[*n].stage;
            if *of.get_or_insert(stage) != stage {
                diags.push(
                    Diagnostic::new(codes::TOPOLOGY_SOURCE, span, "a mix combines copies of one stage")
                        .help("values of different stages are merged inside a stage: `concat(a, b)`"),
                );
                return None;
            }
            members.push(nodes[*n]);
        }
        let of = of?;
        if let Some(node) = mixes.get(&m) {
            return Some((*node, of, members));
        }
        let query = match mix.query {
            None => None,
            Some(TopoSource::Input(i)) => Some(self.input(i)),
            Some(TopoSource::Node(n)) => Some(nodes[n]),
            Some(TopoSource::Mix(q)) => Some(self.mix(topology, q, nodes, mixes, diags)?.0),
        };
        let node = self.graph.add_node(Node::Mix { gate: mix.gate, choice: None, name: Some(mix.name.clone()) });
        for (i, c) in members.iter().enumerate() {
            self.graph.add_edge(*c, node, Role::Candidate(i));
        }
        if let Some(q) = query {
            self.graph.add_edge(q, node, Role::Query(0));
        }
        mixes.insert(m, node);
        Some((node, of, members))
    }
}

fn wants(reads: &[Read], spec: &Spec) -> String {
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let names: Vec<String> = reads
        .iter()
        .map(|r| match r {
            Read::Input(i) => format!("the input `{}`", spec.inputs[i.0].name),
            Read::Stage(s) => format!("a copy of `{}`", stages[s.0].name),
        })
        .collect();
    format!("it reads {}", names.join(" and "))
}
