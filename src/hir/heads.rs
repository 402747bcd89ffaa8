//! Heads: the most specific one for each task, instantiated for its number of outputs.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::build::Builder;
use super::eval::{self, Const};
use super::import::Loaded;
use super::*;
use crate::diag::{Diagnostic, codes};
use crate::syntax::ast::{ExprKind, Name};

impl Builder<'_> {
    pub(super) fn heads(&mut self, items: &[&Loaded]) {
        let def = schema::item("head").expect("in the table");
        let (best, unknown_target) = self.best_heads(items);
        // Without a backbone the heads are read all the same; any name may be a stage.
        self.stages_lost = self.spec.backbone.is_none();
        let stages = self.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        let mut readable: HashMap<String, Read> = HashMap::new();
        for (i, input) in self.spec.inputs.iter().enumerate() {
            readable.insert(input.name.clone(), Read::Input(InputId(i)));
        }
        for (i, s) in stages.iter().enumerate() {
            readable.insert(s.name.clone(), Read::Stage(StageId(i)));
        }
        let last = match self.stages_lost {
            true => Some(Read::Input(InputId(0))),
            false => stages.len().checked_sub(1).map(|i| Read::Stage(StageId(i))),
        };
        let mut made: HashMap<(usize, Option<usize>), Option<HeadId>> = HashMap::new();
        let mut missing: Vec<usize> = Vec::new();
        for (t, best) in best.into_iter().enumerate() {
            let Some(h) = best else {
                missing.push(t);
                continue;
            };
            let outputs = self.spec.tasks[t].kind.outputs();
            let id = match made.get(&(h, outputs)) {
                Some(id) => *id,
                None => {
                    let item = &items[h].item;
                    let mut scope = self.scope.clone();
                    scope.set("outputs", outputs.map_or(Const::Open, |n| Const::Int(n as i64)));
                    let name = Name { text: "head".into(), quoted: false, span: item.keyword.span };
                    let none = HashSet::new();
                    let built = self.body_of(
                        item.value.as_ref(),
                        item.body.as_ref(),
                        def,
                        &name,
                        scope,
                        &readable,
                        &none,
                        last,
                    );
                    let id = built.body.filter(|_| !self.stages_lost).map(|body| {
                        self.spec.heads.push(Head { reads: built.reads, body, span: item.keyword.span });
                        HeadId(self.spec.heads.len() - 1)
                    });
                    made.insert((h, outputs), id);
                    id
                }
            };
            self.spec.tasks[t].head = id;
        }
        // Heads of no task are read too, so that every mistake is found.
        for (h, l) in items.iter().enumerate() {
            if made.keys().any(|(of, _)| *of == h) {
                continue;
            }
            let mut scope = self.scope.clone();
            scope.set("outputs", Const::Open);
            let name = Name { text: "head".into(), quoted: false, span: l.item.keyword.span };
            let (value, body) = (l.item.value.as_ref(), l.item.body.as_ref());
            self.body_of(value, body, def, &name, scope, &readable, &HashSet::new(), last);
        }
        let stages_lost = std::mem::take(&mut self.stages_lost);
        if let Some(t) = missing.first()
            && !stages_lost
            && !self.spec.incomplete
            && !unknown_target
        {
            let task = &self.spec.tasks[*t];
            let more = match missing.len() - 1 {
                0 => String::new(),
                1 => " (nor has one other)".to_string(),
                n => format!(" (nor have {n} others)"),
            };
            // A task of another file is as it should be: the head is missing here, where the backbone is.
            let imported = task.span.file != self.root;
            let here = self.spec.backbone.as_ref().map(|b| b.span).filter(|s| imported && s.file == self.root);
            let d = Diagnostic::new(
                codes::BACKBONE_NO_HEAD,
                here.unwrap_or(task.span),
                format!("the task `{}` has no head{more}", task.name),
            );
            let d = match here {
                Some(_) => d.label("no head reads this backbone for it").also(task.span, "the task"),
                None => d.label("no `head` is for it"),
            };
            self.diags.push(d.help("declare one, for all tasks if they agree: `head for * = linear(outputs)`"));
        }
    }

    /// For each task the most specific head that is for it, and whether a target could not be read.
    fn best_heads(&mut self, items: &[&Loaded]) -> (Vec<Option<usize>>, bool) {
        let targets = Targets::of(&self.spec);
        let mut unknown_target = false;
        // The rank of the best head so far, and the head.
        let mut best: Vec<Option<(Rank, usize)>> = vec![None; self.spec.tasks.len()];
        let mut seen: HashMap<(bool, String), Span> = HashMap::new();
        let mut known: Option<BTreeSet<String>> = None;
        for (h, l) in items.iter().enumerate() {
            for target in &l.item.targets {
                let name = match &target.kind {
                    ExprKind::Star => Name { text: "*".into(), quoted: false, span: target.span },
                    _ => match eval::as_name(target) {
                        Some(name) => name,
                        None => {
                            let wanted = "expected a task, a family, a kind, or `*`";
                            self.diags.push(Diagnostic::new(codes::TYPE_MISMATCH, target.span, wanted));
                            continue;
                        }
                    },
                };
                let key = (target.kind == ExprKind::Star, name.text.clone());
                if let Some(first) = seen.get(&key) {
                    let message = format!("a second head for `{}`", name.text);
                    let d = Diagnostic::new(codes::NAME_DUPLICATE, target.span, message)
                        .label("again here")
                        .also(*first, "the first")
                        .help("keep one of them; a head of a task goes before one of its family, kind or `*`");
                    self.diags.push(d);
                    continue;
                }
                seen.insert(key, target.span);
                let hits = match target.kind {
                    ExprKind::Star => (0..self.spec.tasks.len()).map(|t| (t, Rank::Any)).collect(),
                    _ => targets.hits(&name.text, &self.spec),
                };
                let kind = super::tasks::kind_names().any(|k| k == name.text);
                if hits.is_empty() && kind && !self.spec.incomplete && !self.spec.tasks.is_empty() {
                    let message = format!("no task is of the kind `{}`", name.text);
                    let d = Diagnostic::new(codes::NAME_UNUSED, name.span, message);
                    self.diags.push(d.help("remove it, or declare such a task"));
                }
                let is_known = kind || target.kind == ExprKind::Star || self.declared_task(&name.text);
                if hits.is_empty() && !is_known && ["all", "every", "each"].contains(&name.text.as_str()) {
                    let d =
                        Diagnostic::new(codes::NAME_UNKNOWN, name.span, format!("there is no task `{}`", name.text));
                    let how = crate::diag::Applicability::Maybe;
                    self.diags.push(d.label("all tasks are written `*`").fix("write `*`", name.span, "*", how));
                    unknown_target = true;
                } else if hits.is_empty() && !is_known {
                    let known = known.get_or_insert_with(|| targets.names());
                    self.unknown_name("task", &name, known.iter().map(String::as_str));
                    unknown_target = true;
                }
                for (t, rank) in hits {
                    if best[t].is_none_or(|(r, _)| rank < r) {
                        best[t] = Some((rank, h));
                    }
                }
            }
        }
        (best.into_iter().map(|b| b.map(|(_, h)| h)).collect(), unknown_target)
    }

    /// Whether a task of that name is written, even if it could not be read.
    pub(super) fn declared_task(&self, name: &str) -> bool {
        self.declared.contains(&("task".into(), name.into()))
    }
}

