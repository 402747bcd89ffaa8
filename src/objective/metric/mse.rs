//! `mse`: mean squared error.

use super::{Better, MeanOf, MetricDef};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "mse",
        doc: "Mean squared error over samples, outputs and pixels, in squared units of the label.",
        args: &[],
    },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |_| false,
    better: Better::Lower,
    make: |_, _, _| MeanOf::boxed(|x, y| (x - y) * (x - y), |mean| mean),
};
