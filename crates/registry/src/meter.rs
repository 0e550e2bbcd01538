//! Counts the traffic of a client.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::StatusCode;

use crate::pulse::Pulse;

/// Counters of the traffic.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    requests: AtomicU64,
    /// Bytes of large bodies that have left, also without an answer so far.
    moved: Arc<AtomicU64>,
    /// The same by repository.
    moved_to: Mutex<HashMap<String, Arc<AtomicU64>>>,
    /// Those whose answer was no refusal and no failure.
    good: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// The traffic of a client so far, repetitions included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of requests that were answered.
    pub requests: u64,
    /// Bytes of their bodies.
    pub sent: u64,
    /// Bytes of the bodies of answers that were read.
    pub received: u64,
    /// Bytes of blobs that have left, also those that are not answered yet.
    pub moved: u64,
}

impl Meter {
    fn repositories(&self) -> MutexGuard<'_, HashMap<String, Arc<AtomicU64>>> {
        self.moved_to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What watches a body, and counts what leaves of it.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse::new(&self.moved)
    }

    /// What counts the bytes that leave for a repository.
    pub(crate) fn of(&self, repository: &str) -> Arc<AtomicU64> {
        Arc::clone(self.repositories().entry(repository.to_owned()).or_default())
    }

    /// The bytes that have left for a repository.
    pub(crate) fn moved_to(&self, repository: &str) -> u64 {
        let all = self.repositories();
        all.get(repository).map_or(0, |moved| moved.load(Ordering::Relaxed))
    }

    /// A request with a body of so many bytes was answered.
    pub(crate) fn answered(&self, status: StatusCode, sent: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.good.fetch_add(u64::from(status.as_u16() < 400), Ordering::Relaxed);
        self.sent.fetch_add(sent, Ordering::Relaxed);
    }

    /// So many bytes of an answer were read.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many answers were good so far.
    pub(crate) fn good(&self) -> &AtomicU64 {
        &self.good
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            requests: read(&self.requests),
            sent: read(&self.sent),
            received: read(&self.received),
            moved: read(&self.moved),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_if_it_is_no_refusal_and_no_failure() {
        for (status, good) in [(200, 1), (206, 1), (307, 1), (400, 0), (404, 0), (429, 0), (503, 0)]
        {
            let meter = Meter::default();
            meter.answered(StatusCode::from_u16(status).unwrap(), 7);
            assert_eq!(meter.good().load(Ordering::Relaxed), good, "{status}");
            assert_eq!(meter.traffic(), Traffic { requests: 1, sent: 7, ..Traffic::default() });
        }
    }
}
