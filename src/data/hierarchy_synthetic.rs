//! `format = hierarchy_synthetic`: regression tasks in families and groups, so that where tasks part is known. All targets come from
//! one hidden layer; every family goes on with one of its own, every group in it with another, every task with a linear map:
//!
//! h = tanh(A z), h_f = tanh(B_f h), h_fg = tanh(C_fg h_f), y_fgm = D_fgm h_fg + noise
//!
//! A network of three stages whose tasks share the first, part into families at the second and into groups at the third has the
//! shape of the data. Ours; no paper has it.

use rand_distr::{Distribution, StandardNormal};

use super::generated::{self, SAMPLES, SEED, TEST_SAMPLES, VALIDATION_SAMPLES, WIDTH, raw, sizes};
use super::{DataError, FormatDef, KnownColumn, LoadContext, Outline, Raw, RawColumn, Values};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef, CallDef, NON_NEGATIVE, Need, POSITIVE, Ty};

const FEW: Ty = Ty::Int { min: 1, max: 1000 };

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "hierarchy_synthetic",
        doc: "Generated regression tasks in families and groups. Columns: `z` `[inputs]`, and per task `t_FAMILY_GROUP_NUMBER` \
              `[outputs]`; the group `targets` holds the tasks.",
        args: &[
            AttrDef { name: "families", ty: FEW, need: Need::Default("2"), doc: "Families of tasks." },
            AttrDef { name: "groups", ty: FEW, need: Need::Default("2"), doc: "Groups per family." },
            AttrDef { name: "tasks", ty: FEW, need: Need::Default("2"), doc: "Tasks per group." },
            AttrDef {
                name: "inputs",
                ty: WIDTH,
                need: Need::Default("16"),
                doc: "Size of `z`, whose entries are N(0, 1).",
            },
            AttrDef { name: "hidden", ty: WIDTH, need: Need::Default("16"), doc: "Size of every hidden layer." },
            AttrDef {
                name: "shared",
                ty: WIDTH,
                need: Need::Optional,
                doc: "Size of the hidden layer that all targets share; absent: `hidden`. The wider it is beside `hidden`, the less the \
                      families' layers have in common.",
            },
            AttrDef { name: "outputs", ty: WIDTH, need: Need::Default("8"), doc: "Size of a target." },
            AttrDef {
                name: "gain",
                ty: POSITIVE,
                need: Need::Default("2"),
                doc: "Standard deviation of a hidden unit before its tanh: how far from linear the layers are.",
            },
            AttrDef {
                name: "noise_std",
                ty: NON_NEGATIVE,
                need: Need::Default("0.1"),
                doc: "Standard deviation of the noise on the targets.",
            },
            AttrDef {
                name: "samples",
                ty: SAMPLES,
                need: Need::Default("2000"),
                doc: "Samples of the training split.",
            },
            VALIDATION_SAMPLES,
            TEST_SAMPLES,
            SEED,
        ],
    },
    outline: |args| Outline {
        columns: Some(
            std::iter::once(KnownColumn::numeric("z", &[args.size("inputs")]))
                .chain(names(args).map(|n| KnownColumn::numeric(n, &[args.size("outputs")]).group("targets")))
                .collect(),
        ),
        missing: Vec::new(),
    },
    check: |args, item| {
        let [f, g, m] = ["families", "groups", "tasks"].map(|a| args.size(a) as u64);
        let [inputs, hidden, outputs] = ["inputs", "hidden", "outputs"].map(|a| args.size(a) as u64);
        let tasks = f * g * m;
        let shared = args.opt_size("shared").map_or(hidden, |s| s as u64);
        let maps = shared * inputs + f * hidden * shared + f * g * hidden * hidden + tasks * outputs * hidden;
        generated::check(args, item, inputs + tasks * outputs, maps).into_iter().collect()
    },
    files: |_| Default::default(),
    load,
};

