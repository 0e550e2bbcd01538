//! Makes the layer of a program that is built, and has the build recorded. The lock of
//! the binary comes here, so of the budget there is nothing here but that of layers.

use std::sync::Arc;
use std::time::SystemTime;

use freshness::Reason;
use golang::{Binary, BuildError, FileIdentity, OutputDir};
use layer::Layer;
use tokio::sync::oneshot;

use super::compile::{SharedListing, StaleTarget};
use super::error::BuildFailure;
use super::freshness::Verdict;
use super::layers::{BuiltProgram, Installed, Layers};
use super::recorder::{CompletedBuild, Recorder};
use crate::events::StaleReason;

/// A `go build` that runs.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) started: SystemTime,
    pub(super) listing: SharedListing,
}

/// What is awaited of a job.
pub(super) struct Awaited {
    /// Ends without a value if the program is not announced before `go` ends.
    pub(super) installed: oneshot::Receiver<()>,
    /// Ends without a value if the run does.
    pub(super) finished: oneshot::Receiver<Result<Binary, BuildError>>,
    pub(super) process: oneshot::Receiver<Process>,
}

/// Takes over what `go` has built.
#[derive(Debug)]
pub(super) struct Finisher {
    pub(super) layers: Arc<Layers>,
    pub(super) recorder: Arc<Recorder>,
}

impl Finisher {
    /// Makes the layer of a program as soon as it is installed, announces it,
    /// and records the build when `go` has ended.
    pub(super) async fn finish(
        self: Arc<Self>,
        target: StaleTarget,
        output: OutputDir,
        awaited: Awaited,
        layer: oneshot::Sender<Layer>,
    ) -> Result<BuiltProgram, BuildFailure> {
        let Awaited { mut installed, mut finished, process } = awaited;
        let StaleTarget { import_path, platform, checked, capabilities } = target;
        let binary = Installed {
            before: FileIdentity::of(&output.binary()),
            import_path: import_path.clone(),
            platform: platform.clone(),
            output,
            capabilities,
            likely_same: matches!(
                checked.verdict,
                Verdict::Stale(
                    StaleReason::Forced | StaleReason::Inputs(Reason::Uncacheable(_)),
                    _
                )
            ),
        };
        // Before go has ended, if it says so. Layers of what does not count in
        // the end do no harm.
        let (early, result) = tokio::select! {
            biased;
            Ok(()) = &mut installed => {
                let early = self.layers.binary(&binary).await;
                if let Ok((_, built)) = &early {
                    let _ = layer.send(built.layer);
                }
                (Some(early), finished.await)
            }
            result = &mut finished => (None, result),
        };
        let output = match result {
            Ok(Ok(output)) => output,
            Ok(Err(BuildError::Cancelled)) | Err(_) => return Err(BuildFailure::Cancelled),
            Ok(Err(source)) => {
                let (platform, source) = (Box::new(platform), Arc::new(source));
                return Err(BuildFailure::Go { platform, source });
            }
        };
        let built = match early {
            Some(Ok((identity, built))) if FileIdentity::of(output.path()) == identity => Ok(built),
            _ => self.layers.binary(&binary).await.map(|(_, built)| built),
        };
        let process = process.await.ok();
        let listing = process.as_ref().map(|process| process.listing.clone());
        self.recorder.record_output(output, listing);
        let built = built?;
        if let (Some(Process { started, listing }), Some(info)) = (process, &built.info) {
            let (layer, info) = (built.layer, Arc::clone(info));
            let linkage = built.linkage.clone();
            self.recorder.record(CompletedBuild {
                import_path,
                platform,
                checked,
                started,
                listing,
                layer,
                info,
                linkage,
            });
        }
        Ok(built)
    }
}
