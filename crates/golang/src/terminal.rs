//! Lends the terminal to a child that asks for something there, as a shell would.
//!
//! A child has a process group of its own, which is not in the terminal's foreground:
//! the system stops it when it reads there (SIGTTIN) or changes how the terminal works,
//! as who asks for a password does (SIGTTOU). Then its group gets the terminal and goes
//! on, until it ends.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::signal::{SigSet, Signal as Blocked};
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, kill_process_group};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

static TELL: OnceLock<fn(bool)> = OnceLock::new();

/// There is one terminal, and one child has it at a time.
static TERMINAL: Mutex<()> = Mutex::new(());

/// Has a function called before a child gets the terminal, with `true`, and when it is
/// ours again, with `false`: nothing should be drawn in between. The first function
/// that is given stays.
pub fn when_lent(tell: fn(bool)) {
    let _ = TELL.set(tell);
}

fn tell(lent: bool) {
    if let Some(tell) = TELL.get() {
        tell(lent);
    }
}

/// A child that may borrow the terminal.
#[derive(Debug)]
pub(crate) struct Borrower {
    group: Pid,
    loan: Option<Loan>,
}

impl Borrower {
    pub(crate) fn new(group: Pid) -> Self {
        Self { group, loan: None }
    }

    /// A signal has stopped the child.
    pub(crate) fn stopped(&mut self, signal: Signal) {
        match signal {
            Signal::TTIN | Signal::TTOU => self.lend(signal),
            // Ctrl-Z, while it has the terminal: we stop, too.
            Signal::TSTP if self.loan.take().is_some() => {
                let _ = kill_process(getpid(), Signal::TSTP);
                let _ = kill_process_group(self.group, Signal::CONT);
            }
            // Somebody means the child alone.
            _ => {}
        }
    }

    fn lend(&mut self, signal: Signal) {
        if self.loan.is_none() {
            self.loan = Loan::new(signal);
        }
        if let Some(loan) = &self.loan {
            // It may have ended by now.
            let _ = tcsetpgrp(&loan.terminal, self.group);
            let _ = kill_process_group(self.group, Signal::CONT);
        }
    }
}

/// The terminal in the hands of a child; it is taken back on drop.
#[derive(Debug)]
struct Loan {
    terminal: File,
    _only: MutexGuard<'static, ()>,
}

impl Loan {
    /// `None` if there is no terminal.
    fn new(signal: Signal) -> Option<Self> {
        let only = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
        let terminal = File::open("/dev/tty").ok()?;
        // In the background, we stop as everybody does who asks for something there.
        while tcgetpgrp(&terminal).ok()? != getpgrp() {
            kill_process_group(getpgrp(), signal).ok()?;
        }
        tell(true);
        Some(Self { terminal, _only: only })
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // Who is in the background may take the terminal only if this stops nobody.
        let mut stop = SigSet::empty();
        stop.add(Blocked::SIGTTOU);
        let blocked = stop.thread_block();
        let _ = tcsetpgrp(&self.terminal, getpgrp());
        if blocked.is_ok() {
            let _ = stop.thread_unblock();
        }
        tell(false);
    }
}
