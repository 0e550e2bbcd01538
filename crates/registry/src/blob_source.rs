//! Says where the bytes of a blob come from that is to be pushed, and brings it
//! into the local store if it is elsewhere.

use bytes::Bytes;
use oci::{Descriptor, Repository};
use store::Store;

use crate::body::Payload;
use crate::client::Client;
use crate::error::RegistryError;
use crate::opener::Opener;

/// Where the bytes of a blob that is to be pushed are.
#[derive(Debug, Clone)]
pub enum BlobSource {
    /// In the local store.
    Store(Store),
    /// In memory; for small blobs such as configs.
    Bytes(Bytes),
    /// The caller has them, and gives them when they are sent.
    Caller(Opener),
    /// In another repository, maybe of another registry. It comes through the
    /// local store, and only if it must be sent.
    Remote {
        /// Who may pull it.
        client: Client,
        /// Where it is.
        repository: Repository,
        /// Where it is kept.
        store: Store,
    },
}

impl BlobSource {
    /// Brings a blob that is elsewhere into the local store.
    pub(crate) async fn provide(&self, descriptor: &Descriptor) -> Result<(), RegistryError> {
        match self {
            Self::Store(_) | Self::Bytes(_) | Self::Caller(_) => Ok(()),
            // Boxed: pulling and pushing would otherwise contain each other.
            Self::Remote { client, repository, store } => {
                Box::pin(client.pull_blob(repository, descriptor, store)).await
            }
        }
    }

    /// The body that carries the blob.
    pub(crate) fn payload(&self, descriptor: &Descriptor) -> Payload {
        match self {
            Self::Bytes(bytes) => Payload::Bytes(bytes.clone()),
            Self::Caller(opener) => {
                Payload::Caller { opener: opener.clone(), start: 0, len: descriptor.size }
            }
            Self::Store(store) | Self::Remote { store, .. } => {
                let (digest, size) = (descriptor.digest, descriptor.size);
                Payload::Blob { store: store.clone(), digest, size, start: 0, len: size }
            }
        }
    }
}
