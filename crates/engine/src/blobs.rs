//! Brings the bytes of layers into the cache, for destinations that need them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci::{Descriptor, Digest};
use once::{OnceMap, blocking};
use registry::{BlobSource, Client, RegistryError};
use store::{Store, StoreError};

use crate::hints::{self, Asked};
use crate::image::{ImageLayer, LayerSource};
use crate::static_base;

/// Why the bytes of a blob cannot be had, or not be written where they should go.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A layer of the base could not be had.
    #[error("pulling a layer of the base image {base}")]
    BaseLayer {
        /// The base's repository.
        base: String,
        /// What the registry said.
        #[source]
        source: Arc<RegistryError>,
    },
    /// A layer has gone from the cache.
    #[error("layer {digest} is no longer in the cache")]
    Missing {
        /// The layer.
        digest: Digest,
    },
    /// The cache cannot be read or written.
    #[error("reading the cache")]
    Store(#[source] Arc<StoreError>),
    /// A file or stream cannot be written.
    #[error("{action} {path}", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Arc<io::Error>,
    },
}

impl From<StoreError> for BlobError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl BlobError {
    /// What a user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::BaseLayer { source, .. } => Some(hints::registry(source, Asked::Base(None))),
            Self::Missing { .. } => Some("run ko again: it will be made again".to_owned()),
            Self::Store(source) => hints::cache_disk(source.io()),
            Self::File { source, .. } => hints::disk(source),
            Self::Cancelled => None,
        }
    }

    /// Says what was tried with which file when it failed.
    pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path, source: Arc::new(source) }
    }
}

/// Why an image could not be sent to something that takes it whole: its bytes
/// could not be had, or it was refused.
#[derive(Debug, Clone)]
pub(crate) enum SendError<E> {
    Blob(BlobError),
    Refused(E),
}

impl<E> From<BlobError> for SendError<E> {
    fn from(error: BlobError) -> Self {
        Self::Blob(error)
    }
}

/// The blobs of the images of a run: those in the cache, and those that the
/// registries of the bases have. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Store,
    bases: Client,
    /// Pulls under way, so that no layer is pulled twice.
    pulls: Arc<OnceMap<Digest, Result<(), BlobError>>>,
}

impl Blobs {
    /// Takes the client that bases are pulled with.
    pub(crate) fn new(store: Store, bases: Client) -> Self {
        Self { store, bases, pulls: Arc::new(OnceMap::new()) }
    }

    /// The cache.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The file of a layer that was provided.
    #[must_use]
    pub fn path(&self, layer: &ImageLayer) -> PathBuf {
        self.store.blob_path(&layer.descriptor.digest)
    }

    /// Brings a layer into the cache. Layers that registries do not distribute
    /// are left alone.
    ///
    /// # Errors
    /// The layer cannot be pulled, or has gone from the cache.
    pub async fn provide(&self, layer: &ImageLayer) -> Result<(), BlobError> {
        let Descriptor { digest, size, media_type, .. } = &layer.descriptor;
        if media_type.is_nondistributable() || self.store.has_blob(digest, *size) {
            return Ok(());
        }
        let digest = *digest;
        match &layer.source {
            LayerSource::Cache | LayerSource::Scratch => Err(BlobError::Missing { digest }),
            LayerSource::Static => {
                let store = self.store.clone();
                let provide = || blocking(move || Ok(static_base::provide_layer(&store)?));
                self.pulls.start(digest, provide).await
            }
            LayerSource::Registry(repository) => {
                let (store, client) = (self.store.clone(), self.bases.clone());
                let (repository, descriptor) = (repository.clone(), layer.descriptor.clone());
                let pull = || async move {
                    let pulled = client.pull_blob(&repository, &descriptor, &store).await;
                    pulled.map_err(|source| BlobError::BaseLayer {
                        base: repository.full_name(),
                        source: Arc::new(source),
                    })
                };
                self.pulls.start(digest, pull).await
            }
        }
    }

    /// Where a push finds the bytes of a layer: a registry's are streamed, not
    /// kept, so they need not be in the cache first.
    pub(crate) async fn source(&self, layer: &ImageLayer) -> Result<BlobSource, BlobError> {
        let store = self.store.clone();
        match &layer.source {
            LayerSource::Registry(repository) => {
                let (client, repository) = (self.bases.clone(), repository.clone());
                Ok(BlobSource::Remote { client, repository, store })
            }
            LayerSource::Static | LayerSource::Scratch => {
                self.provide(layer).await?;
                Ok(BlobSource::Store(store))
            }
            LayerSource::Cache => Ok(BlobSource::Store(store)),
        }
    }
}
