//! `format = ltb_synthetic`: the synthetic regression tasks of Learning to Branch (Guo et al. 2020, section 4.1), equation 8:
//! T_{r,s} = f_r[((B + delta_s) Z) / phi], with phi the size of the input.
//!
//! The paper leaves open how Z is drawn, and whether N(0, 10) gives a variance; here Z ~ N(0, 1), and 10 and 2 are standard
//! deviations. Every task has a noise matrix of its own, also across activations.

use rand_distr::{Distribution, StandardNormal};

use super::generated::{self, SAMPLES, SEED, TEST_SAMPLES, VALIDATION_SAMPLES, WIDTH, raw, sizes};
use super::outline::as_name;
use super::schema_text::float;
use super::{DataError, FormatDef, KnownColumn, LoadContext, Outline, Raw, RawColumn, Values};
use crate::diag::{Diagnostic, codes, suggest};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef, CallDef, NON_NEGATIVE, Need, Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};

type Function = fn(f64) -> f64;

const ACTIVATIONS: &[(&str, Function)] = &[
    ("sin", f64::sin),
    ("cos", f64::cos),
    ("square", |x| x * x),
    ("bent", |x| ((x * x + 1.0).sqrt() - 1.0) / 2.0 + x),
    ("sinc", |x| if x == 0.0 { 1.0 } else { x.sin() / x }),
];

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "ltb_synthetic",
        doc: "Generated regression tasks of Learning to Branch, equation 8. Columns: `z` `[inputs]`, and per task \
              `t_ACTIVATION_NUMBER` `[outputs]`; the group `targets` holds the tasks.",
        args: &[
            AttrDef {
                name: "activations",
                ty: Ty::List(&Ty::Expr),
                need: Need::Default("[bent, square, sinc]"),
                doc: "Of `sin`, `cos`, `square`, `bent`, `sinc`; `2 * sin` is twice the sine, its tasks are `t_2sin_0`...",
            },
            AttrDef {
                name: "noises",
                ty: Ty::Int { min: 1, max: 10_000 },
                need: Need::Default("5"),
                doc: "Tasks per activation.",
            },
            AttrDef { name: "inputs", ty: WIDTH, need: Need::Default("200"), doc: "Size of `z`." },
            AttrDef { name: "outputs", ty: WIDTH, need: Need::Default("100"), doc: "Size of a target." },
            AttrDef {
                name: "samples",
                ty: SAMPLES,
                need: Need::Default("2000"),
                doc: "Samples of the training split.",
            },
            VALIDATION_SAMPLES,
            TEST_SAMPLES,
            AttrDef {
                name: "b_std",
                ty: NON_NEGATIVE,
                need: Need::Default("10"),
                doc: "Standard deviation of the entries of B, which all tasks share.",
            },
            AttrDef {
                name: "delta_std",
                ty: NON_NEGATIVE,
                need: Need::Default("2"),
                doc: "Standard deviation of the entries of each task's own delta.",
            },
            SEED,
        ],
    },
    outline: |args| Outline {
        columns: tasks(args).ok().map(|tasks| {
            let z = KnownColumn::numeric("z", &[args.size("inputs")]);
            let task = |(name, ..): &Task| KnownColumn::numeric(name.clone(), &[args.size("outputs")]).group("targets");
            std::iter::once(z).chain(tasks.iter().map(task)).collect()
        }),
        missing: Vec::new(),
    },
    check,
    files: |_| Default::default(),
    load,
};

fn check(args: &Args, item: Span) -> Vec<Diagnostic> {
    let tasks = match tasks(args) {
        Ok(tasks) => tasks.len() as u64,
        Err(d) => return vec![*d],
    };
    let [inputs, outputs] = ["inputs", "outputs"].map(|a| args.size(a) as u64);
    let maps = (tasks + 1) * inputs * outputs;
    generated::check(args, item, inputs + tasks * outputs, maps).into_iter().collect()
}

/// The most tasks, over all activations.
const MAX_TASKS: usize = 10_000;

/// Name, activation and scale.
type Task = (String, Function, f64);

