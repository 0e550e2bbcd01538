//! Manifests at a URL.

use std::time::Duration;

use super::ResolveError;
use crate::options::Network;

/// The largest manifest that is fetched, in bytes.
const LIMIT: usize = 256 << 20;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// Fetches what is at an `http` or `https` URL, following redirects. No
/// credentials are sent.
pub(super) async fn fetch(url: &str, network: &Network) -> Result<Vec<u8>, ResolveError> {
    let failed = |source| ResolveError::Fetch { url: url.to_owned(), source };
    let client = reqwest::Client::builder()
        .user_agent(&network.user_agent)
        .read_timeout(SILENCE)
        .tls_backend_preconfigured(registry::tls(&network.roots));
    let sent = client.build().map_err(failed)?.get(url).send().await;
    let mut response = sent.and_then(reqwest::Response::error_for_status).map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > LIMIT {
            return Err(ResolveError::TooLarge { url: url.to_owned() });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
