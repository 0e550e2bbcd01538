//! Writes to registries (OCI distribution-spec, "Push"). A blob that is not there
//! is mounted or sent: one request opens an upload, [`upload`](crate::upload)
//! carries the bytes.

use bytes::Bytes;
use oci::{Descriptor, Digest, MediaType, Reference, Repository};
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};

use crate::blob_source::BlobSource;
use crate::body::Payload;
use crate::call::Call;
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::pull::{CONTENT_DIGEST, PROGRESS, announced};
use crate::referrers::OCI_SUBJECT;
use crate::scope::Access;
use crate::session::Upload;
use crate::transport::Response;

/// What the caller knows about a blob to push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PushHint {
    /// Nothing: ask first.
    #[default]
    Unknown,
    /// It was made just now, and can hardly be there.
    New,
}

/// Blobs below this many bytes are not counted as transfers.
const SMALL: u64 = 64 << 10;

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
    /// in between, it is tried again; an upload that broke off goes on.
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
        let from = from.filter(same);
        let (upload, reached) = (None, 0);
        let mut push =
            Push { client: self, repository, descriptor, source, from, hint, upload, reached };
        let mut attempts = self.attempts();
        let mut furthest = 0;
        let mut may_create = self.creates_repositories();
        loop {
            let error = match push.once().await {
                Ok(pushed) => {
                    if descriptor.size >= SMALL {
                        self.has_pushed(descriptor.digest, repository);
                    }
                    return Ok(pushed);
                }
                Err(error) => error,
            };
            if may_create && error.is_unknown_repository() && self.create(repository).await? {
                may_create = false;
                push.hint = PushHint::New;
                continue;
            }
            if push.from.is_some() && matches!(error, RegistryError::Token { .. }) {
                // There may be no token that is good for both repositories.
                push.from = None;
                continue;
            }
            if push.reached > furthest {
                furthest = push.reached;
                attempts.progressed();
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
            match self.put_manifest_once(&call, reference, digest).await {
                Ok(stored) => return Ok(stored),
                Err(error) => attempts.pause(error, RegistryError::is_transient_upload).await?,
            }
        }
    }

    async fn put_manifest_once(
        &self,
        call: &Call<'_>,
        reference: &Reference,
        digest: Digest,
    ) -> Result<StoredManifest, RegistryError> {
        let response = self.send(call).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED => {}
            _ => return Err(response.fail().await),
        }
        let has_subject = response.header(&OCI_SUBJECT).is_some();
        let doubt = (!is_of_registry(&response)).then(|| response.protocol(NOT_STORED));
        stored(response, digest).await?;
        if let Some(doubt) = doubt
            && self.digest_by_get(reference, Access::Push).await? != Some(digest)
        {
            return Err(doubt);
        }
        Ok(StoredManifest { digest, has_subject })
    }
}

/// The result of a mount.
enum Mount {
    Done,
    /// Nothing, but it has opened an upload.
    Upload(Upload),
}

/// One blob that is to be pushed.
pub(crate) struct Push<'a> {
    pub(crate) client: &'a Client,
    repository: &'a Repository,
    pub(crate) descriptor: &'a Descriptor,
    source: &'a BlobSource,
    from: Option<&'a Repository>,
    hint: PushHint,
    /// What an earlier attempt has left.
    pub(crate) upload: Option<Upload>,
    /// How far the attempts have come: the registry was asked (1), an upload
    /// was opened (2), and each MiB that is there counts as well.
    reached: u64,
}

impl<'a> Push<'a> {
    async fn once(&mut self) -> Result<Pushed, RegistryError> {
        if self.hint == PushHint::Unknown && self.exists().await? {
            return Ok(Pushed::Existing);
        }
        self.hint = PushHint::New;
        self.reached = self.reached.max(1);
        let endpoint = self.client.endpoint(self.repository.registry());
        let mounted = match self.from.filter(|_| self.upload.is_none()) {
            Some(from) => self.mount(&endpoint, from).await,
            None => None,
        };
        if matches!(mounted, Some(Mount::Done)) {
            return Ok(Pushed::Mounted);
        }
        // Before the permit is taken: a pull from the same registry takes one
        // as well, and they must not wait for each other.
        self.source.provide(self.descriptor).await?;
        // What is small is bound by the round trips and not by the line: of hundreds of
        // configs and SBOMs, as many are under way as there may be requests.
        let _permit = match self.descriptor.size {
            0..SMALL => None,
            _ => Some(endpoint.transfer().await),
        };
        let mut upload = match mounted {
            Some(Mount::Upload(upload)) => Some(upload),
            _ => None,
        };
        if let Some(left) = self.upload.take() {
            upload = self.resume(&endpoint, left).await?;
        }
        let early = || self.client.account(self.repository).take_early();
        let upload = match upload.or_else(early) {
            Some(upload) => upload,
            None => self.open(&endpoint).await?,
        };
        self.reached = self.reached.max(2 + upload.offset / PROGRESS);
        // From here on, half of an attempt may be enough.
        self.hint = PushHint::Unknown;
        self.send(&endpoint, upload).await?;
        Ok(Pushed::Uploaded)
    }

    pub(crate) fn payload(&self) -> Payload {
        self.source.payload(self.descriptor)
    }

    pub(crate) fn call(&self, method: Method, path: String) -> Call<'a> {
        let mut call = Call::new(method, self.repository, Access::Push, path);
        call.from = self.from;
        call
    }

    pub(crate) async fn exists(&self) -> Result<bool, RegistryError> {
        let path = format!("/blobs/{}", self.descriptor.digest);
        let response = self.client.send(&self.call(Method::HEAD, path)).await?;
        match response.status() {
            StatusCode::OK => Ok(speaks_of(&response, self.descriptor)),
            // It is not there. Or the question is refused: sending the blob shows
            // whether that is too.
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
        let response = self.client.post_upload(self.repository, self.from, query).await.ok()?;
        match response.status() {
            StatusCode::CREATED if is_of_registry(&response) => {
                stored(response, self.descriptor.digest).await.ok().map(|()| Mount::Done)
            }
            StatusCode::ACCEPTED => {
                self.client.opened(endpoint, response).await.ok().map(Mount::Upload)
            }
            _ => {
                response.discard().await;
                None
            }
        }
    }

    /// Opens an upload.
    pub(crate) async fn open(&self, endpoint: &Endpoint) -> Result<Upload, RegistryError> {
        self.client.open_upload(endpoint, self.repository, self.from).await
    }
}

/// What may be wrong with an answer that says that all is well.
pub(crate) const NOT_STORED: &str = "it says that it is stored, and it is not there";

/// Does an answer to a write have what those of registries have: a place, or a
/// digest? Others than the registry may answer, such as the page of a hotel.
pub(crate) fn is_of_registry(response: &Response) -> bool {
    response.headers().contains_key(LOCATION) || response.headers().contains_key(&CONTENT_DIGEST)
}

/// Does a good answer to `HEAD` speak of this blob? Not if it is a page of
/// somebody between us and the registry. Some registries leave out what they
/// should say.
pub(crate) fn speaks_of(response: &Response, descriptor: &Descriptor) -> bool {
    match response.announced_length() {
        _ if announced(response) == Some(descriptor.digest) => true,
        Some(length) if length > 0 => length == descriptor.size,
        _ => !response.header(&CONTENT_TYPE).is_some_and(|kind| {
            kind.starts_with("text/html") || kind.starts_with("application/json")
        }),
    }
}

/// Checks what the registry says it has stored.
pub(crate) async fn stored(response: Response, want: Digest) -> Result<(), RegistryError> {
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
