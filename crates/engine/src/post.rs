//! Posts a document to a server that the user names, for the command: it has no HTTP
//! client of its own.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::keychain::Secret;
use crate::options::Network;
use crate::redact::redact_url;

/// A document, and where it goes.
#[derive(Debug)]
pub struct Post {
    /// An http or https URL. It may have a password.
    pub url: Secret,
    /// What kind of document it is.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
    /// The document.
    pub body: Vec<u8>,
    /// How long all of it may take.
    pub limit: Duration,
}

/// Why a document was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// A header has a character that no header may have.
    #[error("{name:?} is no header")]
    Header {
        /// Its name.
        name: String,
    },
    /// There is no answer.
    #[error("no answer from {url}")]
    Request {
        /// The URL, without secrets.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// There is another answer than that it is well.
    #[error("{url} answers {status}")]
    Refused {
        /// The URL, without secrets.
        url: String,
        /// The status.
        status: u16,
    },
}

impl Post {
    /// Sends the document. No redirect is followed: the headers are secret.
    ///
    /// # Errors
    /// It was not taken, or not in time.
    pub async fn send(self, network: &Network) -> Result<(), PostError> {
        let shown = redact_url(&self.url.expose());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        for (name, value) in &self.headers {
            let wrong = || PostError::Header { name: name.clone() };
            let name = HeaderName::try_from(name).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(&value.expose()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let client = reqwest::Client::builder()
            .user_agent(&network.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.limit)
            .tls_backend_preconfigured(registry::tls(&network.roots));
        let client = network.proxies.apply(client);
        let sent = async {
            let request = client.build()?.request(Method::POST, &*self.url.expose());
            request.headers(headers).body(self.body).send().await
        };
        // The library's errors name the URL, too, with its password.
        let failed = |source: reqwest::Error| PostError::Request {
            url: shown.clone(),
            source: source.without_url(),
        };
        let status = sent.await.map_err(failed)?.status();
        if status.is_success() {
            return Ok(());
        }
        Err(PostError::Refused { url: shown, status: status.as_u16() })
    }
}
