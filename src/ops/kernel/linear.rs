//! `linear`: products of matrices over the inner loop of [`super::micro`].

use std::ops::Range;

use candle_core::{Result, Shape, bail};

use super::micro::{LANES, Offsets, Out, Start, accumulate, depth, rows as tile};
use super::pack::{Panel, Panels, Rows, transpose};
use super::rows::sum_rows;
use super::{Kernel, Real, View, both, buffer, chunks};

/// `y = x W^T + b`, x `[..., k]`, W `[to, k]`, b? `[to]`; then ReLU if asked.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// `max(y, 0)`, with gradient 0 at 0.
    pub relu: bool,
}

/// The left factor where it lies: element (i, k) is `data[i * row + k * column]`.
pub(super) struct Left<'a, T> {
    data: &'a [T],
    rows: usize,
    row: usize,
    terms: usize,
    column: usize,
}

impl<'a, T> Left<'a, T> {
    /// `[rows, terms]` as it lies.
    pub(super) fn rows(data: &'a [T], rows: usize, terms: usize) -> Left<'a, T> {
        Left { data, rows, row: terms, terms, column: 1 }
    }

    /// The transpose of `[terms, rows]`: its columns are the rows of the factor. A single column has the memory layout of a single row
    /// and is treated as one: strides decide how the factor is read, and the stride of a dimension of size 1 is meaningless.
    pub(super) fn columns(data: &'a [T], rows: usize, terms: usize) -> Left<'a, T> {
        if rows == 1 {
            return Left::rows(data, 1, terms);
        }
        Left { data, rows, row: 1, terms, column: rows }
    }
}

/// The right factor packed, and what happens to a sum beside.
pub(super) struct Right<'a, T> {
    panels: Panels,
    packed: Vec<T>,
    bias: Option<&'a [T]>,
    relu: bool,
}

/// Rows that are packed side by side: whole tiles of every size of panel.
const SIDE: usize = 24;
/// Terms that are packed at once.
const TERMS: usize = 512;
/// Panels from which on it is worth it to pack the left factor too.
const MANY: usize = 8;

/// Rows of a task: even shares for two, four or eight threads.
fn share(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(64).next_multiple_of(8)).max(12)
}

/// Some rows and terms of a left factor as `[rows / SIDE][terms][SIDE]`: rows that lie a power of two apart push each other out of
/// the first cache, and a column has each of its numbers in another line.
fn pack_left<T: Real>(left: &Left<T>, rows: Range<usize>, terms: Range<usize>) -> Vec<T> {
    // Rows that are not there are never read.
    let mut out = buffer(rows.len().next_multiple_of(SIDE) * terms.len());
    for (i, out) in rows.step_by(SIDE).zip(out.chunks_exact_mut(SIDE * terms.len())) {
        let count = SIDE.min(left.rows - i);
        if left.column == 1 {
            let data = &left.data[i * left.row + terms.start..];
            transpose(Rows { data, stride: left.row, rows: count, columns: terms.len() }, out, SIDE);
        } else {
            let from = |k: usize| &left.data[i + k * left.column..];
            let (sides, _) = out.as_chunks_mut::<SIDE>();
            for (k, out) in terms.clone().zip(sides) {
                match from(k).first_chunk() {
                    // Of a length that is known, without a call.
                    Some(all) if count == SIDE => *out = *all,
                    _ => out[..count].copy_from_slice(&from(k)[..count]),
                }
            }
        }
    }
    out
}

