//! Names of the user's mean nothing inside the library, and the library's nothing more than before inside the user's files.

use mtlc::diag::codes;
use mtlc::syntax::ast::Item;
use mtlc::{ops, std as library, syntax};

use super::digests::digest;
use super::*;

/// Uses every block of the prelude.
const PRELUDE: &str = "mtl 1
input image: f32[3, 16, 16]
task a: binary
backbone net(image) {
  stage s1 = conv_bn(8) -> basic(8) -> separable(8, channels = 8) -> inverted_residual(8) -> aspp(8)
  stage s2 = flatten -> mlp(4)
}
head for a = linear(outputs)
";

/// Each module of the library with a program that uses it, on the input that it needs.
fn modules() -> Vec<String> {
    let names = library::modules().iter().map(|m| m.0).filter(|m| *m != "prelude");
    names
        .map(|name| {
            let table = "data d { format = csv, train = \"d.csv\", columns = [u, v, y], numeric = [u, v, y] }\n";
            let (data, input, label, flatten) = match name {
                "mmoe" => (table, "fields { from = d[u, v] }", " { label = d.y == 1 }", ""),
                _ => ("", "f32[3, 64, 64]", "", "flatten -> "),
            };
            format!(
                "mtl 1\nuse std.{name}\n{data}input x: {input}\ntask a: binary{label}\nbackbone net(x) = {name}()\nhead for a = {flatten}linear(outputs)\n"
            )
        })
        .collect()
}

fn prelude() -> Vec<Item> {
    let text = library::modules().iter().find(|m| m.0 == "prelude").expect("it is there").1;
    syntax::parse(mtlc::source::FileId(0), text).into_file().items
}

/// The names of all ops and of all blocks of the prelude.
fn names() -> Vec<String> {
    let blocks = prelude().into_iter().map(|b| b.names[0].text.clone());
    ops::table().iter().map(|o| o.call.name.to_string()).chain(blocks).collect()
}

/// A body for a block of that name: other ops.
fn body(name: &str) -> &'static str {
    if ["tanh", "gelu"].contains(&name) { "silu -> elu" } else { "tanh -> gelu" }
}

/// Whether a program itself names it, outside the library.
fn mentions(program: &str, name: &str) -> bool {
    program.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

#[test]
fn every_block_of_the_prelude_is_used_here() {
    for block in prelude() {
        assert!(mentions(PRELUDE, &block.names[0].text), "{}", block.names[0].text);
    }
}

#[test]
fn blocks_of_the_user_change_nothing_in_the_library() {
    let programs: Vec<String> = modules().into_iter().chain([PRELUDE.to_string()]).collect();
    let before: Vec<String> = programs.iter().map(|p| digest(p)).collect();
    for name in names() {
        for (program, before) in programs.iter().zip(&before).filter(|(p, _)| !mentions(p, &name)) {
            let with = format!("{program}block {name} = {}\n", body(&name));
            assert_eq!(digest(&with), *before, "{with}");
        }
    }
}

#[test]
fn blocks_of_the_user_are_what_the_user_means() {
    for name in names() {
        let head = if name == "linear" { "bias" } else { "linear(outputs)" };
        let program = |stage: &str| {
            format!(
                "mtl 1\ninput x: f32[1]\ntask a: binary\nbackbone net(x) {{ stage s = {stage} }}\nhead for a = {head}\n"
            )
        };
        let own = format!("{}block {name} = {}\n", program(&name), body(&name));
        assert_eq!(digest(&own), digest(&program(body(&name))), "{own}");
        // Also in another block, and in a merge.
        let nested = format!("{}block outer = {name}\nblock {name} = {}\n", program("outer"), body(&name));
        assert_eq!(digest(&nested), digest(&own), "{nested}");
    }
}

#[test]
fn a_backbone_of_the_user_goes_before_the_library_s() {
    let program = |own: &str, used: &str| {
        format!(
            "mtl 1\nuse std.resnet18\n{own}input x: f32[3, 64, 64]\ntask a: binary\nbackbone net(x) = {used}()\nhead for a = flatten -> linear(outputs)\n"
        )
    };
    let own = |name: &str| format!("backbone {name}(x) {{ stage s = conv_bn(4) -> max_pool(2) }}\n");
    assert_eq!(digest(&program(&own("resnet18"), "resnet18")), digest(&program(&own("small"), "small")));
}

/// A parameter of the file named as one of the library's is the file's alone, and nothing uses it.
#[test]
fn parameters_of_the_library_are_not_the_file_s() {
    let before = digest(PRELUDE);
    let mut seen = std::collections::BTreeSet::new();
    for p in prelude().iter().flat_map(|b| b.params.as_ref()).flat_map(|p| &p.value) {
        if !seen.insert(p.name.text.clone()) || ops::find(&p.name.text).is_some() {
            continue;
        }
        let text = format!("{PRELUDE}param \"{}\": int = 5\n", p.name.text);
        let c = compile(&text);
        assert_eq!(artifact::digest(spec(&c)), before, "{text}");
        let unused = c.diagnostics.iter().filter(|d| d.code == codes::NAME_UNUSED).count();
        assert_eq!(unused, 1, "{text}");
    }
    assert!(seen.len() > 5, "{seen:?}");
}
