//! The local cache: blobs by digest, and small typed records. Everything in it
//! can be made again, so that deleting it at any moment costs time and nothing
//! else. It knows neither Go nor HTTP.
//!
//! Below the root that the caller names:
//!
//! ```text
//! v1/blobs/sha256/<hex>         content, named by its digest
//! v1/records/<kind>/<hex>.json  a record, named by the digest of its key, and
//!                               behind it the sha256 of all before
//! v1/locks/<name>               files that processes lock
//! v1/bin/                       outputs of `go build`, laid out by their owner
//! v1/tmp/                       what is being written
//! ```
//!
//! Files come to be by a rename within the store, so that a reader sees a
//! whole file or none. `v1` is the version of this layout: another version
//! uses another directory, and they leave each other alone.

mod blob;
mod error;
mod record;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

pub use blob::BlobWriter;
pub use error::StoreError;
use error::at;
pub use record::Record;

/// The layout's version, and the directory that holds it.
const LAYOUT: &str = "v1";

/// A cache in a directory. Cheap to clone; safe to use from several threads
/// and processes.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the cache below `root`, and makes its directories where they are
    /// missing.
    ///
    /// # Errors
    /// `root` is not a directory, or cannot be written.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        match fs::metadata(root) {
            Ok(found) if !found.is_dir() => {
                return Err(StoreError::NotADirectory { path: root.to_owned() });
            }
            _ => {}
        }
        let root = root.join(LAYOUT);
        for dir in ["blobs/sha256", "records", "locks", "bin", "tmp"] {
            let dir = root.join(dir);
            fs::create_dir_all(&dir).map_err(at("creating", &dir))?;
        }
        Ok(Self { root })
    }

    /// Where outputs of `go build` live.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Waits for the lock of this name and holds it until the result is
    /// dropped, or the process ends. `name` is a file name.
    ///
    /// # Errors
    /// The lock file cannot be made, or the file system has no locks.
    pub fn lock(&self, name: &str) -> Result<Lock, StoreError> {
        let path = self.root.join("locks").join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(at("opening", &path))?;
        file.lock().map_err(at("locking", &path))?;
        Ok(Lock { _file: file })
    }

    /// A directory for what somebody works on, removed when dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn temp_dir(&self) -> Result<tempfile::TempDir, StoreError> {
        let dir = self.root.join("tmp");
        tempfile::tempdir_in(&dir).map_err(at("creating a directory in", &dir))
    }

    fn temp(&self) -> Result<tempfile::NamedTempFile, StoreError> {
        let dir = self.root.join("tmp");
        tempfile::NamedTempFile::new_in(&dir).map_err(at("creating a file in", &dir))
    }
}

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}
