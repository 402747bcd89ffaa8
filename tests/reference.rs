//! `grammar/reference.md` against the compiler. A ```mtl block is a whole program and must check without
//! errors. ```mtl fragment is only parsed. ```mtl error(CODE, ...) gives exactly those
//! codes. What stands between `<!-- generated: TABLE -->` and `<!-- end -->` comes from the compiler's tables; `UPDATE=1` rewrites.

#[path = "support/sources.rs"]
mod sources;
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mtlc::cli::cmd::explain::explain;
use mtlc::driver;
use mtlc::hir::schema::{ItemDef, items};
use mtlc::ide::docs::TOPICS;
use mtlc::schema::{AttrDef, CallDef, Need, Ty};
use mtlc::source::SourceMap;
use sources::{literals, sources};
use support::Expectations;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/reference.md")
}

fn text() -> String {
    std::fs::read_to_string(path()).expect("grammar/reference.md")
}

/// A fenced block: what stands behind "```mtl", the line of the fence, the text.
fn blocks(markdown: &str) -> Vec<(String, usize, String)> {
    let mut out: Vec<(String, usize, String)> = Vec::new();
    let mut inside = false;
    for (i, line) in markdown.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(info) => {
                inside = true;
                out.push((info.to_string(), i + 1, String::new()));
            }
            None if inside => {
                let last = out.last_mut().expect("a block is open");
                last.2 += line;
                last.2.push('\n');
            }
            None => {}
        }
    }
    out.into_iter()
        .filter_map(|(info, line, text)| Some((info.strip_prefix("mtl")?.trim().to_string(), line, text)))
        .collect()
}

#[test]
fn programs_do_what_is_said_of_them() {
    let all = blocks(&text());
    assert!(all.len() >= 15, "{} blocks", all.len());
    let mut wrong = Vec::new();
    for (tag, line, text) in all {
        let codes: BTreeSet<String> = match tag.as_str() {
            "fragment" => {
                let whole = format!("mtl 1\n{text}");
                let file = SourceMap::default().add("fragment.mtl", None, whole.as_str());
                let parse = mtlc::syntax::parse(file, &whole);
                parse.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code.name().to_string()).collect()
            }
            _ => {
                let load = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
                let compiled = driver::compile_text(&text, Path::new("reference.mtl"), &Default::default(), &load);
                compiled.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code.name().to_string()).collect()
            }
        };
        let want: BTreeSet<String> = match tag.strip_prefix("error(").and_then(|t| t.strip_suffix(')')) {
            Some(list) => list.split(',').map(|c| c.trim().to_string()).collect(),
            None => BTreeSet::new(),
        };
        if codes != want {
            wrong.push(format!("line {line}: {codes:?} instead of {want:?}"));
        }
        if !text.starts_with("mtl 1") && tag != "fragment" {
            wrong.push(format!("line {line}: a whole program begins with `mtl 1`"));
        }
    }
    assert!(wrong.is_empty(), "grammar/reference.md\n{}", wrong.join("\n"));
}

/// In a cell of a table a bar has to be escaped.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn attributes(attrs: &[AttrDef]) -> String {
    if attrs.is_empty() {
        return String::new();
    }
    let mut out = "\n| name | value | absent | meaning |\n|---|---|---|---|\n".to_string();
    for a in attrs {
        let need = match a.need {
            Need::Required => "required".to_string(),
            Need::Optional => "".to_string(),
            Need::Default(d) => format!("`{d}`"),
        };
        out += &format!("| `{}` | {} | {} | {} |\n", a.name, cell(&a.ty.describe()), cell(&need), cell(a.doc));
    }
    out
}

