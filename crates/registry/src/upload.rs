//! Brings the bytes of one blob up (OCI distribution-spec, "Pushing Blobs"): in
//! one request where the registry takes that, else by `PATCH`, and in chunks
//! where it takes no large bodies. An upload that broke off goes on where it is.

use std::sync::atomic::Ordering;

use oci::Repository;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode, Url};

use crate::body::Payload;
use crate::call::{Call, Target};
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::guard;
use crate::pull::PROGRESS;
use crate::push::{NOT_STORED, Push, is_of_registry, stored};
use crate::request_line::redacted;
use crate::scope::Access;
use crate::session::Upload;
use crate::transport::{Pool, Response};

/// The least that a chunk must have unless it is the last, in bytes.
const CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// The bodies that are tried one after the other where larger ones are refused,
/// in bytes: a limit is known only by being met. Fronts have 100 MB or 1 MiB.
const BODIES: [u64; 4] = [64 << 20, 8 << 20, 1 << 20, 256 << 10];

/// How bytes are sent.
#[derive(Debug, Clone, Copy)]
struct Way {
    patch: bool,
    largest_body: u64,
}

impl Way {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            patch: endpoint.needs_patch.load(Ordering::Relaxed),
            largest_body: endpoint.largest_body.load(Ordering::Relaxed),
        }
    }
}

impl Client {
    /// Opens an upload before there is a blob; the next one takes it.
    pub(crate) async fn open_early(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
    ) -> Result<(), RegistryError> {
        let upload = self.open_upload(endpoint, repository, None).await?;
        let early = Upload { is_early: true, ..upload };
        self.account(repository).hold_early(early);
        Ok(())
    }

    /// Opens an upload. `from` is the source of a mount, of which the token for
    /// the repository may be.
    pub(crate) async fn open_upload(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        from: Option<&Repository>,
    ) -> Result<Upload, RegistryError> {
        let response = self.post_upload(repository, from, Vec::new()).await?;
        match response.status() {
            StatusCode::ACCEPTED => self.opened(endpoint, response).await,
            _ => Err(response.fail().await),
        }
    }

    /// Reads the answer that has opened an upload.
    pub(crate) async fn opened(
        &self,
        endpoint: &Endpoint,
        response: Response,
    ) -> Result<Upload, RegistryError> {
        let min_chunk = response.header(&CHUNK_MIN_LENGTH).and_then(|text| text.parse().ok());
        let min_chunk = min_chunk.unwrap_or_default();
        let location = self.upload_location(endpoint, response).await?;
        Ok(Upload { location, offset: 0, is_resumed: false, is_early: false, min_chunk })
    }

    pub(crate) async fn post_upload(
        &self,
        repository: &Repository,
        from: Option<&Repository>,
        query: Vec<(&'static str, String)>,
    ) -> Result<Response, RegistryError> {
        let mut call = Call::new(Method::POST, repository, Access::Push, String::new());
        call.from = from;
        call.target = Target::Path("/blobs/uploads/".to_owned(), query);
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(&call).await
    }

    /// Where an upload goes on.
    async fn upload_location(
        &self,
        endpoint: &Endpoint,
        response: Response,
    ) -> Result<Url, RegistryError> {
        let base = self.base(endpoint, None).await?;
        let Some(to) = response.header(&LOCATION).and_then(|to| response.url().join(to).ok())
        else {
            return Err(response.protocol("an upload without a valid Location"));
        };
        let to = guard::as_found(&base, to);
        if let Err(reason) = guard::check_location(&base, &to) {
            let target = redacted(&to);
            return Err(RegistryError::Redirect { request: response.line, target, reason });
        }
        response.discard().await;
        Ok(to)
    }
}

impl Push<'_> {
    /// Sends what an upload has not, and ends it. If that breaks off, the upload
    /// is kept for the next attempt.
    pub(crate) async fn send(
        &mut self,
        endpoint: &Endpoint,
        mut upload: Upload,
    ) -> Result<(), RegistryError> {
        loop {
            let way = Way::of(endpoint);
            let Err(error) = self.send_by(way, endpoint, &mut upload).await else {
                return Ok(());
            };
            let failure = error.failure();
            let is_spoilt = upload.is_resumed
                && failure.is_some_and(|failure| failure.has_code("DIGEST_INVALID"));
            // Much time may have passed since it was opened.
            let is_gone = upload.is_early
                && failure.is_some_and(|failure| failure.status == StatusCode::NOT_FOUND);
            if !is_spoilt && !is_gone && !self.learn(way, endpoint, &upload, &error) {
                let is_long = self.descriptor.size > PROGRESS;
                self.upload = Some(upload).filter(|_| is_long && is_cut(&error));
                return Err(error);
            }
            // This one has seen bytes that it did not like: take another.
            upload = self.open(endpoint).await?;
        }
    }

    async fn send_by(
        &self,
        way: Way,
        endpoint: &Endpoint,
        upload: &mut Upload,
    ) -> Result<(), RegistryError> {
        let size = self.descriptor.size;
        if upload.offset == 0 && size <= way.largest_body {
            if !way.patch {
                return self.finish(upload, self.payload()).await;
            }
            let call = self.part(Method::PATCH, upload.location.clone(), self.payload());
            let response = self.client.send(&call).await?;
            upload.location = self.accepted(endpoint, response).await?;
            return self.finish(upload, Payload::Empty).await;
        }
        let chunk = way.largest_body.max(upload.min_chunk);
        while upload.offset < size {
            self.send_chunk(endpoint, upload, chunk.min(size - upload.offset)).await?;
        }
        self.finish(upload, Payload::Empty).await
    }

