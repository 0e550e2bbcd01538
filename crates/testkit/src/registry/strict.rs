//! Checks the requests of the client under test against the OCI
//! distribution-spec, version 1.1. What a registry may forgive, this one notes.

use std::sync::Mutex;

use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE,
    TRANSFER_ENCODING, USER_AGENT,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use super::contents::Upload;
use super::manifests::is_tag;
use super::route::{Route, Scope, Target};
use crate::digest::is_digest;

/// What a client that wants a manifest must take.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// What was wrong, in the order of the requests.
#[derive(Debug, Default)]
pub(crate) struct Violations(Mutex<Vec<String>>);

impl Violations {
    pub(crate) fn note(&self, head: &str, problem: &str) {
        let mut all = self.0.lock().expect("no holder of the violations panics");
        all.push(format!("{head}: {problem}"));
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no holder of the violations panics").clone()
    }
}

/// Is this a request of ours? Others have the right to their own mistakes: ko
/// and Go's tools name their library as well.
pub(crate) fn is_ours(headers: &HeaderMap) -> bool {
    let agent = text(headers, &USER_AGENT).unwrap_or_default();
    agent.starts_with("ko/") && !agent.contains(' ')
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

/// What is wrong with a request, as far as its head shows.
pub(crate) fn head(head: &Parts, route: &Route) -> Vec<&'static str> {
    let headers = &head.headers;
    let mut wrong = Vec::new();
    let mut check = |good: bool, problem: &'static str| {
        if !good {
            wrong.push(problem);
        }
    };
    check(allows(&route.target, &head.method), "no such method here");
    check(
        !matches!(route.target, Target::BadName | Target::BadDigest),
        "a name or digest is wrong",
    );
    check(head.uri.path() != "/v2", "the path of a ping ends with a slash");
    if let Some(repo) = route.target.repository() {
        check(is_name(repo), "the name of a repository is wrong");
    }
    let credentials = text(headers, &AUTHORIZATION);
    let schemes = ["Basic ", "Bearer "];
    check(
        credentials.is_none_or(|text| schemes.iter().any(|scheme| text.starts_with(scheme))),
        "credentials of no known scheme",
    );
    for name in [&AUTHORIZATION, &CONTENT_LENGTH, &CONTENT_RANGE, &CONTENT_TYPE, &RANGE] {
        check(headers.get_all(name).iter().count() <= 1, "a header stands twice");
    }
    check(!headers.contains_key(TRANSFER_ENCODING), "a body without a length");
    if matches!(head.method, Method::GET | Method::HEAD) {
        check(number(headers, &CONTENT_LENGTH).unwrap_or_default() == 0, "a read with a body");
    } else {
        check(number(headers, &CONTENT_LENGTH).is_some(), "a write without Content-Length");
    }
    match &route.target {
        Target::Manifest { reference, .. } => {
            check(is_tag(reference) || is_digest(reference), "neither a tag nor a digest");
            if head.method == Method::PUT {
                check(headers.contains_key(CONTENT_TYPE), "a manifest without Content-Type");
            } else {
                let accept = text(headers, &ACCEPT).unwrap_or_default();
                let takes = |kind: &&str| accept.split(',').any(|range| range.trim() == *kind);
                check(MANIFESTS.iter().all(takes), "Accept lacks a kind of manifest");
            }
        }
        Target::Blob { .. } => {
            check(text(headers, &RANGE).is_none_or(is_byte_range), "no range of bytes");
        }
        Target::Uploads { .. } => {
            for (key, value) in route.pairs() {
                check(
                    match key.as_str() {
                        "digest" | "mount" => is_digest(value),
                        "from" => is_name(value),
                        // Docker's and ko's own.
                        "origin" => true,
                        _ => false,
                    },
                    "a parameter that uploads do not have, or a wrong value",
                );
            }
            check(route.query("from").is_none() || route.query("mount").is_some(), "from no mount");
        }
        Target::Upload { .. } if matches!(head.method, Method::PATCH | Method::PUT) => {
            let octets = text(headers, &CONTENT_TYPE) == Some("application/octet-stream");
            check(octets, "bytes of a blob are application/octet-stream");
            let digests = route.pairs().iter().filter(|(key, _)| key == "digest");
            let good = digests.clone().all(|(_, digest)| is_digest(digest));
            let want = usize::from(head.method == Method::PUT);
            check(digests.count() == want && good, "a PUT has one digest, and a PATCH has none");
            if let Some(range) = text(headers, &CONTENT_RANGE) {
                let len = chunk(range).map(|(start, end)| end + 1 - start);
                check(
                    len.is_some() && len == number(headers, &CONTENT_LENGTH),
                    "Content-Range is not START-END of the body",
                );
            }
        }
        Target::Token if head.method == Method::GET => {
            let scopes = route.pairs().iter().filter(|(key, _)| key == "scope");
            check(scopes.clone().all(|(_, scope)| is_scope(scope)), "a scope is wrong");
            check(route.query("service").is_some(), "a question for a token names the service");
        }
        _ => {}
    }
    wrong
}

