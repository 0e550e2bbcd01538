//! Watches whether the body of a request still moves. A registry is silent while
//! we send, so its silence alone proves nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// When a body has moved last.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// A piece was taken.
    pub(crate) fn beat(&self) {
        *self.0.lock().expect("no holder of this lock panics") = Instant::now();
    }

    /// Ends when nothing has moved for so long.
    pub(crate) async fn stopped(&self, limit: Duration) {
        loop {
            let end = *self.0.lock().expect("no holder of this lock panics") + limit;
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
        let (limit, pulse) = (Duration::from_secs(3600), Pulse::new());
        let Some(past) = Instant::now().checked_sub(limit) else { return };
        *pulse.0.lock().unwrap() = past;
        assert_eq!(pulse.stopped(limit).now_or_never(), Some(()));
        pulse.beat();
        assert_eq!(pulse.stopped(limit).now_or_never(), None);
    }
}
