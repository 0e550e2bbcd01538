//! The `WWW-Authenticate` header: the first byte divides the text into several values.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "modules of another crate, of which this takes a part"
)]

#[path = "../../crates/registry/src/challenge.rs"]
mod challenge;
#[path = "../../crates/registry/src/scope.rs"]
mod scope;

use libfuzzer_sys::fuzz_target;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

fuzz_target!(|bytes: &[u8]| {
    let Some((&divider, rest)) = bytes.split_first() else { return };
    let mut headers = HeaderMap::new();
    for value in rest.split(|&byte| byte == divider).take(16) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    if let Ok(challenge::AuthScheme::Bearer(bearer)) = challenge::AuthScheme::of(&headers) {
        assert!(bearer.realm.has_host());
    }
});
