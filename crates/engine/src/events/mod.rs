//! Defines the events of a run. The engine prints nothing: progress lines,
//! machine-readable output and tests are observers.

mod stage;
mod stale;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use oci::{Digest, Platform};
use registry::{Exchange, Pushed};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) use self::stage::StageSpan;
pub use self::stage::{Edge, Stage, Work};
pub use self::stale::StaleReason;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A reference stands inside a longer string (`--embedded`).
    EmbeddedReference {
        /// The reference, with `ko://`.
        reference: String,
        /// The file, as the user named it.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The base image of an import path is known.
    UsingBase {
        /// The base as the user wrote it.
        base: String,
        /// Its digest, unless `base` names it already or there is none.
        digest: Option<Digest>,
        /// The import path, without `ko://`.
        import_path: String,
    },
    /// The registry of a base has mirrors, and one of these places has answered.
    BaseMirror {
        /// The repository of the base in full.
        repository: String,
        /// Who has answered; `None` if nobody has.
        by: Option<String>,
        /// The mirrors that have failed, in full, and how.
        failed: Vec<(String, String)>,
    },
    /// Something that the user may want to know, and what can be done.
    Notice {
        /// What it is.
        text: String,
        /// What can be done.
        hint: Option<String>,
    },
    /// A configured build is used.
    UsingBuild {
        /// Its id.
        id: String,
        /// The import path, without `ko://`.
        import_path: String,
    },
    /// A program would come out as it is known to be: it is not built.
    Fresh {
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
    },
    /// A shared cache was asked for the outcome of a build.
    SharedCache {
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
        /// The URL of the cache.
        cache: String,
        /// Why what it has is of no use; `None` if it is.
        reason: Option<String>,
    },
    /// Go's build cache was filled from a shared cache.
    GoCache {
        /// The URL of the shared cache.
        cache: String,
        /// How many objects of packages were not there before.
        objects: usize,
        /// How much was fetched for that.
        bytes: u64,
    },
    /// What a shared cache has moved until now. It comes when the run has ended.
    SharedCacheMoved {
        /// The URL of the cache.
        cache: String,
        /// Requests that were answered; of a directory, files that were looked at.
        round_trips: u64,
        /// Bytes of content that were sent.
        sent: u64,
        /// Bytes of content that were received.
        received: u64,
        /// Why the run has gone on without it, if it has.
        failure: Option<String>,
    },
    /// The outcome of a build is not written to shared caches.
    NotShared {
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
        /// Why not.
        reason: String,
    },
    /// A program must be built.
    Stale {
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
        /// Why.
        reason: StaleReason,
    },
    /// A part of an image differs from the last run.
    ImageRebuilt {
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
        /// Which part.
        part: Part,
    },
    /// A build could not be recorded, so that the next run makes it again.
    NotRecorded {
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
        /// Why not.
        reason: String,
    },
    /// `go build` starts.
    Building {
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
    },
    /// `go build` failed. The run will, when its other programs are built.
    Failed {
        /// Whether the run is for this program alone, so that its error says the same.
        alone: bool,
        /// The import path, without `ko://`.
        import_path: String,
        /// For which platform.
        platform: Platform,
        /// What `go` said.
        reason: String,
    },
    /// The debugger is built.
    BuildingDebugger {
        /// For which platform.
        platform: Platform,
    },
    /// A link in kodata is left out, because Windows layers have none.
    KodataLinkSkipped {
        /// Its name in kodata.
        name: String,
    },
    /// An image is on its way to a registry under its first tag.
    Publishing {
        /// `name:tag`.
        reference: String,
    },
    /// An image gets a further tag.
    Tagging {
        /// `name:tag`.
        reference: String,
    },
    /// An image is complete in a registry.
    Published {
        /// The reference that is printed.
        reference: String,
    },
    /// An SBOM is being written to a file.
    WritingSbom {
        /// The file, below the directory as the user named it.
        path: PathBuf,
    },
    /// A signature or attestation is in a registry.
    Attested {
        /// The image or index.
        subject: Digest,
        /// What: `signature` or `provenance`.
        what: &'static str,
        /// Where that is.
        reference: String,
    },
    /// An SBOM is in a registry.
    PublishedSbom {
        /// The image or index that it is about.
        subject: Digest,
        /// `name:tag`, or `name@digest` of a referrer.
        reference: String,
    },
    /// An image is being loaded into an engine.
    Loading {
        /// `name:tag`.
        reference: String,
    },
    /// An engine has refused an image without the layers that it seemed to
    /// have: the whole image is sent.
    FullUploadFallback {
        /// `name:tag`.
        reference: String,
        /// What it said.
        reason: String,
    },
    /// An image is in an engine.
    Loaded {
        /// `name:tag`.
        reference: String,
        /// How many bytes were sent to the engine.
        sent: u64,
        /// How many of its layers were there, and not sent.
        skipped_layers: usize,
    },
    /// An image in an engine gets a tag.
    AddingTag {
        /// The tag.
        tag: String,
    },
    /// It has the tag.
    AddedTag {
        /// The tag.
        tag: String,
    },
    /// Images are being written to a layout or an archive.
    Saving {
        /// The import path, with `ko://`; of an archive its file.
        what: String,
    },
    /// They are written.
    Saved {
        /// The import path, with `ko://`; of an archive its file.
        what: String,
    },
    /// A request to a registry has ended, where that is watched.
    Exchange(Box<Exchange>),
    /// A part of the run begins or ends. The same work may begin again, also
    /// before it has ended.
    Stage {
        /// Which, and for whom.
        work: Work,
        /// Which end of it.
        edge: Edge,
    },
    /// A layer of kodata or of a program is there.
    Layer {
        /// The digest of its blob.
        digest: Digest,
        /// Whether it was in the cache.
        reused: bool,
    },
    /// A layer of an image is on its way.
    Uploading {
        /// The import path, without `ko://`.
        import_path: String,
        /// The repository in full.
        repository: String,
    },
    /// A layer is in the registry.
    LayerPushed {
        /// The repository in full.
        repository: String,
        /// The digest of its blob.
        digest: Digest,
        /// The size of its blob in bytes.
        size: u64,
        /// How it got there.
        how: Pushed,
    },
}

