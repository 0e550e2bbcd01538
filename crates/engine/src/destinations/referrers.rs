//! Publishes SBOMs as referrers: manifests with an image as their subject. They
//! come by their digests, before any tag moves. Where the registry does not list
//! them itself, the tag that does moves before those of the images.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::{try_join, try_join_all};
use oci::{Descriptor, Digest, MediaType, Repository};
use registry::{PushHint, RegistryError};
use serde::{Deserialize, Serialize};
use store::Record;

use super::DestinationError;
use super::registry::{Pusher, RegistryDestination};
use crate::blocking::with_store;
use crate::events::Event;
use crate::image::Artifact;
use crate::image::sbom::{Attachment, SbomOptions, Subject};

/// Which SBOM this machine saw last among the referrers of an image, whose
/// reference is the key. From that and from what is here a manifest follows.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ReferrerRecord {
    /// The media type of the document.
    format: MediaType,
    /// The version of ko that made it.
    version: String,
    /// The manifest.
    digest: Digest,
}

impl Record for ReferrerRecord {
    const KIND: &'static str = "referrer-sbom";
    /// To be raised whenever the bytes of documents or manifests change.
    const VERSION: u32 = 1;
}

/// A manifest about an image, in its repository.
#[derive(Debug, Clone)]
pub(super) struct Referrer {
    digest: Digest,
    /// It was seen in an earlier run.
    is_remembered: bool,
    /// How it is still to be listed, where the registry does not do that.
    unlisted: Option<Arc<Descriptor>>,
}

impl RegistryDestination {
    /// Brings the SBOMs of an artifact to the registry, by their digests. See
    /// [`upload_sboms`](Self::upload_sboms) on what is `known`.
    pub(super) async fn upload_referrers(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        known: bool,
    ) -> Result<(), DestinationError> {
        let referrers = self.referrers_of(repository, artifact, known).await.into_iter();
        try_join_all(referrers.map(|(_, referrer)| referrer)).await.map(drop)
    }

    /// Lists the SBOMs of an artifact that were uploaded among the referrers of
    /// its images.
    pub(super) async fn list_referrers(
        &self,
        repository: &Repository,
        artifact: &Artifact,
    ) -> Result<(), DestinationError> {
        let Some(options) = &self.sbom else { return Ok(()) };
        let repository = options.repository.as_ref().unwrap_or(repository);
        let referrers = self.referrers_of(repository, artifact, false).await.into_iter();
        let listed = referrers.map(|(subject, referrer)| async move {
            let Referrer { digest, is_remembered, unlisted } = referrer.await?;
            if let Some(entry) = unlisted {
                let listed = self.pusher.client.list_referrer(repository, subject, &entry);
                listed.await.map_err(failed)?;
            }
            if !is_remembered {
                self.pusher.keep_referrer(repository, subject, options, digest).await?;
            }
            let reference = repository.with_digest(digest).to_string();
            self.observer.emit(Event::PublishedSbom { subject, reference });
            Ok::<(), DestinationError>(())
        });
        try_join_all(listed).await.map(drop)
    }

    /// The SBOMs of an artifact on their way, by what they are about.
    async fn referrers_of(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        known: bool,
    ) -> Vec<(Digest, impl Future<Output = Result<Referrer, DestinationError>> + use<>)> {
        let Some(options) = self.sbom.as_ref().filter(|options| options.attach.by_referrer())
        else {
            return Vec::new();
        };
        let repository = options.repository.as_ref().unwrap_or(repository);
        let mut seen = HashSet::new();
        let mut referrers = Vec::new();
        for subject in Subject::all(artifact) {
            if !seen.insert(subject.digest()) {
                continue;
            }
            let key = repository.with_digest(subject.digest()).full_name();
            let referrer = match self.referrers.find(&key) {
                Some(referrer) => referrer,
                None => {
                    let digest = subject.digest();
                    let kept = self.pusher.kept_referrer(repository, digest, options).await;
                    let bring = || self.bring_referrer(repository, options, subject, known, kept);
                    self.referrers.start(key, bring)
                }
            };
            referrers.push((subject.digest(), referrer));
        }
        referrers
    }

    /// Uploads an SBOM, unless it was seen beside an image that is `known` to be
    /// where it should be. Where one may be there, this is asked first.
    fn bring_referrer(
        &self,
        repository: &Repository,
        options: &SbomOptions,
        subject: Subject<'_>,
        known: bool,
        kept: Option<Digest>,
    ) -> impl Future<Output = Result<Referrer, DestinationError>> + use<> {
        let (pusher, sent) = (Arc::clone(&self.pusher), Arc::clone(&self.sent));
        let repository = repository.clone();
        let made = match kept {
            Some(digest) if known => Err(Referrer { digest, is_remembered: true, unlisted: None }),
            _ => {
                let document = subject.document(options);
                let made = Attachment::referrer(options.format, document, subject.descriptor());
                Ok((made.entry(options.format), made))
            }
        };
        let ask = known || kept.is_some();
        async move {
            let (entry, made) = match made {
                Ok(made) => made,
                Err(remembered) => return Ok(remembered),
            };
            let reference = repository.with_digest(entry.digest);
            let found = if ask { pusher.head(&reference).await } else { Ok(None) };
            if found.map_err(DestinationError::Referrer)?.is_none() {
                let [(nothing, bytes), (document, text)] = made.blobs;
                let nothing = pusher.blob(&sent, &repository, nothing, bytes, PushHint::Unknown);
                // Below a tag, the document may be there.
                let hint = if ask { PushHint::Unknown } else { PushHint::New };
                let document = pusher.blob(&sent, &repository, document, text, hint);
                try_join(nothing, document).await.map_err(of_referrer)?;
            }
            // Also where it is there: the answer says whether the registry lists it.
            let listed = pusher.client.push_referrer(&repository, made.manifest).await;
            let digest = entry.digest;
            let unlisted = (!listed.map_err(failed)?).then(|| Arc::new(entry));
            Ok(Referrer { digest, is_remembered: false, unlisted })
        }
    }
}

impl Pusher {
    /// The SBOM that this machine saw among the referrers of an image.
    async fn kept_referrer(
        &self,
        repository: &Repository,
        subject: Digest,
        options: &SbomOptions,
    ) -> Option<Digest> {
        let key = repository.with_digest(subject).full_name();
        let kept = move |store: &store::Store| store.record::<ReferrerRecord>(&key);
        let kept = with_store(self.blobs.store(), kept).await?;
        let is_ours =
            kept.format == options.format.artifact_type() && kept.version == options.version;
        is_ours.then_some(kept.digest)
    }

    async fn keep_referrer(
        &self,
        repository: &Repository,
        subject: Digest,
        options: &SbomOptions,
        digest: Digest,
    ) -> Result<(), DestinationError> {
        let key = repository.with_digest(subject).full_name();
        let (format, version) = (options.format.artifact_type(), options.version.clone());
        let record = ReferrerRecord { format, version, digest };
        let put = with_store(self.blobs.store(), move |store| store.put_record(&key, &record));
        Ok(put.await?)
    }
}

fn failed(source: RegistryError) -> DestinationError {
    DestinationError::Referrer(Arc::new(source))
}

fn of_referrer(error: DestinationError) -> DestinationError {
    match error {
        DestinationError::Registry { source, .. } => DestinationError::Referrer(source),
        error => error,
    }
}
