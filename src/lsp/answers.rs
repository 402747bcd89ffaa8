//! The table of requests, and an answer to each: positions to offsets, a question to `ide`, and the way back.

mod commands;

use std::collections::BTreeMap;
use std::rc::Rc;

use gen_lsp_types::{
    CodeActionParams, CodeLens, CodeLensParams, Command, CompletionParams, DefinitionParams, DocumentFormattingParams,
    DocumentHighlightParams, DocumentRangeFormattingParams, DocumentSymbolParams, FoldingRange, FoldingRangeKind,
    FoldingRangeParams, Hover, HoverParams, InlayHint, InlayHintKind, InlayHintParams, Position, PrepareRenameParams,
    ReferenceParams, RenameParams, SelectionRange, SelectionRangeParams, SemanticTokens, SemanticTokensParams,
    SemanticTokensRangeParams, TextDocumentPositionParams, TextEdit, WorkspaceSymbolParams,
};
use lsp_server::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::convert::{Place, markdown, symbol_kind};
use super::worker::World;
use super::{publish, uri, workspace};
use crate::fmt::{self, diff};
use crate::ide::actions::{self, ActionKind};
use crate::ide::hints::HintKind;
use crate::ide::{Analysis, completion, hints, hover, lenses, outline, refer, structure, tokens};

/// Why a request has no answer.
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) why: String,
}

impl Refusal {
    fn failed(why: impl Into<String>) -> Refusal {
        Refusal { code: ErrorCode::RequestFailed, why: why.into() }
    }
}

type Answer = Result<Value, Refusal>;
type Handler = fn(&mut World, Value) -> Answer;

/// Every request that is answered.
static HANDLERS: &[(&str, Handler)] = &[
    ("textDocument/hover", on_hover),
    ("textDocument/completion", on_completion),
    ("textDocument/definition", on_definition),
    ("textDocument/references", on_references),
    ("textDocument/documentHighlight", on_highlight),
    ("textDocument/prepareRename", on_prepare_rename),
    ("textDocument/rename", on_rename),
    ("textDocument/documentSymbol", on_symbols),
    ("workspace/symbol", on_workspace_symbols),
    ("textDocument/foldingRange", on_folds),
    ("textDocument/selectionRange", on_selections),
    ("textDocument/semanticTokens/full", on_tokens),
    ("textDocument/semanticTokens/range", on_tokens_in),
    ("textDocument/inlayHint", on_hints),
    ("textDocument/formatting", on_format),
    ("textDocument/rangeFormatting", on_format_range),
    ("textDocument/codeAction", on_actions),
    ("textDocument/codeLens", on_lenses),
    ("workspace/executeCommand", commands::on_command),
    ("mtlc/preview", commands::on_preview),
    ("mtlc/state", on_state),
    #[cfg(debug_assertions)]
    ("mtlc/panic", |_, _| panic!("asked for")),
];

pub(super) fn is_known(method: &str) -> bool {
    HANDLERS.iter().any(|h| h.0 == method)
}

