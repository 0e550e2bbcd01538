//! The engine: it plans a run, builds programs, puts them on base images, and
//! publishes the result. It joins `golang`, `layer` and `registry`, which do
//! not know each other.
//!
//! It never prints, never reads the environment and never ends the process:
//! everything that it depends on comes in [`Options`], everything that happens
//! goes to an [`Observer`], and what went wrong is an [`Error`].

mod activity;
mod archive;
mod bases;
mod blobs;
mod blocking;
mod budget;
mod build;
pub mod cache;
mod cancellation;
mod changes;
mod container_engine;
mod containerd;
mod described;
mod destinations;
mod engine;
mod error;
mod events;
mod execute;
mod forecast;
mod hints;
mod image;
pub mod keychain;
mod libraries;
mod manifests;
mod naming;
mod options;
mod plan;
mod platform;
mod post;
pub mod probe;
mod redact;
mod sharing;
mod signer;
mod static_base;
mod tar_entries;
#[cfg(test)]
mod tests;
pub mod verify;

pub use activity::Clock;
pub use attest::{
    Expected, ExpectedIdentity, ExpectedSigner, ExpressionError, Identity, IdentityToken,
    PublicKey as SignatureKey, PublicKeyError, SigningKey, SigningKeyError, TrustedRoot,
    TrustedRootError,
};
pub use bases::{
    BaseError, BaseReference, LocalBaseError, LockedBase, LockedBases, base_circle, known_platforms,
};
pub use blobs::{BlobError, Blobs};
pub use blocking::on_thread;
pub use budget::Limits;
pub use build::{
    BuildConfig, BuildFailure, BuildFlags, BuildOptions, DebugOptions, FileProblem, ImageFile,
    ImageMain, ListingError, NotAllowed, Prebuilt, PrebuiltFile, VerifiedBuild,
};
pub use container_engine::{DaemonError, EngineKind, EnginePlaces};
pub use containerd::{Cluster, NodeError};
pub use described::DescribeError;
pub use destinations::{
    Archive, Destination, DestinationError, DestinationOptions, Layout, Local, SbomFileError,
    SignFormat, SigningOptions,
};
pub use engine::{Counters, Engine, PulledBase};
pub use error::{Error, ErrorKind, ImageError};
pub use events::{Edge, Event, Observer, Part, Stage, StaleReason, Work};
pub use execute::Published;
pub use forecast::{Forecast, LayerForecast, OtherForecast, ProgramForecast, TargetForecast};
pub use freshness::{Places, Weight, Which};
pub use golang::{
    DelveVersion, DelveVersionError, Environment, ImportPath, ModuleFile, SourceFiles, Template,
    TemplateError, TemplatePosition, lowercase, programs_below, when_lent,
};
pub use image::provenance::ProvenanceOptions;
pub use image::sbom::{SbomAttach, SbomFormat, SbomOptions};
pub use image::{
    Artifact, Field, HealthcheckSettings, Image, ImageLayer, ImageName, ImageOptions,
    ImageSettings, LayerContent, LayerSource, Namer, Place, STATIC_BASE, TagSource, Text,
    TextError,
};
pub use keychain::keychain;
pub use layer::{Capabilities, CapabilityError, Compression, CompressionError, FileRule, Method};
pub use libraries::{CheckLibraries, LibraryProblem, Wanting};
pub use manifests::{
    BadReference, Input, ManifestUrl, Replaced, Resolution, ResolveError, Resolved, enumerate,
};
pub use naming::NamingError;
pub use oci::json;
pub use oci::{
    COMMON_PLATFORMS, DiffId, Digest, Platform, PlatformMatcher, Registry, Repository, Tag,
    Timestamp,
};
pub use options::{Network, Options};
pub use plan::{Examined, Plan};
pub use post::{Post, PostError};
pub use redact::redact;
pub use registry::{
    Answer, Exchange, Proxies, ProxyError, Pushed, RetryPolicy, RootPlaces, UnderWay,
};
pub use shared_cache::{CacheUrl, CacheUrlError, KeyError, PublicKey, SecretKey, StorageError};
pub use sharing::{SharedCacheError, SharedFrom, SharingOptions};
pub use signer::{
    KeyProgram, KeyProgramError, Keyless, KeylessError, LoginPage, Signer, SignerError,
    SigningConfigError, SigningServices, TokenSource, log_in,
};

/// What is said of single registries: certificates, plain http, mirrors.
pub mod registries {
    pub use registry::{
        IdentityFiles, Location, Mirror, NamespaceError, NamespaceRule, PlainHttp, Prefix, Pulls,
        Registries, RegistrySettings, TlsFile,
    };
}
pub use yaml::to_utf8;
