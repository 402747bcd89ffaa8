//! Arguments without a name: accepted where a wrong order is impossible or detected, else an error that names them.

use std::collections::BTreeMap;

use mtlc::artifact::digest;
use mtlc::diag::{Applicability, Diagnostics, codes, fix, orders};
use mtlc::hir::eval::{self, Scope};
use mtlc::hir::positional::may_be_unnamed;
use mtlc::ide::docs::TOPICS;
use mtlc::schema::{AttrDef, CallDef, Ty};

use super::compile;

/// Every entry of every table whose entries are written like calls, and the calls that their arguments take.
fn calls() -> Vec<&'static CallDef> {
    fn visit(call: &'static CallDef, found: &mut BTreeMap<usize, &'static CallDef>) {
        if found.insert(std::ptr::from_ref(call) as usize, call).is_none() {
            call.args.iter().for_each(|a| inside(&a.ty, found));
        }
    }
    fn inside(ty: &Ty, found: &mut BTreeMap<usize, &'static CallDef>) {
        match ty {
            Ty::Call(calls) => calls().into_iter().for_each(|c| visit(c, found)),
            Ty::List(inner) => inside(inner, found),
            Ty::AnyOf(tys) => tys.iter().for_each(|t| inside(t, found)),
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    TOPICS.iter().flat_map(|t| (t.calls)()).for_each(|c| visit(c, &mut found));
    for item in mtlc::hir::schema::items() {
        let nested = item.nested.iter().flat_map(|n| n.attrs);
        item.attrs.iter().chain(nested).for_each(|a| inside(&a.ty, &mut found));
    }
    let mut all: Vec<&'static CallDef> = found.into_values().collect();
    all.sort_by_key(|c| c.name);
    all
}

/// Something that an argument takes.
fn sample(a: &AttrDef) -> Option<String> {
    let within = |min: f64, max: f64| [0.5, 1.0, 2.0, 0.01].into_iter().find(|v| min <= *v && *v <= max);
    match &a.ty {
        Ty::Bool => Some("true".into()),
        Ty::Int { min, max } => [2, 1, 3].into_iter().find(|v| min <= v && v <= max).map(|v| v.to_string()),
        Ty::Float { min, max } => within(*min, *max).map(|v| v.to_string()),
        Ty::OneOf(words) => words.first().map(|w| (*w).to_string()),
        Ty::Duration => Some("3 epochs".into()),
        Ty::Call(calls) => calls().iter().map(|c| c.name.to_string()).next(),
        _ => None,
    }
}

fn takes(ty: &Ty, text: &str) -> bool {
    let expr = mtlc::syntax::expression(text).expect("a value");
    eval::value(&expr, ty, &Scope::default(), &mut Diagnostics::default()).is_some()
}

/// Two values without names, in the wrong order, do not pass, except `from` and `to`, whose order everybody reads.
#[test]
fn a_wrong_order_does_not_pass() {
    let all = calls();
    assert!(all.len() > 80, "{}", all.len());
    let mut pairs = 0;
    for call in &all {
        for (i, a) in call.args.iter().enumerate() {
            for (j, b) in call.args.iter().enumerate().skip(i + 1) {
                if !may_be_unnamed(call.args, j) || (a.name, b.name) == ("from", "to") {
                    continue;
                }
                let (Some(first), Some(second)) = (sample(a), sample(b)) else { continue };
                pairs += 1;
                let swapped = takes(&a.ty, &second) && takes(&b.ty, &first);
                assert!(!swapped, "{}({second}, {first}) passes for ({first}, {second})", call.name);
            }
        }
    }
    assert!(pairs >= 5, "{pairs} pairs");
}

#[test]
fn the_order_of_other_tools_names_arguments_that_exist() {
    for order in orders::table() {
        let fits = |c: &&&CallDef| {
            c.name == order.name && order.names.iter().all(|n| n.is_empty() || c.args.iter().any(|a| a.name == *n))
        };
        assert!(calls().iter().any(|c| fits(&c)), "{}: {:?}", order.name, order.names);
    }
}

fn program(stage: &str, train: &str) -> String {
    format!(
        "mtl 1
input image: f32[8, 64, 64]
task a: classes(10)
block pair(a: int, b: int) = conv(a, kernel = 1) -> conv(b, kernel = 1)
block mixed(a: int, how: string, on: bool = true) = conv(a, bias = on)
block open(a: int = 4, b: int = 5) = conv(a) -> conv(b)
block one(a: int = 4) = conv(a)
backbone net(image) {{ stage s1 = {stage} -> flatten }}
head for a = linear(outputs)
train {{ epochs = 30, {train} }}
"
    )
}

/// Calls of the split of a table that stay legal.
const SHARES: &[&str] = &["share(0.2)", "share(0.2, train)", "share(0.2, of = train, by = x)", "fold(1, of = 5)"];

const OPTIMIZER: &str = "optimizer = adam(1e-3)";

/// Links that stay legal.
const LINKS: &[&str] = &[
    "conv(16)",
    "conv(16, kernel = 5, stride = 2)",
    "conv(kernel = 5, channels = 16)",
    "conv(16, k = 5, s = 2)",
    "max_pool(2)",
    "max_pool(3, stride = 2, padding = 1)",
    "upsample(2, bilinear)",
    "flatten -> linear(64)",
    "flatten -> linear(64, false)",
    "dropout(0.3)",
    "leaky_relu(0.1)",
    "elu(1)",
    "group_norm(4)",
    "batch_norm(momentum = 0.2)",
    "match(16, stride = 2)",
    "conv_bn(16)",
    "conv_bn(16, kernel = 5)",
    "basic(16, stride = 2)",
    "separable(8, channels = 16)",
    "pair(3, b = 4)",
    "mixed(4, \"x\")",
    "mixed(4, \"x\", false)",
    "one(3)",
    "open(a = 3)",
    "open(3, b = 3)",
];

/// Attributes of a training that stay legal.
const TRAINS: &[&str] = &[
    "optimizer = sgd(0.1)",
    "optimizer = sgd(0.1, momentum = 0.9)",
    "schedule = step(0.5, 15 epochs)",
    "schedule = step(0.5, every = 15)",
    "schedule = linear(1, 0.1)",
    "schedule = linear(1, 0.1, 20 epochs)",
    "schedule = warmup(2 epochs, cosine)",
    "schedule = warmup(2 epochs, linear(1, 0.1))",
    "schedule = inverse(1, step)",
    "schedule = constant(0.5)",
    "schedule = exponential(1, rate = 0.9, every = 2 epochs)",
    "schedule = cosine(to = 0.1)",
];

#[test]
fn what_cannot_be_mistaken_needs_no_name() {
    let links = LINKS.iter().map(|l| program(l, OPTIMIZER));
    for text in links.chain(TRAINS.iter().map(|t| program("conv_bn(16)", t))) {
        let compiled = compile(&text);
        let unused = |d: &&mtlc::diag::Diagnostic| d.code != codes::NAME_UNUSED;
        let said: Vec<&String> = compiled.diagnostics.iter().filter(unused).map(|d| &d.message).collect();
        assert!(said.is_empty(), "{text}{said:?}");
    }
}

#[test]
fn shares_and_folds_need_few_names() {
    let table = |share: &str| {
        let text = format!(
            "mtl 1\ndata d {{ format = csv, train = \"t.csv\", validation = {share}, columns = [x, y] }}
input row: fields {{ from = d[x] }}
task a: binary {{ label = d.y == \"1\" }}
backbone net(row) {{ stage s1 = one_hot }}
head for a = linear(outputs)\n"
        );
        compile(&text).diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code.name()).collect::<Vec<_>>()
    };
    for share in SHARES {
        assert_eq!(table(share), Vec::<&str>::new(), "{share}");
    }
    for share in ["fold(1, 5)", "share(0.2, x)", "share(0.2, train, x)"] {
        assert_eq!(table(share).len(), 1, "{share}");
    }
}

/// What is wrong, and what one of the fixes makes of it.
const WRONG_LINKS: &[(&str, &str)] = &[
    ("conv(3, 16, 3)", "conv(16, kernel = 3)"),
    ("conv(3, 16, 3)", "conv(3, kernel = 16, stride = 3)"),
    ("conv(32, 3)", "conv(32, kernel = 3)"),
    ("conv(32, 3, bias = false)", "conv(3, bias = false)"),
    ("layer_norm(64)", "layer_norm"),
    ("layer_norm(64, eps = 0.1)", "layer_norm(eps = 0.1)"),
    ("batch_norm(64)", "batch_norm"),
    ("group_norm(8, 32)", "group_norm(8)"),
    ("max_pool(2, 2)", "max_pool(2, stride = 2)"),
    ("avg_pool(3, 2, 1)", "avg_pool(3, stride = 2, padding = 1)"),
    ("match(16, 2)", "match(16, stride = 2)"),
    ("flatten -> linear(128, 64)", "flatten -> linear(64)"),
    ("conv_bn(32, 5, 2)", "conv_bn(32, kernel = 5, stride = 2)"),
    ("basic(16, 2)", "basic(16, stride = 2)"),
    ("separable(8, 16)", "separable(8, channels = 16)"),
    ("pair(3, 4)", "pair(3, b = 4)"),
    ("open(3)", "open(a = 3)"),
    ("open(3, 4)", "open(a = 3, b = 4)"),
];

const WRONG_TRAINS: &[(&str, &str)] = &[
    ("optimizer = sgd(0.1, 0.9)", "optimizer = sgd(0.1, momentum = 0.9)"),
    ("optimizer = adam(1e-3, 0.9)", "optimizer = adam(1e-3, beta1 = 0.9)"),
    ("schedule = cosine(8)", "schedule = cosine(over = 8)"),
    ("schedule = step(2, 0.1)", "schedule = step(every = 2, rate = 0.1)"),
    ("schedule = step(0.5, 15)", "schedule = step(0.5, every = 15)"),
    ("schedule = linear(1, 0.1, 20)", "schedule = linear(1, 0.1, over = 20)"),
    ("schedule = exponential(0.97, every = 2 epochs)", "schedule = exponential(rate = 0.97, every = 2 epochs)"),
    ("schedule = warmup(2 epochs, cosine(8))", "schedule = warmup(2 epochs, cosine(over = 8))"),
];

#[test]
fn what_may_be_mistaken_is_an_error_that_names_the_arguments() {
    let links = WRONG_LINKS.iter().map(|(l, fixed)| (program(l, OPTIMIZER), program(fixed, OPTIMIZER)));
    let trains = WRONG_TRAINS.iter().map(|(t, fixed)| (program("conv_bn(16)", t), program("conv_bn(16)", fixed)));
    for (text, want) in links.chain(trains) {
        let compiled = compile(&text);
        let errors: Vec<_> = compiled.diagnostics.iter().filter(|d| d.is_error()).collect();
        let [error] = errors.as_slice() else { panic!("{text}{errors:#?}") };
        assert_eq!(error.code, codes::TYPE_ARGUMENTS, "{text}{error:#?}");
        assert!(error.fixes.iter().all(|f| f.applicability == Applicability::Maybe), "{text}");
        let mended: Vec<String> = error
            .fixes
            .iter()
            .map(|f| {
                let only = mtlc::diag::Diagnostic { fixes: vec![f.clone()], ..(*error).clone() };
                fix::apply(&text, compiled.root, &[only], Applicability::Maybe).0
            })
            .collect();
        assert!(mended.contains(&want), "{text}{mended:#?}");
        for m in &mended {
            assert!(compile(m).diagnostics.iter().all(|d| d.code != codes::TYPE_ARGUMENTS), "{m}");
        }
    }
}

/// Mistakes inside such arguments are told with them.
#[test]
fn an_unknown_name_in_an_unnamed_argument_is_reported_too() {
    let text = program("conv(3, widht, 3)", OPTIMIZER);
    let mut names: Vec<&str> =
        compile(&text).diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["mtl::name::unknown", "mtl::type::arguments"]);
}

#[test]
fn aliases_mean_the_same() {
    let meaning = |link: &str| {
        let compiled = compile(&program(link, OPTIMIZER));
        digest(&compiled.checked.unwrap_or_else(|| panic!("{link}: {:#?}", compiled.diagnostics)).spec)
    };
    for call in [
        "conv(channels = 16, kernel = 5, stride = 2)",
        "conv_bn(channels = 16, kernel = 5, stride = 2)",
        "basic(channels = 16, stride = 2)",
        "separable(from = 8, channels = 16, kernel = 5, stride = 2)",
        "inverted_residual(channels = 8)",
        "aspp(channels = 16)",
        "max_pool(kernel = 3, stride = 2)",
        "avg_pool(kernel = 3, stride = 2)",
        "match(channels = 16, stride = 2)",
    ] {
        for (alias, name) in mtlc::schema::aliases() {
            let short = call.replace(&format!("{name} ="), &format!("{alias} ="));
            assert_eq!(meaning(&short), meaning(call), "{short}");
        }
    }
    // Twice the same, and names of the user's own.
    let twice = compile(&program("conv(16, kernel = 3, k = 5)", OPTIMIZER));
    assert!(twice.diagnostics.iter().any(|d| d.message == "`kernel` is given twice"), "{:#?}", twice.diagnostics);
    let own = program("mine(k = 16, kernel = 5)", OPTIMIZER)
        .replace("block one", "block mine(k: int, kernel: int) = conv(k, kernel = kernel)\nblock one");
    assert!(compile(&own).checked.is_some());
}

#[test]
fn a_rate_that_rises_after_the_warm_up_is_a_warning() {
    for (schedule, rises) in [
        ("linear(0.1, 1)", true),
        ("linear(from = 0.1, to = 1, over = 3 epochs)", true),
        ("cosine(to = 2)", true),
        ("step(2, 5 epochs)", true),
        ("exponential(rate = 1.1, every = 100 steps, smooth = true)", true),
        ("warmup(2 epochs, then = linear(0.1, 1))", true),
        ("warmup(2 epochs, then = warmup(1 epochs, then = step(1.5, 5 epochs)))", true),
        ("linear(1, 0.1)", false),
        ("linear(1, 1)", false),
        ("constant(0.1)", false),
        ("cosine", false),
        ("inverse_sqrt(1, step)", false),
        ("step(0.5, 15 epochs)", false),
        ("warmup(2 epochs)", false),
        ("warmup(2 epochs, then = cosine)", false),
    ] {
        let compiled = compile(&program("conv_bn(16)", &format!("schedule = {schedule}")));
        let said = compiled.diagnostics.iter().filter(|d| d.code == codes::TRAIN_RATE).count();
        assert_eq!(said, usize::from(rises), "{schedule}: {:#?}", compiled.diagnostics);
        assert!(!compiled.has_errors(), "{schedule}: {:#?}", compiled.diagnostics);
    }
}
