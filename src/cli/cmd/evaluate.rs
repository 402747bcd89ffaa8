//! `mtlc evaluate`: metrics of trained weights on the validation and test splits; deterministic.

use std::path::PathBuf;

use super::session::{self, Stop};
use crate::cli::args::EvaluateArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::results;
use crate::cli::terminal::Terminal;
use crate::experiment::{self, RunFolder};
use crate::runtime::device;

pub fn run(args: &EvaluateArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &EvaluateArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let device = device::open(&args.device).map_err(session::failed)?;
    let (file, weights) = if args.what.is_dir() {
        of_run(&RunFolder::open(&args.what).map_err(session::failed)?, args.weights.clone())?
    } else {
        if !args.what.exists() {
            let f = Failure::new(Exit::Failure, format!("there is no `{}`", args.what.display()))
                .help("name a run folder, or a program with `--weights`");
            return Err(Stop::Failed(f));
        }
        match &args.weights {
            Some(w) => (args.what.clone(), w.clone()),
            None => {
                let f = Failure::new(Exit::Usage, "a program is evaluated with weights")
                    .help("name them: `mtlc evaluate FILE --weights RUN/checkpoints/derived.safetensors`");
                return Err(Stop::Failed(f));
            }
        }
    };
    let prepared = session::prepare(&file, &args.set.set, terminal)?;
    let result = experiment::evaluate_weights(&prepared, &weights, &device).map_err(|f| session::stop(f, terminal))?;
    if terminal.json {
        terminal.object(&serde_json::to_value(&result).expect("numbers and text"));
    } else {
        terminal.product(&results::table(&[result]).terminal(false));
    }
    Ok(Ok(Exit::Ok))
}

/// The program and weights of a run: the derived network's, or the trained one's; of a program without a topology, the all-shared one's.
fn of_run(folder: &RunFolder, weights: Option<PathBuf>) -> Result<(PathBuf, PathBuf), Stop> {
    let pairs = [
        (folder.derived(), folder.checkpoint("derived")),
        (folder.path.join("program.mtl"), folder.checkpoint("trained")),
        (folder.path.join("program.mtl"), folder.checkpoint("all_shared")),
    ];
    for (program, own) in pairs {
        let weights = weights.clone().unwrap_or(own);
        if program.exists() && weights.exists() {
            return Ok((program, weights));
        }
    }
    let f = Failure::new(Exit::Failure, format!("the run `{}` holds no trained network", folder.path.display()))
        .help("`mtlc run` and `mtlc train` leave one");
    Err(Stop::Failed(f))
}
