//! A `topology` item to nodes, mixes and what each task reads.

use std::collections::{HashMap, HashSet};

use super::build::Builder;
use super::eval;
use super::*;
use crate::diag::{Diagnostic, codes, suggest};
use crate::syntax::ast::{Edge, Expr, ExprKind, Item, Name};

/// Mixes whose queries read one another may be nested this deep: whatever walks a network follows them.
pub(super) const MAX_MIXES: usize = 64;

/// The nodes by name.
#[derive(Default)]
struct Known {
    nodes: HashMap<String, Node>,
    /// Stages of the nodes that could not be read, by the name of the copy.
    lost: HashMap<String, Vec<String>>,
}

impl Known {
    fn insert(&mut self, name: String, node: Node) {
        if let (Node::Broken, Some((stage, copy))) = (node, name.rsplit_once('.')) {
            self.lost.entry(copy.into()).or_default().push(stage.into());
        }
        self.nodes.insert(name, node);
    }
}

/// The stages of the backbone: their names in order, and the place of each.
struct Stages {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Stages {
    fn of(backbone: &Backbone) -> Stages {
        let names: Vec<String> = backbone.stages.iter().map(|s| s.name.clone()).collect();
        Stages { places: names.iter().cloned().enumerate().map(|(i, n)| (n, i)).collect(), names }
    }
    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }
    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(String::as_str)
    }
}

/// What a name on the left or right of `<-` is.
#[derive(Clone, Copy)]
enum Node {
    Source(TopoSource),
    /// Declared further down.
    Later,
    /// Could not be read, which is reported.
    Broken,
}

