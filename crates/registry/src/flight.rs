//! Single flight: whoever asks for something that is on its way waits for it,
//! and shares the result or the failure.

use std::fmt;
use std::sync::{Mutex, MutexGuard};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::error::RegistryError;

type Running<V> = Shared<BoxFuture<'static, Result<V, RegistryError>>>;

/// One value that is made at most once at a time, and kept. A failure is
/// given to those who waited for it and then forgotten. If those who wait go
/// away, the next one goes on where they stopped.
pub(crate) struct Flight<V: Clone>(Mutex<Option<Running<V>>>);

impl<V: Clone + Send + Sync + 'static> Flight<V> {
    /// Returns the value, or makes it with `start`.
    pub(crate) async fn get(
        &self,
        start: impl FnOnce() -> BoxFuture<'static, Result<V, RegistryError>>,
    ) -> Result<V, RegistryError> {
        self.get_if(|_| true, start).await
    }

    /// Returns the value if it is still good, or makes it anew.
    pub(crate) async fn get_if(
        &self,
        good: impl FnOnce(&V) -> bool,
        start: impl FnOnce() -> BoxFuture<'static, Result<V, RegistryError>>,
    ) -> Result<V, RegistryError> {
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

    /// Has the last attempt failed?
    pub(crate) fn has_failed(&self) -> bool {
        let slot = self.slot();
        slot.as_ref().is_some_and(|running| matches!(running.peek(), Some(Err(_))))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Running<V>>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl<V: Clone> Default for Flight<V> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<V: Clone> fmt::Debug for Flight<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn counted(count: &Arc<AtomicU32>) -> BoxFuture<'static, Result<u32, RegistryError>> {
        let count = Arc::clone(count);
        async move {
            tokio::task::yield_now().await;
            let n = count.fetch_add(1, Ordering::SeqCst);
            if n == 0 {
                let digest = oci::Digest::of(b"");
                return Err(RegistryError::NoBlob { digest });
            }
            Ok(n)
        }
        .boxed()
    }

    #[tokio::test]
    async fn failures_are_shared_and_forgotten_values_are_kept() {
        let count = Arc::new(AtomicU32::new(0));
        let flight = Flight::default();
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
        let flight = Flight::default();
        {
            let mut gone = Box::pin(flight.get(|| counted(&count)));
            assert!(futures::poll!(&mut gone).is_pending());
        }
        assert_eq!(flight.get(|| counted(&count)).await.unwrap(), 1);
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}
