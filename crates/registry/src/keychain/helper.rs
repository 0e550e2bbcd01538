//! Credential helpers: programs called `docker-credential-<name>` that keep
//! secrets for Docker (docker-credential-helpers, "Development"). The key goes
//! in on stdin, JSON comes out on stdout, and stderr is for the user.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Credential, KeychainError, Secret};

/// What a helper says when it works and has nothing.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// More than this a helper does not have to say, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// A program that can be asked.
#[derive(Debug)]
pub(super) struct Helper<'a> {
    program: String,
    file: PathBuf,
    path: &'a OsStr,
    limit: Duration,
}

impl<'a> Helper<'a> {
    /// Finds the helper `name` in `path`, which has the form of `PATH`.
    pub(super) fn find(
        name: &str,
        path: &'a OsStr,
        limit: Duration,
        place: &str,
    ) -> Result<Self, KeychainError> {
        let program = format!("docker-credential-{name}");
        // A name is a name: the configuration must not lead out of `PATH`.
        let file = (!name.contains(['/', '\\'])).then(|| {
            let files = std::env::split_paths(path)
                .filter(|dir| dir.is_absolute())
                .map(|dir| dir.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)));
            files.into_iter().find(|file| is_executable(file))
        });
        match file.flatten() {
            Some(file) => Ok(Self { program, file, path, limit }),
            None => Err(KeychainError::NoHelper { place: place.to_owned(), program }),
        }
    }

    /// Asks for the credential of a key.
    pub(super) async fn get(&self, key: &str) -> Result<Credential, KeychainError> {
        let asked = tokio::time::timeout(self.limit, self.run(key)).await;
        let (success, output) = asked
            .map_err(|_| KeychainError::Slow {
                program: self.program.clone(),
                key: key.to_owned(),
                limit: self.limit,
            })?
            .map_err(|source| KeychainError::Run { program: self.program.clone(), source })?;
        self.read(key, success, &output)
    }

    /// Returns how it ended, if not well, and what it has written. Dropped in
    /// the middle, it kills the program.
    async fn run(&self, key: &str) -> std::io::Result<(Option<String>, Vec<u8>)> {
        let mut child = Command::new(&self.file)
            .arg("get")
            .env("PATH", self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read has made up its mind already.
            let _ = stdin.write_all(key.as_bytes()).await;
        }
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_OUTPUT).read_to_end(&mut output).await?;
        }
        let status = child.wait().await?;
        Ok(((!status.success()).then(|| status.to_string()), output))
    }

    fn read(
        &self,
        key: &str,
        failed: Option<String>,
        output: &[u8],
    ) -> Result<Credential, KeychainError> {
        let error = |problem: String| KeychainError::Helper {
            program: self.program.clone(),
            key: key.to_owned(),
            problem,
        };
        let text = String::from_utf8_lossy(output);
        let text = text.trim();
        if let Some(status) = failed {
            if text == NOT_FOUND {
                return Ok(Credential::Anonymous);
            }
            // JSON would be the answer itself, and that is a secret.
            let said = if text.contains('{') { "REDACTED" } else { text };
            let said: String = said.chars().filter(|c| !c.is_control()).take(256).collect();
            return Err(error(format!("{status}, out: `{said}`")));
        }
        let answer: Answer = serde_json::from_str(text)
            .map_err(|_| error("its output is not the expected JSON".to_owned()))?;
        let secret = Secret::new(answer.secret);
        Ok(match (answer.username.as_str(), secret.expose()) {
            ("", "") => Credential::Anonymous,
            ("<token>", _) => Credential::IdentityToken(secret),
            _ => Credential::Basic { user: answer.username, password: secret },
        })
    }
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}
