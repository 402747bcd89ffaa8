//! What editors know of the language comes from the compiler's tables: the TextMate grammar and the highlight queries are written
//! here. `UPDATE=1 cargo test --test editors` rewrites them; without it a stale one fails.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mtlc::hir::schema::{ItemDef, items};
use mtlc::ide::docs::TOPICS;
use mtlc::schema::{AttrDef, CallDef, Ty};
use serde_json::{Value, json};
use support::Expectations;

fn editors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("editors")
}

/// All words of the language, by what they are.
#[derive(Default)]
struct Words {
    items: BTreeSet<&'static str>,
    nested: BTreeSet<&'static str>,
    attributes: BTreeSet<&'static str>,
    ops: BTreeSet<&'static str>,
    kinds: BTreeSet<&'static str>,
    /// Losses, metrics, optimisers, schedules, strategies, formats, and what attributes take besides.
    calls: BTreeSet<&'static str>,
    values: BTreeSet<&'static str>,
}

impl Words {
    fn all() -> Words {
        let mut w = Words::default();
        items().iter().for_each(|i| {
            w.items.insert(i.keyword);
            w.item(i);
        });
        w.nested.extend(mtlc::syntax::ast::NESTED_KEYWORDS);
        for t in &TOPICS {
            for c in (t.calls)() {
                match t.name {
                    "ops" => w.ops.insert(c.name),
                    "kinds" => w.kinds.insert(c.name),
                    _ => w.calls.insert(c.name),
                };
                w.call(c);
            }
        }
        w.values.extend(["true", "false", "any", "in", "out", "outputs", "previous", "independent"]);
        w.values.retain(|v| *v != "in");
        w.calls.retain(|c| !w.ops.contains(c));
        w
    }

    fn item(&mut self, i: &'static ItemDef) {
        self.attrs(i.attrs);
        for n in i.nested {
            self.nested.insert(n.keyword);
            self.item(n);
        }
        for c in i.variants.map(|v| v()).unwrap_or_default() {
            self.call(c);
        }
    }

    fn call(&mut self, c: &'static CallDef) {
        self.attrs(c.args);
    }

    fn attrs(&mut self, attrs: &'static [AttrDef]) {
        for a in attrs {
            if self.attributes.insert(a.name) {
                self.ty(&a.ty);
            }
        }
    }

    fn ty(&mut self, ty: &Ty) {
        match ty {
            Ty::OneOf(words) => self.values.extend(words.iter().copied()),
            Ty::List(inner) => self.ty(inner),
            Ty::AnyOf(tys) => tys.iter().for_each(|t| self.ty(t)),
            Ty::Call(calls) => {
                for c in calls() {
                    self.calls.insert(c.name);
                    self.call(c);
                }
            }
            _ => {}
        }
    }
}

fn any(words: &BTreeSet<&'static str>) -> String {
    // The longest first: a pattern takes the first that fits.
    let mut all: Vec<&str> = words.iter().copied().collect();
    all.sort_by_key(|w| (std::cmp::Reverse(w.len()), *w));
    format!("(?:{})", all.join("|"))
}

fn textmate(w: &Words) -> Value {
    let name = r#"(?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)*")"#;
    let units = mtlc::syntax::ast::UNITS.join("|");
    json!({
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "mtl",
        "scopeName": "source.mtl",
        "fileTypes": ["mtl"],
        "patterns": [
            { "include": "#comment" },
            {
                "match": r"^\s*(mtl)\s+([0-9]+)",
                "captures": { "1": { "name": "keyword.other.edition.mtl" }, "2": { "name": "constant.numeric.mtl" } },
            },
            {
                "match": format!(r"^\s*(use)\s+(topology)?\s*(std)?"),
                "captures": {
                    "1": { "name": "keyword.declaration.mtl" },
                    "2": { "name": "keyword.declaration.mtl" },
                    "3": { "name": "entity.name.namespace.mtl" },
                },
            },
            {
                "match": format!(r"^\s*({})\b(?=\s+[A-Za-z_\x22*]|\s*\{{)(?:\s+(?!for\b|over\b|on\b)({name}))?", any(&w.items)),
                "captures": { "1": { "name": "keyword.declaration.mtl" }, "2": { "name": "entity.name.type.mtl" } },
            },
            {
                "match": format!(r"\b({})\b\s+({name})(?=\s*(?:=|\{{|\[))", any(&w.nested)),
                "captures": { "1": { "name": "keyword.control.mtl" }, "2": { "name": "entity.name.function.mtl" } },
            },
            { "match": format!(r"\b{}\b(?=\s*\{{)", any(&w.nested)), "name": "keyword.control.mtl" },
            { "match": r"\b(?:for|on|over)\b", "name": "keyword.control.mtl" },
            { "match": r"\b(?:and|or|not|in)\b", "name": "keyword.operator.word.mtl" },
            { "match": format!(r"\b{}\b(?=\s*=(?!=))", any(&w.attributes)), "name": "variable.other.property.mtl" },
            { "match": r"\b[A-Za-z_][A-Za-z0-9_]*(?=\s*=(?!=))", "name": "variable.other.mtl" },
            { "include": "#value" },
        ],
        "repository": {
            "comment": { "match": "#.*$", "name": "comment.line.number-sign.mtl" },
            "value": { "patterns": [
                {
                    "begin": "\"",
                    "end": "\"|$",
                    "name": "string.quoted.double.mtl",
                    "patterns": [{ "match": r"\\.", "name": "constant.character.escape.mtl" }],
                },
                {
                    "match": format!(r"\b([0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?[kMG]?)(?:\s+({units})\b(?!\s*=))?"),
                    "captures": { "1": { "name": "constant.numeric.mtl" }, "2": { "name": "keyword.other.unit.mtl" } },
                },
                { "match": "->|<-", "name": "keyword.operator.arrow.mtl" },
                { "match": r"\.\.|==|!=|<=|>=|[-+*/%<>=]", "name": "keyword.operator.mtl" },
                { "match": r"\b(?:f32|fields|int|float|bool)\b", "name": "storage.type.mtl" },
                { "match": format!(r"\b{}\b", any(&w.kinds)), "name": "support.type.kind.mtl" },
                { "match": format!(r"\b{}\b", any(&w.ops)), "name": "support.function.op.mtl" },
                { "match": format!(r"\b{}\b", any(&w.calls)), "name": "support.function.mtl" },
                { "match": format!(r"\b{}\b", any(&w.values)), "name": "constant.language.mtl" },
            ] },
        },
    })
}

