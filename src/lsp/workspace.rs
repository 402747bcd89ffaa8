//! The programs of the workspace: on disk in its folders, and open.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::queue::Snapshot;
use crate::ide::Analysis;
use crate::source;

/// More programs than this are not looked at.
const MOST: usize = 2000;

/// Path and text of every program that can be read.
pub(super) fn programs(now: &Snapshot) -> Vec<(PathBuf, String)> {
    let mut paths = source::programs(&now.folders).unwrap_or_default();
    paths.truncate(MOST);
    for uri in now.documents.uris() {
        if let Some(d) = now.documents.get(uri)
            && now.documents.at_path(&d.path).is_some()
            && !paths.contains(&d.path)
        {
            paths.push(d.path.clone());
        }
    }
    paths.sort();
    paths.into_iter().filter_map(|p| now.load(&p).ok().map(|t| (p, t))).collect()
}

/// The other programs that may use what a file defines: those that import it, directly or through others.
pub(super) fn importers(now: &Snapshot, of: &Path, but: &Path) -> Vec<Analysis> {
    let all = programs(now);
    let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut wanted: HashSet<String> = HashSet::from([name(of)]);
    loop {
        let before = wanted.len();
        for (path, text) in &all {
            let lines = text.lines().filter(|l| l.trim_start().starts_with("use "));
            let uses = lines.filter_map(|l| l.split('"').nth(1)).any(|f| wanted.contains(&name(Path::new(f))));
            if uses {
                wanted.insert(name(path));
            }
        }
        if wanted.len() == before {
            break;
        }
    }
    let users = all.into_iter().filter(|(p, _)| p != but && wanted.contains(&name(p)));
    users.map(|(p, t)| Analysis::new(&t, &p, &|p| now.load(p))).collect()
}

/// What is in a folder, by name, folders with a `/` behind: what an attribute may name.
pub(super) fn inside(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().take(MOST).map(|e| {
        let name = e.file_name().to_string_lossy().into_owned();
        if e.path().is_dir() { format!("{name}/") } else { name }
    });
    let mut out: Vec<String> = names.filter(|n| !n.starts_with('.')).collect();
    out.sort();
    out
}
