//! Import paths, and the words of a command line that name them. Pure text:
//! nothing here asks `go` or looks at a disk.

use std::borrow::Cow;
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
        match problem(path) {
            None => Ok(Self(path.to_owned())),
            Some(reason) => Err(ArgumentError { text: text.to_owned(), reason }),
        }
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

/// Why a text is not an import path.
fn problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("the import path is empty")
    } else if path.starts_with('-') {
        Some("an import path does not begin with '-'")
    } else if path.contains('\0') {
        Some("an import path has no NUL byte")
    } else {
        None
    }
}

impl TryFrom<String> for ImportPath {
    type Error = ArgumentError;

    /// A path as it was written down: its `ko://` is gone already.
    fn try_from(text: String) -> Result<Self, ArgumentError> {
        match problem(&text) {
            None => Ok(Self(text)),
            Some(reason) => Err(ArgumentError { text, reason }),
        }
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
        let word = &*with_slashes(word, std::path::MAIN_SEPARATOR);
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

/// A directory as the shells of Windows complete it (`.\cmd\app`), as `go` writes it.
fn with_slashes(word: &str, separator: char) -> Cow<'_, str> {
    let below = word.trim_start_matches('.');
    let dots = word.len() - below.len();
    if separator != '/' && matches!(dots, 1 | 2) && below.starts_with(separator) {
        Cow::Owned(word.replace(separator, "/"))
    } else {
        Cow::Borrowed(word)
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

    /// A record has the path without the `ko://` that it was named with.
    #[test]
    fn records_are_read_as_they_are() {
        let path = ImportPath::parse("ko://ko://x").unwrap();
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(json, r#""ko://x""#);
        assert_eq!(serde_json::from_str::<ImportPath>(&json).unwrap(), path);
        for json in [r#""""#, r#""-o""#, r#""a\u0000b""#] {
            assert!(serde_json::from_str::<ImportPath>(json).is_err(), "{json}");
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

    #[test]
    fn directories_of_windows_are_written_as_go_writes_them() {
        for (word, on_windows) in [
            (r".\cmd\app", "./cmd/app"),
            (r"..\app", "../app"),
            (r".\cmd/app", "./cmd/app"),
            (r"C:\src\app", r"C:\src\app"),
            (r"example.com\app", r"example.com\app"),
            ("./cmd/app", "./cmd/app"),
            (".", "."),
        ] {
            assert_eq!(with_slashes(word, '\\'), on_windows);
            assert_eq!(with_slashes(word, '/'), word, "elsewhere, it is part of a name");
        }
    }

    proptest! {
        /// A path is the same behind `ko://`, and comes back from a record.
        #[test]
        fn paths_are_kept_as_written(path in "(ko://){0,2}(\\.{0,2}/)?[a-zA-Z0-9._~][\\PC&&[^\0]]{0,12}") {
            let bare = ImportPath(path.clone());
            let word = format!("{SCHEME}{path}");
            prop_assert_eq!(ImportPath::parse(&word), Ok(bare.clone()));
            // What follows `ko://` is never taken for a directory of the shell's.
            prop_assert_eq!(Argument::parse(&word), Ok(Argument::Path(bare.clone())));
            if !path.starts_with(SCHEME) {
                prop_assert_eq!(ImportPath::parse(&path), Ok(bare.clone()));
            }
            let json = serde_json::to_string(&bare).unwrap();
            prop_assert_eq!(serde_json::from_str::<ImportPath>(&json).unwrap(), bare);
        }

        /// Programs are called after the last element that names something.
        #[test]
        fn base_names_are_the_last_element(
            before in "(/|\\.{1,2}/)?([a-z.]{1,6}/){0,3}", last in "[a-zA-Z0-9_é][a-zA-Z0-9._é-]{0,8}", after in "/{0,3}",
        ) {
            let path = ImportPath::parse(&format!("{before}{last}{after}")).unwrap();
            prop_assert_eq!(path.base_name(), &*last);
            let local = before.starts_with("./") || before.starts_with("../");
            let argument = Argument::parse(path.as_str()).unwrap();
            prop_assert_eq!(argument == Argument::Local(path), local);
        }

        /// Nothing that is refused is accepted with more behind it.
        #[test]
        fn a_refused_path_stays_refused(scheme in "(ko://)?", start in "-|[a-z/]{0,5}\0", more in any::<String>()) {
            let word = format!("{scheme}{start}{more}");
            let error = ImportPath::parse(&word).unwrap_err();
            prop_assert_eq!(error.text, word);
        }

        #[test]
        fn any_path_has_a_base_name(word in any::<String>()) {
            if let Ok(argument) = Argument::parse(&word) {
                let path = argument.path();
                prop_assert!(word.ends_with(path.as_str()));
                prop_assert!(!path.base_name().is_empty() && !path.base_name().contains('/'));
            }
        }
    }
}
