//! A loss weighting at work: what a rule of `optim::weighting` needs to know of a step, and what its factors make of the gradients.

use candle_core::{DType, Result, Tensor};

use super::RunError;
use super::back::Learned;
use super::feed::{Fed, Feed};
use super::model::Model;
use super::state::{Position, State};
use super::tape::Tape;
use crate::hir::Spec;
use crate::optim::weighting::{Factors, Goal, Needs, Over, Products, Rule, Seen, Setting, find_weighting};
use crate::optim::{Gradients, Step};
use crate::random::Randomness;
use crate::schema::{Args, Call};

/// A weighting with what it carries from step to step.
pub struct Weigher {
    rule: Box<dyn Rule>,
    needs: Needs,
    goals: Vec<Goal>,
    /// Trained weights of the model by layer, the last layer's last: for `Over::LastShared`.
    layers: Vec<Vec<usize>>,
    /// Of the step that is being done.
    present: Vec<bool>,
}

/// What a step's losses came to.
pub struct Weighed {
    pub learned: Learned,
    /// By output: on the gradient of declared weight times loss, in what is the task's own.
    pub factors: Vec<f64>,
}

impl Weigher {
    /// The `weighting` of these attributes, for a model's outputs. `optimizer` is that of the model's weights.
    pub fn new(args: &Args, optimizer: &Call, spec: &Spec, model: &Model, random: Randomness) -> Result<Weigher> {
        let goal = |task: usize| Goal { kind: spec.tasks[task].kind, weight: spec.tasks[task].weight };
        let goals: Vec<Goal> = model.plan.outputs.iter().map(|o| goal(o.task)).collect();
        let setting = Setting { tasks: &goals, optimizer, random };
        let nothing = Args::default();
        let (name, args) = args.opt_call("weighting").map_or(("static", &nothing), |c| (c.name, &c.args));
        let def = find_weighting(name).unwrap_or_else(|| panic!("`{name}` is no weighting"));
        let rule = def.rule(args, &setting)?;
        // A layer is an op with weights; a scale or a shift alone is none.
        let mut place = vec![None; model.plan.weights.len()];
        model.trained_indices().enumerate().for_each(|(at, w)| place[w] = Some(at));
        let mut layers = Vec::new();
        for s in &model.plan.steps {
            if s.weights.iter().any(|w| place[*w].is_some() && model.plan.weights[*w].shape.len() > 1) {
                layers.push(s.weights.iter().filter_map(|w| place[*w]).collect());
            }
        }
        Ok(Weigher { rule, needs: def.needs, goals, layers, present: Vec::new() })
    }

    /// Goes back from the losses. `total` is the sum of declared weight times loss, `each` the losses, by output. With a `step`,
    /// weights may make theirs on the way; what is left of it is the caller's.
    pub fn weigh(
        &mut self,
        tape: Tape,
        (total, each): (&Tensor, &[Tensor]),
        (feed, model, fed): (&Feed, &Model, &Fed),
        at: &Position,
        schedule: f64,
        step: Option<&mut Step>,
    ) -> std::result::Result<Weighed, RunError> {
        let mut seen = Seen {
            step: at.step,
            epoch: at.epoch,
            schedule,
            losses: &vec![0.0; each.len()],
            present: &vec![true; each.len()],
            gradients: None,
        };
        if self.needs == Needs::Nothing {
            let factors = self.rule.factors(&seen)?.own;
            return self.by_losses(tape, (total, each), factors, step);
        }
        self.present = self.present(feed, model, fed)?;
        let losses = self.declared(each)?;
        (seen.losses, seen.present) = (&losses, &self.present);
        let Needs::Gradients(over) = self.needs else {
            let factors = self.rule.factors(&seen)?.own;
            return self.by_losses(tape, (total, each), factors, step);
        };
        let weighted: Vec<Tensor> = each.iter().zip(&self.goals).map(|(l, g)| l * g.weight).collect::<Result<_>>()?;
        let learned = tape.backward_each(&weighted)?;
        let products = self.products(&learned, over)?;
        seen.gradients = Some(&products);
        let factors = self.rule.factors(&seen)?;
        Ok(Weighed { learned: combine(learned, &factors)?, factors: factors.own })
    }

    fn by_losses(
        &self,
        tape: Tape,
        (total, each): (&Tensor, &[Tensor]),
        factors: Vec<f64>,
        step: Option<&mut Step>,
    ) -> std::result::Result<Weighed, RunError> {
        let back = |loss: &Tensor| match step {
            Some(step) => tape.backward_into(loss, step),
            None => tape.backward(loss),
        };
        if factors.iter().all(|f| *f == 1.0) {
            return Ok(Weighed { learned: back(total)?, factors });
        }
        let mut sum: Option<Tensor> = None;
        for ((loss, goal), factor) in each.iter().zip(&self.goals).zip(&factors) {
            let part = (loss * (goal.weight * factor))?;
            sum = Some(match sum {
                None => part,
                Some(s) => (s + part)?,
            });
        }
        Ok(Weighed { learned: back(&sum.expect("a spec has tasks"))?, factors })
    }

