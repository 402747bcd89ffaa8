//! Where the cursor stands in a text that is still being written: between which brackets, in which entry, after which sign. Read
//! from the words before the cursor alone, so that what is missing after it does not matter.

use crate::hir::schema::{self, ItemDef};
use crate::schema::{AttrDef, CallDef};
use crate::syntax::ast::ITEM_KEYWORDS;
use crate::{data, hir, ops, search};

/// A word or a sign before the cursor.
#[derive(Debug, Clone, PartialEq)]
struct Word<'t> {
    text: &'t str,
    quoted: bool,
}

/// What is open before the cursor.
#[derive(Debug, Clone)]
struct Frame<'t> {
    /// `{`, `(`, `[`, or nothing for the file.
    bracket: u8,
    /// The words of the entry up to the bracket: `stage c1 = conv`.
    head: Vec<Word<'t>>,
    /// The words of the entry that is being written inside.
    entry: Vec<Word<'t>>,
    /// Names of the entries or arguments before it.
    written: Vec<&'t str>,
    /// Commas so far.
    position: usize,
}

/// What is asked for at the cursor.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// An item keyword.
    Item,
    /// A part of a header: after `for`, `on`, `over`, `:`, or a name.
    Header { keyword: String, after: String, words: usize },
    /// The name of an entry of a body.
    Key { inside: Vec<Head>, written: Vec<String> },
    /// The value of an entry.
    Value { inside: Vec<Head>, key: String },
    /// A link of a chain, or a value to begin one with.
    Link { inside: Vec<Head>, first: bool },
    /// The name of a stage that a level is for, or of a nested entry.
    Name { inside: Vec<Head>, keyword: String, written: Vec<String> },
    /// An argument of a call.
    Argument {
        inside: Vec<Head>,
        callee: String,
        name: Option<String>,
        position: usize,
        written: Vec<String>,
        flow: bool,
    },
    /// A column or a copy, after the dot.
    Member { of: String, inside: Vec<Head> },
    /// A node of a topology.
    Node { source: bool, over: String },
    /// Nothing that could be told: a comment, a number, a new name.
    Nothing,
}

/// A keyword and the name after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub keyword: String,
    pub name: String,
    /// After `over`.
    pub over: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    pub wanted: Wanted,
    /// What is written of the word at the cursor; a quote is part of it.
    pub prefix: std::ops::Range<usize>,
}

/// Reads the text up to the cursor.
pub fn at(text: &str, offset: usize) -> Context {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let mut reader = Reader { text, frames: vec![Frame::new(0, Vec::new())], open: None, comment: false };
    reader.read(offset);
    let prefix = match reader.open {
        Some(quote) => quote..offset,
        None => word_before(text, offset)..offset,
    };
    let nothing = Context { wanted: Wanted::Nothing, prefix: prefix.clone() };
    // The word that is being written is no part of what stands before it.
    let Some(frame) = reader.frames.last_mut() else { return nothing };
    if !prefix.is_empty() {
        frame.entry.pop();
    }
    if reader.comment || text[prefix.clone()].starts_with(|c: char| c.is_ascii_digit()) {
        return nothing;
    }
    Context { wanted: wanted(&reader.frames), prefix }
}

fn word_before(text: &str, offset: usize) -> usize {
    let bytes = text.as_bytes();
    let mut start = offset;
    while start > 0 && (bytes[start - 1].is_ascii_alphanumeric() || bytes[start - 1] == b'_') {
        start -= 1;
    }
    start
}

impl<'t> Frame<'t> {
    fn new(bracket: u8, head: Vec<Word<'t>>) -> Frame<'t> {
        Frame { bracket, head, entry: Vec::new(), written: Vec::new(), position: 0 }
    }

    /// The entry is over.
    fn end(&mut self) {
        if let Some(first) = self.entry.first() {
            self.written.push(first.text);
        }
        self.entry.clear();
    }
}

struct Reader<'t> {
    text: &'t str,
    frames: Vec<Frame<'t>>,
    /// Where the string begins in which the cursor stands.
    open: Option<usize>,
    /// The cursor stands in a comment.
    comment: bool,
}

