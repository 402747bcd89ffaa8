//! Where a name is defined, where it is used, and what has to change for it to be called otherwise.

use std::path::{Path, PathBuf};

use super::names::{DefId, Target, What};
use super::{Analysis, Loader, TextEdit, apply};
use crate::hir::build::quoted_if_needed;
use crate::source::{FileId, Span};
use crate::syntax::ast::ITEM_KEYWORDS;

/// A place in a file of the unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub file: FileId,
    pub range: std::ops::Range<usize>,
}

fn site(span: Span) -> Site {
    Site { file: span.file, range: span.range() }
}

/// Where what stands at an offset is defined, and the place that was asked about.
pub fn definition(analysis: &Analysis, offset: usize) -> Option<(std::ops::Range<usize>, Site)> {
    let names = analysis.names();
    let r = names.at(analysis.root, offset)?;
    let to = match r.to {
        Target::Def(id) | Target::Member(id) => site(names.def(id).span),
        Target::Column(id) => site(names.def(id).span),
        Target::File(file) => Site { file, range: 0..0 },
        _ => return None,
    };
    Some((r.span.range(), to))
}

/// What stands at an offset, as a place that other units know too: the file and the range of its definition.
pub fn identity(analysis: &Analysis, offset: usize) -> Option<(PathBuf, std::ops::Range<usize>)> {
    let names = analysis.names();
    let id = match names.at(analysis.root, offset)?.to {
        Target::Def(id) | Target::Member(id) => id,
        _ => return None,
    };
    let span = names.def(id).span;
    Some((analysis.sources.file(span.file).path.clone()?, span.range()))
}

/// The definition of an identity in a unit.
fn of_identity(analysis: &Analysis, path: &Path, range: &std::ops::Range<usize>) -> Option<DefId> {
    let names = analysis.names();
    names
        .defs
        .iter()
        .position(|d| d.span.range() == *range && analysis.sources.file(d.span.file).path.as_deref() == Some(path))
        .map(DefId)
}

/// One use of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub path: PathBuf,
    pub range: std::ops::Range<usize>,
    pub definition: bool,
    quoted: bool,
}

/// Every use in one unit of what is defined there.
pub fn uses(analysis: &Analysis, path: &Path, range: &std::ops::Range<usize>) -> Vec<Use> {
    let names = analysis.names();
    let Some(id) = of_identity(analysis, path, range) else { return Vec::new() };
    let of = |r: &&super::names::Ref| matches!(r.to, Target::Def(d) | Target::Member(d) if d == id);
    let mut out: Vec<Use> = names
        .refs
        .iter()
        .filter(of)
        .filter_map(|r| {
            Some(Use {
                path: analysis.sources.file(r.span.file).path.clone()?,
                range: r.span.range(),
                definition: r.span == names.def(id).span,
                quoted: r.quoted,
            })
        })
        .collect();
    out.dedup();
    out
}

/// The uses in the file itself.
pub fn highlights(analysis: &Analysis, offset: usize) -> Vec<(std::ops::Range<usize>, bool)> {
    let names = analysis.names();
    let Some(r) = names.at(analysis.root, offset) else { return Vec::new() };
    let (Target::Def(id) | Target::Member(id)) = r.to else { return Vec::new() };
    let here = names.in_file(analysis.root).iter();
    here.filter(|r| matches!(r.to, Target::Def(d) | Target::Member(d) if d == id))
        .map(|r| (r.span.range(), r.span == names.def(id).span))
        .collect()
}

/// The name that may be changed at an offset: its range, and how it is written now. Or why it may not.
pub fn renamable(analysis: &Analysis, offset: usize) -> Result<(std::ops::Range<usize>, String), String> {
    let names = analysis.names();
    let nothing = "there is no name here";
    let r = names.at(analysis.root, offset).ok_or(nothing)?;
    let id = match r.to {
        Target::Def(id) => id,
        Target::Member(id) if names.def(id).what == What::Stage => {
            return Err(format!(
                "`{}` stands for several stages: change the name where they are declared",
                names.def(id).name
            ));
        }
        Target::Member(_) | Target::Column(_) => return Err("this name comes from the data".into()),
        Target::Builtin(_) | Target::Keyword(_) | Target::Attr(_) | Target::Word => {
            return Err("this word belongs to the language".into());
        }
        Target::File(_) => return Err("files are not moved from here".into()),
        Target::Unknown => return Err("this name is not defined anywhere".into()),
    };
    let def = names.def(id);
    if def.what == What::Copy {
        return Err("copies are named in canonical order".into());
    }
    if def.many && def.what == What::Stage {
        return Err(format!("`{}` stands for several stages, whose names follow from it", def.name));
    }
    if analysis.sources.file(def.span.file).path.is_none() {
        return Err("this belongs to the standard library".into());
    }
    Ok((r.span.range(), def.name.clone()))
}

