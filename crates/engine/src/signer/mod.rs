//! Signs: with a key at hand, with one that a program holds, or without any.

mod exchange;
mod key_program;
mod keyless;
mod login;
mod services;

use std::sync::Arc;

use attest::{Envelope, SignError, SigningKey, Statement, bundle};
use once::blocking;

pub use self::exchange::KeylessError;
pub use self::key_program::{KeyProgram, KeyProgramError};
pub use self::keyless::{Keyless, TokenSource};
pub use self::login::{LoginPage, log_in};
pub use self::services::{SigningConfigError, SigningServices};

/// Who signs.
#[derive(Debug, Clone)]
pub enum Signer {
    /// A key at hand.
    Key(Arc<SigningKey>),
    /// A key that a program holds.
    Program(Arc<KeyProgram>),
    /// Whoever a token says.
    Keyless(Arc<Keyless>),
}

/// Why something is not signed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The key does not sign.
    #[error(transparent)]
    Key(#[from] SignError),
    /// The program that holds the key does not sign.
    #[error(transparent)]
    Program(#[from] KeyProgramError),
    /// A service of Sigstore does not help.
    #[error(transparent)]
    Keyless(#[from] KeylessError),
    /// Signatures for cosign 2 are those of keys.
    #[error("keyless signatures are bundles: they have no legacy format")]
    Legacy,
}

impl SignerError {
    /// What a user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Keyless(error) => error.hint(),
            Self::Program(error) => error.hint(),
            _ => None,
        }
    }
}

impl Signer {
    /// Names the key, or who signs: so it is seen in a list what they have signed.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Key(key) => key.hint(),
            Self::Program(program) => program.hint(),
            Self::Keyless(keyless) => keyless.hint(),
        }
    }

    /// Signs a statement, as a bundle.
    pub(crate) async fn bundle(&self, statement: Statement) -> Result<Vec<u8>, SignerError> {
        match self {
            Self::Keyless(keyless) => Ok(keyless.bundle(&statement).await?),
            _ => Ok(bundle(&self.envelope(statement).await?, &self.hint())),
        }
    }

    /// Signs a statement.
    pub(crate) async fn envelope(&self, statement: Statement) -> Result<Envelope, SignerError> {
        let envelope = Envelope::unsigned(&statement);
        let signature = self.sign(envelope.signed()).await?;
        Ok(envelope.with_signature(signature))
    }

    /// Signs a message.
    pub(crate) async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, SignerError> {
        match self {
            Self::Key(key) => {
                let key = Arc::clone(key);
                Ok(blocking(move || key.sign(&message)).await?)
            }
            Self::Program(program) => Ok(program.sign(message).await?),
            Self::Keyless(_) => Err(SignerError::Legacy),
        }
    }
}