fn calls(heading: &str, calls: &[&'static CallDef]) -> String {
    calls.iter().map(|c| format!("\n{heading} `{}`\n\n{}\n{}", c.name, c.doc, attributes(c.args))).collect()
}

fn item(i: &ItemDef, heading: &str) -> String {
    let forms = i.form.replace("  |  ", "\n");
    let mut out = format!("\n{heading} `{}`\n\n{}\n\n```text\n{forms}\n```\n{}", i.keyword, i.doc, attributes(i.attrs));
    for n in i.nested {
        out += &item(n, &format!("{heading}#"));
    }
    out
}

fn strategies() -> String {
    let mut out = "\n| strategy | decides | needs | keeps a budget | `single` | source |\n|---|---|---|---|---|---|\n"
        .to_string();
    let yes = |b: bool| if b { "yes" } else { "" };
    for s in mtlc::search::strategies() {
        let list = |o: &[mtlc::search::Offer]| o.iter().map(|o| o.describe()).collect::<Vec<_>>().join(", ");
        let most = s.most_levels.map_or(String::new(), |n| format!(" (at most {n})"));
        out += &format!(
            "| `{}` | {}{most} | {} | {} | {} | {} |\n",
            s.call.name,
            list(s.decides),
            list(s.requires),
            yes(s.budget),
            yes(s.single),
            s.paper
        );
    }
    let all: Vec<&'static CallDef> = mtlc::search::strategies().iter().map(|s| &s.call).collect();
    out + &calls("###", &all)
}

fn codes() -> String {
    let mut out = "\n| code | | says |\n|---|---|---|\n".to_string();
    for c in mtlc::diag::Code::all() {
        out += &format!("| `{}` | {} | {} |\n", c.name(), c.severity().name(), cell(c.title()));
    }
    out
}

fn generated(table: &str) -> String {
    let of_ops = || mtlc::ops::table().iter().map(|o| &o.call).collect::<Vec<_>>();
    match table {
        "items" => items().iter().map(|i| item(i, "###")).collect(),
        "ops" => calls("###", &of_ops()),
        "kinds" => calls("###", &mtlc::hir::KINDS.iter().collect::<Vec<_>>()),
        "losses" => calls("###", &mtlc::objective::losses().iter().map(|d| &d.call).collect::<Vec<_>>()),
        "metrics" => calls("###", &mtlc::objective::metrics().iter().map(|d| &d.call).collect::<Vec<_>>()),
        "optimizers" => calls("###", &mtlc::optim::optimizer_calls()),
        "schedules" => calls("###", &mtlc::optim::schedule::schedule_calls()),
        "weightings" => calls("###", &mtlc::optim::weighting::weighting_calls()),
        "formats" => calls("###", &mtlc::data::table().iter().map(|f| &f.call).collect::<Vec<_>>()),
        "strategies" => strategies(),
        "codes" => codes(),
        other => panic!("no table is called `{other}`"),
    }
}

#[test]
fn tables_are_the_compilers() {
    let text = text();
    let mut out = String::new();
    let mut found = BTreeSet::new();
    let mut skip = false;
    for line in text.lines() {
        skip &= line != "<!-- end -->";
        if !skip {
            out += line;
            out.push('\n');
        }
        if let Some(table) = line.strip_prefix("<!-- generated: ").and_then(|l| l.strip_suffix(" -->")) {
            out += &generated(table);
            out.push('\n');
            found.insert(table.to_string());
            skip = true;
        }
    }
    let all = [
        "items",
        "ops",
        "kinds",
        "losses",
        "metrics",
        "optimizers",
        "schedules",
        "weightings",
        "formats",
        "strategies",
        "codes",
    ];
    assert_eq!(found, all.map(String::from).into());
    let mut expected = Expectations::default();
    expected.check(&path(), &out);
    expected.finish();
}

/// All words of the tables: keywords, attributes, arguments, and what they may be.
fn words_of_tables() -> BTreeSet<&'static str> {
    fn ty(of: &'static Ty, out: &mut BTreeSet<&'static str>) {
        match of {
            Ty::OneOf(words) => out.extend(*words),
            Ty::List(inner) | Ty::Schedule(inner) => ty(inner, out),
            Ty::AnyOf(all) => all.iter().for_each(|t| ty(t, out)),
            Ty::Call(calls) => calls().into_iter().for_each(|c| call(c, out)),
            _ => {}
        }
    }
    fn attrs(of: &'static [AttrDef], out: &mut BTreeSet<&'static str>) {
        for a in of {
            out.insert(a.name);
            ty(&a.ty, out);
        }
    }
    fn call(c: &'static CallDef, out: &mut BTreeSet<&'static str>) {
        if out.insert(c.name) {
            attrs(c.args, out);
        }
    }
    fn item(i: &'static ItemDef, out: &mut BTreeSet<&'static str>) {
        out.insert(i.keyword);
        attrs(i.attrs, out);
        i.nested.iter().for_each(|n| item(n, out));
        i.variants.iter().flat_map(|v| v()).for_each(|c| call(c, out));
    }
    let mut out = BTreeSet::new();
    items().iter().for_each(|i| item(i, &mut out));
    TOPICS.iter().for_each(|t| {
        out.insert(t.name);
        (t.calls)().into_iter().for_each(|c| call(c, &mut out));
        // Several tables may have the same name with other arguments.
        (t.calls)().into_iter().for_each(|c| attrs(c.args, &mut out));
    });
    out
}

