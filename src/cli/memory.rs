//! How much memory there is, and how much was used, as Linux tells. Elsewhere neither is known.

use std::fs;

/// Bytes that a process can still take without swapping.
pub(super) fn available() -> Option<u64> {
    let free = kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    // A container may be allowed less than there is; the file holds a number of bytes, or the word `max`.
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(limit.map_or(free, |limit: u64| limit.min(free)))
}

/// Begins to look for a new peak. Where the system refuses, the peak of [`peak`] is that of the whole process.
pub(super) fn reset_peak() {
    const PEAK: &str = "5";
    let _ = fs::write("/proc/self/clear_refs", PEAK);
}

/// The most bytes that this process has held in memory at once since [`reset_peak`].
pub(super) fn peak() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// The bytes in a line such as `VmHWM:  1234 kB`.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let text = "Name:\tzknn\nVmHWM:\t    1784 kB\nVmRSS:\t     900 kB\n";
        assert_eq!(kibibytes(text, "VmHWM:"), Some(1784 * 1024));
        assert_eq!(kibibytes(text, "VmSwap:"), None);
        assert_eq!(kibibytes(text, "Name:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells() {
        assert!(available() > Some(0) && peak() > Some(0));
    }
}
