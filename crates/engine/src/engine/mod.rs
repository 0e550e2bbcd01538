//! Plans a run, executes the plan, and owns what both share: the budget, the
//! cancellation, the event sink.

mod clients;
mod start;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use freshness::Places;
use futures::future::try_join_all;
use golang::{Argument, Environment};
use oci::{Digest, Platform};
use once::blocking;
use registry::{Client, UnderWay};
use store::Store;

use self::clients::Clients;
use crate::bases::{BaseError, LockedBase};
use crate::blobs::Blobs;
use crate::build::{Followed, ListingError, Program};
use crate::cache::CacheHandle;
use crate::cancellation::Cancellation;
use crate::destinations::SbomFiles;
use crate::error::Error;
use crate::execute::{Executor, Published};
use crate::forecast::{Forecast, forecast};
use crate::image::{Artifact, ImageLayer, ImageOptions};
use crate::libraries::Libraries;
use crate::options::Network;
use crate::plan::{Examined, Plan, PlannedProgram, Planner};
use crate::sharing::Sharing;

/// Builds and publishes images.
#[derive(Debug)]
pub struct Engine {
    planner: Planner,
    sbom_files: Option<SbomFiles>,
    image: ImageOptions,
    sbom: bool,
    provenance: bool,
    cache: Arc<CacheHandle>,
    blobs: Blobs,
    libraries: Libraries,
    clients: Clients,
    cancellation: Cancellation,
    pub(crate) work_dir: PathBuf,
    /// Whether images get a debugger.
    debug: bool,
    pub(crate) network: Network,
    /// Threads that may parse manifests at once.
    pub(crate) threads: std::num::NonZeroUsize,
    followed: Option<Arc<Followed>>,
    sharing: Option<Arc<Sharing>>,
    committing: Arc<AtomicBool>,
}

/// What a run has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Processes that were started: `go`, `git`, and what leads to the nodes of
    /// a cluster; not what they start.
    pub processes: u64,
    /// Requests to registries.
    pub requests: u64,
    /// Bytes of the bodies of requests.
    pub bytes_sent: u64,
    /// Bytes of the bodies of answers.
    pub bytes_received: u64,
    /// Bytes of blobs that have left, also those that are not answered yet.
    pub bytes_moved: u64,
}

/// A base that is in the cache with its layers.
#[derive(Debug, Clone)]
pub struct PulledBase {
    /// The base as the user wrote it.
    pub base: String,
    /// The digest that its tag points at. `None` if `base` is a digest, or built in.
    pub digest: Option<Digest>,
    /// The platforms whose images are there.
    pub platforms: Vec<Platform>,
    /// The size of their layers.
    pub bytes: u64,
}

impl Engine {
    /// Ends the run from another thread: running children are interrupted, and
    /// work on threads stops at its next step. Drop the future of
    /// [`execute`](Self::execute) afterwards.
    pub fn cancel(&self) {
        self.cancellation.cancel();
    }

    /// Plans to build and publish the programs that the arguments name, each
    /// once. Nothing is built or sent; only the cache is written.
    ///
    /// # Errors
    /// The first argument that names no program; then the first program whose
    /// base cannot be had or whose settings are wrong.
    pub async fn plan(&self, arguments: &[String]) -> Result<Plan, Error> {
        self.prepare();
        let parsed = arguments.iter().map(|argument| Argument::parse(argument));
        let arguments = parsed.collect::<Result<Vec<_>, _>>().map_err(ListingError::from)?;
        let (programs, planned) = self.planner.programs(&arguments).await?;
        self.plan_programs(&programs, planned).await
    }

    /// Looks at everything that a build of these programs would settle before anything
    /// is compiled: the configured builds, names, templates, files. Programs that `go.mod`
    /// files do not know are left out. Of the bases, only `scratch` asks nobody.
    ///
    /// # Errors
    /// A configured build is not where it says.
    pub async fn examine(&self, arguments: &[String]) -> Result<Vec<Examined>, Error> {
        let parsed = arguments.iter().map(|argument| Argument::parse(argument));
        let arguments = parsed.collect::<Result<Vec<_>, _>>().map_err(ListingError::from)?;
        self.planner.examine(&arguments).await
    }

    /// Builds and publishes the targets of a plan.
    ///
    /// # Errors
    /// The first failure in the order of the programs; work under way is
    /// cancelled, and no tag has moved unless a registry failed at the last
    /// step.
    pub async fn execute(&self, plan: &Plan) -> Result<Vec<Published>, Error> {
        self.executor().execute(plan).await
    }

    /// Tells what executing a plan would do. Destinations are asked for what they
    /// have; nothing is built or sent. `process` is the environment of the options.
    ///
    /// # Errors
    /// A destination does not answer, or what is in kodata cannot be read.
    pub async fn forecast(&self, plan: &Plan, process: &Environment) -> Result<Forecast, Error> {
        // The debugger of an image may have to be built.
        let executor = Some(self.executor()).filter(|_| !self.debug);
        forecast(plan, executor.as_ref(), process).await
    }

    /// The digests of the images of a plan, if nothing has to be built for them.
    /// Destinations are not asked.
    ///
    /// # Errors
    /// What is in kodata cannot be read.
    pub async fn known(&self, plan: &Plan) -> Result<Option<Vec<Digest>>, Error> {
        if plan.programs.iter().any(PlannedProgram::is_stale) {
            return Ok(None);
        }
        let executor = self.executor();
        let artifacts = plan.programs.iter().map(|planned| executor.assembled(planned));
        let artifacts = try_join_all(artifacts).await?;
        Ok(Some(artifacts.iter().map(Artifact::digest).collect()))
    }

