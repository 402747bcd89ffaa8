//! Small programs that pass through every kind of op and of reading.

use std::path::Path;

use mtlc::check::Checked;
use mtlc::driver::compile_text;
use mtlc::experiment::network_of;
use mtlc::ir::Network;
use mtlc::ir::partition::all_shared;

pub const ALL: [(&str, &str); 10] = [
    ("branching", BRANCHING),
    ("residual", RESIDUAL),
    ("decoder", DECODER),
    ("gates", GATES),
    ("norms", NORMS),
    ("skips", SKIPS),
    ("wide", WIDE),
    ("pools", POOLS),
    ("beside", BESIDE),
    ("table", TABLE),
];

/// A search with batch norms: idle copies, choices, several readers of one copy.
pub const BRANCHING: &str = "mtl 1
input image: f32[3, 8, 8]
task a: binary
task b: classes(5)
task c: regression(2)
backbone net(image) {
  stage c1 = conv_bn(4)
  stage c2 = conv_bn(6) -> max_pool(2)
  stage c3 = conv(8, stride = 2) -> relu
  stage fc = flatten -> linear(16) -> relu -> dropout(0.2)
}
head for * = linear(outputs)
space s over net {
  level c1 { copies = 2 }
  level c2 { copies = 3, reads = one }
  level c3 { copies = 3, reads = one }
  level fc { copies = 3, reads = one }
  heads { per = task, reads = one }
}
search learn_to_branch { epochs = 2 }
";

const RESIDUAL: &str = "mtl 1
input image: f32[3, 16, 16]
task a: classes(4)
task b: multilabel(3)
use std.resnet18
backbone net(image) = resnet18(width = 4)
head for * = global_avg_pool -> linear(outputs)
";

/// Concatenation, upsampling, average pools and dense heads.
const DECODER: &str = "mtl 1
input image: f32[3, 8, 8]
task parts: segmentation(4)
task depth: depth
backbone net(image) {
  stage down = conv(6, bias = false) -> batch_norm -> leaky_relu -> avg_pool(2)
  stage deep = conv(8) -> sigmoid -> max_pool(2)
  stage up { from = [deep, down, image], big = deep -> upsample(2), out = concat(big, down) -> conv(8, kernel = 1) -> elu -> upsample(2, mode = bilinear) }
}
head for * = conv(outputs, kernel = 1)
";

const GATES: &str = "mtl 1
input x: f32[12]
task a: binary
task b: regression(1)
backbone net(x) {
  stage expert = mlp(10)
}
head for * = mlp(6) -> linear(outputs)
topology over net {
  expert.a <- x
  expert.b <- x
  expert.c <- x
  a <- mix(softmax, query = x)[expert.a, expert.b, expert.c]
  b <- mix(sigmoid, query = x)[expert.b, expert.c]
}
";

/// Routes with gates of both kinds, skips of nothing, and a level of a tree.
pub const ROUTES: &str = "mtl 1
input x: f32[12]
task a: binary
task b: regression(1)
task c: classes(3)
backbone net(x) {
  stage low = mlp(9)
  stage mid = mlp(8)
  stage high = mlp(7)
}
head for * = linear(outputs)
space s over net {
  level low { copies = 3 }
  level mid { copies = 3, reads = some(gate = softmax, query = [x, previous]) }
  level high { copies = 3, reads = some(gate = GATE) }
  heads { per = task, reads = one }
}
";

const NORMS: &str = "mtl 1
input image: f32[4, 6, 6]
task a: classes(3)
backbone net(image) {
  stage c1 = conv(8, groups = 4) -> group_norm(2) -> silu
  stage c2 = conv(8, groups = 8, stride = 2) -> gelu -> global_avg_pool
  stage fc = linear(12) -> layer_norm -> tanh -> scale -> bias -> softmax
}
head for * = linear(outputs)
";

