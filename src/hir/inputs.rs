//! Data sets and inputs: what is known of columns, and which of them the network reads.

use std::collections::{BTreeSet, HashMap};

use super::build::{Builder, Options};
use super::eval::{self};
use super::import::Loaded;
use super::*;
use crate::data::axes::{self, Order};
use crate::diag::{Applicability, Diagnostic, codes, suggest};
use crate::ops::input::{SIZE, product};
use crate::ops::{Dim, Fields as FieldTypes};
use crate::schema::{AttrDef, Value};
use crate::syntax::ast::{Entry, Expr, ExprKind, Name};

impl Builder<'_> {
    pub(super) fn datas(&mut self, items: &[&Loaded], schemas: &[&Loaded], options: &Options) {
        self.duplicates(items, "data set");
        self.duplicates(schemas, "schema");
        let schemas_by_name: HashMap<&str, &Loaded> =
            schemas.iter().rev().map(|s| (s.item.names[0].text.as_str(), *s)).collect();
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
                self.fields_of_any(item.body.as_ref(), def);
                continue;
            };
            let Some(name) = eval::as_name(&format.value) else { continue };
            // Misspelt, it is read as the one that it is near to.
            let found = data::find(&name.text).or_else(|| {
                let words = || data::table().iter().map(|f| f.call.name);
                let d = eval::unknown_word(&name, words(), "a data format", codes::DATA_FORMAT);
                self.diags.push(match name.text.as_str() {
                    // Between tabs, `csv` needs the delimiter, too.
                    "tsv" => {
                        let d = Diagnostic { fixes: Vec::new(), ..d }
                            .label("expected `csv`")
                            .help("`csv` reads cells between tabs with `delimiter = \"\\t\"`");
                        let mut text = "csv".to_string();
                        if !super::unknown::is_written("delimiter", item.body.as_ref()) {
                            text.push_str(", delimiter = \"\\t\"");
                        }
                        d.fix(format!("write `{text}`"), name.span, text, Applicability::Safe)
                    }
                    _ => d,
                });
                suggest::nearest(&name.text, words()).and_then(data::find)
            });
            let Some(found) = found else {
                self.fields_of_any(item.body.as_ref(), def);
                continue;
            };
            let attrs: Vec<AttrDef> = def.attrs.iter().chain(found.call.args).copied().collect();
            let fields = self.fields(&item.keyword, item.body.as_ref(), &attrs, def, item.span);
            if fields.broken {
                continue;
            }
            let written = schemas_by_name.get(item.names[0].text.as_str()).copied();
            let frozen = match written {
                Some(s) => match data::Schema::from_ast(&s.item, &|path| (self.load)(&s.base.join(path))) {
                    Ok(s) => Some(s),
                    Err(d) => {
                        self.diags.extend(d);
                        None
                    }
                },
                None => options.schemas.get(&item.names[0].text).cloned(),
            };
            if let (Some(s), Some(f)) = (written, frozen.as_ref().filter(|f| f.format != found.call.name)) {
                let attr = s.item.body.iter().flat_map(|b| &b.entries).find_map(|e| match e {
                    Entry::Attr(a) if a.key.text == "format" => Some(a.value.span),
                    _ => None,
                });
                let message =
                    format!("the schema is of the format `{}`, and the data are `{}`", f.format, found.call.name);
                self.diags.push(
                    Diagnostic::new(codes::DATA_SCHEMA, attr.unwrap_or(s.item.keyword.span), message)
                        .label(format!("expected `{}`", found.call.name))
                        .also(format.value.span, "the data")
                        .help("a schema belongs to its data: `mtlc data freeze` writes a new one"),
                );
            }
            self.diags.extend((found.check)(&fields.args, item.names[0].span));
            if let (Some(_), Some(schema)) = (written, &frozen) {
                self.diags.extend(data::contradictions(&fields.args, schema, item.names[0].span));
            }
            let name = &item.names[0].text;
            let known = match (&frozen, options.known.get(name)) {
                (Some(s), _) => data::Known::from_schema(name, s),
                (None, Some(known)) => known.clone(),
                (None, None) => data::Known::from_outline(name, (found.outline)(&fields.args)),
            };
            self.diags.extend(data::split::check_columns(&fields.args, &known));
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
        let names: BTreeSet<&str> = items.iter().map(|l| l.item.names[0].text.as_str()).collect();
        for s in schemas {
            let name = &s.item.names[0];
            if !names.contains(name.text.as_str()) {
                self.unknown_name("data set", name, names.iter().copied());
            }
        }
    }

    /// Columns of a data set as `from` names them: `census`, `census.age`, `census[age, sex]`, less `except`.
    pub(super) fn columns(&mut self, expr: &Expr, except: &[Name]) -> Option<Columns> {
        let mut first: Option<Name> = None;
        eval::walk_paths(expr, &mut |p| {
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
            .chain(data::split::named(&d.args).map(|s| s.column))
            .collect();
        match d.known.select(expr, except, &dropped) {
            Ok(names) => Some(Columns { data, names, span: expr.span }),
            Err(problems) => {
                self.diags.extend(problems);
                None
            }
        }
    }

    pub(super) fn data_named(&mut self, name: &Name) -> Option<DataId> {
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
            let only_fields = fields.args.span("unknown").filter(|_| fields.args.is_given("unknown"));
            let Some(ty) = self.tensor_type(ty_expr, from.as_ref()) else { continue };
            if let (TensorType::Dense(_), Some(span)) = (&ty, only_fields) {
                self.diags.push(
                    Diagnostic::new(
                        codes::TYPE_MISMATCH,
                        span,
                        "`unknown` is about categories, and this input holds numbers",
                    )
                    .label("only for `fields`")
                    .help("remove `unknown`"),
                );
            }
            if let (Some(_), true) = (fields.args.get("scale"), fields.args.bool("normalize")) {
                let span = fields.args.span("normalize").unwrap_or(item.span);
                self.diags.push(
                    Diagnostic::new(
                        codes::TYPE_ARGUMENTS,
                        span,
                        "an input is scaled twice: by `scale` and by `normalize`",
                    )
                    .also(fields.args.span("scale").unwrap_or(item.span), "the other one")
                    .help("keep one of them: `normalize` would undo `scale`"),
                );
            }
            for source in from.iter().chain(&also) {
                self.axes(&item.names[0].text, ty_expr.span, &ty, source, &fields.args);
            }
            if let Some(picture) = from.as_ref().and_then(|c| self.picture(c)) {
                self.diags.extend(as_picture(&picture, &ty, ty_expr, &fields.args));
            }
            self.inputs.entry(item.names[0].text.clone()).or_insert(InputId(self.spec.inputs.len()));
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

    /// Compares the declared sizes with those of the columns, axis by axis, if they are known.
    fn axes(&mut self, name: &str, span: Span, ty: &TensorType, from: &Columns, args: &Args) {
        let order = args.opt_str("layout").map_or(Order::Chw, Order::from_word);
        let sizes = match ty {
            TensorType::Dense(_) => ty.sizes(),
            TensorType::Fields(_) => None,
        };
        if let Some(place) = args.span("layout") {
            let picture = self.picture(from);
            let wrong = match (&sizes, picture) {
                (_, Some(column)) => Some(format!("the pictures `{column}` are decoded in the order of the network")),
                (Some(s), _) if s.len() == 3 => None,
                _ => Some(format!("`{ty}` is not an image, `f32[channels, height, width]`")),
            };
            if let Some(wrong) = wrong {
                let message = format!("`layout` is the order of an image's axes in an array, and {wrong}");
                self.diags.push(Diagnostic::new(codes::TYPE_MISMATCH, place, message).help("leave `layout` out"));
                return;
            }
        }
        let (Some(sizes), Columns { data, names: Some(names), span: at }) = (sizes, from) else { return };
        let known = &self.spec.data[data.0].known;
        // Text columns are reported elsewhere.
        let held: Option<Vec<Vec<usize>>> = names.iter().map(|n| known.shape(n)).collect();
        let Some(held) = held else { return };
        let held: Vec<&[usize]> = held.iter().map(Vec::as_slice).collect();
        if !axes::stack(order, &sizes, &held) {
            let (message, help) = axes::misfit(order, &sizes, name, names, &held);
            self.diags.push(
                Diagnostic::new(codes::DATA_SHAPE, span, message)
                    .label("declared here")
                    .also(*at, "read here")
                    .help(help),
            );
        }
    }

    /// The first of these columns that holds pictures.
    fn picture(&self, columns: &Columns) -> Option<String> {
        let known = &self.spec.data[columns.data.0].known;
        let is = |n: &&String| known.column(n).is_some_and(|c| c.kind == data::KnownKind::Picture);
        columns.names.iter().flatten().find(is).cloned()
    }

    /// `f32[3, 64, 64]` or `fields`.
    pub(super) fn tensor_type(&mut self, expr: &Expr, from: Option<&Columns>) -> Option<TensorType> {
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
                .map(|e| match eval::value(e, &SIZE, &scope, self.diags)?.value {
                    Value::Int(n) => Some(Dim::Known(n as usize)),
                    _ => None,
                })
                .collect();
            let dims: Vec<Dim> = dims.into_iter().collect::<Option<_>>()?;
            if let Err(e) = product(dims.iter().copied()) {
                let what = format!("an input of this type {}", e.message);
                self.diags.push(Diagnostic::new(codes::TYPE_RANGE, expr.span, what).help("make a size smaller"));
                return None;
            }
            return Some(TensorType::Dense(dims));
        }
        if expr.kind != ExprKind::Missing {
            let d = Diagnostic::new(codes::TYPE_MISMATCH, expr.span, "expected the type of an input")
                .label("not a type")
                .help("write `f32[channels, height, width]`, `f32[n]`, or `fields` for the columns of a table");
            let callee = match &expr.kind {
                ExprKind::Call { callee, .. } => eval::as_name(callee),
                _ => eval::as_name(expr),
            };
            self.diags.push(match callee.filter(|c| crate::ops::find(&c.text).is_some()) {
                Some(op) => {
                    d.help(format!("`{0}` is an op: the input is what is read, and a stage begins with `{0}`", op.text))
                }
                None => d,
            });
        }
        None
    }
}

/// What an input cannot do with a column of pictures.
fn as_picture(column: &str, ty: &TensorType, ty_expr: &Expr, args: &Args) -> Option<Diagnostic> {
    if matches!(ty, TensorType::Fields(_)) {
        let message = format!("a field is one number or word, and the column `{column}` holds pictures");
        let help = format!(
            "read it by an input of its own, `f32[channels, height, width]`, and leave it out here: `except = [{column}]`"
        );
        return Some(Diagnostic::new(codes::TYPE_MISMATCH, ty_expr.span, message).help(help));
    }
    if args.bool("normalize") && args.get("scale").is_none() {
        let message =
            format!("the mean of the pictures `{column}` is not known: they are not opened to freeze a schema");
        let span = args.span("normalize").unwrap_or(ty_expr.span);
        let help = "give their pixels ends instead: `scale = [-1, 1]`";
        return Some(Diagnostic::new(codes::TYPE_MISMATCH, span, message).help(help));
    }
    None
}
