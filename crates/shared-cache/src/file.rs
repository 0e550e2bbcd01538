//! A directory, perhaps on a file system that several machines share.
//!
//! ```text
//! <directory>/ko-cache-v1/records/<kind>/<hex>
//! <directory>/ko-cache-v1/blobs/<first two digits>/<hex>
//! <directory>/ko-cache-v1/tmp/                            what is being written
//! ```
//!
//! Files come to be by a rename, so that a reader sees a whole file or none.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use oci::Digest;
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::task::spawn_blocking;

use crate::storage::{ByteStream, Entry, EntryId, Storage, Version, Versioned, Written};
use crate::{BlobId, Body, Meter, RecordName, StorageError};

/// The version of the layout, and the directory that holds it.
const LAYOUT: &str = "ko-cache-v1";

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

type Result<T> = std::result::Result<T, StorageError>;

/// A directory.
#[derive(Debug, Clone)]
pub struct FileStorage {
    directory: PathBuf,
    root: PathBuf,
    meter: Meter,
}

impl FileStorage {
    /// The directory must be there when something is written; what is below it is made.
    #[must_use]
    pub fn new(directory: &Path, meter: Meter) -> Self {
        Self { directory: directory.to_owned(), root: directory.join(LAYOUT), meter }
    }

    fn record_path(&self, name: &RecordName) -> PathBuf {
        self.root.join("records").join(name.kind.to_string()).join(name.key.hex())
    }

    fn blob_path(&self, blob: &BlobId) -> PathBuf {
        let hex = blob.digest.hex();
        self.root.join("blobs").join(&hex[..2]).join(hex)
    }

    fn path(&self, id: &EntryId) -> PathBuf {
        match id {
            EntryId::Record(name) => self.record_path(name),
            EntryId::Blob(blob) => self.blob_path(blob),
        }
    }

    /// A file that gets its name when it is whole. Everybody may read it who may
    /// read the directory.
    fn temp(&self) -> Result<NamedTempFile> {
        if !self.directory.is_dir() {
            let what = format!("directory {}", self.directory.display());
            return Err(StorageError::NoPlace { what });
        }
        let dir = self.root.join("tmp");
        fs::create_dir_all(&dir).map_err(StorageError::at("creating", &dir))?;
        #[cfg_attr(not(unix), expect(unused_mut, reason = "permissions are Unix's"))]
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(&dir).map_err(StorageError::at("creating a file in", &dir))
    }

