//! Maintains the cache: lists its content, prunes it, finds damage, and exports
//! a part of it for another machine. Every run also bounds it, once a day.

mod export;
mod go_command;
mod handle;
mod prune;
mod shared;
mod tidy;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use golang::{Output, OutputState};
use store::{ArchiveError, Entry, Imported, Kind, Store, StoreError};

pub use self::go_command::{GoCommand, GoCommandError};
pub(crate) use self::handle::CacheHandle;
pub use self::prune::{Bound, Pruned};
pub use self::shared::{SharedContents, SharedKeeper, SharedPruned};

/// A cache in a directory.
#[derive(Debug)]
pub struct Cache {
    store: Store,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Together, in bytes.
    pub bytes: u64,
}

/// What is in a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Layers, and manifests and configs of bases.
    pub blobs: Amount,
    /// What was found out once.
    pub records: Amount,
    /// Programs as `go` linked them.
    pub outputs: Amount,
    /// What is being written, or was left by a run that was killed.
    pub temporary: Amount,
}

/// The entries that were checked, and the damaged ones among them.
#[derive(Debug, Default)]
pub struct Verified {
    /// What is sound.
    pub sound: Amount,
    /// What was not, and has been removed.
    pub removed: Vec<PathBuf>,
    /// Programs that are being built just now, which were not looked at.
    pub busy: u64,
    /// What could not be read, or was damaged and could not be removed.
    pub failed: Vec<CacheError>,
}

/// Why an operation on a cache failed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An output of `go build` cannot be read or removed.
    #[error("{path} in the cache", path = path.display())]
    Output {
        /// Its directory, or that of all.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// An archive cannot be written, or is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl CacheError {
    /// Is something wrong with the archive itself, which was refused?
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Archive(
                ArchiveError::Foreign
                    | ArchiveError::Version
                    | ArchiveError::Damaged
                    | ArchiveError::Entry { .. }
            )
        )
    }
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

impl Contents {
    /// All of it.
    pub fn total(&self) -> Amount {
        let Self { blobs, records, outputs, temporary } = self;
        let mut total = Amount::default();
        for amount in [blobs, records, outputs, temporary] {
            total.count += amount.count;
            total.bytes += amount.bytes;
        }
        total
    }
}

/// Something in a cache that can be removed.
#[derive(Debug, Clone)]
enum Item {
    File(Entry),
    Output(Output),
}

impl Item {
    fn size(&self) -> u64 {
        match self {
            Self::File(entry) => entry.size,
            Self::Output(output) => output.size,
        }
    }

    fn used(&self) -> SystemTime {
        match self {
            Self::File(entry) => entry.used,
            Self::Output(output) => output.used,
        }
    }

    fn is_temporary(&self) -> bool {
        matches!(self, Self::File(entry) if entry.kind == Kind::Temporary)
    }

    /// False if somebody uses it.
    fn remove(&self) -> Result<bool, CacheError> {
        match self {
            Self::File(entry) => Ok(entry.remove().map(|()| true)?),
            Self::Output(output) => output.remove().map_err(at(output.dir())),
        }
    }
}

impl Cache {
    /// Opens the cache below a directory, and creates it if it does not exist.
    ///
    /// # Errors
    /// It is not a directory, or cannot be written.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        Ok(Self { store: Store::open(dir)? })
    }

    /// Writes something and removes it again: a cache that can be opened may be
    /// read-only all the same, or full.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn try_writing(&self) -> Result<(), CacheError> {
        Ok(self.store.try_writing()?)
    }

    /// Where this version of ko keeps it.
    pub fn dir(&self) -> &Path {
        self.store.dir()
    }

    /// What is in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn contents(&self) -> Result<Contents, CacheError> {
        let mut contents = Contents::default();
        let (items, errors) = items(&self.store);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        for item in items {
            let amount = match &item {
                Item::Output(_) => &mut contents.outputs,
                Item::File(entry) => match entry.kind {
                    Kind::Blob => &mut contents.blobs,
                    Kind::Record => &mut contents.records,
                    Kind::Temporary => &mut contents.temporary,
                },
            };
            amount.add(item.size());
        }
        Ok(contents)
    }

    /// Reads everything, and removes what is damaged: it will be made again.
    pub fn verify(&self) -> Verified {
        let (items, failed) = items(&self.store);
        let mut verified = Verified { failed, ..Verified::default() };
        for item in items {
            let state = match &item {
                Item::Output(output) => output.verify().map_err(at(output.dir())),
                Item::File(entry) if entry.kind == Kind::Temporary => continue,
                Item::File(entry) if self.is_sound(entry) => Ok(OutputState::Sound),
                Item::File(entry) => {
                    entry.remove().map(|()| OutputState::Removed).map_err(CacheError::from)
                }
            };
            match state {
                Ok(OutputState::Sound) => verified.sound.add(item.size()),
                Ok(OutputState::Busy) => verified.busy += 1,
                // Nobody has ever relied on it.
                Ok(OutputState::Unknown) => {}
                Ok(OutputState::Removed) => verified.removed.push(match item {
                    Item::File(entry) => entry.path,
                    Item::Output(output) => output.dir().to_owned(),
                }),
                Err(error) => verified.failed.push(error),
            }
        }
        verified
    }

    fn is_sound(&self, entry: &Entry) -> bool {
        match entry.kind {
            Kind::Temporary => true,
            Kind::Record => self.store.is_sound(entry),
            Kind::Blob => {
                let digest = self.store.digest_of(entry);
                digest.is_some_and(|digest| self.store.verify_blob(&digest))
            }
        }
    }

    /// Writes what a run needs on another machine to find that nothing has
    /// changed: all records, and the blobs of the layers that they name.
    ///
    /// # Errors
    /// The cache cannot be read, or `out` not be written.
    pub fn export(&self, out: impl Write) -> Result<u64, CacheError> {
        let _run = self.store.shared();
        let wanted = export::wanted(&self.store)?;
        Ok(self.store.export(&wanted, out)?)
    }

    /// Imports an export. Its maker decides what is in images, and so must be
    /// trusted.
    ///
    /// # Errors
    /// The archive is not a complete export: then nothing of it is imported. Or
    /// the cache cannot be written.
    pub fn import(&self, archive: impl Read) -> Result<Imported, CacheError> {
        let _run = self.store.shared();
        Ok(self.store.import(archive)?)
    }
}

/// All entries of a cache, and errors for those that cannot be read.
fn items(store: &Store) -> (Vec<Item>, Vec<CacheError>) {
    let (entries, unread) = store.readable_entries();
    let (outputs, unread_outputs) = Output::readable(&store.bin());
    let items = entries.into_iter().map(Item::File).chain(outputs.into_iter().map(Item::Output));
    let errors = unread.into_iter().map(CacheError::from);
    let errors = errors.chain(unread_outputs.into_iter().map(|(path, error)| at(&path)(error)));
    (items.collect(), errors.collect())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    |source| CacheError::Output { path, source }
}
