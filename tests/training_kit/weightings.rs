//! Loss weightings against the published equations, written here in plain loops over vectors, and against each other.

use mtlc::objective::TaskKind;
use mtlc::optim::find_optimizer;
use mtlc::optim::weighting::{Factors, Goal, Products, Rule, Seen, Setting, find_weighting, weightings};
use mtlc::random::Randomness;
use mtlc::schema::{Call, Value};

use crate::calls::{call, number, word};

const SEED: u64 = 11;

fn sgd(lr: f64, decay: f64) -> Call {
    let def = find_optimizer("sgd").expect("in the table");
    let zero = ("momentum", number(0.0));
    call(&def.call, &[("lr", number(lr)), zero, ("weight_decay", number(decay))])
}

fn goals() -> Vec<Goal> {
    let kinds = [TaskKind::Regression(1), TaskKind::Binary, TaskKind::Classes(Some(3))];
    kinds.into_iter().zip([1.0, 2.0, 0.5]).map(|(kind, weight)| Goal { kind, weight }).collect()
}

fn rule(name: &str, written: &[(&'static str, Value)]) -> Box<dyn Rule> {
    let def = find_weighting(name).expect("in the table");
    let optimizer = sgd(0.1, 0.0);
    let mut written = written.to_vec();
    // The table's own are Adam, whose first step says nothing of the size of a gradient.
    if matches!(name, "gradnorm" | "famo") && written.iter().all(|(n, _)| *n != "optimizer") {
        written.push(("optimizer", Value::Call(sgd(0.05, 0.01))));
    }
    let tasks = goals();
    let setting = Setting { tasks: &tasks, optimizer: &optimizer, random: Randomness::new(SEED) };
    def.rule(&call(&def.call, &written).args, &setting).expect("a rule")
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn products(gradients: &[Vec<f64>]) -> Products {
    let inner = gradients.iter().map(|a| gradients.iter().map(|b| dot(a, b)).collect()).collect();
    Products { inner, reach: vec![true; gradients.len()] }
}

/// Three gradients of which the first two conflict, and the last with both.
fn gradients() -> Vec<Vec<f64>> {
    vec![vec![1.0, 0.5, -0.2, 0.0], vec![-0.8, 0.9, 0.1, 0.3], vec![-0.1, -1.2, 0.4, -0.6]]
}

fn combined(gradients: &[Vec<f64>], factors: &[f64]) -> Vec<f64> {
    (0..gradients[0].len()).map(|d| gradients.iter().zip(factors).map(|(g, f)| f * g[d]).sum()).collect()
}

fn see(rule: &mut dyn Rule, step: u64, epoch: usize, losses: &[f64], gradients: &Products) -> Factors {
    let present = vec![true; losses.len()];
    let seen = Seen { step, epoch, schedule: 1.0, losses, present: &present, gradients: Some(gradients) };
    rule.factors(&seen).expect("factors")
}

#[track_caller]
fn near(got: &[f64], want: &[f64], far: f64) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= far * w.abs().max(1.0), "{got:?} is not {want:?}");
    }
}

#[test]
fn fixed_weights() {
    let p = products(&gradients());
    assert_eq!(see(&mut *rule("static", &[]), 1, 1, &[1.0, 2.0, 3.0], &p), Factors::alike(vec![1.0; 3]));
    // On declared weight times loss: 1/weight leaves the loss.
    assert_eq!(see(&mut *rule("equal", &[]), 1, 1, &[1.0, 2.0, 3.0], &p), Factors::alike(vec![1.0, 0.5, 2.0]));
}

