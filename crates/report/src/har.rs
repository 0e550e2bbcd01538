//! Describes the requests of a run as an HTTP archive (HAR 1.2), which browsers and
//! other tools open.

use serde::{Deserialize, Serialize};

/// The archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Har {
    /// All there is in it.
    pub log: Log,
}

/// The requests of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// The version of the format, `1.2`.
    pub version: String,
    /// Who wrote it.
    pub creator: Creator,
    /// The requests, in the order in which they began.
    pub entries: Vec<Entry>,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When it began (RFC 3339).
    pub started_date_time: String,
    /// How long it took, in milliseconds.
    pub time: f64,
    /// What was asked.
    pub request: Request,
    /// The answer; its status is 0 if there was none.
    pub response: Response,
    /// Nothing: there is no cache on the way.
    pub cache: Nothing,
    /// What the time was spent on.
    pub timings: Timings,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The version of HTTP.
    pub http_version: String,
    /// Always empty: neither cookies nor their names are told.
    pub cookies: [Nothing; 0],
    /// The headers.
    pub headers: Vec<Pair>,
    /// The parameters of the URL.
    pub query_string: Vec<Pair>,
    /// -1: it is not known.
    pub headers_size: i64,
    /// The length of the body in bytes.
    pub body_size: u64,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Empty: HTTP/2 has none.
    pub status_text: String,
    /// The version of HTTP.
    pub http_version: String,
    /// Always empty.
    pub cookies: [Nothing; 0],
    /// The headers.
    pub headers: Vec<Pair>,
    /// The body.
    pub content: Content,
    /// Where it redirects to; else empty.
    #[serde(rename = "redirectURL")]
    pub redirect_url: String,
    /// -1: it is not known.
    pub headers_size: i64,
    /// The bytes of the body that were read.
    pub body_size: u64,
    /// Why there is no answer. Readers that do not know the name ignore it; the
    /// tools of browsers show it.
    #[serde(rename = "_error", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is told of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Its length in bytes.
    pub size: u64,
    /// Its media type.
    pub mime_type: String,
}

/// What a request's time was spent on, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Sending, as far as it is known: 0.
    pub send: f64,
    /// Waiting for the answer, for a connection and to be sent.
    pub wait: f64,
    /// Reading the answer.
    pub receive: f64,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// An object without members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

impl Har {
    /// An archive of requests, which are put in their order.
    #[must_use]
    pub fn new(version: &str, mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| one.started_date_time.cmp(&other.started_date_time));
        let creator = Creator { name: "ko".to_owned(), version: version.to_owned() };
        Self { log: Log { version: "1.2".to_owned(), creator, entries } }
    }

    /// The file.
    #[must_use]
    pub fn json(&self) -> String {
        crate::document(self)
    }
}
