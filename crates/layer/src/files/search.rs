//! Searches the checkout for what the rules name.

use std::collections::btree_map::Entry;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use super::{FileRule, Files, FilesError, Placed, at, shown};
use crate::os;
use crate::spec::Family;

/// The mode of directories that say none.
const DIRECTORY: u16 = 0o755;

/// The search for the files of all rules.
pub(super) struct Search {
    pub(super) family: Family,
    /// Where sources may be, resolved: the first is the repository.
    pub(super) roots: Vec<PathBuf>,
    /// The directories from the source to where the walk is, resolved.
    pub(super) inside: Vec<PathBuf>,
    pub(super) files: Files,
}

/// A rule that is followed.
#[derive(Clone, Copy)]
struct Rule<'a> {
    position: usize,
    rule: &'a FileRule,
}

impl Search {
    /// Finds what one rule names.
    pub(super) fn follow(
        &mut self,
        dir: &Path,
        position: usize,
        rule: &FileRule,
    ) -> Result<(), FilesError> {
        let it = Rule { position, rule };
        let nothing = || FilesError::Nothing { source_path: rule.source.clone() };
        let mut parts: Vec<&str> = rule.source.split('/').collect();
        let first = parts.iter().position(|part| is_pattern(part));
        let target = rule.target.trim_matches('/').as_bytes().to_vec();
        let Some(first) = first else {
            let path = dir.join(&rule.source);
            if fs::symlink_metadata(&path).is_err() {
                return Err(nothing());
            }
            let real = fs::canonicalize(&path).map_err(at("looking at", &path))?;
            let is_dir = fs::metadata(&real).map_err(at("looking at", &path))?.is_dir();
            let name = match path.file_name() {
                Some(name) if rule.target.ends_with('/') && !is_dir => {
                    below(&target, &os::name_bytes(name))
                }
                _ => target,
            };
            return self.enter(&path, &real, name, it);
        };
        let patterns = parts.split_off(first);
        let prefix = parts.join("/");
        // A pattern at the root of the file system has nothing before it.
        let prefix = if rule.source.starts_with('/') && prefix.is_empty() { "/" } else { &prefix };
        let base = dir.join(prefix);
        let mut found = Vec::new();
        if base.is_dir() {
            self.matches(&base, &[], &patterns, &mut found)?;
        }
        if found.is_empty() {
            return Err(nothing());
        }
        for relative in found {
            let path = base.join(relative.iter().collect::<PathBuf>());
            let real = fs::canonicalize(&path).map_err(at("looking at", &path))?;
            let name = relative
                .iter()
                .fold(target.clone(), |name, part| below(&name, &os::name_bytes(part.as_ref())));
            self.enter(&path, &real, name, it)?;
        }
        Ok(())
    }

    /// Collects what matches patterns below a directory, each as its path from there.
    fn matches(
        &mut self,
        base: &Path,
        at_path: &[String],
        patterns: &[&str],
        found: &mut Vec<Vec<String>>,
    ) -> Result<(), FilesError> {
        let Some((pattern, rest)) = patterns.split_first() else { return Ok(()) };
        let dir = base.join(at_path.iter().collect::<PathBuf>());
        let real = fs::canonicalize(&dir).map_err(at("looking at", &dir))?;
        self.check(&real)?;
        if *pattern == "**" && !rest.is_empty() {
            self.matches(base, at_path, rest, found)?;
        }
        for (name, kind) in children(&dir)? {
            let Some(name) = name.to_str().map(str::to_owned) else { continue };
            let is_dir = kind.is_dir() || (kind.is_symlink() && dir.join(&name).is_dir());
            let path = || [at_path, std::slice::from_ref(&name)].concat();
            if *pattern == "**" {
                // Links to directories are not searched: they may lead back.
                if kind.is_dir() {
                    self.matches(base, &path(), patterns, found)?;
                }
                if rest.is_empty() && !is_dir {
                    found.push(path());
                }
            } else if matches(pattern, &name) {
                match rest {
                    [] => found.push(path()),
                    _ if is_dir => self.matches(base, &path(), rest, found)?,
                    _ => {}
                }
            }
        }
        self.files.dirs.push(real);
        Ok(())
    }

    /// May a source be there?
    fn check(&self, real: &Path) -> Result<(), FilesError> {
        if self.roots.iter().any(|root| real.starts_with(root)) {
            return Ok(());
        }
        Err(FilesError::Outside { path: real.to_owned(), root: self.roots[0].clone() })
    }

