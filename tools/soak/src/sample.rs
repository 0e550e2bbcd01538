//! What is measured at a time.

use std::fmt;

/// What ko may keep of `KOCACHE_MAX_SIZE` bytes, and what its last runs have used.
pub(crate) const CACHE: u64 = 32 << 20;

/// How much more may be resident in the end, in bytes: an allocator keeps some of what it
/// had at the worst moment.
const MEMORY: u64 = 24 << 20;

/// How many more files may be open.
const FILES: usize = 8;

/// What the process that watches holds, and what lies on the disk.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) minute: u64,
    pub(crate) rounds: u64,
    pub(crate) builds: u64,
    pub(crate) refused: u64,
    /// Of the process that watches, in bytes.
    pub(crate) memory: u64,
    /// Of the same.
    pub(crate) files: usize,
    pub(crate) threads: usize,
    /// Temporary files, of all processes.
    pub(crate) temporary: usize,
    /// Of the cache, in bytes.
    pub(crate) cache: u64,
}

impl Sample {
    pub(crate) const HEAD: &str = "minute | rounds of the watch | builds beside it | of these \
        refused | resident MB | open files | threads | temporary files | cache MB";

    /// Compares the last sample with one of the beginning.
    pub(crate) fn compare(&self, first: &Self) -> Result<(), String> {
        if self.memory > first.memory + MEMORY {
            return Err(format!("memory grew from {} to {}", first.memory, self.memory));
        }
        if self.files > first.files + FILES {
            return Err(format!("open files grew from {} to {}", first.files, self.files));
        }
        if self.temporary > 0 {
            return Err(format!("{} temporary files stayed", self.temporary));
        }
        if self.cache > 2 * CACHE {
            return Err(format!("the cache has {} bytes", self.cache));
        }
        Ok(())
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} | {} | {} | {} | {:.1} | {} | {} | {} | {:.1}",
            self.minute,
            self.rounds,
            self.builds,
            self.refused,
            self.memory as f64 / 1e6,
            self.files,
            self.threads,
            self.temporary,
            self.cache as f64 / 1e6
        )
    }
}
