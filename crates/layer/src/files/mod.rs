//! Finds the files that rules name, by path or pattern, and their places in an image. It
//! finds out names and sizes; contents are read when the layer is made. Links are followed
//! as in kodata.

mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use search::Search;
use stat::Stat;

use crate::entry::Entry;
use crate::spec::{Family, LayerSpec};

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
        let mut checked = &b""[..];
        for (name, placed) in &self.entries {
            // What is in one directory is below the same.
            let dir = parent(name).unwrap_or_default();
            if dir == std::mem::replace(&mut checked, dir) {
                continue;
            }
            for above in std::iter::successors(parent(name), |dir| parent(dir)) {
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

    /// The first that is in a directory of the image, with the position of its rule.
    #[must_use]
    pub fn first_in(&self, dir: &str) -> Option<(String, usize)> {
        let below = format!("{dir}/").into_bytes();
        let (name, placed) = self.entries.range(below.clone()..).next()?;
        name.starts_with(&below).then(|| (shown(name), placed.rule))
    }

    /// The files that were found, resolved.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        let files = self.entries.values().filter_map(|placed| placed.file.as_ref());
        files.map(|(path, _)| &**path)
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
        let entry = |(name, placed): (&Vec<u8>, &Placed)| {
            let Placed { mode, owner, file, .. } = placed;
            let full = match family {
                Family::Unix => name.clone(),
                Family::Windows => [b"Files/", &name[..]].concat(),
            };
            let entry = match (file, contents.get(name)) {
                (None, _) => Entry::directory(full),
                (Some(_), Some(bytes)) => family.with_bytes(full, bytes.clone()),
                (Some((path, stat)), None) => family.file(full, path, stat.size).stat(*stat),
            };
            entry.mode(*mode).owner(owner.0, owner.1).mtime(mtime)
        };
        let mut entries: Vec<Entry> = self.entries.iter().map(entry).collect();
        if family == Family::Windows {
            add_windows_directories(&mut entries);
        }
        LayerSpec { looked: Some(self.looked), ..LayerSpec::new(entries) }
    }
}

/// Windows wants to know of all directories.
fn add_windows_directories(entries: &mut Vec<Entry>) {
    let named: BTreeSet<&[u8]> = entries.iter().map(|entry| &entry.name[..]).collect();
    let mut above = BTreeSet::from([&b"Hives"[..], b"Files"]);
    for name in &named {
        above.extend(std::iter::successors(parent(name), |dir| parent(dir)));
    }
    let missing: Vec<Entry> = above.difference(&named).map(|dir| Entry::directory(*dir)).collect();
    entries.extend(missing);
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
}

/// The directory of a name, if it is in one.
fn parent(name: &[u8]) -> Option<&[u8]> {
    let end = name.iter().rposition(|byte| *byte == b'/')?;
    Some(&name[..end])
}

