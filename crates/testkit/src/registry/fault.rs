//! Faults on demand: which requests go wrong, and how.

use super::log::Class;
use super::reply::Reply;
use crate::registry::body::Pace;
use bytes::Bytes;
use hyper::header::LOCATION;
use hyper::{Method, StatusCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answer this instead; the request has no effect, its body is read.
    Respond {
        /// The status code.
        status: u16,
        /// Headers to send, besides Content-Length.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// Close the connection after the request was read and carried out,
    /// without an answer.
    Cut,
    /// Close the connection before the request's body is read, without carrying
    /// it out.
    CutBefore,
    /// Close this connection and the port, for ever.
    Leave,
    /// Leave scheme and authority out of the answer's Location.
    RelativeLocation,
    /// Say nothing for so long, then answer.
    Hang(Duration),
    /// Send the start of a body and then this, over and over, with no end.
    Endless {
        /// What comes before.
        start: Bytes,
        /// What is repeated.
        piece: Bytes,
    },
    /// Close the connection after this many bytes of the response's body.
    CutResponse(u64),
    /// Close the connection after this many bytes of the request's body. An
    /// upload keeps what arrived before.
    CutRequest(u64),
    /// Give a Docker-Content-Digest that is not the body's.
    WrongDigest,
    /// Send the body with one bit changed.
    CorruptBody,
    /// Send only this many bytes, with a Content-Length that says so.
    ShortBody(u64),
    /// Send the body this many bytes at a time, after a pause each.
    SlowBody {
        /// Bytes at a time.
        chunk: u64,
        /// Pause before each piece.
        pause: Duration,
    },
    /// Redirect to the same path and query below this origin, such as
    /// `http://127.0.0.1:1234`.
    Redirect {
        /// The status code, such as 307.
        status: u16,
        /// Scheme and authority.
        origin: String,
    },
    /// Answer a mount with 202 and an upload, as if the source were unknown.
    RefuseMount,
    /// Revoke all tokens, then answer: a client that had one is challenged.
    RevokeTokens,
    /// Leave these headers out of the answer.
    OmitHeaders(Vec<String>),
    /// Give these headers other values.
    SetHeaders(Vec<(String, String)>),
    /// Carry the request out; then somebody else stores this index below a tag of
    /// the same repository.
    Overtake {
        /// The repository.
        repository: String,
        /// The tag.
        tag: String,
        /// The index.
        index: Bytes,
    },
}

impl Fault {
    /// Answers a status with an error body of the OCI distribution-spec.
    #[must_use]
    pub fn status(status: u16, code: &str) -> Fault {
        Fault::Respond {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: serde_json::json!({"errors": [{"code": code, "message": "injected fault"}]})
                .to_string()
                .into(),
        }
    }

    /// Answers 429 with a Retry-After in seconds.
    #[must_use]
    pub fn too_many_requests(retry_after: u64) -> Fault {
        let mut fault = Fault::status(429, "TOOMANYREQUESTS");
        if let Fault::Respond { headers, .. } = &mut fault {
            headers.push(("retry-after".to_owned(), retry_after.to_string()));
        }
        fault
    }

    /// Adapts the answer to a request that was carried out.
    pub(crate) fn spoil(&self, reply: &mut Reply) {
        match self {
            Fault::CutResponse(bytes) => reply.cut = Some(*bytes),
            Fault::WrongDigest => {
                reply.set("docker-content-digest", &crate::sha256(b"something else"));
            }
            Fault::CorruptBody => reply.corrupt = true,
            Fault::ShortBody(bytes) => {
                reply.source.truncate(*bytes);
                reply.seal();
            }
            Fault::SlowBody { chunk, pause } => {
                reply.pace = Some(Pace { chunk: *chunk, pause: *pause });
            }
            Fault::RelativeLocation => {
                let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
                if let Some(url) = location.and_then(|text| text.parse::<hyper::Uri>().ok())
                    && let Some(relative) = url.path_and_query()
                {
                    reply.set("location", relative.as_str());
                }
            }
            Fault::OmitHeaders(names) => {
                for name in names {
                    reply.headers.remove(name.as_str());
                }
            }
            Fault::SetHeaders(headers) => {
                for (name, value) in headers {
                    reply.set(name, value);
                }
            }
            Fault::Respond { .. }
            | Fault::Cut
            | Fault::CutBefore
            | Fault::Leave
            | Fault::Hang(_)
            | Fault::Endless { .. }
            | Fault::CutRequest(_)
            | Fault::Redirect { .. }
            | Fault::RefuseMount
            | Fault::RevokeTokens
            | Fault::Overtake { .. } => {}
        }
    }

    /// Returns the answer that replaces the request's own, if there is one.
    pub(crate) fn instead(&self, path_and_query: &str) -> Option<Reply> {
        match self {
            Fault::Respond { status, headers, body } => {
                let mut reply = Reply::new(code(*status)).body(body.clone());
                for (name, value) in headers {
                    reply.set(name, value);
                }
                Some(reply)
            }
            Fault::Endless { start, piece } => {
                Some(Reply::new(StatusCode::OK).endless(start.clone(), piece.clone()))
            }
            Fault::Redirect { status, origin } => Some(
                Reply::new(code(*status)).header("location", &format!("{origin}{path_and_query}")),
            ),
            _ => None,
        }
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a fault's status is between 100 and 999")
}

/// A fault and the requests it applies to. Without conditions that is every
/// request, for ever.
#[derive(Clone, Debug)]
pub struct Rule {
    method: Option<String>,
    class: Option<Class>,
    path: Option<String>,
    skip: u64,
    every: u64,
    times: u64,
    fault: Fault,
}

impl Rule {
    /// Creates a rule that applies `fault` to every request.
    #[must_use]
    pub fn new(fault: Fault) -> Rule {
        Rule { method: None, class: None, path: None, skip: 0, every: 1, times: u64::MAX, fault }
    }

    /// Applies only to requests of this method, given in upper case.
    #[must_use]
    pub fn method(mut self, method: &str) -> Rule {
        self.method = Some(method.to_owned());
        self
    }

    /// Applies only to requests of this class.
    #[must_use]
    pub fn class(mut self, class: Class) -> Rule {
        self.class = Some(class);
        self
    }

    /// Applies only to requests whose path contains this text.
    #[must_use]
    pub fn path(mut self, part: &str) -> Rule {
        self.path = Some(part.to_owned());
        self
    }

    /// Lets the first `count` requests that match pass.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Rule {
        self.skip = count;
        self
    }

    /// Applies only to each `count`th request that matches, the first one of them
    /// after those that are skipped.
    #[must_use]
    pub fn every(mut self, count: u64) -> Rule {
        self.every = count;
        self
    }

    /// Applies at most `count` times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Rule {
        self.times = count;
        self
    }

    fn matches(&self, method: &Method, path: &str, class: Class) -> bool {
        self.method.as_deref().is_none_or(|want| want == method.as_str())
            && self.class.is_none_or(|want| want == class)
            && self.path.as_deref().is_none_or(|part| path.contains(part))
    }
}

/// The rules in force, in the order they were added. The first that applies
/// to a request decides alone.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<(Rule, u64)>>,
    struck: AtomicBool,
}

impl Faults {
    pub(crate) fn add(&self, rule: Rule) {
        let mut rules = self.rules.lock().expect("no holder of the rules panics");
        rules.push((rule, 0));
    }

    /// Whether any has: then what a client believes need not be so.
    pub(crate) fn have_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }

    pub(crate) fn clear(&self) {
        self.rules.lock().expect("no holder of the rules panics").clear();
    }

    pub(crate) fn pick(&self, method: &Method, path: &str, class: Class) -> Option<Fault> {
        let mut rules = self.rules.lock().expect("no holder of the rules panics");
        for (rule, seen) in rules.iter_mut() {
            if rule.matches(method, path, class) {
                *seen += 1;
                let Some(after) = seen.checked_sub(rule.skip + 1) else { continue };
                if after % rule.every == 0 && after / rule.every < rule.times {
                    self.struck.store(true, Ordering::SeqCst);
                    return Some(rule.fault.clone());
                }
            }
        }
        None
    }
}