/// Kendall et al.: d/dL and d/ds of c exp(-s) L + s / 2.
#[test]
fn uncertainty_follows_equations_7_and_10() {
    let (mut of, p) = (rule("uncertainty", &[]), products(&gradients()));
    let (c, mut s) = ([0.5, 1.0, 1.0], [0.0f64; 3]);
    for (step, losses) in [[0.3, 1.4, 0.9], [0.2, 1.5, 0.7], [0.1, 1.1, 0.8]].iter().enumerate() {
        let want: Vec<f64> = (0..3).map(|k| c[k] / s[k].exp()).collect();
        near(&see(&mut *of, step as u64 + 1, 1, losses, &p).own, &want, 1e-12);
        for k in 0..3 {
            s[k] -= 0.1 * (0.5 - c[k] * losses[k] / s[k].exp());
        }
    }
}

/// Liu et al. 2019, equation 7, over four epochs of two batches.
#[test]
fn dwa_follows_equation_7() {
    let (mut of, p) = (rule("dwa", &[]), products(&gradients()));
    let losses = |t: usize, b: usize| -> Vec<f64> {
        (0..3).map(|k| (2.0 + k as f64) / (t as f64).powf(0.3 + 0.4 * k as f64) + 0.1 * b as f64).collect()
    };
    let mean = |t: usize, k: usize| (losses(t, 0)[k] + losses(t, 1)[k]) / 2.0;
    for t in 1..=4 {
        for b in 0..2 {
            let w = |k: usize| if t <= 2 { 1.0 } else { mean(t - 1, k) / mean(t - 2, k) };
            let e: Vec<f64> = (0..3).map(|k| f64::exp(w(k) / 2.0)).collect();
            let want: Vec<f64> = e.iter().map(|e_k| 3.0 * e_k / e.iter().sum::<f64>()).collect();
            near(&see(&mut *of, (2 * t + b) as u64, t, &losses(t, b), &p).own, &want, 1e-12);
        }
    }
}

/// Chen et al., algorithm 1, with plain gradient descent on w.
#[test]
fn gradnorm_follows_algorithm_1() {
    let optimizer = ("optimizer", Value::Call(sgd(0.05, 0.0)));
    let mut of = rule("gradnorm", &[("alpha", number(0.7)), optimizer]);
    let mut w = [1.0f64; 3];
    let first = [0.9, 1.4, 2.0];
    for (step, losses) in [first, [0.8, 1.0, 1.9], [0.4, 0.9, 1.9]].iter().enumerate() {
        let g: Vec<Vec<f64>> =
            gradients().iter().map(|g| g.iter().map(|v| v * (1.0 + step as f64)).collect()).collect();
        near(&see(&mut *of, step as u64 + 1, 1, losses, &products(&g)).shared, &w, 1e-12);
        let big: Vec<f64> = (0..3).map(|k| norm(&g[k].iter().map(|v| w[k] * v).collect::<Vec<_>>())).collect();
        let mean = big.iter().sum::<f64>() / 3.0;
        let tilde: Vec<f64> = (0..3).map(|k| losses[k] / first[k]).collect();
        let rate: Vec<f64> = tilde.iter().map(|l| l / (tilde.iter().sum::<f64>() / 3.0)).collect();
        for k in 0..3 {
            let target = mean * rate[k].powf(0.7);
            // d |w ||g|| - target| / d w
            let slope = if big[k] > target { norm(&g[k]) } else { -norm(&g[k]) };
            w[k] -= 0.05 * slope;
        }
        let sum: f64 = w.iter().sum();
        w.iter_mut().for_each(|w| *w *= 3.0 / sum);
    }
    assert!(w.iter().any(|w| (w - 1.0).abs() > 0.01), "the weights move: {w:?}");
}

