//! The server itself: a thread with a runtime of its own, so that blocking
//! tests, asynchronous tests and child processes can all talk to it.

use super::auth::Authority;
use super::body::{RequestBody, ResponseBody};
use super::contents::Storage;
use super::fault::{Fault, Faults};
use super::log::{Entry, Log};
use super::reply::Reply;
use super::route::{Route, Scope, Target};
use super::strict::{self, Violations};
use super::{blobs, manifests, tls};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What the builder chose.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) relative_locations: bool,
    pub(crate) location_secret: Option<String>,
    pub(crate) single_post: bool,
    pub(crate) check_manifests: bool,
    pub(crate) referrers: bool,
    pub(crate) mounts: bool,
    pub(crate) immutable_tags: bool,
    pub(crate) largest_body: u64,
    pub(crate) chunk_min_length: u64,
    pub(crate) most_at_once: usize,
    pub(crate) public: Vec<String>,
    pub(crate) hides: bool,
}

/// What all connections share.
pub(crate) struct State {
    pub(crate) origin: String,
    pub(crate) settings: Settings,
    pub(crate) storage: Storage,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) authority: Authority,
    pub(crate) violations: Violations,
    pub(crate) rtt: Mutex<Duration>,
    pub(crate) connections: AtomicU64,
    /// Requests that are being answered.
    pub(crate) at_once: AtomicUsize,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether a fault has closed the port.
    pub(crate) gone: watch::Sender<bool>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("origin", &self.origin)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Returns a path as the Location header gives it.
    pub(super) fn location(&self, path: &str) -> String {
        if self.settings.relative_locations {
            path.to_owned()
        } else {
            format!("{}{path}", self.origin)
        }
    }

    async fn serve(
        self: Arc<State>,
        request: Request<Incoming>,
    ) -> io::Result<Response<ResponseBody>> {
        let (head, body) = request.into_parts();
        if *self.gone.borrow() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let path = head.uri.path();
        let route = Route::parse(path, head.uri.query().unwrap_or_default());
        let class = route.class(&head.method);
        let entry = self.log.open(&head, class);
        if strict::is_ours(&head.headers) {
            let line = format!("{} {path}", head.method);
            for problem in strict::head(&head, &route) {
                self.violations.note(&line, problem);
            }
        }
        let under_way = UnderWay::begin(&self.at_once);
        let rtt = *self.rtt.lock().expect("no holder of the delay panics");
        if !rtt.is_zero() {
            tokio::time::sleep(rtt).await;
        }
        let mut body = RequestBody::new(body, Arc::clone(&entry));
        let fault = self.faults.pick(&head.method, path, class);
        match fault {
            Some(Fault::CutRequest(bytes)) => body.cut_after(bytes),
            Some(Fault::Leave) => {
                self.gone.send_replace(true);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Some(Fault::CutBefore) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Fault::Hang(time)) => tokio::time::sleep(time).await,
            _ => {}
        }
        let whole = head.uri.path_and_query().map_or(path, |whole| whole.as_str());
        let mut reply = match fault.as_ref().and_then(|fault| fault.instead(whole)) {
            Some(reply) => reply,
            None if under_way.others >= self.settings.most_at_once => {
                Reply::error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "too much at once")
            }
            None if self.is_too_large(&head.headers) => Reply::new(StatusCode::PAYLOAD_TOO_LARGE),
            None => self.answer(&head, &route, &mut body, fault.as_ref()).await?,
        };
        if let Some(Fault::Overtake { repository, tag, index }) = &fault {
            self.storage.put_manifest(repository, tag, OCI_INDEX, index.clone());
        }
        body.drain().await?;
        reply.seal();
        match &fault {
            Some(Fault::Cut) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Some(fault) => fault.spoil(&mut reply),
            None => {}
        }
        Ok(finish(reply, &head.method, entry))
    }

    fn is_too_large(&self, headers: &HeaderMap) -> bool {
        let length =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        length.is_some_and(|length: u64| length > self.settings.largest_body)
    }

    /// Returns what is told to those who have no right to `scopes`.
    fn refusal(&self, headers: &HeaderMap, scopes: &[Scope]) -> Option<Reply> {
        let stranger = !headers.contains_key(AUTHORIZATION);
        let is_public = |scope: &Scope| {
            self.settings.public.iter().any(|name| *scope == Scope::repository(name, &["pull"]))
        };
        if stranger && !scopes.is_empty() && scopes.iter().all(is_public) {
            return None;
        }
        let challenge = self.authority.challenge(headers, scopes, &self.origin)?;
        let hidden = stranger && self.settings.hides && !scopes.is_empty();
        Some(if hidden { Reply::new(StatusCode::NOT_FOUND) } else { challenge })
    }

    async fn answer(
        &self,
        head: &hyper::http::request::Parts,
        route: &Route,
        body: &mut RequestBody,
        fault: Option<&Fault>,
    ) -> io::Result<Reply> {
        if matches!(fault, Some(Fault::RevokeTokens)) {
            self.authority.revoke();
        }
        let refuse_mount = matches!(fault, Some(Fault::RefuseMount));
        let headers = &head.headers;
        if !matches!(route.target, Target::Token) {
            let scopes = route.scopes(&head.method);
            if let Some(refusal) = self.refusal(headers, &scopes) {
                return Ok(refusal);
            }
        }
        Ok(match (&route.target, head.method.as_str()) {
            (Target::Token, "GET") => self.authority.token_by_get(headers, route),
            (Target::Token, "POST") => match body.all(64 * 1024).await? {
                Some(form) => self.authority.token_by_post(&form),
                None => Reply::new(StatusCode::PAYLOAD_TOO_LARGE),
            },
            (Target::Ping, "GET" | "HEAD") => Reply::json(StatusCode::OK, &serde_json::json!({}))
                .header("docker-distribution-api-version", "registry/2.0"),
            (Target::Catalog, "GET") => manifests::catalog(self, route),
            (Target::Tags { repo }, "GET") => manifests::tags(self, route, repo),
            (Target::Manifest { repo, reference }, "GET" | "HEAD") => {
                manifests::get(self, headers, repo, reference)
            }
            (Target::Manifest { repo, reference }, "PUT") => {
                manifests::put(self, headers, body, repo, reference).await?
            }
            (Target::Manifest { repo, reference }, "DELETE") => {
                manifests::delete(self, repo, reference)
            }
            (Target::Blob { repo, digest }, "GET" | "HEAD") => {
                blobs::get(self, headers, repo, digest)?
            }
            (Target::Blob { repo, digest }, "DELETE") => blobs::delete(self, repo, digest),
            (Target::Uploads { repo }, "POST") => {
                blobs::start(self, route, body, repo, refuse_mount).await?
            }
            (Target::Upload { repo, id }, "PATCH") => {
                blobs::write(self, headers, route, body, (repo, id), false).await?
            }
            (Target::Upload { repo, id }, "PUT") => {
                blobs::write(self, headers, route, body, (repo, id), true).await?
            }
            (Target::Upload { repo, id }, "GET") => blobs::status(self, repo, id),
            (Target::Upload { repo, id }, "DELETE") => blobs::cancel(self, repo, id)?,
            (Target::Referrers { repo, digest }, "GET") => {
                manifests::referrers(self, route, repo, digest)
            }
            (Target::BadName, _) => {
                Reply::error(StatusCode::BAD_REQUEST, "NAME_INVALID", "invalid repository name")
            }
            (Target::BadDigest, _) => {
                Reply::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "invalid digest")
            }
            (Target::Unknown, _) => Reply::new(StatusCode::NOT_FOUND),
            _ => Reply::error(
                StatusCode::METHOD_NOT_ALLOWED,
                "UNSUPPORTED",
                "method not allowed here",
            ),
        })
    }
}

