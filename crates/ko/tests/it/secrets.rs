//! What must not reach a terminal: secrets, and characters that it obeys.

use testkit::base::Image;
use testkit::registry::{Fault, Rule, TestRegistry};
use testkit::sandbox::Output;

use crate::fixture::Fixture;
use crate::kubectl::path_with;
use crate::spy::{Spy, write_executable};

/// It stands wherever a secret can.
const CANARY: &str = "hunter2";

/// Clears the screen, sets the title, overwrites a line, and turns it round.
const ESCAPES: &str = "\x1b[2Jx\x1b]0;t\x07\u{9b}Ay\rz\u{202e}w";

const SHOWN: &str = "\\x1b[2Jx\\x1b]0;t\\x07\\u009bAy\\rz\\u202ew";

#[track_caller]
fn assert_clean(output: &Output) {
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(!all.contains(CANARY), "{all}");
    let obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!all.contains(obeyed), "{all:?}");
}

#[test]
fn urls_of_manifests_keep_their_secrets() {
    // It serves manifests here, too.
    let registry = TestRegistry::builder().forgives().start();
    let fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let host = fixture.registry.host();
    for (url, shown) in [
        (
            "http://u:hunter2@127.0.0.1:1/x.yaml?token=hunter2",
            "http://u:…@127.0.0.1:1/x.yaml?token=…",
        ),
        (
            &format!("http://u:hunter2@{host}/none?a=hunter2"),
            &format!("http://u:…@{host}/none?a=…"),
        ),
        (&format!("http://u:hunter2@{host}/v2/?a=hunter2#hunter"), "?a=…"),
    ] {
        let output = fixture.sandbox.run(["resolve", "-v", "-f", url]).output();
        assert_clean(&output);
        // What can be read and has no references is printed.
        assert!(output.code == Some(0) || output.stderr.contains(shown), "{}", output.stderr);
    }
}

#[test]
fn docker_host_keeps_its_password() {
    let fixture = Fixture::new();
    for host in ["tcp://u:hunter2@127.0.0.1:1", "ssh://u:hunter2@there", "u:hunter2@there"] {
        let output = fixture.build("-L").env("DOCKER_HOST", host).output().failure(1);
        assert_clean(&output);
        assert!(output.stderr.contains("u:…@"), "{}", output.stderr);
    }
}

#[test]
fn a_registry_s_words_are_only_text() {
    let fixture = Fixture::new();
    let message =
        format!("Authorization: Basic aHVudGVyMjpodW50ZXIy {ESCAPES} http://u:hunter2@h/");
    let json =
        serde_json::json!({"errors": [{"code": ESCAPES, "message": message, "detail": ESCAPES}]});
    for body in [json.to_string(), message] {
        let fault = Fault::Respond { status: 400, headers: Vec::new(), body: body.into() };
        fixture.registry.clear_faults();
        fixture.registry.inject(Rule::new(fault));
        let output = fixture.build("--bare").output().failure(1);
        assert_clean(&output);
        assert!(!output.stderr.contains("aHVudGVyMjpodW50ZXIy"), "{}", output.stderr);
    }
}

#[test]
fn words_of_programs_are_only_text() {
    let fixture = Fixture::new();
    let script = format!("printf '%s\\nsecond https://u:hunter2@h/\\n' '{ESCAPES}' >&2; exit 1");
    let spy = Spy::with_script(&fixture.sandbox, &script);
    let output = fixture.build("--bare").env("KO_GO_PATH", spy.program()).output().failure(1);
    assert_clean(&output);
    assert!(
        output.stderr.contains(&format!("{SHOWN}\nsecond https://u:…@h/")),
        "{}",
        output.stderr
    );

    // A credential helper, and the client of ssh.
    let dir = fixture.sandbox.root().join("programs");
    std::fs::create_dir(&dir).unwrap();
    write_executable(&dir.join("ssh"), &format!("#!/bin/sh\n{script}\n"));
    let warn = script.replace("; exit 1", "");
    let helper = format!("#!/bin/sh\n{warn}\n{}\n", script.replace(" >&2", ""));
    write_executable(&dir.join("docker-credential-bad"), &helper);
    let config = fixture.sandbox.root().join("docker-config");
    std::fs::create_dir(&config).unwrap();
    std::fs::write(config.join("config.json"), r#"{"credsStore":"bad"}"#).unwrap();
    let run = fixture.build("--bare").env("PATH", path_with(&dir));
    let output = run.env("DOCKER_CONFIG", config).output();
    assert_clean(&output);
    assert!(output.stderr.contains(SHOWN), "{}", output.stderr);
    let run = fixture.build("-L").env("PATH", path_with(&dir));
    let output = run.env("DOCKER_HOST", "ssh://there").output().failure(1);
    assert_clean(&output);
    assert!(output.stderr.contains(SHOWN), "{}", output.stderr);
}
