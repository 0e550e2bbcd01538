//! Keeps the binary of one program between builds: `go` links again only when it
//! must, as long as its last output lies where it left it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::import_path::ImportPath;
use crate::key::{BuildKey, hex};
use cancel::Cancel;

/// How often a lock that another holds is tried again.
const INTERVAL: Duration = Duration::from_millis(20);

/// How often the directory is made again if it goes in that moment.
const ATTEMPTS: usize = 100;

/// A directory that holds the binary of one program, built one way:
/// `<root>/<build key>/<hash of the import path>/` with `bin/<base name>`,
/// `lock`, and `tmp` while `go` works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputDir {
    dir: PathBuf,
    name: String,
    discard: bool,
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
            discard: false,
        }
    }

    /// With `discard`, a build here uses nothing that stands here before.
    #[must_use]
    pub fn discarding(self, discard: bool) -> Self {
        Self { discard, ..self }
    }

    /// Whether `go` may find its last output up to date.
    pub(crate) fn is_reused(&self) -> bool {
        !self.discard
    }

    #[cfg(test)]
    pub(crate) fn for_tests(root: &Path, name: &str) -> Self {
        Self { dir: root.to_owned(), name: name.to_owned(), discard: false }
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
        let (bin, path) = (self.dir.join("bin"), self.lock_file());
        let mut attempts = 0;
        let lock = loop {
            attempts += 1;
            let mut options = File::options();
            options.create(true).truncate(false).write(true);
            let opened = fs::create_dir_all(&self.dir).and_then(|()| options.open(&path));
            let file = match opened {
                // A cleanup took the directory, or the one above it, away between
                // two calls. It may be there again by now, so that is not asked.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                    ) && attempts < ATTEMPTS =>
                {
                    continue;
                }
                file => file.map_err(fail(&path))?,
            };
            loop {
                match file.try_lock() {
                    Ok(()) => break,
                    Err(TryLockError::Error(source)) => return Err(fail(&path)(source)),
                    Err(TryLockError::WouldBlock) => {
                        if cancel.wait_while(Some(INTERVAL), |cancelled| !cancelled) {
                            return Err(ClaimError::Cancelled);
                        }
                    }
                }
            }
            let lock = Lock(file);
            if lock.is_of(&path) {
                break lock;
            }
        };
        fs::create_dir_all(&bin).map_err(fail(&bin))?;
        // So it is known when the output was last used.
        let _ = lock.0.set_modified(SystemTime::now());
        let temporary = Temporary(self.dir.join("tmp"));
        temporary.remove();
        fs::create_dir(&temporary.0).map_err(fail(&temporary.0))?;
        Ok(Claim { lock, temporary })
    }
}

/// An output directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Before the lock, so that it goes while the directory is still ours.
    pub(crate) temporary: Temporary,
    pub(crate) lock: Lock,
}

/// The lock of an output directory.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of a file, if nobody has it.
    pub(crate) fn try_of(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options().write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file)).filter(|lock| lock.is_of(path))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Is what is locked still the file at the path, or has somebody removed
    /// that while we waited? Where files have no numbers, it cannot be removed
    /// while it is open.
    fn is_of(&self, path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let number = |found: fs::Metadata| (found.dev(), found.ino());
            let ours = self.0.metadata().map(number).ok();
            ours.is_some() && path.metadata().map(number).ok() == ours
        }
        #[cfg(not(unix))]
        path.exists()
    }
}

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
