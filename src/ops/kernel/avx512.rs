//! The inner loop and the transpose with AVX-512: up to 24 accumulators of 16 numbers.

// Registers go by number.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use super::micro::{LANES, Raw, Start};

/// # Safety
/// The processor has AVX-512F; every index of the tile lies within its slice.
#[target_feature(enable = "avx512f")]
pub unsafe fn tile(raw: Raw<f32>, vectors: usize) {
    // SAFETY: the caller's; fewer rows than registers allow are computed with the first repeated, and not written.
    unsafe {
        match (vectors, raw.at.len()) {
            (1, 1..=4) => part::<4, 1>(raw),
            (1, _) => part::<8, 1>(raw),
            (2, 1..=4) => part::<4, 2>(raw),
            (2, _) => part::<8, 2>(raw),
            (3, 1..=4) => part::<4, 3>(raw),
            (3, _) => part::<8, 3>(raw),
            (_, 1..=2) => part::<2, 4>(raw),
            (_, 3..=4) => part::<4, 4>(raw),
            _ => part::<6, 4>(raw),
        }
    }
}

/// # Safety
/// As [`tile`], and at most `R` rows.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn part<const R: usize, const V: usize>(raw: Raw<f32>) {
    let rows = raw.at.len().min(R);
    // The lanes of each vector that are written.
    let masks: [u16; V] = std::array::from_fn(|v| {
        let columns = raw.columns.saturating_sub(v * LANES).min(LANES);
        ((1u32 << columns) - 1) as u16
    });
    // SAFETY: the caller's; masks keep reads and writes of `out` within its columns.
    unsafe {
        let x: [*const f32; R] = std::array::from_fn(|r| raw.x.add(raw.at[if r < rows { r } else { 0 }]));
        let mut acc = [[_mm512_setzero_ps(); V]; R];
        match raw.start {
            Start::Zero => {}
            Start::Kept => {
                for r in 0..R {
                    let out = raw.out.add(if r < rows { r } else { 0 } * raw.stride);
                    for v in 0..V {
                        acc[r][v] = _mm512_maskz_loadu_ps(masks[v], out.wrapping_add(v * LANES));
                    }
                }
            }
            Start::Row(row) => {
                for v in 0..V {
                    let there = row.len().saturating_sub(v * LANES).min(LANES);
                    let mask = ((1u32 << there) - 1) as u16;
                    let start = _mm512_maskz_loadu_ps(mask, row.as_ptr().wrapping_add(v * LANES));
                    for acc in &mut acc {
                        acc[v] = start;
                    }
                }
            }
        }
        let mut panel = raw.panel;
        for off in raw.off {
            let off = *off as usize;
            let b: [__m512; V] = std::array::from_fn(|v| _mm512_loadu_ps(panel.add(v * LANES)));
            for r in 0..R {
                let a = _mm512_set1_ps(*x[r].add(off));
                for v in 0..V {
                    acc[r][v] = _mm512_fmadd_ps(a, b[v], acc[r][v]);
                }
            }
            panel = panel.add(V * LANES);
        }
        if raw.relu {
            // The second operand is taken where one is NaN: it stays one.
            let zero = _mm512_setzero_ps();
            for acc in &mut acc {
                for v in acc {
                    *v = _mm512_max_ps(zero, *v);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            if r < rows {
                let out = raw.out.add(r * raw.stride);
                for v in 0..V {
                    _mm512_mask_storeu_ps(out.wrapping_add(v * LANES), masks[v], acc[v]);
                }
            }
        }
    }
}

/// Transposes `rows` x `columns` numbers, both at most 16: `to[j * to_stride + i] = from[i * from_stride + j]`.
///
/// # Safety
/// The processor has AVX-512F; both matrices lie within their memory.
#[inline]
#[target_feature(enable = "avx512f")]
pub unsafe fn transpose(
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
    rows: usize,
    columns: usize,
) {
    let (read, write) = (((1u32 << columns) - 1) as u16, ((1u32 << rows) - 1) as u16);
    // SAFETY: masks and counts keep all within the two matrices.
    unsafe {
        let mut a = [_mm512_setzero_ps(); 16];
        for (i, a) in a.iter_mut().enumerate() {
            if i < rows {
                *a = _mm512_maskz_loadu_ps(read, from.add(i * from_stride));
            }
        }
        // Pairs of rows, pairs of pairs, then quarters of registers twice.
        let mut b = [_mm512_setzero_ps(); 16];
        for i in 0..8 {
            b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
            b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
        }
        for i in 0..4 {
            let [p, q, r, s] = [b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3]].map(|v| _mm512_castps_pd(v));
            a[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, r));
            a[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, r));
            a[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(q, s));
            a[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(q, s));
        }
        for i in 0..4 {
            b[i] = _mm512_shuffle_f32x4::<0x88>(a[i], a[i + 4]);
            b[i + 4] = _mm512_shuffle_f32x4::<0xdd>(a[i], a[i + 4]);
            b[i + 8] = _mm512_shuffle_f32x4::<0x88>(a[i + 8], a[i + 12]);
            b[i + 12] = _mm512_shuffle_f32x4::<0xdd>(a[i + 8], a[i + 12]);
        }
        for i in 0..4 {
            a[i] = _mm512_shuffle_f32x4::<0x88>(b[i], b[i + 8]);
            a[i + 8] = _mm512_shuffle_f32x4::<0xdd>(b[i], b[i + 8]);
            a[i + 4] = _mm512_shuffle_f32x4::<0x88>(b[i + 4], b[i + 12]);
            a[i + 12] = _mm512_shuffle_f32x4::<0xdd>(b[i + 4], b[i + 12]);
        }
        for (j, a) in a.iter().enumerate() {
            if j < columns {
                _mm512_mask_storeu_ps(to.add(j * to_stride), write, *a);
            }
        }
    }
}
