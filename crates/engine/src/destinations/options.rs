//! Holds the options of destinations: where images go, and their names there.

use std::path::PathBuf;

use oci::{Digest, Repository, Tag};

use super::DestinationError;
use crate::container_engine::EngineKind;
use crate::containerd::Cluster;
use crate::image::Namer;

/// Where images go, and what they are called there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DestinationOptions {
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
            tags: vec![Tag::latest()],
            tag_only: false,
            push: false,
            preflight: true,
            layout: None,
            archive: None,
            local: None,
        }
    }

    /// The name of an import path's image, as the user spells the destination.
    pub(crate) fn name(&self, import_path: &str) -> String {
        self.namer.name(&self.repository, import_path)
    }

    /// Each of its tags, behind that name.
    pub(crate) fn tagged(&self, import_path: &str) -> Vec<String> {
        let name = self.name(import_path);
        self.tags.iter().map(|tag| format!("{name}:{tag}")).collect()
    }

    /// The same as a repository of a registry.
    pub(crate) fn repository_of(&self, import_path: &str) -> Result<Repository, DestinationError> {
        let name = self.name(import_path);
        name.parse().map_err(|source| DestinationError::Name { name, source })
    }

    /// What a registry's reference is printed as.
    pub(crate) fn printed(&self, name: &str, digest: Digest) -> String {
        match &self.tags[..] {
            [tag] if self.tag_only => format!("{name}:{tag}"),
            [tag] if *tag != Tag::latest() => format!("{name}:{tag}@{digest}"),
            _ => format!("{name}@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_references_are_ko_s() {
        let digest = oci::Digest::of(b"");
        let printed = |tags: &[&str], tag_only| {
            let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let options = DestinationOptions {
                namer: Namer::BaseImportPaths,
                tags,
                tag_only,
                ..DestinationOptions::new("r.io/x")
            };
            options.printed(&options.name("a/B"), digest)
        };
        assert_eq!(printed(&["latest"], false), format!("r.io/x/b@{digest}"));
        assert_eq!(printed(&["v1"], false), format!("r.io/x/b:v1@{digest}"));
        assert_eq!(printed(&["v1", "v2"], false), format!("r.io/x/b@{digest}"));
        assert_eq!(printed(&["v1"], true), "r.io/x/b:v1");
    }
}
