//! The gradient of a convolution's weights: for every tap, the padded input under it times the gradient, summed over pixels.
//! Taps are the rows of the product and read the input in place; output channels are its columns, pixels are what is summed.

use super::conv::Sizes;
use super::correlate::{pixels, windows};
use super::micro::{LANES, Offsets, Out, Start, accumulate, depth, rows};
use super::pack::{Panels, Rows, transpose};
use super::{Real, buffer, chunks};

/// Pixels of a chunk of samples, at least.
const BLOCK: usize = 512;
/// Sums over samples that are kept apart and added in order, where weights are small.
const PARTS: usize = 8;
/// Taps of one task, where weights are large.
const TAPS: usize = 96;

struct Taps<'a> {
    s: &'a Sizes,
    /// Where each weight of an output channel reads.
    at: Vec<usize>,
    panels: Panels,
}

/// `[co, ci / groups, k, k]`.
pub fn gradient<T: Real>(s: &Sizes, x: &[T], dy: &[T]) -> Vec<T> {
    let frame = s.frame();
    let taps = Taps { s, at: windows(s.ci / s.groups, frame.plane, &s.taps()), panels: Panels::new(s.cog()) };
    let (k, p) = (s.k(), s.p());
    let chunk = BLOCK.div_ceil(p).clamp(1, s.n);
    let parts = s.n.div_ceil(chunk).min(PARTS);
    // Sums kept apart, or everything packed at once: what takes less memory.
    let apart = parts * s.co * k <= s.n * (s.ci * frame.plane + s.co * p);
    let sums = if apart {
        let per_part = s.n.div_ceil(chunk).div_ceil(parts) * chunk;
        let mut sums: Vec<Vec<T>> = Vec::new();
        sums.resize_with(s.n.div_ceil(per_part), Vec::new);
        chunks(&mut sums, 1, s.work(), |i, sum| {
            let samples = i * per_part..((i + 1) * per_part).min(s.n);
            sum[0] = taps.part(samples, chunk, x, dy);
        });
        add_up(sums)
    } else {
        taps.whole(x, dy)
    };
    if s.cog().is_multiple_of(LANES) {
        return turned(sums, &taps.panels, k);
    }
    let mut dweight = buffer(s.co * k);
    for (group, dweight) in dweight.chunks_exact_mut(s.cog() * k).enumerate() {
        for (i, panel) in taps.panels.iter().enumerate() {
            let width = panel.vectors * LANES;
            let data = &sums[group * taps.panels.packed(k)..][taps.panels.place(i, k)];
            let turned = Rows { data, stride: width, rows: k, columns: panel.columns };
            transpose(turned, &mut dweight[panel.from * k..], k);
        }
    }
    dweight
}

/// Panels `[k, columns]` as `[columns, k]`, each in its own place: a second copy of all would be the most that a large layer takes.
fn turned<T: Real>(mut sums: Vec<T>, panels: &Panels, k: usize) -> Vec<T> {
    for group in sums.chunks_exact_mut(panels.packed(k)) {
        for (i, panel) in panels.iter().enumerate() {
            let place = &mut group[panels.place(i, k)];
            let beside = place.to_vec();
            let from = Rows { data: &beside, stride: panel.columns, rows: k, columns: panel.columns };
            transpose(from, place, k);
        }
    }
    sums
}

/// The first plus the second plus the third.
fn add_up<T: Real>(mut sums: Vec<Vec<T>>) -> Vec<T> {
    let rest = sums.split_off(1);
    let mut total = sums.swap_remove(0);
    const SOME: usize = 1 << 13;
    chunks(&mut total, SOME, rest.iter().map(Vec::len).sum(), |i, total| {
        for sum in &rest {
            for (t, v) in total.iter_mut().zip(&sum[i * SOME..]) {
                *t += *v;
            }
        }
    });
    total
}

/// Adds up pixels `list` for taps `which` of one group and panel: `out` is `[taps, vectors * LANES]`.
fn add<T: Real>(x: &[T], dy: &[T], list: &Offsets, which: &[usize], vectors: usize, fresh: bool, out: &mut [T]) {
    let (width, step) = (vectors * LANES, depth(vectors));
    for from in (0..list.len()).step_by(step) {
        let to = (from + step).min(list.len());
        let start = if fresh && from == 0 { Start::Zero } else { Start::Kept };
        let dy = &dy[from * width..to * width];
        for (at, out) in which.chunks(rows(vectors)).zip(out.chunks_mut(rows(vectors) * width)) {
            let out = Out { data: out, stride: width, columns: width, relu: false };
            accumulate(x, at, list.part(from..to), dy, vectors, start, out);
        }
    }
}

