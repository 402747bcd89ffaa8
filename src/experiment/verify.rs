//! What belongs together: a derived file and what was derived, a file and the spec it came from, weights and their network, a run
//! folder and itself. Each question has one answer in words; nothing is loaded but headers and digests, no data are read.
//!
//! For a run folder, [`account`] also checks whether its records are consistent.
//!
//! Digests tell accidents and edits. They are no signatures: who recomputes `self` by hand passes the first question, and is told by
//! the others, which compare with the spec, the weights and the record of the search.

use std::path::Path;

use super::one_shot::{FINE_TUNED, ONE_SHOT};
use super::{RunFolder, SearchResult, account, network_of, random_candidate, rederive};
use crate::artifact::{self, Provenance, Standing};
use crate::check::{Checked, cost};
use crate::driver::{self, Compiled};
use crate::hir::{Options, Topology};
use crate::ir::partition;
use crate::plan::lower;
use crate::runtime::{RunError, seal};
use crate::screen::shell;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    Differs,
    Unknown,
}

impl Verdict {
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Holds => "ok",
            Verdict::Differs => "differs",
            Verdict::Unknown => "cannot be told",
        }
    }
}

/// The answer to one question about one thing.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The file or folder.
    pub about: String,
    /// `finished`, `version`, `id`, `records`, `files`, `program`, `untouched`, `spec`, `search`, `weights`.
    pub question: &'static str,
    pub verdict: Verdict,
    pub why: String,
    pub help: Option<String>,
}

impl Answer {
    pub(super) fn new(about: &str, question: &'static str, verdict: Verdict, why: impl Into<String>) -> Answer {
        Answer { about: about.to_string(), question, verdict, why: why.into(), help: None }
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Answer {
        self.help = Some(text.into());
        self
    }
}

use Verdict::{Differs, Holds, Unknown};

/// `mtl1:sha256:0123456789ab...`, as much as people compare.
fn short(digest: &str) -> &str {
    digest.get(..24).unwrap_or(digest)
}

/// Whether a derived file still means what was derived.
pub fn untouched(about: &str, checked: &Checked) -> Answer {
    let spec = &checked.spec;
    let answer = |verdict, why: String| Answer::new(about, "untouched", verdict, why);
    let own = artifact::digest(spec);
    match artifact::verify_self(spec) {
        Standing::Handwritten => {
            answer(Unknown, "it has no `provenance`: it was not derived, or the block was removed".into())
                .help("only files that `mtlc derive`, `run` or `search` wrote say what they were")
        }
        Standing::Edited => {
            let parts = match artifact::changed_parts(spec) {
                Some(parts) if !parts.is_empty() => format!("; edited: {}", parts.join(", ")),
                Some(_) => "; `self` itself was changed, no part was".into(),
                None => String::new(),
            };
            answer(Differs, format!("its meaning has the digest {}..., not `self`{parts}", short(&own)))
                .help("derive it again; `mtlc diff` with the run it came from shows every change")
        }
        Standing::Untouched => {
            let unbound = artifact::unbound_data(spec);
            if checked.open || !unbound.is_empty() {
                let data = unbound.iter().map(|d| format!("`{d}`")).collect::<Vec<_>>().join(", ");
                let why = format!("it has the digest of what was derived, which does not say which data {data} is");
                return answer(Unknown, why)
                    .help("a schema says it: `mtlc data freeze`, then derive again; runs do that by themselves");
            }
            answer(Holds, format!("it means what was derived ({}...)", short(&own)))
        }
    }
}

/// Whether a derived file comes from that spec: its provenance says so, and what a derivation keeps is the spec's.
pub fn of_spec(about: &str, checked: &Checked, name: &str, spec: &Checked) -> Answer {
    let answer = |verdict, why: String| Answer::new(about, "spec", verdict, why);
    let Some(provenance) = Provenance::of(&checked.spec) else {
        return answer(Unknown, "it has no `provenance`, which would name the spec that it was derived from".into());
    };
    let own = artifact::digest(&spec.spec);
    let kept = kept_differ(checked, spec);
    let derived = provenance.derived == own;
    // The parts that have changed since the search: in the spec, or in the file.
    let since = if derived { Some(Vec::new()) } else { artifact::changed_since(&provenance, &spec.spec) };
    let all: Option<Vec<&str>> = since.map(|s| {
        let mut all: Vec<&str> = s;
        all.extend(kept.iter().filter(|k| !all.contains(k)).copied().collect::<Vec<_>>());
        all
    });
    let parts = kept.join(", ");
    match all.as_deref() {
        Some([]) => answer(Holds, format!("it was derived from `{name}` ({}...)", short(&own))),
        Some(["schema"]) => answer(
            Holds,
            format!(
                "it was derived from `{name}`, whose data were frozen again since; space, search and all else are the same"
            ),
        ),
        Some(_) if derived => {
            answer(Differs, format!("its provenance names `{name}`, and these parts are not the spec's: {parts}"))
                .help("it was edited after it was derived: derive again")
        }
        _ => {
            let what = match &all {
                Some(all) => format!("; different: {}", all.join(", ")),
                None if kept.is_empty() => ": space, search or data differ".into(),
                None => format!("; different: {parts}"),
            };
            answer(
                Differs,
                format!(
                    "it was derived from a spec of digest {}..., and `{name}` has {}...{what}",
                    short(&provenance.derived),
                    short(&own)
                ),
            )
            .help("if the search ran with `--set NAME=VALUE`, give the same here")
        }
    }
}

/// Parts that a derivation keeps and that are not the same in both.
fn kept_differ(a: &Checked, b: &Checked) -> Vec<&'static str> {
    let (a, b) = (artifact::parts(&a.spec), artifact::parts(&b.spec));
    a.into_iter()
        .zip(b)
        .filter(|((name, x), (_, y))| *name != "topology" && x != y)
        .map(|((name, _), _)| name)
        .collect()
}

