//! The peak of a process's own memory. What `wait4` tells would include its
//! children, and a compiler among them outweighs any of ours; the kernel's
//! high-water mark of the process alone is gone when it ends, so it is looked
//! at until then.

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
            while let Some(now) = high_water(process) {
                peak = Some(now);
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

/// Reads `VmHWM` (Linux, proc(5)); nothing for a process that has ended.
fn high_water(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}
