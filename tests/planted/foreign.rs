//! What is written as in other languages: operators, numbers, letters, names, attributes of another place.

use mtlc::syntax::ast::{Entry, ExprKind};
use mtlc::syntax::{Kind, SyntaxToken};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Kind as Mistake;
use super::program::{Plant, Program, at, range};

pub const KINDS: &[Mistake] = &[
    Mistake { name: "operator of another language", places: operator },
    Mistake { name: "number of another language", places: number },
    Mistake { name: "sign before a number", places: plus },
    Mistake { name: "power", places: power },
    Mistake { name: "look-alike letter", places: look_alike },
    Mistake { name: "hyphen in a name", places: hyphen },
    Mistake { name: "edge reversed", places: reversed },
    Mistake { name: "division of another language", places: floor_division },
    Mistake { name: "no value", places: no_value },
    Mistake { name: "attribute of another place", places: misplaced },
    Mistake { name: "attribute with a name", places: named_attribute },
    Mistake { name: "item of another language", places: foreign_item },
];

fn pick<'a>(rng: &mut ChaCha8Rng, words: &[&'a str]) -> &'a str {
    words[rng.random_range(0..words.len())]
}

fn operator(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let theirs: [(Kind, &[&str]); 3] = [(Kind::KwAnd, &["&&"]), (Kind::KwOr, &["||"]), (Kind::Ne, &["<>", "!=="])];
    let mut out = Vec::new();
    for (kind, words) in theirs {
        out.extend(p.of_kind(kind).iter().map(|t| Plant::replace(range(t), pick(rng, words))));
    }
    out.extend(p.of_kind(Kind::Arrow).iter().map(|t| Plant::replace(range(t), ">>")));
    out
}

/// Numbers outside of schemas and records, whose values are data.
fn numbers(p: &Program) -> impl Iterator<Item = SyntaxToken> {
    p.tokens().filter(|t| {
        let item = t.parent_ancestors().find(|n| n.kind() == Kind::Item).and_then(|n| n.first_token());
        let quantity = t.parent().is_some_and(|n| n.kind() == Kind::Quantity);
        let header = t.parent_ancestors().any(|n| n.kind() == Kind::Edition);
        t.kind() == Kind::Number
            && !quantity
            && !header
            && item.is_some_and(|i| i.text() != "schema" && i.text() != "provenance")
    })
}

fn number(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let form = rng.random_range(0..5);
    let plant = |t: SyntaxToken| {
        let text = t.text();
        let whole = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let new = match form {
            0 => format!(".{}", text.strip_prefix("0.")?),
            1 if whole => format!("{text}_"),
            2 if whole => format!("{:#x}", text.parse::<i64>().ok()?),
            3 if whole => text.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap_or(c)).collect(),
            4 if text.contains("e-") && !text.contains('.') => text.replace("e-", ".e-"),
            _ => return None,
        };
        Some(Plant::replace(range(&t), new.clone()).word(new))
    };
    numbers(p).filter_map(plant).collect()
}

fn plus(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let after_equals = |t: &SyntaxToken| p.text[..range(t).start].ends_with("= ");
    numbers(p).filter(after_equals).map(|t| Plant::replace(range(&t), format!("+{}", t.text()))).collect()
}

fn power(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let sign = pick(rng, &[" ** ", "**", "^"]);
    let plant = |t: SyntaxToken| {
        let value: u64 = t.text().parse().ok().filter(|v: &u64| *v >= 4 && v.is_power_of_two())?;
        Some(Plant::replace(range(&t), format!("2{sign}{}", value.trailing_zeros())))
    };
    numbers(p).filter_map(plant).collect()
}

/// Words of the language and names, in which one letter is of another alphabet.
fn look_alike(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let (latin, other) = [('o', '\u{43E}'), ('a', '\u{430}'), ('e', '\u{435}'), ('c', '\u{441}'), ('p', '\u{440}')]
        [rng.random_range(0..5)];
    let plant = |t: SyntaxToken| {
        let at = t.text().find(latin).filter(|_| t.text().len() > 1)?;
        let r = range(&t);
        let new = format!("{}{other}{}", &t.text()[..at], &t.text()[at + 1..]);
        Some(Plant::replace(r, new.clone()).word(new))
    };
    let first = p.items("schema").map(|i| i.span.start as usize..i.span.end as usize).collect::<Vec<_>>();
    let outside = |t: &SyntaxToken| !first.iter().any(|s| s.contains(&range(t).start));
    p.of_kind(Kind::Ident).into_iter().filter(outside).filter_map(plant).collect()
}

