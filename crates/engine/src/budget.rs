//! Bounds a run by two budgets: CPU (how many `go build` at a time) and memory
//! (for these and for the layers in flight).
//!
//! Layers have a slice of the memory for themselves, so that the layer of one
//! program never waits for the link of another. It must not: making a layer
//! holds the lock of the binary, and a `go build` that has its memory may wait
//! for that lock, in this process or another.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much may happen at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Runs of `go build` at a time.
    pub jobs: usize,
    /// Threads that compress.
    pub threads: NonZeroUsize,
    /// Memory that all of them together may take, in bytes.
    pub memory: u64,
    /// Files that may be open.
    pub descriptors: usize,
}

impl Default for Limits {
    /// As many builds and threads as there are processors, 4 GiB, and what Linux allows.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { jobs: threads.get(), threads, memory: 4 << 30, descriptors: 1024 }
    }
}

/// Files that are open whatever is built.
const OTHER_FILES: usize = 40;

impl Limits {
    /// How many programs one process may build: each holds a lock, while it is built and
    /// while its layer is made.
    pub(crate) fn programs(&self) -> usize {
        let locks = self.descriptors.saturating_sub(OTHER_FILES);
        (locks / 2 / self.jobs.max(1)).max(1)
    }

    /// How many requests to one registry may wait for an answer: each has a socket.
    pub(crate) fn requests(&self) -> usize {
        (self.descriptors.saturating_sub(OTHER_FILES) / 4).max(2)
    }
}

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

/// The least that a process of `go` works well in, in bytes: about what the compiler takes
/// before it collects garbage for the first time.
const LEAST_HEAP: u64 = 128 * UNIT;

/// How many layers are made at a time for each thread that compresses, at most:
/// some wait for their disk.
const LAYERS: u64 = 2;

/// Bounds a run, in two parts. Who may hold the lock of a binary has only the part of
/// which no holder waits for a lock.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) builds: BuildBudget,
    pub(crate) layers: LayerBudget,
}

/// What `go build` takes. Cheap to clone. It is for those who hold no lock of a
/// binary: locks are had only from a `go build`, and those who take them over have a
/// [`LayerBudget`] alone.
#[derive(Debug, Clone)]
pub(crate) struct BuildBudget {
    jobs: Arc<Semaphore>,
    links: Arc<Semaphore>,
    units: u32,
    threads: u64,
}

/// What layers take. Cheap to clone. Who has a part of it waits for nobody, so a lock
/// may be held while waiting for one.
#[derive(Debug, Clone)]
pub(crate) struct LayerBudget {
    layers: Arc<Semaphore>,
}

/// A part of the budget for a `go build`, given back when dropped.
#[derive(Debug)]
pub(crate) struct BuildShare {
    _job: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

/// A part of the budget for a layer, given back when dropped. Its holder waits
/// for nobody.
#[derive(Debug)]
pub(crate) struct LayerShare {
    _memory: OwnedSemaphorePermit,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        let threads = limits.threads.get() as u64;
        // Of little memory most is for links; one layer there must be.
        let layers = (threads * LAYERS).min(limits.memory / 4 / LAYER).max(1);
        let links = limits.memory.saturating_sub(layers * LAYER) / UNIT;
        let units = u32::try_from(links).unwrap_or(u32::MAX).max(1);
        let semaphore =
            |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        let (jobs, links) = (semaphore(limits.jobs), semaphore(units as usize));
        Self {
            builds: BuildBudget { jobs, links, units, threads },
            layers: LayerBudget { layers: semaphore(usize::try_from(layers).unwrap_or(1)) },
        }
    }
}

impl BuildBudget {
    /// What all links together may take, in bytes.
    pub(crate) fn links(&self) -> u64 {
        u64::from(self.units) * UNIT
    }

    /// How much memory, in bytes, each process that `go` starts may take before it collects
    /// garbage, if the links take so many bytes. `go` runs as many as there are threads, not
    /// links alone, so that little memory is divided among them; of very little it is best
    /// to let them collect as they like.
    pub(crate) fn heap(&self, link: u64) -> Option<u64> {
        let share = self.links() / (2 * self.threads);
        Some(link.min(share)).filter(|bytes| *bytes >= LEAST_HEAP)
    }