fn any_of(words: &BTreeSet<&'static str>) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
    let mut out = String::new();
    for line in quoted.chunks(8) {
        out += &format!("\n    {}", line.join(" "));
    }
    out
}

fn highlights(w: &Words) -> String {
    let list = any_of;
    format!(
        r#"; Written by `UPDATE=1 cargo test --test editors` from the compiler's tables. Later patterns win.

(identifier) @variable
(comment) @comment
(string) @string
(number) @number
(unit) @keyword
(star) @operator

(edition "mtl" @keyword)
(keyword) @keyword
["for" "on" "over"] @keyword
["and" "or" "not" "in"] @keyword.operator
["->" "<-" "=" "==" "!=" "<" "<=" ">" ">=" "+" "-" "*" "/" "%" ".."] @operator
["(" ")" "[" "]" "{{" "}}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter

((identifier) @constant.builtin
  (#any-of? @constant.builtin{values}))

((identifier) @type.builtin
  (#any-of? @type.builtin "f32" "fields" "int" "float" "bool"{kinds}))

((path . (identifier) @function.builtin .)
  (#any-of? @function.builtin{calls}))

((path . (identifier) @function.builtin .)
  (#any-of? @function.builtin{ops}))

(call callee: (path (identifier) @function))
((call callee: (path . (identifier) @function.builtin .))
  (#any-of? @function.builtin{ops}))

(item name: (path (identifier) @type))
(nested name: (path (identifier) @function))
(parameter name: (identifier) @variable.parameter)
(argument name: (identifier) @property)
(attribute key: (identifier) @variable)
((attribute key: (identifier) @property)
  (#any-of? @property{attributes}))
(edge (path (identifier) @variable))
"#,
        values = list(&w.values),
        kinds = list(&w.kinds),
        calls = list(&w.calls),
        ops = list(&w.ops),
        attributes = list(&w.attributes),
    )
}

/// The same for Helix, where up to 25.01 the first pattern wins that fits and since then the last: there and back.
fn both_ways(queries: &str) -> String {
    let (note, rest) = queries.split_once('\n').expect("a first line");
    let mut patterns: Vec<String> = Vec::new();
    for line in rest.lines().filter(|l| !l.is_empty()) {
        match patterns.last_mut() {
            Some(pattern) if line.starts_with(' ') => *pattern += &format!("\n{line}"),
            _ => patterns.push(line.to_string()),
        }
    }
    let note =
        note.replace("Later patterns win.", "The first that fits wins up to Helix 25.01, then the last: both ways.");
    let back = patterns.iter().rev().cloned().collect::<Vec<_>>().join("\n");
    format!("{note}\n\n{back}\n\n{}\n", patterns.join("\n"))
}

#[test]
fn what_editors_know_is_what_the_compiler_knows() {
    let words = Words::all();
    let mut expected = Expectations::default();
    let grammar = format!("{:#}\n", textmate(&words));
    expected.check(&editors().join("vscode/syntaxes/mtl.tmLanguage.json"), &grammar);
    let queries = highlights(&words);
    expected.check(&editors().join("helix/queries/mtl/highlights.scm"), &both_ways(&queries));
    for place in ["tree-sitter-mtl/queries", "neovim/queries/mtl", "zed/languages/mtl"] {
        expected.check(&editors().join(place).join("highlights.scm"), &queries);
    }
    for name in ["folds.scm", "indents.scm"] {
        let one = std::fs::read_to_string(editors().join("tree-sitter-mtl/queries").join(name)).expect("it is there");
        expected.check(&editors().join("neovim/queries/mtl").join(name), &one);
    }
    expected.finish();
}

/// Every word of the language has a snippet or stands in the grammar.
#[test]
fn no_item_is_forgotten() {
    let words = Words::all();
    let grammar = std::fs::read_to_string(editors().join("tree-sitter-mtl/grammar.js")).expect("the grammar");
    for i in &words.items {
        assert!(grammar.contains(&format!("'{i}'")), "`{i}` is no item of editors/tree-sitter-mtl/grammar.js");
    }
    let highlighted =
        std::fs::read_to_string(editors().join("vscode/syntaxes/mtl.tmLanguage.json")).expect("the grammar");
    for o in mtlc::ops::table() {
        assert!(highlighted.contains(o.call.name), "{}", o.call.name);
    }
}
