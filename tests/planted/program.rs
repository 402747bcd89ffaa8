//! A program to spoil: its text, tree and typed view, and what may be planted.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use mtlc::artifact;
use mtlc::driver::{self, Compiled};
use mtlc::hir::Options;
use mtlc::source::{FileId, Span};
use mtlc::syntax::ast::{self, Arg, Entry, Expr, ExprKind, Name};
use mtlc::syntax::{Kind, SyntaxNode, SyntaxToken};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A mistake at a place.
#[derive(Clone, Default)]
pub struct Plant {
    /// Disjoint edits of the original text.
    pub edits: Vec<(Range<usize>, String)>,
    /// Other places of the original text that a message may point at.
    pub also: Vec<Range<usize>>,
    /// The word that was planted; a message that quotes it is about it.
    pub word: String,
    pub expect: Expect,
}

#[derive(Clone, Default)]
pub enum Expect {
    /// The text tells what was meant.
    #[default]
    Original,
    /// It does not; one of these must be named.
    Named(Vec<String>),
}

impl Plant {
    pub fn replace(range: Range<usize>, text: impl Into<String>) -> Plant {
        Plant { edits: vec![(range, text.into())], ..Plant::default() }
    }

    pub fn delete(range: Range<usize>) -> Plant {
        Plant::replace(range, "")
    }

    pub fn also(mut self, range: Range<usize>) -> Plant {
        self.also.push(range);
        self
    }

    pub fn word(mut self, word: impl Into<String>) -> Plant {
        self.word = word.into();
        self
    }

    pub fn named<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Plant {
        self.expect = Expect::Named(names.into_iter().map(Into::into).collect());
        self
    }
}

/// An attribute or a named argument: who it belongs to, its key and value.
pub struct Setting {
    /// The keyword of the item or nested entry, or the name of what is called.
    pub owner: String,
    /// The strategy, format or stage named in the header.
    pub of: String,
    pub key: Name,
    pub value: Expr,
    /// Of `key = value`.
    pub span: Range<usize>,
    pub argument: bool,
    /// Where the owner's header stands.
    pub header: Range<usize>,
}

pub struct Program {
    pub name: String,
    pub path: PathBuf,
    pub text: String,
    pub tree: SyntaxNode,
    pub file: ast::File,
    pub digest: String,
    /// What is said of it as it is.
    pub before: BTreeSet<(&'static str, String)>,
    /// Every identifier and string of the text.
    pub words: BTreeSet<String>,
    pub settings: Vec<Setting>,
    /// Every expression with the names of the attribute it stands in, outermost first.
    pub exprs: Vec<Expr>,
}

pub fn compile(path: &Path, text: &str) -> Compiled {
    driver::compile_text(text, path, &Options::default(), &driver::read)
}

/// The programs of these folders that check.
pub fn load(folders: &[&str]) -> Vec<Program> {
    let mut out = Vec::new();
    for folder in folders {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
            .expect("the folder is there")
            .map(|e| e.expect("it can be listed").path())
            .filter(|p| p.extension().is_some_and(|e| e == "mtl"))
            .collect();
        paths.sort();
        out.extend(paths.into_iter().filter_map(Program::read));
    }
    assert!(out.len() >= 14, "{} programs", out.len());
    out
}

impl Program {
    /// `None` for a program that the compiler refuses: of two data sets, which training does not support yet.
    fn read(path: PathBuf) -> Option<Program> {
        let text = std::fs::read_to_string(&path).expect("it was listed");
        let compiled = compile(&path, &text);
        let several = compiled.diagnostics.iter().any(|d| d.code.name() == "mtl::data::several");
        let Some(checked) = &compiled.checked else {
            assert!(several, "{} does not check", path.display());
            return None;
        };
        let digest = artifact::digest(&checked.spec);
        let before = compiled.diagnostics.iter().map(|d| (d.code.name(), d.message.clone())).collect();
        let parse = mtlc::syntax::parse(FileId(0), &text);
        let tree = parse.syntax();
        let file = parse.into_file();
        let mut program = Program {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            words: tree
                .descendants_with_tokens()
                .filter_map(|e| e.into_token())
                .filter(|t| matches!(t.kind(), Kind::Ident | Kind::Str))
                .map(|t| t.text().trim_matches('"').to_string())
                .collect(),
            path,
            text,
            tree,
            file: ast::File::default(),
            digest,
            before,
            settings: Vec::new(),
            exprs: Vec::new(),
        };
        for item in &file.items {
            program.item(item);
        }
        program.file = file;
        Some(program)
    }

    fn item(&mut self, item: &ast::Item) {
        let of = item.names.first().map(|n| n.text.clone()).unwrap_or_default();
        let end = item.body.as_ref().and_then(|b| b.span).map_or(item.span.end, |b| b.start);
        let header = item.span.start as usize..end as usize;
        let exprs = item.ty.iter().chain(&item.targets).chain(&item.value);
        exprs.for_each(|e| self.expr(e));
        for p in item.params.iter().flat_map(|p| &p.value) {
            p.ty.iter().chain(&p.default).for_each(|e| self.expr(e));
        }
        self.body(item.body.as_ref(), &item.keyword.text, &of, header);
    }

