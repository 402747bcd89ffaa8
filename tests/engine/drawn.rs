//! Random legal programs: any op on any shape that it takes, merges, several inputs, tables, all kinds of task, all losses, searched
//! spaces.

use mtlc::ops::{self, Arity, OpDef};

use crate::dice::Dice;

/// A program whose data are drawn when it is read.
pub struct Drawn {
    pub text: String,
    /// Of the batch: what rows of a product, chunks of samples and rows of a task are counted by.
    pub batch: usize,
    /// Whether every task has its own network; else all share one, or the text has a space.
    pub independent: bool,
}

/// Sizes of layers: vectors, panels, what is packed at once, and what is not.
const WIDTHS: [usize; 9] = [1, 8, 16, 64, 128, 448, 512, 1024, 2000];
const BATCHES: [usize; 9] = [1, 2, 8, 12, 24, 48, 64, 144, 256];
/// Numbers of a value per sample, at most.
const NUMBERS: usize = 24_000;

/// A value: its name or chain, and its shape without the batch.
#[derive(Clone)]
struct Made {
    text: String,
    shape: Vec<usize>,
}

impl Made {
    fn then(mut self, (link, shape): (String, Vec<usize>)) -> Made {
        self.text = if self.text.is_empty() { link } else { format!("{} -> {link}", self.text) };
        self.shape = shape;
        self
    }
}

/// An op on a value that it takes, with random arguments, and the shape that comes out.
fn link(dice: &mut Dice, op: &str, shape: &[usize]) -> Option<(String, Vec<usize>)> {
    let numbers: usize = shape.iter().product();
    let same = |text: String| Some((text, shape.to_vec()));
    match (op, shape) {
        ("linear", [before @ .., _]) => {
            let most = (NUMBERS / before.iter().product::<usize>().max(1)).clamp(1, 2000);
            let units = dice.size(&WIDTHS, if shape.len() == 1 { most } else { most.min(64) });
            let bias = if dice.one_in(3) { ", bias = false" } else { "" };
            Some((format!("linear({units}{bias})"), [before, &[units]].concat()))
        }
        ("conv", [c, h, w]) => conv(dice, [*c, *h, *w]),
        ("match", [_, h, w]) => {
            let (channels, stride) = (dice.size(&[1, 16, 64], 80), dice.between(1, 2));
            let text = format!("match({channels}, stride = {stride})");
            Some((text, vec![channels, h.div_ceil(stride), w.div_ceil(stride)]))
        }
        ("max_pool" | "avg_pool", [c, h, w]) => {
            let kernel = dice.between(1, 3.min(*h).min(*w));
            let stride = if dice.one_in(2) { kernel } else { dice.between(1, 3) };
            let padding = dice.between(0, kernel / 2);
            let count = |n: usize| (n + 2 * padding - kernel) / stride + 1;
            let text = match dice.one_in(2) {
                true if op == "avg_pool" => ", count_include_pad = false",
                _ => "",
            };
            let text = format!("{op}({kernel}, stride = {stride}, padding = {padding}{text})");
            Some((text, vec![*c, count(*h), count(*w)]))
        }
        ("global_avg_pool", [c, _, _]) => Some((op.into(), vec![*c])),
        ("upsample", [c, h, w]) => {
            let factor = dice.between(1, 3);
            let mode = dice.pick(&["nearest", "bilinear"]);
            let shape = vec![*c, h * factor, w * factor];
            (numbers * factor * factor <= NUMBERS).then(|| (format!("upsample({factor}, mode = {mode})"), shape))
        }
        ("batch_norm", [_] | [_, _, _]) => same(op.into()),
        ("group_norm", [c] | [c, _, _]) => {
            let groups = (1..=c / 2).filter(|g| c.is_multiple_of(*g)).nth(dice.between(0, 3))?;
            same(format!("group_norm({groups})"))
        }
        ("layer_norm", [k] | [_, k]) if *k > 1 => same(op.into()),
        ("concat_fields", [_, _]) | ("flatten", _) => Some((op.into(), vec![numbers])),
        ("leaky_relu", _) => same(format!("leaky_relu(slope = {:.2})", dice.real(0.0, 0.5))),
        ("elu", _) => same(format!("elu(alpha = {:.2})", dice.real(0.1, 2.0))),
        ("dropout", _) => same(format!("dropout({:.2})", dice.real(0.0, 0.9))),
        ("relu" | "gelu" | "silu" | "sigmoid" | "tanh" | "softmax" | "scale" | "bias" | "identity", _) => {
            same(op.into())
        }
        _ => None,
    }
}

