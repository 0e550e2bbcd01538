//! Finds the files that rules name, by path or pattern, and where they are in an image.
//! It finds out names and sizes; contents are read when the layer is made. Links are
//! followed as in kodata.

use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use stat::Stat;

use crate::entry::Entry;
use crate::os;
use crate::spec::{Family, LayerSpec};

/// The mode of directories that say none.
const DIRECTORY: u16 = 0o755;

/// Files, and where they are in an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileRule {
    /// A file, a directory, or a pattern with `*`, `?` and `**`.
    pub source: String,
    /// The place in the image, absolute. With a slash at its end, it is a directory.
    pub target: String,
    /// The mode of files, if it is not 0555; directories may be entered by whom they may
    /// be read.
    pub mode: Option<u16>,
    /// User and group.
    pub owner: (u32, u32),
}

/// Where rules look, and for which platforms.
#[derive(Debug, Clone)]
pub struct FilesOptions {
    /// Where relative sources start, absolute.
    pub dir: PathBuf,
    /// For which platforms.
    pub family: Family,
    /// What is allowed beside the repository around `dir`.
    pub allowed_root: Option<PathBuf>,
}

/// What rules have found.
#[derive(Debug, Clone, Default)]
pub struct Files {
    entries: BTreeMap<Vec<u8>, Placed>,
    /// The directories that were read, resolved.
    pub dirs: Vec<PathBuf>,
    /// The files that were found, resolved.
    pub sources: Vec<PathBuf>,
    looked: i64,
}

/// A file or directory in its place.
#[derive(Debug, Clone)]
struct Placed {
    rule: usize,
    mode: u16,
    owner: (u32, u32),
    /// None of a directory.
    file: Option<(PathBuf, Stat)>,
}

