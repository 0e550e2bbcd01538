//! The bytes of layers, for destinations that need them: our own are in the
//! cache, those of a base are brought there when somebody asks.

use std::sync::Arc;

use oci::Descriptor;
use store::Store;

use crate::base::BaseSource;
use crate::blocking::blocking;
use crate::image::{ImageLayer, LayerOrigin};
use crate::publish::PublishError;
use crate::static_base;

/// Sees to it that a layer is in the cache. Layers that registries do not
/// distribute are left alone.
pub(crate) async fn provide(layer: &ImageLayer, store: &Store) -> Result<(), PublishError> {
    let Descriptor { digest, size, media_type, .. } = &layer.descriptor;
    if media_type.is_nondistributable() || store.has_blob(digest, *size) {
        return Ok(());
    }
    match &layer.origin {
        LayerOrigin::Store => Err(PublishError::Missing { digest: *digest }),
        LayerOrigin::Base(source) => match &**source {
            BaseSource::Engine => Err(PublishError::Missing { digest: *digest }),
            BaseSource::Scratch => unreachable!("scratch has no layers"),
            BaseSource::Static => {
                let store = store.clone();
                let work = blocking(move || static_base::provide_layer(&store));
                Ok(work.await?)
            }
            BaseSource::Registry { client, repository } => {
                let pulled = client.pull_blob(repository, &layer.descriptor, store).await;
                pulled.map_err(|source| PublishError::BaseLayer {
                    base: repository.full_name(),
                    source: Arc::new(source),
                })
            }
        },
    }
}
