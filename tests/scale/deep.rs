//! Whatever may be nested in its own kind, on a usual stack: it is read up to a limit, and beyond it refused with a message.

use mtlc::diag::codes;
use mtlc::{fmt, ide};
use std::path::Path;

use crate::check;
use crate::programs::network;

/// What is nested, a program in which it is nested `n` deep, and the most that is read; `None` where depth does not matter.
type Kind = (&'static str, fn(usize) -> String, Option<usize>);

const KINDS: &[Kind] = &[
    ("blocks in chains", |n| in_stage(&blocks(n, |b| b.to_string())), Some(64)),
    (
        "blocks in bodies",
        |n| in_stage(&nested(n, |b| format!("{{ y = in -> {b}\n out = y }}"), "{ out = in -> relu }")),
        Some(64),
    ),
    ("blocks in repetitions", |n| in_stage(&blocks(n, |b| format!("1 * {b}"))), Some(64)),
    ("blocks in merges", |n| in_stage(&blocks(n, |b| format!("add(in, in -> {b})"))), Some(64)),
    ("blocks declared the other way round", |n| in_stage(&reversed(&blocks(n, |b| b.to_string()))), Some(64)),
    ("blocks that nothing uses", |n| network(&blocks(n, |b| b.to_string())), Some(64)),
    ("blocks that nothing uses, the other way round", |n| network(&reversed(&blocks(n, |b| b.to_string()))), Some(64)),
    ("blocks full of brackets", |n| in_stage(&blocks(n, |b| repeated(60, b))), Some(4)),
    ("repetitions", |n| network("").replace("linear(4)", &repeated(n, "linear(4)")), Some(98)),
    (
        "merges",
        |n| {
            let merges = format!("{}x{}", "add(in, ".repeat(n), ")".repeat(n));
            network("").replace("stage s = linear(4)", &format!("stage s {{ from = [x], out = {merges} }}"))
        },
        Some(98),
    ),
    ("brackets", |n| param(&format!("{}1{}", "(".repeat(n), ")".repeat(n))), Some(100)),
    ("operators", |n| param(&format!("1{}", " + 1".repeat(n))), Some(399)),
    ("minus signs", |n| param(&format!("{}1", "- ".repeat(n))), Some(397)),
    ("`not`", |n| label(&format!("{}d.y", "not ".repeat(n))), Some(397)),
    ("`and`", |n| label(&format!("d.y{}", " and d.y".repeat(n))), Some(399)),
    ("lists", |n| label(&format!("d.y in {}1{}", "[".repeat(n), "]".repeat(n))), None),
    ("calls", |n| param(&format!("{}1{}", "f(".repeat(n), ")".repeat(n))), None),
    ("calls of calls", |n| param(&format!("f{}", "(1)".repeat(n))), None),
    ("selections of selections", |n| param(&format!("f{}", "[1]".repeat(n))), None),
    (
        "schedules",
        |n| network(&format!("train {{ schedule = {}cosine{} }}", "warmup(1, then = ".repeat(n), ")".repeat(n))),
        None,
    ),
    ("braces", |n| network(&format!("train {}", "{ a = ".repeat(n))), None),
    ("bodies", |n| network(&format!("space s over net {{ {} }}", "level s { ".repeat(n))), None),
    ("trees", |n| network(&format!("space s over net {{ {} }}", "tree { s = 1 ".repeat(n))), None),
    ("names with dots", |n| param(&format!("a{}", ".a".repeat(n))), None),
    ("ranges", |n| param(&format!("1{}", "..1".repeat(n))), None),
    ("equals signs", |n| param(&"= ".repeat(n)), None),
    ("arrows", |n| network("").replace("linear(4)", &"-> ".repeat(n)), None),
    (
        "params that use one another",
        |n| {
            network(&format!(
                "param p0: int = 1\n{}",
                (1..n).map(|i| format!("param p{i}: int = p{}\n", i - 1)).collect::<String>()
            ))
        },
        None,
    ),
    (
        "params that use one another, the other way round",
        |n| {
            network(&format!(
                "{}param p{n}: int = 1\n",
                (0..n).map(|i| format!("param p{i}: int = p{}\n", i + 1)).collect::<String>()
            ))
        },
        None,
    ),
    (
        "values that use one another",
        |n| {
            let values: String = (1..n).map(|i| format!("    v{i} = v{} -> relu\n", i - 1)).collect();
            network("").replace(
                "= linear(4)",
                &format!("{{\n    v0 = x\n{values}    out = v{} -> linear(4)\n  }}", n.max(1) - 1),
            )
        },
        None,
    ),
    (
        "stages that read the first",
        |n| {
            let n = n.min(1_999);
            let stages: String = (1..n).map(|i| format!("  stage s{i} = relu\n")).collect();
            let last = format!("  stage last {{ from = [s{}, s0], out = add(s{}, s0) }}\n", n - 1, n - 1);
            let levels: String = (0..n)
                .map(|i| format!("  s{i}.a <- {}\n", if i == 0 { "x".into() } else { format!("s{}.a", i - 1) }))
                .collect();
            let topology = format!("topology over net {{\n{levels}  last.a <- s{}.a\n  a <- last.a\n}}\n", n - 1);
            network(&topology)
                .replace("{ stage s = linear(4) }", &format!("{{\n  stage s0 = linear(4)\n{stages}{last}}}"))
        },
        None,
    ),
    (
        "mixes whose queries are mixes",
        |n| {
            let mixes: String =
                (2..=n).map(|i| format!("  m{i} <- mix(softmax, query = m{})[s.a, s.b]\n", i - 1)).collect();
            network(&format!(
                "topology over net {{\n  s.a <- x\n  s.b <- x\n  m1 <- mix(mean)[s.a, s.b]\n{mixes}  a <- m{n}\n}}\n"
            ))
        },
        Some(64),
    ),
    (
        "mixes of mixes",
        |n| {
            let mixes: String = (2..=n).map(|i| format!("  m{i} <- mix(mean)[m{}, s.b]\n", i - 1)).collect();
            network(&format!(
                "topology over net {{\n  s.a <- x\n  s.b <- x\n  m1 <- mix(mean)[s.a, s.b]\n{mixes}  a <- m{n}\n}}\n"
            ))
        },
        None,
    ),
    (
        "mixes in mixes",
        |n| {
            network(&format!(
                "topology over net {{\n  s.a <- x\n  s.b <- x\n  a <- {}s.a{}\n}}\n",
                "mix(mean)[s.b, ".repeat(n),
                "]".repeat(n)
            ))
        },
        None,
    ),
    ("the same head again", |n| network(&"head for a = linear(outputs)\n".repeat(n)), None),
];

/// Blocks, each of which uses the next: `b1` is the outermost of `n`.
fn nested(n: usize, uses: impl Fn(&str) -> String, last: &str) -> String {
    let link = |i: usize| match i {
        _ if i == n => format!("block b{i} {last}\n"),
        _ => format!("block b{i} {}\n", uses(&format!("b{}", i + 1))),
    };
    (1..=n).map(link).collect()
}

fn blocks(n: usize, uses: impl Fn(&str) -> String) -> String {
    nested(n, |b| format!("= {}", uses(b)), "= relu")
}

fn reversed(items: &str) -> String {
    items.lines().rev().map(|l| format!("{l}\n")).collect()
}

fn in_stage(blocks: &str) -> String {
    network(blocks).replace("linear(4)", "linear(4) -> b1")
}

fn repeated(n: usize, op: &str) -> String {
    format!("{}{op}{}", "1 * (".repeat(n), ")".repeat(n))
}

fn param(value: &str) -> String {
    network(&format!("param p: int = {value}\n"))
}

fn label(value: &str) -> String {
    network(&format!(
        "data d {{ format = csv, train = \"d.csv\", columns = [y] }}\ntask b: binary {{ label = {value} }}\n"
    ))
}

/// Runs on a stack as large as that of a main thread, whatever the tests have.
fn in_usual_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(work).expect("a thread");
    thread.join().expect("no panic");
}

#[test]
fn nothing_exhausts_the_stack() {
    for (name, program, _) in KINDS {
        for n in [2, 90, 600, 5_000] {
            in_usual_stack(move || {
                let text = program(n);
                let _ = check(&text);
                if n <= 600 {
                    let _ = (fmt::format(&text), fmt::mend(&text));
                    let load = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
                    let analysis = ide::Analysis::new(&text, Path::new("deep.mtl"), &load);
                    assert_eq!(analysis.text(), text, "{name}");
                }
            });
        }
    }
}

/// The limits are those of the reference, and what is beyond them is told once.
#[test]
fn limits() {
    let limits = [codes::SYNTAX_TOO_DEEP, codes::NAME_TOO_DEEP, codes::TOPOLOGY_SOURCE];
    let too_deep = move |text: &str| check(text).diagnostics.iter().filter(|d| limits.contains(&d.code)).count();
    for (name, program, limit) in KINDS {
        let Some(limit) = limit else { continue };
        in_usual_stack(move || {
            assert_eq!(too_deep(&program(*limit)), 0, "{name}, {limit} deep");
            assert_eq!(too_deep(&program(limit + 1)), 1, "{name}, {} deep", limit + 1);
        });
    }
}
