//! Which trained network a command means: a run folder's, or a program's with weights.

use std::path::{Path, PathBuf};

use super::session::{self, Stop};
use crate::cli::exit::{Exit, Failure};
use crate::experiment::{RunFolder, networks};
use crate::screen::shell;

/// A program and its weights.
pub struct Chosen {
    pub program: PathBuf,
    pub weights: PathBuf,
    pub name: String,
    /// Both files come from a run folder, so they must belong to the same network.
    pub bound: bool,
}

/// `doing`: "evaluate", for messages.
pub fn chosen(doing: &str, what: &Path, weights: Option<&Path>, network: Option<&str>) -> Result<Chosen, Stop> {
    if what.is_dir() {
        return of_run(&RunFolder::open(what).map_err(session::failed)?, weights, network);
    }
    if !what.exists() {
        let f = Failure::new(Exit::Failure, format!("there is no `{}`", what.display()))
            .help("name a run folder, or a program with `--weights`");
        return Err(Stop::Failed(f));
    }
    if let Some(name) = network {
        let f = Failure::new(
            Exit::Usage,
            format!("{} picks a network of a run, and `{}` is a file", shell::network(name), what.display()),
        )
        .help("name the run folder, or leave `--network` out");
        return Err(Stop::Failed(f));
    }
    let Some(weights) = weights else {
        let what = if doing == "predict" { "predicts" } else { "is evaluated" };
        let f = Failure::new(Exit::Usage, format!("a program {what} with weights")).help(format!(
            "name them: {}",
            shell::mtlc(doing).words("FILE --weights RUN/checkpoints/derived.safetensors")
        ));
        return Err(Stop::Failed(f));
    };
    Ok(Chosen { program: what.to_path_buf(), weights: weights.to_path_buf(), name: "network".into(), bound: false })
}

/// Chooses the network by `network`, else by the file name of the weights if a network of the run has that name, else the network that
/// the run is about.
fn of_run(folder: &RunFolder, weights: Option<&Path>, network: Option<&str>) -> Result<Chosen, Stop> {
    let Some(weights) = weights else {
        let t = networks::find(folder, network).map_err(session::failed)?;
        return Ok(Chosen { program: t.program, weights: t.weights, name: t.name, bound: true });
    };
    let stem = weights.file_stem().map(|s| s.to_string_lossy().into_owned());
    let known = stem.filter(|s| networks::is_network(folder, s));
    let (name, program) = networks::program_of(folder, network.or(known.as_deref())).map_err(session::failed)?;
    Ok(Chosen { program, weights: weights.to_path_buf(), name, bound: false })
}
