//! The ways to go wrong.

use std::time::Duration;

use bytes::Bytes;
use testkit::registry::{Class, Fault};

/// A way to go wrong, and how often.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) name: &'static str,
    pub(super) times: u64,
    pub(super) fault: Fault,
}

impl Trouble {
    /// Can it happen to a request of this class?
    pub(super) fn fits(&self, class: Class) -> bool {
        let is_read = matches!(class, Class::Token | Class::ManifestGet | Class::BlobGet);
        let opens = matches!(class, Class::Mount | Class::UploadPost | Class::UploadPatch);
        let carries = matches!(class, Class::UploadPatch | Class::UploadPut | Class::ManifestPut);
        let is_named = matches!(class, Class::ManifestHead | Class::ManifestGet);
        match &self.fault {
            Fault::CutRequest(_) => carries,
            Fault::CutResponse(_) | Fault::CorruptBody | Fault::ShortBody(_) => is_read,
            Fault::SlowBody { .. } => is_read,
            Fault::RelativeLocation | Fault::SetHeaders(_) => opens,
            Fault::OmitHeaders(names) if names == &["location"] => opens,
            Fault::OmitHeaders(_) => is_named || carries,
            Fault::WrongDigest => is_named || carries || class == Class::Mount,
            Fault::RefuseMount => class == Class::Mount,
            Fault::RevokeTokens => !matches!(class, Class::Ping | Class::Token),
            _ => true,
        }
    }
}

pub(super) fn troubles() -> Vec<Trouble> {
    const EVER: u64 = u64::MAX;
    let status = |status| Fault::status(status, "UNKNOWN_TO_US");
    let answer = |status, kind: &str, body: &str| Fault::Respond {
        status,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    let redirect =
        |to: &str| Fault::Redirect { status: 307, origin: to.trim_end_matches('/').to_owned() };
    let html = "<html>hotel: please log in</html>";
    let pieces = Bytes::from("1, ".repeat(100_000));
    let endless = Fault::Endless { start: Bytes::from_static(b"{\"token\": ["), piece: pieces };
    let slow = Fault::SlowBody { chunk: 1, pause: Duration::from_millis(1) };
    let without = |name: &str| Fault::OmitHeaders(vec![name.to_owned()]);
    let elsewhere = "http://10.0.0.1:1/x?sig=hunter2-signature".to_owned();
    let trouble = |name, times, fault| Trouble { name, times, fault };
    vec![
        trouble("connection refused", EVER, Fault::Leave),
        trouble("reset before the body, once", 1, Fault::CutBefore),
        trouble("reset before the body", EVER, Fault::CutBefore),
        trouble("reset after the body, once", 1, Fault::Cut),
        trouble("reset after the body", EVER, Fault::Cut),
        trouble("half a request, once", 1, Fault::CutRequest(5)),
        trouble("half a request", EVER, Fault::CutRequest(5)),
        trouble("half an answer, once", 1, Fault::CutResponse(5)),
        trouble("half an answer", EVER, Fault::CutResponse(5)),
        trouble("hang, once", 1, Fault::Hang(Duration::from_secs(3600))),
        trouble("hang", EVER, Fault::Hang(Duration::from_secs(3600))),
        trouble("one byte at a time", EVER, slow),
        trouble("401, once", 1, status(401)),
        trouble("401", EVER, status(401)),
        trouble("403", EVER, status(403)),
        trouble("404", EVER, status(404)),
        trouble("408, once", 1, status(408)),
        trouble("408", EVER, status(408)),
        trouble("413", EVER, status(413)),
        trouble("416", EVER, status(416)),
        trouble("429, once", 1, status(429)),
        trouble("429", EVER, status(429)),
        trouble("429, Retry-After, once", 1, Fault::too_many_requests(7)),
        trouble("429, Retry-After", EVER, Fault::too_many_requests(7)),
        trouble("500, once", 1, status(500)),
        trouble("500", EVER, status(500)),
        trouble("502, once", 1, answer(502, "text/html", html)),
        trouble("502", EVER, answer(502, "text/html", html)),
        trouble("503, three times", 3, status(503)),
        trouble("503", EVER, status(503)),
        trouble("wrong digest announced", EVER, Fault::WrongDigest),
        trouble("wrong bytes, once", 1, Fault::CorruptBody),
        trouble("wrong bytes", EVER, Fault::CorruptBody),
        trouble("wrong length, once", 1, Fault::ShortBody(5)),
        trouble("wrong length", EVER, Fault::ShortBody(5)),
        trouble("HTML instead of JSON, once", 1, answer(200, "text/html", html)),
        trouble("HTML instead of JSON", EVER, answer(200, "text/html", html)),
        trouble("HTML, 201", EVER, answer(201, "text/html", html)),
        trouble("endless JSON", EVER, endless),
        trouble("redirect loop", EVER, redirect("")),
        trouble("redirect to a private address", EVER, redirect("http://10.0.0.1:1")),
        trouble(
            "Location at a private address",
            EVER,
            Fault::SetHeaders(vec![("location".to_owned(), elsewhere)]),
        ),
        trouble("Location without host", EVER, Fault::RelativeLocation),
        trouble("no Location", EVER, without("location")),
        trouble("no digest announced", EVER, without("docker-content-digest")),
        trouble("mount answered by 202", EVER, Fault::RefuseMount),
        trouble("token expires", 1, Fault::RevokeTokens),
    ]
}
