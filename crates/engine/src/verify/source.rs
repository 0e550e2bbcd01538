//! Fetches a source from git. Only what the caller names is fetched.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use cancel::Cancel;
use golang::{Environment, command, find_in_path, run_child};
use once::blocking;

use super::VerifyError;
use crate::probe::Ends;
use crate::redact::redact_url;

/// The protocols of git that run no program of the URL's choice.
const PROTOCOLS: [&str; 4] = ["https://", "http://", "ssh://", "file://"];

/// Where a repository is cloned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneUrl(String);

/// The hash of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit(String);

impl FromStr for CloneUrl {
    type Err = VerifyError;

    /// Takes `https`, `http`, `ssh` and `file`, absolute paths, and `user@host:path`;
    /// `git+` may stand before it, as provenance has it.
    fn from_str(text: &str) -> Result<Self, VerifyError> {
        let url = text.strip_prefix("git+").unwrap_or(text);
        let is_text = !url.chars().any(|char| char.is_control() || char.is_whitespace());
        let rest = PROTOCOLS.iter().find_map(|protocol| url.strip_prefix(protocol));
        // A host that begins with a hyphen would be an option of ssh.
        let is_plain = |rest: &str| !rest.starts_with('-') && !rest.contains("@-");
        let is_url = rest.is_some_and(|rest| !rest.is_empty() && is_plain(rest));
        let is_path = Path::new(url).is_absolute();
        let is_scp = url.split_once(':').is_some_and(|(host, path)| {
            host.contains('@')
                && is_plain(host)
                && !host.contains('/')
                && !path.starts_with([':', '-'])
                && !path.is_empty()
        });
        if is_text && !url.contains("::") && (is_url || is_path || is_scp) {
            return Ok(Self(url.to_owned()));
        }
        Err(VerifyError::CloneUrl { url: redact_url(text) })
    }
}

impl fmt::Display for CloneUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact_url(&self.0))
    }
}

impl FromStr for Commit {
    type Err = VerifyError;

    fn from_str(text: &str) -> Result<Self, VerifyError> {
        let is_hash = matches!(text.len(), 40 | 64)
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        match is_hash {
            true => Ok(Self(text.to_owned())),
            false => Err(VerifyError::Commit { commit: text.to_owned() }),
        }
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CloneUrl {
    /// Whether a URI, as provenance names a source, is that of the same repository.
    #[must_use]
    pub fn is(&self, uri: &str) -> bool {
        let plain = |uri: &str| {
            let uri = uri.strip_prefix("git+").unwrap_or(uri);
            let uri = uri.split_once('@').filter(|(_, rest)| !rest.contains('/'));
            uri.map_or("", |(uri, _)| uri).to_owned()
        };
        let bare = |uri: &str| {
            let at = plain(uri);
            let uri = if at.is_empty() { uri.strip_prefix("git+").unwrap_or(uri) } else { &at };
            uri.trim_end_matches('/').trim_end_matches(".git").to_owned()
        };
        bare(&self.0) == bare(uri)
    }

    /// Clones the repository with all of its history and tags, from which Go makes the
    /// version of the main module, and checks a commit out.
    ///
    /// # Errors
    /// git is not there, or fails.
    pub async fn checkout(
        &self,
        commit: &Commit,
        dir: &Path,
        environment: &Environment,
    ) -> Result<(), VerifyError> {
        let parent = dir.parent().unwrap_or(dir);
        let dir = dir.as_os_str();
        let clone: [&OsStr; 6] = [
            "clone".as_ref(),
            "--quiet".as_ref(),
            "--no-checkout".as_ref(),
            "--".as_ref(),
            self.0.as_ref(),
            dir,
        ];
        let checkout: [&OsStr; 6] = [
            "-C".as_ref(),
            dir,
            "checkout".as_ref(),
            "--quiet".as_ref(),
            "--detach".as_ref(),
            commit.0.as_ref(),
        ];
        let ends = Ends(Cancel::new());
        let program = find_in_path("git".as_ref(), environment).ok_or(VerifyError::NoGit)?;
        for words in [clone, checkout] {
            let mut git = command(&program, parent, environment);
            git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]);
            git.args(words);
            git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", "https:http:ssh:file");
            let cancel = ends.0.clone();
            let output = blocking(move || run_child(git, &cancel)).await;
            let output = output.map_err(VerifyError::Git)?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(VerifyError::Clone { url: self.to_string(), output: said });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_urls_are_refused() {
        for url in [
            "https://github.com/o/r",
            "git+https://github.com/o/r.git",
            "ssh://git@github.com/o/r",
            "git@github.com:o/r.git",
            "file:///srv/r",
            "/srv/r",
        ] {
            assert!(url.parse::<CloneUrl>().is_ok(), "{url}");
        }
        for url in [
            "",
            "ext::sh -c touch% /tmp/x",
            "fd::17",
            "--upload-pack=/tmp/x",
            "-x",
            "ssh://-oProxyCommand=x/r",
            "ssh://git@-oProxyCommand=x/r",
            "-oProxyCommand=x@host:r",
            "git@host:-x",
            "https://github.com/o/r x",
            "javascript:alert(1)",
            "../r",
            "transport::https://github.com",
        ] {
            assert!(url.parse::<CloneUrl>().is_err(), "{url}");
        }
        for commit in ["HEAD", "--all", "main", "0123", &"g".repeat(40)] {
            assert!(commit.parse::<Commit>().is_err(), "{commit}");
        }
        assert!("0123456789".repeat(4).parse::<Commit>().is_ok());
    }

    #[test]
    fn a_repository_has_several_uris() {
        let url: CloneUrl = "https://github.com/o/r".parse().unwrap();
        for (uri, want) in [
            ("git+https://github.com/o/r", true),
            ("git+https://github.com/o/r.git", true),
            ("https://github.com/o/r@refs", true),
            ("https://github.com/o/r/", true),
            ("https://github.com/o/other", false),
            ("https://github.com/o", false),
        ] {
            assert_eq!(url.is(uri), want, "{uri}");
        }
    }
}
