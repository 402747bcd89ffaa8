//! The lines in which two texts differ. For `mtlc fmt --diff`, and for an editor that keeps its cursor where lines stay.

/// A run of lines that is replaced. Lines are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    pub before: std::ops::Range<usize>,
    pub after: std::ops::Range<usize>,
}

/// Beyond this many lines in which the texts differ, all between the first and the last is one hunk.
const MOST: usize = 1000;

/// A text in lines, each with its line end.
pub fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// What must be replaced in `before` to have `after`, by the algorithm of Myers (1986).
pub fn hunks(before: &[&str], after: &[&str]) -> Vec<Hunk> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let tail = before[head..].iter().rev().zip(after[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&before[head..before.len() - tail], &after[head..after.len() - tail]);
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    let Some(trace) = trace(a, b) else {
        return vec![Hunk { before: head..head + a.len(), after: head..head + b.len() }];
    };
    // Back from the end: the steps that are no common line.
    let (mut x, mut y) = (a.len() as isize, b.len() as isize);
    let mut out: Vec<Hunk> = Vec::new();
    for d in (1..trace.len() as isize).rev() {
        let row = &trace[d as usize - 1];
        let at = |k: isize| row[(k + d) as usize];
        let k = x - y;
        let down = k == -d || k != d && at(k - 1) < at(k + 1);
        let from = if down { k + 1 } else { k - 1 };
        let (px, py) = (at(from), at(from) - from);
        let (bx, by) = if down { (px..px, py..py + 1) } else { (px..px + 1, py..py) };
        let range = |r: std::ops::Range<isize>| head + r.start as usize..head + r.end as usize;
        let hunk = Hunk { before: range(bx), after: range(by) };
        match out.last_mut() {
            Some(next) if next.before.start == hunk.before.end && next.after.start == hunk.after.end => {
                next.before.start = hunk.before.start;
                next.after.start = hunk.after.start;
            }
            _ => out.push(hunk),
        }
        (x, y) = (px, py);
    }
    out.reverse();
    out
}

/// How far each diagonal is reached with d steps, for each d until the end is; diagonal k of row d is at `k + d + 1`.
fn trace(a: &[&str], b: &[&str]) -> Option<Vec<Vec<isize>>> {
    let (n, m) = (a.len() as isize, b.len() as isize);
    let mut rows: Vec<Vec<isize>> = Vec::new();
    for d in 0..=(n + m).min(MOST as isize) {
        let mut row = vec![-1; 2 * d as usize + 3];
        let mut k = -d;
        while k <= d {
            let before = |k: isize| rows.last().map_or(-1, |r: &Vec<isize>| r[(k + d) as usize]);
            let mut x = match d {
                0 => 0,
                _ if k == -d || k != d && before(k - 1) < before(k + 1) => before(k + 1),
                _ => before(k - 1) + 1,
            };
            while x < n && x - k < m && x - k >= 0 && a[x as usize] == b[(x - k) as usize] {
                x += 1;
            }
            row[(k + d + 1) as usize] = x;
            if x >= n && x - k >= m {
                rows.push(row);
                return Some(rows);
            }
            k += 2;
        }
        rows.push(row);
    }
    None
}

/// As `diff -u` writes it; empty where nothing differs.
pub fn unified(name: &str, before: &str, after: &str) -> String {
    const CONTEXT: usize = 3;
    let (a, b) = (lines(before), lines(after));
    let hunks = hunks(&a, &b);
    if hunks.is_empty() {
        return String::new();
    }
    let mut out = format!("--- {name}\n+++ {name} (formatted)\n");
    let mut rest = hunks.as_slice();
    while !rest.is_empty() {
        let many = 1 + rest.windows(2).take_while(|w| w[1].before.start - w[0].before.end <= 2 * CONTEXT).count();
        let (group, more) = rest.split_at(many);
        rest = more;
        let (first, last) = (&group[0], &group[many - 1]);
        let lead = first.before.start.min(CONTEXT);
        let trail = (a.len() - last.before.end).min(CONTEXT);
        let (from, to) = (first.before.start - lead, last.before.end + trail);
        let (there, until) = (first.after.start - lead, last.after.end + trail);
        let range = |s: usize, e: usize| format!("{},{}", if s == e { s } else { s + 1 }, e - s);
        out += &format!("@@ -{} +{} @@\n", range(from, to), range(there, until));
        let mut at = from;
        for h in group {
            a[at..h.before.start].iter().for_each(|l| line(&mut out, ' ', l));
            a[h.before.clone()].iter().for_each(|l| line(&mut out, '-', l));
            b[h.after.clone()].iter().for_each(|l| line(&mut out, '+', l));
            at = h.before.end;
        }
        a[at..to].iter().for_each(|l| line(&mut out, ' ', l));
    }
    out
}

fn line(out: &mut String, sign: char, text: &str) {
    out.push(sign);
    out.push_str(text);
    if !text.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(before: &str, after: &str) -> String {
        let (a, b) = (lines(before), lines(after));
        let mut out = String::new();
        let mut at = 0;
        for h in hunks(&a, &b) {
            out.extend(a[at..h.before.start].iter().copied());
            out.extend(b[h.after].iter().copied());
            at = h.before.end;
        }
        out.extend(a[at..].iter().copied());
        out
    }

    #[test]
    fn hunks_make_one_text_of_the_other() {
        let mut seed = 7u64;
        let mut roll = |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        for _ in 0..2000 {
            let mut text = |many: u64| (0..roll(many)).map(|_| format!("{}\n", roll(4))).collect::<String>();
            let (a, b) = (text(12), text(12));
            assert_eq!(made(&a, &b), b, "{a:?} to {b:?}");
        }
    }

    #[test]
    fn a_change_is_shown_with_its_context() {
        let shown = unified("a.mtl", "1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nfive\n6\n7\n8\n");
        assert!(shown.ends_with("@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"), "{shown}");
        assert_eq!(unified("a", "1\n", "1\n"), "");
    }
}
