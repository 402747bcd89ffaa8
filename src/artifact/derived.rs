//! A derived file: the spec as the user wrote it, without its space and search, with the topology that was found. It stands on its
//! own (frozen schemas embedded, imports in place) and is a file like any other: it checks, draws, retrains.

use std::path::Path;

use super::provenance::Provenance;
use super::topology_text::{self, topology_text};
use super::{paths, written};
use crate::data::vocabulary::Sidecar;
use crate::diag::Diagnostics;
use crate::hir::{self, Options, Spec, Topology};
use crate::source::SourceMap;

/// What a derived file is made from.
#[derive(Debug, Clone, Copy)]
pub struct Derivation<'a> {
    pub sources: &'a SourceMap,
    /// The spec that was searched, or any other to give a fixed topology to.
    pub spec: &'a Spec,
    pub topology: &'a Topology,
    /// The folder that the file will stand in: paths are written relative to it.
    pub folder: &'a Path,
    pub provenance: &'a Provenance,
}

/// The text of the file, laid out by the formatter; the same bytes for the same inputs.
pub fn derived_file(of: Derivation) -> String {
    let Derivation { sources, spec, topology, folder, provenance } = of;
    let schemas = schemas(spec, folder);
    let items = written::text(sources, spec, folder, written::DERIVED);
    let topology = topology_text(spec, topology);
    let whole = |provenance: &str| format!("mtl 1\n\n{provenance}\n{schemas}\n{items}\n\n{topology}");
    // The digest of a file is that of the text read back, whatever was put into it.
    let text = whole(&provenance.text(&read_back(&whole(""), &vocabularies(spec))));
    crate::fmt::format(&text).unwrap_or(text)
}

/// The spec with a topology that was not found but drawn or taken as it comes (a baseline), to stand in `folder` beside its
/// weights: copies keep their names, because weights are called by them, so the text is not the canonical one.
pub fn network_file(sources: &SourceMap, spec: &Spec, topology: &Topology, folder: &Path) -> String {
    let items = written::text(sources, spec, folder, written::DERIVED);
    let text = format!("mtl 1\n\n{}\n{items}\n\n{}", schemas(spec, folder), topology_text::plain(spec, topology));
    crate::fmt::format(&text).unwrap_or(text)
}

/// The spec as one file that stands on its own in `folder`: imports in place, frozen schemas and set parameters written.
pub fn program_file(sources: &SourceMap, spec: &Spec, folder: &Path) -> String {
    with_schemas(sources, spec, folder, &schemas(spec, folder))
}

/// The same file without schemas, for a training on other rows of the same files: their facts differ.
pub fn unfrozen_file(sources: &SourceMap, spec: &Spec, folder: &Path) -> String {
    with_schemas(sources, spec, folder, "")
}

fn with_schemas(sources: &SourceMap, spec: &Spec, folder: &Path, schemas: &str) -> String {
    let imported = |w: &&hir::Written| w.item.keyword.text == "topology";
    let topology = match &spec.topology {
        // Brought by `use topology`: its own item is not among the user's.
        Some(t) if !spec.written.iter().any(|w| imported(&w)) => topology_text(spec, t),
        _ => String::new(),
    };
    let items = written::text(sources, spec, folder, &["schema"]);
    let text = format!("mtl 1\n\n{schemas}\n{items}\n\n{topology}");
    crate::fmt::format(&text).unwrap_or(text)
}

/// All schemas, written in the spec or frozen from the data: always in one place, so that it makes no difference which.
fn schemas(spec: &Spec, folder: &Path) -> String {
    let mut out = String::new();
    for d in &spec.data {
        let Some(mut schema) = d.schema.clone() else { continue };
        for file in &mut schema.files {
            file.path = paths::rebased(&file.path, &d.base, folder);
        }
        out.push_str(&schema.to_mtl(&d.name));
        out.push('\n');
    }
    out
}

/// The files that every program with the schemas of this spec needs in its folder: large vocabularies.
pub fn vocabularies(spec: &Spec) -> Vec<Sidecar> {
    spec.data.iter().filter_map(|d| d.schema.as_ref()?.sidecar(&d.name)).collect()
}

/// Reads a vocabulary file from `all`, before it is on disk; other paths are read with `load`.
pub fn beside(
    all: &[Sidecar],
    path: &Path,
    load: &dyn Fn(&Path) -> std::io::Result<String>,
) -> std::io::Result<String> {
    match all.iter().find(|v| path.file_name().is_some_and(|n| n == v.name.as_str())) {
        Some(v) => Ok(v.text.clone()),
        None => load(path),
    }
}

fn read_back(text: &str, beside_it: &[Sidecar]) -> Spec {
    let mut sources = SourceMap::default();
    let root = sources.add("derived.mtl", None, text);
    let nothing = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let load = |path: &Path| beside(beside_it, path, &nothing);
    let parse = crate::syntax::parse(root, text);
    hir::lower(root, &parse, None, &mut sources, &load, &Options::default(), &mut Diagnostics::default())
}
