//! Sends pieces of a blob through the compressing threads and takes them back in
//! order, a bounded number at a time.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::Receiver;

use crate::pool::{Piece, Pool};

/// The pieces that are away, the oldest first.
pub(crate) struct Pipeline<P> {
    pool: Pool,
    away: VecDeque<Receiver<P>>,
}

impl<P: Piece> Pipeline<P> {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool, away: VecDeque::new() }
    }

    /// How many pieces are away.
    pub(crate) fn len(&self) -> usize {
        self.away.len()
    }

    /// Must a piece be taken back before another is handed in?
    pub(crate) fn is_full(&self) -> bool {
        self.away.len() >= self.pool.window()
    }

    pub(crate) fn hand_in(&mut self, piece: P) {
        self.away.push_back(self.pool.submit(piece));
    }

    /// Waits for the oldest piece, if one is away.
    pub(crate) fn take_back(&mut self) -> io::Result<Option<P>> {
        let Some(oldest) = self.away.pop_front() else { return Ok(None) };
        let piece = oldest.recv().map_err(|_| io::Error::other("a compressing thread panicked"))?;
        Ok(Some(piece))
    }
}
