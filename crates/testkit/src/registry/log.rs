//! The log of requests: what a test counts, and what a benchmark reports.

use hyper::HeaderMap;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What kind of request it is, by method and path (OCI distribution-spec,
/// endpoints).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// `GET /v2/`.
    Ping,
    /// The token endpoint.
    Token,
    /// `HEAD` of a manifest.
    ManifestHead,
    /// `GET` of a manifest.
    ManifestGet,
    /// `PUT` of a manifest.
    ManifestPut,
    /// `HEAD` of a blob.
    BlobHead,
    /// `GET` of a blob.
    BlobGet,
    /// `POST` that starts an upload, no mount.
    UploadPost,
    /// `PATCH` of an upload.
    UploadPatch,
    /// `PUT` that ends an upload.
    UploadPut,
    /// `POST` that asks for a mount, whatever the answer.
    Mount,
    /// The list of tags.
    Tags,
    /// The list of referrers.
    Referrers,
    /// Anything else: deletions, upload status, the catalogue, unknown paths.
    Other,
}

/// One request as the registry saw it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Position in the order of arrival, from 0, since the last reset.
    pub seq: u64,
    /// The method, upper case.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query without `?`, empty if there is none.
    pub query: String,
    /// The request's headers, credentials included.
    pub headers: HeaderMap,
    /// The kind of request.
    pub class: Class,
    /// The status of the answer; 0 if the connection was cut before one.
    pub status: u16,
    /// Bytes of the request's body that were read.
    pub bytes_in: u64,
    /// Bytes of the response's body that were sent.
    pub bytes_out: u64,
}

impl Recorded {
    /// Returns a header's value, if it was sent and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Requests and bytes, summed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of requests by class; a class without requests is absent.
    pub by_class: BTreeMap<Class, u64>,
    /// Bytes of all request bodies.
    pub bytes_in: u64,
    /// Bytes of all response bodies.
    pub bytes_out: u64,
}

impl Counts {
    /// Returns the number of requests of one class.
    #[must_use]
    pub fn of(&self, class: Class) -> u64 {
        self.by_class.get(&class).copied().unwrap_or(0)
    }

    /// Returns the number of all requests.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_class.values().sum()
    }
}

/// A request under way. Sizes and status are filled in as they become known,
/// always before the client can see the bytes they speak of.
#[derive(Debug)]
pub(crate) struct Entry {
    request: Recorded,
    status: AtomicU16,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Entry {
    pub(crate) fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn add_in(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(crate) fn add_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}

/// All requests since the last reset.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Arc<Entry>>>);

impl Log {
    /// Enters a request that has just arrived.
    pub(crate) fn open(&self, head: &hyper::http::request::Parts, class: Class) -> Arc<Entry> {
        let mut entries = self.0.lock().expect("no holder of the log panics");
        let entry = Arc::new(Entry {
            request: Recorded {
                seq: entries.len() as u64,
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers.clone(),
                class,
                status: 0,
                bytes_in: 0,
                bytes_out: 0,
            },
            status: AtomicU16::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        });
        entries.push(Arc::clone(&entry));
        entry
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        let entries = self.0.lock().expect("no holder of the log panics");
        entries
            .iter()
            .map(|entry| Recorded {
                status: entry.status.load(Ordering::SeqCst),
                bytes_in: entry.bytes_in.load(Ordering::SeqCst),
                bytes_out: entry.bytes_out.load(Ordering::SeqCst),
                ..entry.request.clone()
            })
            .collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.0.lock().expect("no holder of the log panics").iter() {
            *counts.by_class.entry(entry.request.class).or_default() += 1;
            counts.bytes_in += entry.bytes_in.load(Ordering::SeqCst);
            counts.bytes_out += entry.bytes_out.load(Ordering::SeqCst);
        }
        counts
    }

    pub(crate) fn reset(&self) {
        self.0.lock().expect("no holder of the log panics").clear();
    }
}
