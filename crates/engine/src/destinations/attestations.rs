//! Signs images, and attests what they were made from. Everything comes by its
//! digest before any tag moves, and nothing is signed twice: the registry is asked
//! what it has of this key.

use std::collections::HashSet;
use std::sync::Arc;

use attest::{
    BUNDLE_TYPE, COSIGN_SIGN, CYCLONEDX, SIMPLE_TYPE, SLSA_PROVENANCE, SPDX, Statement,
    simple_signing,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::try_join_all;
use oci::{Descriptor, DiffId, Digest, History, Manifest, MediaType, Platform, Repository, Tag};
use oci::{ImageConfig, Timestamp};
use registry::{Access, PushHint, RegistryError};
use serde_json::Value;

use super::registry::{Pusher, RegistryDestination};
use super::{DestinationError, Publishing};
use crate::events::Event;
use crate::image::provenance::{ProvenanceOptions, predicate};
use crate::image::sbom::{SbomFormat, SbomOptions, Subject};
use crate::image::{Artifact, ImageName, empty_manifest};
use crate::signer::Signer;

/// Says of a bundle what is in it, as cosign does.
const CONTENT: &str = "dev.sigstore.bundle.content";

/// The predicate of what is in a bundle, as cosign says it.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";

/// The key that has signed: so it is seen in a list whether it has.
const KEY: &str = "build.ko.signing.key";

/// The signature of what a layer is, for cosign 2.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// The predicate of an envelope, for cosign 2.
const LEGACY_PREDICATE: &str = "predicateType";

/// What cosign 2 calls an envelope.
const ENVELOPE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// How images are signed, and by whom.
#[derive(Debug, Clone)]
pub struct SigningOptions {
    /// Who signs.
    pub signer: Signer,
    /// As what signatures are attached.
    pub format: SignFormat,
    /// Sign the images themselves.
    pub images: bool,
    /// Attest what they were built from.
    pub provenance: Option<ProvenanceOptions>,
    /// Attest what is in them: their SBOMs.
    pub sbom: Option<SbomOptions>,
    /// The repository that it is pushed to, in place of each image's own
    /// (`COSIGN_REPOSITORY`).
    pub repository: Option<Repository>,
}

/// As what signatures are attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SignFormat {
    /// Sigstore bundles, as referrers: what cosign 3 writes, and reads first.
    #[default]
    Bundle,
    /// Below tags that name the image: what cosign 2 reads.
    Legacy,
}

/// What is said of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saying {
    Signature,
    Provenance,
    Sbom(SbomFormat),
}

impl Saying {
    fn predicate(self) -> &'static str {
        match self {
            Self::Signature => COSIGN_SIGN,
            Self::Provenance => SLSA_PROVENANCE,
            Self::Sbom(SbomFormat::Spdx) => SPDX,
            Self::Sbom(SbomFormat::CycloneDx) => CYCLONEDX,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Provenance => "provenance",
            Self::Sbom(_) => "attested SBOM",
        }
    }
}

/// Something signed, in the registry by its digest, and what makes it visible.
#[derive(Debug, Clone)]
pub(super) struct Attested {
    subject: Digest,
    saying: &'static str,
    visible: Visible,
}

#[derive(Debug, Clone)]
enum Visible {
    /// It is: the registry lists it.
    Listed(Digest),
    /// As soon as it stands in the list.
    List(Arc<Descriptor>),
    /// As soon as this manifest has the tag.
    Tag(Tag, Bytes),
}

impl RegistryDestination {
    /// Brings what is said of an artifact to the registry, where it is not there
    /// already.
    pub(super) fn upload_attestations<'a>(
        &'a self,
        name: &'a ImageName,
        repository: &'a Repository,
        artifact: &'a Artifact,
    ) -> Publishing<'a> {
        Box::pin(async move { self.attestations(name, repository, artifact).await.map(drop) })
    }

    /// Makes visible what was brought.
    pub(super) async fn list_attestations(
        &self,
        name: &ImageName,
        repository: &Repository,
        artifact: &Artifact,
    ) -> Result<(), DestinationError> {
        let Some(options) = &self.signing else { return Ok(()) };
        let all = self.attestations(name, repository, artifact).await?;
        let repository = options.repository.as_ref().unwrap_or(repository);
        // One after the other: all of a subject stand in one list.
        for Attested { subject, saying, visible } in all.iter() {
            let reference = match visible {
                Visible::Listed(digest) => repository.with_digest(*digest),
                Visible::List(entry) => {
                    let listed = self.pusher.client.list_referrer(repository, *subject, entry);
                    listed.await.map_err(failed)?;
                    repository.with_digest(entry.digest)
                }
                Visible::Tag(tag, manifest) => {
                    let reference = repository.with_tag(tag.clone());
                    let media_type = MediaType::from(MediaType::OCI_MANIFEST);
                    let put = self.pusher.put(&reference, &media_type, manifest).await;
                    put.map_err(of_attestation)?;
                    reference
                }
            };
            let (subject, reference) = (*subject, reference.to_string());
            self.observer.emit(Event::Attested { subject, what: saying, reference });
        }
        Ok(())
    }

    /// What is said of an artifact, each of it signed once in a run.
    async fn attestations(
        &self,
        name: &ImageName,
        repository: &Repository,
        artifact: &Artifact,
    ) -> Result<Arc<Vec<Attested>>, DestinationError> {
        let Some(options) = &self.signing else { return Ok(Arc::default()) };
        let place = options.repository.as_ref().unwrap_or(repository).clone();
        let key = format!("{}@{}", repository.full_name(), artifact.digest());
        let attested = self.attested.start(key, || {
            let (pusher, options) = (Arc::clone(&self.pusher), options.clone());
            let (sent, artifact) = (Arc::clone(&self.sent), artifact.clone());
            let names = (repository.full_name(), name.import_path.to_string());
            async move {
                let mut seen = HashSet::new();
                let all = Subject::all(&artifact);
                let subjects = all.iter().filter(|subject| seen.insert(subject.digest()));
                let signer = Attester { pusher, sent, options, repository: place, names };
                let made = subjects.map(|subject| signer.subject(*subject));
                let made = try_join_all(made).await?;
                Ok(Arc::new(made.into_iter().flatten().collect()))
            }
        });
        attested.await
    }
}

