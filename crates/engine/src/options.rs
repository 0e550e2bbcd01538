//! Holds everything that a run depends on: the engine reads no environment, no
//! configuration file and no working directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use golang::{Environment, Uses};
use layer::Compression;
use oci::{Platform, PlatformMatcher};
use registry::{Anonymous, ClientOptions, Keychain, Proxies, Registries, RetryPolicy, RootPlaces};

use crate::activity::Clock;
use crate::bases::{BaseReference, LockedBases};
use crate::budget::Limits;
use crate::build::{BuildOptions, DebugOptions};
use crate::container_engine::EnginePlaces;
use crate::destinations::{DestinationOptions, SigningOptions};
use crate::image::ImageOptions;
use crate::image::sbom::SbomOptions;
use crate::sharing::SharingOptions;

/// The options of a run. [`Options::new`] has defaults for all that is not its
/// parameter.
#[derive(Debug)]
#[non_exhaustive]
pub struct Options {
    /// Where relative arguments start, absolute.
    pub work_dir: PathBuf,
    /// The environment that `go` inherits.
    pub environment: Environment,
    /// The `go` to run, if not the first in PATH.
    pub go: Option<OsString>,
    /// A release of Go that is not known is taken for the newest that is
    /// (`KO_FRESH_UNPROVEN_GO`).
    pub trust_unproven_go: bool,
    /// The root of the cache, if there is a place for one.
    pub cache: Option<PathBuf>,
    /// The user has named `cache`: a run fails if it cannot be used.
    pub cache_is_named: bool,
    /// Where a temporary cache is created if `cache` cannot be used, belongs to
    /// somebody else, or is not set. Without it, the run fails then.
    pub fallback_dir: Option<PathBuf>,
    /// How many bytes of the cache may be left at the end of a run. What the
    /// run itself used stays, even if that alone is more.
    pub cache_size: u64,
    /// Build programs even if they are known to come out the same.
    pub rebuild: bool,
    /// Whether the cache is only read (`--dry-run`): what is learnt goes below
    /// `fallback_dir`, and is removed in the end.
    pub dry_run: bool,
    /// How much may happen at once.
    pub limits: Limits,
    /// How programs are built.
    pub build: BuildOptions,
    /// The platforms to build for.
    pub platforms: PlatformMatcher,
    /// No platform was named: the container engine that images are loaded into
    /// decides.
    pub container_engine_default: bool,
    /// The base of import paths without an override.
    pub default_base: BaseReference,
    /// Bases by import path in lower case.
    pub base_overrides: BTreeMap<String, BaseReference>,
    /// What has named each base, as it is written there: `--base names it`, for hints.
    pub bases_named_by: BTreeMap<String, String>,
    /// Which digests the tags of bases stand for.
    pub locked: LockedBases,
    /// A base that is older than this is worth a notice.
    pub max_base_age: Option<Duration>,
    /// What links in kodata may reach (`KO_DATA_PATH_ALLOWED_ROOT`).
    pub kodata_root: Option<PathBuf>,
    /// How layers are compressed.
    pub compression: Compression,
    /// How programs are debugged, if images have a debugger.
    pub debug: Option<DebugOptions>,
    /// What goes into every image.
    pub image: ImageOptions,
    /// How SBOMs are made; not at all without.
    pub sbom: Option<SbomOptions>,
    /// How images are signed; not at all without.
    pub signing: Option<SigningOptions>,
    /// Where images go.
    pub destination: DestinationOptions,
    /// Where engines may be.
    pub engines: EnginePlaces,
    /// How registries are spoken to.
    pub network: Network,
    /// The caches that are shared with other machines.
    pub sharing: SharingOptions,
    /// The clock.
    pub clock: Clock,
    /// Keep in mind what is read, for [`Engine::followed`](crate::Engine::followed).
    pub follow: bool,
}

impl Options {
    /// A run in `work_dir`, whose programs are built by the first `go` in the
    /// `PATH` of `environment`, on `ko.static`, for linux/amd64, without
    /// SBOMs. It needs a `cache`, or a place for one (`fallback_dir`).
    #[must_use]
    pub fn new(
        work_dir: PathBuf,
        environment: Environment,
        limits: Limits,
        destination: DestinationOptions,
        network: Network,
    ) -> Self {
        Self {
            work_dir,
            environment,
            go: None,
            trust_unproven_go: false,
            cache: None,
            cache_is_named: false,
            fallback_dir: None,
            cache_size: u64::MAX,
            rebuild: false,
            dry_run: false,
            limits,
            build: BuildOptions::default(),
            platforms: PlatformMatcher::Any(vec![Platform {
                os: "linux".to_owned(),
                architecture: "amd64".to_owned(),
                ..Platform::default()
            }]),
            container_engine_default: false,
            default_base: BaseReference::Static,
            base_overrides: BTreeMap::new(),
            bases_named_by: BTreeMap::new(),
            locked: LockedBases::default(),
            max_base_age: None,
            kodata_root: None,
            compression: Compression::default(),
            debug: None,
            image: ImageOptions::default(),
            sbom: None,
            signing: None,
            destination,
            engines: EnginePlaces::default(),
            network,
            sharing: SharingOptions::default(),
            clock: Clock::default(),
            follow: false,
        }
    }

    /// Whether templates use the time of the build.
    #[must_use]
    pub fn uses_date(&self) -> bool {
        self.uses().date
    }

    /// What the templates look at.
    pub(crate) fn uses(&self) -> Uses {
        self.build.uses().union(self.destination.uses())
    }
}

impl Default for Network {
    /// The docker configuration is not read: nobody is logged in.
    fn default() -> Self {
        Self {
            user_agent: concat!("ko/", env!("CARGO_PKG_VERSION")).to_owned(),
            insecure: false,
            registries: Registries::default(),
            roots: RootPlaces::default(),
            proxies: Proxies::default(),
            retry: RetryPolicy::default(),
            watched: false,
            keychain: Arc::new(Anonymous),
            create_repositories: false,
            offline: false,
        }
    }
}

/// How registries are spoken to.
#[derive(Debug, Clone)]
pub struct Network {
    /// The `User-Agent`.
    pub user_agent: String,
    /// `--insecure-registry`: plain http and any certificate for the
    /// destination, plain http for bases.
    pub insecure: bool,
    /// What is said of single registries.
    pub registries: Registries,
    /// Where the certificates of authorities are.
    pub roots: RootPlaces,
    /// Which requests go through a proxy.
    pub proxies: Proxies,
    /// When and how often something is tried again.
    pub retry: RetryPolicy,
    /// Whether each request is an [`Event::Exchange`](crate::Event::Exchange).
    pub watched: bool,
    /// Whose credentials are used.
    pub keychain: Arc<dyn Keychain>,
    /// Repositories that are not there are made, where the registry has that done
    /// before the first push (`--create-repositories`).
    pub create_repositories: bool,
    /// Nothing is asked of the network but the destination (`--offline`).
    pub offline: bool,
}

impl Network {
    /// What every client of a registry takes of it.
    pub(crate) fn client_options(&self) -> ClientOptions {
        ClientOptions {
            user_agent: self.user_agent.clone(),
            insecure: self.insecure,
            registries: self.registries.clone(),
            roots: self.roots.clone(),
            proxies: self.proxies.clone(),
            retry: self.retry.clone(),
            create_repositories: self.create_repositories,
            ..ClientOptions::default()
        }
    }
}