    /// Runs work that blocks.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let storage = self.clone();
        match spawn_blocking(move || work(&storage)).await {
            Ok(done) => done,
            Err(error) => Err(StorageError::Unreachable(Box::new(error))),
        }
    }

    fn read_record(&self, name: &RecordName) -> Result<Option<Versioned>> {
        self.meter.round_trip();
        let path = self.record_path(name);
        match fs::read(&path) {
            Ok(bytes) => {
                self.meter.received(bytes.len());
                let version = version(&bytes);
                Ok(Some(Versioned { bytes: bytes.into(), version }))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(StorageError::at("reading", path)(error)),
        }
    }

    fn write_record(
        &self,
        name: &RecordName,
        bytes: &[u8],
        previous: Option<&Version>,
    ) -> Result<Written> {
        let path = self.record_path(name);
        let mut temp = self.temp()?;
        temp.write_all(bytes).map_err(StorageError::at("writing", &path))?;
        self.meter.sent(bytes.len());
        create_parent(&path)?;
        let Some(previous) = previous else {
            self.meter.round_trip();
            return match temp.persist_noclobber(&path) {
                Ok(_) => Ok(Written::Done),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    Ok(Written::Conflict)
                }
                Err(error) => Err(StorageError::at("renaming to", path)(error.error)),
            };
        };
        // What somebody writes between this look and the rename is lost.
        match self.read_record(name)? {
            Some(found) if found.version == *previous => {}
            _ => return Ok(Written::Conflict),
        }
        self.meter.round_trip();
        let renamed = temp.persist(&path);
        renamed.map_err(|error| StorageError::at("renaming to", path)(error.error))?;
        Ok(Written::Done)
    }

    fn list_all(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for kind in self.children(&self.root.join("records"))? {
            let Some(name) = kind.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            for file in self.children(&kind.path())? {
                let (Some(key), Some(found)) = (digest(&file.file_name()), metadata(&file)?) else {
                    continue;
                };
                let id = EntryId::Record(RecordName { kind: Clone::clone(&name), key });
                entries.push(Entry { id, size: found.len(), written: found.modified().ok() });
            }
        }
        for prefix in self.children(&self.root.join("blobs"))? {
            for file in self.children(&prefix.path())? {
                let Some(digest) = digest(&file.file_name()) else { continue };
                let Some(found) = metadata(&file)? else { continue };
                let size = found.len();
                let id = EntryId::Blob(BlobId { digest, size });
                entries.push(Entry { id, size, written: found.modified().ok() });
            }
        }
        Ok(entries)
    }

    fn children(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        self.meter.round_trip();
        let failed = |error| StorageError::at("listing", dir)(error);
        match fs::read_dir(dir) {
            Ok(entries) => entries.collect::<io::Result<_>>().map_err(failed),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The metadata of a file, unless somebody has removed it.
fn metadata(entry: &DirEntry) -> Result<Option<Metadata>> {
    match entry.metadata() {
        Ok(found) => Ok(Some(found).filter(Metadata::is_file)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(StorageError::at("reading", entry.path())(error)),
    }
}

fn version(bytes: &[u8]) -> Version {
    Version(Digest::of(bytes).hex())
}

fn digest(hex: &OsStr) -> Option<Digest> {
    format!("sha256:{}", hex.to_str()?).parse().ok()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(StorageError::at("creating", parent))
}

impl Storage for FileStorage {
    fn read<'a>(&'a self, name: &'a RecordName) -> BoxFuture<'a, Result<Option<Versioned>>> {
        let name = name.clone();
        self.blocking(move |storage| storage.read_record(&name)).boxed()
    }

    fn write<'a>(
        &'a self,
        name: &'a RecordName,
        bytes: Bytes,
        previous: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Written>> {
        let (name, previous) = (name.clone(), previous.cloned());
        let write = move |storage: &Self| storage.write_record(&name, &bytes, previous.as_ref());
        self.blocking(write).boxed()
    }

    fn missing<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<Vec<BlobId>>> {
        let mut missing = blobs.to_vec();
        let look = move |storage: &Self| {
            missing.retain(|blob| {
                storage.meter.round_trip();
                let found = fs::metadata(storage.blob_path(blob));
                !found.is_ok_and(|found| found.len() == blob.size)
            });
            Ok(missing)
        };
        self.blocking(look).boxed()
    }

    fn get<'a>(&'a self, blob: &'a BlobId) -> BoxFuture<'a, Result<Option<ByteStream>>> {
        let path = self.blob_path(blob);
        async move {
            let file = tokio::fs::File::open(&path).await;
            self.meter.round_trip();
            let file = match file {
                Ok(file) => file,
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(StorageError::at("opening", path)(error)),
            };
            let state = (file, path, self.meter.clone());
            let chunks = stream::try_unfold(state, |(mut file, path, meter)| async {
                let mut chunk = BytesMut::with_capacity(CHUNK);
                match file.read_buf(&mut chunk).await {
                    Ok(0) => Ok(None),
                    Ok(read) => {
                        meter.received(read);
                        Ok(Some((chunk.freeze(), (file, path, meter))))
                    }
                    Err(error) => Err(StorageError::at("reading", path)(error)),
                }
            });
            Ok(Some(chunks.boxed()))
        }
        .boxed()
    }

    fn put<'a>(&'a self, blob: &'a BlobId, body: Body) -> BoxFuture<'a, Result<()>> {
        let path = self.blob_path(blob);
        async move {
            let mut temp = self.blocking(Self::temp).await?;
            let mut chunks = body.stream().await?;
            while let Some(chunk) = chunks.next().await {
                let (chunk, path) = (chunk?, path.clone());
                let write = move |_: &Self| {
                    temp.write_all(&chunk).map_err(StorageError::at("writing", path))?;
                    Ok(temp)
                };
                temp = self.blocking(write).await?;
            }
            self.meter.round_trip();
            let rename = move |_: &Self| {
                create_parent(&path)?;
                let renamed = temp.persist(&path);
                renamed.map_err(|error| StorageError::at("renaming to", path)(error.error))?;
                Ok(())
            };
            self.blocking(rename).await
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        self.blocking(Self::list_all).boxed()
    }

    fn remove<'a>(&'a self, entry: &'a EntryId) -> BoxFuture<'a, Result<()>> {
        let path = self.path(entry);
        let remove = move |storage: &Self| {
            storage.meter.round_trip();
            match fs::remove_file(&path) {
                Err(error) if !is_absent(&error) => Err(StorageError::at("removing", path)(error)),
                _ => Ok(()),
            }
        };
        self.blocking(remove).boxed()
    }

    fn try_writing(&self) -> BoxFuture<'_, Result<()>> {
        self.blocking(|storage| storage.temp().map(drop)).boxed()
    }
}
