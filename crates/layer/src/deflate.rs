//! Blocks: the unit in which layers are compressed. Each block becomes a piece
//! of one raw DEFLATE stream (RFC 1951) that depends on the block, on the 32
//! KiB before it and on nothing else, so that blocks can be compressed in any
//! order, by any thread.
//!
//! On what the bytes depend in zlib-rs: it chooses instructions by what the
//! processor offers, but only for comparing, sliding and summing, whose
//! results are the same; its hash of four bytes, which decides what matches are
//! found, is one multiplication everywhere. A stream that is *reset*, however,
//! is not a new one: it keeps its window, and taking a dictionary hashes one
//! byte behind the dictionary's end, a byte of whatever the stream compressed
//! before. So every block has a stream of its own, whose window is zeroed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::{Compress, Compression, FlushCompress, Status};
use stat::Sum;

use crate::blocks::KnownBlocks;
use crate::pool::Piece;

/// How much is compressed at once. Up to 1 MiB a larger block is no faster and
/// saves nothing, so that memory decides. Part of what `gz1` means: another
/// size gives other bytes.
pub(crate) const BLOCK: usize = 256 * 1024;

/// How far back DEFLATE can refer.
const WINDOW: usize = 32 * 1024;

/// Memory of blocks that are no more. Layers are made on many threads, and an
/// allocator that keeps what each of them has freed keeps that of all.
#[derive(Clone)]
pub(crate) struct Spares {
    most: usize,
    buffers: Arc<Mutex<Vec<Buffers>>>,
}

/// What a block works in: its content, and its output.
type Buffers = (Vec<u8>, Vec<u8>);

impl fmt::Debug for Spares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spares").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Spares {
    /// Keeps that of so many blocks.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, buffers: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Buffers>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Up to [`BLOCK`] bytes, what came before them, and what became of them.
pub(crate) struct Block {
    /// Where its memory goes in the end.
    spares: Spares,
    /// zlib's, from 1 to 9.
    level: u8,
    /// The window before the content, then the content.
    buffer: Vec<u8>,
    /// How much of the window is filled, at its end.
    history: usize,
    /// How much content there is.
    len: usize,
    /// Is this the end of the stream?
    last: bool,
    /// Where it may be found compressed. Without, nothing is looked for, and no
    /// sums are made.
    known: Option<Arc<KnownBlocks>>,
    /// The compressed content.
    pub(crate) output: Vec<u8>,
    /// The sum of all that decides the output, and that of the output: of
    /// blocks that may be used again.
    pub(crate) sums: Option<(Sum, Sum)>,
    /// The checksum of the content.
    pub(crate) crc: crc32fast::Hasher,
}

impl Block {
    pub(crate) fn new(spares: Spares, level: u8, known: Option<Arc<KnownBlocks>>) -> Self {
        let spare = spares.lock().pop();
        let (buffer, output) = spare.unwrap_or_else(|| (vec![0; WINDOW + BLOCK], Vec::new()));
        Self {
            spares,
            level,
            known,
            buffer,
            history: 0,
            len: 0,
            last: false,
            output,
            sums: None,
            crc: crc32fast::Hasher::new(),
        }
    }

    /// Starts this block again as the one that follows another, full one.
    pub(crate) fn follow(&mut self, full: &Self) {
        let content = &full.buffer[WINDOW..];
        self.buffer[..WINDOW].copy_from_slice(&content[content.len() - WINDOW..]);
        self.history = WINDOW;
        self.len = 0;
        self.last = false;
    }

    /// Starts this block again as the first one of a stream.
    pub(crate) fn restart(&mut self) {
        self.history = 0;
        self.len = 0;
        self.last = false;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == BLOCK
    }

    /// Where more content goes.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[WINDOW + self.len..]
    }

    /// Takes the first `n` bytes of the room as content, and returns them.
    pub(crate) fn advance(&mut self, n: usize) -> &[u8] {
        let start = WINDOW + self.len;
        self.len += n;
        &self.buffer[start..WINDOW + self.len]
    }

    /// Says that this block ends the stream.
    pub(crate) fn end(&mut self) {
        self.last = true;
    }

    pub(crate) fn is_last(&self) -> bool {
        self.last
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut spares = self.spares.lock();
        if spares.len() < self.spares.most {
            spares.push((std::mem::take(&mut self.buffer), std::mem::take(&mut self.output)));
        }
    }
}