impl<'t> Reader<'t> {
    fn read(&mut self, end: usize) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        let mut line_start = true;
        while at < end {
            let byte = bytes[at];
            match byte {
                b'\n' | b'\r' => {
                    self.line_end(at, end);
                    line_start = true;
                    at += 1;
                    continue;
                }
                b' ' | b'\t' => at += 1,
                b'#' => {
                    let stop = self.text[at..end].find(['\n', '\r']).map_or(end, |n| at + n);
                    self.comment = stop == end && !self.text[at..end].contains(['\n', '\r']);
                    at = stop;
                }
                b'"' => {
                    let close = self.text[at + 1..end].find(['"', '\n', '\r']).map(|n| at + 1 + n);
                    match close {
                        Some(c) if bytes[c] == b'"' => {
                            self.push(&self.text[at + 1..c], true);
                            at = c + 1;
                        }
                        Some(c) => at = c,
                        None => {
                            self.open = Some(at);
                            self.push(&self.text[at..end], true);
                            at = end;
                        }
                    }
                }
                b'{' | b'(' | b'[' => {
                    let head = self.frames.last().map(|f| f.entry.clone()).unwrap_or_default();
                    self.frames.push(Frame::new(byte, head));
                    at += 1;
                }
                b'}' | b')' | b']' => {
                    self.close(byte);
                    at += 1;
                }
                b',' => {
                    if let Some(f) = self.frames.last_mut() {
                        f.end();
                        f.position += 1;
                    }
                    at += 1;
                }
                _ if byte.is_ascii_alphanumeric() || byte == b'_' => {
                    let stop =
                        (at..end).find(|i| !(bytes[*i].is_ascii_alphanumeric() || bytes[*i] == b'_')).unwrap_or(end);
                    let word = &self.text[at..stop];
                    if line_start && stop < end && ITEM_KEYWORDS.contains(&word) && begins_item(&bytes[stop..]) {
                        // A new item ends every bracket that was left open.
                        self.frames.truncate(1);
                        self.frames[0].end();
                    }
                    self.push(word, false);
                    at = stop;
                }
                _ => {
                    let sign =
                        ["->", "<-", "<=", ">=", "==", "!=", ".."].iter().find(|s| self.text[at..end].starts_with(**s));
                    let length =
                        sign.map_or_else(|| self.text[at..].chars().next().map_or(1, char::len_utf8), |s| s.len());
                    let stop = (at + length).min(end);
                    self.push(&self.text[at..stop], false);
                    at = stop;
                }
            }
            if !matches!(byte, b' ' | b'\t') {
                line_start = false;
            }
        }
    }

    fn push(&mut self, text: &'t str, quoted: bool) {
        if let Some(f) = self.frames.last_mut() {
            f.entry.push(Word { text, quoted });
        }
    }

    /// A line end ends an entry, unless a sign before or after it says that it goes on.
    fn line_end(&mut self, at: usize, end: usize) {
        let Some(f) = self.frames.last_mut() else { return };
        if f.bracket != b'{' && f.bracket != 0 {
            return;
        }
        let open = f.entry.last().is_some_and(|w| {
            !w.quoted && (["->", "=", "+", "-", "*", "/", "<-", "and", "or", "<=", ":"].contains(&w.text))
        });
        let rest = self.text[at..end].trim_start();
        let goes_on = ["->", "+", "*", "/"].iter().any(|s| rest.starts_with(s));
        if !open && !goes_on {
            f.end();
        }
    }

    fn close(&mut self, byte: u8) {
        let mate = match byte {
            b'}' => b'{',
            b')' => b'(',
            _ => b'[',
        };
        // A closing brace closes what was left open inside.
        let Some(i) = self.frames.iter().rposition(|f| f.bracket == mate) else { return };
        if byte != b'}' && i + 1 != self.frames.len() {
            return;
        }
        self.frames.truncate(i);
        if self.frames.is_empty() {
            self.frames.push(Frame::new(0, Vec::new()));
        }
        if let (b'}', Some(f)) = (byte, self.frames.last_mut()) {
            f.end();
        } else if byte != b'}' {
            self.push(if byte == b')' { ")" } else { "]" }, false);
        }
    }
}