/// A network that weights may be of, in words: "the topology of `net.mtl`".
pub struct Target<'a> {
    pub name: String,
    pub checked: &'a Checked,
    /// `None`: the supernet.
    pub topology: Option<Topology>,
}

/// The networks that a program stands for: its topology; without one its supernet and the two baselines.
pub fn targets<'a>(name: &str, checked: &'a Checked) -> Vec<Target<'a>> {
    let target = |what: &str, topology| Target { name: format!("{what} of `{name}`"), checked, topology };
    if let Some(t) = &checked.spec.topology {
        return vec![target("the topology", Some(t.clone()))];
    }
    let mut out = Vec::new();
    if checked.supernet.is_some() {
        out.push(target("the supernet", None));
    }
    out.push(target("the all-shared network", Some(partition::all_shared(&checked.spec))));
    out.push(target("the independent network", Some(partition::independent(&checked.spec))));
    out
}

/// Whether weights are those of one of these networks. The answer is on the one that they name, or the first.
pub fn weights(about: &str, path: &Path, targets: &[Target]) -> Answer {
    let answer = |verdict, why: String| Answer::new(about, "weights", verdict, why);
    let sealed = match seal::read(path) {
        Ok(s) => s,
        Err(e) => return answer(Unknown, e.to_string()),
    };
    let of = |t: &&Target| artifact::binding(&t.checked.spec, t.topology.as_ref());
    let Some(target) = targets.iter().find(|t| sealed.binding.as_ref() == Some(&of(t))).or(targets.first()) else {
        return answer(Unknown, "there is no network to compare them with".into());
    };
    let name = &target.name;
    match misfit(&sealed, target) {
        Err(why) => return answer(Unknown, why),
        Ok(Some(why)) => {
            return answer(Differs, format!("they do not fit {name}: {why}"))
                .help("name the weights of the run that the file came from");
        }
        Ok(None) => {}
    }
    let want = of(&target);
    let Some(said) = &sealed.binding else {
        return answer(
            Unknown,
            format!("names and shapes are those of {name}; the file does not say which network it is of"),
        )
        .help("weights that `mtlc` saves say it; these were written by another program or version");
    };
    if *said != want {
        let meaning = |b: &str| b.split(' ').next().unwrap_or_default().to_string();
        if meaning(said) == meaning(&want) {
            let why = format!(
                "{name} is their network, under other names: copies, mixes or ops are named or ordered otherwise"
            );
            return answer(Differs, why).help("use the file as it was derived: weights are found by name");
        }
        let why = format!(
            "names and shapes are those of {name}; but they were saved for a network of digest {}..., and this is {}...",
            short(said),
            short(&want)
        );
        return answer(Differs, why)
            .help("something without a shape differs: the topology, an op, data, labels, losses, training");
    }
    match sealed.intact {
        Some(true) => {
            let n = sealed.tensors.len();
            answer(Holds, format!("{n} tensors: names, shapes and values as saved for {name} ({}...)", short(&want)))
        }
        _ => answer(Differs, format!("they were saved for {name}, and their values are not those that were saved"))
            .help("the file was changed or damaged: take it from the run again"),
    }
}

