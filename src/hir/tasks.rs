//! Tasks and families: kind, label, mask, loss, metrics.

use std::collections::HashMap;

use super::build::Builder;
use super::eval::{self, Scope};
use super::import::Loaded;
use super::*;
use crate::data::axes::Order;
use crate::diag::{Diagnostic, codes, suggest};
use crate::objective;
use crate::ops::input::SIZE;
use crate::schema::{AttrDef, CallDef, Need, Value};
use crate::syntax::ast::{Entry, Expr, ExprKind, Name};

impl Builder<'_> {
    pub(super) fn tasks(&mut self, items: &[&Loaded]) {
        self.duplicates(items, "task");
        let def = schema::item("task").expect("in the table");
        let mut whole: Vec<Span> = Vec::new();
        let mut names: HashMap<String, Span> = HashMap::new();
        for l in items {
            let item = &l.item;
            let fields = self.fields(&item.keyword, item.body.as_ref(), def.attrs, def, item.span);
            let Some(ty) = &item.ty else { continue };
            let read = self.task_kind(ty);
            // A wrong kind is read as the one that it is near to, so that the attributes are checked; the task is not declared.
            let Some(mut kind) = read.or_else(|| nearest_kind(ty)) else { continue };
            let from = fields.args.expr("from").cloned();
            let label = fields.args.expr("label").cloned();
            let mask = fields.args.expr("mask").cloned();
            if let (Some(f), Some(l)) = (&from, &label) {
                self.diags.push(
                    Diagnostic::new(codes::TASK_LABEL, l.span, "a task takes `label` or `from`, not both")
                        .also(f.span, "the other one")
                        .help("`from` names a column, `label` computes from columns"),
                );
            }
            let loss = self.task_loss(kind, &fields.args);
            let metrics = self.task_metrics(kind, &fields.args);
            let weight = fields.args.float("weight");
            let standardize = self.standardize(kind, &fields.args);
            let loss_span = fields.args.span("loss").filter(|_| fields.args.is_given("loss"));
            let reading = self.task_reading(kind, &fields.args);
            let excused = mask.is_some() || !reading.ignore.is_empty();
            let mask = mask.and_then(|e| self.label(&e, kind, Role::Mask));
            let first = self.spec.tasks.len();
            let name = &item.names[0];
            // Members: one for a plain task, the columns of a group for a family.
            let mut members: Vec<(String, Span, Option<Label>)> = Vec::new();
            let mut open = false;
            if let Some(index) = &item.index {
                let Some(from) = from.clone() else {
                    self.diags.push(
                        Diagnostic::new(
                            codes::TASK_LABEL,
                            name.span,
                            format!("the family `{}` has no `from`", name.text),
                        )
                        .help("say which columns its tasks are: `from = celeba.attributes`"),
                    );
                    continue;
                };
                let Some(columns) = self.columns(&from, &[]) else { continue };
                let star = index.value.iter().any(|e| e.kind == ExprKind::Star);
                let data_name = self.spec.data[columns.data.0].name.clone();
                let listed: Vec<Name> = index.value.iter().filter_map(eval::as_name).collect();
                // A group whose members are not known yet reads as one column of its own name.
                let group = match &from.kind {
                    ExprKind::Path(p) if p.len() == 2 => Some(p[1].text.clone()),
                    _ => None,
                };
                open = star
                    && match (&columns.names, &group) {
                        (None, _) => true,
                        (Some(n), Some(g)) => {
                            n.len() == 1 && n[0] == *g && self.spec.data[columns.data.0].known.column(g).is_none()
                        }
                        _ => false,
                    };
                let all = columns.names.clone().unwrap_or_default();
                let chosen: Vec<(String, Span)> = match (star, open) {
                    (true, true) => vec![(format!("{}[*]", name.text), name.span)],
                    (true, false) => all.iter().map(|n| (n.clone(), name.span)).collect(),
                    (false, _) => listed.iter().map(|n| (n.text.clone(), n.span)).collect(),
                };
                for (member, span) in chosen {
                    let path = vec![
                        Name { text: data_name.clone(), quoted: false, span: from.span },
                        Name { text: member.clone(), quoted: true, span: if star { from.span } else { span } },
                    ];
                    let expr = Expr { kind: ExprKind::Path(path), span: from.span };
                    let label = if open { None } else { self.label(&expr, kind, Role::Label { excused }) };
                    members.push((member, span, label));
                }
            } else {
                let expr = label.or(from);
                // One that cannot be read is written all the same, and reported where it stands.
                let written = item.body.iter().flat_map(|b| &b.entries).any(|e| {
                    matches!(e, Entry::Attr(a) if ["label", "from"].contains(&a.key.text.as_str())
                        || suggest::nearest(&a.key.text, ["label", "from"]).is_some())
                });
                if expr.is_none() && !written && !self.spec.data.is_empty() {
                    self.diags.push(
                        Diagnostic::new(codes::TASK_LABEL, name.span, format!("the task `{}` has no label", name.text))
                            .label("no `label` and no `from`")
                            .help("say what is to be learned: `label = data.column`, or `label = data.column == \"value\"`"),
                    );
                }
                let label = expr.and_then(|e| self.label(&e, kind, Role::Label { excused }));
                if let (TaskKind::Classes(None), Some(l)) = (kind, &label) {
                    let known = &self.spec.data[l.data.0].known;
                    kind = TaskKind::Classes(data::label::classes(&l.label, &reading.ignore, known));
                    if kind == TaskKind::Classes(Some(0)) {
                        // The kind stays open, and the label itself shows which column it is.
                        kind = TaskKind::Classes(None);
                        self.diags.push(
                            Diagnostic::new(codes::TASK_KIND, ty.span, format!("`{}` has no class", name.text))
                                .label("no class is left")
                                .help(
                                    "no text of its label occurs in as many training rows as `min_count` requires: lower it, or exempt \
                                     the column of the label",
                                ),
                        );
                    } else if kind == TaskKind::Classes(None) && known.frozen {
                        self.diags.push(
                            Diagnostic::new(
                                codes::TASK_KIND,
                                ty.span,
                                format!("the data do not show how many classes `{}` has", name.text),
                            )
                            .label("open")
                            .help("write their number: `classes(n)`"),
                        );
                    }
                }
                members.push((name.text.clone(), name.span, label));
            }
            if read.is_none() {
                continue;
            }
            let family = item.index.as_ref().map(|_| self.spec.families.len());
            for (member, span, label) in members {
                if let Some(other) = names.get(&member) {
                    if item.index.is_some() {
                        let n = Name { text: member.clone(), quoted: false, span };
                        self.diags.push(super::build::duplicate("task", &n, *other));
                    }
                    continue;
                }
                names.insert(member.clone(), span);
                self.spec.tasks.push(Task {
                    name: member,
                    span,
                    kind,
                    kind_span: ty.span,
                    family,
                    label,
                    mask: mask.clone(),
                    reading: reading.clone(),
                    loss: loss.clone(),
                    loss_span,
                    metrics: metrics.clone(),
                    weight,
                    standardize,
                    head: None,
                });
            }
            whole.push(l.item.span);
            if item.index.is_some() {
                let range = first..self.spec.tasks.len();
                self.spec.families.push(Family { name: name.text.clone(), tasks: range, open, span: name.span });
            }
        }
        // A task that could not be read is reported; what lacks it is not wrong.
        self.spec.incomplete |= whole.len() < items.len();
    }

    /// Checks the label or the mask of a task.
    fn label(&mut self, expr: &Expr, kind: TaskKind, role: Role) -> Option<Label> {
        if expr.kind == ExprKind::Missing {
            return None;
        }
        let mut unread = false;
        eval::walk_paths(expr, &mut |p| {
            let known = self.spec.data.iter().any(|d| d.name == p[0].text);
            unread |= !known && self.is_reported(&["data"], &p[0].text);
        });
        if unread {
            return None;
        }
        let known = self.spec.data.iter().map(|d| &d.known);
        let found = match role {
            Role::Label { excused } => data::label::check_label(expr, kind, excused, known),
            Role::Mask => data::label::check_mask(expr, kind, known),
        };
        match found {
            Ok(label) => {
                let data = self.spec.data.iter().position(|d| d.name == label.data)?;
                Some(Label { data: DataId(data), label, span: expr.span })
            }
            Err(problems) => {
                self.diags.extend(problems);
                None
            }
        }
    }

    pub(super) fn task_kind(&mut self, expr: &Expr) -> Option<TaskKind> {
        let (name, arg) = match &expr.kind {
            ExprKind::Call { callee, args } => (eval::as_name(callee)?, args.first().map(|a| &a.value)),
            ExprKind::Missing => return None,
            _ => match eval::as_name(expr) {
                Some(n) => (n, None),
                None => {
                    self.diags.push(
                        Diagnostic::new(codes::TASK_KIND, expr.span, "expected the kind of a task")
                            .help("`binary`, `classes(n)`, `multilabel(n)`, `regression(n)`, `segmentation(n)`, `depth`, `normals`"),
                    );
                    return None;
                }
            },
        };
        if !kind_names().any(|k| k == name.text) {
            self.diags.push(eval::unknown_word(&name, kind_names(), "a task kind", codes::TASK_KIND));
            return None;
        }
        if let ExprKind::Call { args, .. } = &expr.kind
            && let Some((named, at)) = args.iter().find_map(|a| a.name.as_ref().map(|n| (n, a)))
        {
            let (name, set) = (&name.text, &named.text);
            self.diags.push(
                Diagnostic::new(codes::TASK_KIND, named.span.to(at.value.span), format!("`{name}` takes no `{set}`"))
                    .help(match schema::item("task").is_some_and(|t| t.attrs.iter().any(|a| a.name == set)) {
                        true => format!("`{set}` stands in the task's body: `task NAME: {name} {{ {set} = ... }}`"),
                        false => "what may stand in its brackets is the number of outputs".into(),
                    }),
            );
            return None;
        }
        let scope = self.scope.clone();
        let n = match arg {
            None => None,
            Some(e) => match eval::value(e, &SIZE, &scope, self.diags)?.value {
                Value::Int(n) => Some(n as usize),
                _ => return None,
            },
        };
        let need = |this: &mut Self| {
            this.diags.push(
                Diagnostic::new(codes::TASK_KIND, expr.span, format!("`{}` needs its number of outputs", name.text))
                    .help(format!("write `{}(n)`", name.text)),
            );
            None
        };
        Some(match (name.text.as_str(), n) {
            ("binary", _) => TaskKind::Binary,
            ("classes", Some(1)) => {
                self.diags.push(
                    Diagnostic::new(codes::TASK_KIND, expr.span, "one class leaves nothing to decide")
                        .help("for yes or no, write `binary`; else give the number of classes"),
                );
                return None;
            }
            ("classes", n) => TaskKind::Classes(n),
            ("multilabel", n) => TaskKind::Multilabel(n),
            ("regression", n) => TaskKind::Regression(n.unwrap_or(1)),
            ("segmentation", Some(n)) => TaskKind::Segmentation(n),
            ("segmentation", None) => return need(self),
            ("depth", _) => TaskKind::Depth,
            _ => TaskKind::Normals,
        })
    }

    /// Reads the attributes `ignore`, `layout` and `resize`.
    fn task_reading(&mut self, kind: TaskKind, args: &Args) -> data::Reading {
        let number = |v: &Value| match v {
            Value::Float(v) => Some(*v),
            Value::Int(v) => Some(*v as f64),
            _ => None,
        };
        let (layout, resize) = (args.opt_str("layout"), args.opt_str("resize").map(data::Resize::from_word));
        let mut wrong = |name: &str, message: String, help: &str| {
            if let Some(span) = args.span(name) {
                self.diags.push(Diagnostic::new(codes::TASK_LABEL, span, message).help(help));
            }
        };
        for (name, given) in [("layout", layout.is_some()), ("resize", resize.is_some())] {
            if given && !kind.is_dense() {
                let message = format!("`{name}` is for a label per pixel, and `{}` has one per sample", kind.name());
                wrong(name, message, "leave it out");
            }
        }
        if resize == Some(data::Resize::Bilinear) && matches!(kind, TaskKind::Segmentation(_) | TaskKind::Normals) {
            let what = if kind == TaskKind::Normals { "directions" } else { "class numbers" };
            let message = format!("`bilinear` averages labels, and {what} have no mean");
            wrong("resize", message, "write `resize = nearest`, or end the head with `upsample`");
        }
        data::Reading {
            ignore: args.list("ignore").iter().filter_map(|v| number(&v.value)).collect(),
            order: layout.map_or(Order::Chw, Order::from_word),
            resize,
        }
    }

    pub(super) fn task_loss(&mut self, kind: TaskKind, args: &Args) -> Call {
        let default = default_call(&objective::default_loss(kind).call);
        let Some(call) = args.opt_call("loss") else { return default };
        let def = objective::find_loss(call.name).expect("the table has it");
        if (def.fits)(kind) {
            return call.clone();
        }
        let fitting: Vec<&str> = objective::losses().iter().filter(|l| (l.fits)(kind)).map(|l| l.call.name).collect();
        let span = args.span("loss").expect("given");
        self.diags.push(
            Diagnostic::new(
                codes::TASK_LOSS,
                span,
                format!("the loss `{}` does not fit a `{}` task", call.name, kind.name()),
            )
            .label(format!("not for `{}`", kind.name()))
            .help(format!("fitting: {}", suggest::listing(fitting))),
        );
        default
    }

    /// Whether the labels of a task are standardised: the default for labels with units.
    fn standardize(&mut self, kind: TaskKind, args: &Args) -> bool {
        let fits = kind.has_units();
        if let (false, Some(span)) = (fits, args.span("standardize").filter(|_| args.is_given("standardize"))) {
            let message = format!("the labels of a `{}` task are not numbers with a mean and a deviation", kind.name());
            self.diags.push(
                Diagnostic::new(codes::TASK_STANDARDIZE, span, message)
                    .label("only for `regression` and `depth`")
                    .help("remove `standardize`"),
            );
        }
        fits && args.get("standardize").is_none_or(|v| *v == Value::Bool(true))
    }

    pub(super) fn task_metrics(&mut self, kind: TaskKind, args: &Args) -> Vec<Call> {
        if args.get("metrics").is_none() {
            return objective::default_metrics(kind).iter().map(|m| default_call(&m.call)).collect();
        }
        let mut out = Vec::new();
        for v in args.list("metrics") {
            let Value::Call(call) = &v.value else { continue };
            let def = objective::find_metric(call.name).expect("the table has it");
            if (def.fits)(kind) {
                out.push(call.clone());
                continue;
            }
            let fitting: Vec<&str> =
                objective::metrics().iter().filter(|m| (m.fits)(kind)).map(|m| m.call.name).collect();
            self.diags.push(
                Diagnostic::new(
                    codes::TASK_METRIC,
                    v.span,
                    format!("the metric `{}` does not fit a `{}` task", call.name, kind.name()),
                )
                .label(format!("not for `{}`", kind.name()))
                .help(format!("fitting: {}", suggest::listing(fitting))),
            );
        }
        out
    }
}