    async fn send_chunk(
        &self,
        endpoint: &Endpoint,
        upload: &mut Upload,
        len: u64,
    ) -> Result<(), RegistryError> {
        let (start, end) = (upload.offset, upload.offset + len);
        let payload = self.payload().slice(start, len);
        let mut call = self.part(Method::PATCH, upload.location.clone(), payload);
        let range = HeaderValue::try_from(format!("{start}-{}", end - 1));
        call.headers.insert(CONTENT_RANGE, range.expect("numbers are visible ASCII"));
        let response = self.client.send(&call).await?;
        // It may have kept a part. What it says beside that is not always true.
        let kept = received(&response).filter(|kept| (start + 1..end).contains(kept));
        upload.location = self.accepted(endpoint, response).await?;
        upload.offset = kept.unwrap_or(end);
        Ok(())
    }

    /// Ends an upload, with the last bytes of the blob.
    async fn finish(&self, upload: &Upload, payload: Payload) -> Result<(), RegistryError> {
        let (mut location, digest) = (upload.location.clone(), self.descriptor.digest);
        location.query_pairs_mut().append_pair("digest", &digest.to_string());
        let response = self.client.send(&self.part(Method::PUT, location, payload)).await?;
        if response.status() != StatusCode::CREATED {
            return Err(response.fail().await);
        }
        let doubt = (!is_of_registry(&response)).then(|| response.protocol(NOT_STORED));
        stored(response, digest).await?;
        match doubt {
            Some(doubt) if !self.exists().await? => Err(doubt),
            _ => Ok(()),
        }
    }

    /// Asks an upload that broke off how much it has. It is given up if that is
    /// little, or if it is gone.
    pub(crate) async fn resume(
        &self,
        endpoint: &Endpoint,
        upload: Upload,
    ) -> Result<Option<Upload>, RegistryError> {
        let mut call = self.call(Method::GET, String::new());
        call.target = Target::Location(upload.location.clone());
        let response = self.client.send(&call).await?;
        let offset = match response.status() {
            StatusCode::NO_CONTENT | StatusCode::OK | StatusCode::ACCEPTED => received(&response),
            _ => None,
        };
        let offset = offset.filter(|offset| (PROGRESS..=self.descriptor.size).contains(offset));
        let Some(offset) = offset else {
            response.discard().await;
            return Ok(None);
        };
        let location = match response.header(&LOCATION) {
            Some(_) => self.client.upload_location(endpoint, response).await?,
            None => upload.location,
        };
        Ok(Some(Upload { location, offset, is_resumed: true, ..upload }))
    }

    /// Learns from a refusal how the registry wants its blobs. Returns whether
    /// there is another way.
    fn learn(&self, way: Way, endpoint: &Endpoint, upload: &Upload, error: &RegistryError) -> bool {
        let sent = way.largest_body.max(upload.min_chunk).min(self.descriptor.size - upload.offset);
        if error.failure().is_some_and(|failure| failure.status == StatusCode::PAYLOAD_TOO_LARGE) {
            let next = BODIES.into_iter().find(|body| *body < sent);
            let Some(next) = next.filter(|body| *body >= upload.min_chunk) else { return false };
            endpoint.largest_body.fetch_min(next, Ordering::Relaxed);
            return true;
        }
        let is_whole = upload.offset == 0 && self.descriptor.size <= way.largest_body;
        if is_whole && !way.patch && is_unsupported(error) {
            endpoint.needs_patch.store(true, Ordering::Relaxed);
            return true;
        }
        false
    }

    async fn accepted(
        &self,
        endpoint: &Endpoint,
        response: Response,
    ) -> Result<Url, RegistryError> {
        match response.status() {
            StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
                self.client.upload_location(endpoint, response).await
            }
            _ => Err(response.fail().await),
        }
    }

    fn part(&self, method: Method, location: Url, payload: Payload) -> Call<'_> {
        let mut call = self.call(method, String::new());
        call.target = Target::Location(location);
        let octets = HeaderValue::from_static("application/octet-stream");
        call.headers.insert(CONTENT_TYPE, octets);
        call.payload = payload;
        call.pool = Pool::Upload;
        call
    }
}

/// How many bytes an upload has, as an answer says: `0-` and the last one. `0-0`
/// is one byte, or none.
fn received(response: &Response) -> Option<u64> {
    let text = response.header(&RANGE)?;
    let text = text.trim_start_matches("bytes").trim_start_matches(['=', ' ']);
    let last: u64 = text.strip_prefix("0-")?.parse().ok()?;
    last.checked_add(1)
}

/// May the upload have survived?
fn is_cut(error: &RegistryError) -> bool {
    match error.failure() {
        Some(failure) => {
            failure.status == StatusCode::RANGE_NOT_SATISFIABLE || error.is_transient()
        }
        None => matches!(error, RegistryError::Transport { .. }),
    }
}

/// Does the answer say that a blob may not come with the request that ends
/// the upload? A 404 with an error code speaks of the upload or repository.
fn is_unsupported(error: &RegistryError) -> bool {
    error.failure().is_some_and(|failure| match failure.status {
        StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::NOT_IMPLEMENTED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE => true,
        StatusCode::NOT_FOUND => failure.errors.is_empty(),
        _ => failure.has_code("UNSUPPORTED"),
    })
}
