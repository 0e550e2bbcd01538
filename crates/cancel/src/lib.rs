//! One flag that ends work on other threads, and the children that they wait for.
//! The flag only tells: each thread that waits for a child ends its own, because
//! only the one that reaps a process knows that its id still belongs to it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use thiserror::Error;

/// How long an interrupted child may clean up before it is killed.
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
    cancelled: AtomicBool,
    /// Flags that are raised with this one. The lock is also that of `changed`.
    branches: Mutex<Vec<Weak<Shared>>>,
    changed: Condvar,
    grace: Duration,
    children: Arc<AtomicU64>,
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
        Self { shared: Arc::new(Shared::new(false, grace, Arc::default())) }
    }

    /// A flag that is raised with this one, or alone. Both count the same
    /// children.
    #[must_use]
    pub fn branch(&self) -> Self {
        let Shared { cancelled, grace, children, .. } = &*self.shared;
        let mut branches = self.lock();
        let raised = cancelled.load(Ordering::SeqCst);
        let shared = Arc::new(Shared::new(raised, *grace, Arc::clone(children)));
        branches.retain(|branch| branch.strong_count() > 0);
        branches.push(Arc::downgrade(&shared));
        Self { shared }
    }

    /// Raises the flag and its branches, and returns at once; the calls that it
    /// ends return when their children have.
    pub fn cancel(&self) {
        let branches = {
            let mut branches = self.lock();
            self.shared.cancelled.store(true, Ordering::SeqCst);
            std::mem::take(&mut *branches)
        };
        self.shared.changed.notify_all();
        for shared in branches.iter().filter_map(Weak::upgrade) {
            Self { shared }.cancel();
        }
    }

    /// Whether the flag is raised. Takes no lock.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    /// How many children have been started that this flag, the one that it
    /// branches off, or another branch of that would end.
    #[must_use]
    pub fn children(&self) -> u64 {
        self.shared.children.load(Ordering::Relaxed)
    }

    /// A child was started.
    pub fn count_child(&self) {
        self.shared.children.fetch_add(1, Ordering::Relaxed);
    }

    /// How long an interrupted child may go on.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.shared.grace
    }

    /// Runs `change` and wakes every waiting thread, so that none can miss it
    /// between looking and waiting.
    pub fn announce(&self, change: impl FnOnce()) {
        let guard = self.lock();
        change();
        drop(guard);
        self.shared.changed.notify_all();
    }

    /// Waits while `waiting` is true of the flag, at most for `limit`. Returns
    /// whether the flag is raised.
    pub fn wait_while(&self, limit: Option<Duration>, waiting: impl Fn(bool) -> bool) -> bool {
        let guard = self.lock();
        let condition = |_: &mut Vec<_>| waiting(self.is_cancelled());
        let changed = &self.shared.changed;
        match limit {
            None => drop(changed.wait_while(guard, condition)),
            Some(limit) => drop(changed.wait_timeout_while(guard, limit, condition)),
        }
        self.is_cancelled()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Shared>>> {
        // A list of flags is right whatever a panicking thread did.
        self.shared.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn new(cancelled: bool, grace: Duration, children: Arc<AtomicU64>) -> Self {
        Self {
            cancelled: AtomicBool::new(cancelled),
            branches: Mutex::default(),
            changed: Condvar::new(),
            grace,
            children,
        }
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::Cancel;

    #[test]
    fn a_branch_ends_alone_or_with_its_trunk() {
        let trunk = Cancel::new();
        let (one, two) = (trunk.branch(), trunk.branch());
        let twig = one.branch();
        one.cancel();
        assert_eq!(
            [&trunk, &one, &two, &twig].map(Cancel::is_cancelled),
            [false, true, false, true]
        );
        trunk.cancel();
        assert!(two.is_cancelled());
        assert!(trunk.branch().is_cancelled());
    }

    #[test]
    fn who_waits_on_a_branch_wakes_with_the_trunk() {
        let trunk = Cancel::new();
        let branch = trunk.branch();
        let waiting = thread::spawn(move || branch.wait_while(None, |cancelled| !cancelled));
        trunk.cancel();
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn all_count_the_same_children() {
        let trunk = Cancel::new();
        trunk.branch().count_child();
        trunk.branch().branch().count_child();
        assert_eq!(trunk.children(), 2);
    }
}
