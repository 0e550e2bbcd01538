//! Signs statements: DSSE envelopes, and sigstore bundles (v0.3) around them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::key::{SignError, SigningKey};
use crate::statement::Statement;

/// The media type of a bundle.
pub const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// What is signed.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A statement with a signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Envelope {
    /// Signs a statement.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn sign(statement: &Statement, key: &SigningKey) -> Result<Self, SignError> {
        let mut envelope = Self::unsigned(statement);
        envelope.signature = key.sign(&envelope.signed())?;
        Ok(envelope)
    }

    /// The envelope of a statement that somebody else signs
    /// ([`with_signature`](Self::with_signature)).
    #[must_use]
    pub fn unsigned(statement: &Statement) -> Self {
        Self { payload: statement.to_vec(), signature: Vec::new() }
    }

    /// What is signed of it.
    #[must_use]
    pub fn signed(&self) -> Vec<u8> {
        authenticated(PAYLOAD_TYPE, &self.payload)
    }

    /// The same with a signature of [`signed`](Self::signed).
    #[must_use]
    pub fn with_signature(self, signature: Vec<u8>) -> Self {
        Self { signature, ..self }
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The envelope, as cosign 2 attaches it.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "payload": STANDARD.encode(&self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": STANDARD.encode(&self.signature) }],
        })
    }
}

/// A bundle, as cosign 3 attaches it: what is signed, and what the key is called.
#[must_use]
pub fn bundle(envelope: &Envelope, hint: &str) -> Vec<u8> {
    let bundle = json!({
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": { "publicKey": { "hint": hint } },
        "dsseEnvelope": envelope.json(),
    });
    bundle.to_string().into_bytes()
}

/// What is signed of a payload (DSSE, "PAE").
pub(crate) fn authenticated(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut text = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    text.extend_from_slice(payload);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of DSSE's protocol.
    #[test]
    fn what_is_signed_says_how_long_it_is() {
        assert_eq!(
            authenticated("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn a_bundle_is_what_cosign_writes() {
        let key = SigningKey::from_pem(include_str!("../tests/cosign.key"), Some(b"pw")).unwrap();
        let envelope = Envelope::sign(&Statement::signature("1df7"), &key).unwrap();
        assert_eq!(
            String::from_utf8(envelope.payload.clone()).unwrap(),
            r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"1df7"},"annotations":{}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}"#
        );
        let text = String::from_utf8(bundle(&envelope, &key.hint())).unwrap();
        let head = r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"ueF8XdjTngIYmqKEd9ZAviqT1TowCA7urrmiX5IxI00="}},"dsseEnvelope":{"payload":"eyJf"#;
        assert!(text.starts_with(head), "{text}");
        assert!(
            text.contains(r#","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"#)
        );
    }
}
