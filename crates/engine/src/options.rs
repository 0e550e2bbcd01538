//! Everything that a run depends on, handed in by the command: the engine
//! reads no environment, no configuration file and no working directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use golang::{Environment, Template, Uses};
use layer::Compression;
use oci::{PlatformMatcher, Tag};
use registry::{Keychain, RootPlaces};

use crate::activity::Clock;
use crate::base::BaseReference;
use crate::daemon::{ContainerEngine, EngineKind, EnginePlaces};
use crate::debug::DebugOptions;
use crate::error::Error;
use crate::image::ImageOptions;
use crate::namer::Namer;
use crate::nodes::Cluster;
use crate::platform::HOST_ARCHITECTURE;
use crate::sbom::SbomOptions;

/// What a run depends on.
#[derive(Debug)]
pub struct Options {
    /// Where relative arguments start, absolute.
    pub work_dir: PathBuf,
    /// The environment that `go` inherits.
    pub environment: Environment,
    /// The `go` to run, if not the first in PATH.
    pub go: Option<OsString>,
    /// The root of the cache, if there is a place for one.
    pub cache: Option<PathBuf>,
    /// Where a cache for this run is made if that one cannot be used, or there
    /// is none. Without, the run fails then.
    pub spare: Option<PathBuf>,
    /// How many bytes of the cache may be left at the end of a run. What the
    /// run itself used stays, even if that alone is more.
    pub cache_size: u64,
    /// Build programs even if they are known to come out the same.
    pub rebuild: bool,
    /// How much may happen at once.
    pub limits: Limits,
    /// How programs are built.
    pub build: BuildOptions,
    /// The platforms to build for.
    pub platforms: PlatformMatcher,
    /// Nobody has named a platform: the engine that images are loaded into may.
    pub engine_decides: bool,
    /// The base of import paths without an override.
    pub default_base: BaseReference,
    /// Bases by import path in lower case.
    pub base_overrides: BTreeMap<String, BaseReference>,
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
    /// Where images go.
    pub destination: Destination,
    /// Where engines may be.
    pub engines: EnginePlaces,
    /// How registries are spoken to.
    pub network: Network,
    /// What says how much time has passed.
    pub clock: Clock,
}

impl Options {
    /// Asks the engine that images are loaded into for its platform, if nobody
    /// has named one.
    ///
    /// # Errors
    /// No engine answers.
    pub async fn ask_engine(&mut self) -> Result<(), Error> {
        if let Some(local) = self.destination.local.as_ref().filter(|_| self.engine_decides) {
            let (os, architecture) = match local {
                Local::Engine(kind) => {
                    let engine = ContainerEngine::find(&self.engines, *kind).await;
                    engine.map_err(Error::Daemon)?.platform
                }
                Local::Cluster(_) => ("linux".to_owned(), HOST_ARCHITECTURE.to_owned()),
            };
            let platform = PlatformMatcher::parse(&[format!("{os}/{architecture}")]);
            self.platforms = platform.unwrap_or_else(|_| self.platforms.clone());
        }
        Ok(())
    }
}

/// How programs are built.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Builds that are configured, for the programs in their directories.
    pub builds: Vec<BuildConfig>,
    /// For programs whose build says nothing else.
    pub defaults: BuildFlags,
    /// `--ldflags`: in place of all that is configured, unless empty.
    pub ldflags: Vec<Template>,
    /// What templates take for now.
    pub time: jiff::Timestamp,
    /// `--disable-optimizations`.
    pub disable_optimizations: bool,
}

/// A build that is configured (`builds[]` of `.ko.yaml`).
#[derive(Debug, Clone, Default)]
pub struct BuildConfig {
    /// What it is called in messages.
    pub id: String,
    /// Where `go` runs, relative to the working directory.
    pub dir: PathBuf,
    /// The package, or one of its files, relative to `dir`.
    pub main: PathBuf,
    /// How it is built. What is empty here is as in the defaults.
    pub flags: BuildFlags,
    /// What the program's file is allowed (`security.capability`), on linux.
    pub capabilities: Option<[u8; 20]>,
}

