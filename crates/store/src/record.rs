//! Keeps records: small values that were found out once, by the key that they were
//! found out for.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use oci::Digest;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::archive::FOR_THIS_MACHINE;
use crate::error::at;
use crate::owner::is_ours_alone;
use crate::usage::touch;
use crate::{Place, Store, StoreError};

/// A value that the store can keep.
pub trait Record: Serialize + DeserializeOwned {
    /// The directory of its kind, a file name.
    const KIND: &'static str;
    /// Its shape's version. Records of another version are as good as absent.
    const VERSION: u32;
}

#[derive(Serialize)]
struct Written<'a, T> {
    version: u32,
    key: &'a str,
    value: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    version: u32,
    key: String,
    value: T,
}

/// What is between a record and the sha256 of all before.
const END: &[u8] = b"\n";

/// The JSON of a record's file, if that is as it was written: a wrong digit
/// would be good JSON too.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (signed, hex) = bytes.split_at_checked(bytes.len().checked_sub(64)?)?;
    let json = signed.strip_suffix(END)?;
    (Digest::of(signed).hex().as_bytes() == hex).then_some(json)
}

/// Is a file a record of any kind and version, whole, and that of the key by
/// whose digest it is named?
pub(crate) fn is_record(bytes: &[u8], hex: &str) -> bool {
    let read = whole(bytes).and_then(|json| serde_json::from_slice::<Read<IgnoredAny>>(json).ok());
    read.is_some_and(|read| Digest::of(read.key.as_bytes()).hex() == hex)
}

impl Store {
    fn record_path<T: Record>(key: &str) -> PathBuf {
        let name = format!("{}.json", Digest::of(key.as_bytes()).hex());
        Path::new("records").join(T::KIND).join(name)
    }

    /// Looks a record up. What cannot be read, for whatever reason, or is not
    /// what was written, is as good as absent: it will be found out again and
    /// written over. A record for this machine counts only if nobody else can have
    /// written it.
    pub fn record<T: Record>(&self, key: &str) -> Option<T> {
        let Place { path, is_below } = self.place(&Self::record_path::<T>(key));
        let mut file = fs::File::open(&path).ok()?;
        let found = file.metadata().ok()?;
        if T::KIND.starts_with(FOR_THIS_MACHINE) && !is_ours_alone(&found) {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        let read: Read<T> = serde_json::from_slice(whole(&bytes)?).ok()?;
        if read.version != T::VERSION || read.key != key {
            return None;
        }
        if !is_below {
            touch(&path, &found);
        }
        Some(read.value)
    }

    /// Keeps a record, in place of one of the same key.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_record<T: Record>(&self, key: &str, value: &T) -> Result<(), StoreError> {
        let path = self.root.join(Self::record_path::<T>(key));
        let written = serde_json::to_vec(&Written { version: T::VERSION, key, value });
        let mut bytes = written.map_err(io::Error::from).map_err(at("writing", &path))?;
        bytes.extend_from_slice(END);
        let digest = Digest::of(&bytes);
        bytes.extend_from_slice(digest.hex().as_bytes());
        if let Some(kind) = path.parent() {
            fs::create_dir_all(kind).map_err(at("creating", kind))?;
        }
        let temp = self.temp()?;
        fs::write(temp.path(), bytes).map_err(at("writing", &path))?;
        temp.persist(&path).map_err(|error| at("renaming to", &path)(error.error))?;
        Ok(())
    }
}
