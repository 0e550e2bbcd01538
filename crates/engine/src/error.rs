//! Defines why a run failed. Each error is one step; its sources are the steps
//! below. The texts are ko's, so that scripts that look for them still find
//! them.

use std::sync::Arc;

use golang::ImportPath;
use oci::{MediaType, Platform};
use store::StoreError;

use crate::bases::BaseError;
use crate::build::{BuildFailure, ListingError};
use crate::container_engine::DaemonError;
use crate::described::DescribeError;
use crate::destinations::{DestinationError, SbomFileError, Unpublished};
use crate::events::Event;
use crate::hints;
use crate::naming::{NamingError, SHARED_HINT, Shared};
use crate::sharing::SharedCacheError;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// There is no cache, and none can be made for this run.
    #[error("there is no directory for the cache")]
    NoCache,
    /// The cache cannot be used.
    #[error("opening the cache")]
    Store(#[from] StoreError),
    /// The registry client cannot be made.
    #[error("preparing to speak to registries")]
    Network(#[source] registry::RegistryError),
    /// The URL of a shared cache does not fit its kind.
    #[error(transparent)]
    SharedCache(#[from] SharedCacheError),
    /// The programs cannot be listed.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// SBOMs cannot be written to files.
    #[error(transparent)]
    SbomFile(#[from] SbomFileError),
    /// An image has no name.
    #[error("naming the image of ko://{import_path}")]
    Naming {
        /// The import path.
        import_path: ImportPath,
        /// Why not.
        #[source]
        source: NamingError,
    },
    /// Two images would have one name, which a template has made.
    #[error("ko://{first} and ko://{second} would both be {reference}")]
    SharedName {
        /// The import path of the one.
        first: ImportPath,
        /// The import path of the other.
        second: ImportPath,
        /// The name, with the tag.
        reference: String,
    },
    /// A base cannot be had.
    #[error(transparent)]
    Base(BaseError),
    /// An image could not be made.
    #[error("error building \"ko://{import_path}\"")]
    Build {
        /// The import path.
        import_path: ImportPath,
        /// Why not.
        #[source]
        source: Box<ImageError>,
    },
    /// An image could not be published.
    #[error("error publishing ko://{import_path}")]
    Publish {
        /// The import path.
        import_path: ImportPath,
        /// Why not.
        #[source]
        source: DestinationError,
    },
    /// No container engine takes images.
    #[error(transparent)]
    ContainerEngine(#[from] DaemonError),
    /// A destination takes no images, or not those of this run together.
    #[error(transparent)]
    Destination(DestinationError),
}

/// Why an image could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No base.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The base is of a format that has no layers of this compression.
    #[error(
        "base image {base} is of Docker's format ({media_type}), whose layers can only be gzip or estargz, not {compression}"
    )]
    Compression {
        /// The base as the user wrote it.
        base: String,
        /// Its media type.
        media_type: MediaType,
        /// What was asked for.
        compression: String,
    },
    /// The program that is the base has no image.
    #[error("the base image ko://{import_path}")]
    Upon {
        /// Its import path.
        import_path: ImportPath,
        /// Why not.
        #[source]
        source: Box<ImageError>,
    },
    /// Base images that are built here go in a circle.
    #[error("base images go in a circle: {}", circle(.0))]
    Circle(Vec<ImportPath>),
    /// A program of the image, or of its base, cannot be found.
    #[error("{place}")]
    Main {
        /// Where it is wanted.
        place: String,
        /// Why not.
        #[source]
        source: Arc<ListingError>,
    },
    /// A program is in an image twice, or has a name that another has.
    #[error("{place}: {second} would be {path} in the image, as {first}")]
    SameName {
        /// Where the second is wanted.
        place: String,
        /// A program, and where it is wanted.
        first: String,
        /// Another, or the same again.
        second: ImportPath,
        /// The place in the image.
        path: String,
    },
    /// Two programs have another file each for one place in kodata.
    #[error("{place} is in kodata of ko://{first} and of ko://{second}, and is not the same")]
    SharedKodata {
        /// The place in the image.
        place: String,
        /// A program.
        first: ImportPath,
        /// Another.
        second: ImportPath,
    },
    /// The entrypoint that is configured is not there.
    #[error("{place}: {word} is not in the image")]
    NoEntrypoint {
        /// Where it is configured.
        place: String,
        /// Its first word.
        word: String,
    },
    /// `--prebuilt` is for images of one program.
    #[error("--prebuilt has the binaries of one program, and there are more in this image")]
    SeveralPrebuilt,
    /// What is configured of the image cannot be.
    #[error(transparent)]
    Described(#[from] DescribeError),
    /// A part of the image could not be built.
    #[error(transparent)]
    Build(#[from] BuildFailure),
}

/// What kind of thing went wrong, for programs that act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The run was cancelled.
    Cancelled,
    /// The configuration or an argument is wrong.
    Usage,
    /// A program or another part of an image could not be built.
    Build,
    /// A base could not be had, or an image not be published.
    Registry,
    /// This machine: the cache, files, threads.
    System,
}

impl Error {
    /// The kind of error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            _ if self.is_cancelled() => ErrorKind::Cancelled,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Listing(
                ListingError::Go(_) | ListingError::List(_) | ListingError::Unlisted { .. },
            ) => ErrorKind::Build,
            Self::Listing(_)
            | Self::Naming { .. }
            | Self::SharedName { .. }
            | Self::SharedCache(_) => ErrorKind::Usage,
            Self::Build { source, .. } => source.kind(),
            Self::Base(_)
            | Self::Publish { .. }
            | Self::Destination(_)
            | Self::ContainerEngine(_)
            | Self::Network(_) => ErrorKind::Registry,
            Self::NoCache | Self::Store(_) | Self::SbomFile(_) => ErrorKind::System,
        }
    }

    /// Whether the configuration names a build that is not there: ko finds
    /// that out before it begins.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Listing(ListingError::BuildDir { .. } | ListingError::BuildConfig { .. })
        )
    }

    /// Whether the user, or the failure of something else, ended this.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Listing(error) => error.is_cancelled(),
            Self::Naming { source, .. } => matches!(source, NamingError::Cancelled),
            Self::Publish { source, .. } | Self::Destination(source) => source.is_cancelled(),
            Self::Build { source, .. } => source.is_cancelled(),
            _ => false,
        }
    }

    /// The event that a program does not compile, if this is such an error.
    pub(crate) fn compile_failure(&self, alone: bool) -> Option<Event> {
        let Self::Build { import_path, source } = self else { return None };
        let ImageError::Build(BuildFailure::Go { platform, source }) = &**source else {
            return None;
        };
        matches!(**source, golang::BuildError::Failed(_)).then(|| Event::Failed {
            alone,
            import_path: import_path.to_string(),
            platform: Platform::clone(platform),
            reason: source.to_string(),
        })
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listing(error) => error.hint(),
            Self::Naming { source, .. } => source.hint(),
            Self::SharedName { .. } => Some(SHARED_HINT.to_owned()),
            Self::Base(source) => source.hint(),
            Self::Build { source, .. } => source.hint(),
            Self::Publish { source, .. } | Self::Destination(source) => source.hint(),
            Self::ContainerEngine(source) => source.hint(),
            Self::NoCache => Some(hints::NO_CACHE.to_owned()),
            Self::Store(StoreError::Foreign { .. }) => Some(hints::FOREIGN_CACHE.to_owned()),
            Self::Store(error) => hints::cache_disk(error.io())
                .or_else(|| Some("set KOCACHE to a directory that can be written".to_owned())),
            _ => None,
        }
    }
}

