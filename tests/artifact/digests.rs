//! What a digest counts and what it does not.

use std::collections::HashMap;
use std::path::PathBuf;

use mtlc::artifact;
use mtlc::hir::Options;
use mtlc::ir::partition;

use super::*;

pub fn digest(text: &str) -> String {
    artifact::digest(spec(&compile(text)))
}

#[track_caller]
pub fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[test]
fn a_digest_ignores_what_has_no_meaning() {
    let want = digest(SEARCH);
    assert_eq!(want.len(), "mtl1:sha256:".len() + 64);
    assert!(want["mtl1:sha256:".len()..].bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(digest(&mtlc::fmt::format(SEARCH).unwrap()), want, "layout");
    assert_eq!(digest(&replaced(SEARCH, "# kept", "# something else")), want, "a comment");
    for (from, to) in [
        ("linear(units) -> relu", "linear(units, bias = true) -> relu"),
        ("noises = 2, ", "noises = 2, samples = 2000, "),
        ("warmup = 2", "warmup = 2, idle = advance"),
        ("heads { per = task, reads = one }", ""),
        ("adam(lr = 1e-4, ", "adam(lr = 1e-4, beta1 = 0.9, "),
        ("level first  { copies = 1 }", "level first { copies = 1, reads = one }"),
        ("every = 15 epochs", "every = 15"),
        ("= 32 in 8..512", "= 64 / 2"),
        ("train {", "train { memory = 2G,"),
        ("width", "breadth"),
        ("residual", "skip"),
        (
            "y   = in -> layer(units)   # kept\n  out = add(y, in)",
            "q = in -> linear(units) -> relu\n  out = add(q, in)",
        ),
        ("y   = in -> layer(units)   # kept\n  out = add(y, in)", "out = add(in -> layer(units), in)"),
        ("2 * residual(width)", "residual(32) -> residual(width)"),
        ("space trees over", "space others over"),
        ("search learn_to_branch {", "search learn_to_branch on third, second, first, heads {"),
        ("from = [second, first], ", "from = [first, second], "),
    ] {
        let text = replaced(SEARCH, from, to);
        assert_eq!(digest(&text), want, "{from} -> {to}");
    }
    // Items in another order.
    let (head, tail) = SEARCH.split_at(SEARCH.find("backbone net").unwrap());
    let block = &head[head.find("block layer").unwrap()..];
    let moved = format!("{}{tail}{block}", replaced(head, block, ""));
    assert_eq!(digest(&moved), want, "blocks below");
    // A block in a file of its own.
    let files = HashMap::from([(PathBuf::from("lib/blocks.mtl"), format!("mtl 1\n{block}"))]);
    let text = replaced(SEARCH, block, "use \"lib/blocks.mtl\"\n");
    let c = compile_at(&text, "spec.mtl", &Options::default(), &files);
    assert_eq!(artifact::digest(spec(&c)), want, "an import");
    // The same value by `--set`.
    let options = Options { set: vec![("width".into(), "32".into())], ..Options::default() };
    let text = replaced(SEARCH, "= 32 in", "= 16 in");
    assert_eq!(artifact::digest(spec(&compile_at(&text, "spec.mtl", &options, &HashMap::new()))), want, "--set");
}

#[test]
fn a_digest_changes_with_every_change_of_meaning() {
    let edits = [
        ("= 32 in", "= 64 in"),
        ("noises = 2", "noises = 3"),
        ("data d {", "data d { seed = 5,"),
        ("d", "e"),
        ("normalize = true", "normalize = false"),
        ("loss = mse", "loss = l1"),
        ("metrics = [mae]", "metrics = [mse]"),
        ("weight = 2", "weight = 1"),
        ("-> relu", "-> gelu"),
        ("linear(units) -> relu", "linear(units, bias = false) -> relu"),
        ("add(y, in)", "mul(y, in)"),
        ("add(y, in)", "add(in, in -> relu)"),
        ("2 * residual", "3 * residual"),
        ("dropout(0.1)", "dropout(0.2)"),
        ("concat(second, first)", "concat(first, second)"),
        ("first", "start"),
        ("net", "network"),
        ("= linear(outputs)", "= relu -> linear(outputs)"),
        ("copies = 3, reads = one", "copies = 2, reads = one"),
        ("epochs = 30", "epochs = 31"),
        ("warmup = 2", "warmup = 3"),
        ("warmup = 2", "warmup = 2, idle = freeze"),
        ("per = epoch", "per = step"),
        ("adam(lr = 1e-4", "adam(lr = 2e-4"),
        ("epochs = 20", "epochs = 21"),
        ("sgd(lr", "sgd(nesterov = true, lr"),
        ("15 epochs", "15 steps"),
        ("train {", "train { patience = 3,"),
    ];
    let mut seen = HashMap::from([(digest(SEARCH), "the spec as it is".to_string())]);
    for (from, to) in edits {
        let text = match from {
            // Names, where they stand alone.
            "d" => replaced(&replaced(SEARCH, "data d ", "data e "), " d.", " e."),
            _ => replaced(SEARCH, from, to),
        };
        if let Some(other) = seen.insert(digest(&text), format!("{from} -> {to}")) {
            panic!("`{from} -> {to}` has the digest of `{other}`");
        }
    }
    // A topology in place of the space, another one, another schema.
    let c = compile(SEARCH);
    for t in [partition::all_shared(spec(&c)), partition::independent(spec(&c))] {
        let derived = derive(&c, &t, "");
        assert!(seen.insert(digest(&derived), "a topology".into()).is_none());
    }
}
