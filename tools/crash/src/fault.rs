//! What happens to a command: it dies at a system call, or the call fails. `strace` does
//! it, to ko alone: children go on by themselves. Or its disk goes.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// System calls, and how often a thread of ko may make them.
const CALLS: [(&str, u64); 18] = [
    ("openat", 60),
    ("read", 60),
    ("write", 60),
    ("writev", 10),
    ("close", 60),
    ("rename,renameat,renameat2", 3),
    ("unlink,unlinkat", 6),
    ("mkdir,mkdirat", 12),
    ("ftruncate", 3),
    ("utimensat", 6),
    ("flock", 6),
    ("statx,newfstatat,fstat", 60),
    ("getdents64", 8),
    ("sendto,sendmsg", 20),
    ("recvfrom,recvmsg", 20),
    ("connect", 4),
    ("fchmod,fchmodat", 3),
    ("clone,clone3,execve", 8),
];

/// How a call may fail. Threads wake each other by `write`, which never fails there, and
/// cannot be told from one to a file.
fn errors_of(calls: &str) -> &'static [&'static str] {
    match calls {
        "openat" => &["EIO", "ENOSPC", "EMFILE", "ENFILE", "EACCES"],
        "mkdir,mkdirat" | "rename,renameat,renameat2" => &["EIO", "ENOSPC", "EDQUOT", "EROFS"],
        "read" | "statx,newfstatat,fstat" | "getdents64" | "unlink,unlinkat" => &["EIO"],
        "ftruncate" => &["EIO", "ENOSPC"],
        "utimensat" | "fchmod,fchmodat" => &["EIO", "EPERM", "EROFS"],
        "flock" => &["ENOLCK", "EIO"],
        "connect" => &["ECONNREFUSED", "EMFILE"],
        _ => &[],
    }
}

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Something at the system call of this number in a thread.
    Call {
        calls: &'static str,
        number: u64,
        /// `None`: the process is killed.
        error: Option<&'static str>,
    },
    /// The power of the disk is cut after this time, which may be after the end.
    Power(Duration),
}

impl Fault {
    pub(crate) fn random(rng: &mut Rng, power: bool) -> Self {
        if power {
            // Most commands have ended after the first of these times.
            let most = if rng.bool() { 300 } else { 3000 };
            return Self::Power(Duration::from_millis(rng.u64(20..most)));
        }
        let (calls, most) = CALLS[rng.usize(..CALLS.len())];
        let number = rng.u64(1..=most);
        let errors = errors_of(calls);
        let fails = rng.u8(..4) == 0 && !errors.is_empty();
        let error = fails.then(|| errors[rng.usize(..errors.len())]);
        Self::Call { calls, number, error }
    }

    /// Whether the process dies of it.
    pub(crate) fn kills(&self) -> bool {
        matches!(self, Self::Call { error: None, .. })
    }

    /// The words before those of the command.
    pub(crate) fn words(&self) -> Vec<String> {
        let Self::Call { calls, number, error } = self else { return Vec::new() };
        let what = match error {
            Some(error) => format!("error={error}"),
            None => "signal=KILL".to_owned(),
        };
        let inject = format!("inject={calls}:{what}:when={number}");
        let trace = format!("trace={calls}");
        let words = ["strace", "-f", "-qq", "-b", "execve", "-o", "/dev/null", "-e", &trace, "-e"];
        words.iter().map(|&word| word.to_owned()).chain([inject]).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { calls, number, error } => {
                write!(f, "{} at {calls} {number}", error.unwrap_or("killed"))
            }
            Self::Power(after) => write!(f, "no power after {after:?}"),
        }
    }
}
