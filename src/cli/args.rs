//! The command line as types. What a flag means is said here, once, in the words of `--help`; nothing here does anything.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};

use super::exit::Exit;
use crate::diag::render::MessageFormat;

/// Compiler and tool for .mtl, a language for multi-task networks and the search for their topology.
#[derive(Debug, Parser)]
#[command(name = "mtlc", version, after_help = Exit::help(), max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub global: Global,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Global {
    /// Say nothing but errors and warnings.
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Write the result to standard output as JSON.
    #[arg(long, global = true)]
    pub json: bool,

    /// When to use colour; the environment variable NO_COLOR forbids it for `auto`.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check programs: names, types, shapes, space and strategy, without touching data.
    Check(CheckArgs),
    /// Bring programs into the canonical layout.
    Fmt(FmtArgs),
    /// Explain a diagnostic code, an op, a loss, a strategy, an item; or list them.
    Explain(ExplainArgs),
    /// Write a commented program to start from.
    New(NewArgs),
    /// Draw a program: its backbone, its space, or its topology.
    Graph(GraphArgs),
    /// Search, derive, retrain and evaluate, with the all-shared and the independent network beside it.
    Run(RunArgs),
    /// Search only, and derive what was found.
    Search(RunArgs),
    /// Compare strategies and baselines on one space: several seeds of each, at one budget, and how each stands to random search.
    ///
    /// Metrics and the relative improvement over single-task networks (delta-m), sizes, latency, time, agreement of the seeds'
    /// topologies, as a table here and as Markdown, CSV and JSON in the folder. Every topology is retrained as `train` says; random
    /// search trains topologies that way until it has used the epochs of the dearest other search.
    Compare(CompareArgs),
    /// Write the topology that a run found as a program.
    Derive(DeriveArgs),
    /// Train the topology of a program from scratch, and evaluate it.
    Train(RunArgs),
    /// Evaluate trained weights.
    Evaluate(EvaluateArgs),
    /// Tell whether a derived file, its spec, its weights, or a run folder still belong together.
    ///
    /// Each question is answered by a line: ok, differs, or cannot be told. The command ends with 0 if all are ok, else with 1.
    ///
    /// The digest in a derived file tells edits of its meaning; layout and comments may change. It is no signature: who writes a
    /// new digest by hand is told by `--spec`, by `--weights` and by the run folder, which keep their own record.
    Verify(VerifyArgs),
    /// Compare two topologies by meaning: groups of tasks, stages, heads, training, sizes.
    ///
    /// Names of copies, layout, comments and the places of files are no differences. The similarity of a stage is the adjusted Rand
    /// index (Hubert and Arabie 1985) of the two groupings of the tasks that both have: 1 for the same, about 0 for unrelated ones; that
    /// of the topologies is the mean over the stages that both have.
    ///
    /// The command ends with 0 whether there are differences or not, unless `--exit-code` is given.
    Diff(DiffArgs),
    /// Tell where the time of a training step goes, by stage and op, on random samples.
    ///
    /// No data are read unless they tell sizes that the program leaves open.
    Profile(ProfileArgs),
    /// Serve an editor: the language server protocol over standard input and output.
    Lsp(LspArgs),
    /// Say what this build and this machine are, test them for a second, and name what is known to go wrong.
    Doctor,
    /// Predict new rows with a trained network: tables, arrays or pictures in; csv, JSON lines or NumPy arrays out.
    Predict(PredictArgs),
    /// Look at data, and freeze what is known of them.
    #[command(subcommand)]
    Data(DataCommand),
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The program.
    #[arg(value_name = "FILE", required_unless_present = "resume")]
    pub file: Option<PathBuf>,

    /// Go on with a run that was stopped, from its folder alone; it ends with the bytes that it would have ended with.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "output", "seed", "random", "set"])]
    pub resume: Option<PathBuf>,

    /// The run folder, which must not exist; absent: `runs/DATE-NAME-XXXX`.
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Divide the training rows into N folds, train once per fold on all other folds, test on that fold, and report mean and standard
    /// deviation. Folds honour `group`, `stratify` and `time` of the data. The output folder contains a run folder per fold, and
    /// folds.md, folds.csv and folds.json.
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "random"], value_parser = clap::value_parser!(u16).range(2..).map(usize::from))]
    pub folds: Option<usize>,

    /// Decides every draw: weights, batches, samples of choices.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,

    /// Where to compute: auto, cpu, cuda:N. Of a run that goes on: where it began.
    #[arg(long)]
    pub device: Option<String>,

    /// Also train this many random topologies of the space that are as large as the derived one (within 5 %). Only for `run`.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub random: usize,

    /// End within this time, as in 90m or 2h: saves, evaluates what there is, and can go on later.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub time: Option<Duration>,

    /// Save the state of the training this often; results do not depend on it.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    pub save_every: Duration,

    /// Run even if the estimate of the memory says that the machine has too little.
    #[arg(long)]
    pub ignore_memory: bool,

    /// How many saved states of a phase are kept.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..).map(usize::from))]
    pub keep: usize,

    #[command(flatten)]
    pub set: SetArgs,
}

