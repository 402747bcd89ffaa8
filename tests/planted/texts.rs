//! Quotes, comments, blanks and booleans as other languages and text processors write them.

use mtlc::syntax::ast::{ExprKind, NESTED_KEYWORDS};
use mtlc::syntax::{Kind, SyntaxToken};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Kind as Mistake;
use super::program::{Plant, Program, at, range};

pub const KINDS: &[Mistake] = &[
    Mistake { name: "text without quotes", places: without_quotes },
    Mistake { name: "text in single quotes", places: single_quotes },
    Mistake { name: "text in curly quotes", places: curly_quotes },
    Mistake { name: "quote not closed", places: quote_not_closed },
    Mistake { name: "another language's comment", places: comment },
    Mistake { name: "a blank that is none", places: strange_blank },
    Mistake { name: "another language's boolean", places: boolean },
    Mistake { name: "number in quotes", places: number_in_quotes },
    Mistake { name: "wrong case", places: wrong_case },
];

/// Quoted text; a name of a task or column that needs quotes is one too.
fn strings(p: &Program) -> Vec<SyntaxToken> {
    p.of_kind(Kind::Str)
}

fn without_quotes(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    strings(p)
        .iter()
        .map(|t| {
            let inner = t.text().trim_matches('"').to_string();
            Plant::replace(range(t), inner.clone()).word(inner)
        })
        .filter(|plant| !plant.word.is_empty())
        .collect()
}

fn single_quotes(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    strings(p).iter().map(|t| Plant::replace(range(t), format!("'{}'", t.text().trim_matches('"')))).collect()
}

fn curly_quotes(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    strings(p).iter().map(|t| Plant::replace(range(t), format!("“{}”", t.text().trim_matches('"')))).collect()
}

fn quote_not_closed(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    strings(p).iter().map(|t| Plant::delete(range(t).end - 1..range(t).end)).collect()
}

fn comment(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let form = ["// to be tuned", "/* to be tuned */", "-- to be tuned", "% to be tuned"][rng.random_range(0..3)];
    let mut out = Vec::new();
    let mut start = 0;
    for line in p.text.split_inclusive('\n') {
        let end = start + line.trim_end_matches('\n').len();
        if !line.trim().is_empty() && !line.contains('#') {
            out.push(Plant::replace(end..end, format!("  {form}")));
        }
        start += line.len();
    }
    out.extend(
        p.of_kind(Kind::Comment)
            .iter()
            .map(|t| {
                let r = range(t);
                Plant::replace(r.start..r.start + 1, &form[..2])
            })
            .filter(|plant| !plant.edits[0].1.starts_with("/*")),
    );
    out
}

fn strange_blank(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let with = ["\u{a0}", "\u{3000}", " \u{200b}", "\u{2009}"][rng.random_range(0..4)];
    p.of_kind(Kind::Whitespace).iter().filter(|t| t.text() == " ").map(|t| Plant::replace(range(t), with)).collect()
}

fn boolean(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let i = rng.random_range(0..4);
    let of = |word: &str| match word {
        "true" => Some(["True", "yes", "TRUE", "on"][i]),
        "false" => Some(["False", "no", "FALSE", "off"][i]),
        _ => None,
    };
    p.exprs
        .iter()
        .filter_map(|e| match &e.kind {
            ExprKind::Path(path) if path.len() == 1 => Some(Plant::replace(at(e.span), of(&path[0].text)?)),
            _ => None,
        })
        .collect()
}

fn number_in_quotes(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    p.exprs
        .iter()
        .filter(|e| matches!(e.kind, ExprKind::Int(_) | ExprKind::Float(_)))
        .map(|e| Plant::replace(at(e.span), format!("\"{}\"", &p.text[at(e.span)])))
        .collect()
}

/// `Task`, `ADAM`, `Linear`: words of the language with capitals.
fn wrong_case(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let all = rng.random_bool(0.3);
    let shout = |word: &str| match all {
        true => word.to_uppercase(),
        false => word[..1].to_uppercase() + &word[1..],
    };
    let own = super::words::own_names(p);
    p.of_kind(Kind::Ident)
        .iter()
        .filter(|t| {
            let text = t.text();
            let keyword = NESTED_KEYWORDS.contains(&text);
            (keyword || !own.contains(text)) && text.len() > 1 && shout(text) != text
        })
        .map(|t| {
            let plant = Plant::replace(range(t), shout(t.text())).word(shout(t.text()));
            // Of a name, the places that read it.
            let others = p.of_kind(Kind::Ident).into_iter().filter(|o| o.text() == t.text() && range(o) != range(t));
            others.fold(plant, |plant, o| plant.also(range(&o)))
        })
        .collect()
}