impl Piece for Block {
    /// Compresses the content, up to a byte boundary: by an empty stored block
    /// in the middle of the stream, by the final block at its end.
    fn compress(&mut self) {
        let content = &self.buffer[WINDOW..WINDOW + self.len];
        self.crc.reset();
        self.crc.update(content);

        // Those in the middle of a stream are all of one size behind a history
        // or, the first, without: the bytes tell which.
        let known = self.known.as_ref().filter(|_| !self.last);
        let key = known.map(|_| Sum::of(&self.buffer[WINDOW - self.history..]));
        let found = known
            .zip(key)
            .and_then(|(known, key)| known.read(&key, &mut self.output).map(|sum| (key, sum)));
        self.sums = found;
        if found.is_some() {
            return;
        }

        let mut stream = Compress::new(Compression::new(self.level.into()), false);
        if self.history > 0 {
            let history = &self.buffer[WINDOW - self.history..WINDOW];
            stream.set_dictionary(history).expect("a stream at its start takes a dictionary");
        }
        // Incompressible content is stored, at 5 bytes for each 16 KiB; but
        // level 1 knows fixed trees alone, with up to 9 bits for a byte.
        let growth = if self.level == 1 { self.len / 8 } else { self.len / 1024 };
        self.output.clear();
        self.output.reserve(self.len + growth + 64);
        let flush = if self.last { FlushCompress::Finish } else { FlushCompress::Sync };
        let status = stream.compress_vec(content, &mut self.output, flush);
        let done = match status.expect("the stream is in no error state") {
            Status::StreamEnd => self.last,
            Status::Ok | Status::BufError => {
                !self.last && self.output.len() < self.output.capacity()
            }
        };
        assert!(done && stream.total_in() == self.len as u64, "a block outgrew its bound");
        self.sums = key.map(|key| (key, Sum::of(&self.output)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::GZIP_LEVEL;

    impl Block {
        /// A block in memory of its own.
        pub(crate) fn fresh(level: u8) -> Self {
            Self::new(Spares::new(0), level, None)
        }

        /// A block whose compression panics.
        pub(crate) fn broken() -> Self {
            let mut block = Self::fresh(GZIP_LEVEL);
            block.len = usize::MAX - WINDOW;
            block
        }
    }

    /// A cheap source of bytes that do not compress.
    fn noise(at: usize) -> u8 {
        let mut x = (at as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x >> 56) as u8
    }

    #[test]
    fn what_does_not_compress_stays_in_its_bound() {
        for level in 1..=9 {
            let mut block = Block::fresh(level);
            for (at, byte) in block.room().iter_mut().enumerate() {
                *byte = noise(at);
            }
            block.advance(BLOCK);
            block.compress();
            assert!(block.output.len() > BLOCK, "level {level}");
            let mut next = Block::fresh(level);
            next.follow(&block);
            next.end();
            next.compress();
            assert_eq!(next.output, [3, 0], "an empty end is an empty block of fixed codes");
        }
    }

    /// What a stream that is reset gets wrong: the history ends in `abc`, the
    /// block before left a `Z` behind it, and the content begins with `abcZ`.
    #[test]
    fn a_block_does_not_depend_on_the_block_before_it_on_the_thread() {
        const PHRASE: &[u8] = b"abcZ is how a phrase begins that is worth a reference";
        let block = |content: &[u8]| {
            let mut block = Block::fresh(GZIP_LEVEL);
            block.history = WINDOW;
            for (at, byte) in block.buffer[..WINDOW].iter_mut().enumerate() {
                *byte = noise(at);
            }
            block.buffer[20_000..][..PHRASE.len()].copy_from_slice(PHRASE);
            block.buffer[WINDOW - 3..WINDOW].copy_from_slice(b"abc");
            block.room()[..content.len()].copy_from_slice(content);
            block.advance(content.len());
            block
        };
        let mut alone = block(PHRASE);
        alone.compress();
        assert!(alone.output.len() < 20, "the phrase is found: {}", alone.output.len());
        let mut after = block(PHRASE);
        block(b"Z").compress();
        after.compress();
        assert_eq!(after.output, alone.output);
    }
    /// The memory of one that was longer makes no difference.
    #[test]
    fn memory_is_used_again() {
        let spares = Spares::new(1);
        let mut long = Block::new(spares.clone(), GZIP_LEVEL, None);
        long.room().fill(b'x');
        long.advance(BLOCK);
        long.compress();
        let place = long.buffer.as_ptr();
        let more = Block::new(spares.clone(), GZIP_LEVEL, None);
        drop((long, more));
        assert_eq!(spares.lock().len(), 1);
        let compressed = |mut block: Block| {
            block.room()[..3].copy_from_slice(b"abc");
            block.advance(3);
            block.end();
            block.compress();
            (block.buffer.as_ptr(), block.output.clone())
        };
        let again = compressed(Block::new(spares, GZIP_LEVEL, None));
        assert_eq!(again, (place, compressed(Block::fresh(GZIP_LEVEL)).1));
    }
}
