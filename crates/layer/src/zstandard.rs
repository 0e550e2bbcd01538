//! Zstandard (RFC 8878) out of frames that are compressed in parallel. The
//! content is cut at fixed places into frames that know nothing of each other,
//! so that the bytes do not depend on the threads. RFC 8878 has every decoder
//! read frame after frame.
//!
//! libzstd can share one frame between threads itself, but only between those
//! that it starts for each stream: the layers of a run would not share them.

use std::io::{self, Write};

use crate::pipeline::Pipeline;
use crate::pool::{Piece, Pool};

/// How much content a frame has. Smaller ones compress worse, since nothing is
/// found across their borders; larger ones are too few for several threads,
/// and take more memory. Part of what `zstd1` means.
pub(crate) const FRAME: usize = 4 * 1024 * 1024;

/// How much is taken at once, at most: what is read is hashed next, and should
/// still be in the processor's cache then.
const ROOM: usize = 256 * 1024;

/// Up to [`FRAME`] bytes, and what became of them.
struct Frame {
    level: u8,
    buffer: Vec<u8>,
    /// How much of the buffer is content.
    len: usize,
    output: Vec<u8>,
}

impl Frame {
    fn new(level: u8) -> Self {
        Self { level, buffer: vec![0; FRAME], len: 0, output: Vec::new() }
    }
}

impl Piece for Frame {
    /// With a context of its own, which holds nothing of another frame.
    fn compress(&mut self) {
        let level = i32::from(self.level);
        let mut context = zstd::bulk::Compressor::new(level).expect("the level is one of zstd's");
        self.output.clear();
        self.output.reserve(zstd::zstd_safe::compress_bound(self.len));
        context
            .compress_to_buffer(&self.buffer[..self.len], &mut self.output)
            .expect("there is room for the worst case");
    }
}

/// Compresses what is put into its room. It must be finished.
pub(crate) struct ZstdWriter<W> {
    out: W,
    level: u8,
    /// What is being filled.
    frame: Frame,
    /// What is being compressed.
    away: Pipeline<Frame>,
    /// What has come back and is not in use.
    spare: Option<Frame>,
}

impl<W: Write> ZstdWriter<W> {
    /// `level` is zstd's, from 1 to 22.
    pub(crate) fn new(pool: Pool, level: u8, out: W) -> Self {
        let away = Pipeline::new(pool);
        Self { out, level, frame: Frame::new(level), away, spare: None }
    }

    /// Where more content goes: never empty.
    pub(crate) fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.frame.len == FRAME {
            if self.away.is_full() {
                self.take_back()?;
            }
            let next = self.spare.take().unwrap_or_else(|| Frame::new(self.level));
            let full = std::mem::replace(&mut self.frame, Frame { len: 0, ..next });
            self.away.hand_in(full);
        }
        let end = FRAME.min(self.frame.len + ROOM);
        Ok(&mut self.frame.buffer[self.frame.len..end])
    }

    /// Takes the first `n` bytes of the room as content, and returns them.
    pub(crate) fn advance(&mut self, n: usize) -> &[u8] {
        let start = self.frame.len;
        self.frame.len += n;
        &self.frame.buffer[start..self.frame.len]
    }

    /// Compresses what is left.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.frame.compress();
        while self.take_back()? {}
        self.out.write_all(&self.frame.output)?;
        Ok(self.out)
    }

    /// Waits for the oldest frame and writes it, if one is away.
    fn take_back(&mut self) -> io::Result<bool> {
        let Some(frame) = self.away.take_back()? else { return Ok(false) };
        self.out.write_all(&frame.output)?;
        self.spare = Some(frame);
        Ok(true)
    }
}
