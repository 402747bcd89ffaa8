//! Every command of `README.md` and `examples/README.md` that stands in a ```console block, run in a copy of `examples/`. In the
//! expected output `[..]` stands for anything within a line, and a line `...` for any number of lines. Both streams of a command
//! are shown together, standard error first. A block marked ```console no_run is shown and not run.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A command, what it should print, and the line where it stands.
struct Example {
    command: String,
    expected: Vec<String>,
    line: usize,
}

fn examples(markdown: &str) -> Vec<Example> {
    let mut out: Vec<Example> = Vec::new();
    let mut inside = false;
    for (i, line) in markdown.lines().enumerate() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match line.strip_prefix("$ ") {
                Some(command) => {
                    out.push(Example { command: command.to_string(), expected: Vec::new(), line: i + 1 });
                }
                None => out.last_mut().expect("a block begins with a command").expected.push(line.to_string()),
            },
        }
    }
    out
}

/// Whether `line` reads as `pattern` says.
fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn matches(pattern: &[String], lines: &[String]) -> bool {
    match pattern.split_first() {
        None => lines.is_empty(),
        Some((p, more)) if p == "..." => (0..=lines.len()).any(|n| matches(more, &lines[n..])),
        Some((p, more)) => lines.split_first().is_some_and(|(l, rest)| line_matches(p, l) && matches(more, rest)),
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the examples can be listed") {
        let path = entry.expect("the examples can be listed").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            // Data that were fetched: large, and no part of the repository.
            true if path.ends_with("full") => {}
            true => copy(&path, &target),
            false => {
                std::fs::copy(&path, &target).expect("the examples can be copied");
            }
        }
    }
}

/// Lines without blanks at their ends, and without empty ones at the end.
fn lines(text: &str) -> Vec<String> {
    text.trim_end().lines().map(|l| l.trim_end().to_string()).collect()
}

fn check(document: &str) {
    let text = std::fs::read_to_string(root().join(document)).expect(document);
    let all = examples(&text);
    assert!(!all.is_empty(), "{document} has no examples");
    let place = tempfile::tempdir().expect("a folder");
    copy(&root().join("examples"), &place.path().join("examples"));
    let mut wrong = Vec::new();
    for e in &all {
        let words: Vec<&str> = e.command.split_whitespace().collect();
        assert_eq!(words[0], "mtlc", "{document}:{}: only `mtlc` is run here", e.line);
        // `# exit 3` at the end of a command: how it ends.
        let comment = words.iter().position(|w| *w == "#").unwrap_or(words.len());
        let exit = match &words[comment..] {
            ["#", "exit", n] => n.parse().expect("a number"),
            _ => 0,
        };
        let got = Command::new(env!("CARGO_BIN_EXE_mtlc"))
            .args(&words[1..comment])
            .current_dir(place.path())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .output()
            .expect("mtlc starts");
        let shown = [got.stderr, got.stdout].map(|s| String::from_utf8(s).expect("mtlc writes UTF-8")).concat();
        if got.status.code() != Some(exit) {
            wrong.push(format!("{document}:{}: {} ended with {}\n{shown}", e.line, e.command, got.status));
        } else if !matches(&lines(&e.expected.join("\n")), &lines(&shown)) {
            wrong.push(format!("{document}:{}: {} gives\n{shown}", e.line, e.command));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_readme_tells_the_truth() {
    check("README.md");
}

#[test]
fn the_gallery_tells_the_truth() {
    check("examples/README.md");
}