/// The parts of an image besides its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The base image.
    Base {
        /// The digest of the image that it was; none of `scratch`.
        was: Option<Digest>,
        /// The digest of the image that it is.
        is: Option<Digest>,
    },
    /// What is in `kodata`.
    Kodata {
        /// A file that has changed; the directory where it is not known.
        path: PathBuf,
        /// How many more have.
        others: usize,
    },
}

/// Takes events, from any thread, in the order in which they happen. It must
/// not block: see [`Observer::channel`].
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(Event) + Send + Sync>);

impl Observer {
    /// An observer that calls a function.
    pub fn new(take: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// The same observer, before which another function sees each event.
    #[must_use]
    pub fn after(self, look: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self::new(move |event| {
            look(&event);
            self.emit(event);
        })
    }

    /// An observer that sends events to a channel: it holds nothing up, however
    /// late they are received, and a receiver that is gone does not matter.
    #[must_use]
    pub fn channel() -> (Self, UnboundedReceiver<Event>) {
        let (sender, receiver) = unbounded_channel();
        let send = move |event| {
            let _ = sender.send(event);
        };
        (Self::new(send), receiver)
    }

    /// Hands an event over. A panic of the observer is its own: the run goes on.
    pub fn emit(&self, event: Event) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.0)(event)));
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagging(reference: &str) -> Event {
        Event::Tagging { reference: reference.to_owned() }
    }

    #[test]
    fn an_observer_that_panics_ends_nothing() {
        let observer = Observer::new(|_| panic!("of the observer"));
        observer.emit(tagging("a"));
        observer.emit(tagging("b"));
    }

    #[test]
    fn a_channel_keeps_events_and_survives_its_receiver() {
        let (observer, mut receiver) = Observer::channel();
        observer.emit(tagging("a"));
        observer.emit(tagging("b"));
        assert_eq!(receiver.try_recv(), Ok(tagging("a")));
        drop(receiver);
        observer.emit(tagging("c"));
    }
}
