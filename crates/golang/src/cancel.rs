//! Ends work that runs on other threads, and counts its children. The flag only
//! tells: each thread that waits for a child ends its own, because only the one
//! that reaps a process knows that its id still belongs to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

/// How long an interrupted `go` may clean up before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A flag that many threads share; clones are the same flag. Once it is
/// raised, running children are interrupted, killed if they do not end within
/// the grace period, and no new one starts.
#[derive(Debug, Clone)]
pub struct Cancel {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cancelled: Mutex<bool>,
    changed: Condvar,
    grace: Duration,
    children: AtomicU64,
}

impl Cancel {
    /// A flag that is not raised. The grace period is 5 seconds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_grace(GRACE)
    }

    /// A flag that is not raised, with another grace period.
    #[must_use]
    pub fn with_grace(grace: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                cancelled: Mutex::new(false),
                changed: Condvar::new(),
                grace,
                children: AtomicU64::new(0),
            }),
        }
    }

    /// Raises the flag and returns at once; the calls that it ends return
    /// when their children have.
    pub fn cancel(&self) {
        *self.lock() = true;
        self.shared.changed.notify_all();
    }

    /// Whether the flag is raised.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.lock()
    }

    /// How many children have been started that this flag would end.
    #[must_use]
    pub fn children(&self) -> u64 {
        self.shared.children.load(Ordering::Relaxed)
    }

    /// A child was started.
    pub(crate) fn count_child(&self) {
        self.shared.children.fetch_add(1, Ordering::Relaxed);
    }

    /// How long an interrupted child may go on.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no interrupts"))]
    pub(crate) fn grace(&self) -> Duration {
        self.shared.grace
    }

    /// Runs `change` and wakes every waiting thread, so that none can miss it
    /// between looking and waiting.
    #[cfg_attr(not(unix), expect(dead_code, reason = "children are looked at"))]
    pub(crate) fn announce(&self, change: impl FnOnce()) {
        let guard = self.lock();
        change();
        drop(guard);
        self.shared.changed.notify_all();
    }

    /// Waits while `waiting` is true of the flag, at most for `limit`. Returns
    /// whether the flag is raised.
    pub(crate) fn wait_while(
        &self,
        limit: Option<Duration>,
        waiting: impl Fn(bool) -> bool,
    ) -> bool {
        let guard = self.lock();
        let condition = |cancelled: &mut bool| waiting(*cancelled);
        let changed = &self.shared.changed;
        match limit {
            None => *changed.wait_while(guard, condition).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                *changed
                    .wait_timeout_while(guard, limit, condition)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A flag is right whatever a panicking thread did.
        self.shared.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work was cancelled, and nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cancelled")]
pub struct Cancelled;

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}
