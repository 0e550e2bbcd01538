//! Inflates layers for archives whose readers would only do the same.

use std::io::{self, BufReader, Read, Seek as _};

use flate2::bufread::MultiGzDecoder;
use oci::Descriptor;
use store::Store;

use super::member::Content;
use crate::blobs::BlobError;

/// The content of a layer, inflated into a file that has no name.
pub(super) fn inflate(layer: &Descriptor, store: &Store) -> Result<Content, BlobError> {
    let Descriptor { digest, size, media_type, .. } = layer;
    let blob = store.open_blob(digest, *size)?.ok_or(BlobError::Missing { digest: *digest })?;
    let blob = BufReader::with_capacity(256 * 1024, blob);
    let mut plain: Box<dyn Read> = match media_type.as_str() {
        media_type if media_type.ends_with("gzip") => Box::new(MultiGzDecoder::new(blob)),
        media_type if media_type.ends_with("zstd") => {
            let path = store.blob_path(digest);
            Box::new(zstd::Decoder::with_buffer(blob).map_err(BlobError::at("inflating", &path))?)
        }
        _ => return Ok(Content::Blob(*digest, *size)),
    };
    let mut file = store.temp_file()?;
    let size = io::copy(&mut plain, &mut file).and_then(|size| file.rewind().map(|()| size));
    let size = size.map_err(BlobError::at("inflating", &store.blob_path(digest)))?;
    Ok(Content::File(file, size))
}
