//! Diagnostics as people and programs see them: the four renderings, fixes, and the table of codes.
//!
//! The reports for people are compared with `tests/render/*.txt`; run with `UPDATE=1` in the environment to rewrite them.

use std::collections::HashSet;
use std::path::Path;

use mtlc::diag::fix::{apply, fixable, preview};
use mtlc::diag::render::{MessageFormat, RenderOptions, render, summary};
use mtlc::diag::{Applicability, Code, Diagnostic, Edit, Fix, codes};
use mtlc::source::{FileId, SourceMap, Span};
use proptest::prelude::*;
use serde_json::Value;

const SPEC: &str = "\
mtl 1

param width: int = 64 in 8..512

input image: f32[3, 64, 64] { from = faces.image }

backbone net(image) {
  stage c1 = conv(width, kernel = 3) -> relu
  stage c2 = conv(widht, kernel = 3) -> relu
  stage fc = linear(128) -> relu
}
";

/// One file named `net.mtl`.
fn one(text: &str) -> (SourceMap, FileId) {
    let mut map = SourceMap::default();
    let id = map.add("net.mtl", None, text);
    (map, id)
}

/// The span of the `nth` occurrence (from 0) of `what`.
fn at(map: &SourceMap, file: FileId, what: &str, nth: usize) -> Span {
    let start = map.file(file).text.match_indices(what).nth(nth).expect("the text is there").0;
    Span::new(file, start, start + what.len())
}

fn human(d: &[Diagnostic], map: &SourceMap) -> String {
    render(MessageFormat::Human, d, map, RenderOptions { color: false, width: 100 })
}

/// Compares with `tests/render/NAME.txt`, or writes it.
#[track_caller]
fn snapshot(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/render").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        std::fs::write(&path, got).expect("the expectation can be written");
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(got, want, "{} differs; UPDATE=1 rewrites it", path.display());
}

fn misspelt(map: &SourceMap, file: FileId) -> Diagnostic {
    let span = at(map, file, "widht", 0);
    Diagnostic::new(codes::NAME_UNKNOWN, span, "no parameter is called `widht`")
        .label("not defined")
        .also(at(map, file, "width", 0), "a parameter with a similar name")
        .help("parameters are `width`")
        .fix("replace `widht` with `width`", span, "width", Applicability::Safe)
}

#[test]
fn labels_fix_and_help_of_one_file() {
    let (map, file) = one(SPEC);
    snapshot("labels", &human(&[misspelt(&map, file)], &map));
}

#[test]
fn several_labels_on_one_line_and_overlapping_ones() {
    let (map, file) = one(SPEC);
    let d = Diagnostic::new(codes::SHAPE_MISMATCH, at(&map, file, "linear(128)", 0), "`linear` takes a vector")
        .label("is given f32[N, 64, 64, 64]")
        .also(at(&map, file, "linear(128) -> relu", 0), "this chain")
        .also(at(&map, file, "fc", 0), "stage `fc`")
        .also(at(&map, file, "relu", 2), "never reached")
        .help("put `flatten` before it");
    snapshot("overlap", &human(&[d], &map));
}

#[test]
fn labels_in_several_files() {
    let (mut map, file) = one(SPEC);
    let lib = map.add("std/resnet.mtl", None, "mtl 1\n\nblock stem(c: int) = conv(c, kernel = 7)\n");
    let fix = Fix {
        title: "rename the block".into(),
        edits: vec![
            Edit { span: at(&map, lib, "stem", 0), text: "entry".into() },
            Edit { span: at(&map, file, "conv", 1), text: "entry".into() },
        ],
        applicability: Applicability::Maybe,
    };
    let mut d = Diagnostic::new(codes::NAME_DUPLICATE, at(&map, file, "c1", 0), "`c1` is defined twice")
        .label("again here")
        .also(at(&map, lib, "stem", 0), "first here, in the library");
    d.fixes.push(fix);
    snapshot("files", &human(&[d], &map));
}

#[test]
fn a_zero_width_label() {
    let text = "mtl 1\nparam width: int =\nparam depth: int = 2\n";
    let (map, file) = one(text);
    let end = text.find("=\n").unwrap() + 1;
    let d = Diagnostic::new(codes::SYNTAX_MISSING_VALUE, Span::new(file, end, end), "a value is missing after `=`")
        .label("expected a value here")
        .fix("write a value", Span::new(file, end, end), " 64", Applicability::Maybe);
    snapshot("zero_width", &human(&[d], &map));
}

