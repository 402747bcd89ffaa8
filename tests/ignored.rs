//! Nothing is accepted and ignored: each part that a header may have, written where it does not belong, and each attribute changed, is
//! told or changes the digest. The table of the language is enumerated, so that new items are tested as they come.

use std::path::Path;

use mtlc::hir::schema::{self, Header, ItemDef, Part};
use mtlc::schema::{AttrDef, Ty};
use mtlc::{artifact, driver};

/// A program with most kinds of items and entries. `@WORD` marks the end of the header of each; the marks are taken out.
const PROGRAM: &str = "mtl 1
param width@param: int = 4
data d@data { format = csv, train = \"d.csv\", columns = [x, y], numeric = [x, y] }
input x@input: fields { from = d[x] }
task a@task: regression { label = d.y }
task b@task: binary { label = d.y > 2 }
block two(c: int)@block = linear(c) -> relu
backbone net(x)@backbone {
  stage s1@stage = one_hot -> two(width)
  stage s2@stage = mlp(4)
}
head for *@head = linear(outputs)
space trees over net@space {
  level s1@level { copies = 1 }
  level s2@level { copies = 2 }
  heads@heads { per = task }
}
search affinity@search {
  budget = params <= 1M
  single@single { epochs = 3 }
}
train@train { epochs = 4 }
";

fn marked(keyword: &str, text: &str) -> String {
    clean(&PROGRAM.replacen(&format!("@{keyword}"), text, 1))
}

fn clean(text: &str) -> String {
    let mut parts = text.split('@');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |all, p| all + p.trim_start_matches(|c: char| c.is_ascii_lowercase()))
}

/// The messages, and the digest where there is one.
fn outcome(text: &str) -> (Vec<String>, Option<String>) {
    let load = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let c = driver::compile_text(text, Path::new("program.mtl"), &Default::default(), &load);
    let said = c.diagnostics.iter().map(|d| format!("{}: {}", d.code.name(), d.message)).collect();
    (said, c.checked.as_ref().map(|c| artifact::digest(&c.spec)))
}

/// All items and entries of the program.
fn definitions() -> Vec<&'static ItemDef> {
    let all = schema::items().iter().flat_map(|i| std::iter::once(i).chain(i.nested));
    all.filter(|d| PROGRAM.contains(&format!("@{}", d.keyword))).collect()
}

/// The parts of a header, how each is written, and whether it is allowed.
type HeaderPart = (&'static str, fn(&Header) -> Part);

const PARTS: &[HeaderPart] = &[
    ("[3]", |h| h.index),
    ("(c: int = 1)", |h| h.params),
    (": int", |h| h.ty),
    (" for a", |h| h.targets),
    (" on s1", |h| h.on),
    (" over net", |h| h.over),
    (" = 2", |h| h.value),
];

#[test]
fn the_program_is_clean() {
    let (said, digest) = outcome(&clean(PROGRAM));
    assert!(digest.is_some() && said.iter().all(|m| !m.contains("unused")), "{said:#?}");
    assert!(definitions().len() >= 14);
}

#[test]
fn parts_of_headers() {
    let before = outcome(&clean(PROGRAM));
    let mut silent = Vec::new();
    for def in definitions() {
        let words = [(" extra", def.header.names.1 < 2), (" extra words", true)];
        let parts = PARTS.iter().map(|(text, part)| (*text, part(&def.header) != Part::Must));
        for (text, _) in parts.chain(words).filter(|(_, too_much)| *too_much) {
            if outcome(&marked(def.keyword, text)) == before {
                silent.push(format!("{}{text}", def.keyword));
            }
        }
    }
    assert!(silent.is_empty(), "accepted and ignored: {silent:#?}");
}

/// A value that is not the default, where the type has an obvious one.
fn other_value(attr: &AttrDef) -> Option<String> {
    Some(match attr.ty {
        Ty::Bool => {
            let default = format!("{:?} {}", attr.need, attr.doc);
            (if default.contains("Default: `true`") || default.contains("\"true\"") { "false" } else { "true" }).into()
        }
        Ty::Int { min, .. } => format!("{}", min.max(0) + 7),
        Ty::Float { max, .. } if max <= 1.0 => format!("{}", max / 3.0),
        Ty::Float { .. } => "7.5".into(),
        Ty::OneOf(words) => words.iter().find(|w| !format!("{:?}", attr.need).contains(*w))?.to_string(),
        _ => return None,
    })
}

#[test]
fn attributes() {
    // What says how a run is made, not what it means.
    const NO_MEANING: &[&str] = &["memory"];
    let mut silent = Vec::new();
    let mut tried = 0;
    for def in definitions().into_iter().filter(|d| d.header.body != Part::No) {
        let written = |a: &&AttrDef| !NO_MEANING.contains(&a.name);
        for attr in def.attrs.iter().filter(written) {
            let Some(value) = other_value(attr) else { continue };
            let before = clean(PROGRAM);
            let at = PROGRAM.find(&format!("@{}", def.keyword)).expect("filtered");
            let Some(brace) = PROGRAM[at..].find('{').map(|i| at + i + 1) else { continue };
            let given = format!(" {} = ", attr.name);
            let end = brace + PROGRAM[brace..].find('}').unwrap_or(0);
            if PROGRAM[brace..end].contains(&given) {
                continue;
            }
            let text = clean(&format!("{}{given}{value},{}", &PROGRAM[..brace], &PROGRAM[brace..]));
            tried += 1;
            if outcome(&text) == outcome(&before) {
                silent.push(format!("{}: {} = {value}", def.keyword, attr.name));
            }
        }
    }
    assert!(tried > 12, "{tried}");
    assert!(silent.is_empty(), "accepted and ignored: {silent:#?}");
}