/// `left` times each of the right factors: `[rows, width]` of each.
pub(super) fn products<T: Real>(left: &Left<T>, rights: &[Right<T>]) -> Vec<Vec<T>> {
    let k = left.terms;
    let mut all: Vec<Vec<T>> = rights.iter().map(|r| buffer(left.rows * r.panels.width)).collect();
    let width: usize = rights.iter().map(|r| r.panels.width).sum();
    if left.rows * width == 0 {
        return all;
    }
    // What few panels read is read where it lies.
    let once = rights.iter().map(|r| r.panels.len()).sum::<usize>() < MANY;
    let block =
        if once { left.rows.div_ceil(8).next_multiple_of(SIDE).clamp(SIDE, 6 * SIDE) } else { share(left.rows) };
    // By block of rows, its part of each result.
    let mut tasks: Vec<Vec<&mut [T]>> = (0..left.rows.div_ceil(block)).map(|_| Vec::new()).collect();
    for (out, right) in all.iter_mut().zip(rights).filter(|(_, r)| r.panels.width > 0) {
        for (task, out) in tasks.iter_mut().zip(out.chunks_mut(block * right.panels.width)) {
            task.push(out);
        }
    }
    chunks(&mut tasks, 1, left.rows * width * k / LANES, |i, task| {
        let rows = i * block..((i + 1) * block).min(left.rows);
        let (most, step) = if once { (k.max(1), left.column) } else { (TERMS, SIDE) };
        for first in (0..k.max(1)).step_by(most) {
            let terms = first..(first + most).min(k);
            let off = Offsets::new((0..terms.len()).map(|i| (i * step) as u32).collect());
            let beside = if once { Vec::new() } else { pack_left(left, rows.clone(), terms.clone()) };
            let place = |i: usize| match once {
                true => (rows.start + i) * left.row,
                false => i / SIDE * SIDE * terms.len() + i % SIDE,
            };
            let at: Vec<usize> = (0..rows.len()).map(place).collect();
            let from = Gathered { data: if once { left.data } else { &beside }, at: &at, off: &off, first, terms, k };
            for (right, out) in rights.iter().zip(&mut *task[0]) {
                from.times(right, out);
            }
        }
    });
    all
}

/// Some rows and terms of a left factor, where they are read.
struct Gathered<'a, T> {
    data: &'a [T],
    at: &'a [usize],
    off: &'a Offsets,
    first: usize,
    terms: Range<usize>,
    /// All terms of the product.
    k: usize,
}

impl<T: Real> Gathered<'_, T> {
    /// Adds these terms to what the terms before them came to.
    fn times(&self, right: &Right<T>, out: &mut [T]) {
        let Right { panels, packed, bias, relu } = right;
        let width = panels.width;
        for (i, panel) in panels.iter().enumerate() {
            let (vectors, step) = (panel.vectors, depth(panel.vectors));
            let packed = &packed[panels.place(i, self.k)];
            let bias = bias.map(|b| &b[panel.from..][..panel.columns]);
            for from in (self.terms.start..self.terms.end.max(1)).step_by(step) {
                let to = (from + step).min(self.terms.end);
                let start = match bias {
                    _ if from > 0 => Start::Kept,
                    Some(bias) => Start::Row(bias),
                    None => Start::Zero,
                };
                let packed = &packed[from * vectors * LANES..to * vectors * LANES];
                let off = self.off.part(from - self.first..to - self.first);
                for (at, out) in self.at.chunks(tile(vectors)).zip(out.chunks_mut(tile(vectors) * width)) {
                    let out = &mut out[panel.from..];
                    let out = Out { data: out, stride: width, columns: panel.columns, relu: *relu && to == self.k };
                    accumulate(self.data, at, off, packed, vectors, start, out);
                }
            }
        }
    }
}

/// `left` times one right factor: `[rows, width]`.
fn product<T: Real>(left: &Left<T>, right: Right<T>) -> Vec<T> {
    products(left, &[right]).pop().expect("one for one")
}

impl<'a, T: Real> Right<'a, T> {
    /// Of rows as they lie: element (k, j) is the j-th number of the k-th row.
    pub(super) fn rows(rows: &[&[T]], terms: usize, width: usize) -> Right<'a, T> {
        let panels = Panels::new(width);
        let packed = panels.pack(1, terms, |_, Panel { from, vectors, columns }, out| {
            let rows = rows.iter().flat_map(|r| r.chunks_exact(width));
            for (row, out) in rows.zip(out.chunks_exact_mut(vectors * LANES)) {
                out[..columns].copy_from_slice(&row[from..][..columns]);
            }
        });
        Right { panels, packed, bias: None, relu: false }
    }

    /// Of columns: element (k, j) is `data[j * terms + k]`.
    pub(super) fn columns(data: &[T], terms: usize, width: usize) -> Right<'a, T> {
        let panels = Panels::new(width);
        let packed = panels.pack(1, terms, |_, panel, out| {
            let rows = Rows { data: &data[panel.from * terms..], stride: terms, rows: panel.columns, columns: terms };
            transpose(rows, out, panel.vectors * LANES);
        });
        Right { panels, packed, bias: None, relu: false }
    }

    pub(super) fn then(self, bias: Option<&'a [T]>, relu: bool) -> Right<'a, T> {
        Right { bias, relu, ..self }
    }
}

