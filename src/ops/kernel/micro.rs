//! The one inner loop of every product: a few rows, read in place through offsets, times a packed panel.
//!
//! `out[r][j] = start + sum_k x[at[r] + off[k]] * panel[k][j]`. With offsets, a window of an image is a row like any other, so
//! that convolution needs no copy of its columns (implicit matrix product; Chetlur et al. 2014, "cuDNN"); rows may be pixels,
//! taps of a window or plain rows of a matrix.
//!
//! Each sum is added up in the order of k, whatever the size of the tile.

use super::Real;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512, simd::Level};

/// Numbers of a vector: panels are whole vectors wide.
pub const LANES: usize = 16;
/// Rows that a call computes at most.
pub const ROWS: usize = 8;
/// Vectors of a panel at most.
pub const VECTORS: usize = 4;

/// Rows of a tile whose panel has so many vectors: what accumulators the registers hold.
pub fn rows(vectors: usize) -> usize {
    if vectors == VECTORS { 6 } else { ROWS }
}

/// Elements of k whose panel stays in the first cache.
pub fn depth(vectors: usize) -> usize {
    512 / vectors
}

/// Offsets of a sum's terms, from where a row begins.
#[derive(Debug, Clone)]
pub struct Offsets {
    list: Vec<u32>,
    most: usize,
}

impl Offsets {
    pub fn new(list: Vec<u32>) -> Offsets {
        let most = list.iter().copied().max().unwrap_or(0) as usize;
        Offsets { list, most }
    }
    pub fn len(&self) -> usize {
        self.list.len()
    }
    /// Some of the terms.
    pub fn part(&self, terms: std::ops::Range<usize>) -> Terms<'_> {
        Terms { list: &self.list[terms], most: self.most }
    }
}

/// Terms of a sum that one call adds up.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    list: &'a [u32],
    most: usize,
}

/// What a sum starts from.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a, T> {
    Zero,
    /// What `out` holds.
    Kept,
    /// One number per column, zero beyond its end.
    Row(&'a [T]),
}

/// Where a tile goes: rows `stride` apart, `columns` of the panel's width.
pub struct Out<'a, T> {
    pub data: &'a mut [T],
    pub stride: usize,
    pub columns: usize,
    /// Negative results become 0.
    pub relu: bool,
}

/// A tile as the processor's own loops see it; everything lies within its slice.
pub struct Raw<'a, T> {
    pub x: *const T,
    pub at: &'a [usize],
    pub off: &'a [u32],
    pub panel: *const T,
    pub out: *mut T,
    pub stride: usize,
    pub columns: usize,
    pub start: Start<'a, T>,
    pub relu: bool,
}

/// `out[r] = start + sum of x[at[r] + off[k]] * panel[k]` for the terms; `panel` is `[terms, vectors * LANES]`.
#[inline]
pub fn accumulate<T: Real>(
    x: &[T],
    at: &[usize],
    terms: Terms,
    panel: &[T],
    vectors: usize,
    start: Start<T>,
    out: Out<T>,
) {
    let off = terms.list;
    let most = at.iter().copied().max().unwrap_or(0) + terms.most;
    assert!(!at.is_empty() && at.len() <= rows(vectors) && (1..=VECTORS).contains(&vectors));
    assert!(most < x.len() && panel.len() >= off.len() * vectors * LANES);
    assert!(out.columns <= vectors * LANES && out.columns <= out.stride);
    assert!(out.data.len() >= (at.len() - 1) * out.stride + out.columns);
    let Out { data, stride, columns, relu } = out;
    let raw =
        Raw { x: x.as_ptr(), at, off, panel: panel.as_ptr(), out: data.as_mut_ptr(), stride, columns, start, relu };
    // SAFETY: the assertions keep every index within its slice, and `out` is borrowed exclusively.
    unsafe { T::tile(raw, vectors) }
}

/// Computes a tile in f32, with the vector instructions of the current level.
///
/// # Safety
/// Every index of the tile lies within its slice.
pub unsafe fn tile_f32(raw: Raw<f32>, vectors: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has the instructions of the current level; the rest is the caller's.
    match Level::current() {
        Level::Avx512 => return unsafe { avx512::tile(raw, vectors) },
        Level::Avx2 => return unsafe { avx2::tile(raw, vectors) },
        Level::Portable => {}
    }
    // SAFETY: the caller's.
    unsafe { tile(raw, vectors, |a, b, c| a * b + c) }
}

/// For f64, which only checks the gradients of f32.
///
/// # Safety
/// Every index of the tile lies within its slice.
pub unsafe fn tile_f64(raw: Raw<f64>, vectors: usize) {
    // SAFETY: the caller's.
    unsafe { tile(raw, vectors, |a, b, c| a * b + c) }
}

/// Without instructions of one processor: a few rows and one vector at a time, as registers allow.
///
/// # Safety
/// Every index of the tile lies within its slice.
#[inline(always)]
pub unsafe fn tile<T: Real>(raw: Raw<T>, vectors: usize, fma: impl Fn(T, T, T) -> T + Copy) {
    let mut r = 0;
    while r < raw.at.len() {
        for v in 0..vectors {
            // SAFETY: rows from r, vector v: all of them within the tile.
            unsafe {
                if r + 4 <= raw.at.len() {
                    part::<T, 4>(&raw, vectors, r, v, fma)
                } else {
                    (r..raw.at.len()).for_each(|r| part::<T, 1>(&raw, vectors, r, v, fma))
                }
            }
        }
        r += 4;
    }
}

/// # Safety
/// Rows `r..r + R` and vector `v` are within the tile.
#[inline(always)]
unsafe fn part<T: Real, const R: usize>(
    raw: &Raw<T>,
    vectors: usize,
    r: usize,
    v: usize,
    fma: impl Fn(T, T, T) -> T + Copy,
) {
    let columns = raw.columns.saturating_sub(v * LANES).min(LANES);
    let mut acc = [[T::zero(); LANES]; R];
    // SAFETY: the caller's.
    unsafe {
        for (i, acc) in acc.iter_mut().enumerate() {
            match raw.start {
                Start::Zero => {}
                Start::Kept => {
                    let out = raw.out.add((r + i) * raw.stride + v * LANES);
                    (0..columns).for_each(|j| acc[j] = *out.add(j));
                }
                Start::Row(row) => acc.iter_mut().zip(row.iter().skip(v * LANES)).for_each(|(a, b)| *a = *b),
            }
        }
        for (k, off) in raw.off.iter().enumerate() {
            let panel = raw.panel.add((k * vectors + v) * LANES);
            let b: [T; LANES] = std::array::from_fn(|j| *panel.add(j));
            for (i, acc) in acc.iter_mut().enumerate() {
                let a = *raw.x.add(raw.at[r + i] + *off as usize);
                for j in 0..LANES {
                    acc[j] = fma(a, b[j], acc[j]);
                }
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            let out = raw.out.add((r + i) * raw.stride + v * LANES);
            for (j, value) in acc.iter().enumerate().take(columns) {
                *out.add(j) = if raw.relu && *value <= T::zero() { T::zero() } else { *value };
            }
        }
    }
}
