//! Commands that a message suggests. Every word that is not ours is quoted for a POSIX shell, so that a copied command does what the
//! message says, whatever a path or a name holds.

use std::fmt::{self, Display};
use std::path::Path;

use super::steers;

/// A command or a part of one, shown in backticks: `` `mtlc train --resume 'my run'` ``. It is built from words of ours and quoted words
/// of others; a test refuses format strings that build commands by other means.
#[derive(Debug, Clone)]
pub struct Suggestion(String);

/// A command of `mtlc`, as far as its words are ours.
pub fn mtlc(words: &str) -> Suggestion {
    Suggestion(format!("mtlc {words}"))
}

/// The part of a command that begins with an option of ours.
pub fn option(words: &str) -> Suggestion {
    Suggestion(words.to_string())
}

/// The option that picks a network of a run.
pub fn network(name: &str) -> Suggestion {
    option("--network").word(name)
}

/// The part of a command that begins with the path of a file.
pub fn file(path: &Path) -> Suggestion {
    Suggestion(quoted_path(path))
}

impl Suggestion {
    /// The command without backticks.
    pub fn text(self) -> String {
        self.0
    }

    /// Adds words of ours.
    pub fn words(mut self, words: &str) -> Suggestion {
        self.0 += &format!(" {words}");
        self
    }

    /// Adds the path of a file or a folder, quoted.
    pub fn path(mut self, path: &Path) -> Suggestion {
        self.0 += &format!(" {}", quoted_path(path));
        self
    }

    /// Adds a word of the user's that is no path, quoted.
    pub fn word(mut self, word: &str) -> Suggestion {
        self.0 += &format!(" {}", quoted(word.as_bytes()));
        self
    }
}

impl Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// A path as one word of a shell. One that begins with a dash would be read as an option, so it gets `./`.
fn quoted_path(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    match bytes.first() {
        Some(b'-') => quoted(&[b"./", bytes].concat()),
        _ => quoted(bytes),
    }
}

/// Bytes as one word of a shell: bare where no shell reads them otherwise, in single quotes, or, with characters that a terminal does not
/// show or that are no text, in `$'...'`.
fn quoted(bytes: &[u8]) -> String {
    let bare = |c: char| c.is_alphanumeric() || "_./+:,@%=-".contains(c) || (cfg!(windows) && c == '\\');
    match std::str::from_utf8(bytes) {
        // A `=` at the beginning names a program in zsh.
        Ok(text) if !text.is_empty() && !text.starts_with('=') && text.chars().all(bare) => text.to_string(),
        Ok(text) if !text.chars().any(steers) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let mut out = String::from("$'");
            for chunk in bytes.utf8_chunks() {
                for c in chunk.valid().chars() {
                    match c {
                        '\'' | '\\' => out.extend(['\\', c]),
                        '\n' => out += "\\n",
                        '\t' => out += "\\t",
                        '\r' => out += "\\r",
                        c if steers(c) => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out += &octal(b)),
                        c => out.push(c),
                    }
                }
                chunk.invalid().iter().for_each(|b| out += &octal(*b));
            }
            out + "'"
        }
    }
}

/// Three digits have an end of their own; shells disagree on where a hexadecimal escape ends.
fn octal(byte: u8) -> String {
    format!("\\{byte:03o}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (path, shown) in [
            ("net.mtl", "net.mtl"),
            ("../runs/2026-11-30-net_v1.2+b", "../runs/2026-11-30-net_v1.2+b"),
            ("größe/名前.mtl", "größe/名前.mtl"),
            ("my run", "'my run'"),
            ("a;rm -rf b", "'a;rm -rf b'"),
            ("it's", r"'it'\''s'"),
            ("$(x)`y`", "'$(x)`y`'"),
            ("~", "'~'"),
            ("=ls", "'=ls'"),
            ("a=1", "a=1"),
            ("{a,b}*?[c]", "'{a,b}*?[c]'"),
            ("#x", "'#x'"),
            ("", "''"),
            ("-rf", "./-rf"),
            ("-a b", "'./-a b'"),
            ("a\nb", r"$'a\nb'"),
            ("a\x1b[31m'\\", r"$'a\033[31m\'\\'"),
            ("\u{202e}x", r"$'\342\200\256x'"),
        ] {
            assert_eq!(quoted_path(Path::new(path)), shown, "{path:?}");
        }
        let line = mtlc("derive").path(Path::new("my run")).words("-o").path(Path::new("-x.mtl")).to_string();
        assert_eq!(line, "`mtlc derive 'my run' -o ./-x.mtl`");
        assert_eq!(network("an odd one").to_string(), "`--network 'an odd one'`");
    }

    /// What the words mean is asked of a shell.
    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        use std::os::unix::ffi::OsStrExt;
        let mut words: Vec<Vec<u8>> = (1..=255u8).map(|b| vec![b'a', b, b'1']).collect();
        words.extend((1..=255u8).map(|b| vec![b]));
        words.extend(
            ["a b  c", "it's 'so'", "$HOME$(id)`id`", "\\n\\'", "\u{202e}\u{1b}[2Jx", "!!", "a\n"].map(Vec::from),
        );
        for word in words {
            let text = format!("printf %s {}", quoted(&word));
            let said = std::process::Command::new("bash").arg("-c").arg(&text).output().expect("bash runs");
            assert_eq!(said.stdout, word, "{text}");
            assert!(!text.chars().any(steers), "{text:?}");
        }
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"a\xffb"));
        assert_eq!(quoted_path(odd), r"$'a\377b'");
    }
}
