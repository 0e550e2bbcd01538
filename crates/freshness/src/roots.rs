//! Finds the root of a repository as `go` does when it stamps (`vcs.FromDir`).
//! Releases of Go differ in that ([`Roots`]); git itself is not asked.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use golang::normal;
use serde::{Deserialize, Serialize};

/// What counts as the root of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Up to Go 1.26: a directory `.git`; `.bzr` too.
    Directories,
    /// Since Go 1.27: a file `.git` as well, if it leads to a directory (linked
    /// work tree, submodule, `--separate-git-dir`); bzr is not known any more.
    GitFiles,
}

/// Systems that `go` knows, and what it knows them by: whether a directory.
const SYSTEMS: [(&str, &str, bool); 6] = [
    ("hg", ".hg", true),
    ("git", ".git", true),
    ("svn", ".svn", true),
    ("bzr", ".bzr", true),
    ("fossil", ".fslckout", false),
    ("fossil", "_FOSSIL_", false),
];

/// The names that make a directory the root of a repository.
pub(crate) const SYSTEM_NAMES: [&str; 6] = [".hg", ".git", ".svn", ".bzr", ".fslckout", "_FOSSIL_"];

/// Go ignores a file `.git` that is longer than this, in bytes.
const LONGEST: u64 = 4096;

/// The repository around a directory: how many directories up, and of which
/// system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RepositoryContext {
    pub(crate) system: String,
    pub(crate) up: usize,
    /// Whether there is another one further up, of another system; or whether
    /// it is not certain that this is one.
    pub(crate) mixed: bool,
}

/// Whether a name makes its directory a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Root,
    NoRoot,
    /// It cannot be told.
    Unclear,
}

impl Roots {
    /// The repository around a directory.
    pub(crate) fn around(self, dir: &Path) -> Option<RepositoryContext> {
        let mut found: Option<RepositoryContext> = None;
        for (up, dir) in dir.ancestors().enumerate() {
            for (system, name, is_dir) in SYSTEMS {
                if self == Self::GitFiles && system == "bzr" {
                    continue;
                }
                let file = dir.join(name);
                let Ok(meta) = file.metadata() else { continue };
                let is = match (self, system) {
                    (Self::GitFiles, "git") if !meta.is_dir() => git_file(dir, &file, &meta),
                    // "Not a directory" up to 1.26.
                    (Self::GitFiles, _) if !is_dir => Is::of(meta.is_file()),
                    _ => Is::of(meta.is_dir() == is_dir),
                };
                if is == Is::NoRoot {
                    continue;
                }
                match &mut found {
                    None => {
                        let (system, mixed) = (system.to_owned(), is == Is::Unclear);
                        found = Some(RepositoryContext { system, up, mixed });
                    }
                    Some(found) => found.mixed |= found.system != system || system != "git",
                }
            }
        }
        found
    }

    /// The root of the repository around a directory, of whatever system.
    pub(crate) fn root(self, dir: &Path) -> Option<PathBuf> {
        let found = self.around(dir)?;
        dir.ancestors().nth(found.up).map(Path::to_owned)
    }
}

impl Is {
    fn of(root: bool) -> Self {
        if root { Self::Root } else { Self::NoRoot }
    }
}

