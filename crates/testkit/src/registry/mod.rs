//! An OCI registry in process (OCI distribution-spec 1.1): it counts what it
//! is asked, can be slow, and goes wrong on demand.
//!
//! It notes requests of the client under test that break the specification, and
//! fails the test for them when it is dropped.
//!
//! It is strict where registries differ: it refuses a manifest whose parts
//! are not in the same repository, a manifest whose media type the client did
//! not list in `Accept`, and an upload that goes on at an old location.
//!
//! ```
//! use testkit::registry::{Class, Fault, Rule, TestRegistry};
//!
//! let registry = TestRegistry::start();
//! registry.inject(Rule::new(Fault::too_many_requests(0)).class(Class::Ping).times(1));
//! // ... run the client under test against `registry.host()` ...
//! assert_eq!(registry.counts().total(), 0);
//! ```

mod auth;
mod blobs;
mod body;
mod contents;
mod fault;
mod log;
mod manifests;
mod reply;
mod route;
mod server;
mod strict;
mod tls;

pub use auth::{Auth, Bearer};
pub use contents::{Contents, Manifest};
pub use fault::{Fault, Rule};
pub use log::{Class, Counts, Recorded};

use auth::Authority;
use bytes::Bytes;
use contents::Storage;
use server::{Server, Settings, State};
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Chooses what a [`TestRegistry`] is like.
#[derive(Debug)]
pub struct Builder {
    settings: Settings,
    auth: Auth,
    rtt: Duration,
    tls: Option<Protocol>,
    client_certificates: bool,
    forgives: bool,
}

/// What is spoken inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 with clients that know it. A fault that cuts the connection
    /// resets the stream of the request instead.
    Http2,
}

