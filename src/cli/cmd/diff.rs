//! `mtlc diff`: two topologies compared by meaning.

use std::path::{Path, PathBuf};

use super::session::{self, Stop};
use crate::cli::args::DiffArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::driver::{self, Compiled};
use crate::experiment::{RunFolder, network_of};
use crate::hir::{Options, Topology};
use crate::ir::{Network, partition};
use crate::report::diff::{Side, diff};

pub fn run(args: &DiffArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &DiffArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let (a, b) = (Loaded::new(&args.a, terminal)?, Loaded::new(&args.b, terminal)?);
    let found = diff(&a.side(), &b.side());
    match terminal.json {
        true => terminal.object(&found.json()),
        false => terminal.product(&found.text(terminal.stdout_color(), terminal.stdout_width())),
    }
    Ok(Ok(if args.exit_code && !found.same { Exit::Failure } else { Exit::Ok }))
}

/// A program with the topology that it stands for.
struct Loaded {
    name: String,
    compiled: Compiled,
    topology: Topology,
    network: Network,
}

impl Loaded {
    /// A program with a topology, or a run folder: what it derived, else what it trained.
    fn new(what: &Path, terminal: &Terminal) -> Result<Loaded, Stop> {
        let (path, run) = match what.is_dir() {
            true => (program(&RunFolder::open(what).map_err(session::failed)?), true),
            false => (what.to_path_buf(), false),
        };
        let compiled =
            driver::compile(&path, &Options::default()).map_err(|e| Stop::Failed(Failure::io("read", &path, &e)))?;
        let Some(checked) = &compiled.checked else {
            session::show(&compiled, terminal);
            return Err(Stop::Shown(Exit::Program));
        };
        let topology = match &checked.spec.topology {
            Some(t) => t.clone(),
            // Training a program without one shares every stage.
            None if run && checked.supernet.is_none() => partition::all_shared(&checked.spec),
            None => {
                let f = Failure::new(Exit::Program, format!("`{}` has no topology to compare", path.display()));
                let help = match run {
                    true => "the run has derived none: wait for it, or run `mtlc derive`",
                    false => "name a program with a `topology`, a derived file, or a run folder",
                };
                return Err(Stop::Failed(f.help(help)));
            }
        };
        let network = network_of(checked, &topology).map_err(session::failed)?;
        Ok(Loaded { name: path.display().to_string(), compiled, topology, network })
    }

    fn side(&self) -> Side<'_> {
        let checked = self.compiled.checked.as_ref().expect("it was checked");
        Side { name: self.name.clone(), checked, topology: &self.topology, network: &self.network }
    }
}

fn program(folder: &RunFolder) -> PathBuf {
    match folder.derived().is_file() {
        true => folder.derived(),
        false => folder.path.join("program.mtl"),
    }
}
