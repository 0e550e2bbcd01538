//! How programs are built, and the command line of `go build` that follows
//! from it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::import_path::ImportPath;
use crate::target::Target;

/// How programs are built: everything that a [`BuildKey`](crate::BuildKey)
/// covers, and the same for all programs of one build group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSettings {
    /// The working directory, absolute.
    pub dir: PathBuf,
    /// What is built for.
    pub target: Target,
    /// The environment, complete ([`Environment::for_target`]).
    pub environment: Environment,
    /// Flags that come before ours.
    pub flags: Vec<String>,
    /// Joined by spaces into one `-ldflags=…`, if there are any.
    pub ldflags: Vec<String>,
    /// Compiles for a debugger: `-gcflags "all=-N -l"`.
    pub disable_optimizations: bool,
    /// Without `-trimpath`: the binary holds the directories of this machine.
    pub untrimmed: bool,
}

impl BuildSettings {
    /// The words of a `go build` of one program, as they would be typed.
    pub fn words(&self, output: &Path, import_path: &ImportPath) -> Vec<OsString> {
        let mut words = vec!["go".into()];
        words.extend(self.arguments(output, &[import_path]));
        words
    }

    /// The words after `go`.
    pub(crate) fn arguments(&self, output: &Path, import_paths: &[&ImportPath]) -> Vec<OsString> {
        let mut words = vec!["build".into()];
        words.extend(self.compiling().into_iter().map(Into::into));
        if !self.ldflags.is_empty() {
            words.push(format!("-ldflags={}", self.ldflags.join(" ")).into());
        }
        words.extend(["-o".into(), output.into()]);
        words.extend(import_paths.iter().map(|path| path.as_str().into()));
        words
    }

    /// The flags that decide how packages are compiled.
    pub(crate) fn compiling(&self) -> Vec<String> {
        let mut words = self.flags.clone();
        if !self.untrimmed {
            words.push("-trimpath".to_owned());
        }
        if self.disable_optimizations {
            words.extend(["-gcflags".to_owned(), "all=-N -l".to_owned()]);
        }
        words
    }
}
