//! Reads from registries (OCI distribution-spec, "Pull"), and checks everything
//! against the digest and size that it was asked for by.

use bytes::Bytes;
use futures::FutureExt as _;
use oci::{Descriptor, Digest, MediaType, Reference, Repository};
use reqwest::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use store::Store;

use crate::call::Call;
use crate::client::Client;
use crate::error::RegistryError;
use crate::request_line::RequestLine;
use crate::retry::Attempts;
use crate::scope::Access;
use crate::sink::{Sink, Taken};
use crate::transport::Response;

/// The digest of a manifest or blob, as the registry sees it.
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The media types of manifests, in ko's order. The obsolete ones are asked
/// for so that what comes can be named.
const MANIFEST_TYPES: [&str; 6] = [
    MediaType::DOCKER_SCHEMA1,
    MediaType::DOCKER_SCHEMA1_SIGNED,
    MediaType::DOCKER_MANIFEST,
    MediaType::OCI_MANIFEST,
    MediaType::DOCKER_LIST,
    MediaType::OCI_INDEX,
];

/// The bytes that an attempt must bring for the next one to count as the first:
/// a large blob may take many connections.
pub(crate) const PROGRESS: u64 = 1 << 20;

/// The largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 100 * 1024 * 1024;

/// A manifest or index as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedManifest {
    /// The media type that the registry reports.
    pub media_type: MediaType,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Bytes,
}

impl Client {
    /// Asks whether a manifest exists, and returns its digest. With
    /// [`Access::Push`], a refusal (403) also means no: some registries refuse
    /// to speak of what does not exist yet. If the registry leaves the digest
    /// out, or does not answer such questions, the manifest is fetched to find
    /// out.
    ///
    /// # Errors
    /// The registry cannot be asked, or does not say.
    pub async fn head_manifest(
        &self,
        reference: &Reference,
        access: Access,
    ) -> Result<Option<Digest>, RegistryError> {
        let mut sources = self.sources(reference.repository(), reference.digest().is_some());
        loop {
            let there = sources.reference(reference);
            let client = sources.client();
            let found = client.head_manifest_at(&there, access, sources.attempts()).await;
            if sources.is_mirror() && matches!(found, Ok(None)) {
                sources.next("there is no such image".to_owned());
            } else if let Some(found) = sources.settle(found) {
                return found;
            }
        }
    }

    async fn head_manifest_at(
        &self,
        reference: &Reference,
        access: Access,
        mut attempts: Attempts<'_>,
    ) -> Result<Option<Digest>, RegistryError> {
        loop {
            match self.head_manifest_once(reference, access).await {
                Ok(found) => return Ok(found),
                Err(error) => attempts.pause(error, RegistryError::is_transient).await?,
            }
        }
    }

    async fn head_manifest_once(
        &self,
        reference: &Reference,
        access: Access,
    ) -> Result<Option<Digest>, RegistryError> {
        let response = self.send(&manifest_call(Method::HEAD, reference, access)).await?;
        match response.status() {
            StatusCode::OK => match (announced(&response), reference.digest()) {
                (Some(got), Some(want)) if got != want => {
                    return Err(RegistryError::Digest { request: response.line, want, got });
                }
                (Some(digest), _) => return Ok(Some(digest)),
                (None, Some(asked)) if is_manifest(&response) => return Ok(Some(asked)),
                (None, _) => response.discard().await,
            },
            status if is_absent(status, access) => return Ok(None),
            // Such as 405: some fronts only let `GET` through.
            _ => match response.fail().await {
                error if error.is_transient() || error.is_unauthorized() => return Err(error),
                _ => {}
            },
        }
        self.digest_by_get(reference, access).await
    }

