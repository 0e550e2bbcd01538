//! Blobs and their uploads (OCI distribution-spec, pull and push).

use super::body::RequestBody;
use super::contents::Upload;
use super::reply::Reply;
use super::route::Route;
use super::server::State;
use super::strict::{self, is_ours};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use hyper::{HeaderMap, StatusCode};
use serde_json::json;
use std::io;

pub(super) fn get(
    state: &State,
    headers: &HeaderMap,
    repo: &str,
    digest: &str,
) -> io::Result<Reply> {
    let Some((file, len)) = state.storage.open(repo, digest)? else {
        return Ok(unknown(digest));
    };
    let reply = Reply::new(StatusCode::OK)
        .header("content-type", "application/octet-stream")
        .header("docker-content-digest", digest)
        .header("accept-ranges", "bytes")
        .file(file, len);
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
    match range.and_then(|range| byte_range(range, len)) {
        None => Ok(reply),
        Some((start, end)) if start < len => {
            let mut reply = reply.header("content-range", &format!("bytes {start}-{end}/{len}"));
            reply.status = StatusCode::PARTIAL_CONTENT;
            reply.source = reply.source.slice(start, end + 1 - start)?;
            Ok(reply)
        }
        Some(_) => Ok(Reply::new(StatusCode::RANGE_NOT_SATISFIABLE)
            .header("content-range", &format!("bytes */{len}"))),
    }
}

/// Reads `bytes=START-[END]` (RFC 9110, 14.1.2); other forms are ignored, as
/// a server may.
fn byte_range(range: &str, len: u64) -> Option<(u64, u64)> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let start = start.parse().ok()?;
    let last = len.saturating_sub(1);
    let end = match end {
        "" => last,
        end => end.parse::<u64>().ok()?.min(last),
    };
    (start <= end || start >= len).then_some((start, end))
}

pub(super) fn delete(state: &State, repo: &str, digest: &str) -> Reply {
    let mut contents = state.storage.contents();
    let repository = contents.repositories.get_mut(repo);
    match repository.and_then(|repository| repository.blobs.remove(digest)) {
        Some(_) => Reply::new(StatusCode::ACCEPTED),
        None => unknown(digest),
    }
}

/// Starts an upload, or does without one: by a mount, or by the whole blob in
/// this request.
pub(super) async fn start(
    state: &State,
    route: &Route,
    body: &mut RequestBody,
    repo: &str,
    refuse_mount: bool,
) -> io::Result<Reply> {
    if let (Some(digest), Some(from)) = (route.query("mount"), route.query("from"))
        && state.settings.mounts
        && !refuse_mount
        && state.storage.mount(from, repo, digest)
    {
        return Ok(created(state, repo, digest));
    }
    let id = state.storage.start_upload(repo)?;
    if let Some(digest) = route.query("digest")
        && state.settings.single_post
    {
        let upload = state.storage.take_upload(repo, &id);
        let upload = upload.expect("the upload was started above, and its name is not out yet");
        return append(state, body, repo, &id, upload, Some(digest)).await;
    }
    let mut reply = accepted(state, repo, &id, 0);
    if state.settings.chunk_min_length > 0 {
        reply.set("oci-chunk-min-length", &state.settings.chunk_min_length.to_string());
    }
    Ok(reply)
}