/// A value read twice, by a sum and by a stage.
const SKIPS: &str = "mtl 1
input x: f32[10]
task a: regression(3)
task b: binary
backbone net(x) {
  stage one = mlp(8)
  stage two = mlp(8)
  stage three { from = [one, two], out = add(one, two, two) -> linear(8) -> relu }
  stage four { from = [one, three], out = mul(one, three) }
}
head for * = linear(outputs)
";

pub fn check(text: &str) -> Checked {
    let none = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let compiled = compile_text(text, Path::new("engine.mtl"), &Default::default(), &none);
    let said: Vec<String> = compiled.diagnostics.iter().map(|d| format!("{}: {:?}", d.message, d.help)).collect();
    compiled.checked.unwrap_or_else(|| panic!("{said:?}\n{text}"))
}

/// The supernet, the topology that is written, or all shared.
pub fn network(checked: &Checked) -> Network {
    match (&checked.supernet, &checked.spec.topology) {
        (Some(n), _) => n.clone(),
        (None, Some(t)) => network_of(checked, t).expect("checked"),
        (None, None) => network_of(checked, &all_shared(&checked.spec)).expect("checked"),
    }
}

/// Ops that want a gradient beside some that want none, each large enough to be split between threads.
const BESIDE: &str = "mtl 1
input x: f32[1024]
task a: classes(4)
backbone net(x) {
  stage one {
    a = x -> linear(512) -> relu
    b = x -> tanh
    c = x -> sigmoid
    d = x -> linear(512)
    out = concat(a, b, c, d)
  }
}
head for * = linear(outputs)
";

/// Pools after a ReLU, with windows apart and overlapping.
const POOLS: &str = "mtl 1
input image: f32[3, 11, 11]
task a: classes(4)
task b: regression(2)
backbone net(image) {
  stage one = conv(5) -> relu -> max_pool(2)
  stage two = conv(6, bias = false) -> relu -> max_pool(3, stride = 2, padding = 1)
  stage last = flatten -> linear(8)
}
head for * = linear(outputs)
";

/// Copies that are worth a thread of their own each.
const WIDE: &str = "mtl 1
input x: f32[256]
task a: classes(4)
task b: classes(3)
task c: binary
backbone net(x) {
  stage low = linear(256) -> relu
  stage high = linear(256) -> tanh -> dropout(0.1)
}
head for * = linear(outputs)
space s over net {
  level low { copies = 4 }
  level high { copies = 4, reads = one }
  heads { per = task, reads = one }
}
search learn_to_branch { epochs = 2 }
";

/// A table with more rows than a batch reads.
const TABLE: &str = "mtl 1
data people {
  format = csv
  train = \"people.csv\"
  validation = share(0.2, of = train)
  test = share(0.2, of = train)
}
input x: fields { from = people, except = [income] }
task rich: binary { label = people.income == \"high\" }
backbone net(x) {
  stage embed = embedding(5) -> concat_fields
  stage body = linear(12) -> relu -> dropout(0.1)
}
head for * = linear(outputs)
schema people {
  format = csv
  file \"people.csv\" { bytes = 1309, sha256 = \"5859f6a7334f678b6e31320bf5c89ca0fb48d61b5a3cb5ae889524d0f82fc467\" }
  split train { rows = 48 }
  split validation { rows = 12 }
  split test { rows = 12 }
  column age { kind = numeric, mean = 48.5, std = 20.0, min = 18, max = 80 }
  column place { kind = category, values = [\"v00\", \"v01\", \"v02\", \"v03\", \"v04\", \"v05\", \"v06\", \"v07\", \"v08\", \"v09\", \"v10\", \"v11\", \"v12\", \"v13\", \"v14\", \"v15\", \"v16\", \"v17\", \"v18\", \"v19\", \"v20\", \"v21\", \"v22\", \"v23\"], counts = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2] }
  column income { kind = category, values = [\"high\", \"low\"], counts = [24, 24] }
}
";
