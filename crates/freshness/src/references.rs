//! Reads the git inputs to the stamp besides HEAD and the work tree: tags, the
//! shape of the history, settings. Files are read, no process is asked; a packed
//! reference counts as the loose one that it was.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use golang::Environment;
use sha2::{Digest, Sha256};
use stat::{self, Stat, Sum};

use crate::git_dir::GitDir;
use crate::git_settings::deciding;
use crate::reason::{Reason, Uncacheable};

/// The files as they are read.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// The latest of their times.
    pub(crate) last: Option<Stat>,
    /// Values by name: a packed reference is the same as a loose one.
    values: BTreeMap<String, Vec<u8>>,
}

impl References {
    /// The sum of all values.
    pub(crate) fn read(
        &mut self,
        repository: &Path,
        environment: &Environment,
    ) -> Result<Sum, Reason> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| Reason::Unreadable { path, problem: error.to_string() }
        };
        let git = GitDir::of(repository).map_err(unreadable(repository))?;
        // Where git goes on further up, its answer is of another repository.
        let unknown = || Reason::Uncacheable(Uncacheable::GitReferences);
        let git = git.filter(|git| !git.common("reftable").exists()).ok_or_else(unknown)?;
        for link in &git.links {
            self.note(link).map_err(unreadable(link))?;
        }
        self.packed(&git.common("packed-refs"))?;
        for kind in ["refs/tags", "refs/replace"] {
            self.loose(&git.common(kind), kind)?;
        }
        for name in ["shallow", "info/grafts"] {
            self.file(&git.common(name), name)?;
        }
        self.settings(&git.common("config"), "config")?;
        self.settings(&git.own("config.worktree"), "config.worktree")?;
        for (number, path) in global_settings(environment).into_iter().enumerate() {
            if let Some(path) = path {
                self.settings(&path, &format!("settings {number}"))?;
            }
        }
        for (name, value) in environment.iter() {
            if let Some(name) = name.to_str().filter(|name| name.starts_with("GIT_CONFIG")) {
                self.values.insert(format!("${name}"), value.as_encoded_bytes().to_vec());
            }
        }
        let mut hash = Sha256::new();
        for (name, value) in &self.values {
            for bytes in [name.as_bytes(), value] {
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
        }
        Ok(Sum::of(&hash.finalize()))
    }

    /// Notes a file that is there, and gives its content.
    fn content(&mut self, path: &Path) -> Result<Option<Vec<u8>>, Reason> {
        let failed = |error: io::Error| Reason::Unreadable {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        match fs::read(path) {
            Ok(content) => {
                self.note(path).map_err(failed)?;
                Ok(Some(content))
            }
            Err(error) if stat::is_absent(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn note(&mut self, path: &Path) -> io::Result<()> {
        if let Some((_, stat)) = stat::follow(path)? {
            let later = |last: &Stat| (last.changed, last.modified) < (stat.changed, stat.modified);
            if self.last.as_ref().is_none_or(later) {
                self.last = Some(stat);
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<(), Reason> {
        if let Some(content) = self.content(path)? {
            self.values.insert(name.to_owned(), content);
        }
        Ok(())
    }

    fn settings(&mut self, path: &Path, name: &str) -> Result<(), Reason> {
        let content = self.content(path)?.map(|content| deciding(&content)).unwrap_or_default();
        if !content.is_empty() {
            self.values.insert(name.to_owned(), content);
        }
        Ok(())
    }

    fn packed(&mut self, path: &Path) -> Result<(), Reason> {
        let content = self.content(path)?.unwrap_or_default();
        for line in content.split(|&byte| byte == b'\n') {
            let Some((value, name)) =
                str::from_utf8(line).ok().and_then(|line| line.split_once(' '))
            else {
                continue;
            };
            if name.starts_with("refs/tags/") || name.starts_with("refs/replace/") {
                self.values.insert(name.to_owned(), value.as_bytes().to_vec());
            }
        }
        Ok(())
    }

    fn loose(&mut self, dir: &Path, name: &str) -> Result<(), Reason> {
        let failed = |error: io::Error| Reason::Unreadable {
            path: dir.to_owned(),
            problem: error.to_string(),
        };
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if stat::is_absent(&error) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        self.note(dir).map_err(failed)?;
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(failed)?.is_dir() {
                self.loose(&entry.path(), &name)?;
            } else if let Some(content) = self.content(&entry.path())? {
                self.values.insert(name, content.trim_ascii_end().to_vec());
            }
        }
        Ok(())
    }
}

/// The files of settings that are no repository's, where there may be any.
pub(crate) fn global_settings(environment: &Environment) -> [Option<PathBuf>; 4] {
    let variable = |name| environment.get(name).filter(|value| !value.is_empty());
    let home = variable("HOME").map(PathBuf::from);
    let config = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| home.as_ref().map(|home| home.join(".config")));
    [
        Some(PathBuf::from("/etc/gitconfig")),
        config.map(|config| config.join("git/config")),
        home.map(|home| home.join(".gitconfig")),
        variable("GIT_CONFIG_GLOBAL").map(PathBuf::from),
    ]
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567\n";

    /// A repository with a tag, and what is read of it.
    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            repository.write("HEAD", "ref: refs/heads/main\n");
            repository.write("objects/x", "");
            repository.write("refs/tags/v1", COMMIT);
            repository.write("config", "[core]\n\tbare = false\n");
            repository
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(".git").join(name)
        }

        fn write(&self, name: &str, content: &str) {
            let path = self.at(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn read(&self, variables: &[(&str, &Path)]) -> (Result<Sum, Reason>, Option<Stat>) {
            let mut references = References::default();
            let none = self.0.path().join("none");
            let home = [("HOME", none.as_path())];
            let environment = home.iter().chain(variables).copied().collect();
            (references.read(self.0.path(), &environment), references.last)
        }
    }

    type Change = fn(&Repository);

    #[test]
    fn what_decides_about_a_stamp() {
        let rows: [(&str, Change, bool); 20] = [
            ("nothing", |_| (), true),
            ("tag", |git| git.write("refs/tags/v2", COMMIT), false),
            ("tag of a module", |git| git.write("refs/tags/app/v2", COMMIT), false),
            ("moved tag", |git| git.write("refs/tags/v1", &COMMIT.replace('0', "1")), false),
            ("removed tag", |git| fs::remove_file(git.at("refs/tags/v1")).unwrap(), false),
            ("branch", |git| git.write("refs/heads/main", COMMIT), true),
            ("replacement", |git| git.write("refs/replace/x", COMMIT), false),
            (
                "packed tag",
                |git| {
                    let line =
                        format!("# pack-refs with: peeled\n{} refs/tags/v1\n", COMMIT.trim());
                    git.write("packed-refs", &line);
                    fs::remove_file(git.at("refs/tags/v1")).unwrap();
                },
                true,
            ),
            (
                "another packed tag",
                |git| git.write("packed-refs", &format!("{} refs/tags/v2\n", COMMIT.trim())),
                false,
            ),
            (
                "packed replacement",
                |git| git.write("packed-refs", &format!("{} refs/replace/x\n", COMMIT.trim())),
                false,
            ),
            (
                "packed branch",
                |git| git.write("packed-refs", &format!("{} refs/heads/x\n", COMMIT.trim())),
                true,
            ),
            ("shallow", |git| git.write("shallow", COMMIT), false),
            ("graft", |git| git.write("info/grafts", COMMIT), false),
            ("setting", |git| git.write("config", "[core]\n\tbare = true\n"), false),
            (
                "setting of others",
                |git| git.write("config", "[core]\n\tbare = false\n[remote \"x\"]\n\turl = y\n"),
                true,
            ),
            ("settings of the work tree", |git| git.write("config.worktree", "[log]\n"), false),
            ("empty settings", |git| git.write("config.worktree", "\n"), true),
            ("settings at home", |git| git.write("../none/.gitconfig", "[log]\n"), false),
            ("settings below", |git| git.write("../none/.config/git/config", "[log]\n"), false),
            ("file of the work tree", |git| git.write("../x", "x"), true),
        ];
        for (name, change, same) in rows {
            let git = Repository::new();
            let before = git.read(&[]).0.unwrap();
            change(&git);
            assert_eq!(git.read(&[]).0.unwrap() == before, same, "{name}");
        }
    }

    #[test]
    fn variables_that_decide() {
        let git = Repository::new();
        git.write("../xdg/git/config", "[log]\n");
        git.write("../global", "[log]\n");
        let at = |name: &str| git.0.path().join(name);
        let before = git.read(&[]).0.unwrap();
        for (name, value, same) in [
            ("GIT_CONFIG_COUNT", PathBuf::from("1"), false),
            ("GIT_CONFIG_GLOBAL", at("global"), false),
            ("XDG_CONFIG_HOME", at("xdg"), false),
            ("XDG_CONFIG_HOME", at("nothing"), true),
            ("XDG_CONFIG_HOME", PathBuf::new(), true),
            ("GIT_AUTHOR_NAME", PathBuf::from("x"), true),
        ] {
            let now = git.read(&[(name, &value)]).0.unwrap();
            assert_eq!(now == before, same, "{name}={}", value.display());
        }
        // git treats an empty variable like an unset one.
        git.write("../none/.config/git/config", "[log]\n");
        let now = git.read(&[("XDG_CONFIG_HOME", Path::new(""))]).0.unwrap();
        assert!(now != before);
    }

    #[test]
    fn what_cannot_be_read_is_not_nothing() {
        let rows: [(&str, Change); 5] = [
            ("packed references", |git| fs::create_dir(git.at("packed-refs")).unwrap()),
            ("settings", |git| {
                fs::remove_file(git.at("config")).unwrap();
                fs::create_dir(git.at("config")).unwrap();
            }),
            ("tags", |git| {
                fs::remove_dir_all(git.at("refs/tags")).unwrap();
                symlink("tags", git.at("refs/tags")).unwrap();
            }),
            ("references in a table", |git| git.write("reftable/tables.list", "")),
            ("no repository", |git| fs::remove_file(git.at("HEAD")).unwrap()),
        ];
        for (name, change) in rows {
            let git = Repository::new();
            change(&git);
            assert!(git.read(&[]).0.is_err(), "{name}");
        }
    }

    /// Whatever was written last, or is said to be.
    #[test]
    fn the_latest_time_is_known() {
        for latest in ["refs/tags/v1", "config", "shallow"] {
            let git = Repository::new();
            git.write("shallow", COMMIT);
            git.write(latest, "x");
            let file = fs::File::options().write(true).open(git.at(latest)).unwrap();
            let day = std::time::Duration::from_secs(24 * 60 * 60);
            file.set_modified(std::time::SystemTime::now() + day).unwrap();
            let (_, want) = stat::follow(&git.at(latest)).unwrap().unwrap();
            assert_eq!(git.read(&[]).1, Some(want), "{latest}");
        }
    }
}