    /// The digest of a manifest, if it is there.
    pub(crate) async fn digest_by_get(
        &self,
        reference: &Reference,
        access: Access,
    ) -> Result<Option<Digest>, RegistryError> {
        match self.manifest_once(reference, access).await {
            Ok(fetched) => Ok(Some(fetched.digest)),
            Err(RegistryError::Status { failure, .. }) if is_absent(failure.status, access) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches a manifest or index.
    ///
    /// # Errors
    /// It is not there, cannot be had, is larger than 100 MiB, or is not what
    /// its digest says.
    pub async fn manifest(&self, reference: &Reference) -> Result<FetchedManifest, RegistryError> {
        let mut sources = self.sources(reference.repository(), reference.digest().is_some());
        loop {
            let there = sources.reference(reference);
            let client = sources.client();
            let fetched = client.manifest_at(&there, Access::Pull, sources.attempts()).await;
            let mirrored = sources.is_mirror();
            let Some(fetched) = sources.settle(fetched) else { continue };
            let mut fetched = fetched?;
            if mirrored && let Some(own) = own_media_type(&fetched.bytes) {
                // A mirror is not believed of what the bytes say themselves: it
                // is kept as the word of the origin.
                fetched.media_type = own;
            }
            return Ok(fetched);
        }
    }

    /// The same from the repository itself, with the token of this access.
    pub(crate) async fn manifest_for(
        &self,
        reference: &Reference,
        access: Access,
    ) -> Result<FetchedManifest, RegistryError> {
        self.manifest_at(reference, access, self.attempts()).await
    }

    async fn manifest_at(
        &self,
        reference: &Reference,
        access: Access,
        mut attempts: Attempts<'_>,
    ) -> Result<FetchedManifest, RegistryError> {
        loop {
            match self.manifest_once(reference, access).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => attempts.pause(error, RegistryError::is_transient).await?,
            }
        }
    }

    async fn manifest_once(
        &self,
        reference: &Reference,
        access: Access,
    ) -> Result<FetchedManifest, RegistryError> {
        let mut response = self.send(&manifest_call(Method::GET, reference, access)).await?;
        if response.status() != StatusCode::OK {
            return Err(response.fail().await);
        }
        let bytes = response.bytes(MAX_MANIFEST).await?;
        let digest = Digest::of(&bytes);
        for want in [reference.digest(), announced(&response)].into_iter().flatten() {
            if want != digest {
                return Err(RegistryError::Digest { request: response.line, want, got: digest });
            }
        }
        if !is_manifest(&response) && bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(response.protocol(not_json(&response)));
        }
        match media_type(&response).or_else(|| own_media_type(&bytes)) {
            Some(media_type) => Ok(FetchedManifest { media_type, digest, bytes: bytes.into() }),
            None => Err(response.protocol("the manifest has no media type")),
        }
    }

    /// Fetches a small blob, such as a config, into memory. `limit` is in
    /// bytes.
    ///
    /// # Errors
    /// It is not there, cannot be had, is larger than `limit`, or is not what
    /// its descriptor says.
    pub async fn blob_bytes(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut sources = self.sources(repository, true);
        loop {
            let place = sources.place().clone();
            let client = sources.client();
            let bytes = client.blob_bytes_at(&place, descriptor, limit, sources.attempts()).await;
            if let Some(bytes) = sources.settle(bytes) {
                return bytes;
            }
        }
    }

    async fn blob_bytes_at(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        limit: u64,
        mut attempts: Attempts<'_>,
    ) -> Result<Vec<u8>, RegistryError> {
        loop {
            match self.blob_bytes_once(repository, descriptor, limit).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => attempts.pause(error, RegistryError::is_transient).await?,
            }
        }
    }

    async fn blob_bytes_once(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut response = self.send(&blob_call(repository, descriptor, 0)).await?;
        if response.status() != StatusCode::OK {
            return Err(response.fail().await);
        }
        let (want, size) = (descriptor.digest, descriptor.size);
        if size > limit {
            return Err(RegistryError::TooLarge { request: response.line, limit });
        }
        // One byte more shows that it is too long.
        let bytes = match response.bytes(size + 1).await {
            Err(RegistryError::TooLarge { request, limit }) => {
                return Err(RegistryError::Size { request, want: size, got: limit });
            }
            bytes => bytes?,
        };
        if bytes.len() as u64 != size {
            let got = bytes.len() as u64;
            return Err(RegistryError::Size { request: response.line, want: size, got });
        }
        let got = Digest::of(&bytes);
        if got != want {
            return Err(RegistryError::Digest { request: response.line, want, got });
        }
        Ok(bytes)
    }

    /// Pulls a blob into the store, if it is not there. Callers that want one
    /// that is on its way wait for it. A connection that breaks is resumed where
    /// it broke; wrong content is fetched again from the start.
    ///
    /// # Errors
    /// The blob does not exist, cannot be fetched or stored, or does not match
    /// its descriptor. Then, as when all such futures are dropped, nothing is
    /// left in the store.
    pub async fn pull_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        store: &Store,
    ) -> Result<(), RegistryError> {
        if store.has_blob(&descriptor.digest, descriptor.size) {
            return Ok(());
        }
        let key = (store.blob_path(&descriptor.digest), repository.clone());
        let pulling = self.pulls().join(key, || {
            let (client, repository) = (self.clone(), repository.clone());
            let (descriptor, store) = (descriptor.clone(), store.clone());
            async move {
                let mut sources = client.sources(&repository, true);
                loop {
                    let place = sources.place().clone();
                    let (asking, attempts) = (sources.client(), sources.attempts());
                    let pulled =
                        asking.pull_blob_alone(&place, &descriptor, &store, attempts).await;
                    if let Some(pulled) = sources.settle(pulled) {
                        return pulled;
                    }
                }
            }
            .boxed()
        });
        pulling.await
    }

    async fn pull_blob_alone(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        store: &Store,
        mut attempts: Attempts<'_>,
    ) -> Result<(), RegistryError> {
        if store.has_blob(&descriptor.digest, descriptor.size) {
            return Ok(());
        }
        let endpoint = self.endpoint(repository.registry());
        let _permit = endpoint.transfer().await;
        let mut kept = None;
        loop {
            let mut sink = match kept.take() {
                Some(sink) => sink,
                None => Sink::new(store, descriptor)?,
            };
            let before = sink.received();
            let error = match self.receive(repository, descriptor, &mut sink).await {
                Ok(request) => match sink.commit(request).await {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
                Err(error @ RegistryError::Transport { .. }) => {
                    if sink.received() >= before + PROGRESS {
                        attempts.progressed();
                    }
                    kept = Some(sink);
                    error
                }
                Err(error) => {
                    sink.abandon().await;
                    error
                }
            };
            if let Err(error) = attempts.pause(error, RegistryError::is_transient).await {
                if let Some(sink) = kept {
                    sink.abandon().await;
                }
                return Err(error);
            }
        }
    }

    /// Reads what the sink does not have yet, and returns the request that
    /// brought it.
    async fn receive(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        sink: &mut Sink,
    ) -> Result<Box<RequestLine>, RegistryError> {
        let offset = sink.received();
        let mut response = self.send(&blob_call(repository, descriptor, offset)).await?;
        // A registry that does not know ranges starts again, and we wait
        // until it is where we are.
        let mut known = match response.status() {
            StatusCode::OK => offset,
            StatusCode::PARTIAL_CONTENT if offset > 0 && starts_at(&response, offset) => 0,
            StatusCode::PARTIAL_CONTENT => {
                return Err(response.protocol("not the range that was asked for"));
            }
            _ => return Err(response.fail().await),
        };
        let want = descriptor.size;
        loop {
            let mut piece = match response.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(_) if sink.received() == want => break,
                Err(error) => return Err(error),
            };
            let skip = known.min(piece.len() as u64);
            known -= skip;
            let _ = piece.split_to(usize::try_from(skip).expect("within a piece"));
            let got = sink.received() + piece.len() as u64;
            match sink.push(piece).await {
                Taken::Yes => {}
                Taken::TooLong => {
                    return Err(RegistryError::Size { request: response.line, want, got });
                }
                // There is no point in going on; the sink says what is wrong.
                Taken::Failed => return Ok(response.line),
            }
        }
        match sink.received() {
            got if got != want => Err(RegistryError::Size { request: response.line, want, got }),
            _ => Ok(response.line),
        }
    }
}

