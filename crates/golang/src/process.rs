//! Runs one child to its end, and keeps a bounded part of its output. `go` gets no
//! standard input. It does not know what it is asked.

use std::io::{self, Read};
use std::process::{ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::sys::{self, Ended};
use cancel::Cancel;

/// How long output may go on after the child has ended. A server that a
/// compiler wrapper leaves behind can hold the pipe open for good.
const LINGER: Duration = Duration::from_secs(2);

/// What becomes of the two output streams.
#[derive(Debug, Clone, Copy)]
pub enum Streams {
    /// Both are read as one, in the order of writing, into `stdout`.
    Joined,
    /// Each is read for itself.
    Apart,
}

/// A child that ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said there; with [`Streams::Joined`], on both streams.
    pub stdout: Captured,
    /// What it said there; with [`Streams::Joined`], nothing.
    pub stderr: Captured,
}

/// The beginning of a stream.
#[derive(Debug, Default)]
pub struct Captured {
    /// As they came.
    pub bytes: Vec<u8>,
    /// Whether there was more than the limit.
    pub cut: bool,
}

impl Captured {
    /// The text without white space at its end, and with a note if it was cut.
    #[must_use]
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = text.trim_end();
        if self.cut {
            format!("{text}\n(the rest of the output was left out)")
        } else {
            text.to_owned()
        }
    }
}

/// A child that did not end by itself.
#[derive(Debug)]
pub enum RunError {
    /// The work was cancelled.
    Cancelled,
    /// It cannot be started, or waited for.
    Io(io::Error),
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A child that was started otherwise than as `go` and did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// It cannot be started.
    #[error(transparent)]
    Io(io::Error),
}

impl From<RunError> for ChildError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Cancelled => Self::Cancelled,
            RunError::Io(error) => Self::Io(error),
        }
    }
}

/// How much of what other children say is kept, of each stream.
const SAID: usize = 64 << 20;

/// Runs any program to its end, without an input; `cancel` ends it and what it
/// has started.
///
/// # Errors
/// It cannot be started, or was cancelled.
pub fn run_child(command: Command, cancel: &Cancel) -> Result<Output, ChildError> {
    Ok(run(command, Streams::Apart, SAID, cancel)?.into())
}

/// The same, with an input that `feed` writes on a thread of its own: the child
/// may say as much as it likes before it reads.
///
/// # Errors
/// It cannot be started, or was cancelled.
pub fn feed_child<T: Send>(
    command: Command,
    cancel: &Cancel,
    feed: impl FnOnce(ChildStdin) -> T + Send,
) -> Result<(Output, T), ChildError> {
    let mut fed = None;
    let feed = |input| fed = Some(feed(input));
    let finished = run_fed(command, (Streams::Apart, SAID), cancel, Some(feed))?;
    let fed = fed.ok_or_else(|| ChildError::Io(io::ErrorKind::BrokenPipe.into()))?;
    Ok((finished.into(), fed))
}

impl From<Finished> for Output {
    fn from(Finished { status, stdout, stderr }: Finished) -> Self {
        Self { status, stdout: stdout.bytes, stderr: stderr.bytes }
    }
}

/// Runs a command and keeps at most `limit` bytes of each stream.
///
/// # Errors
/// It cannot be started, or was cancelled.
pub fn run(
    command: Command,
    streams: Streams,
    limit: usize,
    cancel: &Cancel,
) -> Result<Finished, RunError> {
    run_fed(command, (streams, limit), cancel, None::<fn(ChildStdin)>)
}

fn run_fed(
    mut command: Command,
    (streams, limit): (Streams, usize),
    cancel: &Cancel,
    feed: Option<impl FnOnce(ChildStdin) + Send>,
) -> Result<Finished, RunError> {
    if cancel.is_cancelled() {
        return Err(RunError::Cancelled);
    }
    sys::isolate(&mut command);
    let (stdout, stdout_end) = io::pipe()?;
    let (stderr, stderr_end) = match streams {
        Streams::Joined => (None, stdout_end.try_clone()?),
        Streams::Apart => {
            let (stderr, end) = io::pipe()?;
            (Some(stderr), end)
        }
    };
    let input = if feed.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(input).stdout(stdout_end).stderr(stderr_end);
    let mut child = command.spawn()?;
    cancel.count_child();
    // It holds our writing ends: while they are open no stream ends.
    drop(command);
    let stdout = Stream::read(stdout, limit);
    let stderr = stderr.map(|stderr| Stream::read(stderr, limit));
    let input = child.stdin.take();
    let ended = thread::scope(|scope| {
        if let (Some(feed), Some(input)) = (feed, input) {
            scope.spawn(move || feed(input));
        }
        sys::wait(&mut child, cancel)
    });
    let Ended { status, cancelled } = ended?;
    if cancelled {
        return Err(RunError::Cancelled);
    }
    Ok(Finished {
        status,
        stdout: stdout.finish(),
        stderr: stderr.map(Stream::finish).unwrap_or_default(),
    })
}

