//! Loss weightings, one file each: how the losses of several tasks become one step.
//!
//! Without one, the total is L = sum_k alpha_k L_k with the weights that the tasks declare (LTB, equation 1). A weighting sees
//! alpha_k L_k as the loss of task k and gives a factor on it, anew at every step: from the losses alone, or from the inner products
//! of the tasks' gradients in the weights that they share. Methods that project gradients give sums of the tasks' gradients, so that
//! a factor per task says all of them.
//!
//! **Scale.** The total is a sum over tasks. What is published for a mean over K tasks, or with weights that sum to 1, is taken K
//! times, so that changing the weighting does not change the learning rate; `static` is then the common limit.
//!
//! **Who takes part.** A task whose `weight` is 0 takes no part. One without a label in a batch takes no part in that step: its factor
//! does not matter, and what is carried for it stays.
//!
//! Adding a weighting: a file here with a `pub static DEF: WeightingDef` and a [`Rule`], and a line in [`weightings`].

mod cagrad;
mod declared;
mod dwa;
mod equal;
mod famo;
mod gradnorm;
mod pcgrad;
mod rlw;
mod uncertainty;

use candle_core::{Device, Result, Tensor, Var, bail};

use super::{Gradients, Missing, Optimizer};
use crate::objective::TaskKind;
use crate::random::Randomness;
use crate::schema::{Args, AttrDef, Call, CallDef, Need};

/// An entry of the table of weightings.
pub struct WeightingDef {
    pub call: CallDef,
    pub paper: &'static str,
    pub needs: Needs,
    make: fn(&Args, &Setting) -> Result<Box<dyn Rule>>,
}

/// What a rule must be told, and so what a step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: factors that are fixed.
    Nothing,
    /// The losses of the batch.
    Losses,
    /// These and, after the step, those of the same batch again: one more forward pass.
    LossesTwice,
    /// Inner products of the tasks' gradients: a backward pass for each of the K tasks.
    Gradients(Over),
}

/// The weights in which gradients are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All that the gradients of two tasks or more reach.
    Shared,
    /// Of the last layer that all tasks reach.
    LastShared,
}

/// A task of the network that is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    pub kind: TaskKind,
    /// As declared; 0 takes no part.
    pub weight: f64,
}

/// What a rule is made for.
pub struct Setting<'a> {
    pub tasks: &'a [Goal],
    /// Of the network's weights.
    pub optimizer: &'a Call,
    pub random: Randomness,
}

/// What a rule is told of a step. Slices go by task.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// From 1.
    pub step: u64,
    /// From 1.
    pub epoch: usize,
    /// The schedule's factor on the weights' learning rate.
    pub schedule: f64,
    /// Declared weight times the loss on the batch.
    pub losses: &'a [f64],
    /// Takes part in this step.
    pub present: &'a [bool],
    /// Where the rule needs gradients.
    pub gradients: Option<&'a Products>,
}

/// Inner products of the tasks' gradients, of declared weight times loss, over some of the weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Products {
    /// `[K][K]`
    pub inner: Vec<Vec<f64>>,
    /// Tasks whose gradient reaches these weights.
    pub reach: Vec<bool>,
}

/// What a step comes to. Both go by task and multiply the gradient of declared weight times loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// In weights that several tasks reach.
    pub shared: Vec<f64>,
    /// In weights of its own.
    pub own: Vec<f64>,
}

impl Factors {
    /// The same everywhere: factors on losses.
    pub fn alike(factors: Vec<f64>) -> Factors {
        Factors { shared: factors.clone(), own: factors }
    }
}

/// How factors are found. What a rule carries from one step to the next it gives to [`Rule::save`].
pub trait Rule {
    fn factors(&mut self, seen: &Seen) -> Result<Factors>;

    /// The losses of the same batch after the step, for [`Needs::LossesTwice`].
    fn after(&mut self, _losses: &[f64]) -> Result<()> {
        Ok(())
    }

    /// By name, for a state.
    fn save(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(Vec::new())
    }

    /// Takes back what [`Rule::save`] gave.
    fn load(&mut self, _saved: &[(String, Tensor)]) -> Result<()> {
        Ok(())
    }
}

static TABLE: &[&WeightingDef] = &[
    &declared::DEF,
    &equal::DEF,
    &uncertainty::DEF,
    &dwa::DEF,
    &gradnorm::DEF,
    &pcgrad::DEF,
    &cagrad::DEF,
    &rlw::DEF,
    &famo::DEF,
];

/// All weightings, in the order of the reference.
pub fn weightings() -> &'static [&'static WeightingDef] {
    TABLE
}