impl Builder {
    /// Requires authentication. The default is none.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Builder {
        self.auth = auth;
        self
    }

    /// Delays the handling of every request.
    #[must_use]
    pub fn rtt(mut self, delay: Duration) -> Builder {
        self.rtt = delay;
        self
    }

    /// Speaks TLS, with a certificate that [`TestRegistry::ca_pem`] vouches
    /// for. The default is plain HTTP/1.1.
    #[must_use]
    pub fn tls(mut self, protocol: Protocol) -> Builder {
        self.tls = Some(protocol);
        self
    }

    /// Wants a certificate of clients that its authority has signed, in TLS: see
    /// [`TestRegistry::client_pem`]. The default is no.
    #[must_use]
    pub fn client_certificates(mut self, want: bool) -> Builder {
        self.client_certificates = want;
        self
    }

    /// Gives `Location` without scheme and authority. The default is with.
    #[must_use]
    pub fn relative_locations(mut self, relative: bool) -> Builder {
        self.settings.relative_locations = relative;
        self
    }

    /// Puts a secret into the query of where uploads go on, as stores that sign
    /// URLs do.
    #[must_use]
    pub fn location_secret(mut self, secret: &str) -> Builder {
        self.settings.location_secret = Some(secret.to_owned());
        self
    }

    /// Accepts a whole blob in a `POST` with `?digest=`. The default is to
    /// answer such a request with 202 and an upload, as the reference
    /// registry does.
    #[must_use]
    pub fn single_post(mut self, accept: bool) -> Builder {
        self.settings.single_post = accept;
        self
    }

    /// Refuses manifests whose blobs or children are missing. The default is
    /// yes.
    #[must_use]
    pub fn check_manifests(mut self, check: bool) -> Builder {
        self.settings.check_manifests = check;
        self
    }

    /// Has the referrers endpoint. The default is yes.
    #[must_use]
    pub fn referrers(mut self, have: bool) -> Builder {
        self.settings.referrers = have;
        self
    }

    /// Refuses to move tags, as registries do that are set up so. The default is to
    /// move them.
    #[must_use]
    pub fn immutable_tags(mut self, immutable: bool) -> Builder {
        self.settings.immutable_tags = immutable;
        self
    }

    /// Mounts blobs between repositories. The default is yes.
    #[must_use]
    pub fn mounts(mut self, mount: bool) -> Builder {
        self.settings.mounts = mount;
        self
    }

    /// Refuses larger bodies (413), as fronts do. The default is no limit.
    #[must_use]
    pub fn largest_body(mut self, bytes: u64) -> Builder {
        self.settings.largest_body = bytes;
        self
    }

    /// Wants chunks of this size, except for the last
    /// (`OCI-Chunk-Min-Length`). The default is any size.
    #[must_use]
    pub fn chunk_min_length(mut self, bytes: u64) -> Builder {
        self.settings.chunk_min_length = bytes;
        self
    }

    /// Refuses (429) what comes while this many requests are being answered.
    /// The default is no limit.
    #[must_use]
    pub fn most_at_once(mut self, requests: usize) -> Builder {
        self.settings.most_at_once = requests;
        self
    }

    /// Lets strangers read a repository.
    #[must_use]
    pub fn public(mut self, repository: &str) -> Builder {
        self.settings.public.push(repository.to_owned());
        self
    }

    /// Answers strangers with 404 instead of asking who they are, except at
    /// `GET /v2/`. The default is to ask.
    #[must_use]
    pub fn hides(mut self, hide: bool) -> Builder {
        self.settings.hides = hide;
        self
    }

    /// Lets the client break the specification, in a test that is about that.
    #[must_use]
    pub fn forgives(mut self) -> Builder {
        self.forgives = true;
        self
    }

    /// Starts the registry on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If the port, the thread or the temporary directory cannot be had.
    #[must_use]
    pub fn start(self) -> TestRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the listener is bound");
        let tls = self
            .tls
            .map(|protocol| tls::create(protocol == Protocol::Http2, self.client_certificates));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (tls, pem) = match tls {
            None => (None, None),
            Some(tls) => (Some(tls.acceptor), Some((tls.ca_pem, tls.client_pem))),
        };
        let state = Arc::new(State {
            origin: format!("{scheme}://{address}"),
            settings: self.settings,
            storage: Storage::new().expect("a temporary directory"),
            log: log::Log::default(),
            faults: fault::Faults::default(),
            authority: Authority::new(self.auth),
            violations: strict::Violations::default(),
            rtt: self.rtt.into(),
            connections: 0.into(),
            at_once: 0.into(),
            gone: tokio::sync::watch::Sender::new(false),
            tls,
        });
        let server = Server::start(listener, Arc::clone(&state)).expect("a thread and a runtime");
        let (host, forgives) = (address.to_string(), self.forgives);
        TestRegistry { state, host, pem, forgives, _server: server }
    }
}

/// A running registry; it stops, and forgets everything, when dropped.
#[derive(Debug)]
pub struct TestRegistry {
    state: Arc<State>,
    host: String,
    /// Of the authority, and of a client.
    pem: Option<(String, (String, String))>,
    forgives: bool,
    _server: Server,
}

impl Drop for TestRegistry {
    /// A client that breaks the specification fails its test, whatever that is
    /// about, unless it has failed for another reason.
    fn drop(&mut self) {
        let violations = self.violations();
        if !self.forgives && !std::thread::panicking() {
            assert!(violations.is_empty(), "requests against the specification: {violations:#?}");
        }
    }
}

impl TestRegistry {
    /// Starts a registry with the defaults: plain HTTP, no authentication, no
    /// delay.
    ///
    /// # Panics
    /// As [`Builder::start`].
    #[must_use]
    pub fn start() -> TestRegistry {
        TestRegistry::builder().start()
    }

