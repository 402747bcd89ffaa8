//! Laws of the layout, on every example, golden file and code block, and on spoiled copies of them: twice is once, the meaning and
//! the comments stay, and checking says the same up to the place. `LAWS=100000 cargo test --release --test formatting` takes that
//! many spoiled copies; fewer without it.

use std::path::{Path, PathBuf};

use mtlc::driver;
use mtlc::fmt::mend;
use mtlc::source::FileId;
use mtlc::syntax::{Kind, parse};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text of the language in the repository, with its path.
fn texts() -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    let folders = ["examples", "tests/golden", "tests/corpus", "tests/ui", "src/std"].map(|f| root().join(f));
    for path in mtlc::source::programs(&folders).expect("the folders can be listed") {
        if let Ok(text) = driver::read(&path) {
            out.push((path, text));
        }
    }
    let reference = std::fs::read_to_string(root().join("grammar/reference.md")).expect("the reference");
    for (i, block) in reference.split("```mtl").enumerate().skip(1) {
        let (_, text) = block.split_once('\n').expect("a block has lines");
        let text = text.split("```").next().unwrap_or_default();
        out.push((root().join(format!("grammar/block{i}.mtl")), text.to_string()));
    }
    assert!(out.len() > 100, "{} texts", out.len());
    out
}

/// What checking says, without places: the code and message of each, sorted. Columns in messages follow the layout.
fn said(path: &Path, text: &str) -> Vec<(&'static str, String)> {
    let compiled = driver::compile_text(text, path, &Default::default(), &driver::read);
    let mut all: Vec<_> = compiled.diagnostics.into_iter().map(|d| (d.code.name(), d.message)).collect();
    all.sort();
    all
}

fn comments(text: &str) -> Vec<String> {
    let parse = parse(FileId(0), text);
    let tokens = parse.syntax().descendants_with_tokens().filter_map(|e| e.into_token());
    let mut all: Vec<String> = tokens
        .filter(|t| t.kind() == Kind::Comment)
        .map(|t| t.text().trim_end().replace("\r\n", "\n").replace('\r', "\n"))
        .collect();
    all.sort();
    all
}

fn laws(path: &Path, text: &str) -> bool {
    let once = mend(text);
    let context = || format!("{}\n{text}\n--- became\n{}", path.display(), once.text);
    assert_eq!(once.text, mend(&once.text).text, "twice differs from once: {}", context());
    assert_eq!(comments(text), comments(&once.text), "comments: {}", context());
    assert!(parse(FileId(0), text).file() == parse(FileId(0), &once.text).file(), "meaning: {}", context());
    assert_eq!(said(path, text), said(path, &once.text), "check: {}", context());
    once.text != text
}

#[test]
fn laws_hold_on_every_text() {
    for (path, text) in texts() {
        laws(&path, &text);
        laws(&path, &text.replace('\n', "\r\n"));
    }
}

/// A small, seeded generator: the same inputs on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "=",
    "->",
    "<-",
    ",",
    "\n",
    "\r\n",
    "  ",
    "\t",
    "\"",
    "# note\n",
    "#",
    "stage x = relu\n",
    "task",
    "1e-4",
    "..",
    "*",
    ":",
    "//",
    "'",
    "é",
    "🙂 ",
    "\u{202e}",
    "\n\n\n",
    "epochs",
    "in ",
    "\\",
    "$",
    " ; ",
];

fn spoil(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + dice.roll(3) {
        let at = dice.roll(chars.len() + 1);
        match dice.roll(4) {
            0 | 1 => drop(chars.splice(at..at, PIECES[dice.roll(PIECES.len())].chars())),
            2 => drop(chars.drain(at..(at + 1 + dice.roll(6)).min(chars.len()))),
            _ => {
                let end = (at + dice.roll(60)).min(chars.len());
                let copy = chars[at..end].to_vec();
                let to = dice.roll(chars.len() + 1);
                drop(chars.splice(to..to, copy));
            }
        }
    }
    chars.into_iter().collect()
}

/// `LAWS_SEED` draws others.
#[test]
fn laws_hold_on_spoiled_texts() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let many = number("LAWS").unwrap_or(1500);
    let texts: Vec<_> = texts().into_iter().filter(|(_, text)| text.len() <= 6000).collect();
    let mut dice = Dice(number("LAWS_SEED").unwrap_or(11));
    let (mut changed, mut broken) = (0, 0);
    for round in 0..many {
        let (path, text) = &texts[round as usize % texts.len()];
        let spoiled = spoil(text, &mut dice);
        broken += u64::from(parse(FileId(0), &spoiled).has_errors());
        changed += u64::from(laws(path, &spoiled));
    }
    println!("{many} spoiled texts: {broken} with syntax errors, {changed} changed by the layout");
    assert!(changed > many / 8 && broken > many / 4, "{changed} changed, {broken} broken of {many}");
}

/// A broken entry stands as it was; its neighbours are laid out.
#[test]
fn what_cannot_be_read_is_left_as_it_is() {
    let text = "mtl 1\r\nparam   a :int=1\r\n\r\ntrain {\r\nepochs=3\r\n   batch = = 4   # odd\r\n  patience   = 2\r\n}\r\nhead for a = linear( 1 \r\n";
    let out = mend(text);
    let want = "mtl 1\r\nparam a: int = 1\r\n\r\ntrain {\r\n  epochs = 3\r\n   batch = = 4   # odd\r\n  patience = 2\r\n}\r\nhead for a = linear( 1 \r\n";
    assert_eq!(out.text, want);
    assert!(!out.problems.is_empty());
}

#[test]
fn ten_thousand_lines_are_laid_out_in_time() {
    let (_, one) = texts().into_iter().find(|(p, _)| p.ends_with("corpus/learn_to_branch.mtl")).expect("it is there");
    let text = format!("mtl 1\n{}", one.replace("mtl 1\n", "").repeat(10_000 / one.lines().count() + 1));
    let start = std::time::Instant::now();
    let out = mend(&text);
    println!("{} lines: {:?}", text.lines().count(), start.elapsed());
    assert!(out.problems.is_empty());
}
