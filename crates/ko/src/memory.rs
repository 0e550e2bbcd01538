//! Finds out how much memory a run may use, which bounds how much is linked at a
//! time.

use std::fs;
use std::path::Path;

/// How much memory, in bytes, this process and its children may take: the
/// machine's, or less where a control group says so. Where nothing is known,
/// as much as anybody could want: then only the number of jobs bounds a run.
pub(crate) fn memory() -> u64 {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let machine = machine(read);
    let group = read(Path::new("/proc/self/cgroup")).and_then(|text| limit(&text, read));
    machine.into_iter().chain(group).min().unwrap_or(u64::MAX)
}

/// The memory of the machine.
#[cfg(target_os = "linux")]
fn machine(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    total(&read(Path::new("/proc/meminfo"))?)
}

/// The memory of the machine, where there is no `/proc`.
#[cfg(not(target_os = "linux"))]
fn machine(_read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
    Some(system.total_memory()).filter(|bytes| *bytes > 0)
}

/// The `MemTotal` of `/proc/meminfo`, in bytes.
#[cfg(any(target_os = "linux", test))]
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The least that the control groups of a process allow, in bytes: `groups` is
/// its `/proc/PID/cgroup` (cgroups(7)). A limit of a group holds for all below
/// it. In a container the path may be the one that it has outside; then what
/// is found is that of the root, which is the container's own.
fn limit(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let files = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next().unwrap_or("-"), parts.next().unwrap_or_default());
        let (mount, names): (&str, &[&str]) = match controllers {
            // Above `high` nobody is killed, but all are slowed down.
            "" => ("/sys/fs/cgroup", &["memory.max", "memory.high"]),
            list if list.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", &["memory.limit_in_bytes"])
            }
            _ => ("", &[]),
        };
        let groups = Path::new(path.trim_start_matches('/')).ancestors();
        groups.flat_map(move |group| {
            let dir = Path::new(mount).join(group);
            names.iter().map(move |name| dir.join(name))
        })
    });
    // A group without a limit says `max`, or a number beyond all memory.
    files.filter_map(|file| read(&file)?.trim().parse().ok()).min()
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
    fn the_least_limit_of_all_groups_above_counts() {
        let found = |groups: &str, files: &[(&str, &str)]| {
            limit(groups, |path| {
                let named = files.iter().find(|(name, _)| Path::new(name) == path);
                named.map(|(_, text)| (*text).to_owned())
            })
        };
        let two = "0::/a/b\n";
        let all = [
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/b/memory.high", "700\n"),
            ("/sys/fs/cgroup/a/memory.max", "500\n"),
            ("/sys/fs/cgroup/c/memory.max", "1\n"),
        ];
        assert_eq!(found(two, &all), Some(500));
        assert_eq!(found(two, &all[..2]), Some(700));
        assert_eq!(found(two, &[("/sys/fs/cgroup/memory.max", "9\n")]), Some(9));
        assert_eq!(found(two, &[]), None);
        let one = "5:cpu:/a\n4:memory:/a\n0::/\n";
        let limits = [
            ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "300\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(found(one, &limits), Some(300));
        assert_eq!(found(one, &limits[1..]), Some(9_223_372_036_854_771_712));
    }
}
