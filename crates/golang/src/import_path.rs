//! Import paths, and the words of a command line that name them. Pure text:
//! nothing here asks `go` or looks at a disk.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The prefix that marks an import path in YAML and on the command line.
const SCHEME: &str = "ko://";

/// What a package is called when its import path has no usable last element.
const FALLBACK_NAME: &str = "ko-app";

/// What `go` is asked for, without `ko://`: an import path such as
/// `example.com/app/cmd/foo`, or, as `go` takes those just as well, an
/// absolute directory or one relative to the working directory (`./cmd/foo`).
/// It is kept exactly as written, since images are named after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImportPath(String);

impl ImportPath {
    /// Reads an import path, with or without the leading `ko://`.
    ///
    /// # Errors
    /// Refuses an empty path, one that `go` would read as a flag (leading
    /// `-`), and one with a NUL, which no process can be given.
    pub fn parse(text: &str) -> Result<Self, ArgumentError> {
        let path = text.strip_prefix(SCHEME).unwrap_or(text);
        let refuse = |reason| Err(ArgumentError { text: text.to_owned(), reason });
        if path.is_empty() {
            return refuse("the import path is empty");
        }
        if path.starts_with('-') {
            return refuse("an import path does not begin with '-'");
        }
        if path.contains('\0') {
            return refuse("an import path has no NUL byte");
        }
        Ok(Self(path.to_owned()))
    }

    /// The path as written, without `ko://`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the program: the last element by the rules of Go's
    /// `path.Base`, so `v2` for `example.com/foo/v2`; `ko-app` where that
    /// names no file (`.`, `..`, `/`).
    #[must_use]
    pub fn base_name(&self) -> &str {
        match self.0.trim_end_matches('/').rsplit('/').next() {
            None | Some("" | "." | "..") => FALLBACK_NAME,
            Some(name) => name,
        }
    }
}

impl TryFrom<String> for ImportPath {
    type Error = ArgumentError;

    fn try_from(text: String) -> Result<Self, ArgumentError> {
        Self::parse(&text)
    }
}

impl From<ImportPath> for String {
    fn from(path: ImportPath) -> Self {
        path.0
    }
}

impl fmt::Display for ImportPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A word of the command line that names a program to build.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Argument {
    /// A directory as `go` writes local ones: `.`, `..`, `./x` or `../x`.
    /// The import path of the package there takes its place.
    Local(ImportPath),
    /// Everything else, kept as written: an import path, an absolute
    /// directory, and whatever stood behind `ko://`.
    Path(ImportPath),
}

impl Argument {
    /// Reads one word.
    ///
    /// # Errors
    /// As [`ImportPath::parse`].
    pub fn parse(word: &str) -> Result<Self, ArgumentError> {
        let path = ImportPath::parse(word)?;
        let local = matches!(word, "." | "..") || word.starts_with("./") || word.starts_with("../");
        Ok(if local { Self::Local(path) } else { Self::Path(path) })
    }

    /// What `go` is asked for.
    #[must_use]
    pub fn path(&self) -> &ImportPath {
        match self {
            Self::Local(path) | Self::Path(path) => path,
        }
    }
}

/// A word that names no package.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not an import path: {reason}")]
pub struct ArgumentError {
    /// The word.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words() {
        let local = |path: &str| Argument::Local(ImportPath(path.into()));
        let path = |path: &str| Argument::Path(ImportPath(path.into()));
        for (word, want) in [
            (".", local(".")),
            ("..", local("..")),
            ("./cmd/foo", local("./cmd/foo")),
            ("../x", local("../x")),
            ("./...", local("./...")),
            ("...", path("...")),
            (".hidden", path(".hidden")),
            ("cmd/foo", path("cmd/foo")),
            ("/abs/cmd/foo", path("/abs/cmd/foo")),
            ("example.com/App", path("example.com/App")),
            ("ko://example.com/App", path("example.com/App")),
            ("ko://./cmd/foo", path("./cmd/foo")),
            ("ko:///abs/cmd/foo", path("/abs/cmd/foo")),
            ("ko://ko://x", path("ko://x")),
        ] {
            assert_eq!(Argument::parse(word).unwrap(), want, "{word}");
        }
        for word in ["", "ko://", "-o", "ko://-toolexec=x", "a\0b"] {
            assert!(Argument::parse(word).is_err(), "{word:?}");
        }
    }

    #[test]
    fn base_names() {
        for (path, want) in [
            ("example.com/app/cmd/foo", "foo"),
            ("example.com/foo/v2", "v2"),
            ("example.com/App/", "App"),
            ("foo", "foo"),
            ("./cmd/foo", "foo"),
            ("/abs/cmd/foo//", "foo"),
            (".", "ko-app"),
            ("./", "ko-app"),
            ("..", "ko-app"),
            ("a/..", "ko-app"),
            ("/", "ko-app"),
            ("///", "ko-app"),
        ] {
            assert_eq!(ImportPath(path.into()).base_name(), want, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_word_is_read_or_refused(word in any::<String>()) {
            if let Ok(argument) = Argument::parse(&word) {
                let path = argument.path();
                prop_assert!(word.ends_with(path.as_str()));
                prop_assert!(!path.base_name().is_empty() && !path.base_name().contains('/'));
                let again = ImportPath::parse(&format!("ko://{path}"));
                prop_assert_eq!(again.as_ref(), Ok(path));
            }
        }
    }
}
