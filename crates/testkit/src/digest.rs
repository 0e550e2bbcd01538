//! SHA-256 digests as the plain strings that registries speak.

use sha2::{Digest, Sha256};

/// Returns the digest of `bytes` as `sha256:` and 64 lower-case hexadecimal
/// digits (OCI image-spec, descriptor).
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    text(Sha256::digest(bytes).as_slice())
}

/// Writes a finished SHA-256 as a digest string.
pub(crate) fn text(hash: &[u8]) -> String {
    let mut out = String::with_capacity(7 + 2 * hash.len());
    out.push_str("sha256:");
    for byte in hash {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    out
}

/// Whether `text` is a well-formed SHA-256 digest.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
