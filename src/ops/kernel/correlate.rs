//! Windows of padded images times packed weights: a convolution forward, and the way back to its input, where the gradient is
//! the image. Pixels are the rows of the product and read the image in place; output channels are its columns.

use super::frame::Frame;
use super::micro::{LANES, Offsets, Out, Start, accumulate, depth, rows};
use super::pack::{Panel, Panels, Rows, transpose};
use super::{Real, buffer, chunks};

/// Pixels that share what is in cache of the weights.
const BLOCK: usize = 512;
/// Chunks of samples that are worth a task each; where there are fewer, tasks are panels too.
const TASKS: usize = 8;

/// One correlation: what is read, with which offsets, and where results go. All groups alike.
pub struct Correlation<'a, T> {
    pub n: usize,
    pub groups: usize,
    /// Channels of a group, read and written.
    pub from: usize,
    pub to: usize,
    pub frame: Frame,
    /// Source offsets of the taps, within a plane.
    pub taps: &'a [usize],
    /// Output rows and columns, and source pixels from one to the next.
    pub grid: [usize; 2],
    pub step: usize,
    /// Panels of every group: `[groups][panels][from * taps, vectors * LANES]`.
    pub weight: &'a [T],
    pub bias: Option<&'a [T]>,
    pub relu: bool,
    pub target: Target,
}

/// Where pixel (y, x) of the grid goes: row `first[0] + y * step`, column `first[1] + x * step` of a plane `[h, w]`.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub size: [usize; 2],
    pub first: [usize; 2],
    pub step: usize,
}

/// Where each pixel of so many samples begins in their frames.
pub fn pixels(samples: usize, image: usize, [h, w]: [usize; 2], step: usize, pitch: usize) -> Vec<usize> {
    let mut list = Vec::with_capacity(samples * h * w);
    for sample in 0..samples {
        for y in 0..h {
            list.extend((0..w).map(|x| sample * image + (y * pitch + x) * step));
        }
    }
    list
}

/// Offsets of all taps of so many channels.
pub fn windows(channels: usize, plane: usize, taps: &[usize]) -> Vec<usize> {
    (0..channels).flat_map(|c| taps.iter().map(move |t| c * plane + t)).collect()
}

