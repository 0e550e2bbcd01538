//! Blobs: content that is named by its digest.
//!
//! A blob is large, and looked for far more often than it is read, so that its
//! digest cannot be checked each time. What shows that nobody has written to it
//! since is its modification time: it is set to one that follows from the
//! digest, which no write leaves in place. A file with another time is hashed;
//! it gets the time back if it is what its name says, and is removed else.

use std::fs::{self, File, FileTimes};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oci::{Digest, Hasher};
use tempfile::TempPath;

use crate::error::at;
use crate::usage::touch;
use crate::{Place, Store, StoreError};

impl Store {
    /// Where the blob of this digest is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blob_place(digest).path
    }

    fn blob_place(&self, digest: &Digest) -> Place {
        self.place(&Path::new("blobs/sha256").join(digest.hex()))
    }

    /// Is the blob here, whole and unchanged? What is not is removed: a torn
    /// write of a crashed machine, or a damaged file.
    pub fn has_blob(&self, digest: &Digest, size: u64) -> bool {
        let Place { path, is_below } = self.blob_place(digest);
        let Ok(found) = fs::metadata(&path) else { return false };
        let marked = found.modified().is_ok_and(|time| time == mark(digest));
        let here = found.len() == size && (marked || self.verify_blob(digest));
        if here && !is_below {
            touch(&path, &found);
        }
        here
    }

    /// Reads a blob and compares it with its digest, whatever its time says.
    /// One that is damaged is removed.
    pub fn verify_blob(&self, digest: &Digest) -> bool {
        let Place { path, is_below } = self.blob_place(digest);
        let sound = File::open(&path).and_then(|mut file| {
            let mut hasher = Hasher::new();
            let mut buffer = vec![0; 256 << 10];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    read => hasher.update(&buffer[..read]),
                }
            }
            if hasher.digest() != *digest {
                return Ok(false);
            }
            // Without the mark it is read again the next time, no more.
            if !is_below {
                let _ = set_mark(&file, digest);
            }
            Ok(true)
        });
        if matches!(sound, Ok(false)) && !is_below {
            let _ = fs::remove_file(&path);
        }
        sound.unwrap_or(false)
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

    /// Reads a small blob (a manifest, a config) and checks its digest. One
    /// that is damaged is removed: its size and time may still say otherwise.
    ///
    /// # Errors
    /// It is here but cannot be read.
    pub fn read_blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let Place { path, is_below } = self.blob_place(digest);
        match fs::read(&path) {
            Ok(bytes) if Digest::of(&bytes) == *digest => {
                if let Ok(found) = fs::metadata(&path)
                    && !is_below
                {
                    touch(&path, &found);
                }
                Ok(Some(bytes))
            }
            Ok(_) => {
                if !is_below {
                    let _ = fs::remove_file(&path);
                }
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at("reading", &path)(error)),
        }
    }

    /// Stores a small blob. A damaged one is replaced, also if nothing but its
    /// content shows that.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let is_there = self.blob_path(&digest).exists();
        if !is_there || !matches!(self.read_blob(&digest), Ok(Some(_))) {
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
        let (file, temp) = self.temp()?.into_parts();
        let file = BufWriter::with_capacity(64 * 1024, file);
        Ok(BlobWriter { store: self.clone(), file, temp })
    }
}

/// The modification time of an unchanged blob: whole even seconds, which every
/// file system can keep, between 2001 and 2035.
fn mark(digest: &Digest) -> SystemTime {
    let seed = digest.hex().bytes().take(8).fold(0_u64, |sum, byte| sum * 31 + u64::from(byte));
    UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seed % 524_288 * 2_048)
}

pub(crate) fn set_mark(file: &File, digest: &Digest) -> io::Result<()> {
    file.set_times(FileTimes::new().set_modified(mark(digest)))
}

/// A blob that is being written. Dropped without [`commit`](Self::commit), it
/// leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    /// Written to by itself: errors of tempfile would no longer say what the system said.
    file: BufWriter<File>,
    temp: TempPath,
}

impl BlobWriter {
    /// Gives the content its name. `digest` is that of the bytes written: the
    /// caller has hashed them as they passed by.
    ///
    /// # Errors
    /// The rest cannot be written, or the file not be renamed.
    pub fn commit(self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.store.root.join("blobs/sha256").join(digest.hex());
        let file =
            self.file.into_inner().map_err(|error| at("writing", &path)(error.into_error()))?;
        // Without the mark it is read again when it is looked for.
        let _ = set_mark(&file, digest);
        self.temp.persist(&path).map_err(|error| at("renaming to", &path)(error.error))?;
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
