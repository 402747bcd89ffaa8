//! `mix(gate)`: how a reader of several copies combines them: gates of MMoE (Ma et al. 2018), CGC and PLE (Tang et al. 2020)
//! and MTNAS, or their plain sum or mean.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::flatten::per_sample;
use super::kernel::{self, Kernel, Real, View};
use super::sigmoid::{composed as sigmoid_composed, sigmoid};
use super::softmax::softmax;
use super::{Arity, Dim, Fields, Held, Init, Op, OpDef, OpError, Pass, TensorType, WeightDef, input, path};
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

    fn held(&self) -> Held {
        // Values times their gates.
        let parts = if self.gate.has_query() { self.values } else { 0 };
        Held::GRAPH.and(self.output.elements().map(|n| 4 * n * parts))
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let total = |values: &[Tensor]| values[1..].iter().try_fold(values[0].clone(), |sum, v| sum + v);
        let gates = match self.gate {
            Gate::Sum => return total(inputs),
            Gate::Mean => return total(inputs)? / inputs.len() as f64,
            Gate::Softmax => softmax(&logits(&inputs[0], &weights[0])?)?,
            Gate::Sigmoid => sigmoids(&logits(&inputs[0], &weights[0])?)?,
        };
        let parts = inputs[1..].iter().enumerate().map(|(i, value)| weigh(&gates, i, value));
        total(&parts.collect::<Result<Vec<_>>>()?)
    }
}

/// `W q` of every sample: `[n, gates]` for `query` `[n, ...]` and `weight` `[gates, numbers of the query]`.
fn logits(query: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let query = per_sample(query)?.to_dtype(weight.dtype())?;
    if path::own_kernel(&query) {
        return kernel::apply2(kernel::linear::Linear { relu: false }, &query, weight);
    }
    query.matmul(&weight.t()?)
}

/// Sigmoid gates of their logits.
fn sigmoids(logits: &Tensor) -> Result<Tensor> {
    if path::own_kernel(logits) { kernel::apply1(Gates, logits) } else { sigmoid_composed(logits) }
}

/// What a route combines.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// Places of the members among all candidates, in order; at least one.
    pub members: &'a [usize],
    /// Their values, `[n, ...]` each.
    pub values: &'a [Tensor],
    /// The query `[n, ...]` with its gate over all candidates, `[candidates, numbers of the query]`, where the gate has one.
    pub gate: Option<(&'a Tensor, &'a Tensor)>,
    /// `[candidates]`, of the members above 0: a relaxed subset.
    pub mask: Option<&'a Tensor>,
}

/// A mix of some of the candidates. The gate has a row for every candidate, of which a subset r takes its own: a softmax is
/// normalised over r, g_i = exp(w_i q) / sum_{j in r} exp(w_j q). A subset of one is that member as it is.
///
/// A mask z in [0, 1] is a relaxed subset, whose 0 and 1 are a subset's: softmax gates become z_i exp(w_i q) over their sum,
/// sigmoid gates and `sum` are multiplied by z_i, and `mean` is the mean weighted by z. (Only the gate of a single member differs
/// from the subset's: it stays.)
pub fn combine(gate: Gate, taken: Taken) -> Result<Tensor> {
    let Taken { members, values, mask, .. } = taken;
    if let ([one], None) = (values, mask) {
        return Ok(one.clone());
    }
    let rows = Tensor::from_vec(members.iter().map(|m| *m as u32).collect(), members.len(), values[0].device())?;
    let mask = mask.map(|m| m.index_select(&rows, 0)).transpose()?;
    let from_query = || {
        let (query, weight) = taken.gate.expect("a gate with a query gets one");
        logits(query, &weight.index_select(&rows, 0)?)
    };
    let total = |parts: &[Tensor]| parts[1..].iter().try_fold(parts[0].clone(), |sum, v| sum + v);
    let shares = match (gate, &mask) {
        (Gate::Sum, None) => return total(values),
        (Gate::Mean, None) => return total(values)? / values.len() as f64,
        (Gate::Sum, Some(mask)) => mask.unsqueeze(0)?,
        (Gate::Mean, Some(mask)) => mask.broadcast_div(&mask.sum_keepdim(0)?)?.unsqueeze(0)?,
        (Gate::Softmax, None) => softmax(&from_query()?)?,
        (Gate::Softmax, Some(mask)) => softmax(&from_query()?.broadcast_add(&mask.log()?)?)?,
        (Gate::Sigmoid, None) => sigmoids(&from_query()?)?,
        (Gate::Sigmoid, Some(mask)) => sigmoids(&from_query()?)?.broadcast_mul(mask)?,
    };
    let shares = match gate {
        Gate::Softmax | Gate::Sigmoid => shares,
        Gate::Sum | Gate::Mean => shares.broadcast_as((values[0].dim(0)?, members.len()))?.contiguous()?,
    };
    let parts = values.iter().enumerate().map(|(i, value)| weigh(&shares, i, value));
    total(&parts.collect::<Result<Vec<_>>>()?)
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