impl<T: Real> Correlation<'_, T> {
    fn p(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Numbers of one sample's frames.
    fn image(&self) -> usize {
        self.groups * self.from * self.frame.plane
    }

    /// Source `[n, groups * from, h, w]` into `y`, `[n, groups * to, size]`.
    pub fn run(&self, source: &[T], y: &mut [T]) {
        if y.is_empty() || self.p() == 0 {
            return;
        }
        let off = windows(self.from, self.frame.plane, self.taps);
        let off = Offsets::new(off.into_iter().map(|o| o as u32).collect());
        let panels = Panels::new(self.to);
        let chunk = BLOCK.div_ceil(self.p()).clamp(1, self.n);
        let work = self.n * self.p() * self.groups * self.to * off.len().max(1) / LANES;
        let (read, write) = (source.len() / self.n, y.len() / self.n);
        if self.n.div_ceil(chunk) >= TASKS.min(self.n) {
            let list = pixels(chunk, self.image(), self.grid, self.step, self.frame.pitch);
            chunks(y, chunk * write, work, |i, y| {
                let samples = y.len() / write;
                let source = self.frame.wrap(&source[i * chunk * read..][..samples * read]);
                let list = &list[..samples * self.p()];
                for from in (0..list.len()).step_by(BLOCK) {
                    let list = &list[from..list.len().min(from + BLOCK)];
                    for group in 0..self.groups {
                        for (i, panel) in panels.iter().enumerate() {
                            let out = self.panel(&source, list, &off, group, i, &panels);
                            self.store(&out, group, panel, from, list.len(), y);
                        }
                    }
                }
            });
            return;
        }
        // Few pixels in all: every panel of weights is read by one task, once.
        let source = self.frame.wrap(source);
        let list = pixels(self.n, self.image(), self.grid, self.step, self.frame.pitch);
        let blocks: Vec<&[usize]> = list.chunks(BLOCK).collect();
        let mut parts: Vec<Vec<T>> = Vec::new();
        parts.resize_with(self.groups * panels.len() * blocks.len(), Vec::new);
        chunks(&mut parts, 1, work, |i, part| {
            let (i, block) = (i / blocks.len(), i % blocks.len());
            part[0] = self.panel(&source, blocks[block], &off, i / panels.len(), i % panels.len(), &panels);
        });
        chunks(y, write, self.n * write / 4, |sample, y| {
            // Blocks need not end where samples do.
            let own = sample * self.p()..(sample + 1) * self.p();
            for (i, part) in parts.iter().enumerate() {
                let (i, block) = (i / blocks.len(), i % blocks.len());
                let (from, to) = (own.start.max(block * BLOCK), own.end.min(block * BLOCK + blocks[block].len()));
                if from < to {
                    let panel = panels.get(i % panels.len());
                    let part = &part[(from - block * BLOCK) * panel.vectors * LANES..];
                    self.store(part, i / panels.len(), panel, from - own.start, to - from, y);
                }
            }
        });
    }

    /// Pixels times one panel: `[pixels, vectors * LANES]`.
    fn panel(&self, source: &[T], list: &[usize], off: &Offsets, group: usize, i: usize, panels: &Panels) -> Vec<T> {
        let Panel { from, vectors, columns } = panels.get(i);
        let (width, k) = (vectors * LANES, off.len());
        let weight = &self.weight[group * panels.packed(k)..][panels.place(i, k)];
        let bias = self.bias.map(|b| &b[group * self.to + from..][..columns]);
        let source = &source[group * self.from * self.frame.plane..];
        let mut out = buffer(list.len() * width);
        let mut at = 0;
        loop {
            let to = (at + depth(vectors)).min(k);
            let start = match bias {
                _ if at > 0 => Start::Kept,
                Some(bias) => Start::Row(bias),
                None => Start::Zero,
            };
            let weight = &weight[at * width..to * width];
            for (list, out) in list.chunks(rows(vectors)).zip(out.chunks_mut(rows(vectors) * width)) {
                let out = Out { data: out, stride: width, columns: width, relu: self.relu && to == k };
                accumulate(source, list, off.part(at..to), weight, vectors, start, out);
            }
            at = to;
            if at == k {
                return out;
            }
        }
    }

    /// Pixels `from..from + count` of the samples of `y`, from `[pixels, vectors * LANES]`.
    fn store(&self, out: &[T], group: usize, panel: Panel, from: usize, count: usize, y: &mut [T]) {
        let (p, width) = (self.p(), panel.vectors * LANES);
        let [h, w] = self.target.size;
        let (mut at, end) = (from, from + count);
        while at < end {
            let (sample, pixel) = (at / p, at % p);
            let len = (p - pixel).min(end - at);
            let out = Rows { data: &out[(at - from) * width..], stride: width, rows: len, columns: panel.columns };
            let y = &mut y[(sample * self.groups * self.to + group * self.to + panel.from) * h * w..];
            if self.target.step == 1 {
                transpose(out, &mut y[pixel..], h * w);
            } else {
                let mut turned = buffer(panel.columns * len);
                transpose(out, &mut turned, len);
                let [top, left] = self.target.first;
                for (y, turned) in y.chunks_exact_mut(h * w).zip(turned.chunks_exact(len)) {
                    for (i, v) in turned.iter().enumerate() {
                        let (row, column) = ((pixel + i) / self.grid[1], (pixel + i) % self.grid[1]);
                        y[(top + row * self.target.step) * w + left + column * self.target.step] = *v;
                    }
                }
            }
            at += len;
        }
    }
}
