//! Publishes SBOMs to a registry, below tags that name their images. Like images
//! they first come without their tags; these move before those of the images.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join_all;
use oci::{Digest, MediaType, Reference, Repository};
use registry::PushHint;
use serde::{Deserialize, Serialize};
use store::Record;

use super::DestinationError;
use super::registry::{Pusher, RegistryDestination};
use crate::blocking::with_store;
use crate::events::Event;
use crate::image::Artifact;
use crate::image::sbom::{Attachment, SbomOptions, Subject};

/// Which SBOM this machine saw last below a reference, which is the key. From
/// the reference, that has the digest of the image in it, and from what is
/// here a document follows.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AttachedRecord {
    /// The media type of the document.
    format: MediaType,
    /// The version of ko that made it.
    version: String,
}

impl AttachedRecord {
    fn new(options: &SbomOptions) -> Self {
        Self { format: options.format.media_type(), version: options.version.clone() }
    }
}

impl Record for AttachedRecord {
    const KIND: &'static str = "attached-sbom";
    /// To be raised whenever the bytes of documents change.
    const VERSION: u32 = 2;
}

impl RegistryDestination {
    /// Brings the SBOMs of an artifact to the registry, without the tags that
    /// make them visible.
    ///
    /// If the artifact is `known` to be where it should be, what this machine
    /// remembers of its SBOMs counts, and an unchanged image costs no request
    /// for them. Else the registry is asked, for it may have been emptied.
    pub(super) async fn upload_sboms(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        known: bool,
    ) -> Result<(), DestinationError> {
        let sboms = self.sboms_of(repository, artifact, known).await.into_iter();
        try_join_all(sboms.map(|(_, _, sbom)| sbom)).await.map(drop)
    }

    /// Tags the SBOMs of an artifact that were uploaded.
    pub(super) async fn attach_sboms(
        &self,
        repository: &Repository,
        artifact: &Artifact,
    ) -> Result<(), DestinationError> {
        let sboms = self.sboms_of(repository, artifact, false).await.into_iter();
        let attached = sboms.map(|(subject, reference, sbom)| async move {
            if let Some(manifest) = sbom.await? {
                let media_type = MediaType::from(MediaType::OCI_MANIFEST);
                let put = self.pusher.put(&reference, &media_type, &manifest).await;
                put.map_err(of_sbom)?;
                if let Some(options) = &self.sbom {
                    self.pusher.remember(&reference, options).await?;
                }
            }
            let reference = reference.to_string();
            self.observer.emit(Event::PublishedSbom { subject, reference });
            Ok::<(), DestinationError>(())
        });
        try_join_all(attached).await.map(drop)
    }

    /// The SBOMs of an artifact on their way, by what they are about and what
    /// they are called.
    async fn sboms_of(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        known: bool,
    ) -> Vec<(
        Digest,
        Reference,
        impl Future<Output = Result<Option<Bytes>, DestinationError>> + use<>,
    )> {
        let Some(options) = self.sbom.as_ref().filter(|options| options.attach.by_tag()) else {
            return Vec::new();
        };
        let repository = options.repository.as_ref().unwrap_or(repository);
        let mut seen = HashSet::new();
        let mut sboms = Vec::new();
        for subject in Subject::all(artifact) {
            if !seen.insert(subject.digest()) {
                continue;
            }
            let reference = repository.with_tag(Attachment::tag(subject.digest()));
            let remembered = known && self.pusher.remembers(&reference, options).await;
            let sbom = self.sboms.start(reference.full_name(), || {
                let made = (!remembered)
                    .then(|| Attachment::new(options.format, subject.document(options)));
                self.bring(reference.clone(), options.clone(), made)
            });
            sboms.push((subject.digest(), reference, sbom));
        }
        sboms
    }

    /// Uploads the parts of an SBOM that is not there, and returns what puts
    /// it together.
    fn bring(
        &self,
        reference: Reference,
        options: SbomOptions,
        made: Option<Attachment>,
    ) -> impl Future<Output = Result<Option<Bytes>, DestinationError>> + use<> {
        let (pusher, sent) = (Arc::clone(&self.pusher), Arc::clone(&self.sent));
        let work = made.map(|attachment| (self.head(&reference), attachment));
        async move {
            let Some((head, Attachment { manifest, blobs })) = work else { return Ok(None) };
            if head.await.map_err(DestinationError::Sbom)? == Some(Digest::of(&manifest)) {
                pusher.remember(&reference, &options).await?;
                return Ok(None);
            }
            let pushed = blobs.map(|(descriptor, bytes)| {
                pusher.blob(&sent, reference.repository(), descriptor, bytes, PushHint::New)
            });
            try_join_all(pushed).await.map_err(of_sbom)?;
            Ok(Some(manifest))
        }
    }
}

impl Pusher {
    /// Did this machine see this very SBOM there?
    async fn remembers(&self, reference: &Reference, options: &SbomOptions) -> bool {
        let (key, seen) = (reference.full_name(), AttachedRecord::new(options));
        with_store(self.blobs.store(), move |store| store.record(&key) == Some(seen)).await
    }

    async fn remember(
        &self,
        reference: &Reference,
        options: &SbomOptions,
    ) -> Result<(), DestinationError> {
        let (key, seen) = (reference.full_name(), AttachedRecord::new(options));
        let put = with_store(self.blobs.store(), move |store| store.put_record(&key, &seen));
        Ok(put.await?)
    }
}

fn of_sbom(error: DestinationError) -> DestinationError {
    match error {
        DestinationError::Registry { source, .. } => DestinationError::Sbom(source),
        error => error,
    }
}
