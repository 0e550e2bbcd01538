//! Why a source gave nothing. Problems name variables, files, programs, hosts
//! and codes, never what is secret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A result of this crate.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// Cheap to clone: all who ask a source share its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Problem {
    /// No source is set up.
    #[error("found none in {places}")]
    Nothing {
        /// Where was looked.
        places: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Read { path: PathBuf, source: Arc<std::io::Error> },
    /// A file, a variable or an answer does not hold what it should.
    #[error("{place}: {problem}")]
    Malformed { place: String, problem: String },
    /// There was no answer.
    #[error("{url}: {cause}")]
    Request { url: String, cause: String },
    /// The answer is no.
    #[error("{url}: {status}{said}")]
    Refused {
        url: String,
        status: u16,
        /// Empty, or a blank and what the server says.
        said: String,
    },
    /// A program failed.
    #[error("{program}: {cause}")]
    Program { program: String, cause: String },
    /// A source has not answered.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// One source failed, and so did the next.
    #[error("{0}; {1}")]
    Both(Box<Problem>, Box<Problem>),
}

impl Problem {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn malformed(place: impl fmt::Display, problem: impl Into<String>) -> Self {
        Self::Malformed { place: place.to_string(), problem: problem.into() }
    }

    pub(crate) fn program(program: &str, cause: impl fmt::Display) -> Self {
        Self::Program { program: program.to_owned(), cause: cause.to_string() }
    }

    /// This one, and another.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::Both(Box::new(self), Box::new(other))
    }

    /// Is it only that nothing is set up, or nobody there?
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing { .. })
    }
}

/// One line of what a server or program says. Some repeat, in the lines that
/// follow, all that they were sent.
pub(crate) fn line(text: &str) -> String {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    first.chars().filter(|c| !c.is_control()).take(300).collect()
}
