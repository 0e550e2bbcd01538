//! What is said of an image by others: statements in envelopes and bundles, and the flags
//! and variables of provenance. Whatever it says, `go` sees no flag that is not on a list.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "modules of another crate, of which this takes a part"
)]

#[path = "../../crates/engine/src/build/allowed.rs"]
mod allowed;

use attest::{PublicKey, SigningKey, VerifiedStatement};
use golang::Environment;
use libfuzzer_sys::fuzz_target;

/// Flags of `go build` that take no value as the next word.
const BOOLEAN: [&str; 6] = ["a", "modcacherw", "race", "trimpath", "v", "buildvcs"];

/// Flags of `go build` that name no file and run nothing.
const HARMLESS: [&str; 9] = [
    "buildmode",
    "compiler",
    "mod",
    "pgo",
    "tags",
    "installsuffix",
    "ldflags",
    "gcflags",
    "buildvcs",
];

/// The flags as Go's package `flag` takes words apart.
fn seen_by_go(words: &[String]) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = word.strip_prefix('-').expect("a word that is no flag would name a package");
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        assert!(!flag.is_empty() && !flag.starts_with(['-', '=']), "{word:?}");
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None if BOOLEAN.contains(&flag) => (flag, "true"),
            None => (flag, words.next().expect("a value").as_str()),
        };
        seen.push((name.to_owned(), value.to_owned()));
    }
    seen
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    if kind % 4 == 0 {
        let _ = VerifiedStatement::unverified(bytes);
        let _ = attest::is_granted(bytes);
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let words: Vec<String> = text.split('\0').map(str::to_owned).collect();
    match kind % 4 {
        1 => {
            if let Ok(key) = PublicKey::from_pem(text) {
                assert!(key.statement(bytes).is_err());
                let _ = key.hint();
            }
            let _ = SigningKey::from_pem(text, Some(b"pw"));
            let _ = attest::IdentityToken::parse(text);
        }
        2 if allowed::flags(&words).is_ok() => {
            for (name, value) in seen_by_go(&words) {
                let is_known = BOOLEAN.contains(&&*name) || HARMLESS.contains(&&*name);
                assert!(is_known, "{name}={value}");
            }
        }
        2 => {}
        _ => {
            if allowed::linker(&words).is_ok() {
                // As `go` takes `-ldflags` apart.
                let split = freshness::split_quoted(&words.join(" ")).expect("it was split");
                for (name, value) in seen_by_go_linker(&split) {
                    assert!(name != "extldflags" || value == "-static", "{name}={value}");
                    let is_known = [
                        "s",
                        "w",
                        "compressdwarf",
                        "checklinkname",
                        "X",
                        "buildid",
                        "B",
                        "linkmode",
                        "extldflags",
                    ]
                    .contains(&&*name);
                    assert!(is_known, "{name}={value}");
                }
            }
            if let [name, value, ..] = &words[..]
                && allowed::variable(name, value, &Environment::default()).is_ok()
            {
                assert!(
                    !name.contains('=') && !value.contains(['/', '\0', '\n']),
                    "{name}={value}"
                );
            }
        }
    }
});

/// The flags of `go tool link`, of which these take no value as the next word.
fn seen_by_go_linker(words: &[String]) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = word.strip_prefix('-').expect("a word that is no flag would name a file");
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        assert!(!flag.is_empty() && !flag.starts_with(['-', '=']), "{word:?}");
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None if matches!(flag, "s" | "w" | "compressdwarf") => (flag, "true"),
            None => (flag, words.next().expect("a value").as_str()),
        };
        seen.push((name.to_owned(), value.to_owned()));
    }
    seen
}
