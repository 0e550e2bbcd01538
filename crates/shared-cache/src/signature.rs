//! Signs what is shared, and checks signatures: Ed25519 in the format of minisign,
//! whose keys are used as they are.
//!
//! | what | its bytes, in base64 |
//! |---|---|
//! | public key | `Ed`, 8 of the key's number, 32 of the key |
//! | secret key | `Ed`, 2 that say how it is encrypted, 2 of the checksum, 48 of the encryption, 8 of the number, 32 of the seed, 32 of the public key, 32 of the checksum |
//! | signature | `ED`, 8 of the key's number, 64 of the signature of the BLAKE2b-512 of the message |

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};

/// A key as minisign knows it.
const KEY: &[u8; 2] = b"Ed";
/// A signature of the hash of a message.
const HASHED: &[u8; 2] = b"ED";

const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";

type Number = [u8; 8];

/// Checks signatures.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey {
    number: Number,
    key: [u8; 32],
}

/// Makes signatures. It cannot be printed.
pub struct SecretKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A text that is no key. What it says is not shown: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not a public key.
    #[error("it is not a public key of minisign")]
    Public,
    /// It is not a secret key.
    #[error("it is not a secret key of minisign")]
    Secret,
    /// Nobody is there to type the password.
    #[error("the secret key has a password: make one without by `minisign -G -W`")]
    Password,
}

/// Why a signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It is no signature at all.
    #[error("it is not a signature of minisign")]
    Format,
    /// Nobody is trusted who has this key.
    #[error("it is signed with the key {number}, which is not trusted")]
    UnknownKey {
        /// The key's number.
        number: String,
    },
    /// It is the signature of something else.
    #[error("the signature is not of this content")]
    Wrong,
}

/// What is behind the comment, or all of a text without one.
fn payload(text: &str) -> &str {
    let line = |line: &&str| !line.is_empty() && !line.starts_with(UNTRUSTED);
    text.lines().map(str::trim).find(line).unwrap_or_default()
}

fn fields<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// As minisign writes it.
fn shown(number: Number) -> String {
    format!("{:016X}", u64::from_le_bytes(number))
}

impl PublicKey {
    /// The key's number, as minisign writes it.
    #[must_use]
    pub fn number(&self) -> String {
        shown(self.number)
    }

