//! Cancels a run: children are interrupted, and threads that make layers stop at
//! their next step. Records of completed builds are still written when something
//! else fails, so that the next run need not repeat these builds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use golang::Cancel;

/// Ends a run. Clones are the same flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancellation {
    /// Ends children.
    pub(crate) children: Cancel,
    /// Ends the recording of what is built.
    pub(crate) recording: Cancel,
    /// Ends the making of layers.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Cancellation {
    /// Something has failed: nothing more is built.
    pub(crate) fn fail(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.children.cancel();
    }

    /// The user has had enough: nothing is recorded either.
    pub(crate) fn cancel(&self) {
        self.fail();
        self.recording.cancel();
    }
}