    /// Begins to configure a registry.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            settings: Settings {
                relative_locations: false,
                location_secret: None,
                single_post: false,
                check_manifests: true,
                referrers: true,
                mounts: true,
                immutable_tags: false,
                largest_body: u64::MAX,
                chunk_min_length: 0,
                most_at_once: usize::MAX,
                public: Vec::new(),
                hides: false,
            },
            auth: Auth::None,
            rtt: Duration::ZERO,
            tls: None,
            client_certificates: false,
            forgives: false,
        }
    }

    /// Returns the host as a reference names it, such as `127.0.0.1:40123`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns scheme and host, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.state.origin
    }

    /// Returns the certificate, as PEM, that a client has to trust; none
    /// without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.pem.as_ref().map(|(ca, _)| ca.as_str())
    }

    /// Returns a certificate of a client and its key, as PEM; none without TLS.
    #[must_use]
    pub fn client_pem(&self) -> Option<(&str, &str)> {
        self.pem.as_ref().map(|(_, (certificate, key))| (certificate.as_str(), key.as_str()))
    }

    /// Returns the requests since the last reset, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.log.requests()
    }

    /// Returns the requests of one class.
    #[must_use]
    pub fn requests_of(&self, class: Class) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.class == class);
        requests
    }

    /// Returns how the client under test has broken the specification.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.state.violations.all()
    }

    /// Returns requests and bytes since the last reset.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.log.counts()
    }

    /// Returns the number of connections since the last reset.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Forgets requests and connections, not the contents.
    pub fn reset(&self) {
        self.state.log.reset();
        self.state.connections.store(0, Ordering::SeqCst);
    }

    /// Adds a rule for faults, after those already there.
    pub fn inject(&self, rule: Rule) {
        self.state.faults.add(rule);
    }

    /// Removes all rules for faults.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Makes all bearer tokens invalid.
    pub fn revoke_tokens(&self) {
        self.state.authority.revoke();
    }

    /// Changes the delay of every request from now on.
    pub fn set_rtt(&self, delay: Duration) {
        *self.state.rtt.lock().expect("no holder of the delay panics") = delay;
    }

    /// Stores a blob past HTTP and returns its digest.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let stored = self.state.storage.put(repository, bytes);
        stored.expect("the temporary directory is writable")
    }

    /// Returns a blob's bytes.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[must_use]
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        let opened = self.state.storage.open(repository, digest);
        let (mut file, _) = opened.expect("stored blobs stay readable")?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("stored blobs stay readable");
        Some(bytes)
    }

    /// Stores a manifest past HTTP, unchecked, under its digest and, if
    /// `reference` is a tag, that tag. Returns its digest.
    pub fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> String {
        self.state.storage.put_manifest(repository, reference, media_type, bytes.into())
    }

    /// Forgets a tag, if it is there. What it led to stays.
    pub fn delete_tag(&self, repository: &str, tag: &str) {
        let mut contents = self.state.storage.contents();
        if let Some(repository) = contents.repositories.get_mut(repository) {
            repository.tags.remove(tag);
        }
    }

    /// Returns the manifest of a tag or digest.
    #[must_use]
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<Manifest> {
        let contents = self.state.storage.contents();
        contents.repositories.get(repository)?.manifest(reference).cloned()
    }

    /// Lists the repositories, sorted.
    #[must_use]
    pub fn repositories(&self) -> Vec<String> {
        let contents = self.state.storage.contents();
        contents.repositories.keys().cloned().collect()
    }

    /// Lists the tags of a repository, sorted; none if it does not exist.
    #[must_use]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let contents = self.state.storage.contents();
        let repository = contents.repositories.get(repository);
        repository.map_or_else(Vec::new, |repository| repository.tags.keys().cloned().collect())
    }

    /// Lists the digests of all blobs of a repository, sorted.
    #[must_use]
    pub fn blobs(&self, repository: &str) -> Vec<String> {
        let contents = self.state.storage.contents();
        let repository = contents.repositories.get(repository);
        repository.map_or_else(Vec::new, |repository| repository.blobs.keys().cloned().collect())
    }

    /// Returns the number of uploads that were started and neither finished
    /// nor cancelled.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        self.state.storage.open_uploads()
    }

    /// Copies the contents, to be restored into this registry later. Cheap:
    /// blobs are shared.
    #[must_use]
    pub fn snapshot(&self) -> Contents {
        self.state.storage.contents().clone()
    }

    /// Replaces the contents by a snapshot of this registry. The default
    /// value of [`Contents`] empties it.
    pub fn restore(&self, contents: &Contents) {
        *self.state.storage.contents() = contents.clone();
    }
}
