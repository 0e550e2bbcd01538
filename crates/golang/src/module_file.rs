//! Reads from `go.mod` what finding packages needs: where modules begin, and what
//! they are called. Everything else in it is `go`'s business.

use std::fs;
use std::path::{Path, PathBuf};

/// A module on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// The directory of its `go.mod`.
    pub dir: PathBuf,
    /// Its path; `None` if the file does not say, or cannot be read: then `go`
    /// will complain.
    pub path: Option<String>,
}

/// The nearest `go.mod` or `go.work` at or above a directory, by the rule of
/// `go` (its `findModuleRoot` and `findWorkspaceFile`): whatever is there and
/// not a directory, through links. Below its GOROOT, `go` looks no further up
/// for a `go.work`; which GOROOT that is, is not known here.
#[must_use]
pub fn nearest(dir: &Path, name: &str) -> Option<PathBuf> {
    let mut files = dir.ancestors().map(|dir| dir.join(name));
    files.find(|file| file.metadata().is_ok_and(|found| !found.is_dir()))
}

impl ModuleFile {
    /// The module that a directory is in: of the nearest `go.mod`, at or above.
    #[must_use]
    pub fn nearest(dir: &Path) -> Option<Self> {
        let file = nearest(dir, "go.mod")?;
        // To read a pipe would be to wait for ever.
        let content = file.is_file().then(|| fs::read_to_string(&file).ok()).flatten();
        let path = content.as_deref().and_then(module_path);
        Some(Self { dir: file.parent()?.to_owned(), path })
    }

    /// The import path of a directory in this module.
    #[must_use]
    pub fn import_path(&self, dir: &Path) -> Option<String> {
        let below =
            dir.strip_prefix(&self.dir).ok()?.to_str()?.replace(std::path::MAIN_SEPARATOR, "/");
        let path = self.path.as_ref()?;
        Some(if below.is_empty() { path.clone() } else { format!("{path}/{below}") })
    }

    /// The directory that a package of this module would have: `None` if the
    /// import path is not one of this module. A module further down may claim
    /// it.
    #[must_use]
    pub fn package_dir(&self, import_path: &str) -> Option<PathBuf> {
        let below = import_path.strip_prefix(self.path.as_deref()?)?;
        match below.strip_prefix('/') {
            Some(below) => Some(self.dir.join(below)),
            None => below.is_empty().then(|| self.dir.clone()),
        }
    }
}

/// The argument of the `module` directive (Go Modules Reference, "go.mod
/// files").
fn module_path(content: &str) -> Option<String> {
    let mut in_block = false;
    for line in content.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let word = if in_block {
            line
        } else {
            match line.strip_prefix("module") {
                Some(rest) if rest.starts_with([' ', '\t', '"', '`', '(']) => rest.trim(),
                _ => continue,
            }
        };
        match word {
            "" => {}
            "(" => in_block = true,
            ")" => return None,
            word => return Some(word.trim_matches(['"', '`']).to_owned()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_directives() {
        for (content, want) in [
            ("module example.com/a\n\ngo 1.23\n", Some("example.com/a")),
            ("// a comment\nmodule\t\"example.com/a\" // why\n", Some("example.com/a")),
            ("module `example.com/a`", Some("example.com/a")),
            ("module (\n\texample.com/a\n)\n", Some("example.com/a")),
            ("modules example.com/a\n", None),
            ("go 1.23\n", None),
            ("module ()\n", Some("()")),
            ("", None),
        ] {
            assert_eq!(module_path(content).as_deref(), want, "{content:?}");
        }
    }

    #[test]
    fn packages_and_their_directories() {
        let module =
            ModuleFile { dir: PathBuf::from("/m"), path: Some("example.com/a".to_owned()) };
        for (dir, import_path) in [("/m", "example.com/a"), ("/m/cmd/x", "example.com/a/cmd/x")] {
            assert_eq!(module.import_path(Path::new(dir)).as_deref(), Some(import_path));
            assert_eq!(module.package_dir(import_path), Some(PathBuf::from(dir)));
        }
        assert_eq!(module.import_path(Path::new("/other")), None);
        assert_eq!(module.package_dir("example.com/ab"), None);
        assert_eq!(module.package_dir("fmt"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read(content: String) {
            let _ = module_path(&content);
        }
    }
}
