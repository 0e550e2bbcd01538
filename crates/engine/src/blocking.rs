//! Runs work on threads that may block: the runtime's own threads wait for no
//! file.

use store::Store;

/// Runs work on such a thread, and waits for it. While the runtime ends, work
/// that has not begun never does, and who waits for it ends with the runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = tokio::sync::oneshot::channel();
    // Boxed, so that the compiler makes one kind of task of all of them.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || {
        // Nobody may be left to take it.
        let _ = done.send(work());
    });
    let task = tokio::task::spawn_blocking(work);
    match wait.await {
        Ok(done) => done,
        Err(_) => match task.await {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => std::future::pending().await,
        },
    }
}

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
