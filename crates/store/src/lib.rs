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
//! v1/locks/runs                 a file that runs lock, and who cleans up
//! v1/bin/                       outputs of `go build`, laid out by their owner
//! v1/tmp/                       what is being written
//! ```
//!
//! Files come to be by a rename within the store, so that a reader sees a
//! whole file or none. `v1` is the version of this layout: another version
//! uses another directory, and they leave each other alone.

mod archive;
mod blob;
mod error;
mod inventory;
mod lock;
mod owner;
mod record;
mod usage;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use archive::{ArchiveError, FOR_THIS_MACHINE, Imported};
pub use blob::BlobWriter;
pub use error::StoreError;
use error::at;
pub use inventory::{Entry, Kind};
pub use lock::Lock;
pub use record::Record;
pub use usage::GRANULARITY;

/// The layout's version, and the directory that holds it.
const LAYOUT: &str = "v1";

/// A disk without room for this many bytes is as good as full.
const ROOM: usize = 256 << 10;

/// A cache in a directory. Cheap to clone; safe to use from several threads
/// and processes.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// Another cache that is read where this one has nothing.
    below: Option<PathBuf>,
}

/// Where something is, or would be.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// Whether it is in the cache below: nothing there is written or removed.
    pub(crate) is_below: bool,
}

impl Store {
    /// Opens the cache below `root`, and makes its directories where they are
    /// missing. Other users cannot write to it, whatever the umask.
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
        owner::close_to_others(&root);
        Ok(Self { root, below: None })
    }

    /// Opens the cache below `root` with all that is in the one below `other`, which
    /// need not be there and stays as it is.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_over(root: &Path, other: &Path) -> Result<Self, StoreError> {
        Ok(Self { below: Some(other.join(LAYOUT)), ..Self::open(root)? })
    }

    /// Where something is that is read.
    pub(crate) fn place(&self, relative: &Path) -> Place {
        let path = self.root.join(relative);
        match self.below.as_ref().map(|below| below.join(relative)) {
            Some(other) if !path.exists() && other.exists() => {
                Place { path: other, is_below: true }
            }
            _ => Place { path, is_below: false },
        }
    }

    /// Where outputs of `go build` live.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Writes something and removes it again: a cache that can be opened may
    /// be read-only all the same, or full.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn try_writing(&self) -> Result<(), StoreError> {
        let mut file = self.temp()?;
        // Not as the temporary file, whose errors have its name.
        file.as_file_mut().write_all(&[0; ROOM]).map_err(at("writing to", &self.root.join("tmp")))
    }

    /// A directory for what somebody works on, removed when dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn temp_dir(&self) -> Result<tempfile::TempDir, StoreError> {
        let dir = self.root.join("tmp");
        tempfile::tempdir_in(&dir).map_err(at("creating a directory in", &dir))
    }

    /// A file without a name for what somebody works on, on the disk of the
    /// cache.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn temp_file(&self) -> Result<File, StoreError> {
        let dir = self.root.join("tmp");
        tempfile::tempfile_in(&dir).map_err(at("creating a file in", &dir))
    }

    fn temp(&self) -> Result<tempfile::NamedTempFile, StoreError> {
        let dir = self.root.join("tmp");
        tempfile::NamedTempFile::new_in(&dir).map_err(at("creating a file in", &dir))
    }
}
