//! Describes requests and their answers to a watcher, without secrets.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Url, Version};

use crate::challenge::AuthScheme;
use crate::request_line::redacted;

/// Headers that are shown as they are: they describe content, or the server.
const SHOWN: [&str; 22] = [
    "accept",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "docker-content-digest",
    "docker-distribution-api-version",
    "oci-chunk-min-length",
    "oci-filters-applied",
    "oci-subject",
    "oci-tag",
    "range",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-request-id",
];

/// Headers whose value is a URL.
const URLS: [&str; 2] = ["location", "docker-upload-location"];

const HIDDEN: &str = "REDACTED";

/// A request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The URL, without anything secret.
    pub url: String,
    /// The headers of the request. What might be secret is `REDACTED`.
    pub headers: Vec<(String, String)>,
    /// The length of its body in bytes.
    pub sent: u64,
    /// When it was begun.
    pub begun: Instant,
    /// The time until the answer came or failed to come.
    pub waited: Duration,
    /// The time until the last byte of the answer, or until nobody wanted more.
    pub took: Duration,
    /// The answer, or the reason for its absence.
    pub answer: Result<Answer, String>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The version of HTTP, such as `HTTP/1.1`.
    pub version: String,
    /// The headers. What might be secret is `REDACTED`.
    pub headers: Vec<(String, String)>,
    /// The bytes of its body that were read.
    pub received: u64,
}

/// Is told of each request when it has ended. It must not block.
#[derive(Clone)]
pub struct Watcher(Arc<dyn Fn(Exchange) + Send + Sync>);

impl Watcher {
    /// A watcher that calls a function.
    pub fn new(watch: impl Fn(Exchange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(watch))
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}

/// An exchange that goes on; it is told of when this is dropped. For those that
/// send requests of their own on the way to a registry, such as keychains.
#[derive(Debug)]
pub struct Watched {
    watcher: Watcher,
    exchange: Exchange,
}

impl Watched {
    /// Begins to watch a request, whose body has `sent` bytes.
    #[must_use]
    pub fn begin(
        watcher: &Watcher,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        sent: u64,
    ) -> Self {
        let exchange = Exchange {
            method: method.to_string(),
            url: redacted(url),
            headers: shown(url, headers),
            sent,
            begun: Instant::now(),
            waited: Duration::ZERO,
            took: Duration::ZERO,
            answer: Err("given up".to_owned()),
        };
        Self { watcher: watcher.clone(), exchange }
    }

    /// The answer has come, but for its body.
    pub fn answered(&mut self, answer: &reqwest::Response) {
        self.exchange.waited = self.exchange.begun.elapsed();
        self.exchange.answer = Ok(Answer {
            status: answer.status().as_u16(),
            version: version(answer.version()).to_owned(),
            headers: shown(answer.url(), answer.headers()),
            received: 0,
        });
    }

    /// There is no answer, and why: nothing secret.
    pub fn failed(&mut self, cause: String) {
        self.exchange.waited = self.exchange.begun.elapsed();
        self.exchange.answer = Err(cause);
    }

    /// Of the body of the answer, so many bytes were read.
    pub fn received(&mut self, bytes: usize) {
        if let Ok(answer) = &mut self.exchange.answer {
            answer.received += bytes as u64;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut exchange = self.exchange.clone();
        exchange.took = exchange.begun.elapsed();
        (self.watcher.0)(exchange);
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// Headers as they may be shown.
fn shown(url: &Url, headers: &HeaderMap) -> Vec<(String, String)> {
    let each = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), value_shown(url, name, value))
    };
    headers.iter().map(each).collect()
}

fn value_shown(url: &Url, name: &HeaderName, value: &HeaderValue) -> String {
    let hidden = || HIDDEN.to_owned();
    let Ok(text) = value.to_str() else { return hidden() };
    if SHOWN.contains(&name.as_str()) {
        return text.to_owned();
    }
    if URLS.contains(&name.as_str()) {
        return url.join(text).map_or_else(|_| hidden(), |url| redacted(&url));
    }
    match *name {
        AUTHORIZATION => {
            let scheme =
                text.split(' ').next().filter(|scheme| ["Basic", "Bearer"].contains(scheme));
            scheme.map_or_else(hidden, |scheme| format!("{scheme} {HIDDEN}"))
        }
        WWW_AUTHENTICATE => {
            let one = HeaderMap::from_iter([(WWW_AUTHENTICATE, value.clone())]);
            match AuthScheme::of(&one) {
                Ok(AuthScheme::Basic) => format!("Basic realm={HIDDEN}"),
                Ok(AuthScheme::Bearer(bearer)) => {
                    let service = bearer.service.as_deref().unwrap_or_default();
                    format!("Bearer realm={:?},service={service:?}", redacted(&bearer.realm))
                }
                Ok(AuthScheme::Open) | Err(_) => hidden(),
            }
        }
        _ => hidden(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_as_people_know_them() {
        for (is, want) in [
            (Version::HTTP_10, "HTTP/1.0"),
            (Version::HTTP_11, "HTTP/1.1"),
            (Version::HTTP_2, "HTTP/2"),
            (Version::HTTP_3, "HTTP/3"),
        ] {
            assert_eq!(version(is), want);
        }
    }

    #[test]
    fn what_might_be_secret_is_hidden() {
        let url: Url = "https://h.example/v2/a/blobs/uploads/".parse().unwrap();
        for (name, value, want) in [
            ("content-type", "application/json", "application/json"),
            ("authorization", "Basic aHVudGVyMg==", "Basic REDACTED"),
            ("authorization", "Bearer hunter2", "Bearer REDACTED"),
            ("authorization", "hunter2", "REDACTED"),
            (
                "location",
                "/v2/a?_state=hunter2&digest=d",
                "https://h.example/v2/a?_state=REDACTED&digest=d",
            ),
            (
                "location",
                "https://u:hunter2@s3.example/x?X-Sig=hunter2",
                "https://s3.example/x?X-Sig=REDACTED",
            ),
            ("location", "http://[hunter2", "REDACTED"),
            ("www-authenticate", "Basic realm=\"hunter2\"", "Basic realm=REDACTED"),
            (
                "www-authenticate",
                "Bearer realm=\"https://t.example/token?key=hunter2\",service=\"s\",scope=\"repository:a:pull\"",
                "Bearer realm=\"https://t.example/token?key=REDACTED\",service=\"s\"",
            ),
            ("www-authenticate", "Negotiate hunter2", "REDACTED"),
            ("set-cookie", "session=hunter2", "REDACTED"),
            ("x-amz-security-token", "hunter2", "REDACTED"),
        ] {
            let name = HeaderName::from_static(name);
            let value = HeaderValue::from_static(value);
            assert_eq!(value_shown(&url, &name, &value), want, "{name}");
        }
    }
}