pub(super) fn answer(world: &mut World, method: &str, params: Value) -> Answer {
    match HANDLERS.iter().find(|h| h.0 == method) {
        Some((_, handler)) => handler(world, params),
        None => Err(Refusal { code: ErrorCode::MethodNotFound, why: format!("there is no method `{method}`") }),
    }
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, Refusal> {
    serde_json::from_value(params).map_err(|e| Refusal { code: ErrorCode::InvalidParams, why: e.to_string() })
}

fn value<T: Serialize>(answer: T) -> Answer {
    serde_json::to_value(answer).map_err(|e| Refusal { code: ErrorCode::InternalError, why: e.to_string() })
}

/// An open document, read.
pub(super) struct Open {
    pub(super) analysis: Rc<Analysis>,
    pub(super) place: Place,
}

impl World {
    pub(super) fn open(&mut self, uri: &str) -> Result<Open, Refusal> {
        let analysis = self.analysis(uri).ok_or_else(|| Refusal::failed(format!("{uri} is not open")))?;
        let place = self.place(uri, analysis.text());
        Ok(Open { analysis, place })
    }

    fn at(&mut self, p: &TextDocumentPositionParams) -> Result<(Open, usize), Refusal> {
        let open = self.open(&p.text_document.uri.0)?;
        let offset = open.place.offset(p.position);
        Ok((open, offset))
    }

    /// A place in any file of a unit, as a location.
    fn location(&self, open: &Open, file: crate::source::FileId, range: std::ops::Range<usize>) -> Option<Value> {
        let source = open.analysis.sources.file(file);
        let path = match &source.path {
            _ if file == open.analysis.root => {
                return Some(json!({ "uri": open.place.uri, "range": open.place.range(range) }));
            }
            Some(p) => p.clone(),
            None => self.scratch.write(&source.name, &source.text).ok()?,
        };
        let place = self.place(&self.now.uri_of(&path), &source.text);
        Some(json!({ "uri": place.uri, "range": place.range(range) }))
    }
}

fn on_hover(world: &mut World, params: Value) -> Answer {
    let p: HoverParams = read(params)?;
    let (open, offset) = world.at(&p.text_document_position_params)?;
    let found = hover::hover(&open.analysis, offset);
    value(found.map(|h| Hover { contents: markdown(h.text).into(), range: Some(open.place.range(h.range)) }))
}

fn on_completion(world: &mut World, params: Value) -> Answer {
    let p: CompletionParams = read(params)?;
    let (open, offset) = world.at(&p.text_document_position_params)?;
    let found = completion::complete(&open.analysis, offset, &|f| workspace::inside(f));
    let range = open.place.range(found.range);
    let snippets = world.client.snippets;
    let list = found.list.iter().enumerate();
    let items: Vec<_> = list.map(|(i, c)| open.place.completion(c, i, range, snippets)).collect();
    Ok(json!({ "isIncomplete": found.cut, "items": value(items)? }))
}

fn on_definition(world: &mut World, params: Value) -> Answer {
    let p: DefinitionParams = read(params)?;
    let (open, offset) = world.at(&p.text_document_position_params)?;
    let found = refer::definition(&open.analysis, offset);
    value(found.and_then(|(_, site)| world.location(&open, site.file, site.range)))
}

fn on_references(world: &mut World, params: Value) -> Answer {
    let p: ReferenceParams = read(params)?;
    let (open, offset) = world.at(&p.text_document_position_params)?;
    let Some((path, range)) = refer::identity(&open.analysis, offset) else {
        // Of the library: what this unit uses.
        let here = refer::highlights(&open.analysis, offset).into_iter();
        let all: Vec<Value> =
            here.map(|(r, _)| json!({ "uri": open.place.uri, "range": open.place.range(r) })).collect();
        return value(Some(all).filter(|a| !a.is_empty()));
    };
    let mut uses = refer::uses(&open.analysis, &path, &range);
    for other in workspace::importers(&world.now, &path, &open.analysis.path()) {
        for u in refer::uses(&other, &path, &range) {
            if !uses.contains(&u) {
                uses.push(u);
            }
        }
    }
    let mut places: BTreeMap<std::path::PathBuf, Option<Place>> = BTreeMap::new();
    let mut out = Vec::new();
    for u in uses.into_iter().filter(|u| p.context.include_declaration || !u.definition) {
        let place = places.entry(u.path.clone()).or_insert_with(|| world.place_at(&u.path));
        out.extend(place.as_ref().map(|at| json!({ "uri": at.uri, "range": at.range(u.range) })));
    }
    Ok(Value::Array(out))
}

fn on_highlight(world: &mut World, params: Value) -> Answer {
    let p: DocumentHighlightParams = read(params)?;
    let (open, offset) = world.at(&p.text_document_position_params)?;
    let found = refer::highlights(&open.analysis, offset).into_iter();
    // 3: written, 2: read.
    let all = found.map(|(r, def)| json!({ "range": open.place.range(r), "kind": if def { 3 } else { 2 } }));
    Ok(Value::Array(all.collect()))
}

fn on_prepare_rename(world: &mut World, params: Value) -> Answer {
    let p: PrepareRenameParams = read(params)?;
    let (open, offset) = world.at(&p.text_document_position_params)?;
    let (range, placeholder) = refer::renamable(&open.analysis, offset).map_err(Refusal::failed)?;
    Ok(json!({ "range": open.place.range(range), "placeholder": placeholder }))
}

fn on_rename(world: &mut World, params: Value) -> Answer {
    let p: RenameParams = read(params)?;
    let (open, offset) = world.at(&p.text_document_position_params)?;
    refer::renamable(&open.analysis, offset).map_err(Refusal::failed)?;
    let others = match refer::identity(&open.analysis, offset) {
        Some((path, _)) => workspace::importers(&world.now, &path, &open.analysis.path()),
        None => Vec::new(),
    };
    let edits =
        refer::rename(&open.analysis, offset, &p.new_name, &others, &|p| world.now.load(p)).map_err(Refusal::failed)?;
    world.workspace_edit(&open.place, &edits, &[]).ok_or_else(|| Refusal::failed("a file cannot be read"))
}

fn on_symbols(world: &mut World, params: Value) -> Answer {
    let p: DocumentSymbolParams = read(params)?;
    let open = world.open(&p.text_document.uri.0)?;
    value(outline::symbols(&open.analysis).iter().map(|s| open.place.symbol(s)).collect::<Vec<_>>())
}

/// The most symbols that one question brings.
const MOST_SYMBOLS: usize = 500;

fn on_workspace_symbols(world: &mut World, params: Value) -> Answer {
    let p: WorkspaceSymbolParams = read(params)?;
    let query = p.query.to_lowercase();
    let mut out: Vec<Value> = Vec::new();
    for (path, text) in workspace::programs(&world.now) {
        let parse = crate::syntax::parse(crate::source::FileId(0), &text);
        let place = world.place(&world.now.uri_of(&path), &text);
        for symbol in outline::of_file(&parse) {
            for s in std::iter::once(&symbol).chain(&symbol.children) {
                let fits = s.name.to_lowercase().contains(&query) && s.keyword != "use";
                if fits && out.len() < MOST_SYMBOLS {
                    out.push(json!({
                        "name": s.name,
                        "kind": symbol_kind(&s.keyword),
                        "containerName": if s.name_range == symbol.name_range { &s.keyword } else { &symbol.name },
                        "location": { "uri": place.uri, "range": place.range(s.name_range.clone()) },
                    }));
                }
            }
        }
    }
    Ok(Value::Array(out))
}

fn on_folds(world: &mut World, params: Value) -> Answer {
    let p: FoldingRangeParams = read(params)?;
    let open = world.open(&p.text_document.uri.0)?;
    let folds = structure::folds(&open.analysis).into_iter().map(|f| {
        let range = open.place.range(f.range);
        FoldingRange {
            start_line: range.start.line,
            // The line with the bracket stays.
            end_line: if f.comment { range.end.line } else { range.end.line.saturating_sub(1).max(range.start.line) },
            kind: f.comment.then_some(FoldingRangeKind::Comment),
            ..FoldingRange::default()
        }
    });
    value(folds.filter(|f| f.end_line > f.start_line).collect::<Vec<_>>())
}

fn on_selections(world: &mut World, params: Value) -> Answer {
    let p: SelectionRangeParams = read(params)?;
    let open = world.open(&p.text_document.uri.0)?;
    let all = p.positions.iter().map(|at| {
        let ranges = structure::selections(&open.analysis, open.place.offset(*at));
        ranges.into_iter().rev().fold(None, |parent: Option<SelectionRange>, r| {
            Some(SelectionRange { range: open.place.range(r), parent: parent.map(Box::new) })
        })
    });
    value(all.collect::<Vec<_>>())
}

fn on_tokens(world: &mut World, params: Value) -> Answer {
    let p: SemanticTokensParams = read(params)?;
    let open = world.open(&p.text_document.uri.0)?;
    let found = tokens::tokens(&open.analysis, 0..open.analysis.text().len());
    value(SemanticTokens { result_id: None, data: open.place.tokens(&found) })
}

fn on_tokens_in(world: &mut World, params: Value) -> Answer {
    let p: SemanticTokensRangeParams = read(params)?;
    let open = world.open(&p.text_document.uri.0)?;
    let found = tokens::tokens(&open.analysis, open.place.offsets(p.range));
    value(SemanticTokens { result_id: None, data: open.place.tokens(&found) })
}

fn on_hints(world: &mut World, params: Value) -> Answer {
    let p: InlayHintParams = read(params)?;
    let open = world.open(&p.text_document.uri.0)?;
    let found = hints::hints(&open.analysis, open.place.offsets(p.range), world.now.settings.hints);
    let all = found.into_iter().map(|h| InlayHint {
        position: open.place.position(h.at),
        label: h.text.into(),
        kind: (h.kind == HintKind::Shape).then_some(InlayHintKind::Type),
        text_edits: None,
        tooltip: Some(h.tooltip).filter(|t| !t.is_empty()).map(|t| markdown(t).into()),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    });
    value(all.collect::<Vec<_>>())
}

/// The lines that the layout changes, those that touch `within` if it is given.
fn layout(open: &Open, within: Option<std::ops::Range<u32>>) -> Answer {
    let formatted = fmt::mend(open.analysis.text()).text;
    let (before, after) = (diff::lines(open.analysis.text()), diff::lines(&formatted));
    let starts: Vec<usize> = std::iter::once(0)
        .chain(before.iter().scan(0, |at, l| {
            *at += l.len();
            Some(*at)
        }))
        .collect();
    let mut edits = Vec::new();
    for h in diff::hunks(&before, &after) {
        let range = open.place.range(starts[h.before.start]..starts[h.before.end]);
        let touches = within.as_ref().is_none_or(|w| range.start.line <= w.end && w.start <= range.end.line);
        if touches {
            edits.push(TextEdit { range, new_text: after[h.after].concat() });
        }
    }
    value(edits)
}

fn on_format(world: &mut World, params: Value) -> Answer {
    let p: DocumentFormattingParams = read(params)?;
    layout(&world.open(&p.text_document.uri.0)?, None)
}

fn on_format_range(world: &mut World, params: Value) -> Answer {
    let p: DocumentRangeFormattingParams = read(params)?;
    let open = world.open(&p.text_document.uri.0)?;
    layout(&open, Some(p.range.start.line..p.range.end.line))
}

fn on_actions(world: &mut World, params: Value) -> Answer {
    let p: CodeActionParams = read(params)?;
    let uri = p.text_document.uri.0;
    let open = world.open(&uri)?;
    let selection = open.place.offsets(p.range);
    let only: Option<Vec<String>> = match serde_json::to_value(&p.context.only) {
        Ok(Value::Array(all)) => Some(all.iter().filter_map(Value::as_str).map(str::to_string).collect()),
        _ => None,
    };
    let places =
        BTreeMap::from([(open.analysis.root, Place::of(&world.now, &open.analysis, open.analysis.root, &uri))]);
    let mut out = Vec::new();
    for a in actions::actions(&open.analysis, selection, &|p| world.now.load(p)) {
        let kind = match a.kind {
            ActionKind::QuickFix => "quickfix",
            ActionKind::FixAll => "source.fixAll",
            ActionKind::Extract => "refactor.extract",
            ActionKind::Inline => "refactor.inline",
            ActionKind::Rewrite => "refactor.rewrite",
        };
        let asked = |only: &Vec<String>| only.iter().any(|o| kind == o || kind.starts_with(&format!("{o}.")));
        if !only.as_ref().is_none_or(asked) {
            continue;
        }
        let Some(edit) = world.workspace_edit(&open.place, &a.edits, &a.creates) else { continue };
        let mut action = json!({ "title": a.title, "kind": kind, "edit": edit });
        if a.preferred {
            action["isPreferred"] = json!(true);
        }
        if let Some(d) = a.mends.map(|i| &open.analysis.diagnostics[i])
            && d.secondary.iter().all(|l| l.span.file == open.analysis.root)
        {
            action["diagnostics"] = json!([value(publish::shown(d, open.analysis.root, &places))?]);
        }
        out.push(action);
    }
    Ok(Value::Array(out))
}

fn on_lenses(world: &mut World, params: Value) -> Answer {
    let p: CodeLensParams = read(params)?;
    let uri = p.text_document.uri.0;
    let open = world.open(&uri)?;
    if !world.now.settings.lenses {
        return Ok(json!([]));
    }
    let all = lenses::lenses(&open.analysis).into_iter().map(|l| CodeLens {
        range: open.place.range(l.range),
        command: Some(Command {
            title: l.title.into(),
            tooltip: None,
            command: l.command.into(),
            arguments: Some(vec![json!(uri)]),
        }),
        data: None,
    });
    value(all.collect::<Vec<_>>())
}

/// What the server holds of a document, for tests that compare it with a fresh start.
fn on_state(world: &mut World, params: Value) -> Answer {
    let uri = params.pointer("/textDocument/uri").and_then(Value::as_str).unwrap_or_default().to_string();
    let open = world.open(&uri)?;
    let lines = open.analysis.text().lines().count() as u32;
    let end = open.place.offset(Position { line: lines, character: 0 });
    let root = open.analysis.root;
    let mut places = BTreeMap::new();
    let mut problems = Vec::new();
    for d in &open.analysis.diagnostics {
        let file = d.primary.as_ref().map_or(root, |p| p.span.file);
        for f in d.secondary.iter().map(|l| l.span.file).chain([file]) {
            places.entry(f).or_insert_with(|| Place::of(&world.now, &open.analysis, f, &uri));
        }
        problems.push(value(publish::shown(d, file, &places))?);
    }
    let hints: Vec<Value> = hints::hints(&open.analysis, 0..end, hints::Shown::default())
        .into_iter()
        .map(|h| json!([h.at, h.text]))
        .collect();
    let path = uri::path(&uri);
    Ok(json!({ "text": open.analysis.text(), "path": path, "problems": problems, "hints": hints }))
}
