//! `mtlc graph`: a picture of a program.

use serde_json::json;

use super::session;
use crate::cli::args::{GraphArgs, GraphFormat, View};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write;
use crate::driver;
use crate::hir::Options;
use crate::report::graph::{self, GraphOptions};
use crate::screen::shell;

pub fn run(args: &GraphArgs, terminal: &Terminal) -> Outcome {
    // Refuse an unknown format before any work is done.
    let format = format(args, terminal.json)?;
    let options = Options { set: args.set.set.clone(), ..Options::default() };
    let compiled = driver::compile(&args.file, &options).map_err(|e| Failure::io("read", &args.file, &e))?;
    let Some(checked) = &compiled.checked else {
        session::show(&compiled, terminal);
        return Ok(Exit::Program);
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
            if terminal.json {
                terminal.object(&json!({ "output": path.display().to_string(), "format": format.name() }));
            }
        }
        // A picture in text is for people, and the others are files.
        None if format == graph::GraphFormat::Text => terminal.product(&text),
        None => terminal.exact(&text),
    }
    Ok(Exit::Ok)
}

/// The output format: that of `--format`, else that of the file extension, else text (JSON with `--json`). A file extension of another
/// format, or of a format that mtlc does not write, is refused, so that the content of a file always matches its name.
fn format(args: &GraphArgs, json: bool) -> Result<graph::GraphFormat, Failure> {
    let asked = args.format.map(|f| match f {
        GraphFormat::Text => graph::GraphFormat::Text,
        GraphFormat::Svg => graph::GraphFormat::Svg,
        GraphFormat::Dot => graph::GraphFormat::Dot,
        GraphFormat::Mermaid => graph::GraphFormat::Mermaid,
        GraphFormat::Json => graph::GraphFormat::Json,
    });
    let Some(path) = &args.output else {
        return Ok(asked.unwrap_or(if json { graph::GraphFormat::Json } else { graph::GraphFormat::Text }));
    };
    let shown = path.display();
    let Some(ending) = path.extension().map(|e| e.to_string_lossy().to_lowercase()) else {
        return Ok(asked.unwrap_or(graph::GraphFormat::Text));
    };
    let named = match ending.as_str() {
        "svg" => Some(graph::GraphFormat::Svg),
        "dot" | "gv" => Some(graph::GraphFormat::Dot),
        "mmd" | "mermaid" => Some(graph::GraphFormat::Mermaid),
        "json" => Some(graph::GraphFormat::Json),
        "txt" | "text" => Some(graph::GraphFormat::Text),
        _ => None,
    };
    let refused = |what: String, help: String| Err(Failure::new(Exit::Usage, what).help(help));
    match (named, asked) {
        (Some(named), None) => Ok(named),
        (Some(named), Some(asked)) if named == asked => Ok(named),
        (Some(named), Some(asked)) => refused(
            format!(
                "`{shown}` is the name of a file in the format {}, and `--format` asks for {}",
                named.name(),
                asked.name()
            ),
            "leave `--format` out, or give the file another name".into(),
        ),
        // Raster formats: suggest an svg, which every browser and converter reads.
        (None, _)
            if ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "pdf", "eps", "ps"]
                .contains(&ending.as_str()) =>
        {
            let svg = path.with_extension("svg");
            refused(
                format!("mtlc does not write .{ending} files"),
                format!(
                    "write an svg, {}, and convert it: `rsvg-convert`, `inkscape` and every browser do that",
                    shell::option("-o").path(&svg)
                ),
            )
        }
        (None, Some(asked)) => Ok(asked),
        (None, None) => refused(
            format!("`.{ending}` is not the ending of a format that mtlc writes"),
            "end the name in .svg, .dot, .mmd, .json or .txt, or choose with `--format`".into(),
        ),
    }
}
