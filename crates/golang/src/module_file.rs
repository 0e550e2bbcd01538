//! Reads from `go.mod` what finding packages needs: where modules begin, and what
//! they are called. Everything else in it is `go`'s business.

use std::fs;
use std::path::{Path, PathBuf};

use crate::literal::unquote;

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
        Self::read(&nearest(dir, "go.mod")?)
    }

    /// The module of a `go.mod`, by the path of that.
    #[must_use]
    pub fn read(file: &Path) -> Option<Self> {
        // To read a pipe would be to wait for ever.
        let content = file.is_file().then(|| fs::read(file).ok()).flatten();
        // Comments may be in any encoding.
        let path = content.and_then(|content| module_path(&String::from_utf8_lossy(&content)));
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
            word if word.starts_with(['"', '`']) => return unquote(word).map(|(path, _)| path),
            word => return Some(word.to_owned()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn module_directives() {
        for (content, want) in [
            ("module example.com/a\n\ngo 1.23\n", Some("example.com/a")),
            ("// a comment\nmodule\t\"example.com/a\" // why\n", Some("example.com/a")),
            ("module `example.com/a`", Some("example.com/a")),
            ("module \"example.com/\\x61\"", Some("example.com/a")),
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

    #[test]
    fn comments_may_be_in_any_encoding() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("go.mod"), b"module example.com/a // \xe9\n").unwrap();
        let module = ModuleFile::nearest(dir.path()).unwrap();
        assert_eq!(module.path.as_deref(), Some("example.com/a"));
    }

    fn path() -> impl Strategy<Value = String> {
        "[a-z]{1,6}\\.[a-z]{2}(/[A-Za-z0-9._~-]{1,6}){0,3}"
    }

    proptest! {
        /// However the directive is written, and whatever stands around it,
        /// its path is read.
        #[test]
        fn the_module_directive_is_found(
            path in path(),
            before in proptest::collection::vec("//\\PC{0,12}|go 1\\.[0-9]{2}|toolchain go1\\.26|modules \\PC{0,9}|", 0..4),
            style in 0..3_u8,
            block in proptest::option::of("[ \t]?\\("),
            comment in "( ?//\\PC{0,12})?",
            after in "(\n\\PC{0,12}){0,3}",
            end in "\r?\n",
        ) {
            let word = match style {
                0 => path.clone(),
                1 => crate::literal::quote(&path),
                _ => format!("`{path}`"),
            };
            let directive = match block {
                Some(open) => format!("module{open}{comment}{end}{end}\t{word}{comment}{end}){end}"),
                None => format!("module {word}{comment}{end}"),
            };
            let content: String = before.iter().map(|line| format!("{line}{end}")).collect();
            let content = content + &directive + &after;
            prop_assert_eq!(module_path(&content), Some(path), "{}", content);
        }

        /// A directory of a module has an import path, and that path the
        /// directory.
        #[test]
        fn packages_and_directories_are_each_other_s(
            path in path(), below in "([a-zA-Z0-9_é-]{1,6}(/[a-zA-Z0-9_ é-]{1,6}){0,3})?", other in "[a-z]{1,3}",
        ) {
            let module = ModuleFile { dir: PathBuf::from("/m"), path: Some(path.clone()) };
            let dir = if below.is_empty() { module.dir.clone() } else { module.dir.join(&below) };
            let import_path = module.import_path(&dir).unwrap();
            prop_assert_eq!(module.package_dir(&import_path), Some(dir));
            // An element that goes on is another.
            prop_assert_eq!(module.package_dir(&format!("{path}{other}/{below}")), None);
            prop_assert_eq!(module.import_path(Path::new(&format!("/m{other}/{below}"))), None);
        }

        #[test]
        fn never_panics_on_any_text(content: String) {
            let _ = module_path(&content);
        }
    }
}
