//! Optimisers, one file each, with clipping ([`Gradients`]), [`schedule`]s of the learning rate, and [`weighting`]s of the losses.
//!
//! Update rules are PyTorch's, term by term. On the CPU each weight is updated in place in one pass over weight, gradient and
//! state, on a GPU all of them in one launch; elsewhere the same rule is composed of tensor operations. Weights are walked in the order in which they
//! are given, and every element is computed on its own, so results do not depend on hash order or on the number of threads.
//!
//! Adding an optimiser: a file here with a `pub static DEF: OptimizerDef` and a [`Rule`], and a line in [`optimizers`].

mod adam;
mod adamw;
#[cfg(feature = "cuda")]
mod cuda;
mod gradients;
mod host;
pub mod schedule;
mod sgd;
pub mod weighting;

use std::collections::BTreeMap;
use std::fmt::Debug;

use candle_core::{DType, Device, Result, Tensor, Var, bail};

use crate::schema::{Args, AttrDef, Call, CallDef, NON_NEGATIVE, Need};
pub use gradients::{Gradient, Gradients};
use host::Host;
pub use schedule::{Schedule, ScheduleDef, Span, find_schedule, schedules};

/// An entry of the table of optimisers.
pub struct OptimizerDef {
    pub call: CallDef,
    /// What types alone cannot say.
    pub check: fn(&Args) -> std::result::Result<(), Refusal>,
    make: fn(&Args) -> Box<dyn Rule>,
}

/// An argument that its neighbours rule out, for a diagnostic at that argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub argument: &'static str,
    /// "needs a momentum above 0"
    pub message: String,
}

impl Refusal {
    pub fn new(argument: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { argument, message: message.into() }
    }
}

static TABLE: &[&OptimizerDef] = &[&sgd::DEF, &adam::DEF, &adamw::DEF];

/// All optimisers, in the order of the reference.
pub fn optimizers() -> &'static [&'static OptimizerDef] {
    TABLE
}

pub fn find_optimizer(name: &str) -> Option<&'static OptimizerDef> {
    optimizers().iter().copied().find(|d| d.call.name == name)
}

/// For `Ty::Call`.
pub fn optimizer_calls() -> Vec<&'static CallDef> {
    optimizers().iter().map(|d| &d.call).collect()
}

/// How many numbers an optimiser keeps for every weight. Of a call that is no optimiser: none.
pub fn slots(call: &Call) -> usize {
    find_optimizer(call.name).map_or(0, |d| (d.make)(&call.args).slots().len())
}

/// What a step does with a weight that the loss did not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// As if its gradient were zero: moments and weight decay advance.
    Zero,
    /// Weight, state and the weight's own count of steps stay as they are.
    Skip,
}

/// What a rule needs to know beside weight, gradient and state.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Learning rate of this step.
    lr: f64,
    /// This weight's updates, this one included: from 1.
    step: u64,
    /// Factor on the gradient, from clipping.
    scale: f64,
}

/// How one weight is updated. State starts at zero, in the weight's shape and dtype.
trait Rule: Debug + Send + Sync {
    /// Names of the state tensors, two at most.
    fn slots(&self) -> &'static [&'static str];

    /// In place, on slices of one length; slots that the rule does not have are empty.
    fn f32(&self, at: Moment, weight: &mut [f32], grad: &[f32], slots: [&mut [f32]; 2]);

    /// See [`Rule::f32`].
    fn f64(&self, at: Moment, weight: &mut [f64], grad: &[f64], slots: [&mut [f64]; 2]);

    /// Whether a weight without a gradient stays to the last bit as long as its state is all zeros, which stay too.
    fn rests(&self) -> bool;

    /// The same by tensor operations, for any device: gives the new weight and replaces the slots.
    fn tensors(&self, at: Moment, weight: &Tensor, grad: &Tensor, slots: &mut [Tensor]) -> Result<Tensor>;

    /// The same as a kernel of `ops/cuda/kernels.cu` and its factors; [`Moment::scale`] is not among them.
    #[cfg(feature = "cuda")]
    fn cuda(&self, at: Moment) -> cuda::Update;
}

