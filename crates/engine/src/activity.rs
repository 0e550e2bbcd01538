//! Counts what a run has done so far and for how long. This decides whether an
//! earlier answer about a tag still counts when the tag is to be moved.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// For how long an answer counts in a run that does nothing.
const BELIEVED: Duration = Duration::from_secs(1);

/// Measures the time since some moment.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock of the caller's own.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }
}

impl Default for Clock {
    /// The system's.
    fn default() -> Self {
        let start = Instant::now();
        Self::new(move || start.elapsed())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What a run has done. Clones are of the same run.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    clock: Clock,
    worked: Arc<AtomicBool>,
}

impl Activity {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, worked: Arc::default() }
    }

    /// Something is compiled, made or sent.
    pub(crate) fn begin_work(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Duration {
        (self.clock.0)()
    }

    /// Does what was found out at this time still count?
    pub(crate) fn believes(&self, asked: Duration) -> bool {
        let age = self.now().saturating_sub(asked);
        !self.worked.load(Ordering::Relaxed) && age <= BELIEVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_a_second_of_a_run_that_does_nothing() {
        let activity = Activity::new(Clock::new(|| Duration::from_millis(5000)));
        for (asked, believed) in [(5000, true), (4000, true), (3999, false), (6000, true)] {
            assert_eq!(activity.believes(Duration::from_millis(asked)), believed, "{asked}");
        }
        activity.begin_work();
        assert!(!activity.believes(Duration::from_millis(5000)));
    }
}
