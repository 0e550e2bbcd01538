//! Verifies signatures against an expected signer: a public key, or the identity in the
//! certificate of a keyless bundle. A trusted root lists the certificate authorities,
//! transparency logs and timestamp authorities that are accepted.

use std::fmt;

use sigstore_verify::trust_root::TrustedRoot as Document;
use sigstore_verify::types::{Bundle, Sha256Hash, SignatureContent};
use sigstore_verify::{VerificationPolicy, Verifier};

use crate::identity::{ExpectedIdentity, Identity};
use crate::public_key::{NotSigned, PublicKey, VerifiedStatement};

/// The most bytes of a bundle that are read.
const BUNDLE: usize = 32 << 20;

/// The certificate authorities, transparency logs and timestamp authorities that are accepted.
pub struct TrustedRoot {
    verifier: Verifier,
    has_logs: bool,
    has_certificate_logs: bool,
}

impl fmt::Debug for TrustedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedRoot")
            .field("has_logs", &self.has_logs)
            .field("has_certificate_logs", &self.has_certificate_logs)
            .finish_non_exhaustive()
    }
}

/// A text cannot be used as a trusted root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedRootError {
    /// The text is not a trusted root, or is damaged.
    #[error("it is no trusted root of a Sigstore: {reason}")]
    Format {
        /// What is wrong.
        reason: String,
    },
    /// The root lists no certificate authority, so it accepts no signature.
    #[error("it names no certificate authority")]
    NoAuthority,
}

impl TrustedRoot {
    /// Parses a trusted root (`application/vnd.dev.sigstore.trustedroot+json`).
    ///
    /// # Errors
    /// The text is not a trusted root, or the root lists no certificate authority.
    pub fn parse(json: &str) -> Result<Self, TrustedRootError> {
        let wrong = |reason: String| TrustedRootError::Format { reason };
        let document = Document::from_json(json).map_err(|error| wrong(error.to_string()))?;
        if document.certificate_authorities.is_empty() {
            return Err(TrustedRootError::NoAuthority);
        }
        let verifier = Verifier::new(&document).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            verifier,
            has_logs: !document.tlogs.is_empty(),
            has_certificate_logs: !document.ctlogs.is_empty(),
        })
    }

    /// Verifies a keyless bundle: its signature, the chain of its certificate at the time
    /// that a clock says, and that all logs which are known have it. Returns who has signed
    /// what.
    fn statement(&self, json: &[u8]) -> Result<(VerifiedStatement, Identity), NotSigned> {
        if json.len() > BUNDLE {
            return Err(NotSigned::because("it is too long"));
        }
        let text = std::str::from_utf8(json).map_err(NotSigned::because)?;
        let bundle = Bundle::from_json(text).map_err(NotSigned::because)?;
        if bundle.signing_certificate().is_none() {
            return Err(NotSigned::because("it is signed by a key, without a certificate"));
        }
        // Of what is verified, and of no other reading of the same text.
        let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
            return Err(NotSigned::no_statement());
        };
        let said = VerifiedStatement::parse(envelope.payload.as_bytes());
        let said = said.ok_or_else(NotSigned::no_statement)?;
        // The statement itself says what it is about; the caller holds that to the image.
        let subject = said.subjects.first();
        let subject = subject.ok_or_else(|| NotSigned::because("it is about nothing"))?;
        let digest = Sha256Hash::from_hex(subject).map_err(NotSigned::because)?;
        // What a trusted root knows is demanded. Who runs a Sigstore without a log says so
        // by naming none.
        let mut policy = VerificationPolicy::any_identity();
        if !self.has_logs {
            policy = policy.skip_tlog_unsafe();
        }
        if !self.has_certificate_logs {
            policy = policy.skip_sct();
        }
        let verified = self.verifier.verify(digest, &bundle, &policy);
        let verified = verified.map_err(NotSigned::because)?;
        let nobody = || NotSigned::because("its certificate names nobody");
        let subject = verified.identity().ok_or_else(nobody)?.as_str().to_owned();
        let issuer = verified.issuer().ok_or_else(nobody)?.to_owned();
        Ok((said, Identity { subject, issuer }))
    }
}

/// The signer that is expected.
#[derive(Debug)]
pub enum ExpectedSigner {
    /// The holder of a key.
    Key(PublicKey),
    /// The identity that a certificate names.
    Identity {
        /// The identities that are accepted.
        expected: ExpectedIdentity,
        /// The root that its certificate must lead to.
        root: Box<TrustedRoot>,
    },
}

impl ExpectedSigner {
    /// The statement in an envelope or bundle, and who has signed it, where that is not
    /// the key.
    ///
    /// # Errors
    /// It is neither, or somebody else has signed it, or nobody.
    pub fn statement(
        &self,
        json: &[u8],
    ) -> Result<(VerifiedStatement, Option<Identity>), NotSigned> {
        match self {
            Self::Key(key) => Ok((key.statement(json)?, None)),
            Self::Identity { expected, root } => {
                let (statement, identity) = root.statement(json)?;
                match expected.accepts(&identity) {
                    true => Ok((statement, Some(identity))),
                    false => Err(NotSigned::because(format_args!("{identity} has signed it"))),
                }
            }
        }
    }

