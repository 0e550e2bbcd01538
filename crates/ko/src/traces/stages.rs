//! Keeps which stages go on, and since when.

use std::collections::HashMap;
use std::time::Instant;

use engine::{Edge, Work};

/// The stages that go on. The same work may go on more than once.
#[derive(Debug, Default)]
pub(super) struct Stages(HashMap<Work, Vec<Instant>>);

impl Stages {
    /// Notes an edge of a stage. Of its end it tells when the stage began.
    pub(super) fn note(&mut self, work: &Work, edge: Edge, now: Instant) -> Option<Instant> {
        match edge {
            Edge::Begin => {
                self.0.entry(work.clone()).or_default().push(now);
                None
            }
            Edge::End => self.0.get_mut(work)?.pop(),
        }
    }

    /// What still goes on, and since when.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Work, Instant)> {
        let all = std::mem::take(&mut self.0).into_iter();
        all.flat_map(|(work, begun)| begun.into_iter().map(move |begun| (work.clone(), begun)))
    }
}