/// `weight-decay` for an attribute or argument of the language.
fn hyphen(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let own = ["block", "tree", "stage", "head"];
    p.settings
        .iter()
        .filter(|s| s.key.text.contains('_') && !own.contains(&s.owner.as_str()) && !s.key.quoted)
        .map(|s| Plant::replace(at(s.key.span), s.key.text.replace('_', "-")))
        .collect()
}

/// `a -> b` for `b <- a`.
fn reversed(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut out = Vec::new();
    for item in p.items("topology") {
        for entry in item.body.iter().flat_map(|b| &b.entries) {
            let Entry::Edge(e) = entry else { continue };
            let plain = |k: &ExprKind| matches!(k, ExprKind::Path(_));
            if let ([target], true) = (e.targets.as_slice(), plain(&e.source.kind)) {
                let (t, s) = (&p.text[at(target.span)], &p.text[at(e.source.span)]);
                out.push(Plant::replace(at(target.span).start..at(e.source.span).end, format!("{s} -> {t}")));
            }
        }
    }
    out
}

/// `64 // 2`: a division elsewhere, and the beginning of a comment in yet other languages.
fn floor_division(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let plant = |t: SyntaxToken| {
        let value: u64 = t.text().parse().ok()?;
        let ends_line = p.text[range(&t).end..].starts_with('\n');
        ends_line.then(|| Plant::replace(range(&t), format!("{} // 2", 2 * value)).named(["write `/`"]))
    };
    numbers(p).filter_map(plant).collect()
}

fn no_value(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let word = pick(rng, &["None", "null", "nil"]);
    let keys = ["epochs", "batch", "lr", "weight_decay", "patience", "samples", "kernel", "warmup"];
    let known = p.settings.iter().filter(|s| keys.contains(&s.key.text.as_str()));
    known.map(|s| Plant::replace(at(s.value.span), word).word(word).named(["leave the attribute out"])).collect()
}

/// An attribute of something else in a `train`.
fn misplaced(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let (line, home) = [
        ("loss = mse", "`task`"),
        ("lr = 1e-3", "optimizer"),
        ("from = [x]", "`stage`"),
        ("dropout = 0.1", "an op"),
        ("seed = 3", "`--seed`"),
        ("device = cuda", "`--device`"),
        ("delimiter = \";\"", "`data csv`"),
        ("copies = 2", "`level`"),
    ][rng.random_range(0..8)];
    let word = line.split(' ').next().unwrap_or_default();
    let bodies = p.items("train").filter_map(|i| i.body.as_ref().and_then(|b| b.span));
    bodies
        .map(|b| {
            let inside = b.start as usize + 1;
            Plant::replace(inside..inside, format!("\n  {line}\n ")).word(word).named([home])
        })
        .collect()
}

/// `optimizer for heads = ...`
fn named_attribute(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let words = pick(rng, &[" for heads", " main", " backbone"]);
    let own = ["optimizer", "schedule", "weighting", "weights", "choices"];
    p.settings
        .iter()
        .filter(|s| {
            own.contains(&s.key.text.as_str()) && !s.argument && ["train", "search"].contains(&s.owner.as_str())
        })
        .map(|s| {
            let end = at(s.key.span).end;
            Plant::replace(end..end, words).word(&s.key.text).named([format!("`{} = VALUE`", s.key.text)])
        })
        .collect()
}

fn foreign_item(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let (line, help) = [
        ("import torch", "`use"),
        ("from torch import nn", "`use"),
        ("def f(x) { }", "`block"),
        ("let width = 3", "`param"),
        ("const width = 3", "`param"),
        ("model net { }", "`backbone"),
        ("dataset d { }", "`data"),
    ][rng.random_range(0..7)];
    let word = line.split(' ').next().unwrap_or_default();
    let items = p.file.items.iter().filter(|i| p.text[..i.span.start as usize].ends_with('\n'));
    items
        .map(|i| {
            let place = i.span.start as usize;
            Plant::replace(place..place, format!("{line}\n\n")).word(word).named([help])
        })
        .collect()
}
