//! The variables of an environment, as the caller hands them in. Many are secret,
//! so they cannot be printed.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::Secret;

/// Variables in the order in which they were set; the last of a name counts. A
/// variable that is empty counts as unset.
#[derive(Clone, Default)]
pub struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    /// The value as the system has it. On Windows, case does not count in names.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        let is_name = |found: &OsStr| match cfg!(windows) {
            true => found.eq_ignore_ascii_case(name),
            false => found == name,
        };
        let found = self.0.iter().rev().find(|(found, _)| is_name(found));
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// The value as text; what is not UTF-8 is shown as well as it can be.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.os(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// The value as a secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// The value as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.os(name).map(PathBuf::from)
    }

    /// Is it `true` or `1`?
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// The user's home directory.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME").or_else(|| self.path("USERPROFILE"))
    }

    /// All variables, for a child.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let owned = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(owned.collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts_and_what_is_empty_is_unset() {
        let all = [("A", "1"), ("B", "x"), ("A", "2"), ("C", "y"), ("C", ""), ("B", "TRUE")];
        let all = Variables::from_iter(all);
        for (name, text, is_true) in [
            ("A", Some("2"), false),
            ("B", Some("TRUE"), true),
            ("C", None, false),
            ("D", None, false),
        ] {
            assert_eq!(all.text(name).as_deref(), text, "{name}");
            assert_eq!(all.path(name), text.map(PathBuf::from), "{name}");
            assert_eq!(all.secret(name), text.map(Secret::new), "{name}");
            assert_eq!(all.is_true(name), is_true, "{name}");
        }
        assert_eq!(all.iter().count(), 6);
        assert_eq!(format!("{all:?}"), "Variables(6)");
    }

    #[test]
    fn the_home_has_one_name_on_each_system() {
        for (variables, want) in [
            (&[("HOME", "/h"), ("USERPROFILE", "/u")][..], Some("/h")),
            (&[("HOME", ""), ("USERPROFILE", "/u")], Some("/u")),
            (&[], None),
        ] {
            let home = Variables::from_iter(variables.iter().copied()).home();
            assert_eq!(home.as_deref().and_then(std::path::Path::to_str), want);
        }
    }
}