fn conv(dice: &mut Dice, [c, h, w]: [usize; 3]) -> Option<(String, Vec<usize>)> {
    let kernel = dice.pick(&[1, 2, 3, 3, 5]);
    let dilation = if dice.one_in(4) { 2 } else { 1 };
    let stride = if dice.one_in(3) { dice.between(1, 3) } else { 1 };
    let padding = if dice.one_in(4) { dice.between(0, kernel) } else { (kernel - 1) * dilation / 2 };
    let span = dilation * (kernel - 1) + 1;
    if span > h.min(w) + 2 * padding {
        return None;
    }
    let groups = match dice.between(0, 4) {
        0 => c,
        1 => (1..=c).rev().find(|g| c.is_multiple_of(*g) && *g < c).unwrap_or(1),
        _ => 1,
    };
    let channels = groups * if groups == c { dice.between(1, 2) } else { dice.size(&[1, 16, 64], 72).div_ceil(groups) };
    let count = |n: usize| (n + 2 * padding - span) / stride + 1;
    let shape = vec![channels, count(h), count(w)];
    if shape.iter().product::<usize>() > NUMBERS {
        return None;
    }
    let bias = if dice.one_in(2) { ", bias = false" } else { "" };
    let text = format!(
        "conv({channels}, kernel = {kernel}, stride = {stride}, padding = {padding}, dilation = {dilation}, groups = {groups}{bias})"
    );
    Some((text, shape))
}

/// A few ops one after the other.
fn chain(dice: &mut Dice, mut made: Made, links: usize) -> Made {
    let single: Vec<&OpDef> = ops::table().iter().copied().filter(|d| d.arity == Arity::One).collect();
    for _ in 0..links {
        // Layers with weights more often than any other op.
        let op = match (dice.between(0, 5), made.shape.len()) {
            (0 | 1, 3) => "conv",
            (0 | 1, _) => "linear",
            _ => single[dice.between(0, single.len() - 1)].call.name,
        };
        if let Some(link) = link(dice, op, &made.shape) {
            made = made.then(link);
        }
    }
    made
}

/// Brings a value to a shape.
fn brought(dice: &mut Dice, made: Made, shape: &[usize]) -> Made {
    if made.shape == shape {
        return made;
    }
    match (&made.shape[..], shape) {
        ([_, h, w], [c, to_h, to_w]) if h == to_h && w == to_w => {
            let kernel = dice.pick(&[1, 3]);
            made.then((format!("conv({c}, kernel = {kernel})"), shape.to_vec()))
        }
        ([_], [k]) => made.then((format!("linear({k})"), shape.to_vec())),
        _ => {
            let numbers = made.shape.iter().product();
            let flat = made.then(("flatten".into(), vec![numbers]));
            flat.then((format!("linear({})", shape[0]), vec![shape[0]]))
        }
    }
}

/// Two values or more as one; vectors where their shapes do not agree.
fn merged(dice: &mut Dice, op: &str, parts: &[Made]) -> Made {
    let images = parts.iter().all(|p| p.shape.len() == 3 && p.shape[1..] == parts[0].shape[1..]);
    let target = if images { parts[0].shape.clone() } else { vec![dice.size(&[8, 64], 200)] };
    let mut shape = target.clone();
    let mut texts = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let mut to = target.clone();
        if op == "concat" && i > 0 {
            to[0] = dice.between(1, 8);
            shape[0] += to[0];
        }
        texts.push(brought(dice, part.clone(), &to).text);
    }
    Made { text: format!("{op}({})", texts.join(", ")), shape }
}

