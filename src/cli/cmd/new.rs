//! `mtlc new`: a commented program to start from. Nothing else is written, and nothing is ever overwritten.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use crate::cli::args::{NewArgs, Template};
use crate::cli::exit::{Exit, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::screen::shell;

impl Template {
    pub const ALL: [Template; 4] = [Template::Digits, Template::Census, Template::Faces, Template::Table];

    pub fn text(self) -> &'static str {
        match self {
            Template::Digits => include_str!("../templates/digits.mtl"),
            Template::Census => include_str!("../templates/census.mtl"),
            Template::Faces => include_str!("../templates/faces.mtl"),
            Template::Table => include_str!("../templates/table.mtl"),
        }
    }
}

pub fn run(args: &NewArgs, terminal: &Terminal) -> Outcome {
    let path = match args.name.extension() {
        Some(e) if e == "mtl" => args.name.clone(),
        _ => PathBuf::from(format!("{}.mtl", args.name.display())),
    };
    write::create(&path, args.template.text()).map_err(|f| match path.exists() {
        true => f.help("choose another name; `mtlc new` never overwrites"),
        false => f,
    })?;
    let shown = path.display();
    let about = |t: &Template| t.to_possible_value().map_or(String::new(), |v| format!("`{}`", v.get_name()));
    let others: Vec<String> = Template::ALL.iter().filter(|t| **t != args.template).map(about).collect();
    terminal.note(&format!(
        "wrote {shown} from the template {} (`--template` has others: {})",
        about(&args.template),
        others.join(", ")
    ));
    terminal.note(&format!("next: {}", shell::mtlc("check").path(&path)));
    if terminal.json {
        terminal.object(&json!({ "file": shown.to_string() }));
    }
    Ok(Exit::Ok)
}
