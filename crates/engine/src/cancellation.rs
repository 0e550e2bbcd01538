//! The two flags that end a run: one for the work, which a failure ends too, and
//! one for the whole. Records of completed builds are still written when something
//! else fails, so that the next run need not repeat these builds.

use cancel::Cancel;

/// Ends a run. Clones are the same flags.
#[derive(Debug, Clone)]
pub(crate) struct Cancellation {
    /// Ends everything, and so the recording of what is built.
    pub(crate) run: Cancel,
    /// Ends children and the making of layers. A branch of `run`.
    pub(crate) work: Cancel,
}

impl Cancellation {
    /// Something has failed: nothing more is built.
    pub(crate) fn fail(&self) {
        self.work.cancel();
    }

    /// The user has had enough: nothing is recorded either.
    pub(crate) fn cancel(&self) {
        self.run.cancel();
    }
}

impl Default for Cancellation {
    fn default() -> Self {
        let run = Cancel::new();
        Self { work: run.branch(), run }
    }
}
