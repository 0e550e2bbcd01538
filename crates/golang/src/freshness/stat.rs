//! What a file system says of a file without its content being read, and
//! whether that can be believed. Everything of this module that depends on the
//! operating system is at its end.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub(crate) use system::{Folder, follow, is_local};

/// The coarsest clock among file systems: FAT counts in two seconds. A file
/// that was changed this short a time before it was looked at may be changed
/// again without a trace in its times.
const COARSE: Duration = Duration::from_secs(2);

/// How far a file system's clock may be behind the one that this process
/// reads: Linux stamps files with the time of its last timer tick, 10 ms ago
/// at most.
const TICK: Duration = Duration::from_millis(20);

/// Size in bytes, modification and change time in nanoseconds since 1970,
/// inode and device. Two looks at a file with equal values saw the same
/// content, unless [`Stat::is_settled`] says no.
///
/// Written as an array: a record has thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub(crate) struct Stat {
    pub(crate) size: u64,
    pub(crate) modified: i64,
    pub(crate) changed: i64,
    pub(crate) inode: u64,
    pub(crate) device: u64,
}

type Fields = (u64, i64, i64, u64, u64);

impl From<Fields> for Stat {
    fn from((size, modified, changed, inode, device): Fields) -> Self {
        Self { size, modified, changed, inode, device }
    }
}

impl From<Stat> for Fields {
    fn from(stat: Stat) -> Self {
        (stat.size, stat.modified, stat.changed, stat.inode, stat.device)
    }
}

impl Stat {
    /// Whether every later change of the file shows in its times, if it was
    /// looked at no earlier than at `looked`. A time in the future may come
    /// again.
    pub(crate) fn is_settled(&self, looked: i64) -> bool {
        self.latest() < looked.saturating_sub(nanos(COARSE))
    }

    /// Whether the file may have been changed at `started` or later.
    pub(crate) fn may_be_since(&self, started: i64) -> bool {
        let margin = if self.is_coarse() { COARSE } else { TICK };
        self.latest() >= started.saturating_sub(nanos(margin))
    }

    /// Whole seconds are how a coarse clock counts.
    fn is_coarse(&self) -> bool {
        self.latest() % 1_000_000_000 == 0
    }

    /// The time that the system sets by itself. Modification times are set by
    /// programs as well, to any value (`cp -p`, `touch -d`), and say nothing
    /// about when that happened.
    fn latest(&self) -> i64 {
        if cfg!(unix) { self.changed } else { self.modified }
    }
}

/// Nanoseconds since 1970; what does not fit is the nearest that does.
pub(crate) fn nanos_of(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// What a name in a directory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[serde(rename = "f")]
    File,
    #[serde(rename = "d")]
    Dir,
    #[serde(rename = "l")]
    Link,
    #[serde(rename = "o")]
    Other,
}

impl From<std::fs::FileType> for Kind {
    fn from(kind: std::fs::FileType) -> Self {
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Dir
        } else if kind.is_symlink() {
            Self::Link
        } else {
            Self::Other
        }
    }
}

/// A sha256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum([u8; 32]);

impl Sum {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The sum of a file's content, and how long that is.
    pub(crate) fn of_file(path: &Path) -> io::Result<(Self, u64)> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok((Self(hash.finalize().into()), size)),
                Ok(read) => {
                    hash.update(&buffer[..read]);
                    size += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut sum = [0; 32];
        for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| (digit as char).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(Self(sum))
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Digits;
        impl serde::de::Visitor<'_> for Digits {
            type Value = Sum;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hexadecimal digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Sum, E> {
                Sum::parse(text).ok_or_else(|| E::custom("not a sha256"))
            }
        }
        from.deserialize_str(Digits)
    }
}

/// What was read of a file: its stat, taken after the content was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Stat, Sum)", into = "(Stat, Sum)")]
pub(crate) struct Content {
    pub(crate) stat: Stat,
    pub(crate) sum: Sum,
}

impl From<(Stat, Sum)> for Content {
    fn from((stat, sum): (Stat, Sum)) -> Self {
        Self { stat, sum }
    }
}

impl From<Content> for (Stat, Sum) {
    fn from(content: Content) -> Self {
        (content.stat, content.sum)
    }
}

