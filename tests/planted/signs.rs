//! Signs that are forgotten, doubled or another language's: `=`, brackets, commas, arrows, header words.

use mtlc::syntax::{Kind, SyntaxElement, SyntaxToken};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Kind as Mistake;
use super::program::{Plant, Program, range};

pub const KINDS: &[Mistake] = &[
    Mistake { name: "`=` forgotten", places: equals_forgotten },
    Mistake { name: "`:` for `=`", places: colon_for_equals },
    Mistake { name: "`==` for `=`", places: double_equals },
    Mistake { name: "`}` forgotten", places: |p, _| closer(p, Kind::RBrace, Kind::LBrace) },
    Mistake { name: "`]` forgotten", places: |p, _| closer(p, Kind::RBracket, Kind::LBracket) },
    Mistake { name: "`)` forgotten", places: |p, _| closer(p, Kind::RParen, Kind::LParen) },
    Mistake { name: "`{` forgotten", places: opener },
    Mistake { name: "comma forgotten", places: comma_forgotten },
    Mistake { name: "comma doubled", places: comma_doubled },
    Mistake { name: "`;` at the end of a line", places: semicolon_at_end },
    Mistake { name: "`;` for a comma", places: semicolon_for_comma },
    Mistake { name: "wrong arrow", places: wrong_arrow },
    Mistake { name: "`:` before a type forgotten", places: colon_forgotten },
    Mistake { name: "`over`, `for`, `on` forgotten", places: clause_word },
    Mistake { name: "edition line forgotten", places: edition },
];

fn parent(t: &SyntaxToken) -> Option<Kind> {
    t.parent().map(|p| p.kind())
}

fn equals(p: &Program) -> impl Iterator<Item = SyntaxToken> {
    p.of_kind(Kind::Eq).into_iter()
}

fn equals_forgotten(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    equals(p)
        .map(|t| {
            let r = range(&t);
            // `key = value` becomes `key value`: one blank goes with the sign.
            let end = r.end + usize::from(p.text[r.end..].starts_with(' '));
            Plant::delete(r.start..end)
        })
        .collect()
}

fn colon_for_equals(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let tight = rng.random_bool(0.5);
    equals(p)
        .filter(|t| matches!(parent(t), Some(Kind::Attr | Kind::Arg | Kind::Nested)))
        .map(|t| {
            let r = range(&t);
            let start = p.text[..r.start].trim_end_matches(' ').len();
            if tight { Plant::replace(start..r.end, ":") } else { Plant::replace(r, ":") }
        })
        .collect()
}

fn double_equals(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    equals(p).map(|t| Plant::replace(range(&t), "==")).collect()
}

/// The bracket that opens what this one closes.
fn partner(t: &SyntaxToken, open: Kind) -> Option<std::ops::Range<usize>> {
    let tokens = t.parent()?.children_with_tokens().filter_map(SyntaxElement::into_token);
    tokens.filter(|o| o.kind() == open).map(|o| range(&o)).next()
}

fn closer(p: &Program, close: Kind, open: Kind) -> Vec<Plant> {
    p.of_kind(close)
        .iter()
        .filter_map(|t| {
            let r = range(t);
            let open = partner(t, open)?;
            // A bracket alone on its line is forgotten with the line.
            Some(Plant::delete(p.whole_lines(r.clone()).unwrap_or(r)).also(open))
        })
        .collect()
}

fn opener(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    p.of_kind(Kind::LBrace).iter().map(|t| Plant::delete(range(t))).collect()
}

fn comma_forgotten(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let closes = |k: Kind| matches!(k, Kind::RBrace | Kind::RBracket | Kind::RParen);
    p.of_kind(Kind::Comma)
        .iter()
        .filter(|t| {
            let mut next = t.next_sibling_or_token();
            let mut line_end = false;
            while let Some(n) = next.as_ref().filter(|n| n.kind().is_trivia()) {
                line_end |= n.as_token().is_some_and(|n| n.text().contains('\n'));
                next = n.next_sibling_or_token();
            }
            // Before a closing bracket, and at a line end in a body, a comma may be absent.
            next.is_some_and(|n| !closes(n.kind())) && !(line_end && parent(t) == Some(Kind::Body))
        })
        .map(|t| Plant::delete(range(t)))
        .collect()
}

fn comma_doubled(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    p.of_kind(Kind::Comma).iter().map(|t| Plant::replace(range(t), ",,")).collect()
}

fn semicolon_at_end(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let ends = |k: Kind| matches!(k, Kind::Attr | Kind::Nested | Kind::Item | Kind::Edge);
    let mut places: Vec<usize> = p
        .tree
        .descendants()
        .filter(|n| ends(n.kind()))
        .map(|n| usize::from(n.text_range().end()))
        .filter(|at| p.text[*at..].starts_with('\n'))
        .collect();
    places.dedup();
    places.into_iter().map(|at| Plant::replace(at..at, ";")).collect()
}

fn semicolon_for_comma(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let here = |t: &&SyntaxToken| matches!(parent(t), Some(Kind::Body | Kind::List | Kind::Args | Kind::Index));
    p.of_kind(Kind::Comma).iter().filter(here).map(|t| Plant::replace(range(t), ";")).collect()
}

fn wrong_arrow(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let (right, left) = (["=>", "-->", ">", "|>", "→", "- >"], ["<=", "<--", "=", "←", "< -", "<="]);
    let i = rng.random_range(0..right.len());
    let plant = |kind, with: &str| p.of_kind(kind).iter().map(|t| Plant::replace(range(t), with)).collect::<Vec<_>>();
    let mut out = plant(Kind::Arrow, right[i]);
    out.extend(plant(Kind::LArrow, left[i]));
    out
}

fn colon_forgotten(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    p.of_kind(Kind::Colon)
        .iter()
        .filter(|t| parent(t) == Some(Kind::TypeClause))
        .map(|t| Plant::delete(range(t)))
        .collect()
}

fn clause_word(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    [Kind::KwOver, Kind::KwFor, Kind::KwOn]
        .into_iter()
        .flat_map(|k| p.of_kind(k))
        .map(|t| {
            let r = range(&t);
            Plant::delete(r.start..r.end + 1)
        })
        .collect()
}

fn edition(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let node = p.tree.children().find(|n| n.kind() == Kind::Edition);
    node.iter().map(|n| Plant::delete(n.text_range().start().into()..usize::from(n.text_range().end()) + 1)).collect()
}
