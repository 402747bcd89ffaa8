//! Gathers the items of a file and of all it imports. Reading files is a closure of the caller's, so that an editor's unsaved
//! text counts. Imports are by path relative to the importing file; a cycle is an error, a file imported twice counts once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::diag::{Applicability, Diagnostic, Diagnostics, codes, suggest};
use crate::source::{FileId, SourceMap, Span, normal};
use crate::syntax::{self, Parse, ast};

/// Imports may follow one another this deep, and a spec may read this many files and bytes: what goes on is a mistake, or meant to
/// wear the compiler out.
const MAX_DEPTH: usize = 50;
const MAX_FILES: usize = 500;
const MAX_BYTES: usize = 4 * syntax::MAX_BYTES;

/// Reads a file as text.
pub type Loader<'a> = &'a dyn Fn(&Path) -> std::io::Result<String>;

/// An item with where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub item: ast::Item,
    pub base: PathBuf,
    /// Part of the standard library: may be shadowed, is not written into derived files.
    pub library: bool,
}

/// Everything a compilation reads.
#[derive(Debug, Default)]
pub struct Gathered {
    pub items: Vec<Loaded>,
    /// `topology` items brought by `use topology`.
    pub topologies: Vec<Loaded>,
}

pub struct Importer<'a> {
    pub sources: &'a mut SourceMap,
    pub load: Loader<'a>,
    pub diags: &'a mut Diagnostics,
    done: HashMap<PathBuf, ()>,
    topologies_done: HashMap<PathBuf, ()>,
    stack: Vec<(PathBuf, Option<Span>)>,
    library: HashMap<&'static str, ()>,
    /// Files read, and their bytes.
    files: usize,
    bytes: usize,
    out: Gathered,
}

impl<'a> Importer<'a> {
    pub fn new(sources: &'a mut SourceMap, load: Loader<'a>, diags: &'a mut Diagnostics) -> Self {
        Importer {
            sources,
            load,
            diags,
            done: HashMap::new(),
            topologies_done: HashMap::new(),
            stack: Vec::new(),
            library: HashMap::new(),
            files: 0,
            bytes: 0,
            out: Gathered::default(),
        }
    }

    /// The items of the root, which was read already, and of its imports, in reading order.
    pub fn gather(mut self, parsed: &Parse, path: Option<&Path>) -> Gathered {
        let base = path.and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
        if let Some(p) = path {
            self.stack.push((normal(p), None));
        }
        self.diags.extend(parsed.diagnostics.iter().cloned());
        self.items(parsed.file(), &base, false);
        // The prelude: blocks of the library are always in scope, and may be shadowed.
        self.module("prelude", None);
        self.out
    }

    fn items(&mut self, file: ast::File, base: &Path, library: bool) {
        for item in file.items {
            if item.keyword.text == "use" {
                // Kept as well as followed: whoever writes the spec out again must know where imports stood.
                if names_a_source(&item) {
                    self.out.items.push(Loaded { item: item.clone(), base: base.to_path_buf(), library });
                }
                self.import(&item, base);
            } else {
                self.out.items.push(Loaded { item, base: base.to_path_buf(), library });
            }
        }
    }

    fn import(&mut self, item: &ast::Item, base: &Path) {
        match item.names.as_slice() {
            [name] if name.quoted => self.file(&name.text, name.span, base, false),
            [word, name] if word.text == "topology" && name.quoted => self.file(&name.text, name.span, base, true),
            [word, name] if word.text == "std" => self.module_by_name(&name.text, name.span),
            [name] if name.text.starts_with("std.") => self.module_by_name(&name.text[4..], name.span),
            [name] | [_, name] if name.text.ends_with(".mtl") => {
                let d = Diagnostic::new(codes::SYNTAX_HEADER, name.span, "the name of a file stands in quotes");
                self.diags.push(d.label("not quoted").quote(name.span, Applicability::Safe));
                self.file(&name.text, name.span, base, item.names.len() > 1);
            }
            _ => self.diags.push(
                Diagnostic::new(
                    codes::SYNTAX_HEADER,
                    item.span,
                    "this import names neither a file nor a library module",
                )
                .help("write `use \"file.mtl\"`, `use std.resnet18`, or `use topology \"derived.mtl\"`"),
            ),
        }
    }

    fn module_by_name(&mut self, name: &str, span: Span) {
        if self.module(name, Some(span)) {
            return;
        }
        let names: Vec<&str> = crate::std::modules().iter().map(|m| m.0).filter(|m| *m != "prelude").collect();
        let mut d =
            Diagnostic::new(codes::IMPORT_NOT_FOUND, span, format!("the standard library has no module `{name}`"));
        d = match suggest::nearest(name, names.iter().copied()) {
            Some(near) => d.label(format!("did you mean `std.{near}`?")).fix(
                format!("replace it with `std.{near}`"),
                span,
                format!("std.{near}"),
                suggest::certainty(name, near, names.iter().copied()),
            ),
            None => d.help(format!("modules: {}", suggest::listing(names))),
        };
        self.diags.push(d);
    }

