//! Moving numbers to where the inner loop wants them: transposes, and panels of a few vectors.

use std::ops::Range;

use super::micro::{LANES, VECTORS};
use super::{Real, buffer, chunks};
#[cfg(target_arch = "x86_64")]
use super::{avx512, simd::Level};

/// A matrix to transpose: `rows` of `columns` numbers, rows `stride` apart.
#[derive(Clone, Copy)]
pub struct Rows<'a, T> {
    pub data: &'a [T],
    pub stride: usize,
    pub rows: usize,
    pub columns: usize,
}

/// `to[j * stride + i] = from[i][j]`.
pub fn transpose<T: Real>(from: Rows<T>, to: &mut [T], stride: usize) {
    if from.rows == 0 || from.columns == 0 {
        return;
    }
    // Overlapping rows are an error of the caller; the stride of a single row is not used.
    let apart = |rows: usize, stride: usize, columns: usize| rows == 1 || columns <= stride;
    assert!(from.data.len() >= (from.rows - 1) * from.stride + from.columns);
    assert!(to.len() >= (from.columns - 1) * stride + from.rows);
    assert!(apart(from.rows, from.stride, from.columns) && apart(from.columns, stride, from.rows));
    for j in (0..from.columns).step_by(LANES) {
        for i in (0..from.rows).step_by(LANES) {
            let (rows, columns) = (LANES.min(from.rows - i), LANES.min(from.columns - j));
            // SAFETY: a block of both matrices, which lie within their slices.
            unsafe {
                let (from_at, to_at) =
                    (from.data.as_ptr().add(i * from.stride + j), to.as_mut_ptr().add(j * stride + i));
                T::transpose(from_at, from.stride, to_at, stride, rows, columns);
            }
        }
    }
}

/// A block of at most 16 x 16.
///
/// # Safety
/// Both matrices lie within their memory.
pub unsafe fn block<T: Real>(
    from: *const T,
    from_stride: usize,
    to: *mut T,
    to_stride: usize,
    rows: usize,
    columns: usize,
) {
    for i in 0..rows {
        for j in 0..columns {
            // SAFETY: the caller's.
            unsafe { *to.add(j * to_stride + i) = *from.add(i * from_stride + j) }
        }
    }
}

/// [`block`] for f32.
///
/// # Safety
/// Both matrices lie within their memory.
pub unsafe fn block_f32(
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
    rows: usize,
    columns: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if Level::current() == Level::Avx512 {
        // SAFETY: the processor has the instructions of the current level; the rest is the caller's.
        return unsafe { avx512::transpose(from, from_stride, to, to_stride, rows, columns) };
    }
    // SAFETY: the caller's.
    unsafe { block(from, from_stride, to, to_stride, rows, columns) }
}

/// A width cut into panels of at most [`VECTORS`] vectors, as even as can be.
#[derive(Debug, Clone)]
pub struct Panels {
    /// First column and vectors of each.
    list: Vec<(usize, usize)>,
    pub width: usize,
}

#[derive(Debug, Clone, Copy)]
pub struct Panel {
    /// First column.
    pub from: usize,
    pub vectors: usize,
    /// Columns that are there; the rest of the last vector is zeros.
    pub columns: usize,
}

impl Panels {
    pub fn new(width: usize) -> Panels {
        let vectors = width.div_ceil(LANES);
        let count = vectors.div_ceil(VECTORS);
        let first = |i: usize| (i * vectors).div_ceil(count.max(1));
        let list = (0..count).map(|i| (first(i) * LANES, first(i + 1) - first(i))).collect();
        Panels { list, width }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn get(&self, i: usize) -> Panel {
        let (from, vectors) = self.list[i];
        Panel { from, vectors, columns: (vectors * LANES).min(self.width - from) }
    }

    /// The packed matrices of so many groups, each panel filled by `fill(group, panel, out)`: `[groups][panels][rows, vectors *
    /// LANES]`. Columns beyond the width are zero unless `fill` writes them.
    pub fn pack<T: Real>(&self, groups: usize, rows: usize, fill: impl Fn(usize, Panel, &mut [T]) + Sync) -> Vec<T> {
        let len = groups * self.packed(rows);
        let mut out = if self.width.is_multiple_of(LANES) { buffer(len) } else { vec![T::zero(); len] };
        let mut tasks: Vec<(usize, Panel, &mut [T])> = Vec::new();
        let mut rest = &mut out[..];
        for group in 0..groups {
            for panel in self.iter() {
                let (place, tail) = rest.split_at_mut(panel.vectors * LANES * rows);
                rest = tail;
                tasks.push((group, panel, place));
            }
        }
        chunks(&mut tasks, 1, len / 4, |_, task| {
            let (group, panel, out) = &mut task[0];
            fill(*group, *panel, out);
        });
        drop(tasks);
        out
    }

    pub fn iter(&self) -> impl Iterator<Item = Panel> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Numbers of the packed matrix with so many rows: panels one after the other, each `[rows, vectors * LANES]`.
    pub fn packed(&self, rows: usize) -> usize {
        self.width.div_ceil(LANES) * LANES * rows
    }

    /// Where in the packed matrix a panel lies.
    pub fn place(&self, i: usize, rows: usize) -> Range<usize> {
        let (from, vectors) = self.list[i];
        from * rows..(from + vectors * LANES) * rows
    }
}
