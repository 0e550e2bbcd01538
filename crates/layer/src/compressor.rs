//! How layers are compressed, and the threads that do it.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::blocks::KnownBlocks;
use crate::compression::{Compression, GZIP_LEVEL, Method};
use crate::deflate::Spares;
use crate::gzip::GzipWriter;
use crate::pool::Pool;

/// Compresses layers on threads of its own, in one way. Clones share the
/// threads and their memory, which end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Compressor {
    pool: Pool,
    spares: Spares,
    compression: Compression,
}

impl Compressor {
    /// The version of the compressed bytes of the default compression. The
    /// same content has the same bytes for as long as this stays the same.
    pub const VERSION: &str = "gz1";

    /// Compresses on so many threads, which start when there is something to
    /// compress. The compression is the default one.
    #[must_use]
    pub fn new(threads: NonZeroUsize) -> Self {
        let pool = Pool::new(threads);
        // Two layers at full speed.
        let spares = Spares::new(2 * pool.window());
        Self { pool, spares, compression: Compression::default() }
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

    /// The threads.
    pub(crate) fn pool(&self) -> Pool {
        self.pool.clone()
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
        known: Option<Arc<KnownBlocks>>,
        out: W,
    ) -> io::Result<GzipWriter<W>> {
        let level = match self.compression.method() {
            Method::Gzip | Method::Estargz => self.compression.level(),
            Method::Zstd | Method::None => GZIP_LEVEL,
        };
        GzipWriter::new(self.pool(), self.spares.clone(), level, out, known)
    }
}
