//! What the machine has: memory and disk. Every answer is `None` where this system does not say; nothing here fails.
//!
//! On Linux a container's limit counts as the machine's: what the kernel would let this process have, not what is built in.

use std::path::Path;

/// Bytes of memory that this process may have at most.
pub fn total_memory() -> Option<u64> {
    let machine = meminfo("MemTotal");
    least(machine, groups().into_iter().map(|g| g.limit).min())
}

/// Bytes of memory that can be had now without swapping.
pub fn available_memory() -> Option<u64> {
    let machine = meminfo("MemAvailable");
    least(machine, groups().into_iter().map(|g| g.limit.saturating_sub(g.used)).min())
}

/// Bytes that this user may still write to the file system on which `path` lies. The path need not exist: the nearest folder
/// above it that does is asked.
pub fn free_disk(path: &Path) -> Option<u64> {
    let whole = std::path::absolute(path).ok()?;
    let there = whole.ancestors().find(|p| p.exists())?;
    free_at(there)
}

#[cfg(unix)]
fn free_at(path: &Path) -> Option<u64> {
    let s = rustix::fs::statvfs(path).ok()?;
    s.f_bavail.checked_mul(s.f_frsize)
}

#[cfg(not(unix))]
fn free_at(_: &Path) -> Option<u64> {
    None
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}

/// A line of `/proc/meminfo`, in bytes.
fn meminfo(what: &str) -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/meminfo").ok()?, what)
}

fn kilobytes(text: &str, what: &str) -> Option<u64> {
    let rest = text.lines().find_map(|l| l.strip_prefix(what)?.strip_prefix(':'))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// A control group's memory limit, and what its processes use.
struct Group {
    limit: u64,
    used: u64,
}

/// The control groups that this process is in and that have a limit, in both versions of the interface.
fn groups() -> Vec<Group> {
    let Ok(own) = std::fs::read_to_string("/proc/self/cgroup") else { return Vec::new() };
    let mut out = Vec::new();
    for line in own.lines() {
        // "0::/a/b" in version 2; "7:memory:/a/b" in version 1.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(inside)) = (parts.next(), parts.next()) else { continue };
        let (root, limit, used, cache) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
            c if c.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            }
            _ => continue,
        };
        // Limits of the groups above hold too. Within a container the path may be the host's and lead nowhere; the root is asked
        // in any case.
        for folder in Path::new(inside.trim_start_matches('/')).ancestors() {
            let folder = Path::new(root).join(folder);
            let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
            let Some(limit) = number(limit) else { continue };
            // Cached files are given back when memory is wanted.
            let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let cached = stat.lines().find_map(|l| l.strip_prefix(cache)?.trim().parse::<u64>().ok()).unwrap_or(0);
            out.push(Group { limit, used: number(used).unwrap_or(0).saturating_sub(cached) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_meminfo() {
        let text = "MemTotal:        8000 kB\nMemFree:  100 kB\nMemAvailable:    4000 kB\n";
        assert_eq!(kilobytes(text, "MemAvailable"), Some(4000 * 1024));
        assert_eq!(kilobytes(text, "Mem"), None);
        assert_eq!(kilobytes(text, "Swap"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_knows() {
        let (total, available) = (total_memory().expect("total"), available_memory().expect("available"));
        assert!(0 < available && available <= total);
        assert!(free_disk(Path::new("no/such/folder/here")).is_some());
        assert_eq!(free_disk(Path::new(".")).is_some(), free_disk(Path::new("/")).is_some());
    }
}
