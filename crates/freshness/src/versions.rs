//! Records the versions that the module cache has for the commit of a main module.
//! With `GOPROXY=off`, `go` stamps the highest of the pseudo-versions that it finds
//! there, before it looks at tags (Go 1.26, `modfetch.readDiskStat`); and each
//! build adds the one that it stamped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// How much of a commit's name is in a pseudo-version.
const SHORT: usize = 12;

/// What the module cache has for a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    dir: PathBuf,
    commit: String,
    found: Vec<String>,
}

impl Versions {
    /// Looks into the module cache after a build that stamped `version`;
    /// `None` if the next build would stamp another one.
    pub(crate) fn capture(
        cache: &Path,
        module: &str,
        commit: &str,
        version: &str,
    ) -> io::Result<Option<Self>> {
        let dir = cache.join("cache/download").join(escaped(module)).join("@v");
        let found = list(&dir, commit)?;
        let stamped = version.strip_suffix("+dirty").unwrap_or(version);
        let lasting = found.is_empty() || found == [stamped];
        Ok(lasting.then(|| Self { dir, commit: commit.to_owned(), found }))
    }

    /// Whether it still has the same.
    pub(crate) fn check(&self) -> Result<(), Reason> {
        match list(&self.dir, &self.commit) {
            Ok(found) if found == self.found => Ok(()),
            Ok(_) => Err(Reason::Versions { dir: self.dir.clone() }),
            Err(error) => {
                Err(Reason::Unreadable { path: self.dir.clone(), problem: error.to_string() })
            }
        }
    }
}

/// The pseudo-versions of a commit in a directory of the cache, sorted.
fn list(dir: &Path, commit: &str) -> io::Result<Vec<String>> {
    let Some(short) = commit.get(..SHORT) else {
        return Ok(Vec::new());
    };
    let suffix = format!("-{short}.info");
    let mut found = Vec::new();
    match fs::read_dir(dir) {
        Ok(entries) => {
            for entry in entries {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name.ends_with(&suffix) {
                    found.extend(name.strip_suffix(".info").map(str::to_owned));
                }
            }
        }
        Err(error) if stat::is_absent(&error) => {}
        Err(error) => return Err(error),
    }
    found.sort_unstable();
    Ok(found)
}

/// A module path as the cache writes it (Go's `module.EscapePath`).
fn escaped(path: &str) -> String {
    let mut escaped = String::new();
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(letter.to_ascii_lowercase());
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const ZERO: &str = "v0.0.0-20260101000000-0123456789ab";
    const ONE: &str = "v1.0.1-0.20260101000000-0123456789ab";

    /// The next build stamps what this one did, or nothing is recorded.
    #[test]
    fn versions_of_a_commit() {
        let other = "v0.0.0-20260101000000-aaaaaaaaaaaa";
        // What the cache has, what was stamped, and whether that lasts.
        for (found, stamped, lasts) in [
            (&[][..], "", true),
            (&[], ZERO, true),
            (&[other], ZERO, true),
            (&[ZERO, other], ZERO, true),
            (&[ZERO], &format!("{ZERO}+dirty"), true),
            (&[ZERO], ONE, false),
            (&[ZERO, ONE], ONE, false),
        ] {
            let cache = tempfile::tempdir().unwrap();
            let dir = cache.path().join("cache/download/example.com/!app/@v");
            fs::create_dir_all(&dir).unwrap();
            for version in found {
                fs::write(dir.join(format!("{version}.info")), "{}").unwrap();
                fs::write(dir.join(format!("{version}.zip")), "").unwrap();
            }
            let recorded =
                Versions::capture(cache.path(), "example.com/App", COMMIT, stamped).unwrap();
            assert_eq!(recorded.is_some(), lasts, "{found:?} {stamped}");
            let Some(recorded) = recorded else { continue };
            assert_eq!(recorded.check(), Ok(()), "{found:?}");
            fs::write(dir.join(format!("{other}.mod")), "").unwrap();
            assert_eq!(recorded.check(), Ok(()), "{found:?}");
            fs::write(dir.join(format!("{ONE}.info")), "{}").unwrap();
            assert_eq!(recorded.check(), Err(Reason::Versions { dir }), "{found:?}");
        }
    }

    #[test]
    fn where_there_is_no_cache_are_no_versions() {
        let cache = tempfile::tempdir().unwrap();
        let recorded = Versions::capture(cache.path(), "x", COMMIT, ZERO).unwrap().unwrap();
        assert_eq!(recorded.check(), Ok(()));
        // One that cannot be read is not empty.
        fs::create_dir_all(cache.path().join("cache/download/x")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("@v", cache.path().join("cache/download/x/@v")).unwrap();
            assert!(matches!(recorded.check(), Err(Reason::Unreadable { .. })));
            assert!(Versions::capture(cache.path(), "x", COMMIT, ZERO).is_err());
        }
        // Without a commit there is nothing to look for.
        let none = Versions::capture(cache.path(), "x", "", "").unwrap().unwrap();
        assert_eq!(none.check(), Ok(()));
    }
}
