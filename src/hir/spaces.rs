//! A `space` item to one [`Level`] per stage.

use super::build::Builder;
use super::eval;
use super::*;
use crate::diag::{Applicability, Diagnostic, Edit, Fix, codes};
use crate::schema::{COUNT, Ty, Value};
use crate::syntax::ast::{Entry, Item, Name, Nested};

/// How many copies a level of a `tree` has.
const COPIES: Ty = Ty::AnyOf(&[COUNT, Ty::OneOf(&["any"])]);

impl Builder<'_> {
    pub(super) fn space(&mut self, item: &Item) {
        let def = schema::item("space").expect("in the table");
        let fields = self.fields(&item.keyword, item.body.as_ref(), &[], def, item.span);
        let Some(stage_names) =
            self.spec.backbone.as_ref().map(|b| b.stages.iter().map(|s| s.name.clone()).collect::<Vec<_>>())
        else {
            // Without stages there are no levels; what their attributes say can be checked all the same.
            let scope = self.scope.clone();
            for n in &fields.nested {
                let inner = def.nested.iter().find(|d| d.keyword == n.keyword.text);
                for entry in n.body.iter().flat_map(|b| &b.entries).filter(|_| n.keyword.text == "tree") {
                    if let Entry::Attr(a) = entry {
                        eval::value(&a.value, &COPIES, &scope, self.diags);
                    }
                }
                if let Some(inner) = inner.filter(|d| !d.open) {
                    self.fields(n.names.first().unwrap_or(&n.keyword), n.body.as_ref(), inner.attrs, inner, n.span);
                }
            }
            return;
        };
        let mut levels: Vec<Option<Level>> = vec![None; stage_names.len()];
        let unknown_before = self.diags.count(codes::NAME_UNKNOWN);
        let mut heads: Option<HeadLevel> = None;
        let mut last: Option<usize> = None;
        let scope = self.scope.clone();
        for n in &fields.nested {
            let inner = def.nested.iter().find(|d| d.keyword == n.keyword.text).expect("fields checked it");
            match inner.keyword {
                "level" => {
                    let Some(name) = n.names.first() else { continue };
                    let args = self.fields(name, n.body.as_ref(), inner.attrs, inner, n.span).args;
                    let copies = match args.get("copies") {
                        Some(Value::Int(c)) => *c as usize,
                        _ => self.spec.tasks.len().max(1),
                    };
                    let stage = stage_names.iter().position(|s| *s == name.text).map(StageId);
                    let before = stage.and_then(|s| self.only_stage(&self.spec.backbone.as_ref()?.stages[s.0].reads));
                    let before = before.filter(|b| levels[b.0].as_ref().is_some_and(|l| l.copies > 1));
                    let at = args.span("reads").unwrap_or(n.span);
                    let Some(reads) = self.reads(args.call("reads"), at, before) else {
                        continue;
                    };
                    for (label, _) in self.repeated(n, name, &scope) {
                        let name = Name { text: label, ..name.clone() };
                        self.level(&name, copies, reads.clone(), &stage_names, &mut levels, &mut last);
                    }
                }
                "tree" => {
                    for a in n.body.as_ref().map(|b| self.lines(b, "tree")).unwrap_or_default() {
                        let Some(v) = eval::value(&a.value, &COPIES, &scope, self.diags) else { continue };
                        let copies = match v.value {
                            Value::Int(c) => c as usize,
                            _ => self.spec.tasks.len().max(1),
                        };
                        self.level(&a.key, copies, Reads::One, &stage_names, &mut levels, &mut last);
                    }
                }
                _ => {
                    let args = self.fields(&n.keyword, n.body.as_ref(), inner.attrs, inner, n.span).args;
                    if let Some(first) = &heads {
                        self.diags.push(
                            Diagnostic::new(codes::NAME_DUPLICATE, n.keyword.span, "`heads` is given twice")
                                .also(first.span, "first given here"),
                        );
                        continue;
                    }
                    let before = self.spec.heads.first().and_then(|h| self.only_stage(&h.reads));
                    let before = before.filter(|b| levels[b.0].as_ref().is_some_and(|l| l.copies > 1));
                    let at = args.span("reads").unwrap_or(n.span);
                    let Some(reads) = self.reads(args.call("reads"), at, before) else {
                        continue;
                    };
                    heads = Some(HeadLevel { per_copy: args.str("per") == "copy", reads, span: n.keyword.span });
                }
            }
        }
        self.sort_levels(&fields.nested, &stage_names);
        let missing: Vec<&str> =
            stage_names.iter().zip(&levels).filter(|(_, l)| l.is_none()).map(|(s, _)| s.as_str()).collect();
        let at = item.over.as_ref().map_or(item.span, |n| n.span);
        if !missing.is_empty() {
            // A level that is there and could not be read is reported already.
            let written = |s: &str| {
                let in_tree = |n: &Nested| {
                    n.body.iter().flat_map(|b| &b.entries).any(|e| matches!(e, Entry::Attr(a) if a.key.text == s))
                };
                fields
                    .nested
                    .iter()
                    .any(|n| n.names.iter().any(|m| m.text == s) || n.keyword.text == "tree" && in_tree(n))
            };
            let misspelt = self.diags.count(codes::NAME_UNKNOWN) > unknown_before;
            if !self.spec.incomplete && !misspelt && !missing.iter().any(|s| written(s)) {
                let stages = crate::diag::suggest::listing(missing.iter().copied());
                let line = missing.iter().map(|s| format!("level {s} {{ copies = 1 }}")).collect::<Vec<_>>().join("; ");
                self.diags.push(
                    Diagnostic::new(codes::SPACE_STAGE_MISSING, at, format!("no level for {stages}"))
                        .label("every stage of the backbone has a level")
                        .help(format!("to share such a stage by all tasks, add: {line}")),
                );
            }
            return;
        }
        let heads = heads.unwrap_or(HeadLevel { per_copy: false, reads: Reads::One, span: at });
        let name = item.names.first().map_or_else(|| "space".to_string(), |n| n.text.clone());
        self.spec.space = Some(Space { name, span: at, levels: levels.into_iter().flatten().collect(), heads });
    }

    /// Gives the report of levels out of order the fix that sorts them.
    fn sort_levels(&mut self, nested: &[&Nested], stages: &[String]) {
        let levels: Vec<&&Nested> = nested.iter().filter(|n| n.keyword.text == "level" && n.index.is_none()).collect();
        let place = |n: &Nested| stages.iter().position(|s| n.names.first().is_some_and(|m| m.text == *s));
        let Some(places) = levels.iter().map(|n| place(n)).collect::<Option<Vec<usize>>>() else { return };
        let mut sorted: Vec<usize> = (0..levels.len()).collect();
        sorted.sort_by_key(|i| places[*i]);
        let text = |n: &Nested| self.sources.file(n.span.file).text.get(n.span.range()).unwrap_or_default().to_string();
        let moved = sorted.iter().enumerate().filter(|(to, from)| to != *from);
        let edits: Vec<Edit> =
            moved.map(|(to, from)| Edit { span: levels[to].span, text: text(levels[*from]) }).collect();
        let title = "put the levels into the order of the stages".to_string();
        let fix = Fix { title, edits, applicability: Applicability::Maybe };
        self.diags.add_fix(codes::SPACE_ORDER, fix);
    }

    fn level(
        &mut self,
        name: &Name,
        copies: usize,
        reads: Reads,
        stages: &[String],
        levels: &mut [Option<Level>],
        last: &mut Option<usize>,
    ) {
        let Some(i) = stages.iter().position(|s| *s == name.text) else {
            self.unknown_name("stage", name, stages.iter().map(String::as_str));
            return;
        };
        if let Some(first) = &levels[i] {
            let d = super::build::duplicate("level", name, first.span);
            self.diags.push(d);
            return;
        }
        if last.is_some_and(|l| l > i) {
            // What each level then reads, and what is left to decide, is not what was meant.
            self.spec.incomplete = true;
            self.diags.push(
                Diagnostic::new(
                    codes::SPACE_ORDER,
                    name.span,
                    format!("the level of `{}` stands after a later stage's", name.text),
                )
                .label("out of order")
                .help(format!(
                    "levels stand in the order of the backbone's stages: {}",
                    crate::diag::suggest::listing(stages.iter().map(String::as_str))
                )),
            );
        }
        *last = Some(last.map_or(i, |l| l.max(i)));
        if copies > 10_000 {
            self.diags.push(
                Diagnostic::new(codes::SPACE_COPIES, name.span, format!("{copies} copies of one stage"))
                    .help("more copies than tasks are never used; at most 10,000 are allowed"),
            );
            return;
        }
        levels[i] = Some(Level { stage: StageId(i), copies, reads, span: name.span });
    }

    /// The one stage among what is read.
    fn only_stage(&self, reads: &[Read]) -> Option<StageId> {
        let mut stages = reads.iter().filter_map(|r| match r {
            Read::Stage(s) => Some(*s),
            Read::Input(_) => None,
        });
        let first = stages.next()?;
        stages.next().is_none().then_some(first)
    }

    fn reads(&mut self, call: &Call, span: Span, before: Option<StageId>) -> Option<Reads> {
        if call.name == "one" {
            return Some(Reads::One);
        }
        let gate = Gate::from_word(call.args.str("gate"));
        let at = call.args.span("query").unwrap_or(span);
        let mut queries = Vec::new();
        for v in call.args.list("query") {
            let Value::Name(path) = &v.value else { continue };
            let text = path.join(".");
            if text == "previous" {
                queries.push(Query::Previous);
                continue;
            }
            let stages = self.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
            let stage = stages.iter().position(|s| s.name == text).map(|i| Read::Stage(StageId(i)));
            let input = self.inputs.get(&text).map(|i| Read::Input(*i));
            match stage.or(input) {
                // The level before by its name: among several copies there is no other value of that name than their mean.
                Some(Read::Stage(s)) if before.is_some_and(|b| b == s) => queries.push(Query::Previous),
                Some(r) => queries.push(Query::Read(r)),
                None => {
                    let known: Vec<String> = stages
                        .iter()
                        .map(|s| s.name.clone())
                        .chain(self.spec.inputs.iter().map(|i| i.name.clone()))
                        .chain(["previous".into()])
                        .collect();
                    let n = Name { text, quoted: false, span: v.span };
                    self.unknown_name("stage or input", &n, known.iter().map(String::as_str));
                    return None;
                }
            }
        }
        if gate.has_query() && queries.is_empty() {
            self.diags.push(
                Diagnostic::new(codes::SPACE_QUERY, at, format!("a `{}` gate needs a query", gate.word()))
                    .help("name what the gate reads: `query = previous`, or a stage or input"),
            );
            return None;
        }
        if !gate.has_query() && !queries.is_empty() {
            self.diags.push(
                Diagnostic::new(codes::SPACE_QUERY, at, format!("a `{}` gate reads no query", gate.word()))
                    .help("remove `query`, or use `gate = softmax`"),
            );
            return None;
        }
        let mix = Mix { gate, queries, span };
        Some(if call.name == "some" { Reads::Some(mix) } else { Reads::All(mix) })
    }
}
