//! Signs images as cosign 2 does: containers' "simple signing".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{SignError, SigningKey};

/// The media type of what is signed.
pub const SIMPLE_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What is signed of an image, by its repository in full and its digest, and the
/// signature in base64.
///
/// # Errors
/// The key does not sign.
pub fn simple_signing(
    repository: &str,
    digest: &str,
    key: &SigningKey,
) -> Result<(Vec<u8>, String), SignError> {
    let payload = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":{}}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#,
        serde_json::Value::from(repository),
    );
    let signature = STANDARD.encode(key.sign(payload.as_bytes())?);
    Ok((payload.into_bytes(), signature))
}
