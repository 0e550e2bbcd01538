//! Watches whether the body of a request still moves. A registry is silent while
//! we send, so its silence alone proves nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// When a body has moved last.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    last: Arc<Mutex<Instant>>,
    /// The bytes of all bodies that were taken.
    moved: Arc<AtomicU64>,
    /// Those of the bodies of one repository.
    of_one: Option<Arc<AtomicU64>>,
}

impl Pulse {
    pub(crate) fn new(moved: &Arc<AtomicU64>) -> Self {
        let last = Arc::new(Mutex::new(Instant::now()));
        Self { last, moved: Arc::clone(moved), of_one: None }
    }

    /// Counts for one repository as well.
    pub(crate) fn and(self, of_one: Arc<AtomicU64>) -> Self {
        Self { of_one: Some(of_one), ..self }
    }

    /// A piece was taken.
    pub(crate) fn beat(&self) {
        *self.last.lock().expect("no holder of this lock panics") = Instant::now();
    }

    /// A piece of so many bytes is given.
    pub(crate) fn give(&self, bytes: usize) {
        for moved in [Some(&self.moved), self.of_one.as_ref()].into_iter().flatten() {
            moved.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Ends when nothing has moved for so long.
    pub(crate) async fn stopped(&self, limit: Duration) {
        loop {
            let end = *self.last.lock().expect("no holder of this lock panics") + limit;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_beat_puts_the_end_off() {
        let moved = Arc::default();
        let (limit, pulse) = (Duration::from_secs(3600), Pulse::new(&moved));
        let Some(past) = Instant::now().checked_sub(limit) else { return };
        *pulse.last.lock().unwrap() = past;
        assert_eq!(pulse.stopped(limit).now_or_never(), Some(()));
        pulse.give(7);
        pulse.beat();
        assert_eq!(pulse.stopped(limit).now_or_never(), None);
        assert_eq!(moved.load(Ordering::Relaxed), 7);
    }
}
