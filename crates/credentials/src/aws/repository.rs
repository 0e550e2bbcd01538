//! Makes repositories of Elastic Container Registry, which makes none when the
//! first image is pushed.

use serde_json::{Map, Value, json};

use super::{Ecr, Host, Refusal, said};
use crate::problem::Result;

/// What is said of a repository that is there: another push was faster.
const EXISTS: &str = "RepositoryAlreadyExistsException";

impl Ecr {
    /// Makes a repository; one that is there is as good. `path` is what follows
    /// the host in a reference.
    pub(super) async fn create_repository(&self, host: &Host<'_>, path: &str) -> Result<()> {
        let body = match host {
            // The alias of the registry comes first; it follows from who asks.
            Host::Public => {
                let name = path.split_once('/').map_or(path, |(_, name)| name);
                json!({ "repositoryName": name })
            }
            Host::Private { account, .. } => {
                json!({ "registryId": account, "repositoryName": path })
            }
        };
        let (answer, _) = self.call(host, "CreateRepository", body).await?;
        let refusal = answer.json::<Refusal>();
        if !answer.is_success() && refusal.is_ok_and(|refusal| refusal.code() == EXISTS) {
            return Ok(());
        }
        // A page of somebody between us and the API makes nothing.
        answer.good::<Map<String, Value>>(said).map(drop)
    }
}
