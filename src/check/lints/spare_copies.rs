//! More copies of a level than tasks, or than what reads them, can reach.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Read, Reads, Space, Spec, StageId};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let Some(space) = &spec.space else { return };
    // A task that could not be read would make the number of tasks wrong.
    if spec.families.iter().any(|f| f.open) || spec.tasks.is_empty() || diags.has_errors() {
        return;
    }
    for (level, (most, who)) in space.levels.iter().zip(usable(spec, space)) {
        if level.copies > most {
            let of = if most == 1 { who.to_string() } else { format!("{who}s") };
            let copies = level.copies;
            let any = if who == "task" { ", or `copies = any`" } else { "" };
            let message = format!("{copies} copies for {most} {of}: at most {most} can be used");
            diags.push(
                Diagnostic::new(codes::SPACE_SPARE_COPIES, level.span, message).help(format!("`copies = {most}`{any}")),
            );
        }
    }
}

/// By level, how many of its copies can be used, and by what: of a tree as many as there are tasks; above routes as many as there
/// are readers of one, and all where something reads several.
fn usable(spec: &Spec, space: &Space) -> Vec<(usize, &'static str)> {
    let one = |r: &Reads| matches!(r, Reads::One);
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let mut out = vec![(0, "task"); space.levels.len()];
    for (s, level) in space.levels.iter().enumerate().rev() {
        let tree = one(&space.heads.reads) && space.levels[s + 1..].iter().all(|l| one(&l.reads));
        if tree {
            out[s] = (spec.tasks.len(), "task");
            continue;
        }
        let read = |reads: &[Read]| reads.contains(&Read::Stage(StageId(s)));
        let mut most = 0;
        for (r, reader) in space.levels.iter().enumerate().filter(|(r, _)| read(&stages[*r].reads)) {
            most += if one(&reader.reads) { reader.copies.min(out[r].0) } else { level.copies };
        }
        for task in &spec.tasks {
            if task.head.is_some_and(|h| read(&spec.heads[h.0].reads)) {
                most += if one(&space.heads.reads) { 1 } else { level.copies };
            }
        }
        // What nobody reads is another lint's.
        out[s] = (if most == 0 { level.copies } else { most }, "reader");
    }
    out
}