    /// Adds a file, or a directory with what is in it.
    fn enter(
        &mut self,
        path: &Path,
        real: &Path,
        name: Vec<u8>,
        it: Rule<'_>,
    ) -> Result<(), FilesError> {
        self.check(real)?;
        let kind = fs::metadata(real).map_err(at("looking at", path))?.file_type();
        self.add(path, real, kind, name, it)
    }

    fn add(
        &mut self,
        path: &Path,
        real: &Path,
        kind: FileType,
        name: Vec<u8>,
        it: Rule<'_>,
    ) -> Result<(), FilesError> {
        let FileRule { mode, owner, .. } = *it.rule;
        if kind.is_dir() {
            // Who may read a directory may enter it.
            let mode = mode.map_or(DIRECTORY, |mode| mode | (mode & 0o444) >> 2);
            if !name.is_empty() {
                self.place(name.clone(), Placed { rule: it.position, mode, owner, file: None })?;
            }
            self.descend(path, real, &name, it)
        } else if kind.is_file() {
            let gone = || io::Error::from(io::ErrorKind::NotFound);
            let found = stat::follow(real).and_then(|found| found.ok_or_else(gone));
            let (_, stat) = found.map_err(at("looking at", path))?;
            let (mode, file) = (mode.unwrap_or(0o555), Some((real.to_owned(), stat)));
            self.place(name, Placed { rule: it.position, mode, owner, file })
        } else {
            Err(FilesError::Special { path: path.to_owned(), kind: os::special(kind) })
        }
    }

    fn place(&mut self, name: Vec<u8>, placed: Placed) -> Result<(), FilesError> {
        let there = match self.files.entries.entry(name) {
            Entry::Vacant(place) => {
                place.insert(placed);
                return Ok(());
            }
            Entry::Occupied(there) => there,
        };
        let (name, there) = (there.key(), there.get());
        let same = there.mode == placed.mode && there.owner == placed.owner;
        let is_one = match (&there.file, &placed.file) {
            (None, None) => same,
            // A pattern may come by twice.
            (Some((one, _)), Some((other, _))) => one == other && there.rule == placed.rule,
            _ => false,
        };
        if is_one {
            return Ok(());
        }
        Err(FilesError::Taken { target: shown(name), by: there.rule })
    }

    fn descend(
        &mut self,
        dir: &Path,
        real: &Path,
        name: &[u8],
        it: Rule<'_>,
    ) -> Result<(), FilesError> {
        self.files.dirs.push(real.to_owned());
        self.inside.push(real.to_owned());
        for (child, kind) in children(real)? {
            let path = dir.join(&child);
            let name = below(name, &os::name_bytes(&child));
            if !kind.is_symlink() {
                self.add(&path, &real.join(&child), kind, name, it)?;
                continue;
            }
            // As in kodata.
            if self.family == Family::Windows {
                continue;
            }
            let target = fs::canonicalize(&path).map_err(at("following", &path))?;
            if self.inside.iter().any(|dir| dir.starts_with(&target)) {
                return Err(FilesError::Loop { link: path, target });
            }
            self.enter(&path, &target, name, it)?;
        }
        self.inside.pop();
        Ok(())
    }
}

fn children(dir: &Path) -> Result<Vec<(std::ffi::OsString, FileType)>, FilesError> {
    let mut children = Vec::new();
    for child in fs::read_dir(dir).map_err(at("reading", dir))? {
        let child = child.map_err(at("reading", dir))?;
        let kind = child.file_type();
        let kind = kind.map_err(|source| at("looking at", &child.path())(source))?;
        children.push((child.file_name(), kind));
    }
    children.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(children)
}

fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_owned() } else { [dir, b"/", name].concat() }
}

fn is_pattern(part: &str) -> bool {
    part.contains(['*', '?'])
}

/// Whether a name is what a pattern says: `*` stands for any text, `?` for a character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&char) if char == '?' || char == name[from] => (at, from) = (at + 1, from + 1),
            _ => match star {
                // The last star takes one more.
                Some((star_at, star_from)) => {
                    star = Some((star_at, star_from + 1));
                    (at, from) = (star_at + 1, star_from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|char| *char == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("*.go", "a.go", true),
            ("*.go", ".go", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "é", true),
            ("?", "", false),
            ("a", "b", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