/// How a comparison is written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    Text,
    Markdown,
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The program; its space is what is searched.
    #[arg(value_name = "FILE", required_unless_present = "resume")]
    pub file: Option<PathBuf>,

    /// Strategies, with commas between them; with a body, their attributes: `group, expected_cost { epochs = 20 }`. Without one, those
    /// of the program's search of that strategy, else the defaults. Absent: all that run and fit the space. The baselines and random
    /// search are always there.
    #[arg(long, value_name = "STRATEGIES")]
    pub with: Option<String>,

    /// How many seeds of each.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..).map(usize::from))]
    pub seeds: usize,

    /// The first seed.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,

    /// Go on with a comparison that was stopped, from its folder alone.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "output", "seed", "seeds", "with", "set"])]
    pub resume: Option<PathBuf>,

    /// The folder, which must not exist; absent: `runs/DATE-NAME-XXXX`.
    #[arg(long, short, alias = "out", value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// The format of standard output; the folder contains all formats. Default: text, or json with `--json`.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<CompareFormat>,

    /// Where to compute: auto, cpu, cuda:N. Of one that goes on: where it began.
    #[arg(long)]
    pub device: Option<String>,

    /// End within this time, as in 90m or 2h: saves, and can go on later.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub time: Option<Duration>,

    /// Save the state of a training this often; results do not depend on it.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    pub save_every: Duration,

    /// Run even if the estimate of the memory says that the machine has too little.
    #[arg(long)]
    pub ignore_memory: bool,

    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
pub struct DeriveArgs {
    /// A run folder that `search` or `run` has left.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,

    /// The file to write, which must not exist; absent: standard output, as it stands in the run folder.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave out the texts of all columns, which may name people. The file contains only their numbers and digests. It can be checked, and
    /// trained where the data are available; `predict` needs the texts.
    #[arg(long)]
    pub no_vocabulary: bool,
}

#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// A run folder, or a program with a topology.
    #[arg(value_name = "RUN|FILE")]
    pub what: PathBuf,

    /// The weights (.safetensors) for a program; a run folder has its own.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    /// Which of the run's networks: derived, trained, all_shared, independent, random_1, ...; absent: the run's own.
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,

    /// Also write every task's outputs, as the head gives them and as `predict` does, for each row of validation and test: .csv,
    /// .jsonl or .npz, by the name of the file.
    #[arg(long, value_name = "FILE")]
    pub outputs: Option<PathBuf>,

    /// Replace the file of `--outputs` if it exists.
    #[arg(long, requires = "outputs")]
    pub force: bool,

    /// Where to compute: auto, cpu, cuda:N.
    #[arg(long, default_value = "auto")]
    pub device: String,

    #[command(flatten)]
    pub set: SetArgs,
}

/// How predictions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PredictionFormat {
    /// A table; outputs per pixel have no place in it.
    Csv,
    /// One JSON object per row.
    Jsonl,
    /// An `.npz` with one array per task, or a `.npy` where there is one task.
    Npy,
}

#[derive(Debug, Args)]
pub struct PredictArgs {
    /// A run folder, or a program with `--weights`.
    #[arg(value_name = "RUN|FILE")]
    pub what: PathBuf,

    /// Tables (csv, `.gz` too, `-` is standard input), arrays (npy, npz, idx), or pictures (png, jpeg) and folders of them. No label
    /// is needed.
    #[arg(required = true, value_name = "DATA")]
    pub data: Vec<PathBuf>,

    /// The file to write, whole or not at all; absent: standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Replace the output file if it exists.
    #[arg(long, requires = "output")]
    pub force: bool,

    /// Absent: by the name of the file that is written, or csv.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<PredictionFormat>,

    /// A column of the data to copy before the predictions.
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,

    /// Only these tasks, with commas between them.
    #[arg(long, value_name = "TASKS", value_delimiter = ',')]
    pub tasks: Vec<String>,

    /// Also write what the heads give before it becomes a probability.
    #[arg(long)]
    pub raw: bool,

    /// Which of the run's networks: derived, trained, all_shared, independent, random_1, ...; absent: the run's own.
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,

    /// The weights (.safetensors) for a program; a run folder has its own.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    /// Bring pictures to the size of the network's input (bilinear). For pictures only.
    #[arg(long)]
    pub resize: bool,

    /// The values of black and white pixels in the training data. For pictures only.
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"], allow_negative_numbers = true)]
    pub range: Option<Vec<f64>>,

    /// Where to compute: auto, cpu, cuda:N.
    #[arg(long, default_value = "auto")]
    pub device: String,

    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A derived file, or a run folder: then all that is in it is compared.
    #[arg(value_name = "FILE|RUN")]
    pub what: PathBuf,

    /// Was the file derived from this program?
    #[arg(long, value_name = "SPEC")]
    pub spec: Option<PathBuf>,

