//! Holds private keys, and signs with them.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::{encrypted, pem};

/// A private key: ECDSA on P-256 with SHA-256, or Ed25519.
pub struct SigningKey {
    pair: Pair,
    public: Vec<u8>,
}

enum Pair {
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// The public part: the private one cannot be printed.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.hint()).finish_non_exhaustive()
    }
}

/// Why a text is no key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// It is no PEM.
    #[error("there is no private key in PEM in it")]
    NoPem,
    /// It is something else in PEM.
    #[error("it is a {label}, and no private key")]
    Label {
        /// What PEM calls it.
        label: String,
    },
    /// It is encrypted, and there is no password.
    #[error("it is encrypted, and there is no password for it")]
    NoPassword,
    /// It cannot be opened with this password.
    #[error("it cannot be opened: the password is wrong, or the file is damaged")]
    Password,
    /// It is encrypted in a way that cosign does not use.
    #[error("it is encrypted with {kdf} and {cipher}, and not as cosign does")]
    Cipher {
        /// What makes a key of the password.
        kdf: String,
        /// What encrypts.
        cipher: String,
    },
    /// What is encrypted cannot be read.
    #[error("its encryption cannot be read")]
    Malformed,
    /// It is a key of another kind.
    #[error("it is neither an EC key on P-256 nor an Ed25519 key")]
    Kind,
}

impl SigningKey {
    /// Reads the first key of a text in PEM: PKCS #8, SEC 1, or encrypted as cosign
    /// does. The password is asked for only where it is needed.
    ///
    /// # Errors
    /// It is no such key, or does not open.
    pub fn from_pem(text: &str, password: Option<&[u8]>) -> Result<Self, SigningKeyError> {
        let (label, der) = pem::first(text).ok_or(SigningKeyError::NoPem)?;
        match label {
            "PRIVATE KEY" | "EC PRIVATE KEY" => Self::from_der(&der),
            label if encrypted::LABELS.contains(&label) => {
                let password = password.ok_or(SigningKeyError::NoPassword)?;
                Self::from_der(&encrypted::open(&der, password)?)
            }
            label => Err(SigningKeyError::Label { label: label.to_owned() }),
        }
    }

    pub(crate) fn from_der(der: &[u8]) -> Result<Self, SigningKeyError> {
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(algorithm, der) {
            let public: Result<PublicKeyX509Der<'_>, Unspecified> = pair.public_key().as_der();
            let public = public.map_err(|_| SigningKeyError::Kind)?.as_ref().to_vec();
            return Ok(Self { pair: Pair::P256(Box::new(pair)), public });
        }
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| SigningKeyError::Kind)?;
        let public: Result<PublicKeyX509Der<'_>, Unspecified> = pair.public_key().as_der();
        let public = public.map_err(|_| SigningKeyError::Kind)?.as_ref().to_vec();
        Ok(Self { pair: Pair::Ed25519(Box::new(pair)), public })
    }

    /// What bundles call the key: the hash of its public part, in base64.
    #[must_use]
    pub fn hint(&self) -> String {
        STANDARD.encode(Sha256::digest(&self.public))
    }

    /// Its public part, in PEM.
    pub(crate) fn public_pem(&self) -> String {
        pem::text("PUBLIC KEY", &self.public)
    }

    /// Signs. Of an ECDSA key, another signature comes each time.
    ///
    /// # Errors
    /// The library fails, as where there is no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::P256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// The key does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key does not sign")]
pub struct SignError;

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};

    use super::*;

    /// Made by cosign 3.1.3 with the password `pw`, and its public key.
    const ENCRYPTED: &str = include_str!("../tests/cosign.key");
    const PUBLIC: &str = include_str!("../tests/cosign.pub");

    #[test]
    fn a_key_of_cosign_opens_with_its_password() {
        let key = SigningKey::from_pem(ENCRYPTED, Some(b"pw")).unwrap();
        let (_, public) = pem::first(PUBLIC).unwrap();
        assert_eq!(key.public, public);
        assert_eq!(key.hint(), "ueF8XdjTngIYmqKEd9ZAviqT1TowCA7urrmiX5IxI00=");
        let signature = key.sign(b"x").unwrap();
        let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.public);
        verifier.verify(b"x", &signature).unwrap();
        assert!(verifier.verify(b"y", &signature).is_err());
        for (password, want) in
            [(None, SigningKeyError::NoPassword), (Some(&b"pww"[..]), SigningKeyError::Password)]
        {
            assert_eq!(SigningKey::from_pem(ENCRYPTED, password).unwrap_err(), want);
        }
        assert!(!format!("{key:?}").contains("pair"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let of = |label: &str, body: &str| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(body))
        };
        let sealed = |n: u64, kdf: &str, nonce: &str| {
            let json = format!(
                r#"{{"kdf":{{"name":"{kdf}","params":{{"N":{n},"r":8,"p":1}},"salt":"AA=="}},"cipher":{{"name":"nacl/secretbox","nonce":"{nonce}"}},"ciphertext":"AAAA"}}"#
            );
            of("ENCRYPTED SIGSTORE PRIVATE KEY", &json)
        };
        let nonce = STANDARD.encode([0; 24]);
        let label = |label: &str| SigningKeyError::Label { label: label.to_owned() };
        for (text, want) in [
            (String::new(), SigningKeyError::NoPem),
            ("-----BEGIN PRIVATE KEY-----\n!".to_owned(), SigningKeyError::NoPem),
            (PUBLIC.to_owned(), label("PUBLIC KEY")),
            (of("ENCRYPTED PRIVATE KEY", "x"), label("ENCRYPTED PRIVATE KEY")),
            (of("PRIVATE KEY", "x"), SigningKeyError::Kind),
            (of("ENCRYPTED COSIGN PRIVATE KEY", "{}"), SigningKeyError::Malformed),
            (sealed(1 << 40, "scrypt", &nonce), SigningKeyError::Malformed),
            (sealed(65537, "scrypt", &nonce), SigningKeyError::Malformed),
            (sealed(2, "scrypt", "AAAA"), SigningKeyError::Malformed),
            (sealed(2, "scrypt", &nonce), SigningKeyError::Malformed),
            (
                sealed(2, "argon2", &nonce),
                SigningKeyError::Cipher { kdf: "argon2".into(), cipher: "nacl/secretbox".into() },
            ),
        ] {
            assert_eq!(SigningKey::from_pem(&text, Some(b"x")).unwrap_err(), want, "{text}");
        }
    }

    #[test]
    fn plain_keys_are_read() {
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        let der = ed25519.to_pkcs8().unwrap();
        let body = STANDARD.encode(der.as_ref());
        let text = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let key = SigningKey::from_pem(&text, None).unwrap();
        let verifier = UnparsedPublicKey::new(&ED25519, ed25519.public_key().as_ref());
        verifier.verify(b"x", &key.sign(b"x").unwrap()).unwrap();
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let der = p256.to_pkcs8v1().unwrap();
        let body = STANDARD.encode(der.as_ref());
        let text = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        assert!(matches!(SigningKey::from_pem(&text, None).unwrap().pair, Pair::P256(_)));
    }
}