    /// Whether the key has signed a payload without a bundle, as cosign 2 does. An identity
    /// cannot sign that way.
    #[must_use]
    pub fn has_signed(&self, payload: &[u8], signature: &str) -> bool {
        matches!(self, Self::Key(key) if key.has_signed(payload, signature))
    }
}

impl fmt::Display for ExpectedSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(_) => f.write_str("the key"),
            Self::Identity { expected, .. } => expected.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;
    use crate::identity::Expected;

    /// What a Sigstore on loopback vouches for (Fulcio 1.8.8, Rekor 2.3.0,
    /// timestamp-authority 2.1.3): `integrations/sigstore/check.sh` makes another one.
    const ROOT: &str = include_str!("../tests/keyless/trusted-root.json");
    /// What this program has signed there: an image, and its provenance.
    const SIGNATURE: &str = include_str!("../tests/keyless/signature.json");
    const PROVENANCE: &str = include_str!("../tests/keyless/provenance.json");
    /// The same image, signed where another timestamp authority was right, and where its
    /// clock was an hour fast: openssl 3.0 under faketime.
    const LATE_ROOT: &str = include_str!("../tests/keyless/late-root.json");
    const IN_TIME: &str = include_str!("../tests/keyless/in-time.json");
    const LATE: &str = include_str!("../tests/keyless/late.json");
    const IMAGE: &str = "75ad11ffed4f40a69d4d3cb0bdcfa6582349539cdb49ca1d7102b5e61ab9b2d1";
    const SUBJECT: &str = "dev@example.com";
    const ISSUER: &str = "http://127.0.0.1:8999";

    fn signer(root: &Value, subject: &str, issuer: &str) -> ExpectedSigner {
        let exactly = |text: &str| Expected::Exactly(text.to_owned());
        let expected = ExpectedIdentity { subject: exactly(subject), issuer: exactly(issuer) };
        let root = Box::new(TrustedRoot::parse(&root.to_string()).unwrap());
        ExpectedSigner::Identity { expected, root }
    }

    fn root() -> Value {
        serde_json::from_str(ROOT).unwrap()
    }

    fn why(signer: &ExpectedSigner, bundle: &Value) -> String {
        signer.statement(bundle.to_string().as_bytes()).unwrap_err().reason
    }

    #[test]
    fn whoever_a_certificate_names_has_signed() {
        let expected = signer(&root(), SUBJECT, ISSUER);
        for (text, kind) in [(SIGNATURE, crate::COSIGN_SIGN), (PROVENANCE, crate::SLSA_PROVENANCE)]
        {
            let (said, identity) = expected.statement(text.as_bytes()).unwrap();
            assert_eq!(said.predicate_type, kind);
            assert!(said.is_about(IMAGE));
            assert_eq!(identity.unwrap().to_string(), format!("{SUBJECT} (by {ISSUER})"));
        }
        let bundle: Value = serde_json::from_str(SIGNATURE).unwrap();
        for (subject, issuer) in [("other@example.com", ISSUER), (SUBJECT, "https://i"), ("", "")] {
            let want = format!("{SUBJECT} (by {ISSUER}) has signed it");
            assert_eq!(why(&signer(&root(), subject, issuer), &bundle), want);
        }
        // A key is somebody else, and so is a certificate to a key.
        let key = include_str!("../tests/cosign.key");
        let key = crate::SigningKey::from_pem(key, Some(b"pw")).unwrap();
        let envelope = crate::Envelope::sign(&crate::Statement::signature(IMAGE), &key).unwrap();
        let by_key = crate::bundle(&envelope, &key.hint());
        let reason = expected.statement(&by_key).unwrap_err().reason;
        assert_eq!(reason, "it is signed by a key, without a certificate");
        let public = PublicKey::from_pem(include_str!("../tests/cosign.pub")).unwrap();
        let by_identity = ExpectedSigner::Key(public);
        assert_eq!(why(&by_identity, &bundle), "the key has not signed it");
        assert!(!expected.has_signed(b"", ""));
    }

    /// The parts of a bundle that are signed.
    fn decisive(bundle: &Value) -> [&Value; 4] {
        let material = &bundle["verificationMaterial"];
        let entry = &material["tlogEntries"][0];
        let checkpoint = &entry["inclusionProof"]["checkpoint"];
        let certificate = &material["certificate"];
        [&bundle["dsseEnvelope"], certificate, &entry["canonicalizedBody"], checkpoint]
    }

    #[test]
    fn hostile_bundles_are_refused() {
        let expected = signer(&root(), SUBJECT, ISSUER);
        let bundle: Value = serde_json::from_str(SIGNATURE).unwrap();
        let other: Value = serde_json::from_str(PROVENANCE).unwrap();
        let material = "verificationMaterial";
        let change = |change: &dyn Fn(&mut Value)| {
            let mut changed = bundle.clone();
            change(&mut changed);
            why(&expected, &changed)
        };
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let payload = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
        let forged = STANDARD.encode(payload.replace("75ad11", "75ad12"));
        // Each says which part does not hold.
        for (said, want) in [
            (change(&|it| it["dsseEnvelope"]["payload"] = json!(forged)), "signature"),
            (change(&|it| it["dsseEnvelope"] = other["dsseEnvelope"].clone()), ""),
            (change(&|it| it[material] = other[material].clone()), ""),
            (change(&|it| it[material]["tlogEntries"] = json!([])), "inclusion proof"),
            (
                change(&|it| {
                    it[material]["tlogEntries"] = other[material]["tlogEntries"].clone();
                }),
                "hashedrekord entry",
            ),
            (change(&|it| it[material]["timestampVerificationData"] = json!({})), "timestamp"),
            (
                change(&|it| {
                    it[material]["timestampVerificationData"] =
                        other[material]["timestampVerificationData"].clone();
                }),
                "imestamp",
            ),
            (
                change(&|it| {
                    let proof = &mut it[material]["tlogEntries"][0]["inclusionProof"];
                    let note = proof["checkpoint"]["envelope"].as_str().unwrap();
                    let note = note.replace("rekor.local\n", "rekor.local\n1");
                    proof["checkpoint"]["envelope"] = note.into();
                }),
                "inclusion proof",
            ),
            (
                change(&|it| {
                    let body = &other[material]["tlogEntries"][0]["canonicalizedBody"];
                    it[material]["tlogEntries"][0]["canonicalizedBody"] = body.clone();
                }),
                "root hash",
            ),
            (change(&|it| it[material] = json!({})), ""),
            (change(&|it| *it = json!({})), ""),
            (change(&|it| *it = json!("x")), ""),
        ] {
            assert!(said.contains(want), "{want}: {said}");
        }
        // Whatever is changed in one place, nothing else is believed, and nothing falls over.
        let text = bundle.to_string();
        for at in (40..text.len() - 40).step_by(37) {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let Ok(json) = serde_json::from_slice::<Value>(&changed) else { continue };
            if let Ok((said, identity)) = expected.statement(&changed) {
                assert!(said.is_about(IMAGE), "{json}");
                assert_eq!(identity.map(|it| it.subject).as_deref(), Some(SUBJECT));
                // Only what says a second time what the trusted root or the checkpoint says.
                assert_eq!(decisive(&json), decisive(&bundle));
            }
        }
    }

    #[test]
    fn a_certificate_that_has_expired_vouches_for_nothing() {
        let root: Value = serde_json::from_str(LATE_ROOT).unwrap();
        let signer = signer(&root, SUBJECT, ISSUER);
        assert!(signer.statement(IN_TIME.as_bytes()).is_ok());
        let said = why(&signer, &serde_json::from_str(LATE).unwrap());
        assert!(said.contains("CertExpired"), "{said}");
    }

    #[test]
    fn another_sigstore_does_not_vouch() {
        let bundle: Value = serde_json::from_str(SIGNATURE).unwrap();
        let change = |change: &dyn Fn(&mut Value)| {
            let mut changed = root();
            change(&mut changed);
            changed
        };
        let chain = "certificateAuthorities";
        let other = root()["timestampAuthorities"][0]["certChain"].clone();
        for changed in [
            change(&|it| it[chain][0]["certChain"] = other.clone()),
            change(&|it| it[chain][0]["validFor"] = json!({"start": "2090-01-01T00:00:00Z"})),
            change(&|it| it["timestampAuthorities"] = json!([])),
            change(&|it| it["tlogs"][0]["logId"]["keyId"] = json!(STANDARD.encode([7; 32]))),
            change(&|it| it["ctlogs"][0]["logId"]["keyId"] = json!(STANDARD.encode([7; 32]))),
        ] {
            let said = why(&signer(&changed, SUBJECT, ISSUER), &bundle);
            assert!(!said.is_empty() && !said.contains("has signed it"), "{said}");
        }
        // A Sigstore without logs has none to ask.
        let quiet = change(&|it| (it["tlogs"], it["ctlogs"]) = (json!([]), json!([])));
        assert!(signer(&quiet, SUBJECT, ISSUER).statement(SIGNATURE.as_bytes()).is_ok());
        for text in ["", "{}", "[]", SIGNATURE] {
            assert!(TrustedRoot::parse(text).is_err(), "{text}");
        }
        let nobody = change(&|it| it[chain] = json!([]));
        let error = TrustedRoot::parse(&nobody.to_string()).unwrap_err();
        assert_eq!(error, TrustedRootError::NoAuthority);
    }
}
