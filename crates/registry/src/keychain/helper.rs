//! Runs credential helpers: programs called `docker-credential-<name>` that keep
//! secrets for Docker (docker-credential-helpers, "Development"). The key, or
//! JSON, goes in on stdin, JSON comes out on stdout, and stderr is for the user.

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, Command};

use super::json::{self, Members};
use super::{Credential, KeychainError, Secret, Variables};

/// The answer of a helper that works and has nothing.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// More than this a helper does not have to say, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

#[derive(Default)]
struct Answer {
    username: String,
    secret: Secret,
}

impl Members for Answer {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name.to_ascii_lowercase().as_str() {
            "username" => json::set(&mut self.username, map),
            "secret" => json::set(&mut self.secret, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::members(deserializer)
    }
}

/// The credential for a helper to keep.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

/// How a program has ended, if not well, and what it has written.
type Outcome = (Option<String>, Vec<u8>);

/// Takes what helpers write to standard error, as it comes: prompts and
/// warnings for the user.
#[derive(Clone)]
pub struct HelperOutput {
    take: Arc<dyn Fn(&str) + Send + Sync>,
    running: Arc<dyn Fn(bool) + Send + Sync>,
}

impl HelperOutput {
    /// Calls a function, from any thread.
    pub fn new(take: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { take: Arc::new(take), running: Arc::new(|_| {}) }
    }

    /// Also calls a function when a helper begins (`true`) and ends: it may use the
    /// terminal meanwhile.
    #[must_use]
    pub fn running(mut self, running: impl Fn(bool) + Send + Sync + 'static) -> Self {
        self.running = Arc::new(running);
        self
    }

    /// Shows a text.
    pub fn show(&self, text: &str) {
        (self.take)(text);
    }

    /// A helper begins; it ends when what is returned is dropped.
    #[must_use]
    pub fn begin(&self) -> impl Drop + use<> {
        struct Running(Arc<dyn Fn(bool) + Send + Sync>);
        impl Drop for Running {
            fn drop(&mut self) {
                (self.0)(false);
            }
        }
        (self.running)(true);
        Running(Arc::clone(&self.running))
    }
}

impl fmt::Debug for HelperOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HelperOutput")
    }
}

/// A program that can be asked.
#[derive(Debug)]
pub(super) struct Helper<'a> {
    program: String,
    file: PathBuf,
    environment: &'a Variables,
    output: Option<&'a HelperOutput>,
    limit: Duration,
}

