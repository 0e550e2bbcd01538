//! Notes when something in the cache was last used, so that the least needed goes
//! first. It is the file's access time, which is set here: systems keep it coarsely
//! or not at all, and the modification time of a blob is its mark.

use std::fs::{File, FileTimes, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Times are renewed only when they are older than this.
pub const GRANULARITY: Duration = Duration::from_secs(60 * 60);

/// When a file was last used: no more than [`GRANULARITY`] too early.
pub(crate) fn used(found: &Metadata) -> SystemTime {
    found.accessed().or_else(|_| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Notes that a file is used now.
pub(crate) fn touch(path: &Path, found: &Metadata) {
    let now = SystemTime::now();
    if now.duration_since(used(found)).is_ok_and(|age| age < GRANULARITY) {
        return;
    }
    // Where it cannot be noted, a file goes too early, and is made again.
    let file = File::options().write(true).open(path);
    let _ = file.and_then(|file| file.set_times(FileTimes::new().set_accessed(now)));
}
