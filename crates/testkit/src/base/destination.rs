//! Where fixtures are pushed to.

use super::Part;
use crate::registry::TestRegistry;
use crate::sha256;
use ureq::http::Response;
use ureq::{Agent, Body};

/// Takes blobs and manifests; panics on what it cannot take.
pub trait Destination {
    /// Stores a blob.
    fn blob(&self, repository: &str, bytes: &[u8]);

    /// Stores a manifest under a tag or its digest.
    fn manifest(&self, repository: &str, reference: &str, manifest: &Part);
}

/// Past HTTP: no request is counted, delayed or spoilt, and no credentials
/// are needed.
impl Destination for TestRegistry {
    fn blob(&self, repository: &str, bytes: &[u8]) {
        self.put_blob(repository, bytes);
    }

    fn manifest(&self, repository: &str, reference: &str, manifest: &Part) {
        let bytes = manifest.bytes.clone();
        self.put_manifest(repository, reference, &manifest.media_type, bytes);
    }
}

/// Any registry on plain HTTP without authentication.
#[derive(Clone, Debug)]
pub struct PlainHttp {
    host: String,
    agent: Agent,
}

impl PlainHttp {
    /// Names a registry by its host and port.
    #[must_use]
    pub fn new(host: &str) -> PlainHttp {
        let config = Agent::config_builder().proxy(None).build();
        PlainHttp { host: host.to_owned(), agent: config.into() }
    }

    fn url(&self, repository: &str, rest: &str) -> String {
        format!("http://{}/v2/{repository}/{rest}", self.host)
    }
}

impl Destination for PlainHttp {
    fn blob(&self, repository: &str, bytes: &[u8]) {
        let start = self.agent.post(self.url(repository, "blobs/uploads/"));
        let started = sent("start of an upload", start.send_empty());
        let location = started
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok())
            .expect("an upload has a Location");
        let location = match location.strip_prefix('/') {
            Some(path) => format!("http://{}/{path}", self.host),
            None => location.to_owned(),
        };
        let put = self
            .agent
            .put(location)
            .query("digest", sha256(bytes))
            .content_type("application/octet-stream");
        sent("upload", put.send(bytes));
    }

    fn manifest(&self, repository: &str, reference: &str, manifest: &Part) {
        let put = self
            .agent
            .put(self.url(repository, &format!("manifests/{reference}")))
            .content_type(&manifest.media_type);
        sent("manifest", put.send(&manifest.bytes));
    }
}

fn sent(what: &str, answer: Result<Response<Body>, ureq::Error>) -> Response<Body> {
    match answer {
        Ok(response) => response,
        Err(error) => panic!("push of a fixture: {what}: {error}"),
    }
}
