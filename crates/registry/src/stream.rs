//! Passes blobs on to the caller, chunk by chunk. Nothing of them is kept here.

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