/// The first way in which names, types or shapes are not those of a network; an error where that cannot be known.
fn misfit(sealed: &seal::Sealed, target: &Target) -> Result<Option<String>, String> {
    let checked = target.checked;
    let made;
    let network = match &target.topology {
        Some(t) => {
            made = network_of(checked, t).map_err(|e| e.to_string())?;
            &made
        }
        None => checked.supernet.as_ref().ok_or("there is no space")?,
    };
    let (plan, symbols) = lower(checked, network).map_err(|e| format!("{e}: `mtlc data freeze` writes one"))?;
    let mut wanted: Vec<(&str, &[usize])> =
        symbols.weights.iter().map(String::as_str).zip(plan.weights.iter().map(|w| w.shape.as_slice())).collect();
    wanted.sort_unstable();
    let has = |name: &str| sealed.tensors.iter().find(|(n, ..)| n == name);
    let missing: Vec<&str> = wanted.iter().filter(|(n, _)| has(n).is_none()).map(|(n, _)| *n).collect();
    let extra: Vec<&str> = sealed
        .tensors
        .iter()
        .filter(|(n, ..)| wanted.binary_search_by(|(w, _)| w.cmp(&n.as_str())).is_err())
        .map(|(n, ..)| n.as_str())
        .collect();
    let mut why = Vec::new();
    if let Some(first) = missing.first() {
        why.push(format!("{} missing, `{first}` first", missing.len()));
    }
    if let Some(first) = extra.first() {
        why.push(format!("{} too many, `{first}` first", extra.len()));
    }
    for (name, shape) in wanted {
        if let Some((_, dtype, found)) = has(name) {
            if found != shape {
                why.push(format!("`{name}` is {found:?}, and the network's is {shape:?}"));
                break;
            }
            if *dtype != safetensors::Dtype::F32 {
                why.push(format!("`{name}` is {dtype:?}, and weights are F32"));
                break;
            }
        }
    }
    Ok((!why.is_empty()).then(|| why.join("; ")))
}

/// Everything about a run folder.
pub fn run(folder: &RunFolder) -> Result<Vec<Answer>, RunError> {
    let (info, mut out) = account::record(folder);
    out.extend(account::files(folder, info.as_ref())?);
    if let Some(info) = &info {
        out.extend(account::records(folder, info));
    }
    let program_path = folder.path.join("program.mtl");
    let program = compiled(&program_path, "program.mtl", &mut out);
    let derived = match folder.derived().is_file() {
        true => compiled(&folder.derived(), "derived/net.mtl", &mut out),
        false => None,
    };
    if let Some(checked) = derived.as_ref().and_then(|c| c.checked.as_ref()) {
        out.push(untouched("derived/net.mtl", checked));
        if let Some(p) = program.as_ref().and_then(|c| c.checked.as_ref()) {
            out.push(of_spec("derived/net.mtl", checked, "program.mtl", p));
        }
    }
    if let Some(program) = &program
        && folder.path.join("search.json").is_file()
    {
        out.push(as_decided(folder, program, derived.as_ref()));
    }
    let both = (program.as_ref().and_then(|c| c.checked.as_ref()), derived.as_ref().and_then(|c| c.checked.as_ref()));
    let seed = info.map_or(0, |i| i.seed);
    for name in named(folder, "checkpoints", ".safetensors") {
        let about = format!("checkpoints/{name}.safetensors");
        let found = target(&name, both.0, both.1, seed);
        let Some(found) = found else { continue };
        out.push(weights(&about, &folder.checkpoint(&name), &[found]));
    }
    for name in named(folder, "networks", ".mtl") {
        let about = format!("networks/{name}.mtl");
        let Some(own) = compiled(&folder.path.join(&about), &about, &mut out) else { continue };
        let Some(Target { name: what, checked, topology: Some(topology) }) = target(&name, both.0, both.1, seed) else {
            continue;
        };
        let digest = artifact::digest(&own.checked.as_ref().expect("it was checked").spec);
        out.push(match digest == artifact::network_digest(&checked.spec, &topology) {
            true => Answer::new(&about, "program", Holds, format!("it is {what} ({}...)", short(&digest))),
            false => Answer::new(&about, "program", Differs, format!("it does not mean the same as {what}"))
                .help("it was edited: `mtlc diff` shows how"),
        });
    }
    Ok(out)
}

