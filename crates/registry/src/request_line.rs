//! Describes a request to people, without anything secret.

use std::fmt;

use reqwest::{Method, Url};

/// A request's first line, for people: `GET https://host/v2/…`. Of the query,
/// only what this protocol defines is kept, as the rest may be a signature.
#[derive(Debug, Clone)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// The URL, without anything secret.
    pub url: String,
}

impl RequestLine {
    pub(crate) fn new(method: &Method, url: &Url) -> Box<Self> {
        Box::new(Self { method: method.clone(), url: redacted(url) })
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        let rest = self.url.split_once("://").map_or(&*self.url, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_owned()
    }

    /// The host of the URL.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        Some(self.url.parse::<Url>().ok()?.host_str()?.to_owned())
    }
}

/// A URL without user, password, fragment, and values of unknown parameters.
pub(crate) fn redacted(url: &Url) -> String {
    const KNOWN: [&str; 7] =
        ["digest", "from", "mount", "origin", "scope", "service", "artifactType"];
    let mut text = format!("{}{}", url.origin().ascii_serialization(), url.path());
    for (at, pair) in url.query().unwrap_or_default().split('&').enumerate() {
        if pair.is_empty() {
            continue;
        }
        text.push(if at == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((key, _)) if !KNOWN.contains(&key) => {
                text.push_str(key);
                text.push_str("=REDACTED");
            }
            None if !KNOWN.contains(&pair) => text.push_str("REDACTED"),
            _ => text.push_str(pair),
        }
    }
    text
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_secrets() {
        for (url, want) in [
            (
                "https://h/v2/a/blobs/uploads/?mount=sha256%3Aab&from=b",
                "https://h/v2/a/blobs/uploads/?mount=sha256%3Aab&from=b",
            ),
            (
                "https://u:secret@h:5000/p?X-Sig=secret&flag&digest=d#secret",
                "https://h:5000/p?X-Sig=REDACTED&REDACTED&digest=d",
            ),
            ("https://h/p?digest&from=b", "https://h/p?digest&from=b"),
            ("http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
        ] {
            assert_eq!(redacted(&url.parse().unwrap()), want);
        }
    }
}
