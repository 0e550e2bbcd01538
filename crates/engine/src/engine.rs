//! Plans a run, executes the plan, and owns what both share: the budget, the
//! cancellation, the event sink.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use freshness::Places;
use futures::future::try_join_all;
use golang::{Argument, Environment, Go};
use layer::Compressor;
use oci::{Digest, Platform, PlatformMatcher, Repository};
use registry::{Client, ClientOptions, MirrorAnswer, MirrorObserver, UnderWay, Watcher};
use store::Store;

use crate::activity::Activity;
use crate::bases::{BaseError, Bases, LockedBase};
use crate::blobs::Blobs;
use crate::blocking::blocking;
use crate::budget::Budget;
use crate::build::{BuilderParts, Followed, ListingError, Program, builder, forbid_network};
use crate::cache::CacheHandle;
use crate::cancellation::Cancellation;
use crate::container_engine::ContainerEngine;
use crate::described::Descriptions;
use crate::destinations::{Destination, DestinationParts, Destinations, Local, SbomFiles};
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::execute::{Executor, Published};
use crate::forecast::{Forecast, forecast};
use crate::image::{Artifact, ImageLayer, ImageName, ImageOptions};
use crate::libraries::Libraries;
use crate::naming::Naming;
use crate::options::{Network, Options};
use crate::plan::{BaseChoice, MaxAge, Plan, PlannedProgram, Planner};
use crate::platform::HOST_ARCHITECTURE;
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
    /// Prepares a run. Of the network, at most the container engine that images
    /// are loaded into is asked, for its platform.
    ///
    /// # Errors
    /// The cache cannot be opened, or no container engine answers.
    pub async fn start(options: Options, observer: Observer) -> Result<Self, Error> {
        Self::start_with(options, observer, |_| Vec::new()).await
    }

    /// The same with destinations of the caller's own, which are served before
    /// those of the options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(
        options: Options,
        observer: Observer,
        others: impl FnOnce(&Blobs) -> Vec<Box<dyn Destination>>,
    ) -> Result<Self, Error> {
        Self::begin(options, observer, others, None).await
    }

    /// Prepares another run, with what this one has learnt of registries: its
    /// connections and credentials are used again. The options about the network
    /// must be those of this run, whose observer goes on hearing of requests and
    /// mirrors.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn again(&self, options: Options, observer: Observer) -> Result<Self, Error> {
        Self::begin(options, observer, |_| Vec::new(), Some(self)).await
    }

    async fn begin(
        mut options: Options,
        observer: Observer,
        others: impl FnOnce(&Blobs) -> Vec<Box<dyn Destination>>,
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        if let Some(platforms) = engine_platform(&options).await? {
            options.platforms = platforms;
        }
        let (dir, fallback_dir, size) =
            (options.cache.take(), options.fallback_dir.take(), options.cache_size);
        let (dry_run, named) = (options.dry_run, options.cache_is_named);
        let debug = options.debug.is_some();
        let provenance = options.build.verifies.is_some()
            || options.signing.as_ref().is_some_and(|signing| signing.provenance.is_some());
        let uses = options.uses();
        if options.network.offline {
            forbid_network(&mut options.environment, &mut options.build);
        }
        let sink = observer.clone();
        let opening = move || {
            CacheHandle::new((dir.as_deref(), named, fallback_dir.as_deref()), size, dry_run, &sink)
        };
        let opened = match before.map(|before| &before.cache) {
            // It ends with its last user.
            Some(cache) if cache.is_temporary() => Arc::clone(cache),
            _ => Arc::new(blocking(opening).await?),
        };
        let store = opened.store.clone();
        let clients = match before {
            Some(before) => before.clients.clone(),
            None => Clients::new(&options.network, &store, &observer)?,
        };
        let follow =
            || Followed::new(&options.work_dir, &options.build.builds, &options.environment);
        let followed = options.follow.then(|| Arc::new(follow()));
        let cancellation = Cancellation::default();
        let activity = Activity::new(options.clock);
        let budget = Budget::new(options.limits);
        let compressor = Compressor::new(options.limits.threads).with(options.compression);
        let created = options.image.kodata_created.as_ref().map_or(0, |(seconds, _)| *seconds);
        let builds = &options.build.builds;
        let choice = BaseChoice {
            default: options.default_base,
            overrides: options.base_overrides,
            compression: options.compression,
            builds: builds.iter().map(|build| build.id.clone()).collect(),
            mains: builds.iter().map(|build| (build.dir.clone(), build.mains.clone())).collect(),
            prebuilt: (0..builds.len()).filter(|at| builds[*at].prebuilt.is_some()).collect(),
            all_prebuilt: options.build.prebuilt.is_some(),
            max_age: options.max_base_age.map(|age| MaxAge { age, now: options.build.time }),
        };
        let bases = Arc::new(Bases::new(
            clients.bases.clone(),
            store.clone(),
            options.engines.clone(),
            options.platforms.clone(),
            options.locked,
        ));
        let blobs = Blobs::new(store.clone(), clients.bases.clone());
        let naming = Naming::new(&options.destination, &options.build.builds);
        let descriptions = Descriptions::new(&options.build);
        let parts = DestinationParts {
            options: &options.destination,
            follow: options.follow,
            work_dir: &options.work_dir,
            engines: &options.engines,
            sbom: options.sbom.as_ref(),
            signing: options.signing.as_ref(),
            client: &clients.destination,
            blobs: &blobs,
            observer: &observer,
            activity: &activity,
            cancel: &cancellation.work,
        };
        let destinations = Arc::new(Destinations::new(&parts, others(&blobs)));
        let go = Go::find(options.go.as_deref(), &options.environment, &options.work_dir)
            .map(|go| go.trusting_unproven(options.trust_unproven_go));
        let network = Some(&clients.destination).filter(|_| !options.network.offline);
        let sharing = Sharing::new(options.sharing, network, &options.work_dir, &store, &observer)?;
        let parts = BuilderParts {
            store,
            work_dir: options.work_dir.clone(),
            environment: options.environment,
            options: options.build,
            uses,
            platforms: options.platforms,
            debug: options.debug,
            rebuild: options.rebuild,
            needs_info: options.sbom.is_some() || provenance,
            kodata_created: created,
            kodata_root: options.kodata_root,
            compressor,
            compression: options.compression.id(),
            budget,
            limits: options.limits,
            observer: observer.clone(),
            activity,
            cancellation: cancellation.clone(),
            followed: followed.clone(),
            sharing: sharing.clone(),
        };
        let builder = builder(go, parts);
        let sbom_files = SbomFiles::new(options.sbom.as_ref(), &options.work_dir, &observer);
        Ok(Self {
            planner: Planner {
                builder,
                bases,
                destinations,
                choice: Arc::new(choice),
                naming: Arc::new(naming),
                descriptions: Arc::new(descriptions),
                upon: Arc::default(),
                observer,
            },
            sbom_files,
            image: options.image,
            sbom: options.sbom.is_some(),
            provenance,
            cache: opened,
            libraries: Libraries::new(blobs.clone()),
            blobs,
            clients,
            cancellation,
            work_dir: options.work_dir,
            debug,
            network: options.network,
            threads: options.limits.threads,
            followed,
            sharing,
            committing: Arc::default(),
        })
    }

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

    /// What the images of the programs are called that the arguments name. Bases and
    /// destinations are not asked.
    ///
    /// # Errors
    /// The first argument that names no program, or whose image has no name.
    pub async fn names(&self, arguments: &[String]) -> Result<Vec<ImageName>, Error> {
        let parsed = arguments.iter().map(|argument| Argument::parse(argument));
        let arguments = parsed.collect::<Result<Vec<_>, _>>().map_err(ListingError::from)?;
        self.planner.names(&arguments).await
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

    /// What the run has read, as far as [`Options::follow`] has it kept in mind:
    /// the places whose changes make another image. Asked once, after
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

impl Drop for Engine {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// The platform of the container engine that images are loaded into, if no
/// platform was named.
async fn engine_platform(options: &Options) -> Result<Option<PlatformMatcher>, Error> {
    let Some(local) =
        options.destination.local.as_ref().filter(|_| options.container_engine_default)
    else {
        return Ok(None);
    };
    let (os, architecture) = match local {
        Local::Engine(kind) => ContainerEngine::find(&options.engines, *kind).await?.platform,
        Local::Cluster(_) => ("linux".to_owned(), HOST_ARCHITECTURE.to_owned()),
    };
    Ok(PlatformMatcher::parse(&[format!("{os}/{architecture}")]).ok())
}

/// Says which mirror of a base's registry answers.
fn mirror_observer(observer: &Observer) -> MirrorObserver {
    let observer = observer.clone();
    MirrorObserver::new(move |MirrorAnswer { origin, by, failed }| {
        let failed = failed.into_iter().map(|(mirror, reason)| (mirror.full_name(), reason));
        observer.emit(Event::BaseMirror {
            repository: origin.full_name(),
            by: by.as_ref().map(Repository::full_name),
            failed: failed.collect(),
        });
    })
}

/// The clients of a run.
#[derive(Debug, Clone)]
struct Clients {
    bases: Client,
    destination: Client,
}

impl Clients {
    /// Two only where they must behave differently: one finds out everything
    /// about a registry once.
    fn new(network: &Network, store: &Store, observer: &Observer) -> Result<Self, Error> {
        let watcher = network.watched.then(|| {
            let observer = observer.clone();
            Watcher::new(move |exchange| observer.emit(Event::Exchange(Box::new(exchange))))
        });
        if let Some(watcher) = &watcher {
            network.keychain.watch(watcher);
        }
        let client = |skip_verify| {
            let options = ClientOptions {
                skip_verify,
                memory: Some(store.clone()),
                mirror_observer: Some(mirror_observer(observer)),
                watcher: watcher.clone(),
                ..network.client_options()
            };
            Client::new(options, Arc::clone(&network.keychain)).map_err(Error::Network)
        };
        let bases = client(false)?;
        let destination = if network.insecure { client(true)? } else { bases.clone() };
        let for_bases = bases.for_bases();
        let bases = if network.offline { for_bases.offline() } else { for_bases };
        Ok(Self { bases, destination })
    }

    /// Each that counts for itself.
    fn all(&self) -> Vec<Client> {
        let mut all = vec![self.bases.clone()];
        all.extend(Some(self.destination.clone()).filter(|other| !other.is_same(&self.bases)));
        all
    }
}