impl Taps<'_> {
    /// The gradient of so many samples as panels: `[groups][panels][samples * p, vectors * LANES]`.
    fn turn<T: Real>(&self, samples: usize, dy: &[T]) -> Vec<T> {
        let (s, p) = (self.s, self.s.p());
        let packed = self.panels.packed(samples * p);
        let mut out =
            if s.cog().is_multiple_of(LANES) { buffer(s.groups * packed) } else { vec![T::zero(); s.groups * packed] };
        let mut places: Vec<(usize, usize, &mut [T])> = Vec::new();
        for (group, out) in out.chunks_exact_mut(packed).enumerate() {
            let mut rest = out;
            for i in 0..self.panels.len() {
                let (place, tail) = rest.split_at_mut(self.panels.place(i, samples * p).len());
                rest = tail;
                let width = self.panels.get(i).vectors * LANES;
                places.extend(place.chunks_exact_mut(p * width).map(|sample| (group, i, sample)));
            }
        }
        chunks(&mut places, 1, samples * p * s.co / 4, |at, place| {
            let (group, i, out) = &mut place[0];
            let panel = self.panels.get(*i);
            let first = (at % samples * s.co + *group * s.cog() + panel.from) * p;
            let rows = Rows { data: &dy[first..], stride: p, rows: panel.columns, columns: p };
            transpose(rows, out, panel.vectors * LANES);
        });
        out
    }

    fn list(&self, samples: usize) -> Offsets {
        let frame = self.s.frame();
        let list = pixels(samples, self.s.ci * frame.plane, [self.s.oh, self.s.ow], self.s.window.stride, frame.pitch);
        Offsets::new(list.into_iter().map(|o| o as u32).collect())
    }

    /// The sum over some samples.
    fn part<T: Real>(&self, samples: std::ops::Range<usize>, chunk: usize, x: &[T], dy: &[T]) -> Vec<T> {
        let (s, frame, k) = (self.s, self.s.frame(), self.s.k());
        let mut out = buffer(s.groups * self.panels.packed(k));
        for from in samples.clone().step_by(chunk) {
            let b = chunk.min(samples.end - from);
            let list = self.list(b);
            let x = frame.wrap(&x[from * s.image()..][..b * s.image()]);
            let dy = self.turn(b, &dy[from * s.co * s.p()..][..b * s.co * s.p()]);
            for group in 0..s.groups {
                let x = &x[group * (s.ci / s.groups) * frame.plane..];
                for (i, panel) in self.panels.iter().enumerate() {
                    let dy = &dy[group * self.panels.packed(list.len())..][self.panels.place(i, list.len())];
                    let out = &mut out[group * self.panels.packed(k)..][self.panels.place(i, k)];
                    add(x, dy, &list, &self.at, panel.vectors, from == samples.start, out);
                }
            }
        }
        out
    }

    /// The sum over all samples, tasks being some taps of one panel.
    fn whole<T: Real>(&self, x: &[T], dy: &[T]) -> Vec<T> {
        let (s, frame, k) = (self.s, self.s.frame(), self.s.k());
        let (x, dy, list) = (frame.wrap(x), self.turn(s.n, dy), self.list(s.n));
        let mut out = buffer(s.groups * self.panels.packed(k));
        let mut tasks: Vec<(usize, usize, &[usize], &mut [T])> = Vec::new();
        for (group, out) in out.chunks_exact_mut(self.panels.packed(k)).enumerate() {
            let mut rest = out;
            for (i, panel) in self.panels.iter().enumerate() {
                for taps in self.at.chunks(TAPS) {
                    let (out, tail) = rest.split_at_mut(taps.len() * panel.vectors * LANES);
                    rest = tail;
                    tasks.push((group, i, taps, out));
                }
            }
        }
        chunks(&mut tasks, 1, s.work(), |_, task| {
            let (group, i, taps, out) = &mut task[0];
            let dy = &dy[*group * self.panels.packed(list.len())..][self.panels.place(*i, list.len())];
            let x = &x[*group * (s.ci / s.groups) * frame.plane..];
            add(x, dy, &list, taps, self.panels.get(*i).vectors, true, out);
        });
        drop(tasks);
        out
    }
}
