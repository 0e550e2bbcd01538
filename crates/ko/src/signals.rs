//! Listens to the signals that ask the process to end, and forwards them to a
//! child.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

#[cfg(unix)]
pub(crate) use self::unix::{Signals, forward_signal};

#[cfg(not(unix))]
pub(crate) use self::portable::{Signals, forward_signal};

impl Signals {
    /// Begins to listen; inside of a runtime.
    pub(crate) fn listen() -> Self {
        LISTENS.store(true, Ordering::Relaxed);
        Self::catch()
    }

    /// From now on the next one ends the process at once.
    pub(crate) fn end_process() {
        Self::wait(|signal| exit(signal));
    }

    /// The next one ends the process after `first`, unless somebody has begun to listen
    /// by then.
    #[cfg(unix)]
    pub(crate) fn end_process_after(first: impl FnOnce() + Send + 'static) {
        Self::wait(|signal| {
            if !LISTENS.load(Ordering::Relaxed) {
                first();
                exit(signal);
            }
        });
    }

    fn wait(end: impl FnOnce(Signal) + Send + 'static) {
        // Where not even this can be had, nobody is there to hear of it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        let mut signals = {
            let _inside = runtime.enter();
            Self::catch()
        };
        std::thread::spawn(move || end(runtime.block_on(signals.next())));
    }

    /// Hears one that has come already ([`heard`]), without waiting.
    pub(crate) fn look(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let _ = pin!(self.next()).poll(&mut context);
    }
}

/// Ends the process as a shell says that a signal has ended it.
#[allow(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "after a second signal, nobody waits for main"
)]
pub(crate) fn exit(signal: Signal) -> ! {
    std::process::exit(signal.exit_code().into())
}

/// Does somebody listen, and end what goes on?
static LISTENS: AtomicBool = AtomicBool::new(false);

static SHARED: AtomicBool = AtomicBool::new(false);

/// From now on a child's companion hears the signals too, and ends the process
/// where that is due.
pub(crate) fn share() {
    SHARED.store(true, Ordering::Relaxed);
}

/// Does somebody else end the process?
pub(crate) fn are_shared() -> bool {
    SHARED.load(Ordering::Relaxed)
}

static HEARD: AtomicBool = AtomicBool::new(false);

/// Has a signal asked the process to end?
pub(crate) fn heard() -> bool {
    HEARD.load(Ordering::Relaxed)
}

/// A signal that asks the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C, or SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// How a shell says that it has ended a process.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// Its name on this system.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt if cfg!(unix) => "SIGINT",
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        }
    }
}

#[cfg(unix)]
mod unix {
    use rustix::process::{Pid, getpgrp, kill_process};
    use rustix::termios::tcgetpgrp;
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use std::sync::atomic::Ordering;

    use super::Signal;

    /// The signals from now on. None of them ends the process any more, also
    /// when this is gone.
    #[derive(Debug)]
    pub(crate) struct Signals {
        interrupt: Stream,
        terminate: Stream,
    }

    impl Signals {
        pub(super) fn catch() -> Self {
            let listen = |kind| signal(kind).expect("these signals can be caught");
            Self {
                interrupt: listen(SignalKind::interrupt()),
                terminate: listen(SignalKind::terminate()),
            }
        }

        /// Waits for the next one.
        pub(crate) async fn next(&mut self) -> Signal {
            let signal = tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.terminate.recv() => Signal::Terminate,
            };
            super::HEARD.store(true, Ordering::Relaxed);
            signal
        }
    }

    /// Forwards a signal to a child that has not been waited for, unless the
    /// child got it itself.
    pub(crate) fn forward_signal(signal: Signal, child: u32) {
        if signal == Signal::Interrupt && in_foreground() {
            return;
        }
        let signal = match signal {
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Terminate => rustix::process::Signal::TERM,
        };
        if let Some(pid) = i32::try_from(child).ok().and_then(Pid::from_raw) {
            // It may have ended by now.
            let _ = kill_process(pid, signal);
        }
    }

    /// Are we in the group of processes that a terminal sends Ctrl-C to? Our
    /// children are in the same.
    fn in_foreground() -> bool {
        let terminal = std::fs::File::open("/dev/tty");
        terminal.is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
    }
}

/// Where there are no signals but Ctrl-C, which reaches all processes of a
/// console.
#[cfg(not(unix))]
mod portable {
    use std::sync::atomic::Ordering;

    use super::Signal;

    #[derive(Debug)]
    pub(crate) struct Signals;

    impl Signals {
        pub(super) fn catch() -> Self {
            Self
        }

        pub(crate) async fn next(&mut self) -> Signal {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            super::HEARD.store(true, Ordering::Relaxed);
            Signal::Interrupt
        }
    }

    pub(crate) fn forward_signal(_: Signal, _: u32) {}
}