/// A request that is being answered.
struct UnderWay<'a> {
    all: &'a AtomicUsize,
    /// How many there were when it came.
    others: usize,
}

impl<'a> UnderWay<'a> {
    fn begin(all: &'a AtomicUsize) -> UnderWay<'a> {
        UnderWay { others: all.fetch_add(1, Ordering::SeqCst), all }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Binds an answer to its request. The status is on record before a byte of
/// the answer is out.
fn finish(reply: Reply, method: &Method, entry: Arc<Entry>) -> Response<ResponseBody> {
    entry.set_status(reply.status.as_u16());
    reply.into_response(method, entry)
}

/// The running thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, state: Arc<State>) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name("testkit-registry".to_owned()).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, state) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Server { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has shown itself to the test as a connection
            // that broke; to panic here too would hide the test's own message.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let listener = tokio::net::TcpListener::from_std(listener)
        .expect("the listener is bound and non-blocking");
    let mut gone = state.gone.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // The sender is the state's.
            _ = gone.changed() => break,
        };
        let Ok((stream, _)) = accepted else {
            continue;
        };
        // Small answers must not wait for the acknowledgement of the last.
        let _ = stream.set_nodelay(true);
        state.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(connection(stream, Arc::clone(&state)));
    }
    drop(listener);
    // Connections that there are hear of it by themselves.
    std::future::pending::<()>().await;
}

/// Serves one connection to its end. It fails when a fault cuts it, when the
/// client leaves, or when the client does not trust the certificate: all of
/// that is for the client to see.
async fn connection(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(|request| Arc::clone(&state).serve(request));
    let Some(tls) = &state.tls else {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        return;
    };
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(tls::H2) {
        let _ = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    } else {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}
