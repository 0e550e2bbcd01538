//! Sends one request and returns one answer. It makes the HTTP clients when they
//! are first needed; no other module sees the HTTP library's settings.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use tokio::sync::OnceCell;

use crate::answer::Failure;
use crate::body::Payload;
use crate::coding::Gunzip;
use crate::error::{Broken, RegistryError};
use crate::exchange::Watched;
use crate::host_tls::ByHost;
use crate::keychain::KeychainError;
use crate::meter::Meter;
use crate::options::ClientOptions;
use crate::request_line::RequestLine;
use crate::retry::{Attempts, RetryPolicy};
use crate::trust::{self, Trust};
use crate::under_way::{Wait, Waits};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of the body of an error is read, in bytes.
const MAX_ERROR_BODY: u64 = 64 * 1024;

/// The pool of connections that a request takes one from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Small requests, and downloads: HTTP/2 where the registry has it.
    Api,
    /// Blobs on their way up: HTTP/1.1, as the flow control of many HTTP/2
    /// servers makes uploads slow.
    Upload,
}

/// A request. It can be sent several times.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    pub(crate) pool: Pool,
    /// The repository that a body is for, with its registry.
    pub(crate) repository: Option<String>,
    /// The registry that a token is asked for: what it trusts is trusted there too.
    pub(crate) token_of: Option<Url>,
}

impl Request {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        let (headers, payload) = (HeaderMap::new(), Payload::Empty);
        Self { method, url, headers, payload, pool: Pool::Api, repository: None, token_of: None }
    }

    pub(crate) fn line(&self) -> Box<RequestLine> {
        RequestLine::new(&self.method, &self.url)
    }

    /// Sets or removes the authorization header.
    pub(crate) fn authorize(&mut self, value: Option<&HeaderValue>) {
        match value {
            Some(value) => self.headers.insert(AUTHORIZATION, value.clone()),
            None => self.headers.remove(AUTHORIZATION),
        };
    }
}

/// The HTTP clients that trust the same.
#[derive(Debug)]
struct Clients {
    trust: Arc<Trust>,
    by_pool: [OnceCell<reqwest::Client>; 2],
}

impl Clients {
    fn new(trust: Arc<Trust>) -> Self {
        Self { trust, by_pool: Default::default() }
    }
}

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) options: ClientOptions,
    clients: Clients,
    /// Of hosts with certificates of their own.
    own: ByHost<Clients>,
    meter: Arc<Meter>,
    /// The servers that have answered.
    answered: Mutex<HashSet<String>>,
    pub(crate) waits: Waits,
}

impl Transport {
    pub(crate) fn new(options: ClientOptions) -> Result<Self, RegistryError> {
        let extra = options.extra_roots()?;
        let trust = match options.skip_verify {
            true => Trust::of_all(None),
            false => Trust::new(options.roots.clone(), extra, None),
        };
        Ok(Self {
            options,
            clients: Clients::new(trust),
            own: ByHost::default(),
            meter: Arc::default(),
            answered: Mutex::default(),
            waits: Waits::default(),
        })
    }

