//! Loads an image into a container engine.
//!
//! A container engine knows an image by the digest of its config, or, where
//! containerd keeps its images, of its manifest: an image that is there only
//! gets a name. For one that is not, the lowest layers are left out of the
//! archive if some image there has the same: Docker opens the file of a layer
//! only if it does not know all diff_ids up to it. Podman reads such archives
//! whole, but of an image layout only the layers whose digests it does not know.
//! If the container engine then finds that it lacks one, it changes nothing, and
//! the whole image is sent. Docker with containerd's store accepts an image that
//! lacks a layer without a word: it always gets the whole one, as an image
//! layout, since it makes its own manifests for other archives.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{StreamExt as _, stream};
use oci::ImageConfig;

use super::archive::{Form, Request, Sending, send};
use super::client::Engine;
use super::error::DaemonError;
use crate::blobs::{BlobError, Blobs, SendError};
use crate::image::Image;

/// How many images of an engine are looked at, and how many at a time.
const LOOKED_AT: usize = 64;
const AT_A_TIME: usize = 8;

/// The result of loading an image.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// How many bytes were sent.
    pub(crate) sent: u64,
    /// How many layers were left out.
    pub(crate) skipped_layers: usize,
    /// Why the short way did not do, if it was tried.
    pub(crate) fallback_reason: Option<DaemonError>,
}

/// Loads an image under `repository:tag`.
pub(crate) async fn load(
    engine: &Engine,
    blobs: &Blobs,
    image: &Arc<Image>,
    repository: &str,
    tag: &str,
) -> Result<Loaded, SendError<DaemonError>> {
    let reference = format!("{repository}:{tag}");
    let (config, manifest) = (image.config_descriptor.digest, image.digest);
    // By name, since that is the same for all engines, and all that it takes
    // if nothing has changed.
    let named = engine.image(&reference).await?.and_then(|found| found.id).unwrap_or_default();
    let hex = named.strip_prefix("sha256:").unwrap_or(&named);
    if hex == config.hex() || hex == manifest.hex() {
        return Ok(Loaded::default());
    }
    let containerd = engine.keeps_manifests().await;
    let id = if containerd { manifest } else { config }.to_string();
    if engine.image(&id).await?.is_some() {
        engine.tag(&id, repository, tag).await?;
        return Ok(Loaded::default());
    }
    let skipped_layers =
        if containerd { 0 } else { known_layers(engine, image, repository).await? };
    let form = if engine.podman || containerd { Form::Oci } else { Form::Docker };
    let store = blobs.store().clone();
    let request = Request { image: Arc::clone(image), form, reference, skipped_layers, store };
    let mut fallback_reason = None;
    if skipped_layers > 0 {
        match attempt(engine, blobs, request.clone()).await {
            Ok(sent) => return Ok(Loaded { sent, skipped_layers, fallback_reason }),
            Err(SendError::Refused(error)) => fallback_reason = Some(error),
            Err(error) => return Err(error),
        }
    }
    let sent = attempt(engine, blobs, Request { skipped_layers: 0, ..request }).await?;
    Ok(Loaded { sent, skipped_layers: 0, fallback_reason })
}

/// Sends an archive; returns how many bytes it has.
async fn attempt(
    engine: &Engine,
    blobs: &Blobs,
    request: Request,
) -> Result<u64, SendError<DaemonError>> {
    for layer in &request.image.layers[request.skipped_layers..] {
        blobs.provide(layer).await?;
    }
    let Sending { stream, sent, end } = send(request);
    let loaded = engine.load(stream).await;
    match (loaded, end.await) {
        (Ok(()), Ok(Ok(()))) => Ok(sent.load(Ordering::Relaxed)),
        // The engine did not read on, and has said why.
        (Err(error), Ok(Err(BlobError::File { source, .. })))
            if source.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            Err(error.into())
        }
        (_, Ok(Err(error))) => Err(error.into()),
        (Err(error), _) => Err(error.into()),
        (Ok(()), Err(_)) => Err(BlobError::Cancelled.into()),
    }
}

/// How many of the lowest layers some image of the engine has: those of the
/// same name are looked at first.
async fn known_layers(
    engine: &Engine,
    image: &Image,
    repository: &str,
) -> Result<usize, DaemonError> {
    let Ok(config) = ImageConfig::parse(&image.config) else { return Ok(0) };
    let wanted: Vec<String> =
        config.rootfs.diff_ids.iter().map(|diff_id| diff_id.digest().to_string()).collect();
    if wanted.len() != image.layers.len() {
        return Ok(0);
    }
    let mut images = engine.images().await?;
    let ours = |names: &[String]| {
        let name =
            |name: &String| name.rsplit_once(':').is_some_and(|(name, _)| name == repository);
        names.iter().any(name)
    };
    images.sort_by_key(|(_, names)| !ours(names));
    let looks = images.into_iter().take(LOOKED_AT).map(|(id, _)| async move {
        let found = engine.image(&id).await.ok().flatten();
        found.and_then(|found| found.root_fs?.layers).unwrap_or_default()
    });
    let mut looks = stream::iter(looks).buffered(AT_A_TIME);
    let mut known = 0;
    // There is no image that has them all: at least the last is missing.
    while known + 1 < wanted.len()
        && let Some(layers) = looks.next().await
    {
        let same = layers.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
        known = known.max(same);
    }
    Ok(known)
}
