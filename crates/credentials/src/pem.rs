//! Reads private RSA keys from PEM, and signs JSON web tokens with them (RFC
//! 7519, `RS256`).

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use registry::Secret;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::problem::{Problem, Result};

/// A private key.
pub(crate) struct Key(KeyPair);

impl Key {
    /// Reads the first key of a text.
    pub(crate) fn read(place: impl fmt::Display, pem: &[u8]) -> Result<Self> {
        let wrong = |problem: &str| Problem::malformed(&place, problem);
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| wrong("no private key in PEM"))?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong("the private key is not RSA")),
        };
        pair.map(Self).map_err(|_| wrong("the private key is not an RSA key of 2048 bits or more"))
    }

    /// A signed token.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> Result<Secret> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Problem::malformed("private key", "it cannot sign"))?;
        Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}