    /// Are these weights (.safetensors) of this network, unchanged?
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileNetwork {
    /// What a search trains, by its settings.
    Supernet,
    /// The program's topology.
    Topology,
    /// One copy of every stage.
    #[value(name = "all_shared")]
    AllShared,
    /// A network for every task.
    Independent,
}

#[derive(Debug, Args)]
pub struct ProfileArgs {
    /// The program.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The network whose training is timed. Default: the supernet if the program's search trains one, else its topology, else all_shared.
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<ProfileNetwork>,

    /// Samples per step; absent: as the program says.
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub batch: Option<usize>,

    /// Steps that are timed, after 3 others.
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub steps: usize,

    /// Where to compute: auto, cpu, cuda:N.
    #[arg(long, default_value = "auto")]
    pub device: String,

    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A program with a topology, a derived file, or a run folder.
    #[arg(value_name = "A")]
    pub a: PathBuf,

    /// What to compare it with.
    #[arg(value_name = "B")]
    pub b: PathBuf,

    /// End with 1 if there are differences.
    #[arg(long)]
    pub exit_code: bool,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Look at the data of a program before training: rows, labels, columns, repeated rows, and what is odd about them.
    Check(DataCheckArgs),
    /// Show the first rows as the network is fed them.
    Preview(PreviewArgs),
    /// Write what is known of the data (columns, vocabularies, statistics, digests) into the program, as `schema` items.
    Freeze(FreezeArgs),
}

#[derive(Debug, Args)]
pub struct DataCheckArgs {
    /// The program.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Warn of classes with fewer rows than this.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub least: usize,

    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    Train,
    Validation,
    Test,
}

#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// The program.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// How many.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rows: usize,

    #[arg(long, value_name = "SPLIT", default_value = "train")]
    pub split: SplitName,

    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
pub struct FreezeArgs {
    /// The program. Its `schema` items are added, or replaced where they no longer agree.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write to standard output instead of the file.
    #[arg(long)]
    pub stdout: bool,

    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Programs; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Apply the fixes that are certain, then check what remains.
    #[arg(long)]
    pub fix: bool,

    /// Also print, on standard output, the sizes and costs of each clean program: space, networks, every task's path.
    #[arg(long)]
    pub summary: bool,

    /// How diagnostics are written: human, short (both to standard error), json, sarif (to standard output).
    #[arg(long, value_name = "FORMAT")]
    pub message_format: Option<MessageFormat>,

    #[command(flatten)]
    pub set: SetArgs,
}

/// Parameters of the program.
#[derive(Debug, Clone, Default, Args)]
pub struct SetArgs {
    /// Set a `param` of the program; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment, action = ArgAction::Append)]
    pub set: Vec<(String, String)>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("write NAME=VALUE, as in `--set width=32`".to_string()),
    }
}

#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Programs, and folders of programs; `-` reads standard input and writes standard output.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Write nothing; fail if a file is not in the canonical layout.
    #[arg(long, conflicts_with = "stdout")]
    pub check: bool,

    /// Write nothing; show what would change, and fail if something would.
    #[arg(long, conflicts_with = "stdout")]
    pub diff: bool,

    /// Write the result to standard output instead of the file.
    #[arg(long)]
    pub stdout: bool,
}

#[derive(Debug, Args)]
pub struct LspArgs {
    /// Serve on standard input and output, which is the only way there is; editors tend to say so.
    #[arg(long)]
    pub stdio: bool,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code (`mtl::shape::merge`, `shape::merge`), a table (`ops`, `losses`, ...) or a name of one (`conv`).
    #[arg(value_name = "WHAT")]
    pub what: Option<String>,
}

#[derive(Debug, Args)]
pub struct NewArgs {
    /// The file to write, or a name: `faces` writes `faces.mtl`. Never overwritten.
    #[arg(value_name = "NAME")]
    pub name: PathBuf,

    /// What it is about.
    #[arg(long, default_value = "digits")]
    pub template: Template,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// Two tasks on handwritten digits: a tree found by Learning to Branch.
    Digits,
    /// Two tasks on a table of census records: experts whose mixes are fixed.
    Census,
    /// Forty attributes of faces: where should the network branch?
    Faces,
    /// Questions about a csv of your own: what to put in is marked.
    Table,
}

/// Which picture of a program is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// The topology, or the space where there is none.
    Auto,
    Space,
    Topology,
    Backbone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For a terminal.
    Text,
    Svg,
    Dot,
    Mermaid,
    Json,
}

#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The program.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The output format. Default: the one of the extension of the output file (.svg, .dot, .mmd, .json, .txt), or text.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<GraphFormat>,

    #[arg(long, default_value = "auto")]
    pub view: View,

    /// The file to write; absent: standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub set: SetArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn assignments_have_a_name_and_a_value() {
        assert_eq!(assignment("width = 32"), Ok(("width".into(), "32".into())));
        assert!(assignment("width").is_err());
        assert!(assignment("=3").is_err());
    }
}
