//! Makes a run of its options.

use std::sync::Arc;

use golang::Go;
use layer::Compressor;
use oci::PlatformMatcher;
use once::blocking;

use super::Engine;
use super::clients::Clients;
use crate::activity::Activity;
use crate::bases::Bases;
use crate::blobs::Blobs;
use crate::budget::{Budget, link_weight};
use crate::build::{BuilderParts, Followed, builder, forbid_network};
use crate::cache::CacheHandle;
use crate::cancellation::Cancellation;
use crate::container_engine::ContainerEngine;
use crate::described::Descriptions;
use crate::destinations::{Destination, DestinationParts, Destinations, Local, SbomFiles};
use crate::error::Error;
use crate::events::Observer;
use crate::libraries::Libraries;
use crate::naming::Naming;
use crate::options::Options;
use crate::plan::{BaseChoice, MaxAge, Planner};
use crate::platform::HOST_ARCHITECTURE;
use crate::sharing::Sharing;

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
            None => Clients::new(&options.network, &options.limits, &store, &observer)?,
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
            options.bases_named_by,
            observer.clone(),
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
            .map(|go| go.trusting_unproven(options.trust_unproven_go))
            .map(|go| go.with_heap(budget.builds.heap(link_weight(None))));
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
