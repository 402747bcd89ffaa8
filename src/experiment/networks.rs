//! The trained networks of a run folder: each is a program and its weights, both in the folder, so that they serve wherever it is
//! moved to and when the training data are gone.

use std::path::{Path, PathBuf};

use super::run::Info;
use super::{Candidate, Prepared, RunFolder};
use crate::artifact;
use crate::check::Checked;
use crate::ir::partition;
use crate::runtime::{RunError, seal};
use crate::screen::shell;

/// A network that a run has trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    pub name: String,
    pub program: PathBuf,
    pub weights: PathBuf,
}

/// The network that a run is about, before its baselines.
const FIRST: [&str; 2] = ["derived", "trained"];

/// Writes the program of a network that stands in no other file of the folder.
pub fn write(prepared: &Prepared, candidate: &Candidate, folder: &RunFolder) -> Result<(), RunError> {
    if FIRST.contains(&candidate.name.as_str()) {
        return Ok(());
    }
    let at = program(folder, &candidate.name);
    let (sources, spec) = (&prepared.compiled.sources, &prepared.checked().spec);
    let beside = at.parent().unwrap_or(&folder.path);
    let text = artifact::network_file(sources, spec, &candidate.topology, beside);
    folder.write_vocabularies(prepared.checked(), "networks/")?;
    folder.write(&format!("networks/{}.mtl", candidate.name), &text)
}

fn program(folder: &RunFolder, name: &str) -> PathBuf {
    match name {
        "derived" => folder.derived(),
        "trained" => folder.path.join("program.mtl"),
        _ => folder.path.join("networks").join(format!("{name}.mtl")),
    }
}

/// Whether a run has a program or weights of a network of that name.
pub fn is_network(folder: &RunFolder, name: &str) -> bool {
    name != "supernet"
        && (FIRST.contains(&name) || program(folder, name).is_file() || folder.checkpoint(name).is_file())
}

/// All networks whose program and weights are there: the run's own first, then by name.
pub fn list(folder: &RunFolder) -> Vec<Trained> {
    let mut names: Vec<String> = std::fs::read_dir(folder.path.join("checkpoints"))
        .into_iter()
        .flatten()
        .filter_map(|e| {
            let path = e.ok()?.path();
            (path.extension()? == "safetensors").then(|| path.file_stem().map(|s| s.to_string_lossy().into_owned()))?
        })
        .filter(|n| n != "supernet")
        .collect();
    names.sort_by_key(|n| (FIRST.iter().position(|f| f == n).unwrap_or(FIRST.len()), n.clone()));
    let trained = |name: String| {
        let program = program(folder, &name);
        let weights = folder.checkpoint(&name);
        program.is_file().then_some(Trained { name, program, weights })
    };
    names.into_iter().filter_map(trained).collect()
}

/// The program of the network of that name, or of the network that the run is about if `name` is `None`. If its file is missing, the
/// error names the file; no other network is used instead.
pub fn program_of(folder: &RunFolder, name: Option<&str>) -> Result<(String, PathBuf), RunError> {
    let name = named(folder, name)?;
    let path = program(folder, &name);
    match path.is_file() {
        true => Ok((name, path)),
        false => Err(missing(folder, &name, &path)),
    }
}

/// The network of that name, or the network that the run is about if `name` is `None`. If its program or its weights are missing, the
/// error names the file; no other network is used instead.
pub fn find(folder: &RunFolder, name: Option<&str>) -> Result<Trained, RunError> {
    let path = folder.path.display();
    let all = list(folder);
    let (name, asked) = (named(folder, name)?, name);
    if let Some(found) = all.iter().find(|t| t.name == name) {
        return Ok(found.clone());
    }
    let (program, weights) = (program(folder, &name), folder.checkpoint(&name));
    match (program.is_file(), weights.is_file()) {
        // The program of a run is written before anything is trained.
        (true, false) if all.is_empty() && asked.is_none() => Err(RunError::Checkpoint(match name == "derived" {
            true => format!(
                "the run `{path}` holds no trained network: it has searched, and the network that it found is not trained yet; \
                 {} does that",
                shell::mtlc("train").path(&program)
            ),
            false => no_network(folder),
        })),
        (true, false) => Err(missing(folder, &name, &weights)),
        (false, true) if name != "supernet" => Err(missing(folder, &name, &program)),
        _ if asked.is_none() && all.is_empty() => Err(RunError::Checkpoint(no_network(folder))),
        // Both files of the network that the run is about are missing.
        _ if asked.is_none() => Err(missing(folder, &name, &program)),
        _ => {
            let why = match name.as_str() {
                "supernet" => {
                    "; the supernet cannot be used as a network: a search shares its weights between all candidates"
                }
                _ => "",
            };
            Err(RunError::Checkpoint(format!(
                "the run `{path}` holds no network `{name}`: it holds {}{why}",
                listed(&all)
            )))
        }
    }
}

/// Checks that the weights of a run folder belong to the program next to them. Names and shapes can agree for different networks, so the
/// digest in the weights is compared.
pub fn belong(checked: &Checked, program: &Path, weights: &Path) -> Result<(), RunError> {
    let Some(said) = seal::read(weights)?.binding else { return Ok(()) };
    let shared;
    let topology = match &checked.spec.topology {
        Some(t) => t,
        None => {
            shared = partition::all_shared(&checked.spec);
            &shared
        }
    };
    if artifact::binding(&checked.spec, Some(topology)) == said {
        return Ok(());
    }
    Err(RunError::Part {
        message: format!(
            "the weights `{}` were saved for another network than `{}` describes now",
            weights.display(),
            program.display()
        ),
        help: format!(
            "`mtlc verify` with the run folder shows which file was changed; to use both all the same, name them: {}",
            shell::file(program).words("--weights").path(weights)
        ),
    })
}

fn named(folder: &RunFolder, name: Option<&str>) -> Result<String, RunError> {
    match name {
        Some(name) => Ok(name.to_string()),
        None => Ok(folder.read_json::<Info>("run.json")?.network),
    }
}

fn no_network(folder: &RunFolder) -> String {
    let path = folder.path.display();
    format!("the run `{path}` holds no trained network; `mtlc run` and `mtlc train` leave one when they end")
}

fn listed(all: &[Trained]) -> String {
    match all.is_empty() {
        true => "none".into(),
        false => crate::diag::suggest::listing(all.iter().map(|t| t.name.as_str())),
    }
}

fn missing(folder: &RunFolder, name: &str, file: &Path) -> RunError {
    let path = folder.path.display();
    let again = match file == folder.derived() && folder.path.join("search.json").is_file() {
        true => format!("write it again with {}", shell::mtlc("derive").path(&folder.path).words("-o").path(file)),
        false => "put the file back".into(),
    };
    let others = list(folder);
    let other = match others.iter().find(|t| t.name != name) {
        Some(first) => {
            format!("; or name another network: {} (the run holds {})", shell::network(&first.name), listed(&others))
        }
        None => String::new(),
    };
    RunError::Part {
        message: format!("the network `{name}` of the run `{path}` cannot be used: `{}` is missing", file.display()),
        help: format!("{again}{other}"),
    }
}
