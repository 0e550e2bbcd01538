//! The engine: it plans a run, builds programs, puts them on base images, and
//! publishes the result. It joins `golang`, `layer` and `registry`, which do
//! not know each other.
//!
//! It never prints, never reads the environment and never ends the process:
//! everything that it depends on comes in [`Options`], everything that happens
//! goes to an [`Observer`], and what went wrong is an [`Error`].

mod activity;
mod base;
mod blobs;
mod blocking;
mod budget;
pub mod cache;
mod compile;
mod daemon;
mod debug;
mod error;
mod event;
mod flags;
mod flight;
mod fresh;
mod image;
pub mod keychain;
mod listing;
mod make;
mod memo;
mod modules;
mod namer;
mod nodes;
mod options;
mod platform;
mod publish;
mod redact;
mod resolve;
mod run;
mod sbom;
mod stage;
mod static_base;

pub use activity::Clock;
pub use base::{BaseError, BaseReference, LocalBaseError};
pub use blocking::on_thread;
pub use daemon::{DaemonError, EngineKind, EnginePlaces};
pub use debug::DebugOptions;
pub use error::{BuildFailure, Error};
pub use event::{Event, Observer, Part};
pub use fresh::Stale;
pub use golang::{
    DelveVersion, DelveVersionError, Environment, Place, Template, TemplateError, lowercase,
};
pub use image::ImageOptions;
pub use keychain::keychain;
pub use layer::{Capabilities, CapabilityError, Compression, CompressionError, Method};
pub use namer::Namer;
pub use nodes::{Cluster, NodeError};
pub use oci::json;
pub use oci::{Digest, Platform, PlatformMatcher, Registry, Repository, Tag, Timestamp};
pub use options::{
    Archive, BuildConfig, BuildFlags, BuildOptions, Destination, Layout, Limits, Local, Network,
    Options,
};
pub use publish::PublishError;
pub use registry::RootPlaces;
pub use redact::redact;
pub use resolve::{
    BadReference, Input, ManifestUrl, Replaced, Resolution, ResolveError, Resolved, enumerate,
};
pub use run::{Engine, Published};
pub use sbom::{SbomFormat, SbomOptions};
pub use stage::{Counters, Edge, Stage, Work};
pub use static_base::STATIC_BASE;
pub use yaml::to_utf8;