/// The last line of a column's entry is its own; a file that is never opened.
const SCHEMA: &str = "schema t {
  format = csv
  file \"t.csv\" { bytes = 1, sha256 = \"5859f6a7334f678b6e31320bf5c89ca0fb48d61b5a3cb5ae889524d0f82fc467\" }
  split train { rows = 1000 }
  split validation { rows = 100 }
  split test { rows = 100 }
";

fn category(name: &str, values: usize) -> String {
    let names: Vec<String> = (0..values).map(|v| format!("\"v{v:04}\"")).collect();
    let counts: Vec<String> =
        (0..values).map(|v| (1000 / values + usize::from(v < 1000 % values)).to_string()).collect();
    format!(
        "  column {name} {{ kind = category, values = [{}], counts = [{}] }}\n",
        names.join(", "),
        counts.join(", ")
    )
}

fn numeric(name: &str) -> String {
    format!("  column {name} {{ kind = numeric, mean = 0.0, std = 1.0, min = -1, max = 1 }}\n")
}

/// A table with its schema, and the labels `value`, `yes` and `kind`; its columns as numbers, by the op that is named.
fn table(dice: &mut Dice, classes: usize, by: &str) -> (String, Made) {
    let (numbers, categories) = (dice.between(0, 4), dice.between(1, 4));
    let mut schema = String::from(SCHEMA);
    (0..numbers).for_each(|i| schema += &numeric(&format!("n{i}")));
    let mut width = numbers;
    for i in 0..categories {
        // Some tables are wide.
        let values = dice.size(&[2, 16, 450], 500).max(2);
        schema += &category(&format!("c{i}"), values);
        // One more for what is missing.
        width += values + 1;
    }
    schema += &(category("yes", 2) + &category("kind", classes) + &numeric("value") + "}\n");
    let data = "data t {\n  format = csv\n  train = \"t.csv\"\n  validation = share(0.1, of = train)\n  test = share(0.1, of = train)\n}\ninput x: fields { from = t, except = [yes, kind, value] }\n";
    let columns = numbers + categories;
    let size = dice.between(1, 8);
    let embedded = Made { text: format!("embedding({size})"), shape: vec![columns, size] };
    let made = match by {
        "one_hot" => Made { text: "one_hot".into(), shape: vec![width] },
        "concat_fields" => embedded.then(("concat_fields".into(), vec![columns * size])),
        _ => embedded,
    };
    (format!("{data}{schema}"), made)
}

/// A task with a loss that fits: declaration, and what it needs of its head.
fn task(dice: &mut Dice, name: &str, dense: bool, from_table: Option<usize>) -> String {
    let kinds: &[&str] = match (dense, from_table) {
        (true, _) => &["segmentation", "depth", "normals"],
        (false, Some(_)) => &["binary", "classes", "regression"],
        (false, None) => &["binary", "classes", "multilabel", "regression"],
    };
    let kind = dice.pick(kinds);
    let n = dice.between(2, 12);
    let losses: &[&str] = match kind {
        "binary" | "multilabel" => &["bce", "bce(pos_weight = 3.5)"],
        "classes" | "segmentation" => &["cross_entropy", "cross_entropy(label_smoothing = 0.1)"],
        "normals" => &["cosine", "mse", "l1", "huber(delta = 0.3)"],
        _ => &["mse", "l1", "huber(delta = 0.3)"],
    };
    let mut entries = vec![format!("loss = {}", dice.pick(losses))];
    if dice.one_in(3) {
        entries.push(format!("weight = {:.2}", dice.real(0.1, 3.0)));
    }
    let kind = match (kind, from_table) {
        ("binary", Some(_)) => {
            entries.push("label = t.yes == \"v0001\"".into());
            "binary".into()
        }
        ("classes", Some(classes)) => {
            entries.push("from = t.kind".into());
            format!("classes({classes})")
        }
        ("regression", Some(_)) => {
            entries.push("from = t.value".into());
            "regression(1)".into()
        }
        ("binary" | "depth" | "normals", None) => kind.to_string(),
        _ => format!("{kind}({n})"),
    };
    format!("task {name}: {kind} {{ {} }}\n", entries.join(", "))
}

