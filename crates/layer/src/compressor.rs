//! The pool of threads that compress pieces of layers. Layers hand pieces in
//! and wait for them in their own order; the pool knows neither layers nor
//! files.

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::blocks::Known;
use crate::compression::{Compression, GZIP_LEVEL, Method};
use crate::gzip::GzipWriter;
use crate::pipeline::Piece;

/// Compresses layers on threads of its own, in one way. Clones share the
/// threads, which end when the last clone is dropped.
#[derive(Clone)]
pub struct Compressor {
    pool: Arc<Pool>,
    compression: Compression,
}

struct Pool {
    /// `None` only while the pool is dropped.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// Compresses a piece and sends it back.
type Job = Box<dyn FnOnce() + Send>;

impl Compressor {
    /// The version of the compressed bytes of the default compression. The
    /// same content has the same bytes for as long as this stays the same.
    pub const VERSION: &str = "gz1";

    /// Starts so many threads. The compression is the default one.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn new(threads: NonZeroUsize) -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        // Built up in place, so that threads end if a later one does not start.
        let mut pool = Pool { jobs: Some(jobs), threads: Vec::new() };
        for _ in 0..threads.get() {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name("compress".to_owned());
            pool.threads.push(thread.spawn(move || work(&queue))?);
        }
        Ok(Self { pool: Arc::new(pool), compression: Compression::default() })
    }

    /// On the same threads, but in this way.
    #[must_use]
    pub fn with(&self, compression: Compression) -> Self {
        Self { compression, ..self.clone() }
    }

    /// The way in which it compresses.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Starts a gzip stream that goes to `out`, at the level of this
    /// compressor if it makes gzip, else at the usual one.
    ///
    /// # Errors
    /// The writer's.
    pub fn gzip<W: Write>(&self, out: W) -> io::Result<GzipWriter<W>> {
        self.gzip_from(None, out)
    }

    /// The same, taking blocks that are known, if any are, and telling in the
    /// end which blocks there are.
    pub(crate) fn gzip_from<W: Write>(
        &self,
        known: Option<Arc<Known>>,
        out: W,
    ) -> io::Result<GzipWriter<W>> {
        let level = match self.compression.method() {
            Method::Gzip | Method::Estargz => self.compression.level(),
            Method::Zstd | Method::None => GZIP_LEVEL,
        };
        GzipWriter::new(self.clone(), level, out, known)
    }

    /// How many pieces of a layer may be away at a time: enough to keep every
    /// thread busy while the layer waits for its oldest piece.
    pub(crate) fn window(&self) -> usize {
        self.pool.threads.len() + 2
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
        if let Some(jobs) = &self.pool.jobs {
            // Without threads the job is dropped, which its receiver notices.
            let _ = jobs.send(Box::new(job));
        }
        receiver
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // Jobs catch what panics.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("threads", &self.pool.threads.len())
            .field("compression", &self.compression)
            .finish()
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
    use crate::deflate::Block;

    fn pool(threads: usize) -> Compressor {
        Compressor::new(NonZeroUsize::new(threads).unwrap()).unwrap()
    }

    #[test]
    fn a_panic_is_an_error_and_the_thread_goes_on() {
        let pool = pool(1);
        assert!(pool.submit(Block::broken()).recv().is_err());
        assert!(pool.submit(Block::new(GZIP_LEVEL, None)).recv().is_ok());
    }

    #[test]
    fn threads_end_with_the_last_clone() {
        let pool = pool(3);
        let jobs = Arc::downgrade(&pool.pool);
        let clone = pool.clone();
        drop(pool);
        assert!(clone.submit(Block::new(GZIP_LEVEL, None)).recv().is_ok());
        // Dropping waits for the threads: it would hang if they went on.
        drop(clone);
        assert!(jobs.upgrade().is_none());
    }
}