/// What signs, and where that goes.
struct Attester {
    pusher: Arc<Pusher>,
    sent: Arc<super::registry::Sent>,
    options: SigningOptions,
    repository: Repository,
    /// The repository of the images in full, and the import path.
    names: (String, String),
}

impl Attester {
    /// All that is to be said of a subject and is not said yet.
    async fn subject(&self, subject: Subject<'_>) -> Result<Vec<Attested>, DestinationError> {
        let mut made = Vec::new();
        let signature = self.options.images.then_some(Saying::Signature);
        let provenance = self.options.provenance.as_ref().map(|_| Saying::Provenance);
        let sbom = self.options.sbom.as_ref().map(|sbom| Saying::Sbom(sbom.format));
        let wanted = [signature, provenance, sbom].into_iter().flatten();
        let known = match self.options.format {
            SignFormat::Bundle => {
                let known =
                    self.pusher.client.referrers(&self.repository, subject.digest(), Access::Push);
                known.await.map_err(failed)?
            }
            SignFormat::Legacy => Vec::new(),
        };
        for saying in wanted {
            let attested = match self.options.format {
                SignFormat::Bundle if self.has(&known, saying) => None,
                SignFormat::Bundle => Some(self.bundle(subject, saying).await?),
                SignFormat::Legacy => self.legacy(subject, saying).await?,
            };
            made.extend(attested);
        }
        Ok(made)
    }

    /// Whether this key has said that. Who lies in a list keeps us from signing, and
    /// nobody from finding that nothing is signed.
    fn has(&self, known: &[Descriptor], saying: Saying) -> bool {
        let hint = self.options.signer.hint();
        let says = |entry: &Descriptor, name: &str, value: &str| {
            entry.annotations.get(name).is_some_and(|said| said == value)
        };
        known.iter().any(|entry| {
            entry.artifact_type == BUNDLE_TYPE
                && says(entry, PREDICATE, saying.predicate())
                && says(entry, KEY, &hint)
        })
    }

    fn statement(&self, subject: Subject<'_>, saying: Saying) -> Statement {
        let digest = subject.digest();
        match (saying, &self.options.provenance) {
            (Saying::Provenance, Some(options)) => {
                let (name, import_path) = &self.names;
                let predicate = predicate(subject.images(), import_path, options);
                Statement::new(name, &digest.hex(), SLSA_PROVENANCE, predicate)
            }
            (Saying::Sbom(_), _) => {
                let document = self.options.sbom.as_ref().map(|sbom| subject.document(sbom));
                let document = document.unwrap_or_default();
                let document = serde_json::from_slice(&document).unwrap_or(Value::Null);
                Statement::new(&self.names.0, &digest.hex(), saying.predicate(), document)
            }
            _ => Statement::signature(&digest.hex()),
        }
    }

