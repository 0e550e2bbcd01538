//! Proves to an issuer of tokens that who takes a token is who has begun the login
//! (PKCE, RFC 7636).

use std::fmt;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::key::SignError;

/// A secret, and what is shown of it before.
pub struct ProofKey {
    verifier: String,
    challenge: String,
}

/// The challenge alone.
impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofKey").field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

impl ProofKey {
    /// Makes one.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn generate() -> Result<Self, SignError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| SignError)?;
        Ok(Self::of(URL_SAFE_NO_PAD.encode(bytes)))
    }

    fn of(verifier: String) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        Self { verifier, challenge }
    }

    /// What is sent with the last request: the secret.
    #[must_use]
    pub fn verifier(&self) -> &str {
        &self.verifier
    }

    /// What is sent with the first one.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636.
    #[test]
    fn the_challenge_is_the_hash_of_the_secret() {
        let key = ProofKey::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(key.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(ProofKey::generate().unwrap().verifier().len(), 43);
        assert!(!format!("{key:?}").contains(key.verifier()));
    }
}