#[test]
fn a_label_at_the_end_of_the_file() {
    for (name, text) in [("eof", "mtl 1\nbackbone net {\n"), ("eof_no_newline", "mtl 1\nbackbone net {")] {
        let (map, file) = one(text);
        let end = text.len();
        let d =
            Diagnostic::new(codes::SYNTAX_UNCLOSED, Span::new(file, end, end), "the file ends inside `backbone net`")
                .label("expected `}`")
                .also(at(&map, file, "{", 0), "opened here")
                .fix("close it", Span::new(file, end, end), "}\n", Applicability::Safe);
        snapshot(name, &human(&[d], &map));
    }
}

#[test]
fn line_ends_tabs_and_other_scripts() {
    let (map, file) = one("mtl 1\r\n\ttask \"年齢\": binray\r\ntask caf\u{e9}: binary\r\n");
    let d = Diagnostic::new(codes::TASK_KIND, at(&map, file, "binray", 0), "no task kind is called `binray`")
        .label("not a kind")
        .also(at(&map, file, "\"年齢\"", 0), "for this task")
        .fix("replace it with `binary`", at(&map, file, "binray", 0), "binary", Applicability::Safe);
    let got = human(std::slice::from_ref(&d), &map);
    assert!(!got.contains('\r'));
    snapshot("crlf_tabs_scripts", &got);
    let line = render(MessageFormat::Short, &[d], &map, RenderOptions::default());
    assert_eq!(line, "net.mtl:2:13: error[mtl::task::kind]: no task kind is called `binray`\n");
}

#[test]
fn a_line_of_any_length_and_control_characters() {
    let long = format!("mtl 1\nparam x: int = {}oops{} # \u{1b}[31m\n", "1 + ".repeat(2000), " + 1".repeat(2000));
    let (map, file) = one(&long);
    let span = at(&map, file, "oops", 0);
    let d = Diagnostic::new(codes::NAME_UNKNOWN, span, "no \u{1b}[2Jname `oops`")
        .label("here")
        .also(at(&map, file, "param", 0), "in this parameter")
        .fix("remove it", span, "0", Applicability::Safe);
    let got = human(&[d], &map);
    assert!(!got.contains('\u{1b}'));
    assert!(got.lines().all(|l| l.chars().count() <= 105), "{got}");
    snapshot("long_line", &got);
}

#[test]
fn labels_over_several_lines() {
    let (map, file) = one(SPEC);
    let whole = Span::new(file, SPEC.find("backbone").unwrap(), SPEC.len());
    let short = at(&map, file, "c1 = conv(width, kernel = 3) -> relu\n  stage c2", 0);
    let d = Diagnostic::new(codes::NAME_DUPLICATE, short, "two stages").label("these two").also(
        at(&map, file, "mtl 1\n\nparam width: int = 64 in 8..512\n\ninput image: f32[3, 64, 64] {", 0),
        "six lines or fewer are drawn whole",
    );
    let long = Diagnostic::new(codes::BACKBONE_EMPTY, Span::new(file, 0, whole.end as usize), "more lines are not");
    snapshot("many_lines", &human(&[d, long], &map));
}

#[test]
fn no_place_at_all() {
    let (map, _) = one(SPEC);
    let mut d = Diagnostic::new(codes::TASK_NONE, Span::new(FileId(0), 0, 0), "the spec has no tasks").help("add one");
    d.primary = None;
    snapshot("no_place", &human(std::slice::from_ref(&d), &map));
    assert_eq!(
        render(MessageFormat::Short, &[d], &map, RenderOptions::default()),
        "error[mtl::task::none]: the spec has no tasks (help: add one)\n"
    );
}

#[test]
fn colour_only_where_asked() {
    let (map, file) = one(SPEC);
    let d = [misspelt(&map, file)];
    let color = render(MessageFormat::Human, &d, &map, RenderOptions { color: true, width: 100 });
    let color = mtlc::screen::for_terminal(&color);
    assert!(color.contains("\u{1b}["));
    let mut plain = String::new();
    let mut inside = false;
    for c in color.chars() {
        match (inside, c) {
            (false, '\u{1b}') => inside = true,
            (true, 'm') => inside = false,
            (true, _) => {}
            (false, c) => plain.push(c),
        }
    }
    // Trailing blanks hide behind the colour of a line and are not worth a comparison.
    let trimmed = |s: &str| s.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&plain), trimmed(&human(&d, &map)));
}