    fn executor(&self) -> Executor<'_> {
        Executor {
            builder: &*self.planner.builder,
            destinations: &self.planner.destinations,
            sbom_files: self.sbom_files.as_ref(),
            image: &self.image,
            sbom: self.sbom,
            provenance: self.provenance,
            libraries: &self.libraries,
            store: &self.cache.store,
            observer: &self.planner.observer,
            cancellation: &self.cancellation,
            sharing: self.sharing.as_ref(),
            committing: &self.committing,
        }
    }

    /// What the tags of all bases of the options point at, `now`; those that were
    /// fetched by this run are not asked for again.
    ///
    /// # Errors
    /// The first base that cannot be fetched.
    pub async fn lock_bases(&self, now: jiff::Timestamp) -> Result<Vec<LockedBase>, Error> {
        let Planner { bases, choice, .. } = &self.planner;
        let fetched = choice.all().map(|reference| bases.get(reference));
        let fetched = try_join_all(fetched).await.map_err(Error::Base)?;
        Ok(fetched.iter().filter_map(|base| base.lock(now)).collect())
    }

    /// Brings all bases of the options into the cache, with the layers of the images
    /// for the wanted platforms: each with its digest, and how many layers it has.
    ///
    /// # Errors
    /// The first base that cannot be fetched, for the wanted platforms, or kept.
    pub async fn pull_bases(&self) -> Result<Vec<PulledBase>, Error> {
        let Planner { bases, choice, .. } = &self.planner;
        let pulls = choice.all().map(|reference| async move {
            let base = bases.get(reference).await.map_err(Error::Base)?;
            let selected = bases.select(&base).await.map_err(Error::Base)?;
            let layers: Vec<ImageLayer> =
                selected.images().flat_map(|image| image.layers().collect::<Vec<_>>()).collect();
            let provided = layers.iter().map(|layer| self.blobs.provide(layer));
            try_join_all(provided).await.map_err(|source| {
                Error::Base(BaseError::Layer { base: reference.to_string(), source })
            })?;
            Ok(PulledBase {
                base: reference.to_string(),
                digest: base.found_digest(),
                platforms: selected.platforms().cloned().collect(),
                bytes: layers.iter().map(|layer| layer.descriptor.size).sum(),
            })
        });
        try_join_all(pulls).await
    }

    /// Plans, and executes the plan.
    ///
    /// # Errors
    /// As [`plan`](Self::plan) and [`execute`](Self::execute).
    pub async fn build(&self, arguments: &[String]) -> Result<Vec<Published>, Error> {
        let plan = self.plan(arguments).await?;
        self.execute(&plan).await
    }

    /// Waits until all that was learnt for the next run is kept, and the cache
    /// is within its bound: after a failure too, for what was built by then.
    /// Nothing that was returned before depends on it.
    pub async fn settle(&self) {
        self.planner.builder.finish().await;
        let (cache, observer) = (Arc::clone(&self.cache), self.planner.observer.clone());
        blocking(move || cache.tidy(&observer)).await;
    }

    /// Whether the run makes its images visible by now, or has: until it has ended,
    /// another must not, or the older image might have the tag in the end. Before,
    /// it may be cancelled.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.committing.load(Ordering::SeqCst)
    }

    /// What the run has read, as far as [`follow`](crate::Options::follow) has it kept in
    /// mind: the places whose changes make another image. Asked once, after
    /// [`settle`](Self::settle); a run that has `failed` may depend on more than
    /// it found.
    pub async fn followed(&self, failed: bool) -> Places {
        let Some(followed) = self.followed.clone() else { return Places::default() };
        let cancel = self.cancellation.run.clone();
        blocking(move || followed.places(failed, &cancel)).await
    }

    /// Starts what will be needed whatever is built.
    pub(crate) fn prepare(&self) {
        let Planner { bases, choice, .. } = &self.planner;
        if choice.overrides.is_empty() && choice.all().next().is_some() {
            bases.prepare(&choice.default);
        }
    }

    pub(crate) async fn plan_programs(
        &self,
        programs: &[Program],
        planned: Vec<PlannedProgram>,
    ) -> Result<Plan, Error> {
        self.planner.plan(programs, planned).await
    }

    /// Where relative arguments start.
    #[must_use]
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    pub(crate) fn store(&self) -> &Store {
        &self.cache.store
    }

    pub(crate) fn planner(&self) -> &Planner {
        &self.planner
    }

    /// What the run is waiting for at registries, the oldest first.
    #[must_use]
    pub fn under_way(&self) -> Vec<UnderWay> {
        self.clients.all().iter().flat_map(Client::under_way).collect()
    }

    /// What the run has cost so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counter()()
    }

    /// Tells from any thread what the run has cost so far, also when it has ended.
    pub fn counter(&self) -> impl Fn() -> Counters + Send + Sync + use<> {
        let (clients, run) = (self.clients.all(), self.cancellation.run.clone());
        move || {
            let mut counters = Counters { processes: run.children(), ..Counters::default() };
            for client in &clients {
                let traffic = client.traffic();
                counters.requests += traffic.requests;
                counters.bytes_sent += traffic.sent;
                counters.bytes_received += traffic.received;
                counters.bytes_moved += traffic.moved;
            }
            counters
        }
    }
}

impl Engine {
    /// Tells from any thread how many bytes of blobs have left for a repository, which is named
    /// with its registry.
    pub fn moved_to(&self) -> impl Fn(&str) -> u64 + Send + Sync + use<> {
        let destination = self.clients.destination.clone();
        move |repository| destination.moved_to(repository)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.cancel();
    }
}
