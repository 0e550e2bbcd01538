//! Finds where git keeps a repository: in `.git`, or, for linked work trees,
//! submodules and `--separate-git-dir`, where a file of that name says. What
//! linked work trees share is in a common directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directories of git for one work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitDir {
    own: PathBuf,
    common: PathBuf,
    /// The files that lead there.
    pub(crate) links: Vec<PathBuf>,
}

impl GitDir {
    /// Those of the work tree with this root. `None` if git would not take
    /// what is there for a repository, and go on further up.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn of(root: &Path) -> io::Result<Option<Self>> {
        let mut links = Vec::new();
        let mut follow =
            |file: PathBuf, base: &Path, prefix: &str| -> io::Result<Option<PathBuf>> {
                let content = match fs::read_to_string(&file) {
                    Ok(content) => content,
                    Err(error) if stat::is_absent(&error) => return Ok(None),
                    Err(error) => return Err(error),
                };
                links.push(file);
                let target =
                    content.strip_prefix(prefix).map(|rest| rest.trim_end_matches(['\n', '\r']));
                Ok(target.map(|target| base.join(target)))
            };
        let git = root.join(".git");
        let own = if git.is_dir() {
            git
        } else {
            match follow(git, root, "gitdir: ")? {
                Some(own) => own,
                None => return Ok(None),
            }
        };
        let link = own.join("commondir");
        let common = if link.exists() { follow(link, &own, "")? } else { None };
        let common = common.unwrap_or_else(|| own.clone());
        // As git itself tells (its `is_git_directory`).
        let valid = own.join("HEAD").symlink_metadata().is_ok()
            && common.join("objects").is_dir()
            && common.join("refs").is_dir();
        Ok(valid.then_some(Self { own, common, links }))
    }

    /// A file that each work tree has for itself: `index`, `HEAD`.
    #[must_use]
    pub fn own(&self, name: &str) -> PathBuf {
        self.own.join(name)
    }

    /// A file that all work trees of a repository share.
    #[must_use]
    pub(crate) fn common(&self, name: &str) -> PathBuf {
        self.common.join(name)
    }
}
