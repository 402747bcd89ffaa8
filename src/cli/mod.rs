//! The command line: arguments in, exit code out. A command is one file under `cmd/` and one line in [`dispatch`]; it gets its
//! arguments and a [`Terminal`], and returns an [`Outcome`]. Nothing depends on this room, and nothing here knows the
//! language: commands ask the other rooms and show what they say.

pub mod args;
pub mod cmd;
pub mod exit;
pub mod json;
pub mod progress;
pub mod results;
pub mod signals;
pub mod terminal;
pub mod write;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, DataCommand};
use exit::{Exit, Failure, Outcome};
use terminal::Terminal;

use crate::ops::kernel::simd::Level;
use crate::plan::passes::{self, Switches};
use crate::runtime::threads;
use crate::screen::{bug, visible};

/// The whole program.
pub fn main() -> ExitCode {
    say_panics_in_two_lines();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // `--help` and `--version` come this way too, as a success.
            let e = harmless(e);
            let _ = e.print();
            return if e.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let terminal = Terminal::new(cli.global.quiet, cli.global.json, cli.global.color);
    // The server of an editor computes on another thread.
    if !matches!(cli.command, Command::Lsp(_)) {
        threads::join();
    }
    let outcome = std::panic::catch_unwind(|| {
        known_switches().and_then(|()| json::fits(&cli)).and_then(|()| dispatch(&cli.command, &terminal))
    });
    let exit = match outcome {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            terminal.failure(&failure);
            failure.exit
        }
        // The hook has said it.
        Err(_) => Exit::Failure,
    };
    if exit == Exit::Ok && terminal::output_was_lost() {
        let lost = Failure::new(Exit::Failure, "standard output could not be written: what is there is not whole");
        terminal.failure(&lost.help("is the disk full?"));
        return Exit::Failure.into();
    }
    exit.into()
}

/// An error of the command line as it may be shown: it repeats arguments, and those may be names of files. It is made again from arguments
/// without characters that steer a terminal, so that it keeps its colours.
fn harmless(e: clap::Error) -> clap::Error {
    let args: Vec<String> = std::env::args_os().map(|a| visible(&a.to_string_lossy(), false)).collect();
    match Cli::try_parse_from(&args) {
        Err(same) if same.kind() == e.kind() => same,
        _ => clap::Error::raw(e.kind(), visible(e.to_string().trim_start_matches("error: "), true)),
    }
}

/// Checks the environment variables: a misspelt pass would silently stay on, and a misspelt instruction level would be ignored.
fn known_switches() -> Result<(), Failure> {
    if let Err(wrong) = Level::chosen() {
        let there: Vec<&str> = Level::ALL.into_iter().filter(|l| l.is_there()).map(Level::name).collect();
        return Err(Failure::new(Exit::Usage, wrong).help(format!("this processor has {}", there.join(", "))));
    }
    let switches = Switches::chosen();
    let unknown = switches.unknown();
    let Some(name) = unknown.first() else { return Ok(()) };
    let known: Vec<&str> = passes::table().iter().map(|p| p.name).chain([passes::recompute::NAME]).collect();
    let said = format!("`MTLC_WITHOUT` names `{name}`, which is no pass over the plan");
    Err(Failure::new(Exit::Usage, said).help(format!("the passes are {}", known.join(", "))))
}

fn dispatch(command: &Command, terminal: &Terminal) -> Outcome {
    match command {
        Command::Check(a) => cmd::check::run(a, terminal),
        Command::Fmt(a) => cmd::fmt::run(a, terminal),
        Command::Explain(a) => cmd::explain::run(a, terminal),
        Command::New(a) => cmd::new::run(a, terminal),
        Command::Graph(a) => cmd::graph::run(a, terminal),
        Command::Run(a) => cmd::run::run(a, terminal),
        Command::Search(a) => cmd::search::run(a, terminal),
        Command::Compare(a) => cmd::compare::run(a, terminal),
        Command::Derive(a) => cmd::derive::run(a, terminal),
        Command::Train(a) => cmd::train::run(a, terminal),
        Command::Evaluate(a) => cmd::evaluate::run(a, terminal),
        Command::Profile(a) => cmd::profile::run(a, terminal),
        Command::Verify(a) => cmd::verify::run(a, terminal),
        Command::Diff(a) => cmd::diff::run(a, terminal),
        Command::Lsp(a) => cmd::lsp::run(a),
        Command::Doctor => cmd::doctor::run(terminal),
        Command::Predict(a) => cmd::predict::run(a, terminal),
        Command::Data(DataCommand::Check(a)) => cmd::data::check::run(a, terminal),
        Command::Data(DataCommand::Preview(a)) => cmd::data::preview::run(a, terminal),
        Command::Data(DataCommand::Freeze(a)) => cmd::data::freeze::run(a, terminal),
    }
}

/// A panic is our bug, never the user's: a line that says so and where it happened, and a line that says where it is reported. The
/// backtrace is shown on request only.
fn say_panics_in_two_lines() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let what = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_string())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_string());
        // What panicked in the thread was said by the thread.
        if what == "a scoped thread panicked" {
            return;
        }
        let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
        let (message, mut help) = bug(&format!("{what}{place}"));
        let asked = std::env::var_os("RUST_BACKTRACE").is_some_and(|v| v != "0");
        if !asked {
            help += "; `RUST_BACKTRACE=1` adds a backtrace";
        }
        let mut text = format!("error: {}\n  help: {help}\n", visible(&message.replace('\n', " "), false));
        if asked {
            text += &format!("{}\n", std::backtrace::Backtrace::force_capture());
        }
        Terminal::new(false, false, clap::ColorChoice::Never).say(&text);
    }));
}
