//! Programs with very many of one thing. A new kind is one line in [`KINDS`]: the test and the benchmark read it.

/// What there is much of, and a program with `n` of it.
pub type Kind = (&'static str, fn(usize) -> String);

pub const KINDS: &[Kind] = &[
    ("params", |n| network(&all(n, |i| format!("param p{i}: int = {}\n", i % 7 + 1)))),
    ("params, each computed from the one before", |n| {
        let chain = all(n, |i| format!("param p{}: int = p{i}\n", i + 1));
        network(&format!("param p0: int = 1\n{chain}"))
    }),
    ("inputs that one stage reads", |n| {
        let (items, names) = (all(n, |i| format!("input u{i}: f32[3]\n")), list(n, |i| format!("u{i}")));
        format!(
            "{HEAD}{items}backbone net(x, {names}) {{\n  stage s {{ from = [x, {names}], out = concat(x, {names}) -> linear(4) }}\n}}\n{DECODER}"
        )
    }),
    ("tasks", |n| network(&all(n, |i| format!("task t{i}: binary\n")))),
    ("targets of one head", |n| {
        let tasks = all(n, |i| format!("task t{i}: binary\n"));
        format!("{HEAD}{tasks}{BACKBONE}head for a, {} = linear(outputs)\n", list(n, |i| format!("t{i}")))
    }),
    ("targets that do not exist", |n| {
        format!("{HEAD}{BACKBONE}head for a, {} = linear(outputs)\n", list(n, |i| format!("t{i}")))
    }),
    ("columns", |n| table(n, "x", "d.c1 == 1")),
    ("columns that an input reads", |n| table(n, &list(n, |i| format!("c{i}")), "d.y == 1")),
    ("columns that do not exist", |n| table(n, &list(n, |i| format!("q{i}")), "d.y == 1")),
    ("columns that an input leaves out", |n| {
        table(n, "x", "d.y == 1")
            .replace("from = d[x]", &format!("from = d, except = [y, {}]", list(n, |i| format!("c{i}"))))
    }),
    ("words that a label compares with", |n| table(1, "x", &format!("d.y in [{}]", list(n, |i| format!("\"w{i}\""))))),
    ("tasks with a label each", |n| {
        let tasks = all(n, |i| format!("task t{i}: binary {{ label = d.c{i} }}\n"));
        format!("{}{tasks}", table(n, "x", "d.y == 1"))
    }),
    ("members of a family", |n| {
        let names = list(n, |i| format!("c{i}"));
        format!("{}task f[{names}]: binary {{ from = d[{names}] }}\n", table(n, "x", "d.y == 1"))
    }),
    ("blocks", |n| network(&all(n, |i| format!("block b{i} = relu -> tanh -> relu\n")))),
    ("blocks, each used by the one before", |n| {
        let chain = all(n, |i| format!("block b{i} = b{}\n", i + 1));
        network(&format!("{chain}block b{n} = relu\n"))
    }),
    ("parameters of a block", |n| {
        let block = format!("block b({}) = linear(p0)\n", list(n, |i| format!("p{i}: int = 1")));
        let call = format!("b({})", list(n, |i| format!("p{i} = 2")));
        network(&block).replace("= linear(4)", &format!("= {call}"))
    }),
    ("values of a stage", |n| {
        let values = all(n, |i| format!("    v{i} = x\n"));
        network("").replace("= linear(4)", &format!("{{\n{values}    out = v{} -> linear(4)\n  }}", n - 1))
    }),
    ("ops that do not exist", |n| {
        network("").replace("linear(4)", &format!("linear(4){}", all(n, |i| format!(" -> zz{i}"))))
    }),
    ("attributes that do not exist", |n| network(&format!("train {{\n{}}}\n", all(n, |i| format!("  a{i} = 1\n"))))),
    ("entries of a list", |n| {
        let values = list(n, |i| format!("{i}.5"));
        format!("{}task b: regression {{ label = d.y, ignore = [{values}] }}\n", table(1, "x", "d.y == 1"))
    }),
    ("edges of a topology", |n| {
        let (edges, copies) = (all(n, |i| format!("  s.a{i} <- x\n")), list(n, |i| format!("s.a{i}")));
        network(&format!("topology over net {{\n{edges}  m <- mix(mean)[{copies}]\n  a <- m\n}}\n"))
    }),
    ("edges to stages that do not exist", |n| {
        let edges = all(n, |i| format!("  q{i}.a <- s.a\n"));
        network(&format!("topology over net {{\n  s.a <- x\n{edges}  a <- s.a\n}}\n"))
    }),
    ("lines that cannot be read", |n| network(&format!("train {{\n{}}}\n", all(n, |i| format!("  a{i} = = 1\n"))))),
    ("items that stand twice", |n| network(&all(n, |_| "block q = relu -> relu\n".into()))),
];

const HEAD: &str = "mtl 1\ninput x: f32[8]\ntask a: binary\n";
const BACKBONE: &str = "backbone net(x) { stage s = linear(4) }\n";
const DECODER: &str = "head for * = linear(outputs)\n";

/// A small network and some items more.
pub fn network(items: &str) -> String {
    format!("{HEAD}{BACKBONE}{DECODER}{items}")
}

/// A network on a table of the columns `x`, `y` and `n` others.
fn table(n: usize, read: &str, label: &str) -> String {
    format!(
        "mtl 1\ndata d {{ format = csv, train = \"d.csv\", columns = [x, y, {}] }}\ninput x: fields {{ from = d[{read}] }}\n\
         task a: binary {{ label = {label} }}\nbackbone net(x) {{ stage s = one_hot -> linear(4) }}\n{DECODER}",
        list(n, |i| format!("c{i}"))
    )
}

fn all(n: usize, one: impl Fn(usize) -> String) -> String {
    (0..n).map(one).collect()
}

fn list(n: usize, one: impl Fn(usize) -> String) -> String {
    (0..n).map(one).collect::<Vec<_>>().join(", ")
}