/// State of one weight.
#[derive(Debug)]
struct State {
    name: String,
    shape: Vec<usize>,
    device: Device,
    step: u64,
    slots: Slots,
}

#[derive(Debug)]
enum Slots {
    F32(Host<f32>),
    F64(Host<f64>),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Slots),
    /// Other devices and dtypes.
    Tensors(Vec<Tensor>),
}

/// An optimiser with the state of its weights.
#[derive(Debug)]
pub struct Optimizer {
    rule: Box<dyn Rule>,
    lr: f64,
    states: Vec<State>,
    by_name: BTreeMap<String, usize>,
    /// Weights on a GPU whose update is to be launched with the others'.
    #[cfg(feature = "cuda")]
    together: cuda::Together,
}

impl Optimizer {
    /// Panics on a call that is no optimiser: checking has seen to that.
    pub fn new(call: &Call, weights: &[(&str, &Var)]) -> Result<Optimizer> {
        let def = find_optimizer(call.name).unwrap_or_else(|| panic!("`{}` is no optimiser", call.name));
        if let Err(refusal) = (def.check)(&call.args) {
            bail!("{}: {} {}", call.name, refusal.argument, refusal.message)
        }
        let rule = (def.make)(&call.args);
        let (mut states, mut by_name) = (Vec::with_capacity(weights.len()), BTreeMap::new());
        for (name, var) in weights {
            if by_name.insert(name.to_string(), states.len()).is_some() {
                bail!("two weights are named {name}")
            }
            let (elements, used) = (var.elem_count(), rule.slots().len());
            let slots = match var.dtype() {
                DType::F32 if on_host(var) => Slots::F32(Host::new(elements, used)),
                DType::F64 if on_host(var) => Slots::F64(Host::new(elements, used)),
                #[cfg(feature = "cuda")]
                _ if cuda::can(var) => Slots::Cuda(cuda::Slots::new(var, used)?),
                _ => Slots::Tensors((0..used).map(|_| var.zeros_like()).collect::<Result<_>>()?),
            };
            let shape = var.dims().to_vec();
            states.push(State { name: name.to_string(), shape, device: var.device().clone(), step: 0, slots });
        }
        Ok(Optimizer {
            rule,
            lr: call.args.float("lr"),
            states,
            by_name,
            #[cfg(feature = "cuda")]
            together: cuda::Together::default(),
        })
    }

    /// The `lr` as written; a schedule multiplies it.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// One step over these weights, in this order. `grads[i]` is the i-th weight's; `lr` is this step's rate. A weight not
    /// given here is left alone, as under [`Missing::Skip`].
    pub fn step(&mut self, weights: &[(&str, &Var)], grads: &Gradients, lr: f64, missing: Missing) -> Result<()> {
        self.begin(weights, lr).finish(grads, missing)
    }

    /// A step that takes gradients as they come.
    pub fn begin<'a>(&'a mut self, weights: &'a [(&'a str, &'a Var)], lr: f64) -> Step<'a> {
        Step { optimizer: self, weights, lr, done: vec![false; weights.len()] }
    }

