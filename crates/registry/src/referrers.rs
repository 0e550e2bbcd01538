//! Stores manifests that are about another one, and lists them below a tag where
//! the registry does not list them itself (OCI distribution-spec, "Pushing
//! Manifests with Subject", "Referrers Tag Schema").

use std::time::{Duration, Instant};

use bytes::Bytes;
use oci::{Descriptor, Digest, Index, MediaType, Reference, Repository, Tag};
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

use crate::call::Call;
use crate::client::Client;
use crate::error::RegistryError;
use crate::pull::FetchedManifest;
use crate::scope::Access;

/// The subject of a manifest that was stored, said by a registry that lists
/// referrers.
pub(crate) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// The largest list that is read, in bytes.
const MAX_LIST: u64 = 8 << 20;

/// How often the list is written, if others write it at the same time.
const WRITES: u32 = 8;

/// How long it takes, at least, to read the list and to write it.
const PAUSE: Duration = Duration::from_millis(50);

impl Client {
    /// Stores a manifest with a `subject` under its digest, and returns whether
    /// the registry lists it among the referrers of that. The subject need not be
    /// there yet. Where the registry does not, [`list_referrer`](Self::list_referrer)
    /// is for it.
    ///
    /// # Errors
    /// As those of [`push_manifest`](Self::push_manifest).
    pub async fn push_referrer(
        &self,
        repository: &Repository,
        manifest: Bytes,
    ) -> Result<bool, RegistryError> {
        let reference = repository.with_digest(Digest::of(&manifest));
        let media_type = MediaType::OCI_MANIFEST.into();
        Ok(self.put_manifest(&reference, &media_type, manifest).await?.has_subject)
    }

