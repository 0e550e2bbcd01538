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
