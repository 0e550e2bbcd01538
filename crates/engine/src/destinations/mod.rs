//! Publishes finished images. Each destination is one small implementation of
//! [`Destination`] in a file of its own, and stands in the list of [`builtin`]; a
//! run has one or several, and prints the reference of the last one.

mod archive;
mod attestations;
mod container_engine;
mod containerd;
mod error;
mod files;
mod layout;
mod none;
mod options;
mod referrers;
mod registry;
mod sbom;
mod sbom_files;
mod set;

use std::fmt::Debug;
use std::path::Path;

use ::registry::Client;
use cancel::Cancel;
use futures::FutureExt as _;
use futures::future::BoxFuture;

pub use self::attestations::{SignFormat, SigningOptions};
pub use self::error::DestinationError;
pub use self::options::{Archive, DestinationOptions, Layout, Local};
pub use self::sbom_files::SbomFileError;
pub(crate) use self::sbom_files::SbomFiles;
pub(crate) use self::set::{Destinations, Unpublished};
use crate::activity::Activity;
use crate::blobs::Blobs;
use crate::container_engine::EnginePlaces;
use crate::events::Observer;
use crate::image::sbom::SbomOptions;
use crate::image::{Artifact, ImageLayer, ImageName};

/// What destinations are made of; each takes what it needs.
#[derive(Debug)]
pub(crate) struct DestinationParts<'a> {
    pub(crate) options: &'a DestinationOptions,
    /// Whether the run is one of many that follow edits.
    pub(crate) follow: bool,
    pub(crate) work_dir: &'a Path,
    pub(crate) engines: &'a EnginePlaces,
    pub(crate) sbom: Option<&'a SbomOptions>,
    pub(crate) signing: Option<&'a SigningOptions>,
    /// Speaks to the destination's registry.
    pub(crate) client: &'a Client,
    pub(crate) blobs: &'a Blobs,
    pub(crate) observer: &'a Observer,
    pub(crate) activity: &'a Activity,
    pub(crate) cancel: &'a Cancel,
}

/// Makes a destination, if the options want it.
type Wanted = fn(&DestinationParts<'_>) -> Option<Box<dyn Destination>>;

/// The destinations that the options want, in the order in which they are served:
/// the last one's references are printed.
fn builtin(parts: &DestinationParts<'_>) -> Vec<Box<dyn Destination>> {
    let all: &[Wanted] = match parts.options.local {
        // What is loaded into an engine goes nowhere else.
        Some(_) => &[container_engine::wanted, containerd::wanted],
        // The registry is the last: its tags move when all files are written.
        None => &[layout::wanted, archive::wanted, registry::wanted],
    };
    all.iter().filter_map(|wanted| wanted(parts)).collect()
}

/// A step of publishing.
pub(crate) type Publishing<'a, T = ()> = BoxFuture<'a, Result<T, DestinationError>>;

/// Where images go.
///
/// Publishing has two steps, so that no tag of a run moves before all of its
/// images are known to be good: first everything but the top manifest is
/// brought there ([`upload`](Self::upload)), then the top manifest is put and
/// tagged ([`commit`](Self::commit)). Each method may be called from any task.
pub trait Destination: Debug + Send + Sync {
    /// Called once for each image, as soon as it is known that it will be published,
    /// long before it is there: time to ask for a token.
    ///
    /// # Errors
    /// This destination has no such names.
    fn prepare(&self, _name: &ImageName) -> Result<(), DestinationError> {
        Ok(())
    }

    /// Whether images are taken at all. Asked before anything is compiled.
    fn ready(&self) -> Publishing<'_> {
        std::future::ready(Ok(())).boxed()
    }

    /// Whether an image may be brought there, while a part of it is compiled. A
    /// failure ends the run.
    fn preflight<'a>(&'a self, _name: &'a ImageName) -> Publishing<'a> {
        std::future::ready(Ok(())).boxed()
    }

    /// Whether the artifact is there under its name; `None` if that cannot be told
    /// without bringing it.
    fn has<'a>(
        &'a self,
        _name: &'a ImageName,
        _artifact: &'a Artifact,
    ) -> Publishing<'a, Option<bool>> {
        std::future::ready(Ok(None)).boxed()
    }

    /// Whether a layer need not be here to bring an image that has it, since the
    /// destination has it already.
    fn has_layer<'a>(
        &'a self,
        _name: &'a ImageName,
        _layer: &'a ImageLayer,
    ) -> BoxFuture<'a, bool> {
        std::future::ready(false).boxed()
    }

    /// Called when nothing more is brought, whether all went well or not.
    fn close(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    /// Brings everything that the top manifest reaches. May be called for an
    /// artifact that is there already.
    fn upload<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a>;

    /// Announces a layer that an image will most likely have, long before
    /// there is an image: time to send it.
    fn offer(&self, _name: &ImageName, _layer: &ImageLayer) {}

    /// Whether artifacts must become visible one after the other.
    fn in_order(&self) -> bool {
        false
    }

    /// Makes the artifact visible, and returns the reference that is printed.
    fn commit<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a, String>;

    /// Called when all artifacts of the run are committed: where they become
    /// visible together, now.
    fn finish(&self) -> Publishing<'_> {
        std::future::ready(Ok(())).boxed()
    }
}
