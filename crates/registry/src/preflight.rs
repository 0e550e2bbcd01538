//! Asks before there is anything to send whether these credentials may push: by
//! opening an upload, which becomes that of the first blob.

use oci::Repository;
use reqwest::Method;

use crate::call::{Call, Target};
use crate::client::Client;
use crate::error::RegistryError;
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

    /// Cancels the uploads that no blob has taken (OCI distribution-spec,
    /// "Cancel a blob upload"). A registry that does not know how forgets them
    /// by itself.
    pub async fn close_early_uploads(&self) {
        for (repository, account) in self.accounts() {
            let Some(Upload { location, .. }) = account.early_upload(None) else { continue };
            let mut call = Call::new(Method::DELETE, &repository, Access::Push, String::new());
            call.target = Target::Location(location);
            if let Ok(response) = self.send(&call).await {
                response.discard().await;
            }
        }
    }
}
