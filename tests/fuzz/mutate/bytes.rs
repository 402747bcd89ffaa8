//! Changes that know nothing of what they change.

use crate::dice::Dice;

/// Values that arithmetic on sizes is weak against.
const EDGES: &[&[u8]] = &[
    &[0],
    &[0xff],
    &[0x7f],
    &[0x80],
    &[0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0, 0, 0, 0, 0, 0, 0, 0x80],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    b"\r\n",
    b"\n",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"\xf0\x9f\x98\x80",
    b"\"",
    b"\\",
    b"#",
];

/// One change; `other` is what is spliced in.
pub fn mutate(data: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.roll(data.len() + 1);
    let until = |dice: &mut Dice, most: usize, len: usize| (at + 1 + dice.roll(most)).min(len);
    match dice.roll(9) {
        0 if at < data.len() => data[at] ^= 1 << dice.roll(8),
        1 if at < data.len() => data[at] = dice.next() as u8,
        2 => {
            let end = until(dice, 8, data.len()).max(at);
            data.drain(at..end);
        }
        3 => {
            let end = until(dice, data.len() / 4 + 8, data.len()).max(at);
            data.drain(at..end);
        }
        4 => {
            let end = until(dice, 64, data.len()).max(at);
            let copy = data[at..end].to_vec();
            let to = dice.roll(data.len() + 1);
            data.splice(to..to, copy);
        }
        5 => data.truncate(at),
        6 => {
            let edge = *dice.pick(EDGES);
            data.splice(at..at, edge.iter().copied());
        }
        7 => {
            let edge = *dice.pick(EDGES);
            let end = (at + edge.len()).min(data.len());
            data.splice(at..end, edge.iter().copied());
        }
        _ => {
            // The head of one and the tail of another.
            let from = dice.roll(other.len() + 1);
            let end = (from + 1 + dice.roll(400)).min(other.len());
            let to = if dice.one_in(2) { at } else { data.len() };
            data.splice(at..to, other[from..end.max(from)].iter().copied());
        }
    }
}
