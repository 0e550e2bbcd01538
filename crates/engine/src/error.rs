//! Why a run failed. Each error is one step; its sources are the steps below.
//! The texts are ko's, so that scripts that look for them still find them.

use std::path::PathBuf;
use std::sync::Arc;

use golang::{ArgumentError, EnvironmentError, FindError, ImportPath, ListError, LoadError};
use layer::{KodataError, LayerError};
use oci::Platform;
use store::StoreError;

use crate::base::BaseError;
use crate::cache::NO_CACHE_HINT;
use crate::daemon::DaemonError;
use crate::event::Event;
use crate::publish::PublishError;
use crate::resolve::ResolveError;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A word of the command line is no import path.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// There is no `go`.
    #[error(transparent)]
    Go(#[from] FindError),
    /// There is no cache, and none can be made for this run.
    #[error("there is no directory for the cache")]
    NoCache,
    /// The cache cannot be used.
    #[error("opening the cache")]
    Store(#[from] StoreError),
    /// The threads that compress cannot be started.
    #[error("starting threads")]
    Threads(#[source] std::io::Error),
    /// The registry client cannot be made.
    #[error("preparing to speak to registries")]
    Network(#[source] registry::RegistryError),
    /// The environment for the listing cannot be made.
    #[error("could not create env for go list")]
    Environment(#[source] EnvironmentError),
    /// `go list` failed as a whole.
    #[error(transparent)]
    List(ListError),
    /// `go list` failed as a whole, and so for an import path.
    #[error("importpath \"ko://{import_path}\" is not supported")]
    Unlisted {
        /// The import path.
        import_path: ImportPath,
        /// What `go` said.
        #[source]
        source: ListError,
    },
    /// A configured build is not where it says.
    #[error("could not create build config map: stat {}: {}", path.display(), in_go_s_words(reason))]
    BuildDir {
        /// The directory, as it is configured.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// A configured build is no program.
    #[error(
        "could not create build config map: 'builds': entry #{index} does not contain a valid local import path for directory ({dir})"
    )]
    BuildConfig {
        /// Its place in the list.
        index: usize,
        /// The directory, as it is configured.
        dir: String,
        /// Why not.
        #[source]
        source: LoadError,
    },
    /// A local argument does not stand for one package.
    #[error(transparent)]
    Qualify(LoadError),
    /// An import path is not a program.
    #[error("importpath \"ko://{import_path}\" is not supported")]
    Unsupported {
        /// The import path.
        import_path: ImportPath,
        /// Why not.
        #[source]
        source: LoadError,
    },
    /// Manifests cannot be resolved.
    #[error(transparent)]
    Resolve(ResolveError),
    /// SBOMs cannot be written to the directory that was named.
    #[error("writing SBOMs to {dir}", dir = dir.display())]
    SbomDir {
        /// The directory, as the user named it.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An SBOM cannot be written.
    #[error("writing {path}", path = path.display())]
    Sbom {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An image could not be made.
    #[error("error building \"ko://{import_path}\"")]
    Build {
        /// The import path.
        import_path: ImportPath,
        /// Why not.
        #[source]
        source: Box<BuildFailure>,
    },
    /// An image could not be published.
    #[error("error publishing ko://{import_path}")]
    Publish {
        /// The import path.
        import_path: ImportPath,
        /// Why not.
        #[source]
        source: PublishError,
    },
    /// No engine takes images.
    #[error(transparent)]
    Daemon(DaemonError),
    /// A destination takes no images, or not those of this run together.
    #[error(transparent)]
    Destination(PublishError),
}

/// What scripts look for in messages of ko about files.
fn in_go_s_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Why an image could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BuildFailure {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// No base.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The environment is not one that `go` may have.
    #[error("could not create env for {platform}")]
    Environment {
        /// The platform.
        platform: Box<Platform>,
        /// Why not.
        #[source]
        source: Arc<EnvironmentError>,
    },
    /// The base is of a format that has no layers of this compression.
    #[error(
        "base image {base} is of Docker's format ({media_type}), whose layers can only be gzip or estargz, not {compression}"
    )]
    Compression {
        /// The base as the user wrote it.
        base: String,
        /// Its media type.
        media_type: oci::MediaType,
        /// What was asked for.
        compression: String,
    },
    /// A template cannot be expanded.
    #[error("build")]
    Template(#[source] Arc<golang::TemplateError>),
    /// Go's settings, which a template looks at, are not known.
    #[error("build: go env")]
    GoEnv(#[source] Arc<golang::GoEnvError>),
    /// `go build` failed.
    #[error("{platform}: build")]
    Go {
        /// The platform.
        platform: Box<Platform>,
        /// What `go` said.
        #[source]
        source: Arc<golang::BuildError>,
    },
    /// The layer of the binary could not be made.
    #[error("{platform}: layer of the binary")]
    Layer {
        /// The platform.
        platform: Box<Platform>,
        /// Why not.
        #[source]
        source: Arc<LayerError>,
    },
    /// The binary does not say what it is made of.
    #[error("{platform}: SBOM")]
    BuildInfo {
        /// The platform.
        platform: Box<Platform>,
        /// Why not.
        #[source]
        source: Arc<golang::BuildInfoError>,
    },
    /// There is no debugger for the platform.
    #[error("{platform}: building Delve")]
    Debugger {
        /// The platform.
        platform: Box<Platform>,
        /// Why not.
        #[source]
        source: Arc<golang::DelveError>,
    },
    /// The layer of the debugger could not be made.
    #[error("{platform}: layer of Delve")]
    DebuggerLayer {
        /// The platform.
        platform: Box<Platform>,
        /// Why not.
        #[source]
        source: Arc<LayerError>,
    },
    /// What is in kodata cannot be in a layer.
    #[error("tarring kodata")]
    Kodata {
        /// Why not.
        #[source]
        source: Arc<KodataError>,
    },
    /// The layer of kodata could not be made.
    #[error("tarring kodata {dir}", dir = dir.display())]
    KodataLayer {
        /// The kodata directory.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: Arc<LayerError>,
    },
}

impl Error {
    /// Did the user, or the failure of something else, end this?
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled
                | Self::List(ListError::Cancelled)
                | Self::Publish { source: PublishError::Cancelled, .. }
                | Self::Destination(PublishError::Cancelled)
        ) || matches!(self, Self::Build { source, .. } if matches!(**source, BuildFailure::Cancelled))
    }

    /// The event that a program does not compile, if this is such an error.
    pub(crate) fn compile_failure(&self) -> Option<Event> {
        let Self::Build { import_path, source } = self else { return None };
        let BuildFailure::Go { platform, source } = &**source else { return None };
        matches!(**source, golang::BuildError::Failed(_)).then(|| Event::Failed {
            import_path: import_path.to_string(),
            platform: Platform::clone(platform),
            reason: source.to_string(),
        })
    }

    /// What a user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Go(error) => error.hint().map(str::to_owned),
            Self::Build { source, .. } => source.hint(),
            Self::Publish { source, .. } | Self::Destination(source) => source.hint(),
            Self::Daemon(source) => source.hint(),
            Self::NoCache => Some(NO_CACHE_HINT.to_owned()),
            Self::Store(error) if error.is_full() => Some(DISK_FULL.to_owned()),
            Self::Store(_) => Some("set KOCACHE to a directory that can be written".to_owned()),
            _ => None,
        }
    }
}

const DISK_FULL: &str = "the disk that holds the cache is full: make room, or set KOCACHE to a directory on another one";

impl BuildFailure {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Base(BaseError::Pull { source, .. }) => Some(registry_hint(source, true)),
            Self::Base(BaseError::Local { source, .. }) => source.hint(),
            Self::Base(BaseError::Store { source, .. }) if source.is_full() => {
                Some(DISK_FULL.to_owned())
            }
            Self::Go { source, .. } => source.hint().map(str::to_owned),
            Self::Debugger { source, .. } => source.hint().map(str::to_owned),
            Self::BuildInfo { .. } => Some("--sbom=none builds images without an SBOM".to_owned()),
            Self::Template(source) => source.hint(),
            Self::Kodata { source } if matches!(**source, KodataError::Escapes { .. }) => Some(
                "set KO_DATA_PATH_ALLOWED_ROOT to a directory that holds what the link leads to"
                    .to_owned(),
            ),
            Self::Layer { source, .. }
            | Self::DebuggerLayer { source, .. }
            | Self::KodataLayer { source, .. }
                if source.is_full() =>
            {
                Some(DISK_FULL.to_owned())
            }
            _ => None,
        }
    }
}

/// What to do about a registry that does not do as we would like.
pub(crate) fn registry_hint(error: &registry::RegistryError, base: bool) -> String {
    if error.is_certificate() {
        "if the registry's certificate is of your own authority, set SSL_CERT_FILE to its PEM file; \
         --insecure-registry trusts any certificate of the destination"
            .to_owned()
    } else if error.is_unauthorized() || error.is_forbidden() {
        "log in with `docker login` or a credential helper; ko reads the same configuration"
            .to_owned()
    } else if base {
        "the embedded base ko.static needs no network: KO_DEFAULTBASEIMAGE=ko.static, or \
         defaultBaseImage: ko.static in .ko.yaml"
            .to_owned()
    } else if error.is_unreachable() {
        "check KO_DOCKER_REPO and the network; --push=false builds without a registry".to_owned()
    } else {
        "check KO_DOCKER_REPO".to_owned()
    }
}
