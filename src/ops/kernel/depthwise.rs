//! Convolution with one input channel per group, directly. A padded plane is split by the stride into planes where windows are
//! one pixel apart; then output pixels, rows laid out as far apart as the input's, are one long sum of shifted vectors. What
//! falls between rows is computed and dropped.

use super::conv::{Sizes, reach};
use super::simd::wide;
use super::{Real, buffer, chunks, real};

/// Outputs that are computed at once.
const SOME: usize = 32;

/// The split input: `stride * stride` planes `[rows, pitch]`.
struct Split {
    stride: usize,
    padding: usize,
    h: usize,
    w: usize,
    rows: usize,
    pitch: usize,
}

impl Split {
    fn new(s: &Sizes) -> Split {
        let w = s.window;
        let [rows, pitch] = [s.oh, s.ow].map(|o| ((o.max(1) - 1) * w.stride + w.span()).div_ceil(w.stride));
        Split { stride: w.stride, padding: w.padding, h: s.h, w: s.w, rows, pitch }
    }

    /// Numbers of a split plane, and what is read beyond it.
    fn len(&self) -> usize {
        self.stride * self.stride * self.rows * self.pitch + SOME
    }

    /// Where the taps of the window begin.
    fn taps(&self, s: &Sizes) -> Vec<usize> {
        let (k, d) = (s.window.kernel, s.window.dilation);
        let one = |tap: usize| (tap * d % self.stride, tap * d / self.stride);
        let place = |t: usize| {
            let ((py, y), (px, x)) = (one(t / k), one(t % k));
            ((py * self.stride + px) * self.rows + y) * self.pitch + x
        };
        (0..k * k).map(place).collect()
    }

    /// Outputs, with what lies between their rows.
    fn outputs(&self, s: &Sizes) -> usize {
        (s.oh - 1) * self.pitch + s.ow
    }

    /// One plane `[h, w]`; `out` holds zeros wherever this does not write.
    fn fill<T: Real>(&self, x: &[T], out: &mut [T]) {
        for (iy, x) in x.chunks_exact(self.w).enumerate().take(self.h) {
            let y = iy + self.padding;
            if y / self.stride >= self.rows {
                return;
            }
            for px in 0..self.stride {
                // The first column of this rest by the stride, in the image and in its plane.
                let skip = (px + self.stride - self.padding % self.stride) % self.stride;
                let first = (skip + self.padding) / self.stride;
                let at = ((y % self.stride * self.stride + px) * self.rows + y / self.stride) * self.pitch;
                let row = &mut out[at..at + self.pitch];
                if first >= self.pitch || skip >= self.w {
                    continue;
                }
                if self.stride == 1 {
                    let len = self.w.min(self.pitch - first);
                    row[first..first + len].copy_from_slice(&x[..len]);
                } else {
                    every(&x[skip..], self.stride, &mut row[first..]);
                }
            }
        }
    }
}

/// `to[i] = from[i * stride]`, as many as both have. Two is the stride of nearly all such convolutions.
fn every<T: Real>(from: &[T], stride: usize, to: &mut [T]) {
    if stride != 2 {
        return to.iter_mut().zip(from.chunks(stride)).for_each(|(to, from)| *to = from[0]);
    }
    let (pairs, rest) = from.as_chunks::<2>();
    to.iter_mut().zip(pairs).for_each(|(to, [v, _])| *to = *v);
    if let (Some(to), Some(v)) = (to.get_mut(pairs.len()), rest.first()) {
        *to = *v;
    }
}

/// `to[i * stride] = from[i]`, as many as both have.
fn apart<T: Real>(from: &[T], stride: usize, to: &mut [T]) {
    if stride != 2 {
        return to.chunks_mut(stride).zip(from).for_each(|(to, v)| to[0] = *v);
    }
    let (pairs, rest) = to.as_chunks_mut::<2>();
    let count = pairs.len();
    pairs.iter_mut().zip(from).for_each(|([to, _], v)| *to = *v);
    if let (Some(to), Some(v)) = (rest.first_mut(), from.get(count)) {
        *to = *v;
    }
}

wide! {
    /// `out[q] = start + sum of weight * x[q + offset]`; `out` is a multiple of [`SOME`] long.
    fn shifted[T: Real](x: &[T], taps: &[(usize, T)], start: T, out: &mut [T]) {
        for (i, out) in out.chunks_exact_mut(SOME).enumerate() {
            let mut acc = [start; SOME];
            for (offset, weight) in taps {
                let x = &x[offset + i * SOME..][..SOME];
                for j in 0..SOME {
                    acc[j] += *weight * x[j];
                }
            }
            out.copy_from_slice(&acc);
        }
    }
}

/// Planes of one task.
fn planes(size: usize) -> usize {
    (1usize << 14).div_ceil(size.max(1))
}

