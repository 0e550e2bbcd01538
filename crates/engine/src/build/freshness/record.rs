//! Stores what a build read and what it produced.

use freshness::{Reason, RecordKeys, Summary};
use golang::{BuildInfo, BuildSettings, Go, Linkage};
use layer::Layer;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

/// A build that was recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::build) struct RecordedBuild {
    pub(in crate::build) record: freshness::Record,
    pub(in crate::build) layer: Layer,
    pub(in crate::build) info: BuildInfo,
    /// Of programs that are not static.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::build) linkage: Option<Linkage>,
}

impl store::Record for RecordedBuild {
    const KIND: &'static str = "build";
    const VERSION: u32 = 1;
}

/// What `go` said of a program.
#[derive(Debug, Serialize, Deserialize)]
struct GoOutput(freshness::Outline);

impl store::Record for GoOutput {
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
pub(in crate::build) struct LastBuild(Summary);

impl store::Record for LastBuild {
    const KIND: &'static str = "build-last";
    const VERSION: u32 = 2;
}

impl LastBuild {
    pub(in crate::build) fn of(go: &Go, settings: &BuildSettings) -> Self {
        Self(Summary::of(go, settings))
    }

    /// See [`Summary::reason_against`].
    pub(in crate::build) fn reason_against(&self, go: &Go, settings: &BuildSettings) -> Reason {
        self.0.reason_against(go, settings)
    }
}

/// Where the record of a build is kept.
#[derive(Debug, Clone)]
pub(in crate::build) struct RecordSlot {
    pub(in crate::build) keys: RecordKeys,
    /// Distinguishes layers of one binary.
    pub(in crate::build) variant: String,
}

impl RecordSlot {
    /// Of what is not recorded.
    pub(in crate::build) fn none() -> Self {
        let key = String::new;
        let keys = RecordKeys { here: key(), anywhere: key(), shared: key(), last: key() };
        Self { keys, variant: key() }
    }

    /// The key of the record of this checkout.
    pub(in crate::build) fn here(&self) -> String {
        format!("{} {}", self.keys.here, self.variant)
    }

    /// The key of the records of all machines.
    pub(in crate::build) fn shared(&self) -> String {
        format!("{} {}", self.keys.shared, self.variant)
    }

    fn anywhere(&self) -> String {
        format!("{} {}", self.keys.anywhere, self.variant)
    }

    /// What `go` said of the program when the record of this checkout was made.
    pub(in crate::build) fn outline(&self, store: &Store) -> Option<freshness::Outline> {
        store.record(&self.here()).map(|GoOutput(outline)| outline)
    }

    /// Keeps what `go` said.
    pub(in crate::build) fn keep_outline(
        &self,
        store: &Store,
        outline: freshness::Outline,
    ) -> Result<(), StoreError> {
        store.put_record(&self.here(), &GoOutput(outline))
    }
}

impl RecordedBuild {
    /// The record of this checkout; else that of another one, and true.
    pub(in crate::build) fn load(store: &Store, slot: &RecordSlot) -> Option<(Self, bool)> {
        if let Some(built) = store.record(&slot.here()) {
            return Some((built, false));
        }
        let Anywhere { here } = store.record(&slot.anywhere())?;
        Some((store.record(&here)?, true))
    }

    /// Keeps it as the record of this checkout, and for others.
    pub(in crate::build) fn keep(
        &self,
        store: &Store,
        slot: &RecordSlot,
    ) -> Result<(), StoreError> {
        let here = slot.here();
        store.put_record(&here, self)?;
        store.put_record(&slot.anywhere(), &Anywhere { here })
    }
}