/// Edits by file.
pub type Edits = Vec<(PathBuf, Vec<TextEdit>)>;

/// Calls what stands at an offset by another name, in this unit and in others that use it. `Err` says why it cannot be: also where
/// a program would no longer check, or mean something else.
pub fn rename(
    analysis: &Analysis,
    offset: usize,
    name: &str,
    others: &[Analysis],
    load: Loader,
) -> Result<Edits, String> {
    let (_, old) = renamable(analysis, offset)?;
    let name = name.trim().trim_matches('"');
    if name.is_empty() || name.contains(['"', '\n', '\r', '\\']) {
        return Err("a name has at least one character, and no quotes or line ends".into());
    }
    if ITEM_KEYWORDS.contains(&name)
        || ["in", "out", "and", "or", "not", "true", "false", "for", "on", "over"].contains(&name)
    {
        return Err(format!("`{name}` is a word of the language"));
    }
    if name == old {
        return Ok(Vec::new());
    }
    let (path, range) = identity(analysis, offset).ok_or("this has no file")?;
    let mut all: Vec<Use> = uses(analysis, &path, &range);
    for other in others {
        for u in uses(other, &path, &range) {
            if !all.iter().any(|a| a.path == u.path && a.range == u.range) {
                all.push(u);
            }
        }
    }
    let mut edits: Edits = Vec::new();
    for u in all {
        let text = if u.quoted { format!("{name:?}") } else { quoted_if_needed(name) };
        let edit = TextEdit { range: u.range, text };
        match edits.iter_mut().find(|(p, _)| *p == u.path) {
            Some((_, list)) => list.push(edit),
            None => edits.push((u.path, vec![edit])),
        }
    }
    let changed = |p: &Path| {
        let text = load(p)?;
        Ok(match edits.iter().find(|(q, _)| q == p) {
            Some((_, list)) => apply(&text, list),
            None => text,
        })
    };
    for unit in std::iter::once(analysis).chain(others) {
        let path = unit.path();
        let text = match edits.iter().find(|(p, _)| *p == path) {
            Some((_, list)) => apply(unit.text(), list),
            None => unit.text().to_string(),
        };
        let after = Analysis::new(&text, &path, &changed);
        same(unit, &after).map_err(|why| format!("`{old}` cannot be called `{name}`: {why}"))?;
    }
    Ok(edits)
}

/// Whether two texts say the same but for names: the same problems, the same stages, the same costs.
pub fn same(before: &Analysis, after: &Analysis) -> Result<(), String> {
    let codes = |a: &Analysis| {
        let mut all: Vec<&str> = a.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code.name()).collect();
        all.sort_unstable();
        all
    };
    let (old, new) = (codes(before), codes(after));
    if new.len() > old.len() || new != old {
        let first = after
            .diagnostics
            .iter()
            .find(|d| d.is_error() && !before.diagnostics.iter().any(|b| b.message == d.message));
        return Err(first.map_or_else(|| "the program would not check any more".to_string(), |d| d.message.clone()));
    }
    let shape = |a: &Analysis| {
        let stages = a.spec().backbone.as_ref().map_or(0, |b| b.stages.len());
        let heads = a.spec().tasks.len();
        let of = |t: Option<&crate::check::Typed>| t.map(|t| (t.ty.to_string(), t.cost));
        let all: Vec<_> = (0..stages).map(|i| of(a.stage(i))).chain((0..heads).map(|i| of(a.head(i)))).collect();
        (all, a.supernet().map(|n| n.choices.len()))
    };
    if shape(before) != shape(after) {
        return Err("the program would mean something else".to_string());
    }
    Ok(())
}
