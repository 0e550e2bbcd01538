//! gzip (RFC 1952) out of blocks that were compressed in parallel. A layer is
//! one member, since there are consumers of layers that read the first member
//! only; more of them are made where the format of the layer asks for them.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use crate::blocks::{BlockRef, Blocks, KnownBlocks};
use crate::deflate::{Block, Spares};
use crate::pipeline::Pipeline;
use crate::pool::{Piece as _, Pool};

/// Compresses what is written to it, as one gzip member. It holds a bounded
/// number of blocks at a time and uses them again. It must be
/// [finished](Self::finish); dropped before, it leaves a stream without end.
pub struct GzipWriter<W> {
    out: W,
    level: u8,
    spares: Spares,
    /// Where blocks may be found compressed.
    known: Option<Arc<KnownBlocks>>,
    /// Those that may be found here the next time.
    blocks: Blocks,
    /// How many bytes went out.
    written: u64,
    /// Where each member begins of which the beginning is written.
    members: Vec<u64>,
    /// What is being filled.
    block: Block,
    /// What is being compressed.
    away: Pipeline<Block>,
    /// What has come back and is not in use.
    spare: Option<Block>,
    /// The checksum of the blocks of this member that are written.
    crc: crc32fast::Hasher,
}

impl<W: Write> GzipWriter<W> {
    pub(crate) fn new(
        pool: Pool,
        spares: Spares,
        level: u8,
        out: W,
        known: Option<Arc<KnownBlocks>>,
    ) -> io::Result<Self> {
        let mut writer = Self {
            out,
            level,
            blocks: Blocks::default(),
            written: 0,
            members: Vec::new(),
            block: Block::new(spares.clone(), level, known.clone()),
            spares,
            known,
            away: Pipeline::new(pool),
            spare: None,
            crc: crc32fast::Hasher::new(),
        };
        writer.begin_member()?;
        Ok(writer)
    }

    /// Where more content goes: never empty.
    pub(crate) fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.block.is_full() {
            let mut next = self.next()?;
            next.follow(&self.block);
            self.hand_in(next);
        }
        Ok(self.block.room())
    }

    /// Takes the first `n` bytes of the room as content, and returns them.
    pub(crate) fn advance(&mut self, n: usize) -> &[u8] {
        self.block.advance(n)
    }

    /// Ends the member, and begins another one.
    pub(crate) fn cut(&mut self) -> io::Result<()> {
        let mut next = self.next()?;
        next.restart();
        self.block.end();
        self.hand_in(next);
        Ok(())
    }

    /// Where every member begins, in bytes from the start. It waits for what
    /// is away, and so is for the end of a layer.
    pub(crate) fn members(&mut self) -> io::Result<&[u64]> {
        while self.take_back()? {}
        Ok(&self.members)
    }

    /// Compresses what is left and writes the trailer.
    ///
    /// # Errors
    /// The writer's; or a thread panicked.
    pub fn finish(self) -> io::Result<W> {
        self.finish_blocks().map(|(out, _)| out)
    }

    /// The same, with the blocks that may be found again.
    pub(crate) fn finish_blocks(mut self) -> io::Result<(W, Blocks)> {
        // The last block stays on this thread: what fits into one block costs
        // no hand-over, and the others are still busy with the blocks before.
        self.block.end();
        self.block.compress();
        while self.take_back()? {}
        self.crc.combine(&self.block.crc);
        self.out.write_all(&self.block.output)?;
        self.end_member()?;
        Ok((self.out, self.blocks))
    }

    /// A block to go on with.
    fn next(&mut self) -> io::Result<Block> {
        if self.away.is_full() {
            self.take_back()?;
        }
        let new = || Block::new(self.spares.clone(), self.level, self.known.clone());
        Ok(self.spare.take().unwrap_or_else(new))
    }

    /// Hands the block in, and goes on with the next one.
    fn hand_in(&mut self, next: Block) {
        let block = std::mem::replace(&mut self.block, next);
        self.away.hand_in(block);
    }

    /// Waits for the oldest block and writes it, if one is away.
    fn take_back(&mut self) -> io::Result<bool> {
        let Some(block) = self.away.take_back()? else { return Ok(false) };
        self.crc.combine(&block.crc);
        self.out.write_all(&block.output)?;
        if let Some((key, sum)) = block.sums {
            let size = u32::try_from(block.output.len()).expect("little more than a block");
            self.blocks.0.push(BlockRef { key, at: self.written, size, sum });
        }
        self.written += block.output.len() as u64;
        if block.is_last() {
            self.end_member()?;
            self.begin_member()?;
        }
        self.spare = Some(block);
        Ok(true)
    }

    /// Writes a header: no name, no time, and an "unknown" system (255). Go
    /// writes the same one for ko.
    fn begin_member(&mut self) -> io::Result<()> {
        self.members.push(self.written);
        let speed = match self.level {
            1 | 2 => 4, // "fastest"
            9 => 2,     // "maximum compression"
            _ => 0,
        };
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, speed, 0xff];
        self.out.write_all(&header)?;
        self.written += header.len() as u64;
        Ok(())
    }

    /// Writes a trailer.
    fn end_member(&mut self) -> io::Result<()> {
        let crc = std::mem::take(&mut self.crc);
        // RFC 1952: the size is modulo 2^32.
        let size = crc.total_len() as u32;
        self.out.write_all(&crc.finalize().to_le_bytes())?;
        self.out.write_all(&size.to_le_bytes())?;
        self.written += 8;
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::GZIP_LEVEL;
    use crate::deflate::BLOCK;
    use std::num::NonZeroUsize;

    /// What stands in the other blob is taken, and nothing is compressed.
    #[test]
    fn known_blocks_are_taken_if_they_are_sound() {
        let (pool, spares) = (Pool::new(NonZeroUsize::MIN), Spares::new(2));
        let content: Vec<u8> = (0..3 * BLOCK).map(|at| (at / 999 * 7) as u8).collect();
        let write = |known| {
            let out = GzipWriter::new(pool.clone(), spares.clone(), GZIP_LEVEL, Vec::new(), known);
            let mut out = out.unwrap();
            out.write_all(&content).unwrap();
            out.finish_blocks().unwrap()
        };
        assert_eq!(write(None).1, Blocks::default(), "without, no sums are made");
        let (bytes, blocks) = write(Some(Arc::new(KnownBlocks::default())));
        assert_eq!(bytes, write(None).0);
        assert_eq!(blocks.0.len(), 2, "all but the last");

        // In place of the second block are other bytes.
        let block = blocks.0[1];
        let (start, end) = (block.at as usize, block.at as usize + block.size as usize);
        let mut other = bytes.clone();
        other[start..end].fill(b'x');
        let known = |sum| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&other).unwrap();
            Some(Arc::new(KnownBlocks::new(
                file,
                Blocks(vec![blocks.0[0], BlockRef { sum, ..block }]),
            )))
        };
        let sum = stat::Sum::of(&other[start..end]);
        let (taken, found) = write(known(sum));
        assert_eq!(taken[start..end], other[start..end]);
        assert_eq!(found.0, [blocks.0[0], BlockRef { sum, ..block }]);
        assert_eq!(write(known(block.sum)), (bytes, blocks));
    }
}
