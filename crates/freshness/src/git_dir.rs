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

#[cfg(test)]
mod tests {
    use super::*;

    /// Names with content; directories have none.
    type Files<'a> = &'a [(&'a str, Option<&'a [u8]>)];

    /// As git itself decides it. Where is `w`, what it has, and the two directories.
    #[test]
    fn what_git_takes_for_a_repository() {
        const HEAD: Option<&[u8]> = Some(b"ref: refs/heads/main\n");
        type Row<'a> = (&'a str, Files<'a>, Option<(&'a str, &'a str)>);
        let rows: [Row<'_>; 9] = [
            ("nothing", &[], None),
            (
                "directory",
                &[("w/.git/HEAD", HEAD), ("w/.git/objects", None), ("w/.git/refs", None)],
                Some(("w/.git", "w/.git")),
            ),
            ("no HEAD", &[("w/.git/objects", None), ("w/.git/refs", None)], None),
            ("no objects", &[("w/.git/HEAD", HEAD), ("w/.git/refs", None)], None),
            ("no references", &[("w/.git/HEAD", HEAD), ("w/.git/objects", None)], None),
            (
                "file",
                &[
                    ("w/.git", Some(b"gitdir: ../g\n")),
                    ("g/HEAD", HEAD),
                    ("g/objects", None),
                    ("g/refs", None),
                ],
                Some(("w/../g", "w/../g")),
            ),
            (
                "linked work tree",
                &[
                    ("w/.git", Some(b"gitdir: ../g/worktrees/w\r\n")),
                    ("g/worktrees/w/HEAD", HEAD),
                    ("g/worktrees/w/commondir", Some(b"../..\n")),
                    ("g/objects", None),
                    ("g/refs", None),
                ],
                Some(("w/../g/worktrees/w", "w/../g/worktrees/w/../..")),
            ),
            ("file of another kind", &[("w/.git", Some(b"../g\n"))], None),
            ("file to nothing", &[("w/.git", Some(b"gitdir: ../g\n"))], None),
        ];
        for (name, files, want) in rows {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("w")).unwrap();
            for (file, content) in files {
                let path = root.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                match content {
                    None => fs::create_dir(path).unwrap(),
                    Some(content) => fs::write(path, content).unwrap(),
                }
            }
            let found = GitDir::of(&root.path().join("w")).unwrap();
            let found = found.map(|git| (git.own("x"), git.common("x")));
            let at = |dir: &str| root.path().join(dir).join("x");
            assert_eq!(found, want.map(|(own, common)| (at(own), at(common))), "{name}");
        }
        // What cannot be read is not nothing.
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(".git"), b"gitdir: \xff\n").unwrap();
        assert!(GitDir::of(root.path()).is_err());
    }
}
