//! A frozen schema as text: printed as a `schema` item, and read back from the tree, strictly.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use super::freeze::{ColumnFacts, Facts, Rare, Schema};
use super::label_facts::LabelFacts;
use super::outline::as_name;
use super::raw::{FileFact, SPLITS};
use super::vocabulary::{self, Shelf};

use crate::diag::{Applicability, Diagnostic, codes, suggest};
use crate::ops::input::MAX_NUMBERS;
use crate::screen::steers;
use crate::source::Span;
use crate::syntax::ast::{self, Attr, Entry, Expr, ExprKind, Item, Name, Nested, UnaryOp};

const WORDS: &[&str] = &["and", "or", "not", "in", "for", "on", "over", "true", "false"];

/// A name as the language writes it: bare where it can be, else quoted.
pub fn name(text: &str) -> String {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = first && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let taken = WORDS.contains(&text) || ast::ITEM_KEYWORDS.contains(&text) || ast::NESTED_KEYWORDS.contains(&text);
    if word && !taken { text.into() } else { quoted(text) }
}

/// Text in quotes, escaped as the language reads it back.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if steers(c) => write!(out, "\\u{{{:x}}}", c as u32).expect("writing to a string"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The shortest text that reads back as the same number.
pub fn number(v: f64) -> String {
    let text = format!("{v:?}");
    text.strip_suffix(".0").map(str::to_string).unwrap_or(text)
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

impl Schema {
    /// The text of a `schema NAME { ... }` item, with a line end. Equal facts give equal text. Large vocabularies are in the
    /// [`Schema::sidecar`].
    pub fn to_mtl(&self, schema: &str) -> String {
        self.print(schema, true)
    }

    /// The facts as text for digests. It contains the sha256 of files but not their paths, and the digest of a vocabulary instead of its
    /// texts, so that it makes no difference where a vocabulary is stored or whether it was left out.
    pub fn digest_text(&self) -> String {
        self.print("_", false)
    }

    fn print(&self, schema: &str, paths: bool) -> String {
        let external = vocabulary::external(&self.columns);
        let sidecar = if paths { self.sidecar(schema) } else { None };
        let schema = name(schema);
        let mut out = String::new();
        let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string");
        line(format!("schema {schema} {{"));
        line(format!("  format = {}", name(&self.format)));
        if !self.missing.is_empty() {
            line(format!("  missing = {}", list(self.missing.iter().map(|m| quoted(m)))));
        }
        if !self.missing_numbers.is_empty() {
            line(format!("  missing_numbers = {}", list(self.missing_numbers.iter().map(|m| quoted(m)))));
        }
        if let Some(file) = sidecar {
            line(format!("  vocabulary = file({}, sha256 = {})", quoted(&file.name), quoted(&file.sha256)));
        }
        for f in &self.files {
            let path = if paths { quoted(&f.path) } else { "_".into() };
            line(format!("  file {path} {{ bytes = {}, sha256 = {} }}", f.bytes, quoted(&f.sha256)));
        }
        for (split, rows) in SPLITS.iter().zip(self.rows) {
            line(format!("  split {split} {{ rows = {rows} }}"));
        }
        for (c, external) in self.columns.iter().zip(external) {
            line(column_text(c, external || !paths));
        }
        for l in &self.labels {
            let numbers = |v: &[f64]| match v {
                [one] => number(*one),
                many => list(many.iter().map(|v| number(*v))),
            };
            line(format!("  label {} {{ mean = {}, std = {} }}", name(&l.task), numbers(&l.mean), numbers(&l.std)));
        }
        line("}".into());
        out
    }
}

/// The text of a column. `short`: its vocabulary is not in the program.
fn column_text(c: &ColumnFacts, short: bool) -> String {
    let mut first = Vec::new();
    let mut lists = Vec::new();
    let left_out = if short { c.facts.digested() } else { c.facts.clone() };
    match &left_out {
        Facts::Withheld { values, sha256 } => {
            first.push("kind = category".to_string());
            first.push(format!("values = {values}, sha256 = {}", quoted(sha256)));
        }
        Facts::Hashed { buckets } => {
            first.push("kind = category".to_string());
            first.push(format!("buckets = {buckets}"));
        }
        Facts::Numeric { mean, std, min, max } => {
            first.push("kind = numeric".to_string());
            if !c.shape.is_empty() {
                first.push(format!("shape = {}", list(c.shape.iter().map(|s| s.to_string()))));
            }
            for (key, v) in [("mean", mean), ("std", std), ("min", min), ("max", max)] {
                first.push(format!("{key} = {}", number(*v)));
            }
        }
        Facts::Picture => {
            first.push("kind = picture".to_string());
            first.push(format!("shape = {}", list(c.shape.iter().map(|s| s.to_string()))));
        }
        Facts::Category { values } => {
            first.push("kind = category".to_string());
            lists.push(format!("values = {}", list(values.iter().map(|(v, _)| quoted(v)))));
            lists.push(format!("counts = {}", list(values.iter().map(|(_, n)| n.to_string()))));
        }
    }
    if c.missing > 0 {
        first.push(format!("missing = {}", c.missing));
    }
    if let Some(Rare { below, cells }) = &c.rare {
        first.push(format!("min_count = {below}, rare = {cells}"));
    }
    if let Some(r) = &c.range {
        first.push(format!("range = {}", list(r.iter().map(|v| number(*v)))));
    }
    if !c.groups.is_empty() {
        first.push(format!("groups = {}", list(c.groups.iter().map(|g| name(g)))));
    }
    let head = format!("  column {} {{", name(&c.name));
    if lists.is_empty() {
        return format!("{head} {} }}", first.join(", "));
    }
    format!("{head}\n    {}\n    {}\n  }}", first.join(", "), lists.join("\n    "))
}

impl Schema {
    /// Reads a `schema` item. Unknown, repeated and missing facts are errors. `load` reads a file in the folder of the program.
    pub fn from_ast(item: &Item, load: Load) -> Result<Schema, Vec<Diagnostic>> {
        let mut read = Read { errors: Vec::new(), shelf: None, load };
        let schema = read.schema(item);
        match schema {
            Some(schema) if read.errors.is_empty() => Ok(schema),
            _ => Err(read.errors),
        }
    }
}

/// Reads the text of a file, given its path as written.
pub type Load<'a> = &'a dyn Fn(&str) -> std::io::Result<String>;

/// Reads facts and collects what is wrong with them.
struct Read<'l> {
    errors: Vec<Diagnostic>,
    /// The vocabularies in the file next to the program, if there is one; columns remove theirs from it. `Some(None)`: the file could
    /// not be read, and an error was reported.
    shelf: Option<Option<Shelf>>,
    load: Load<'l>,
}

