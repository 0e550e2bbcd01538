//! Takes the bytes of a blob from wherever the caller has them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

/// Bytes on their way to a registry.
pub type Chunks = BoxStream<'static, std::io::Result<Bytes>>;

type Open = dyn Fn(u64, u64) -> Chunks + Send + Sync;

/// Opens the bytes of a blob, as often as they are needed.
#[derive(Clone)]
pub struct Opener(Arc<Open>);

impl Opener {
    /// `open` gives so many bytes (its second argument) from an offset (its first).
    pub fn new(open: impl Fn(u64, u64) -> Chunks + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    pub(crate) fn open(&self, start: u64, len: u64) -> Chunks {
        (self.0)(start, len)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}