/// A head on a value of this shape.
fn head(dice: &mut Dice, shape: &[usize], dense: bool) -> String {
    let hidden = dice.size(&WIDTHS, 300);
    let last = match (dense, shape.len()) {
        (true, _) => {
            return dice.pick(&["conv(outputs)", "conv(outputs, kernel = 1)", "upsample(2) -> conv(outputs)"]).into();
        }
        (false, 3) if dice.one_in(2) => "global_avg_pool -> ",
        (false, 1) => "",
        _ => "flatten -> ",
    };
    match dice.between(0, 2) {
        0 => format!("{last}mlp({hidden}) -> linear(outputs)"),
        1 => format!("{last}linear(outputs, bias = false)"),
        _ => format!("{last}linear(outputs)"),
    }
}

/// Copies of every stage, and how the next reads them.
fn space(dice: &mut Dice, stages: &[String], plain: bool) -> String {
    let mut text = String::from("space s over net {\n");
    let mut before = None;
    for stage in stages {
        let copies = dice.between(1, 3);
        let reads = match (before, plain && dice.one_in(2)) {
            (None, _) => "",
            (Some(1), _) | (_, false) => ", reads = one",
            (Some(_), true) => dice.pick(&[
                ", reads = some(gate = softmax, query = previous)",
                ", reads = some(gate = mean)",
                ", reads = one",
            ]),
        };
        text += &format!("  level {stage} {{ copies = {copies}{reads} }}\n");
        before = Some(copies);
    }
    text + "  heads { per = task, reads = one }\n}\n"
}

fn train(dice: &mut Dice, batch: usize) -> String {
    let optimizer =
        dice.pick(&["sgd(lr = 0.01)", "sgd(lr = 0.01, momentum = 0.9)", "adam(lr = 1e-3)", "adamw(lr = 1e-3)"]);
    format!("train {{ epochs = 1, batch = {batch}, optimizer = {optimizer} }}\n")
}

/// Inputs: their items, and the values that there are.
fn inputs(dice: &mut Dice, op: &str) -> (String, Vec<Made>) {
    let (mut text, mut values) = (String::new(), Vec::new());
    let of_images = link(dice, op, &[4, 4, 4]).is_some() && link(dice, op, &[8]).is_none();
    for i in 0..dice.between(1, 2) {
        let shape = match dice.between(0, 5) {
            _ if i == 0 && of_images => vec![dice.between(1, 4), dice.between(3, 20), dice.between(3, 20)],
            0 | 1 => vec![dice.between(1, 4), dice.between(1, 20), dice.between(1, 20)],
            2 => vec![dice.between(1, 12), dice.between(1, 12)],
            _ => vec![dice.size(&WIDTHS, 2000)],
        };
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        text += &format!("input x{i}: f32[{}]\n", sizes.join(", "));
        values.push(Made { text: format!("x{i}"), shape });
    }
    (text, values)
}