    fn body(&mut self, body: Option<&ast::Body>, owner: &str, of: &str, header: Range<usize>) {
        for entry in body.iter().flat_map(|b| &b.entries) {
            match entry {
                Entry::Attr(a) => {
                    self.settings.push(Setting {
                        owner: owner.to_string(),
                        of: of.to_string(),
                        key: a.key.clone(),
                        value: a.value.clone(),
                        span: a.span.range(),
                        argument: false,
                        header: header.clone(),
                    });
                    self.expr(&a.value);
                }
                Entry::Edge(e) => {
                    e.targets.iter().for_each(|t| self.expr(t));
                    self.expr(&e.source);
                }
                Entry::Nested(n) => {
                    n.value.iter().for_each(|e| self.expr(e));
                    let name = n.names.first().map(|n| n.text.clone()).unwrap_or_default();
                    let end = n.body.as_ref().and_then(|b| b.span).map_or(n.span.end, |b| b.start);
                    self.body(n.body.as_ref(), &n.keyword.text, &name, n.span.start as usize..end as usize);
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        self.exprs.push(expr.clone());
        match &expr.kind {
            ExprKind::List(items) | ExprKind::Chain(items) => items.iter().for_each(|e| self.expr(e)),
            ExprKind::Call { callee, args } => {
                let ExprKind::Path(path) = &callee.kind else { return };
                let owner = path.last().map(|n| n.text.clone()).unwrap_or_default();
                for Arg { name, value } in args {
                    if let Some(key) = name {
                        self.settings.push(Setting {
                            owner: owner.clone(),
                            of: String::new(),
                            key: key.clone(),
                            value: value.clone(),
                            span: key.span.range().start..value.span.range().end,
                            argument: true,
                            header: expr.span.range(),
                        });
                    }
                    self.expr(value);
                }
            }
            ExprKind::Index { base, items } => {
                self.expr(base);
                items.iter().for_each(|e| self.expr(e));
            }
            ExprKind::Unary { operand, .. } => self.expr(operand),
            ExprKind::Binary { left, right, .. } | ExprKind::Range { from: left, to: right } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Quantity { value, .. } => self.expr(value),
            _ => {}
        }
    }

    pub fn tokens(&self) -> impl Iterator<Item = SyntaxToken> {
        self.tree.descendants_with_tokens().filter_map(|e| e.into_token())
    }

    pub fn of_kind(&self, kind: Kind) -> Vec<SyntaxToken> {
        self.tokens().filter(|t| t.kind() == kind).collect()
    }

    pub fn nested(&self) -> impl Iterator<Item = (&ast::Item, &ast::Nested)> {
        self.file.items.iter().flat_map(|i| {
            i.body.iter().flat_map(|b| &b.entries).filter_map(move |e| match e {
                Entry::Nested(n) => Some((i, n)),
                _ => None,
            })
        })
    }

    pub fn items<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a ast::Item> {
        self.file.items.iter().filter(move |i| i.keyword.text == keyword)
    }

    /// The range of the lines that a span stands on, line end included, if nothing else stands there.
    pub fn whole_lines(&self, range: Range<usize>) -> Option<Range<usize>> {
        let start = self.text[..range.start].rfind('\n').map_or(0, |i| i + 1);
        let end = self.text[range.end..].find('\n').map_or(self.text.len(), |i| range.end + i + 1);
        let blank = |r: Range<usize>| self.text[r].trim().is_empty();
        (blank(start..range.start) && blank(range.end..end)).then_some(start..end)
    }
}

pub fn range(token: &SyntaxToken) -> Range<usize> {
    token.text_range().start().into()..token.text_range().end().into()
}

pub fn at(span: Span) -> Range<usize> {
    span.range()
}

/// One slip of the keyboard: a letter left out, doubled, exchanged with the next, or hit beside.
pub fn misspell(word: &str, rng: &mut ChaCha8Rng) -> String {
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let letters: Vec<char> = word.chars().collect();
    for _ in 0..50 {
        let mut new = letters.clone();
        let i = rng.random_range(0..letters.len());
        match rng.random_range(0..4) {
            0 => {
                new.remove(i);
            }
            1 => new.insert(i, letters[i]),
            2 if i + 1 < letters.len() => new.swap(i, i + 1),
            _ => {
                let row = ROWS.iter().find(|r| r.contains(letters[i]));
                let Some(row) = row else { continue };
                let at = row.find(letters[i]).unwrap_or(0);
                let beside = if at + 1 < row.len() { at + 1 } else { at - 1 };
                new[i] = row.as_bytes()[beside] as char;
            }
        }
        if new != letters && new.first().is_some_and(|c| c.is_ascii_alphabetic() || *c == '_') {
            return new.into_iter().collect();
        }
    }
    format!("{word}x")
}