    /// Checks the signature of a message, which any of these keys may have made.
    ///
    /// # Errors
    /// None of them has signed that.
    pub fn verify(keys: &[Self], message: &[u8], signature: &str) -> Result<(), SignatureError> {
        let mut lines = signature.lines();
        let mut next = |prefix: &str| lines.next()?.strip_prefix(prefix);
        let mut parse = || {
            next(UNTRUSTED)?;
            let signed = STANDARD.decode(next("")?).ok()?;
            let comment = next(TRUSTED)?;
            let whole = STANDARD.decode(next("")?).ok()?;
            let (number, signature) = (fields::<8>(&signed, 2)?, fields::<64>(&signed, 10)?);
            let fits = signed.starts_with(HASHED) && signed.len() == 74 && whole.len() == 64;
            fits.then_some((number, signature, comment, whole))
        };
        let (number, signature, comment, whole) = parse().ok_or(SignatureError::Format)?;
        let key = keys.iter().find(|key| key.number == number);
        let key = key.ok_or_else(|| SignatureError::UnknownKey { number: shown(number) })?;
        let key = UnparsedPublicKey::new(&ED25519, key.key);
        let check = |message: &[u8], signature: &[u8]| {
            key.verify(message, signature).map_err(|_| SignatureError::Wrong)
        };
        check(&Blake2b512::digest(message), &signature)?;
        check(&[&signature, comment.as_bytes()].concat(), &whole)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads a file of minisign, or the one line of it that counts.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(payload(text)).map_err(|_| KeyError::Public)?;
        let found = (bytes.len() == 42 && bytes.starts_with(KEY))
            .then(|| Some(Self { number: fields(&bytes, 2)?, key: fields(&bytes, 10)? }));
        found.flatten().ok_or(KeyError::Public)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [KEY.as_slice(), &self.number, &self.key].concat();
        f.write_str(&STANDARD.encode(bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SecretKey {
    /// The key that checks what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message; the signature is the text of a file of minisign.
    #[must_use]
    pub fn sign(&self, message: &[u8], comment: &str) -> String {
        let signature = self.pair.sign(&Blake2b512::digest(message));
        let signed = [HASHED.as_slice(), &self.public.number, signature.as_ref()].concat();
        let whole = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let (signed, whole) = (STANDARD.encode(signed), STANDARD.encode(whole));
        format!("{UNTRUSTED}ko\n{signed}\n{TRUSTED}{comment}\n{whole}\n")
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    /// Reads a file of minisign, or the one line of it that counts.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(payload(text)).map_err(|_| KeyError::Secret)?;
        if bytes.len() != 158 || !bytes.starts_with(KEY) {
            return Err(KeyError::Secret);
        }
        if bytes[2..4] != [0, 0] {
            return Err(KeyError::Password);
        }
        let parse = || {
            let (number, seed) = (fields::<8>(&bytes, 54)?, fields::<32>(&bytes, 62)?);
            let key = fields::<32>(&bytes, 94)?;
            let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &key).ok()?;
            Some(Self { pair, public: PublicKey { number, key } })
        };
        parse().ok_or(KeyError::Secret)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by minisign 0.11: `minisign -G -W`, `minisign -S -t trusted`.
    const PUBLIC: &str = "untrusted comment: minisign public key F8A7377E6DAB281E
RWQeKKttfjen+LTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqS
";
    const SECRET: &str = "untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHiirbX43p/iHV+6Ao+1V/lVinMbfvuQoVCCXO2dxgGpTsNxz9XZZ5rTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqSAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQeKKttfjen+F1FPqmVQdOYlg1jBeG0UJ/uSiBKYimvnK7o/j17Tkz7Ly3czyHQz/paAvLf0LkaNcBrwSRfkZiYxlBfk1LxtAY=
trusted comment: trusted
4PMvUjSmRnn5Nge219mNFl4vv3Oz5bMPh+WeyiLvyO9IEoQKgAA6A6dBO5JzsTI4oGGpRJcBex+6HpP2wNoDCA==
";

    fn keys() -> (PublicKey, SecretKey) {
        (PUBLIC.parse().unwrap(), SECRET.parse().unwrap())
    }

    #[test]
    fn signatures_of_minisign_are_understood_and_made() {
        let (public, secret) = keys();
        assert_eq!(public.number(), "F8A7377E6DAB281E");
        assert_eq!(public.to_string(), payload(PUBLIC));
        assert_eq!(secret.public(), public);
        assert_eq!(PublicKey::verify(&[public], b"message", SIGNATURE), Ok(()));
        let made = secret.sign(b"message", "trusted");
        // Ed25519 has one signature of each message.
        assert_eq!(
            made.lines().skip(1).collect::<Vec<_>>(),
            SIGNATURE.lines().skip(1).collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_was_not_signed_is_refused() {
        let (public, secret) = keys();
        let verify = |message: &[u8], signature: &str| {
            PublicKey::verify(&[public], message, signature).unwrap_err()
        };
        assert_eq!(verify(b"massage", SIGNATURE), SignatureError::Wrong);
        let comment = SIGNATURE.replace("comment: trusted", "comment: other");
        assert_eq!(verify(b"message", &comment), SignatureError::Wrong);
        let number = "F8A7377E6DAB281E".to_owned();
        let unknown = PublicKey::verify(&[], b"message", SIGNATURE);
        assert_eq!(unknown, Err(SignatureError::UnknownKey { number }));
        let sound = secret.sign(b"message", "");
        for broken in
            ["", "x", "a\nb\nc\nd\n", &sound[..sound.len() / 2], &sound.replace("RU", "RW")]
        {
            assert_eq!(verify(b"message", broken), SignatureError::Format, "{broken}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for text in ["", "x", "RWQ", payload(SECRET), SIGNATURE] {
            assert_eq!(text.parse::<PublicKey>().unwrap_err(), KeyError::Public);
        }
        for text in ["", "x", payload(PUBLIC), &payload(SECRET).replace("HV+6A", "HV+6B")] {
            assert_eq!(text.parse::<SecretKey>().unwrap_err(), KeyError::Secret);
        }
        let mut encrypted = STANDARD.decode(payload(SECRET)).unwrap();
        encrypted[2..4].copy_from_slice(b"Sc");
        let encrypted = STANDARD.encode(encrypted);
        assert_eq!(encrypted.parse::<SecretKey>().unwrap_err(), KeyError::Password);
        assert!(!format!("{:?}", keys().1).contains("HV+6"));
    }
}