/// A rule that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// Nothing is there.
    #[error("{source_path:?} matches nothing")]
    Nothing {
        /// The source of the rule.
        source_path: String,
    },
    /// A source is where none may be.
    #[error("{path:?} is outside of {root:?}")]
    Outside {
        /// The file, resolved.
        path: PathBuf,
        /// Where sources may be.
        root: PathBuf,
    },
    /// A link leads to a directory that the walk is in already.
    #[error("the link {link:?} leads back to {target:?}, which contains it")]
    Loop {
        /// The link.
        link: PathBuf,
        /// Where it leads, resolved.
        target: PathBuf,
    },
    /// Something is neither file, directory nor link.
    #[error("{path:?} is {kind}, and only files and directories can be in an image")]
    Special {
        /// The thing.
        path: PathBuf,
        /// What it is, as in `a named pipe`.
        kind: &'static str,
    },
    /// Two rules are about one place.
    #[error("{target} is there already")]
    Taken {
        /// The place in the image.
        target: String,
        /// The other rule, by its position.
        by: usize,
    },
    /// A file is where something else has to be a directory.
    #[error("{target} is a file, and {below} is below it")]
    Below {
        /// The file in the image.
        target: String,
        /// What is below it.
        below: String,
        /// The rule of that, by its position.
        by: usize,
    },
    /// A file or directory cannot be looked at.
    #[error("{action} {path:?}")]
    Read {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Files {
    /// Finds what rules name; an error comes with the position of its rule.
    ///
    /// # Errors
    /// See [`FilesError`].
    pub fn find(rules: &[FileRule], options: &FilesOptions) -> Result<Self, (usize, FilesError)> {
        let dir = fs::canonicalize(&options.dir);
        let dir = dir.map_err(at("looking at", &options.dir)).map_err(|error| (0, error))?;
        let repository = dir.ancestors().find(|dir| fs::symlink_metadata(dir.join(".git")).is_ok());
        let mut roots = vec![repository.unwrap_or(&dir).to_owned()];
        let allowed = options.allowed_root.as_ref();
        roots.extend(allowed.and_then(|root| fs::canonicalize(root).ok()));
        let looked = stat::nanos_of(SystemTime::now());
        let mut search = Search {
            family: options.family,
            roots,
            inside: Vec::new(),
            files: Files { looked, ..Files::default() },
        };
        for (position, rule) in rules.iter().enumerate() {
            search.follow(&dir, position, rule).map_err(|error| (position, error))?;
        }
        search.files.check()?;
        Ok(search.files)
    }

    /// A file where something else has to be a directory is an error.
    fn check(&self) -> Result<(), (usize, FilesError)> {
        for (name, placed) in &self.entries {
            let mut above = &name[..];
            while let Some(end) = above.iter().rposition(|byte| *byte == b'/') {
                above = &above[..end];
                let Some(file) = self.entries.get(above).filter(|found| found.file.is_some())
                else {
                    continue;
                };
                let error =
                    FilesError::Below { target: shown(above), below: shown(name), by: placed.rule };
                return Err((file.rule, error));
            }
        }
        Ok(())
    }

    /// The files of some rules: their places in the image, and where they are.
    pub fn of(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<(Vec<u8>, PathBuf)> {
        let files = self.entries.iter().filter(|(_, placed)| is_wanted(placed.rule));
        files.filter_map(|(name, placed)| Some((name.clone(), placed.file.clone()?.0))).collect()
    }

    /// The rule that something in the image is of, if one is: `name` has no slash before it.
    #[must_use]
    pub fn rule_of(&self, name: &str) -> Option<usize> {
        self.entries.get(name.as_bytes()).map(|placed| placed.rule)
    }

    /// The places of all files and directories, with the positions of their rules.
    pub fn places(&self) -> impl Iterator<Item = (String, usize)> {
        let place = |(name, placed): (&Vec<u8>, &Placed)| (shown(name), placed.rule);
        self.entries.iter().map(place)
    }

    /// The layer, with other contents for some of the files. Entries are sorted by the
    /// bytes of their names.
    #[must_use]
    pub fn layer(
        &self,
        family: Family,
        mtime: i64,
        contents: &BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> LayerSpec {
        let mut entries = BTreeMap::new();
        if family == Family::Windows {
            for dir in ["Hives", "Files"] {
                entries.insert(dir.as_bytes().to_vec(), Entry::directory(dir));
            }
        }
        for (name, Placed { mode, owner, file, .. }) in &self.entries {
            let full = match family {
                Family::Unix => name.clone(),
                Family::Windows => [b"Files/", &name[..]].concat(),
            };
            if family == Family::Windows {
                // Windows wants to know of all directories.
                for (end, _) in full.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                    let above = &full[..end];
                    let dir = || Entry::directory(above);
                    entries.entry(above.to_vec()).or_insert_with(dir);
                }
            }
            let entry = match (file, contents.get(name)) {
                (None, _) => Entry::directory(full.clone()),
                (Some(_), Some(bytes)) => family.with_bytes(full.clone(), bytes.clone()),
                (Some((path, stat)), None) => {
                    family.file(full.clone(), path, stat.size).stat(*stat)
                }
            };
            entries.insert(full, entry.mode(*mode).owner(owner.0, owner.1).mtime(mtime));
        }
        let entries = entries.into_values().collect();
        LayerSpec { looked: Some(self.looked), ..LayerSpec::new(entries) }
    }
}

struct Search {
    family: Family,
    /// Where sources may be, resolved: the first is the repository.
    roots: Vec<PathBuf>,
    /// The directories from the source to where the walk is, resolved.
    inside: Vec<PathBuf>,
    files: Files,
}

/// A rule that is followed.
#[derive(Clone, Copy)]
struct Rule<'a> {
    position: usize,
    rule: &'a FileRule,
}

impl Search {
    fn follow(&mut self, dir: &Path, position: usize, rule: &FileRule) -> Result<(), FilesError> {
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
            return self.enter(&path, &real, &name, it);
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
            self.enter(&path, &real, &name, it)?;
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
        name: &[u8],
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
        name: &[u8],
        it: Rule<'_>,
    ) -> Result<(), FilesError> {
        let FileRule { mode, owner, .. } = *it.rule;
        if kind.is_dir() {
            // Who may read a directory may enter it.
            let mode = mode.map_or(DIRECTORY, |mode| mode | (mode & 0o444) >> 2);
            if !name.is_empty() {
                self.place(name, Placed { rule: it.position, mode, owner, file: None })?;
            }
            self.descend(path, real, name, it)
        } else if kind.is_file() {
            let gone = || io::Error::from(io::ErrorKind::NotFound);
            let found = stat::follow(real).and_then(|found| found.ok_or_else(gone));
            let (_, stat) = found.map_err(at("looking at", path))?;
            let (mode, file) = (mode.unwrap_or(0o555), Some((real.to_owned(), stat)));
            self.files.sources.push(real.to_owned());
            self.place(name, Placed { rule: it.position, mode, owner, file })
        } else {
            Err(FilesError::Special { path: path.to_owned(), kind: os::special(kind) })
        }
    }

    fn place(&mut self, name: &[u8], placed: Placed) -> Result<(), FilesError> {
        let Some(there) = self.files.entries.get(name) else {
            self.files.entries.insert(name.to_owned(), placed);
            return Ok(());
        };
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
                self.add(&path, &real.join(&child), kind, &name, it)?;
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
            self.enter(&path, &target, &name, it)?;
        }
        self.inside.pop();
        Ok(())
    }
}