/// `t_0_1_0`: family, group, number.
fn names(args: &Args) -> impl Iterator<Item = String> {
    let [f, g, m] = ["families", "groups", "tasks"].map(|a| args.size(a));
    (0..f * g * m).map(move |t| format!("t_{}_{}_{}", t / (g * m), t / m % g, t % m))
}

/// A matrix `[rows, columns]` whose products with unit normal vectors have this deviation.
fn matrix(random: Randomness, purpose: &str, at: [u64; 3], rows: usize, columns: usize, std: f64) -> Vec<f64> {
    let mut rng = random.stream(purpose, at);
    let scale = std / (columns as f64).sqrt();
    (0..rows * columns).map(|_| Distribution::<f64>::sample(&StandardNormal, &mut rng) * scale).collect()
}

fn apply(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    matrix.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

fn tanh(v: Vec<f64>) -> Vec<f64> {
    v.into_iter().map(f64::tanh).collect()
}

fn load(args: &Args, _: &LoadContext) -> Result<Raw, DataError> {
    let [f, g, m] = ["families", "groups", "tasks"].map(|a| args.size(a));
    let [inputs, hidden, outputs] = ["inputs", "hidden", "outputs"].map(|a| args.size(a));
    let (gain, noise_std) = (args.float("gain"), args.float("noise_std"));
    let random = Randomness::new(args.size("seed") as u64);
    let shared = args.opt_size("shared").unwrap_or(hidden);
    let first = matrix(random, "hierarchy.a", [0; 3], shared, inputs, gain);
    let family = |i: usize| matrix(random, "hierarchy.b", [i as u64, 0, 0], hidden, shared, 1.5 * gain);
    let group = |i: usize| matrix(random, "hierarchy.c", [i as u64, 0, 0], hidden, hidden, 1.5 * gain);
    let task = |i: usize| matrix(random, "hierarchy.d", [i as u64, 0, 0], outputs, hidden, 1.0);
    let families: Vec<Vec<f64>> = (0..f).map(family).collect();
    let groups: Vec<Vec<f64>> = (0..f * g).map(group).collect();
    let tasks: Vec<Vec<f64>> = (0..f * g * m).map(task).collect();
    let split = |s: usize, rows: usize| -> (usize, Vec<Values>) {
        let name = ["train", "validation", "test"][s];
        let mut z = Vec::with_capacity(rows * inputs);
        let mut targets = vec![Vec::with_capacity(rows * outputs); tasks.len()];
        for row in 0..rows {
            let mut rng = random.stream(&format!("hierarchy.{name}"), [row as u64, 0, 0]);
            let x: Vec<f64> = (0..inputs).map(|_| StandardNormal.sample(&mut rng)).collect();
            let shared = tanh(apply(&first, &x));
            let of_families: Vec<Vec<f64>> = families.iter().map(|b| tanh(apply(b, &shared))).collect();
            let in_group = |(j, c): (usize, &Vec<f64>)| tanh(apply(c, &of_families[j / g]));
            let of_groups: Vec<Vec<f64>> = groups.iter().enumerate().map(in_group).collect();
            for (t, (d, list)) in tasks.iter().zip(&mut targets).enumerate() {
                list.extend(apply(d, &of_groups[t / m]).into_iter().map(|v| {
                    let noise: f64 = StandardNormal.sample(&mut rng);
                    (v + noise_std * noise) as f32
                }));
            }
            z.extend(x.into_iter().map(|v| v as f32));
        }
        (rows, std::iter::once(z).chain(targets).map(Values::F32).collect())
    };
    let [train, validation, test] = sizes(args);
    let target = |name: String| RawColumn { groups: vec!["targets".into()], ..RawColumn::new(&name, &[outputs]) };
    let columns = std::iter::once(RawColumn::new("z", &[inputs])).chain(names(args).map(target)).collect();
    Ok(raw(DEF.call.name, columns, [split(0, train), split(1, validation), split(2, test)]))
}
