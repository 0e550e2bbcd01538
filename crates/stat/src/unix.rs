//! Reads what Unix systems say of files.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;
#[cfg(target_os = "linux")]
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::time::{ClockId, clock_gettime};

use crate::{Kind, Stat, is_absent};

/// A directory that is open: names in it are looked at without walking
/// its path again.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens a directory, through symbolic links; `None` where none is.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        absent(fs::openat(CWD, path, flags, Mode::empty()).map_err(Into::into))
            .map(|fd| fd.map(Self))
    }

    /// Looks at the directory itself.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(stat(&fs::fstat(&self.0)?).1)
    }

    /// Looks at a name in the directory, not through symbolic links.
    pub fn look(&self, name: &str) -> io::Result<Option<(Kind, Stat)>> {
        let found = fs::statat(&self.0, OsStr::new(name), AtFlags::SYMLINK_NOFOLLOW);
        Ok(absent(found.map_err(Into::into))?.map(|found| stat(&found)))
    }
}

/// Looks at a path, through symbolic links.
pub fn follow(path: &Path) -> io::Result<Option<(Kind, Stat)>> {
    Ok(absent(fs::stat(path).map_err(Into::into))?.map(|found| stat(&found)))
}

/// Opens what a path names for reading, and says what it is. A pipe is not
/// waited for. `None` if a symbolic link is there.
pub fn open(path: &Path) -> io::Result<Option<(File, Kind, Stat)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match fs::openat(CWD, path, flags | OFlags::NOCTTY, Mode::empty()) {
        Err(Errno::LOOP) => return Ok(None),
        file => file?,
    };
    let (kind, stat) = stat(&fs::fstat(&file)?);
    Ok(Some((file.into(), kind, stat)))
}

fn absent<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    trivial_numeric_casts,
    reason = "the fields have other types on other systems"
)]
fn stat(found: &fs::Stat) -> (Kind, Stat) {
    let time = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
    let kind = match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let stat = Stat {
        size: found.st_size as u64,
        modified: time(found.st_mtime as i64, found.st_mtime_nsec as i64),
        changed: time(found.st_ctime as i64, found.st_ctime_nsec as i64),
        inode: found.st_ino as u64,
        device: found.st_dev as u64,
    };
    (kind, stat)
}

/// The time that a file gets which is changed now.
#[cfg(target_os = "linux")]
pub fn file_time() -> SystemTime {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    match (seconds, nanos) {
        (Ok(seconds), Ok(nanos)) => UNIX_EPOCH + Duration::new(seconds, nanos),
        // Before 1970.
        _ => UNIX_EPOCH,
    }
}

/// The time that a file gets which is changed now, as far as can be told.
#[cfg(not(target_os = "linux"))]
pub fn file_time() -> SystemTime {
    SystemTime::now()
}

/// Whether the attributes of files on the file system of a path are its
/// own, and not what another machine said some seconds ago. Only those
/// are that are known to be.
#[cfg(target_os = "linux")]
pub fn is_local(path: &Path) -> bool {
    /// The magic numbers of ext2 to ext4, XFS, Btrfs, ZFS, F2FS, bcachefs,
    /// JFS, tmpfs, ramfs, overlayfs, SquashFS and EROFS.
    const LOCAL: [u64; 12] = [
        0xEF53,
        0x5846_5342,
        0x9123_683E,
        0x2FC1_2FC1,
        0xF2F5_2010,
        0xCA45_1A4E,
        0x3153_464A,
        0x0102_1994,
        0x8584_58F6,
        0x794C_7630,
        0x7371_7368,
        0xE0F5_E1E2,
    ];
    // The type is signed on some machines, and the upper half then noise.
    #[allow(clippy::cast_sign_loss, reason = "magic numbers are 32 bits")]
    fs::statfs(path).is_ok_and(|found| LOCAL.contains(&(found.f_type as u64 & 0xFFFF_FFFF)))
}

/// Systems whose file systems we cannot tell apart.
#[cfg(not(target_os = "linux"))]
pub fn is_local(_path: &Path) -> bool {
    false
}