/// How a head came to be for a task; the first goes before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Task,
    Family,
    Kind,
    Any,
}

/// What the target of a head may name.
struct Targets {
    tasks: HashMap<String, usize>,
    families: HashMap<String, usize>,
    kinds: HashMap<&'static str, Vec<usize>>,
}

impl Targets {
    fn of(spec: &Spec) -> Targets {
        let mut kinds: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (i, t) in spec.tasks.iter().enumerate() {
            kinds.entry(t.kind.name()).or_default().push(i);
        }
        let tasks = spec.tasks.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        let families = spec.families.iter().enumerate().map(|(i, f)| (f.name.clone(), i)).collect();
        Targets { tasks, families, kinds }
    }

    /// The tasks that a name is for.
    fn hits(&self, name: &str, spec: &Spec) -> Vec<(usize, Rank)> {
        let task = self.tasks.get(name).map(|t| (*t, Rank::Task));
        let family = self.families.get(name).into_iter().flat_map(|f| spec.families[*f].tasks.clone());
        let kind = self.kinds.get(name).into_iter().flatten();
        task.into_iter().chain(family.map(|t| (t, Rank::Family))).chain(kind.map(|t| (*t, Rank::Kind))).collect()
    }

    fn names(&self) -> BTreeSet<String> {
        let kinds = self.kinds.keys().map(|k| k.to_string());
        self.tasks.keys().chain(self.families.keys()).cloned().chain(kinds).collect()
    }
}