impl Builder<'_> {
    pub(super) fn topology(&mut self, item: &Item) {
        let def = schema::item("topology").expect("in the table");
        let fields = self.fields(&item.keyword, item.body.as_ref(), &[], def, item.span);
        let Some(backbone) = &self.spec.backbone else { return };
        let stages = Stages::of(backbone);
        let mut topology = Topology {
            name: item.names.first().map(|n| n.text.clone()).unwrap_or_default(),
            span: Some(item.over.as_ref().map_or(item.span, |n| n.span)),
            ..Topology::default()
        };
        let mut known = Known::default();
        for (i, input) in self.spec.inputs.iter().enumerate() {
            known.insert(input.name.clone(), Node::Source(TopoSource::Input(InputId(i))));
        }
        // Left-hand sides first, so that a forward reference is told from a typing slip.
        for e in &fields.edges {
            for t in &e.targets {
                known.nodes.entry(text_of(t)).or_insert(Node::Later);
            }
        }
        let tasks: HashMap<String, usize> =
            self.spec.tasks.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        let mut task_reads: Vec<Option<(Vec<TopoSource>, Span)>> = vec![None; self.spec.tasks.len()];
        let mut spans: HashMap<String, Span> = HashMap::new();
        let mut broken = false;
        // A line that could not be read is reported; what it attaches is not missing.
        let mut read: Vec<String> = Vec::new();
        for e in &fields.edges {
            eval::walk_paths(&e.source, &mut |p| read.push(eval::dotted(p)));
        }
        let lost: Vec<String> = read.into_iter().filter(|n| n.contains('.') && !known.nodes.contains_key(n)).collect();
        let misspelt = misspelt_tasks(&fields.edges, &tasks);
        let body = item.body.as_ref().and_then(|b| b.span);
        if body.is_some_and(|b| self.diags.any_syntax_within(b)) {
            broken = true;
            lost.iter().for_each(|n| known.insert(n.clone(), Node::Broken));
        }
        for edge in &fields.edges {
            if broken && self.diags.any_syntax_within(edge.span) {
                // One that another line declares keeps its meaning.
                let declared = |name: &str| matches!(known.nodes.get(name), Some(Node::Source(_)));
                let names: Vec<String> = edge.targets.iter().map(text_of).filter(|n| !declared(n)).collect();
                names.into_iter().for_each(|n| known.insert(n, Node::Broken));
                continue;
            }
            // A node whose stage is misspelt is the one that others read and no line declares.
            for t in edge.targets.iter().filter(|t| self.stray_node(t, &stages)) {
                if let Some(meant) = suggest::nearest(&text_of(t), lost.iter().map(String::as_str)) {
                    known.insert(meant.to_string(), Node::Broken);
                }
            }
            broken |= self
                .edge(edge, &stages, &tasks, &mut topology, &mut known, &mut task_reads, &mut spans, &misspelt)
                .is_none();
        }
        let at = topology.span.expect("set above");
        let missing: Vec<&str> = task_reads
            .iter()
            .zip(&self.spec.tasks)
            .filter(|(r, _)| r.is_none())
            .map(|(_, t)| t.name.as_str())
            .collect();
        if !missing.is_empty() && !broken && !self.spec.incomplete {
            self.diags.push(
                Diagnostic::new(codes::TOPOLOGY_TASK, at, format!("no line attaches {}", suggest::listing(missing)))
                    .label("every task reads a node")
                    .help("add a line such as `TASK <- STAGE.a`"),
            );
        }
        topology.tasks = task_reads
            .into_iter()
            .enumerate()
            .filter_map(|(t, r)| r.map(|(reads, span)| (TaskId(t), reads, Some(span))))
            .filter(|(_, reads, _)| !reads.is_empty())
            .collect();
        if let Some(span) = too_deep(&topology) {
            let message = format!("the queries of more than {MAX_MIXES} mixes read one another");
            let d = Diagnostic::new(codes::TOPOLOGY_SOURCE, span, message).label("not read");
            self.diags.push(d.help("let the query be an input or a copy"));
            broken = true;
        }
        if broken {
            // Its nodes are not all there: what it would be is not known.
            return;
        }
        self.spec.topology = Some(topology);
    }

    #[allow(clippy::too_many_arguments)]
    fn edge(
        &mut self,
        edge: &Edge,
        stages: &Stages,
        tasks: &HashMap<String, usize>,
        topology: &mut Topology,
        known: &mut Known,
        task_reads: &mut [Option<(Vec<TopoSource>, Span)>],
        spans: &mut HashMap<String, Span>,
        lost: &HashSet<String>,
    ) -> Option<()> {
        let mut ok = true;
        // A named mix: `m1 <- mix(...)[...]`.
        let single = match edge.targets.as_slice() {
            [t] => eval::as_name(t),
            _ => None,
        };
        let is_mix_line =
            single.as_ref().is_some_and(|n| !tasks.contains_key(&n.text) && as_mix(&edge.source).is_some())
                && !single.as_ref().is_some_and(|n| lost.contains(&n.text));
        if is_mix_line {
            let name = single.expect("checked");
            if let Some(first) = spans.get(&name.text) {
                let d = super::build::duplicate("mix", &name, *first);
                self.diags.push(d);
                self.mix(&edge.source, &name.text, Some(edge.span), topology, known);
                return None;
            }
            spans.insert(name.text.clone(), name.span);
            let source = self.mix(&edge.source, &name.text, Some(edge.span), topology, known);
            known.insert(name.text.clone(), source.map_or(Node::Broken, Node::Source));
            return source.map(|_| ());
        }
        let reads = self.sources(&edge.source, topology, known);
        ok &= reads.is_some();
        for target in &edge.targets {
            let text = text_of(target);
            if let Some(t) = tasks.get(&text).copied() {
                if let Some((_, first)) = &task_reads[t] {
                    self.diags.push(
                        Diagnostic::new(
                            codes::TOPOLOGY_TASK,
                            target.span,
                            format!("the task `{text}` is attached twice"),
                        )
                        .label("again here")
                        .also(*first, "first attached here")
                        .help("to read several copies, use a mix: `mix(mean)[x.a, x.b]`"),
                    );
                    ok = false;
                    continue;
                }
                task_reads[t] = Some((reads.clone().unwrap_or_default(), target.span));
                continue;
            }
            let ExprKind::Path(parts) = &target.kind else {
                self.not_a_node(target, stages, tasks);
                if let Some(node) = indexed(target) {
                    known.insert(node, Node::Broken);
                }
                ok = false;
                continue;
            };
            let [stage, copy] = parts.as_slice() else {
                self.not_a_node(target, stages, tasks);
                ok = false;
                continue;
            };
            let Some(s) = stages.places.get(&stage.text).copied() else {
                let mut d = Diagnostic::new(
                    codes::TOPOLOGY_STAGE,
                    stage.span,
                    format!("the backbone has no stage `{}`", stage.text),
                );
                let lost = known.lost.get(&copy.text).into_iter().flatten();
                let lost: Vec<&str> = lost.map(String::as_str).filter(|s| stages.has(s)).collect();
                if let Some(near) = suggest::nearest(&stage.text, lost.iter().copied()) {
                    let message = format!("replace `{}` with `{near}`", stage.text);
                    let how = suggest::certainty(&stage.text, near, lost.iter().copied());
                    d = d.label(format!("did you mean `{near}`?")).fix(message, stage.span, near, how);
                    self.diags.push(d);
                    known.nodes.insert(text, Node::Broken);
                    ok = false;
                    continue;
                }
                d = match suggest::nearest(&stage.text, stages.names()) {
                    Some(near) => d.label(format!("did you mean `{near}`?")).fix(
                        format!("replace `{}` with `{near}`", stage.text),
                        stage.span,
                        near,
                        suggest::certainty(&stage.text, near, stages.names()),
                    ),
                    None => d.help(format!("stages: {}", suggest::listing(stages.names()))),
                };
                self.diags.push(d);
                known.nodes.insert(text, Node::Broken);
                ok = false;
                continue;
            };
            if let Some(first) = spans.get(&text) {
                let n = Name { text: text.clone(), quoted: false, span: target.span };
                let d = super::build::duplicate("node", &n, *first);
                self.diags.push(d);
                ok = false;
                continue;
            }
            spans.insert(text.clone(), target.span);
            let Some(reads) = reads.clone() else {
                known.insert(text, Node::Broken);
                continue;
            };
            topology.nodes.push(TopoNode {
                stage: StageId(s),
                copy: copy.text.clone(),
                reads,
                span: Some(target.span),
            });
            known.insert(text, Node::Source(TopoSource::Node(topology.nodes.len() - 1)));
        }
        ok.then_some(())
    }

    /// `STAGE.COPY` of no stage.
    fn stray_node(&self, target: &Expr, stages: &Stages) -> bool {
        matches!(&target.kind, ExprKind::Path(p) if p.len() == 2 && !stages.has(&p[0].text))
    }

    fn not_a_node(&mut self, target: &Expr, stages: &Stages, tasks: &HashMap<String, usize>) {
        let text = text_of(target);
        if self.is_reported(&["task"], &text) {
            return;
        }
        if let Some(node) = indexed(target) {
            let d = Diagnostic::new(codes::TOPOLOGY_TASK, target.span, "a copy of a stage has a name, not a number")
                .label("expected `STAGE.COPY`");
            self.diags.push(d.fix(format!("write `{node}`"), target.span, node, crate::diag::Applicability::Maybe));
            return;
        }
        let d = Diagnostic::new(
            codes::TOPOLOGY_TASK,
            target.span,
            format!("`{text}` is neither a task nor a copy of a stage"),
        );
        let names = by_name(tasks);
        let d = match suggest::nearest(&text, names.iter().copied()) {
            Some(near) => d.label(format!("did you mean `{near}`?")).fix(
                format!("replace `{text}` with `{near}`"),
                target.span,
                super::build::quoted_if_needed(near),
                match self.spec.incomplete {
                    true => crate::diag::Applicability::Maybe,
                    false => suggest::certainty(
                        &text,
                        near,
                        names.iter().copied().chain(stages.names.iter().map(String::as_str)),
                    ),
                },
            ),
            None if stages.has(&text) => d.help(format!("name the copy: `{text}.a`")),
            None => d.help("a line is `STAGE.COPY <- SOURCE`, `TASK <- SOURCE`, or `NAME <- mix(...)[...]`"),
        };
        self.diags.push(d);
    }

    fn sources(&mut self, expr: &Expr, topology: &mut Topology, known: &Known) -> Option<Vec<TopoSource>> {
        match &expr.kind {
            ExprKind::List(items) => {
                let all: Vec<Option<TopoSource>> = items.iter().map(|e| self.source(e, topology, known)).collect();
                all.into_iter().collect()
            }
            _ => Some(vec![self.source(expr, topology, known)?]),
        }
    }

    fn source(&mut self, expr: &Expr, topology: &mut Topology, known: &Known) -> Option<TopoSource> {
        if expr.kind == ExprKind::Missing {
            return None;
        }
        if as_mix(expr).is_some() {
            let name = format!("m{}", topology.mixes.len() + 1);
            return self.mix(expr, &name, Some(expr.span), topology, known);
        }
        // `mxi(...)[...]`
        if let ExprKind::Index { base, .. } = &expr.kind {
            let callee = match &base.kind {
                ExprKind::Call { callee, .. } => eval::as_name(callee),
                _ => eval::as_name(base),
            };
            if let Some(name) = callee {
                let wanted = "`mix`, of several copies: `mix(mean)[x.a, x.b]`";
                self.diags.push(eval::unknown_word(&name, ["mix"].into_iter(), wanted, codes::TOPOLOGY_SOURCE));
                return None;
            }
        }
        let text = text_of(expr);
        match known.nodes.get(&text) {
            Some(Node::Source(s)) => Some(*s),
            Some(Node::Broken) => None,
            Some(Node::Later) => {
                self.diags.push(
                    Diagnostic::new(
                        codes::TOPOLOGY_SOURCE,
                        expr.span,
                        format!("`{text}` is connected further down, or not at all"),
                    )
                    .label("not connected yet")
                    .help("lines stand in order: a node comes after all that it reads"),
                );
                None
            }
            None => {
                let names = by_name(&known.nodes);
                let d =
                    Diagnostic::new(codes::TOPOLOGY_SOURCE, expr.span, format!("there is no node or input `{text}`"));
                let d = match suggest::nearest(&text, names.iter().copied()) {
                    Some(near) => d.label(format!("did you mean `{near}`?")).fix(
                        format!("replace `{text}` with `{near}`"),
                        expr.span,
                        near,
                        // Copies are told apart by one letter: another copy is another network.
                        match copy_of(&text) == copy_of(near) {
                            true => suggest::certainty(&text, near, names.iter().copied()),
                            false => crate::diag::Applicability::Maybe,
                        },
                    ),
                    None if names.is_empty() => d.label("unknown"),
                    None => d.label("unknown").help(format!("known: {}", suggest::listing(names))),
                };
                self.diags.push(d);
                None
            }
        }
    }

    fn mix(
        &mut self,
        expr: &Expr,
        name: &str,
        span: Option<Span>,
        topology: &mut Topology,
        known: &Known,
    ) -> Option<TopoSource> {
        let (args, members) = as_mix(expr).expect("checked by the caller");
        let mut gate = None;
        let mut query = None;
        let mut ok = true;
        for (i, a) in args.iter().enumerate() {
            match a.name.as_ref().map(|n| n.text.as_str()) {
                Some("query") => query = Some(self.source(&a.value, topology, known)),
                Some("gate") => gate = eval::as_name(&a.value),
                None if i == 0 => gate = eval::as_name(&a.value),
                None if i == 1 && query.is_none() => {
                    query = Some(self.source(&a.value, topology, known));
                    let at = a.value.span;
                    let before = Span { end: at.start, ..at };
                    self.diags.push(
                        Diagnostic::new(codes::TYPE_ARGUMENTS, at, "the query of a `mix` needs its name")
                            .label("`query`?")
                            .fix("insert `query =`", before, "query = ", crate::diag::Applicability::Maybe),
                    );
                    ok = false;
                }
                _ => {
                    const HELP: &str =
                        "write `mix(softmax, query = embed.a)[low.a, low.b]`, or `mix(mean)[low.a, low.b]`";
                    self.diags.push(match &a.name {
                        Some(n) => {
                            let message = format!("`mix` has no argument called `{}`", n.text);
                            let words = ["gate", "query"].into_iter();
                            Diagnostic::new(codes::TYPE_ARGUMENTS, n.span, message)
                                .nearest(&n.text, n.span, words, str::to_string)
                                .help(HELP)
                        }
                        None => {
                            let message = "`mix` takes a gate and a query";
                            Diagnostic::new(codes::TYPE_ARGUMENTS, a.value.span, message).help(HELP)
                        }
                    });
                    ok = false;
                }
            }
        }
        let words = ["softmax", "sigmoid", "sum", "mean"];
        let members: Vec<Option<TopoSource>> = members.iter().map(|m| self.source(m, topology, known)).collect();
        let gate = match gate {
            Some(n) if words.contains(&n.text.as_str()) => Gate::from_word(&n.text),
            Some(n) => {
                let wanted = "`softmax`, `sigmoid`, `sum` or `mean`";
                self.diags.push(eval::unknown_word(&n, words.into_iter(), wanted, codes::TYPE_MISMATCH));
                return None;
            }
            None => Gate::Mean,
        };
        if ok && gate.has_query() != query.is_some() {
            let (what, help) = match gate.has_query() {
                true => (
                    format!("a `{}` gate needs a query", gate.word()),
                    "name what the gate reads: `query = ...`, an input or a node above, or use `mean`",
                ),
                false => (
                    format!("a `{}` gate reads no query", gate.word()),
                    "remove `query`, or use `softmax` or `sigmoid`",
                ),
            };
            self.diags.push(Diagnostic::new(codes::SPACE_QUERY, expr.span, what).help(help));
            return None;
        }
        let members = members.into_iter().collect::<Option<Vec<TopoSource>>>().filter(|_| ok)?;
        let query = match query {
            Some(source) => Some(source?),
            None => None,
        };
        topology.mixes.push(TopoMix { name: name.to_string(), gate, query, members, span });
        Some(TopoSource::Mix(topology.mixes.len() - 1))
    }
}