/// Yu et al., algorithm 1, on the vectors themselves, in the same random orders.
#[test]
fn pcgrad_follows_algorithm_1() {
    let (mut of, g) = (rule("pcgrad", &[]), gradients());
    let mut different = 0;
    for step in 1..=20 {
        let mut want = vec![0.0; 4];
        for i in 0..3 {
            let mut pc = g[i].clone();
            for j in Randomness::new(SEED).permutation("pcgrad", [step, i as u64, 0], 3) {
                let j = j as usize;
                let along = dot(&pc, &g[j]);
                if j != i && along < 0.0 {
                    let share = along / dot(&g[j], &g[j]);
                    pc.iter_mut().zip(&g[j]).for_each(|(a, b)| *a -= share * b);
                }
            }
            want.iter_mut().zip(&pc).for_each(|(a, b)| *a += b);
        }
        let found = see(&mut *of, step, 1, &[1.0; 3], &products(&g));
        near(&combined(&g, &found.shared), &want, 1e-12);
        assert_eq!(found.own, [1.0; 3], "weights of one task are none of its business");
        different += usize::from(want.iter().zip(combined(&g, &[1.0; 3])).any(|(a, b)| (a - b).abs() > 0.1));
    }
    assert_eq!(different, 20, "the gradients conflict");
    // Without a conflict it is the sum.
    let kind = vec![vec![1.0, 0.0], vec![1.0, 1.0], vec![0.2, 1.0]];
    assert_eq!(see(&mut *of, 1, 1, &[1.0; 3], &products(&kind)).shared, [1.0; 3]);
}

/// Liu et al. 2021, algorithm 1: the minimum over the simplex by a fine grid, the step by its formula; and what the step is for, the
/// largest improvement of the worst task within the ball.
#[test]
fn cagrad_follows_algorithm_1() {
    let g = gradients();
    let c = 0.5;
    let g0 = combined(&g, &[1.0 / 3.0; 3]);
    let phi = c * c * dot(&g0, &g0);
    let value = |w: &[f64]| {
        let gw = combined(&g, w);
        dot(&gw, &g0) + phi.sqrt() * norm(&gw)
    };
    let fine = 1_000;
    let grid = (0..=fine).flat_map(|a| (0..=fine - a).map(move |b| [a, b, fine - a - b]));
    let best = grid
        .map(|w| w.map(|v| v as f64 / fine as f64))
        .min_by(|a, b| value(a).total_cmp(&value(b)))
        .expect("the grid is not empty");
    let gw = combined(&g, &best);
    let want: Vec<f64> = g0.iter().zip(&gw).map(|(a, b)| 3.0 * (a + phi.sqrt() / norm(&gw) * b)).collect();
    let found = see(&mut *rule("cagrad", &[("c", number(c))]), 1, 1, &[1.0; 3], &products(&g));
    let step = combined(&g, &found.shared);
    near(&step, &want, 5e-3);
    assert_eq!(found.own, [1.0; 3]);

    // No point of the ball around g_0 that a search by chance finds is better for the worst task.
    let worst = |d: &[f64]| g.iter().map(|g| dot(g, d)).fold(f64::INFINITY, f64::min);
    let d: Vec<f64> = step.iter().map(|v| v / 3.0).collect();
    let away: Vec<f64> = d.iter().zip(&g0).map(|(a, b)| a - b).collect();
    assert!(norm(&away) <= c * norm(&g0) * (1.0 + 1e-9));
    for n in 0..20_000 {
        let noise = Randomness::new(3).gumbel("ball", [n, 0, 0], 5);
        let centred: Vec<f64> = noise[..4].iter().map(|v| v - 0.5772).collect();
        let size = c * norm(&g0) / norm(&centred);
        let other: Vec<f64> = g0.iter().zip(&centred).map(|(a, b)| a + size * b).collect();
        assert!(worst(&other) <= worst(&d) + 1e-6, "{} and {}", worst(&other), worst(&d));
    }
    let none = see(&mut *rule("cagrad", &[("c", number(0.0))]), 1, 1, &[1.0; 3], &products(&g));
    assert_eq!(none.shared, [1.0; 3], "c = 0 is the sum");
}

