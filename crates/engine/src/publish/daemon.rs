//! Loading into an engine on this machine (`ko.local`). What is printed is the
//! tag by which the image is loaded: the digest of the manifest that a push
//! would have made.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use store::Store;

use super::{PublishError, Publisher, in_a_line};
use crate::daemon::{ContainerEngine, DaemonError, EngineKind, EnginePlaces, Loaded, load};
use crate::event::{Event, Observer};
use crate::flight::Flights;
use crate::image::{Artifact, Image};
use crate::options::Destination;

#[derive(Debug)]
pub(crate) struct DaemonPublisher {
    /// Which engine, and where it may be.
    wanted: (EngineKind, EnginePlaces),
    destination: Destination,
    store: Store,
    observer: Observer,
    engine: Flights<(), Result<ContainerEngine, DaemonError>>,
}

impl DaemonPublisher {
    pub(crate) fn new(
        wanted: (EngineKind, EnginePlaces),
        destination: Destination,
        store: Store,
        observer: Observer,
    ) -> Self {
        Self { wanted, destination, store, observer, engine: Flights::new() }
    }

    /// The engine, found once.
    fn engine(&self) -> impl Future<Output = Result<ContainerEngine, DaemonError>> + use<> {
        let (kind, places) = self.wanted.clone();
        self.engine.start((), || async move { ContainerEngine::find(&places, kind).await })
    }

    /// The image of an artifact that an engine of this platform keeps.
    fn chosen(
        &self,
        engine: &ContainerEngine,
        import_path: &str,
        artifact: &Artifact,
    ) -> Result<Arc<Image>, PublishError> {
        let (os, architecture) = &engine.platform;
        let found = match artifact {
            Artifact::Image(image) => Some(&**image),
            Artifact::Index { .. } => artifact.image_for(os, architecture),
        };
        found.map(|image| Arc::new(image.clone())).ok_or_else(|| PublishError::NoPlatform {
            platform: format!("{os}/{architecture}"),
            import_path: import_path.to_owned(),
        })
    }

    async fn load(&self, import_path: &str, artifact: &Artifact) -> Result<(), PublishError> {
        let engine = self.engine().await?;
        let image = self.chosen(&engine, import_path, artifact)?;
        if artifact.images().len() > 1 {
            let text = format!(
                "of {import_path} only {} is loaded: the engine keeps one platform",
                image.platform
            );
            self.observer.tell(Event::Notice { text, hint: None });
        }
        let (name, tag) = (self.destination.name(import_path), image.digest.hex());
        let reference = format!("{name}:{tag}");
        self.observer.tell(Event::Loading { reference: reference.clone() });
        let Loaded { sent, without, detour } =
            load(&engine, &self.store, &image, &name, &tag).await?;
        if let Some(reason) = detour {
            let (reference, reason) = (reference.clone(), in_a_line(&reason));
            self.observer.tell(Event::SentWhole { reference, reason });
        }
        self.observer.tell(Event::Loaded { reference, sent, without });
        Ok(())
    }

    async fn tag(&self, import_path: &str, artifact: &Artifact) -> Result<String, PublishError> {
        let engine = self.engine().await?;
        let image = self.chosen(&engine, import_path, artifact)?;
        let name = self.destination.name(import_path);
        // Not every engine knows images by their configs.
        let reference = format!("{name}:{}", image.digest.hex());
        for tag in &self.destination.tags {
            let tag = tag.as_str();
            self.observer.tell(Event::AddingTag { tag: tag.to_owned() });
            engine.tag(&reference, &name, tag).await?;
            self.observer.tell(Event::AddedTag { tag: tag.to_owned() });
        }
        Ok(reference)
    }
}

impl Publisher for DaemonPublisher {
    fn prepare(&self, _: &str) -> Result<(), PublishError> {
        drop(self.engine());
        Ok(())
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), PublishError>> {
        async { Ok(self.engine().await.map(drop)?) }.boxed()
    }

    fn upload<'a>(
        &'a self,
        import_path: &'a str,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        self.load(import_path, artifact).boxed()
    }

    fn commit<'a>(
        &'a self,
        import_path: &'a str,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Result<String, PublishError>> {
        self.tag(import_path, artifact).boxed()
    }
}
