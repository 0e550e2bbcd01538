//! Parses references of base images.

use std::fmt;
use std::str::FromStr;

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
    pub(super) fn tag(&self) -> Option<String> {
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

impl FromStr for BaseReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Ok(match text {
            "scratch" => Self::Scratch,
            STATIC_BASE => Self::Static,
            text => Self::Registry { raw: text.to_owned(), reference: text.parse()? },
        })
    }
}

impl fmt::Display for BaseReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scratch => "scratch",
            Self::Static => STATIC_BASE,
            Self::Registry { raw, .. } => raw,
        })
    }
}
