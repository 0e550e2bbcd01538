//! Publishes nothing (`--push=false`): images are made and named, and stay in
//! the cache.

use futures::FutureExt as _;

use super::options::DestinationOptions;
use super::{Destination, Publishing};
use crate::image::Artifact;

#[derive(Debug)]
pub(crate) struct NoDestination {
    options: DestinationOptions,
}

impl NoDestination {
    pub(crate) fn new(options: DestinationOptions) -> Self {
        Self { options }
    }
}

impl Destination for NoDestination {
    fn upload<'a>(&'a self, _: &'a str, _: &'a Artifact) -> Publishing<'a> {
        std::future::ready(Ok(())).boxed()
    }

    /// Unlike a registry's, this reference has a tag even where that is
    /// `latest`: scripts look for it.
    fn commit<'a>(
        &'a self,
        import_path: &'a str,
        artifact: &'a Artifact,
    ) -> Publishing<'a, String> {
        let name = self.options.name(import_path);
        let reference = match self.options.tags.first() {
            Some(tag) if self.options.tag_only => format!("{name}:{tag}"),
            Some(tag) => format!("{name}:{tag}@{}", artifact.digest()),
            None => format!("{name}@{}", artifact.digest()),
        };
        std::future::ready(Ok(reference)).boxed()
    }
}
