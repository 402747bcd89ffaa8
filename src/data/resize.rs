//! Bringing a picture to another size: bilinear with pixel centres aligned, and with the triangle widened where a picture shrinks, so
//! that every pixel counts (what Pillow calls `BILINEAR`; no edge of the input is extended).

/// `pixels` are `[height, width, channels]` of size `from` (width, height); so is the result, of size `to`.
pub fn bilinear(pixels: &[u8], channels: usize, from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let [across, down] = [weights(from[0], to[0]), weights(from[1], to[1])];
    // First rows, then columns; a pixel's parts are added in their order, for all channels or a whole line at a time.
    let mut narrow = vec![0f32; from[1] * to[0] * channels];
    for (row, out) in pixels.chunks_exact(from[0] * channels).zip(narrow.chunks_exact_mut(to[0] * channels)) {
        for ((start, parts), cell) in across.iter().zip(out.chunks_exact_mut(channels)) {
            for (old, w) in row[start * channels..].chunks_exact(channels).zip(parts) {
                cell.iter_mut().zip(old).for_each(|(v, p)| *v += w * f32::from(*p));
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
            let out = bilinear(&[200; 10 * 12 * 3], 3, [10, 12], to);
            assert_eq!(out.len(), to[0] * to[1] * 3);
            assert!(out.iter().all(|v| (v - 200.0).abs() < 1e-3));
        }
    }

    #[test]
    fn halves_are_means_and_doubles_are_between() {
        let half = bilinear(&[0, 100, 200, 40], 1, [4, 1], [2, 1]);
        // Weights of a triangle of reach 2: 3/8 3/8 1/8 at the edge, made to add up to one.
        assert!((half[0] - (3.0 * 0.0 + 3.0 * 100.0 + 200.0) / 7.0).abs() < 1e-3, "{half:?}");
        let double = bilinear(&[0, 100], 1, [2, 1], [4, 1]);
        assert_eq!(double, [0.0, 25.0, 75.0, 100.0]);
    }
}
