//! One gzip member (RFC 1952) out of blocks that were compressed in parallel.
//! Several members would be a valid file too, but there are consumers of
//! layers that read the first member only.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::Receiver;

use crate::compressor::Compressor;
use crate::deflate::Block;

/// The header: no name, no time, "fastest" (4), made on an "unknown" (255)
/// system. Go writes the same one for ko.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

/// Compresses what is written to it, as one gzip member. It holds a bounded
/// number of blocks at a time and uses them again. It must be
/// [finished](Self::finish); dropped before, it leaves a stream without end.
pub struct GzipWriter<W> {
    compressor: Compressor,
    out: W,
    /// What is being filled.
    block: Block,
    /// What is being compressed, the oldest first.
    away: VecDeque<Receiver<Block>>,
    /// What has come back and is not in use.
    spare: Option<Block>,
    /// The checksum of the blocks that are written.
    crc: crc32fast::Hasher,
}

impl<W: Write> GzipWriter<W> {
    pub(crate) fn new(compressor: Compressor, mut out: W) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        Ok(Self {
            compressor,
            out,
            block: Block::new(),
            away: VecDeque::new(),
            spare: None,
            crc: crc32fast::Hasher::new(),
        })
    }

    /// Where more content goes: never empty.
    pub(crate) fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.block.is_full() {
            self.hand_in()?;
        }
        Ok(self.block.room())
    }

    /// Takes the first `n` bytes of the room as content, and returns them.
    pub(crate) fn advance(&mut self, n: usize) -> &[u8] {
        self.block.advance(n)
    }

    /// Compresses what is left and writes the trailer.
    ///
    /// # Errors
    /// The writer's; or a thread panicked.
    pub fn finish(mut self) -> io::Result<W> {
        // The last block stays on this thread: what fits into one block costs
        // no hand-over, and the others are still busy with the blocks before.
        self.block.end();
        self.block.compress();
        while !self.away.is_empty() {
            self.take_back()?;
        }
        write_block(&mut self.out, &mut self.crc, &self.block)?;
        // RFC 1952: the size is modulo 2^32.
        let size = self.crc.total_len() as u32;
        self.out.write_all(&self.crc.finalize().to_le_bytes())?;
        self.out.write_all(&size.to_le_bytes())?;
        Ok(self.out)
    }

    /// Hands the full block in, and goes on with another one.
    fn hand_in(&mut self) -> io::Result<()> {
        if self.away.len() == self.compressor.window() {
            self.take_back()?;
        }
        let mut next = self.spare.take().unwrap_or_else(Block::new);
        next.follow(&self.block);
        let full = std::mem::replace(&mut self.block, next);
        self.away.push_back(self.compressor.submit(full));
        Ok(())
    }

    /// Waits for the oldest block and writes it.
    fn take_back(&mut self) -> io::Result<()> {
        if let Some(oldest) = self.away.pop_front() {
            let block =
                oldest.recv().map_err(|_| io::Error::other("a compressing thread panicked"))?;
            write_block(&mut self.out, &mut self.crc, &block)?;
            self.spare = Some(block);
        }
        Ok(())
    }
}

fn write_block(out: &mut impl Write, crc: &mut crc32fast::Hasher, block: &Block) -> io::Result<()> {
    crc.combine(&block.crc);
    out.write_all(&block.output)
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room()?;
        let n = room.len().min(bytes.len());
        room[..n].copy_from_slice(&bytes[..n]);
        self.advance(n);
        Ok(n)
    }

    /// Does nothing: a block is compressed when it is full, whatever happens
    /// in between, so that the bytes depend on the content alone.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W> fmt::Debug for GzipWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipWriter").field("away", &self.away.len()).finish_non_exhaustive()
    }
}