/// The place of the first mix that is nested too deeply in the queries of others.
fn too_deep(t: &Topology) -> Option<Span> {
    let mut depths: Vec<usize> = Vec::with_capacity(t.mixes.len());
    for mix in &t.mixes {
        // A mix stands after all that it reads.
        let reads = mix.query.iter().chain(&mix.members).filter_map(|s| match s {
            TopoSource::Mix(m) => depths.get(*m),
            _ => None,
        });
        depths.push(1 + reads.max().copied().unwrap_or(0));
    }
    let at = depths.iter().position(|d| *d > MAX_MIXES)?;
    t.mixes[at].span.or(t.span)
}

/// The names to suggest from; none once suggesting has cost enough.
fn by_name<V>(known: &HashMap<String, V>) -> Vec<&str> {
    let mut names: Vec<&str> = match suggest::is_spent() {
        true => Vec::new(),
        false => known.keys().map(String::as_str).collect(),
    };
    names.sort_unstable();
    names
}

/// `mix(...)[...]`
fn as_mix(expr: &Expr) -> Option<(&[ast::Arg], &[Expr])> {
    let ExprKind::Index { base, items } = &expr.kind else { return None };
    match &base.kind {
        ExprKind::Call { callee, args } if eval::as_name(callee).is_some_and(|n| n.text == "mix") => {
            Some((args, items))
        }
        ExprKind::Path(p) if p.len() == 1 && p[0].text == "mix" => Some((&[], items)),
        _ => None,
    }
}

