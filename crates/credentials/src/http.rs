//! Speaks HTTP with the servers of clouds, and with the metadata servers of
//! their machines. Redirects are not followed: what is sent is secret.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use registry::{Proxies, RootPlaces, Watched, Watcher};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::problem::{Problem, Result};

/// The largest answer, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// How often a request is sent whose answer may be better in a moment.
const ATTEMPTS: u32 = 3;

/// Where a request goes, which says how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To a metadata server that need not be there. It answers at once or never.
    Probe,
    /// To the machine, or to its cloud: directly.
    Machine,
    /// Anywhere, through proxies.
    Net,
}

impl Reach {
    fn limit(self) -> Duration {
        match self {
            Self::Probe => Duration::from_secs(1),
            Self::Machine => Duration::from_secs(5),
            Self::Net => Duration::from_secs(20),
        }
    }
}

/// A request. What it carries is secret, so it cannot be printed.
pub(crate) struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: String,
    reach: Reach,
}

impl Ask {
    pub(crate) fn new(method: Method, url: &str, reach: Reach) -> Result<Self> {
        let url: Url = url.parse().map_err(|_| Problem::malformed(url, "it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(Problem::malformed(shown(&url), "it is not an http or https URL"));
        }
        Ok(Self { method, url, headers: HeaderMap::new(), body: String::new(), reach })
    }

    pub(crate) fn get(url: &str, reach: Reach) -> Result<Self> {
        Self::new(Method::GET, url, reach)
    }

    /// A form, to be posted.
    pub(crate) fn form(url: &str, fields: &[(&str, &str)]) -> Result<Self> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        Self::new(Method::POST, url, Reach::Net)?
            .header("content-type", "application/x-www-form-urlencoded")
            .map(|ask| ask.body(form.finish()))
    }

    pub(crate) fn query(mut self, fields: &[(&str, &str)]) -> Self {
        self.url.query_pairs_mut().extend_pairs(fields);
        self
    }

    /// Adds a header, whose value is not shown.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let wrong = || Problem::malformed(shown(&self.url), format!("bad header {name:?}"));
        let name_read = HeaderName::try_from(name).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        self.headers.insert(name_read, value);
        Ok(self)
    }

    pub(crate) fn body(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn parts(&self) -> (&Method, &Url, &HeaderMap, &str) {
        (&self.method, &self.url, &self.headers, &self.body)
    }
}

/// A URL without its query, which may be secret.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// An answer.
pub(crate) struct Answer {
    url: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Reads JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .map_err(|_| self.malformed("the answer is not the expected JSON"))
    }

    /// Reads the JSON of an answer that must be good; `said` finds what the
    /// server has to say where it is not.
    pub(crate) fn good<T: DeserializeOwned>(&self, said: fn(&Self) -> String) -> Result<T> {
        if self.is_success() { self.json() } else { Err(self.refused(&said(self))) }
    }

    pub(crate) fn malformed(&self, problem: &str) -> Problem {
        Problem::malformed(&self.url, problem)
    }

    pub(crate) fn refused(&self, said: &str) -> Problem {
        let said = if said.is_empty() { String::new() } else { format!(" {said}") };
        Problem::Refused { url: self.url.clone(), status: self.status, said }
    }
}

/// The clients, made when they are first needed.
pub(crate) struct Http {
    user_agent: String,
    roots: RootPlaces,
    proxies: Proxies,
    watcher: Mutex<Option<Watcher>>,
    near: OnceCell<reqwest::Client>,
    far: OnceCell<reqwest::Client>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    pub(crate) fn new(user_agent: String, roots: RootPlaces, proxies: Proxies) -> Self {
        let (near, far) = (OnceCell::new(), OnceCell::new());
        Self { user_agent, roots, proxies, watcher: Mutex::default(), near, far }
    }

    fn watcher(&self) -> MutexGuard<'_, Option<Watcher>> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has each request told of from now on.
    pub(crate) fn watch(&self, watcher: &Watcher) {
        *self.watcher() = Some(watcher.clone());
    }

    async fn client(&self, reach: Reach) -> std::result::Result<&reqwest::Client, reqwest::Error> {
        let is_far = reach == Reach::Net;
        let cell = if is_far { &self.far } else { &self.near };
        cell.get_or_try_init(|| async {
            let builder = reqwest::Client::builder()
                .user_agent(&self.user_agent)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(Duration::from_secs(5))
                .tls_backend_preconfigured(registry::tls(&self.roots));
            let nowhere = Proxies::default();
            let proxies = if is_far { &self.proxies } else { &nowhere };
            proxies.apply(builder).build()
        })
        .await
    }

    /// Sends a request. A server that is busy is asked again, unless it need
    /// not be there.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Answer> {
        let mut attempt = 1;
        loop {
            let answer = self.send_once(ask).await;
            let again = match &answer {
                Ok(answer) => matches!(answer.status, 429 | 500 | 502 | 503 | 504),
                Err(problem) => matches!(problem, Problem::Request { .. }),
            };
            if !again || ask.reach == Reach::Probe || attempt == ATTEMPTS {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            attempt += 1;
        }
    }

    async fn send_once(&self, ask: &Ask) -> Result<Answer> {
        let url = shown(&ask.url);
        let failed = |cause: String| Problem::Request { url: url.clone(), cause };
        if ask.reach == Reach::Net {
            self.proxies.of(&ask.url).map_err(|error| failed(error.to_string()))?;
        }
        let mut watched = self.watcher().as_ref().map(|watcher| {
            Watched::begin(watcher, &ask.method, &ask.url, &ask.headers, ask.body.len() as u64)
        });
        let exchange = async {
            let client = self.client(ask.reach).await?;
            let mut request = client.request(ask.method.clone(), ask.url.clone());
            request = request.headers(ask.headers.clone());
            if ask.method != Method::GET {
                request = request.body(ask.body.clone());
            }
            let mut response = request.send().await?;
            if let Some(watched) = &mut watched {
                watched.answered(&response);
            }
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if let Some(watched) = &mut watched {
                    watched.received(chunk.len());
                }
                if body.len() > MAX_BODY {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((status, headers, body))
        };
        let limit = ask.reach.limit();
        let ended = match tokio::time::timeout(limit, exchange).await {
            Err(_) => Err(format!("no answer within {limit:?}")),
            Ok(ended) => ended.map_err(|error| root_cause(&error)),
        };
        if let (Some(watched), Err(cause)) = (&mut watched, &ended) {
            watched.failed(cause.clone());
        }
        match ended.map_err(failed)? {
            (_, _, body) if body.len() > MAX_BODY => {
                Err(Problem::malformed(&url, "the answer is larger than 1 MiB"))
            }
            (status, headers, body) => Ok(Answer { url, status, headers, body }),
        }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
