//! What is legal and suspicious.

use std::collections::HashSet;

use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Read, Spec, StageId};

pub fn lints(spec: &Spec, diags: &mut Diagnostics) {
    unread_stages(spec, diags);
    spare_copies(spec, diags);
    unused_inputs(spec, diags);
}

fn unread_stages(spec: &Spec, diags: &mut Diagnostics) {
    let Some(backbone) = &spec.backbone else { return };
    if spec.tasks.iter().any(|t| t.head.is_none()) {
        return;
    }
    let mut read: HashSet<StageId> = HashSet::new();
    let all = backbone.stages.iter().map(|s| &s.reads).chain(spec.heads.iter().map(|h| &h.reads));
    for r in all.flatten() {
        if let Read::Stage(s) = r {
            read.insert(*s);
        }
    }
    for (i, stage) in backbone.stages.iter().enumerate() {
        if !read.contains(&StageId(i)) {
            diags.push(
                Diagnostic::new(
                    codes::BACKBONE_UNREAD,
                    stage.span,
                    format!("nothing reads the stage `{}`", stage.name),
                )
                .help("remove it, or read it in a later stage or a head with `from`"),
            );
        }
    }
}

fn spare_copies(spec: &Spec, diags: &mut Diagnostics) {
    let Some(space) = &spec.space else { return };
    // A task that could not be read would make the number of tasks wrong.
    if spec.families.iter().any(|f| f.open) || spec.tasks.is_empty() || diags.has_errors() {
        return;
    }
    let tasks = spec.tasks.len();
    for level in &space.levels {
        if level.copies > tasks && matches!(level.reads, crate::hir::Reads::One) {
            diags.push(
                Diagnostic::new(
                    codes::SPACE_SPARE_COPIES,
                    level.span,
                    format!(
                        "{} copies for {tasks} task{}: at most {tasks} can be used",
                        level.copies,
                        if tasks == 1 { "" } else { "s" }
                    ),
                )
                .help(format!("`copies = {tasks}`, or `copies = any`")),
            );
        }
    }
}

fn unused_inputs(spec: &Spec, diags: &mut Diagnostics) {
    let Some(backbone) = &spec.backbone else { return };
    let mut used: HashSet<usize> = HashSet::new();
    let all = backbone.stages.iter().map(|s| &s.reads).chain(spec.heads.iter().map(|h| &h.reads));
    for r in all.flatten() {
        if let Read::Input(i) = r {
            used.insert(i.0);
        }
    }
    if let Some(space) = &spec.space {
        for mix in space.levels.iter().map(|l| &l.reads).chain([&space.heads.reads]).filter_map(|r| r.mix()) {
            for q in &mix.queries {
                if let crate::hir::Query::Read(Read::Input(i)) = q {
                    used.insert(i.0);
                }
            }
        }
    }
    if spec.topology.is_some() || diags.has_errors() {
        return;
    }
    for (i, input) in spec.inputs.iter().enumerate() {
        if !used.contains(&i) {
            diags.push(
                Diagnostic::new(codes::NAME_UNUSED, input.span, format!("nothing reads the input `{}`", input.name))
                    .help(format!(
                        "remove it, or read it in a stage: `stage s {{ from = [{}], out = ... }}`",
                        input.name
                    )),
            );
        }
    }
}