/// `b` of `fc.b`.
fn copy_of(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, copy)| copy)
}

fn text_of(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Path(p) => eval::dotted(p),
        ExprKind::Str(s) => s.clone(),
        ExprKind::Index { base, .. } => format!("{}[...]", text_of(base)),
        ExprKind::Call { callee, .. } => format!("{}(...)", text_of(callee)),
        ExprKind::Int(v) => v.to_string(),
        _ => eval::describe(expr),
    }
}

/// `s1[0]`, `s1(a)`: the copy that is meant, counted from `a` in the order of the alphabet.
fn indexed(expr: &Expr) -> Option<String> {
    let (stage, copy) = match &expr.kind {
        ExprKind::Index { base, items } => (base, items.first().filter(|_| items.len() == 1)?),
        ExprKind::Call { callee, args } => (callee, args.first().map(|a| &a.value).filter(|_| args.len() == 1)?),
        _ => return None,
    };
    let stage = eval::as_name(stage)?.text;
    let copy = match &copy.kind {
        ExprKind::Int(i) => char::from_u32('a' as u32 + u32::try_from(*i).ok().filter(|i| *i < 26)?)?.to_string(),
        _ => eval::as_name(copy)?.text,
    };
    Some(format!("{stage}.{copy}"))
}

/// Names of mixes that are misspelt tasks: no line reads them, and they are near to a task that no line attaches.
fn misspelt_tasks(edges: &[&Edge], tasks: &HashMap<String, usize>) -> HashSet<String> {
    let mut read: HashSet<String> = HashSet::new();
    for e in edges {
        eval::walk_paths(&e.source, &mut |p| {
            read.insert(eval::dotted(p));
        });
    }
    let attached: HashSet<String> = edges.iter().flat_map(|e| e.targets.iter().map(text_of)).collect();
    let free: Vec<&str> = tasks.keys().map(String::as_str).filter(|t| !attached.contains(*t)).collect();
    if free.is_empty() {
        return HashSet::new();
    }
    let unread =
        attached.iter().filter(|name| !read.contains(*name) && !tasks.contains_key(*name) && !name.contains('.'));
    unread.filter(|name| suggest::nearest(name, free.iter().copied()).is_some()).cloned().collect()
}
