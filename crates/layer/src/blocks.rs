//! Finds blocks that were compressed before. A layer that differs in little from
//! the last one of its source, a program with another constant or a directory with
//! another file, takes what did not change from that one's blob. Its bytes are the
//! same as without: those of a block depend on nothing but its content and what is
//! before it, and by these it is found.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use stat::Sum;

/// A compressed block in a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Sum, u64, u32, Sum)", into = "(Sum, u64, u32, Sum)")]
pub(crate) struct BlockRef {
    /// The sum of all that decides the block's bytes.
    pub(crate) key: Sum,
    /// Where in the blob it begins.
    pub(crate) at: u64,
    /// How many bytes it has there.
    pub(crate) size: u32,
    /// The sum of these bytes.
    pub(crate) sum: Sum,
}

impl From<(Sum, u64, u32, Sum)> for BlockRef {
    fn from((key, at, size, sum): (Sum, u64, u32, Sum)) -> Self {
        Self { key, at, size, sum }
    }
}

impl From<BlockRef> for (Sum, u64, u32, Sum) {
    fn from(BlockRef { key, at, size, sum }: BlockRef) -> Self {
        (key, at, size, sum)
    }
}

/// The blocks of a blob. As a record, they are known by its digest and the
/// version of the compression.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks(pub(crate) Vec<BlockRef>);

impl store::Record for Blocks {
    const KIND: &'static str = "layer-blocks";
    const VERSION: u32 = 1;
}

/// A blob whose blocks may be used again, or none.
#[derive(Default)]
pub(crate) struct KnownBlocks {
    blob: Option<Mutex<File>>,
    blocks: HashMap<Sum, BlockRef>,
}

impl KnownBlocks {
    pub(crate) fn new(blob: File, Blocks(blocks): Blocks) -> Self {
        let blocks = blocks.into_iter().map(|block| (block.key, block)).collect();
        Self { blob: Some(Mutex::new(blob)), blocks }
    }

    /// Puts the bytes of a block in place of what is in `output`, and returns
    /// their sum. None if they are not there, or are not what they were.
    pub(crate) fn read(&self, key: &Sum, output: &mut Vec<u8>) -> Option<Sum> {
        let BlockRef { at, size, sum, .. } = self.blocks.get(key)?;
        output.clear();
        {
            let mut blob = self.blob.as_ref()?.lock().expect("reading does not panic");
            blob.seek(SeekFrom::Start(*at)).ok()?;
            (&mut *blob).take((*size).into()).read_to_end(output).ok()?;
        }
        (Sum::of(output) == *sum).then_some(*sum)
    }
}

impl fmt::Debug for KnownBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownBlocks").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}