impl Read<'_> {
    fn wrong<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.errors.push(
            Diagnostic::new(codes::DATA_SCHEMA, span, message)
                .help("a schema is written by `mtlc data freeze`; freeze again rather than edit"),
        );
        None
    }

    fn unknown_fact(&mut self, key: &Name, keys: &[&str]) {
        let message = format!("a schema has no fact `{}` here", key.text);
        self.errors.push(
            Diagnostic::new(codes::DATA_SCHEMA, key.span, message)
                .label("unknown")
                .help("a schema is written by `mtlc data freeze`; freeze again rather than edit")
                .nearest(&key.text, key.span, keys.iter().copied(), str::to_string),
        );
    }

    fn schema(&mut self, item: &Item) -> Option<Schema> {
        let Some(body) = &item.body else {
            return self.wrong(named(&item.keyword, &item.names), "a schema needs a body");
        };
        let (mut files, mut columns, mut labels) = (Vec::new(), Vec::<ColumnFacts>::new(), Vec::<LabelFacts>::new());
        let mut rows = [None; 3];
        let mut seen = HashSet::new();
        let attr = |e: &'_ Entry| matches!(e, Entry::Attr(_));
        let attrs = body.entries.iter().filter_map(|e| match e {
            Entry::Attr(a) => Some(a),
            _ => None,
        });
        let mut entries = self.entries(attrs.collect(), &["format", "missing", "missing_numbers", "vocabulary"]);
        if let Some((path, sha256)) = entries.maybe(self, "vocabulary", file) {
            self.shelf = Some(self.beside(&path, &sha256));
        }
        for entry in body.entries.iter().filter(|e| !attr(e)) {
            match entry {
                Entry::Attr(_) => {}
                Entry::Nested(n) if n.keyword.text == "file" => files.extend(self.file(n)),
                Entry::Nested(n) if n.keyword.text == "split" => self.split(n, &mut rows),
                Entry::Nested(n) if n.keyword.text == "column" => {
                    if let Some(c) = self.column(n) {
                        if !seen.insert(c.name.clone()) {
                            self.wrong::<()>(head(n), format!("column `{}` appears twice", c.name));
                        }
                        columns.push(c);
                    }
                }
                Entry::Nested(n) if n.keyword.text == "label" => {
                    if let Some(l) = self.label(n) {
                        if labels.iter().any(|o| o.task == l.task) {
                            self.wrong::<()>(head(n), format!("the label of task `{}` appears twice", l.task));
                        }
                        labels.push(l);
                    }
                }
                Entry::Nested(n) => {
                    self.wrong::<()>(
                        n.keyword.span,
                        format!("a schema has no `{}`; it has `file`, `split`, `column` and `label`", n.keyword.text),
                    );
                }
                Entry::Edge(e) => {
                    self.wrong::<()>(e.span, "a schema has no edges");
                }
            }
        }
        let format = entries.need(self, "format", named(&item.keyword, &item.names), text);
        let missing = entries.maybe(self, "missing", |e| list_of(e, string)).unwrap_or_default();
        let missing_numbers = entries.maybe(self, "missing_numbers", |e| list_of(e, string)).unwrap_or_default();
        for (split, rows) in SPLITS.iter().zip(&rows) {
            if rows.is_none() {
                self.wrong::<()>(
                    named(&item.keyword, &item.names),
                    format!("the schema lacks `split {split} {{ rows = ... }}`"),
                );
            }
        }
        Some(Schema {
            format: format?,
            missing,
            missing_numbers,
            files,
            rows: [rows[0]?, rows[1]?, rows[2]?],
            columns,
            labels,
        })
    }

    /// Reads the vocabularies of a file.
    fn beside(&mut self, (path, span): &(String, Span), sha256: &str) -> Option<Shelf> {
        let found = match (self.load)(path) {
            Ok(text) => Shelf::read(&text, sha256),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err("there is no such file".into()),
            Err(e) => Err(e.to_string()),
        };
        match found {
            Ok(shelf) => Some(shelf),
            Err(why) => {
                self.errors.push(
                    Diagnostic::new(
                        codes::DATA_SCHEMA,
                        *span,
                        format!("the vocabularies of this schema cannot be read: {why}"),
                    )
                    .label("this file must be next to the program")
                    .help("copy it there with the program, or write it again with `mtlc data freeze`"),
                );
                None
            }
        }
    }

    /// The facts of a column whose vocabulary is not in the program.
    fn elsewhere(&mut self, n: &Nested, column: &str, size: usize, sha256: String) -> Option<Facts> {
        let Some(shelf) = &mut self.shelf else { return Some(Facts::Withheld { values: size, sha256 }) };
        let values = shelf.as_mut()?.take(column);
        let values = values.filter(|v| v.len() == size && vocabulary::digest(v) == sha256);
        match values {
            Some(values) => Some(Facts::Category { values: Arc::new(values) }),
            None => self.wrong(head(n), "the vocabulary file does not contain this one"),
        }
    }

    fn file(&mut self, n: &Nested) -> Option<FileFact> {
        let path = self.one_name(n)?;
        let mut e = self.body(n, &["bytes", "sha256"]);
        let bytes = e.need(self, "bytes", head(n), size);
        let sha256 = e.need(self, "sha256", head(n), string);
        let sha256 = sha256?;
        if sha256.len() != 64 || !sha256.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            return self.wrong(head(n), "a sha256 is 64 lower-case hexadecimal digits");
        }
        Some(FileFact { path, sha256, bytes: bytes? as u64, contents: None })
    }

    fn split(&mut self, n: &Nested, rows: &mut [Option<usize>; 3]) {
        let Some(split) = self.one_name(n) else { return };
        let mut e = self.body(n, &["rows"]);
        let count = e.need(self, "rows", head(n), size);
        match SPLITS.iter().position(|s| *s == split) {
            None => {
                self.wrong::<()>(
                    head(n),
                    format!("no split is called `{split}`; they are `train`, `validation`, `test`"),
                );
            }
            Some(s) if rows[s].is_some() => {
                self.wrong::<()>(head(n), format!("split `{split}` appears twice"));
            }
            // A count that cannot be read is reported: the split is there.
            Some(s) => rows[s] = Some(count.unwrap_or(0)),
        }
    }

    fn label(&mut self, n: &Nested) -> Option<LabelFacts> {
        let task = self.one_name(n)?;
        let mut e = self.body(n, &["mean", "std"]);
        let numbers = |e: &Expr| list_of(e, float).or_else(|| Some(vec![float(e)?]));
        let [mean, std] = ["mean", "std"].map(|k| e.need(self, k, head(n), numbers));
        let (mean, std) = (mean?, std?);
        if mean.is_empty() || mean.len() != std.len() {
            return self.wrong(head(n), format!("{} means have {} deviations", mean.len(), std.len()));
        }
        if std.iter().any(|s| *s < 0.0) {
            return self.wrong(head(n), "a standard deviation is 0 or more");
        }
        Some(LabelFacts { task, mean, std })
    }

    fn column(&mut self, n: &Nested) -> Option<ColumnFacts> {
        let column = self.one_name(n)?;
        let keys = [
            "kind",
            "shape",
            "mean",
            "std",
            "min",
            "max",
            "missing",
            "range",
            "groups",
            "values",
            "counts",
            "sha256",
            "buckets",
            "min_count",
            "rare",
        ];
        let mut e = self.body(n, &keys);
        let kind = e.need(self, "kind", head(n), text)?;
        let missing = e.maybe(self, "missing", size).unwrap_or(0);
        let groups = e.maybe(self, "groups", |e| list_of(e, text)).unwrap_or_default();
        let range = match e.maybe(self, "range", |e| list_of(e, float)) {
            None => None,
            Some(ends) => match ends[..] {
                [a, b] => Some([a, b]),
                _ => return self.wrong(head(n), "a range has two ends"),
            },
        };
        let shape = match kind.as_str() {
            "numeric" => e.maybe(self, "shape", |e| list_of(e, size)).unwrap_or_default(),
            "picture" => e.need(self, "shape", head(n), |e| list_of(e, size))?,
            _ => Vec::new(),
        };
        if shape.iter().fold(1u64, |n, d| n.saturating_mul(*d as u64)) > MAX_NUMBERS {
            return self.wrong(head(n), "a sample of this shape has more than 2^40 numbers");
        }
        let facts = match kind.as_str() {
            "picture" => match shape.as_slice() {
                [1 | 3, _, _] => Facts::Picture,
                _ => {
                    return self
                        .wrong(head(n), "the shape of a picture is `[channels, height, width]`, of 1 or 3 channels");
                }
            },
            "numeric" => {
                let [mean, std, min, max] = ["mean", "std", "min", "max"].map(|k| e.need(self, k, head(n), float));
                Facts::Numeric { mean: mean?, std: std?, min: min?, max: max? }
            }
            "category" if e.has("buckets") => match e.need(self, "buckets", head(n), size)? {
                0 => return self.wrong(head(n), "there is at least one bucket"),
                buckets => Facts::Hashed { buckets },
            },
            "category" if e.has("sha256") => {
                let values = e.need(self, "values", head(n), size);
                let sha256 = e.need(self, "sha256", head(n), string);
                self.elsewhere(n, &column, values?, sha256?)?
            }
            "category" => {
                let values = e.need(self, "values", head(n), |e| list_of(e, string));
                let counts = e.need(self, "counts", head(n), |e| list_of(e, size));
                let (values, counts) = (values?, counts?);
                if values.len() != counts.len() {
                    return self.wrong(head(n), format!("{} values have {} counts", values.len(), counts.len()));
                }
                let pairs: Vec<(String, usize)> = values.into_iter().zip(counts).collect();
                if !vocabulary::in_order(&pairs) {
                    return self
                        .wrong(head(n), "values must be unique, and sorted by descending count, then alphabetically");
                }
                Facts::Category { values: Arc::new(pairs) }
            }
            other => {
                return self.wrong(head(n), format!("a column is `numeric`, `category` or `picture`, not `{other}`"));
            }
        };
        let rare = match facts {
            Facts::Category { .. } | Facts::Withheld { .. } if e.has("min_count") => {
                let below = e.need(self, "min_count", head(n), size);
                let cells = e.need(self, "rare", head(n), size);
                Some(Rare { below: below?, cells: cells? })
            }
            _ => None,
        };
        e.rest(self, &kind);
        Some(ColumnFacts { name: column, shape, facts, missing, range, groups, rare })
    }

    fn one_name(&mut self, n: &Nested) -> Option<String> {
        match n.names.as_slice() {
            [one] => Some(one.text.clone()),
            _ => self.wrong(head(n), format!("`{}` needs one name", n.keyword.text)),
        }
    }

    fn body<'a>(&mut self, n: &'a Nested, keys: &[&str]) -> Entries<'a> {
        let entries = n.body.iter().flat_map(|b| &b.entries);
        let mut attrs = Vec::new();
        for entry in entries {
            match entry {
                Entry::Attr(a) => attrs.push(a),
                _ => {
                    self.wrong::<()>(
                        head(n),
                        format!("`{}` holds facts of the form `key = value` only", n.keyword.text),
                    );
                }
            }
        }
        self.entries(attrs, keys)
    }

    fn entries<'a>(&mut self, attrs: Vec<&'a Attr>, keys: &[&str]) -> Entries<'a> {
        let mut known: Vec<(String, &'a Attr)> = Vec::new();
        for a in attrs {
            if !keys.contains(&a.key.text.as_str()) {
                self.unknown_fact(&a.key, keys);
                // It is there, under a name that is reported.
                known.extend(suggest::nearest(&a.key.text, keys.iter().copied()).map(|k| (k.to_string(), a)));
            } else if let Some((_, first)) = known.iter().find(|(k, _)| *k == a.key.text) {
                self.errors.push(
                    Diagnostic::new(codes::DATA_SCHEMA, a.key.span, format!("`{}` appears twice", a.key.text))
                        .label("again here")
                        .also(first.key.span, "first here")
                        .help("remove the one that was added"),
                );
            } else {
                known.push((a.key.text.clone(), a));
            }
        }
        Entries { attrs: known }
    }
}

