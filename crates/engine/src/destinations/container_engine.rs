//! Loads images into a container engine on this machine (`ko.local`). The
//! printed tag is the digest of the manifest that a push would have made.

use std::sync::Arc;

use futures::FutureExt as _;
use once::OnceMap;

use super::error::in_a_line;
use super::options::Local;
use super::{Destination, DestinationError, DestinationParts, Publishing};
use crate::blobs::Blobs;
use crate::container_engine::{
    ContainerEngine, DaemonError, EngineKind, EnginePlaces, Loaded, load,
};
use crate::events::{Event, Observer};
use crate::image::{Artifact, Image, ImageName};

#[derive(Debug)]
struct ContainerEngineDestination {
    /// Which engine, and where it may be.
    wanted: (EngineKind, EnginePlaces),
    blobs: Blobs,
    observer: Observer,
    engine: OnceMap<(), Result<ContainerEngine, DaemonError>>,
}

pub(super) fn wanted(parts: &DestinationParts<'_>) -> Option<Box<dyn Destination>> {
    let Some(Local::Engine(kind)) = parts.options.local else { return None };
    Some(Box::new(ContainerEngineDestination {
        wanted: (kind, parts.engines.clone()),
        blobs: parts.blobs.clone(),
        observer: parts.observer.clone(),
        engine: OnceMap::new(),
    }))
}

impl ContainerEngineDestination {
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
    ) -> Result<Arc<Image>, DestinationError> {
        let (os, architecture) = &engine.platform;
        let found = match artifact {
            Artifact::Image(image) => Some(&**image),
            Artifact::Index { .. } => artifact.image_for(os, architecture),
        };
        found.map(|image| Arc::new(image.clone())).ok_or_else(|| DestinationError::NoPlatform {
            platform: format!("{os}/{architecture}"),
            import_path: import_path.to_owned(),
        })
    }

    async fn load(&self, name: &ImageName, artifact: &Artifact) -> Result<(), DestinationError> {
        let engine = self.engine().await?;
        let import_path = name.import_path.as_str();
        let image = self.chosen(&engine, import_path, artifact)?;
        if artifact.images().len() > 1 {
            let text = format!(
                "of {import_path} only {} is loaded: the engine keeps one platform",
                image.platform
            );
            self.observer.emit(Event::Notice { text, hint: None });
        }
        let (name, tag) = (&name.name, image.digest.hex());
        let reference = format!("{name}:{tag}");
        self.observer.emit(Event::Loading { reference: reference.clone() });
        let Loaded { sent, skipped_layers, fallback_reason } =
            load(&engine, &self.blobs, &image, name, &tag).await?;
        if let Some(reason) = fallback_reason {
            let (reference, reason) = (reference.clone(), in_a_line(&reason));
            self.observer.emit(Event::FullUploadFallback { reference, reason });
        }
        self.observer.emit(Event::Loaded { reference, sent, skipped_layers });
        Ok(())
    }

    async fn tag(&self, name: &ImageName, artifact: &Artifact) -> Result<String, DestinationError> {
        let engine = self.engine().await?;
        let image = self.chosen(&engine, name.import_path.as_str(), artifact)?;
        let ImageName { name, tags, .. } = name;
        // Not every engine knows images by their configs.
        let reference = format!("{name}:{}", image.digest.hex());
        for tag in tags {
            let tag = tag.as_str();
            self.observer.emit(Event::AddingTag { tag: tag.to_owned() });
            engine.tag(&reference, name, tag).await?;
            self.observer.emit(Event::AddedTag { tag: tag.to_owned() });
        }
        Ok(reference)
    }
}

impl Destination for ContainerEngineDestination {
    fn prepare(&self, _: &ImageName) -> Result<(), DestinationError> {
        drop(self.engine());
        Ok(())
    }

    fn ready(&self) -> Publishing<'_> {
        async { Ok(self.engine().await.map(drop)?) }.boxed()
    }

    fn upload<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a> {
        self.load(name, artifact).boxed()
    }

    fn commit<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a, String> {
        self.tag(name, artifact).boxed()
    }
}
