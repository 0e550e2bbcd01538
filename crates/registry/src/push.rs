//! Writes to registries (OCI distribution-spec, "Push"). A blob goes up in one
//! piece: one request opens an upload, one carries the bytes.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use oci::{Descriptor, Digest, MediaType, Reference, Repository};
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};

use crate::blob_source::BlobSource;
use crate::body::Payload;
use crate::client::{Call, Client, Target};
use crate::endpoint::Endpoint;
use crate::error::{RegistryError, redacted};
use crate::guard;
use crate::pull::announced;
use crate::referrers::OCI_SUBJECT;
use crate::scope::Access;
use crate::transport::{Pool, Response};

/// What the caller knows about a blob to push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PushHint {
    /// Nothing: ask first.
    #[default]
    Unknown,
    /// It was made just now, and can hardly be there.
    New,
}

/// How a blob got into the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Existing,
    /// The registry took it from the other repository.
    Mounted,
    /// It was sent.
    Uploaded,
}

/// A manifest that a registry has stored.
pub(crate) struct StoredManifest {
    pub(crate) digest: Digest,
    /// The registry has seen its subject, and lists referrers.
    pub(crate) has_subject: bool,
}

impl Client {
    /// Pushes a blob unless the repository has it. `from` is a repository of the
    /// same registry that has it; any other is ignored. If something goes wrong
    /// in between, all of it is tried again.
    ///
    /// # Errors
    /// The registry refuses the blob or cannot be asked, or the blob is not
    /// where `source` says. A refused mount is no error: the blob is sent.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        source: &BlobSource,
        from: Option<&Repository>,
        hint: PushHint,
    ) -> Result<Pushed, RegistryError> {
        let same = |from: &&Repository| {
            from.registry() == repository.registry() && from.path() != repository.path()
        };
        let mut push =
            Push { client: self, repository, descriptor, source, from: from.filter(same), hint };
        let mut attempts = self.attempts();
        let mut may_create = self.creates_repositories();
        loop {
            let error = match push.once().await {
                Ok(pushed) => return Ok(pushed),
                Err(error) => error,
            };
            if may_create && error.is_unknown_repository() && self.create(repository).await? {
                may_create = false;
                push.hint = PushHint::New;
                continue;
            }
            // Half of the last attempt may have been enough.
            push.hint = PushHint::Unknown;
            if push.from.is_some() && matches!(error, RegistryError::Token { .. }) {
                // There may be no token that is good for both repositories.
                push.from = None;
                continue;
            }
            attempts.pause(error, RegistryError::is_transient_upload).await?;
        }
    }

    /// Stores a manifest or index under a tag or its digest, and returns its
    /// digest. Everything that it points at must be there.
    ///
    /// # Errors
    /// The registry refuses the manifest, stores something else, or cannot be
    /// asked.
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Result<Digest, RegistryError> {
        Ok(self.put_manifest(reference, media_type, bytes).await?.digest)
    }

    pub(crate) async fn put_manifest(
        &self,
        reference: &Reference,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Result<StoredManifest, RegistryError> {
        let path = format!("/manifests/{}", reference.identifier());
        let mut call = Call::new(Method::PUT, reference.repository(), Access::Push, path);
        if let Ok(value) = HeaderValue::try_from(media_type.as_str()) {
            call.headers.insert(CONTENT_TYPE, value);
        }
        let digest = Digest::of(&bytes);
        call.payload = Payload::Bytes(bytes);
        let mut attempts = self.attempts();
        loop {
            match self.put_manifest_once(&call, digest).await {
                Ok(stored) => return Ok(stored),
                Err(error) => attempts.pause(error, RegistryError::is_transient_upload).await?,
            }
        }
    }

    async fn put_manifest_once(
        &self,
        call: &Call<'_>,
        digest: Digest,
    ) -> Result<StoredManifest, RegistryError> {
        let response = self.send(call).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED => {
                let has_subject = response.header(&OCI_SUBJECT).is_some();
                stored(response, digest).await?;
                Ok(StoredManifest { digest, has_subject })
            }
            _ => Err(response.fail().await),
        }
    }
}

/// The result of a mount.
enum Mount {
    Done,
    /// Nothing, but it has opened an upload.
    Upload(Url),
}

/// One blob that is to be pushed.
struct Push<'a> {
    client: &'a Client,
    repository: &'a Repository,
    descriptor: &'a Descriptor,
    source: &'a BlobSource,
    from: Option<&'a Repository>,
    hint: PushHint,
}