/// A program of the run, or an answer that says why it is none.
fn compiled(path: &Path, about: &str, out: &mut Vec<Answer>) -> Option<Compiled> {
    let why = match driver::compile(path, &Options::default()) {
        Ok(c) if c.checked.is_some() => return Some(c),
        Ok(c) => {
            let errors = c.diagnostics.iter().filter(|d| d.is_error()).count();
            format!("it has {errors} errors: {} shows them", shell::mtlc("check").path(path))
        }
        Err(e) => crate::runtime::plain(&e),
    };
    out.push(Answer::new(about, "program", Differs, why));
    None
}

/// Whether the derived file is what the recorded choices give.
fn as_decided(folder: &RunFolder, program: &Compiled, derived: Option<&Compiled>) -> Answer {
    let answer = |verdict, why: String| Answer::new("search.json", "search", verdict, why);
    let Some(derived) = derived.and_then(|c| c.checked.as_ref()) else {
        return answer(Unknown, "there is no `derived/net.mtl` to compare its decisions with".into());
    };
    let at = folder.derived();
    let again = folder.read_json::<SearchResult>("search.json").and_then(|saved| rederive(program, &saved, &at));
    let again = match again {
        Ok(text) => driver::compile_text(&text, &at, &Options::default(), &driver::read),
        Err(e) => return answer(Differs, e.to_string()),
    };
    let Some(again) = &again.checked else {
        return answer(Differs, "what it decides is no network of the run's program".into());
    };
    if artifact::digest(&again.spec) != artifact::digest(&derived.spec) {
        return answer(Differs, "deriving from its decisions gives another network than `derived/net.mtl`".into())
            .help(format!("{} writes what it decides", shell::mtlc("derive").path(&folder.path)));
    }
    if Provenance::of(&again.spec) != Provenance::of(&derived.spec) {
        return answer(Differs, "`derived/net.mtl` tells otherwise of strategy, seed or measures".into());
    }
    answer(Holds, "its decisions give `derived/net.mtl`, which tells of the same search".into())
}

/// The names of the files with that extension in a subfolder of the run, without the extension, sorted.
fn named(folder: &RunFolder, below: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path.join(below)).into_iter().flatten().flatten();
    let mut out: Vec<String> =
        entries.filter_map(|e| e.file_name().to_string_lossy().strip_suffix(ending).map(str::to_string)).collect();
    out.sort();
    out
}

/// The network that a checkpoint of a run is of, by its name; `None` for files that are no network's.
fn target<'a>(name: &str, program: Option<&'a Checked>, derived: Option<&'a Checked>, seed: u64) -> Option<Target<'a>> {
    let make = |what: &str, checked: &'a Checked, topology| Target { name: what.to_string(), checked, topology };
    match name {
        "derived" => derived.and_then(|d| Some(make("`derived/net.mtl`", d, Some(d.spec.topology.clone()?)))),
        "trained" => program.and_then(|p| Some(make("`program.mtl`", p, Some(p.spec.topology.clone()?)))),
        "supernet" => program.map(|p| make("the supernet of `program.mtl`", p, None)),
        ONE_SHOT | FINE_TUNED => {
            let topology = derived?.spec.topology.clone()?;
            program.map(|p| make("the derived network of `program.mtl`", p, Some(topology)))
        }
        "all_shared" => {
            program.map(|p| make("the all-shared network of `program.mtl`", p, Some(partition::all_shared(&p.spec))))
        }
        "independent" => {
            program.map(|p| make("the independent network of `program.mtl`", p, Some(partition::independent(&p.spec))))
        }
        _ => {
            let n: usize = name.strip_prefix("random_")?.parse().ok()?;
            let (program, derived) = (program?, derived?);
            let params = cost::network_cost(derived, derived.fixed.as_ref()?).total.params?;
            let drawn =
                random_candidate(program, n.checked_sub(1)?, seed, params, derived.spec.topology.as_ref()?)?.topology;
            Some(make(&format!("random topology {n} of `program.mtl`"), program, Some(drawn)))
        }
    }
}
