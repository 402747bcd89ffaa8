//! Stretches of the plan that are forgotten and run again on the way back: the same numbers, bit by bit, wherever they begin and end.

use std::ops::Range;

use candle_core::Tensor;
use mtlc::plan::Plan;
use mtlc::plan::memory::waves;
use mtlc::plan::passes::Switches;
use mtlc::runtime::back::Learned;
use mtlc::runtime::fit::losses;
use mtlc::runtime::model::{Decided, Mode};
use mtlc::runtime::tape::Observer;

use super::{ROUTE_GATES, Setting, by_tape, hard, programs, trained_by, values};

/// Ways to forget a plan: all at once, all but the end, step by step, and in thirds with gaps. Siblings, which run as one, are not
/// parted: stretches then end where waves do, as those that `recompute` chooses always do.
fn stretches(plan: &Plan) -> Vec<Vec<Range<usize>>> {
    let lists = any_stretches(plan.steps.len());
    if plan.steps.iter().all(|s| s.siblings.is_none()) {
        return lists;
    }
    let waves = waves(plan);
    let whole = |at: usize| waves.get(at).map_or(at, |w| if w.start == at { at } else { w.end });
    let list =
        |list: Vec<Range<usize>>| list.into_iter().map(|s| whole(s.start)..whole(s.end)).filter(|s| !s.is_empty());
    lists.into_iter().map(|l| list(l).collect()).collect()
}

fn any_stretches(steps: usize) -> Vec<Vec<Range<usize>>> {
    let every = |size: usize| (0..steps).step_by(size).map(|i| i..(i + size).min(steps)).collect::<Vec<_>>();
    let gaps = every(3).into_iter().step_by(2).collect();
    vec![vec![0..steps], vec![0..steps * 2 / 3], every(1), every(4), every(7), gaps]
}

fn bits(v: &[f32]) -> Vec<u32> {
    v.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn forgotten_stretches_change_no_bit_of_a_step() {
    let each = |(name, text)| [Switches::all(), Switches::without(["siblings"])].map(|s| (name, text, s));
    for (name, text, switches) in programs::ALL.into_iter().flat_map(each) {
        let checked = programs::check(text);
        let network = programs::network(&checked);
        let mut s = Setting::with(checked, &network, 1, &switches);
        let start = s.model.snapshot().expect("a copy");
        for state in 0..4 {
            s.model.plan.forgotten.clear();
            let (loss, expected) = by_tape(&s, state);
            let after = s.model.snapshot().expect("a copy");
            for forgotten in stretches(&s.model.plan) {
                s.model.restore(&start).expect("restored");
                s.model.plan.forgotten = forgotten.clone();
                let (found_loss, found) = by_tape(&s, state);
                let place = format!("{name}, state {state}, without {forgotten:?}");
                assert_eq!(loss.to_bits(), found_loss.to_bits(), "{place}: the loss");
                for ((weight, a), (_, b)) in expected.iter().zip(&found) {
                    assert!(bits(a) == bits(b), "{place}: the gradient of {weight}");
                }
                for ((a, b), n) in after.iter().zip(&s.model.vars).zip(&s.model.symbols.weights) {
                    assert!(bits(&values(a)) == bits(&values(b.as_tensor())), "{place}: `{n}` after the pass");
                }
            }
            s.model.restore(&start).expect("restored");
        }
    }
}

/// Gradients of each output's loss by itself, and of choices, as one list.
fn each(s: &Setting, decided: &[Decided], mode: Mode) -> Vec<Vec<f32>> {
    let tape = s.model.record(&s.fed.inputs, decided, mode).expect("forward");
    let (_, each) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &tape.outputs, |_| 0).expect("losses");
    let learned = tape.backward_each(&each).expect("backward");
    let list = |l: &Learned| {
        let weights = (0..l.weights.len()).map(|i| l.weights.get(i).map(values).unwrap_or_default());
        let choices = l.choices.iter().map(|c| c.iter().flatten().map(|v| *v as f32).collect());
        weights.chain(choices).collect::<Vec<Vec<f32>>>()
    };
    learned.iter().flat_map(list).collect()
}

#[test]
fn several_ways_back_run_them_again_each() {
    for (name, text) in programs::ALL {
        let mut s = Setting::new(text, 2);
        let decided: Vec<Decided> =
            s.decided(1).into_iter().map(|(index, _)| Decided { index, probs: None, mask: None }).collect();
        let expected = each(&s, &decided, s.mode(1));
        for forgotten in stretches(&s.model.plan) {
            s.model.plan.forgotten = forgotten.clone();
            assert!(each(&s, &decided, s.mode(1)) == expected, "{name}, without {forgotten:?}");
        }
    }
}

#[test]
fn routes_run_again_as_they_ran() {
    for gate in ROUTE_GATES {
        let mut s = Setting::new(&programs::ROUTES.replace("GATE", gate), 1);
        let choices = s.model.plan.choices.len();
        let masks: Vec<Decided> = (0..choices)
            .map(|c| match s.model.plan.is_route(c) {
                true => Decided::relaxed((0..3).map(|i| [0.9, 0.0, 0.6][(i + c) % 3]).collect()),
                false => Decided::hard(c % 3),
            })
            .collect();
        for decided in [hard(&s, 1), hard(&s, 2), masks] {
            let mode = Mode { idle: false, ..s.mode(0) };
            s.model.plan.forgotten.clear();
            let expected = each(&s, &decided, mode);
            assert!(expected.iter().flatten().any(|v| *v != 0.0), "{gate}: no gradient at all");
            for forgotten in stretches(&s.model.plan) {
                s.model.plan.forgotten = forgotten.clone();
                assert!(each(&s, &decided, mode) == expected, "{gate}, without {forgotten:?}");
            }
        }
    }
}

/// Weights that make their step as soon as they have their gradient are read no more by what runs again.
#[test]
fn training_comes_to_the_same_weights() {
    for (name, text) in programs::ALL {
        let plan = Setting::new(text, 5).model.plan;
        let expected = trained_by(text, 2, 12, &[]);
        for (i, forgotten) in stretches(&plan).into_iter().enumerate() {
            let found = trained_by(text, [1, 2, 4][i % 3], 12, &forgotten);
            for ((weight, a), (_, b)) in expected.iter().zip(&found) {
                assert!(bits(a) == bits(b), "{name}, without {forgotten:?}: `{weight}`");
            }
        }
    }
}

/// How often steps ran forward.
struct Count(usize);

impl Observer for Count {
    fn forward(&mut self, _: usize, _: f64, _: &Tensor) {
        self.0 += 1;
    }

    fn backward(&mut self, _: usize, _: f64) {}
}

#[test]
fn what_is_forgotten_runs_twice_and_nothing_else() {
    let mut s = Setting::new(programs::ALL[1].1, 1);
    let steps = s.model.plan.steps.len();
    #[allow(clippy::single_range_in_vec_init)]
    for (forgotten, again) in [(vec![], 0), (vec![2..9], 7), (vec![0..4, 6..8], 6), (vec![0..steps], steps)] {
        s.model.plan.forgotten = forgotten;
        let mut count = Count(0);
        let tape = s.model.record_observed(&s.fed.inputs, &[], s.mode(1), Some(&mut count)).expect("forward");
        assert_eq!(count.0, steps);
        let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &tape.outputs, |_| 0).expect("losses");
        tape.backward_observed(&total, Some(&mut count)).expect("backward");
        assert_eq!(count.0, steps + again);
    }
}
