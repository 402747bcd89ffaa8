//! `mtlc data check`: rows, labels, columns and repeated rows of every split, and what is odd about them. Oddities are warnings; data
//! that cannot be read as the program says end with exit code 4.

use serde_json::json;

use crate::cli::args::DataCheckArgs;
use crate::cli::cmd::session::Stop;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::terminal::Terminal;
use crate::data::survey::{Subject, survey};
use crate::report::survey as tables;

pub fn run(args: &DataCheckArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &DataCheckArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let read = super::read(&args.file, &args.set.set, terminal)?;
    let (inputs, tasks) = (read.input_columns()?, read.tasks());
    let found = survey(&Subject {
        data: &read.name,
        raw: &read.raw,
        schema: &read.schema,
        dataset: &read.feed.dataset,
        inputs: &inputs,
        tasks: &tasks,
        least: args.least,
        groups: &read.groups(),
    });
    if terminal.json {
        let mut value = serde_json::to_value(&found).expect("numbers and text");
        value["schema_frozen"] = json!(read.frozen);
        terminal.object(&value);
        return Ok(Ok(Exit::Ok));
    }
    terminal.product(&tables::text(&found, terminal.stdout_color()));
    for note in &read.raw.notes {
        terminal.note(&format!("note: {note}"));
    }
    for f in &found.findings {
        terminal.warn(&f.message, None);
    }
    terminal.note(match read.frozen {
        true => "the data are those of the frozen schema",
        false => "the schema is not frozen: `mtlc data freeze` writes into the program what it relies on",
    });
    terminal.note(&match found.findings.len() {
        0 => "nothing odd was found".to_string(),
        1 => "1 warning".to_string(),
        n => format!("{n} warnings"),
    });
    Ok(Ok(Exit::Ok))
}
