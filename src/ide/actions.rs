//! Changes that are offered at a place: the fixes of what is wrong there, and ways to write the same otherwise. Those of the second
//! kind are read again before they are offered, and not offered where the program would mean something else.

use std::path::PathBuf;

use super::{Analysis, Loader, TextEdit, branch, extract, inline};
use crate::diag::{Applicability, fix};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    QuickFix,
    FixAll,
    Extract,
    Inline,
    Rewrite,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub title: String,
    pub kind: ActionKind,
    /// Edits by file; an empty path is the text itself.
    pub edits: Vec<(PathBuf, Vec<TextEdit>)>,
    /// Files that are made.
    pub creates: Vec<(PathBuf, String)>,
    /// Index of the diagnostic that it mends.
    pub mends: Option<usize>,
    pub preferred: bool,
}

impl Action {
    /// A change of the text itself.
    pub(super) fn here(title: String, kind: ActionKind, edits: Vec<TextEdit>) -> Action {
        let edits = vec![(PathBuf::new(), edits)];
        Action { title, kind, edits, creates: Vec::new(), mends: None, preferred: false }
    }
}

/// The changes that are offered for a selection.
pub fn actions(analysis: &Analysis, selection: std::ops::Range<usize>, load: Loader) -> Vec<Action> {
    let mut out = fixes(analysis, &selection);
    out.extend(fix_all(analysis));
    out.extend(extract::stage_to_block(analysis, &selection, load));
    out.extend(inline::block(analysis, selection.start, load));
    out.extend(branch::to_own_file(analysis, selection.start, load));
    out
}

fn fixes(analysis: &Analysis, selection: &std::ops::Range<usize>) -> Vec<Action> {
    let mut out = Vec::new();
    for (i, d) in analysis.diagnostics.iter().enumerate() {
        let Some(p) = d.primary.as_ref().filter(|p| p.span.file == analysis.root) else { continue };
        let here = p.span.range();
        // A slip near the cursor counts too: the whole line.
        let lines = analysis.sources.file(analysis.root);
        let line = |at: usize| lines.line_col(at as u32).line;
        let touches = here.start <= selection.end && selection.start <= here.end
            || line(here.start) <= line(selection.end) && line(selection.start) <= line(here.end);
        if !touches {
            continue;
        }
        for f in &d.fixes {
            let mut edits: Vec<(PathBuf, Vec<TextEdit>)> = Vec::new();
            for e in &f.edits {
                let path = match e.span.file == analysis.root {
                    true => PathBuf::new(),
                    // The library is not changed.
                    false => match &analysis.sources.file(e.span.file).path {
                        Some(p) => p.clone(),
                        None => continue,
                    },
                };
                let edit = TextEdit { range: e.span.range(), text: e.text.clone() };
                match edits.iter_mut().find(|(p, _)| *p == path) {
                    Some((_, list)) => list.push(edit),
                    None => edits.push((path, vec![edit])),
                }
            }
            out.push(Action {
                title: f.title.clone(),
                kind: ActionKind::QuickFix,
                edits,
                creates: Vec::new(),
                mends: Some(i),
                preferred: f.applicability == Applicability::Safe,
            });
        }
    }
    out
}

/// All that `check --fix` would mend in this text.
fn fix_all(analysis: &Analysis) -> Option<Action> {
    let (text, many) = fix::apply(analysis.text(), analysis.root, &analysis.diagnostics, Applicability::Safe);
    if many == 0 || text == analysis.text() {
        return None;
    }
    let edits = vec![TextEdit { range: 0..analysis.text().len(), text }];
    let title = format!("mend {many} problem{} that can be mended safely", if many == 1 { "" } else { "s" });
    Some(Action::here(title, ActionKind::FixAll, edits))
}
