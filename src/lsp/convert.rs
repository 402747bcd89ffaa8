//! From the plain data of `ide` to the protocol's types.

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, DocumentSymbol, InsertTextFormat, MarkupContent, MarkupKind, Position, Range,
    SemanticToken, SymbolKind, TextEdit,
};

use super::positions::{Encoding, Lines};
use crate::ide;
use crate::ide::completion::{Completion, CompletionKind, plain};
use crate::ide::outline::Symbol;

/// A text with the means to speak of places in it.
pub(super) struct Place {
    /// `None` where the client has no such file.
    pub(super) uri: Option<String>,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) lines: Lines,
    pub(super) encoding: Encoding,
}

impl Place {
    pub(super) fn position(&self, offset: usize) -> Position {
        self.lines.position(&self.text, offset, self.encoding)
    }

    pub(super) fn range(&self, range: std::ops::Range<usize>) -> Range {
        self.lines.range(&self.text, range, self.encoding)
    }

    pub(super) fn offset(&self, position: Position) -> usize {
        self.lines.offset(&self.text, position, self.encoding)
    }

    pub(super) fn offsets(&self, range: Range) -> std::ops::Range<usize> {
        let (a, b) = (self.offset(range.start), self.offset(range.end));
        a.min(b)..a.max(b)
    }

    pub(super) fn edits(&self, edits: &[ide::TextEdit]) -> Vec<TextEdit> {
        edits.iter().map(|e| TextEdit { range: self.range(e.range.clone()), new_text: e.text.clone() }).collect()
    }

    pub(super) fn symbol(&self, s: &Symbol) -> DocumentSymbol {
        #[allow(deprecated)]
        DocumentSymbol {
            name: s.name.clone(),
            detail: Some(if s.detail.is_empty() { s.keyword.clone() } else { format!("{} {}", s.keyword, s.detail) }),
            kind: symbol_kind(&s.keyword),
            tags: None,
            deprecated: None,
            range: self.range(s.whole.clone()),
            selection_range: self.range(s.name_range.clone()),
            children: Some(s.children.iter().map(|c| self.symbol(c)).collect()).filter(|c: &Vec<_>| !c.is_empty()),
        }
    }

    /// Each word relative to the one before.
    pub(super) fn tokens(&self, tokens: &[ide::tokens::Token]) -> Vec<SemanticToken> {
        let mut last = Position { line: 0, character: 0 };
        let mut out = Vec::with_capacity(tokens.len());
        for t in tokens {
            let Range { start, end } = self.range(t.range.clone());
            let delta_line = start.line - last.line;
            out.push(SemanticToken {
                delta_line,
                delta_start: if delta_line == 0 { start.character - last.character } else { start.character },
                length: end.character.saturating_sub(start.character),
                token_type: t.kind as u32,
                token_modifiers_bitset: u32::from(t.definition),
            });
            last = start;
        }
        out
    }

    pub(super) fn completion(&self, c: &Completion, at: usize, range: Range, snippets: bool) -> CompletionItem {
        let marked = c.snippet.contains('$');
        let (text, format) = match snippets && marked {
            true => (c.snippet.clone(), InsertTextFormat::Snippet),
            false => (plain(&c.snippet), InsertTextFormat::PlainText),
        };
        CompletionItem {
            label: c.label.clone(),
            kind: Some(completion_kind(c.kind)),
            detail: Some(c.detail.clone()).filter(|d| !d.is_empty()),
            documentation: Some(c.doc.clone()).filter(|d| !d.is_empty()).map(|d| markdown(d).into()),
            // The order is meant.
            sort_text: Some(format!("{at:04}")),
            filter_text: Some(match self.text[self.offsets(range)].starts_with('"') {
                true => plain(&c.snippet),
                false => c.label.clone(),
            }),
            insert_text_format: Some(format),
            text_edit: Some(TextEdit { range, new_text: text }.into()),
            ..CompletionItem::default()
        }
    }
}

pub(super) fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

fn completion_kind(kind: CompletionKind) -> CompletionItemKind {
    match kind {
        CompletionKind::Keyword => CompletionItemKind::Keyword,
        CompletionKind::Attribute => CompletionItemKind::Property,
        CompletionKind::Function => CompletionItemKind::Function,
        CompletionKind::Block => CompletionItemKind::Method,
        CompletionKind::Value => CompletionItemKind::EnumMember,
        CompletionKind::Name => CompletionItemKind::Variable,
        CompletionKind::Column => CompletionItemKind::Field,
        CompletionKind::File => CompletionItemKind::File,
        CompletionKind::Snippet => CompletionItemKind::Snippet,
    }
}

pub(super) fn symbol_kind(keyword: &str) -> SymbolKind {
    match keyword {
        "param" => SymbolKind::Constant,
        "use" => SymbolKind::Module,
        "data" | "schema" | "column" => SymbolKind::Namespace,
        "input" => SymbolKind::Variable,
        "task" => SymbolKind::Event,
        "block" => SymbolKind::Function,
        "backbone" | "topology" => SymbolKind::Class,
        "stage" => SymbolKind::Method,
        "head" => SymbolKind::Interface,
        "space" => SymbolKind::Enum,
        "level" | "heads" => SymbolKind::EnumMember,
        _ => SymbolKind::Object,
    }
}