/// Carries out `PATCH` (no digest) or `PUT` (the digest in the query).
pub(super) async fn write(
    state: &State,
    headers: &HeaderMap,
    route: &Route,
    body: &mut RequestBody,
    (repo, id): (&str, &str),
    finish: bool,
) -> io::Result<Reply> {
    let digest = route.query("digest").filter(|_| finish);
    if finish && digest.is_none() {
        return Ok(Reply::error(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "digest parameter missing",
        ));
    }
    let Some(mut upload) = state.storage.take_upload(repo, id) else {
        return Ok(unknown_upload());
    };
    let line = format!("{} {repo}/blobs/uploads/", if finish { "PUT" } else { "PATCH" });
    if is_ours(headers) {
        for problem in strict::part(headers, &upload) {
            state.violations.note(&line, problem);
        }
    }
    let len = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let shortest = state.settings.chunk_min_length;
    upload.has_short_chunk |= !finish && len.is_none_or(|len: u64| len < shortest);
    // The state in the location is the offset: a client that goes on with an
    // old location would be refused by a registry that keeps none.
    if route.query("_state") != Some(upload.size.to_string().as_str()) {
        if is_ours(headers) && !state.faults.have_struck() {
            state.violations.note(&line, "not the location of the last answer");
        }
        state.storage.return_upload(id, upload);
        return Ok(Reply::error(
            StatusCode::BAD_REQUEST,
            "BLOB_UPLOAD_INVALID",
            "not the location of the last answer",
        ));
    }
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    if let Some(range) = range {
        let start = range.trim_start_matches("bytes ").split('-').next();
        if start != Some(upload.size.to_string().as_str()) {
            let mut reply = accepted(state, repo, id, upload.size);
            reply.status = StatusCode::RANGE_NOT_SATISFIABLE;
            state.storage.return_upload(id, upload);
            return Ok(reply);
        }
    }
    append(state, body, repo, id, upload, digest).await
}

async fn append(
    state: &State,
    body: &mut RequestBody,
    repo: &str,
    id: &str,
    mut upload: Upload,
    digest: Option<&str>,
) -> io::Result<Reply> {
    if let Err(error) = upload.receive(body).await {
        state.storage.return_upload(id, upload);
        return Err(error);
    }
    let Some(digest) = digest else {
        let size = upload.size;
        state.storage.return_upload(id, upload);
        return Ok(accepted(state, repo, id, size));
    };
    if state.storage.finish_upload(upload, digest)? {
        Ok(created(state, repo, digest))
    } else {
        Ok(Reply::error_about(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "provided digest did not match uploaded content",
            json!({"digest": digest}),
        ))
    }
}

pub(super) fn status(state: &State, repo: &str, id: &str) -> Reply {
    let Some(upload) = state.storage.take_upload(repo, id) else {
        return unknown_upload();
    };
    let mut reply = accepted(state, repo, id, upload.size);
    reply.status = StatusCode::NO_CONTENT;
    state.storage.return_upload(id, upload);
    reply
}

pub(super) fn cancel(state: &State, repo: &str, id: &str) -> io::Result<Reply> {
    match state.storage.take_upload(repo, id) {
        Some(upload) => {
            state.storage.drop_upload(&upload)?;
            Ok(Reply::new(StatusCode::NO_CONTENT))
        }
        None => Ok(unknown_upload()),
    }
}

fn accepted(state: &State, repo: &str, id: &str, size: u64) -> Reply {
    let mut location = format!("/v2/{repo}/blobs/uploads/{id}?_state={size}");
    if let Some(secret) = &state.settings.location_secret {
        location.push_str(&format!("&sig={secret}"));
    }
    Reply::new(StatusCode::ACCEPTED)
        .header("location", &state.location(&location))
        .header("docker-upload-uuid", id)
        .header("range", &format!("0-{}", size.saturating_sub(1)))
}

fn created(state: &State, repo: &str, digest: &str) -> Reply {
    let location = format!("/v2/{repo}/blobs/{digest}");
    Reply::new(StatusCode::CREATED)
        .header("location", &state.location(&location))
        .header("docker-content-digest", digest)
}

fn unknown(digest: &str) -> Reply {
    Reply::error_about(
        StatusCode::NOT_FOUND,
        "BLOB_UNKNOWN",
        "blob unknown to registry",
        json!({"digest": digest}),
    )
}

fn unknown_upload() -> Reply {
    Reply::error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}

#[cfg(test)]
mod tests {
    use super::byte_range;

    #[test]
    fn ranges() {
        for (range, want) in [
            ("bytes=0-3", Some((0, 3))),
            ("bytes=4-", Some((4, 9))),
            ("bytes=4-99", Some((4, 9))),
            ("bytes=10-", Some((10, 9))),
            ("bytes=5-4", None),
            ("bytes=-4", None),
            ("lines=0-3", None),
        ] {
            assert_eq!(byte_range(range, 10), want, "{range}");
        }
    }
}
