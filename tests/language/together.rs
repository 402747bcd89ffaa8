//! All problems come in one run: what is said of two mistakes together is what is said of each alone.

use std::collections::BTreeSet;
use std::ops::Range;

use super::compile;

const SHARED: &str = "mtl 1
param width: int = 16
data d { format = csv, train = \"d.csv\", columns = [x, y, z, w], numeric = [x, y, w] }
input row: fields { from = d[x, z] }
task a: binary { label = d.y == 1, loss = bce }
task b: regression { label = d.w, metrics = [mae] }
backbone net(row) {
  stage s1 = embedding(4) -> concat_fields -> linear(width)
  stage s2 { from = [s1], out = linear(8) -> relu }
  stage s3 { from = [s1, s2], out = concat(s1, s2) -> linear(6) }
}
head for a = linear(outputs)
head for b { from = [s3, s1], out = concat(s3, s1) -> linear(outputs) }
train { epochs = 3, batch = 16, optimizer = adam(1e-3), schedule = step(0.5, 2 epochs) }
";

const SPACE: &str = "space sp over net {
  level s1 { copies = 1 }
  level s2 { copies = 2, reads = one }
  level s3 { copies = 2, reads = one }
  heads { per = task, reads = one }
}
search random { draws = 4, seed = 1 }
";

const TOPOLOGY: &str = "topology over net {
  s1.a <- row
  s2.a <- s1.a
  s2.b <- s1.a
  s3.a <- s2.a
  s3.b <- mix(mean)[s2.a, s2.b]
  a <- s3.a
  b <- s3.b
}
";

/// A piece of the program, its replacement, and how many errors that gives.
const MISTAKES: &[(&str, &str, usize)] = &[
    ("width: int = 16", "width: int = sixteen", 1),
    ("format = csv", "format = csvv", 1),
    ("numeric = [x, y, w]", "numerik = [x, y, w]", 1),
    ("data d {", "data d = 3 {", 1),
    ("from = d[x, z]", "from = d[x, q]", 1),
    ("input row: fields", "input row fields", 1),
    ("d.y == 1", "d.v == 1", 1),
    ("loss = bce", "loss = bcee", 1),
    ("task b: regression", "task b regression", 1),
    ("b: regression", "b: regresion", 1),
    ("metrics = [mae]", "metrics = [maee]", 1),
    ("backbone net(row)", "backbone net[row]", 1),
    ("backbone net(row)", "backbone net(rwo)", 1),
    ("= embedding(4) ->", "= embeding(4) ->", 1),
    ("linear(width)", "linear(widht)", 1),
    ("linear(width)", "linaer(widht)", 2),
    ("from = [s1], out =", "from = [s11, s12], out = add(s11, s12) ->", 2),
    ("linear(8) -> relu", "linear(8) -> rleu", 1),
    ("concat(s1, s2) ->", "concat(s1, s4) ->", 1),
    ("-> linear(6)", "-> linear(6, 3)", 1),
    ("head for a = linear(outputs)", "head for a = linaer(output)", 2),
    ("head for a =", "head a =", 1),
    ("from = [s3, s1]", "from = [s33, s1]", 1),
    ("concat(s3, s1) -> linear(outputs)", "concat(s3, s1) -> linear(outputs, bais = false)", 1),
    ("epochs = 3", "epochs = 0", 1),
    ("adam(1e-3)", "adm(1e-3)", 1),
    ("adam(1e-3)", "adam(1e-3, 0.9)", 1),
    ("step(0.5, 2 epochs)", "step(0.5, evry = 3)", 1),
    ("train {", "train x {", 1),
    // Of the space and its search.
    ("space sp over net", "space sp net", 1),
    ("level s3 {", "level s9 {", 1),
    ("level s2 { copies = 2", "level s2 { copies = x", 1),
    ("per = task", "pr = task", 1),
    ("per = task, reads = one", "per = task, reads = som", 1),
    ("search random", "search randmo", 1),
    ("draws = 4", "draws = x", 1),
    ("seed = 1", "sed = 1", 1),
    // Of the topology.
    ("topology over net", "topology net", 1),
    ("s1.a <- row", "s1.a <- rwo", 1),
    ("s2.b <- s1.a", "s7.b <- s1.a", 1),
    ("s3.a <- s2.a", "s3.a <- s2.q", 1),
    ("b <- s3.b", "b <- [s3.q, s9.z]", 2),
    ("mix(mean)[s2.a, s2.b]", "mix(maen)[s2.a, s2.q]", 2),
    ("a <- s3.a", "aa <- s3.a", 1),
];

