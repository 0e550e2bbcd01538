//! Finds the storage that a URL names.

use std::path::PathBuf;
use std::sync::Arc;

use credentials::{Sources, Stores};
use registry::Client;

use crate::{
    CacheUrl, FileStorage, Meter, ObjectStorage, ReapiStorage, RegistryStorage, Scheme, Storage,
    StorageError,
};

/// What a storage may need beside its URL.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {
    /// Where relative paths begin.
    pub work_dir: PathBuf,
    /// Counts what it moves.
    pub meter: Meter,
    /// The client of registries, which knows who we are there.
    pub registries: Option<Client>,
    /// What object stores must know of this machine: variables, proxies, certificates.
    pub machine: Sources,
}

impl Context {
    /// A context with counters of its own.
    #[must_use]
    pub fn new(work_dir: PathBuf) -> Self {
        Self { work_dir, ..Self::default() }
    }
}

/// The storage that a URL names. Nobody is asked anything yet.
///
/// # Errors
/// What the URL says is wrong for its kind.
pub fn open(url: &CacheUrl, context: &Context) -> Result<Arc<dyn Storage>, StorageError> {
    match url.scheme() {
        Scheme::File => {
            Ok(Arc::new(FileStorage::new(&url.directory(&context.work_dir), context.meter.clone())))
        }
        Scheme::S3 | Scheme::Gs | Scheme::Az => {
            let stores = Arc::new(Stores::new(context.machine.clone()));
            Ok(Arc::new(ObjectStorage::new(url.clone(), stores, context.meter.clone())))
        }
        Scheme::Grpc | Scheme::Grpcs => {
            let stores = Arc::new(Stores::new(context.machine.clone()));
            Ok(Arc::new(ReapiStorage::new(url.clone(), stores, context.meter.clone())))
        }
        Scheme::Oci => {
            let unusable = |message: &str| StorageError::Unexpected { message: message.to_owned() };
            let client = context.registries.clone();
            let client = client.ok_or_else(|| unusable("there is no client of registries"))?;
            let repository = url.repository().ok_or_else(|| unusable("it names no repository"))?;
            Ok(Arc::new(RegistryStorage::new(client, repository, context.meter.clone())))
        }
    }
}
