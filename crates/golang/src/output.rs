//! Where the binary of one program stays between builds. `go` links again
//! only when it must, as long as its last output lies where it left it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::cancel::Cancel;
use crate::import_path::ImportPath;
use crate::key::{BuildKey, hex};

/// How often a lock that another holds is tried again.
const INTERVAL: Duration = Duration::from_millis(20);

/// A directory that holds the binary of one program, built one way:
/// `<root>/<build key>/<hash of the import path>/` with `bin/<base name>`,
/// `lock`, and `tmp` while `go` works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputDir {
    dir: PathBuf,
    name: String,
}

impl OutputDir {
    /// The place of a program below `root`, which is absolute, since `go` runs
    /// in another directory. Nothing is made on disk.
    #[must_use]
    pub fn new(root: &Path, key: &BuildKey, import_path: &ImportPath) -> Self {
        let hash = hex(&Sha256::digest(import_path.as_str())[..16]);
        let name = import_path.base_name();
        // An absolute directory of Windows is one element to Go's rules.
        let is_file_name = Path::new(name).file_name() == Some(name.as_ref());
        Self {
            dir: root.join(key.as_str()).join(hash),
            name: if is_file_name { name } else { "ko-app" }.to_owned(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(root: &Path, name: &str) -> Self {
        Self { dir: root.to_owned(), name: name.to_owned() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The binary.
    #[must_use]
    pub fn binary(&self) -> PathBuf {
        self.dir.join("bin").join(&self.name)
    }

    /// The file whose lock is held while the binary is built and used.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// Waits until the directory is ours, and makes it ready for a build.
    pub(crate) fn claim(&self, cancel: &Cancel) -> Result<Claim, ClaimError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            |source| ClaimError::Io { path, source }
        };
        let bin = self.dir.join("bin");
        fs::create_dir_all(&bin).map_err(fail(&bin))?;
        let path = self.lock_file();
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(fail(&path))?;
        let lock = loop {
            match file.try_lock() {
                Ok(()) => break Lock(file),
                Err(TryLockError::Error(source)) => return Err(fail(&path)(source)),
                Err(TryLockError::WouldBlock) => {
                    if cancel.wait_while(Some(INTERVAL), |cancelled| !cancelled) {
                        return Err(ClaimError::Cancelled);
                    }
                }
            }
        };
        let temporary = Temporary(self.dir.join("tmp"));
        temporary.remove();
        fs::create_dir(&temporary.0).map_err(fail(&temporary.0))?;
        Ok(Claim { lock, temporary })
    }
}

/// An output directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) lock: Lock,
    pub(crate) temporary: Temporary,
}

/// The lock of an output directory.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a child that another thread is just starting
        // shares the open file until it runs its program.
        let _ = self.0.unlock();
    }
}

/// The directory in which `go` works, removed in the end: `go` does that
/// itself, but not when it is killed, or interrupted early.
#[derive(Debug)]
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn remove(&self) {
        // What cannot be removed now makes the next build fail, which says so.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
    }
}

#[derive(Debug)]
pub(crate) enum ClaimError {
    Cancelled,
    Io { path: PathBuf, source: io::Error },
}
