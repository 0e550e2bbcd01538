//! Reads what a file system says of a file without its content, and decides whether
//! that can be believed. It proves that files from which something was found out (a
//! build, a layer) are as they were, and does not know what they are for.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "portable.rs")]
mod system;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub use system::{Folder, file_time, follow, is_local, open};

/// The coarsest clock among file systems: FAT counts in two seconds. A file
/// that was changed this short a time before it was looked at may be changed
/// again without a trace in its times.
const COARSE: Duration = Duration::from_secs(2);

/// How much older than [`file_time`] a file may look that is changed now. Local
/// file systems of Linux stamp files with that very time, rounded to what they
/// can store. Elsewhere it is the time that programs read, and files may be
/// stamped with that of the last timer tick, 10 ms ago at most.
pub const LAG: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 1 } else { 20 });

/// Size in bytes, modification and change time in nanoseconds since 1970,
/// inode and device. Two looks at a file with equal values saw the same
/// content, unless [`Stat::is_settled`] says no.
///
/// Written as an array: a record has thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Stat {
    /// In bytes.
    pub size: u64,
    /// When the content was changed, or said to be.
    pub modified: i64,
    /// When anything was changed; the system sets it. 0 where it is not known.
    pub changed: i64,
    /// The number of the file; 0 where it has none.
    pub inode: u64,
    /// The number of the file system; 0 where it has none.
    pub device: u64,
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
    /// Of a file somewhere else, of which only the size is known.
    #[must_use]
    pub fn of_size(size: u64) -> Self {
        Self { size, modified: 0, changed: 0, inode: 0, device: 0 }
    }

    /// Whether this is the same file as another, whatever became of its content.
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Whether every later change of the file shows in its times, if it was
    /// looked at no earlier than at `looked`. A time in the future may come
    /// again.
    pub fn is_settled(&self, looked: i64) -> bool {
        self.latest() < looked.saturating_sub(nanos(COARSE))
    }

    /// Whether the file may have been changed at `started`, a [`file_time`], or
    /// later.
    pub fn may_be_since(&self, started: i64) -> bool {
        let margin = if self.is_coarse() { COARSE } else { LAG };
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
pub fn nanos_of(time: SystemTime) -> i64 {
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
pub enum Kind {
    /// A regular file.
    #[serde(rename = "f")]
    File,
    /// A directory.
    #[serde(rename = "d")]
    Dir,
    /// A symbolic link.
    #[serde(rename = "l")]
    Link,
    /// A device, a pipe, a socket.
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
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sum([u8; 32]);

impl Sum {
    /// Of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The sum of a file's content, and how long that is.
    pub fn of_file(path: &Path) -> io::Result<(Self, u64)> {
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

    /// Reads the 64 digits.
    pub fn parse(text: &str) -> Option<Self> {
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
pub struct Content {
    /// The stat.
    pub stat: Stat,
    /// The sum of the content.
    pub sum: Sum,
}

impl Content {
    /// The same content, wherever it is: nothing proves it but reading.
    #[must_use]
    pub fn without_place(self) -> Self {
        Self { stat: Stat::of_size(self.stat.size), ..self }
    }
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
pub fn read(path: &Path) -> io::Result<Option<Content>> {
    read_by(path, || Sum::of_file(path))
}

/// The same, with its bytes, which go into an empty buffer.
pub fn read_into(path: &Path, bytes: &mut Vec<u8>) -> io::Result<Option<Content>> {
    read_by(path, || {
        let size = File::open(path)?.read_to_end(bytes)?;
        Ok((Sum::of(bytes), size as u64))
    })
}

/// The same, by a function that finds its sum and size.
pub fn read_by(
    path: &Path,
    sum: impl FnOnce() -> io::Result<(Sum, u64)>,
) -> io::Result<Option<Content>> {
    match follow(path)? {
        Some((Kind::File, _)) => {}
        _ => return Ok(None),
    }
    let (sum, size) = sum()?;
    match follow(path)? {
        Some((Kind::File, stat)) if stat.size == size => Ok(Some(Content { stat, sum })),
        _ => Err(io::Error::other("it changes while it is read")),
    }
}

/// Whether an error says that nothing is there.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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
            (then - nanos(LAG) - 1, false),
            (then - nanos(LAG), true),
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
