//! Parses references of base images.

use std::fmt;
use std::str::FromStr;

use golang::{ImportPath, lowercase};
use oci::{Reference, ReferenceError};

use super::local;
use crate::image::STATIC_BASE;

/// A base image as the user named it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BaseReference {
    /// `scratch`: nothing at all.
    Scratch,
    /// `ko.static`: the base that is part of ko.
    Static,
    /// The image of a program, which is built first (`ko://`).
    Program(ImportPath),
    /// An image in a registry.
    Registry {
        /// As it was written.
        raw: String,
        /// What it means.
        reference: Reference,
    },
}

impl BaseReference {
    /// The full name with the tag of one that a registry may move.
    #[must_use]
    pub fn tag(&self) -> Option<String> {
        match self {
            Self::Registry { reference: reference @ Reference::Tag(repository, _), .. }
                if repository.registry().as_str() != local::LOCAL =>
            {
                Some(reference.full_name())
            }
            _ => None,
        }
    }
}

/// The programs of which each is the base of the one before, from `start`, if one of them is
/// there again in the end: that circle. `of` tells the base of a program.
#[must_use]
pub fn base_circle<'a>(
    start: &ImportPath,
    of: impl Fn(&ImportPath) -> &'a BaseReference,
) -> Option<Vec<ImportPath>> {
    let mut chain = vec![start.clone()];
    while let Some(last) = chain.last()
        && let BaseReference::Program(base) = of(last)
    {
        let is_base = |path: &ImportPath| lowercase(path.as_str()) == lowercase(base.as_str());
        let first = chain.iter().position(is_base);
        chain.push(base.clone());
        if let Some(first) = first {
            return Some(chain.split_off(first));
        }
    }
    None
}

impl FromStr for BaseReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Ok(match text {
            "scratch" => Self::Scratch,
            STATIC_BASE => Self::Static,
            text => match text.starts_with("ko://").then(|| ImportPath::parse(text)) {
                Some(Ok(path)) => Self::Program(path),
                // What is no import path is no reference either.
                _ => Self::Registry { raw: text.to_owned(), reference: text.parse()? },
            },
        })
    }
}

impl fmt::Display for BaseReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scratch => f.write_str("scratch"),
            Self::Static => f.write_str(STATIC_BASE),
            Self::Program(path) => write!(f, "ko://{path}"),
            Self::Registry { raw, .. } => f.write_str(raw),
        }
    }
}
