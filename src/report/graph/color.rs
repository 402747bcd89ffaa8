//! Colours of task sets: seven hues that colour-blind readers can tell apart and that survive a grey print as light paper with dark
//! ink, then stronger tints of them, then hues spread by the golden angle. The tag (`#3`) tells sets apart where colour cannot.

use super::drawing::Color;

/// Okabe and Ito's palette without black and grey; the yellow's ink is darkened to be seen on paper.
const HUES: [[u8; 3]; 7] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233], [160, 145, 0]];

/// Of nodes that all tasks share.
pub const NEUTRAL: Color = Color { fill: [242, 242, 242], stroke: [90, 90, 90] };

/// The colour of the `index`-th set.
pub fn color(index: usize) -> Color {
    let (hue, paper, ink) = match index {
        0..7 => (HUES[index], 0.80, 0.85),
        7..14 => (HUES[index - 7], 0.55, 0.65),
        14..21 => (HUES[index - 14], 0.90, 0.50),
        _ => {
            let turn = (index - 21) as f64 * 0.381_966_011_250_105;
            (from_hue(turn.fract()), if index.is_multiple_of(2) { 0.62 } else { 0.84 }, 0.70)
        }
    };
    Color { fill: mix(hue, [255; 3], paper), stroke: mix(hue, [0; 3], 1.0 - ink) }
}

fn mix(a: [u8; 3], b: [u8; 3], share: f64) -> [u8; 3] {
    let one = |i: usize| (a[i] as f64 * (1.0 - share) + b[i] as f64 * share).round() as u8;
    [one(0), one(1), one(2)]
}

fn from_hue(hue: f64) -> [u8; 3] {
    let part = |shift: f64| {
        let x = ((hue + shift).fract() * 6.0 - 3.0).abs() - 1.0;
        (x.clamp(0.0, 1.0) * 200.0).round() as u8
    };
    [part(0.0), part(2.0 / 3.0), part(1.0 / 3.0)]
}

/// `#0072b2`.
pub fn hex(c: [u8; 3]) -> String {
    format!("#{:02x}{:02x}{:02x}", c[0], c[1], c[2])
}

/// The nearest of a terminal's 216 colours, as the number of `ESC[38;5;Nm`.
pub fn ansi(c: [u8; 3]) -> u8 {
    let step = |v: u8| (v as f64 / 255.0 * 5.0).round() as u8;
    16 + 36 * step(c[0]) + 6 * step(c[1]) + step(c[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_sets_have_distinct_colours_and_dark_ink() {
        let all: Vec<Color> = (0..60).map(color).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b), "{i}");
            let light = |c: [u8; 3]| 0.299 * c[0] as f64 + 0.587 * c[1] as f64 + 0.114 * c[2] as f64;
            assert!(light(a.fill) > light(a.stroke) + 40.0, "{i}: {a:?}");
        }
    }
}
