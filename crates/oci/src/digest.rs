//! Content addresses. [`Digest`] names stored bytes, [`DiffId`] names the
//! uncompressed tar of a layer; they are different types so that one cannot be
//! written where the other belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// The sha256 of stored bytes, as `sha256:` and 64 lower-case hex digits (OCI
/// image-spec, "Digests"). Other algorithms are refused, as ko refuses them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The sha256 of a layer's uncompressed tar (OCI image-spec, "Layer DiffID").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DiffId(Digest);

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest: want sha256: and 64 lower-case hex digits")]
pub struct DigestError(String);

impl Digest {
    /// Hashes bytes that are in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 64 hex digits, without the algorithm: the name of a blob's file in
    /// an OCI image layout.
    pub fn hex(&self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            hex.push(char::from_digit((byte >> 4).into(), 16).expect("a nibble"));
            hex.push(char::from_digit((byte & 15).into(), 16).expect("a nibble"));
        }
        hex
    }
}

impl DiffId {
    /// Says that a digest is that of an uncompressed tar.
    pub fn new(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest itself, where an uncompressed layer is stored as it is.
    pub fn digest(self) -> Digest {
        self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hex = text
            .strip_prefix("sha256:")
            .filter(|hex| hex.len() == 64)
            .ok_or_else(|| DigestError(text.to_owned()))?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let (high, low) = (nibble(pair[0]), nibble(pair[1]));
            let (Some(high), Some(low)) = (high, low) else {
                return Err(DigestError(text.to_owned()));
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A running sha256 that also counts, for bytes that pass by once.
#[derive(Clone, Default)]
pub struct Hasher {
    state: sha2::Sha256,
    size: u64,
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The digest of what has been seen so far.
    pub fn digest(&self) -> Digest {
        Digest(self.state.clone().finalize().into())
    }

    /// How many bytes have been seen.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_empty_digest_is_the_known_one() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Digest::of(b"")));
        let diff_id = DiffId::new(Digest::of(b""));
        assert_eq!(format!("{diff_id} {diff_id:?} {:?}", Digest::of(b"")), [EMPTY; 3].join(" "));
    }

    #[test]
    fn what_is_not_a_digest_is_refused() {
        for text in [
            "",
            "sha256:",
            "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
            "sha256:é3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_hasher_counts_and_can_be_asked_in_the_middle() {
        let mut hasher = Hasher::new();
        hasher.update(b"ab");
        assert_eq!(hasher.digest(), Digest::of(b"ab"));
        hasher.update(b"c");
        assert_eq!((hasher.digest(), hasher.size()), (Digest::of(b"abc"), 3));
    }

    proptest::proptest! {
        /// The text is `sha256:` and each byte in two digits, and comes back.
        #[test]
        fn digests_survive_their_text(bytes: [u8; 32]) {
            let digest = Digest(bytes);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            proptest::prop_assert_eq!(digest.to_string(), format!("sha256:{hex}"));
            proptest::prop_assert_eq!(digest.hex(), hex);
            proptest::prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        }

        /// One character more, less or other than lower-case hex is no digest.
        #[test]
        fn a_digest_with_one_wrong_character_is_refused(
            bytes: [u8; 32], at in 0..71_usize, wrong in "[^0-9a-f]",
        ) {
            let text = Digest(bytes).to_string();
            let (before, rest) = text.split_at(at);
            for other in [
                format!("{before}{}", &rest[1..]),
                format!("{before}{wrong}{rest}"),
                format!("{before}{}{}", wrong, &rest[1..]),
            ] {
                if other != text {
                    proptest::prop_assert!(other.parse::<Digest>().is_err(), "{}", other);
                }
            }
        }

        /// However the bytes arrive, the digest is that of the whole.
        #[test]
        fn pieces_hash_like_the_whole(bytes: Vec<u8>, piece in 1..40_usize) {
            let mut hasher = Hasher::new();
            bytes.chunks(piece).for_each(|piece| hasher.update(piece));
            let whole = (Digest::of(&bytes), bytes.len() as u64);
            proptest::prop_assert_eq!((hasher.digest(), hasher.size()), whole);
        }

        #[test]
        fn what_is_parsed_is_printed_the_same(text in "(sha256:)?[0-9a-fA-F]{63,65}|\\PC*") {
            if let Ok(digest) = text.parse::<Digest>() {
                proptest::prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
