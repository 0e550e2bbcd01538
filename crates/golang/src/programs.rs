//! Finds programs by their source files alone, where asking `go` would take too
//! long: for completion, and to guess what a user meant. What counts for a build
//! is what `go list` says.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::constraint;

/// So many directories are looked at, those further up first.
const DIRECTORIES: usize = 20_000;

/// Which source files decide what package a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceFiles {
    /// Those of any platform.
    All,
    /// Those that count for linux/amd64 without cgo.
    LinuxAmd64,
}

impl SourceFiles {
    /// Whether a file counts, by its name without `.go`.
    fn has_name(self, stem: &str) -> bool {
        self == Self::All || constraint::suits_name(stem)
    }

    /// Whether a file counts with this constraint.
    fn allows(self, expression: &str) -> bool {
        match self {
            Self::All => expression.trim() != "ignore",
            Self::LinuxAmd64 => constraint::holds(expression),
        }
    }
}

/// A package clause stands behind comments, such as a licence, that are shorter
/// than this, in bytes.
const HEADER: u64 = 16 << 10;

/// The directories at and below another that hold a program, those further up
/// first. What cannot be read is passed over.
#[must_use]
pub fn programs_below(dir: &Path, sources: SourceFiles) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = VecDeque::from([dir.to_owned()]);
    let mut seen = 0;
    while let Some(dir) = left.pop_front() {
        let Ok(entries) = dir.read_dir() else { continue };
        let (mut files, mut below) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with(['.', '_'])) else {
                continue;
            };
            let path = dir.join(name);
            if kind.is_dir() {
                if !matches!(name, "testdata" | "vendor" | "node_modules") {
                    below.push(path);
                }
            } else if let Some(stem) = name.strip_suffix(".go")
                && !stem.ends_with("_test")
                && sources.has_name(stem)
                && path.is_file()
            {
                files.push(path);
            }
        }
        files.sort_unstable();
        let name = files.iter().find_map(|file| package(file, sources));
        if name.is_some_and(|name| name == "main") {
            found.push(dir);
        }
        below.sort_unstable();
        let room = DIRECTORIES.saturating_sub(seen);
        seen += below.len();
        left.extend(below.into_iter().take(room));
    }
    found
}

/// The package of a file, unless it is for none.
fn package(file: &Path, sources: SourceFiles) -> Option<String> {
    let mut header = Vec::new();
    File::open(file).ok()?.take(HEADER).read_to_end(&mut header).ok()?;
    clause(&String::from_utf8_lossy(&header), sources).map(str::to_owned)
}

/// Reads the name in a package clause. `None` stands for a text without a clause, and
/// for a file that a constraint leaves out.
fn clause(text: &str, sources: SourceFiles) -> Option<&str> {
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            let (line, after) = comment.split_once('\n').unwrap_or((comment, ""));
            let constraint = line.strip_prefix("go:build ");
            // What is older than Go 1.17 has only this.
            let old = line.trim_start().strip_prefix("+build ");
            if constraint.is_some_and(|constraint| !sources.allows(constraint))
                || old.is_some_and(|constraint| constraint.trim() == "ignore")
            {
                return None;
            }
            rest = after;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/")?.1;
        } else {
            let name = rest.strip_prefix("package")?.strip_prefix(char::is_whitespace)?;
            return name.split([';', '/']).next()?.split_whitespace().next();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn package_clauses() {
        for (text, want) in [
            ("package main\n", Some("main")),
            ("\u{feff}// A licence.\n\n/* More\n of it. */ package  main // it\n", Some("main")),
            ("//go:build linux\n\npackage app;", Some("app")),
            ("//go:build ignore\n\npackage main\n", None),
            ("// +build ignore\n\npackage main\n", None),
            ("package\tmain", Some("main")),
            ("packages main", None),
            ("/* package main", None),
            ("// package main", None),
            ("", None),
        ] {
            assert_eq!(clause(text, SourceFiles::All), want, "{text:?}");
        }
        for (text, want) in [
            ("package main // import \"x\"\n", Some("main")),
            ("//go:build linux && !cgo\n\npackage main\n", Some("main")),
            ("//go:build ignore\n\npackage main\n", None),
            ("//go:build windows\r\n\r\npackage main\n", None),
            ("package mainly\n", Some("mainly")),
            ("func main() {}\n", None),
        ] {
            assert_eq!(clause(text, SourceFiles::LinuxAmd64), want, "{text:?}");
        }
    }

    #[test]
    fn programs_are_found_by_their_files() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("gen.go", "//go:build ignore\n\npackage main\n"),
            ("lib.go", "package lib\n"),
            ("cmd/b/a_test.go", "package b\n"),
            ("cmd/b/main.go", "package main\n"),
            ("cmd/a/main.go", "package main\n"),
            ("cmd/a/deep/main.go", "package main\n"),
            ("cmd/library/lib.go", "package library\n"),
            ("cmd/odd/main.go", "\0\0"),
            ("testdata/x/main.go", "package main\n"),
            ("vendor/x/main.go", "package main\n"),
            ("_x/main.go", "package main\n"),
            (".x/main.go", "package main\n"),
            ("other/go.mod", "module example.com/other\n"),
            ("other/main.go", "package main\n"),
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = programs_below(dir.path(), SourceFiles::All);
        let found = found.iter().map(|dir_found| dir_found.strip_prefix(dir.path()).unwrap());
        let found: Vec<_> = found.map(|path| path.to_str().unwrap()).collect();
        assert_eq!(found, ["other", "cmd/a", "cmd/b", "cmd/a/deep"]);
        assert_eq!(
            programs_below(&dir.path().join("nowhere"), SourceFiles::All),
            Vec::<PathBuf>::new()
        );
    }
}
