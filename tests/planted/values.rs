//! Values that are out of range, of the wrong type, or gone.

use mtlc::syntax::ast::ExprKind;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Kind as Mistake;
use super::program::{Plant, Program, Setting, at};

pub const KINDS: &[Mistake] = &[
    Mistake { name: "percent for a share", places: percent },
    Mistake { name: "share out of range", places: share_out_of_range },
    Mistake { name: "copies = 0", places: no_copies },
    Mistake { name: "zero or negative number", places: not_positive },
    Mistake { name: "fraction for a whole number", places: fraction },
    Mistake { name: "word for a number", places: word_for_number },
    Mistake { name: "value forgotten", places: value_forgotten },
    Mistake { name: "more copies than tasks", places: too_many_copies },
    Mistake { name: "name of an argument forgotten", places: argument_without_name },
];

const COUNTS: &[&str] = &["epochs", "batch", "samples", "copies", "noises", "patience", "width"];
const ABOVE_ZERO: &[&str] = &["lr", "epochs", "batch", "samples", "noises", "patience"];

/// Settings of this name whose value is a number as written.
fn numbers<'a>(p: &'a Program, names: &'a [&str]) -> impl Iterator<Item = &'a Setting> {
    let named = move |s: &&Setting| names.contains(&s.key.text.as_str()) && s.owner != "single_use";
    p.settings.iter().filter(named).filter(|s| matches!(s.value.kind, ExprKind::Int(_) | ExprKind::Float(_)))
}

/// Shares: what stands first in `share(0.2, of = train)`.
fn shares(p: &Program) -> Vec<(std::ops::Range<usize>, f64)> {
    let mut out = Vec::new();
    for e in &p.exprs {
        let ExprKind::Call { callee, args } = &e.kind else { continue };
        let share = matches!(&callee.kind, ExprKind::Path(p) if p[0].text == "share");
        if let (true, Some(ExprKind::Float(v))) = (share, args.first().map(|a| &a.value.kind)) {
            out.push((at(args[0].value.span), *v));
        }
    }
    out
}

fn percent(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    shares(p).into_iter().map(|(r, v)| Plant::replace(r, format!("{}%", (v * 100.0).round()))).collect()
}

fn share_out_of_range(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let named = |v: f64| [format!("`{v}`"), "from 0 to 1".to_string()];
    shares(p).into_iter().map(|(r, v)| Plant::replace(r, format!("{}", (v * 100.0).round())).named(named(v))).collect()
}

fn no_copies(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let value = ["0", "-1"][rng.random_range(0..2)];
    numbers(p, &["copies"]).map(|s| Plant::replace(at(s.value.span), value).named(["from 1"])).collect()
}

fn not_positive(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let zero = rng.random_bool(0.3);
    numbers(p, ABOVE_ZERO)
        .map(|s| {
            let r = at(s.value.span);
            let value = if zero && s.key.text != "lr" { "0".to_string() } else { format!("-{}", &p.text[r.clone()]) };
            Plant::replace(r, value).named(["from 1", "above 0", "from 0"])
        })
        .collect()
}

fn fraction(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    numbers(p, COUNTS)
        .filter(|s| matches!(s.value.kind, ExprKind::Int(_)) && !s.argument)
        .map(|s| {
            let r = at(s.value.span);
            let was = p.text[r.clone()].to_string();
            Plant::replace(r, format!("{was}.5")).named(["a whole number".to_string(), format!("`{was}`")])
        })
        .collect()
}

/// Where the order cannot be mistaken, that is no mistake.
fn argument_without_name(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let arguments = p.settings.iter().filter(|s| s.argument);
    arguments
        .map(|s| Plant::delete(at(s.key.span).start..at(s.value.span).start).named([format!("`{}`", s.key.text)]))
        .collect()
}

fn word_for_number(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let word = ["many", "auto", "default", "fifteen epochs"][rng.random_range(0..4)];
    let named = ["a whole number", "a number", "number of epochs", "the number", "known here", "param"];
    numbers(p, COUNTS).map(|s| Plant::replace(at(s.value.span), word).word(word).named(named)).collect()
}

/// What an attribute takes has to be said, by its type or an example.
fn value_forgotten(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let fixed = ["tree", "schema", "column", "split", "file", "stage", "head", "block", "searched"];
    p.settings
        .iter()
        .filter(|s| !s.argument && !fixed.contains(&s.owner.as_str()))
        .map(|s| {
            let kind = match &s.value.kind {
                ExprKind::Int(_) | ExprKind::Float(_) => "number",
                ExprKind::Str(_) => "quoted",
                ExprKind::Call { .. } | ExprKind::Path(_) => "`",
                ExprKind::List(_) => "list",
                _ => "expression",
            };
            let r = at(s.value.span);
            let start = p.text[..r.start].trim_end_matches(' ').len();
            Plant::delete(start..r.end).word(&s.key.text).named([kind, "expression", "budget"])
        })
        .collect()
}

fn too_many_copies(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let many = rng.random_range(60..400);
    let family =
        p.items("task").any(|i| i.index.as_ref().is_some_and(|x| x.value.iter().any(|e| e.kind == ExprKind::Star)));
    let levels = p.settings.iter().filter(|s| s.key.text == "copies" && s.owner == "level" && !family);
    // Routes may use any number of copies.
    let tree = |_: &&Setting| {
        let same = |o: &&Setting| (o.owner == "level" || o.owner == "heads") && o.key.text == "reads";
        !p.settings
            .iter()
            .filter(same)
            .any(|o| matches!(o.value.kind, ExprKind::Call { .. }) || p.text[at(o.value.span)].starts_with("all"))
    };
    levels
        .filter(tree)
        .filter(|_| !p.text.contains("t[*]"))
        .map(|s| Plant::replace(at(s.value.span), many.to_string()).also(s.header.clone()).named(["copies = "]))
        .collect()
}
