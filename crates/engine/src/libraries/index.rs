//! Indexes a layer for shared libraries: files that may be libraries, links, and what the
//! layer removes from the layers below. The cache keeps an index by the layer's digest.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use golang::newest_glibc;
use oci::{Descriptor, Digest};
use serde::{Deserialize, Serialize};
use store::Store;
use tar::EntryType;

use crate::blobs::BlobError;
use crate::tar_entries;

/// The largest C library that is read, in bytes.
const LARGEST: u64 = 64 << 20;
/// More of paths than this is not kept, in bytes: no distribution has so much.
const MOST: usize = 32 << 20;
/// A path or target that is longer leads nowhere, as for the kernel.
const LONGEST: usize = 4096;

/// The parts of a layer that matter for shared libraries. Paths have no leading slash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LayerIndex {
    /// Files that may be libraries or interpreters.
    pub(super) files: Vec<String>,
    /// Links and their targets.
    pub(super) links: Vec<(String, String)>,
    /// Paths that the layer removes, with everything below them.
    pub(super) removed: Vec<String>,
    /// Directories whose earlier content the layer removes.
    pub(super) emptied: Vec<String>,
    /// The release of glibc, as 36 of 2.36.
    pub(super) glibc: Option<u32>,
}

impl store::Record for LayerIndex {
    const KIND: &'static str = "layer-libraries";
    const VERSION: u32 = 1;
}

impl LayerIndex {
    /// The list of a layer, if it was made before.
    pub(super) fn known(store: &Store, digest: &Digest) -> Option<Self> {
        store.record(&digest.to_string())
    }

    /// Reads a layer that is in the store.
    pub(super) fn make(store: &Store, layer: &Descriptor) -> Result<Self, BlobError> {
        if layer.media_type.is_nondistributable() {
            return Ok(Self::default());
        }
        let digest = layer.digest;
        let blob = store.open_blob(&digest, layer.size)?.ok_or(BlobError::Missing { digest })?;
        let blob = BufReader::with_capacity(256 * 1024, blob);
        let path = store.blob_path(&digest);
        let at = || BlobError::at("looking for libraries in", &path);
        let plain: Box<dyn Read> = match layer.media_type.as_str() {
            name if name.ends_with("gzip") => Box::new(MultiGzDecoder::new(blob)),
            name if name.ends_with("zstd") => {
                Box::new(zstd::Decoder::with_buffer(blob).map_err(at())?)
            }
            _ => Box::new(blob),
        };
        let index = Self::read(plain).map_err(at())?;
        // Without, the layer is read again.
        let _ = store.put_record(&digest.to_string(), &index);
        Ok(index)
    }

    fn read(mut tar: impl Read) -> io::Result<Self> {
        let mut index = Self::default();
        let mut kept = 0;
        tar_entries::each(&mut tar, |entry| {
            let path = entry.path_bytes();
            let target = entry.link_name_bytes().unwrap_or_default();
            if path.len().max(target.len()) > LONGEST {
                return Ok(());
            }
            // Each takes some room beside its text.
            let size = path.len() + target.len() + size_of::<(String, String)>();
            let (path, target) = (String::from_utf8_lossy(&path), String::from_utf8_lossy(&target));
            let (path, target) = (normal(&path), target.into_owned());
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
            match entry.header().entry_type() {
                // OCI image-spec, "Layer Filesystem Changeset".
                _ if name == ".wh..wh..opq" => index.emptied.push(dir.to_owned()),
                _ if name.starts_with(".wh.") => {
                    let name = &name[".wh.".len()..];
                    index.removed.push(if dir.is_empty() {
                        name.into()
                    } else {
                        format!("{dir}/{name}")
                    });
                }
                EntryType::Symlink => index.links.push((path, target)),
                EntryType::Link if may_be_library(name) => {
                    index.links.push((path, format!("/{}", normal(&target))));
                }
                EntryType::Regular | EntryType::GNUSparse if may_be_library(name) => {
                    if is_libc(name) && entry.size() <= LARGEST {
                        let mut content = Vec::new();
                        entry.read_to_end(&mut content)?;
                        let newest = Some(newest_glibc(&content)).filter(|newest| *newest > 0);
                        index.glibc = newest.or(index.glibc);
                    }
                    index.files.push(path);
                }
                _ => return Ok(()),
            }
            kept += size;
            match kept <= MOST {
                true => Ok(()),
                false => Err(io::Error::other("too many links and libraries")),
            }
        })?;
        Ok(index)
    }
}

/// The C library of glibc, before and since its release 2.34.
fn is_libc(name: &str) -> bool {
    name == "libc.so.6" || (name.starts_with("libc-2.") && name.ends_with(".so"))
}

fn may_be_library(name: &str) -> bool {
    name.contains(".so")
}

/// A path without what means nothing in it.
pub(super) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
