//! What the server does when it is told to: check, draw, run. And the drawing that an editor shows beside the text.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gen_lsp_types::ExecuteCommandParams;
use serde_json::{Value, json};

use super::{Answer, Open, Refusal, read};
use crate::driver;
use crate::ide::facts;
use crate::lsp::uri;
use crate::lsp::worker::World;
use crate::report::graph::{self, GraphFormat, GraphOptions, View};

pub(super) fn on_command(world: &mut World, params: Value) -> Answer {
    let p: ExecuteCommandParams = read(params)?;
    let uri = p.arguments.iter().flatten().find_map(|a| a.as_str()).unwrap_or_default().to_string();
    let open = world.open(&uri)?;
    match p.command.as_str() {
        "mtlc.check" => {
            let text = summary(&open);
            let kind = if open.analysis.has_errors() { 1 } else { 3 };
            world.client.notify("window/showMessage", json!({ "type": kind, "message": text }));
            Ok(json!(text))
        }
        "mtlc.graph" => {
            let svg = drawing(&open, None, GraphFormat::Svg)
                .ok_or_else(|| Refusal::failed("there is nothing to draw while the program has errors"))?;
            let name = uri::path(&uri).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let path = world.scratch.write(&format!("{name}.svg"), &svg);
            let path = path.map_err(|e| Refusal::failed(e.to_string()))?;
            let at = uri::of(&path);
            if world.client.shows_documents {
                world.client.ask("window/showDocument", json!({ "uri": at, "external": true }));
            } else {
                world.client.notify("window/showMessage", json!({ "type": 3, "message": format!("drawn: {at}") }));
            }
            Ok(json!({ "uri": at }))
        }
        "mtlc.search" | "mtlc.run" => {
            let verb = if p.command == "mtlc.search" { "search" } else { "run" };
            run(world, &uri, verb)
        }
        other => Err(Refusal::failed(format!("there is no command `{other}`"))),
    }
}

/// "2 errors, 1 warning", or what the program is.
fn summary(open: &Open) -> String {
    let a = &open.analysis;
    if !a.diagnostics.is_empty() && a.has_errors() {
        return crate::diag::render::summary(&a.diagnostics);
    }
    let spec = a.spec();
    let mut parts = vec![format!("{} tasks", spec.tasks.len())];
    parts.push(format!("{} stages", spec.backbone.as_ref().map_or(0, |b| b.stages.len())));
    parts.extend(crate::ide::hints::size(a));
    if let Some(c) = a.checked()
        && let Some(net) = c.fixed.as_ref().or(c.supernet.as_ref())
    {
        let total = crate::check::cost::report(c, net).network.total;
        parts.push(format!("{} parameters", facts::amount_or_open(total.params)));
    }
    format!("no errors: {}", parts.join(", "))
}

/// Starts a run of the file on disk and does not wait for it: what it says goes to a file beside the program.
fn run(world: &mut World, uri: &str, verb: &str) -> Answer {
    let path = uri::path(uri);
    let on_disk = driver::read(&path).ok();
    let same = world.now.documents.get(uri).is_some_and(|d| on_disk.as_deref() == Some(&*d.text));
    if !same {
        return Err(Refusal::failed("save the file first: what runs is what stands on disk"));
    }
    let failed = |e: std::io::Error| Refusal::failed(e.to_string());
    let (log, out) = new_log(&path, verb).map_err(failed)?;
    let exe = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(exe);
    command.arg(verb).arg(&path).stdin(Stdio::null()).stdout(out.try_clone().map_err(failed)?).stderr(out);
    command.current_dir(path.parent().unwrap_or(Path::new(".")));
    let mut child = command.spawn().map_err(failed)?;
    let text = format!("mtlc {verb} was started; it writes to {}", log.display());
    world.client.notify("window/showMessage", json!({ "type": 3, "message": text }));
    // Whoever starts a process must also take its end.
    std::thread::spawn(move || child.wait());
    Ok(json!({ "log": uri::of(&log) }))
}

/// A file that was not there.
fn new_log(path: &Path, verb: &str) -> std::io::Result<(PathBuf, File)> {
    let mut many = 1;
    loop {
        let number = if many == 1 { String::new() } else { format!(".{many}") };
        let log = path.with_extension(format!("{verb}{number}.log"));
        match File::options().write(true).create_new(true).open(&log) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && many < 1000 => many += 1,
            made => return made.map(|f| (log, f)),
        }
    }
}

fn drawing(open: &Open, view: Option<View>, format: GraphFormat) -> Option<String> {
    let checked = open.analysis.checked().filter(|c| c.spec.backbone.is_some())?;
    Some(graph::draw(checked, view, format, GraphOptions::default()))
}

/// `mtlc/preview { textDocument, view?, format? }`: the drawing of the text as it stands, or null while it has errors. The client
/// asks anew when the problems of the text are published, and keeps what it shows where there is none.
pub(super) fn on_preview(world: &mut World, params: Value) -> Answer {
    let word = |key: &str| params.get(key).and_then(Value::as_str);
    let uri = params.pointer("/textDocument/uri").and_then(Value::as_str).unwrap_or_default().to_string();
    let bad = |e: graph::UnknownWord| Refusal { code: lsp_server::ErrorCode::InvalidParams, why: e.to_string() };
    let view = word("view").map(str::parse::<View>).transpose().map_err(bad)?;
    let format = word("format").map_or(Ok(GraphFormat::Svg), str::parse).map_err(bad)?;
    let open = world.open(&uri)?;
    let drawn = drawing(&open, view, format);
    let version = world.now.documents.get(&uri).map(|d| d.version);
    Ok(json!({ "drawing": drawn, "format": format.name(), "version": version }))
}
