//! Runs the destinations of a run in the order in which they are configured.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use golang::ImportPath;

use super::none::NoDestination;
use super::{Destination, DestinationError, DestinationParts, builtin};
use crate::events::{Observer, Stage, StageSpan};
use crate::image::{Artifact, ImageLayer, ImageName};

/// The destinations of a run. The last one's references are printed.
#[derive(Debug)]
pub(crate) struct Destinations {
    all: Vec<Box<dyn Destination>>,
    /// Images that were announced, and whether they may have their names.
    prepared: Mutex<HashMap<ImageName, Result<(), DestinationError>>>,
    observer: Observer,
}

/// Why an import path could not be published.
#[derive(Debug)]
pub(crate) struct Unpublished {
    /// None where it is about all of them together.
    pub(crate) import_path: Option<ImportPath>,
    pub(crate) source: DestinationError,
}

impl Destinations {
    /// Those that the options name, after `others`.
    pub(crate) fn new(parts: &DestinationParts<'_>, others: Vec<Box<dyn Destination>>) -> Self {
        let (tag_only, observer) = (parts.options.tag_only, parts.observer.clone());
        let mut all = others;
        all.extend(builtin(parts));
        if all.is_empty() {
            all.push(Box::new(NoDestination { tag_only }));
        }
        Self { all, prepared: Mutex::default(), observer }
    }

    /// Announces that an image will most likely be published; asks each destination
    /// once.
    pub(crate) fn prepare(&self, name: &ImageName) -> Result<(), Unpublished> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = prepared
            .entry(name.clone())
            .or_insert_with(|| self.all.iter().try_for_each(|one| one.prepare(name)));
        outcome.clone().map_err(unpublished(name))
    }

    /// Whether all destinations take images.
    pub(crate) async fn ready(&self) -> Result<(), DestinationError> {
        for destination in &self.all {
            destination.ready().await?;
        }
        Ok(())
    }

    /// Whether an image may be brought to all destinations.
    pub(crate) async fn preflight(&self, name: &ImageName) -> Result<(), Unpublished> {
        for destination in &self.all {
            destination.preflight(name).await.map_err(unpublished(name))?;
        }
        Ok(())
    }

    /// Whether all destinations have an artifact under its name; `None` where one
    /// cannot tell.
    pub(crate) async fn has(
        &self,
        name: &ImageName,
        artifact: &Artifact,
    ) -> Result<Option<bool>, Unpublished> {
        let mut all = Some(true);
        for destination in &self.all {
            let has = destination.has(name, artifact).await.map_err(unpublished(name))?;
            all = all.zip(has).map(|(all, has)| all && has);
        }
        Ok(all)
    }

    /// Whether all destinations have a layer of an image.
    pub(crate) async fn has_layer(&self, name: &ImageName, layer: &ImageLayer) -> bool {
        let all = join_all(self.all.iter().map(|destination| destination.has_layer(name, layer)));
        all.await.into_iter().all(|has| has)
    }

    /// Ends what was begun and is not needed.
    pub(crate) async fn close(&self) {
        join_all(self.all.iter().map(|destination| destination.close())).await;
    }

    /// Brings a layer that will be needed to where it will be needed.
    pub(crate) fn offer(&self, name: &ImageName, layer: &ImageLayer) {
        for destination in &self.all {
            destination.offer(name, layer);
        }
    }

    /// Brings an artifact to all destinations, untagged.
    pub(crate) async fn upload(
        &self,
        name: &ImageName,
        artifact: &Artifact,
    ) -> Result<(), Unpublished> {
        let _span = self.publishing(name);
        for destination in &self.all {
            destination.upload(name, artifact).await.map_err(unpublished(name))?;
        }
        Ok(())
    }

    /// Makes all artifacts visible at all destinations; the references are the
    /// last one's, in the order of the artifacts.
    pub(crate) async fn commit(
        &self,
        artifacts: &[(ImageName, Artifact)],
    ) -> Result<Vec<String>, Unpublished> {
        let mut references = Vec::new();
        for destination in &self.all {
            let commits = artifacts.iter().map(|(name, artifact)| async move {
                let _span = self.publishing(name);
                destination.commit(name, artifact).await.map_err(unpublished(name))
            });
            references = if destination.in_order() || !names_differ(artifacts) {
                let mut all = Vec::new();
                for commit in commits {
                    all.push(commit.await?);
                }
                all
            } else {
                let all = join_all(commits).await;
                all.into_iter().collect::<Result<_, _>>()?
            };
            let finished = destination.finish().await;
            finished.map_err(|source| Unpublished { import_path: None, source })?;
        }
        Ok(references)
    }

    fn publishing(&self, name: &ImageName) -> StageSpan {
        let path = Some(name.import_path.as_str());
        StageSpan::begin(&self.observer, Stage::Publish, path, None)
    }

    /// All references of an artifact: for an index in a registry, the index and
    /// then its images, each as `repository@digest`; else what is printed.
    pub(crate) fn references(name: &ImageName, artifact: &Artifact, printed: &str) -> Vec<String> {
        match (artifact, DestinationError::repository(name)) {
            (Artifact::Index { digest, images, .. }, Ok(repository)) => {
                let digests =
                    std::iter::once(*digest).chain(images.iter().map(|image| image.digest));
                digests.map(|digest| format!("{}@{digest}", repository.full_name())).collect()
            }
            _ => vec![printed.to_owned()],
        }
    }
}

/// Whether each image has a name of its own. With `--bare` none has, and the last
/// one's tag stays, as in ko.
fn names_differ(artifacts: &[(ImageName, Artifact)]) -> bool {
    let names = artifacts.iter().map(|(image, _)| &image.name);
    names.collect::<HashSet<_>>().len() == artifacts.len()
}

fn unpublished(name: &ImageName) -> impl FnOnce(DestinationError) -> Unpublished + use<> {
    let import_path = Some(name.import_path.clone());
    |source| Unpublished { import_path, source }
}
