//! Mutated specs through the whole compiler, and the laws that hold for every text.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mtlc::artifact;
use mtlc::check::{Checked, cost};
use mtlc::diag::render::{MessageFormat, RenderOptions, render};
use mtlc::diag::{Applicability, Diagnostic, fix};
use mtlc::driver::{Compiled, compile_text};
use mtlc::hir::Options;
use mtlc::plan;
use mtlc::report::graph::{GraphFormat, GraphOptions, View, draw};
use mtlc::source::FileId;
use mtlc::syntax::{Kind, parse};

use crate::dice::Dice;
use crate::runner::Target;
use crate::seeds::{self, Seeds};
use crate::{judge, mutate};

/// Where a mutated spec stands.
pub const PATH: &str = "examples/spec.mtl";

/// Laws that cost a compilation more than the others are asked of one input in so many.
const SAMPLED: u64 = 4;
/// Drawings and derived files are asked of one clean spec in so many.
const DRAWN: u64 = 8;
/// Of small ones all: what failed once is small.
const SMALL: usize = 400;
/// Networks of more nodes are not lowered to a plan: a supernet may have many.
const MODEST: usize = 4_000;

pub struct Specs {
    seeds: Seeds,
    files: Files,
}

impl Specs {
    pub fn new() -> Specs {
        let files = Files::new();
        let clean = |text: &str| !files.compile(text, &Options::default()).has_errors();
        Specs { seeds: Seeds::new(files.by_path.values().cloned().collect(), clean), files }
    }
}

/// The files that a spec may import, held in memory.
pub struct Files {
    pub by_path: HashMap<PathBuf, String>,
    /// A spec from another folder still finds what it imports.
    by_name: HashMap<PathBuf, PathBuf>,
    /// How many files one compilation may still read: copies of an import could ask for the same large file again and again.
    left: Cell<usize>,
}

impl Files {
    pub fn new() -> Files {
        let by_path = seeds::files();
        let mut paths: Vec<&PathBuf> = by_path.keys().collect();
        paths.sort();
        let name = |p: &&PathBuf| (PathBuf::from(p.file_name().expect("a file")), (*p).clone());
        let by_name = paths.iter().map(name).collect();
        Files { by_path, by_name, left: Cell::new(0) }
    }

    pub fn compile(&self, text: &str, options: &Options) -> Compiled {
        self.left.set(200);
        let load = |p: &Path| {
            let none = || std::io::Error::from(std::io::ErrorKind::NotFound);
            self.left.set(self.left.get().checked_sub(1).ok_or_else(none)?);
            let path = seeds::normal(p);
            let named = || self.by_name.get(Path::new(path.file_name()?)).and_then(|p| self.by_path.get(p));
            self.by_path.get(&path).or_else(named).cloned().ok_or_else(none)
        };
        compile_text(text, Path::new(PATH), options, &load)
    }
}

impl Target for Specs {
    fn name(&self) -> &'static str {
        "specs"
    }
    fn ending(&self) -> &'static str {
        ".spec.mtl"
    }
    fn rounds(&self) -> (u64, u64) {
        (1, 1500)
    }
    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        mutate::spec(&self.seeds, dice).into_bytes()
    }
    fn run(&mut self, input: &[u8]) -> &'static str {
        spec_laws(&self.files, &String::from_utf8_lossy(input))
    }
}

/// A number that the text alone decides, so that a small copy of an input is asked the same as the input.
fn lot(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)) >> 20
}

pub fn spec_laws(files: &Files, text: &str) -> &'static str {
    let parsed = parse(FileId(0), text);
    assert_eq!(parsed.syntax().text().to_string(), text, "the tree's text is the source");
    let options = Options::default();
    let compiled = files.compile(text, &options);
    diagnostics_render(&compiled);
    assert_eq!(compiled.checked.is_none(), compiled.has_errors(), "checked if and only if free of errors");
    fixes_apply(files, &compiled, text);
    if lot(text).is_multiple_of(SAMPLED) {
        let again = files.compile(text, &options);
        assert_eq!(compiled.diagnostics, again.diagnostics, "two compilations of one text differ");
        assert_eq!(digest(&compiled), digest(&again), "two compilations of one text differ in meaning");
    }
    formatting_keeps(files, &compiled, text, &parsed);
    if let Some(checked) = &compiled.checked {
        clean(files, &compiled, checked, text.len() < SMALL || lot(text).is_multiple_of(DRAWN));
    }
    match (&compiled.checked, parsed.has_errors()) {
        (Some(_), _) => "clean",
        (None, false) => "errors",
        (None, true) => "syntax errors",
    }
}

fn digest(c: &Compiled) -> Option<String> {
    c.checked.as_ref().map(|c| artifact::digest(&c.spec))
}