/// The role of an expression over columns.
enum Role {
    /// The label of the task. `excused`: some values may mean "no label".
    Label {
        excused: bool,
    },
    Mask,
}

const fn kind_of(name: &'static str, doc: &'static str, args: &'static [AttrDef]) -> CallDef {
    CallDef { name, doc, args }
}

const fn outputs(need: Need, doc: &'static str) -> AttrDef {
    AttrDef { name: "outputs", ty: SIZE, need, doc }
}

/// The kinds of tasks.
pub static KINDS: [CallDef; 7] = [
    kind_of("binary", "Yes or no, from one logit. The label is true or false, or 0 or 1.", &[]),
    kind_of(
        "classes",
        "One of several, from a logit each. The label is a column of text, or a class number from 0.",
        &[outputs(Need::Optional, "Number of classes; absent: as many as the schema knows.")],
    ),
    kind_of(
        "multilabel",
        "Several times yes or no. The label is an array of 0 and 1, or a list of comparisons.",
        &[outputs(Need::Optional, "Number of labels; absent: as many as there are.")],
    ),
    kind_of(
        "regression",
        "Numbers. The label is a number, an array, or a list of numbers.",
        &[outputs(Need::Default("1"), "How many numbers.")],
    ),
    kind_of(
        "segmentation",
        "A class for every pixel. The label is an array of class numbers.",
        &[outputs(Need::Required, "Number of classes.")],
    ),
    kind_of("depth", "A number for every pixel.", &[]),
    kind_of("normals", "A direction for every pixel: three numbers.", &[]),
];

