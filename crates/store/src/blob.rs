//! Blobs: content that is named by its digest.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use oci::Digest;

use crate::error::at;
use crate::{Store, StoreError};

impl Store {
    /// Where the blob of this digest is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Is the blob here, with this size? A file of another size is a torn
    /// write of a crashed machine, and as good as absent.
    pub fn has_blob(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.blob_path(digest)).is_ok_and(|found| found.len() == size)
    }

    /// Opens a blob, if it is here with this size.
    ///
    /// # Errors
    /// It is here but cannot be opened.
    pub fn open_blob(&self, digest: &Digest, size: u64) -> Result<Option<File>, StoreError> {
        let path = self.blob_path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at("opening", &path)(error)),
        };
        let found = file.metadata().map_err(at("reading", &path))?;
        Ok((found.len() == size).then_some(file))
    }

    /// Reads a small blob (a manifest, a config) and checks its digest. What
    /// does not match is as good as absent.
    ///
    /// # Errors
    /// It is here but cannot be read.
    pub fn read_blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.blob_path(digest);
        match fs::read(&path) {
            Ok(bytes) => Ok((Digest::of(&bytes) == *digest).then_some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at("reading", &path)(error)),
        }
    }

    /// Stores a small blob.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if !self.has_blob(&digest, bytes.len() as u64) {
            let mut writer = self.blob_writer()?;
            writer.write_all(bytes).map_err(at("writing", &self.blob_path(&digest)))?;
            writer.commit(&digest)?;
        }
        Ok(digest)
    }

    /// Starts a blob whose digest is known only at its end.
    ///
    /// # Errors
    /// No file can be made.
    pub fn blob_writer(&self) -> Result<BlobWriter, StoreError> {
        let temp = self.temp()?;
        Ok(BlobWriter { store: self.clone(), file: BufWriter::with_capacity(256 * 1024, temp) })
    }
}

/// A blob that is being written. Dropped without [`commit`](Self::commit), it
/// leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    file: BufWriter<tempfile::NamedTempFile>,
}

impl BlobWriter {
    /// Gives the content its name. `digest` is that of the bytes written: the
    /// caller has hashed them as they passed by.
    ///
    /// # Errors
    /// The rest cannot be written, or the file not be renamed.
    pub fn commit(self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.store.blob_path(digest);
        let temp =
            self.file.into_inner().map_err(|error| at("writing", &path)(error.into_error()))?;
        temp.persist(&path).map_err(|error| at("renaming to", &path)(error.error))?;
        Ok(())
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