/// Every place lies in its text, on the boundaries of characters, and every format writes every diagnostic.
fn diagnostics_render(c: &Compiled) {
    for d in &c.diagnostics {
        assert!(!d.message.is_empty(), "{} without a message", d.code.name());
        let edits = d.fixes.iter().flat_map(|f| &f.edits).map(|e| e.span);
        for span in d.primary.iter().chain(&d.secondary).map(|l| l.span).chain(edits) {
            let file = c.sources.get(span.file);
            let inside = file.is_some_and(|f| f.text.get(span.range()).is_some());
            assert!(inside, "{} `{}` points outside of its text: {span:?}", d.code.name(), d.message);
        }
    }
    // A text of thousands of mistakes shows nothing new after the first of them.
    let shown = &c.diagnostics[..c.diagnostics.len().min(12)];
    for format in [MessageFormat::Human, MessageFormat::Short, MessageFormat::Json] {
        let opts = RenderOptions { color: false, width: 100 };
        let out = render(format, shown, &c.sources, opts);
        if format == MessageFormat::Json {
            let good = out.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok());
            assert!(good, "a line is no JSON:\n{out}");
        } else {
            let bad = out.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
            assert!(bad.is_none(), "{format} writes the control character {bad:?}");
        }
        if format != MessageFormat::Human {
            assert_eq!(out.lines().count(), shown.len(), "one line each:\n{out}");
        }
    }
}

/// Fixes apply, and a safe one never turns a clean text into one with errors.
fn fixes_apply(files: &Files, c: &Compiled, text: &str) {
    if !c.diagnostics.iter().any(|d| !d.fixes.is_empty()) {
        return;
    }
    fix::apply(text, c.root, &c.diagnostics, Applicability::Maybe);
    let (mended, many) = fix::apply(text, c.root, &c.diagnostics, Applicability::Safe);
    if many > 0 && !c.has_errors() {
        let after = files.compile(&mended, &Options::default());
        assert!(!after.has_errors(), "a safe fix breaks a clean spec:\n{mended}");
    }
}

/// Code, severity and sentences, without the places.
fn sentences(diagnostics: &[Diagnostic]) -> Vec<String> {
    let mut out: Vec<String> = diagnostics
        .iter()
        .map(|d| {
            let labels: Vec<&str> = d.primary.iter().chain(&d.secondary).map(|l| l.text.as_str()).collect();
            format!("{} {} {:?} {:?}", d.code.name(), d.message, labels, d.help)
        })
        .collect();
    out.sort();
    out
}

fn comments(syntax: &mtlc::syntax::SyntaxNode) -> Vec<String> {
    let tokens = syntax.descendants_with_tokens().filter_map(|e| e.into_token());
    let mut out: Vec<String> =
        tokens.filter(|t| t.kind() == Kind::Comment).map(|t| t.text().trim_end().to_string()).collect();
    out.sort();
    out
}

/// The layout is laid out already, means the same, and has the same comments.
fn formatting_keeps(files: &Files, c: &Compiled, text: &str, parsed: &mtlc::syntax::Parse) {
    let Some(laid) = mtlc::fmt::layout(parsed) else {
        assert!(parsed.has_errors(), "a text without syntax errors is not formatted");
        return;
    };
    let back = parse(FileId(0), &laid);
    assert!(!back.has_errors(), "formatted, it has errors: {:?}\n{laid}", back.diagnostics);
    assert_eq!(Some(&laid), mtlc::fmt::layout(&back).as_ref(), "formatting twice differs from formatting once");
    assert!(parsed.file() == back.file(), "formatting changes what is read:\n{laid}");
    assert_eq!(comments(&parsed.syntax()), comments(&back.syntax()), "formatting changes comments");
    if laid == text {
        return;
    }
    let after = files.compile(&laid, &Options::default());
    assert_eq!(digest(c), digest(&after), "formatting changes the meaning:\n{laid}");
    assert_eq!(sentences(&c.diagnostics), sentences(&after.diagnostics), "formatting changes what is wrong:\n{laid}");
}

/// What is clean can be costed, lowered, drawn and written down.
fn clean(files: &Files, c: &Compiled, checked: &Checked, all: bool) {
    for network in checked.supernet.iter().chain(&checked.fixed) {
        cost::report(checked, network);
        if network.graph.node_count() <= MODEST {
            let lowered = plan::lower(checked, network);
            if let (Ok((plan, symbols)), true) = (&lowered, network.is_fixed()) {
                assert_eq!(plan.weights.len(), symbols.weights.len());
                judge::meaning(checked, plan);
            }
        }
    }
    if let (Some(space), Some(network)) = (&checked.spec.space, &checked.supernet) {
        mtlc::ir::count::space_size(&checked.spec, space, network);
    }
    if let Some(topology) = &checked.spec.topology {
        let canonical = artifact::canonical(&checked.spec, topology);
        assert!(artifact::same_meaning(&checked.spec, topology, &canonical), "the canonical form is another network");
    }
    if !all {
        return;
    }
    mtlc::report::summary::spec_summary(checked, false);
    for view in View::ALL.into_iter().filter(|v| v.is_in(checked)) {
        for format in GraphFormat::ALL {
            draw(checked, Some(view), format, GraphOptions::default());
        }
    }
    let whole = artifact::program_file(&c.sources, &checked.spec, Path::new("examples"));
    let back = files.compile(&whole, &Options::default());
    assert!(!back.has_errors(), "written as one file it has errors: {:?}\n{whole}", back.diagnostics);
    assert_eq!(digest(c), digest(&back), "written as one file it means something else:\n{whole}");
}
