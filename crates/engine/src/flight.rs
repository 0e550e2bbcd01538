//! Single flight: what several images of a run need is found out once, by
//! whoever asks first, and shared with the others, its failure too.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;

/// Work by key. `V` is what waiters share: cheap to clone, usually a `Result`
/// of two `Arc`s.
pub(crate) struct Flights<K, V> {
    flights: Mutex<HashMap<K, Flight<V>>>,
}

struct Flight<V> {
    work: Shared<BoxFuture<'static, V>>,
    task: AbortHandle,
}

impl<K: Eq + Hash, V: Clone + Send + Sync + 'static> Flights<K, V> {
    pub(crate) fn new() -> Self {
        Self { flights: Mutex::new(HashMap::new()) }
    }

    /// The work, if somebody has started it.
    pub(crate) fn find(&self, key: &K) -> Option<Shared<BoxFuture<'static, V>>> {
        let flights = self.flights.lock().expect("no panic while it is held");
        flights.get(key).map(|flight| flight.work.clone())
    }

    /// Starts the work now, if nobody has; the result may be awaited or not.
    /// Work that nobody waits for goes on until it ends or `self` is dropped.
    pub(crate) fn start<F>(&self, key: K, work: impl FnOnce() -> F) -> Shared<BoxFuture<'static, V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut flights = self.flights.lock().expect("no panic while it is held");
        let flight = flights.entry(key).or_insert_with(|| {
            let work = work().boxed().shared();
            let task = tokio::spawn(work.clone()).abort_handle();
            Flight { work, task }
        });
        flight.work.clone()
    }
}

impl<K, V> Drop for Flights<K, V> {
    fn drop(&mut self) {
        if let Ok(flights) = self.flights.get_mut() {
            for flight in flights.values() {
                flight.task.abort();
            }
        }
    }
}

impl<K, V> fmt::Debug for Flights<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn work_is_done_once_for_all_who_ask() {
        let flights = Flights::<&str, usize>::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let runs = Arc::clone(&runs);
            flights.start("key", move || async move {
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
        struct Tell(Option<tokio::sync::oneshot::Sender<&'static str>>, &'static str);
        impl Drop for Tell {
            fn drop(&mut self) {
                let _ = self.0.take().expect("told once").send(self.1);
            }
        }
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (ended, has_ended) = tokio::sync::oneshot::channel();
        let flights = Flights::<(), ()>::new();
        drop(flights.start((), || async move {
            let _tell = Tell(Some(ended), "dropped");
            started.send(()).expect("somebody listens");
            std::future::pending::<()>().await;
        }));
        has_started.await.unwrap();
        drop(flights);
        assert_eq!(has_ended.await, Ok("dropped"));
    }
}