    fn module(&mut self, name: &str, _from: Option<Span>) -> bool {
        let Some((name, text)) = crate::std::modules().iter().find(|m| m.0 == name) else { return false };
        if self.library.insert(name, ()).is_some() {
            return true;
        }
        let id = self.sources.add(format!("std/{name}.mtl"), None, *text);
        let file = library(name, id, text);
        self.items(file, Path::new(""), true);
        true
    }

    fn file(&mut self, name: &str, span: Span, base: &Path, topology_only: bool) {
        let path = base.join(name);
        let key = normal(&path);
        if let Some(at) = self.stack.iter().position(|(p, _)| *p == key) {
            let chain: Vec<String> = self.stack[at..]
                .iter()
                .map(|(p, _)| p)
                .chain([&key])
                .map(|p| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned())
                .collect();
            self.diags.push(
                Diagnostic::new(
                    codes::IMPORT_CYCLE,
                    span,
                    format!("this import closes a circle: {}", chain.join(" -> ")),
                )
                .label("imports a file that is still being read")
                .help("move what both need into a third file and import that"),
            );
            return;
        }
        let seen = if topology_only { &mut self.topologies_done } else { &mut self.done };
        if seen.contains_key(&key) {
            return;
        }
        if key.extension().is_none_or(|e| e != "mtl") {
            self.diags.push(
                Diagnostic::new(codes::IMPORT_NOT_FOUND, span, format!("`{name}` is not the name of an `.mtl` file"))
                    .label("not read")
                    .help("only programs are imported; data are named in a `data` item"),
            );
            return;
        }
        let limit = match () {
            _ if self.stack.len() > MAX_DEPTH => Some(format!("imports follow one another more than {MAX_DEPTH} deep")),
            _ if self.files >= MAX_FILES => Some(format!("this spec imports more than {MAX_FILES} files")),
            _ if self.bytes >= MAX_BYTES => Some(format!("this spec imports more than {} MiB", MAX_BYTES >> 20)),
            _ => None,
        };
        if let Some(message) = limit {
            self.diags.push(
                Diagnostic::new(codes::IMPORT_NOT_FOUND, span, message)
                    .label("not read")
                    .help("put what belongs together into one file"),
            );
            return;
        }
        let text = match (self.load)(&path) {
            Ok(t) => t,
            Err(e) => {
                self.diags.push(
                    Diagnostic::new(codes::IMPORT_NOT_FOUND, span, format!("cannot read `{name}`: {}", reason(&e)))
                        .label(format!("looked for {}", path.display()))
                        .help("paths are relative to the file that they stand in"),
                );
                return;
            }
        };
        if !begins_as_program(&text) {
            self.diags.push(
                Diagnostic::new(codes::IMPORT_NOT_FOUND, span, format!("`{name}` is not a program"))
                    .label("does not begin with `mtl 1`")
                    .help("correct the path, or write the edition on the first line of that file"),
            );
            return;
        }
        self.files += 1;
        self.bytes += text.len();
        let id = self.sources.add(path.display().to_string(), Some(&path), text.clone());
        let parsed = syntax::parse(id, &text);
        self.diags.extend(parsed.diagnostics.iter().cloned());
        self.stack.push((key.clone(), Some(span)));
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        if topology_only {
            let found: Vec<ast::Item> =
                parsed.file().items.into_iter().filter(|i| i.keyword.text == "topology").collect();
            if found.is_empty() {
                self.diags.push(
                    Diagnostic::new(codes::IMPORT_NO_TOPOLOGY, span, format!("`{name}` holds no topology"))
                        .help("derive one with `mtlc derive RUN -o FILE`, or import the whole file with `use \"...\"`"),
                );
            }
            let loaded = found.into_iter().map(|item| Loaded { item, base: folder.clone(), library: false });
            self.out.topologies.extend(loaded);
            self.topologies_done.insert(key, ());
        } else {
            self.done.insert(key, ());
            self.items(parsed.file(), &folder, false);
        }
        self.stack.pop();
    }
}

/// Whether a text says that it is a program. One that does not is another's file, whatever it is called: its lines are not
/// shown, which diagnostics of it would do.
fn begins_as_program(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.split(['\n', '\r']).map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.next().is_some_and(|l| l.strip_prefix("mtl").is_some_and(|rest| rest.starts_with([' ', '\t'])))
}

/// A module of the library, read once for each place among the sources that it was given.
fn library(name: &'static str, id: FileId, text: &str) -> ast::File {
    thread_local! {
        static READ: RefCell<HashMap<(&'static str, FileId), ast::File>> = RefCell::default();
    }
    READ.with_borrow_mut(|all| {
        // Most specs give it one of a few places; one that imports many files does not fill the memory.
        if all.len() > 64 {
            all.clear();
        }
        all.entry((name, id)).or_insert_with(|| syntax::parse(id, text).into_file()).clone()
    })
}

/// Whether a `use` has one of the forms that [`Importer::import`] follows.
fn names_a_source(item: &ast::Item) -> bool {
    match item.names.as_slice() {
        [name] => name.quoted || name.text.starts_with("std."),
        [word, name] => word.text == "std" || (word.text == "topology" && name.quoted),
        _ => false,
    }
}

/// "no such file" rather than an operating system's number.
fn reason(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        _ => e.to_string(),
    }
}
