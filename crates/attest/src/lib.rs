//! Signs statements about artifacts, and verifies them: keys, in-toto statements, DSSE
//! envelopes and sigstore bundles. It knows no registry and no image, and does no I/O.

mod encrypted;
mod envelope;
mod expected_signer;
mod identity;
mod key;
mod keyless;
mod log;
mod pem;
mod proof_key;
mod public_key;
mod simple;
mod statement;

pub use envelope::{BUNDLE_TYPE, Envelope, bundle};
pub use expected_signer::{ExpectedSigner, TrustedRoot, TrustedRootError};
pub use identity::{Expected, ExpectedIdentity, ExpressionError, Identity};
pub use key::{SignError, SigningKey, SigningKeyError};
pub use keyless::{
    Certificate, EphemeralKey, IdentityToken, TokenError, is_granted, keyless_bundle,
    timestamp_request,
};
pub use log::LogVersion;
pub use proof_key::ProofKey;
pub use public_key::{NotSigned, PublicKey, PublicKeyError, VerifiedStatement};
pub use simple::{SIMPLE_TYPE, simple_signing};
pub use statement::{COSIGN_SIGN, CYCLONEDX, SLSA_PROVENANCE, SPDX, Statement};