#[test]
fn counts() {
    let (map, file) = one(SPEC);
    let e = misspelt(&map, file);
    let w = Diagnostic::new(codes::NAME_UNUSED, at(&map, file, "c1", 0), "unused");
    let a = Diagnostic::new(codes::SHAPE_OPEN, at(&map, file, "c1", 0), "open");
    assert_eq!(summary(&[]), "");
    assert_eq!(summary(std::slice::from_ref(&w)), "1 warning");
    assert_eq!(summary(&[e.clone(), w, e.clone(), a]), "2 errors, 1 warning, 1 piece of advice");
    assert_eq!(fixable(&[e.clone(), e], Applicability::Safe), 1, "the same text is mended once");
}

#[test]
fn json_is_one_object_a_line_with_all_ranges() {
    let (map, file) = one("mtl 1\n# 😀 é\ntask t: \"😀\" binray\n");
    let span = at(&map, file, "binray", 0);
    let d = Diagnostic::new(codes::TASK_KIND, span, "no such \"kind\"\n")
        .label("here")
        .also(span, "and here")
        .help("h")
        .fix("f", span, "binary", Applicability::Maybe);
    let out = render(MessageFormat::Json, &[d.clone(), d], &map, RenderOptions::default());
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2);
    let v: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(v["code"], "mtl::task::kind");
    assert_eq!(v["severity"], "error");
    assert_eq!(v["message"], "no such \"kind\"\n");
    let p = &v["primary"];
    assert_eq!(p["file"], "net.mtl");
    assert_eq!(p["bytes"]["start"], span.start);
    assert_eq!(p["bytes"]["end"], span.end);
    assert_eq!((p["start"]["line"].as_u64(), p["start"]["column"].as_u64()), (Some(3), Some(13)));
    assert_eq!(p["end"]["column"], 19);
    assert_eq!(p["utf16"]["start"]["line"], 2);
    assert_eq!(p["utf16"]["start"]["character"], 13);
    assert_eq!(v["secondary"][0]["text"], "and here");
    assert_eq!(v["help"], "h");
    assert_eq!(v["fixes"][0]["applicability"], "maybe");
    assert_eq!(v["fixes"][0]["edits"][0]["text"], "binary");
    assert_eq!(v["fixes"][0]["edits"][0]["bytes"], p["bytes"]);
}

#[test]
fn sarif_has_what_the_standard_requires() {
    let mut map = SourceMap::default();
    let file = map.add("my specs/n\u{e9}t.mtl", None, SPEC);
    let mut none = misspelt(&map, file);
    none.primary = None;
    let out = render(MessageFormat::Sarif, &[misspelt(&map, file), none], &map, RenderOptions::default());
    let v: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(v["version"], "2.1.0");
    let run = &v["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "mtlc");
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), Code::all().count());
    for rule in rules {
        assert!(rule["id"].as_str().unwrap().starts_with("mtl::"));
        assert!(!rule["shortDescription"]["text"].as_str().unwrap().is_empty());
        assert!(!rule["help"]["markdown"].as_str().unwrap().is_empty());
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
    }
    let r = &run["results"][0];
    assert_eq!(r["level"], "error");
    assert_eq!(rules[r["ruleIndex"].as_u64().unwrap() as usize]["id"], r["ruleId"]);
    assert!(r["message"]["text"].as_str().unwrap().starts_with("no parameter"));
    let at = &r["locations"][0]["physicalLocation"];
    assert_eq!(at["artifactLocation"]["uri"], "my%20specs/n%C3%A9t.mtl");
    assert_eq!((at["region"]["startLine"].as_u64(), at["region"]["startColumn"].as_u64()), (Some(9), Some(19)));
    assert_eq!(r["relatedLocations"][0]["message"]["text"], "a parameter with a similar name");
    let change = &r["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["replacements"][0]["insertedContent"]["text"], "width");
    assert_eq!(change["replacements"][0]["deletedRegion"], at["region"]);
    assert_eq!(run["results"][1]["locations"].as_array().unwrap().len(), 0);
    let empty: Value =
        serde_json::from_str(&render(MessageFormat::Sarif, &[], &map, RenderOptions::default())).unwrap();
    assert_eq!(empty["runs"][0]["results"], Value::Array(Vec::new()));
}