    /// Waits until programs may be built by one process, whose links take this
    /// many bytes. What alone is more than all there is gets all there is: it
    /// runs alone.
    pub(crate) async fn go_build(&self, bytes: u64) -> BuildShare {
        let job = Arc::clone(&self.jobs).acquire_owned().await.expect("never closed");
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).clamp(1, self.units);
        let memory = Arc::clone(&self.links).acquire_many_owned(units).await;
        BuildShare { _job: job, _memory: memory.expect("never closed") }
    }
}

impl LayerBudget {
    /// Waits until a layer may be made: for other layers, and nothing else.
    pub(crate) async fn layer(&self) -> LayerShare {
        let memory = Arc::clone(&self.layers).acquire_owned().await;
        LayerShare { _memory: memory.expect("never closed") }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn budget(jobs: usize, memory: u64) -> Budget {
        Budget::new(Limits {
            jobs,
            threads: std::num::NonZeroUsize::MIN,
            memory,
            descriptors: 1024,
        })
    }

    #[test]
    fn few_descriptors_are_few_programs_and_requests() {
        for (descriptors, jobs, programs) in
            [(16, 2, 1), (64, 8, 1), (64, 2, 6), (1024, 8, 61), (1024, 0, 492)]
        {
            let limits = Limits { jobs, descriptors, ..Limits::default() };
            assert_eq!(limits.programs(), programs, "{descriptors} {jobs}");
        }
        for (descriptors, requests) in [(16, 2), (64, 6), (1024, 246)] {
            let limits = Limits { descriptors, ..Limits::default() };
            assert_eq!(limits.requests(), requests, "{descriptors}");
        }
    }

    #[tokio::test]
    async fn jobs_are_counted() {
        let budget = budget(2, u64::MAX);
        let first = budget.builds.go_build(link_weight(None)).await;
        let second = budget.builds.go_build(link_weight(None)).await;
        assert!(budget.builds.go_build(link_weight(None)).now_or_never().is_none());
        drop(first);
        assert!(budget.builds.go_build(link_weight(None)).now_or_never().is_some());
        drop(second);
    }

    #[tokio::test]
    async fn large_links_run_alone_and_small_memory_is_enough_for_one() {
        let budget = budget(8, 1 << 30);
        let large = budget.builds.go_build(link_weight(Some(100 << 20))).await;
        assert!(budget.builds.go_build(link_weight(None)).now_or_never().is_none());
        drop(large);
        let _several = (
            budget.builds.go_build(link_weight(None)).await,
            budget.builds.go_build(link_weight(None)).await,
            budget.layers.layer().await,
        );
        let tiny = super::tests::budget(1, 0);
        drop(tiny.builds.go_build(link_weight(Some(u64::MAX / 16))).await);
    }

    #[test]
    fn little_memory_is_divided_among_the_processes_of_go() {
        const MIB: u64 = 1 << 20;
        for (gib, binary, heap) in [
            (24, None, Some(256 * MIB)),
            (24, Some(100 * MIB), Some(1500 * MIB)),
            (2, Some(100 * MIB), Some(1008 * MIB)),
            (1, None, Some(256 * MIB)),
            (0, None, None),
        ] {
            let builds = budget(1, gib << 30).builds;
            assert_eq!(builds.heap(link_weight(binary)), heap, "{gib} {binary:?}");
        }
    }

    #[tokio::test]
    async fn layers_never_wait_for_links() {
        for memory in [0, 16 << 20, 64 << 20, 1 << 30, u64::MAX] {
            let budget = budget(8, memory);
            let _all = budget.builds.go_build(u64::MAX / 2).await;
            let queued = budget.builds.go_build(u64::MAX / 2);
            futures::pin_mut!(queued);
            assert!(futures::poll!(&mut queued).is_pending() || memory == u64::MAX);
            let layer = budget.layers.layer().now_or_never();
            assert!(layer.is_some(), "{memory}");
            assert!(budget.builds.links() + LAYER <= memory.max(LAYER + UNIT), "{memory}");
        }
        // And they are bounded too.
        let budget = budget(8, 1 << 30);
        let _two = (budget.layers.layer().await, budget.layers.layer().await);
        assert!(budget.layers.layer().now_or_never().is_none());
    }
}
