//! Manifests, tags and referrers (OCI distribution-spec, pull, push, content
//! discovery).

use super::body::RequestBody;
use super::contents::{Manifest, Repository};
use super::reply::Reply;
use super::route::Route;
use super::server::State;
use super::strict::is_ours;
use crate::digest::{is_digest, sha256};
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::io;

/// The limit of the reference registry.
const MAX_MANIFEST: usize = 4 * 1024 * 1024;

const SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

pub(super) fn get(state: &State, headers: &HeaderMap, repo: &str, reference: &str) -> Reply {
    let contents = state.storage.contents();
    let found = contents.repositories.get(repo).and_then(|repo| repo.manifest(reference));
    let Some(manifest) = found else {
        return unknown(reference);
    };
    if !accepts(headers, &manifest.media_type) {
        // What the reference registry says to clients that did not ask for
        // the type it has.
        return Reply::error(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            "the manifest's media type is not in the Accept header",
        );
    }
    Reply::new(StatusCode::OK)
        .header("content-type", &manifest.media_type)
        .header("docker-content-digest", &manifest.digest())
        .body(manifest.bytes.clone())
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .any(|range| range == media_type || range == "*/*" || range == "application/*")
}

pub(super) async fn put(
    state: &State,
    headers: &HeaderMap,
    body: &mut RequestBody,
    repo: &str,
    reference: &str,
) -> io::Result<Reply> {
    let Some(bytes) = body.all(MAX_MANIFEST).await? else {
        return Ok(Reply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "MANIFEST_INVALID",
            "manifest too large",
        ));
    };
    let invalid =
        |message: &str| Reply::error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message);
    let Ok(json) = serde_json::from_slice::<Value>(&bytes) else {
        return Ok(invalid("manifest is not JSON"));
    };
    let media_type =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if json["mediaType"].as_str().is_some_and(|own| own != media_type) || media_type.is_empty() {
        return Ok(invalid("media type does not match the Content-Type"));
    }
    let digest = sha256(&bytes);
    let tag = match reference {
        reference if reference == digest => None,
        reference if reference.contains(':') => {
            return Ok(Reply::error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "digest does not match the manifest",
            ));
        }
        reference if is_tag(reference) => Some(reference),
        _ => {
            return Ok(Reply::error(StatusCode::BAD_REQUEST, "TAG_INVALID", "malformed tag"));
        }
    };

    let mut contents = state.storage.contents();
    let repository = contents.repositories.get(repo);
    if state.settings.check_manifests
        && !SCHEMA_1.contains(&media_type)
        && let Some(missing) = missing(&json, repository)
    {
        if is_ours(headers) && !state.faults.have_struck() {
            let line = format!("PUT {repo}/manifests/{reference}");
            state.violations.note(&line, &format!("{missing} is not there yet"));
        }
        return Ok(Reply::error_about(
            StatusCode::NOT_FOUND,
            "MANIFEST_BLOB_UNKNOWN",
            "manifest references something unknown to the repository",
            json!({"digest": missing}),
        ));
    }
    let repository = contents.repositories.entry(repo.to_owned()).or_default();
    if state.settings.immutable_tags && tag.is_some_and(|tag| repository.tags.contains_key(tag)) {
        // In the words of ECR.
        let message = format!("the image tag '{reference}' already exists, and is immutable");
        return Ok(Reply::error(StatusCode::BAD_REQUEST, "TAG_INVALID", &message));
    }
    let manifest = Manifest { media_type: media_type.to_owned(), bytes: bytes.into() };
    repository.manifests.insert(digest.clone(), manifest);
    if let Some(tag) = tag {
        repository.tags.insert(tag.to_owned(), digest.clone());
    }
    let mut reply = Reply::new(StatusCode::CREATED)
        .header("docker-content-digest", &digest)
        .header("location", &state.location(&format!("/v2/{repo}/manifests/{digest}")));
    if state.settings.referrers
        && let Some(subject) = json["subject"]["digest"].as_str()
    {
        reply.set("oci-subject", subject);
    }
    Ok(reply)
}

