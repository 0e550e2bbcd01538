//! Publishes nothing (`--push=false`): images are made and named, and stay in
//! the cache.

use futures::FutureExt as _;

use super::{Destination, Publishing};
use crate::image::{Artifact, ImageName};

#[derive(Debug)]
pub(crate) struct NoDestination {
    /// Whether references are printed without digests.
    pub(crate) tag_only: bool,
}

impl Destination for NoDestination {
    fn upload<'a>(&'a self, _: &'a ImageName, _: &'a Artifact) -> Publishing<'a> {
        std::future::ready(Ok(())).boxed()
    }

    /// Unlike a registry's, this reference has a tag even where that is
    /// `latest`: scripts look for it.
    fn commit<'a>(
        &'a self,
        image: &'a ImageName,
        artifact: &'a Artifact,
    ) -> Publishing<'a, String> {
        let name = &image.name;
        let reference = match image.tags.first() {
            Some(tag) if self.tag_only => format!("{name}:{tag}"),
            Some(tag) => format!("{name}:{tag}@{}", artifact.digest()),
            None => format!("{name}@{}", artifact.digest()),
        };
        std::future::ready(Ok(reference)).boxed()
    }
}
