//! Runs the draws of a kernel at every level of vector instructions.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use mtlc::ops::kernel::simd::Level;

use crate::dice::{Dice, asked};

/// Draws of each kernel, where the environment does not say.
const DRAWS: u64 = 300;
/// Failures that are shown.
const SHOWN: usize = 10;

/// The level is one for the whole process: kernels are compared one after the other.
static ONE_LEVEL: Mutex<()> = Mutex::new(());

/// A kernel with everything that it reads and what should come out.
pub struct Trial {
    /// The call, as a failure shows it.
    pub shape: String,
    /// Compares at the level in use; gives how many numbers were compared.
    pub run: Box<dyn Fn() -> Result<usize, String>>,
}

/// Levels of this machine; the others are named, whether output is captured or not.
fn levels(kernel: &str) -> Vec<Level> {
    let (run, skipped): (Vec<Level>, Vec<Level>) = Level::ALL.into_iter().partition(|l| l.is_there());
    for level in skipped {
        let _ =
            writeln!(std::io::stderr(), "{kernel}: skipped at {}, which this processor does not have", level.name());
    }
    run
}

fn attempt(trial: &Trial) -> Result<usize, String> {
    catch_unwind(AssertUnwindSafe(|| (trial.run)())).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        Err(format!("panicked: {}", text.or(payload.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()))
    })
}

/// Draws, compares and reports. `draw` is a function of the dice alone.
pub fn campaign(kernel: &str, draw: impl Fn(&mut Dice) -> Trial) {
    let _one = ONE_LEVEL.lock().unwrap_or_else(PoisonError::into_inner);
    let seeds = asked("SEED").map_or(0..asked("KERNELS").unwrap_or(DRAWS), |seed| seed..seed + 1);
    let (levels, draws) = (levels(kernel), seeds.end - seeds.start);
    let (mut compared, mut failures) = (0, Vec::new());
    for seed in seeds {
        let trial = draw(&mut Dice::new(seed));
        for level in &levels {
            level.make_current();
            match attempt(&trial) {
                Ok(count) => compared += count,
                Err(why) => failures.push(format!("seed {seed}, {}, {}: {why}", level.name(), trial.shape)),
            }
        }
    }
    levels[levels.len() - 1].make_current();
    let names: Vec<&str> = levels.iter().map(|l| l.name()).collect();
    println!(
        "{kernel}: {draws} draws at {}: {compared} numbers compared, {} failures",
        names.join(", "),
        failures.len()
    );
    let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{kernel}: {} failures\n{shown}", failures.len());
    assert!(compared > 0, "{kernel}: nothing was compared");
}
