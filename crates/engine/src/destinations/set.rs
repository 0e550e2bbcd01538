//! Runs the destinations of a run in the order in which they are configured.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use golang::ImportPath;

use super::none::NoDestination;
use super::options::DestinationOptions;
use super::{Destination, DestinationError, DestinationParts, builtin};
use crate::events::{Observer, Stage, StageSpan};
use crate::image::{Artifact, ImageLayer};

/// The destinations of a run. The last one's references are printed.
#[derive(Debug)]
pub(crate) struct Destinations {
    all: Vec<Box<dyn Destination>>,
    options: DestinationOptions,
    /// Import paths that were announced, and whether they have a name.
    prepared: Mutex<HashMap<ImportPath, Result<(), DestinationError>>>,
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
        let (options, observer) = (parts.options.clone(), parts.observer.clone());
        let mut all = others;
        all.extend(builtin(parts));
        if all.is_empty() {
            all.push(Box::new(NoDestination::new(options.clone())));
        }
        Self { all, options, prepared: Mutex::default(), observer }
    }

    /// Announces that an import path will most likely be published; asks each
    /// destination once.
    pub(crate) fn prepare(&self, import_path: &ImportPath) -> Result<(), Unpublished> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = prepared.entry(import_path.clone()).or_insert_with(|| {
            self.all.iter().try_for_each(|one| one.prepare(import_path.as_str()))
        });
        outcome.clone().map_err(unpublished(import_path))
    }

    /// Whether all destinations take images.
    pub(crate) async fn ready(&self) -> Result<(), DestinationError> {
        for destination in &self.all {
            destination.ready().await?;
        }
        Ok(())
    }

    /// Whether the image of an import path may be brought to all destinations.
    pub(crate) async fn preflight(&self, import_path: &ImportPath) -> Result<(), Unpublished> {
        for destination in &self.all {
            let allowed = destination.preflight(import_path.as_str()).await;
            allowed.map_err(unpublished(import_path))?;
        }
        Ok(())
    }

    /// Whether all destinations have an artifact under its name; `None` where one
    /// cannot tell.
    pub(crate) async fn has(
        &self,
        import_path: &ImportPath,
        artifact: &Artifact,
    ) -> Result<Option<bool>, Unpublished> {
        let mut all = Some(true);
        for destination in &self.all {
            let has = destination.has(import_path.as_str(), artifact).await;
            let has = has.map_err(unpublished(import_path))?;
            all = all.zip(has).map(|(all, has)| all && has);
        }
        Ok(all)
    }

    /// Ends what was begun and is not needed.
    pub(crate) async fn close(&self) {
        join_all(self.all.iter().map(|destination| destination.close())).await;
    }

    /// Brings a layer that will be needed to where it will be needed.
    pub(crate) fn offer(&self, import_path: &ImportPath, layer: &ImageLayer) {
        for destination in &self.all {
            destination.offer(import_path.as_str(), layer);
        }
    }

    /// Brings an artifact to all destinations, untagged.
    pub(crate) async fn upload(
        &self,
        import_path: &ImportPath,
        artifact: &Artifact,
    ) -> Result<(), Unpublished> {
        let path = import_path.as_str();
        let _span = StageSpan::begin(&self.observer, Stage::Publish, Some(path), None);
        for destination in &self.all {
            destination.upload(path, artifact).await.map_err(unpublished(import_path))?;
        }
        Ok(())
    }

    /// Makes all artifacts visible at all destinations; the references are the
    /// last one's, in the order of the artifacts.
    pub(crate) async fn commit(
        &self,
        artifacts: &[(ImportPath, Artifact)],
    ) -> Result<Vec<String>, Unpublished> {
        let mut references = Vec::new();
        for destination in &self.all {
            let commits = artifacts.iter().map(|(import_path, artifact)| async move {
                let path = import_path.as_str();
                let _span = StageSpan::begin(&self.observer, Stage::Publish, Some(path), None);
                let committed = destination.commit(path, artifact).await;
                committed.map_err(unpublished(import_path))
            });
            references = if destination.in_order() || !self.names_differ(artifacts) {
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

    /// All references of an artifact: for an index in a registry, the index and
    /// then its images, each as `repository@digest`; else what is printed.
    pub(crate) fn references(
        &self,
        import_path: &ImportPath,
        artifact: &Artifact,
        printed: &str,
    ) -> Vec<String> {
        let repository = self.options.repository_of(import_path.as_str());
        match (artifact, repository) {
            (Artifact::Index { digest, images, .. }, Ok(repository)) => {
                let digests =
                    std::iter::once(*digest).chain(images.iter().map(|image| image.digest));
                digests.map(|digest| format!("{}@{digest}", repository.full_name())).collect()
            }
            _ => vec![printed.to_owned()],
        }
    }

    /// The names of an import path's image, with its tags.
    pub(crate) fn names(&self, import_path: &ImportPath) -> Vec<String> {
        self.options.tagged(import_path.as_str())
    }

    /// Whether each program has a name of its own. With `--bare` none has, and
    /// the last one's tag stays, as in ko.
    fn names_differ(&self, artifacts: &[(ImportPath, Artifact)]) -> bool {
        let names = artifacts.iter().map(|(path, _)| self.options.name(path.as_str()));
        names.collect::<HashSet<String>>().len() == artifacts.len()
    }
}

fn unpublished(import_path: &ImportPath) -> impl FnOnce(DestinationError) -> Unpublished + use<> {
    let import_path = Some(import_path.clone());
    |source| Unpublished { import_path, source }
}