impl<'a> Helper<'a> {
    /// Finds the helper `name` in the `PATH` of its environment. Its standard
    /// error goes to `output`, or is that of this process.
    pub(super) fn find(
        name: &str,
        (environment, output): (&'a Variables, Option<&'a HelperOutput>),
        limit: Duration,
        place: &str,
    ) -> Result<Self, KeychainError> {
        let program = format!("docker-credential-{name}");
        // A name is a name: the configuration must not lead out of `PATH`.
        let file = (!name.contains(['/', '\\'])).then(|| {
            let files = std::env::split_paths(environment.os("PATH").unwrap_or_default())
                .filter(|dir| dir.is_absolute())
                .map(|dir| dir.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)));
            files.into_iter().find(|file| is_executable(file))
        });
        match file.flatten() {
            Some(file) => Ok(Self { program, file, environment, output, limit }),
            None => Err(KeychainError::NoHelper { place: place.to_owned(), program }),
        }
    }

    /// Asks for the credential of a key.
    pub(super) async fn get(&self, key: &str) -> Result<Credential, KeychainError> {
        let (failed, output) = self.ask("get", key, key).await?;
        self.read(key, failed, &output)
    }

    /// Gives it a user and a password to keep.
    pub(super) async fn store(
        &self,
        key: &str,
        user: &str,
        password: &Secret,
    ) -> Result<(), KeychainError> {
        let entry = Entry { server_url: key, username: user, secret: &password.expose() };
        let input = serde_json::to_string(&entry).expect("three texts are JSON");
        let (failed, output) = self.ask("store", key, &input).await?;
        let answer = String::from_utf8_lossy(&output);
        match failed {
            // It knows the secret, and may repeat it.
            Some(status) if answer.contains(&*password.expose()) => {
                Err(self.failed("storing", key, &status, "{"))
            }
            Some(status) => Err(self.failed("storing", key, &status, &answer)),
            None => Ok(()),
        }
    }

    /// Has it forget a key; one that it does not know is forgotten already.
    pub(super) async fn erase(&self, key: &str) -> Result<(), KeychainError> {
        let (failed, output) = self.ask("erase", key, key).await?;
        let answer = String::from_utf8_lossy(&output);
        match failed {
            Some(status) if answer.trim() != NOT_FOUND => {
                Err(self.failed("erasing", key, &status, &answer))
            }
            _ => Ok(()),
        }
    }

    async fn ask(&self, action: &str, key: &str, input: &str) -> Result<Outcome, KeychainError> {
        let asked = tokio::time::timeout(self.limit, self.run(action, input)).await;
        asked
            .map_err(|_| KeychainError::Slow {
                program: self.program.clone(),
                key: key.to_owned(),
                limit: self.limit,
            })?
            .map_err(|source| KeychainError::Run {
                program: self.program.clone(),
                source: source.into(),
            })
    }

    /// Dropped in the middle, it kills the program.
    async fn run(&self, action: &str, input: &str) -> std::io::Result<Outcome> {
        let _running = self.output.map(HelperOutput::begin);
        let mut child = Command::new(&self.file)
            .arg(action)
            .env_clear()
            .envs(self.environment.iter())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if self.output.is_some() { Stdio::piped() } else { Stdio::inherit() })
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read has made up its mind already.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let mut forwarding = pin!(forward(child.stderr.take(), self.output).fuse());
        let mut answering = pin!(async {
            let mut output = Vec::new();
            if let Some(stdout) = child.stdout.take() {
                stdout.take(MAX_OUTPUT).read_to_end(&mut output).await?;
            }
            let status = child.wait().await?;
            Ok(((!status.success()).then(|| status.to_string()), output))
        });
        let answer = tokio::select! {
            answer = &mut answering => answer,
            () = &mut forwarding => answering.await,
        };
        // What it has written by now, and no more: what it has started may keep
        // the stream open.
        let _ = forwarding.now_or_never();
        answer
    }

    /// The error of a helper that has ended badly.
    fn failed(&self, doing: &'static str, key: &str, status: &str, answer: &str) -> KeychainError {
        // JSON would be the answer itself, and that is a secret.
        let answer = if answer.contains('{') { "REDACTED" } else { answer.trim() };
        let answer: String = answer.chars().filter(|c| !c.is_control()).take(256).collect();
        self.error(doing, key, format!("{status}, out: `{answer}`"))
    }

    fn error(&self, doing: &'static str, key: &str, problem: String) -> KeychainError {
        KeychainError::Helper { program: self.program.clone(), doing, key: key.to_owned(), problem }
    }

    fn read(
        &self,
        key: &str,
        failed: Option<String>,
        output: &[u8],
    ) -> Result<Credential, KeychainError> {
        let text = String::from_utf8_lossy(output);
        let text = text.trim();
        if let Some(status) = failed {
            if text == NOT_FOUND {
                return Ok(Credential::Anonymous);
            }
            return Err(self.failed("getting", key, &status, text));
        }
        let answer: Option<Answer> = json::read(output).map_err(|_| {
            self.error("getting", key, "its output is not the expected JSON".into())
        })?;
        let Answer { username, secret } = answer.unwrap_or_default();
        Ok(match username.as_str() {
            "" if secret.is_empty() => Credential::Anonymous,
            "<token>" => Credential::IdentityToken(secret),
            _ => Credential::Basic { user: username, password: secret },
        })
    }
}

/// Hands on what comes from a helper's standard error, until its end.
async fn forward(stderr: Option<ChildStderr>, output: Option<&HelperOutput>) {
    let (Some(mut stderr), Some(output)) = (stderr, output) else { return };
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut piece).await {
        output.show(&String::from_utf8_lossy(&piece[..length]));
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