/// What Go makes of a `.git` that is no directory (`vcs.vcsGitRoot`). It reads
/// it more loosely than git does.
fn git_file(dir: &Path, file: &Path, meta: &Metadata) -> Is {
    if !meta.is_file() || meta.len() == 0 || meta.len() > LONGEST {
        return Is::NoRoot;
    }
    let Ok(raw) = fs::read(file) else { return Is::NoRoot };
    let Some(rest) = raw.strip_prefix(b"gitdir:") else { return Is::NoRoot };
    let Ok(target) = str::from_utf8(rest) else { return Is::Unclear };
    let target = Path::new(target.trim());
    let target = if target.is_absolute() {
        target.to_owned()
    } else if target.as_os_str().is_empty() {
        return Is::NoRoot;
    } else {
        // By name, not by where links lead.
        normal(&dir.join(target))
    };
    Is::of(target.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory `a/b/c` with these files and, where there is no content,
    /// directories.
    fn tree(files: Files<'_>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            match content {
                None => fs::create_dir_all(path).unwrap(),
                Some(content) => fs::write(path, content).unwrap(),
            }
        }
        root
    }

    /// Names, and what is in them: nothing is a directory.
    type Files<'a> = &'a [(&'a str, Option<&'a [u8]>)];

    /// How far up from `a/b/c`, of which system, and whether that is enough.
    type Found = Option<(usize, &'static str, bool)>;

    #[test]
    fn roots_by_release_line() {
        let git = Some((1, "git", false));
        let padded = |length: usize| {
            let spaces = " ".repeat(length - "gitdir: ../g".len());
            [b"gitdir: ", spaces.as_bytes(), b"../g"].concat()
        };
        let (longest, long) = (padded(4096), padded(4097));
        let rows: &[(&str, Files<'_>, Found, Found)] = &[
            ("nothing", &[], None, None),
            ("directory", &[("a/b/.git", None)], git, git),
            ("file", &[("a/g", None), ("a/b/.git", Some(b"gitdir: ../g\n"))], None, git),
            ("file, loosely", &[("a/g", None), ("a/b/.git", Some(b"gitdir:../g"))], None, git),
            (
                "file within a repository",
                &[("a/.git", None), ("a/g", None), ("a/b/.git", Some(b"gitdir: ../g\n"))],
                Some((2, "git", false)),
                git,
            ),
            ("file to nothing", &[("a/b/.git", Some(b"gitdir: ../g\n"))], None, None),
            (
                "file to a file",
                &[("a/g", Some(b"")), ("a/b/.git", Some(b"gitdir: ../g\n"))],
                None,
                None,
            ),
            ("file of another kind", &[("a/b/.git", Some(b"text\n"))], None, None),
            ("file without a path", &[("a/b/.git", Some(b"gitdir: \n"))], None, None),
            ("empty file", &[("a/b/.git", Some(b""))], None, None),
            ("longest file", &[("a/g", None), ("a/b/.git", Some(&longest))], None, git),
            ("long file", &[("a/g", None), ("a/b/.git", Some(&long))], None, None),
            (
                "file that is not UTF-8",
                &[("a/b/.git", Some(b"gitdir: \xff\n"))],
                None,
                Some((1, "git", true)),
            ),
            ("bzr", &[("a/b/.bzr", None)], Some((1, "bzr", false)), None),
            ("bzr above git", &[("a/.bzr", None), ("a/b/.git", None)], Some((1, "git", true)), git),
            (
                "hg above git",
                &[("a/.hg", None), ("a/b/.git", None)],
                Some((1, "git", true)),
                Some((1, "git", true)),
            ),
            (
                "hg within git",
                &[("a/.git", None), ("a/b/.hg", None)],
                Some((1, "hg", true)),
                Some((1, "hg", true)),
            ),
            (
                "hg within hg",
                &[("a/.hg", None), ("a/b/.hg", None)],
                Some((1, "hg", true)),
                Some((1, "hg", true)),
            ),
            (
                "fossil",
                &[("a/_FOSSIL_", Some(b""))],
                Some((2, "fossil", false)),
                Some((2, "fossil", false)),
            ),
            ("nested", &[("a/.git", None), ("a/b/.git", None)], git, git),
        ];
        for (name, files, old, new) in rows {
            let root = tree(files);
            for (roots, want) in [(Roots::Directories, old), (Roots::GitFiles, new)] {
                let found = roots.around(&root.path().join("a/b/c"));
                let want = want.map(|(up, system, mixed)| RepositoryContext {
                    system: system.to_owned(),
                    up,
                    mixed,
                });
                assert_eq!(found, want, "{name}, {roots:?}");
            }
        }
    }
}
