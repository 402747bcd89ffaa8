//! The sources of the program as text, for tests of what they say.

use std::path::{Path, PathBuf};

/// The sources of the program, without their tests.
pub fn sources() -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                // Tests stand last in a file.
                let code = text.split("mod tests {").next().unwrap_or_default().to_string();
                out.push((path, code));
            }
        }
    }
    assert!(out.len() > 300);
    out
}

/// The string literals of a source, with the lines on which they begin. Escapes stay as they are, but for line continuations.
pub fn literals(code: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    let chars: Vec<char> = code.chars().collect();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        match chars[i] {
            '\n' => line += 1,
            '/' if chars.get(i + 1) == Some(&'/') => {
                while i < chars.len() && chars[i] != '\n' {
                    i += 1;
                }
                continue;
            }
            // A character; a lifetime has no second quote.
            '\'' if chars.get(i + 1) == Some(&'\\') || chars.get(i + 2) == Some(&'\'') => {
                i += if chars[i + 1] == '\\' { 3 } else { 2 };
                while chars[i] != '\'' {
                    i += 1;
                }
            }
            '"' => {
                let hashes = chars[..i].iter().rev().take_while(|c| **c == '#').count();
                let raw = i > hashes && chars[i - hashes - 1] == 'r';
                let (from, mut text) = (line, String::new());
                i += 1;
                loop {
                    match chars[i] {
                        '"' if !raw || chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                            break;
                        }
                        '\\' if !raw && chars[i + 1] == '\n' => {
                            i += 1;
                            line += 1;
                            while chars[i + 1].is_whitespace() {
                                line += usize::from(chars[i + 1] == '\n');
                                i += 1;
                            }
                        }
                        '\\' if !raw => {
                            text.extend([chars[i], chars[i + 1]]);
                            i += 1;
                        }
                        c => {
                            line += usize::from(c == '\n');
                            text.push(c);
                        }
                    }
                    i += 1;
                }
                out.push((from, text));
            }
            _ => {}
        }
        i += 1;
    }
    out
}
