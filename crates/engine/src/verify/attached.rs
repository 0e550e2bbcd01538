//! Finds what is attached to an image: signatures, provenance, SBOMs. Who attached it
//! is known only where a key has signed it.

use std::collections::BTreeSet;

use attest::{BUNDLE_TYPE, ExpectedSigner, Identity, SLSA_PROVENANCE, VerifiedStatement};
use oci::{Descriptor, Digest, Manifest, Repository, Tag};
use registry::{Access, Client};
use serde_json::Value;

use super::VerifyError;

/// The largest document that is read, in bytes.
const DOCUMENT: u64 = 64 << 20;

/// The most manifests about an image that are looked at.
const MOST: usize = 100;

/// The most reasons that are given why nothing that is attached counts.
const REASONS: usize = 3;

/// What says that a layer is a statement in an envelope, below the tags of cosign 2.
const ENVELOPE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// What says that a layer is what cosign 2 signs.
const SIMPLE_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// Where cosign 2 keeps the signature of such a layer.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// The documents about an image or index.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// Signed statements: bundles, and envelopes without one.
    statements: Vec<Vec<u8>>,
    /// What cosign 2 signs, with the signature.
    simple: Vec<(Vec<u8>, String)>,
    /// SBOMs.
    pub(super) sboms: Vec<Vec<u8>>,
}

impl Attached {
    /// Fetches what is attached to a manifest or index.
    pub(super) async fn fetch(
        client: &Client,
        repository: &Repository,
        subject: Digest,
    ) -> Result<Self, VerifyError> {
        let mut attached = Self::default();
        let listed = client
            .referrers(repository, subject, Access::Pull)
            .await
            .map_err(VerifyError::registry)?;
        for entry in listed.iter().take(MOST) {
            let kind = entry.artifact_type.as_str();
            if kind == BUNDLE_TYPE || is_sbom(kind) {
                let reference = repository.with_digest(entry.digest);
                let found = client.manifest(&reference).await.map_err(VerifyError::registry)?;
                attached.take(client, repository, &found.bytes).await?;
            }
        }
        for suffix in ["sig", "att", "sbom"] {
            let tag = format!("sha256-{}.{suffix}", subject.hex());
            let tag: Tag = tag.parse().map_err(|_| VerifyError::malformed("a tag"))?;
            let found = client.attached(&repository.with_tag(tag), Access::Pull).await;
            if let Some(bytes) = found.map_err(VerifyError::registry)? {
                attached.take(client, repository, &bytes).await?;
            }
        }
        Ok(attached)
    }

    /// Takes the layers of a manifest, by their media types.
    async fn take(
        &mut self,
        client: &Client,
        repository: &Repository,
        manifest: &[u8],
    ) -> Result<(), VerifyError> {
        let manifest =
            Manifest::parse(manifest).map_err(|_| VerifyError::malformed("what is attached"))?;
        for layer in manifest.layers.iter().take(MOST) {
            let fetch = async |layer: &Descriptor| {
                let fetched = client.blob_bytes(repository, layer, DOCUMENT).await;
                fetched.map_err(VerifyError::registry)
            };
            match layer.media_type.as_str() {
                BUNDLE_TYPE | ENVELOPE_TYPE => self.statements.push(fetch(layer).await?),
                SIMPLE_TYPE => {
                    if let Some(signature) = layer.annotations.get(SIGNATURE) {
                        self.simple.push((fetch(layer).await?, signature.clone()));
                    }
                }
                kind if is_sbom(kind) => self.sboms.push(fetch(layer).await?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks for a signature of the image, and returns the identity that has signed, where
    /// that is not a key.
    pub(super) fn signed_by(
        &self,
        subject: Digest,
        signer: &ExpectedSigner,
    ) -> Result<Option<Identity>, VerifyError> {
        let mut reasons = BTreeSet::new();
        for text in &self.statements {
            match signer.statement(text) {
                Ok((said, _)) if said.predicate_type != attest::COSIGN_SIGN => {}
                Ok((said, identity)) if said.is_about(&subject.hex()) => return Ok(identity),
                Ok(_) => {
                    let _ = reasons.insert("it is the signature of another image".to_owned());
                }
                Err(error) => {
                    let _ = reasons.insert(error.reason);
                }
            }
        }
        let is_signed = self.simple.iter().any(|(payload, signature)| {
            signer.has_signed(payload, signature)
                && serde_json::from_slice(payload).is_ok_and(|payload: Value| {
                    payload["critical"]["image"]["docker-manifest-digest"] == subject.to_string()
                })
        });
        match is_signed {
            true => Ok(None),
            false => Err(VerifyError::NotSigned {
                signer: signer.to_string(),
                attached: reasons.into_iter().take(REASONS).collect(),
            }),
        }
    }

    /// The predicate of the image's provenance: what the signer has signed, or, without
    /// one, what anybody says.
    pub(super) fn provenance(
        &self,
        subject: Digest,
        signer: Option<&ExpectedSigner>,
    ) -> Result<Option<Value>, VerifyError> {
        for text in &self.statements {
            let said = match signer {
                Some(signer) => signer.statement(text).map(|(said, _)| said),
                None => VerifiedStatement::unverified(text),
            };
            let Ok(said) = said else { continue };
            if said.predicate_type != SLSA_PROVENANCE {
                continue;
            }
            if !said.is_about(&subject.hex()) {
                return Err(VerifyError::Subject { subjects: said.subjects.join(", "), subject });
            }
            return Ok(Some(said.predicate));
        }
        Ok(None)
    }
}

/// Whether a media type is one of SBOMs.
fn is_sbom(kind: &str) -> bool {
    matches!(kind, "text/spdx+json" | "application/spdx+json" | "application/vnd.cyclonedx+json")
}