impl<'a> Push<'a> {
    async fn once(&self) -> Result<Pushed, RegistryError> {
        if self.hint == PushHint::Unknown && self.exists().await? {
            return Ok(Pushed::Existing);
        }
        let endpoint = self.client.endpoint(self.repository.registry());
        let mounted = match self.from {
            Some(from) => self.mount(&endpoint, from).await,
            None => None,
        };
        if matches!(mounted, Some(Mount::Done)) {
            return Ok(Pushed::Mounted);
        }
        // Before the permit is taken: a pull from the same registry takes one
        // as well, and they must not wait for each other.
        self.source.provide(self.descriptor).await?;
        let _permit = endpoint.transfer().await;
        let location = match mounted {
            Some(Mount::Upload(location)) => location,
            _ => self.open(&endpoint).await?,
        };
        if endpoint.needs_patch.load(Ordering::Relaxed) {
            self.patch(&endpoint, location).await?;
            return Ok(Pushed::Uploaded);
        }
        let response = self.put(location, self.payload()).await?;
        if response.status() == StatusCode::CREATED {
            stored(response, self.descriptor.digest).await?;
            return Ok(Pushed::Uploaded);
        }
        let error = response.fail().await;
        if !is_unsupported(&error) {
            return Err(error);
        }
        endpoint.needs_patch.store(true, Ordering::Relaxed);
        // The upload has seen bytes that it did not like: take another.
        let location = self.open(&endpoint).await?;
        self.patch(&endpoint, location).await?;
        Ok(Pushed::Uploaded)
    }

    fn payload(&self) -> Payload {
        self.source.payload(self.descriptor)
    }

    fn call(&self, method: Method, path: String) -> Call<'a> {
        let mut call = Call::new(method, self.repository, Access::Push, path);
        call.from = self.from;
        call
    }

    async fn exists(&self) -> Result<bool, RegistryError> {
        let path = format!("/blobs/{}", self.descriptor.digest);
        let response = self.client.send(&self.call(Method::HEAD, path)).await?;
        match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            // The question may be refused; sending the blob shows whether that
            // is too.
            _ => match response.fail().await {
                error if error.is_transient() || error.is_unauthorized() => Err(error),
                _ => Ok(false),
            },
        }
    }

    /// Asks the registry to take the blob from another repository. A refusal,
    /// of whatever kind, only means that there is no mount.
    async fn mount(&self, endpoint: &Endpoint, from: &Repository) -> Option<Mount> {
        let query = vec![
            ("from", from.path().to_owned()),
            ("mount", self.descriptor.digest.to_string()),
            ("origin", from.registry().to_string()),
        ];
        let response = self.post(query).await.ok()?;
        match response.status() {
            StatusCode::CREATED => {
                stored(response, self.descriptor.digest).await.ok().map(|()| Mount::Done)
            }
            StatusCode::ACCEPTED => self.location(endpoint, response).await.ok().map(Mount::Upload),
            _ => {
                response.discard().await;
                None
            }
        }
    }

    /// Opens an upload.
    async fn open(&self, endpoint: &Endpoint) -> Result<Url, RegistryError> {
        let response = self.post(Vec::new()).await?;
        match response.status() {
            StatusCode::ACCEPTED => self.location(endpoint, response).await,
            _ => Err(response.fail().await),
        }
    }

    async fn post(&self, query: Vec<(&'static str, String)>) -> Result<Response, RegistryError> {
        let mut call = self.call(Method::POST, String::new());
        call.target = Target::Path("/blobs/uploads/".to_owned(), query);
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.client.send(&call).await
    }

    /// Where the upload goes on.
    async fn location(
        &self,
        endpoint: &Endpoint,
        response: Response,
    ) -> Result<Url, RegistryError> {
        let base = self.client.base(endpoint, None).await?;
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

    /// Ends an upload, with the last bytes of the blob.
    async fn put(&self, mut location: Url, payload: Payload) -> Result<Response, RegistryError> {
        let digest = self.descriptor.digest.to_string();
        location.query_pairs_mut().append_pair("digest", &digest);
        self.client.send(&self.upload(Method::PUT, location, payload)).await
    }

    /// Sends the whole blob, and ends the upload with another request: for
    /// registries that do not take both in one.
    async fn patch(&self, endpoint: &Endpoint, location: Url) -> Result<(), RegistryError> {
        let call = self.upload(Method::PATCH, location, self.payload());
        let response = self.client.send(&call).await?;
        if !matches!(
            response.status(),
            StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT
        ) {
            return Err(response.fail().await);
        }
        let location = self.location(endpoint, response).await?;
        let response = self.put(location, Payload::Empty).await?;
        match response.status() {
            StatusCode::CREATED => stored(response, self.descriptor.digest).await,
            _ => Err(response.fail().await),
        }
    }

    fn upload(&self, method: Method, location: Url, payload: Payload) -> Call<'a> {
        let mut call = self.call(method, String::new());
        call.target = Target::Location(location);
        let octets = HeaderValue::from_static("application/octet-stream");
        call.headers.insert(CONTENT_TYPE, octets);
        call.payload = payload;
        call.pool = Pool::Upload;
        call
    }
}

/// Checks what the registry says it has stored.
async fn stored(response: Response, want: Digest) -> Result<(), RegistryError> {
    match announced(&response) {
        Some(got) if got != want => {
            Err(RegistryError::Digest { request: response.line, want, got })
        }
        _ => {
            response.discard().await;
            Ok(())
        }
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