    /// The attempts at something that begins now.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        self.attempts_by(&self.options.retry)
    }

    /// The same by another policy.
    pub(crate) fn attempts_by<'a>(&'a self, policy: &'a RetryPolicy) -> Attempts<'a> {
        Attempts::new(policy, &self.waits, self.meter.good())
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Makes the client for a request.
    async fn client(
        &self,
        request: &Request,
    ) -> Result<(reqwest::Client, Arc<Trust>), RegistryError> {
        let Request { url, token_of, pool, .. } = request;
        let own = self.own.get(url, token_of.as_ref(), &self.options, Clients::new).await?;
        let Clients { trust, by_pool } = own.as_deref().unwrap_or(&self.clients);
        let cell = &by_pool[usize::from(*pool == Pool::Upload)];
        let made = cell.get_or_try_init(|| async {
            let builder = reqwest::Client::builder()
                .user_agent(&self.options.user_agent)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_keepalive(Duration::from_secs(15));
            let (settings, protocols): (_, &[&str]) = match pool {
                Pool::Api => (builder.read_timeout(self.options.silence), trust::PROTOCOLS),
                Pool::Upload => (builder.http1_only(), &["http/1.1"]),
            };
            let builder = settings.tls_backend_preconfigured(trust.config(protocols));
            let builder = self.options.proxies.apply(builder);
            builder.build().map_err(|error| RegistryError::Tls(Arc::new(error)))
        });
        Ok((made.await?.clone(), Arc::clone(trust)))
    }

    fn answered(&self) -> MutexGuard<'_, HashSet<String>> {
        self.answered.lock().expect("no holder of this lock panics")
    }

    /// Sends a request once, and follows nothing.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response, RegistryError> {
        self.options.proxies.of(&request.url)?;
        let (client, trust) = self.client(request).await?;
        let line = request.line();
        let wait = self.waits.enter(line.to_string());
        let mut builder = client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone());
        let mut watched = self.options.watcher.as_ref().map(|watcher| {
            Watched::begin(
                watcher,
                &request.method,
                &request.url,
                &request.headers,
                request.payload.len(),
            )
        });
        let mut pulse = self.meter.pulse();
        if !matches!(request.method, Method::GET | Method::HEAD) {
            if let Some(repository) = &request.repository {
                pulse = pulse.and(self.meter.of(repository));
            }
            let body = request.payload.open(&pulse)?;
            builder = builder.header(CONTENT_LENGTH, request.payload.len()).body(body);
        }
        let answer = match request.pool {
            Pool::Api => builder.send().await,
            Pool::Upload => tokio::select! {
                answer = builder.send() => answer,
                () = pulse.stopped(self.options.stall) => {
                    let error = RegistryError::stalled(line, self.options.stall);
                    if let Some(watched) = &mut watched {
                        watched.failed(cause(&error));
                    }
                    return Err(error);
                }
            },
        };
        let was_asked = trust.was_asked();
        match answer {
            Ok(inner) => {
                self.answered().insert(request.url.origin().ascii_serialization());
                self.meter.answered(inner.status(), request.payload.len());
                // A range is of the coded bytes.
                let whole = inner.status() != StatusCode::PARTIAL_CONTENT;
                let coding = Gunzip::of(inner.headers()).filter(|_| whole);
                if let Some(watched) = &mut watched {
                    watched.answered(&inner);
                }
                let (meter, silence) = (Arc::clone(&self.meter), self.options.silence);
                let (pool, trouble, source) = (request.pool, None, None);
                Ok(Response {
                    line,
                    inner,
                    pool,
                    coding,
                    meter,
                    silence,
                    trouble,
                    source,
                    _wait: wait,
                    watched,
                })
            }
            Err(error) => {
                let answered =
                    self.answered().contains(&request.url.origin().ascii_serialization());
                let way = self.options.proxies.way(&request.url);
                let error = RegistryError::transport(line, &error, answered, way.as_deref());
                let is_stranger = was_asked && !answered && request.url.scheme() == "https";
                let error = if is_stranger { error.into_stranger() } else { error };
                if let Some(watched) = &mut watched {
                    watched.failed(cause(&error));
                }
                Err(error)
            }
        }
    }
}

/// Why there is no answer. The request is told of beside it.
fn cause(error: &RegistryError) -> String {
    match error {
        RegistryError::Transport { broken, .. } => broken.to_string(),
        other => other.to_string(),
    }
}

/// An answer, and the request that it answers.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) line: Box<RequestLine>,
    inner: reqwest::Response,
    pool: Pool,
    coding: Option<Gunzip>,
    meter: Arc<Meter>,
    silence: Duration,
    _wait: Wait,
    /// Where we are refused: why a keychain that should know us does not.
    pub(crate) trouble: Option<KeychainError>,
    /// And where the credential came from.
    pub(crate) source: Option<String>,
    watched: Option<Watched>,
}

impl Response {
    pub(crate) fn status(&self) -> StatusCode {
        self.inner.status()
    }