/// Lin et al.: a softmax of standard normal numbers; over many draws the mean is 1, and the moments are a softmax's.
#[test]
fn rlw_draws_softmax_weights() {
    let p = products(&gradients());
    for distribution in ["normal", "uniform", "dirichlet"] {
        let mut of = rule("rlw", &[("distribution", word(distribution))]);
        let (mut mean, mut square, draws) = ([0.0; 3], 0.0, 20_000);
        for step in 1..=draws {
            let w = see(&mut *of, step, 1, &[1.0; 3], &p).own;
            assert!((w.iter().sum::<f64>() - 3.0).abs() < 1e-9 && w.iter().all(|w| *w > 0.0), "{w:?}");
            mean.iter_mut().zip(&w).for_each(|(m, w)| *m += w / draws as f64);
            square += w[0] * w[0] / draws as f64;
        }
        // Standard deviations are below 1, so a mean of 20,000 draws is within 4 standard errors of 0.03.
        assert!(mean.iter().all(|m| (m - 1.0).abs() < 0.03), "{distribution}: {mean:?}");
        let want = match distribution {
            // 3 Beta(1, 2): the first weight is uniform on the simplex, E w^2 = 9 * 2 / (3 * 4).
            "dirichlet" => 1.5,
            // By numbers drawn here.
            _ => {
                use rand_distr::{Distribution, StandardNormal};
                let mut rng = Randomness::new(99).stream("reference", [0; 3]);
                let n = 200_000;
                (0..n)
                    .map(|_| {
                        let z: Vec<f64> = (0..3)
                            .map(|_| match distribution {
                                "normal" => StandardNormal.sample(&mut rng),
                                _ => mtlc::random::open_unit(&mut rng),
                            })
                            .collect();
                        let e: Vec<f64> = z.iter().map(|z| z.exp()).collect();
                        (3.0 * e[0] / e.iter().sum::<f64>()).powi(2) / f64::from(n)
                    })
                    .sum()
            }
        };
        assert!((square - want).abs() < 0.05, "{distribution}: {square} is not {want}");
    }
}

/// Liu et al. 2023, algorithm 1, with beta = 0.05 and gamma = 0.01; the Jacobian of the softmax by its definition.
#[test]
fn famo_follows_algorithm_1() {
    let (mut of, p) = (rule("famo", &[]), products(&gradients()));
    let mut xi = [0.0f64; 3];
    let steps =
        [([1.0, 2.0, 0.5], [0.9, 1.9, 0.3]), ([0.8, 2.1, 0.4], [0.8, 1.2, 0.41]), ([0.7, 1.1, 0.4], [0.6, 1.0, 0.3])];
    for (t, (before, after)) in steps.iter().enumerate() {
        let e: Vec<f64> = xi.iter().map(|x| x.exp()).collect();
        let z: Vec<f64> = e.iter().map(|v| v / e.iter().sum::<f64>()).collect();
        let c = 1.0 / (0..3).map(|k| z[k] / before[k]).sum::<f64>();
        let want: Vec<f64> = (0..3).map(|k| 3.0 * c * z[k] / before[k]).collect();
        near(&see(&mut *of, t as u64 + 1, 1, before, &p).own, &want, 1e-7);
        of.after(after).expect("a step");
        let fell: Vec<f64> = (0..3).map(|k| (before[k] / after[k]).ln()).collect();
        let delta = |i: usize| (0..3).map(|k| z[k] * (f64::from(u8::from(i == k)) - z[i]) * fell[k]).sum::<f64>();
        let next: Vec<f64> = (0..3).map(|i| xi[i] - 0.05 * (delta(i) + 0.01 * xi[i])).collect();
        xi.copy_from_slice(&next);
    }
}

