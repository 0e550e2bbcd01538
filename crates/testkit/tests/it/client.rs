//! A blocking client that shows every status, header and byte.

use std::io::Read;
use ureq::Agent;
use ureq::http::{HeaderMap, Request, Uri};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body, or how reading it failed.
    pub(crate) body: Result<Vec<u8>, std::io::Error>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.body.unwrap()
    }

    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes()).unwrap()
    }
}

/// Sends one request on a connection of its own.
pub(crate) fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build()
        .into();
    let mut request = Request::builder().method(method).uri(url.parse::<Uri>().unwrap());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = if matches!(method, "GET" | "HEAD" | "DELETE") {
        agent.run(request.body(()).unwrap())?
    } else {
        agent.run(request.body(body).unwrap())?
    };
    let (head, body) = response.into_parts();
    let mut bytes = Vec::new();
    let read = body.into_reader().read_to_end(&mut bytes);
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: read.map(|_| bytes) })
}

pub(crate) fn get(url: &str) -> Answer {
    send("GET", url, &[], b"").unwrap()
}

pub(crate) fn head(url: &str) -> Answer {
    send("HEAD", url, &[], b"").unwrap()
}
