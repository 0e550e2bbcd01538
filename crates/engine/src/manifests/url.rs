//! Fetches manifests from a URL.

use std::time::Duration;

use std::fmt;

use super::ResolveError;
use crate::options::Network;
use crate::redact::redact_url;

/// The largest manifest that is fetched, in bytes.
const LIMIT: usize = 256 << 20;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// A URL that the user named. Shown, it has neither a password nor the values
/// of its parameters, which may be tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct ManifestUrl(String);

impl ManifestUrl {
    /// The URL with all that is secret in it.
    pub fn new(raw: String) -> Self {
        Self(raw)
    }
}

impl fmt::Display for ManifestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact_url(&self.0))
    }
}

impl fmt::Debug for ManifestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&redact_url(&self.0), f)
    }
}

/// Fetches what is at an `http` or `https` URL, following redirects. No
/// credentials are sent but those of the URL itself.
pub(super) async fn fetch(url: &ManifestUrl, network: &Network) -> Result<Vec<u8>, ResolveError> {
    if network.offline {
        return Err(ResolveError::Offline { url: url.clone() });
    }
    // The library's errors name the URL, too, with all its parameters.
    let failed = |source: reqwest::Error| ResolveError::Fetch {
        url: url.clone(),
        source: source.without_url(),
    };
    let client = reqwest::Client::builder()
        .user_agent(&network.user_agent)
        .read_timeout(SILENCE)
        .tls_backend_preconfigured(registry::tls(&network.roots));
    let client = network.proxies.apply(client);
    let sent = client.build().map_err(failed)?.get(&url.0).send().await;
    let mut response = sent.and_then(reqwest::Response::error_for_status).map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > LIMIT {
            return Err(ResolveError::TooLarge { url: url.clone() });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
