//! Bringing a picture to another size: bilinear with pixel centres aligned, and with the triangle widened where a picture shrinks, so
//! that every pixel counts (what Pillow calls `BILINEAR`; no edge of the input is extended).

use crate::schema::{AttrDef, Need, Ty};

/// `pixels` are `[height, width, channels]` of size `from` (width, height); so is the result, of size `to`.
pub fn bilinear<T: Copy + Into<f32>>(pixels: &[T], channels: usize, from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let [across, down] = [weights(from[0], to[0]), weights(from[1], to[1])];
    // First rows, then columns; a pixel's parts are added in their order, for all channels or a whole line at a time.
    let mut narrow = vec![0f32; from[1] * to[0] * channels];
    for (row, out) in pixels.chunks_exact(from[0] * channels).zip(narrow.chunks_exact_mut(to[0] * channels)) {
        for ((start, parts), cell) in across.iter().zip(out.chunks_exact_mut(channels)) {
            for (old, w) in row[start * channels..].chunks_exact(channels).zip(parts) {
                cell.iter_mut().zip(old).for_each(|(v, p)| *v += w * (*p).into());
            }
        }
    }
    let line = to[0] * channels;
    let mut out = vec![0f32; to[1] * line];
    for ((start, parts), row) in down.iter().zip(out.chunks_exact_mut(line)) {
        for (old, w) in narrow[start * line..].chunks_exact(line).zip(parts) {
            row.iter_mut().zip(old).for_each(|(v, p)| *v += w * p);
        }
    }
    out
}

/// How labels per pixel are resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    Nearest,
    Bilinear,
}

/// The attribute `resize` of tasks.
pub const RESIZE: AttrDef = AttrDef {
    name: "resize",
    ty: Ty::OneOf(&["nearest", "bilinear"]),
    need: Need::Optional,
    doc: "Labels per pixel whose height and width differ from those of the head's output are resized to that size, for training and for \
          metrics. `nearest` takes the label at the centre of each new pixel. `bilinear`, for depth only, averages the labelled pixels \
          that a new pixel covers; the new pixel counts if they make up at least half of it. Absent: labels of another size are an error. \
          To compute metrics at full size instead, end the head with `upsample`.",
};

impl Resize {
    pub fn from_word(word: &str) -> Resize {
        if word == "bilinear" { Resize::Bilinear } else { Resize::Nearest }
    }

    pub fn word(self) -> &'static str {
        match self {
            Resize::Nearest => "nearest",
            Resize::Bilinear => "bilinear",
        }
    }
}

/// Resizes the labels of one sample, `[channels, height, width]` with a mark per pixel, and appends the result to the output.
pub fn labels(
    how: Resize,
    [from, to]: [[usize; 2]; 2],
    (values, marks): (&[f32], &[u8]),
    (out_values, out_marks): (&mut Vec<f32>, &mut Vec<u8>),
) {
    let planes = values.chunks_exact(from[0] * from[1]);
    match how {
        Resize::Nearest => {
            // The centre of the new pixel, half a pixel from its corner, in integer arithmetic.
            let old = |new: usize, axis: usize| (2 * new + 1) * from[axis] / (2 * to[axis]);
            let places: Vec<usize> =
                (0..to[0]).flat_map(|y| (0..to[1]).map(move |x| old(y, 0) * from[1] + old(x, 1))).collect();
            planes.for_each(|plane| out_values.extend(places.iter().map(|p| plane[*p])));
            out_marks.extend(places.iter().map(|p| marks[*p]));
        }
        Resize::Bilinear => {
            let [down, across] = [weights(from[0], to[0]), weights(from[1], to[1])];
            let first = out_marks.len();
            for (n, plane) in planes.enumerate() {
                for (y, rows) in &down {
                    for (x, columns) in &across {
                        let (mut sum, mut share) = (0f64, 0f64);
                        for (i, a) in rows.iter().enumerate() {
                            for (j, b) in columns.iter().enumerate() {
                                let at = (y + i) * from[1] + x + j;
                                let weight = f64::from(a * b) * f64::from(marks[at]);
                                share += weight;
                                sum += weight * f64::from(plane[at]);
                            }
                        }
                        // The weights are 32-bit floats, whose sum is 1 up to rounding.
                        let counts = share >= 0.5 - 1e-6;
                        out_values.push(if counts { (sum / share) as f32 } else { 0.0 });
                        if n == 0 {
                            out_marks.push(u8::from(counts));
                        }
                    }
                }
            }
            debug_assert_eq!(out_marks.len() - first, to[0] * to[1]);
        }
    }
}

