//! The command line, its words divided by NUL: parsed, completed, or told what is wrong.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "modules of another crate, of which this takes a part"
)]

include!("../command.rs");

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let words = bytes.split(|&byte| byte == 0).take(24).map(OsStr::from_bytes);
    let words: Vec<OsString> =
        [OsStr::new("ko")].into_iter().chain(words).map(Into::into).collect();
    match cli::parse(&words) {
        Ok(parsed) => drop(format!("{parsed:?}")),
        Err(error) => assert!(!error.message().is_empty()),
    }
    let _ = cli::has_strict_exit_codes(&words);
});
