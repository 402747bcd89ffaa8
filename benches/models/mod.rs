//! The programs that training is timed on, by name; `peers/models.py` builds the same networks in PyTorch, weights in the same
//! order.

use std::fmt::Write;

use mtlc::ir::copy_letters;

/// What is done in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A fixed network is trained.
    Train,
    /// A supernet's weights and choices are trained.
    Search,
    /// A supernet's weights alone are trained, as in warm-up.
    Weights,
    /// DMTG's supernet: a head of every task on every group.
    Group,
}

pub struct Model {
    pub text: String,
    pub step: Step,
}

/// All names: a network, or `FAMILY_T.MODE` for T tasks.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = ["mlp", "vgg", "resnet18"].map(String::from).into();
    for (family, tasks) in [("ltb_conv", [3, 5, 9]), ("ltb_mlp", [3, 5, 15])] {
        for t in tasks {
            for mode in ["search", "weights", "shared", "derived"] {
                names.push(format!("{family}_{t}.{mode}"));
            }
        }
    }
    names.extend(["search", "plain"].map(|mode| format!("dmtg_celeba9_2.{mode}")));
    names
}

/// The model of that name. `ltb_conv_T` and `ltb_mlp_T` take any number of tasks, which is the number of copies too unless
/// `xC` follows: `ltb_conv_2x32.search` has 2 tasks and 32 copies of every stage. `dmtg_celeba9_K` is DMTG's network for nine face
/// attributes with K groups, 64 samples a step; `.plain` one group with a head per task.
pub fn model(name: &str) -> Option<Model> {
    let (text, step) = match name {
        "mlp" => (single("x: f32[512]", 1024, &["linear(512) -> relu"; 4]), Step::Train),
        "vgg" => {
            let stages = [64, 128, 256].map(|c| format!("2 * (conv({c}) -> relu) -> max_pool(2)"));
            let [a, b, c] = stages.each_ref().map(String::as_str);
            (single("x: f32[3, 64, 64]", 32, &[a, b, c, "global_avg_pool"]), Step::Train)
        }
        "resnet18" => {
            let mut text = header("x: f32[3, 64, 64]", 1, 10, 32);
            text += "use std.resnet18\nbackbone net(x) = resnet18\nhead for * = global_avg_pool -> linear(outputs)\n";
            (text, Step::Train)
        }
        _ => {
            let (family, mode) = name.split_once('.')?;
            let (family, count) = family.rsplit_once('_')?;
            if family == "dmtg_celeba9" {
                let step = if mode == "search" { Step::Group } else { Step::Train };
                return Some(Model { text: grouping(count.parse().ok()?, mode)?, step });
            }
            let (tasks, copies) = count.split_once('x').unwrap_or((count, count));
            let (tasks, copies) = (tasks.parse().ok()?, copies.parse().ok()?);
            let step = match mode {
                "search" => Step::Search,
                "weights" => Step::Weights,
                "shared" | "derived" => Step::Train,
                _ => return None,
            };
            (branching(family, tasks, copies, mode)?, step)
        }
    };
    Some(Model { text, step })
}

fn header(input: &str, tasks: usize, classes: usize, batch: usize) -> String {
    let mut t = format!("mtl 1\n\ninput {input}\n");
    for i in 0..tasks {
        writeln!(t, "task t{i}: classes({classes})").unwrap();
    }
    writeln!(t, "train {{ batch = {batch}, optimizer = sgd(lr = 0.01, momentum = 0.9) }}").unwrap();
    t
}

fn single(input: &str, batch: usize, stages: &[&str]) -> String {
    let mut t = header(input, 1, 10, batch);
    t += "head for * = linear(outputs)\nbackbone net(x) {\n";
    for (i, s) in stages.iter().enumerate() {
        writeln!(t, "  stage s{i} = {s}").unwrap();
    }
    t + "}\n"
}

/// The networks that Learning to Branch is timed on: four stages, every one in as many copies.
fn branching(family: &str, tasks: usize, copies: usize, mode: &str) -> Option<String> {
    let (input, batch, stages) = match family {
        "ltb_conv" => (
            "x: f32[3, 64, 64]",
            32,
            [
                "conv_bn(16) -> max_pool(2)",
                "conv_bn(32) -> max_pool(2)",
                "conv_bn(64) -> max_pool(2)",
                "flatten -> linear(64) -> relu",
            ],
        ),
        "ltb_mlp" => ("x: f32[256]", 256, ["linear(256) -> relu"; 4]),
        _ => return None,
    };
    let mut t = header(input, tasks, 10, batch);
    t += "head for * = linear(outputs)\nbackbone net(x) {\n";
    for (i, s) in stages.iter().enumerate() {
        writeln!(t, "  stage s{i} = {s}").unwrap();
    }
    t += "}\n";
    let names = |range: std::ops::Range<usize>| range.map(|i| format!("t{i}")).collect::<Vec<_>>().join(", ");
    match mode {
        "search" | "weights" => {
            t += "space branching over net {\n";
            for s in 0..stages.len() {
                let reads = if s == 0 { "" } else { ", reads = one" };
                writeln!(t, "  level s{s} {{ copies = {copies}{reads} }}").unwrap();
            }
            let (warmup, idle) = if mode == "search" { (0, "advance") } else { (1_000_000, "freeze") };
            writeln!(t, "  heads {{ per = task, reads = one }}\n}}").unwrap();
            writeln!(t, "search learn_to_branch {{ batch = {batch}, warmup = {warmup} epochs, idle = {idle} }}")
                .unwrap();
        }
        "shared" => {
            t += "topology over net {\n  s0.a <- x\n  s1.a <- s0.a\n  s2.a <- s1.a\n  s3.a <- s2.a\n";
            writeln!(t, "  {} <- s3.a\n}}", names(0..tasks)).unwrap();
        }
        // Two stages for all, one for either half, the last for every task.
        _ => {
            t += "topology over net {\n  s0.a <- x\n  s1.a <- s0.a\n  s2.a <- s1.a\n  s2.b <- s1.a\n";
            for i in 0..tasks {
                let (copy, half) = (copy_letters(i), if i < tasks.div_ceil(2) { 'a' } else { 'b' });
                writeln!(t, "  s3.{copy} <- s2.{half}\n  t{i} <- s3.{copy}").unwrap();
            }
            t += "}\n";
        }
    }
    Some(t)
}

/// DMTG's network for nine attributes of CelebA, as its code has it: a branch of a stem and one residual block, heads of two logits.
fn grouping(groups: usize, mode: &str) -> Option<String> {
    let mut t = header("x: f32[3, 64, 64]", 9, 2, 64);
    t += "head for * = linear(outputs)\nbackbone net(x) {\n  stage group = conv_bn(64) -> max_pool(3, stride = 2) -> basic(64) \
          -> avg_pool(2) -> flatten\n}\n";
    match mode {
        "search" => {
            writeln!(t, "space grouping over net {{\n  level group {{ copies = {groups} }}").unwrap();
            t += "  heads { per = copy, reads = one }\n}\nsearch group { batch = 64, weights = adam(lr = 8e-4) }\n";
        }
        "plain" => {
            let tasks = (0..9).map(|i| format!("t{i}")).collect::<Vec<_>>().join(", ");
            writeln!(t, "topology over net {{\n  group.a <- x\n  {tasks} <- group.a\n}}").unwrap();
        }
        _ => return None,
    }
    Some(t)
}