/// Reads a file, through symbolic links; `None` where no regular file is.
pub(crate) fn read(path: &Path) -> io::Result<Option<Content>> {
    match follow(path)? {
        Some((Kind::File, _)) => {}
        _ => return Ok(None),
    }
    let (sum, size) = Sum::of_file(path)?;
    match follow(path)? {
        Some((Kind::File, stat)) if stat.size == size => Ok(Some(Content { stat, sum })),
        _ => Err(io::Error::other("it changes while it is read")),
    }
}

/// Whether an error says that nothing is there.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(unix)]
mod system {
    use std::ffi::OsStr;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};

    use super::{Kind, Stat, is_absent};

    /// A directory that is open: names in it are looked at without walking
    /// its path again.
    #[derive(Debug)]
    pub(crate) struct Folder(OwnedFd);

    impl Folder {
        /// Opens a directory, through symbolic links; `None` where none is.
        pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
            absent(fs::openat(CWD, path, flags, Mode::empty()).map_err(Into::into))
                .map(|fd| fd.map(Self))
        }

        pub(crate) fn stat(&self) -> io::Result<Stat> {
            Ok(stat(&fs::fstat(&self.0)?).1)
        }

        /// Looks at a name in the directory, not through symbolic links.
        pub(crate) fn look(&self, name: &str) -> io::Result<Option<(Kind, Stat)>> {
            let found = fs::statat(&self.0, OsStr::new(name), AtFlags::SYMLINK_NOFOLLOW);
            Ok(absent(found.map_err(Into::into))?.map(|found| stat(&found)))
        }
    }

    /// Looks at a path, through symbolic links.
    pub(crate) fn follow(path: &Path) -> io::Result<Option<(Kind, Stat)>> {
        Ok(absent(fs::stat(path).map_err(Into::into))?.map(|found| stat(&found)))
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

    /// Whether the attributes of files on the file system of a path are its
    /// own, and not what another machine said some seconds ago. Only those
    /// are that are known to be.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_local(path: &Path) -> bool {
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
    pub(crate) fn is_local(_path: &Path) -> bool {
        false
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::Metadata;
    use std::io;
    use std::path::{Path, PathBuf};

    use super::{Kind, Stat, is_absent, nanos_of};

    /// A directory, by its path.
    #[derive(Debug)]
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
            Ok(follow(path)?.filter(|(kind, _)| *kind == Kind::Dir).map(|_| Self(path.to_owned())))
        }

        pub(crate) fn stat(&self) -> io::Result<Stat> {
            Ok(stat(&self.0.metadata()?).1)
        }

        pub(crate) fn look(&self, name: &str) -> io::Result<Option<(Kind, Stat)>> {
            absent(self.0.join(name).symlink_metadata())
        }
    }

    pub(crate) fn follow(path: &Path) -> io::Result<Option<(Kind, Stat)>> {
        absent(path.metadata())
    }

    fn absent(found: io::Result<Metadata>) -> io::Result<Option<(Kind, Stat)>> {
        match found {
            Ok(found) => Ok(Some(stat(&found))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn stat(found: &Metadata) -> (Kind, Stat) {
        let modified = found.modified().map(nanos_of).unwrap_or_default();
        let stat = Stat { size: found.len(), modified, changed: 0, inode: 0, device: 0 };
        (found.file_type().into(), stat)
    }

    /// No inode, no change time: content decides.
    pub(crate) fn is_local(_path: &Path) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn stat(changed: i64) -> Stat {
        Stat { size: 1, modified: changed, changed, inode: 1, device: 1 }
    }

    #[test]
    fn times() {
        let then = 1000 * SECOND + 1;
        for (changed, settled) in [
            (then - 3 * SECOND, true),
            (then - 2 * SECOND, false),
            (then - SECOND, false),
            (then, false),
            (then + 100 * SECOND, false),
        ] {
            assert_eq!(stat(changed).is_settled(then), settled, "{changed}");
        }
        for (changed, since) in [
            (then - SECOND / 10, false),
            (then - SECOND / 100, true),
            (then + 1, true),
            // In whole seconds, these may be two too old.
            (then - 1 - 3 * SECOND, false),
            (then - 1 - SECOND, true),
        ] {
            assert_eq!(stat(changed).may_be_since(then), since, "{changed}");
        }
    }

    #[test]
    fn sums_are_read_back() {
        let sum = Sum::of(b"content");
        assert_eq!(Sum::parse(&sum.to_string()), Some(sum));
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Sum::parse(text), None, "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn file_systems() {
        // A file system of which nothing is known.
        assert!(!is_local(Path::new("/proc")));
    }
}
