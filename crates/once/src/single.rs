//! Makes one value at a time: callers that ask while it is being made wait for
//! it, and share the result or the failure.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

type Running<V, E> = Shared<BoxFuture<'static, Result<V, E>>>;

/// One value that is made at most once at a time, and kept. A failure is
/// given to those who waited for it and then forgotten. The waiters drive the
/// work: if all of them go away, the next one continues where they stopped.
pub struct SingleFlight<V: Clone, E: Clone>(Mutex<Option<Running<V, E>>>);

impl<V, E> SingleFlight<V, E>
where
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Returns the value, or makes it with `start`.
    pub async fn get(
        &self,
        start: impl FnOnce() -> BoxFuture<'static, Result<V, E>>,
    ) -> Result<V, E> {
        self.get_if(|_| true, start).await
    }

    /// Returns the value if it is still `good`, or makes a new one with `start`.
    pub async fn get_if(
        &self,
        good: impl FnOnce(&V) -> bool,
        start: impl FnOnce() -> BoxFuture<'static, Result<V, E>>,
    ) -> Result<V, E> {
        let running = {
            let mut slot = self.slot();
            let usable = slot.as_ref().filter(|running| match running.peek() {
                None => true,
                Some(Ok(value)) => good(value),
                Some(Err(_)) => false,
            });
            match usable {
                Some(running) => running.clone(),
                None => slot.insert(start().shared()).clone(),
            }
        };
        running.await
    }

    /// Returns whether the last attempt has failed.
    pub fn has_failed(&self) -> bool {
        let slot = self.slot();
        slot.as_ref().is_some_and(|running| matches!(running.peek(), Some(Err(_))))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Running<V, E>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Clone, E: Clone> Default for SingleFlight<V, E> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<V: Clone, E: Clone> fmt::Debug for SingleFlight<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn counted(count: &Arc<AtomicU32>) -> BoxFuture<'static, Result<u32, &'static str>> {
        let count = Arc::clone(count);
        async move {
            tokio::task::yield_now().await;
            let n = count.fetch_add(1, Ordering::SeqCst);
            if n == 0 {
                return Err("the first fails");
            }
            Ok(n)
        }
        .boxed()
    }

    #[tokio::test]
    async fn failures_are_shared_and_forgotten_values_are_kept() {
        let count = Arc::new(AtomicU32::new(0));
        let flight = SingleFlight::default();
        let get = || flight.get(|| counted(&count));
        let (one, two) = tokio::join!(get(), get());
        assert!(one.is_err() && two.is_err());
        assert!(flight.has_failed());
        let (one, two) = tokio::join!(get(), get());
        assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
        assert_eq!(flight.get_if(|&n| n != 1, || counted(&count)).await.unwrap(), 2);
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_flight_survives_those_who_started_it() {
        let count = Arc::new(AtomicU32::new(1));
        let flight = SingleFlight::default();
        {
            let mut gone = Box::pin(flight.get(|| counted(&count)));
            assert!(futures::poll!(&mut gone).is_pending());
        }
        assert_eq!(flight.get(|| counted(&count)).await.unwrap(), 1);
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}