    async fn bundle(
        &self,
        subject: Subject<'_>,
        saying: Saying,
    ) -> Result<Attested, DestinationError> {
        let bytes = self.options.signer.bundle(self.statement(subject, saying)).await;
        let bytes = bytes.map_err(DestinationError::Signer)?;
        let layer = Descriptor::of(BUNDLE_TYPE.into(), &bytes);
        let mut manifest = empty_manifest(b"");
        manifest.config = Descriptor::empty();
        manifest.layers.push(layer.clone());
        manifest.subject = Some(subject.descriptor());
        manifest.artifact_type = BUNDLE_TYPE.to_owned();
        for (name, value) in [
            (CONTENT, "dsse-envelope".to_owned()),
            (PREDICATE, saying.predicate().to_owned()),
            (KEY, self.options.signer.hint()),
        ] {
            manifest.annotations.insert(name.to_owned(), value);
        }
        let blobs = [
            (manifest.config.clone(), Bytes::from_static(b"{}"), PushHint::Unknown),
            (layer, bytes.into(), PushHint::New),
        ];
        self.blobs(blobs).await?;
        let annotations = manifest.annotations.clone();
        let bytes = Bytes::from(manifest.to_vec());
        let entry = Descriptor {
            artifact_type: BUNDLE_TYPE.to_owned(),
            annotations,
            ..Descriptor::of(MediaType::OCI_MANIFEST.into(), &bytes)
        };
        let listed = self.pusher.client.push_referrer(&self.repository, bytes).await;
        let visible = match listed.map_err(failed)? {
            true => Visible::Listed(entry.digest),
            false => Visible::List(Arc::new(entry)),
        };
        Ok(Attested { subject: subject.digest(), saying: saying.name(), visible })
    }

    /// Adds a layer to what stands below the tag of a subject. Others' signatures
    /// stay.
    async fn legacy(
        &self,
        subject: Subject<'_>,
        saying: Saying,
    ) -> Result<Option<Attested>, DestinationError> {
        let suffix = match saying {
            Saying::Signature => "sig",
            Saying::Provenance | Saying::Sbom(_) => "att",
        };
        let tag = format!("sha256-{}.{suffix}", subject.digest().hex());
        let tag: Tag = tag.parse().expect("it has 75 characters, all of which tags may have");
        let place = self.repository.with_tag(tag.clone());
        let found = self.pusher.client.attached(&place, Access::Push).await;
        let mut layers = match found.map_err(failed)? {
            Some(bytes) => {
                Manifest::parse(&bytes).map(|manifest| manifest.layers).unwrap_or_default()
            }
            None => Vec::new(),
        };
        let hint = self.options.signer.hint();
        let is_ours = |layer: &Descriptor| {
            let said = |name: &str| layer.annotations.get(name).map(String::as_str);
            said(KEY) == Some(&hint)
                && (saying == Saying::Signature
                    || said(LEGACY_PREDICATE) == Some(saying.predicate()))
        };
        if layers.iter().any(is_ours) {
            return Ok(None);
        }
        let (mut layer, bytes) = match saying {
            Saying::Signature => {
                let payload = simple_signing(&self.names.0, &subject.digest().to_string());
                let signature = self.options.signer.sign(payload.clone()).await;
                let signature = STANDARD.encode(signature.map_err(DestinationError::Signer)?);
                let mut layer = Descriptor::of(SIMPLE_TYPE.into(), &payload);
                layer.annotations.insert(SIGNATURE.to_owned(), signature);
                (layer, payload)
            }
            Saying::Provenance | Saying::Sbom(_) => {
                let envelope = self.options.signer.envelope(self.statement(subject, saying)).await;
                let envelope = envelope.map_err(DestinationError::Signer)?.to_vec();
                let mut layer = Descriptor::of(ENVELOPE_TYPE.into(), &envelope);
                layer.annotations.insert(SIGNATURE.to_owned(), String::new());
                let predicate = saying.predicate().to_owned();
                layer.annotations.insert(LEGACY_PREDICATE.to_owned(), predicate);
                (layer, envelope)
            }
        };
        layer.annotations.insert(KEY.to_owned(), hint);
        layers.push(layer.clone());
        let config = config_of(&layers);
        let mut manifest = empty_manifest(&config);
        manifest.layers = layers;
        let blobs = [
            (manifest.config.clone(), config.into(), PushHint::New),
            (layer, bytes.into(), PushHint::New),
        ];
        self.blobs(blobs).await?;
        let visible = Visible::Tag(tag, manifest.to_vec().into());
        Ok(Some(Attested { subject: subject.digest(), saying: saying.name(), visible }))
    }

    async fn blobs(
        &self,
        blobs: [(Descriptor, Bytes, PushHint); 2],
    ) -> Result<(), DestinationError> {
        let pushed = blobs.map(|(descriptor, bytes, hint)| {
            self.pusher.blob(&self.sent, &self.repository, descriptor, bytes, hint)
        });
        try_join_all(pushed).await.map(drop).map_err(of_attestation)
    }
}

/// The config of an image of signatures, as cosign 2 writes it.
fn config_of(layers: &[Descriptor]) -> Vec<u8> {
    let mut config = ImageConfig::empty(&Platform::default());
    for layer in layers {
        config.history.push(History {
            author: String::new(),
            created: Timestamp::zero(),
            created_by: String::new(),
            comment: String::new(),
            empty_layer: false,
        });
        config.rootfs.diff_ids.push(DiffId::new(layer.digest));
    }
    config.to_vec()
}

fn failed(source: RegistryError) -> DestinationError {
    DestinationError::Attestation(Arc::new(source))
}

fn of_attestation(error: DestinationError) -> DestinationError {
    match error {
        DestinationError::Registry { source, .. } => DestinationError::Attestation(source),
        error => error,
    }
}