    /// The manifests about a subject that the registry lists, or a tag where it does
    /// not; none where neither is there. `access` says with which token it is asked.
    ///
    /// # Errors
    /// The list cannot be had, or is none.
    pub async fn referrers(
        &self,
        repository: &Repository,
        subject: Digest,
        access: Access,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let mut attempts = self.attempts();
        let listed = loop {
            match self.referrers_once(repository, subject, access).await {
                Ok(listed) => break listed,
                Err(error) => attempts.pause(error, RegistryError::is_transient).await?,
            }
        };
        if let Some(index) = listed {
            return Ok(index.manifests);
        }
        let reference = repository.with_tag(tag(subject));
        let not_referrers = |media_type: MediaType| RegistryError::NotReferrers {
            reference: reference.full_name(),
            media_type,
        };
        match self.manifest_for(&reference, access).await {
            Ok(list) => Index::parse(&list.bytes)
                .map(|index| index.manifests)
                .map_err(|_| not_referrers(list.media_type)),
            Err(error) if is_nothing(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What a registry lists; `None` if it lists nothing.
    async fn referrers_once(
        &self,
        repository: &Repository,
        subject: Digest,
        access: Access,
    ) -> Result<Option<Index>, RegistryError> {
        let path = format!("/referrers/{subject}");
        let mut call = Call::new(Method::GET, repository, access, path);
        call.headers.insert(ACCEPT, HeaderValue::from_static(MediaType::OCI_INDEX));
        let mut response = self.send(&call).await?;
        if response.status() == StatusCode::OK {
            let bytes = response.bytes(MAX_LIST).await?;
            // A front that knows no such path may answer with a page.
            return Ok(Index::parse(&bytes).ok());
        }
        match response.fail().await {
            error if error.is_transient() || error.is_unauthorized() => Err(error),
            _ => Ok(None),
        }
    }

    /// The manifest that a tag leads to, if there is one.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub async fn attached(
        &self,
        reference: &Reference,
        access: Access,
    ) -> Result<Option<Bytes>, RegistryError> {
        match self.manifest_for(reference, access).await {
            Ok(found) => Ok(Some(found.bytes)),
            Err(error) if is_nothing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds a manifest to the list of referrers that a tag leads to, unless it is
    /// in it. Who else is in it stays.
    ///
    /// Registries have no condition for this write. So the list is read again
    /// some time after it, when whoever had read it before has written it as well,
    /// and written again if ours has gone. What another writes between our reading
    /// and our writing is lost, unless that one looks again too.
    ///
    /// # Errors
    /// The tag leads to something else, others keep overwriting the list, or the
    /// registry refuses it.
    pub async fn list_referrer(
        &self,
        repository: &Repository,
        subject: Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError> {
        let reference = repository.with_tag(tag(subject));
        let media_type = MediaType::OCI_INDEX.into();
        for _ in 0..WRITES {
            let began = Instant::now();
            let Some(list) = self.extended(&reference, referrer).await? else { return Ok(()) };
            self.push_manifest(&reference, &media_type, list).await?;
            tokio::time::sleep(pause(began.elapsed())).await;
        }
        // It was written, so it is an error if there is none.
        let list = self.manifest_for(&reference, Access::Push).await?;
        match added_to(&reference, &list, referrer)? {
            None => Ok(()),
            Some(_) => {
                let (reference, writes) = (reference.full_name(), WRITES);
                Err(RegistryError::Overwritten { reference, writes })
            }
        }
    }

    /// The list with a referrer added, if that is not in it.
    async fn extended(
        &self,
        reference: &Reference,
        referrer: &Descriptor,
    ) -> Result<Option<Bytes>, RegistryError> {
        match self.manifest_for(reference, Access::Push).await {
            Ok(list) => added_to(reference, &list, referrer),
            Err(error) if error.is_not_found() => {
                let mut list = Index::new(MediaType::OCI_INDEX.into());
                list.manifests.push(referrer.clone());
                Ok(Some(list.to_vec().into()))
            }
            Err(error) => Err(error),
        }
    }
}

/// How long to wait before the list is read again, if it `took` so long to read and
/// write it: others take about as long, and not all are to come back at once.
fn pause(took: Duration) -> Duration {
    took.max(PAUSE).mul_f64(1.0 + fastrand::f64())
}

/// The list of this name with a referrer added, if that is not in it.
fn added_to(
    reference: &Reference,
    list: &FetchedManifest,
    referrer: &Descriptor,
) -> Result<Option<Bytes>, RegistryError> {
    added(list, referrer).map_err(|NotAnIndex| RegistryError::NotReferrers {
        reference: reference.full_name(),
        media_type: list.media_type.clone(),
    })
}

/// Is it that nothing is there, or that there is no such repository yet?
fn is_nothing(error: &RegistryError) -> bool {
    error.is_not_found() || error.is_forbidden()
}

/// The tag of the list of referrers.
fn tag(subject: Digest) -> Tag {
    let tag = format!("sha256-{}", subject.hex());
    tag.parse().expect("it has 71 characters, all of which tags may have")
}

struct NotAnIndex;

/// Adds a referrer to a list, if it is not in it. The rest stays as it is, also
/// what this crate knows nothing of.
fn added(list: &FetchedManifest, referrer: &Descriptor) -> Result<Option<Bytes>, NotAnIndex> {
    if list.media_type != *MediaType::OCI_INDEX {
        return Err(NotAnIndex);
    }
    let mut index: Map<String, Value> =
        serde_json::from_slice(&list.bytes).map_err(|_| NotAnIndex)?;
    let manifests = index.entry("manifests").or_insert(Value::Null);
    if manifests.is_null() {
        // As Go writes a list without elements.
        *manifests = Value::Array(Vec::new());
    }
    let manifests = manifests.as_array_mut().ok_or(NotAnIndex)?;
    let digest = referrer.digest.to_string();
    if manifests.iter().any(|entry| entry["digest"] == digest.as_str()) {
        return Ok(None);
    }
    manifests.push(serde_json::to_value(referrer).expect("a descriptor is JSON"));
    Ok(Some(Value::Object(index).to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_left_alone_for_as_long_as_others_may_take() {
        for (took, least) in [(Duration::ZERO, PAUSE), (PAUSE * 3, PAUSE * 3)] {
            let pause = pause(took);
            assert!(least <= pause && pause <= least * 2, "{took:?}: {pause:?}");
        }
    }

    #[test]
    fn what_is_in_a_list_stays() {
        let referrer = Descriptor::of("m".into(), b"");
        let ours = serde_json::to_string(&referrer).unwrap();
        let list = |text: &str| {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            let (media_type, digest) = (MediaType::OCI_INDEX.into(), Digest::of(&bytes));
            let added = added(&FetchedManifest { media_type, digest, bytes }, &referrer);
            added.map(|list| list.map(|list| String::from_utf8(list.to_vec()).unwrap())).ok()
        };
        for (text, want) in [
            (r#"{"b":1,"a":null}"#, Some(format!(r#"{{"b":1,"a":null,"manifests":[{ours}]}}"#))),
            (r#"{"manifests":null}"#, Some(format!(r#"{{"manifests":[{ours}]}}"#))),
            (
                r#"{"manifests":[{"x":"<","digest":"d"}],"annotations":{}}"#,
                Some(format!(
                    r#"{{"manifests":[{{"x":"<","digest":"d"}},{ours}],"annotations":{{}}}}"#
                )),
            ),
        ] {
            assert_eq!(list(text), Some(want), "{text}");
        }
        assert_eq!(list(&format!(r#"{{"manifests":[{{}},{ours}]}}"#)), Some(None));
        for text in ["[]", "{", r#"{"manifests":{}}"#] {
            assert_eq!(list(text), None, "{text}");
        }
    }

    #[test]
    fn the_tag_names_the_subject() {
        let subject = Digest::of(b"");
        assert_eq!(tag(subject).as_str(), subject.to_string().replace(':', "-"));
    }
}
