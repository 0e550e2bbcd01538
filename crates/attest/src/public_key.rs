//! Verifies what keys have signed: DSSE envelopes, alone or in a bundle, and the
//! payloads of cosign 2.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::envelope::{PAYLOAD_TYPE, authenticated};
use crate::pem;

/// What stands before the 32 bytes of an Ed25519 key (RFC 8410).
const ED25519_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// What stands before the point of a key on P-256 (RFC 5480).
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 3, 1, 7, 3, 0x42, 0,
];

/// A public key: ECDSA on P-256 with SHA-256, or Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// A point, uncompressed.
    P256(Vec<u8>),
    /// A key of 32 bytes.
    Ed25519(Vec<u8>),
}

/// Why a text is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// It is no PEM, or something else in PEM.
    #[error("there is no public key in PEM in it")]
    NoKey,
    /// It is a key of another kind.
    #[error("it is neither an EC key on P-256 nor an Ed25519 key")]
    Kind,
}

/// Something that was to be signed is not, or not by whom it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotSigned {
    /// Why it does not count.
    pub reason: String,
}

impl NotSigned {
    #[allow(clippy::needless_pass_by_value, reason = "errors are mapped to it")]
    pub(crate) fn because(reason: impl ToString) -> Self {
        Self { reason: reason.to_string() }
    }

    pub(crate) fn no_statement() -> Self {
        Self::because("there is no statement in it")
    }
}

impl PublicKey {
    /// Reads a public key in PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// It is no such key.
    pub fn from_pem(text: &str) -> Result<Self, PublicKeyError> {
        let found = pem::first(text).filter(|(label, _)| *label == "PUBLIC KEY");
        let (_, der) = found.ok_or(PublicKeyError::NoKey)?;
        if let Some(key) = der.strip_prefix(&ED25519_HEAD).filter(|key| key.len() == 32) {
            return Ok(Self::Ed25519(key.to_owned()));
        }
        let point = der.strip_prefix(&P256_HEAD).filter(|point| point.len() == 65);
        Ok(Self::P256(point.ok_or(PublicKeyError::Kind)?.to_owned()))
    }

    /// What bundles call the key: the hash of it, in base64.
    #[must_use]
    pub fn hint(&self) -> String {
        let (head, key) = match self {
            Self::P256(key) => (&P256_HEAD[..], key),
            Self::Ed25519(key) => (&ED25519_HEAD[..], key),
        };
        STANDARD.encode(Sha256::digest([head, key].concat()))
    }

    /// Whether the key has signed a payload; `signature` is in base64.
    #[must_use]
    pub fn has_signed(&self, payload: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let verified = match self {
            Self::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(payload, &signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(payload, &signature),
        };
        verified.is_ok()
    }

    /// The statement in an envelope or bundle, if the key has signed it.
    ///
    /// # Errors
    /// It is neither, or the key has not signed it.
    pub fn statement(&self, json: &[u8]) -> Result<VerifiedStatement, NotSigned> {
        let (payload, signatures) = parts(json).ok_or_else(NotSigned::no_statement)?;
        let signed = authenticated(PAYLOAD_TYPE, &payload);
        if !signatures.iter().any(|signature| self.has_signed(&signed, signature)) {
            return Err(NotSigned::because("the key has not signed it"));
        }
        VerifiedStatement::parse(&payload).ok_or_else(NotSigned::no_statement)
    }
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VerifiedStatement {
    /// The SHA-256 of what it is about, in hex.
    pub subjects: Vec<String>,
    /// What kind of predicate it has.
    pub predicate_type: String,
    /// The predicate.
    pub predicate: Value,
}

impl VerifiedStatement {
    /// Reads the statement in an envelope or bundle without verifying a signature.
    ///
    /// # Errors
    /// The JSON is neither an envelope nor a bundle.
    pub fn unverified(json: &[u8]) -> Result<Self, NotSigned> {
        let (payload, _) = parts(json).ok_or_else(NotSigned::no_statement)?;
        Self::parse(&payload).ok_or_else(NotSigned::no_statement)
    }

    /// Whether it is about something of this SHA-256.
    #[must_use]
    pub fn is_about(&self, sha256: &str) -> bool {
        self.subjects.iter().any(|subject| subject == sha256)
    }

    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let statement: Value = serde_json::from_slice(payload).ok()?;
        let subjects = statement["subject"].as_array()?.iter();
        let sha256 = |subject: &Value| subject["digest"]["sha256"].as_str().map(str::to_owned);
        Some(Self {
            subjects: subjects.filter_map(sha256).collect(),
            predicate_type: statement["predicateType"].as_str()?.to_owned(),
            predicate: statement["predicate"].clone(),
        })
    }
}

/// The payload of an envelope, which may be in a bundle, and its signatures.
fn parts(json: &[u8]) -> Option<(Vec<u8>, Vec<String>)> {
    let document: Value = serde_json::from_slice(json).ok()?;
    let envelope = document.get("dsseEnvelope").unwrap_or(&document);
    if envelope["payloadType"] != PAYLOAD_TYPE {
        return None;
    }
    let payload = STANDARD.decode(envelope["payload"].as_str()?).ok()?;
    let signatures = envelope["signatures"].as_array()?.iter();
    let text = |entry: &Value| entry["sig"].as_str().map(str::to_owned);
    Some((payload, signatures.filter_map(text).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Envelope, SigningKey, Statement, bundle, simple_signing};

    /// Made by cosign 3.1.3 with the password `pw`, and its public key.
    const PRIVATE: &str = include_str!("../tests/cosign.key");
    const PUBLIC: &str = include_str!("../tests/cosign.pub");

    #[test]
    fn what_a_key_has_signed_is_verified() {
        let private = SigningKey::from_pem(PRIVATE, Some(b"pw")).unwrap();
        let key = PublicKey::from_pem(PUBLIC).unwrap();
        let envelope = Envelope::sign(&Statement::signature("1df7"), &private).unwrap();
        for text in [envelope.to_vec(), bundle(&envelope, &private.hint())] {
            let said = key.statement(&text).unwrap();
            assert_eq!(said.predicate_type, crate::COSIGN_SIGN);
            assert!(said.is_about("1df7") && !said.is_about("1df8"));
            let text = String::from_utf8(text).unwrap();
            let (_, payload) = text.split_once(r#""payload":""#).unwrap();
            let payload = payload.split_once('"').unwrap().0;
            let other = STANDARD.decode(payload).unwrap();
            let other = String::from_utf8(other).unwrap().replace("1df7", "1df8");
            let forged = text.replace(payload, &STANDARD.encode(other));
            assert!(key.statement(forged.as_bytes()).is_err());
            assert!(VerifiedStatement::unverified(forged.as_bytes()).unwrap().is_about("1df8"));
        }
        assert_eq!(key.hint(), private.hint());
        let payload = simple_signing("r.io/app", "sha256:1df7");
        let signature = STANDARD.encode(private.sign(&payload).unwrap());
        assert!(key.has_signed(&payload, &signature));
        assert!(!key.has_signed(&payload[1..], &signature));
        assert!(!key.has_signed(&payload, "!"));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let other = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        for (text, want) in [
            ("", PublicKeyError::NoKey),
            (PRIVATE, PublicKeyError::NoKey),
            (other, PublicKeyError::Kind),
        ] {
            assert_eq!(PublicKey::from_pem(text), Err(want));
        }
        for text in ["", "{}", r#"{"payloadType":"x"}"#, r#"{"dsseEnvelope":[]}"#] {
            assert!(VerifiedStatement::unverified(text.as_bytes()).is_err());
        }
    }
}
