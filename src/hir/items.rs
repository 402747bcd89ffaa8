//! Data, inputs, tasks, backbones, heads and searches.

use std::collections::{HashMap, HashSet};

use super::build::{Builder, Options};
use super::eval::{self, Const, Scope};
use super::flow::{Growing, Names};
use super::import::Loaded;
use super::schema::ItemDef;
use super::*;
use crate::diag::{Diagnostic, codes, suggest};
use crate::objective;
use crate::ops::{Dim, Fields as FieldTypes};
use crate::schema::{AttrDef, COUNT, Value};
use crate::syntax::ast::{Entry, Expr, ExprKind, Item, Name, Nested};

impl Builder<'_> {
    pub(super) fn datas(&mut self, items: &[&Loaded], schemas: &[&Loaded], options: &Options) {
        self.duplicates(items, "data set");
        self.duplicates(schemas, "schema");
        for l in items {
            let item = &l.item;
            let def = schema::item("data").expect("in the table");
            let format = item.body.as_ref().and_then(|b| {
                b.entries.iter().find_map(|e| match e {
                    Entry::Attr(a) if a.key.text == "format" => Some(a),
                    _ => None,
                })
            });
            let Some(format) = format else {
                let words = suggest::listing(data::table().iter().map(|f| f.call.name));
                self.diags.push(
                    Diagnostic::new(codes::TYPE_MISSING_ATTRIBUTE, item.keyword.span, "this `data` lacks `format`")
                        .label("`format` is missing")
                        .help(format!("say how the files are laid out: `format = ...`, one of {words}")),
                );
                continue;
            };
            let Some(name) = eval::as_name(&format.value) else { continue };
            let Some(found) = data::find(&name.text) else {
                let words = data::table().iter().map(|f| f.call.name);
                self.diags.push(eval::unknown_word(&name, words, "a data format", codes::DATA_FORMAT));
                continue;
            };
            let attrs: Vec<AttrDef> = def.attrs.iter().chain(found.call.args).copied().collect();
            let fields = self.fields(&item.keyword, item.body.as_ref(), &attrs, def, item.span);
            if fields.broken {
                continue;
            }
            let written = schemas.iter().find(|s| s.item.names[0].text == item.names[0].text);
            let frozen = match written {
                Some(s) => match data::Schema::from_ast(&s.item) {
                    Ok(s) => Some(s),
                    Err(d) => {
                        self.diags.extend(d);
                        None
                    }
                },
                None => options.schemas.get(&item.names[0].text).cloned(),
            };
            self.diags.extend((found.check)(&fields.args, item.names[0].span));
            let name = &item.names[0].text;
            let known = match &frozen {
                Some(s) => data::Known::from_schema(name, s),
                None => data::Known::from_outline(name, (found.outline)(&fields.args)),
            };
            self.spec.data.push(Data {
                name: item.names[0].text.clone(),
                span: item.names[0].span,
                format: found,
                args: fields.args,
                base: l.base.clone(),
                schema: frozen,
                known,
            });
        }
        for s in schemas {
            let name = &s.item.names[0];
            if !items.iter().any(|l| l.item.names[0].text == name.text) {
                let names: Vec<String> = items.iter().map(|l| l.item.names[0].text.clone()).collect();
                self.unknown_name("data set", name, names.iter().map(String::as_str));
            }
        }
    }

    /// Columns of a data set as `from` names them: `census`, `census.age`, `census[age, sex]`, less `except`.
    pub(super) fn columns(&mut self, expr: &Expr, except: &[Name]) -> Option<Columns> {
        let mut first: Option<Name> = None;
        walk_paths(expr, &mut |p| {
            first.get_or_insert_with(|| p[0].clone());
        });
        let Some(first) = first else {
            if expr.kind != ExprKind::Missing {
                let found = eval::describe(expr);
                self.diags.push(
                    Diagnostic::new(
                        codes::TYPE_MISMATCH,
                        expr.span,
                        format!("expected columns of a data set, found {found}"),
                    )
                    .help("write `from = data.column`, `from = data`, or `from = data[a, b]`"),
                );
            }
            return None;
        };
        let data = self.data_named(&first)?;
        let d = &self.spec.data[data.0];
        let dropped: Vec<String> = d
            .args
            .iter()
            .filter(|(k, _)| *k == "drop")
            .flat_map(|(_, v)| match &v.value {
                Value::List(items) => items.clone(),
                _ => Vec::new(),
            })
            .filter_map(|v| match v.value {
                Value::Name(n) => n.last().cloned(),
                _ => None,
            })
            .collect();
        match d.known.select(expr, except, &dropped) {
            Ok(names) => Some(Columns { data, names, span: expr.span }),
            Err(problems) => {
                self.diags.extend(problems);
                None
            }
        }
    }

    fn data_named(&mut self, name: &Name) -> Option<DataId> {
        if let Some(i) = self.spec.data.iter().position(|d| d.name == name.text) {
            return Some(DataId(i));
        }
        let known: Vec<String> = self.spec.data.iter().map(|d| d.name.clone()).collect();
        self.unknown_name("data set", name, known.iter().map(String::as_str));
        None
    }

    pub(super) fn inputs(&mut self, items: &[&Loaded]) {
        self.duplicates(items, "input");
        let def = schema::item("input").expect("in the table");
        for l in items {
            let item = &l.item;
            let fields = self.fields(&item.keyword, item.body.as_ref(), def.attrs, def, item.span);
            let except: Vec<Name> = fields
                .args
                .list("except")
                .iter()
                .filter_map(|v| match &v.value {
                    Value::Name(n) => Some(Name { text: n.last()?.clone(), quoted: false, span: v.span }),
                    _ => None,
                })
                .collect();
            let sources: Vec<Expr> = match fields.args.expr("from").cloned() {
                Some(Expr { kind: ExprKind::List(items), .. }) => items,
                from => from.into_iter().collect(),
            };
            let mut also: Vec<Columns> = sources.iter().filter_map(|e| self.columns(e, &except)).collect();
            for i in 1..also.len() {
                if also[..i].iter().any(|c| c.data == also[i].data) {
                    let name = self.spec.data[also[i].data.0].name.clone();
                    self.diags.push(
                        Diagnostic::new(
                            codes::DATA_COLUMN,
                            also[i].span,
                            format!("the data set `{name}` stands here twice"),
                        )
                        .help("several sources are one for each data set; several columns of one are `DATA[a, b]`"),
                    );
                }
            }
            let from = (!also.is_empty()).then(|| also.remove(0));
            if let Some(v) = fields.args.get("scale")
                && !matches!(v, Value::List(items) if items.len() == 2)
            {
                let span = fields.args.span("scale").unwrap_or(item.span);
                self.diags.push(
                    Diagnostic::new(codes::TYPE_MISMATCH, span, "`scale` takes two numbers")
                        .help("write `scale = [-1, 1]`"),
                );
            }
            let Some(ty_expr) = &item.ty else { continue };
            let Some(ty) = self.tensor_type(ty_expr, from.as_ref()) else { continue };
            self.spec.inputs.push(Input {
                name: item.names[0].text.clone(),
                span: item.names[0].span,
                ty,
                ty_span: ty_expr.span,
                from,
                also,
                args: fields.args,
            });
        }
    }

    /// `f32[3, 64, 64]` or `fields`.
    fn tensor_type(&mut self, expr: &Expr, from: Option<&Columns>) -> Option<TensorType> {
        if let Some(n) = eval::as_name(expr)
            && n.text == "fields"
        {
            return Some(TensorType::Fields(match from {
                Some(Columns { data, names: Some(names), .. }) => self.spec.data[data.0].known.fields(names),
                _ => FieldTypes(None),
            }));
        }
        if let ExprKind::Index { base, items } = &expr.kind
            && eval::as_name(base).is_some_and(|n| n.text == "f32")
        {
            let scope = self.scope.clone();
            let dims: Vec<Option<Dim>> = items
                .iter()
                .map(|e| match eval::value(e, &COUNT, &scope, self.diags)?.value {
                    Value::Int(n) => Some(Dim::Known(n as usize)),
                    _ => None,
                })
                .collect();
            return Some(TensorType::Dense(dims.into_iter().collect::<Option<_>>()?));
        }
        if expr.kind != ExprKind::Missing {
            self.diags.push(
                Diagnostic::new(codes::TYPE_MISMATCH, expr.span, "expected the type of an input")
                    .label("not a type")
                    .help("write `f32[channels, height, width]`, `f32[n]`, or `fields` for the columns of a table"),
            );
        }
        None
    }

    pub(super) fn tasks(&mut self, items: &[&Loaded]) {
        self.duplicates(items, "task");
        let def = schema::item("task").expect("in the table");
        let mut whole: Vec<Span> = Vec::new();
        let mut names: HashMap<String, Span> = HashMap::new();
        for l in items {
            let item = &l.item;
            let fields = self.fields(&item.keyword, item.body.as_ref(), def.attrs, def, item.span);
            let Some(ty) = &item.ty else { continue };
            let Some(mut kind) = self.task_kind(ty) else { continue };
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
            let loss_span = fields.args.span("loss").filter(|_| fields.args.is_given("loss"));
            let mask = mask.and_then(|e| self.label(&e, None));
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
                    let label = if open { None } else { self.label(&expr, Some(kind)) };
                    members.push((member, span, label));
                }
            } else {
                let expr = label.or(from);
                if expr.is_none() && !self.spec.data.is_empty() {
                    self.diags.push(
                        Diagnostic::new(codes::TASK_LABEL, name.span, format!("the task `{}` has no label", name.text))
                            .label("no `label` and no `from`")
                            .help("say what is to be learned: `label = data.column`, or `label = data.column == \"value\"`"),
                    );
                }
                let label = expr.and_then(|e| self.label(&e, Some(kind)));
                if let (TaskKind::Classes(None), Some(l)) = (kind, &label) {
                    kind = TaskKind::Classes(data::label::classes(&l.label, &self.spec.data[l.data.0].known));
                }
                members.push((name.text.clone(), name.span, label));
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
                    loss: loss.clone(),
                    loss_span,
                    metrics: metrics.clone(),
                    weight,
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

    /// A label (of a kind) or a mask (without one).
    fn label(&mut self, expr: &Expr, kind: Option<TaskKind>) -> Option<Label> {
        if expr.kind == ExprKind::Missing {
            return None;
        }
        let mut unread = false;
        walk_paths(expr, &mut |p| {
            let known = self.spec.data.iter().any(|d| d.name == p[0].text);
            unread |= !known && self.is_reported(&["data"], &p[0].text);
        });
        if unread {
            return None;
        }
        let known = self.spec.data.iter().map(|d| &d.known);
        let found = match kind {
            Some(k) => data::label::check_label(expr, k, known),
            None => data::label::check_mask(expr, known),
        };
        match found {
            Ok(label) => {
                let data = self.spec.data.iter().position(|d| d.name == label.data)?;
                Some(Label { data: DataId(data), label })
            }
            Err(problems) => {
                self.diags.extend(problems);
                None
            }
        }
    }

    fn task_kind(&mut self, expr: &Expr) -> Option<TaskKind> {
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
        if !KINDS.contains(&name.text.as_str()) {
            self.diags.push(eval::unknown_word(&name, KINDS.iter().copied(), "a task kind", codes::TASK_KIND));
            return None;
        }
        let scope = self.scope.clone();
        let n = match arg {
            None => None,
            Some(e) => match eval::value(e, &COUNT, &scope, self.diags)?.value {
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

    fn task_loss(&mut self, kind: TaskKind, args: &Args) -> Call {
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

    fn task_metrics(&mut self, kind: TaskKind, args: &Args) -> Vec<Call> {
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

    /// The backbone of the network: the one named by `over`, else the only one of the file.
    pub(super) fn backbones(&mut self, items: &[&Loaded], over: &[Name]) {
        let own: Vec<&Loaded> = items.iter().copied().filter(|l| !l.library).collect();
        self.duplicates(&own, "backbone");
        let known: Vec<&str> = items.iter().map(|l| l.item.names[0].text.as_str()).collect();
        for name in over {
            if !known.contains(&name.text.as_str()) {
                self.unknown_name("backbone", name, known.iter().copied());
            }
        }
        if let (Some(a), Some(b)) = (over.first(), over.iter().find(|n| n.text != over[0].text)) {
            self.diags.push(
                Diagnostic::new(
                    codes::NAME_DUPLICATE,
                    b.span,
                    "the space and the topology stand over different backbones",
                )
                .also(a.span, "the other one"),
            );
        }
        let pick = |n: &str| own.iter().chain(items.iter().filter(|l| l.library)).find(|l| l.item.names[0].text == n);
        let chosen = match over.first() {
            Some(n) => pick(&n.text).copied(),
            None => own.last().copied().or(items.first().copied()),
        };
        // A file for `use`: what its backbones read is declared by others, and it has no network of its own.
        let module = over.is_empty() && self.spec.tasks.is_empty() && self.spec.inputs.is_empty();
        self.templates_only = module && !self.spec.incomplete;
        // Backbones that are not the network's are read all the same, so that every mistake is found.
        for l in &own {
            if !chosen.is_some_and(|c| std::ptr::eq(c, *l)) {
                self.backbone(&l.item, items);
            }
        }
        if let Some(l) = chosen {
            self.spec.backbone = self.backbone(&l.item, items).filter(|_| !self.templates_only);
        }
    }

    fn backbone(&mut self, item: &Item, items: &[&Loaded]) -> Option<Backbone> {
        let name = &item.names[0];
        let mut scope = self.scope.clone();
        let mut inputs: Vec<(String, Read)> = Vec::new();
        let mut broken = false;
        let params = item.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        if let Some(value) = &item.value {
            return self.instance(item, value, items);
        }
        for p in params {
            match &p.ty {
                None => {
                    // A stand-in for what is reported, so that the stages are read all the same.
                    let read = self.input_named(&p.name);
                    broken |= read.is_none();
                    inputs.push((p.name.text.clone(), read.unwrap_or(Read::Input(InputId(0)))));
                }
                Some(_) => {
                    self.bind(&name.text, std::slice::from_ref(p), &[], p.span, &self.scope.clone(), &mut scope)?
                }
            }
        }
        self.stages(item, item, scope, inputs).filter(|_| !broken)
    }

    fn input_named(&mut self, name: &Name) -> Option<Read> {
        if let Some(i) = self.spec.inputs.iter().position(|i| i.name == name.text) {
            return Some(Read::Input(InputId(i)));
        }
        if self.templates_only {
            return Some(Read::Input(InputId(0)));
        }
        // An input that was declared and could not be read is reported already.
        if self.spec.written.iter().any(|w| w.item.keyword.text == "input" && w.item.names[0].text == name.text) {
            return None;
        }
        let known: Vec<String> = self.spec.inputs.iter().map(|i| i.name.clone()).collect();
        self.unknown_name("input", name, known.iter().map(String::as_str));
        None
    }

    /// `backbone net(photo) = resnet18(width = 32)`
    fn instance(&mut self, item: &Item, value: &Expr, items: &[&Loaded]) -> Option<Backbone> {
        let (callee, args): (Name, &[ast::Arg]) = match &value.kind {
            ExprKind::Call { callee, args } => (eval::as_name(callee)?, args),
            _ => (eval::as_name(value)?, &[]),
        };
        let template = items.iter().find(|l| l.item.names[0].text == callee.text && !std::ptr::eq(&l.item, item));
        let Some(template) = template else {
            let known: Vec<&str> = items.iter().map(|l| l.item.names[0].text.as_str()).collect();
            self.unknown_name("backbone", &callee, known.into_iter());
            return None;
        };
        let template = template.item.clone();
        if template.value.is_some() {
            self.diags.push(
                Diagnostic::new(
                    codes::NAME_CYCLE,
                    callee.span,
                    "a backbone is made from one that has stages of its own",
                )
                .also(template.names[0].span, "this one is made from another"),
            );
            return None;
        }
        let formal = template.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        let (sockets, typed): (Vec<_>, Vec<_>) = formal.iter().cloned().partition(|p| p.ty.is_none());
        let given = item.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        if given.len() != sockets.len() {
            self.diags.push(
                Diagnostic::new(
                    codes::TYPE_ARGUMENTS,
                    item.names[0].span,
                    format!(
                        "`{}` reads {}, and {} given",
                        callee.text,
                        match sockets.len() {
                            1 => "one input".to_string(),
                            n => format!("{n} inputs"),
                        },
                        match given.len() {
                            0 => "none is".to_string(),
                            1 => "one is".to_string(),
                            n => format!("{n} are"),
                        }
                    ),
                )
                .also(template.names[0].span, "declared here"),
            );
            return None;
        }
        let mut inputs = Vec::new();
        for (socket, plug) in sockets.iter().zip(given) {
            inputs.push((socket.name.text.clone(), self.input_named(&plug.name)?));
        }
        let mut scope = self.scope.clone();
        let outer = self.scope.clone();
        self.bind(&callee.text, &typed, args, value.span, &outer, &mut scope)?;
        self.stages(item, &template, scope, inputs)
    }

    fn stages(&mut self, named: &Item, item: &Item, scope: Scope, inputs: Vec<(String, Read)>) -> Option<Backbone> {
        let def = schema::item("backbone").expect("in the table");
        let stage_def = &def.nested[0];
        let empty = item.body.as_ref().is_none_or(|b| b.entries.is_empty());
        if empty {
            self.diags.push(
                Diagnostic::new(codes::BACKBONE_EMPTY, item.names[0].span, "this backbone has no stages")
                    .help("declare at least one: `stage s1 = conv_bn(64) -> max_pool(2)`"),
            );
            return None;
        }
        let fields = self.fields(&item.keyword, item.body.as_ref(), &[], def, item.span);
        let mut readable: HashMap<String, Read> = inputs.iter().cloned().collect();
        let later: HashSet<String> =
            fields.nested.iter().flat_map(|n| n.names.iter().map(|n| n.text.clone())).collect();
        let mut stages: Vec<Stage> = Vec::new();
        let mut spans: HashMap<String, Span> = HashMap::new();
        let mut ok = true;
        for nested in fields.nested {
            let Some(name) = nested.names.first() else {
                self.diags.push(
                    Diagnostic::new(codes::SYNTAX_HEADER, nested.keyword.span, "a `stage` needs a name")
                        .help(format!("write `{}`", stage_def.form)),
                );
                continue;
            };
            for (label, scope) in self.repeated(nested, name, &scope) {
                let name = Name { text: label, ..name.clone() };
                if let Some(first) = spans.get(&name.text) {
                    self.diags.push(super::build::duplicate("stage", &name, *first));
                    continue;
                }
                spans.insert(name.text.clone(), name.span);
                let previous = match stages.len() {
                    0 => inputs.first().map(|(_, r)| *r),
                    n => Some(Read::Stage(StageId(n - 1))),
                };
                let built = self.body_of(
                    nested.value.as_ref(),
                    nested.body.as_ref(),
                    stage_def,
                    &name,
                    scope,
                    &readable,
                    &later,
                    previous,
                );
                ok &= built.is_some();
                let (reads, body) = built.unwrap_or_default();
                readable.insert(name.text.clone(), Read::Stage(StageId(stages.len())));
                stages.push(Stage { name: name.text.clone(), span: name.span, reads, body });
            }
        }
        // With a broken stage the shapes of the rest would be reported wrongly.
        ok.then(|| Backbone { name: named.names[0].text.clone(), span: named.names[0].span, stages })
    }

    /// Names and scopes of `stage s`, `stage s[4]`, `stage s[i in 1..4]`.
    pub(super) fn repeated(&mut self, nested: &Nested, name: &Name, scope: &Scope) -> Vec<(String, Scope)> {
        let Some(index) = &nested.index else { return vec![(name.text.clone(), scope.clone())] };
        let Some((variable, from, to)) = self.repetition(&index.value, index.span, scope) else { return Vec::new() };
        (from..=to)
            .map(|i| {
                let mut inner = scope.clone();
                if let Some(v) = &variable {
                    inner.set(v, Const::Int(i));
                }
                (format!("{}{i}", name.text), inner)
            })
            .collect()
    }

    pub(super) fn repetition(
        &mut self,
        index: &[Expr],
        span: Span,
        scope: &Scope,
    ) -> Option<(Option<String>, i64, i64)> {
        let wrong = |this: &mut Self| {
            this.diags.push(Diagnostic::new(
                codes::TYPE_MISMATCH,
                span,
                "expected a repetition: `[4]`, `[1..4]` or `[i in 1..4]`",
            ));
            None
        };
        let [expr] = index else { return wrong(self) };
        let (variable, range) = match &expr.kind {
            ExprKind::Binary { op: ast::BinaryOp::In, left, right } => match eval::as_name(left) {
                Some(n) => (Some(n.text), &**right),
                None => return wrong(self),
            },
            _ => (None, expr),
        };
        let number = crate::schema::Ty::Int { min: 0, max: 100_000 };
        let int = |this: &mut Self, e: &Expr| match eval::value(e, &number, scope, this.diags)?.value {
            Value::Int(n) => Some(n),
            _ => None,
        };
        let (from, to) = match &range.kind {
            ExprKind::Range { from, to } => (int(self, from)?, int(self, to)?),
            _ => (1, int(self, range)?),
        };
        if to < from || to - from >= 10_000 {
            self.diags.push(
                Diagnostic::new(codes::TYPE_RANGE, range.span, format!("a repetition from {from} to {to}"))
                    .help("the end is included and must not lie before the start; at most 10,000 times"),
            );
            return None;
        }
        Some((variable, from, to))
    }

    /// What a stage or head reads and computes.
    #[allow(clippy::too_many_arguments)]
    fn body_of(
        &mut self,
        value: Option<&Expr>,
        body: Option<&ast::Body>,
        def: &schema::ItemDef,
        name: &Name,
        scope: Scope,
        readable: &HashMap<String, Read>,
        later: &HashSet<String>,
        previous: Option<Read>,
    ) -> Option<(Vec<Read>, Body)> {
        let mut growing = Growing::default();
        let mut values = HashMap::new();
        let mut implicit = None;
        let mut from_given = false;
        if let Some(b) = body {
            let fields = self.fields(name, Some(b), def.attrs, def, name.span);
            from_given = fields.args.is_given("from");
            for v in fields.args.list("from") {
                let Value::Name(path) = &v.value else { continue };
                let text = path.join(".");
                match readable.get(&text) {
                    Some(r) => {
                        growing.read(*r);
                    }
                    None => {
                        let n = Name { text, quoted: false, span: v.span };
                        self.unreadable(&n, readable, later);
                        return None;
                    }
                }
            }
        }
        if from_given && growing.reads.len() == 1 {
            implicit = Some(Flow::Source(0));
            values.insert("in".to_string(), Flow::Source(0));
        }
        // The stage before is read only if the chain starts from it.
        let probe = !from_given && previous.is_some();
        if probe {
            implicit = Some(Flow::Source(usize::MAX));
            values.insert("in".to_string(), Flow::Source(usize::MAX));
        }
        // A name of a later stage gets its own message.
        let mut ok = true;
        let mut check = |this: &mut Self, e: &Expr| {
            walk_paths(e, &mut |p| {
                if p.len() == 1 && later.contains(&p[0].text) && !readable.contains_key(&p[0].text) {
                    this.unreadable(&p[0], readable, later);
                    ok = false;
                }
            });
        };
        if let Some(v) = value {
            check(self, v);
        }
        for e in body.map(|b| b.entries.as_slice()).unwrap_or_default() {
            if let Entry::Attr(a) = e
                && a.key.text != "from"
            {
                check(self, &a.value);
            }
        }
        if !ok {
            return None;
        }
        let names = Names { scope, values, readable, outer: true, implicit };
        let mut depth = Vec::new();
        let out = match (value, body) {
            (Some(v), _) => self.flow(v, &names, &mut growing, &mut depth)?,
            (None, Some(b)) => self.values(b, names, &mut growing, &mut depth, &["from"], name.span)?,
            (None, None) => {
                self.diags.push(
                    Diagnostic::new(codes::SYNTAX_HEADER, name.span, format!("`{}` has no content", name.text))
                        .help(format!("write `{}`", def.form)),
                );
                return None;
            }
        };
        let mut out = out;
        if probe {
            // Resolve the placeholder for the implicit input to a real source.
            let used = out == Flow::Source(usize::MAX)
                || growing.nodes.iter().any(|n| n.inputs.contains(&Flow::Source(usize::MAX)));
            if used {
                let real = growing.read(previous.expect("probed"));
                let fix = |f: &mut Flow| {
                    if *f == Flow::Source(usize::MAX) {
                        *f = real;
                    }
                };
                growing.nodes.iter_mut().for_each(|n| n.inputs.iter_mut().for_each(fix));
                fix(&mut out);
            }
        }
        Some((growing.reads, Body { nodes: growing.nodes, out }))
    }

    fn unreadable(&mut self, name: &Name, readable: &HashMap<String, Read>, later: &HashSet<String>) {
        if later.contains(&name.text) {
            self.diags.push(
                Diagnostic::new(codes::BACKBONE_ORDER, name.span, format!("`{}` is declared further down", name.text))
                    .label("a later stage, or this one itself")
                    .help("a stage reads stages above it; move it down"),
            );
            return;
        }
        let mut known: Vec<&str> = readable.keys().map(String::as_str).collect();
        known.sort_unstable();
        self.unknown_name("stage or input", name, known.into_iter());
    }

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
                    let kind = KINDS.contains(&name.text.as_str());
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
        let Some(backbone) = &self.spec.backbone else { return };
        let mut readable: HashMap<String, Read> = HashMap::new();
        for (i, input) in self.spec.inputs.iter().enumerate() {
            readable.insert(input.name.clone(), Read::Input(InputId(i)));
        }
        for (i, s) in backbone.stages.iter().enumerate() {
            readable.insert(s.name.clone(), Read::Stage(StageId(i)));
        }
        let last = backbone.stages.len().checked_sub(1).map(|i| Read::Stage(StageId(i)));
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
                    let id = built.map(|(reads, body)| {
                        self.spec.heads.push(Head { reads, body, span: item.keyword.span });
                        HeadId(self.spec.heads.len() - 1)
                    });
                    made.insert((h, outputs), id);
                    id
                }
            };
            self.spec.tasks[t].head = id;
        }
        if let Some(t) = missing.first()
            && !self.spec.incomplete
            && !unknown_target
        {
            let task = &self.spec.tasks[*t];
            let more = match missing.len() - 1 {
                0 => String::new(),
                1 => " (nor has one other)".to_string(),
                n => format!(" (nor have {n} others)"),
            };
            self.diags.push(
                Diagnostic::new(
                    codes::BACKBONE_NO_HEAD,
                    task.span,
                    format!("the task `{}` has no head{more}", task.name),
                )
                .help("declare one, for all tasks if they agree: `head for * = linear(outputs)`"),
            );
        }
    }

    fn declared_task(&self, name: &str) -> bool {
        self.spec.written.iter().any(|w| w.item.keyword.text == "task" && w.item.names.iter().any(|n| n.text == name))
    }

    pub(super) fn search(&mut self, item: &Item) {
        let def = schema::item("search").expect("in the table");
        let name = &item.names[0];
        let Some(strategy) = crate::search::strategy(&name.text) else {
            let words = crate::search::strategies().iter().map(|s| s.call.name);
            self.diags.push(eval::unknown_word(name, words, "a strategy", codes::SEARCH_UNKNOWN));
            self.spec.incomplete = true;
            return;
        };
        // A budget is asked of any strategy, so that one that cannot keep it says so.
        let mut attrs = strategy.call.args.to_vec();
        let asked = |e: &Entry| matches!(e, Entry::Attr(a) if a.key.text == BUDGET.name);
        if !strategy.budget && item.body.iter().flat_map(|b| &b.entries).any(asked) {
            attrs.push(BUDGET);
        }
        let alone = |e: &Entry| matches!(e, Entry::Nested(n) if n.keyword.text == "single");
        let needless = !strategy.single && item.body.iter().flat_map(|b| &b.entries).any(alone);
        // Listed among what is known only where it is.
        let def = &ItemDef { nested: if strategy.single || needless { def.nested } else { &[] }, ..*def };
        let fields = self.fields(name, item.body.as_ref(), &attrs, def, item.span);
        if let Some(span) = fields.args.span(BUDGET.name).filter(|_| !strategy.budget) {
            let able = crate::search::strategies().iter().filter(|s| s.budget).map(|s| s.call.name);
            self.diags.push(
                Diagnostic::new(codes::SEARCH_BUDGET, span, format!("`{}` cannot keep a budget", name.text))
                    .label("not kept")
                    .help(format!("these can: {}", suggest::listing(able))),
            );
        }
        let mut single = None;
        for n in &fields.nested {
            if !strategy.single {
                self.diags.push(
                    Diagnostic::new(
                        codes::NAME_UNKNOWN_ATTRIBUTE,
                        n.keyword.span,
                        format!("`{}` trains no single-task networks", name.text),
                    )
                    .help("remove `single { ... }`"),
                );
                continue;
            }
            let inner = &def.nested[0];
            single = Some(self.fields(&n.keyword, n.body.as_ref(), inner.attrs, inner, n.span).args);
        }
        let stages = self.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        let mut decided: Vec<StageId> = Vec::new();
        let mut heads = false;
        let mut unknown = Vec::new();
        for n in &item.on {
            match stages.iter().position(|s| s.name == n.text) {
                _ if n.text == "heads" => heads = true,
                Some(i) => decided.push(StageId(i)),
                None => unknown.push(n.clone()),
            }
        }
        let known: Vec<String> = stages.iter().map(|s| s.name.clone()).chain(["heads".to_string()]).collect();
        if item.on.is_empty() {
            decided = (0..stages.len()).map(StageId).collect();
            heads = true;
        }
        self.spec.incomplete |= !unknown.is_empty();
        for n in unknown {
            self.unknown_name("level", &n, known.iter().map(String::as_str));
        }
        self.spec.searches.push(Search {
            strategy,
            args: fields.args,
            single,
            stages: decided,
            heads,
            on_span: item.on.first().map(|n| n.span),
            span: name.span,
        });
    }
}

/// The kinds of tasks.
static KINDS: &[&str] = &["binary", "classes", "multilabel", "regression", "segmentation", "depth", "normals"];

const BUDGET: AttrDef = AttrDef {
    name: "budget",
    ty: crate::schema::Ty::Budget,
    need: crate::schema::Need::Optional,
    doc: "The most that a topology may cost.",
};

/// A call with every argument at its default.
fn default_call(def: &'static crate::schema::CallDef) -> Call {
    let nowhere = Span::new(FileId(0), 0, 0);
    let mut quiet = crate::diag::Diagnostics::default();
    let args = eval::arguments(def.name, def.args, &[], nowhere, &Scope::default(), &mut quiet);
    Call { name: def.name, args: args.expect("a default loss or metric needs no arguments") }
}

/// Visits every dotted name of an expression.
pub fn walk_paths(expr: &Expr, visit: &mut dyn FnMut(&[Name])) {
    match &expr.kind {
        ExprKind::Path(p) => visit(p),
        ExprKind::List(items) | ExprKind::Chain(items) => items.iter().for_each(|e| walk_paths(e, visit)),
        ExprKind::Call { callee, args } => {
            if !matches!(callee.kind, ExprKind::Path(_)) {
                walk_paths(callee, visit);
            }
            args.iter().for_each(|a| walk_paths(&a.value, visit));
        }
        ExprKind::Index { base, items } => {
            walk_paths(base, visit);
            items.iter().for_each(|e| walk_paths(e, visit));
        }
        ExprKind::Unary { operand, .. } => walk_paths(operand, visit),
        ExprKind::Binary { left, right, .. } | ExprKind::Range { from: left, to: right } => {
            walk_paths(left, visit);
            walk_paths(right, visit);
        }
        ExprKind::Quantity { value, .. } => walk_paths(value, visit),
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Star | ExprKind::Missing => {}
    }
}
