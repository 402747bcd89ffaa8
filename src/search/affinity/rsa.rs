//! Representation similarity analysis: how alike two networks see the same samples at one place (Vandenhende et al. 2020, after
//! Dwivedi and Roig 2019).
//!
//! - **Dissimilarities** of a network at a location: one minus Pearson's correlation of the flattened features of two samples, for
//!   every pair of samples.
//! - **Affinity** of two networks there: Spearman's rank correlation of their dissimilarities, over the strict upper triangle (the
//!   diagonal and the lower half would only add ties), ties ranked by their mean.
//!
//! Where a correlation is undefined: a sample whose features are all equal has no correlation with another. Such a sample is
//! dissimilar (1) from every other, and equal (0) to one that is constant too. A network that sees all samples alike ranks nothing:
//! its affinity with any other is 0.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// Columns of features per matrix product: bounds the memory of their f64 copies.
const CHUNK: usize = 4096;

/// Dissimilarities of `samples` samples as ranks; half ranks are exact in f32 up to 2^23.
#[derive(Debug, Clone)]
pub struct Ranks {
    /// From 1, over the pairs `(0, 1), (0, 2), ..., (1, 2), ...`.
    ranks: Vec<f32>,
    /// Sum of the squared distances from the mean rank; 0 where all are tied.
    spread: f64,
}

/// One minus Pearson's correlation of every two rows of `features` (row-major, `samples` rows), over the strict upper triangle row
/// by row; and how many rows are constant.
pub fn dissimilarities(features: &[f32], samples: usize) -> candle_core::Result<(Vec<f64>, usize)> {
    let width = features.len() / samples.max(1);
    let rows: Vec<&[f32]> = (0..samples).map(|i| &features[i * width..(i + 1) * width]).collect();
    let means: Vec<f64> =
        rows.par_iter().map(|r| r.iter().map(|v| *v as f64).sum::<f64>() / width.max(1) as f64).collect();
    let constant: Vec<bool> = rows.iter().map(|r| r.iter().all(|v| *v == r[0])).collect();
    // Products of the centred rows, in pieces of columns.
    let mut products = Tensor::zeros((samples, samples), candle_core::DType::F64, &Device::Cpu)?;
    for from in (0..width).step_by(CHUNK) {
        let to = (from + CHUNK).min(width);
        let centred: Vec<f64> = rows
            .par_iter()
            .zip(&means)
            .flat_map_iter(|(r, m)| r[from..to].iter().map(move |v| *v as f64 - m))
            .collect();
        let centred = Tensor::from_vec(centred, (samples, to - from), &Device::Cpu)?;
        products = (products + centred.matmul(&centred.t()?)?)?;
    }
    let products: Vec<f64> = products.flatten_all()?.to_vec1()?;
    let mut out = Vec::with_capacity(samples * samples.saturating_sub(1) / 2);
    for i in 0..samples {
        for j in i + 1..samples {
            let lengths = (products[i * samples + i] * products[j * samples + j]).sqrt();
            out.push(match (constant[i], constant[j]) {
                (true, true) => 0.0,
                (false, false) if lengths > 0.0 => 1.0 - (products[i * samples + j] / lengths).clamp(-1.0, 1.0),
                _ => 1.0,
            });
        }
    }
    Ok((out, constant.into_iter().filter(|c| *c).count()))
}

/// Ranks of values, ties by their mean.
pub fn ranks(values: &[f64]) -> Ranks {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.par_sort_unstable_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]).then(a.cmp(b)));
    let mut ranks = vec![0f32; values.len()];
    let mean = (values.len() as f64 + 1.0) / 2.0;
    let mut spread = 0.0;
    let mut at = 0;
    while at < order.len() {
        let value = values[order[at] as usize];
        let end = at + order[at..].iter().take_while(|i| values[**i as usize] == value).count().max(1);
        // Positions at+1 ..= end share their mean.
        let rank = (at + 1 + end) as f64 / 2.0;
        order[at..end].iter().for_each(|i| ranks[*i as usize] = rank as f32);
        spread += (end - at) as f64 * (rank - mean) * (rank - mean);
        at = end;
    }
    Ranks { ranks, spread }
}

impl Ranks {
    /// All values were tied.
    pub fn flat(&self) -> bool {
        self.spread == 0.0
    }
}