fn tasks(args: &Args) -> Result<Vec<Task>, Box<Diagnostic>> {
    let mut out: Vec<Task> = Vec::new();
    for item in args.list("activations") {
        let (name, f, scale) = match &item.value {
            Value::Expr(e) => activation(e)?,
            Value::Name(parts) => find(&parts.join("."), item.span).map(|(n, f)| (n, f, 1.0))?,
            _ => return Err(Box::new(refuse(item.span, "this is no activation"))),
        };
        let prefix = if scale == 1.0 { String::new() } else { format!("{scale}").replace(['.', '-'], "_") };
        if out.iter().any(|(n, ..)| *n == format!("t_{prefix}{name}_0")) {
            return Err(Box::new(
                refuse(item.span, "this activation is listed twice").help("raise `noises` for more tasks of it"),
            ));
        }
        if out.len() + args.size("noises") > MAX_TASKS {
            let refused = refuse(item.span, "this makes too many tasks");
            return Err(Box::new(refused.help(format!("at most {MAX_TASKS} in all: lower `noises`"))));
        }
        out.extend((0..args.size("noises")).map(|i| (format!("t_{prefix}{name}_{i}"), f, scale)));
    }
    Ok(out)
}

fn activation(e: &Expr) -> Result<(&'static str, Function, f64), Box<Diagnostic>> {
    if let Some(name) = as_name(e) {
        return find(&name.text, e.span).map(|(n, f)| (n, f, 1.0));
    }
    if let ExprKind::Binary { op: BinaryOp::Mul, left, right } = &e.kind {
        let sides = (float(left).zip(as_name(right))).or_else(|| float(right).zip(as_name(left)));
        if let Some((scale, name)) = sides {
            return find(&name.text, name.span).map(|(n, f)| (n, f, scale));
        }
    }
    Err(Box::new(
        refuse(e.span, "this is no activation").help("write a name, or a number times a name: `[sin, 2 * sin]`"),
    ))
}

fn find(name: &str, span: Span) -> Result<(&'static str, Function), Box<Diagnostic>> {
    ACTIVATIONS.iter().find(|(n, _)| *n == name).copied().ok_or_else(|| {
        let all = || ACTIVATIONS.iter().map(|(n, _)| *n);
        Box::new(
            Diagnostic::new(codes::NAME_UNKNOWN, span, format!("no activation is called `{name}`"))
                .label("unknown")
                .help(format!("they are {}", suggest::listing(all())))
                .nearest(name, span, all(), str::to_string),
        )
    })
}

fn refuse(span: Span, message: &str) -> Diagnostic {
    Diagnostic::new(codes::TYPE_MISMATCH, span, message)
}

fn load(args: &Args, _: &LoadContext) -> Result<Raw, DataError> {
    let tasks = tasks(args).map_err(|d| DataError::option(d.message.clone(), d.help.clone().unwrap_or_default()))?;
    let (k, m) = (args.size("inputs"), args.size("outputs"));
    let random = Randomness::new(args.size("seed") as u64);
    let normals = |purpose: &str, counter: u64, n: usize, std: f64| -> Vec<f64> {
        let mut rng = random.stream(purpose, [counter, 0, 0]);
        (0..n)
            .map(|_| {
                let v: f64 = StandardNormal.sample(&mut rng);
                v * std
            })
            .collect()
    };
    let b = normals("ltb.b", 0, m * k, args.float("b_std"));
    // (B + delta_s) / phi, `[outputs, inputs]` per task.
    let maps: Vec<Vec<f64>> = (0..tasks.len())
        .map(|s| {
            let delta = normals("ltb.delta", s as u64, m * k, args.float("delta_std"));
            b.iter().zip(delta).map(|(b, d)| (b + d) / k as f64).collect()
        })
        .collect();
    let split = |s: usize, rows: usize| -> (usize, Vec<Values>) {
        let z: Vec<f32> = normals(["ltb.train", "ltb.validation", "ltb.test"][s], 0, rows * k, 1.0)
            .into_iter()
            .map(|v| v as f32)
            .collect();
        let target = |((_, f, scale), map): (&Task, &Vec<f64>)| {
            let mut out = Vec::with_capacity(rows * m);
            for z in z.chunks_exact(k) {
                out.extend(map.chunks_exact(k).map(|row| {
                    let x: f64 = row.iter().zip(z).map(|(a, z)| a * f64::from(*z)).sum();
                    (scale * f(x)) as f32
                }));
            }
            Values::F32(out)
        };
        let mut columns: Vec<Values> = tasks.iter().zip(&maps).map(target).collect();
        columns.insert(0, Values::F32(z));
        (rows, columns)
    };
    let [train, validation, test] = sizes(args);
    let splits = [split(0, train), split(1, validation), split(2, test)];
    let target = |(name, ..): &Task| RawColumn { groups: vec!["targets".into()], ..RawColumn::new(name.clone(), &[m]) };
    let columns = std::iter::once(RawColumn::new("z", &[k])).chain(tasks.iter().map(target)).collect();
    Ok(raw(DEF.call.name, columns, splits))
}
