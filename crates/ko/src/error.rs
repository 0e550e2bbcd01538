//! Defines the one error that a user sees: what failed, why, and what to do.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use crate::signals::Signal;

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct CommandError {
    message: String,
    broken_pipe: bool,
    hint: Option<String>,
    kind: Kind,
}

/// What kind of thing went wrong, for `--strict-exit-codes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Arguments, settings, or files that they name.
    Usage,
    /// A program, or another part of an image.
    Build,
    /// A registry or a container engine.
    Registry,
    /// A signal has ended the run.
    Interrupted(Signal),
    /// This machine, kubectl, the time that ran out.
    Other,
}

impl Kind {
    /// What reports call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Build => "build",
            Self::Registry => "registry",
            Self::Interrupted(_) => "interrupted",
            Self::Other => "other",
        }
    }

    /// The exit code that tells it apart.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Build => 3,
            Self::Registry => 4,
            Self::Interrupted(signal) => signal.exit_code(),
            Self::Other => 1,
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, CommandError>;

impl CommandError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), broken_pipe: false, hint: None, kind: Kind::Other }
    }

    /// An error with its causes, from the outside in, as Go programs print
    /// them.
    pub(crate) fn of(error: &dyn StdError) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // A transparent wrapper says the same as what it wraps.
            if !message.ends_with(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self::new(message)
    }

    /// An error of writing to stdout. A reader that has gone away (`| head`) is
    /// not reported.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        let broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Self { broken_pipe, ..Self::of(error).context("writing to stdout") }
    }

    /// A file that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        match path.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()) {
            Some(dir) => Self::new(format!("there is no directory {}", dir.display())),
            None => Self::of(error),
        }
    }

    /// Returns whether the reader of stdout has gone away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }

    /// Says what was being done.
    pub(crate) fn context(mut self, context: &str) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Says what the user can do about it: each line is a hint of its own.
    pub(crate) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Says more about what the user can do.
    pub(crate) fn also(mut self, more: Option<String>) -> Self {
        self.hint = match (self.hint, more) {
            (Some(hint), Some(more)) => Some(format!("{hint}; {more}")),
            (hint, more) => hint.or(more),
        };
        self
    }

    /// Says what kind of error it is, unless that is known already.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        if self.kind == Kind::Other {
            self.kind = kind;
        }
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