    pub(crate) fn url(&self) -> &Url {
        self.inner.url()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// A header's value, if it is there and is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The length of the body, or of what a `GET` would bring.
    pub(crate) fn announced_length(&self) -> Option<u64> {
        self.header(&CONTENT_LENGTH)?.parse().ok()
    }

    /// An error for an answer that breaks the protocol.
    pub(crate) fn protocol(&self, problem: impl Into<String>) -> RegistryError {
        RegistryError::Protocol { request: self.line.clone(), problem: problem.into() }
    }

    /// Reads the next piece of the decoded body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let decoded = self.coding.as_mut().and_then(|coding| coding.decode().transpose());
            if let Some(decoded) = decoded {
                return decoded.map(Some).map_err(|error| self.undecodable(&error));
            }
            let piece = self.piece().await?;
            match (self.coding.take(), piece) {
                (None, piece) => return Ok(piece),
                (Some(mut coding), Some(piece)) => {
                    coding.take(piece);
                    self.coding = Some(coding);
                }
                (Some(mut coding), None) => {
                    let last = coding.end().map_err(|error| self.undecodable(&error))?;
                    return Ok(Some(last).filter(|last| !last.is_empty()));
                }
            }
        }
    }

    /// The error for a body that is not coded as it says.
    fn undecodable(&self, error: &std::io::Error) -> RegistryError {
        let broken = Broken::Interrupted(error.to_string());
        RegistryError::Transport { request: self.line.clone(), broken }
    }

    /// Reads the next piece of the body as it comes over the wire.
    async fn piece(&mut self) -> Result<Option<Bytes>, RegistryError> {
        let chunk = match self.pool {
            Pool::Api => self.inner.chunk().await,
            Pool::Upload => match tokio::time::timeout(self.silence, self.inner.chunk()).await {
                Ok(chunk) => chunk,
                Err(_) => return Err(RegistryError::stalled(self.line.clone(), self.silence)),
            },
        };
        if let Ok(Some(bytes)) = &chunk {
            self.meter.received(bytes.len());
            if let Some(watched) = &mut self.watched {
                watched.received(bytes.len());
            }
        }
        chunk.map_err(|error| RegistryError::transport(self.line.clone(), &error, true, None))
    }

    /// Reads the whole body.
    pub(crate) async fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let too_large =
            |line: &RequestLine| RegistryError::TooLarge { request: Box::new(line.clone()), limit };
        let announced = self.inner.content_length().unwrap_or_default();
        if announced > limit {
            return Err(too_large(&self.line));
        }
        // What is announced need not come.
        let capacity = announced.min(1024 * 1024);
        let mut bytes = Vec::with_capacity(usize::try_from(capacity).unwrap_or_default());
        while let Some(chunk) = self.chunk().await? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(too_large(&self.line));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Reads the rest of the body and ignores it, so that the connection can be
    /// used again.
    pub(crate) async fn discard(mut self) {
        // If this fails, the connection is gone, and another one is made.
        let _ = self.bytes(MAX_ERROR_BODY).await;
    }

    /// Turns an unwanted answer into an error.
    pub(crate) async fn fail(mut self) -> RegistryError {
        let (status, headers) = (self.status(), self.headers().clone());
        let body = if self.line.method == Method::HEAD {
            None
        } else {
            // The status says more than a body that breaks off.
            Some(self.bytes(MAX_ERROR_BODY).await.unwrap_or_default())
        };
        let mut failure = Failure::new(status, &headers, body.as_deref());
        failure.trouble = self.trouble;
        failure.source = self.source;
        RegistryError::Status { request: self.line, failure: Box::new(failure) }
    }
}

#[cfg(test)]
mod tests {
    use testkit::registry::{Fault, Rule, TestRegistry};

    use super::*;

    /// A registry that answers everything with so many bytes, and a request to it.
    fn answering(bytes: usize) -> (TestRegistry, Transport, Request) {
        let registry = TestRegistry::start();
        let body = vec![b'x'; bytes].into();
        registry.inject(Rule::new(Fault::Respond { status: 200, headers: Vec::new(), body }));
        let url = format!("{}/v2/", registry.url()).parse().unwrap();
        let transport = Transport::new(ClientOptions::default()).unwrap();
        (registry, transport, Request::new(Method::GET, url))
    }

    #[tokio::test]
    async fn a_body_may_be_as_long_as_is_allowed() {
        let (_registry, transport, request) = answering(10);
        for (limit, want) in [(11, Some(10)), (10, Some(10)), (9, None)] {
            let mut response = transport.send(&request).await.unwrap();
            let read = response.bytes(limit).await;
            assert_eq!(read.as_ref().ok().map(Vec::len), want, "{limit}: {read:?}");
        }
    }

    #[tokio::test]
    async fn what_is_discarded_leaves_its_connection_to_the_next() {
        // More than comes at once.
        let (registry, transport, request) = answering(60_000);
        for _ in 0..3 {
            transport.send(&request).await.unwrap().discard().await;
            // The library takes the connection back in a task.
            tokio::task::yield_now().await;
        }
        assert_eq!(registry.connections(), 1);
    }
}
