//! The threads that compress pieces of layers. Layers hand pieces in and wait
//! for them in their own order; the pool knows neither layers nor files.

use std::fmt;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};

/// What a thread compresses at once. The result must depend on nothing but the
/// piece.
pub(crate) trait Piece: Send + 'static {
    /// Compresses the piece in place.
    fn compress(&mut self);
}

/// Clones share the threads, which end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Threads>);

struct Threads {
    /// How many there are to be.
    wanted: NonZeroUsize,
    /// Those that were started, and how they get their jobs. A run in which
    /// nothing has changed compresses nothing, and needs none.
    started: OnceLock<Started>,
}

struct Started {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

/// Compresses a piece and sends it back.
type Job = Box<dyn FnOnce() + Send>;

impl Pool {
    /// So many threads, which start with the first piece.
    pub(crate) fn new(threads: NonZeroUsize) -> Self {
        Self(Arc::new(Threads { wanted: threads, started: OnceLock::new() }))
    }

    /// How many pieces of a layer may be away at a time: enough to keep every
    /// thread busy while the layer waits for its oldest piece.
    pub(crate) fn window(&self) -> usize {
        self.0.wanted.get() + 2
    }

    /// Hands a piece in. The receiver gives it back compressed, or an error if
    /// that panicked.
    pub(crate) fn submit<P: Piece>(&self, mut piece: P) -> Receiver<P> {
        let (done, receiver) = sync_channel(1);
        let job = move || {
            if catch_unwind(AssertUnwindSafe(|| piece.compress())).is_ok() {
                // A layer that was given up does not listen any more.
                let _ = done.send(piece);
            }
        };
        let Started { jobs, threads } = self.0.started.get_or_init(|| Started::new(self.0.wanted));
        if threads.is_empty() {
            job();
        } else {
            // Threads end after their last job.
            let _ = jobs.send(Box::new(job));
        }
        receiver
    }
}

impl Started {
    /// Starts the threads, or as many as the operating system allows. If there are
    /// none, the caller compresses each piece itself.
    fn new(wanted: NonZeroUsize) -> Self {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let start = |_| {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name("compress".to_owned());
            thread.spawn(move || work(&queue)).ok()
        };
        Self { jobs, threads: (0..wanted.get()).map_while(start).collect() }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let Some(Started { jobs, threads }) = self.started.take() else { return };
        drop(jobs);
        for thread in threads {
            // Jobs catch what panics.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.0.wanted).finish()
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().expect("receiving does not panic").recv();
        let Ok(job) = job else { return };
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::GZIP_LEVEL;
    use crate::deflate::Block;

    fn pool(threads: usize) -> Pool {
        Pool::new(NonZeroUsize::new(threads).unwrap())
    }

    #[test]
    fn a_panic_is_an_error_and_the_thread_goes_on() {
        let pool = pool(1);
        assert!(pool.submit(Block::broken()).recv().is_err());
        assert!(pool.submit(Block::fresh(GZIP_LEVEL)).recv().is_ok());
    }

    #[test]
    fn threads_start_with_the_first_piece() {
        let pool = pool(2);
        assert!(pool.0.started.get().is_none());
        assert!(pool.submit(Block::fresh(GZIP_LEVEL)).recv().is_ok());
        assert_eq!(pool.0.started.get().unwrap().threads.len(), 2);
    }

    #[test]
    fn without_threads_pieces_are_compressed_all_the_same() {
        let none = Started { jobs: channel().0, threads: Vec::new() };
        let pool = Pool(Arc::new(Threads { wanted: NonZeroUsize::MIN, started: none.into() }));
        assert!(pool.submit(Block::fresh(GZIP_LEVEL)).recv().is_ok());
    }

    #[test]
    fn threads_end_with_the_last_clone() {
        let pool = pool(3);
        let threads = Arc::downgrade(&pool.0);
        let clone = pool.clone();
        drop(pool);
        assert!(clone.submit(Block::fresh(GZIP_LEVEL)).recv().is_ok());
        // Dropping waits for the threads: it would hang if they went on.
        drop(clone);
        assert!(threads.upgrade().is_none());
    }
}
