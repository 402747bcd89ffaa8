//! Applies fixes to a text, and shows what one would change.
//!
//! A fix is all or nothing: its edits are made together or not at all. The fixes of one diagnostic are alternatives, so
//! at most one of them is taken. Where two fixes touch the same text the first wins and the other waits: the caller
//! checks the new text again, and whatever is still wrong comes back with fresh spans. What is chosen never depends on
//! which file is asked for, so a fix over several files stays whole when `apply` is called once per file.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Applicability, Diagnostic, Edit, Fix};
use crate::source::{FileId, SourceFile};

/// Makes the chosen edits of `file` in `text`. Returns the new text and the number of fixes that changed this file.
///
/// `which` is the boldest applicability to take: `Safe` takes safe fixes only, `Maybe` takes both. Edits that do not fit
/// `text` (past the end, inside a character) drop their whole fix, so a stale span can never spoil a file.
pub fn apply(text: &str, file: FileId, diags: &[Diagnostic], which: Applicability) -> (String, usize) {
    let mut edits: Vec<&Edit> = Vec::new();
    let mut applied = 0;
    for fix in select(diags, which, |e| e.span.file != file || fits(text, e)) {
        let here = edits.len();
        edits.extend(fix.edits.iter().filter(|e| e.span.file == file));
        applied += usize::from(edits.len() > here);
    }
    (splice(text, &edits), applied)
}

/// How many of the problems [`apply`] would mend in one round, over all files.
pub fn fixable(diags: &[Diagnostic], which: Applicability) -> usize {
    select(diags, which, |_| true).len()
}

/// The fixes that can be made together, in the order of the diagnostics.
fn select(diags: &[Diagnostic], which: Applicability, valid: impl Fn(&Edit) -> bool) -> Vec<&Fix> {
    let mut taken = Taken::default();
    let allowed = |f: &&Fix| f.applicability == Applicability::Safe || which == Applicability::Maybe;
    diags
        .iter()
        .filter_map(|d| d.fixes.iter().filter(allowed).find(|f| f.edits.iter().all(&valid) && taken.take(f)))
        .collect()
}

fn fits(text: &str, e: &Edit) -> bool {
    text.get(e.span.start as usize..e.span.end as usize).is_some()
}

/// The places that chosen fixes already changed.
#[derive(Default)]
struct Taken {
    /// Disjoint ranges per file; an empty range is an insertion.
    ranges: HashMap<FileId, BTreeSet<(u32, u32)>>,
    /// Texts inserted so far: the same text at the same place twice is one problem reported twice.
    inserted: HashSet<(FileId, u32, String)>,
}

impl Taken {
    /// Claims all places of a fix, or none.
    fn take(&mut self, fix: &Fix) -> bool {
        let own =
            |i: usize, e: &Edit| fix.edits[..i].iter().any(|o| o.span.file == e.span.file && clash(range(o), range(e)));
        let free = fix.edits.iter().enumerate().all(|(i, e)| self.is_free(e) && !own(i, e));
        if !free || fix.edits.is_empty() {
            return false;
        }
        for e in &fix.edits {
            self.ranges.entry(e.span.file).or_default().insert(range(e));
            if e.span.is_empty() {
                self.inserted.insert((e.span.file, e.span.start, e.text.clone()));
            }
        }
        true
    }

    fn is_free(&self, e: &Edit) -> bool {
        let (start, end) = range(e);
        if start > end || (start == end && self.inserted.contains(&(e.span.file, start, e.text.clone()))) {
            return false;
        }
        // Ranges are disjoint: only the last three that begin before the end can reach it (a range, and an insertion
        // at either side of it).
        let near = self.ranges.get(&e.span.file).into_iter().flat_map(|set| set.range(..(end, u32::MAX)).rev().take(3));
        !near.into_iter().any(|r| clash(*r, (start, end)))
    }
}

fn range(e: &Edit) -> (u32, u32) {
    (e.span.start, e.span.end)
}

/// Whether two edits touch the same text. An insertion at the edge of a replaced range stands beside it.
fn clash(a: (u32, u32), b: (u32, u32)) -> bool {
    a.0 < b.1 && b.0 < a.1
}

/// Makes the edits, which must be disjoint; insertions at one place keep their order.
fn splice(text: &str, edits: &[&Edit]) -> String {
    let mut sorted = edits.to_vec();
    sorted.sort_by_key(|e| range(e));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for e in sorted {
        out.push_str(&text[at..e.span.start as usize]);
        out.push_str(&e.text);
        at = e.span.end as usize;
    }
    out.push_str(&text[at..]);
    out
}

/// One run of lines that a fix changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The first line, counted from 1.
    pub line: usize,
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// What a fix would change in one file, line by line and without the lines that stay as they are. Empty where the edits
/// do not fit the text.
pub fn preview(file: &SourceFile, id: FileId, fix: &Fix) -> Vec<Change> {
    let mut edits: Vec<&Edit> = fix.edits.iter().filter(|e| e.span.file == id).collect();
    edits.sort_by_key(|e| range(e));
    let disjoint = edits.windows(2).all(|w| !clash(range(w[0]), range(w[1])));
    if !disjoint || !edits.iter().all(|e| fits(&file.text, e)) {
        return Vec::new();
    }
    let lines = |e: &Edit| (file.line_col(e.span.start).line, file.line_col(e.span.end).line);
    let mut changes = Vec::new();
    let mut rest = edits.as_slice();
    while let Some((first, others)) = rest.split_first() {
        let (from, mut to) = lines(first);
        let mut many = 1;
        while let Some(next) = others.get(many - 1).filter(|e| lines(e).0 <= to + 1) {
            to = to.max(lines(next).1);
            many += 1;
        }
        changes.extend(change(file, from, to, &rest[..many]));
        rest = &rest[many..];
    }
    changes
}

/// The change that edits within the lines `from..=to` make; `None` where they make none.
fn change(file: &SourceFile, from: usize, to: usize, edits: &[&Edit]) -> Option<Change> {
    let (start, end) = (file.line_range(from - 1).start, file.line_range(to - 1).end);
    let moved: Vec<Edit> = edits
        .iter()
        .map(|e| {
            let mut e = (*e).clone();
            e.span.start -= start as u32;
            e.span.end -= start as u32;
            e
        })
        .collect();
    let old = &file.text[start..end];
    let new = splice(old, &moved.iter().collect::<Vec<_>>());
    let at_end = end == file.text.len();
    let (old, mut new): (Vec<&str>, Vec<&str>) = (split_lines(old), split_lines(&new));
    // A line end added to the last line of a file is not a new line.
    if at_end && new.len() > 1 && new.last() == Some(&"") && old.last() != Some(&"") {
        new.pop();
    }
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let keep = |lines: &[&str]| lines[head..lines.len() - tail].iter().map(|l| (*l).to_string()).collect::<Vec<_>>();
    let (before, after) = (keep(&old), keep(&new));
    (before != after).then_some(Change { line: from + head, before, after })
}

fn split_lines(text: &str) -> Vec<&str> {
    text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect()
}
