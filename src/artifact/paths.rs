//! Paths of a spec as they read from another folder. By text alone: links are not followed, nothing need exist.

use std::path::{Component, Path, PathBuf};

/// `written`, which is relative to `base`, relative to `folder`; never absolute, with `/` between its parts.
pub fn rebased(written: &str, base: &Path, folder: &Path) -> String {
    let target = normal(&base.join(written));
    let from = normal(folder);
    // Two relative paths start in the same place; from a folder above it, its name is needed.
    let above = |p: &Path| p.components().any(|c| c == Component::ParentDir);
    if target.is_absolute() == from.is_absolute() && !above(without(&from, &target)) {
        return relative(&target, &from);
    }
    let whole = |p: &Path| normal(&std::path::absolute(p).unwrap_or_else(|_| p.to_path_buf()));
    relative(&whole(&base.join(written)), &whole(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }))
}

/// How many leading parts agree.
fn shared(a: &Path, b: &Path) -> usize {
    a.components().zip(b.components()).take_while(|(x, y)| x == y).count()
}

/// The rest of `a` after what it shares with `b`.
fn without<'a>(a: &'a Path, b: &Path) -> &'a Path {
    let mut rest = a.components();
    for _ in 0..shared(a, b) {
        rest.next();
    }
    rest.as_path()
}

fn relative(target: &Path, from: &Path) -> String {
    let up = without(from, target).components().map(|_| "..".to_string());
    let down = without(target, from).components().map(|c| c.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = up.chain(down).collect();
    if parts.is_empty() { ".".into() } else { parts.join("/") }
}

/// With `.` and `..` folded as far as that goes.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_folder_to_folder() {
        let at = |written, base, folder| rebased(written, Path::new(base), Path::new(folder));
        assert_eq!(at("data/celeba", "", ""), "data/celeba");
        assert_eq!(at("./data", "", ""), "data");
        assert_eq!(at("data", "specs", "specs/runs/1"), "../../data");
        assert_eq!(at("../data", "specs", "runs/1"), "../../data");
        assert_eq!(at("../../data", "specs", "runs/1"), "../../../data");
        assert_eq!(at("data", "../specs", "../out"), "../specs/data");
        assert_eq!(at("/srv/data", "/home/a", "/home/a/runs"), "../../../srv/data");
        assert_eq!(at(".", "", ""), ".");
        assert!(at("data", "specs", "../out").starts_with("../"));
        assert!(!at("/srv/data", "specs", "out").starts_with('/'));
    }
}
