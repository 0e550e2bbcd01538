//! What is kept of a build: the record of what it read, and what it gave.

use golang::{BuildInfo, BuildSettings, Reason, RecordKeys, Summary};
use layer::Layer;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

/// A build that was recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Built {
    pub(super) record: golang::Record,
    pub(super) layer: Layer,
    pub(super) info: BuildInfo,
}

impl store::Record for Built {
    const KIND: &'static str = "build";
    const VERSION: u32 = 1;
}

/// What `go` said of a program.
#[derive(Debug, Serialize, Deserialize)]
struct Said(golang::Outline);

impl store::Record for Said {
    const KIND: &'static str = "build-outline";
    const VERSION: u32 = 1;
}

/// Which checkout's record is the last of builds made one way.
#[derive(Debug, Serialize, Deserialize)]
struct Anywhere {
    here: String,
}

impl store::Record for Anywhere {
    const KIND: &'static str = "build-anywhere";
    const VERSION: u32 = 1;
}

/// How a program was last built.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Last(Summary);

impl store::Record for Last {
    const KIND: &'static str = "build-last";
    const VERSION: u32 = 1;
}

impl Last {
    pub(super) fn of(settings: &BuildSettings) -> Self {
        Self(Summary::of(settings))
    }

    /// See [`Summary::reason_against`].
    pub(super) fn reason_against(&self, settings: &BuildSettings) -> Reason {
        self.0.reason_against(settings)
    }
}

/// Where the record of a build is kept.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) keys: RecordKeys,
    /// What tells layers of one binary apart.
    pub(super) variant: String,
}

impl Place {
    fn here(&self) -> String {
        format!("{} {}", self.keys.here, self.variant)
    }

    fn anywhere(&self) -> String {
        format!("{} {}", self.keys.anywhere, self.variant)
    }

    /// What `go` said of the program when the record of this checkout was made.
    pub(super) fn outline(&self, store: &Store) -> Option<golang::Outline> {
        store.record(&self.here()).map(|Said(outline)| outline)
    }

    /// Keeps what `go` said.
    pub(super) fn keep_outline(
        &self,
        store: &Store,
        outline: golang::Outline,
    ) -> Result<(), StoreError> {
        store.put_record(&self.here(), &Said(outline))
    }
}

impl Built {
    /// The record of this checkout; else that of another one, and true.
    pub(super) fn load(store: &Store, place: &Place) -> Option<(Self, bool)> {
        if let Some(built) = store.record(&place.here()) {
            return Some((built, false));
        }
        let Anywhere { here } = store.record(&place.anywhere())?;
        Some((store.record(&here)?, true))
    }

    /// Keeps it as the record of this checkout, and for others.
    pub(super) fn keep(&self, store: &Store, place: &Place) -> Result<(), StoreError> {
        let here = place.here();
        store.put_record(&here, self)?;
        store.put_record(&place.anywhere(), &Anywhere { here })
    }
}
