//! Runs work on threads that may block, with the files of the store or for ever.

use once::blocking;
use store::Store;

/// Works with the files of the store.
pub(crate) async fn with_store<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> T + Send + 'static,
) -> T {
    let store = store.clone();
    blocking(move || work(&store)).await
}

/// Runs work that may wait for another process, maybe for ever, on a thread of
/// its own, and waits for it. The end of the runtime does not wait for it, so
/// it leaves nothing that must be cleaned up.
pub async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        // Nobody may be left to take it.
        let _ = done.send(work());
    });
    match wait.await {
        Ok(done) => done,
        Err(_) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => std::future::pending().await,
        },
    }
}
