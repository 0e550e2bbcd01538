//! Builds the environment that `go` sees from what the caller hands in; it is
//! never read from this process.

use std::ffi::{OsStr, OsString};
use std::fmt;

use thiserror::Error;

use crate::sys;
use crate::target::{Target, TargetError};
use crate::toolexec::is_toolexec;

/// Variables in the order in which they were set. Setting one again replaces
/// it. Names are compared as the operating system compares them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    entries: Vec<(OsString, OsString)>,
}

/// Only the names: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.iter().map(|(name, _)| name)).finish()
    }
}

impl Environment {
    /// An environment without variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        let name = name.as_ref();
        self.iter().find(|(other, _)| sys::same_variable(other, name)).map(|(_, value)| value)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let name = name.into();
        self.entries.retain(|(other, _)| !sys::same_variable(other, &name));
        self.entries.push((name, value.into()));
    }

    /// The variables, each once.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.entries.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The environment in which `go` works for a target: the variables that
    /// choose the target ([`Target::variables`]), then those of `process`,
    /// then `configured` entries of the form `NAME=value`; the later wins.
    /// `CGO_ENABLED=1` in the process's environment is honoured that way.
    ///
    /// `GOOS` and `GOARCH` of the process do not take part: where they are
    /// meant, the target was chosen by them, and one of them alone would put
    /// a program for one system into an image for another.
    ///
    /// # Errors
    /// A variant that has no words, an entry without `=`, or a `GOFLAGS`, even
    /// one that is overridden later, that asks for `-toolexec`.
    pub fn for_target(
        target: &Target,
        process: &Self,
        configured: &[String],
    ) -> Result<Self, EnvironmentError> {
        let mut all = Self::new();
        for (name, value) in target.variables()? {
            all.set(name, value);
        }
        let chosen = ["GOOS", "GOARCH"].map(OsStr::new);
        for (name, value) in process.iter() {
            if !chosen.iter().any(|other| sys::same_variable(other, name)) {
                refuse_toolexec(name, value)?;
                all.set(name, value);
            }
        }
        for entry in configured {
            let Some((name, value)) = entry.split_once('=').filter(|(name, _)| !name.is_empty())
            else {
                return Err(EnvironmentError::Entry { entry: entry.clone() });
            };
            refuse_toolexec(name.as_ref(), value.as_ref())?;
            all.set(name, value);
        }
        Ok(all)
    }
}

impl Environment {
    /// The variables that another one has not, or with other values.
    pub fn beyond<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a OsStr, &'a OsStr)> + 'a {
        self.iter().filter(|(name, value)| other.get(name) != Some(value))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut all = Self::new();
        for (name, value) in variables {
            all.set(name, value);
        }
        all
    }
}

fn refuse_toolexec(name: &OsStr, value: &OsStr) -> Result<(), EnvironmentError> {
    if !sys::same_variable(name, OsStr::new("GOFLAGS")) {
        return Ok(());
    }
    let value = value.to_string_lossy();
    match value.split_whitespace().find(|word| is_toolexec(word)) {
        None => Ok(()),
        Some(word) => Err(EnvironmentError::Toolexec { word: word.to_owned() }),
    }
}

/// Why there is no environment for a target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvironmentError {
    /// The target's variant has no words in Go.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A configured entry is not `NAME=value`.
    #[error("invalid environment variable entry: {entry:?}")]
    Entry {
        /// The entry.
        entry: String,
    },
    /// `GOFLAGS` asks for `-toolexec`.
    #[error("cannot set {word} via GOFLAGS environment variable")]
    Toolexec {
        /// The flag as written.
        word: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_another_has_not_is_beyond_it() {
        let all = |entries: &[(&str, &str)]| entries.iter().copied().collect::<Environment>();
        let process = all(&[("PATH", "/bin"), ("GOOS", "linux"), ("HOME", "/h")]);
        let own = all(&[("GOOS", "darwin"), ("PATH", "/bin"), ("CGO_ENABLED", "0")]);
        let beyond: Vec<_> = own.beyond(&process).collect();
        let want = [("GOOS", "darwin"), ("CGO_ENABLED", "0")];
        assert_eq!(beyond, want.map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
        assert_eq!(own.beyond(&own).count(), 0);
        // Values may be secrets.
        assert_eq!(format!("{:?}", all(&[("TOKEN", "hunter2")])), "{\"TOKEN\"}");
    }

    fn linux_arm() -> Target {
        Target { os: "linux".into(), arch: "arm".into(), variant: "v7".into() }
    }

    fn layered(process: &[(&str, &str)], configured: &[&str]) -> Result<Vec<String>, String> {
        let process = process.iter().copied().collect();
        let configured: Vec<_> = configured.iter().map(|&entry| entry.to_owned()).collect();
        Environment::for_target(&linux_arm(), &process, &configured)
            .map(|all| {
                let text = |(name, value): (&OsStr, &OsStr)| {
                    format!("{}={}", name.to_string_lossy(), value.to_string_lossy())
                };
                all.iter().map(text).collect()
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn later_wins() {
        let mut all: Environment = [("A", "1"), ("B", "2"), ("A", "3")].into_iter().collect();
        assert_eq!(all.get("A"), Some(OsStr::new("3")));
        all.set("B", "4");
        assert_eq!(all.get("B"), Some(OsStr::new("4")));
        assert_eq!(all.get("C"), None);
        assert_eq!(all.iter().count(), 2);
    }

    #[test]
    fn layers() {
        assert_eq!(
            layered(&[], &[]).unwrap(),
            ["CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=7"]
        );
        assert_eq!(
            layered(&[("HOME", "/h"), ("CGO_ENABLED", "1"), ("FOO", "a")], &["FOO=b=c", "EMPTY="])
                .unwrap(),
            [
                "GOOS=linux",
                "GOARCH=arm",
                "GOARM=7",
                "HOME=/h",
                "CGO_ENABLED=1",
                "FOO=b=c",
                "EMPTY="
            ]
        );
    }

    #[test]
    fn process_does_not_move_the_target() {
        let all = layered(&[("GOOS", "darwin"), ("GOARCH", "")], &[]).unwrap();
        assert_eq!(all, ["CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=7"]);
        let all = layered(&[], &["GOARCH=mips"]).unwrap();
        assert!(all.contains(&"GOARCH=mips".to_owned()), "{all:?}");
    }

    #[test]
    fn bad_entries() {
        for entry in ["BAD", "", "=x"] {
            assert_eq!(
                layered(&[], &[entry]).unwrap_err(),
                format!("invalid environment variable entry: {entry:?}")
            );
        }
    }

    #[test]
    fn toolexec_is_refused_everywhere() {
        for (flags, word) in [
            ("-toolexec=id", "-toolexec=id"),
            ("-v --toolexec=id", "--toolexec=id"),
            ("-v\t-toolexec", "-toolexec"),
            ("'-toolexec=/bin/x y'", "'-toolexec=/bin/x"),
        ] {
            let want = format!("cannot set {word} via GOFLAGS environment variable");
            assert_eq!(layered(&[("GOFLAGS", flags)], &[]).unwrap_err(), want);
            let entry = format!("GOFLAGS={flags}");
            assert_eq!(layered(&[], &[&entry]).unwrap_err(), want);
            // An entry that a later one overrides is refused as well.
            assert_eq!(layered(&[], &[&entry, "GOFLAGS="]).unwrap_err(), want);
        }
        layered(&[("GOFLAGS", "-v -count=1"), ("X", "-toolexec=id")], &[]).unwrap();
    }
}
