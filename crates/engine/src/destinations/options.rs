//! Holds the options of destinations: where images go, and their names there.

use std::path::PathBuf;

use golang::{Template, Uses};
use oci::Tag;

use crate::container_engine::EngineKind;
use crate::containerd::Cluster;
use crate::image::{Namer, TagSource};

/// Where images go, and what they are called there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DestinationOptions {
    /// The value of `KO_DOCKER_REPO`: empty where nothing is pushed.
    pub repository: String,
    /// How names are made.
    pub namer: Namer,
    /// Makes names in the place of the namer: what stands behind the repository.
    pub naming: Option<Template>,
    /// The tags, in the user's order.
    pub tags: Vec<TagSource>,
    /// Print references with the tag and without the digest.
    pub tag_only: bool,
    /// Push to the registry.
    pub push: bool,
    /// Find out whether the registry lets us push while programs are compiled.
    pub preflight: bool,
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

impl DestinationOptions {
    /// Images are named below `repository`, as `ko` names them, and tagged
    /// `latest`. They go nowhere until a destination is set.
    #[must_use]
    pub fn new(repository: impl Into<String>) -> Self {
        Self {
            repository: repository.into(),
            namer: Namer::Md5,
            naming: None,
            tags: vec![Tag::latest().into()],
            tag_only: false,
            push: false,
            preflight: true,
            layout: None,
            archive: None,
            local: None,
        }
    }

    /// What templates of names look at.
    pub(crate) fn uses(&self) -> Uses {
        let tags = self.tags.iter().filter_map(TagSource::template);
        self.naming.iter().chain(tags).map(Template::uses).fold(Uses::default(), Uses::union)
    }
}
