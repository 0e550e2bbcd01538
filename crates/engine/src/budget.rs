//! The two budgets that bound a run: CPU (how many `go build` at a time) and
//! memory (what they and the layers in flight may take together).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::options::Limits;

/// A unit of memory, in bytes.
const UNIT: u64 = 1 << 20;

/// What a link takes while nothing is known of the program: the smallest ones
/// take less, a hundred megabytes of binary take fifteen times as much.
const GO_BUILD: u64 = 256 * UNIT;

/// What a layer takes while it is made: blocks in flight, in and out.
const LAYER: u64 = 16 * UNIT;

/// What linking a program may take, in bytes. `binary` is the size in bytes
/// that it had the last time, if it was built before.
pub(crate) fn link_weight(binary: Option<u64>) -> u64 {
    binary.map_or(GO_BUILD, |size| GO_BUILD.max(size * 15))
}

/// Bounds a run. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    jobs: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    units: u32,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _job: Option<OwnedSemaphorePermit>,
    _memory: OwnedSemaphorePermit,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        let units = u32::try_from(limits.memory / UNIT).unwrap_or(u32::MAX).max(1);
        Self {
            jobs: Arc::new(Semaphore::new(limits.jobs.clamp(1, Semaphore::MAX_PERMITS))),
            memory: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits until programs may be built by one process, whose links take this
    /// many bytes.
    pub(crate) async fn go_build(&self, bytes: u64) -> Share {
        let job = Arc::clone(&self.jobs).acquire_owned().await.expect("never closed");
        Share { _job: Some(job), _memory: self.memory(bytes).await }
    }

    /// Waits until a layer may be made.
    pub(crate) async fn layer(&self) -> Share {
        Share { _job: None, _memory: self.memory(LAYER).await }
    }

    /// What alone is more than all there is gets all there is: it runs alone.
    async fn memory(&self, bytes: u64) -> OwnedSemaphorePermit {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).clamp(1, self.units);
        Arc::clone(&self.memory).acquire_many_owned(units).await.expect("never closed")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn budget(jobs: usize, memory: u64) -> Budget {
        Budget::new(Limits { jobs, threads: std::num::NonZeroUsize::MIN, memory })
    }

    #[tokio::test]
    async fn jobs_are_counted() {
        let budget = budget(2, u64::MAX);
        let first = budget.go_build(link_weight(None)).await;
        let second = budget.go_build(link_weight(None)).await;
        assert!(budget.go_build(link_weight(None)).now_or_never().is_none());
        drop(first);
        assert!(budget.go_build(link_weight(None)).now_or_never().is_some());
        drop(second);
    }

    #[tokio::test]
    async fn large_links_run_alone_and_small_memory_is_enough_for_one() {
        let budget = budget(8, 1 << 30);
        let large = budget.go_build(link_weight(Some(100 << 20))).await;
        assert!(budget.layer().now_or_never().is_none());
        drop(large);
        let _several = (
            budget.go_build(link_weight(None)).await,
            budget.go_build(link_weight(None)).await,
            budget.layer().await,
        );
        let tiny = super::tests::budget(1, 0);
        drop(tiny.go_build(link_weight(Some(u64::MAX / 16))).await);
    }
}
