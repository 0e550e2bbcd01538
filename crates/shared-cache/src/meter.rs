//! Counts what a storage moves: for those who want to know what a cache costs, and to
//! see that it makes progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one storage, shared by all of its requests. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    round_trips: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// What a storage has moved so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Requests that were answered; of a directory, files that were opened or looked at.
    pub round_trips: u64,
    /// Bytes of content that were sent.
    pub sent: u64,
    /// Bytes of content that were received.
    pub received: u64,
}

impl Meter {
    /// Nothing has moved.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A request was answered.
    pub fn round_trip(&self) {
        self.0.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes have left.
    pub fn sent(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes have come.
    pub fn received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What has moved so far.
    #[must_use]
    pub fn moved(&self) -> Moved {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { round_trips, sent, received } = &*self.0;
        Moved { round_trips: get(round_trips), sent: get(sent), received: get(received) }
    }
}
