//! A short proof that this machine computes and keeps what it should: a product and its gradients against sums made one by one, and
//! weights that are written and read back.

use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor, Var};

use super::checkpoint;
use crate::ops::{self, Pass};
use crate::random::Randomness;
use crate::schema::{Args, Value};
use crate::source::{FileId, Folder, Span, Spanned, TEMPORARY};

/// Rows, inputs and outputs: enough for the kernels' blocks to be in use.
const SIZES: [usize; 3] = [96, 200, 72];
/// Largest difference, relative to the largest value.
const TOLERANCE: f64 = 1e-4;

/// Computes `y = x W^T + b`, the sum of its squares, and the gradients of that; the time it took, or what came out wrong.
pub fn compute(device: &Device) -> Result<Duration, String> {
    let [rows, from, to] = SIZES;
    let values = |n: usize, salt: usize| -> Vec<f32> {
        (0..n).map(|i| ((i * 37 + salt * 11) % 19) as f32 / 9.5 - 1.0).collect()
    };
    let (x, w, b) = (values(rows * from, 1), values(to * from, 2), values(to, 3));
    let start = Instant::now();
    let [y, gx, gw] =
        run(device, &x, &w, &b).map_err(|e| e.to_string().lines().next().unwrap_or_default().to_string())?;
    let took = start.elapsed();
    let at = |v: &[f32], i: usize| f64::from(v[i]);
    let mut want_y = vec![0.0; rows * to];
    for r in 0..rows {
        for o in 0..to {
            want_y[r * to + o] =
                at(&b, o) + (0..from).map(|i| at(&x, r * from + i) * at(&w, o * from + i)).sum::<f64>();
        }
    }
    let mut want_gx = vec![0.0; rows * from];
    let mut want_gw = vec![0.0; to * from];
    for r in 0..rows {
        for o in 0..to {
            let g = 2.0 * want_y[r * to + o];
            for i in 0..from {
                want_gx[r * from + i] += g * at(&w, o * from + i);
                want_gw[o * from + i] += g * at(&x, r * from + i);
            }
        }
    }
    for (what, got, want) in
        [("a product", y, want_y), ("a gradient of inputs", gx, want_gx), ("a gradient of weights", gw, want_gw)]
    {
        let largest = want.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        let off = got
            .iter()
            .zip(&want)
            .map(|(g, w)| (f64::from(*g) - w).abs())
            .fold(0.0f64, |m, d| if d > m || d.is_nan() { d } else { m });
        if got.len() != want.len() || off.is_nan() || off > TOLERANCE * largest {
            return Err(format!("{what} is wrong by {:.1e} of its largest value", off / largest));
        }
    }
    Ok(took)
}

fn run(device: &Device, x: &[f32], w: &[f32], b: &[f32]) -> candle_core::Result<[Vec<f32>; 3]> {
    let [rows, from, to] = SIZES;
    let linear = ops::find("linear").expect("it is in the table");
    let mut args = Args::default();
    let nowhere = Span::new(FileId(0), 0, 0);
    args.set("units", Spanned { value: Value::Int(to as i64), span: nowhere }, true);
    args.set("bias", Spanned { value: Value::Bool(true), span: nowhere }, false);
    let ty = ops::TensorType::Dense(vec![ops::Dim::Known(from)]);
    let Ok(made) = (linear.make)(&args, &[ty]) else { candle_core::bail!("`linear` cannot be made") };
    let Some(op) = made.first() else { candle_core::bail!("`linear` gives no op") };
    let x = Var::from_slice(x, (rows, from), device)?;
    let w = Var::from_slice(w, (to, from), device)?;
    let b = Tensor::from_slice(b, to, device)?;
    let mut pass = Pass { train: true, random: Randomness::new(0), step: 0, site: 0, buffers: Vec::new() };
    let y = op.forward(&[x.as_tensor().clone()], &[w.as_tensor().clone(), b], &mut pass)?;
    let gradients = y.sqr()?.sum_all()?.backward()?;
    let flat = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
    let of = |v: &Var| match gradients.get(v) {
        Some(g) => flat(g),
        None => candle_core::bail!("a gradient is missing"),
    };
    Ok([flat(&y)?, of(&x)?, of(&w)?])
}

/// Writes weights into a folder, reads them back, and removes them.
pub fn keep(folder: &Path) -> Result<(), String> {
    let place = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder).map_err(|e| super::plain(&e))?;
    let (name, held) = ("weights.safetensors", Folder::open(place.path()).map_err(|e| super::plain(&e))?);
    let values: Vec<f32> = (0..1000).map(|i| i as f32 / 7.0).collect();
    let made = Tensor::from_slice(&values, (20, 50), &Device::Cpu).map_err(|e| e.to_string())?;
    checkpoint::save(&held, name, &[("a".to_string(), made)]).map_err(|e| e.to_string())?;
    let back = checkpoint::load(&place.path().join(name)).map_err(|e| e.to_string())?;
    let same = match back.as_slice() {
        [(name, t)] => name == "a" && t.flatten_all().and_then(|t| t.to_vec1::<f32>()).is_ok_and(|v| v == values),
        _ => false,
    };
    same.then_some(()).ok_or_else(|| "weights that were written are read back otherwise".to_string())
}
