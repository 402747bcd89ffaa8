//! The specs that mutation starts from: every `.mtl` of the repository, small ones more often.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use mtlc::source::FileId;
use mtlc::syntax::{Kind, parse};

use super::dice::Dice;
use super::mutate::tokens;

pub struct Seed {
    pub text: String,
    /// Where items, entries and values stand.
    pub nodes: Vec<(Kind, std::ops::Range<usize>)>,
}

pub struct Seeds {
    pub all: Vec<Seed>,
    /// Running sums of the weights.
    weights: Vec<usize>,
    /// Tokens of all texts, each once.
    pub words: Vec<String>,
    /// The names and keywords among them.
    pub names: Vec<String>,
}

/// Files that a spec may import, by path below the repository's root.
pub fn files() -> HashMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = HashMap::new();
    for folder in ["examples", "tests/corpus", "tests/golden/programs", "tests/ui", "src/std"] {
        gather(&root.join(folder), root, &mut out);
    }
    out
}

fn gather(folder: &Path, root: &Path, out: &mut HashMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, root, out);
        } else if path.extension().is_some_and(|e| e == "mtl")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            out.insert(path.strip_prefix(root).expect("below the root").to_path_buf(), text);
        }
    }
}

/// A path with `.` and `..` folded.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

impl Seeds {
    /// `clean` texts are taken more often: more can be done to them.
    pub fn new(mut texts: Vec<String>, clean: impl Fn(&str) -> bool) -> Seeds {
        // The order of a folder's listing is the machine's; a round is to be the same everywhere.
        texts.sort();
        texts.dedup();
        let all: Vec<Seed> = texts.into_iter().map(|text| Seed { nodes: nodes(&text), text }).collect();
        let mut sum = 0;
        let weights = all
            .iter()
            .map(|s| {
                sum += (200_000 / (s.text.len() + 200)).max(1) * if clean(&s.text) { 16 } else { 1 };
                sum
            })
            .collect();
        let mut words: Vec<String> =
            all.iter().flat_map(|s| tokens::split(&s.text).into_iter().map(|r| s.text[r].to_string())).collect();
        words.retain(|w| !w.trim().is_empty() && w.len() < 40);
        words.sort();
        words.dedup();
        let names = words.iter().filter(|w| tokens::is_word(w)).cloned().collect();
        Seeds { all, weights, words, names }
    }

    pub fn pick(&self, dice: &mut Dice) -> &Seed {
        let at = dice.roll(*self.weights.last().expect("there are seeds"));
        &self.all[self.weights.partition_point(|w| *w <= at)]
    }
}

/// The nodes that tree mutations work on.
pub fn nodes(text: &str) -> Vec<(Kind, std::ops::Range<usize>)> {
    let tree = parse(FileId(0), text).syntax();
    let wanted = |k: Kind| {
        use Kind::*;
        matches!(k, Item | Attr | Edge | Nested | Expr | Body | List | Arg | Args | Param | Params | Path | Quantity)
    };
    tree.descendants()
        .filter(|n| wanted(n.kind()))
        .map(|n| (n.kind(), usize::from(n.text_range().start())..usize::from(n.text_range().end())))
        .collect()
}