/// Spearman's rank correlation: Pearson's of the ranks. `None` where one side is all ties.
pub fn spearman(a: &Ranks, b: &Ranks) -> Option<f64> {
    if a.flat() || b.flat() {
        return None;
    }
    let mean = (a.ranks.len() as f64 + 1.0) / 2.0;
    let product: f64 = a.ranks.iter().zip(&b.ranks).map(|(x, y)| (*x as f64 - mean) * (*y as f64 - mean)).sum();
    Some((product / (a.spread * b.spread).sqrt()).clamp(-1.0, 1.0))
}

/// Affinities of all networks at one location: `[networks, networks]`, symmetric, 1 on the diagonal, 0 where undefined.
pub fn affinities(networks: &[Ranks]) -> Vec<Vec<f64>> {
    let n = networks.len();
    let upper: Vec<Vec<f64>> = (0..n)
        .into_par_iter()
        .map(|i| (i + 1..n).map(|j| spearman(&networks[i], &networks[j]).unwrap_or(0.0)).collect())
        .collect();
    let mut out = vec![vec![1.0; n]; n];
    for (i, row) in upper.iter().enumerate() {
        for (k, v) in row.iter().enumerate() {
            out[i][i + 1 + k] = *v;
            out[i + 1 + k][i] = *v;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn numbers(v: &Value) -> Vec<f64> {
        v.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
    }

    /// SciPy 1.17.1's `pearsonr` and `spearmanr`; the file says how it was made.
    #[test]
    fn like_scipy() {
        let cases: Value = serde_json::from_str(include_str!("scipy.json")).expect("JSON");
        let (mut pearson, mut ties) = (0, 0);
        for case in cases["pearson"].as_array().expect("cases") {
            let samples = case["samples"].as_u64().expect("a number") as usize;
            let features: Vec<f32> = numbers(&case["features"]).iter().map(|v| *v as f32).collect();
            let (found, constant) = dissimilarities(&features, samples).expect("they are computed");
            assert_eq!(constant, 0);
            for (f, w) in found.iter().zip(numbers(&case["dissimilarities"])) {
                assert!((f - w).abs() < 1e-6, "{f} {w}");
                pearson += 1;
            }
        }
        for case in cases["spearman"].as_array().expect("cases") {
            let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
            let found = spearman(&ranks(&a), &ranks(&b)).expect("it is defined");
            let wanted = case["rho"].as_f64().expect("a number");
            assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
            let mut sorted = a.clone();
            sorted.sort_by(f64::total_cmp);
            sorted.dedup();
            ties += usize::from(sorted.len() < a.len());
        }
        assert!(pearson >= 50 && ties >= 5, "{pearson} {ties}");
    }

    #[test]
    fn what_is_undefined_has_a_value() {
        // Three samples; the first and the last are constant.
        let (d, constant) = dissimilarities(&[2.0, 2.0, 2.0, 1.0, 2.0, 4.0, 0.0, 0.0, 0.0], 3).expect("computed");
        assert_eq!((d.as_slice(), constant), ([1.0, 0.0, 1.0].as_slice(), 2));
        let dead = ranks(&dissimilarities(&[0.0; 8], 4).expect("computed").0);
        let alive = ranks(&[0.1, 0.5, 0.2, 0.9, 0.3, 0.3]);
        assert_eq!(spearman(&dead, &alive), None);
        let all = affinities(&[dead.clone(), alive, dead]);
        assert_eq!(all, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        // One number per sample has no spread of its own: all are constant.
        let (one, constant) = dissimilarities(&[1.0, 2.0, 3.0], 3).expect("computed");
        assert_eq!((one, constant), (vec![0.0; 3], 3));
    }

    /// Pearson's correlation does not see scale or offset, and wide features go through in pieces.
    #[test]
    fn wide_features() {
        let width = 2 * CHUNK + 17;
        let row = |s: f64| (0..width).map(move |i| ((i as f64 * 0.37 * s).sin() * 3.0 + 100.0) as f32);
        let features: Vec<f32> = row(1.0).chain(row(1.0).map(|v| 2.0 * v - 5.0)).chain(row(1.7)).collect();
        let (d, _) = dissimilarities(&features, 3).expect("computed");
        assert!(d[0].abs() < 1e-6, "{d:?}");
        assert!((d[1] - d[2]).abs() < 1e-6 && d[1] > 0.5, "{d:?}");
    }
}
