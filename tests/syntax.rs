//! Laws of the front end: parsing is total and lossless, formatting changes nothing but the layout.

mod corpus {
    pub const FILES: &[(&str, &str)] = &[
        ("learn_to_branch", include_str!("corpus/learn_to_branch.mtl")),
        ("other_searches", include_str!("corpus/other_searches.mtl")),
        ("blocks", include_str!("corpus/blocks.mtl")),
        ("derived", include_str!("corpus/derived.mtl")),
    ];
}

use mtlc::source::FileId;
use mtlc::syntax::{Parse, parse};

fn read(text: &str) -> Parse {
    let parse = parse(FileId(0), text);
    assert_eq!(parse.syntax().text().to_string(), text, "the tree's text is the source");
    parse
}

#[test]
fn the_corpus_parses_clean() {
    for (name, text) in corpus::FILES {
        let parse = read(text);
        for d in &parse.diagnostics {
            let span = d.primary.as_ref().unwrap().span;
            let line = text[..span.start as usize].lines().count();
            println!("{name}:{line}: {} `{}`", d.message, &text[span.range()]);
        }
        assert!(parse.diagnostics.is_empty(), "{name}");
        assert!(!parse.file().items.is_empty());
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

/// Pieces that the grammar decides on, and some that it knows nothing of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    "=",
    "->",
    "<-",
    "<",
    "-",
    "*",
    "/",
    "..",
    ".",
    ":",
    ";",
    "\"",
    "\\",
    "#",
    "\n",
    "\r\n",
    " ",
    "\t",
    "\r",
    "task ",
    "train {",
    "\ntask x: binary {",
    "stage ",
    "a",
    "1",
    "2.4 epochs",
    "1e-",
    "3x",
    "é",
    "\u{a0}",
    "\u{feff}",
    "mtl",
    "mtl 2",
    "for ",
    "on ",
    "over ",
    "in ",
    "not ",
    "and ",
    "\"s\"",
    "x = ",
    "'",
    "//",
    "@",
    "\0",
];

/// A corpus file with a few pieces put in, and a few characters or lines taken out, doubled or moved.
fn mutate(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + dice.roll(6) {
        let at = dice.roll(chars.len());
        match dice.roll(5) {
            0 => drop(chars.splice(at..at, PIECES[dice.roll(PIECES.len())].chars())),
            1 => {
                let end = (at + 1 + dice.roll(3)).min(chars.len());
                drop(chars.splice(at..end, PIECES[dice.roll(PIECES.len())].chars()))
            }
            2 => drop(chars.drain(at..(at + 1 + dice.roll(4)).min(chars.len()))),
            3 => {
                let end = (at + dice.roll(80)).min(chars.len());
                let copy = chars[at..end].to_vec();
                let to = dice.roll(chars.len());
                drop(chars.splice(to..to, copy))
            }
            _ => drop(chars.drain(at..(at + dice.roll(40)).min(chars.len()))),
        }
    }
    chars.into_iter().collect()
}

#[test]
fn every_text_has_a_tree() {
    let mut dice = Dice(42);
    for round in 0..4000 {
        let (_, text) = corpus::FILES[round % corpus::FILES.len()];
        let broken = mutate(text, &mut dice);
        let parse = read(&broken);
        for d in &parse.diagnostics {
            assert_ne!(d.message, "the text cannot be read from here on", "the grammar refuses {broken:?}");
            for span in d.primary.iter().chain(&d.secondary).map(|l| l.span) {
                assert!(broken.get(span.range()).is_some(), "{} at {span:?} in {broken:?}", d.message);
            }
        }
    }
    for _ in 0..4000 {
        let text: String = (0..dice.roll(40)).map(|_| PIECES[dice.roll(PIECES.len())]).collect();
        read(&text);
    }
}

/// Texts made to make a recursive or backtracking parser suffer. Each would take minutes if anything were not linear.
#[test]
fn hostile_texts_are_read_in_linear_time() {
    let n = 20_000;
    for unit in [
        "{",
        "[",
        "(",
        "{ a ( ",
        "f(",
        "[[",
        "a = {",
        "- ",
        "not ",
        "a + ",
        "a -> ",
        "a, ",
        "a.",
        "\"",
        "\"\\\"",
        "@\"\\\"",
        "\"}",
        "a[",
        "a[0]",
        "f(x)",
        "\n",
        "#\n",
        " ",
        "a b ",
        "task a: ",
        "task a {\n",
        "x = \n",
        ", ",
        "1 ",
        "1..",
        "a < ",
        "}",
        "a in ",
        "[\n\n",
        "a\n",
        "é",
        "a,\n",
        "x <- ",
    ] {
        for prefix in ["mtl 1\n", "mtl 1\ntrain {\n x = ", "mtl 1\ntrain { @ "] {
            read(&format!("{prefix}{}", unit.repeat(n)));
        }
    }
}

#[test]
fn deep_brackets_fit_into_a_small_stack() {
    for (open, close) in
        [("f(", ")"), ("[", "]"), ("{ a ", "}"), ("(", ")"), ("x[1 + - not ", "]"), ("f(k = a -> ", ")")]
    {
        let depth = mtlc::syntax::MAX_DEPTH - 1;
        let text = format!("mtl 1\ntrain {{ x = {}1{} }}", open.repeat(depth), close.repeat(depth));
        let run = std::thread::Builder::new().stack_size(2 << 20).spawn(move || read(&text).diagnostics.len());
        assert!(run.unwrap().join().is_ok(), "{open}");
    }
    let text = format!("mtl 1\ntrain {{ x = {}", "[".repeat(mtlc::syntax::MAX_DEPTH));
    assert_eq!(read(&text).diagnostics[0].code.name(), "mtl::syntax::too_deep");
}

// ---- formatting ----

fn comments(text: &str) -> Vec<String> {
    let tokens = read(text).syntax().descendants_with_tokens().filter_map(|e| e.into_token()).collect::<Vec<_>>();
    let comments = tokens.iter().filter(|t| t.kind() == mtlc::syntax::Kind::Comment);
    comments.map(|t| t.text().trim_end().to_string()).collect()
}

/// The laws, for one text; whether the text was free of errors, so that they apply.
fn formatting_keeps_meaning(text: &str) -> bool {
    let Ok(once) = mtlc::fmt::format(text) else { return false };
    let again = mtlc::fmt::format(&once).unwrap_or_else(|e| panic!("{:?}\n{text}\n--- became\n{once}", e[0]));
    assert_eq!(once, again, "formatting twice differs from formatting once:\n{text}");
    assert!(read(text).file() == read(&once).file(), "the meaning changed:\n{text}\n--- became\n{once}");
    assert_eq!(comments(text), comments(&once), "\n{text}\n--- became\n{once}");
    assert!(
        once.ends_with('\n')
            && !once.ends_with("\n\n")
            && !once.contains([' ', '\t'].map(|c| format!("{c}\n")).as_slice()[0].as_str())
    );
    true
}

#[test]
fn formatting_the_corpus_keeps_its_meaning() {
    for (name, text) in corpus::FILES {
        assert!(formatting_keeps_meaning(text), "{name}");
    }
}

/// Blanks, line ends and comments put wherever they may stand.
fn relayout(text: &str, dice: &mut Dice) -> String {
    let parse = read(text);
    let mut out = String::new();
    for token in parse.syntax().descendants_with_tokens().filter_map(|e| e.into_token()) {
        match token.kind() {
            mtlc::syntax::Kind::Whitespace if dice.roll(12) == 0 => out.push_str(
                ["  ", "\n", "\n\n\n", " # note\n", "\n# own line\n", "\n\n  # a\n\n  # b\n\n"][dice.roll(6)],
            ),
            mtlc::syntax::Kind::Comma if dice.roll(6) == 0 => {
                out.push_str([",\n", ", # after\n", ",\n# own\n", " ,"][dice.roll(4)])
            }
            mtlc::syntax::Kind::LBracket | mtlc::syntax::Kind::LParen if dice.roll(8) == 0 => {
                out.push_str(token.text());
                out.push_str(["\n", " # open\n", "\n # own\n"][dice.roll(3)]);
            }
            _ => out.push_str(token.text()),
        }
    }
    out
}

#[test]
fn formatting_keeps_the_meaning_of_any_layout() {
    let mut dice = Dice(7);
    let mut clean = 0;
    for round in 0..3000 {
        let (_, text) = corpus::FILES[round % corpus::FILES.len()];
        // One item at a time: a whole file rarely survives.
        let parse = read(text);
        let items: Vec<String> = parse.syntax().children().skip(1).map(|n| n.to_string()).collect();
        let item = &items[dice.roll(items.len())];
        let changed = if dice.roll(3) == 0 { mutate(item, &mut dice) } else { relayout(item, &mut dice) };
        clean += usize::from(formatting_keeps_meaning(&format!("mtl 1\n{changed}\n")));
    }
    assert!(clean > 500, "only {clean} of the texts were legal");
}