/// Three tasks that share a point of R^4 and have a number of their own each: quadratic losses of unlike size and pull. Four epochs of
/// three steps; the factors of every step.
fn trajectory(of: &mut dyn Rule) -> Vec<f64> {
    let (mut theta, mut own) = (vec![0.5, -0.3, 0.2, 0.1], [0.0f64; 3]);
    let weights: Vec<f64> = goals().iter().map(|g| g.weight).collect();
    let pulls = gradients();
    let mut all = Vec::new();
    let losses = |theta: &[f64], own: &[f64; 3]| -> Vec<f64> {
        let part = |k: usize| {
            let off: f64 = theta.iter().zip(&pulls[k]).map(|(t, p)| (t - p).powi(2)).sum();
            weights[k] * (off * (1.0 + k as f64) + (own[k] - 1.0).powi(2))
        };
        (0..3).map(part).collect()
    };
    for step in 1..=12u64 {
        let slope = |k: usize| -> Vec<f64> {
            theta.iter().zip(&pulls[k]).map(|(t, p)| weights[k] * 2.0 * (1.0 + k as f64) * (t - p)).collect()
        };
        let g: Vec<Vec<f64>> = (0..3).map(slope).collect();
        let now = losses(&theta, &own);
        let f = see(of, step, 1 + (step as usize - 1) / 3, &now, &products(&g));
        let total = combined(&g, &f.shared);
        theta.iter_mut().zip(&total).for_each(|(t, g)| *t -= 0.03 * g);
        for k in 0..3 {
            own[k] -= 0.03 * f.own[k] * weights[k] * 2.0 * (own[k] - 1.0);
        }
        of.after(&losses(&theta, &own)).expect("a step");
        all.extend(&theta);
        all.extend(own);
    }
    all
}

#[test]
fn any_two_methods_go_different_ways() {
    let all: Vec<(&str, Vec<f64>)> =
        weightings().iter().map(|d| (d.call.name, trajectory(&mut *rule(d.call.name, &[])))).collect();
    assert_eq!(all.len(), 9);
    for (i, (a, of_a)) in all.iter().enumerate() {
        assert!(of_a.iter().all(|v| v.is_finite()), "{a}");
        for (b, of_b) in &all[..i] {
            let far = of_a.iter().zip(of_b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(far > 1e-3, "`{a}` goes the way of `{b}`: {far:e} apart");
        }
    }
}

/// What is saved after any step goes on to the same numbers.
#[test]
fn a_rule_goes_on_from_what_it_saved() {
    let g = products(&gradients());
    let losses = |step: u64, by: f64| [1.0, 2.0, 0.7].map(|l| l / (step as f64).powf(0.4 + 0.1 * l) + by);
    for def in weightings() {
        let mut whole = rule(def.call.name, &[]);
        for step in 1..=12u64 {
            let epoch = 1 + (step as usize - 1) / 3;
            let mut other = rule(def.call.name, &[]);
            other.load(&whole.save().expect("a state")).expect("it is taken back");
            let mut both = Vec::new();
            for of in [&mut whole, &mut other] {
                let factors = see(&mut **of, step, epoch, &losses(step, 0.0), &g);
                of.after(&losses(step, -0.05)).expect("a step");
                both.push((factors, format!("{:?}", of.save().expect("a state"))));
            }
            assert_eq!(both[0], both[1], "{} at step {step}", def.call.name);
        }
    }
    assert!(rule("dwa", &[]).load(&[]).is_err(), "a state of another weighting is refused");
}

/// A task without labels in a batch changes nothing that is carried for it, and nothing becomes a NaN.
#[test]
fn tasks_without_labels() {
    let none = Products { inner: vec![vec![0.0; 3]; 3], reach: vec![true; 3] };
    for def in weightings() {
        let mut of = rule(def.call.name, &[]);
        for (step, present) in [[true, false, true], [false, false, false], [true, true, true]].iter().enumerate() {
            let losses: Vec<f64> = present.iter().map(|p| f64::from(u8::from(*p))).collect();
            let seen = Seen {
                step: step as u64 + 1,
                epoch: step + 1,
                schedule: 1.0,
                losses: &losses,
                present,
                gradients: Some(&none),
            };
            let found = of.factors(&seen).expect("factors");
            of.after(&losses).expect("a step");
            let all = || found.shared.iter().chain(&found.own);
            assert!(all().all(|f| f.is_finite() && *f >= 0.0), "{}: {found:?}", def.call.name);
        }
    }
}