/// A stream that a thread reads to its end, beyond the limit too, so that the
/// child never waits for us.
struct Stream {
    captured: Arc<Mutex<Captured>>,
    ended: Receiver<()>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static, limit: usize) -> Self {
        let captured = Arc::new(Mutex::new(Captured::default()));
        let (end, ended) = mpsc::channel();
        let shared = Arc::clone(&captured);
        thread::spawn(move || {
            let _end = end;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let read = match from.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => return,
                };
                let mut captured = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let kept = read.min(limit - captured.bytes.len());
                captured.bytes.extend_from_slice(&buffer[..kept]);
                captured.cut |= kept < read;
            }
        });
        Self { captured, ended }
    }

    fn finish(self) -> Captured {
        // The sender is only ever dropped: this waits for that, or gives up.
        let _ = self.ended.recv_timeout(LINGER);
        std::mem::take(&mut self.captured.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An exit status in Go's words: `exit status 1`, `signal: killed`.
pub(crate) fn status_text(status: ExitStatus) -> String {
    match (status.code(), sys::signal(status)) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match signal {
            1 => "signal: hangup".to_owned(),
            2 => "signal: interrupt".to_owned(),
            3 => "signal: quit".to_owned(),
            6 => "signal: aborted".to_owned(),
            9 => KILLED.to_owned(),
            11 => "signal: segmentation fault".to_owned(),
            15 => "signal: terminated".to_owned(),
            other => format!("signal: signal {other}"),
        },
        (None, None) => status.to_string(),
    }
}

/// What [`status_text`], and `go` itself of its tools, says of a process that
/// was killed.
pub(crate) const KILLED: &str = "signal: killed";

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_status_is_told_in_gos_words() {
        for (raw, want) in [
            (0, "exit status 0"),
            (1 << 8, "exit status 1"),
            (255 << 8, "exit status 255"),
            (1, "signal: hangup"),
            (2, "signal: interrupt"),
            (3, "signal: quit"),
            (6, "signal: aborted"),
            (9, "signal: killed"),
            (11, "signal: segmentation fault"),
            (15, "signal: terminated"),
            (10, "signal: signal 10"),
        ] {
            assert_eq!(status_text(ExitStatus::from_raw(raw)), want);
        }
        // Stopped, it has neither a code nor a signal that ended it.
        assert!(!status_text(ExitStatus::from_raw(0x137f)).starts_with("exit status"));
    }

    #[test]
    fn each_stream_of_a_child_is_kept_for_itself() {
        let output = run_child(shell("echo out; echo err >&2; exit 3"), &Cancel::new()).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        let error = run_child(Command::new("/no/such/program"), &Cancel::new()).unwrap_err();
        assert!(
            matches!(error, ChildError::Io(ref error) if error.kind() == io::ErrorKind::NotFound)
        );
    }

    #[test]
    fn a_child_may_answer_before_it_has_read_all() {
        let input = vec![b'x'; 1 << 20];
        let feed = |mut to: ChildStdin| to.write_all(&input).is_ok();
        let (output, fed) = feed_child(shell("cat"), &Cancel::new(), feed).unwrap();
        assert!(fed && output.stdout == input);
        // One that does not read has what it says kept all the same.
        let (output, fed) = feed_child(shell("echo no"), &Cancel::new(), feed).unwrap();
        assert_eq!((fed, &output.stdout[..]), (false, &b"no\n"[..]));
        let cancel = Cancel::new();
        cancel.cancel();
        let error = feed_child(shell("cat"), &cancel, feed).unwrap_err();
        assert!(matches!(error, ChildError::Cancelled), "{error}");
        assert!(matches!(run_child(shell(":"), &cancel), Err(ChildError::Cancelled)));
    }

    #[test]
    fn what_is_beyond_the_limit_is_read_and_left_out() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done";
        let finished = run(shell(script), Streams::Joined, 15, &Cancel::new()).unwrap();
        assert!(finished.status.success() && finished.stdout.cut);
        let want = "0123456789\n0123\n(the rest of the output was left out)";
        assert_eq!(finished.stdout.text(), want);
    }
}
