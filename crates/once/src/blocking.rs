//! Runs work on threads that may block: the runtime's own threads wait for no
//! file.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Runs work on such a thread, and waits for it. It begins when the future is first
/// polled, so that one that nobody needs costs nothing. While the runtime ends, work
/// that has not begun never does, and who waits for it ends with the runtime. Needs a
/// tokio runtime. A panic goes on in the one who waits.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = oneshot::channel();
    // Boxed, so that the compiler makes one kind of task of all of them.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || {
        // Nobody may be left to take it.
        let _ = done.send(work());
    });
    let task = tokio::task::spawn_blocking(work);
    match wait.await {
        Ok(done) => done,
        // It has panicked, or never begins.
        Err(_) => {
            joined(task).await;
            std::future::pending().await
        }
    }
}

/// Waits for a task that nobody aborts. One that the end of the runtime cancels is
/// waited for until the waiting ends as well. A panic goes on in the one who waits.
pub async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::sync::oneshot;

    use super::blocking;

    #[tokio::test]
    async fn nothing_begins_before_somebody_waits() {
        let (began, begins) = mpsc::channel();
        let work = blocking(move || began.send(()));
        assert_eq!(begins.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
        assert_eq!(work.await, Ok(()));
    }

    #[tokio::test]
    #[should_panic(expected = "of the work")]
    async fn a_panic_goes_on_in_the_one_who_waits() {
        blocking(|| panic!("of the work")).await;
    }

    #[test]
    fn who_waits_for_work_that_never_begins_ends_with_the_runtime() {
        let runtime = Builder::new_multi_thread().max_blocking_threads(1).build().unwrap();
        let (go_on, held) = mpsc::channel::<()>();
        let (began, begins) = oneshot::channel();
        let (over, is_over) = mpsc::channel::<()>();
        runtime.block_on(async {
            // The only thread is taken, so what follows waits in the queue.
            drop(tokio::spawn(blocking(move || {
                began.send(()).unwrap();
                held.recv()
            })));
            begins.await.unwrap();
            drop(tokio::spawn(async move {
                let _over = over;
                blocking(|| unreachable!("the runtime ends before")).await;
                unreachable!("it never begins");
            }));
        });
        runtime.shutdown_timeout(Duration::from_millis(10));
        // Dropped with the runtime: neither a value nor a panic.
        assert_eq!(is_over.recv(), Err(mpsc::RecvError));
        drop(go_on);
    }
}
