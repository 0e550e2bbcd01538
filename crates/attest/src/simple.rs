//! Signs images as cosign 2 does: containers' "simple signing".

/// The media type of what is signed.
pub const SIMPLE_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What is signed of an image, by its repository in full and its digest.
#[must_use]
pub fn simple_signing(repository: &str, digest: &str) -> Vec<u8> {
    let payload = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":{}}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#,
        serde_json::Value::from(repository),
    );
    payload.into_bytes()
}
