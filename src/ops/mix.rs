//! `mix(gate)`: how a reader of several copies combines them: gates of MMoE (Ma et al. 2018), CGC and PLE (Tang et al. 2020)
//! and MTNAS, or their plain sum or mean.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::flatten::per_sample;
use super::kernel::{self, Kernel, Real, View};
use super::sigmoid::{composed as sigmoid_composed, sigmoid};
use super::softmax::softmax;
use super::{Arity, Dim, Fields, Init, Op, OpDef, OpError, Pass, TensorType, WeightDef, input, path};
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "mix",
        doc: "Combines values of one shape by a gate. `softmax` and `sigmoid` gates read a query, given first, whose numbers \
              are flattened: with gates g = softmax(W q) or sigmoid(W q), W without bias, the result is the sum of \
              g_i y_i. `sum` and `mean` read no query and learn nothing.",
        args: &[AttrDef {
            name: "gate",
            ty: Ty::OneOf(&["softmax", "sigmoid", "sum", "mean"]),
            need: Need::Required,
            doc: "How each value's share is found.",
        }],
    },
    arity: Arity::Many,
    make: |args, inputs| Ok(vec![Box::new(Mix::new(Gate::named(args.str("gate")), inputs)?)]),
};

/// How values are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Shares that sum to one, from the query.
    Softmax,
    /// Shares from 0 to 1, each for itself, from the query.
    Sigmoid,
    Sum,
    Mean,
}

impl Gate {
    /// By its word in the language.
    pub fn named(word: &str) -> Gate {
        match word {
            "softmax" => Gate::Softmax,
            "sigmoid" => Gate::Sigmoid,
            "sum" => Gate::Sum,
            "mean" => Gate::Mean,
            other => panic!("no gate `{other}`: the table and its reader disagree"),
        }
    }

    /// Whether a query is read.
    pub fn has_query(self) -> bool {
        matches!(self, Gate::Softmax | Gate::Sigmoid)
    }
}

/// A mix with its types known.
#[derive(Debug)]
pub struct Mix {
    gate: Gate,
    /// Numbers of the query.
    query: Option<Dim>,
    values: usize,
    output: TensorType,
}

impl Mix {
    /// `inputs`: the query first where the gate reads one, then at least one value.
    pub fn new(gate: Gate, inputs: &[TensorType]) -> std::result::Result<Mix, OpError> {
        let (query, values) = match (gate.has_query(), inputs) {
            (true, [query, values @ ..]) if !values.is_empty() => (Some(size(query)?), values),
            (false, values) if !values.is_empty() => (None, values),
            _ => return Err(OpError::new("mixes no values").help("give it the query, then the values to mix")),
        };
        Ok(Mix { gate, query, values: values.len(), output: TensorType::Dense(input::same_shape(values)?) })
    }
}

/// Numbers per sample; columns are used as the numbers that stand in them.
fn size(query: &TensorType) -> std::result::Result<Dim, OpError> {
    match query {
        TensorType::Dense(dims) => input::product(dims.iter().copied()),
        TensorType::Fields(Fields(columns)) => Ok(columns.as_ref().map_or(Dim::Open, |c| Dim::Known(c.len()))),
    }
}

impl Op for Mix {
    fn name(&self) -> &'static str {
        "mix"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn weights(&self) -> Vec<WeightDef> {
        let gate = |query| WeightDef::trained("gate.weight", [self.values.into(), query], Init::FanIn);
        self.query.map(gate).into_iter().collect()
    }

    fn macs(&self) -> Option<u64> {
        match self.query {
            Some(query) => input::count([self.values.into(), query]),
            None => Some(0),
        }
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let total = |values: &[Tensor]| values[1..].iter().try_fold(values[0].clone(), |sum, v| sum + v);
        let gates = match self.gate {
            Gate::Sum => return total(inputs),
            Gate::Mean => return total(inputs)? / inputs.len() as f64,
            Gate::Softmax => softmax(&self.logits(&inputs[0], &weights[0])?)?,
            Gate::Sigmoid => {
                let logits = self.logits(&inputs[0], &weights[0])?;
                if path::own_kernel(&logits) { kernel::apply1(Gates, &logits)? } else { sigmoid_composed(&logits)? }
            }
        };
        let parts = inputs[1..].iter().enumerate().map(|(i, value)| weigh(&gates, i, value));
        total(&parts.collect::<Result<Vec<_>>>()?)
    }
}

impl Mix {
    fn logits(&self, query: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let query = per_sample(query)?.to_dtype(weight.dtype())?;
        if path::own_kernel(&query) {
            return kernel::apply2(kernel::linear::Linear { relu: false }, &query, weight);
        }
        query.matmul(&weight.t()?)
    }
}

/// `value[s, ...] * gates[s, i]`.
fn weigh(gates: &Tensor, i: usize, value: &Tensor) -> Result<Tensor> {
    if path::own_kernel(value) {
        return kernel::apply2(Weigh { i }, gates, value);
    }
    let mut along = vec![1; value.rank()];
    along[0] = gates.dim(0)?;
    value.broadcast_mul(&gates.narrow(1, i, 1)?.reshape(along)?)
}

/// Gates `[n, values]` and one value `[n, ...]`.
struct Weigh {
    i: usize,
}

impl Kernel<2> for Weigh {
    const NAME: &'static str = "mix";

    fn forward<T: Real>(&self, [gates, value]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        Ok((self.scaled(gates, value.data, value.per_sample()), value.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [gates, value]: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let (count, len) = (gates.dims[1], value.per_sample());
        let dgates = wanted[0].then(|| {
            let mut dgates = vec![T::zero(); gates.data.len()];
            let samples = value.data.par_chunks(len).zip(dy.par_chunks(len));
            dgates.par_chunks_mut(count).zip(samples).for_each(|(d, (value, dy))| {
                d[self.i] = T::of(kernel::real::sum_products(dy, value, T::zero()));
            });
            dgates
        });
        Ok([dgates, wanted[1].then(|| self.scaled(gates, dy, len))])
    }
}

impl Weigh {
    fn scaled<T: Real>(&self, gates: View<T>, values: &[T], len: usize) -> Vec<T> {
        let mut y = kernel::buffer(values.len());
        let rows = values.par_chunks(len).zip(gates.data.par_chunks(gates.dims[1]));
        y.par_chunks_mut(len).zip(rows).for_each(|(y, (v, g))| {
            for (y, v) in y.iter_mut().zip(v) {
                *y = *v * g[self.i];
            }
        });
        y
    }
}

/// Sigmoid gates.
struct Gates;

impl Kernel<1> for Gates {
    const NAME: &'static str = "gates";

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        Ok((kernel::map(x.data, sigmoid), x.dims.into()))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], y: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        Ok([Some(kernel::map3(x.data, y.data, dy, |_, y, g| g * y * (T::one() - y)))])
    }
}
