//! Request and response bodies: streamed, counted, and spoilt on demand.

use super::log::Entry;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

const CHUNK: u64 = 256 * 1024;

/// How long a cut waits for what was sent before it to leave the process.
const FLUSH: Duration = Duration::from_millis(20);

/// The body of a request, counted as it is read.
#[derive(Debug)]
pub(crate) struct RequestBody {
    inner: Incoming,
    entry: Arc<Entry>,
    cut_after: Option<u64>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, entry: Arc<Entry>) -> RequestBody {
        RequestBody { inner, entry, cut_after: None }
    }

    /// Makes reading fail after `bytes` bytes; the failure closes the
    /// connection.
    pub(crate) fn cut_after(&mut self, bytes: u64) {
        self.cut_after = Some(bytes);
    }

    /// Returns the next piece, nothing at the end.
    pub(crate) async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.cut_after == Some(0) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let Some(frame) = self.inner.frame().await else {
                return match self.cut_after {
                    Some(_) => Err(io::ErrorKind::ConnectionAborted.into()),
                    None => Ok(None),
                };
            };
            let Ok(mut data) = frame.map_err(io::Error::other)?.into_data() else {
                continue;
            };
            if let Some(left) = &mut self.cut_after {
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
            }
            self.entry.add_in(data.len());
            return Ok(Some(data));
        }
    }

    /// Returns the whole body, or nothing if it is larger than `limit` bytes.
    pub(crate) async fn all(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        while let Some(data) = self.chunk().await? {
            if out.len() + data.len() > limit {
                return Ok(None);
            }
            out.extend_from_slice(&data);
        }
        Ok(Some(out))
    }

    /// Reads what is left, so that a client that is still sending gets to see
    /// the answer instead of a broken pipe.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        while self.chunk().await?.is_some() {}
        Ok(())
    }
}

/// Where the bytes of a response come from.
#[derive(Debug)]
pub(crate) enum Source {
    Bytes(Bytes),
    File {
        file: File,
        len: u64,
    },
    /// `piece` follows what is next, always.
    Endless {
        next: Bytes,
        piece: Bytes,
    },
}

impl Source {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File { len, .. } => *len,
            Source::Endless { .. } => u64::MAX,
        }
    }

    /// Drops all but the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: u64) {
        match self {
            Source::Bytes(bytes) => bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX)),
            Source::File { len: old, .. } => *old = len.min(*old),
            Source::Endless { .. } => {}
        }
    }

    /// Narrows the source to `len` bytes from `start`.
    pub(crate) fn slice(self, start: u64, len: u64) -> io::Result<Source> {
        Ok(match self {
            Source::Bytes(bytes) => {
                let start = usize::try_from(start).map_err(io::Error::other)?;
                let len = usize::try_from(len).map_err(io::Error::other)?;
                Source::Bytes(bytes.slice(start..start + len))
            }
            Source::Endless { .. } => self,
            Source::File { mut file, .. } => {
                file.seek(SeekFrom::Start(start))?;
                Source::File { file, len }
            }
        })
    }

    /// Reads the next piece. The file is read in place, without a thread of
    /// its own: it was written a moment ago and is in the page cache.
    fn read(&mut self, at_most: u64) -> io::Result<Bytes> {
        let want = self.len().min(at_most);
        match self {
            Source::Bytes(bytes) => {
                Ok(bytes.split_to(usize::try_from(want).map_err(io::Error::other)?))
            }
            Source::Endless { next, piece } => Ok(std::mem::replace(next, piece.clone())),
            Source::File { file, len } => {
                let mut data = Vec::new();
                file.take(want).read_to_end(&mut data)?;
                if data.is_empty() && want > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *len -= data.len() as u64;
                Ok(data.into())
            }
        }
    }
}

/// Pace of a slow body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bytes at a time.
    pub(crate) chunk: u64,
    /// Pause before each piece.
    pub(crate) pause: Duration,
}

/// The body of a response, counted as it is handed to the connection.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    pub(crate) source: Source,
    pub(crate) entry: Arc<Entry>,
    /// Bytes after which the connection is cut.
    pub(crate) cut: Option<u64>,
    /// Whether the first byte is to be wrong.
    pub(crate) corrupt: bool,
    pub(crate) pace: Option<Pace>,
    pub(crate) sleep: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// Waits once for `pause`; ready when it has passed.
    fn wait(&mut self, pause: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        let ready = sleep.as_mut().poll(cx);
        if ready.is_ready() {
            self.sleep = None;
        }
        ready
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.cut == Some(0) {
            return this
                .wait(FLUSH, cx)
                .map(|()| Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        if this.source.len() == 0 {
            return Poll::Ready(None);
        }
        let mut at_most = this.cut.unwrap_or(CHUNK).min(CHUNK);
        if let Some(pace) = this.pace {
            at_most = at_most.min(pace.chunk.max(1));
            if this.wait(pace.pause, cx).is_pending() {
                return Poll::Pending;
            }
        }
        let mut data = match this.source.read(at_most) {
            Ok(data) => data,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        if std::mem::take(&mut this.corrupt) {
            let mut bytes = data.to_vec();
            if let Some(byte) = bytes.first_mut() {
                *byte ^= 1;
            }
            data = bytes.into();
        }
        if let Some(left) = &mut this.cut {
            *left -= data.len() as u64;
        }
        this.entry.add_out(data.len());
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.source.len() == 0
    }
}