pub(super) fn is_tag(text: &str) -> bool {
    let first = text.bytes().next();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    first.is_some_and(word)
        && text.len() <= 128
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// Returns the first thing that a manifest names and its repository lacks.
/// Layers with `urls` live elsewhere.
fn missing(json: &Value, repository: Option<&Repository>) -> Option<String> {
    let digest = |descriptor: &Value| descriptor["digest"].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
    let blobs = list("layers")
        .into_iter()
        .filter(|layer| layer["urls"].is_null())
        .chain(json.get("config").cloned())
        .map(|descriptor| digest(&descriptor));
    let has_blob = |digest: &String| repository.is_some_and(|repo| repo.blobs.contains_key(digest));
    let has_manifest =
        |digest: &String| repository.is_some_and(|repo| repo.manifests.contains_key(digest));
    blobs
        .into_iter()
        .find(|digest| !has_blob(digest))
        .or_else(|| list("manifests").iter().map(digest).find(|digest| !has_manifest(digest)))
}

pub(super) fn delete(state: &State, repo: &str, reference: &str) -> Reply {
    let mut contents = state.storage.contents();
    let repository = contents.repositories.get_mut(repo);
    let gone = repository.is_some_and(|repository| {
        if is_digest(reference) {
            repository.tags.retain(|_, digest| digest != reference);
            repository.manifests.remove(reference).is_some()
        } else {
            repository.tags.remove(reference).is_some()
        }
    });
    if gone { Reply::new(StatusCode::ACCEPTED) } else { unknown(reference) }
}

fn unknown(reference: &str) -> Reply {
    Reply::error_about(
        StatusCode::NOT_FOUND,
        "MANIFEST_UNKNOWN",
        "manifest unknown",
        json!({"reference": reference}),
    )
}

pub(super) fn tags(state: &State, route: &Route, repo: &str) -> Reply {
    let contents = state.storage.contents();
    let Some(repository) = contents.repositories.get(repo) else {
        return Reply::error_about(
            StatusCode::NOT_FOUND,
            "NAME_UNKNOWN",
            "repository name not known to registry",
            json!({"name": repo}),
        );
    };
    let all: Vec<&str> = repository.tags.keys().map(String::as_str).collect();
    page(route, &format!("/v2/{repo}/tags/list"), &all, |tags| json!({"name": repo, "tags": tags}))
}

pub(super) fn catalog(state: &State, route: &Route) -> Reply {
    let contents = state.storage.contents();
    let all: Vec<&str> = contents.repositories.keys().map(String::as_str).collect();
    page(route, "/v2/_catalog", &all, |repositories| json!({"repositories": repositories}))
}

/// Answers a part of a sorted list: at most `n` names, after `last`.
fn page(route: &Route, path: &str, all: &[&str], json: impl Fn(&[&str]) -> Value) -> Reply {
    let last = route.query("last").unwrap_or_default();
    let start = all.partition_point(|&name| !last.is_empty() && name <= last);
    let rest = &all[start..];
    let n = route.query("n").and_then(|n| n.parse().ok());
    let names = &rest[..n.unwrap_or(rest.len()).min(rest.len())];
    let mut reply = Reply::json(StatusCode::OK, &json(names));
    if let (Some(n), Some(last)) = (n, names.last())
        && names.len() < rest.len()
    {
        reply.set("link", &format!("<{path}?n={n}&last={last}>; rel=\"next\""));
    }
    reply
}

pub(super) fn referrers(state: &State, route: &Route, repo: &str, subject: &str) -> Reply {
    if !state.settings.referrers {
        return Reply::error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such endpoint");
    }
    let wanted = route.query("artifactType");
    let contents = state.storage.contents();
    let manifests = contents.repositories.get(repo).map(|repo| &repo.manifests);
    let mut descriptors = Vec::new();
    for (digest, manifest) in manifests.into_iter().flatten() {
        let json = manifest.json();
        if json["subject"]["digest"].as_str() != Some(subject) {
            continue;
        }
        let kind = match &json["artifactType"] {
            Value::Null => &json["config"]["mediaType"],
            kind => kind,
        };
        if wanted.is_some_and(|wanted| kind.as_str() != Some(wanted)) {
            continue;
        }
        let mut descriptor = json!({
            "mediaType": manifest.media_type,
            "digest": digest,
            "size": manifest.bytes.len(),
            "artifactType": kind,
        });
        if !json["annotations"].is_null() {
            descriptor["annotations"] = json["annotations"].clone();
        }
        descriptors.push(descriptor);
    }
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": descriptors});
    let mut reply = Reply::json(StatusCode::OK, &index).header("content-type", media_type);
    if wanted.is_some() {
        reply.set("oci-filters-applied", "artifactType");
    }
    reply
}