    fn update(
        &mut self,
        i: usize,
        (name, var): (&str, &Var),
        grad: Option<&Gradient>,
        lr: f64,
        scale: f64,
    ) -> Result<()> {
        // Usually the order is the one of `new`.
        let at = match self.states.get(i) {
            Some(state) if state.name == name => i,
            _ => match self.by_name.get(name) {
                Some(at) => *at,
                None => bail!("the optimiser has no weight named {name}"),
            },
        };
        let state = &mut self.states[at];
        if state.shape != var.dims() || grad.is_some_and(|g| g.dims() != var.dims()) {
            let grad = grad.map(Gradient::dims);
            bail!("weight {name}: state is {:?}, weight {:?}, gradient {grad:?}", state.shape, var.dims())
        }
        state.step += 1;
        let moment = Moment { lr, step: state.step, scale };
        let rule = self.rule.as_ref();
        match &mut state.slots {
            Slots::F32(slots) => slots.update(var, grad, rule.rests(), |w, g, s| rule.f32(moment, w, g, s)),
            Slots::F64(slots) => slots.update(var, grad, rule.rests(), |w, g, s| rule.f64(moment, w, g, s)),
            #[cfg(feature = "cuda")]
            Slots::Cuda(slots) => self.together.add(var, grad.map(Gradient::tensor), slots, rule.cuda(moment)),
            Slots::Tensors(slots) => {
                let weight = var.as_tensor().detach();
                let grad = match grad {
                    Some(g) => g.tensor().detach().to_dtype(weight.dtype())?,
                    None => weight.zeros_like()?,
                };
                let grad = if moment.scale == 1.0 { grad } else { grad.affine(moment.scale, 0.0)? };
                var.set(&rule.tensors(moment, &weight, &grad, slots)?.contiguous()?)
            }
        }
    }

    /// All state, in the order of the weights: `NAME/step` (i64 scalar), then `NAME/SLOT` in the weight's shape.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = Vec::new();
        for state in &self.states {
            let name = &state.name;
            all.push((format!("{name}/step"), Tensor::new(state.step as i64, &Device::Cpu)?));
            for (i, slot) in self.rule.slots().iter().enumerate() {
                let tensor = match &state.slots {
                    Slots::F32(host) => host.save(i, &state.shape)?,
                    Slots::F64(host) => host.save(i, &state.shape)?,
                    #[cfg(feature = "cuda")]
                    Slots::Cuda(slots) => slots.save(i, &state.shape, &state.device)?,
                    Slots::Tensors(tensors) => tensors[i].clone(),
                };
                all.push((format!("{name}/{slot}"), tensor));
            }
        }
        Ok(all)
    }

    /// Puts back what [`Optimizer::state`] gave, in any order. Fails, and changes nothing, if a name is missing or unknown, or
    /// a shape or dtype differs.
    pub fn load_state(&mut self, saved: &[(String, Tensor)]) -> Result<()> {
        let mut expected = BTreeMap::new();
        for (name, tensor) in self.state()? {
            expected.insert(name, tensor);
        }
        let mut given = BTreeMap::new();
        for (name, tensor) in saved {
            match expected.get(name) {
                None => bail!("optimiser state {name} belongs to no weight"),
                Some(e) if e.dims() != tensor.dims() || e.dtype() != tensor.dtype() => bail!(
                    "optimiser state {name} is {:?} {:?}, not {:?} {:?}",
                    tensor.dtype(),
                    tensor.dims(),
                    e.dtype(),
                    e.dims()
                ),
                Some(_) => given.insert(name.as_str(), tensor),
            };
        }
        if let Some(name) = expected.keys().find(|name| !given.contains_key(name.as_str())) {
            bail!("no optimiser state {name}")
        }
        for state in &mut self.states {
            let name = &state.name;
            state.step = given[format!("{name}/step").as_str()].to_scalar::<i64>()? as u64;
            for (i, slot) in self.rule.slots().iter().enumerate() {
                let tensor = given[format!("{name}/{slot}").as_str()];
                match &mut state.slots {
                    Slots::F32(host) => host.load(i, tensor)?,
                    Slots::F64(host) => host.load(i, tensor)?,
                    #[cfg(feature = "cuda")]
                    Slots::Cuda(slots) => slots.load(i, tensor)?,
                    Slots::Tensors(tensors) => tensors[i] = tensor.to_device(&state.device)?.copy()?,
                }
            }
        }
        Ok(())
    }
}

/// A step of an optimiser under way: weights whose gradient came early have made theirs.
pub struct Step<'a> {
    optimizer: &'a mut Optimizer,
    weights: &'a [(&'a str, &'a Var)],
    lr: f64,
    done: Vec<bool>,
}

