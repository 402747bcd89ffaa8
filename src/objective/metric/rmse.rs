//! `rmse`: root of the mean squared error.

use super::{Better, MeanOf, MetricDef};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef { name: "rmse", doc: "Root of the mean squared error, in units of the label.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth),
    better: Better::Lower,
    make: |_, _, _| MeanOf::boxed(|x, y| (x - y) * (x - y), f64::sqrt),
};