#[test]
fn formats_have_names() {
    for f in MessageFormat::ALL {
        assert_eq!(f.to_string().parse::<MessageFormat>(), Ok(f));
    }
    assert!("xml".parse::<MessageFormat>().is_err());
}

// Fixes.

const TEXT: &str = "abcdefgh";

/// A diagnostic whose one fix makes the edits `(start, end, text)`.
fn fix(edits: &[(usize, usize, &str)], applicability: Applicability) -> Diagnostic {
    let mut d = Diagnostic::new(codes::NAME_UNKNOWN, Span::new(FileId(0), 0, 0), "m");
    let edits = edits.iter().map(|(s, e, t)| Edit { span: Span::new(FileId(0), *s, *e), text: (*t).into() }).collect();
    d.fixes.push(Fix { title: "t".into(), edits, applicability });
    d
}

fn fixed(diags: &[Diagnostic], which: Applicability) -> (String, usize) {
    apply(TEXT, FileId(0), diags, which)
}

#[test]
fn fixes_are_made_together_in_any_order() {
    use Applicability::Safe;
    let d = [fix(&[(6, 7, "G")], Safe), fix(&[(0, 1, "A"), (3, 3, "+")], Safe), fix(&[(8, 8, "!")], Safe)];
    assert_eq!(fixed(&d, Safe), ("Abc+defGh!".into(), 3));
}

#[test]
fn the_first_of_two_overlapping_fixes_wins_whole() {
    use Applicability::Safe;
    let d = [fix(&[(2, 5, "X")], Safe), fix(&[(0, 1, "A"), (4, 6, "Y")], Safe), fix(&[(5, 6, "F")], Safe)];
    assert_eq!(fixed(&d, Safe), ("abXFgh".into(), 2), "no half of the second is made; its neighbour is");
    let inside = [fix(&[(2, 5, "X")], Safe), fix(&[(3, 3, "+")], Safe)];
    assert_eq!(fixed(&inside, Safe), ("abXfgh".into(), 1));
    let around = [fix(&[(3, 3, "+")], Safe), fix(&[(2, 5, "X")], Safe)];
    assert_eq!(fixed(&around, Safe), ("abc+defgh".into(), 1));
}

#[test]
fn insertions_at_one_place_keep_their_order() {
    use Applicability::Safe;
    let d =
        [fix(&[(2, 2, "1")], Safe), fix(&[(2, 2, "2")], Safe), fix(&[(2, 2, "1")], Safe), fix(&[(2, 4, "X")], Safe)];
    assert_eq!(fixed(&d, Safe), ("ab12Xefgh".into(), 3), "the same insertion twice is made once");
}

#[test]
fn guesses_alternatives_and_bad_edits() {
    use Applicability::{Maybe, Safe};
    let guess = [fix(&[(0, 1, "A")], Maybe)];
    assert_eq!(fixed(&guess, Safe), (TEXT.into(), 0));
    assert_eq!(fixed(&guess, Maybe), ("Abcdefgh".into(), 1));
    let mut two = fix(&[(0, 1, "A")], Maybe);
    two.fixes.extend(fix(&[(0, 1, "B")], Safe).fixes);
    assert_eq!(fixed(std::slice::from_ref(&two), Safe).0, "Bbcdefgh");
    assert_eq!(fixed(&[two], Maybe), ("Abcdefgh".into(), 1), "the fixes of one diagnostic are alternatives");
    for bad in [(0, 99, "x"), (5, 3, "x"), (9, 9, "x")] {
        assert_eq!(fixed(&[fix(&[bad, (0, 1, "A")], Safe)], Safe), (TEXT.into(), 0));
    }
    assert_eq!(fixed(&[fix(&[(0, 3, "x"), (2, 4, "y")], Safe)], Safe), (TEXT.into(), 0), "a fix that overlaps itself");
    assert_eq!(apply("é", FileId(0), &[fix(&[(1, 2, "e")], Safe)], Safe), ("é".into(), 0));
    assert_eq!(apply(TEXT, FileId(1), &[fix(&[(0, 1, "A")], Safe)], Safe), (TEXT.into(), 0), "another file's");
}

