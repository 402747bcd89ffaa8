//! Where a derived file came from: what is written into it, and whether the file still is what was derived.

use super::digest::{PREFIX, SHORT, digest, parts, search_parts};
use crate::data::{name_text, number_text, quoted_text};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Spec, eval::Const};
use crate::source::Span;

/// This program, as provenance names it.
pub const TOOL: &str = concat!("mtlc ", env!("CARGO_PKG_VERSION"));

/// What a derived file says of its origin; `self`, the digest of the file, is added when it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    pub tool: String,
    /// Digest of the search spec.
    pub derived: String,
    /// Short digests of the parts of the spec, such as `search 1a2b3c4d`.
    pub spec: Vec<String>,
    pub strategy: String,
    pub seed: u64,
    /// What the search measured, in the order in which it shall stand.
    pub searched: Vec<(String, f64)>,
}

impl Provenance {
    /// Of a topology that `strategy` found for `spec`, by this program.
    pub fn new(spec: &Spec, strategy: &str, seed: u64, searched: Vec<(String, f64)>) -> Provenance {
        Provenance {
            tool: TOOL.into(),
            derived: digest(spec),
            spec: search_parts(spec).into_iter().map(|(part, digest)| format!("{part} {digest}")).collect(),
            strategy: strategy.into(),
            seed,
            searched,
        }
    }

    /// What a derived file says.
    pub fn of(spec: &Spec) -> Option<Provenance> {
        let p = spec.provenance.as_ref()?;
        let searched = p.searched.iter().filter_map(|(name, v)| match v {
            Const::Int(v) => Some((name.clone(), *v as f64)),
            Const::Float(v) => Some((name.clone(), *v)),
            _ => None,
        });
        Some(Provenance {
            tool: p.args.str("tool").into(),
            derived: p.args.str("derived").into(),
            spec: match p.args.get("spec") {
                Some(crate::schema::Value::List(items)) => items.iter().filter_map(|v| text(&v.value)).collect(),
                _ => Vec::new(),
            },
            strategy: match p.args.get("strategy") {
                Some(crate::schema::Value::Name(parts)) => parts.join("."),
                _ => String::new(),
            },
            seed: p.args.int("seed") as u64,
            searched: searched.collect(),
        })
    }

    /// The item, not laid out; `own` is the spec of the file around it, as it is read back.
    pub(super) fn text(&self, own: &Spec) -> String {
        let searched: Vec<String> =
            self.searched.iter().map(|(name, v)| format!("{} = {}", name_text(name), number_text(*v))).collect();
        let searched = match searched.is_empty() {
            true => String::new(),
            false => format!("  searched = {{ {} }}\n", searched.join(", ")),
        };
        let of_spec: Vec<String> = self.spec.iter().map(|p| quoted_text(p)).collect();
        let parts: Vec<String> =
            parts(own).iter().map(|(part, digest)| quoted_text(&format!("{part} {digest}"))).collect();
        format!(
            "provenance {{\n  tool = {}\n  derived = {}\n  spec = [{}]\n  strategy = {}\n  seed = {}\n{searched}  self = {}\n  parts = [{}]\n}}\n",
            quoted_text(&self.tool),
            quoted_text(&self.derived),
            of_spec.join(", "),
            name_text(&self.strategy),
            self.seed,
            quoted_text(&digest(own)),
            parts.join(", "),
        )
    }
}

fn text(v: &crate::schema::Value) -> Option<String> {
    match v {
        crate::schema::Value::Str(s) => Some(s.clone()),
        _ => None,
    }
}

/// The parts of `spec` that changed since the search that a file was derived from; `None` if its provenance does not list digests.
pub fn changed_since(provenance: &Provenance, spec: &Spec) -> Option<Vec<&'static str>> {
    if provenance.spec.is_empty() {
        return None;
    }
    let same = |part: &str, digest: &str| provenance.spec.iter().any(|p| *p == format!("{part} {digest}"));
    Some(search_parts(spec).into_iter().filter(|(part, digest)| !same(part, digest)).map(|(part, _)| part).collect())
}

/// What a file's provenance is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has none.
    Handwritten,
    /// The file means what was derived.
    Untouched,
    /// Its meaning was changed afterwards.
    Edited,
}