    /// Whether the rule wants the losses of the same batch after the step.
    pub fn looks_again(&self) -> bool {
        self.needs == Needs::LossesTwice
    }

    /// Gives it them, by output.
    pub fn after(&mut self, each: &[Tensor]) -> Result<()> {
        let losses = self.declared(each)?;
        self.rule.after(&losses)
    }

    fn declared(&self, each: &[Tensor]) -> Result<Vec<f64>> {
        let value = |l: &Tensor| l.to_dtype(DType::F64)?.to_scalar::<f64>();
        each.iter().zip(&self.goals).map(|(l, g)| Ok(g.weight * value(l)?)).collect()
    }

    /// Which outputs' tasks take part in a batch: those of a weight above 0 that have a label in it.
    pub fn present(&self, feed: &Feed, model: &Model, fed: &Fed) -> Result<Vec<bool>> {
        let mut out = Vec::with_capacity(self.goals.len());
        for (o, goal) in model.plan.outputs.iter().zip(&self.goals) {
            let at = feed.tasks.iter().position(|t| *t == o.task).expect("every task is fed");
            let labelled = match &fed.masks[at] {
                Some(mask) => mask.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()? > 0.0,
                None => fed.rows > 0,
            };
            out.push(goal.weight > 0.0 && labelled);
        }
        Ok(out)
    }

    /// Inner products over the weights that count, summed in f64 in the order of the weights.
    fn products(&self, learned: &[Learned], over: Over) -> Result<Products> {
        let tasks = learned.len();
        let takes_part: Vec<usize> = (0..tasks).filter(|k| self.goals[*k].weight > 0.0).collect();
        let reached = |w: usize| takes_part.iter().filter(|k| learned[**k].weights.get(w).is_some()).count();
        let all = learned.first().map_or(0, |l| l.weights.len());
        let of_all = || self.layers.iter().rev().find(|l| l.iter().all(|w| reached(*w) == takes_part.len()));
        let weights: Vec<usize> = match (over, of_all()) {
            (Over::LastShared, Some(layer)) if takes_part.len() > 1 => layer.clone(),
            _ => (0..all).filter(|w| reached(*w) > 1).collect(),
        };
        let mut products = Products { inner: vec![vec![0.0; tasks]; tasks], reach: vec![false; tasks] };
        for w in weights {
            let mut values: Vec<Option<Vec<f32>>> = Vec::with_capacity(tasks);
            for (k, l) in learned.iter().enumerate() {
                let grad = l.weights.get(w).map(|g| g.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>());
                values.push(grad.transpose()?);
                products.reach[k] |= values[k].is_some();
            }
            for i in 0..tasks {
                for j in 0..=i {
                    let (Some(a), Some(b)) = (&values[i], &values[j]) else { continue };
                    let dot = dot(a, b);
                    products.inner[i][j] += dot;
                    if i != j {
                        products.inner[j][i] += dot;
                    }
                }
            }
        }
        Ok(products)
    }

    /// For a state.
    pub fn save(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.rule.save()?.into_iter().map(|(n, t)| (format!("weighting/{n}"), t)).collect())
    }

    pub fn load(&mut self, state: &State) -> Result<()> {
        self.rule.load(&state.part("weighting"))
    }
}

/// In f64, eight sums side by side.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += f64::from(*a) * f64::from(*b);
        }
    }
    lanes.iter().sum()
}

/// The sum of the tasks' gradients: by the shared factors where several reach a weight, else by the task's own.
fn combine(learned: Vec<Learned>, factors: &Factors) -> Result<Learned> {
    let all = learned.first().map_or(0, |l| l.weights.len());
    let mut list = Vec::with_capacity(all);
    for w in 0..all {
        let here: Vec<(usize, &Tensor)> =
            learned.iter().enumerate().filter_map(|(k, l)| Some((k, l.weights.get(w)?))).collect();
        let by = if here.len() > 1 { &factors.shared } else { &factors.own };
        let mut sum: Option<Tensor> = None;
        for (k, grad) in here {
            let part = if by[k] == 1.0 { grad.clone() } else { (grad * by[k])? };
            sum = Some(match sum {
                None => part,
                Some(s) => (s + part)?,
            });
        }
        list.push(sum);
    }
    let mut choices: Vec<Option<Vec<f64>>> = vec![None; learned.first().map_or(0, |l| l.choices.len())];
    for (l, own) in learned.iter().zip(&factors.own) {
        for (to, from) in choices.iter_mut().zip(&l.choices) {
            let Some(from) = from else { continue };
            let sum = to.get_or_insert_with(|| vec![0.0; from.len()]);
            sum.iter_mut().zip(from).for_each(|(a, b)| *a += own * b);
        }
    }
    Ok(Learned { weights: Gradients::new(list), choices })
}
