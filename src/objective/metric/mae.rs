//! `mae`: mean absolute error.

use super::{Better, MeanOf, MetricDef};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "mae",
        doc: "Mean absolute error over samples, outputs and pixels, in units of the label.",
        args: &[],
    },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth),
    better: Better::Lower,
    make: |_, _, _| MeanOf::boxed(|x, y| (x - y).abs(), |mean| mean),
};
