//! Text for a terminal: which characters may reach it, colours, commands that can be copied into a shell ([`shell`]), and where a bug is
//! reported.
//!
//! Names, cells and paths may hold any character. A control character or an escape sequence would steer the terminal, and a
//! bidirectional mark would show text in another order than it has. So nothing is written to a terminal but through [`for_terminal`],
//! which shows such characters as visible stand-ins. Colours are added with [`paint`], which `for_terminal` tells from text that only
//! looks like a colour. JSON has escapes of its own ([`json`]).

pub mod shell;

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Whether a character changes how a terminal shows other text: control characters, bidirectional marks, separators of lines and
/// paragraphs, and formatting characters that are never seen. Line ends and tabs are among them.
pub fn steers(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text that is safe on a terminal: a character that [`steers`] becomes a visible stand-in. Tabs stay, and line ends where `lines` says
/// so, those of Windows too.
pub fn visible(text: &str, lines: bool) -> String {
    let mut rest = text.chars();
    let stand_in = |c: char, rest: &str| match c {
        '\t' => c,
        '\n' if lines => c,
        '\r' if lines && rest.starts_with('\n') => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        c if steers(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let mut out = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        out.push(stand_in(c, rest.as_str()));
    }
    out
}

/// The text of a JSON value with every character that [`steers`] as an escape. `serde_json` escapes only those below a space, and outside
/// strings JSON has no other characters than these line ends and ASCII.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c >= '\u{7f}' && steers(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04x}")),
            false => out.push(c),
        }
    }
    out
}

/// A mark of a colour: a character that is in no text, a key that nobody can know beforehand, and the style up to the end of the mark.
const MARK: char = '\u{fdd0}';
const END: char = '\u{fdd1}';
static KEY: LazyLock<String> = LazyLock::new(|| format!("{MARK}{:016x}", RandomState::new().hash_one(0)));

/// Text in an ANSI style ("1;31" is bold red), for [`for_terminal`]. Without `color`, the text alone.
pub fn paint(text: &str, style: &str, color: bool) -> String {
    match color {
        true => format!("{0}{style}{END}{text}{0}0{END}", *KEY),
        false => text.to_string(),
    }
}

/// Text with the ANSI styles of a library, as if [`paint`] had added them. Only for text whose own characters are [`visible`] already.
pub fn painted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out += before;
        match after.split_once('m') {
            Some((style, after)) if is_style(style) => {
                out += &format!("{}{style}{END}", *KEY);
                rest = after;
            }
            _ => {
                out += "\x1b[";
                rest = after;
            }
        }
    }
    out + rest
}

/// What is written to a terminal: colours of [`paint`] as ANSI, all else [`visible`].
pub fn for_terminal(text: &str) -> String {
    let mut parts = text.split(KEY.as_str());
    let mut out = visible(parts.next().unwrap_or_default(), true);
    for part in parts {
        match part.split_once(END) {
            Some((style, rest)) if is_style(style) => {
                out += &format!("\x1b[{style}m{}", visible(rest, true));
            }
            _ => out += &visible(part, true),
        }
    }
    out
}

fn is_style(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b';')
}

/// Where bugs of mtlc are reported: at the `repository` of `Cargo.toml`, once it has an address.
pub const ISSUES: &str = match env!("CARGO_PKG_REPOSITORY").is_empty() {
    true => "the issue tracker of the repository that mtlc came from",
    false => concat!(env!("CARGO_PKG_REPOSITORY"), "/issues"),
};

/// The message and the help of an error that is a mistake of mtlc, not of the user.
pub fn bug(what: &str) -> (String, String) {
    (
        format!("this is a bug in mtlc {}: {what}", env!("CARGO_PKG_VERSION")),
        format!("please report it at {ISSUES}, with the command and the program"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEERING: &str =
        "\0\x07\x08\x1b[2J\r\x7f\u{85}\u{9b}31m\u{61c}\u{200e}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}";

    #[test]
    fn what_steers_is_shown_and_the_rest_stays() {
        let shown = visible(STEERING, false);
        assert!(!shown.chars().any(steers), "{shown:?}");
        assert_eq!(shown.chars().count(), STEERING.chars().count());
        let plain = "naïve Größe 名前 שלום \u{1f469}\u{200d}\u{1f52c}";
        assert_eq!(visible(plain, false), plain);
        assert_eq!(visible("a\tb\nc", true), "a\tb\nc");
        assert_eq!(visible("a\r\nb\rc\r", true), "a\r\nb\u{240d}c\u{240d}");
        assert_eq!(visible("a\tb\nc", false), "a\tb\u{240a}c");
    }

    #[test]
    fn colours_pass_and_what_looks_like_one_does_not() {
        let red = paint("no", "1;31", true);
        assert_eq!(for_terminal(&format!("a {red}\n")), "a \x1b[1;31mno\x1b[0m\n");
        assert_eq!(paint("no", "1;31", false), "no");
        for forged in ["\x1b[31mred", &format!("{MARK}31{END}"), &format!("{MARK}0000000000000000{}31{END}", "")] {
            assert!(!for_terminal(forged).contains('\x1b'), "{forged:?}");
            // Nor inside of a colour.
            assert_eq!(for_terminal(&paint(forged, "1", true)).matches('\x1b').count(), 2, "{forged:?}");
        }
        assert_eq!(for_terminal(&painted("\x1b[36mfix:\x1b[0m a\x1b[K")), "\x1b[36mfix:\x1b[0m a\u{241b}[K");
    }

    #[test]
    fn json_reads_back() {
        let text = serde_json::to_string(&serde_json::json!({ STEERING: [STEERING, "שלום"] })).expect("text");
        let escaped = json(&text);
        assert!(!escaped.chars().any(steers) && escaped.contains("\\u202e") && escaped.contains("שלום"), "{escaped}");
        let [a, b]: [serde_json::Value; 2] = [text, escaped].map(|t| serde_json::from_str(&t).expect("JSON"));
        assert_eq!(a, b);
    }
}
