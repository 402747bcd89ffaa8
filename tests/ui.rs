//! What people see when they make mistakes. Every `tests/ui/GROUP/NAME.mtl` is compiled and its report for people compared with
//! `NAME.txt` beside it; `UPDATE=1` rewrites. A comment in the first line may carry directives: `# set: width = 3`.
//!
//! Beside that: every code is produced by some file here, the example of every explanation gives its code and the mended one
//! does not. Where a report offers safe fixes, they are made as `check --fix` makes them, and what they leave is compared with
//! `NAME.fixed`; most of these check.

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use mtlc::diag::render::{MessageFormat, RenderOptions, render, summary};
use mtlc::diag::{Applicability, Code, Diagnostic, fix};
use mtlc::driver::{self, Compiled};
use mtlc::hir::Options;
use support::{Expectations, files};

/// Codes that no file here can produce, and why.
const NOT_HERE: [(&str, &str); 1] = [("mtl::syntax::too_large", "needs a text of more than 16 MiB")];

/// Explanations whose example cannot stand alone, and why.
const EXAMPLE_ALONE: [(&str, &str); 4] = [
    ("mtl::name::too_deep", "needs 65 blocks"),
    ("mtl::syntax::too_large", "needs a text of more than 16 MiB"),
    ("mtl::import::cycle", "needs two files"),
    ("mtl::import::no_topology", "needs another file"),
];

fn options(text: &str) -> Options {
    let mut options = Options::default();
    let first = text.lines().next().unwrap_or_default();
    if let Some(rest) = first.strip_prefix("# set:") {
        for part in rest.split(';') {
            let (name, value) = part.split_once('=').expect("a directive reads `# set: name = value; ...`");
            options.set.push((name.trim().to_string(), value.trim().to_string()));
        }
    }
    options
}

fn compile(path: &Path, text: &str) -> Compiled {
    driver::compile_text(text, path, &options(text), &driver::read)
}

fn report(c: &Compiled) -> String {
    let text = render(MessageFormat::Human, &c.diagnostics, &c.sources, RenderOptions { color: false, width: 100 });
    format!("{text}{}\n", summary(&c.diagnostics))
}

fn codes(c: &Compiled) -> BTreeSet<&'static str> {
    c.diagnostics.iter().map(|d| d.code.name()).collect()
}

#[test]
fn reports_are_as_expected() {
    let mut expected = Expectations::default();
    let all = files("tests/ui", "mtl");
    assert!(all.len() >= 200, "{} files", all.len());
    for path in all {
        let text = std::fs::read_to_string(&path).expect("it was listed");
        let compiled = compile(&path, &text);
        assert!(!compiled.diagnostics.is_empty(), "{} has nothing wrong", path.display());
        assert_eq!(compiled.checked.is_none(), compiled.has_errors(), "{}", path.display());
        expected.check(&path.with_extension("txt"), &report(&compiled));
    }
    for path in files("tests/ui", "txt") {
        assert!(path.with_extension("mtl").exists(), "{} has no spec", path.display());
    }
    expected.finish();
}

#[test]
fn every_code_is_produced_by_some_file() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for path in files("tests/ui", "mtl") {
        let text = std::fs::read_to_string(&path).expect("it was listed");
        for code in codes(&compile(&path, &text)) {
            *seen.entry(code).or_default() += 1;
        }
    }
    for code in Code::all() {
        let exempt = NOT_HERE.iter().any(|(c, _)| *c == code.name());
        assert_eq!(seen.contains_key(code.name()), !exempt, "{} (exempt: {exempt})", code.name());
    }
}

