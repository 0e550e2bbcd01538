//! Imports images into containerd: of this machine, or of all nodes of a kind
//! cluster at once (`kind.local`).

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use once::{OnceMap, blocking};

use super::error::in_a_line;
use super::options::Local;
use super::{Destination, DestinationError, DestinationParts, Publishing};
use crate::archive::oci::full_name;
use crate::blobs::Blobs;
use crate::containerd::{Children, Cluster, Imported, Node, NodeError, import};
use crate::events::{Event, Observer};
use crate::image::{Artifact, Image, ImageName};
use crate::platform::HOST_ARCHITECTURE;

type Nodes = Result<Arc<[Node]>, NodeError>;

#[derive(Debug)]
struct ContainerdDestination {
    cluster: Cluster,
    blobs: Blobs,
    observer: Observer,
    nodes: OnceMap<(), Nodes>,
    children: Children,
}

pub(super) fn wanted(parts: &DestinationParts<'_>) -> Option<Box<dyn Destination>> {
    let Some(Local::Cluster(cluster)) = &parts.options.local else { return None };
    Some(Box::new(ContainerdDestination {
        cluster: cluster.clone(),
        blobs: parts.blobs.clone(),
        observer: parts.observer.clone(),
        nodes: OnceMap::new(),
        children: Children {
            environment: parts.engines.environment.clone(),
            cancel: parts.cancel.clone(),
        },
    }))
}

impl ContainerdDestination {
    /// The nodes, found once.
    fn nodes(&self) -> impl Future<Output = Nodes> + use<> {
        let (cluster, children) = (self.cluster.clone(), self.children.clone());
        let find = || blocking(move || cluster.nodes(&children).map(Arc::from));
        self.nodes.start((), find)
    }

    /// The image of an artifact that nodes run.
    fn chosen(
        &self,
        import_path: &str,
        artifact: &Artifact,
    ) -> Result<Arc<Image>, DestinationError> {
        let found = match artifact {
            Artifact::Image(image) => Some(&**image),
            Artifact::Index { .. } => artifact.image_for("linux", HOST_ARCHITECTURE),
        };
        found.map(|image| Arc::new(image.clone())).ok_or_else(|| DestinationError::NoPlatform {
            platform: format!("linux/{HOST_ARCHITECTURE}"),
            import_path: import_path.to_owned(),
        })
    }

    async fn load(&self, name: &ImageName, artifact: &Artifact) -> Result<(), DestinationError> {
        let nodes = self.nodes().await?;
        let import_path = name.import_path.as_str();
        let image = self.chosen(import_path, artifact)?;
        if artifact.images().len() > 1 {
            let text = format!("of {import_path} only {} is loaded", image.platform);
            self.observer.emit(Event::Notice { text, hint: None });
        }
        for layer in &image.layers {
            self.blobs.provide(layer).await?;
        }
        let reference = format!("{}:{}", name.name, image.digest.hex());
        self.observer.emit(Event::Loading { reference: reference.clone() });
        let imports = nodes.iter().map(|node| {
            let (node, store, image) =
                (node.clone(), self.blobs.store().clone(), Arc::clone(&image));
            let name = reference.clone();
            blocking(move || import(&node, &store, &image, &name))
        });
        let (mut sent, mut skipped_layers) = (0, 0);
        // Nodes do not depend on each other: one that fails ends no other.
        for imported in join_all(imports).await {
            let Imported { sent: bytes, skipped_layers: blobs, fallback_reason } = imported?;
            sent += bytes;
            skipped_layers += blobs;
            if let Some(reason) = fallback_reason {
                let (reference, reason) = (reference.clone(), in_a_line(&reason));
                self.observer.emit(Event::FullUploadFallback { reference, reason });
            }
        }
        self.observer.emit(Event::Loaded { reference, sent, skipped_layers });
        Ok(())
    }

    async fn tag(&self, name: &ImageName, artifact: &Artifact) -> Result<String, DestinationError> {
        let nodes = self.nodes().await?;
        let image = self.chosen(name.import_path.as_str(), artifact)?;
        let ImageName { name, tags, .. } = name;
        let reference = format!("{name}:{}", image.digest.hex());
        for tag in tags {
            let tag = tag.as_str();
            self.observer.emit(Event::AddingTag { tag: tag.to_owned() });
            let tags = nodes.iter().map(|node| {
                let node = node.clone();
                let (from, to) = (full_name(&reference), full_name(&format!("{name}:{tag}")));
                blocking(move || node.tag(&from, &to))
            });
            join_all(tags).await.into_iter().collect::<Result<(), _>>()?;
            self.observer.emit(Event::AddedTag { tag: tag.to_owned() });
        }
        Ok(reference)
    }
}

impl Destination for ContainerdDestination {
    fn prepare(&self, _: &ImageName) -> Result<(), DestinationError> {
        drop(self.nodes());
        Ok(())
    }

    fn ready(&self) -> Publishing<'_> {
        async { Ok(self.nodes().await.map(drop)?) }.boxed()
    }

    fn upload<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a> {
        self.load(name, artifact).boxed()
    }

    fn commit<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a, String> {
        self.tag(name, artifact).boxed()
    }
}
