//! Signs with a key that a program holds, such as one of a KMS or an HSM: plug-ins of
//! Sigstore (`sigstore-kms-NAME`, version 1 of their protocol). What it says is checked.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use attest::{PublicKey, PublicKeyError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cancel::Cancel;
use golang::{ChildError, Environment, command, feed_child, find_in_path};
use once::blocking;
use serde_json::{Value, json};
use tokio::time::timeout;

/// What the names of plug-ins begin with.
const PREFIX: &str = "sigstore-kms-";

/// SHA-256, as Go numbers hashes.
const SHA256: u8 = 5;

/// How much of what a program says is shown.
const SHOWN: usize = 1000;

/// A key that a program holds.
#[derive(Debug)]
pub struct KeyProgram {
    program: PathBuf,
    /// The key, in the program's words.
    resource: String,
    environment: Environment,
    dir: PathBuf,
    limit: Duration,
    public: PublicKey,
}

/// Why a program does not sign.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyProgramError {
    /// There is no such program.
    #[error("there is no {program} in PATH, which would hold the key")]
    Missing {
        /// Its name.
        program: String,
    },
    /// It cannot be run.
    #[error("running {program}")]
    Run {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: std::sync::Arc<ChildError>,
    },
    /// It goes on for too long.
    #[error("{program} has not answered within {limit:?}", program = program.display())]
    Hangs {
        /// The program.
        program: PathBuf,
        /// How long it may take.
        limit: Duration,
    },
    /// It says that it cannot.
    #[error("{program} says: {message}", program = program.display())]
    Says {
        /// The program.
        program: PathBuf,
        /// What it says.
        message: String,
    },
    /// Its answer is not one of the protocol.
    #[error("{program} answers something else than {want}", program = program.display())]
    Answer {
        /// The program.
        program: PathBuf,
        /// What it should answer.
        want: &'static str,
    },
    /// Its public key cannot be used.
    #[error("the key of {program}", program = program.display())]
    Key {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: PublicKeyError,
    },
    /// Its signature is not one of its key.
    #[error("what {program} gives is no signature of its own key", program = program.display())]
    Lies {
        /// The program.
        program: PathBuf,
    },
}

impl KeyProgramError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } => {
                "a key is a file, env://VARIABLE, or NAME://KEY of a plug-in of Sigstore, sigstore-kms-NAME"
            }
            Self::Hangs { .. } => "KO_SIGNINGTIMEOUT lets it take longer, as in 2m",
            Self::Lies { .. } | Self::Answer { .. } => {
                "is it a plug-in of Sigstore (sigstore-kms-…)?"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl KeyProgram {
    /// Asks the program of `NAME://KEY` for its public key. Whatever it is asked, it may
    /// take as long as `limit`.
    ///
    /// # Errors
    /// There is no such program, or it does not say.
    pub async fn open(
        uri: &str,
        environment: Environment,
        dir: PathBuf,
        limit: Duration,
    ) -> Result<Self, KeyProgramError> {
        let (name, resource) = uri.split_once("://").unwrap_or((uri, ""));
        let program = format!("{PREFIX}{name}");
        let found = find_in_path(program.as_ref(), &environment);
        let program = found.ok_or(KeyProgramError::Missing { program })?;
        // Nothing is signed before its key is known.
        let public = PublicKey::Ed25519(Vec::new());
        let resource = resource.to_owned();
        let mut opened = Self { program, resource, environment, dir, limit, public };
        let arguments = json!({ "publicKeyOptions": { "rpcOptions": {} } });
        let answer = opened.call("publicKey", arguments, Vec::new()).await?;
        let program = || opened.program.clone();
        let pem = answer["publicKeyPEM"].as_str().and_then(|text| STANDARD.decode(text).ok());
        let pem = pem.and_then(|pem| String::from_utf8(pem).ok());
        let pem = pem
            .ok_or_else(|| KeyProgramError::Answer { program: program(), want: "a public key" })?;
        let public = PublicKey::from_pem(&pem)
            .map_err(|source| KeyProgramError::Key { program: program(), source })?;
        opened.public = public;
        Ok(opened)
    }

    /// What bundles call the key.
    pub(crate) fn hint(&self) -> String {
        self.public.hint()
    }

    /// Signs.
    pub(crate) async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, KeyProgramError> {
        let arguments = json!({ "signOptions": { "rpcOptions": {}, "messageOptions": {} } });
        let answer = self.call("signMessage", arguments, message.clone()).await?;
        let program = || self.program.clone();
        let text = answer["signature"].as_str().unwrap_or_default();
        let signature = STANDARD
            .decode(text)
            .map_err(|_| KeyProgramError::Answer { program: program(), want: "a signature" })?;
        match self.public.has_signed(&message, text) {
            true => Ok(signature),
            false => Err(KeyProgramError::Lies { program: program() }),
        }
    }

    /// Runs the program once: it answers with what the method returns.
    async fn call(
        &self,
        method: &'static str,
        arguments: Value,
        input: Vec<u8>,
    ) -> Result<Value, KeyProgramError> {
        let deadline = SystemTime::now() + self.limit;
        let deadline = jiff::Timestamp::try_from(deadline).map(|time| time.to_string());
        let mut words = json!({
            "initOptions": {
                "protocolVersion": "v1",
                "keyResourceID": self.resource,
                "hashFunc": SHA256,
                "rpcOptions": {},
            },
            "methodName": method,
        });
        words[method] = arguments;
        if let Ok(deadline) = deadline {
            words["initOptions"]["ctxDeadline"] = deadline.into();
        }
        let mut command = command(&self.program, &self.dir, &self.environment);
        command.args(["v1", &words.to_string()]);
        let (cancel, program) = (Cancel::new(), || self.program.clone());
        let run = {
            let cancel = cancel.clone();
            blocking(move || {
                // It may not read all of it, or none.
                feed_child(command, &cancel, |mut stdin| _ = stdin.write_all(&input))
            })
        };
        let Ok(ended) = timeout(self.limit, run).await else {
            cancel.cancel();
            return Err(KeyProgramError::Hangs { program: program(), limit: self.limit });
        };
        let (output, ()) = ended
            .map_err(|source| KeyProgramError::Run { program: program(), source: source.into() })?;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let says = |text: &str| text.trim().chars().take(SHOWN).collect::<String>();
        if let Some(message) = answer["errorMessage"].as_str().filter(|text| !text.is_empty()) {
            return Err(KeyProgramError::Says { program: program(), message: says(message) });
        }
        match answer.get(method) {
            Some(answer) => Ok(answer.clone()),
            None => {
                let message = says(&String::from_utf8_lossy(&output.stderr));
                let program = program();
                Err(match message.is_empty() {
                    true => KeyProgramError::Answer { program, want: "version 1 of the protocol" },
                    false => KeyProgramError::Says { program, message },
                })
            }
        }
    }
}
