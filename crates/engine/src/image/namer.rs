//! Names images: maps an import path to a repository below the destination.

use golang::{clean_path, lowercase};
use md5::{Digest as _, Md5};

/// How the name of an image is made of the destination and the import path.
/// Which of several flags wins is the command's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namer {
    /// Last element and md5 of the import path: `repo/app-<md5>`.
    Md5,
    /// The whole import path: `repo/example.com/cmd/app`.
    PreserveImportPaths,
    /// Its last element: `repo/app`.
    BaseImportPaths,
    /// The destination itself.
    Bare,
}

impl Namer {
    /// The name of an image. The import path is taken in lower case, because
    /// registries know no upper case; the md5 is of the lower-case path too.
    pub fn name(self, destination: &str, import_path: &str) -> String {
        let path = lowercase(import_path);
        match self {
            Self::Md5 => join(destination, &format!("{}-{}", base(&path), md5_of(&path))),
            Self::PreserveImportPaths => join(destination, &path),
            Self::BaseImportPaths => join(destination, base(&path)),
            Self::Bare => destination.to_owned(),
        }
    }
}

/// The md5 of a text, in hex.
pub(crate) fn md5_of(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Go's `path.Base`.
pub(crate) fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        trimmed => trimmed.rsplit('/').next().expect("a split has a part"),
    }
}

/// Go's `path.Join` of two parts: joined with a slash, then cleaned.
pub(crate) fn join(left: &str, right: &str) -> String {
    let parts: Vec<&str> = [left, right].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return String::new();
    }
    clean_path(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ko_s() {
        let (repo, path) = ("registry.example.org/foo/bar", "example.org/sample/cmd/example");
        for (namer, want) in [
            (Namer::Md5, "registry.example.org/foo/bar/example-51d74b7127c5f7495a338df33ecdeb19"),
            (
                Namer::PreserveImportPaths,
                "registry.example.org/foo/bar/example.org/sample/cmd/example",
            ),
            (Namer::BaseImportPaths, "registry.example.org/foo/bar/example"),
            (Namer::Bare, "registry.example.org/foo/bar"),
        ] {
            assert_eq!(namer.name(repo, path), want);
        }
        assert_eq!(
            Namer::Md5.name("localhost:1/out", "example.com/App/cmd/foo"),
            "localhost:1/out/foo-3baa93da0fa9e58b2a0cf1fd30608a4b"
        );
        // Go's lower case of a final sigma, and of the only letter whose lower
        // case is two elsewhere.
        assert_eq!(Namer::PreserveImportPaths.name("r", "ΟΔΟΣ/\u{130}"), "r/οδοσ/i");
        assert_eq!(Namer::PreserveImportPaths.name("r", "./cmd/foo"), "r/cmd/foo");
        assert_eq!(Namer::PreserveImportPaths.name("r/", "/abs/cmd/foo"), "r/abs/cmd/foo");
        assert_eq!(Namer::BaseImportPaths.name("", "a/b"), "b");
    }

    #[test]
    fn last_elements_are_go_s() {
        assert_eq!((base(""), base("///"), base("a/b/"), base("x")), (".", "/", "b", "x"));
    }
}