/// Images, each of which is built upon the next.
fn circle(programs: &[ImportPath]) -> String {
    let programs: Vec<String> = programs.iter().map(|path| format!("ko://{path}")).collect();
    programs.join(" -> ")
}

impl ImageError {
    fn is_cancelled(&self) -> bool {
        match self {
            Self::Build(failure) => matches!(failure, BuildFailure::Cancelled),
            Self::Described(error) => matches!(error, DescribeError::Cancelled),
            Self::Main { source, .. } => source.is_cancelled(),
            Self::Upon { source, .. } => source.is_cancelled(),
            _ => false,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Base(_) => ErrorKind::Registry,
            Self::Upon { source, .. } => source.kind(),
            Self::Circle(_)
            | Self::Main { .. }
            | Self::SameName { .. }
            | Self::SharedKodata { .. }
            | Self::NoEntrypoint { .. }
            | Self::SeveralPrebuilt
            | Self::Compression { .. }
            | Self::Described(_) => ErrorKind::Usage,
            Self::Build(_) => ErrorKind::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Base(source) => source.hint(),
            Self::Compression { .. } => {
                Some("--compression=gzip fits; so does any, on a base of OCI's format".to_owned())
            }
            Self::Upon { source, .. } => source.hint(),
            Self::Circle(_) => Some(
                "baseImageOverrides in .ko.yaml gives one of them a base that is in a registry"
                    .to_owned(),
            ),
            Self::Main { source, .. } => source.hint(),
            Self::SameName { .. } => {
                Some("a program's name is the last element of its import path".to_owned())
            }
            Self::SharedKodata { .. } => {
                Some("kodata of all programs in an image is one directory".to_owned())
            }
            Self::NoEntrypoint { .. } => Some(
                "programs are in /ko-app; `mains` and `files` put others into the image".to_owned(),
            ),
            Self::SeveralPrebuilt => {
                Some("`prebuilt` of each build in .ko.yaml has the binaries of several".to_owned())
            }
            Self::Described(source) => source.hint(),
            Self::Build(source) => source.hint(),
        }
    }
}

impl From<Unpublished> for Error {
    fn from(Unpublished { import_path, source }: Unpublished) -> Self {
        match import_path {
            Some(import_path) => Self::Publish { import_path, source },
            None => Self::Destination(source),
        }
    }
}

impl From<Shared> for Error {
    fn from(Shared { reference, programs: [first, second] }: Shared) -> Self {
        Self::SharedName { first, second, reference }
    }
}

/// All results, or the error that counts: the first that is not the echo of
/// another.
pub(crate) fn first_error<T>(results: Vec<Result<T, Error>>) -> Result<Vec<T>, Error> {
    let mut all = Vec::with_capacity(results.len());
    let mut failure: Option<Error> = None;
    for result in results {
        match result {
            Ok(value) => all.push(value),
            Err(error) if failure.as_ref().is_none_or(Error::is_cancelled) => failure = Some(error),
            Err(_) => {}
        }
    }
    failure.map_or(Ok(all), Err)
}
