//! Runs work once per key: the first caller starts it, the others share its
//! result, also a failure.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;

/// Work by key. Waiters share a `V`: cheap to clone, usually a `Result` of two
/// `Arc`s.
pub struct OnceMap<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
}

struct Entry<V> {
    work: Shared<BoxFuture<'static, V>>,
    task: AbortHandle,
}

impl<K: Eq + Hash, V: Clone + Send + Sync + 'static> OnceMap<K, V> {
    /// Creates a map without work.
    pub fn new() -> Self {
        Self { entries: Mutex::new(HashMap::new()) }
    }

    /// Returns the work, if it has been started.
    pub fn find(&self, key: &K) -> Option<Shared<BoxFuture<'static, V>>> {
        self.entries().get(key).map(|entry| entry.work.clone())
    }

    /// Starts the work now unless it has been started; the result may be
    /// awaited or not. Work that nobody waits for goes on until it ends or
    /// `self` is dropped. Of two that ask at the same time, both may call `work`;
    /// one future is then dropped before it is polled, and must have begun nothing.
    /// Needs a tokio runtime.
    pub fn start<F>(&self, key: K, work: impl FnOnce() -> F) -> Shared<BoxFuture<'static, V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        if let Some(started) = self.find(&key) {
            return started;
        }
        // Not under the lock: it may emit events, and their observer is not ours.
        let work = work().boxed().shared();
        let mut entries = self.entries();
        let entry = entries.entry(key).or_insert_with(|| {
            let task = tokio::spawn(work.clone()).abort_handle();
            Entry { work, task }
        });
        entry.work.clone()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V: Clone + Send + Sync + 'static> Default for OnceMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Drop for OnceMap<K, V> {
    fn drop(&mut self) {
        if let Ok(entries) = self.entries.get_mut() {
            for entry in entries.values() {
                entry.task.abort();
            }
        }
    }
}

impl<K, V> fmt::Debug for OnceMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceMap").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn work_is_done_once_for_all_who_ask() {
        let map = OnceMap::<&str, usize>::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let runs = Arc::clone(&runs);
            map.start("key", move || async move {
                tokio::task::yield_now().await;
                runs.fetch_add(1, Ordering::SeqCst)
            })
        };
        let (a, b, c) = (ask(), ask(), ask());
        assert_eq!((a.await, b.await, c.await), (0, 0, 0));
        assert_eq!(ask().await, 0);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn work_starts_without_a_waiter_and_ends_with_its_owner() {
        struct OnDrop(Option<tokio::sync::oneshot::Sender<&'static str>>, &'static str);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                let _ = self.0.take().expect("sent once").send(self.1);
            }
        }
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (ended, has_ended) = tokio::sync::oneshot::channel();
        let map = OnceMap::<(), ()>::new();
        drop(map.start((), || async move {
            let _ended = OnDrop(Some(ended), "dropped");
            started.send(()).expect("somebody listens");
            std::future::pending::<()>().await;
        }));
        has_started.await.unwrap();
        drop(map);
        assert_eq!(has_ended.await, Ok("dropped"));
    }
}
