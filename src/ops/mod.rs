//! One file per op: its parameters and docs, shape rule, parameter count, MACs, kernel and gradient test. The front half
//! (everything but [`Op::forward`]) is pure arithmetic on shapes; the back half knows candle.
//!
//! Adding an op: a file here with a `pub static DEF: OpDef`, and a line in [`table`]. Shapes leave the batch out: a value of
//! type `[c, h, w]` is a tensor `[batch, c, h, w]` at run time.

mod add;
mod avg_pool;
mod batch_norm;
mod bias;
mod concat;
mod concat_fields;
mod conv;
#[cfg(feature = "cuda")]
pub mod cuda;
mod dropout;
mod elu;
mod embedding;
mod flatten;
mod gelu;
mod global_avg_pool;
pub mod grad;
mod group_norm;
pub mod held;
mod identity;
pub mod input;
pub mod joint;
pub mod kernel;
mod layer_norm;
mod leaky_relu;
mod linear;
mod match_;
mod max_pool;
mod mean;
pub mod mix;
mod mul;
mod normalise;
mod one_hot;
pub mod path;
mod pointwise;
mod pooling;
pub mod precision;
mod relu;
pub mod rows;
mod scale;
pub mod select;
pub mod send;
mod sigmoid;
mod silu;
mod softmax;
mod tanh;
pub mod types;
mod upsample;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::random::Randomness;
use crate::schema::{Args, CallDef};
pub use held::Held;
pub use joint::Joined;
pub use types::{Dim, Field, Fields, TensorType};

/// How many values an op takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// One, through a chain: `x -> relu`.
    One,
    /// Two or more, as arguments: `add(a, b)`.
    Many,
}

/// A chain of ops, or why there is none.
pub type Made = std::result::Result<Vec<Box<dyn Op>>, OpError>;

/// An entry of the op table.
pub struct OpDef {
    pub call: CallDef,
    pub arity: Arity,
    /// Fixes the op for the types it is given. The result is a chain to be applied in order: most ops give one link, `match`
    /// gives none where shapes agree already.
    pub make: fn(&Args, &[TensorType]) -> Made,
}

impl std::fmt::Debug for OpDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.call.name)
    }
}

/// Why an op cannot take what it is given: facts first, then the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpError {
    /// "takes an image of `[channels, height, width]`, and this is `[128]`"
    pub message: String,
    pub help: Option<String>,
    /// The output would be empty (its own code), rather than the input being of the wrong kind.
    pub empty: bool,
}

impl OpError {
    pub fn new(message: impl Into<String>) -> OpError {
        OpError { message: message.into(), help: None, empty: false }
    }
    pub fn help(mut self, text: impl Into<String>) -> OpError {
        self.help = Some(text.into());
        self
    }
}

/// An op with its parameters fixed and its input types known.
pub trait Op: Any + Debug + Send + Sync {
    /// The name in the table.
    fn name(&self) -> &'static str;

    /// Type of the output, batch left out.
    fn output(&self) -> TensorType;

    /// Weights and buffers, in the order [`Op::forward`] gets them.
    fn weights(&self) -> Vec<WeightDef> {
        Vec::new()
    }

    /// Multiply-accumulates per sample, as the field counts them: convolutions, linear layers and gates; norms,
    /// activations and pools count as none. `None` while a size is open.
    fn macs(&self) -> Option<u64> {
        Some(0)
    }

    /// `inputs[i]` is `[batch, dims of the i-th input type...]`; gives `[batch, dims of the output type...]`. All gradients
    /// are right for f32 and f64, on the CPU and on GPUs by own kernels where candle's are wrong or slow, elsewhere by
    /// compositions whose gradients are right.
    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], pass: &mut Pass) -> Result<Tensor>;

    /// This op and the one that alone reads it as one, where that saves a pass over memory: its weights are this op's, then the
    /// next one's.
    fn fuse(&self, _next: &dyn Op) -> Option<Arc<dyn Op>> {
        None
    }

    /// What ops have in common that can run as one if they read one value ([`Op::siblings`]); `None`: it runs by itself.
    fn kin(&self) -> Option<String> {
        None
    }

    /// This op and others of its [`Op::kin`] as one, on the value that all of them read; `weights` by sibling. `None` where there is no
    /// kernel for it, or each by itself is cheaper.
    fn siblings(&self, _x: &Tensor, _weights: &[Vec<Tensor>]) -> Result<Option<Joined>> {
        Ok(None)
    }

    /// What is held of [`Op::forward`] in a training step until the way back has passed it.
    fn held(&self) -> Held {
        Held::GRAPH
    }

    /// The number of rows that a training batch needs for the op to work as intended.
    fn least_rows(&self) -> usize {
        1
    }

    /// How to come back from [`Op::forward`] of these inputs.
    fn way(&self, _: &[Tensor]) -> Way {
        Way::Graph
    }
}

