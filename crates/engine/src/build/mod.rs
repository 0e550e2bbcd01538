//! Builds programs: lists them, proves which are fresh, compiles the others,
//! makes their layers, and records what was built.

mod allowed;
mod compile;
mod debugger;
mod error;
mod files;
mod finish;
mod flags;
mod followed;
mod freshness;
mod go_builder;
mod kodata;
mod layers;
mod listing;
mod memo;
mod missing;
mod modules;
mod offline;
mod options;
mod outcomes;
mod prebuilt;
mod program;
mod recorder;
mod settings;
mod verified;

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::{BoxFuture, Shared};
use golang::{Argument, LoadError, ProgramFacts, Template};
use layer::Layer;
use oci::Platform;

pub use self::allowed::NotAllowed;
pub(crate) use self::allowed::{PROCESSOR, flags, linker, variable};
pub use self::debugger::DebugOptions;
pub use self::error::{BuildFailure, ListingError};
pub use self::files::FileProblem;
pub(crate) use self::files::PlannedFiles;
pub(crate) use self::followed::Followed;
pub(crate) use self::freshness::{Checked, Verdict};
pub(crate) use self::go_builder::{BuilderParts, builder};
pub(crate) use self::kodata::SharedKodata;
pub(crate) use self::layers::{BuiltProgram, KodataLayer};
pub(crate) use self::listing::{Memory, refused, unlisted};
pub(crate) use self::offline::forbid_network;
pub use self::options::{
    BuildConfig, BuildFlags, BuildOptions, ImageFile, ImageMain, Prebuilt, PrebuiltFile,
    VerifiedBuild,
};
pub(crate) use self::program::Program;
use crate::image::DebuggerLayer;
use crate::libraries::CheckLibraries;

/// What builds programs. A trait, so that the order of a run is tested without
/// `go`.
pub(crate) trait Builder: Debug + Send + Sync {
    /// Looks arguments up.
    fn look_up(
        &self,
        arguments: Vec<Argument>,
        memory: Memory,
    ) -> BoxFuture<'_, Result<LookUp, ListingError>>;

    /// What templates about a program come to, for no platform.
    fn expand<'a>(
        &'a self,
        program: &'a Program,
        templates: &'a [&'a Template],
        facts: ProgramFacts<'a>,
    ) -> BoxFuture<'a, Result<Vec<String>, BuildFailure>>;

    /// Decides whether a program must be built for a platform.
    fn check<'a>(
        &'a self,
        program: &'a Program,
        platform: &'a Platform,
    ) -> BoxFuture<'a, Result<Arc<Checked>, BuildFailure>>;

    /// Starts to build all targets; the handles are in their order.
    fn start(&self, targets: Vec<(Program, Platform, Arc<Checked>)>) -> Vec<BuildHandle>;

    /// The layer of a program's kodata: one for all platforms of an OS family.
    fn kodata<'a>(
        &'a self,
        program: &'a Program,
        windows: bool,
    ) -> BoxFuture<'a, Result<KodataLayer, BuildFailure>>;

    /// A file that two of the programs of an image have in their kodata, each another one.
    fn shared_kodata<'a>(
        &'a self,
        programs: &'a [&'a Program],
    ) -> BoxFuture<'a, Result<Option<SharedKodata>, BuildFailure>>;

    /// The files of a program's image for a platform, if there are any: found, and not
    /// made a layer yet. `names` are those of all programs in the image.
    fn files<'a>(
        &'a self,
        program: &'a Program,
        platform: &'a Platform,
        facts: ProgramFacts<'a>,
        names: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<Arc<PlannedFiles>>, BuildFailure>>;

    /// The layer of files, which images share.
    fn files_layer(&self, planned: Arc<PlannedFiles>)
    -> BoxFuture<'_, Result<Layer, BuildFailure>>;

    /// Whether the image of a program is without a layer of kodata if that has no files.
    fn skips_empty_kodata(&self, program: &Program) -> bool;

    /// What becomes of a program whose libraries the base has not.
    fn checks_libraries(&self, program: &Program) -> CheckLibraries;

    /// The debugger of a program's image, if one is wanted and there is one for
    /// the platform.
    fn debugger<'a>(
        &'a self,
        program: &'a Program,
        platform: &'a Platform,
        checked: &'a Checked,
    ) -> BoxFuture<'a, Result<Option<DebuggerLayer>, BuildFailure>>;

    /// Waits until everything that was built is recorded.
    fn finish(&self) -> BoxFuture<'_, ()>;
}

/// A build under way. It goes on whether or not somebody waits.
#[derive(Debug, Clone)]
pub(crate) struct BuildHandle {
    /// The layer of the binary as soon as that is installed, if `go` announces
    /// it. It may be another one in the end.
    pub(crate) installed: Shared<BoxFuture<'static, Option<Layer>>>,
    /// What was built, when `go` has ended.
    pub(crate) finished: Shared<BoxFuture<'static, Result<BuiltProgram, BuildFailure>>>,
}

/// The answers of a look-up: remembered ones, and a way to ask `go`.
pub(crate) struct LookUp {
    /// The programs as they are remembered, if all are. They are true only if
    /// nothing has changed, which the caller proves.
    pub(crate) remembered: Option<Vec<Program>>,
    /// What `go list` says. Nothing runs before it is awaited.
    pub(crate) listed: BoxFuture<'static, Result<Vec<Result<Program, LoadError>>, ListingError>>,
    /// Remembers those that were guessed, if any were: for when they are proven.
    pub(crate) proven: Option<BoxFuture<'static, ()>>,
}

impl Debug for LookUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookUp").field("remembered", &self.remembered).finish_non_exhaustive()
    }
}