pub fn find_weighting(name: &str) -> Option<&'static WeightingDef> {
    weightings().iter().copied().find(|d| d.call.name == name)
}

/// For `Ty::Call`.
pub fn weighting_calls() -> Vec<&'static CallDef> {
    weightings().iter().map(|d| &d.call).collect()
}

impl WeightingDef {
    /// The rule of a call of this entry.
    pub fn rule(&self, args: &Args, setting: &Setting) -> Result<Box<dyn Rule>> {
        (self.make)(args, setting)
    }
}

/// A number per task, trained beside the network.
struct Numbers {
    names: Vec<String>,
    vars: Vec<Var>,
    optimizer: Optimizer,
}

impl Numbers {
    fn new(call: &Call, start: f64, tasks: usize) -> Result<Numbers> {
        let names: Vec<String> = (0..tasks).map(|i| format!("task {i}")).collect();
        let vars: Vec<Var> = names.iter().map(|_| Var::new(&[start], &Device::Cpu)).collect::<Result<_>>()?;
        let named: Vec<(&str, &Var)> = names.iter().map(String::as_str).zip(&vars).collect();
        let optimizer = Optimizer::new(call, &named)?;
        Ok(Numbers { names, vars, optimizer })
    }

    fn values(&self) -> Result<Vec<f64>> {
        self.vars.iter().map(|v| Ok(v.to_vec1::<f64>()?[0])).collect()
    }

    fn set(&self, values: &[f64]) -> Result<()> {
        self.vars.iter().zip(values).try_for_each(|(var, v)| var.set(&Tensor::new(&[*v], &Device::Cpu)?))
    }

    /// One step down these gradients, at the optimiser's rate times `factor`; a task without a gradient stays as it is.
    fn step(&mut self, gradients: &[Option<f64>], factor: f64) -> Result<()> {
        let named: Vec<(&str, &Var)> = self.names.iter().map(String::as_str).zip(&self.vars).collect();
        let all = gradients.iter().map(|g| g.map(|g| Tensor::new(&[g], &Device::Cpu)).transpose());
        let gradients = Gradients::new(all.collect::<Result<_>>()?);
        self.optimizer.step(&named, &gradients, self.optimizer.lr() * factor, Missing::Skip)
    }

    fn save(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = vec![numbers("values", &self.values()?)?];
        all.extend(self.optimizer.state()?.into_iter().map(|(n, t)| (format!("optimizer/{n}"), t)));
        Ok(all)
    }

    fn load(&mut self, saved: &[(String, Tensor)]) -> Result<()> {
        self.set(&restored(saved, "values", self.vars.len())?)?;
        let inner = saved.iter().filter_map(|(n, t)| Some((n.strip_prefix("optimizer/")?.to_string(), t.clone())));
        self.optimizer.load_state(&inner.collect::<Vec<_>>())
    }
}

/// Numbers as a tensor of a state.
fn numbers(name: &str, values: &[f64]) -> Result<(String, Tensor)> {
    Ok((name.to_string(), Tensor::from_vec(values.to_vec(), values.len(), &Device::Cpu)?))
}

/// The numbers of that name in a state.
fn restored(saved: &[(String, Tensor)], name: &str, count: usize) -> Result<Vec<f64>> {
    match saved.iter().find(|(n, _)| n == name) {
        Some((_, t)) if t.dims() == [count] => t.to_vec1::<f64>(),
        _ => bail!("the saved state has no {count} numbers `{name}` of the loss weighting"),
    }
}

/// exp(x_k) / sum over those that take part; 0 for the others.
fn softmax(values: &[f64], takes_part: &[bool]) -> Vec<f64> {
    let among = || values.iter().zip(takes_part).filter(|(_, t)| **t).map(|(v, _)| *v);
    let max = among().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = among().map(|v| (v - max).exp()).sum();
    values.iter().zip(takes_part).map(|(v, t)| if *t { (v - max).exp() / sum } else { 0.0 }).collect()
}

/// Tasks that take part at all.
fn counted(tasks: &[Goal]) -> Vec<bool> {
    tasks.iter().map(|t| t.weight > 0.0).collect()
}

fn count(flags: &[bool]) -> f64 {
    flags.iter().filter(|f| **f).count() as f64
}

/// `optimizer`, of what a weighting trains by itself.
const fn optimizer(need: Need, doc: &'static str) -> AttrDef {
    AttrDef { name: "optimizer", ty: crate::schema::Ty::Call(super::optimizer_calls), need, doc }
}
