//! Passes blobs through: those of others chunk by chunk to the caller, and the
//! caller's own from wherever they are. Nothing of them is kept here.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use oci::{Descriptor, Repository};
use reqwest::{Method, StatusCode};

use crate::call::Call;
use crate::client::Client;
use crate::error::RegistryError;
use crate::pull::blob_call;
use crate::push::speaks_of;
use crate::scope::Access;

/// The bytes of a blob as they come.
pub type BlobStream = BoxStream<'static, Result<Bytes, RegistryError>>;

/// Bytes on their way to a registry.
pub type Chunks = BoxStream<'static, std::io::Result<Bytes>>;

type Open = dyn Fn(u64, u64) -> Chunks + Send + Sync;

/// Opens the bytes of a blob, as often as they are needed.
#[derive(Clone)]
pub struct Opener(Arc<Open>);

impl Opener {
    /// `open` gives so many bytes (its second argument) from an offset (its first).
    pub fn new(open: impl Fn(u64, u64) -> Chunks + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    pub(crate) fn open(&self, start: u64, len: u64) -> Chunks {
        (self.0)(start, len)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

impl Client {
    /// Asks whether a repository has a blob.
    ///
    /// # Errors
    /// The registry cannot be asked, or does not say.
    pub async fn has_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
    ) -> Result<bool, RegistryError> {
        let path = format!("/blobs/{}", descriptor.digest);
        let call = Call::new(Method::HEAD, repository, Access::Pull, path);
        let mut attempts = self.attempts();
        loop {
            let error = match self.send(&call).await {
                Ok(response) if response.status() == StatusCode::OK => {
                    return Ok(speaks_of(&response, descriptor));
                }
                Ok(response) if response.status() == StatusCode::NOT_FOUND => return Ok(false),
                Ok(response) => response.fail().await,
                Err(error) => error,
            };
            attempts.pause(error, RegistryError::is_transient).await?;
        }
    }

    /// Begins to read a blob; `None` if it is not there. The caller compares what comes
    /// with the digest, and asks again where it breaks off.
    ///
    /// # Errors
    /// The registry cannot be asked, or refuses.
    pub async fn stream_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
    ) -> Result<Option<BlobStream>, RegistryError> {
        let mut attempts = self.attempts();
        let response = loop {
            let error = match self.send(&blob_call(repository, descriptor, 0)).await {
                Ok(response) if response.status() == StatusCode::OK => break response,
                Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                    response.discard().await;
                    return Ok(None);
                }
                Ok(response) => response.fail().await,
                Err(error) => error,
            };
            attempts.pause(error, RegistryError::is_transient).await?;
        };
        let chunks = stream::try_unfold(response, |mut response| async move {
            Ok(response.chunk().await?.map(|chunk| (chunk, response)))
        });
        Ok(Some(chunks.boxed()))
    }
}
