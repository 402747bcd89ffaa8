//! What a file declares, as a tree of symbols.

use super::Analysis;
use crate::syntax::Parse;
use crate::syntax::ast::{Entry, Item, Name, Nested};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub name: String,
    /// The keyword: `stage`.
    pub keyword: String,
    pub detail: String,
    pub whole: std::ops::Range<usize>,
    pub name_range: std::ops::Range<usize>,
    pub children: Vec<Symbol>,
}

pub fn symbols(analysis: &Analysis) -> Vec<Symbol> {
    of_file(analysis.parse())
}

/// The same of a file that was only read.
pub fn of_file(parse: &Parse) -> Vec<Symbol> {
    parse.items().iter().map(item).collect()
}

fn item(item: &Item) -> Symbol {
    let targets: Vec<String> = item.targets.iter().filter_map(|t| t.as_name()).map(|n| n.text).collect();
    let named = item.names.last().map(|n| n.text.clone());
    let name = named.unwrap_or_else(|| match targets.as_slice() {
        [] => item.keyword.text.clone(),
        all => format!("{} for {}", item.keyword.text, all.join(", ")),
    });
    let detail = item.over.as_ref().map_or(String::new(), |o| format!("over {}", o.text));
    let nested = item.body.iter().flat_map(|b| &b.entries).filter_map(|e| match e {
        Entry::Nested(n) => Some(nested(n)),
        _ => None,
    });
    symbol(&item.keyword, item.names.last(), name, detail, item.span.range(), nested.collect())
}

fn nested(n: &Nested) -> Symbol {
    let name = n.names.first().map_or_else(|| n.keyword.text.clone(), |n| n.text.clone());
    symbol(&n.keyword, n.names.first(), name, String::new(), n.span.range(), Vec::new())
}

fn symbol(
    keyword: &Name,
    name: Option<&Name>,
    text: String,
    detail: String,
    whole: std::ops::Range<usize>,
    children: Vec<Symbol>,
) -> Symbol {
    let at = name.unwrap_or(keyword).span.range();
    // An editor wants the name inside of the whole.
    let whole = whole.start.min(at.start)..whole.end.max(at.end);
    let text = if text.trim().is_empty() { keyword.text.clone() } else { text };
    Symbol { name: text, keyword: keyword.text.clone(), detail, whole, name_range: at, children }
}
