//! No destination (`--push=false`): images are made, named, and stay in the
//! cache.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{PublishError, Publisher};
use crate::image::Artifact;
use crate::options::Destination;

#[derive(Debug)]
pub(crate) struct NonePublisher {
    destination: Destination,
}

impl NonePublisher {
    pub(crate) fn new(destination: Destination) -> Self {
        Self { destination }
    }
}

impl Publisher for NonePublisher {
    fn upload<'a>(
        &'a self,
        _: &'a str,
        _: &'a Artifact,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Unlike a registry's, this reference has a tag even where that is
    /// `latest`: scripts look for it.
    fn commit<'a>(
        &'a self,
        import_path: &'a str,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Result<String, PublishError>> {
        let name = self.destination.name(import_path);
        let reference = match self.destination.tags.first() {
            Some(tag) if self.destination.tag_only => format!("{name}:{tag}"),
            Some(tag) => format!("{name}:{tag}@{}", artifact.digest()),
            None => format!("{name}@{}", artifact.digest()),
        };
        std::future::ready(Ok(reference)).boxed()
    }
}
