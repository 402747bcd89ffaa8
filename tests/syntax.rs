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
        assert!(parse.has_errors() || !has_trouble(&parse), "trouble that nobody reports in {broken:?}");
        for d in &parse.diagnostics {
            assert_ne!(d.message, "the text cannot be read from here on", "the grammar refuses {broken:?}");
            for span in d.primary.iter().chain(&d.secondary).map(|l| l.span) {
                assert!(broken.get(span.range()).is_some(), "{} at {span:?} in {broken:?}", d.message);
            }
        }
    }
    for _ in 0..4000 {
        let text: String = (0..dice.roll(40)).map(|_| PIECES[dice.roll(PIECES.len())]).collect();
        let parse = read(&text);
        assert!(parse.has_errors() || !has_trouble(&parse), "trouble that nobody reports in {text:?}");
    }
}

/// Whether something in the tree is missing or does not belong.
fn has_trouble(parse: &Parse) -> bool {
    use mtlc::syntax::Kind::*;
    let bad = [
        Junk,
        JunkTop,
        Odd,
        OpenStr,
        MissingValue,
        MissingOperand,
        MissingName,
        MissingType,
        MissingArrow,
        MissingClose,
    ];
    parse.syntax().descendants_with_tokens().any(|e| bad.contains(&e.kind()))
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

// ---- what is said ----

/// Problems as `line:column code message`, in order.
fn problems(text: &str) -> Vec<String> {
    let file = mtlc::source::SourceFile::new("test".into(), None, text.into());
    let show = |d: &mtlc::diag::Diagnostic| {
        let at = file.line_col(d.primary.as_ref().unwrap().span.start);
        format!("{}:{} {} {}", at.line, at.column, d.code.name().trim_start_matches("mtl::syntax::"), d.message)
    };
    read(text).diagnostics.iter().map(show).collect()
}

#[test]
fn every_problem_is_reported_where_it_is() {
    for (text, expected) in [
        ("", &["1:1 edition the file does not begin with `mtl 1`"][..]),
        ("mtl 2\n", &["1:1 edition `mtl 2` is a later edition of the language than this mtlc knows"]),
        ("mtl 1\ntsk a: binary\n", &["2:1 unknown_item there is no item called `tsk`"]),
        (
            "mtl 1\ntrain {\n  lr =\n  epochs = 3\ntask a: binary {\n  from = x.y\n}\n",
            &["2:7 unclosed `{` is never closed", "3:7 missing_value a value is missing after `=`"],
        ),
        (
            "mtl 1\ntrain {\n  o = adam(lr = 1\n  epochs = 3\n  m = [a, b\n  x = \"abc\n}\n",
            &[
                "3:11 unclosed `(` is never closed",
                "5:7 unclosed `[` is never closed",
                "6:7 unclosed a string is never closed",
            ],
        ),
        (
            "mtl 1\ntrain {\n  single {\n    a = 1\n  lr = 2\n}\ntask a: binary\n",
            &["3:10 unclosed `{` is never closed"],
        ),
        (
            "mtl 1\ntrain\n  epochs = 3\n}\ntask a: binary\n",
            &["2:6 unexpected `{` is missing: the body of this `train` is not opened"],
        ),
        (
            "mtl 1\ntrain { a = 1 b = 2, c = 3x }\n",
            &["2:14 unexpected a comma is missing", "2:26 number `3x` is not a number"],
        ),
        (
            "mtl 1\ntrain { a = 'x', b: 1, c = .5 }\n",
            &[
                "2:13 unexpected text stands in `\"`, not in single quotes",
                "2:19 unexpected a value is set with `=`, not `:`",
                "2:28 number a number does not begin with `.`",
            ],
        ),
        (
            "mtl 1\ntopology over x {\n  c.a -> d\n  c.b <-\n}\n",
            &["3:7 unexpected `c.a` takes `<-`, not `->`", "4:9 missing_value a source is missing after `<-`"],
        ),
    ] {
        assert_eq!(problems(text), expected, "in\n{text}");
    }
}

#[test]
fn safe_fixes_mend_the_text() {
    for text in ["task a: binary\n", "mtl 1\ntaks a: binary\n", "mtl 1\ntrain { a = [1 2,, 3]; b = 2 c = 3, }\n"] {
        let mut mended = text.to_string();
        let mut edits: Vec<_> = read(text).diagnostics.into_iter().flat_map(|d| d.fixes).collect();
        assert!(edits.iter().all(|f| f.applicability == mtlc::diag::Applicability::Safe), "{text}");
        edits.sort_by_key(|f| std::cmp::Reverse(f.edits[0].span.start));
        for fix in edits {
            mended.replace_range(fix.edits[0].span.range(), &fix.edits[0].text);
        }
        assert_eq!(problems(&mended), Vec::<String>::new(), "\n{text}--- became\n{mended}");
    }
}

/// Nothing follows from a missing value, and what was meant is read where it is plain.
#[test]
fn what_can_be_read_is_read() {
    use mtlc::syntax::ast::*;
    let text = "mtl 1\ntsk a: binary { loss = , weight = 2 }\ntrain { every = 2.4 epochs, x = 1 + 2 * -a.b in 1..3 }\n";
    let file = read(text).file();
    assert_eq!(file.items[0].keyword.text, "task");
    let Some(Body { entries, .. }) = &file.items[0].body else { panic!("no body") };
    let value = |e: &Entry| if let Entry::Attr(a) = e { a.value.kind.clone() } else { panic!("{e:?}") };
    assert_eq!(entries.iter().map(value).collect::<Vec<_>>(), [ExprKind::Missing, ExprKind::Int(2)]);
    let Some(Body { entries, .. }) = &file.items[1].body else { panic!("no body") };
    assert!(matches!(value(&entries[0]), ExprKind::Quantity { unit, .. } if unit.text == "epochs"));
    let ExprKind::Binary { op: BinaryOp::In, left, right } = value(&entries[1]) else { panic!("{:?}", entries[1]) };
    assert!(matches!(&left.kind, ExprKind::Binary { op: BinaryOp::Add, .. }));
    assert!(matches!(&right.kind, ExprKind::Range { .. }));

    let chain = read("mtl 1\nbackbone b(image) { stage c2 = 2 * conv_bn(w) -> max_pool(2) }\n").file();
    let Some(Entry::Nested(stage)) = chain.items[0].body.as_ref().map(|b| &b.entries[0]) else { panic!("no stage") };
    assert_eq!((stage.keyword.text.as_str(), stage.names[0].text.as_str()), ("stage", "c2"));
    let Some(ExprKind::Chain(links)) = stage.value.as_ref().map(|v| &v.kind) else { panic!("no chain") };
    assert!(matches!(&links[0].kind, ExprKind::Binary { op: BinaryOp::Mul, .. }));
    assert!(matches!(&links[1].kind, ExprKind::Call { .. }));
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
    assert!(once.ends_with('\n') && !once.ends_with("\n\n"), "the end of\n{once}");
    assert!(once.lines().all(|l| l.trim_end() == l), "blanks at the end of a line of\n{once}");
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

/// Ten thousand lines are an ordinary text: nothing is cut off.
#[test]
fn a_spec_of_ten_thousand_lines_is_read_and_formatted() {
    let (_, one) = corpus::FILES[0];
    let copies = 10_000 / one.lines().count() + 1;
    let text = format!("mtl 1\n{}", one.replace("mtl 1\n", "").repeat(copies));
    let items = read(one).file().items.len();
    let parse = parse(FileId(0), &text);
    assert!(parse.diagnostics.is_empty());
    assert_eq!(parse.file().items.len(), items * copies);
    let formatted = mtlc::fmt::format(&text).unwrap();
    assert_eq!(read(&formatted).into_file().items.len(), items * copies);
}
