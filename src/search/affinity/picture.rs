//! Affinity matrices as heat maps: one SVG, a panel per location, no scripts. One hue from light to dark, which a grey print keeps.

use std::fmt::Write;

use crate::screen::visible;

/// Tasks up to which cells carry their number, and names stand beside the rows.
const NUMBERS: usize = 12;
const NAMES: usize = 60;

/// `affinities[location][task][task]`.
pub fn svg(tasks: &[String], locations: &[String], affinities: &[Vec<Vec<f64>>]) -> String {
    let n = tasks.len();
    let cell = match (n <= NUMBERS, n <= NAMES) {
        (true, _) => 38.0,
        (_, true) => 14.0,
        _ => (600.0 / n as f64).max(2.0),
    };
    let named = n <= NAMES;
    let text = 11.0;
    let longest = tasks.iter().map(|t| t.chars().count()).max().unwrap_or(0).min(24);
    let names = if named { longest as f64 * text * 0.62 + 8.0 } else { 0.0 };
    let side = n as f64 * cell;
    let (panel_w, panel_h) = (names + side + 24.0, side + names + 44.0);
    let columns = locations.len().clamp(1, 3);
    let rows = locations.len().div_ceil(columns);
    let (low, high) = range(affinities);
    let (width, height) = (columns as f64 * panel_w + 24.0, rows as f64 * panel_h + 64.0);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"{text}\">\n<title>Affinity of tasks</title>\n\
         <desc>Spearman's correlation of the representation dissimilarities of {n} single-task networks at {} locations, from \
         {low:.3} (light) to 1 (dark).</desc>\n<rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#ffffff\"/>",
        locations.len()
    );
    for (l, (location, matrix)) in locations.iter().zip(affinities).enumerate() {
        let (x0, y0) = (24.0 + (l % columns) as f64 * panel_w, 24.0 + (l / columns) as f64 * panel_h);
        let (left, top) = (x0 + names, y0 + 20.0);
        let _ = writeln!(
            out,
            "<text x=\"{left:.1}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
            y0 + 10.0,
            escaped(location)
        );
        for (i, row) in matrix.iter().enumerate() {
            let y = top + i as f64 * cell;
            for (j, v) in row.iter().enumerate() {
                let x = left + j as f64 * cell;
                let share = (v - low) / (high - low).max(1e-9);
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{cell:.1}\" height=\"{cell:.1}\" fill=\"{}\"><title>{} and {}: {v:.4}</title></rect>",
                    shade(share),
                    escaped(&tasks[i]),
                    escaped(&tasks[j])
                );
                if n <= NUMBERS {
                    let ink = if share > 0.55 { "#ffffff" } else { "#1a1a1a" };
                    let _ = writeln!(
                        out,
                        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{ink}\">{v:.2}</text>",
                        x + cell / 2.0,
                        y + cell / 2.0 + 4.0
                    );
                }
            }
            if named {
                let name = escaped(&shortened(&tasks[i]));
                let at = y + cell / 2.0 + 4.0;
                let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{at:.1}\" text-anchor=\"end\">{name}</text>", left - 5.0);
                let (x, y) = (left + i as f64 * cell + cell / 2.0 + 4.0, top + side + 6.0);
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\" transform=\"rotate(-90 {x:.1} {y:.1})\">{name}</text>"
                );
            }
        }
    }
    // The scale.
    let (x0, y0) = (24.0 + names, height - 30.0);
    for i in 0..40 {
        let x = x0 + i as f64 * 4.0;
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y0:.1}\" width=\"4.2\" height=\"10\" fill=\"{}\"/>",
            shade(i as f64 / 39.0)
        );
    }
    let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{low:.2}</text>", x0 - 5.0, y0 + 9.0);
    let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{high:.2}</text>\n</svg>", x0 + 165.0, y0 + 9.0);
    out
}

/// The smallest affinity, and 1.
fn range(affinities: &[Vec<Vec<f64>>]) -> (f64, f64) {
    let low = affinities.iter().flatten().flatten().copied().fold(1.0, f64::min);
    (low, 1.0)
}

/// White to dark blue.
fn shade(share: f64) -> String {
    let share = share.clamp(0.0, 1.0);
    let part = |light: f64, dark: f64| (light + (dark - light) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", part(247.0, 8.0), part(251.0, 48.0), part(255.0, 107.0))
}

fn shortened(name: &str) -> String {
    match name.chars().count() > 24 {
        true => name.chars().take(23).chain(['…']).collect(),
        false => name.to_string(),
    }
}

fn escaped(text: &str) -> String {
    visible(text, false)
        .chars()
        .map(|c| match c {
            '&' => "&amp;".to_string(),
            '<' => "&lt;".to_string(),
            '>' => "&gt;".to_string(),
            '"' => "&quot;".to_string(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_and_no_markup_from_names() {
        let tasks = ["a<b".to_string(), "\"c\" & d".to_string()];
        let out =
            svg(&tasks, &["c1".into(), "fc".into()], &[vec![vec![1.0, 0.25], vec![0.25, 1.0]], vec![vec![1.0; 2]; 2]]);
        assert_eq!(out.matches("</title></rect>").count(), 8);
        assert!(out.contains("a&lt;b and &quot;c&quot; &amp; d: 0.2500"), "{out}");
        assert!(out.contains("#f7fbff") && out.contains("#08306b") && !out.contains("NaN"), "{out}");
        // One task, no location: a picture all the same.
        assert!(svg(&["t".into()], &[], &[]).ends_with("</svg>\n"));
    }
}
