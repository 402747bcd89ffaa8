//! Shared by the test binaries: files as data, and expectations that `UPDATE=1` in the environment rewrites.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// The files below `folder` (two levels) with that ending, sorted.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let list = |p: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(p)
            .unwrap_or_else(|e| panic!("{}: {e}", p.display()))
            .map(|e| e.expect("the folder can be listed").path())
            .collect()
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for path in list(Path::new(folder)) {
        if path.is_dir() {
            found.extend(list(&path));
        } else {
            found.push(path);
        }
    }
    found.retain(|p| p.extension().is_some_and(|e| e == ending));
    found.sort();
    found
}

/// Collects differences, so that one run shows them all.
#[derive(Default)]
pub struct Expectations {
    wrong: Vec<String>,
}

impl Expectations {
    /// Compares with the file at `path`, or writes it.
    pub fn check(&mut self, path: &Path, got: &str) {
        let want = std::fs::read_to_string(path).unwrap_or_default();
        if want == got {
            return;
        }
        if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
            std::fs::write(path, got).expect("the expectation can be written");
            return;
        }
        let line = want.lines().zip(got.lines()).position(|(a, b)| a != b);
        let at = line.unwrap_or(want.lines().count().min(got.lines().count()));
        let show = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_string();
        self.wrong.push(format!(
            "{}:{}\n  expected: {}\n  got:      {}",
            path.display(),
            at + 1,
            show(&want),
            show(got)
        ));
    }

    pub fn finish(self) {
        assert!(
            self.wrong.is_empty(),
            "{} differ (UPDATE=1 rewrites them):\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
    }
}