/// Does a status say that a manifest does not exist?
pub(crate) fn is_absent(status: StatusCode, access: Access) -> bool {
    status == StatusCode::NOT_FOUND || status == StatusCode::FORBIDDEN && access == Access::Push
}

fn manifest_call(method: Method, reference: &Reference, access: Access) -> Call<'_> {
    let path = format!("/manifests/{}", reference.identifier());
    let mut call = Call::new(method, reference.repository(), access, path);
    let accept = HeaderValue::try_from(MANIFEST_TYPES.join(","));
    call.headers.insert(ACCEPT, accept.expect("media types are visible ASCII"));
    call
}

pub(crate) fn blob_call<'a>(
    repository: &'a Repository,
    descriptor: &Descriptor,
    offset: u64,
) -> Call<'a> {
    let path = format!("/blobs/{}", descriptor.digest);
    let mut call = Call::new(Method::GET, repository, Access::Pull, path);
    if offset > 0 {
        let range = HeaderValue::try_from(format!("bytes={offset}-"));
        call.headers.insert(RANGE, range.expect("a number is visible ASCII"));
    }
    call
}

/// The digest that the registry announces, if it is one that we know.
pub(crate) fn announced(response: &Response) -> Option<Digest> {
    response.header(&CONTENT_DIGEST)?.parse().ok()
}

/// Does an answer say that it is about a manifest, or not what it is about?
fn is_manifest(response: &Response) -> bool {
    media_type(response).is_none_or(|found| MANIFEST_TYPES.contains(&found.as_str()))
}

/// What somebody says between us and the registry, such as the page of a hotel.
fn not_json(response: &Response) -> String {
    match media_type(response) {
        Some(media_type) => format!("the answer is not the JSON of a manifest, but {media_type}"),
        None => "the answer is not the JSON of a manifest".to_owned(),
    }
}

/// The media type in the header, without parameters.
fn media_type(response: &Response) -> Option<MediaType> {
    let text = response.header(&CONTENT_TYPE)?.split(';').next()?.trim();
    (!text.is_empty()).then(|| MediaType::from(text))
}

/// The media type that a manifest claims for itself.
fn own_media_type(bytes: &[u8]) -> Option<MediaType> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Claim {
        media_type: MediaType,
    }
    serde_json::from_slice::<Claim>(bytes).ok().map(|claim| claim.media_type)
}

/// Does a partial answer start here (RFC 9110, 14.4)?
fn starts_at(response: &Response, offset: u64) -> bool {
    let range = response.header(&CONTENT_RANGE).and_then(|text| text.strip_prefix("bytes "));
    range.is_some_and(|range| range.starts_with(&format!("{offset}-")))
}