/// Backticked words that are no words of ours: names that messages give as an example, columns of built-in data, other programs, keys of
/// foreign files.
const NOT_OURS: &[&str] = &[
    "a",
    "b",
    "c1",
    "d",
    "fc",
    "i",
    "p",
    "t",
    "x",
    "y1",
    "y2",
    "z",
    "bent",
    "cos",
    "sin",
    "sinc",
    "square",
    "hidden",
    "noises",
    "targets",
    "t_2sin_0",
    "t_ACTIVATION_NUMBER",
    "t_FAMILY_GROUP_NUMBER",
    "train-images-idx3-ubyte",
    "inkscape",
    "rsvg-convert",
    "nvidia-smi",
    "descr",
    "fortran_order",
    "version",
    "attributes",
    "root",
    "done",
    "pairs",
    "value",
    "best",
    "left",
    "right",
    "image",
    "mtlc",
    "std",
    "Z",
    "with",
];

#[test]
fn every_word_is_explained() {
    let mut unknown = BTreeSet::new();
    let mut asked = 0;
    let mut ask = |word: &str, place: &str| {
        asked += 1;
        match explain(word) {
            Some(page) if page.len() > word.len() + 20 => {}
            _ => {
                unknown.insert(format!("`{word}` ({place})"));
            }
        }
    };
    words_of_tables().into_iter().for_each(|w| ask(w, "a table"));
    // Words that are a single name, in backticks, in any text of the program.
    let name = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_alphabetic())
            && w.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let mut marked = |text: &str, place: &str| {
        for word in text.split('`').skip(1).step_by(2).filter(|w| name(w) && !NOT_OURS.contains(w)) {
            ask(word, place);
        }
    };
    for (path, code) in sources() {
        for (_, text) in literals(&code) {
            marked(&text, &path.display().to_string());
        }
    }
    for code in mtlc::diag::Code::all() {
        marked(code.title(), code.name());
        // Programs in a page are examples, with names of their own.
        let page: String =
            code.explanation().lines().filter(|l| !l.starts_with("    ")).map(|l| format!("{l}\n")).collect();
        let page: String = page.split("```").step_by(2).collect();
        marked(&page, code.name());
    }
    for (path, title) in titles() {
        ask(&title, &path);
    }
    for word in [
        "level",
        "reads",
        "query",
        "budget",
        "share",
        "outputs",
        "patience",
        "delta-m",
        "Delta M",
        "MACs",
        "macs",
        "shared",
        "ltb",
        "LTB",
        "dmtg",
        "bmtn",
        "bmtas",
        "treemtl",
        "mtnas",
        "ple",
        "batch-size",
        "learning_rate",
        "for",
        "on",
        "over",
        "in",
        "out",
        "previous",
        "any",
        "true",
        "epoch",
        "steps",
        "k",
        "M",
        "freeze",
        "data freeze",
        "--folds",
        "folds",
        "edition",
        "digest",
        "route",
        "gates",
        "supernet",
        "copy",
        "copies",
        "activation",
        "Conv2d",
        "optimisers",
    ] {
        ask(word, "a word that users ask for");
    }
    assert!(unknown.is_empty(), "{} words are not explained:\n{:#?}", unknown.len(), unknown);
    assert!(asked > 1000, "{asked}");
    assert_eq!(explain("no such word at all"), None);
}

/// The titles of columns, from the statements that make them. What a title takes from data is left out.
fn titles() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (path, code) in sources()
        .into_iter()
        .filter(|(p, _)| !p.ends_with("report/table.rs") && p.iter().any(|part| part == "report" || part == "cli"))
    {
        for statement in
            code.split(';').filter(|s| s.contains(" Column::") || s.contains("(Column::") || s.contains("[Column::"))
        {
            for (_, text) in literals(statement) {
                let parts = text.split(['{', '}']).step_by(2).map(str::trim).collect::<Vec<_>>().join(" ");
                let title = parts.trim_matches([' ', '(', ')']).to_string();
                if !title.is_empty() && !title.starts_with("of") || title == "of independent" {
                    out.push((path.display().to_string(), title));
                }
            }
        }
    }
    assert!(out.len() > 60, "{} titles", out.len());
    out
}

/// Every term is reached by each of its names, and no name is in two sections.
#[test]
fn terms_are_reached_by_all_names() {
    let mut seen = BTreeSet::new();
    for term in mtlc::ide::glossary::terms() {
        assert!(term.text.trim_end().ends_with('.') && term.text.len() > 40, "{:?}: {}", term.names, term.text);
        for name in &term.names {
            assert!(seen.insert(*name), "`{name}` stands in two headings of terms.md");
            let page = explain(name).unwrap_or_else(|| panic!("{name}"));
            assert!(!page.is_empty(), "{name}");
        }
    }
}
