//! What a path leads to.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Links that are followed before they count as a circle, as Linux has it.
const LINKS: usize = 40;

/// What stands where a file is to be written.
#[derive(Debug)]
pub(crate) enum Target {
    /// Nothing yet: a file can be made here.
    New(PathBuf),
    /// A regular file.
    Regular(PathBuf, Metadata),
    /// A device or a pipe, which is written to as it is.
    Special(PathBuf),
    /// A descriptor of a process, by its name in `/proc` or `/dev/fd`, and its
    /// number if the process is this one.
    Descriptor(PathBuf, Option<u32>),
}

impl Target {
    pub(crate) fn find(path: &Path) -> io::Result<Self> {
        let end = resolve(path)?;
        if let Some(number) = descriptor(&end) {
            // Also says whether it is open.
            fs::metadata(&end)?;
            return Ok(Self::Descriptor(end, number));
        }
        let found = match fs::metadata(&end) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::New(end)),
            Err(error) => return Err(error),
        };
        if found.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        if is_socket(&found) {
            return Err(io::Error::other("it is a socket"));
        }
        Ok(if found.is_file() { Self::Regular(end, found) } else { Self::Special(end) })
    }
}

/// The file at the end of symbolic links, which need not exist. Names of open
/// files, such as `/dev/stdout`, are not followed further.
///
/// # Errors
/// The links lead in a circle, or the path names a directory by its form.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
        return Err(ErrorKind::IsADirectory.into());
    }
    let mut end = path.to_owned();
    for _ in 0..LINKS {
        if descriptor(&end).is_some() {
            return Ok(end);
        }
        let Ok(next) = fs::read_link(&end) else { return Ok(end) };
        end = parent(&end).join(next);
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// The directory that a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Does a path name a descriptor, and which one, if it is ours?
fn descriptor(path: &Path) -> Option<Option<u32>> {
    if !cfg!(unix) {
        return None;
    }
    let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
    let dir = parent(path).canonicalize().ok()?;
    // Linux: `/proc/PID/fd` and `/proc/PID/task/TID/fd`; others: `/dev/fd`.
    let process = dir.strip_prefix("/proc").ok().filter(|_| dir.ends_with("fd"));
    match process {
        Some(process) => {
            let ours = process.starts_with(std::process::id().to_string());
            Some(ours.then_some(number))
        }
        None => (dir == Path::new("/dev/fd")).then_some(Some(number)),
    }
}

#[cfg(unix)]
fn is_socket(found: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    found.file_type().is_socket()
}

#[cfg(not(unix))]
fn is_socket(_: &Metadata) -> bool {
    false
}
