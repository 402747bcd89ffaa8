//! Limits on the memory of this process on Linux: `ulimit -v`, `ulimit -d`, and its control groups, in both versions of the interface.
//! Other systems have no limits here.

use std::path::Path;

use super::machine::kilobytes;

/// A limit and its current use, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub most: u64,
    pub used: u64,
}

/// All limits that apply to this process.
pub fn all() -> Vec<Limit> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut out = of_process(&read("/proc/self/limits"), &read("/proc/self/status"));
    out.extend(of_groups(&read("/proc/self/cgroup"), Path::new("/sys/fs/cgroup")));
    out
}

/// The soft memory limits in `/proc/self/limits`, with the use from `/proc/self/status`.
fn of_process(limits: &str, status: &str) -> Vec<Limit> {
    // The names of the limits, and the lines with the amounts in use.
    const LIMITED: [(&str, &str); 2] = [("Max address space", "VmSize"), ("Max data size", "VmData")];
    let limit = |(name, counted): (&str, &str)| {
        let line = limits.lines().find_map(|l| l.strip_prefix(name))?;
        let most = line.split_whitespace().next()?.parse::<u64>().ok()?;
        Some(Limit { most, used: kilobytes(status, counted).unwrap_or(0) })
    };
    LIMITED.into_iter().filter_map(limit).collect()
}

/// The limits of the control groups in `/proc/self/cgroup` and of their parent groups, which apply as well.
fn of_groups(own: &str, root: &Path) -> Vec<Limit> {
    let mut out = Vec::new();
    for line in own.lines() {
        // "0::/a/b" in version 2; "7:memory:/a/b" in version 1.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(inside)) = (parts.next(), parts.next()) else { continue };
        // If both versions are mounted, version 2 has a separate folder.
        let (mounts, limits, used, cache): (&[&str], &[&str], _, _) = match controllers {
            "" => (&["", "unified"], &["memory.max", "memory.high"], "memory.current", "inactive_file"),
            c if c.split(',').any(|c| c == "memory") => {
                (&["memory"], &["memory.limit_in_bytes"], "memory.usage_in_bytes", "total_inactive_file")
            }
            _ => continue,
        };
        for mount in mounts {
            // Inside a container, the path may be that of the host and not exist here, so the root is always checked.
            for folder in Path::new(inside.trim_start_matches('/')).ancestors() {
                let folder = root.join(mount).join(folder);
                let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
                let Some(most) = limits.iter().filter_map(|l| number(l)).min() else { continue };
                // Cached files are released when memory is needed.
                let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
                let cached = stat.lines().find_map(|l| l.strip_prefix(cache)?.trim().parse::<u64>().ok()).unwrap_or(0);
                out.push(Limit { most, used: number(used).unwrap_or(0).saturating_sub(cached) });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_process() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max data size             unlimited            unlimited            bytes     \n\
                      Max address space         2097152000           unlimited            bytes     \n";
        let status = "VmSize:\t  1000 kB\nVmRSS:\t 10 kB\nVmData:\t 500 kB\n";
        assert_eq!(of_process(limits, status), [Limit { most: 2_097_152_000, used: 1_024_000 }]);
        let data = limits.replace("Max data size             unlimited", "Max data size             1000000  ");
        assert_eq!(of_process(&data, status)[1], Limit { most: 1_000_000, used: 512_000 });
        assert_eq!(of_process("", status), []);
    }

    /// A folder with the layout of the control groups of the kernel. `files` are pairs of a path and its contents.
    fn groups(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        root
    }

    #[test]
    fn nested_groups_of_version_2() {
        let root = groups(&[
            ("outer/memory.max", "1000\n"),
            ("outer/memory.current", "900\n"),
            ("outer/memory.stat", "anon 1\ninactive_file 300\n"),
            ("outer/inner/memory.max", "max\n"),
            ("outer/inner/memory.high", "800\n"),
            ("outer/inner/memory.current", "100\n"),
        ]);
        let found = of_groups("0::/outer/inner\n", root.path());
        assert_eq!(found, [Limit { most: 800, used: 100 }, Limit { most: 1000, used: 600 }]);
        // A path that does not exist in this container: the limit of the root applies.
        let root = groups(&[("memory.max", "5000"), ("memory.current", "7")]);
        assert_eq!(of_groups("0::/host/path", root.path()), [Limit { most: 5000, used: 7 }]);
        assert_eq!(of_groups("0::/", groups(&[]).path()), []);
    }

    #[test]
    fn groups_of_version_1_and_of_both() {
        let root = groups(&[
            ("memory/a/memory.limit_in_bytes", "4096"),
            ("memory/a/memory.usage_in_bytes", "1024"),
            ("memory/a/memory.stat", "total_inactive_file 24\n"),
            ("unified/b/memory.max", "2048"),
        ]);
        let found = of_groups("3:cpu,memory:/a\n2:cpu:/c\n0::/b\n", root.path());
        assert_eq!(found, [Limit { most: 4096, used: 1000 }, Limit { most: 2048, used: 0 }]);
    }
}
