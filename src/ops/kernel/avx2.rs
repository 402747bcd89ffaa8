//! The inner loop with AVX2 and fused multiply-add: six rows and two vectors of eight numbers at a time.

use std::arch::x86_64::*;

use super::micro::{LANES, Raw, Start};

/// Rows whose accumulators the registers hold.
const ROWS: usize = 6;

// Builds with little optimisation neither inline everything nor unroll loops, and tests would take several times as long. Therefore the
// inner loop calls nothing that such a build leaves as a call: it reads a `Pair` instead of `_mm256_loadu_ps`, and uses
// `_mm256_broadcastss_ps` instead of `_mm256_set1_ps`. Its rows are written out, because a loop over them would keep the accumulators in
// memory.

/// Two vectors of a panel, at any alignment.
#[repr(C, packed)]
struct Pair([__m256; 2]);

/// The same for every row, written out.
macro_rules! each_row {
    ($r:ident => $body:block) => {
        each_row!(0 1 2 3 4 5, $r => $body)
    };
    ($($n:literal)*, $r:ident => $body:block) => {
        $({
            const $r: usize = $n;
            $body
        })*
    };
}

/// # Safety
/// The processor has AVX2 and FMA; every index of the tile lies within its slice.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn tile(raw: Raw<f32>, vectors: usize) {
    for from in (0..raw.at.len()).step_by(ROWS) {
        for v in 0..vectors {
            // SAFETY: the caller's; rows from `from`, vector v.
            unsafe { part(&raw, vectors, from, v) }
        }
    }
}

/// Up to [`ROWS`] rows and one vector of the panel; missing rows repeat the first and are not written.
///
/// # Safety
/// As [`tile`]; row `from` and vector `v` are within the tile.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn part(raw: &Raw<f32>, vectors: usize, from: usize, v: usize) {
    let rows = (raw.at.len() - from).min(ROWS);
    let columns = raw.columns.saturating_sub(v * LANES).min(LANES);
    // What is read and written at the ends goes through here, so that no vector reaches beyond the columns.
    let mut line = [0f32; LANES];
    // SAFETY: the caller's; copies are as long as there are columns.
    unsafe {
        let row = |r: usize| from + if r < rows { r } else { 0 };
        let x: [*const f32; ROWS] = std::array::from_fn(|r| raw.x.add(raw.at[row(r)]));
        let mut acc = [[_mm256_setzero_ps(); 2]; ROWS];
        each_row!(R => {
            match raw.start {
                Start::Zero => {}
                Start::Kept => {
                    let out = raw.out.wrapping_add(row(R) * raw.stride + v * LANES);
                    std::ptr::copy_nonoverlapping(out, line.as_mut_ptr(), columns);
                }
                Start::Row(values) => line.iter_mut().zip(values.iter().skip(v * LANES)).for_each(|(l, v)| *l = *v),
            }
            acc[R] = [_mm256_loadu_ps(line.as_ptr()), _mm256_loadu_ps(line.as_ptr().add(8))];
        });
        let mut panel = raw.panel.add(v * LANES);
        for off in raw.off {
            let b = (*panel.cast::<Pair>()).0;
            let off = *off as usize;
            each_row!(R => {
                let a = _mm256_broadcastss_ps(_mm_load_ss(x[R].wrapping_add(off)));
                acc[R][0] = _mm256_fmadd_ps(a, b[0], acc[R][0]);
                acc[R][1] = _mm256_fmadd_ps(a, b[1], acc[R][1]);
            });
            panel = panel.wrapping_add(vectors * LANES);
        }
        let zero = _mm256_setzero_ps();
        each_row!(R => {
            if R < rows {
                let [mut low, mut high] = acc[R];
                if raw.relu {
                    // The second operand is taken where one is NaN: it stays one.
                    (low, high) = (_mm256_max_ps(zero, low), _mm256_max_ps(zero, high));
                }
                _mm256_storeu_ps(line.as_mut_ptr(), low);
                _mm256_storeu_ps(line.as_mut_ptr().add(8), high);
                let out = raw.out.wrapping_add((from + R) * raw.stride + v * LANES);
                std::ptr::copy_nonoverlapping(line.as_ptr(), out, columns);
            }
        });
    }
}
