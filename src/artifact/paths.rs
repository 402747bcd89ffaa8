//! Paths of a spec as they read from another folder. By text alone, and nothing need exist; but where a folder lies behind a link,
//! `..` leads out of the folder that the link points to, so real places are compared then.

use std::path::{Component, Path, PathBuf};

/// `written`, which is relative to `base`, relative to `folder`; never absolute, with `/` between its parts.
pub fn rebased(written: &str, base: &Path, folder: &Path) -> String {
    let (real_base, real_folder) = (real(base), real(folder));
    let linked = |path: &Path, real: &Path| normal(&whole(path)) != real;
    if linked(base, &real_base) || linked(folder, &real_folder) {
        return relative(&normal(&real_base.join(written)), &real_folder);
    }
    let target = normal(&base.join(written));
    let from = normal(folder);
    // Two relative paths start in the same place; from a folder above it, its name is needed.
    let above = |p: &Path| p.components().any(|c| c == Component::ParentDir);
    if target.is_absolute() == from.is_absolute() && !above(without(&from, &target)) {
        return relative(&target, &from);
    }
    relative(&normal(&whole(&base.join(written))), &normal(&whole(folder)))
}

/// From the root on; the empty path is the current folder.
fn whole(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Where a path really is: links followed as far as it exists.
fn real(path: &Path) -> PathBuf {
    let path = whole(path);
    for there in path.ancestors() {
        if let Ok(found) = there.canonicalize() {
            let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
            return normal(&found.join(rest));
        }
    }
    normal(&path)
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

    #[test]
    #[cfg(unix)]
    fn behind_a_link() {
        let place = tempfile::tempdir().expect("a folder");
        let path = |name: &str| place.path().join(name);
        for folder in ["home/data", "disk/deep/runs"] {
            std::fs::create_dir_all(path(folder)).expect("a folder");
        }
        std::fs::write(path("home/data/a.csv"), "a").expect("a file");
        std::os::unix::fs::symlink(path("disk/deep/runs"), path("home/runs")).expect("a link");
        let written = rebased("data/a.csv", &path("home"), &path("home/runs/1"));
        std::fs::create_dir(path("home/runs/1")).expect("a folder");
        assert!(path("home/runs/1").join(&written).exists(), "{written}");
    }
}
