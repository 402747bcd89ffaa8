//! A picture in characters: each two columns wide, darker to lighter, between the smallest and the largest value.

const RAMP: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];
/// Most pixels that are drawn of a line.
const MOST_WIDE: usize = 36;

/// `values` are `[channels, height, width]`; channels are averaged, and large pictures are shrunk by leaving pixels out.
pub fn text(values: &[f32], channels: usize, height: usize, width: usize) -> String {
    let step = width.max(height).div_ceil(MOST_WIDE).max(1);
    let plane = height * width;
    let at =
        |y: usize, x: usize| (0..channels).map(|c| values[c * plane + y * width + x]).sum::<f32>() / channels as f32;
    let all = || (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| at(y, x));
    let (low, high) = all().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let mut out = String::new();
    for y in (0..height).step_by(step) {
        let line: String = (0..width)
            .step_by(step)
            .flat_map(|x| {
                let level = if high > low { (at(y, x) - low) / (high - low) } else { 0.0 };
                [RAMP[((level * RAMP.len() as f32) as usize).min(RAMP.len() - 1)]; 2]
            })
            .collect();
        out += &format!("  |{line}|\n");
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn light_stands_out_from_dark() {
        assert_eq!(super::text(&[0.0, 1.0, 0.5, 0.0], 1, 2, 2), "  |  @@|\n  |++  |\n");
        assert_eq!(super::text(&[3.0; 4], 1, 2, 2), "  |    |\n  |    |\n");
    }
}
