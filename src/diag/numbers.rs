//! Numbers as people read them.

/// Three digits and a power of a thousand: `640`, `9.54 k`, `2.20 M`.
pub fn human_count(n: u64) -> String {
    scaled(n, 1000, &["", "k", "M", "G", "T", "P", "E"])
}

/// Three digits and a power of 1024: `640 B`, `9.31 KiB`, `2.10 MiB`.
pub fn human_bytes(n: u64) -> String {
    scaled(n, 1024, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// A number as people write it: `0.5`, `1e-300`, `3.4e38`.
pub fn human_number(v: f64) -> String {
    let plain = v == 0.0 || !v.is_finite() || (1e-5..1e16).contains(&v.abs());
    if plain { v.to_string() } else { format!("{v:e}") }
}

fn scaled(n: u64, base: u64, units: &[&str]) -> String {
    let mut value = n as f64;
    let mut unit = 0;
    // 999.5 would be rounded up to four digits.
    while unit + 1 < units.len() && (if unit == 0 { n >= base } else { value >= base as f64 - 0.5 }) {
        value /= base as f64;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", units[unit]).trim_end().to_string()
}
