//! Defines why a program, or another layer of its image, could not be built.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use golang::{
    ArgumentError, EnvironmentError, FindError, ImportPath, ListError, LoadError, MachineError,
};
use layer::{FilesError, KodataError, LayerError};
use oci::Platform;

use super::allowed::NotAllowed;
use super::files::FileProblem;
use crate::hints;
use crate::libraries::LibraryProblem;

/// Why a program, or another layer of its image, could not be built.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BuildFailure {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The environment is not one that `go` may have.
    #[error("could not create env for {platform}")]
    Environment {
        /// The platform.
        platform: Box<Platform>,
        /// Why not.
        #[source]
        source: Arc<EnvironmentError>,
    },
    /// A build that verifies would use a setting that it must not.
    #[error(transparent)]
    NotAllowed(NotAllowed),
    /// There is no `go`, and something needs one.
    #[error(transparent)]
    MissingGo(Arc<FindError>),
    /// A program that is not built here has no binary for a platform.
    #[error("there is no binary for {platform}, only for {there}")]
    NoBinary {
        /// The platform.
        platform: Box<Platform>,
        /// The platforms that there are binaries for.
        there: String,
    },
    /// Files cannot be in the image.
    #[error("{place}")]
    Files {
        /// Where they are named.
        place: String,
        /// Why not.
        #[source]
        problem: Box<FileProblem>,
    },
    /// The layer of files could not be made.
    #[error("layer of files")]
    FilesLayer(#[source] Arc<LayerError>),
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
    /// The program would not start in the image.
    #[error(transparent)]
    Libraries(Box<LibraryProblem>),
    /// A file in kodata cannot be part of a layer.
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

impl BuildFailure {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Go { source, .. } => source.hint(),
            Self::MissingGo(source) => source.hint().map(str::to_owned),
            Self::NotAllowed(_) => {
                Some("what is right for you here, you can set in your own environment".to_owned())
            }
            Self::Files { problem, .. } => match &**problem {
                FileProblem::Files(error) if matches!(**error, FilesError::Outside { .. }) => Some(
                    "set KO_DATA_PATH_ALLOWED_ROOT to a directory that holds what is wanted"
                        .to_owned(),
                ),
                FileProblem::Template { source, .. } => source.hint(),
                _ => None,
            },
            Self::FilesLayer(source) => hints::cache_disk(source.store_io()),
            Self::NoBinary { .. } => {
                Some("--platform names the platforms that are wanted".to_owned())
            }
            Self::Debugger { source, .. } => source.hint(),
            Self::Environment { source, .. } => match **source {
                EnvironmentError::Target(_) => {
                    Some("the variants of arm are v5, v6 and v7, as in linux/arm/v7".to_owned())
                }
                _ => None,
            },
            Self::BuildInfo { .. } => Some("--sbom=none builds images without an SBOM".to_owned()),
            Self::Template(source) => source.hint(),
            Self::Libraries(problem) => problem.hint(),
            Self::Kodata { source } if matches!(**source, KodataError::Escapes { .. }) => Some(
                "set KO_DATA_PATH_ALLOWED_ROOT to a directory that holds what the link leads to"
                    .to_owned(),
            ),
            Self::Layer { source, .. }
            | Self::DebuggerLayer { source, .. }
            | Self::KodataLayer { source, .. } => hints::cache_disk(source.store_io()),
            _ => None,
        }
    }
}

/// Why programs cannot be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// There is no `go`.
    #[error(transparent)]
    Go(Arc<FindError>),
    /// A word of the command line is no import path.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
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
        reason: io::Error,
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
    /// A file is no program for its platform.
    #[error("{place}: {path} is not a program for {platform}", path = path.display())]
    Prebuilt {
        /// Where it is named.
        place: String,
        /// The platform.
        platform: Box<Platform>,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: MachineError,
    },
    /// Nothing tells what a program is called that is not built here.
    #[error(
        "{argument}: there is no go.mod around it, and its binary does not say its import path"
    )]
    Unnamed {
        /// The argument.
        argument: ImportPath,
    },
    /// The binaries of one program are given, and several programs are wanted.
    #[error("--prebuilt has the binaries of one program, and {programs} are wanted")]
    SeveralPrebuilt {
        /// How many.
        programs: usize,
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
}

/// How `go` says that no file of a package is for the target.
const EXCLUDED: &str = "build constraints exclude all Go files";

impl ListingError {
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::List(ListError::Cancelled))
    }

    /// What a user can do about it, or what `go` says more.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Go(error) => error.hint(),
            Self::List(error) | Self::Unlisted { source: error, .. } => error.hint(),
            Self::BuildConfig { source, .. }
            | Self::Unsupported { source, .. }
            | Self::Qualify(source) => match source.reason() {
                Some(reason) if reason.starts_with(EXCLUDED) => {
                    return Some(format!(
                        "{reason}; if they are for another platform, name it with --platform; if \
                         they import \"C\", CGO_ENABLED=1 builds them (docs/guide/cgo.md)"
                    ));
                }
                reason => reason,
            },
            Self::BuildDir { .. } => {
                Some("dir of a build in .ko.yaml is relative to the working directory, main to dir")
            }
            Self::Argument(_) => {
                Some("a program is named as in ./cmd/app or example.com/app/cmd/app")
            }
            Self::Prebuilt { source: MachineError::Other { .. }, .. } => {
                Some("name it for the platform that it was built for, or build it for this one")
            }
            Self::Prebuilt { .. } => Some("name the program that was built for this platform"),
            Self::Unnamed { .. } => Some("name the program by its import path, as example.com/app"),
            Self::SeveralPrebuilt { .. } => {
                Some("image.prebuilt of a build in .ko.yaml is for that program alone")
            }
            Self::Environment(_) => None,
        };
        hint.map(str::to_owned)
    }
}

/// What scripts look for in messages of ko about files.
fn in_go_s_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    }
}
