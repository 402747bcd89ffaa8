//! Recognises files of other programs, which also use names that end in `.mtl`. They are reported in one message instead of one per line.
//! Only texts without an edition line are checked.

use std::ops::Range;

/// The kind of a text, and the part of it by which it was recognised.
pub(super) struct Foreign {
    /// The kind, such as "a Wavefront material file".
    pub what: &'static str,
    /// The label for the part by which it was recognised.
    pub label: &'static str,
    pub help: &'static str,
    pub at: Range<usize>,
}

const BEGIN: &str = "a program begins with the line `mtl 1`; `mtlc new NAME` writes one to start from";

/// Statements of a Wavefront material library, which describes the surfaces of an .obj file.
const MATERIAL: &[&str] = &[
    "newmtl",
    "ka",
    "kd",
    "ks",
    "ke",
    "km",
    "ns",
    "ni",
    "nt",
    "d",
    "tr",
    "tf",
    "illum",
    "sharpness",
    "map_ka",
    "map_kd",
    "map_ks",
    "map_ke",
    "map_ns",
    "map_d",
    "map_bump",
    "map_refl",
    "map_aat",
    "bump",
    "disp",
    "decal",
    "refl",
    "norm",
    "pr",
    "pm",
    "ps",
    "pc",
    "pcr",
    "aniso",
    "anisor",
    "map_pr",
    "map_pm",
    "map_ps",
    "map_norm",
];

/// Statements of a Wavefront object (.obj) file.
const OBJECT: &[&str] = &["mtllib", "usemtl", "v", "vt", "vn", "vp", "f", "o", "g", "s", "l", "p"];

/// The kind of a text without an edition line, if it is clearly not a program of this language.
pub(super) fn foreign(text: &str) -> Option<Foreign> {
    let mut lines = statements(text);
    let (at, first) = lines.next()?;
    let word = first.split_whitespace().next()?.to_lowercase();
    if word == "mtl" {
        return None;
    }
    let found = |what, label, help| Some(Foreign { what, label, help, at: at..at + first.len() });
    let lower = first.to_lowercase();
    if ["<?xml", "<!doctype", "<html", "<svg"].iter().any(|s| lower.starts_with(s)) {
        return found("markup (XML or HTML)", "a document begins here", "was a web page saved instead of the file?");
    }
    if lower.starts_with("version https://git-lfs") {
        return found(
            "a Git LFS pointer, not the file itself",
            "Git LFS keeps the file elsewhere",
            "fetch the file with `git lfs pull`",
        );
    }
    // In these languages, a word is followed by numbers or a name, never by the punctuation of this language.
    let plain = |line: &str| !line.contains(['=', '{', '}', '(', ':']);
    let of = |table: &[&str], line: &str| {
        let mut words = line.split_whitespace();
        let known = words.next().is_some_and(|w| table.contains(&w.to_lowercase().as_str()));
        known && words.next().is_some() && plain(line)
    };
    let all: Vec<&str> = std::iter::once(first).chain(lines.take(1000).map(|(_, l)| l)).collect();
    let count = |table: &[&str]| all.iter().filter(|l| of(table, l)).count();
    let mostly = |n: usize| n * 2 > all.len() && (n > 1 || all.len() == 1);
    if of(MATERIAL, first) && (word == "newmtl" || mostly(count(MATERIAL))) {
        return found(
            "a Wavefront material file, which describes the surfaces of a 3D model",
            if word == "newmtl" { "a material begins here" } else { "a statement of a material" },
            BEGIN,
        );
    }
    if of(OBJECT, first) && mostly(count(OBJECT)) {
        return found("a Wavefront object file, which holds a 3D model", "a statement of a 3D model", BEGIN);
    }
    let whole = text.trim_start_matches('\u{feff}').trim();
    let braces = whole.starts_with('{') && whole.ends_with('}') || whole.starts_with('[') && whole.ends_with(']');
    if braces && serde_json::from_str::<serde::de::IgnoredAny>(whole).is_ok() {
        return found("JSON", "a JSON value begins here", BEGIN);
    }
    None
}

/// The trimmed lines that are neither blank nor comments, with the offsets where they begin.
fn statements(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(['\n', '\r']).filter_map(move |line| {
        let start = at;
        at += line.len() + 1;
        let rest = line.trim_start_matches('\u{feff}').trim_start();
        let begins = start + line.len() - rest.len();
        let trimmed = rest.trim_end();
        (!trimmed.is_empty() && !trimmed.starts_with('#')).then_some((begins, trimmed))
    })
}

#[cfg(test)]
mod tests {
    use super::foreign;

    fn what(text: &str) -> Option<&'static str> {
        foreign(text).map(|f| f.what)
    }

    #[test]
    fn materials() {
        for text in [
            "# made by a 3D program\nnewmtl red\nKa 0.1 0.1 0.1\nKd 0.8 0.1 0.1\nmap_Kd red.png\n",
            "newmtl red",
            "\u{feff}\r\n# Blender 4.2 MTL File: 'None'\r\n# www.blender.org\r\n\r\nnewmtl Material.001\r\nNs 250.0\r\nillum 2\r\n",
            "\tnewmtl  a b\n\tPr 0.5\n\tnorm -bm 1 n.png\n",
            // A library whose first material has no name.
            "Kd 0.8 0.1 0.1\nKs 0 0 0\nd 1.0\n",
            "NEWMTL LOUD\nKD 1 1 1\n",
        ] {
            let found = foreign(text).unwrap_or_else(|| panic!("not recognised: {text}"));
            assert!(found.what.contains("Wavefront material"), "{text}");
            let shown = text[found.at].to_lowercase();
            assert!(shown.starts_with("newmtl") || shown.starts_with("kd"), "{shown}");
        }
    }

    #[test]
    fn others() {
        assert!(what("mtllib red.mtl\nv 0 0 0\nv 1 0 0\nf 1 2 3\n").is_some_and(|w| w.contains("object")));
        assert!(what("<!DOCTYPE html>\n<html></html>").is_some_and(|w| w.contains("markup")));
        assert!(what("version https://git-lfs.github.com/spec/v1\noid sha256:0\n").is_some_and(|w| w.contains("LFS")));
        assert!(what("{\n  \"tasks\": [1, 2]\n}\n").is_some_and(|w| w.contains("JSON")));
    }

    #[test]
    fn programs_with_mistakes_stay_programs() {
        for text in [
            "",
            "# nothing yet\n",
            "mtl 1\nnewmtl red\nKd 1 1 1\n",
            "input image: f32[3, 8, 8]\ntask t: binary\n",
            "d { format = csv }\n",
            "data d { format = csv }\ntask t: binary\n",
            "s = 3\n",
            "{ format = csv }",
            "param d: int = 3\nd 3\n",
        ] {
            assert_eq!(what(text), None, "{text}");
        }
    }
}
