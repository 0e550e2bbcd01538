//! Checks that a base has what dynamically linked programs want: their interpreter, their
//! shared libraries, and a glibc that is new enough.

mod index;
mod view;

use std::sync::Arc;

use golang::{ImportPath, Linkage};
use oci::{Digest, Platform};
use once::{OnceMap, blocking};

use self::index::LayerIndex;
use self::view::View;
use crate::blobs::{BlobError, Blobs};
use crate::image::{BaseImage, ImageLayer};

/// What becomes of a program whose libraries the base has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckLibraries {
    /// It is said.
    #[default]
    Warn,
    /// There is no image.
    Error,
    /// Nobody looks.
    Off,
}

impl CheckLibraries {
    /// Reads one of `warn`, `error` and `off`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "warn" => Some(Self::Warn),
            "error" => Some(Self::Error),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// Why a program may not start in its image.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryProblem {
    /// The image has not what the program needs.
    #[error("ko://{program} for {platform} needs {wanting}, which base {base} does not have")]
    Wanting {
        /// The program.
        program: ImportPath,
        /// The platform.
        platform: Box<Platform>,
        /// The base as the user wrote it.
        base: String,
        /// What is not there.
        wanting: Wanting,
    },
    /// The layers of the base cannot be looked into.
    #[error("which libraries base {base} has")]
    Unknown {
        /// The base as the user wrote it.
        base: String,
        /// Why not.
        #[source]
        source: BlobError,
    },
}

/// What a program needs and an image has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wanting {
    /// Nothing can start it: the kernel says that the program itself is not there.
    #[error("the interpreter {0}")]
    Interpreter(String),
    /// Libraries.
    #[error("{}", .0.join(", "))]
    Libraries(Vec<String>),
    /// The C library is too old.
    #[error("GLIBC_2.{wanted} (there is 2.{found})")]
    Glibc {
        /// What the program needs.
        wanted: u32,
        /// What there is.
        found: u32,
    },
}

impl LibraryProblem {
    /// What a user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Wanting { wanting, .. } => Some(wanting.hint()),
            Self::Unknown { source, .. } => source.hint(),
        }
    }
}

impl Wanting {
    fn hint(&self) -> String {
        let base = match self {
            Self::Interpreter(path) if path.contains("musl") => "a base with musl, such as alpine",
            Self::Interpreter(_) => "a base with glibc, such as debian:stable-slim",
            Self::Libraries(_) => "a base that has them, or put them there with `files`",
            Self::Glibc { .. } => "a newer base, or build where glibc is older",
        };
        format!("take {base}; or build with CGO_ENABLED=0; --check-libs=off says nothing")
    }
}

/// Looks into the layers of bases, each once in the life of a cache.
#[derive(Debug)]
pub(crate) struct Libraries {
    blobs: Blobs,
    indexes: OnceMap<Digest, Result<Arc<LayerIndex>, BlobError>>,
}

impl Libraries {
    pub(crate) fn new(blobs: Blobs) -> Self {
        Self { blobs, indexes: OnceMap::new() }
    }

    /// What the program lacks upon a base with some more files, which have absolute paths.
    pub(crate) async fn check(
        &self,
        linkage: &Linkage,
        base: &BaseImage,
        files: &[String],
    ) -> Result<Option<Wanting>, BlobError> {
        let mut view = View::default();
        for layer in base.layers() {
            view.add(&*self.index(layer).await?);
        }
        files.iter().for_each(|path| view.add_file(path));
        Ok(view.wanting(linkage, &base.config.config.env))
    }

    async fn index(&self, layer: ImageLayer) -> Result<Arc<LayerIndex>, BlobError> {
        let (blobs, digest) = (self.blobs.clone(), layer.descriptor.digest);
        let make = || async move {
            let store = blobs.store().clone();
            let known = blocking(move || LayerIndex::known(&store, &digest)).await;
            if let Some(known) = known {
                return Ok(Arc::new(known));
            }
            blobs.provide(&layer).await?;
            let store = blobs.store().clone();
            blocking(move || LayerIndex::make(&store, &layer.descriptor)).await.map(Arc::new)
        };
        self.indexes.start(digest, make).await
    }
}
