//! Changes of whole items, entries and values.

use std::ops::Range;

use mtlc::syntax::Kind;

use crate::dice::Dice;
use crate::seeds::Seeds;

type Node = (Kind, Range<usize>);

/// One change to a text whose nodes are known.
pub fn mutate(text: &str, nodes: &[Node], seeds: &Seeds, dice: &mut Dice) -> String {
    if nodes.is_empty() {
        return text.to_string();
    }
    let (kind, here) = dice.pick(nodes).clone();
    let alike: Vec<&Node> = nodes.iter().filter(|(k, r)| *k == kind && *r != here).collect();
    let line = matches!(kind, Kind::Item | Kind::Attr | Kind::Edge | Kind::Nested);
    let gap = if line { "\n" } else { ", " };
    match dice.roll(9) {
        0 => replace(text, here, ""),
        1 | 2 => {
            let copy = format!("{gap}{}", &text[here.clone()]);
            replace(text, here.end..here.end, &copy)
        }
        3 | 4 if !alike.is_empty() => {
            let (_, there) = (*dice.pick(&alike)).clone();
            swap(text, here, there)
        }
        5 if !alike.is_empty() => {
            // Moved beside another of its kind.
            let (_, there) = (*dice.pick(&alike)).clone();
            if there.start < here.end && here.start < there.end {
                return swap(text, here, there);
            }
            let piece = format!("{gap}{}", &text[here.clone()]);
            if there.end <= here.start {
                let out = replace(text, here, "");
                replace(&out, there.end..there.end, &piece)
            } else {
                let out = replace(text, there.end..there.end, &piece);
                replace(&out, here, "")
            }
        }
        6 => {
            let depth = [1, 2, 5, 30, 97, 99, 101, 140][dice.roll(8)];
            let (open, close) =
                *dice.pick(&[("(", ")"), ("[", "]"), ("{ a = ", "}"), ("f(", ")"), ("-", ""), ("3 * ", "")]);
            let whole = format!("{}{}{}", open.repeat(depth), &text[here.clone()], close.repeat(depth));
            replace(text, here, &whole)
        }
        7 => {
            let times = [2, 3, 10, 60][dice.roll(4)];
            let whole = vec![&text[here.clone()]; times].join(gap);
            replace(text, here, &whole)
        }
        _ => {
            // The same kind of thing from another spec.
            let other = seeds.pick(dice);
            let there: Vec<&Node> = other.nodes.iter().filter(|(k, _)| *k == kind).collect();
            if there.is_empty() {
                return replace(text, here, "");
            }
            let piece = &other.text[dice.pick(&there).1.clone()];
            if dice.one_in(2) {
                replace(text, here, piece)
            } else {
                replace(text, here.end..here.end, &format!("{gap}{piece}"))
            }
        }
    }
}

fn replace(text: &str, at: Range<usize>, by: &str) -> String {
    format!("{}{by}{}", &text[..at.start], &text[at.end..])
}

/// Two pieces in each other's place; the outer one wins where one holds the other.
fn swap(text: &str, a: Range<usize>, b: Range<usize>) -> String {
    let (a, b) = if a.start <= b.start { (a, b) } else { (b, a) };
    if b.start < a.end {
        let (outer, inner) = if b.end <= a.end { (a, b) } else { (b, a) };
        let inner = text[inner].to_string();
        return replace(text, outer, &inner);
    }
    format!("{}{}{}{}{}", &text[..a.start], &text[b.clone()], &text[a.end..b.start], &text[a.clone()], &text[b.end..])
}