/// Compares a spec's meaning with the digest that its provenance carries.
pub fn verify_self(spec: &Spec) -> Standing {
    match &spec.provenance {
        None => Standing::Handwritten,
        Some(p) if p.args.str("self") == digest(spec) => Standing::Untouched,
        Some(_) => Standing::Edited,
    }
}

/// Which parts of an edited file are not those that were derived; `None` where the provenance does not list them.
pub fn changed_parts(spec: &Spec) -> Option<Vec<&'static str>> {
    let recorded = spec.provenance.as_ref()?.args.list("parts");
    if recorded.is_empty() {
        return None;
    }
    let said = |text: &str| recorded.iter().any(|v| matches!(&v.value, crate::schema::Value::Str(s) if s == text));
    Some(parts(spec).into_iter().filter(|(part, d)| !said(&format!("{part} {d}"))).map(|(part, _)| part).collect())
}

/// Data sets read from files of which no schema says what they hold: a digest does not tell one file from another there.
pub fn unbound_data(spec: &Spec) -> Vec<&str> {
    fn has_path(v: &crate::schema::Value) -> bool {
        match v {
            crate::schema::Value::Path(_) => true,
            crate::schema::Value::List(items) => items.iter().any(|v| has_path(&v.value)),
            _ => false,
        }
    }
    let unbound = |d: &&crate::hir::Data| d.schema.is_none() && d.args.iter().any(|(_, v)| has_path(&v.value));
    spec.data.iter().filter(unbound).map(|d| d.name.as_str()).collect()
}

/// Warns of what stands where a digest should and is none; whether `self` is one of them.
fn malformed(p: &crate::hir::Provenance, diags: &mut Diagnostics) -> bool {
    let hex = |s: &str, digits: usize| s.len() == digits && s.bytes().all(|b| b.is_ascii_hexdigit());
    let whole = |s: &str| s.strip_prefix(PREFIX).is_some_and(|rest| hex(rest, 64));
    let part = |s: &str| s.rsplit_once(' ').is_some_and(|(name, digest)| !name.is_empty() && hex(digest, SHORT));
    let mut wrong = |text: &str, span: Option<Span>, form: String| {
        let d = Diagnostic::new(codes::PROVENANCE_DIGEST, span.unwrap_or(p.span), format!("{text:?} is not a digest"));
        diags
            .push(d.label("not as it was derived").help(format!("a digest here is {form}, as `mtlc derive` wrote it")));
    };
    for attribute in ["spec", "parts"] {
        for v in p.args.list(attribute) {
            if let crate::schema::Value::Str(s) = &v.value
                && !part(s)
            {
                wrong(s, Some(v.span), format!("the name of a part and {SHORT} hexadecimal digits"));
            }
        }
    }
    for attribute in ["derived", "self"] {
        let text = p.args.str(attribute);
        if !whole(text) {
            wrong(text, p.args.span(attribute), format!("`{PREFIX}` and 64 hexadecimal digits"));
        }
    }
    !whole(p.args.str("self"))
}

/// Warns of a derived file that was edited. `--set` and schemas from outside change a spec's meaning and not the file: then
/// nothing is said.
pub fn check_provenance(spec: &Spec, diags: &mut Diagnostics) {
    let Some(p) = &spec.provenance else { return };
    if malformed(p, diags) {
        return;
    }
    let written = |data: &str| {
        spec.written
            .iter()
            .any(|w| w.item.keyword.text == "schema" && w.item.names.first().is_some_and(|n| n.text == data))
    };
    let from_outside =
        spec.params.iter().any(|p| p.set) || spec.data.iter().any(|d| d.schema.is_some() && !written(&d.name));
    if from_outside || verify_self(spec) != Standing::Edited {
        return;
    }
    let changed = match changed_parts(spec) {
        Some(parts) if !parts.is_empty() => format!(": {}", parts.join(", ")),
        _ => String::new(),
    };
    diags.push(
        Diagnostic::new(
            codes::PROVENANCE_DIGEST,
            p.args.span("self").unwrap_or(p.span),
            format!("this derived file was edited after it was derived{changed}"),
        )
        .label("not the digest of this file any more")
        .help(
            "what the provenance says of the search holds for it no longer: derive again, or remove the `provenance`",
        ),
    );
}