/// Flags and environment of `go build`.
#[derive(Debug, Clone, Default)]
pub struct BuildFlags {
    /// `NAME=value`, over the environment of the process.
    pub env: Vec<String>,
    /// Flags.
    pub flags: Vec<Template>,
    /// Flags for the linker.
    pub ldflags: Vec<Template>,
}

impl BuildOptions {
    /// What is in force for a program: each of the three lists is the one of
    /// its build, or the default; they are never merged.
    pub(crate) fn of(&self, config: Option<usize>) -> BuildFlags {
        let own = config.map(|index| &self.builds[index].flags);
        BuildFlags {
            env: pick(own, &self.defaults, |flags| &flags.env),
            flags: pick(own, &self.defaults, |flags| &flags.flags),
            ldflags: if self.ldflags.is_empty() {
                pick(own, &self.defaults, |flags| &flags.ldflags)
            } else {
                self.ldflags.clone()
            },
        }
    }

    /// What the templates of all builds look at.
    pub(crate) fn uses(&self) -> Uses {
        let builds = self.builds.iter().map(|build| &build.flags).chain([&self.defaults]);
        let templates =
            builds.flat_map(|flags| flags.flags.iter().chain(&flags.ldflags)).chain(&self.ldflags);
        templates.map(Template::uses).fold(Uses::default(), Uses::union)
    }
}

fn pick<T: Clone>(
    own: Option<&BuildFlags>,
    defaults: &BuildFlags,
    list: fn(&BuildFlags) -> &Vec<T>,
) -> Vec<T> {
    own.map(list).filter(|list| !list.is_empty()).unwrap_or(list(defaults)).clone()
}

/// How much may happen at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Runs of `go build` at a time.
    pub jobs: usize,
    /// Threads that compress.
    pub threads: NonZeroUsize,
    /// Memory that all of them together may take, in bytes.
    pub memory: u64,
}

/// Where images go, and what they are called there.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The value of `KO_DOCKER_REPO`: empty where nothing is pushed.
    pub repository: String,
    /// How names are made.
    pub namer: Namer,
    /// The tags, without duplicates, in the user's order.
    pub tags: Vec<Tag>,
    /// Print references with the tag and without the digest.
    pub tag_only: bool,
    /// Push to the registry.
    pub push: bool,
    /// Write to an OCI image layout.
    pub layout: Option<Layout>,
    /// Write all images of the run to one file.
    pub archive: Option<Archive>,
    /// Load images into an engine, and nothing else.
    pub local: Option<Local>,
}

/// What images are loaded into.
#[derive(Debug, Clone)]
pub enum Local {
    /// An engine.
    Engine(EngineKind),
    /// One containerd or several.
    Cluster(Cluster),
}

/// A file that all images of a run are written to.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The file, as it is printed.
    pub path: PathBuf,
    /// Write an OCI archive whatever is in it, and print references to the
    /// file. Without, as `--tarball` of ko: references are those of a registry,
    /// and what `docker save` once wrote will do where no program has several
    /// platforms.
    pub oci: bool,
}

/// An OCI image layout to write to.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The directory, as it is printed.
    pub path: PathBuf,
    /// Whether images are found in it by `name:tag`, so that one takes the
    /// place of the last of its name. Without, each run adds to the index, as
    /// `--oci-layout-path` of ko does.
    pub named: bool,
}

/// How registries are spoken to.
#[derive(Debug, Clone)]
pub struct Network {
    /// The `User-Agent`.
    pub user_agent: String,
    /// `--insecure-registry`: plain http and any certificate for the
    /// destination, plain http for bases.
    pub insecure: bool,
    /// Where the certificates of authorities are.
    pub roots: RootPlaces,
    /// Whose credentials are used.
    pub keychain: Arc<dyn Keychain>,
}