/// The first line of an entry, which stands for all of it.
fn head(n: &Nested) -> Span {
    named(&n.keyword, &n.names)
}

fn named(keyword: &Name, names: &[Name]) -> Span {
    names.last().map_or(keyword.span, |n| keyword.span.to(n.span))
}

/// The facts of one body, taken out as they are read.
struct Entries<'a> {
    attrs: Vec<(String, &'a Attr)>,
}

impl Entries<'_> {
    fn has(&self, key: &str) -> bool {
        self.attrs.iter().any(|(k, _)| k == key)
    }

    fn maybe<T>(&mut self, read: &mut Read, key: &str, of: impl Fn(&Expr) -> Option<T>) -> Option<T> {
        let at = self.attrs.iter().position(|(k, _)| k == key)?;
        let (_, attr) = self.attrs.remove(at);
        let value = of(&attr.value);
        if value.is_none() && attr.value.kind != ExprKind::Missing {
            read.wrong::<()>(attr.value.span, format!("this cannot be the value of `{key}`"));
            if let Some(d) = read.errors.pop() {
                read.errors.push(quotes(d, key, &attr.value));
            }
        }
        value
    }

    fn need<T>(&mut self, read: &mut Read, key: &str, span: Span, of: impl Fn(&Expr) -> Option<T>) -> Option<T> {
        if !self.has(key) {
            return read.wrong(span, format!("`{key}` is missing here"));
        }
        self.maybe(read, key, of)
    }

    /// Facts that the kind of column does not have.
    fn rest(self, read: &mut Read, kind: &str) {
        for (_, a) in self.attrs {
            read.wrong::<()>(a.key.span, format!("a column of kind `{kind}` has no `{}`", a.key.text));
        }
    }
}

