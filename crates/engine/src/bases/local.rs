//! Takes bases from a container engine on this machine (`ko.local/…`): the image
//! is exported once, and its layers are compressed and kept. After that the
//! container engine is only asked whether the name still stands for the same
//! image.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt as _;
use oci::{Descriptor, Digest, Hasher, Manifest, MediaType};
use serde::{Deserialize, Serialize};
use store::{BlobWriter, Record, Store, StoreError};
use tokio::io::AsyncWriteExt as _;

use super::error::LocalBaseError;
use crate::blocking::with_store;
use crate::container_engine::{ContainerEngine, EngineKind, EnginePlaces};
use crate::image::empty_manifest;

/// The registry that stands for the engine.
pub(super) const LOCAL: &str = "ko.local";

/// The manifest that was made of an image, by the id of the image.
#[derive(Debug, Serialize, Deserialize)]
struct ExportRecord {
    manifest: Digest,
}

impl Record for ExportRecord {
    const KIND: &'static str = "engine-base";
    /// 2: layers by zstd are unpacked first.
    const VERSION: u32 = 2;
}

/// Gets an image out of an engine; returns a manifest, whose config and layers
/// are in the store.
pub(super) async fn fetch(
    places: &EnginePlaces,
    store: &Store,
    name: &str,
) -> Result<Vec<u8>, LocalBaseError> {
    let engine = ContainerEngine::find(places, EngineKind::Docker).await?;
    let image = engine.image(name).await?;
    let id = image.and_then(|image| image.id).ok_or(LocalBaseError::Missing)?;
    let known = {
        let id = id.clone();
        with_store(store, move |store| kept(store, &id)).await
    };
    if let Some(manifest) = known {
        return Ok(manifest);
    }
    let mut file = tokio::fs::File::from_std(with_store(store, Store::temp_file).await?);
    let mut export = std::pin::pin!(engine.export(name));
    while let Some(chunk) = export.try_next().await? {
        file.write_all(&chunk).await.map_err(LocalBaseError::archive)?;
    }
    file.flush().await.map_err(LocalBaseError::archive)?;
    let file = file.into_std().await;
    let work = with_store(store, move |store| {
        let manifest = read(file, store)?.to_vec();
        let record = ExportRecord { manifest: store.put_blob(&manifest)? };
        store.put_record(&id, &record)?;
        Ok(manifest)
    });
    work.await
}

/// What was made of an image before, if all of it is still there.
fn kept(store: &Store, id: &str) -> Option<Vec<u8>> {
    let record: ExportRecord = store.record(id)?;
    let bytes = store.read_blob(&record.manifest).ok()??;
    let manifest = Manifest::parse(&bytes).ok()?;
    // The config will be read: it is not believed by size and time.
    store.read_blob(&manifest.config.digest).ok()??;
    manifest.layers.iter().all(|blob| store.has_blob(&blob.digest, blob.size)).then_some(bytes)
}

/// An image in `manifest.json` of an archive.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    config: PathBuf,
    layers: Vec<PathBuf>,
}

/// Where a file is in an archive.
#[derive(Clone, Copy)]
struct Place {
    start: u64,
    size: u64,
}

/// Reads what an engine has exported.
fn read(mut file: File, store: &Store) -> Result<Manifest, LocalBaseError> {
    let (places, links) = places(&mut file).map_err(LocalBaseError::archive)?;
    let place = |path: &PathBuf| {
        let found = places.get(links.get(path).unwrap_or(path)).copied();
        found.ok_or_else(|| LocalBaseError::Incomplete { path: path.clone() })
    };
    let mut content = |path: &PathBuf| -> Result<io::Take<File>, LocalBaseError> {
        let place = place(path)?;
        let _ = file.seek(SeekFrom::Start(place.start)).map_err(LocalBaseError::archive)?;
        Ok(file.try_clone().map_err(LocalBaseError::archive)?.take(place.size))
    };
    let images: Vec<Exported> = serde_json::from_reader(content(&"manifest.json".into())?)
        .map_err(|error| LocalBaseError::archive(error.into()))?;
    let image = images.into_iter().next().ok_or(LocalBaseError::Missing)?;
    let mut config = Vec::new();
    content(&image.config)?.read_to_end(&mut config).map_err(LocalBaseError::archive)?;
    store.put_blob(&config)?;
    let mut manifest = empty_manifest(&config);
    manifest.media_type = Some(MediaType::DOCKER_MANIFEST.into());
    manifest.config.media_type = MediaType::DOCKER_CONFIG.into();
    for layer in &image.layers {
        manifest.layers.push(compress(content(layer)?, store)?);
    }
    Ok(manifest)
}

