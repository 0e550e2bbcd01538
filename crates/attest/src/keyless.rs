//! Makes what a keyless signature needs (Sigstore): a key that lives as long as a run,
//! the requests to the certificate authority and to timestamp authorities, and the bundle
//! of all answers. It sends nothing.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::envelope::{BUNDLE_TYPE, Envelope};
use crate::key::{SignError, SigningKey};
use crate::pem;

/// Says who signs: an OpenID Connect token. It is a secret.
#[derive(Clone)]
pub struct IdentityToken {
    text: String,
    subject: String,
    issuer: String,
    expires: Option<i64>,
}

/// The issuer and the subject alone.
impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityToken")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// A text is not an identity token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not an OpenID Connect token")]
pub struct TokenError;

impl IdentityToken {
    /// Parses a token. The certificate authority verifies its signature.
    ///
    /// # Errors
    /// The text is not a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut parts = text.trim().split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError);
        };
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError)?;
        let claims: Value = serde_json::from_slice(&claims).map_err(|_| TokenError)?;
        let claim = |name: &str| claims[name].as_str().map(str::to_owned);
        // The authority identifies somebody with a verified address by that address.
        let email = claim("email").filter(|_| is_true(&claims["email_verified"]));
        Ok(Self {
            text: text.trim().to_owned(),
            subject: email.or_else(|| claim("sub")).ok_or(TokenError)?,
            issuer: claim("iss").ok_or(TokenError)?,
            expires: claims["exp"].as_i64(),
        })
    }

    /// The identity that signs.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The URL of the provider that issued the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The time at which the token expires, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// Exposes the token, which lets its holder sign as this identity.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

/// A key of one run.
#[derive(Debug)]
pub struct EphemeralKey(SigningKey);

impl EphemeralKey {
    /// Makes one: ECDSA on P-256.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn generate() -> Result<Self, SignError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        let der = pair.and_then(|pair| pair.to_pkcs8v1()).map_err(|_| SignError)?;
        SigningKey::from_der(der.as_ref()).map(Self).map_err(|_| SignError)
    }

    /// What the authority is sent for a certificate (`/api/v2/signingCert`).
    ///
    /// # Errors
    /// The key does not sign.
    pub fn certificate_request(&self, token: &IdentityToken) -> Result<Value, SignError> {
        let proof = self.0.sign(token.subject.as_bytes())?;
        Ok(json!({
            "publicKeyRequest": {
                "publicKey": { "algorithm": "ECDSA", "content": self.0.public_pem() },
                "proofOfPossession": STANDARD.encode(proof),
            },
        }))
    }

    /// The key, for envelopes.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.0
    }
}

/// A certificate that an authority has given for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate(Vec<u8>);

impl Certificate {
    pub(crate) fn der(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn pem(&self) -> String {
        pem::text("CERTIFICATE", &self.0)
    }

    /// Reads the answer of the authority; `None` if it has no certificate.
    #[must_use]
    pub fn of_answer(answer: &Value) -> Option<Self> {
        let chains = ["signedCertificateEmbeddedSct", "signedCertificateDetachedSct"];
        let chain = chains.iter().find_map(|chain| answer.get(*chain))?;
        let (label, der) = pem::first(chain["chain"]["certificates"][0].as_str()?)?;
        (label == "CERTIFICATE").then_some(Self(der))
    }
}

/// What a timestamp authority is sent (RFC 3161, `TimeStampReq`) of a signature.
#[must_use]
pub fn timestamp_request(envelope: &Envelope) -> Vec<u8> {
    // A sequence of version 1, the hash with its algorithm (SHA-256), and that the
    // certificate is wanted in the answer.
    let mut request = vec![0x30, 57, 2, 1, 1, 0x30, 49, 0x30, 13];
    request.extend([6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32]);
    request.extend(Sha256::digest(envelope.signature()));
    request.extend([1, 1, 0xff]);
    request
}

/// Whether a timestamp authority has given a timestamp: the status in `TimeStampResp`
/// is 0 or 1.
#[must_use]
pub fn is_granted(response: &[u8]) -> bool {
    let content = |bytes: &[u8]| -> Option<Vec<u8>> {
        let (&tag, rest) = bytes.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let skipped = if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) };
        (tag == 0x30).then(|| rest.get(skipped..).map(<[u8]>::to_vec)).flatten()
    };
    let status = content(response).and_then(|response| content(&response));
    status.is_some_and(|status| matches!(status.as_slice(), [2, 1, 0 | 1, ..]))
}

/// A bundle of a keyless signature: what is signed, the certificate of the key, the
/// entries of logs and the timestamps.
#[must_use]
pub fn keyless_bundle(
    envelope: &Envelope,
    certificate: &Certificate,
    entries: &[Value],
    timestamps: &[Vec<u8>],
) -> Vec<u8> {
    let timestamps: Vec<Value> = timestamps
        .iter()
        .map(|timestamp| json!({ "signedTimestamp": STANDARD.encode(timestamp) }))
        .collect();
    let mut material = json!({ "certificate": { "rawBytes": STANDARD.encode(&certificate.0) } });
    if !entries.is_empty() {
        material["tlogEntries"] = entries.into();
    }
    if !timestamps.is_empty() {
        material["timestampVerificationData"] = json!({ "rfc3161Timestamps": timestamps });
    }
    let bundle = json!({
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": envelope.json(),
    });
    bundle.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Statement;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_says_who_signs() {
        let verified = json!({"iss": "i", "sub": "s", "email": "a@b", "email_verified": true});
        let unverified = json!({"iss": "i", "sub": "s", "email": "a@b", "exp": 7});
        for (claims, subject, expires) in [(verified, "a@b", None), (unverified, "s", Some(7))] {
            let token = IdentityToken::parse(&token(&claims)).unwrap();
            assert_eq!((token.subject(), token.issuer()), (subject, "i"));
            assert_eq!(token.expires(), expires);
            assert!(!format!("{token:?}").contains("c2ln"));
        }
        for text in ["", "a.b", "a.b.c", "a.b.c.d", &token(&json!({"sub": "s"}))] {
            assert!(IdentityToken::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timestamp_is_asked_for_as_openssl_asks() {
        let key = EphemeralKey::generate().unwrap();
        let envelope = Envelope::sign(&Statement::signature("1df7"), key.key()).unwrap();
        let request = timestamp_request(&envelope);
        assert_eq!(request.len(), 59);
        assert_eq!(request[24..56], Sha256::digest(envelope.signature())[..]);
        assert!(is_granted(&[0x30, 5, 0x30, 3, 2, 1, 0]));
        assert!(is_granted(&[0x30, 0x82, 0, 5, 0x30, 3, 2, 1, 1, 9]));
        assert!(!is_granted(&[0x30, 5, 0x30, 3, 2, 1, 2]));
        assert!(!is_granted(b"<html>"));
    }

    #[test]
    fn an_answer_has_a_certificate_or_none() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
        let chain = json!({ "chain": { "certificates": [pem] } });
        let answer = json!({ "signedCertificateEmbeddedSct": chain });
        assert_eq!(Certificate::of_answer(&answer), Some(Certificate(vec![0, 1, 2])));
        for answer in [json!({}), json!({"signedCertificateEmbeddedSct": {"chain": {}}})] {
            assert_eq!(Certificate::of_answer(&answer), None);
        }
    }
}
