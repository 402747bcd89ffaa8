//! The trained networks of a run folder: each is a program and its weights, both in the folder, so that they serve wherever it is
//! moved to and when the training data are gone.

use std::path::PathBuf;

use super::{Candidate, Prepared, RunFolder};
use crate::artifact;
use crate::runtime::RunError;

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
    super::write_vocabularies(prepared.checked(), beside)?;
    crate::runtime::checkpoint::write_atomically(&at, text.as_bytes())
}

fn program(folder: &RunFolder, name: &str) -> PathBuf {
    match name {
        "derived" => folder.derived(),
        "trained" => folder.path.join("program.mtl"),
        _ => folder.path.join("networks").join(format!("{name}.mtl")),
    }
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

/// The network of that name; the run's own if none is named.
pub fn find(folder: &RunFolder, name: Option<&str>) -> Result<Trained, RunError> {
    let all = list(folder);
    let path = folder.path.display();
    let Some(first) = all.first() else {
        let searched = folder.derived().is_file();
        return Err(RunError::Checkpoint(match searched {
            true => format!(
                "the run `{path}` holds no trained network: it has searched, and what it found is not trained yet; \
                 `mtlc train {}` does that",
                folder.derived().display()
            ),
            false => format!(
                "the run `{path}` holds no trained network; `mtlc run` and `mtlc train` leave one when they end"
            ),
        }));
    };
    let Some(name) = name else { return Ok(first.clone()) };
    all.iter().find(|t| t.name == name).cloned().ok_or_else(|| {
        let why = match (name, folder.checkpoint(name).is_file()) {
            ("supernet", true) => "; the supernet is no network to use, but what the search shares its weights in",
            (_, true) => "; its weights are there, and its program is not",
            _ => "",
        };
        let names = crate::diag::suggest::listing(all.iter().map(|t| t.name.as_str()));
        RunError::Checkpoint(format!("the run `{path}` holds no network `{name}`: it holds {names}{why}"))
    })
}
