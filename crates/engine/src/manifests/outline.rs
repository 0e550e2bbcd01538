//! Remembers what parsing has found in large manifests: where nothing has changed,
//! parsing them would be most of a run.

use oci::Digest;
use serde::{Deserialize, Serialize};
use store::{Record, Store};
use yaml::{File, Mode, Outline, Source};

/// From so many bytes on, a record is read faster than the text is parsed.
const LARGE: usize = 64 << 10;

/// The outline of the text whose digest is in the key.
#[derive(Debug, Serialize, Deserialize)]
struct OutlineRecord(Outline);

impl Record for OutlineRecord {
    const KIND: &'static str = "manifest-outline";
    /// To be raised whenever parsing finds something else.
    const VERSION: u32 = 1;
}

/// Where the outline of a source is kept.
#[derive(Debug)]
pub(super) struct Outlines<'a> {
    store: &'a Store,
    key: String,
}

impl<'a> Outlines<'a> {
    /// `None` for a source that is parsed as fast.
    pub(super) fn of(store: &'a Store, source: &Source<'_>, mode: Mode) -> Option<Self> {
        let key = || format!("{mode:?} {}", Digest::of(source.bytes));
        (source.bytes.len() >= LARGE).then(|| Self { store, key: key() })
    }

    /// The file, if its text was parsed before.
    pub(super) fn recall<'s>(&self, source: &Source<'s>, mode: Mode) -> Option<File<'s>> {
        let OutlineRecord(outline) = self.store.record(&self.key)?;
        File::of_outline(source, mode, outline)
    }

    /// Keeps what parsing has found. Without, the next run parses again.
    pub(super) fn keep(&self, file: &File<'_>, mode: Mode) {
        let _ = self.store.put_record(&self.key, &OutlineRecord(file.outline(mode)));
    }
}
