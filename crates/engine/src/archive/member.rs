//! Writes the members of an archive as plain as tar can be, so that the same
//! images give the same bytes.

use std::fs::File;
use std::io::{self, Read, Write};

use oci::Digest;
use store::Store;

use crate::blobs::BlobError;

/// A regular file in an archive.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its path.
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// What is in it.
#[derive(Debug)]
pub(crate) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A blob of the store: digest and size.
    Blob(Digest, u64),
    /// A file from its beginning on, and its size.
    File(File, u64),
}

impl Member {
    pub(crate) fn new(path: impl Into<String>, content: Content) -> Self {
        Self { path: path.into(), content }
    }
}

/// Writes an archive. `failed` says what a failure of `out` means.
pub(crate) fn write(
    members: Vec<Member>,
    store: &Store,
    out: &mut dyn Write,
    failed: &dyn Fn(io::Error) -> BlobError,
) -> Result<(), BlobError> {
    let mut tar = tar::Builder::new(out);
    for Member { path, content } in members {
        let mut append = |size: u64, read: &mut dyn Read| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(size);
            tar.append_data(&mut header, &path, read.take(size)).map_err(failed)
        };
        match content {
            Content::Bytes(bytes) => append(bytes.len() as u64, &mut &bytes[..])?,
            Content::Blob(digest, size) => {
                let blob = store.open_blob(&digest, size)?;
                append(size, &mut blob.ok_or(BlobError::Missing { digest })?)?;
            }
            Content::File(mut file, size) => append(size, &mut file)?,
        }
    }
    tar.finish().map_err(failed)
}
