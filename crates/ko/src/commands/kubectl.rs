//! Finds and runs `kubectl`, and forwards signals to it.

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::executables;
use crate::signals::{self, Signal, Signals, exit, forward_signal};

/// So many signals are kubectl's, which should end at the second by itself. One
/// more ends us, whatever kubectl does.
const PATIENCE: u32 = 2;

/// Finds kubectl in PATH.
pub(super) fn find(process: &Process, command: &str) -> Result<PathBuf> {
    executables::find(process, "kubectl").ok_or_else(|| {
        CommandError::new(format!(
            "error: kubectl is not available. kubectl must be installed to use ko {command}"
        ))
        .hint(Some(
            "install it from https://kubernetes.io/docs/tasks/tools, or add its directory to PATH"
                .to_owned(),
        ))
    })
}

/// Runs kubectl in the foreground, and waits for it.
pub(super) fn run(command: Command) -> Result<()> {
    let status = Running::start(command)?.wait()?;
    check(status).map_err(CommandError::new)
}

/// A running kubectl. A thread waits for its end, and forwards the signals that
/// we get and it does not, from the beginning to the end: kubectl decides by
/// itself when and how it ends.
#[derive(Debug)]
pub(super) struct Running {
    thread: JoinHandle<io::Result<ExitStatus>>,
    failed: oneshot::Receiver<()>,
    ends: UnboundedSender<()>,
    forwarded: mpsc::Receiver<()>,
}

impl Running {
    /// Starts it.
    pub(super) fn start(command: Command) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CommandError::of(&error).context("starting threads"))?;
        let begun = {
            let _inside = runtime.enter();
            // Before there is a child that could miss one.
            let signals = Signals::listen();
            tokio::process::Command::from(command).spawn().map(|child| (signals, child))
        };
        let (mut signals, mut child) =
            begun.map_err(|error| CommandError::of(&error).context("running kubectl"))?;
        let (fail, failed) = oneshot::channel();
        let (forwarding, forwarded) = mpsc::channel();
        let (ends, mut end) = unbounded_channel();
        let watch = async move {
            let mut heard = 0;
            let status = loop {
                let signal = tokio::select! {
                    status = child.wait() => break status,
                    signal = signals.next() => {
                        heard += 1;
                        if heard > PATIENCE {
                            exit(signal);
                        }
                        signal
                    }
                    Some(()) = end.recv() => Signal::Terminate,
                };
                if let Some(id) = child.id() {
                    forward_signal(signal, id);
                    // Nobody may wait for it.
                    let _ = forwarding.send(());
                }
            };
            if status.as_ref().is_ok_and(|status| !status.success()) {
                // Nobody may want to know.
                let _ = fail.send(());
            }
            status
        };
        signals::share();
        let thread = std::thread::spawn(move || runtime.block_on(watch));
        Ok(Self { thread, failed, ends, forwarded })
    }

    /// Waits until it has ended, and not well; for ever if it ends well.
    pub(super) async fn failed(&mut self) {
        if (&mut self.failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Asks it to end.
    pub(super) fn end(&self) {
        // It may have ended.
        let _ = self.ends.send(());
    }

    /// Waits a short time until a signal has been forwarded, or kubectl has
    /// ended.
    pub(super) fn wait_for_forwarding(&self) {
        // Either way there is nothing more to wait for.
        let _ = self.forwarded.recv_timeout(Duration::from_secs(1));
    }

    /// Waits for its end.
    pub(super) fn wait(self) -> Result<ExitStatus> {
        let status = self.thread.join().expect("waiting does not panic");
        status.map_err(|error| CommandError::of(&error).context("waiting for kubectl"))
    }
}

/// How a child ended, as Go says it, unless it went well.
pub(super) fn check(status: ExitStatus) -> std::result::Result<(), String> {
    if status.success() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return Err(format!("signal: {}", name(signal)));
        }
    }
    Err(format!("exit status {}", status.code().unwrap_or(1)))
}

/// The names that Go gives to the signals that users see.
#[cfg(unix)]
fn name(signal: i32) -> String {
    match signal {
        1 => "hangup".to_owned(),
        2 => "interrupt".to_owned(),
        9 => "killed".to_owned(),
        13 => "broken pipe".to_owned(),
        15 => "terminated".to_owned(),
        other => other.to_string(),
    }
}
