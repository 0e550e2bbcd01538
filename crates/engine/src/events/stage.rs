//! Reports when the stages of a run begin and end, and counts what happens
//! meanwhile. It never reads a clock.

use oci::Platform;

use super::{Event, Observer};

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Finding out which programs are meant: what is remembered, or `go list`.
    List,
    /// Finding out what a base is.
    Base,
    /// Looking whether a program must be built.
    Freshness,
    /// Waiting for a part of the CPU or memory budget.
    Wait,
    /// Compiling and linking a program, by a `go build` that it may share with
    /// others.
    Compile,
    /// Making the layer of kodata, or finding it in the cache.
    Kodata,
    /// Making the layer of a program, or finding it in the cache.
    Layer,
    /// Sending a layer, or finding that it is there.
    Upload,
    /// Sending the rest of an image, waiting for its layers, and moving tags.
    Publish,
}

impl Stage {
    /// Its name, as in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Base => "base",
            Self::Freshness => "freshness",
            Self::Wait => "wait",
            Self::Compile => "compile",
            Self::Kodata => "kodata",
            Self::Layer => "layer",
            Self::Upload => "upload",
            Self::Publish => "publish",
        }
    }
}

/// Whose stage it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Work {
    /// Which part of the run.
    pub stage: Stage,
    /// The import path, without `ko://`; none for what all share.
    pub import_path: Option<String>,
    /// The platform; none for what all share.
    pub platform: Option<Platform>,
}

/// Which end of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It begins.
    Begin,
    /// It ends, well or not.
    End,
}

/// A stage that goes on; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "a stage ends when this is dropped"]
pub(crate) struct StageSpan {
    observer: Observer,
    work: Work,
}

impl StageSpan {
    pub(crate) fn begin(
        observer: &Observer,
        stage: Stage,
        import_path: Option<&str>,
        platform: Option<&Platform>,
    ) -> Self {
        let work = Work {
            stage,
            import_path: import_path.map(str::to_owned),
            platform: platform.cloned(),
        };
        observer.emit(Event::Stage { work: work.clone(), edge: Edge::Begin });
        Self { observer: observer.clone(), work }
    }
}

impl Drop for StageSpan {
    fn drop(&mut self) {
        let work = self.work.clone();
        self.observer.emit(Event::Stage { work, edge: Edge::End });
    }
}
