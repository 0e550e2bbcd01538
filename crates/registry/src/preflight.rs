//! Asks before there is anything to send whether these credentials may push: by
//! opening an upload, which becomes that of the first blob.

use futures::future::join_all;
use oci::{Registry, Repository};
use reqwest::{Method, Url};

use crate::call::{Call, Target};
use crate::client::Client;
use crate::error::RegistryError;
use crate::scheme;
use crate::scope::Access;
use crate::session::Upload;

impl Client {
    /// Opens an upload in a repository, unless that was done for another one of
    /// its registry with the same credential. The next blob that is pushed there
    /// takes it.
    ///
    /// # Errors
    /// The registry does not know us or does not let us push, or this machine does
    /// not let us ask it. Whatever else is wrong is found, and tried again, when a
    /// blob is pushed.
    pub async fn preflight(&self, repository: &Repository) -> Result<(), RegistryError> {
        let asked = (repository.registry().clone(), self.credential(repository).await?);
        if !self.asks(asked) {
            return Ok(());
        }
        let endpoint = self.endpoint(repository.registry());
        match self.open_early(&endpoint, repository).await {
            Err(error) if error.is_unauthorized() || error.is_forbidden() || error.is_local() => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Opens uploads in a repository, which the next blobs that are pushed there take.
    /// What is wrong is found when they are pushed.
    pub async fn open_uploads(&self, repository: &Repository, count: usize) {
        let endpoint = &self.endpoint(repository.registry());
        let open = |_| self.open_early(endpoint, repository);
        let _ = join_all((0..count).map(open)).await;
    }

    /// Opens an upload in a repository and cancels it again, for those who want to
    /// know whether they may push, and have nothing to push. Returns whether the
    /// registry has cancelled it; one that does not know how forgets it by itself.
    ///
    /// # Errors
    /// It cannot be opened, for whatever reason.
    pub async fn may_push(&self, repository: &Repository) -> Result<bool, RegistryError> {
        let endpoint = self.endpoint(repository.registry());
        let upload = self.open_upload(&endpoint, repository, None).await?;
        Ok(self.cancel_upload(repository, upload.location).await)
    }

    /// Asks a registry whether it is one, as whom is not said.
    ///
    /// # Errors
    /// There is no answer, or not that of a registry.
    pub async fn greet(&self, registry: &Registry) -> Result<(), RegistryError> {
        let endpoint = self.endpoint(registry);
        let base = self.base(&endpoint, None).await?;
        scheme::ping(self.transport(), &base).await.map(drop)
    }

    /// Cancels the uploads that no blob has taken (OCI distribution-spec,
    /// "Cancel a blob upload"). A registry that does not know how forgets them
    /// by itself.
    pub async fn close_early_uploads(&self) {
        for (repository, account) in self.accounts() {
            while let Some(Upload { location, .. }) = account.take_early() {
                let _ = self.cancel_upload(&repository, location).await;
            }
        }
    }

    /// Returns whether the registry has done it.
    async fn cancel_upload(&self, repository: &Repository, location: Url) -> bool {
        let mut call = Call::new(Method::DELETE, repository, Access::Push, String::new());
        call.target = Target::Location(location);
        let Ok(response) = self.send(&call).await else { return false };
        let done = response.status().is_success();
        response.discard().await;
        done
    }
}
