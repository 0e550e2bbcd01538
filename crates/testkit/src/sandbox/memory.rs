//! The peak of a process's own memory. What `wait4` tells would include its
//! children, and a compiler among them outweighs any of ours; the kernel's
//! high-water mark of the process alone is gone when it ends, so it is looked
//! at until then. What is mapped from files is not counted: of a program that is
//! not optimised its code outweighs all that it allocates, and how much of it is
//! resident depends on the kernel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A look every so often; the mark never goes down, so that only the growth
/// after the last look is missed.
const INTERVAL: Duration = Duration::from_millis(2);

/// Watches one process.
#[derive(Debug)]
pub(super) struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Option<u64>>,
}

impl Watch {
    pub(super) fn start(process: u32) -> Watch {
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut peak = None;
            // Where there is no such file the first look is the last.
            while let Some(now) = own_memory(process) {
                peak = peak.max(Some(now));
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::sleep(INTERVAL);
            }
            peak
        });
        Watch { ended, thread }
    }

    /// Returns the peak in bytes, if there was one to see.
    pub(super) fn finish(self) -> Option<u64> {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("watching does not panic")
    }
}

/// Returns the most memory that a process had resident until now, in bytes, without what
/// is mapped from files (`VmHWM` and `RssFile` of Linux, proc(5)); nothing for a process
/// that has ended. Of files no less is mapped later than at the peak, so that a peak
/// between two looks is seen.
#[must_use]
pub fn own_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kilobytes = |field| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    Some((kilobytes("VmHWM:")?.saturating_sub(kilobytes("RssFile:")?)) * 1024)
}
