//! One command line: how it is started, and what it left.

use super::memory::Watch;
use super::{Check, Sandbox, scrub};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// A command line that is not started yet.
#[derive(Debug)]
pub struct Run<'a> {
    sandbox: &'a Sandbox,
    command: Command,
    stdin: Vec<u8>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
}

impl<'a> Run<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, command: Command) -> Run<'a> {
        Run { sandbox, command, stdin: Vec::new(), stdout: None, stderr: None }
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Run<'a> {
        self.command.env(name, value);
        self
    }

    /// Removes a variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Run<'a> {
        self.command.env_remove(name);
        self
    }

    /// Sets the working directory, which is [`Sandbox::work`] otherwise.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Run<'a> {
        self.command.current_dir(dir);
        self
    }

    /// Sets the standard input, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Run<'a> {
        self.stdin = bytes.into();
        self
    }

    /// Gives it a standard output, which is collected otherwise.
    #[must_use]
    pub fn stdout(mut self, stdout: Stdio) -> Run<'a> {
        self.stdout = Some(stdout);
        self
    }

    /// Gives it a standard error, which is collected otherwise.
    #[must_use]
    pub fn stderr(mut self, stderr: Stdio) -> Run<'a> {
        self.stderr = Some(stderr);
        self
    }

    /// Starts it, and gives it back while it runs: for tests that interrupt.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut self) -> Running {
        let started = self
            .command
            .stdin(Stdio::piped())
            .stdout(self.stdout.unwrap_or_else(Stdio::piped))
            .stderr(self.stderr.unwrap_or_else(Stdio::piped))
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => panic!("start of {}: {error}", self.sandbox.program.display()),
        };
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let input = self.stdin;
        // On a thread: the command may write before it has read everything,
        // or end without reading, which is its right.
        std::thread::spawn(move || stdin.write_all(&input).ok());
        Running {
            stdout: collect(child.stdout.take()),
            stderr: collect(child.stderr.take()),
            memory: Watch::start(child.id()),
            child,
            root: self.sandbox.root.display().to_string(),
            check: self.sandbox.check,
            command: self.command,
        }
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it cannot be started, or prints something that is not UTF-8.
    #[must_use]
    pub fn output(self) -> Output {
        self.start().wait()
    }
}

/// Reads what there is to read; nothing if it goes elsewhere.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let Some(mut pipe) = pipe else { return bytes };
        pipe.read_to_end(&mut bytes).expect("the other end of a pipe only ends");
        bytes
    })
}

/// A command that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
    memory: Watch,
    root: String,
    check: Option<Check>,
    command: Command,
}

impl Running {
    /// Returns the process's number, to send it a signal.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it printed something that is not UTF-8.
    #[must_use]
    pub fn wait(mut self) -> Output {
        let status = self.child.wait().expect("the child is ours to wait for");
        let peak_memory = self.memory.finish();
        let text = |thread: JoinHandle<Vec<u8>>, what: &str| {
            let bytes = thread.join().expect("reading a pipe does not panic");
            String::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {error}"))
        };
        let output = Output {
            stdout: text(self.stdout, "stdout"),
            stderr: text(self.stderr, "stderr"),
            code: status.code(),
            peak_memory,
            root: self.root,
        };
        if let Some(check) = self.check {
            check(&self.command, &output);
        }
        output
    }
}

/// What a command left.
#[derive(Clone, Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The most memory that the process itself had resident, in bytes, without its
    /// children and without what is mapped from files. Known on Linux only; what is allocated in the last
    /// few milliseconds may be missed, and all of it if the process lives no
    /// longer.
    pub peak_memory: Option<u64>,
    root: String,
}

impl Output {
    /// Passes itself on if the exit code is 0.
    ///
    /// # Panics
    /// Otherwise, with all that was printed.
    #[track_caller]
    #[must_use]
    pub fn success(self) -> Output {
        assert_eq!(self.code, Some(0), "{}", self.snapshot());
        self
    }

    /// Passes itself on if the exit code is `code`.
    ///
    /// # Panics
    /// Otherwise, with all that was printed.
    #[track_caller]
    #[must_use]
    pub fn failure(self, code: i32) -> Output {
        assert_eq!(self.code, Some(code), "{}", self.snapshot());
        self
    }

    /// Writes exit code, standard output and standard error into one text, in
    /// which all that differs from run to run is replaced:
    ///
    /// | what | by |
    /// |---|---|
    /// | the sandbox's directory | `[sandbox]` |
    /// | names made up in its temporary directory | `[temp]` |
    /// | `2024/01/02 03:04:05 ` | `[time] ` |
    /// | the port after `127.0.0.1:`, `[::1]:` or `localhost:` | `[port]` |
    /// | 64 hexadecimal digits | `[digest]` |
    /// | durations such as `1.5s` or `1m30s` | `[duration]` |
    #[must_use]
    pub fn snapshot(&self) -> String {
        let code = match self.code {
            Some(code) => code.to_string(),
            None => "signal".to_owned(),
        };
        let text = format!(
            "exit code: {code}\n--- stdout ---\n{}--- stderr ---\n{}",
            self.stdout, self.stderr
        );
        scrub::scrub(&text, &self.root)
    }
}
