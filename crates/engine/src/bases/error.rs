//! Defines why a base image cannot be built upon.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use oci::{Digest, MediaType, Platform, PlatformMatcher};
use registry::RegistryError;
use store::StoreError;

use crate::blobs::BlobError;
use crate::container_engine::DaemonError;
use crate::hints::{self, Asked};
use crate::image::STATIC_BASE;

/// Why an engine did not give a base.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LocalBaseError {
    /// The engine does not do as we would like.
    #[error(transparent)]
    Engine(#[from] DaemonError),
    /// It has no such image.
    #[error("the engine has no such image")]
    Missing,
    /// What it exports lacks a file.
    #[error("what the engine exports has no {path}", path = path.display())]
    Incomplete {
        /// Its path.
        path: PathBuf,
    },
    /// What it exports cannot be read or kept.
    #[error("reading what the engine exports")]
    Archive(#[source] Arc<io::Error>),
    /// The cache cannot be written.
    #[error("keeping what the engine exports")]
    Store(#[source] Arc<StoreError>),
}

impl LocalBaseError {
    pub(super) fn archive(error: io::Error) -> Self {
        Self::Archive(Arc::new(error))
    }

    /// What a user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(source) => source.hint(),
            Self::Missing => Some("`docker images` lists those that there are".to_owned()),
            _ => None,
        }
    }
}

/// Why a base cannot be built upon.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BaseError {
    /// The registry did not give it.
    #[error("fetching base image: pulling {base}")]
    Pull {
        /// The base as the user wrote it.
        base: String,
        /// What has named it, if that is known: `--base names it`.
        named_by: Option<String>,
        /// What the registry said.
        #[source]
        source: Arc<RegistryError>,
    },
    /// A base that is not locked must not be used.
    #[error("base image {base} is not in ko.lock, and --locked takes no other")]
    Unlocked {
        /// The base as the user wrote it.
        base: String,
    },
    /// The registry has not what is locked.
    #[error(
        "fetching base image: ko.lock has {digest} for {base}, locked {since}, and the registry has it no more"
    )]
    LockedGone {
        /// The base as the user wrote it.
        base: String,
        /// What is locked.
        digest: Digest,
        /// Since when.
        since: jiff::Timestamp,
        /// What the registry said.
        #[source]
        source: Arc<RegistryError>,
    },
    /// The engine did not give it.
    #[error("fetching base image: loading {base} from daemon")]
    Local {
        /// The base as the user wrote it.
        base: String,
        /// Why not.
        #[source]
        source: LocalBaseError,
    },
    /// It is the image of a program, which nobody but a build can have.
    #[error("base image {base} is not in a registry: it is built here")]
    Program {
        /// The base as the user wrote it.
        base: String,
    },
    /// Its config was removed from the cache a moment ago.
    #[error("base image {base}: its config {digest} is no longer in the cache")]
    NoConfig {
        /// The base as the user wrote it.
        base: String,
        /// The config.
        digest: Digest,
    },
    /// It is of the format of 2014.
    #[error(
        "unsupported MediaType: \"{media_type}\": {base} is a Docker schema 1 image, which no tool writes any more: push it again"
    )]
    Schema1 {
        /// The base as the user wrote it.
        base: String,
        /// Its media type.
        media_type: MediaType,
    },
    /// It is neither an image nor an index.
    #[error("base image media type: {media_type} ({base})")]
    MediaType {
        /// The base as the user wrote it.
        base: String,
        /// Its media type.
        media_type: MediaType,
    },
    /// Its index holds something that is no image.
    #[error(
        "{digest} has unexpected mediaType \"{media_type}\" in base {base}: an index in an index, or an artifact, cannot be a base"
    )]
    Nested {
        /// The base as the user wrote it.
        base: String,
        /// The entry of the index.
        digest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
    /// A manifest, index or config is not what its media type says.
    #[error("{what} {digest} of base image {base} cannot be read")]
    Malformed {
        /// The base as the user wrote it.
        base: String,
        /// `manifest`, `index` or `config`.
        what: &'static str,
        /// Which one.
        digest: Digest,
        /// Where it goes wrong.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// An index has no image for any wanted platform.
    #[error("no matching platforms in base image index: {base} does not have {}", listed(wanted))]
    NoPlatform {
        /// The base as the user wrote it.
        base: String,
        /// What is wanted.
        wanted: PlatformMatcher,
        /// What there is.
        available: Vec<Platform>,
    },
    /// A single image is for another platform.
    #[error("base image platform {platform:?} does not match desired platforms {wanted}", platform = platform.to_string())]
    OtherPlatform {
        /// What the image is for.
        platform: Box<Platform>,
        /// What is wanted.
        wanted: PlatformMatcher,
    },
    /// `scratch` has no platforms that `all` could mean.
    #[error(
        "base image scratch has no platforms of its own: name each one as os/arch, not {wanted}"
    )]
    ScratchPlatform {
        /// What is wanted.
        wanted: PlatformMatcher,
    },
    /// A layer cannot be brought into the cache.
    #[error("pulling base image {base}")]
    Layer {
        /// The base as the user wrote it.
        base: String,
        /// Why not.
        #[source]
        source: BlobError,
    },
    /// The cache cannot be written.
    #[error("keeping base image {base}")]
    Store {
        /// The base as the user wrote it.
        base: String,
        /// Why not.
        #[source]
        source: Arc<StoreError>,
    },
}

