//! An answer on its way out, still open to change by a fault.

use super::body::{Pace, ResponseBody, Source};
use super::log::Entry;
use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use std::sync::Arc;

/// A response before it is bound to a connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) source: Source,
    pub(crate) cut: Option<u64>,
    pub(crate) corrupt: bool,
    pub(crate) pace: Option<Pace>,
}

impl Reply {
    pub(crate) fn new(status: StatusCode) -> Reply {
        Reply {
            status,
            headers: HeaderMap::new(),
            source: Source::Bytes(Bytes::new()),
            cut: None,
            corrupt: false,
            pace: None,
        }
    }

    pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
        Reply::new(status).header("content-type", "application/json").body(value.to_string())
    }

    /// An error in the form of the OCI distribution-spec (error codes).
    pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Reply {
        Reply::error_about(status, code, message, serde_json::Value::Null)
    }

    pub(crate) fn error_about(
        status: StatusCode,
        code: &str,
        message: &str,
        detail: serde_json::Value,
    ) -> Reply {
        let mut error = serde_json::json!({"code": code, "message": message});
        if !detail.is_null() {
            error["detail"] = detail;
        }
        Reply::json(status, &serde_json::json!({"errors": [error]}))
    }

    /// Sets a header, in place of an earlier one of that name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Reply {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("header names are well-formed");
        let value = HeaderValue::from_str(value).expect("header values are visible ASCII");
        self.headers.insert(name, value);
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Reply {
        self.source = Source::Bytes(body.into());
        self
    }

    /// A JSON body without an end.
    pub(crate) fn endless(mut self, start: Bytes, piece: Bytes) -> Reply {
        self.source = Source::Endless { next: start, piece };
        self.header("content-type", "application/json")
    }

    pub(crate) fn file(mut self, file: std::fs::File, len: u64) -> Reply {
        self.source = Source::File { file, len };
        self
    }

    /// Writes the Content-Length that belongs to the body as it is now.
    pub(crate) fn seal(&mut self) {
        if matches!(self.source, Source::Endless { .. }) {
            return;
        }
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.source.len()));
    }

    /// Drops the body of an answer to `HEAD`, but not the headers about it.
    pub(crate) fn into_response(
        mut self,
        method: &Method,
        entry: Arc<Entry>,
    ) -> Response<ResponseBody> {
        if method == Method::HEAD {
            // An error's body is not announced: a client must not wait for it.
            if self.status.is_client_error() || self.status.is_server_error() {
                self.headers.remove(CONTENT_TYPE);
                self.headers.remove(CONTENT_LENGTH);
            }
            self.source = Source::Bytes(Bytes::new());
        }
        let mut response = Response::new(ResponseBody {
            source: self.source,
            entry,
            cut: self.cut,
            corrupt: self.corrupt,
            pace: self.pace,
            sleep: None,
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
