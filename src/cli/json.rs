//! What `--json` means for each command: standard output is JSON and nothing else, or the combination is refused before any work is
//! done. The match is exhaustive, so a new command does not compile until its case is added.

use super::args::{Cli, Command, CompareFormat, DataCommand, GraphFormat, PredictionFormat};
use super::exit::{Exit, Failure};
use crate::diag::render::MessageFormat;

/// Refuses `--json` where a command has no JSON to write, or was asked for another format on standard output.
pub fn fits(cli: &Cli) -> Result<(), Failure> {
    if !cli.global.json {
        return Ok(());
    }
    let refused = |what: &str, help: &str| Err(Failure::new(Exit::Usage, what).help(help));
    let instead = |option: &str| {
        let what = format!("`--json` and `{option}` ask for two formats on standard output");
        refused(&what, "leave one of them out")
    };
    match &cli.command {
        Command::Lsp(_) => refused(
            "`mtlc lsp` has no `--json`: standard output belongs to the language server protocol",
            "leave `--json` out",
        ),
        Command::Check(a) => match a.message_format {
            Some(MessageFormat::Human) => instead("--message-format human"),
            Some(MessageFormat::Short) => instead("--message-format short"),
            Some(MessageFormat::Sarif) => instead("--message-format sarif"),
            Some(MessageFormat::Json) | None => Ok(()),
        },
        Command::Graph(a) if a.output.is_none() => match a.format {
            Some(GraphFormat::Text) => instead("--format text"),
            Some(GraphFormat::Svg) => instead("--format svg"),
            Some(GraphFormat::Dot) => instead("--format dot"),
            Some(GraphFormat::Mermaid) => instead("--format mermaid"),
            Some(GraphFormat::Json) | None => Ok(()),
        },
        Command::Compare(a) => match a.format {
            Some(CompareFormat::Text) => instead("--format text"),
            Some(CompareFormat::Markdown) => instead("--format markdown"),
            Some(CompareFormat::Csv) => instead("--format csv"),
            Some(CompareFormat::Json) | None => Ok(()),
        },
        Command::Predict(a) if a.output.is_none() => match a.format {
            Some(PredictionFormat::Csv) => instead("--format csv"),
            // The command itself refuses to write arrays to standard output.
            Some(PredictionFormat::Jsonl | PredictionFormat::Npy) | None => Ok(()),
        },
        // These commands can always write JSON.
        Command::Fmt(_)
        | Command::Explain(_)
        | Command::New(_)
        | Command::Graph(_)
        | Command::Run(_)
        | Command::Search(_)
        | Command::Train(_)
        | Command::Derive(_)
        | Command::Evaluate(_)
        | Command::Verify(_)
        | Command::Diff(_)
        | Command::Profile(_)
        | Command::Doctor
        | Command::Predict(_)
        | Command::Data(DataCommand::Check(_) | DataCommand::Preview(_) | DataCommand::Freeze(_)) => Ok(()),
    }
}
