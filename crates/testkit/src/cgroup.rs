//! A control group of Linux with a limit of memory, as containers have one:
//! what is run in it is killed by the kernel if it takes more. To make one
//! takes root, and the memory controller, of either version.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A group; it is removed on drop, when all that ran in it has ended.
#[derive(Debug)]
pub struct Cgroup {
    dir: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroup {
    /// Makes a group with a limit in bytes, and no swap beside it.
    ///
    /// # Panics
    /// If that is not possible here.
    #[must_use]
    pub fn new(limit: u64) -> Cgroup {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ko-test-{}-{count}", std::process::id());
        let one = own_group_of_version_one();
        let (parent, version) = match one {
            Some(parent) => (parent, Version::One),
            None => (PathBuf::from("/sys/fs/cgroup"), Version::Two),
        };
        if version == Version::Two {
            write(&parent.join("cgroup.subtree_control"), "+memory");
        }
        let dir = parent.join(name);
        if let Err(error) = fs::create_dir(&dir) {
            panic!("creation of the control group {}: {error}", dir.display());
        }
        let group = Cgroup { dir, version };
        let limit = limit.to_string();
        let (memory, swap, no_swap) = match version {
            Version::One => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", &*limit),
            Version::Two => ("memory.max", "memory.swap.max", "0"),
        };
        write(&group.dir.join(memory), &limit);
        // A kernel that does not count swap has no such file.
        if group.dir.join(swap).exists() {
            write(&group.dir.join(swap), no_swap);
        }
        group
    }

    /// The file that takes the number of a process that is to be in the group.
    #[must_use]
    pub fn procs(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// The words before those of a command that is to run in the group.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let script = format!("echo $$ >'{}' && exec \"$@\"", self.procs().display());
        ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
    }

    /// The most that all processes and the files that they read had in memory
    /// together, in bytes.
    ///
    /// # Panics
    /// If the kernel does not tell.
    #[must_use]
    pub fn peak(&self) -> u64 {
        let name = match self.version {
            Version::One => "memory.max_usage_in_bytes",
            Version::Two => "memory.peak",
        };
        read(&self.dir.join(name)).trim().parse().expect("a peak is a number")
    }

    /// How many processes the kernel has killed in the group.
    ///
    /// # Panics
    /// If the kernel does not tell.
    #[must_use]
    pub fn kills(&self) -> u64 {
        let name = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = read(&self.dir.join(name));
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.parse().ok()).expect("the kernel counts what it kills")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The last process may have ended only just now.
        for _ in 0..1000 {
            if fs::remove_dir(&self.dir).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// The directory of the memory group that this process is in, where there is
/// such a controller of the first version.
fn own_group_of_version_one() -> Option<PathBuf> {
    let groups = read(Path::new("/proc/self/cgroup"));
    let path = groups.lines().find_map(|line| line.split_once(":memory:"))?.1;
    let mount = Path::new("/sys/fs/cgroup/memory");
    let own = mount.join(path.trim_start_matches('/'));
    // In a container the path may be the one that the group has outside.
    Some(if own.is_dir() { own } else { mount.to_owned() })
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    if let Err(error) = fs::write(path, text) {
        panic!("{text:?} for {}: {error}", path.display());
    }
}
