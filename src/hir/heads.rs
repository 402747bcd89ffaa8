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
        // Rank: name of a task, family, kind, `*`.
        let mut unknown_target = false;
        let mut best: Vec<Option<(usize, usize)>> = vec![None; self.spec.tasks.len()];
        for (h, l) in items.iter().enumerate() {
            for target in &l.item.targets {
                let hits: Vec<(usize, usize)> = if target.kind == ExprKind::Star {
                    (0..self.spec.tasks.len()).map(|t| (t, 3)).collect()
                } else {
                    let Some(name) = eval::as_name(target) else {
                        self.diags.push(Diagnostic::new(
                            codes::TYPE_MISMATCH,
                            target.span,
                            "expected a task, a family, a kind, or `*`",
                        ));
                        continue;
                    };
                    let family = self.spec.families.iter().position(|f| f.name == name.text);
                    let tasks = self.spec.tasks.iter().enumerate();
                    let hits: Vec<(usize, usize)> = tasks
                        .filter_map(|(i, t)| {
                            if t.name == name.text {
                                Some((i, 0))
                            } else if family.is_some() && t.family == family {
                                Some((i, 1))
                            } else if t.kind.name() == name.text {
                                Some((i, 2))
                            } else {
                                None
                            }
                        })
                        .collect();
                    let kind = super::tasks::kind_names().any(|k| k == name.text);
                    if hits.is_empty() && kind && !self.spec.incomplete && !self.spec.tasks.is_empty() {
                        self.diags.push(
                            Diagnostic::new(
                                codes::NAME_UNUSED,
                                name.span,
                                format!("no task is of the kind `{}`", name.text),
                            )
                            .help("remove it, or declare such a task"),
                        );
                    }
                    if hits.is_empty() && !kind && !self.declared_task(&name.text) {
                        let known: Vec<String> = self
                            .spec
                            .tasks
                            .iter()
                            .map(|t| t.name.clone())
                            .chain(self.spec.families.iter().map(|f| f.name.clone()))
                            .chain(self.spec.tasks.iter().map(|t| t.kind.name().to_string()))
                            .collect::<BTreeSet<String>>()
                            .into_iter()
                            .collect();
                        self.unknown_name("task", &name, known.iter().map(String::as_str));
                        unknown_target = true;
                    }
                    hits
                };
                for (t, rank) in hits {
                    match best[t] {
                        Some((r, other)) if r == rank && rank < 2 => {
                            let d = Diagnostic::new(
                                codes::NAME_DUPLICATE,
                                target.span,
                                format!("a second head for `{}`", self.spec.tasks[t].name),
                            )
                            .label("again here")
                            .also(items[other].item.keyword.span, "the first")
                            .help("keep one of them; a head of a task goes before one of its family, kind or `*`");
                            if !self.diags.iter().any(|e| e.primary.as_ref().map(|p| p.span) == Some(target.span)) {
                                self.diags.push(d);
                            }
                        }
                        Some((r, _)) if r <= rank => {}
                        _ => best[t] = Some((rank, h)),
                    }
                }
            }
        }
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
            let Some((_, h)) = best else {
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

    pub(super) fn declared_task(&self, name: &str) -> bool {
        self.spec.written.iter().any(|w| w.item.keyword.text == "task" && w.item.names.iter().any(|n| n.text == name))
    }
}
