//! Waits for asynchronous work where a command is not yet at its own.

use crate::error::{CommandError, Result};

/// Waits on a thread of its own: this may be called where others wait for something, too.
pub(crate) fn wait<T: Send>(work: impl Future<Output = T> + Send) -> Result<T> {
    let waited = std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().map(|runtime| runtime.block_on(work))
        });
        work.join()
    });
    match waited {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(CommandError::of(&error).context("starting threads")),
        Err(_) => Err(CommandError::new("it was given up")),
    }
}
