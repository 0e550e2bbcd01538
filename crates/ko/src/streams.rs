//! Writes to standard output and standard error so that a reader who stops
//! reading does not delay signals, and one who has gone away breaks nothing.

use std::io::{self, Write as _};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::signals::{self, Signals};

/// So much goes into a pipe at once, or not at all (POSIX, `PIPE_BUF`): what is
/// longer may have to wait for the reader in between.
const AT_ONCE: usize = 4096;

/// How long the last words of a run that a signal has ended may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What waits for the reader of standard error.
#[derive(Debug)]
struct Queue {
    texts: Sender<String>,
    /// When the last is written.
    written: Receiver<()>,
}

/// Only there once that reader has been too slow.
static QUEUE: Mutex<Option<Queue>> = Mutex::new(None);

/// Writes to standard output, and waits until it is written.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// The same for those who also wait for signals: if they give up, the thread
/// that writes is left behind.
pub(crate) async fn print_all(bytes: Vec<u8>) -> io::Result<()> {
    if bytes.len() <= AT_ONCE && takes_more(&io::stdout()) {
        return print(&bytes);
    }
    engine::on_thread(move || print(&bytes)).await
}

/// Writes to standard error. It returns at once, even if nobody reads; a failure
/// to write is ignored, since there is nowhere to report it.
pub(crate) fn print_stderr(text: String) {
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = &*queue {
        let _ = queue.texts.send(text);
        return;
    }
    if text.len() <= AT_ONCE && takes_more(&io::stderr()) {
        let _ = io::stderr().write_all(text.as_bytes());
        return;
    }
    let (texts, waiting) = mpsc::channel::<String>();
    let _ = texts.send(text);
    let (done, written) = mpsc::channel();
    thread::spawn(move || {
        for text in waiting {
            let _ = io::stderr().write_all(text.as_bytes());
        }
        let _ = done.send(());
    });
    *queue = Some(Queue { texts, written });
}

/// Whether the reader of standard error has been too slow.
pub(crate) fn is_slow() -> bool {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Waits until all is written, or a signal ends the process. If one has asked
/// for the end already, a reader who stands still is not waited for.
pub(crate) fn finish() {
    let queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Queue { texts, written }) = queue else { return };
    drop(texts);
    if signals::heard() {
        let _ = written.recv_timeout(PATIENCE);
    } else {
        // Nobody else listens any more, and the system does not end us.
        Signals::end_process();
        let _ = written.recv();
    }
}

/// Can something be written without waiting?
#[cfg(unix)]
fn takes_more(stream: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut streams = [PollFd::new(stream, PollFlags::OUT)];
    loop {
        match poll(&mut streams, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(ready) => return ready > 0,
            // A signal is pending: that says nothing of the stream.
            Err(rustix::io::Errno::INTR) => {}
            // What cannot be asked is found out by writing.
            Err(_) => return true,
        }
    }
}

#[cfg(not(unix))]
fn takes_more<T>(_: &T) -> bool {
    false
}
