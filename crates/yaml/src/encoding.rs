//! Decodes files: UTF-8, and UTF-16 with a byte-order mark, which is what ko's
//! reader takes (of YAML 1.2.2, section 5.2, not UTF-32).

use crate::error::{Error, Problem};

/// The bytes of a file as UTF-8. UTF-16, as Windows PowerShell writes it, is
/// converted; all else stays as it is, whether it is UTF-8 or not.
///
/// # Errors
/// The file begins as UTF-16, and does not go on so.
pub fn to_utf8(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    let unit = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return Ok(bytes),
    };
    let (pairs, rest) = bytes[2..].as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let mut text = String::with_capacity(bytes.len());
    for character in char::decode_utf16(units) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => return Err(malformed(name, &text)),
        }
    }
    if rest.is_empty() { Ok(text.into_bytes()) } else { Err(malformed(name, &text)) }
}

fn malformed(name: &str, before: &str) -> Error {
    Error::of_bytes(name, before.as_bytes(), before.len(), Problem::NotUtf16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf_16_is_converted_and_all_else_stays() {
        let text = "\u{feff}a: é 😀\r\n---\n";
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let read = to_utf8("f", encoded(text, bytes)).unwrap();
            assert_eq!(read, "a: é 😀\r\n---\n".as_bytes());
        }
        assert_eq!(to_utf8("f", b"\xff\xfe".to_vec()).unwrap(), b"");
        for same in [&b"a: b"[..], b"\xef\xbb\xbfa", b"", b"\xff", b"a\0:\0", b"\0\0\xfe\xffx"] {
            assert_eq!(to_utf8("f", same.to_vec()).unwrap(), same);
        }
    }

    #[test]
    fn half_of_a_character_is_refused_where_it_is() {
        let mut odd = encoded("\u{feff}a\nbc", u16::to_le_bytes);
        odd.push(b'x');
        let lone = |unit: u16| {
            let mut bytes = encoded("\u{feff}a\nbc", u16::to_be_bytes);
            bytes.extend(unit.to_be_bytes());
            bytes.extend(encoded("\n", u16::to_be_bytes));
            bytes
        };
        for bytes in [odd, lone(0xd83d), lone(0xde00)] {
            let error = to_utf8("f", bytes).unwrap_err();
            assert_eq!(error.to_string(), "f:2:3: invalid UTF-16");
            assert_eq!(error.snippet, "bc\n  ^");
        }
    }
}