/// The platforms without brackets.
fn listed(wanted: &PlatformMatcher) -> String {
    match wanted {
        PlatformMatcher::All => "all platforms".to_owned(),
        PlatformMatcher::Any(wanted) => {
            wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
    }
}

/// How many platforms a hint lists.
const LISTED: usize = 8;

impl BaseError {
    /// What a user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Pull { base, named_by, source } => Some(
                meant(base)
                    .unwrap_or_else(|| hints::registry(source, Asked::Base(named_by.as_deref()))),
            ),
            Self::Unlocked { .. } => {
                Some("`ko lock` writes what its tag points at into ko.lock".to_owned())
            }
            Self::LockedGone { .. } => Some(
                "`ko lock`, or --update-lock, takes what the tag points at now; a mirror below \
                 registries in .ko.yaml may still have the old one"
                    .to_owned(),
            ),
            Self::Local { source, .. } => source.hint(),
            Self::Layer { source, .. } => source.hint(),
            Self::Store { source, .. } => hints::cache_disk(source.io()),
            Self::NoPlatform { wanted, available, .. } => Some(platforms(wanted, available)),
            Self::OtherPlatform { platform, .. } => Some(format!(
                "--platform={platform} builds for it; else name a base for more platforms: \
                 --base, or defaultBaseImage in .ko.yaml"
            )),
            Self::MediaType { .. } | Self::Schema1 { .. } | Self::Nested { .. } => {
                Some("name another base: --base, or defaultBaseImage in .ko.yaml".to_owned())
            }
            Self::NoConfig { .. } => Some("run ko again: it is pulled again".to_owned()),
            Self::Program { .. } | Self::Malformed { .. } | Self::ScratchPlatform { .. } => None,
        }
    }
}

/// How alike two words must be for one to be taken for the other.
const ALIKE: f64 = 0.8;

/// The base without a registry that was meant.
fn meant(base: &str) -> Option<String> {
    let is_like = |known: &&str| strsim::normalized_damerau_levenshtein(base, known) >= ALIKE;
    [STATIC_BASE, "scratch"]
        .iter()
        .find(|known| is_like(known))
        .map(|known| format!("did you mean {known}?"))
}

/// Names the platforms that are nearest to what is wanted, and what there is.
pub(super) fn platforms(wanted: &PlatformMatcher, available: &[Platform]) -> String {
    let PlatformMatcher::Any(wanted) = wanted else {
        return "the base has no image for any platform".to_owned();
    };
    let mut nearest: Vec<String> = Vec::new();
    for platform in wanted.iter().filter_map(|wanted| wanted.nearest(available)) {
        let platform = platform.to_string();
        if !nearest.contains(&platform) {
            nearest.push(platform);
        }
    }
    let listed: Vec<String> = available.iter().take(LISTED).map(ToString::to_string).collect();
    let mut text = format!("the base is for {}", listed.join(", "));
    match available.len().saturating_sub(LISTED) {
        0 => {}
        more => text.push_str(&format!(" and {more} more")),
    }
    if !nearest.is_empty() {
        text.push_str(&format!("; the nearest is --platform={}", nearest.join(",")));
    }
    text
}