/// Every file here ends at a state that no safe fix can improve, loses what its fixes promise to mend, and is then as expected.
#[test]
fn safe_fixes_mend() {
    let mut expected = Expectations::default();
    let (mut mended, mut clean) = (0, 0);
    for path in files("tests/ui", "mtl") {
        let mut text = std::fs::read_to_string(&path).expect("it was listed");
        let mut compiled = compile(&path, &text);
        let mendable = |c: &Compiled| -> Vec<(&'static str, String)> {
            let safe = |d: &&Diagnostic| {
                d.primary.as_ref().is_some_and(|p| p.span.file == c.root)
                    && d.fixes.iter().any(|f| f.applicability == Applicability::Safe)
            };
            c.diagnostics.iter().filter(safe).map(|d| (d.code.name(), d.message.clone())).collect()
        };
        let promised = mendable(&compiled);
        if fix::apply(&text, compiled.root, &compiled.diagnostics, Applicability::Safe).1 == 0 {
            continue;
        }
        for _ in 0..20 {
            let (next, n) = fix::apply(&text, compiled.root, &compiled.diagnostics, Applicability::Safe);
            if n == 0 {
                break;
            }
            text = next;
            compiled = compile(&path, &text);
        }
        let left = mendable(&compiled);
        assert!(left.is_empty(), "{}: {left:#?}\n{text}", path.display());
        for (code, message) in promised {
            let stays = compiled.diagnostics.iter().any(|d| d.code.name() == code && d.message == message);
            assert!(!stays, "{}: fixed, and yet: {message}\n{text}", path.display());
        }
        mended += 1;
        clean += usize::from(!compiled.has_errors());
        expected.check(&path.with_extension("fixed"), &text);
    }
    for path in files("tests/ui", "fixed") {
        assert!(path.with_extension("mtl").exists(), "{} has no spec", path.display());
    }
    expected.finish();
    assert!(mended >= 60, "{mended} files with safe fixes");
    assert!(clean >= 45, "{clean} of {mended} files check after their fixes");
}

fn errors(c: &Compiled) -> usize {
    c.diagnostics.iter().filter(|d| d.is_error()).count()
}

/// The ```mtl blocks of a markdown text.
fn blocks(markdown: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut current: Option<String> = None;
    for line in markdown.lines() {
        match (&mut current, line) {
            (None, "```mtl") => current = Some(String::new()),
            (Some(_), "```") => out.extend(current.take()),
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
    }
    out
}

/// The wrong example with the items of the mended one in place of its own: by keyword and name, or by keyword alone where
/// that is not clear. A mended text that begins with an edition stands for itself.
fn mend(wrong: &str, mended: &str) -> String {
    if mended.trim_start().starts_with("mtl ") {
        return mended.to_string();
    }
    let mut lines: Vec<Vec<String>> = items(wrong);
    for new in items(mended) {
        let head = |item: &[String], words: usize| -> Vec<String> {
            item[0]
                .split(|c: char| !(c.is_alphanumeric() || "_\"".contains(c)))
                .filter(|w| !w.is_empty())
                .take(words)
                .map(String::from)
                .collect()
        };
        let exact = lines.iter().position(|l| head(l, 2) == head(&new, 2));
        let loose = lines.iter().position(|l| head(l, 1) == head(&new, 1));
        match exact.or(loose) {
            Some(i) => lines[i] = new,
            None => lines.push(new),
        }
    }
    lines.concat().concat()
}

/// Cuts a text into items: a line that begins in the first column with a letter begins one.
fn items(text: &str) -> Vec<Vec<String>> {
    let mut out: Vec<Vec<String>> = Vec::new();
    for line in text.lines() {
        let begins = line.starts_with(|c: char| c.is_alphabetic());
        if begins || out.is_empty() {
            out.push(Vec::new());
        }
        out.last_mut().expect("one was pushed").push(format!("{line}\n"));
    }
    out
}

#[test]
fn explanations_show_what_they_say() {
    let mut wrong = Vec::new();
    for code in Code::all() {
        if EXAMPLE_ALONE.iter().any(|(c, _)| *c == code.name()) {
            continue;
        }
        let blocks = blocks(code.explanation());
        let compile = |text: &str| {
            let load = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
            driver::compile_text(text, Path::new("example.mtl"), &options(text), &load)
        };
        let Some(example) = blocks.first() else {
            wrong.push(format!("{}: no example", code.name()));
            continue;
        };
        let first = compile(example);
        if !codes(&first).contains(code.name()) {
            wrong.push(format!("{}: the example does not give it, but\n{}", code.name(), report(&first)));
        }
        let Some(second) = blocks.get(1) else {
            wrong.push(format!("{}: no mended example", code.name()));
            continue;
        };
        let text = mend(example, second);
        let mended = compile(&text);
        if codes(&mended).contains(code.name()) || (first.has_errors() && mended.has_errors()) {
            wrong.push(format!("{}: the mended example still gives\n{}\n{text}", code.name(), report(&mended)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// One mistake, one message: the files of this group have one error each.
#[test]
fn one_mistake_gives_one_message() {
    let mut wrong = HashMap::new();
    for path in files("tests/ui", "mtl").into_iter().filter(|p| p.parent().is_some_and(|p| p.ends_with("follow_on"))) {
        let text = std::fs::read_to_string(&path).expect("it was listed");
        let n = errors(&compile(&path, &text));
        if n != 1 {
            wrong.insert(path, n);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