impl Step<'_> {
    /// The i-th weight makes its step; nothing may read its old value any more. Its gradient need not be kept. On a GPU it waits
    /// for the others, and clipping may not follow.
    pub fn take(&mut self, i: usize, grad: &Gradient) -> Result<()> {
        self.done[i] = true;
        self.optimizer.update(i, self.weights[i], Some(grad), self.lr, 1.0)
    }

    /// All others.
    pub fn finish(self, grads: &Gradients, missing: Missing) -> Result<()> {
        if grads.len() != self.weights.len() {
            bail!("{} gradients for {} weights", grads.len(), self.weights.len())
        }
        for (i, weight) in self.weights.iter().enumerate() {
            let grad = grads.gradient(i);
            if !self.done[i] && (grad.is_some() || missing == Missing::Zero) {
                self.optimizer.update(i, *weight, grad, self.lr, grads.scale())?;
            }
        }
        #[cfg(feature = "cuda")]
        std::mem::take(&mut self.optimizer.together).run(grads.scale_on_device(self.weights)?.as_ref())?;
        Ok(())
    }
}

/// Whether the in-place pass can take it.
fn on_host(var: &Var) -> bool {
    var.device().is_cpu() && var.is_contiguous()
}

/// `lr`, the first argument of every optimiser.
const LR: AttrDef =
    AttrDef { name: "lr", ty: NON_NEGATIVE, need: Need::Required, doc: "Learning rate; a schedule multiplies it." };

/// `weight_decay`
const fn weight_decay(default: &'static str, doc: &'static str) -> AttrDef {
    AttrDef { name: "weight_decay", ty: NON_NEGATIVE, need: Need::Default(default), doc }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Value;
    use crate::source::{FileId, Span, Spanned};

    fn args(values: &[(&'static str, f64)]) -> Args {
        let mut args = Args::default();
        for (name, value) in values {
            let value = if *name == "nesterov" { Value::Bool(*value != 0.0) } else { Value::Float(*value) };
            args.set(name, Spanned { value, span: Span::new(FileId(0), 0, 0) }, true);
        }
        args
    }

    /// The two ways of a rule, in f64: what other devices compose is what the CPU does in place.
    #[test]
    fn tensor_operations_give_what_the_pass_in_place_gives() {
        let sgd = |momentum, decay, nesterov, dampening| {
            args(&[("momentum", momentum), ("weight_decay", decay), ("nesterov", nesterov), ("dampening", dampening)])
        };
        let adam = |decay| args(&[("beta1", 0.8), ("beta2", 0.95), ("eps", 1e-3), ("weight_decay", decay)]);
        let cases = [
            (&sgd::DEF, sgd(0.0, 0.1, 0.0, 0.0)),
            (&sgd::DEF, sgd(0.9, 0.1, 0.0, 0.3)),
            (&sgd::DEF, sgd(0.9, 0.0, 1.0, 0.0)),
            (&adam::DEF, adam(0.0)),
            (&adam::DEF, adam(0.1)),
            (&adamw::DEF, adam(0.1)),
        ];
        for (def, args) in cases {
            let rule = (def.make)(&args);
            let mut weight = [0.5, -1.0, 2.0];
            let mut slots = [vec![0.0; 3], vec![0.0; 3]];
            let mut tensor = Tensor::new(&weight, &Device::Cpu).unwrap();
            let mut tensors: Vec<Tensor> = rule.slots().iter().map(|_| tensor.zeros_like().unwrap()).collect();
            for step in 1..=4 {
                let at = Moment { lr: 0.1, step, scale: 1.0 };
                let grad = [0.3 * step as f64, -0.7, 0.1 - step as f64];
                let [first, second] = slots.each_mut().map(Vec::as_mut_slice);
                rule.f64(at, &mut weight, &grad, [first, second]);
                tensor = rule.tensors(at, &tensor, &Tensor::new(&grad, &Device::Cpu).unwrap(), &mut tensors).unwrap();
                for (a, b) in tensor.to_vec1::<f64>().unwrap().iter().zip(weight) {
                    assert!((a - b).abs() < 1e-14, "{} {args:?} at {step}: {a} is not {b}", def.call.name);
                }
            }
        }
    }
}
