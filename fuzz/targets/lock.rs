//! `ko.lock`: what is read is written so that it is read again, and what is written stays as it
//! is.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "modules of another crate, of which this takes a part"
)]

include!("../command.rs");

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| memory().join("ko.lock"));

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).expect("memory");
    let Ok(Some(read)) = lock::read(&FILE) else { return };
    read.write(&FILE).expect("memory");
    let again = || lock::read(&FILE).expect("what we write we read").expect("it is there");
    let written = again();
    // A name without a tag is written with the one that it has.
    assert_eq!(written.bases.len(), read.bases.len());
    written.write(&FILE).expect("memory");
    assert_eq!(again(), written);
});
