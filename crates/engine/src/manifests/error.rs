//! Defines why manifests cannot be resolved. The texts are ko's.

use std::fmt;
use std::io;

use yaml::{Position, SelectorError, Unfit};

use super::url::ManifestUrl;
use crate::error::Error;

/// Why manifests cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The run failed.
    #[error(transparent)]
    Run(#[from] Error),
    /// A file or directory that was named is not there.
    #[error("error enumerating files: {path}")]
    Enumerate {
        /// As the user named it.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("error processing import paths in {file:?}: read {file}")]
    Read {
        /// As the user named it.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A URL cannot be fetched.
    #[error("error processing import paths in {url:?}: fetching it")]
    Fetch {
        /// The URL.
        url: ManifestUrl,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// A URL is not fetched offline.
    #[error("error processing import paths in {url:?}: with --offline, nothing is fetched")]
    Offline {
        /// The URL.
        url: ManifestUrl,
    },
    /// What is at a URL is too large for a manifest.
    #[error("error processing import paths in {url:?}: it is too large")]
    TooLarge {
        /// The URL.
        url: ManifestUrl,
    },
    /// The selector is malformed.
    #[error(transparent)]
    Selector(SelectorError),
    /// A file is no YAML.
    #[error("error processing import paths in {:?}: go-yaml load error: {}\n{}", .0.file, .0, .0.snippet)]
    Parse(yaml::Error),
    /// A selector cannot be applied to a document.
    #[error("error processing import paths in {:?}: error evaluating selector: {}\n{}", .0.file, .0, .0.snippet)]
    Select(yaml::Error),
    /// References that are no programs: all of them.
    #[error("{}", references(.0))]
    References(Vec<BadReference>),
    /// An image cannot stand where its reference stands.
    #[error("error processing import paths in {file:?}")]
    Unfit {
        /// As the user named it.
        file: String,
        /// Where.
        #[source]
        source: Unfit,
    },
    /// The output cannot be written.
    #[error("writing the resolved files")]
    Write(#[source] io::Error),
}

/// A reference that is no program.
#[derive(Debug, Clone)]
pub struct BadReference {
    /// As the user named it.
    pub file: String,
    /// Where it stands.
    pub position: Position,
    /// The reference, with `ko://`.
    pub reference: String,
    /// The reason, in go's words.
    pub reason: String,
}

impl fmt::Display for BadReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, position, reference, reason } = self;
        write!(
            f,
            "error processing import paths in {file:?}: error resolving image references: found \
             strict reference but {reference} is not a valid import path: {reason} ({file}:{position})"
        )
    }
}

fn references(bad: &[BadReference]) -> String {
    let lines: Vec<String> = bad.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