pub(super) fn kind_names() -> impl Iterator<Item = &'static str> + Clone {
    KINDS.iter().map(|k| k.name)
}

/// The kind whose name a type has, or nearly has.
fn nearest_kind(ty: &Expr) -> Option<TaskKind> {
    let name = match &ty.kind {
        ExprKind::Call { callee, .. } => eval::as_name(callee)?,
        _ => eval::as_name(ty)?,
    };
    kind_named(&name.text).or_else(|| suggest::nearest(&name.text, kind_names()).and_then(kind_named))
}

/// A kind by its name, with as many outputs as it takes to have one.
pub fn kind_named(name: &str) -> Option<TaskKind> {
    Some(match name {
        "binary" => TaskKind::Binary,
        "classes" => TaskKind::Classes(None),
        "multilabel" => TaskKind::Multilabel(None),
        "regression" => TaskKind::Regression(1),
        "segmentation" => TaskKind::Segmentation(2),
        "depth" => TaskKind::Depth,
        "normals" => TaskKind::Normals,
        _ => return None,
    })
}

/// A call with every argument at its default.
fn default_call(def: &'static crate::schema::CallDef) -> Call {
    let nowhere = Span::new(FileId(0), 0, 0);
    let mut quiet = crate::diag::Diagnostics::default();
    let args = super::arguments::arguments(def.name, def.args, &[], nowhere, &Scope::default(), &mut quiet);
    Call { name: def.name, args: args.expect("a default loss or metric needs no arguments") }
}