fn shown(name: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(name))
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    move |source| FilesError::Read { action, path: path.to_owned(), source }
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
        Ok(found.entries.keys().map(|name| shown(name)).collect())
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
            ("web/*/*.css", "/w", &["/w/x/1.css"]),
            ("*/?.js", "/w", &["/w/web/3.js"]),
            // Found twice, and one file all the same.
            ("web/**/**/*.css", "/w", &["/w/2.css", "/w/x/1.css"]),
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
            (vec![rule("a.txt", "/x"), rule("a.txt", "/x")], (1, "/x is there already")),
            (
                vec![rule("web", "/x"), FileRule { mode: Some(0o600), ..rule("web/x", "/x") }],
                (1, "/x is there already"),
            ),
            (
                vec![rule("web", "/x"), FileRule { owner: (1, 0), ..rule("web/x", "/x") }],
                (1, "/x is there already"),
            ),
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

    /// Who may read a directory may enter it.
    #[test]
    fn modes_of_files_are_those_of_directories_with_entry() {
        let dir = tree();
        let options =
            FilesOptions { dir: dir.path().join("repo"), family: Family::Unix, allowed_root: None };
        for (mode, directory, file) in [
            (None, 0o755, 0o555),
            (Some(0o640), 0o750, 0o640),
            (Some(0o755), 0o755, 0o755),
            (Some(0o600), 0o700, 0o600),
            (Some(0o444), 0o555, 0o444),
            (Some(0o200), 0o200, 0o200),
        ] {
            let rules = [FileRule { mode, ..rule("web/x", "/srv") }];
            let found = Files::find(&rules, &options).unwrap();
            let modes: Vec<_> = found.entries.values().map(|placed| placed.mode).collect();
            assert_eq!(modes, [directory, file], "{mode:?}");
        }
    }

    /// Links to files are files, those to directories are not gone into by `**`.
    #[cfg(unix)]
    #[test]
    fn links_are_found_as_what_they_lead_to() {
        let dir = tree();
        let web = dir.path().join("repo/web");
        std::os::unix::fs::symlink("2.css", web.join("link.css")).unwrap();
        std::os::unix::fs::symlink("x", web.join("y")).unwrap();
        for (source, want) in [
            ("web/**", &["/w/2.css", "/w/3.js", "/w/link.css", "/w/x/1.css"][..]),
            ("web/**/*.css", &["/w/2.css", "/w/link.css", "/w/x/1.css"]),
            ("web/*/1.css", &["/w/x/1.css", "/w/y/1.css"]),
        ] {
            let found = find(dir.path(), &[rule(source, "/w")], Family::Unix).unwrap();
            assert_eq!(found, want, "{source}");
        }
    }

    #[test]
    fn what_was_found_is_a_layer() {
        let dir = tree();
        let options =
            |family| FilesOptions { dir: dir.path().join("repo"), family, allowed_root: None };
        let rules = [
            FileRule { mode: Some(0o600), owner: (1, 2), ..rule("a.txt", "/etc/a") },
            rule("web/x", "/srv"),
        ];
        let contents = BTreeMap::from([(b"etc/a".to_vec(), b"other".to_vec())]);
        let found = Files::find(&rules, &options(Family::Unix)).unwrap();
        let spec = found.layer(Family::Unix, 7, &contents);
        let wanted = Entry::bytes("etc/a", &b"other"[..]).mode(0o600).owner(1, 2).mtime(7);
        assert_eq!(spec.entries[0], wanted);
        let names = |spec: &LayerSpec| -> Vec<String> {
            spec.entries.iter().map(|entry| shown(&entry.name)).collect()
        };
        assert_eq!(names(&spec), ["/etc/a", "/srv", "/srv/1.css"]);
        let files: Vec<_> = spec.files().map(|(name, path)| (shown(name), path)).collect();
        let source = dir.path().join("repo/web/x/1.css").canonicalize().unwrap();
        assert_eq!(files, [("/srv/1.css".to_owned(), &*source)]);
        assert_eq!(found.of(|rule| rule == 1), [(b"srv/1.css".to_vec(), source)]);
        assert_eq!((found.rule_of("etc/a"), found.rule_of("etc")), (Some(0), None));
        assert_eq!(found.first_in("srv"), Some(("/srv/1.css".to_owned(), 1)));
        assert_eq!(found.first_in("etc/a"), None);
        assert_eq!(found.first_in("sr"), None);
        assert_eq!(found.sources().count(), 2);

        let found = Files::find(&rules, &options(Family::Windows)).unwrap();
        let spec = found.layer(Family::Windows, 7, &contents);
        let all =
            ["/Files", "/Files/etc", "/Files/etc/a", "/Files/srv", "/Files/srv/1.css", "/Hives"];
        assert_eq!(names(&spec), all);
        let files = spec.entries.iter().filter(|entry| entry.pax.contains_key("MSWINDOWS.rawsd"));
        assert_eq!(files.count(), 2);
    }
}
