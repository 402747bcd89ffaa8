//! Images with zeros around them, so that every window lies inside and the inner loop asks nothing.

use super::{Real, buffer, chunks};

/// How a padded image lies in memory: `rows` of `pitch` numbers per plane, the image from row and column `before` on, as far as
/// windows reach.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    h: usize,
    w: usize,
    before: usize,
    rows: usize,
    pub pitch: usize,
    /// Numbers from one plane to the next.
    pub plane: usize,
}

impl Frame {
    pub fn new([h, w]: [usize; 2], before: usize, [rows, pitch]: [usize; 2]) -> Frame {
        let plane = rows * pitch;
        // Planes a power of two apart would share a few lines of the first cache.
        let plane = if plane.is_multiple_of(128) { plane + 16 } else { plane };
        Frame { h, w, before, rows, pitch, plane }
    }

    /// Planes `[h, w]`, one after the other, in their frames.
    pub fn wrap<T: Real>(&self, x: &[T]) -> Vec<T> {
        let hw = self.h * self.w;
        let planes = x.len() / hw.max(1);
        let mut out = buffer(planes * self.plane);
        // A few planes per task.
        let some = (1usize << 14).div_ceil(self.plane.max(1));
        chunks(&mut out, some * self.plane, planes * self.plane / 4, |i, out| {
            for (j, out) in out.chunks_exact_mut(self.plane).enumerate() {
                self.one(&x[(i * some + j) * hw..][..hw], out);
            }
        });
        out
    }

    /// One plane.
    pub fn one<T: Real>(&self, x: &[T], out: &mut [T]) {
        let width = self.w.min(self.pitch.saturating_sub(self.before));
        let height = self.h.min(self.rows.saturating_sub(self.before));
        if width == self.pitch && width == self.w {
            out[..height * width].copy_from_slice(&x[..height * width]);
            return out[height * width..].fill(T::zero());
        }
        out[..self.before.min(self.rows) * self.pitch].fill(T::zero());
        out[(self.before + height).min(self.rows) * self.pitch..].fill(T::zero());
        let inside = &mut out[self.before.min(self.rows) * self.pitch..][..height * self.pitch];
        for (row, out) in x.chunks_exact(self.w).zip(inside.chunks_exact_mut(self.pitch)) {
            out[..self.before.min(self.pitch)].fill(T::zero());
            out[(self.before + width).min(self.pitch)..].fill(T::zero());
            if width > 0 {
                out[self.before..][..width].copy_from_slice(&row[..width]);
            }
        }
    }
}
