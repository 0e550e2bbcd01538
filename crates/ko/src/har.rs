//! Records the requests of a run to registries (`--trace-http`), and writes them as
//! an HTTP archive when the run has ended, whether well or not.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::time::Instant;

use engine::{Event, Exchange, Observer, UnderWay};
use jiff::{SignedDuration, Timestamp};
use report::har::{Content, Entry, Har, Nothing, Pair, Request, Response, Timings};

use crate::cli::VERSION;

/// The requests so far.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    path: PathBuf,
    begun: Instant,
    started: Timestamp,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Trace {
    /// Begins to record, for a file that the user named; nothing if it is empty.
    pub(crate) fn begin(path: &Path) -> Option<Self> {
        (!path.as_os_str().is_empty()).then(|| Self {
            path: path.to_owned(),
            begun: Instant::now(),
            started: Timestamp::now(),
            entries: Arc::default(),
        })
    }

    /// The file that will be written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An observer that records what another shows.
    pub(crate) fn observe(&self, observer: Observer) -> Observer {
        let trace = self.clone();
        observer.after(move |event| {
            if let Event::Exchange(exchange) = event {
                let mut entries = trace.entries.lock().unwrap_or_else(PoisonError::into_inner);
                entries.push(trace.entry(exchange));
            }
        })
    }

    /// The archive of what was recorded until now, and of what is still waited for.
    pub(crate) fn json(&self, under_way: &[UnderWay]) -> String {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = std::mem::take(&mut *entries);
        entries.extend(under_way.iter().filter_map(|wait| self.unfinished(wait)));
        Har::new(VERSION, entries).json()
    }

    /// A request that is waited for, if it is one.
    fn unfinished(&self, wait: &UnderWay) -> Option<Entry> {
        let (method, url) = wait.what.split_once(' ')?;
        let begun = Instant::now().checked_sub(wait.elapsed)?;
        url.starts_with("http").then(|| {
            let mut entry = self.asked(method, url, begun, wait.elapsed);
            entry.timings.wait = entry.time;
            entry.response.error = Some("still waited for when the run ended".to_owned());
            entry
        })
    }

    fn entry(&self, exchange: &Exchange) -> Entry {
        let Exchange { method, url, begun, took, waited, .. } = exchange;
        let mut entry = self.asked(method, url, *begun, *took);
        entry.request.headers = pairs(&exchange.headers);
        entry.request.body_size = exchange.sent;
        entry.timings.wait = milliseconds(*waited);
        entry.timings.receive = milliseconds(took.saturating_sub(*waited));
        match &exchange.answer {
            Ok(answer) => {
                let header = |wanted: &str| {
                    let found = answer.headers.iter().find(|(name, _)| name == wanted);
                    found.map_or(String::new(), |(_, value)| value.clone())
                };
                entry.request.http_version.clone_from(&answer.version);
                let response = &mut entry.response;
                response.status = answer.status;
                response.http_version.clone_from(&answer.version);
                response.headers = pairs(&answer.headers);
                response.content.mime_type = header("content-type");
                response.redirect_url = header("location");
                (response.content.size, response.body_size) = (answer.received, answer.received);
            }
            Err(reason) => entry.response.error = Some(reason.clone()),
        }
        entry
    }

    /// A request without an answer.
    fn asked(&self, method: &str, url: &str, begun: Instant, took: Duration) -> Entry {
        let since = begun.saturating_duration_since(self.begun);
        let since = SignedDuration::try_from(since).unwrap_or_default();
        Entry {
            started_date_time: format!("{:.6}", self.started + since),
            time: milliseconds(took),
            request: Request {
                method: method.to_owned(),
                url: url.to_owned(),
                http_version: String::new(),
                cookies: [],
                headers: Vec::new(),
                query_string: query(url),
                headers_size: -1,
                body_size: 0,
            },
            response: Response {
                status: 0,
                status_text: String::new(),
                http_version: String::new(),
                cookies: [],
                headers: Vec::new(),
                content: Content { size: 0, mime_type: String::new() },
                redirect_url: String::new(),
                headers_size: -1,
                body_size: 0,
                error: None,
            },
            cache: Nothing {},
            timings: Timings { send: 0.0, wait: 0.0, receive: 0.0 },
        }
    }
}

fn pairs(headers: &[(String, String)]) -> Vec<Pair> {
    let pair = |(name, value): &(String, String)| Pair { name: name.clone(), value: value.clone() };
    headers.iter().map(pair).collect()
}

/// The parameters of a URL, as they are written in it.
fn query(url: &str) -> Vec<Pair> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| Pair { name: name.to_owned(), value: value.to_owned() }).collect()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
