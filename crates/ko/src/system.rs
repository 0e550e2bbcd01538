//! What depends on the operating system: directories by convention, and how
//! much memory there is.

use std::path::PathBuf;

/// The user's home.
pub(crate) fn home_dir(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
}

/// Where caches are kept: as Go's `os.UserCacheDir`.
pub(crate) fn cache_dir(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        let named = variable("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
        named.or_else(|| variable("HOME").map(|home| home.join(".cache")))
    }
}

/// How much memory, in bytes, this process and its children may take: the
/// machine's, or less where a control group says so. Where nothing is known,
/// as much as anybody could want: then only the number of jobs bounds a run.
pub(crate) fn memory() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok());
    machine.into_iter().chain(group).min().unwrap_or(u64::MAX)
}

/// The `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_proc() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       24576 kB\n"), Some(24576 * 1024));
        assert_eq!(total("nonsense"), None);
        assert!(memory() > 64 << 20);
    }

    #[test]
    fn directories_follow_the_variables() {
        let variable = |name: &str| match name {
            "HOME" | "USERPROFILE" => Some(PathBuf::from("/home/u")),
            _ => None,
        };
        assert_eq!(home_dir(variable), Some(PathBuf::from("/home/u")));
        if cfg!(target_os = "linux") {
            assert_eq!(cache_dir(variable), Some(PathBuf::from("/home/u/.cache")));
            let relative = |_: &str| Some(PathBuf::from("x"));
            assert_eq!(cache_dir(relative), Some(PathBuf::from("x/.cache")));
        }
    }
}