/// Line, code and message.
type Said = BTreeSet<(usize, &'static str, String)>;

fn errors(text: &str) -> Said {
    let compiled = compile(text);
    let line = |at: u32| text[..at as usize].matches('\n').count() + 1;
    let said = compiled.diagnostics.iter().filter(|d| d.is_error());
    said.map(|d| (d.primary.as_ref().map_or(0, |p| line(p.span.start)), d.code.name(), d.message.clone())).collect()
}

fn spoil(text: &str, edits: &[(Range<usize>, &str)]) -> String {
    let mut edits = edits.to_vec();
    edits.sort_by_key(|(r, _)| std::cmp::Reverse(r.start));
    let mut text = text.to_string();
    for (range, new) in edits {
        text.replace_range(range, new);
    }
    text
}

#[test]
fn what_is_said_of_two_mistakes_is_what_is_said_of_each() {
    let mut hidden = Vec::new();
    let mut pairs = 0;
    for more in [SPACE, TOPOLOGY] {
        let program = format!("{SHARED}{more}");
        assert_eq!(errors(&program), BTreeSet::new());
        let here: Vec<(Range<usize>, &str, Said)> = MISTAKES
            .iter()
            .filter_map(|(from, to, count)| {
                // A line that begins with it, or the only place.
                let at = program.find(&format!("\n  {from}")).map(|i| i + 3).or_else(|| program.find(from))?;
                let at = at..at + from.len();
                let alone = errors(&spoil(&program, &[(at.clone(), to)]));
                if alone.len() != *count {
                    hidden.push(format!("{to} alone: {alone:#?}"));
                }
                Some((at, *to, alone))
            })
            .collect();
        assert!(here.len() >= 30, "{}", here.len());
        for (i, a) in here.iter().enumerate() {
            for b in &here[i + 1..] {
                if a.0.start < b.0.end && b.0.start < a.0.end {
                    continue;
                }
                pairs += 1;
                let want: Said = a.2.union(&b.2).cloned().collect();
                let got = errors(&spoil(&program, &[(a.0.clone(), a.1), (b.0.clone(), b.1)]));
                if got != want {
                    let lost: Vec<_> = want.difference(&got).collect();
                    let new: Vec<_> = got.difference(&want).collect();
                    hidden.push(format!("`{}` with `{}`: hidden {lost:?}, added {new:?}", a.1, b.1));
                }
            }
        }
    }
    assert!(pairs >= 1000, "{pairs}");
    assert!(hidden.is_empty(), "{} of {pairs} pairs\n{}", hidden.len(), hidden.join("\n"));
}

/// Heads that no task has, and a second item of a kind that may stand once, are read too.
#[test]
fn what_is_not_used_is_read_all_the_same() {
    for (more, says) in [
        ("head for c = linaer(3)\n", "there is no op or block called `linaer`"),
        ("head for c { from = [s9], out = linear(3) }\n", "there is no stage or input `s9`"),
        ("train { epochs = x }\n", "`x` has no value here"),
        ("topology over net { s9.a <- row }\n", "the backbone has no stage `s9`"),
        ("task: binary { loss = bcee }\n", "`bcee` is not known here"),
    ] {
        let text = format!("{SHARED}{TOPOLOGY}{more}");
        let said = errors(&text);
        assert!(said.iter().any(|(_, _, m)| m.contains(says)), "{more}{said:#?}");
        assert!(said.len() == 2, "{more}{said:#?}");
    }
}

/// What belongs to an item without a name is not unknown.
#[test]
fn a_missing_name_gives_one_message() {
    for (from, to) in [("data d {", "data {"), ("input row:", "input :"), ("task b:", "task :"), ("net(row)", "(row)")]
    {
        let text = format!("{SHARED}{SPACE}").replacen(from, to, 1);
        assert_eq!(errors(&text).len(), 1, "{to}{:#?}", errors(&text));
    }
}

/// What is written twice, or behind something wrong of the same entry, is read too.
#[test]
fn no_part_of_an_entry_hides_the_next() {
    for (from, to) in [
        ("batch = 16", "batch = 16, batch = x"),
        ("stage s3 {", "stage s2 = linaer(3)\n  stage s3 {"),
        ("  heads {", "  heads { per = tsk }\n  heads {"),
        ("head for a =", "block q() = linaer(3)\nblock q() = relu\nhead for a ="),
        ("width: int = 16", "width: int = 16 in x..y"),
        ("draws = 4", "draws = 4, budget = parms <= z"),
        ("-> linear(6)", "-> x * linaer(6)"),
        ("-> linear(6)", "-> linear(x + y)"),
        ("out = linear(8) -> relu", "y = linaer(3), y = rleu, out = in -> linear(8)"),
    ] {
        let text = format!("{SHARED}{SPACE}").replacen(from, to, 1);
        let said = errors(&text);
        // Of three: the third is that something stands twice.
        let want = if to.matches("y = ").count() == 2 { 3 } else { 2 };
        assert_eq!(said.len(), want, "{to}{said:#?}");
    }
}

/// Without a backbone that can be read, heads, spaces and topologies are checked as far as they go.
#[test]
fn a_lost_backbone_hides_little() {
    let whole = format!("{SHARED}{SPACE}");
    let start = whole.find("backbone net").expect("it is there");
    let end = whole.find("head for a").expect("it is there");
    let lost = format!("{}backbone net(row) {{ }}\n{}", &whole[..start], &whole[end..])
        .replace("concat(s3, s1) -> linear(outputs)", "concat(s3, s1) -> linaer(output)")
        .replace("copies = 1", "copies = x")
        .replace("draws = 4", "draws = y");
    let said: Vec<String> = errors(&lost).into_iter().map(|(_, _, m)| m).collect();
    for says in ["has no stages", "`linaer`", "`output` has no value", "`x`", "`y`"] {
        assert!(said.iter().any(|m| m.contains(says)), "{says}: {said:#?}");
    }
    assert_eq!(said.len(), 5, "{said:#?}");
}
