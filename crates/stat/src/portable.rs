//! Reads what any system says of files: no inode and no change time, so that
//! content decides.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Kind, Stat, is_absent, nanos_of};

/// The time that a file gets which is changed now, as far as can be told.
pub fn file_time() -> SystemTime {
    SystemTime::now()
}

/// A directory, by its path.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Opens a directory; `None` where none is.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        Ok(follow(path)?.filter(|(kind, _)| *kind == Kind::Dir).map(|_| Self(path.to_owned())))
    }

    /// Looks at the directory itself.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(stat(&self.0.metadata()?).1)
    }

    /// Looks at a name in the directory, not through links.
    pub fn look(&self, name: &str) -> io::Result<Option<(Kind, Stat)>> {
        absent(self.0.join(name).symlink_metadata())
    }
}

/// Looks at a path, through links.
pub fn follow(path: &Path) -> io::Result<Option<(Kind, Stat)>> {
    absent(path.metadata())
}

/// Opens what a path names for reading, and says what it is. `None` if a
/// symbolic link is there.
pub fn open(path: &Path) -> io::Result<Option<(File, Kind, Stat)>> {
    if path.symlink_metadata()?.is_symlink() {
        return Ok(None);
    }
    let file = File::open(path)?;
    let (kind, stat) = stat(&file.metadata()?);
    Ok(Some((file, kind, stat)))
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

/// Is what the file system says to be trusted?
pub fn is_local(_path: &Path) -> bool {
    false
}
