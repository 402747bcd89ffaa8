//! One line for each diagnostic, as `grep`, editors and CI logs read them:
//! `path:line:column: error[mtl::shape::mismatch]: message (help: ...)`.

use super::place::Place;
use crate::diag::Diagnostic;
use crate::screen::visible;
use crate::source::SourceMap;

/// The line, without a line end.
pub fn line(d: &Diagnostic, map: &SourceMap) -> String {
    let mut out = String::new();
    if let Some(place) = d.primary.as_ref().and_then(|l| Place::of(map, l.span)) {
        let at = place.first();
        out += &format!("{}:{}:{}: ", flat(&place.file.name), at.line, at.column);
    }
    out += &format!("{}[{}]: {}", d.severity.name(), d.code.name(), flat(&d.message));
    if let Some(help) = &d.help {
        out += &format!(" (help: {})", flat(help));
    }
    out
}

fn flat(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "), false)
}
