//! Importing into containerd: of this machine, or of all nodes of a kind
//! cluster at once (`kind.local`).

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use golang::Cancel;
use store::Store;

use super::{PublishError, Publisher, in_a_line};
use crate::blobs::provide;
use crate::blocking::blocking;
use crate::event::{Event, Observer};
use crate::flight::Flights;
use crate::image::{Artifact, Image};
use crate::nodes::{Cluster, Imported, Node, NodeError, import};
use crate::options::Destination;
use crate::platform::HOST_ARCHITECTURE;
use crate::publish::archive::oci::full_name;

type Nodes = Result<Arc<[Node]>, NodeError>;

#[derive(Debug)]
pub(crate) struct ClusterPublisher {
    cluster: Cluster,
    destination: Destination,
    store: Store,
    observer: Observer,
    nodes: Flights<(), Nodes>,
    cancel: Cancel,
}

impl ClusterPublisher {
    pub(crate) fn new(
        cluster: Cluster,
        destination: Destination,
        store: Store,
        observer: Observer,
        cancel: Cancel,
    ) -> Self {
        Self { cluster, destination, store, observer, nodes: Flights::new(), cancel }
    }

    /// The nodes, found once.
    fn nodes(&self) -> impl Future<Output = Nodes> + use<> {
        let (cluster, cancel) = (self.cluster.clone(), self.cancel.clone());
        let find = || blocking(move || cluster.nodes(&cancel).map(Arc::from));
        self.nodes.start((), find)
    }

    /// The image of an artifact that nodes run.
    fn chosen(&self, import_path: &str, artifact: &Artifact) -> Result<Arc<Image>, PublishError> {
        let found = match artifact {
            Artifact::Image(image) => Some(&**image),
            Artifact::Index { .. } => artifact.image_for("linux", HOST_ARCHITECTURE),
        };
        found.map(|image| Arc::new(image.clone())).ok_or_else(|| PublishError::NoPlatform {
            platform: format!("linux/{HOST_ARCHITECTURE}"),
            import_path: import_path.to_owned(),
        })
    }

    async fn load(&self, import_path: &str, artifact: &Artifact) -> Result<(), PublishError> {
        let nodes = self.nodes().await?;
        let image = self.chosen(import_path, artifact)?;
        if artifact.images().len() > 1 {
            let text = format!("of {import_path} only {} is loaded", image.platform);
            self.observer.tell(Event::Notice { text, hint: None });
        }
        for layer in &image.layers {
            provide(layer, &self.store).await?;
        }
        let reference = format!("{}:{}", self.destination.name(import_path), image.digest.hex());
        self.observer.tell(Event::Loading { reference: reference.clone() });
        let imports = nodes.iter().map(|node| {
            let (node, store, image) = (node.clone(), self.store.clone(), Arc::clone(&image));
            let name = reference.clone();
            blocking(move || import(&node, &store, &image, &name))
        });
        let (mut sent, mut without) = (0, 0);
        for Imported { sent: bytes, without: blobs, detour } in try_join_all(imports).await? {
            sent += bytes;
            without += blobs;
            if let Some(reason) = detour {
                let (reference, reason) = (reference.clone(), in_a_line(&reason));
                self.observer.tell(Event::SentWhole { reference, reason });
            }
        }
        self.observer.tell(Event::Loaded { reference, sent, without });
        Ok(())
    }

    async fn tag(&self, import_path: &str, artifact: &Artifact) -> Result<String, PublishError> {
        let nodes = self.nodes().await?;
        let image = self.chosen(import_path, artifact)?;
        let name = self.destination.name(import_path);
        let reference = format!("{name}:{}", image.digest.hex());
        for tag in &self.destination.tags {
            let tag = tag.as_str();
            self.observer.tell(Event::AddingTag { tag: tag.to_owned() });
            let tags = nodes.iter().map(|node| {
                let node = node.clone();
                let (from, to) = (full_name(&reference), full_name(&format!("{name}:{tag}")));
                blocking(move || node.tag(&from, &to))
            });
            try_join_all(tags).await?;
            self.observer.tell(Event::AddedTag { tag: tag.to_owned() });
        }
        Ok(reference)
    }
}

impl Publisher for ClusterPublisher {
    fn prepare(&self, _: &str) -> Result<(), PublishError> {
        drop(self.nodes());
        Ok(())
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), PublishError>> {
        async { Ok(self.nodes().await.map(drop)?) }.boxed()
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