/// `[columns, rows]` of `[rows, columns]`.
fn turned<T: Real>(data: &[T], rows: usize, columns: usize) -> Vec<T> {
    const SOME: usize = 64;
    let mut out = buffer(data.len());
    if out.is_empty() {
        return out;
    }
    chunks(&mut out, SOME * rows, data.len() / 2, |i, out| {
        let rows_of = Rows { data: &data[i * SOME..], stride: columns, rows, columns: out.len() / rows };
        transpose(rows_of, out, rows);
    });
    out
}

/// Sizes of one call.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub k: usize,
    pub to: usize,
}

impl Sizes {
    pub fn new<T>(x: &View<T>, weight: &View<T>) -> Result<Sizes> {
        let s = Sizes { rows: x.dims[..x.dims.len() - 1].iter().product(), k: weight.dims[1], to: weight.dims[0] };
        // Offsets within a factor are 32 bits wide.
        let most = s.to.max(s.rows).saturating_mul(s.k.max(s.to));
        if most > u32::MAX as usize {
            bail!("a linear map reads {most} numbers at once; 2^32 are the most: make the batch or the map smaller")
        }
        Ok(s)
    }

    /// The batch is packed rather than the weights, which are read where they lie: the smaller of both is packed.
    pub fn turned(&self) -> bool {
        self.rows < self.to && self.rows < self.k
    }
}

fn forward<T: Real>(s: Sizes, x: &[T], weight: &[T], bias: Option<&[T]>, relu: bool) -> Vec<T> {
    let Sizes { rows, k, to } = s;
    if !s.turned() {
        return product(&Left::rows(x, rows, k), Right::columns(weight, k, to).then(bias, relu));
    }
    let y = product(&Left::rows(weight, to, k), Right::columns(x, k, rows));
    let mut y = turned(&y, to, rows);
    if bias.is_some() || relu {
        for y in y.chunks_exact_mut(to) {
            if let Some(bias) = bias {
                y.iter_mut().zip(bias).for_each(|(y, b)| *y += *b);
            }
            if relu {
                y.iter_mut().for_each(|y| *y = if *y <= T::zero() { T::zero() } else { *y });
            }
        }
    }
    y
}

fn backward<T: Real>(s: Sizes, x: &[T], weight: &[T], dy: &[T], wanted: [bool; 3]) -> [Option<Vec<T>>; 3] {
    let Sizes { rows, k, to } = s;
    let dx = || {
        if !s.turned() {
            return product(&Left::rows(dy, rows, to), Right::rows(&[weight], to, k));
        }
        let dx = product(&Left::columns(weight, k, to), Right::columns(dy, to, rows));
        turned(&dx, k, rows)
    };
    let dweight = || product(&Left::columns(dy, to, rows), Right::rows(&[x], rows, k));
    let work = rows * k * to / LANES;
    let (dx, dweight) = both(work, || wanted[0].then(dx), || wanted[1].then(dweight));
    [dx, dweight, wanted[2].then(|| sum_rows(dy, to))]
}

pub(super) fn output<T>(x: &View<T>, to: usize) -> Shape {
    let mut shape = x.dims.to_vec();
    *shape.last_mut().expect("linear reads at least one dimension") = to;
    shape.into()
}

impl Kernel<2> for Linear {
    const NAME: &'static str = "linear";

    fn reads(&self) -> ([bool; 2], bool) {
        ([true; 2], false)
    }

    fn rectified(&self) -> bool {
        self.relu
    }

    fn forward<T: Real>(&self, [x, weight]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let s = Sizes::new(&x, &weight)?;
        Ok((forward(s, x.data, weight.data, None, self.relu), output(&x, s.to)))
    }

    fn backward<T: Real>(
        &self,
        [x, weight]: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let [dx, dweight, _] =
            backward(Sizes::new(&x, &weight)?, x.data, weight.data, dy, [wanted[0], wanted[1], false]);
        Ok([dx, dweight])
    }
}

impl Kernel<3> for Linear {
    const NAME: &'static str = "linear";

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn rectified(&self) -> bool {
        self.relu
    }

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let s = Sizes::new(&x, &weight)?;
        Ok((forward(s, x.data, weight.data, Some(bias.data), self.relu), output(&x, s.to)))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, _]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        Ok(backward(Sizes::new(&x, &weight)?, x.data, weight.data, dy, wanted))
    }
}