pub fn forward<T: Real>(s: &Sizes, x: &[T], weight: &[T], bias: Option<&[T]>, relu: bool, y: &mut [T]) {
    let (p, hw, k2, m) = (s.p(), s.h * s.w, s.window.kernel * s.window.kernel, s.co / s.ci);
    let (split, some) = (Split::new(s), planes(s.p()));
    let (offsets, outputs) = (split.taps(s), split.outputs(s));
    let work = y.len() * k2 / 8;
    chunks(y, p * some, work, |i, y| {
        let mut wide = vec![T::zero(); split.len() + SOME];
        let mut out = buffer(outputs.next_multiple_of(SOME));
        let mut taps: Vec<(usize, T)> = Vec::new();
        for (j, y) in y.chunks_exact_mut(p).enumerate() {
            let (sample, c) = ((i * some + j) / s.co, (i * some + j) % s.co);
            split.fill(&x[(sample * s.ci + c / m) * hw..][..hw], &mut wide);
            taps.clear();
            taps.extend(offsets.iter().copied().zip(weight[c * k2..][..k2].iter().copied()));
            shifted(&wide, &taps, bias.map_or(T::zero(), |b| b[c]), &mut out);
            for (y, out) in y.chunks_exact_mut(s.ow).zip(out.chunks(split.pitch)) {
                y.copy_from_slice(&out[..s.ow]);
            }
            if relu {
                y.iter_mut().for_each(|v| *v = if *v <= T::zero() { T::zero() } else { *v });
            }
        }
    });
}

pub fn backward<T: Real>(s: &Sizes, x: &[T], weight: &[T], dy: &[T], wanted: [bool; 2]) -> [Option<Vec<T>>; 2] {
    [wanted[0].then(|| backward_input(s, weight, dy)), wanted[1].then(|| backward_weight(s, x, dy))]
}

/// Input pixels with the same rest by the stride lie under the same taps: one sum of shifted gradients for each rest.
fn backward_input<T: Real>(s: &Sizes, weight: &[T], dy: &[T]) -> Vec<T> {
    let (p, hw, k2, m, stride) = (s.p(), s.h * s.w, s.window.kernel * s.window.kernel, s.co / s.ci, s.window.stride);
    let (frame, before) = s.back();
    let some = planes(hw);
    // By rest: which weights of the channels that read this one, and where their gradients lie.
    let rests = (0..stride.min(s.h)).flat_map(|top| (0..stride.min(s.w)).map(move |left| (top, left)));
    let reached = |(top, left)| {
        let (taps, offsets) = reach(s, before, frame.pitch, [top, left]);
        let of = |c: usize| taps.iter().zip(&offsets).map(move |(tap, at)| (c * k2 + tap, c * frame.plane + at));
        let [rows, columns] = [(s.h - top).div_ceil(stride), (s.w - left).div_ceil(stride)];
        ((top, left), (rows, columns), (0..m).flat_map(of).collect::<Vec<_>>())
    };
    let rests: Vec<_> = rests.map(reached).collect();
    let mut dx = buffer(s.n * s.image());
    chunks(&mut dx, hw * some, s.n * s.co * hw * k2 / 8, |i, dx| {
        let mut wide = vec![T::zero(); m * frame.plane + 2 * SOME];
        let mut out = buffer((s.h.div_ceil(stride) * frame.pitch).next_multiple_of(SOME));
        let mut taps: Vec<(usize, T)> = Vec::new();
        for (j, dx) in dx.chunks_exact_mut(hw).enumerate() {
            let (sample, ci) = ((i * some + j) / s.ci, (i * some + j) % s.ci);
            let first = ci * m;
            for (dy, wide) in
                dy[(sample * s.co + first) * p..].chunks_exact(p).zip(wide.chunks_exact_mut(frame.plane)).take(m)
            {
                frame.one(dy, wide);
            }
            for ((top, left), (rows, columns), reached) in &rests {
                let (top, left, rows, columns) = (*top, *left, *rows, *columns);
                taps.clear();
                taps.extend(reached.iter().map(|(tap, at)| (*at, weight[first * k2 + tap])));
                let len = ((rows - 1) * frame.pitch + columns).next_multiple_of(SOME);
                shifted(&wide, &taps, T::zero(), &mut out[..len]);
                for (dx, out) in dx[top * s.w..].chunks_mut(s.w * stride).zip(out.chunks(frame.pitch)) {
                    let row = &mut dx[left..s.w];
                    if stride == 1 {
                        row.copy_from_slice(&out[..columns]);
                    } else {
                        apart(out, stride, row);
                    }
                }
            }
        }
    });
    dx
}

fn backward_weight<T: Real>(s: &Sizes, x: &[T], dy: &[T]) -> Vec<T> {
    let (p, hw, k2, m) = (s.p(), s.h * s.w, s.window.kernel * s.window.kernel, s.co / s.ci);
    let split = Split::new(s);
    let (offsets, outputs) = (split.taps(s), split.outputs(s));
    let mut dweight = buffer(s.co * k2);
    chunks(&mut dweight, k2, dy.len() * k2 / 8, |c, dweight| {
        let mut wide = vec![T::zero(); split.len()];
        // Zeros between the rows of the gradient.
        let mut grad = vec![T::zero(); s.oh * split.pitch];
        let mut total = vec![0f64; k2];
        for sample in 0..s.n {
            split.fill(&x[(sample * s.ci + c / m) * hw..][..hw], &mut wide);
            let dy = &dy[(sample * s.co + c) * p..][..p];
            for (dy, grad) in dy.chunks_exact(s.ow).zip(grad.chunks_exact_mut(split.pitch)) {
                grad[..s.ow].copy_from_slice(dy);
            }
            for (total, at) in total.iter_mut().zip(&offsets) {
                *total += real::dot(&grad[..outputs], &wide[*at..][..outputs]);
            }
        }
        dweight.iter_mut().zip(&total).for_each(|(d, t)| *d = T::of(*t));
    });
    dweight
}
