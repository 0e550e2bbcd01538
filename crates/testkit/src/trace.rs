//! Which processes a command starts and which files it opens, counted exactly:
//! `strace` writes down what it and its children ask of the system (Linux only).
//! A script in the place of `go` could count as well, but a script is not the
//! `go` of its GOROOT, and what is built by it is never fresh.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file that `strace` writes to.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    calls: &'static str,
    alone: bool,
}

impl Trace {
    /// Names the file; it is written over by each command that is traced.
    pub fn new(path: impl Into<PathBuf>) -> Trace {
        Trace { path: path.into(), calls: "trace=execve", alone: false }
    }

    /// Also which files are opened.
    #[must_use]
    pub fn with_files(self) -> Trace {
        Trace { calls: "trace=execve,open,openat", ..self }
    }

    /// Only what the command does itself: of other programs no more than that
    /// it starts them.
    #[must_use]
    pub fn alone(self) -> Trace {
        Trace { alone: true, ..self }
    }

    /// The words before those of the command to trace.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let path = self.path.display().to_string();
        let words = ["strace", "-f", "-qq", "-e", self.calls, "-e", "signal=none", "-o", &path];
        // Whoever becomes another program is left to itself from then on.
        let leave: &[&str] = if self.alone { &["-b", "execve"] } else { &[] };
        words.iter().chain(leave).map(|&word| word.to_owned()).collect()
    }

    /// How often programs were started by the last command, itself included:
    /// by the name of the file, without its directory.
    ///
    /// # Panics
    /// If nothing was traced.
    #[must_use]
    pub fn started(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for program in self.text().lines().filter_map(program) {
            *counts.entry(program).or_default() += 1;
        }
        counts
    }

    /// The same without those that were given a word among the first of theirs.
    ///
    /// # Panics
    /// If nothing was traced.
    #[must_use]
    pub fn started_without(&self, word: &str) -> BTreeMap<String, usize> {
        let (text, quoted) = (self.text(), format!("\"{word}\""));
        let mut counts = BTreeMap::new();
        for program in text.lines().filter(|line| !line.contains(&quoted)).filter_map(program) {
            *counts.entry(program).or_default() += 1;
        }
        counts
    }

    /// The files that were opened by the last command, or were to be.
    ///
    /// # Panics
    /// If nothing was traced.
    #[must_use]
    pub fn opened(&self) -> Vec<PathBuf> {
        self.text().lines().filter_map(opened).collect()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.path).expect("a command was traced")
    }
}

/// What a line says that was opened, or was to be.
fn opened(line: &str) -> Option<PathBuf> {
    let (_, call) = line.split_once("open")?;
    let (path, _) = call.split_once('"')?.1.split_once('"')?;
    Some(PathBuf::from(path))
}

/// What a line says that was started, unless that failed.
fn program(line: &str) -> Option<String> {
    if line.contains(" = -1 ") {
        return None;
    }
    let (path, _) = line.split_once("execve(\"")?.1.split_once('"')?;
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::{opened, program};
    use std::path::Path;

    #[test]
    fn lines() {
        let started = r#"12 execve("/usr/bin/git", ["git", "status"], 0x5 /* 9 vars */) = 0"#;
        assert_eq!(program(started).as_deref(), Some("git"));
        for line in [
            r#"12 execve("/bin/git", ["git"], 0x5 /* 9 vars */) = -1 ENOENT (No such file)"#,
            "12 +++ exited with 0 +++",
        ] {
            assert_eq!(program(line), None, "{line}");
        }
        let line = r#"12 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3"#;
        assert_eq!(opened(line).as_deref(), Some(Path::new("/etc/passwd")));
        assert_eq!(opened(started), None);
    }
}
