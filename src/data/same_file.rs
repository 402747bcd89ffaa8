//! Two splits that read the same file. This is legal, but the scores are then not those of new rows.

use std::path::{Component, Path, PathBuf};

use super::raw::{FileFact, SPLITS};

/// The files of each split, as written in the program.
pub type SplitFiles = [Vec<String>; 3];

/// Two splits that read the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Same<'a> {
    /// Positions in [`SPLITS`], in this order.
    pub splits: [usize; 2],
    /// The path of the file as written for the second split.
    pub path: &'a str,
}

impl Same<'_> {
    /// "`validation` and `test` read the same file, `a.csv`"
    pub fn message(&self) -> String {
        let [a, b] = self.splits.map(|s| SPLITS[s]);
        format!("`{a}` and `{b}` read the same file, `{}`", self.path)
    }

    /// Why this matters, and how to fix it.
    pub fn help(&self) -> &'static str {
        match self.splits {
            [0, 1] => {
                "validation then measures how well the network has memorised the training rows, and the weights that are kept are \
                 chosen by that: give `validation` rows of its own, for example `validation = share(0.1, of = train)`"
            }
            [0, _] => {
                "the test then measures how well the network has memorised the training rows: give `test` rows of its own, for \
                 example `test = share(0.1, of = train)`"
            }
            _ => {
                "the weights that are kept are chosen by these rows, so the test scores look better than those of new rows: give \
                 `test` rows of its own, or leave it out"
            }
        }
    }
}

const PAIRS: [[usize; 2]; 3] = [[0, 1], [0, 2], [1, 2]];

/// Splits that name the same file, in any spelling: `a.csv`, `./a.csv`, `x/../a.csv` and `a.csv.gz` count as one file. No file is
/// opened.
pub fn by_name(files: &SplitFiles) -> Vec<Same<'_>> {
    let found = |splits: [usize; 2]| {
        let [a, b] = splits.map(|s| &files[s]);
        let path = b.iter().find(|p| a.iter().any(|q| plain_name(p) == plain_name(q)))?;
        Some(Same { splits, path })
    };
    PAIRS.into_iter().filter_map(found).collect()
}

/// Splits whose files have different names but the same decompressed contents: links and copies.
pub fn by_contents<'a>(files: &'a SplitFiles, facts: &[FileFact]) -> Vec<Same<'a>> {
    let contents = |path: &String| facts.iter().find(|f| f.path == *path).and_then(|f| f.contents);
    let all = |s: usize| files[s].iter().map(contents).collect::<Option<Vec<_>>>().filter(|c| !c.is_empty());
    let named = by_name(files);
    let found = |splits: [usize; 2]| {
        let [a, b] = splits.map(all);
        let same = a.is_some() && a == b && !named.iter().any(|n| n.splits == splits);
        same.then(|| Same { splits, path: &files[splits[1]][0] })
    };
    PAIRS.into_iter().filter_map(found).collect()
}

/// A path with `.` and `..` resolved, and without the extension of a compressed file.
fn plain_name(written: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in Path::new(written.strip_suffix(".gz").unwrap_or(written)).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: [&[&str]; 3]) -> SplitFiles {
        of.map(|paths| paths.iter().map(|p| p.to_string()).collect())
    }

    #[test]
    fn spellings_of_one_file() {
        let pairs = |of| by_name(&files(of)).iter().map(|s| s.splits).collect::<Vec<_>>();
        assert_eq!(pairs([&["t.csv"], &["a.csv"], &["a.csv"]]), [[1, 2]]);
        assert_eq!(pairs([&["t.csv"], &["./a.csv"], &["x/../a.csv"]]), [[1, 2]]);
        assert_eq!(pairs([&["a.csv"], &["a.csv.gz"], &[]]), [[0, 1]]);
        assert_eq!(pairs([&["a.csv"], &["a.csv"], &["a.csv"]]), [[0, 1], [0, 2], [1, 2]]);
        assert_eq!(pairs([&["x.npy", "y.npy"], &["v.npy", "y.npy"], &[]]), [[0, 1]]);
        assert_eq!(pairs([&["../a.csv"], &["a.csv"], &["x/a.csv"]]), [[0usize; 2]; 0]);
    }
}