fn begins_item(rest: &[u8]) -> bool {
    let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    rest.get(blanks)
        .is_some_and(|b| *b == b'{' || blanks > 0 && (b.is_ascii_alphabetic() || matches!(b, b'_' | b'"' | b'*')))
}

/// The heads of the bodies that are open, the outermost first.
fn heads(frames: &[Frame]) -> Vec<Head> {
    let bodies = frames.iter().filter(|f| f.bracket == b'{');
    bodies
        .map(|f| {
            let word = |i: usize| f.head.get(i).map_or(String::new(), |w| w.text.to_string());
            let over = f.head.iter().position(|w| w.text == "over").map_or(String::new(), |i| word(i + 1));
            Head { keyword: word(0), name: word(1), over }
        })
        .collect()
}

fn wanted(frames: &[Frame]) -> Wanted {
    let Some(frame) = frames.last() else { return Wanted::Nothing };
    let inside = heads(frames);
    let words: Vec<&str> = frame.entry.iter().map(|w| w.text).collect();
    if let [.., of, "."] = words.as_slice() {
        return Wanted::Member { of: of.to_string(), inside };
    }
    let written: Vec<String> = frame.written.iter().map(|w| w.to_string()).collect();
    match frame.bracket {
        0 => header(&words, inside),
        b'{' => entry(&words, inside, written),
        b'(' => argument(frames, inside, written),
        _ => {
            // A list is a value of the entry it stands in.
            let outer = &frames[..frames.len() - 1];
            let before: Vec<&str> = frame.head.iter().map(|w| w.text).collect();
            if let [.., of, "["] = words.as_slice() {
                return Wanted::Member { of: of.to_string(), inside };
            }
            match (outer.last().map(|f| f.bracket), before.as_slice()) {
                (Some(b'{'), [key, "=", of]) if !["metrics"].contains(key) => {
                    Wanted::Member { of: of.to_string(), inside }
                }
                (Some(b'{'), _) if before.contains(&"<-") => node(true, &inside),
                (Some(b'{'), [key, "=", ..]) => Wanted::Value { inside, key: key.to_string() },
                (Some(b'('), _) => argument(outer, inside, written),
                _ => Wanted::Nothing,
            }
        }
    }
}

fn node(source: bool, inside: &[Head]) -> Wanted {
    Wanted::Node { source, over: inside.last().map_or(String::new(), |h| h.over.clone()) }
}

fn header(words: &[&str], inside: Vec<Head>) -> Wanted {
    let Some(keyword) = words.first() else { return Wanted::Item };
    if *keyword == "mtl" {
        return Wanted::Nothing;
    }
    if words.contains(&"=") {
        let flow = matches!(*keyword, "block" | "head");
        let first = words.last() != Some(&"->");
        return match (flow, *keyword) {
            (true, _) => link(
                words,
                vec![Head { keyword: keyword.to_string(), name: String::new(), over: String::new() }],
                first,
            ),
            (_, key) => Wanted::Value { inside, key: key.to_string() },
        };
    }
    let markers = ["for", "on", "over", ":", "use", "search", "std", "topology", "*", "edition"];
    let after = words.iter().rev().find(|w| markers.contains(w)).unwrap_or(keyword);
    Wanted::Header { keyword: keyword.to_string(), after: after.to_string(), words: words.len() }
}

/// After a finished operand no link can stand.
fn link(words: &[&str], inside: Vec<Head>, first: bool) -> Wanted {
    match words.last() {
        Some(&("=" | "->" | "*")) => Wanted::Link { inside, first },
        _ => Wanted::Nothing,
    }
}

