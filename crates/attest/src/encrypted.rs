//! Opens private keys that cosign has encrypted: scrypt makes a key of the password,
//! and NaCl's secretbox (XSalsa20 and Poly1305) hides PKCS #8.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::Deserialize;

use crate::key::SigningKeyError;

/// What PEM calls such a key, by cosign and by its older releases.
pub(crate) const LABELS: [&str; 2] =
    ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];

/// The most memory that a file may have us use, in bytes; cosign's need 64 MiB.
const MEMORY: u64 = 256 << 20;

/// How often that memory may be gone through, at most.
const PARALLEL: u32 = 4;

/// The length of the tag in front of what is encrypted.
const TAG: usize = 16;

#[derive(Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// The PKCS #8 in such a key.
pub(crate) fn open(json: &[u8], password: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
    let wrong = |_| SigningKeyError::Malformed;
    let Sealed { kdf, cipher, ciphertext } =
        serde_json::from_slice(json).map_err(|_| SigningKeyError::Malformed)?;
    if kdf.name != "scrypt" || cipher.name != "nacl/secretbox" {
        return Err(SigningKeyError::Cipher { kdf: kdf.name, cipher: cipher.name });
    }
    let Params { n, r, p } = kdf.params;
    let memory = n.checked_mul(u64::from(r)).and_then(|blocks| blocks.checked_mul(128));
    if !n.is_power_of_two() || memory.is_none_or(|memory| memory > MEMORY) || p > PARALLEL {
        return Err(SigningKeyError::Malformed);
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| SigningKeyError::Malformed)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| SigningKeyError::Malformed)?;
    let salt = STANDARD.decode(kdf.salt).map_err(wrong)?;
    let nonce: [u8; 24] = STANDARD
        .decode(cipher.nonce)
        .map_err(wrong)?
        .try_into()
        .map_err(|_| SigningKeyError::Malformed)?;
    let mut sealed = STANDARD.decode(ciphertext).map_err(wrong)?;
    if sealed.len() < TAG {
        return Err(SigningKeyError::Malformed);
    }
    let mut key = [0; 32];
    scrypt::scrypt(password, &salt, &params, &mut key).map_err(|_| SigningKeyError::Malformed)?;
    let mut text = sealed.split_off(TAG);
    let mut stream = XSalsa20::new(&key.into(), &nonce.into());
    // The first bytes of the stream are the key of the tag.
    let mut of_tag = [0; 32];
    stream.apply_keystream(&mut of_tag);
    let tag = Poly1305::new(&of_tag.into()).compute_unpadded(&text);
    verify_slices_are_equal(&tag, &sealed).map_err(|_| SigningKeyError::Password)?;
    stream.apply_keystream(&mut text);
    Ok(text)
}
