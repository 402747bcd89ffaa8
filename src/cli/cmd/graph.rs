//! `mtlc graph`: a picture of a program.

use super::session;
use crate::cli::args::{GraphArgs, GraphFormat, View};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::driver;
use crate::hir::Options;
use crate::report::graph::{self, GraphOptions};

pub fn run(args: &GraphArgs, terminal: &Terminal) -> Outcome {
    let options = Options { set: args.set.set.clone(), ..Options::default() };
    let compiled = driver::compile(&args.file, &options).map_err(|e| Failure::io("read", &args.file, &e))?;
    let Some(checked) = &compiled.checked else {
        session::show(&compiled, terminal);
        return Ok(Exit::Program);
    };
    let by_name = |n: &str| match n {
        "svg" => Some(GraphFormat::Svg),
        "dot" | "gv" => Some(GraphFormat::Dot),
        "mmd" | "mermaid" => Some(GraphFormat::Mermaid),
        "json" => Some(GraphFormat::Json),
        _ => None,
    };
    let extension = args.output.as_ref().and_then(|o| o.extension()).and_then(|e| e.to_str());
    let format = match args.format.or(extension.and_then(by_name)).unwrap_or(GraphFormat::Text) {
        GraphFormat::Text => graph::GraphFormat::Text,
        GraphFormat::Svg => graph::GraphFormat::Svg,
        GraphFormat::Dot => graph::GraphFormat::Dot,
        GraphFormat::Mermaid => graph::GraphFormat::Mermaid,
        GraphFormat::Json => graph::GraphFormat::Json,
    };
    let view = match args.view {
        View::Auto => None,
        View::Space => Some(graph::View::Space),
        View::Topology => Some(graph::View::Topology),
        View::Backbone => Some(graph::View::Spec),
    };
    let missing = match view {
        Some(graph::View::Space) if checked.supernet.is_none() => Some("space"),
        Some(graph::View::Topology) if checked.fixed.is_none() => Some("topology"),
        _ => None,
    };
    if let Some(what) = missing {
        let file = args.file.display();
        return Err(Failure::new(Exit::Usage, format!("`{file}` has no {what}")).help("leave `--view` out"));
    }
    let color = args.output.is_none() && terminal.stdout_color();
    let text = graph::draw(checked, view, format, GraphOptions { color, width: terminal.stderr().width });
    match &args.output {
        Some(path) => {
            write::replace(path, &text)?;
            terminal.note(&format!("wrote {}", path.display()));
        }
        None => terminal.product(&text),
    }
    Ok(Exit::Ok)
}
