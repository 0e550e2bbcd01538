//! Writes what transparency logs (Rekor) are sent of a signature, and reads the entries
//! that they answer with, in both versions of their protocol. It sends nothing.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sigstore_verify::rekor::LogEntry;
use sigstore_verify::types::bundle::KindVersion;

use crate::envelope::Envelope;
use crate::keyless::Certificate;

/// A version of the protocol of transparency logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVersion {
    /// An entry says when it was made, and the log promises to keep it.
    V1,
    /// An entry has no time.
    V2,
}

impl LogVersion {
    /// Where entries are sent, below the URL of a log.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::V1 => "/api/v1/log/entries",
            Self::V2 => "/api/v2/log/entries",
        }
    }

    /// What a log is sent.
    #[must_use]
    pub fn request(self, envelope: &Envelope, certificate: &Certificate) -> Value {
        match self {
            Self::V1 => json!({
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "proposedContent": {
                        "envelope": envelope.json().to_string(),
                        "verifiers": [STANDARD.encode(certificate.pem())],
                    },
                },
            }),
            Self::V2 => json!({
                "hashedRekordRequestV002": {
                    "digest": STANDARD.encode(Sha256::digest(envelope.signed())),
                    "signature": {
                        "content": STANDARD.encode(envelope.signature()),
                        "verifier": {
                            "x509Certificate": { "rawBytes": STANDARD.encode(certificate.der()) },
                            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        },
                    },
                },
            }),
        }
    }

    /// Reads the log entry in an answer, in the form that bundles use; `None` if the answer
    /// has no entry with an inclusion proof.
    #[must_use]
    pub fn entry(self, answer: &[u8]) -> Option<Value> {
        let entry: Value = match self {
            Self::V1 => {
                let answer: BTreeMap<String, LogEntry> = serde_json::from_slice(answer).ok()?;
                let entry = answer.into_values().next()?;
                let entry = entry.to_bundle_entry(KindVersion::DsseV001).ok()?;
                serde_json::to_value(entry).ok()?
            }
            Self::V2 => serde_json::from_slice(answer).ok()?,
        };
        entry.get("inclusionProof").is_some().then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_proof_is_none() {
        let hash = "00".repeat(32);
        let zeros = STANDARD.encode([0; 32]);
        let checkpoint = format!("log - 1\n8\n{zeros}\n\n\u{2014} log AAAAAAAAAAA=\n");
        let proof = json!({
            "checkpoint": checkpoint, "hashes": [hash], "logIndex": 7, "rootHash": hash, "treeSize": 8,
        });
        let answer = |verification: Value| {
            json!({ "24296fb24b8ad77a": {
                "body": "e30=", "integratedTime": 7, "logID": hash, "logIndex": 9,
                "verification": verification,
            } })
        };
        let whole = answer(json!({ "inclusionProof": proof, "signedEntryTimestamp": "AAAA" }));
        let entry = LogVersion::V1.entry(whole.to_string().as_bytes()).unwrap();
        assert_eq!(
            entry,
            json!({
                "logIndex": "9",
                "logId": { "keyId": zeros },
                "kindVersion": { "kind": "dsse", "version": "0.0.1" },
                "integratedTime": "7",
                "inclusionPromise": { "signedEntryTimestamp": "AAAA" },
                "inclusionProof": {
                    "logIndex": "7", "rootHash": zeros, "treeSize": "8", "hashes": [zeros],
                    "checkpoint": { "envelope": checkpoint },
                },
                "canonicalizedBody": "e30=",
            })
        );
        let bare = answer(json!({ "signedEntryTimestamp": "AAAA" }));
        for text in ["", "{}", "[]", "<html>", &bare.to_string()] {
            assert_eq!(LogVersion::V1.entry(text.as_bytes()), None, "{text}");
        }
        assert_eq!(LogVersion::V2.entry(br#"{"logIndex":"7"}"#), None);
        assert!(LogVersion::V2.entry(br#"{"inclusionProof":{}}"#).is_some());
    }
}
