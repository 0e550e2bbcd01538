//! Versions of Delve: what a user may name, and what is taken otherwise.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A released version of Delve: `v1.27.2`. Branches and `latest` are none, as
/// they are something else tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DelveVersion(String);

impl DelveVersion {
    /// The one that is taken where none is named.
    pub const DEFAULT: &'static str = "v1.27.2";
}

impl Default for DelveVersion {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

/// Go's canonical versions (semver.org with a `v` in front), without build
/// metadata, of major version 1: another one would be another module.
impl FromStr for DelveVersion {
    type Err = DelveVersionError;

    fn from_str(text: &str) -> Result<Self, DelveVersionError> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits && (text == "0" || !text.starts_with('0'))
        };
        let word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_version = |text: &str| {
            let (release, pre) = match text.split_once('-') {
                Some((release, pre)) => (release, Some(pre)),
                None => (text, None),
            };
            let parts: Vec<&str> = release.split('.').collect();
            parts.len() == 3
                && parts.iter().all(|part| number(part))
                && parts[0] == "1"
                && pre.is_none_or(|pre| pre.split('.').all(word))
        };
        match text.strip_prefix('v') {
            Some(version) if is_version(version) => Ok(Self(text.to_owned())),
            _ => Err(DelveVersionError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for DelveVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no version of Delve.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a version of Delve, such as {}", DelveVersion::DEFAULT)]
pub struct DelveVersionError {
    /// The text.
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_releases_of_the_first_major_version() {
        for text in [
            DelveVersion::DEFAULT,
            "v1.0.0",
            "v1.22.1-rc.1",
            "v1.26.0-0.20250101000000-0123456789ab",
        ] {
            assert_eq!(text.parse::<DelveVersion>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "v",
            "latest",
            "master",
            "1.27.2",
            "v1",
            "v1.27",
            "v1.27.2.1",
            "v01.2.3",
            "v1.02.3",
            "v2.0.0",
            "v1.27.2+meta",
            "v1.2.3-",
            "v1.2.3-a..b",
            "v1.2.3 ",
            "v1.2.3\n",
            "v1.2.-3",
        ] {
            let error = text.parse::<DelveVersion>().unwrap_err().to_string();
            assert_eq!(error, format!("{text:?} is not a version of Delve, such as v1.27.2"));
        }
    }
}
