//! Writes OCI image layouts: a directory with blobs by digest and an
//! `index.json` (OCI image-spec, "Image Layout Specification").

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fsutil::Access;
use futures::FutureExt as _;
use golang::ImportPath;
use oci::{Descriptor, Index, MediaType, json};
use once::blocking;
use store::Store;

use super::files::{at, check_dir, put, replace};
use super::options::Layout;
use super::{Destination, DestinationError, DestinationParts, Publishing};
use crate::archive::oci::{LAYOUT, REF_NAME};
use crate::blobs::{BlobError, Blobs};
use crate::events::{Event, Observer};
use crate::image::{Artifact, Image, ImageName};

#[derive(Debug)]
struct LayoutDestination {
    dir: PathBuf,
    layout: Layout,
    blobs: Blobs,
    observer: Observer,
}

/// Nothing is written before the first image.
pub(super) fn wanted(parts: &DestinationParts<'_>) -> Option<Box<dyn Destination>> {
    let layout = parts.options.layout.clone()?;
    Some(Box::new(LayoutDestination {
        dir: parts.work_dir.join(&layout.path),
        layout,
        blobs: parts.blobs.clone(),
        observer: parts.observer.clone(),
    }))
}

impl LayoutDestination {
    /// What an image is found by.
    fn names(&self, name: &ImageName) -> Vec<String> {
        if self.layout.named { name.tagged() } else { Vec::new() }
    }

    async fn save(
        &self,
        import_path: &ImportPath,
        artifact: &Artifact,
    ) -> Result<(), DestinationError> {
        self.observer.emit(Event::Saving { what: format!("ko://{import_path}") });
        for image in artifact.images() {
            for layer in &image.layers {
                self.blobs.provide(layer).await?;
            }
        }
        let (dir, store, artifact) =
            (self.dir.clone(), self.blobs.store().clone(), artifact.clone());
        let work = blocking(move || write(&dir, &store, &artifact));
        work.await
    }
}

impl Destination for LayoutDestination {
    /// The index lists images in the order in which they were asked for.
    fn in_order(&self) -> bool {
        true
    }

    fn ready(&self) -> Publishing<'_> {
        let (dir, shown) = (self.dir.clone(), self.layout.path.clone());
        let action = match self.layout.named {
            true => "KO_DOCKER_REPO: writing to",
            false => "--oci-layout-path: writing to",
        };
        let check = move || check_dir(&dir).map_err(at(action, &shown));
        async move { blocking(check).await }.boxed()
    }

    fn upload<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a> {
        self.save(&name.import_path, artifact).boxed()
    }

    fn commit<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a, String> {
        let append = async move {
            let (dir, names, made) = (self.dir.clone(), self.names(name), artifact.clone());
            let work = blocking(move || append(&dir, &names, &made));
            work.await?;
            self.observer.emit(Event::Saved { what: format!("ko://{}", name.import_path) });
            Ok(format!("{}@{}", self.layout.path.display(), artifact.digest()))
        };
        append.boxed()
    }
}

/// Writes all blobs of an artifact; those that are there already stay.
fn write(dir: &Path, store: &Store, artifact: &Artifact) -> Result<(), DestinationError> {
    let blobs = dir.join("blobs").join("sha256");
    fs::create_dir_all(&blobs).map_err(at("creating", &blobs))?;
    for image in artifact.images() {
        write_image(&blobs, store, image)?;
    }
    let (_, bytes) = artifact.top();
    put(&blobs.join(artifact.digest().hex()), bytes.len() as u64, &mut &*bytes)
}

fn write_image(blobs: &Path, store: &Store, image: &Image) -> Result<(), DestinationError> {
    for layer in &image.layers {
        let Descriptor { digest, size, .. } = &layer.descriptor;
        // What only lives elsewhere is not part of the layout either.
        let Some(mut file) = store.open_blob(digest, *size)? else {
            if layer.descriptor.media_type.is_nondistributable() {
                continue;
            }
            return Err(BlobError::Missing { digest: *digest }.into());
        };
        put(&blobs.join(digest.hex()), *size, &mut file)?;
    }
    for (digest, bytes) in
        [(image.config_descriptor.digest, &image.config), (image.digest, &image.manifest)]
    {
        put(&blobs.join(digest.hex()), bytes.len() as u64, &mut &bytes[..])?;
    }
    Ok(())
}

/// Adds the artifact to `index.json`, under its names if it has any, and creates
/// the file if it does not exist. One process at a time: if two write the same
/// layout, it lists both.
fn append(dir: &Path, names: &[String], artifact: &Artifact) -> Result<(), DestinationError> {
    let marker = dir.join("oci-layout");
    // Never replaced: it is the file that is locked.
    fsutil::write_new(&marker, Access::Public, LAYOUT).map_err(at("creating", &marker))?;
    let lock = File::open(&marker).map_err(at("opening", &marker))?;
    lock.lock().map_err(at("locking", &marker))?;

    let path = dir.join("index.json");
    let mut index = match fs::read(&path) {
        Ok(bytes) => Index::parse(&bytes).map_err(|source| DestinationError::LayoutIndex {
            path: path.clone(),
            source: Arc::new(source),
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Index::new(MediaType::OCI_INDEX.into())
        }
        Err(error) => return Err(at("reading", &path)(error)),
    };
    let descriptor = artifact.descriptor();
    if names.is_empty() {
        index.manifests.push(descriptor.clone());
    }
    for name in names {
        index.manifests.retain(|entry| entry.annotations.get(REF_NAME) != Some(name));
        let mut named = descriptor.clone();
        named.annotations.insert(REF_NAME.to_owned(), name.clone());
        index.manifests.push(named);
    }
    replace(&path, &mut &json::to_vec_indented(&index, "   ")[..])
}
