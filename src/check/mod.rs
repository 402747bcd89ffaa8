//! Facts about a spec, in side tables; the graph stays untouched. Every pass runs, every problem is reported. Only this room makes a
//! [`Checked`], and only a clean spec gives one: lowering it never reports a spec error and never panics.

pub mod cost;
mod fit;
mod labels;
mod lints;
pub mod nodes;
mod norms;
mod outputs;
mod ranges;
pub mod runs;
mod shapes;
pub mod shared;
pub mod steps;

use std::sync::Arc;

use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Flow, Spec};
use crate::ir::{self, Network};
use crate::ops::{Op, TensorType};

pub use cost::{Cost, CostReport, NetworkCost};
pub use shared::Shared;

/// A spec that is clean, with what checking found out.
#[derive(Debug)]
pub struct Checked {
    pub spec: Spec,
    /// Of the space, if there is one.
    pub supernet: Option<Network>,
    /// Of the topology, if there is one.
    pub fixed: Option<Network>,
    /// Per stage of the backbone.
    pub stages: Vec<Typed>,
    /// Per task; `None` while its size is open.
    pub heads: Vec<Option<Typed>>,
    /// Some size is open until a data schema is frozen: checked as far as the text goes, cannot be lowered.
    pub open: bool,
}

/// What was found out about a spec that is not clean: as much as its mistakes allow, for an editor. `None` where a mistake or what
/// follows from it stands.
#[derive(Debug)]
pub struct Partly {
    pub spec: Spec,
    pub supernet: Option<Network>,
    pub stages: Vec<Option<Typed>>,
    pub heads: Vec<Option<Typed>>,
}

/// A stage's or head's ops with their types.
#[derive(Debug, Clone)]
pub struct Typed {
    pub ops: Vec<TypedOp>,
    pub out: Flow,
    pub ty: TensorType,
    pub cost: Cost,
}

#[derive(Debug, Clone)]
pub struct TypedOp {
    pub op: Arc<dyn Op>,
    pub inputs: Vec<Flow>,
    /// Index of the op as written in the stage; ops of one chain (`match`) share it.
    pub written: usize,
}

/// Checks a resolved spec. Diagnostics go to `diags`; the result is `None` where there are errors, this pass's or earlier ones.
pub fn check(spec: Spec, diags: &mut Diagnostics) -> Option<Checked> {
    examine(spec, diags).ok()
}

/// The same, and what can be told of a spec with errors.
pub fn examine(spec: Spec, diags: &mut Diagnostics) -> Result<Checked, Box<Partly>> {
    let broken = diags.has_errors();
    // A file for `use` (blocks, a backbone, data, tasks) is whole without the rest; what belongs to a network is not.
    let has = |keyword: &str| spec.written.iter().any(|w| w.item.keyword.text == keyword);
    let network = ["head", "space", "search", "topology"].into_iter().any(has);
    if spec.tasks.is_empty() && !broken && (network || has("backbone") && has("input")) {
        let at = spec.backbone.as_ref().map(|b| b.span).or(spec.data.first().map(|d| d.span));
        let mut d = Diagnostic::new(
            codes::TASK_NONE,
            at.unwrap_or(crate::source::Span::new(crate::source::FileId(0), 0, 0)),
            "this spec has no tasks",
        );
        d = d.help("declare what is to be learned: `task smiling: binary { label = ... }`");
        diags.push(d);
    }
    if spec.backbone.is_none() && !spec.tasks.is_empty() && !broken && network {
        diags.push(
            Diagnostic::new(
                codes::BACKBONE_EMPTY,
                spec.tasks.first().map_or(crate::source::Span::new(crate::source::FileId(0), 0, 0), |t| t.span),
                "this spec has no backbone",
            )
            .help("declare the stages that tasks may share: `backbone net(image) { stage s1 = ... }`"),
        );
    }
    let stages = shapes::stages(&spec, diags);
    let heads = shapes::heads(&spec, &stages, diags);
    labels::labels(&spec, &heads, diags);
    let wired = spec.backbone.as_ref().is_none_or(|b| b.wired);
    let supernet = spec.space.as_ref().filter(|_| wired).and_then(|s| ir::supernet(&spec, s, diags));
    let fixed = spec.topology.as_ref().filter(|_| wired).and_then(|t| ir::fixed(&spec, t, diags));
    fit::fit(&spec, supernet.as_ref(), &stages, &heads, diags);
    ranges::ranges(&spec, diags);
    norms::norms(&spec, &stages, &heads, diags);
    outputs::outputs(&spec, diags);
    // What looks odd beside a mistake may be right without it.
    if !diags.has_errors() {
        lints::lints(&lints::Facts { spec: &spec, stages: &stages, heads: &heads }, diags);
    }
    let open = shapes::open(&spec, &stages, &heads, diags);
    if diags.has_errors() || stages.iter().any(Option::is_none) {
        return Err(Box::new(Partly { spec, supernet, stages, heads }));
    }
    let stages = stages.into_iter().flatten().collect();
    Ok(Checked { spec, supernet, fixed, stages, heads, open })
}

/// Like `check`, and reports an error for what the language can express but training does not support yet.
pub fn trainable(spec: Spec, diags: &mut Diagnostics) -> Result<Checked, Box<Partly>> {
    let checked = examine(spec, diags)?;
    runs::runs(&checked.spec, diags);
    if !diags.has_errors() {
        return Ok(checked);
    }
    let Checked { spec, supernet, stages, heads, .. } = checked;
    let stages = stages.into_iter().map(Some).collect();
    Err(Box::new(Partly { spec, supernet, stages, heads }))
}
