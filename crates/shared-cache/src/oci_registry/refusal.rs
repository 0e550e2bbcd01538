//! What the refusals of registries mean for a cache.

use oci::Repository;
use registry::RegistryError;

use crate::StorageError;

/// The rules of registries that delete what is old, by the hosts that have them.
const RULES: [(&str, &str); 8] = [
    (".amazonaws.com", "a lifecycle policy of the ECR repository"),
    (".pkg.dev", "a cleanup policy of the Artifact Registry repository"),
    (".gcr.io", "a cleanup policy of the Artifact Registry repository"),
    (".azurecr.io", "`acr purge` in a scheduled task, or a retention policy"),
    ("docker.io", "the image management of Docker Hub"),
    ("ghcr.io", "the action actions/delete-package-versions"),
    ("quay.io", "an auto-prune policy of the repository"),
    ("gitlab", "a cleanup policy for container images of the project"),
];

/// What an error means.
pub(super) fn meaning(error: RegistryError, repository: &Repository) -> StorageError {
    let text = error.to_string();
    let last = error.last();
    if last.is_unknown_repository() || matches!(last, RegistryError::Create { .. }) {
        return StorageError::NoPlace { what: format!("repository {repository}: {text}") };
    }
    let status = error.failure().map(|failure| failure.status.as_u16());
    let lower = text.to_lowercase();
    if status == Some(507) || status.is_some() && (lower.contains("quota") || is_disk(&lower)) {
        return StorageError::Full { message: text };
    }
    match (status, last) {
        (Some(401 | 403 | 405), _) | (_, RegistryError::Keychain { .. }) => {
            StorageError::Denied { message: in_full(&error) }
        }
        (_, RegistryError::Blocked { .. }) => StorageError::Denied { message: text },
        (Some(408 | 429 | 500..), _) | (None, _) => StorageError::Unreachable(Box::new(error)),
        _ => StorageError::Unexpected { message: text },
    }
}

fn is_disk(text: &str) -> bool {
    text.contains("no space left") || text.contains("disk full")
}

/// The error with its causes.
fn in_full(error: &RegistryError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What it means that something cannot be deleted, and what deletes it instead.
pub(super) fn of_deletion(error: RegistryError, repository: &Repository) -> StorageError {
    let status = error.failure().map(|failure| failure.status.as_u16());
    let cannot = error.failure().is_some_and(|failure| failure.has_code("UNSUPPORTED"));
    if !cannot && !matches!(status, Some(401 | 403 | 404 | 405 | 501)) {
        return meaning(error, repository);
    }
    let host = repository.registry().host();
    let rule = RULES.iter().find(|(part, _)| host.contains(part)).map(|(_, rule)| *rule);
    let rule = rule.unwrap_or("a retention rule of the registry, or leave to delete there");
    StorageError::Unsupported { operation: "delete", message: format!("{error}; {rule} can do it") }
}

/// Does an answer to a tag say that it is there, and cannot move? ECR has 400, Harbor
/// 412, others 409 or 405.
pub(super) fn is_immutable(error: &RegistryError) -> bool {
    error.failure().is_some_and(|failure| {
        matches!(failure.status.as_u16(), 400 | 405 | 409 | 412)
            || failure.to_string().to_lowercase().contains("immutab")
    })
}