/// What is wrong with a part of an upload.
pub(crate) fn part(headers: &HeaderMap, upload: &Upload) -> Vec<&'static str> {
    let len = number(headers, &CONTENT_LENGTH).unwrap_or_default();
    let range = text(headers, &CONTENT_RANGE).and_then(chunk);
    let mut wrong = Vec::new();
    if range.is_some_and(|(start, _)| start != upload.size) {
        wrong.push("a chunk that does not follow the last one");
    }
    if range.is_none() && upload.size > 0 && len > 0 {
        wrong.push("a further chunk without Content-Range");
    }
    if upload.has_short_chunk && len > 0 {
        wrong.push("a chunk before the last is shorter than OCI-Chunk-Min-Length");
    }
    wrong
}

/// The part of the target's methods that the specification has.
fn allows(target: &Target, method: &Method) -> bool {
    match (target, method.as_str()) {
        (Target::BadName | Target::BadDigest, _) => true,
        (Target::Unknown, _) => false,
        (Target::Token, "GET" | "POST") => true,
        (
            Target::Ping | Target::Catalog | Target::Tags { .. } | Target::Referrers { .. },
            "GET",
        ) => true,
        (Target::Manifest { .. }, "GET" | "HEAD" | "PUT" | "DELETE") => true,
        (Target::Blob { .. }, "GET" | "HEAD" | "DELETE") => true,
        (Target::Uploads { .. }, "POST") => true,
        (Target::Upload { .. }, "GET" | "PATCH" | "PUT" | "DELETE") => true,
        _ => false,
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, with slashes between.
fn is_name(name: &str) -> bool {
    let component = |part: &str| {
        let mut separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inner = |text: &str| {
            matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-')
        };
        let edge = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        edge(part.bytes().next()) && edge(part.bytes().last()) && separators.all(inner)
    };
    name.len() <= 255 && name.split('/').all(component)
}

/// `repository:NAME:ACTIONS`, or several with spaces between.
fn is_scope(text: &str) -> bool {
    text.split(' ').all(|scope| {
        Scope::parse(scope).is_some_and(|scope| {
            let name = scope.resource.strip_prefix("repository:");
            let known = |action: &String| matches!(action.as_str(), "pull" | "push" | "delete");
            name.is_some_and(is_name) && scope.actions.iter().all(known)
        })
    })
}

/// `bytes=START-` or `bytes=START-END`.
fn is_byte_range(range: &str) -> bool {
    let ends = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    ends.is_some_and(|(start, end)| {
        start.parse::<u64>().is_ok() && (end.is_empty() || end.parse::<u64>().is_ok())
    })
}

/// `START-END`, the form of this specification.
fn chunk(range: &str) -> Option<(u64, u64)> {
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    (start <= end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, want) in [
            ("a", true),
            ("a/b-c/d__e/f.g/h---i/0_1", true),
            ("", false),
            ("a//b", false),
            ("A", false),
            ("a/-b", false),
            ("a..b", false),
            ("a___b", false),
            ("a._b", false),
            ("a.", false),
        ] {
            assert_eq!(is_name(name), want, "{name}");
        }
        assert!(!is_name(&"a".repeat(256)));
    }

    fn wrong(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<&'static str> {
        let mut request = hyper::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        head(&parts, &Route::parse(path, query))
    }

    #[test]
    fn heads() {
        let digest = crate::sha256(b"");
        let all = MANIFESTS.join(",");
        let octets = ("content-type", "application/octet-stream");
        let upload = "/v2/a/blobs/uploads/1";
        for (method, path, headers, want) in [
            ("GET", "/v2/".to_owned(), vec![], 0),
            ("GET", "/v2".to_owned(), vec![], 1),
            ("POST", "/v2/".to_owned(), vec![("content-length", "0")], 1),
            ("GET", "/v1/x".to_owned(), vec![], 1),
            ("GET", "/v2/A/manifests/v1".to_owned(), vec![], 1),
            ("GET", "/v2/a/manifests/v1".to_owned(), vec![("accept", &*all)], 0),
            ("GET", "/v2/a/manifests/v1".to_owned(), vec![("accept", MANIFESTS[0])], 1),
            ("GET", "/v2/a/manifests/-v1".to_owned(), vec![("accept", &*all)], 1),
            ("PUT", "/v2/a/manifests/v1".to_owned(), vec![("content-length", "2")], 1),
            ("GET", format!("/v2/a/blobs/{digest}"), vec![("range", "bytes=1-")], 0),
            ("GET", format!("/v2/a/blobs/{digest}"), vec![("range", "bytes=-1")], 1),
            ("GET", format!("/v2/a/blobs/{digest}"), vec![("content-length", "1")], 1),
            ("POST", "/v2/a/blobs/uploads/".to_owned(), vec![("content-length", "0")], 0),
            ("POST", "/v2/a/blobs/uploads/".to_owned(), vec![], 1),
            ("POST", "/v2/a/blobs/uploads/?x=1".to_owned(), vec![("content-length", "0")], 1),
            ("POST", "/v2/a/blobs/uploads/?from=b".to_owned(), vec![("content-length", "0")], 1),
            ("PATCH", upload.to_owned(), vec![("content-length", "2"), octets], 0),
            (
                "PATCH",
                upload.to_owned(),
                vec![("content-length", "2"), ("content-range", "3-4"), octets],
                0,
            ),
            (
                "PATCH",
                upload.to_owned(),
                vec![("content-length", "2"), ("content-range", "bytes 3-4/9"), octets],
                1,
            ),
            (
                "PATCH",
                upload.to_owned(),
                vec![("content-length", "2"), ("content-range", "3-5"), octets],
                1,
            ),
            (
                "PATCH",
                format!("{upload}?digest={digest}"),
                vec![("content-length", "2"), octets],
                1,
            ),
            ("PUT", format!("{upload}?digest={digest}"), vec![("content-length", "2"), octets], 0),
            ("PUT", upload.to_owned(), vec![("content-length", "2"), octets], 1),
            ("PUT", format!("{upload}?digest={digest}"), vec![("content-length", "2")], 1),
            ("GET", "/token?service=s&scope=repository:a:pull,push".to_owned(), vec![], 0),
            ("GET", "/token?service=s&scope=a:pull".to_owned(), vec![], 1),
            ("GET", "/token?scope=repository:a:pull".to_owned(), vec![], 1),
        ] {
            let found = wrong(method, &path, &headers);
            assert_eq!(found.len(), want, "{method} {path} {headers:?}: {found:?}");
        }
    }
}
