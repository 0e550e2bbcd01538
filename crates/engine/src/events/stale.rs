//! Explains why a program is built again.

use std::path::PathBuf;

use freshness::Reason;

/// Why a program is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaleReason {
    /// The user wants it.
    Forced,
    /// Its layer has gone from the cache.
    Layer,
    /// Its binary, which somebody else has built, is not known to be as it was.
    Prebuilt(PathBuf),
    /// What it is built from is not known to be as it was.
    Inputs(Reason),
}

impl std::fmt::Display for StaleReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forced => f.write_str("--rebuild"),
            Self::Layer => f.write_str("its layer is no longer in the cache"),
            Self::Prebuilt(path) => write!(f, "{} is new or has changed", path.display()),
            Self::Inputs(reason) => reason.fmt(f),
        }
    }
}
