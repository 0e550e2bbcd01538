//! Stands in for a builder where there is no `go`: only what needs one fails.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use golang::{Argument, FindError, ProgramFacts, Template};
use layer::Layer;
use oci::Platform;

use super::{
    BuildFailure, BuildHandle, Builder, Checked, KodataLayer, ListingError, LookUp, Memory,
    PlannedFiles, Program, SharedKodata,
};
use crate::image::DebuggerLayer;
use crate::libraries::CheckLibraries;

/// A builder that looks nothing up.
#[derive(Debug)]
pub(crate) struct MissingGo(Arc<FindError>);

impl MissingGo {
    pub(crate) fn new(error: Arc<FindError>) -> Self {
        Self(error)
    }
}

impl Builder for MissingGo {
    fn look_up(&self, _: Vec<Argument>, _: Memory) -> BoxFuture<'_, Result<LookUp, ListingError>> {
        ready(Err(ListingError::Go(Arc::clone(&self.0)))).boxed()
    }

    // Nothing is asked of programs that were not found.

    fn expand<'a>(
        &'a self,
        _: &'a Program,
        _: &'a [&'a Template],
        _: ProgramFacts<'a>,
    ) -> BoxFuture<'a, Result<Vec<String>, BuildFailure>> {
        ready(Err(BuildFailure::Cancelled)).boxed()
    }

    fn check<'a>(
        &'a self,
        _: &'a Program,
        _: &'a Platform,
    ) -> BoxFuture<'a, Result<Arc<Checked>, BuildFailure>> {
        ready(Err(BuildFailure::Cancelled)).boxed()
    }

    fn start(&self, _: Vec<(Program, Platform, Arc<Checked>)>) -> Vec<BuildHandle> {
        Vec::new()
    }

    fn kodata<'a>(
        &'a self,
        _: &'a Program,
        _: bool,
    ) -> BoxFuture<'a, Result<KodataLayer, BuildFailure>> {
        ready(Err(BuildFailure::Cancelled)).boxed()
    }

    fn shared_kodata<'a>(
        &'a self,
        _: &'a [&'a Program],
    ) -> BoxFuture<'a, Result<Option<SharedKodata>, BuildFailure>> {
        ready(Ok(None)).boxed()
    }

    fn files<'a>(
        &'a self,
        _: &'a Program,
        _: &'a Platform,
        _: ProgramFacts<'a>,
        _: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<Arc<PlannedFiles>>, BuildFailure>> {
        ready(Ok(None)).boxed()
    }

    fn files_layer(&self, _: Arc<PlannedFiles>) -> BoxFuture<'_, Result<Layer, BuildFailure>> {
        ready(Err(BuildFailure::Cancelled)).boxed()
    }

    fn skips_empty_kodata(&self, _: &Program) -> bool {
        false
    }

    fn checks_libraries(&self, _: &Program) -> CheckLibraries {
        CheckLibraries::Off
    }

    fn debugger<'a>(
        &'a self,
        _: &'a Program,
        _: &'a Platform,
        _: &'a Checked,
    ) -> BoxFuture<'a, Result<Option<DebuggerLayer>, BuildFailure>> {
        ready(Err(BuildFailure::MissingGo(Arc::clone(&self.0)))).boxed()
    }

    fn finish(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
