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
use std::path::Path;

use libfuzzer_sys::fuzz_target;

/// Completion that knows no files and no base.
struct Nowhere;

impl cli::Surroundings for Nowhere {
    fn work_dir(&self) -> Option<&Path> {
        None
    }

    fn platforms(&self, _: Option<&str>) -> Option<Vec<String>> {
        None
    }
}

fuzz_target!(|bytes: &[u8]| {
    let words = bytes.split(|&byte| byte == 0).take(24).map(OsStr::from_bytes);
    let words: Vec<OsString> =
        [OsStr::new("ko")].into_iter().chain(words).map(Into::into).collect();
    match cli::parse(&words) {
        Ok(cli::Parsed::Complete { words, descriptions }) => {
            if let cli::Answer::Ours(completion) = cli::complete(&words, &Nowhere) {
                // The directive is the last line.
                let answer = completion.answer(descriptions);
                let last = answer.lines().last().expect("a line");
                assert!([":0", ":4", ":16"].contains(&last), "{answer}");
            }
        }
        Ok(parsed) => drop(format!("{parsed:?}")),
        Err(error) => assert!(!error.message().is_empty()),
    }
    let _ = cli::has_strict_exit_codes(&words);
});
