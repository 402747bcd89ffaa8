//! What a task is judged by: its kind, losses and metrics, one file each. The front half (names, docs, which kinds they fit)
//! is read by checking; the back half knows candle.

pub mod loss;
pub mod metric;
pub mod probabilities;
mod units;

pub use loss::{LossDef, default_loss, find_loss, labelled, losses};
pub use metric::{Better, Labelled, Meter, MetricDef, default_metrics, find_metric, metrics};
pub use probabilities::{as_logits, from_probabilities};
pub use units::Units;

/// The kind of a task, which fixes the shape of its output and of its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// One logit; labels 0 or 1.
    Binary,
    /// `n` logits; a label is a class index. `None` while the schema is open.
    Classes(Option<usize>),
    /// `n` logits; `n` labels 0 or 1.
    Multilabel(Option<usize>),
    /// `n` numbers.
    Regression(usize),
    /// `[n, h, w]` logits; a class index per pixel.
    Segmentation(usize),
    /// `[1, h, w]` numbers.
    Depth,
    /// `[3, h, w]` numbers.
    Normals,
}

impl TaskKind {
    /// The word in the language.
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Binary => "binary",
            TaskKind::Classes(_) => "classes",
            TaskKind::Multilabel(_) => "multilabel",
            TaskKind::Regression(_) => "regression",
            TaskKind::Segmentation(_) => "segmentation",
            TaskKind::Depth => "depth",
            TaskKind::Normals => "normals",
        }
    }

    /// Outputs per sample (per pixel for dense kinds); `None` while the schema is open.
    pub fn outputs(self) -> Option<usize> {
        match self {
            TaskKind::Binary | TaskKind::Depth => Some(1),
            TaskKind::Classes(n) | TaskKind::Multilabel(n) => n,
            TaskKind::Regression(n) | TaskKind::Segmentation(n) => Some(n),
            TaskKind::Normals => Some(3),
        }
    }

    /// Whether a label is a quantity with units, such as a price or a depth, as opposed to a class or a direction.
    pub fn has_units(self) -> bool {
        matches!(self, TaskKind::Regression(_) | TaskKind::Depth)
    }

    /// One output per pixel rather than per sample.
    pub fn is_dense(self) -> bool {
        matches!(self, TaskKind::Segmentation(_) | TaskKind::Depth | TaskKind::Normals)
    }
}
