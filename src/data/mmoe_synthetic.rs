//! `format = mmoe_synthetic`: two regression tasks of controllable relatedness (Ma et al. 2018, section 3.2):
//! y_k = w_k.x + sum_i sin(alpha_i w_k.x + beta_i) + eps, w_1 = c u_1, w_2 = c (p u_1 + sqrt(1 - p^2) u_2).
//!
//! The paper does not print c, m, alpha and beta; here alpha_i and beta_i are drawn from N(0, 1) and shared by both tasks.

use rand_distr::{Distribution, StandardNormal};

use super::generated::{self, SAMPLES, SEED, TEST_SAMPLES, VALIDATION_SAMPLES, raw, sizes};
use super::{DataError, FormatDef, KnownColumn, LoadContext, Outline, Raw, RawColumn, Values};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef, CallDef, NON_NEGATIVE, Need, POSITIVE, Ty};

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "mmoe_synthetic",
        doc: "Two generated regression tasks of the MMoE paper. Columns: `x` `[dim]`, `y1`, `y2`; the group `targets` holds \
              the latter two.",
        args: &[
            AttrDef {
                name: "correlation",
                ty: Ty::Float { min: -1.0, max: 1.0 },
                need: Need::Default("0.5"),
                doc: "p: the cosine between the two weight vectors. The correlation of the labels grows with it.",
            },
            AttrDef {
                name: "dim",
                ty: Ty::Int { min: 2, max: 1 << 20 },
                need: Need::Default("100"),
                doc: "d: the size of `x`, whose entries are N(0, 1).",
            },
            AttrDef {
                name: "terms",
                ty: Ty::Int { min: 0, max: 1 << 20 },
                need: Need::Default("5"),
                doc: "m: sine terms; 0 makes both tasks linear.",
            },
            AttrDef {
                name: "scale",
                ty: POSITIVE,
                need: Need::Default("1"),
                doc: "c: the length of the weight vectors.",
            },
            AttrDef {
                name: "noise_std",
                ty: NON_NEGATIVE,
                need: Need::Default("0.1"),
                doc: "Standard deviation of eps; the paper's N(0, 0.01) read as a variance.",
            },
            AttrDef {
                name: "samples",
                ty: SAMPLES,
                need: Need::Default("10000"),
                doc: "Samples of the training split.",
            },
            VALIDATION_SAMPLES,
            TEST_SAMPLES,
            SEED,
        ],
    },
    outline: |args| Outline {
        columns: Some(vec![
            KnownColumn::numeric("x", &[args.size("dim")]),
            KnownColumn::numeric("y1", &[]).group("targets"),
            KnownColumn::numeric("y2", &[]).group("targets"),
        ]),
        missing: Vec::new(),
    },
    check: |args, item| {
        let (dim, terms) = (args.size("dim") as u64, args.size("terms") as u64);
        generated::check(args, item, dim + 2, 2 * terms).into_iter().collect()
    },
    files: |_| Default::default(),
    load,
};

fn load(args: &Args, _: &LoadContext) -> Result<Raw, DataError> {
    let (d, p, c) = (args.size("dim"), args.float("correlation"), args.float("scale"));
    let random = Randomness::new(args.size("seed") as u64);
    let normals = |purpose: &str, n: usize| -> Vec<f64> {
        let mut rng = random.stream(purpose, [0; 3]);
        (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()
    };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let unit = |v: Vec<f64>| {
        let length = dot(&v, &v).sqrt();
        v.into_iter().map(|x| x / length).collect::<Vec<f64>>()
    };
    let u1 = unit(normals("mmoe.u1", d));
    let free = normals("mmoe.u2", d);
    let along = dot(&free, &u1);
    let u2 = unit(free.iter().zip(&u1).map(|(v, u)| v - along * u).collect());
    let w1: Vec<f64> = u1.iter().map(|u| c * u).collect();
    let w2: Vec<f64> = u1.iter().zip(&u2).map(|(a, b)| c * (p * a + (1.0 - p * p).max(0.0).sqrt() * b)).collect();
    let (alpha, beta) = (normals("mmoe.alpha", args.size("terms")), normals("mmoe.beta", args.size("terms")));
    let noise_std = args.float("noise_std");
    let split = |s: usize, rows: usize| -> (usize, Vec<Values>) {
        let name = ["train", "validation", "test"][s];
        let x: Vec<f32> = normals(&format!("mmoe.{name}"), rows * d).into_iter().map(|v| v as f32).collect();
        let noise = normals(&format!("mmoe.{name}.noise"), rows * 2);
        let label = |w: &[f64], k: usize| {
            let y = x.chunks_exact(d).enumerate().map(|(row, x)| {
                let u: f64 = w.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum();
                let waves: f64 = alpha.iter().zip(&beta).map(|(a, b)| (a * u + b).sin()).sum();
                (u + waves + noise_std * noise[row * 2 + k]) as f32
            });
            Values::F32(y.collect())
        };
        let (y1, y2) = (label(&w1, 0), label(&w2, 1));
        (rows, vec![Values::F32(x), y1, y2])
    };
    let [train, validation, test] = sizes(args);
    let target = |name: &str| RawColumn { groups: vec!["targets".into()], ..RawColumn::new(name, &[]) };
    let columns = vec![RawColumn::new("x", &[d]), target("y1"), target("y2")];
    Ok(raw(DEF.call.name, columns, [split(0, train), split(1, validation), split(2, test)]))
}