/// Adds the fix where one value has quotes too many or too few.
fn quotes(d: Diagnostic, key: &str, value: &Expr) -> Diagnostic {
    let items = match &value.kind {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let texts = matches!(key, "values" | "missing" | "missing_numbers" | "sha256");
    let wrong = items.iter().find(|e| matches!(e.kind, ExprKind::Str(_)) != texts);
    match wrong.map(|e| (e, &e.kind)) {
        Some((e, ExprKind::Path(_))) if texts => {
            d.label("one value is not in quotes").quote(e.span, Applicability::Safe)
        }
        Some((e, ExprKind::Str(s))) if s.parse::<f64>().is_ok() => {
            d.label("one value is in quotes").fix("remove the quotes", e.span, s.clone(), Applicability::Safe)
        }
        _ => d,
    }
}

fn string(e: &Expr) -> Option<String> {
    match &e.kind {
        ExprKind::Str(s) => Some(s.clone()),
        _ => None,
    }
}

/// Parses `file("NAME", sha256 = "...")`.
fn file(e: &Expr) -> Option<((String, Span), String)> {
    let ExprKind::Call { callee, args } = &e.kind else { return None };
    let [path, sha256] = args.as_slice() else { return None };
    let named = path.name.is_none() && sha256.name.as_ref().is_some_and(|n| n.text == "sha256");
    (named && text(callee).as_deref() == Some("file")).then_some(())?;
    Some(((string(&path.value)?, path.value.span), string(&sha256.value)?))
}

fn text(e: &Expr) -> Option<String> {
    as_name(e).map(|n| n.text)
}

pub(super) fn float(e: &Expr) -> Option<f64> {
    match &e.kind {
        ExprKind::Int(v) => Some(*v as f64),
        ExprKind::Float(v) => Some(*v),
        ExprKind::Unary { op: UnaryOp::Neg, operand } => float(operand).map(|v| -v),
        _ => None,
    }
}

fn size(e: &Expr) -> Option<usize> {
    match &e.kind {
        ExprKind::Int(v) => usize::try_from(*v).ok(),
        _ => None,
    }
}

fn list_of<T>(e: &Expr, of: impl Fn(&Expr) -> Option<T>) -> Option<Vec<T>> {
    match &e.kind {
        ExprKind::List(items) => items.iter().map(of).collect(),
        _ => None,
    }
}
