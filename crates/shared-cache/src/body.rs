//! The bytes of a blob on their way into a storage. They can be read several times:
//! a request may have to be made again.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::{Meter, StorageError};

/// How much of a file is read at a time.
const CHUNK: usize = 256 << 10;

/// The bytes of a blob.
#[derive(Debug, Clone)]
pub struct Body {
    source: Source,
    meter: Meter,
}

#[derive(Debug, Clone)]
enum Source {
    Bytes(Bytes),
    File(PathBuf),
}

impl Body {
    /// Bytes in memory.
    #[must_use]
    pub fn from_bytes(bytes: Bytes, meter: &Meter) -> Self {
        Self { source: Source::Bytes(bytes), meter: meter.clone() }
    }

    /// A file.
    #[must_use]
    pub fn from_file(path: &Path, meter: &Meter) -> Self {
        Self { source: Source::File(path.to_owned()), meter: meter.clone() }
    }

    /// The same bytes, which no meter counts.
    pub(crate) fn uncounted(self) -> Self {
        Self { meter: Meter::new(), ..self }
    }

    /// The bytes from the beginning, in chunks. The meter counts them as they leave.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub async fn stream(
        &self,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        self.range(0, u64::MAX).await
    }

    /// The same of so many bytes from an offset, as far as there are any.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub async fn range(
        &self,
        start: u64,
        len: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        let meter = self.meter.clone();
        let counted = move |chunk: &Bytes| meter.sent(chunk.len());
        match &self.source {
            Source::Bytes(bytes) => {
                let at = |offset: u64| offset.min(bytes.len() as u64) as usize;
                let bytes = bytes.slice(at(start)..at(start.saturating_add(len)));
                Ok(stream::iter([Ok(bytes)]).inspect_ok(counted).boxed())
            }
            Source::File(path) => {
                let file = File::open(path).await;
                let mut file = file.map_err(StorageError::at("opening", path))?;
                if start > 0 {
                    let sought = file.seek(SeekFrom::Start(start)).await;
                    sought.map_err(StorageError::at("reading", path))?;
                }
                let file = file.take(len);
                let chunks = stream::try_unfold((file, path.clone()), |(mut file, path)| async {
                    let mut chunk = BytesMut::with_capacity(CHUNK);
                    match file.read_buf(&mut chunk).await {
                        Ok(0) => Ok(None),
                        Ok(_) => Ok(Some((chunk.freeze(), (file, path)))),
                        Err(error) => Err(StorageError::at("reading", path)(error)),
                    }
                });
                Ok(chunks.inspect_ok(counted).boxed())
            }
        }
    }
}
