//! What the machine has: memory and disk. Every answer is `None` where this system does not say; nothing here fails.
//!
//! On Linux, the limits of the process (`ulimit`) and of its control groups are included: the result is the memory that the kernel lets
//! this process use, not the memory that is installed.

use std::path::Path;

use super::limits;

/// Bytes of memory that this process may have at most.
pub fn total_memory() -> Option<u64> {
    let machine = meminfo("MemTotal");
    least(machine, limits::all().into_iter().map(|l| l.most).min())
}

/// Bytes of memory that can be had now without swapping.
pub fn available_memory() -> Option<u64> {
    let machine = meminfo("MemAvailable");
    least(machine, limits::all().into_iter().map(|l| l.most.saturating_sub(l.used)).min())
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

pub(super) fn kilobytes(text: &str, what: &str) -> Option<u64> {
    let rest = text.lines().find_map(|l| l.strip_prefix(what)?.strip_prefix(':'))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The resident memory of this process in bytes, now and at its peak.
pub fn resident() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some((kilobytes(&status, "VmRSS")?, kilobytes(&status, "VmHWM")?))
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
