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
struct Left<'a, T> {
    data: &'a [T],
    rows: usize,
    row: usize,
    terms: usize,
    column: usize,
}

/// What happens to a sum beside.
#[derive(Clone, Copy)]
struct Finish<'a, T> {
    bias: Option<&'a [T]>,
    relu: bool,
}

impl<T> Finish<'_, T> {
    const NONE: Self = Finish { bias: None, relu: false };
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

/// `left` times packed panels: `[rows, width]`.
fn product<T: Real>(left: &Left<T>, panels: &Panels, packed: &[T], finish: Finish<T>) -> Vec<T> {
    let (width, k) = (panels.width, left.terms);
    let mut out = buffer(left.rows * width);
    if out.is_empty() {
        return out;
    }
    // What few panels read is read where it lies.
    let once = panels.len() < MANY;
    let block =
        if once { left.rows.div_ceil(8).next_multiple_of(SIDE).clamp(SIDE, 6 * SIDE) } else { share(left.rows) };
    let step = if once { left.column } else { SIDE };
    chunks(&mut out, block * width, left.rows * width * k / LANES, |i, out| {
        let rows = i * block..i * block + out.len() / width;
        let most = if once { k.max(1) } else { TERMS };
        for first in (0..k.max(1)).step_by(most) {
            let terms = first..(first + most).min(k);
            let off = Offsets::new((0..terms.len()).map(|i| (i * step) as u32).collect());
            let beside = if once { Vec::new() } else { pack_left(left, rows.clone(), terms.clone()) };
            let place = |i: usize| match once {
                true => (rows.start + i) * left.row,
                false => i / SIDE * SIDE * terms.len() + i % SIDE,
            };
            let at: Vec<usize> = (0..rows.len()).map(place).collect();
            let data = if once { left.data } else { &beside };
            for (i, panel) in panels.iter().enumerate() {
                let (vectors, step) = (panel.vectors, depth(panel.vectors));
                let packed = &packed[panels.place(i, k)];
                let bias = finish.bias.map(|b| &b[panel.from..][..panel.columns]);
                for from in (terms.start..terms.end.max(1)).step_by(step) {
                    let to = (from + step).min(terms.end);
                    let start = match bias {
                        _ if from > 0 => Start::Kept,
                        Some(bias) => Start::Row(bias),
                        None => Start::Zero,
                    };
                    let packed = &packed[from * vectors * LANES..to * vectors * LANES];
                    let off = off.part(from - first..to - first);
                    for (at, out) in at.chunks(tile(vectors)).zip(out.chunks_mut(tile(vectors) * width)) {
                        let out = &mut out[panel.from..];
                        let relu = finish.relu && to == k;
                        let out = Out { data: out, stride: width, columns: panel.columns, relu };
                        accumulate(data, at, off, packed, vectors, start, out);
                    }
                }
            }
        }
    });
    out
}

/// Rows become panels as they lie: element (k, j) is `data[k * width + j]`.
fn pack_rows<T: Real>(data: &[T], terms: usize, width: usize) -> (Panels, Vec<T>) {
    let panels = Panels::new(width);
    let packed = panels.pack(1, terms, |_, Panel { from, vectors, columns }, out| {
        for (row, out) in data.chunks_exact(width).zip(out.chunks_exact_mut(vectors * LANES)) {
            out[..columns].copy_from_slice(&row[from..][..columns]);
        }
    });
    (panels, packed)
}

/// Columns become panels: element (k, j) is `data[j * terms + k]`.
fn pack_columns<T: Real>(data: &[T], terms: usize, width: usize) -> (Panels, Vec<T>) {
    let panels = Panels::new(width);
    let packed = panels.pack(1, terms, |_, panel, out| {
        let rows = Rows { data: &data[panel.from * terms..], stride: terms, rows: panel.columns, columns: terms };
        transpose(rows, out, panel.vectors * LANES);
    });
    (panels, packed)
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
struct Sizes {
    rows: usize,
    k: usize,
    to: usize,
}

impl Sizes {
    fn new<T>(x: &View<T>, weight: &View<T>) -> Result<Sizes> {
        let s = Sizes { rows: x.dims[..x.dims.len() - 1].iter().product(), k: weight.dims[1], to: weight.dims[0] };
        // Offsets within a factor are 32 bits wide.
        let most = s.to.max(s.rows).saturating_mul(s.k.max(s.to));
        if most > u32::MAX as usize {
            bail!("a linear map reads {most} numbers at once; 2^32 are the most: make the batch or the map smaller")
        }
        Ok(s)
    }

    /// The batch is packed rather than the weights, which are read where they lie: the smaller of both is packed.
    fn turned(&self) -> bool {
        self.rows < self.to && self.rows < self.k
    }
}

fn forward<T: Real>(s: Sizes, x: &[T], weight: &[T], bias: Option<&[T]>, relu: bool) -> Vec<T> {
    let Sizes { rows, k, to } = s;
    if !s.turned() {
        let (panels, packed) = pack_columns(weight, k, to);
        return product(&Left { data: x, rows, row: k, terms: k, column: 1 }, &panels, &packed, Finish { bias, relu });
    }
    let (panels, packed) = pack_columns(x, k, rows);
    let y = product(&Left { data: weight, rows: to, row: k, terms: k, column: 1 }, &panels, &packed, Finish::NONE);
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
            let (panels, packed) = pack_rows(weight, to, k);
            return product(&Left { data: dy, rows, row: to, terms: to, column: 1 }, &panels, &packed, Finish::NONE);
        }
        let (panels, packed) = pack_columns(dy, to, rows);
        let dx = product(&Left { data: weight, rows: k, row: 1, terms: to, column: k }, &panels, &packed, Finish::NONE);
        turned(&dx, k, rows)
    };
    let dweight = || {
        let (panels, packed) = pack_rows(x, rows, k);
        product(&Left { data: dy, rows: to, row: 1, terms: rows, column: to }, &panels, &packed, Finish::NONE)
    };
    let work = rows * k * to / LANES;
    let (dx, dweight) = both(work, || wanted[0].then(dx), || wanted[1].then(dweight));
    [dx, dweight, wanted[2].then(|| sum_rows(dy, to))]
}

fn output<T>(x: &View<T>, to: usize) -> Shape {
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
