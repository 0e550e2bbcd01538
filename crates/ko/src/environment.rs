//! Reads the process once: arguments, environment and working directory;
//! standard input is read on demand. No other module of this workspace reads
//! them.
#![allow(clippy::disallowed_methods, reason = "this is the one place that reads them")]

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::error::{CommandError, Result};

/// More than this nobody types or pipes in, in bytes.
const MAX_INPUT: u64 = 1 << 20;

/// The local time zone. Where it is a file, the directories of all zones are not
/// searched for its name.
pub(crate) fn time_zone() -> TimeZone {
    let named = |name| Path::new("/usr/share/zoneinfo").join(name);
    let path = std::env::var_os("TZ").map_or_else(|| PathBuf::from("/etc/localtime"), named);
    let zone = std::fs::read(path).ok().and_then(|file| TimeZone::tzif("Local", &file).ok());
    zone.unwrap_or_else(TimeZone::system)
}

/// Where temporary files go. A variable that is set to nothing is as good as unset.
pub(crate) fn temp_dir() -> PathBuf {
    let dir = std::env::temp_dir();
    if dir.as_os_str().is_empty() { PathBuf::from("/tmp") } else { dir }
}

/// The arguments, environment and directory of the process at its start.
#[derive(Debug)]
pub(crate) struct Process {
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    work_dir: Option<PathBuf>,
}

impl Process {
    pub(crate) fn read() -> Self {
        let variables: Vec<_> = std::env::vars_os().collect();
        let work_dir = std::env::current_dir().ok();
        // As shells and Go have it: PWD keeps the links that the user went
        // through, if it still names the same directory.
        let logical = variables
            .iter()
            .rev()
            .find(|(name, _)| name == "PWD")
            .map(|(_, dir)| PathBuf::from(dir));
        let same = |dir: &PathBuf| dir.is_absolute() && dir.canonicalize().ok() == work_dir;
        Self {
            arguments: std::env::args_os().collect(),
            work_dir: logical.filter(same).or(work_dir),
            variables,
        }
    }

    /// The same process as if it had been started in another directory.
    pub(crate) fn at(&self, dir: &Path) -> Self {
        let others = self.variables.iter().filter(|(name, _)| name != "PWD").cloned();
        Self {
            arguments: self.arguments.clone(),
            variables: others.chain([("PWD".into(), dir.into())]).collect(),
            work_dir: Some(dir.to_owned()),
        }
    }

    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// The file of this program, if the system knows it.
    #[allow(clippy::unused_self, reason = "the program belongs to the process")]
    pub(crate) fn program(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    /// All variables, in their order.
    pub(crate) fn variables(&self) -> &[(OsString, OsString)] {
        &self.variables
    }

    /// `None` if it has been removed.
    pub(crate) fn work_dir(&self) -> Option<&Path> {
        self.work_dir.as_deref()
    }

    /// A variable; one that is set to nothing is as good as unset.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        // Windows has `Path`, and finds it as `PATH`.
        let is_name = |found: &OsStr| match cfg!(windows) {
            true => found.eq_ignore_ascii_case(name),
            false => found == name,
        };
        let found = self.variables.iter().rev().find(|(found, _)| is_name(found));
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// A variable that is text. What is not UTF-8 is shown as well as it can
    /// be: every use of the result is checked against a grammar.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.variable(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A variable that is a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from)
    }
    /// All of standard input. Its contents may be secret, and are in no error.
    #[allow(clippy::unused_self, reason = "standard input belongs to the process")]
    pub(crate) fn input(&self) -> Result<String> {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes);
        read.map_err(|error| CommandError::of(&error).context("reading stdin"))?;
        if bytes.len() as u64 > MAX_INPUT {
            return Err(CommandError::new(format!("stdin is longer than {MAX_INPUT} bytes")));
        }
        String::from_utf8(bytes).map_err(|_| CommandError::new("stdin is not UTF-8"))
    }
}