/// For each new pixel, the first old one that counts and the weights from there on; they add up to one.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let part = |n: usize| {
        let centre = (n as f64 + 0.5) * scale;
        let first = ((centre - reach).floor().max(0.0) as usize).min(from - 1);
        let end = ((centre + reach).ceil() as usize).clamp(first + 1, from);
        let weight = |i: usize| (1.0 - ((i as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let all: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = all.iter().sum();
        (first, all.into_iter().map(|w| (w / sum) as f32).collect())
    };
    (0..to).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat() {
        for to in [[3, 5], [1, 1], [40, 7]] {
            let out = bilinear(&[200u8; 10 * 12 * 3], 3, [10, 12], to);
            assert_eq!(out.len(), to[0] * to[1] * 3);
            assert!(out.iter().all(|v| (v - 200.0).abs() < 1e-3));
        }
    }

    fn resized(how: Resize, sizes: [[usize; 2]; 2], values: &[f32], marks: &[u8]) -> (Vec<f32>, Vec<u8>) {
        let (mut v, mut m) = (Vec::new(), Vec::new());
        labels(how, sizes, (values, marks), (&mut v, &mut m));
        (v, m)
    }

    #[test]
    fn nearest_labels_are_those_under_the_centres() {
        let wide: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let mut marks = [1; 12];
        marks[5] = 0;
        // 3 x 4 to 3 x 2: columns 1 and 3.
        let (v, m) = resized(Resize::Nearest, [[3, 4], [3, 2]], &wide, &marks);
        assert_eq!((v, m), (vec![1., 3., 5., 7., 9., 11.], vec![1, 1, 0, 1, 1, 1]));
        // Enlarged: each value appears twice per row. Two channels share their marks.
        let (v, m) = resized(Resize::Nearest, [[1, 2], [1, 4]], &[7., 8., 70., 80.], &[1, 0]);
        assert_eq!((v, m), (vec![7., 7., 8., 8., 70., 70., 80., 80.], vec![1, 1, 0, 0]));
    }

    #[test]
    fn bilinear_labels_are_means_of_what_is_labelled() {
        // A triangle filter of radius 2 over 4 pixels: weights 3/7, 3/7 and 1/7 for the first half.
        let (v, m) = resized(Resize::Bilinear, [[1, 4], [1, 2]], &[0., 100., 200., 40.], &[1; 4]);
        assert!((v[0] - 500. / 7.).abs() < 1e-4 && m == [1, 1], "{v:?}");
        // Without the first pixel: (3 * 100 + 200) / 4. Without the first two, only a seventh of the weight is labelled.
        let (v, m) = resized(Resize::Bilinear, [[1, 4], [1, 2]], &[9e9, 100., 200., 40.], &[0, 1, 1, 1]);
        assert!((v[0] - 125.).abs() < 1e-4 && m == [1, 1], "{v:?}");
        let (v, m) = resized(Resize::Bilinear, [[1, 4], [1, 2]], &[9e9, 9e9, 200., 40.], &[0, 0, 1, 1]);
        assert!(v[0] == 0. && m == [0, 1], "{v:?}");
    }

    #[test]
    fn halves_are_means_and_doubles_are_between() {
        let half = bilinear(&[0u8, 100, 200, 40], 1, [4, 1], [2, 1]);
        // Weights of a triangle of reach 2: 3/8 3/8 1/8 at the edge, made to add up to one.
        assert!((half[0] - (3.0 * 0.0 + 3.0 * 100.0 + 200.0) / 7.0).abs() < 1e-3, "{half:?}");
        let double = bilinear(&[0u8, 100], 1, [2, 1], [4, 1]);
        assert_eq!(double, [0.0, 25.0, 75.0, 100.0]);
    }
}