/// How an op's gradient is found in a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through candle's graph of the op.
    Graph,
    /// `forward` calls one kernel of ours, whose output it gives; or none, and gives its input's numbers.
    Kernel,
    /// Every input gets the output's gradient.
    Sum,
}

impl Way {
    /// `Kernel` where own kernels run, for ops whose `forward` calls one or none.
    pub fn by_kernel(inputs: &[Tensor]) -> Way {
        if path::own_kernel(&inputs[0]) { Way::Kernel } else { Way::Graph }
    }

    /// The same for ops that have a kernel on a GPU too.
    pub fn by_any_kernel(inputs: &[Tensor]) -> Way {
        if path::on_cuda(&inputs[0]) { Way::Kernel } else { Way::by_kernel(inputs) }
    }
}

/// What a forward pass carries beside values.
pub struct Pass {
    /// Batch statistics and dropout, or running statistics and none.
    pub train: bool,
    pub random: Randomness,
    /// Position in training, the counter of every draw.
    pub step: u64,
    /// Which op of the plan is running; two dropouts differ by it.
    pub site: u64,
    /// New values of the running op's buffers: index into its weights, value. The model writes them after the op has run.
    pub buffers: Vec<(usize, Tensor)>,
}

/// A weight (trained) or a buffer (running statistics).
#[derive(Debug, Clone, PartialEq)]
pub struct WeightDef {
    /// "weight", "bias", "running_mean": the last part of its stable name, PyTorch's names where it has one.
    pub name: String,
    pub shape: Vec<Dim>,
    pub init: Init,
    /// Trained by the optimiser; false for buffers, which are no parameters.
    pub trained: bool,
}

impl WeightDef {
    pub fn trained(name: &str, shape: impl Into<Vec<Dim>>, init: Init) -> WeightDef {
        WeightDef { name: name.into(), shape: shape.into(), init, trained: true }
    }

    /// A running statistic: kept and saved with the weights, changed by [`Pass::buffers`] alone.
    pub fn buffer(name: &str, shape: impl Into<Vec<Dim>>, init: f64) -> WeightDef {
        WeightDef { name: name.into(), shape: shape.into(), init: Init::Const(init), trained: false }
    }
}

/// Initial values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    Const(f64),
    /// U(-bound, bound).
    Uniform {
        bound: f64,
    },
    /// N(0, std^2).
    Normal {
        std: f64,
    },
    /// U(-1/sqrt(fan), 1/sqrt(fan)) with the fan known only when the shape is: PyTorch's default for linear and conv.
    FanIn,
}

static TABLE: &[&OpDef] = &[
    &add::DEF,
    &avg_pool::DEF,
    &batch_norm::DEF,
    &bias::DEF,
    &concat::DEF,
    &concat_fields::DEF,
    &conv::DEF,
    &dropout::DEF,
    &elu::DEF,
    &embedding::DEF,
    &flatten::DEF,
    &gelu::DEF,
    &global_avg_pool::DEF,
    &group_norm::DEF,
    &identity::DEF,
    &layer_norm::DEF,
    &leaky_relu::DEF,
    &linear::DEF,
    &match_::DEF,
    &max_pool::DEF,
    &mean::DEF,
    &mix::DEF,
    &mul::DEF,
    &one_hot::DEF,
    &relu::DEF,
    &scale::DEF,
    &sigmoid::DEF,
    &silu::DEF,
    &softmax::DEF,
    &tanh::DEF,
    &upsample::DEF,
];

/// The op table, by name.
pub fn table() -> &'static [&'static OpDef] {
    TABLE
}

pub fn find(name: &str) -> Option<&'static OpDef> {
    table().iter().copied().find(|d| d.call.name == name)
}
