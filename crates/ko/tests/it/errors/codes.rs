//! `--strict-exit-codes`: what went wrong, by the exit code.

use std::fs;

use rustix::process::Signal;
use testkit::registry::{Class, Fault, Rule};
use testkit::service::wait_for;

use super::interrupt::{endless_compiler, interrupt, started};
use crate::fixture::Fixture;

#[test]
fn strict_exit_codes_tell_errors_apart() {
    let fixture = Fixture::new();
    let _ = fixture.module().broken_main("broken").library("lib").main("other");
    fs::write(fixture.sandbox.work().join("bad.yaml"), "a: [b\n").unwrap();
    let deny = || {
        let rule = Rule::new(Fault::status(403, "DENIED")).class(Class::UploadPost);
        fixture.registry.inject(rule);
    };
    let hide_base = || {
        for class in [Class::ManifestHead, Class::ManifestGet] {
            let rule = Rule::new(Fault::status(404, "MANIFEST_UNKNOWN")).class(class);
            fixture.registry.inject(rule);
        }
    };
    let nothing = || {};
    for (words, before, want) in [
        ("version", &nothing as &dyn Fn(), 0),
        ("build --bare", &nothing, 0),
        // Usage.
        ("buidl", &nothing, 2),
        ("build --bogus", &nothing, 2),
        ("build --tags=no/tag", &nothing, 2),
        ("build --platform=linux/a/b/c", &nothing, 2),
        ("build ./lib", &nothing, 2),
        ("build ./nope", &nothing, 2),
        ("resolve -f bad.yaml", &nothing, 2),
        ("resolve -f nowhere.yaml", &nothing, 2),
        ("run", &nothing, 2),
        ("login", &nothing, 2),
        ("cache export", &nothing, 2),
        ("config --platform=linux/a/b/c", &nothing, 2),
        // A build.
        ("build --bare ./broken", &nothing, 3),
        // A registry.
        ("build --bare --platform=linux/s390x", &nothing, 4),
        ("build --bare", &hide_base, 4),
        ("build --bare --sbom=none ./other", &deny, 4),
        // Anything else.
        ("build --image-refs=no/where", &nothing, 1),
        ("cache import nowhere", &nothing, 1),
        ("auth get r.example.com", &nothing, 1),
    ] {
        fixture.registry.clear_faults();
        before();
        let run = || fixture.sandbox.run(words.split(' '));
        let plain = run().output();
        assert_eq!(plain.code, Some(i32::from(want != 0)), "{words}: {}", plain.stderr);
        let strict = run().env("KO_STRICT_EXIT_CODES", "1").output();
        assert_eq!(strict.code, Some(want), "{words}: {}", strict.stderr);
        let flag = ["--strict-exit-codes"].into_iter().chain(words.split(' '));
        assert_eq!(fixture.sandbox.run(flag).output().code, Some(want), "{words}");
    }
}

#[test]
fn an_interrupted_run_ends_as_a_shell_says_that_signals_end_one() {
    for (signal, want) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let fixture = Fixture::new();
        let spy = endless_compiler(&fixture);
        let words = "--bare --strict-exit-codes";
        let running = fixture.build(words).env("KO_GO_PATH", spy.program()).start();
        wait_for("the compiler", || started(&fixture));
        assert_eq!(interrupt(running, signal).code, Some(want));
    }
}
