//! Lists the files of the cache for a cleanup: each with its size and when it was
//! last used.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oci::Digest;

use crate::error::at;
use crate::usage::used;
use crate::{Store, StoreError};

/// What a file of the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Content, named by its digest.
    Blob,
    /// A record.
    Record,
    /// Being written, or left by somebody who was killed.
    Temporary,
}

/// A file of the cache, or a directory of somebody who works in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// When it was last used, an hour too early at most.
    pub used: SystemTime,
}

impl Entry {
    /// Removes it. What has gone already is no failure.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        let removed = match self.path.symlink_metadata() {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&self.path),
            _ => fs::remove_file(&self.path),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(at("removing", &self.path)(error))
            }
            _ => Ok(()),
        }
    }
}

impl Store {
    /// The directory of this version's cache.
    pub fn dir(&self) -> &Path {
        &self.root
    }

    /// All blobs, records and temporary files. What comes or goes meanwhile may
    /// be among them or not.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let (all, errors) = self.readable_entries();
        errors.into_iter().next().map_or(Ok(all), Err)
    }

    /// The same without the directories that cannot be read, and why they
    /// cannot.
    pub fn readable_entries(&self) -> (Vec<Entry>, Vec<StoreError>) {
        let mut dirs = vec![(self.root.join("blobs/sha256"), Kind::Blob)];
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        match list(&self.root.join("records")) {
            Ok(kinds) => dirs.extend(kinds.iter().map(|kind| (kind.path(), Kind::Record))),
            Err(error) => errors.push(error),
        }
        dirs.push((self.root.join("tmp"), Kind::Temporary));
        for (dir, kind) in dirs {
            errors.extend(files(&dir, kind, &mut all).err());
        }
        all.sort_by(|one, other| one.path.cmp(&other.path));
        (all, errors)
    }

    /// The digest by which a blob is named; none if it is no blob's name.
    pub fn digest_of(&self, entry: &Entry) -> Option<Digest> {
        let name = entry.path.file_name()?.to_str()?;
        format!("sha256:{name}").parse().ok()
    }
}

fn files(dir: &Path, kind: Kind, all: &mut Vec<Entry>) -> Result<(), StoreError> {
    for entry in list(dir)? {
        let path = entry.path();
        let Ok(found) = entry.metadata() else { continue };
        let size = if found.is_dir() { below(&path) } else { found.len() };
        all.push(Entry { kind, path, size, used: used(&found) });
    }
    Ok(())
}

/// The files below a temporary directory, in bytes: as well as can be said of
/// what somebody may be removing.
fn below(dir: &Path) -> u64 {
    let entries = list(dir).unwrap_or_default();
    let size = |entry: &fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.iter().map(size).sum()
}

fn list(dir: &Path) -> Result<Vec<fs::DirEntry>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        entries => entries.map_err(at("reading", dir))?,
    };
    entries.collect::<io::Result<_>>().map_err(at("reading", dir))
}