fn entry(words: &[&str], inside: Vec<Head>, written: Vec<String>) -> Wanted {
    let Some(here) = inside.last() else { return Wanted::Nothing };
    let flow_body = matches!(here.keyword.as_str(), "block" | "stage" | "head");
    if inside.iter().any(|h| h.keyword == "topology") {
        return node(words.contains(&"<-"), &inside);
    }
    match words {
        [] => Wanted::Key { inside, written },
        [key, "=", rest @ ..] => {
            let chain = flow_body && *key != "from";
            if chain {
                return link(words, inside, rest.last() != Some(&"->"));
            }
            Wanted::Value { inside, key: key.to_string() }
        }
        ["stage", .., "=" | "->" | "*"] => {
            let first = words.last() != Some(&"->");
            link(words, inside, first)
        }
        [keyword @ ("level" | "stage" | "column" | "heads" | "tree")] => {
            Wanted::Name { inside, keyword: keyword.to_string(), written }
        }
        _ => Wanted::Nothing,
    }
}

fn argument(frames: &[Frame], inside: Vec<Head>, written: Vec<String>) -> Wanted {
    let Some(frame) = frames.last() else { return Wanted::Nothing };
    let Some(callee) = frame.head.last().filter(|w| !w.quoted) else { return Wanted::Nothing };
    let words: Vec<&str> = frame.entry.iter().map(|w| w.text).collect();
    let outer = frames.len().checked_sub(2).map(|i| &frames[i]);
    let top = frame.head.first().map_or("", |w| w.text);
    // The parameters of a block, and the inputs of a backbone.
    if outer.is_some_and(|f| f.bracket == 0) && !frame.head.iter().any(|w| w.text == "=" || w.text == ":") {
        let after = if words.contains(&":") { ":" } else { "(" };
        return Wanted::Header { keyword: top.to_string(), after: after.to_string(), words: words.len() };
    }
    let body_flow =
        inside.last().is_some_and(|h| matches!(h.keyword.as_str(), "block" | "stage" | "head" | "backbone"))
            && !matches!(top, "from");
    let flow = body_flow || inside.is_empty() && matches!(top, "block" | "head") || top == "stage";
    let name = match words.as_slice() {
        [name, "=", ..] => Some(name.to_string()),
        _ => None,
    };
    let last = words.last().copied().unwrap_or_default();
    if words.len() > 1 && !["=", "+", "-", "*", "/", "->", ".."].contains(&last)
        || words.len() == 1 && last != "-" && name.is_none() && last != "["
    {
        return Wanted::Nothing;
    }
    Wanted::Argument { inside, callee: callee.text.to_string(), name, position: frame.position, written, flow }
}

/// The table of the body that is open: its attributes, its nested entries, and whether names of the user's own may stand there.
pub struct Table {
    pub attrs: Vec<&'static AttrDef>,
    pub nested: Vec<&'static ItemDef>,
    pub item: &'static ItemDef,
}

/// The table of the innermost body; `format` is that of the data set.
pub fn table(inside: &[Head], format: Option<&str>) -> Option<Table> {
    let mut item = schema::item(&inside.first()?.keyword)?;
    let mut attrs: Vec<&'static AttrDef> = item.attrs.iter().collect();
    let mut nested: Vec<&'static ItemDef> = item.nested.iter().collect();
    if item.keyword == "data"
        && let Some(f) = format.and_then(data::find)
    {
        attrs.extend(f.call.args);
    }
    if item.keyword == "search" {
        let strategy = search::strategy(&inside.first()?.name);
        attrs.extend(strategy.map(|s| s.call.args).unwrap_or_default());
        nested.retain(|_| strategy.is_none_or(|s| s.single));
    }
    for head in &inside[1..] {
        item = item.nested.iter().find(|n| n.keyword == head.keyword)?;
        attrs = item.attrs.iter().collect();
        nested = item.nested.iter().collect();
    }
    Some(Table { attrs, nested, item })
}

/// Every entry of every table whose entries are written like calls.
pub fn call_named(name: &str) -> Option<&'static CallDef> {
    let op = ops::find(name).map(|o| &o.call);
    let kind = || hir::KINDS.iter().find(|k| k.name == name);
    op.or_else(kind).or_else(|| super::docs::TOPICS.iter().flat_map(|t| (t.calls)()).find(|c| c.name == name))
}
