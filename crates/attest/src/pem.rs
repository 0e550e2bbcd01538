//! Finds the first block of PEM in a text (RFC 7468), whatever it is called, and writes one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A block: what it is called, and its bytes.
pub(crate) fn first(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.chars().filter(|char| !char.is_whitespace()).collect();
    Some((label, STANDARD.decode(body).ok()?))
}

/// A text with one block, in lines of 64 characters.
pub(crate) fn text(label: &str, bytes: &[u8]) -> String {
    let body = STANDARD.encode(bytes);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, char) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(char);
    }
    text + &format!("\n-----END {label}-----\n")
}