fn children(dir: &Path) -> Result<Vec<(std::ffi::OsString, FileType)>, FilesError> {
    let mut children = Vec::new();
    for child in fs::read_dir(dir).map_err(at("reading", dir))? {
        let child = child.map_err(at("reading", dir))?;
        let kind = child.file_type().map_err(at("looking at", &child.path()))?;
        children.push((child.file_name(), kind));
    }
    children.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(children)
}

fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_owned() } else { [dir, b"/", name].concat() }
}

fn shown(name: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(name))
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

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |source| FilesError::Read { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in
            ["repo/a.txt", "repo/b.md", "repo/web/x/1.css", "repo/web/2.css", "repo/web/3.js"]
        {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        fs::create_dir_all(dir.path().join("repo/.git")).unwrap();
        fs::write(dir.path().join("outside"), "").unwrap();
        dir
    }

    fn rule(source: &str, target: &str) -> FileRule {
        FileRule { source: source.into(), target: target.into(), mode: None, owner: (0, 0) }
    }

    fn find(
        dir: &Path,
        rules: &[FileRule],
        family: Family,
    ) -> Result<Vec<String>, (usize, String)> {
        let options = FilesOptions { dir: dir.join("repo"), family, allowed_root: None };
        let found = Files::find(rules, &options);
        let found = found.map_err(|(rule, error)| (rule, error.to_string()))?;
        Ok(found.places().map(|(place, _)| place).collect())
    }

    #[test]
    fn rules_find_files_directories_and_patterns() {
        let dir = tree();
        for (source, target, want) in [
            ("a.txt", "/etc/b.txt", &["/etc/b.txt"][..]),
            ("a.txt", "/etc/", &["/etc/a.txt"]),
            ("./a.txt", "/etc/", &["/etc/a.txt"]),
            ("web", "/srv", &["/srv", "/srv/2.css", "/srv/3.js", "/srv/x", "/srv/x/1.css"]),
            ("web/", "/", &["/2.css", "/3.js", "/x", "/x/1.css"]),
            ("*.txt", "/etc", &["/etc/a.txt"]),
            ("web/*", "/w", &["/w/2.css", "/w/3.js", "/w/x", "/w/x/1.css"]),
            ("web/**/*.css", "/w", &["/w/2.css", "/w/x/1.css"]),
            ("web/**", "/w", &["/w/2.css", "/w/3.js", "/w/x/1.css"]),
            ("**/?.css", "/w/", &["/w/web/2.css", "/w/web/x/1.css"]),
        ] {
            let found = find(dir.path(), &[rule(source, target)], Family::Unix).unwrap();
            assert_eq!(found, want, "{source}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_is_refused_with_its_rule() {
        let dir = tree();
        let repo = dir.path().join("repo");
        std::os::unix::fs::symlink("../outside", repo.join("out")).unwrap();
        fs::create_dir(repo.join("loop")).unwrap();
        std::os::unix::fs::symlink("..", repo.join("loop/up")).unwrap();
        for (rules, want) in [
            (vec![rule("*.none", "/a")], (0, "\"*.none\" matches nothing")),
            (vec![rule("a.txt", "/a"), rule("none", "/b")], (1, "\"none\" matches nothing")),
            (vec![rule("../outside", "/a")], (0, "outside of")),
            (vec![rule("out", "/a")], (0, "outside of")),
            (vec![rule("../*", "/a")], (0, "outside of")),
            (vec![rule("loop", "/a")], (0, "leads back to")),
            (vec![rule("a.txt", "/x"), rule("b.md", "/x")], (1, "/x is there already")),
            (vec![rule("a.txt", "/x"), rule("web", "/x")], (1, "/x is there already")),
            (
                vec![rule("a.txt", "/x"), rule("web", "/x/y")],
                (0, "/x is a file, and /x/y is below it"),
            ),
        ] {
            let (at, error) = find(dir.path(), &rules, Family::Unix).unwrap_err();
            assert!(at == want.0 && error.contains(want.1), "{rules:?}: {at} {error}");
        }
        // Links are left out for Windows, as in kodata.
        let found = find(dir.path(), &[rule("loop", "/a")], Family::Windows).unwrap();
        assert_eq!(found, ["/a"]);
        let same = [rule("web", "/x"), rule("web/x", "/x")];
        assert!(find(dir.path(), &same, Family::Unix).is_ok(), "one directory of two rules");
    }

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