/// The files of an archive, and what its links lead to.
type Places = (HashMap<PathBuf, Place>, HashMap<PathBuf, PathBuf>);

fn places(file: &mut File) -> io::Result<Places> {
    file.rewind()?;
    let (mut places, mut links) = (HashMap::new(), HashMap::new());
    for entry in tar::Archive::new(file).entries_with_seek()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        match entry.link_name()? {
            // A layer that is there already, beside its own directory.
            Some(target) => {
                let target = target.strip_prefix("..").map(PathBuf::from).unwrap_or(target.into());
                let _ = links.insert(path, target);
            }
            None => {
                let place = Place { start: entry.raw_file_position(), size: entry.size() };
                let _ = places.insert(path, place);
            }
        }
    }
    Ok((places, links))
}

/// How compressed layers begin (RFC 1952, 2.3.1; RFC 8878, 3.1.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Compresses a layer into the store. One that is compressed stays as it is,
/// unless it is by zstd, for which Docker's manifests have no name: Docker with
/// containerd's store exports layers as they came.
fn compress(mut layer: impl Read, store: &Store) -> Result<Descriptor, LocalBaseError> {
    let mut blob = Hashing { blob: store.blob_writer()?, hasher: Hasher::new() };
    let mut start = Vec::new();
    let read = (&mut layer).take(ZSTD.len() as u64).read_to_end(&mut start);
    read.map_err(LocalBaseError::archive)?;
    let mut content = start.as_slice().chain(layer);
    let gzip = |blob, mut plain: &mut dyn Read| {
        let mut gzip = GzEncoder::new(blob, Compression::new(2));
        io::copy(&mut plain, &mut gzip).and_then(|_| gzip.finish())
    };
    let blob = if start.starts_with(&GZIP) {
        io::copy(&mut content, &mut blob).map(|_| blob)
    } else if start.starts_with(&ZSTD) {
        zstd::Decoder::new(content).and_then(|mut plain| gzip(blob, &mut plain))
    } else {
        gzip(blob, &mut content)
    };
    let Hashing { blob, hasher } = blob.map_err(LocalBaseError::archive)?;
    let (digest, size) = (hasher.digest(), hasher.size());
    blob.commit(&digest)?;
    Ok(Descriptor::new(MediaType::DOCKER_LAYER_GZIP.into(), digest, size))
}

/// A blob whose digest is known when it is written.
struct Hashing {
    blob: BlobWriter,
    hasher: Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.blob.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blob.flush()
    }
}

impl From<StoreError> for LocalBaseError {
    fn from(error: StoreError) -> Self {
        Self::Store(std::sync::Arc::new(error))
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn layers_are_compressed_once_and_by_gzip() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let plain = b"a layer".repeat(1000);
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::new(9));
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        for (layer, want) in
            [(&plain[..], &plain[..]), (&zstd, &plain), (&gzip, &plain), (b"", b""), (b"x", b"x")]
        {
            let made = compress(layer, &store).unwrap();
            let blob = store.read_blob(&made.digest).unwrap().unwrap();
            assert_eq!(blob.len() as u64, made.size);
            let mut inflated = Vec::new();
            GzDecoder::new(&blob[..]).read_to_end(&mut inflated).unwrap();
            assert_eq!(inflated, want);
            assert_eq!(blob == gzip, layer == gzip, "what is gzip stays as it is");
        }
    }
}