#[test]
fn a_preview_shows_changed_lines_only() {
    let (map, file) = one("a\nb\nc\nd\ne\nf\n");
    let d = fix(&[(2, 2, "new\n"), (10, 12, ""), (4, 5, "C")], Applicability::Safe);
    let got: Vec<(usize, Vec<String>, Vec<String>)> =
        preview(map.file(file), file, &d.fixes[0]).into_iter().map(|c| (c.line, c.before, c.after)).collect();
    let s = |l: &[&str]| l.iter().map(|x| (*x).to_string()).collect::<Vec<_>>();
    assert_eq!(
        got,
        [(2, s(&["b", "c"]), s(&["new", "b", "C"])), (6, s(&["f"]), s(&[]))],
        "edits on touching lines are one change"
    );
}

// The table of codes.

#[test]
fn every_code_is_named_titled_and_explained() {
    let mut seen = HashSet::new();
    for code in Code::all() {
        let name = code.name();
        assert!(seen.insert(name), "{name} appears twice in the table");
        assert_eq!(name.split("::").count(), 3, "{name}");
        assert!(!code.title().is_empty() && !code.title().ends_with('.'), "{name}: {}", code.title());
        let text = code.explanation();
        assert!(text.starts_with(&format!("# {name}\n")), "{name}: the explanation is headed by the code");
        assert!(text.matches("```mtl\n").count() >= 1, "{name}: no example");
        assert_eq!(text.matches("```").count() % 2, 0, "{name}: a fence is open");
        let lines = text.lines().count();
        assert!((8..=60).contains(&lines), "{name}: {lines} lines");
        assert!(text.lines().all(|l| l.chars().count() <= 120 && l.trim_end() == l), "{name}: long line or blanks");
        for block in text.split("```mtl\n").skip(1) {
            let block = block.split("```").next().unwrap();
            // Examples of unreadable text are allowed to be unbalanced.
            let broken = name.starts_with("mtl::syntax::");
            assert!(
                broken || block.matches(['{', '(', '[']).count() == block.matches(['}', ')', ']']).count(),
                "{name}"
            );
        }
        assert_eq!(Code::find(name), Some(code));
        assert_eq!(Code::find(&name["mtl::".len()..]), Some(code));
    }
    assert_eq!(Code::find("no::such"), None);
}

proptest! {
    /// Whatever the text and the spans, even of files that do not exist: no rendering panics, every line of JSON parses.
    #[test]
    fn any_span_can_be_rendered(
        text in "[a-c{} \t\r\n\u{e9}\u{1b}\u{65e5}\u{301}]{0,60}",
        spans in prop::collection::vec((0u32..3, 0u32..80, 0u32..80), 1..6),
        width in 0usize..120,
    ) {
        let mut map = SourceMap::default();
        map.add("a.mtl", None, text.clone());
        map.add("b.mtl", None, text.chars().rev().collect::<String>());
        let span = |(f, s, e): (u32, u32, u32)| Span { file: FileId(f), start: s, end: e };
        let mut d = Diagnostic::new(codes::SHAPE_MISMATCH, span(spans[0]), "m\u{e9}").label("primary");
        for (i, s) in spans.iter().enumerate().skip(1) {
            d = d.also(span(*s), if i % 2 == 0 { "second\nline" } else { "" });
            d = d.fix("f", span(*s), "x\ny", Applicability::Safe);
        }
        for format in MessageFormat::ALL {
            for color in [false, true] {
                let out = render(format, std::slice::from_ref(&d), &map, RenderOptions { color, width });
                prop_assert!(out.ends_with('\n'));
                if format == MessageFormat::Human && !color {
                    let odd = out.contains("Failed to read") || out.contains(['\u{1b}', '\r']);
                    prop_assert!(!odd, "{}", out);
                    // A label of a file that exists is drawn, wherever it points.
                    prop_assert!(spans[0].0 > 1 || out.contains("primary"), "{}", out);
                }
                if format == MessageFormat::Json {
                    for line in out.lines() {
                        prop_assert!(serde_json::from_str::<Value>(line).is_ok());
                    }
                }
            }
        }
        let _ = apply(&text, FileId(0), std::slice::from_ref(&d), Applicability::Maybe);
        for fix in &d.fixes {
            let _ = preview(map.file(FileId(0)), FileId(0), fix);
        }
    }
}