/// Stages over the values: their text and names, what the last gives, and whether each reads the one before alone.
fn stages(dice: &mut Dice, op: &str, mut values: Vec<Made>, first: Made) -> (String, Vec<String>, Made, bool) {
    let merges = ["add", "mul", "mean", "concat"];
    let count = if merges.contains(&op) { dice.between(2, 5) } else { dice.between(1, 5) };
    let (mut text, mut names, mut last, mut plain) = (String::new(), Vec::new(), first, true);
    for i in 0..count {
        let name = format!("s{i}");
        let merging = i > 0 && values.len() > 1 && (dice.one_in(4) || merges.contains(&op));
        let links = dice.between(0, 4);
        let made = if merging {
            plain = false;
            let merge = if merges.contains(&op) { op } else { dice.pick(&merges) };
            // The nearest first.
            let mut read: Vec<Made> = values.iter().rev().skip(1).filter(|_| dice.one_in(2)).take(2).cloned().collect();
            if read.is_empty() {
                read.push(values[values.len() - 2].clone());
            }
            read.insert(0, values[values.len() - 1].clone());
            let from: Vec<&str> = read.iter().map(|m| &m.text[..]).collect();
            let made = merged(dice, merge, &read);
            let made = chain(dice, made, links);
            text += &format!("  stage {name} {{ from = [{}], out = {} }}\n", from.join(", "), made.text);
            made
        } else {
            // What is asked for comes as soon as it can.
            let mut made =
                Made { text: if i == 0 { last.text.clone() } else { String::new() }, shape: last.shape.clone() };
            if let Some(asked) = link(dice, op, &made.shape) {
                made = made.then(asked);
            }
            made = chain(dice, made, links);
            if made.text.is_empty() {
                made.text = "identity".into();
            }
            text += &format!("  stage {name} = {}\n", made.text);
            made
        };
        last = Made { text: name.clone(), shape: made.shape };
        values.push(last.clone());
        names.push(name);
    }
    (text, names, last, plain)
}

/// A program that uses the op.
fn attempt(dice: &mut Dice, op: &str) -> Drawn {
    let classes = dice.between(2, 9);
    let of_tables = ["embedding", "one_hot", "concat_fields"];
    let from_table = of_tables.contains(&op) || dice.one_in(8);
    let (mut text, values, first) = if from_table {
        let by = if of_tables.contains(&op) { op } else { dice.pick(&of_tables) };
        let (text, made) = table(dice, classes, by);
        (text, Vec::new(), made)
    } else {
        let (text, values) = inputs(dice, op);
        // The first stage reads the first input without naming it.
        let first = Made { text: String::new(), ..values[0].clone() };
        (text, values, first)
    };
    let (body, names, last, plain) = stages(dice, op, values, first);
    let read = match (from_table, text.contains("input x1")) {
        (true, _) => "x",
        (false, true) => "x0, x1",
        (false, false) => "x0",
    };
    text += &format!("backbone net({read}) {{\n{body}}}\n");
    let tasks = dice.between(1, 4);
    for t in 0..tasks {
        let dense = last.shape.len() == 3 && dice.one_in(2);
        text += &task(dice, &format!("t{t}"), dense, from_table.then_some(classes));
        text += &format!("head for t{t} = {}\n", head(dice, &last.shape, dense));
    }
    let searched = op == "mix" || dice.one_in(4);
    if searched {
        text += &space(dice, &names, plain);
    }
    let mut batch = dice.size(&BATCHES, 300);
    // A norm over a single value has nothing to divide by.
    if text.contains("batch_norm") || text.contains("match") {
        batch = batch.max(2);
    }
    text += &train(dice, batch);
    Drawn { text: format!("mtl 1\n{text}"), batch, independent: !searched && dice.one_in(3) }
}

/// Whether an op stands in a text, not as part of another word nor as the name of an argument.
fn calls(text: &str, op: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(op).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), &text[at + op.len()..]);
        !before.is_some_and(word) && !after.starts_with(word) && !after.starts_with(" =")
    })
}

/// The `number`-th program. Each op of the language is asked for in turn.
pub fn program(dice: &mut Dice, number: usize) -> Drawn {
    let op = ops::table()[number % ops::table().len()].call.name;
    let uses = |text: &str| match op {
        // Readers of several copies mix them.
        "mix" => text.contains("some("),
        _ => calls(text, op),
    };
    for _ in 0..200 {
        let drawn = attempt(dice, op);
        if uses(&drawn.text) {
            return drawn;
        }
    }
    panic!("no program uses `{op}`: teach tests/engine/drawn.rs how it is called")
}
