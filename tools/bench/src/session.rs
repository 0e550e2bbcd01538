//! A contender that goes on: it waits for an edit, and prints a line when the image is
//! pushed.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use testkit::sandbox::{Run, Running};

/// How long a turn may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a loop does. It is told of an edit by a line, so that it needs no program that
/// looks for edits, and loses no time by it.
pub(crate) const LOOP: &str = r#"
mkfifo "$TMPDIR/edits"
exec 3<>"$TMPDIR/edits"
echo "Watching " >&2
while read -r edit <&3 && [ "$edit" != end ]; do
    STEP
done
"#;

/// Somebody who waits for edits.
#[derive(Debug)]
pub(crate) struct Session {
    running: Option<Running>,
    stdout: Receiver<(Instant, String)>,
    stderr: Receiver<(Instant, String)>,
    /// Where a loop is told of edits.
    edits: Option<PathBuf>,
}

impl Session {
    /// Starts it, and waits until it waits.
    pub(crate) fn start(run: Run<'_>, edits: Option<PathBuf>) -> Result<Self, String> {
        let pipe = || std::io::pipe().map_err(|error| error.to_string());
        let ((stdout, out), (stderr, err)) = (pipe()?, pipe()?);
        let running = run.stdout(Stdio::from(out)).stderr(Stdio::from(err)).start();
        let (stdout, stderr) = (lines(stdout), lines(stderr));
        let session = Self { running: Some(running), stdout, stderr, edits };
        session.hears("Watching ")?;
        while session.stdout.try_recv().is_ok() {}
        Ok(session)
    }

    fn hears(&self, wanted: &str) -> Result<(), String> {
        let mut said = String::new();
        while let Ok((_, line)) = self.stderr.recv_timeout(PATIENCE) {
            if line.contains(wanted) {
                return Ok(());
            }
            said = said + &line + "\n";
        }
        Err(format!("{wanted:?} was not said:\n{said}"))
    }

    /// An edit was made: when the image was pushed, and what stdout said then.
    pub(crate) fn turn(&self) -> Result<(Instant, String), String> {
        match &self.edits {
            Some(edits) => {
                let edits = OpenOptions::new().write(true).open(edits);
                let told = edits.and_then(|mut edits| edits.write_all(b"edit\n"));
                told.map_err(|error| error.to_string())?;
            }
            // What a loop says is of no interest.
            None => while self.stderr.try_recv().is_ok() {},
        }
        let told = self.stdout.recv_timeout(PATIENCE);
        let told = told.map_err(|_| {
            let said: Vec<String> = self.stderr.try_iter().map(|(_, line)| line).collect();
            format!("nothing was pushed:\n{}", said.join("\n"))
        })?;
        if self.edits.is_none() {
            self.hears(": published after ")?;
        }
        Ok(told)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        match &self.edits {
            Some(edits) => {
                let edits = OpenOptions::new().write(true).open(edits);
                let _ = edits.and_then(|mut edits| edits.write_all(b"end\n"));
            }
            None => {
                let _ = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
            }
        }
        let _ = running.wait();
    }
}

fn lines(pipe: PipeReader) -> Receiver<(Instant, String)> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = sender.send((Instant::now(), line));
        }
    });
    lines
}
