//! Hides what depends on the operating system: process groups and signals on Unix,
//! and a fallback that looks for the child's end now and then, and has Windows' own
//! `taskkill` end what it has started.

#[cfg(unix)]
pub use crate::terminal::when_lent;
#[cfg(not(unix))]
pub use other::when_lent;
#[cfg(not(unix))]
pub(crate) use other::{is_executable, isolate, signal, wait};
#[cfg(unix)]
pub(crate) use unix::{is_executable, isolate, signal, wait};

use std::ffi::OsStr;
use std::process::ExitStatus;

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// Whether it was told to end.
    pub(crate) cancelled: bool,
}

/// Whether two names are the same environment variable.
pub(crate) fn same_variable(a: &OsStr, b: &OsStr) -> bool {
    if cfg!(windows) { a.eq_ignore_ascii_case(b) } else { a == b }
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::path::Path;
    use std::process::{Child, Command, ExitStatus};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use rustix::io::Errno;
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

    use super::Ended;
    use crate::terminal::Borrower;
    use cancel::Cancel;

    pub(crate) fn is_executable(path: &Path) -> bool {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }

    /// Gives the child a process group of its own, so that a signal reaches
    /// the compilers and linkers that `go` starts, and a Ctrl-C of the
    /// terminal reaches them only through [`wait`].
    pub(crate) fn isolate(command: &mut Command) {
        command.process_group(0);
    }

    pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
        status.signal()
    }

    /// Waits for the leader of a process group; ends the group when `cancel`
    /// is raised. The child is a zombie until the last signal has been sent:
    /// its id cannot have gone to another process by then.
    pub(crate) fn wait(child: &mut Child, cancel: &Cancel) -> io::Result<Ended> {
        let group = Pid::from_child(child);
        let exited = AtomicBool::new(false);
        let running = || !exited.load(Ordering::SeqCst);
        let cancelled = thread::scope(|scope| {
            scope.spawn(|| {
                wait_for_end(group);
                cancel.announce(|| exited.store(true, Ordering::SeqCst));
            });
            cancel.wait_while(None, |cancelled| !cancelled && running());
            if !running() {
                return false;
            }
            // A group that is gone already is what the signals are for.
            let _ = kill_process_group(group, Signal::INT);
            // One that is stopped would not hear of it.
            let _ = kill_process_group(group, Signal::CONT);
            cancel.wait_while(Some(cancel.grace()), |_| running());
            // Also when the leader has ended: what it started may not have.
            let _ = kill_process_group(group, Signal::KILL);
            true
        });
        Ok(Ended { status: child.wait()?, cancelled })
    }

    /// Waits until a child has ended, and lends it the terminal meanwhile.
    fn wait_for_end(child: Pid) {
        let mut borrower = Borrower::new(child);
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(child), options) {
                Err(Errno::INTR) => {}
                Ok(Some(status)) if status.stopped() => {
                    // This time it is taken, so that it is told once.
                    let stop = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
                    let _ = waitid(WaitId::Pid(child), stop);
                    let signal = status.stopping_signal().and_then(Signal::from_named_raw);
                    if let Some(signal) = signal {
                        borrower.stopped(signal);
                    }
                }
                _ => return,
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::io;
    use std::path::Path;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::time::Duration;

    use super::Ended;
    use cancel::Cancel;

    /// How often the child is looked at.
    const INTERVAL: Duration = Duration::from_millis(10);

    pub(crate) fn is_executable(path: &Path) -> bool {
        path.is_file()
    }

    pub(crate) fn isolate(_command: &mut Command) {}

    /// Children share the console here: nobody is lent it.
    pub fn when_lent(_tell: fn(bool)) {}

    pub(crate) fn signal(_status: ExitStatus) -> Option<i32> {
        None
    }

    /// Ends a child with all that it has started: compilers and linkers that live on
    /// would hold the files open that are to be removed.
    fn end(child: &mut Child) -> io::Result<()> {
        let mut kill = Command::new("taskkill");
        kill.args(["/F", "/T", "/PID"]).arg(child.id().to_string());
        kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match kill.status() {
            Ok(status) if status.success() => Ok(()),
            _ => child.kill(),
        }
    }

    pub(crate) fn wait(child: &mut Child, cancel: &Cancel) -> io::Result<Ended> {
        loop {
            if let Some(status) = child.try_wait()? {
                let cancelled = false;
                return Ok(Ended { status, cancelled });
            }
            if cancel.wait_while(Some(INTERVAL), |cancelled| !cancelled) {
                end(child)?;
                let status = child.wait()?;
                let cancelled = true;
                return Ok(Ended { status, cancelled });
            }
        }
    }
}
