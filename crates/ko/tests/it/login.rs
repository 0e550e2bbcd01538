//! `ko login` and `ko auth`: what they print, and what is in docker's
//! configuration afterwards.

use crate::fixture::sandbox;
use crate::services::terminal;
use crate::spy::write_executable;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use testkit::registry::{Auth, Bearer, Class, TestRegistry};
use testkit::sandbox::{Output, Sandbox};

const PASSWORD: &str = "hunter2-correct-horse";

/// `me` and the password, as they are stored.
const AUTH: &str = "bWU6aHVudGVyMi1jb3JyZWN0LWhvcnNl";

/// The command with words, split at spaces; `PASSWORD` stands for itself. The
/// password must not be shown.
fn ko(sandbox: &Sandbox, words: &str) -> Output {
    let words = words.split(' ').map(|word| word.replace("PASSWORD", PASSWORD));
    let output = sandbox.run(words).output();
    assert_no_secret(&output);
    output
}

#[track_caller]
fn assert_no_secret(output: &Output) {
    let shown = format!("{}{}", output.stdout, output.stderr);
    assert!(!shown.contains(PASSWORD) && !shown.contains(AUTH), "{shown}");
}

fn file(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("docker/config.json")
}

fn config(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&fs::read(file(sandbox)).unwrap()).unwrap()
}

/// Puts a helper in the sandbox's PATH.
fn helper(sandbox: &mut Sandbox, name: &str, lines: &str) {
    let dir = sandbox.root().join("helpers");
    fs::create_dir_all(&dir).unwrap();
    write_executable(
        &dir.join(format!("docker-credential-{name}")),
        &format!("#!/bin/sh\n{lines}\n"),
    );
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", dir.display()));
}

#[test]
fn a_login_is_told_as_ko_tells_it() {
    let sandbox = sandbox();
    let output = ko(&sandbox, "login r.io -u me -p PASSWORD").success();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit code: 0
    --- stdout ---
    --- stderr ---

    WARNING! Your credentials are stored unencrypted in '[sandbox]/docker/config.json'.
    Configure a credential helper to remove this warning. See
    https://docs.docker.com/go/credential-store/

    [time] logged in via [sandbox]/docker/config.json
    ");
    assert_eq!(
        fs::read_to_string(file(&sandbox)).unwrap(),
        format!(
            "{{\n\t\"auths\": {{\n\t\t\"r.io\": {{\n\t\t\t\"auth\": \"{AUTH}\"\n\t\t}}\n\t}}\n}}"
        )
    );
    let output = ko(&sandbox, "auth logout r.io").success();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit code: 0
    --- stdout ---
    --- stderr ---
    [time] logged out via [sandbox]/docker/config.json
    ");
    assert_eq!(config(&sandbox), json!({"auths": {}}));
    // Without a password there is nothing to be read.
    let output = ko(&sandbox, "auth login r.io -u me").success();
    assert!(!output.stderr.contains("WARNING"), "{}", output.stderr);
}

#[test]
fn the_directory_is_docker_s() {
    let mut sandbox = sandbox();
    sandbox.unset("DOCKER_CONFIG");
    let _ = ko(&sandbox, "login r.io -u me -p PASSWORD").success();
    assert!(sandbox.home().join(".docker/config.json").exists());
    sandbox.unset("HOME");
    let output = ko(&sandbox, "login r.io -u me -p PASSWORD").failure(1);
    assert_eq!(
        output.stderr,
        "Error: there is no directory for docker's configuration\nhint: set DOCKER_CONFIG to one, or HOME\n"
    );
}

#[test]
fn who_sits_at_a_terminal_is_asked() {
    let sandbox = sandbox();
    let (mut keyboard, name) = terminal();
    let script = format!(r#"exec setsid --ctty --wait "$0" "$@" <'{name}' 2>'{name}'"#);
    let under = ["sh".to_owned(), "-c".to_owned(), script];
    let running = sandbox.run_under(&under, ["login", "r.io"]).start();
    let mut said = String::new();
    for (question, answer) in [("User name for r.io: ", "me"), ("Password of me: ", PASSWORD)] {
        while !said.contains(question) {
            let mut bytes = [0; 1024];
            let count = keyboard.read(&mut bytes).unwrap();
            said.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        writeln!(keyboard, "{answer}").unwrap();
    }
    let _ = running.wait().success();
    assert_eq!(config(&sandbox)["auths"]["r.io"]["auth"], AUTH);
    assert!(!said.contains(PASSWORD), "{said}");
}

#[test]
fn a_password_comes_from_stdin() {
    let sandbox = sandbox();
    for (stdin, flags) in [
        (PASSWORD.to_owned(), ""),
        (format!("{PASSWORD}\n"), ""),
        (format!("{PASSWORD}\r\n"), " -p other"),
    ] {
        let words = format!("login r.io -u me --password-stdin{flags}");
        let output = sandbox.run(words.split(' ')).stdin(stdin).output().success();
        assert_no_secret(&output);
        assert_eq!(config(&sandbox)["auths"]["r.io"]["auth"], AUTH, "{words}");
    }
    for (stdin, want) in [
        (b"hunter2\xff".to_vec(), "Error: stdin is not UTF-8\n"),
        (vec![b'a'; (1 << 20) + 1], "Error: stdin is longer than 1048576 bytes\n"),
    ] {
        let run = sandbox.run(["login", "r.io", "-u", "me", "--password-stdin"]).stdin(stdin);
        assert_eq!(run.output().failure(1).stderr, want);
    }
}

#[test]
fn what_cannot_be_a_login() {
    let sandbox = sandbox();
    for (words, want) in [
        ("login", "accepts 1 arg(s), received 0"),
        ("login r.io me PASSWORD", "accepts 1 arg(s), received 3"),
        ("login r.io", "username and password required"),
        ("login r.io -p PASSWORD", "username and password required"),
        (
            "login bad/reg -u me -p PASSWORD",
            "registries must be valid RFC 3986 URI authorities: bad/reg",
        ),
        (
            "login https://r.io -u me -p PASSWORD",
            "registries must be valid RFC 3986 URI authorities: https://r.io",
        ),
        ("login r.io -u a:b -p PASSWORD", "the user name \"a:b\" has a colon in it"),
        ("login r.io -u me --pasword=PASSWORD", "unknown flag: --pasword"),
        ("login r.io -u me -XPASSWORD", "unknown shorthand flag: 'X' in -X"),
        (
            "login r.io -u me --password-stdin=PASSWORD",
            "invalid argument for \"--password-stdin\" flag",
        ),
        ("login r.io -u", "flag needs an argument: 'u' in -u"),
        ("auth logout", "accepts 1 arg(s), received 0"),
        ("auth logout bad/reg", "registries must be valid RFC 3986 URI authorities: bad/reg"),
        ("auth get a b", "accepts at most 1 arg(s), received 2"),
        ("auth get bad/reg", "registries must be valid RFC 3986 URI authorities: bad/reg"),
        ("auth token", "accepts 1 arg(s), received 0"),
        ("auth token r.io/A", "repository can only contain the characters"),
        ("auth token r.io/a -m B", "repository can only contain the characters"),
        ("auth nope", "unknown command \"nope\" for \"ko auth\""),
    ] {
        let output = ko(&sandbox, words).failure(1);
        assert!(output.stderr.starts_with(&format!("Error: {want}")), "{words}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{words}");
    }
    assert!(!file(&sandbox).exists());
}

#[test]
fn auth_alone_tells_what_there_is_beside_stdout() {
    let output = ko(&sandbox(), "auth").success();
    assert!(output.stdout.is_empty() && output.stderr.contains("logout"), "{}", output.stderr);
}

#[test]
fn get_answers_as_a_helper_does() {
    let mut sandbox = sandbox();
    helper(
        &mut sandbox,
        "one",
        r#"cat >/dev/null; echo '{"ServerURL":"h.io","Username":"<token>","Secret":"s&p"}'"#,
    );
    sandbox.docker_config(&json!({
        "auths": {
            "r.io": {"auth": "bWU6cA=="},
            "https://index.docker.io/v1/": {"auth": "aHViOnA="},
            "https://old.io/v1": {"auth": "b2xkOnA="},
            "t.io": {"registrytoken": "t"},
        },
        "credHelpers": {"h.io": "one"},
    }));
    for (server, want) in [
        ("r.io", "{\"Username\":\"me\",\"Secret\":\"p\"}\n"),
        ("docker.io", "{\"Username\":\"hub\",\"Secret\":\"p\"}\n"),
        ("old.io", "{\"Username\":\"old\",\"Secret\":\"p\"}\n"),
        ("h.io", "{\"Username\":\"\\u003ctoken\\u003e\",\"Secret\":\"s\\u0026p\"}\n"),
        ("t.io", "{}\n"),
    ] {
        let argument = sandbox.run(["auth", "get", server]).output().success();
        let stdin = sandbox.run(["auth", "get"]).stdin(format!(" {server}\n")).output().success();
        assert_eq!((argument.stdout.as_str(), stdin.stdout.as_str()), (want, want));
        assert_eq!(argument.stderr, "");
    }
    let output = ko(&sandbox, "auth get nowhere.io").failure(1);
    assert_eq!(output.stdout, "credentials not found in native keychain\n");
    assert_eq!(output.stderr, "");
    // GitHub's token is no part of docker's configuration.
    let run = sandbox.run(["auth", "get", "ghcr.io"]).env("GITHUB_TOKEN", "t");
    let _ = run.output().failure(1);
}

#[test]
fn helpers_keep_and_forget() {
    let mut sandbox = sandbox();
    let kept = sandbox.root().join("kept");
    helper(
        &mut sandbox,
        "box",
        &format!(
            "case $1 in store) cat >'{0}';; get) cat >/dev/null; cat '{0}';; erase) rm '{0}';; esac",
            kept.display()
        ),
    );
    sandbox.docker_config(&json!({"credsStore": "box", "mine": [1]}));
    let output = ko(&sandbox, "login r.io -u me -p PASSWORD").success();
    assert!(!output.stderr.contains("WARNING"), "{}", output.stderr);
    assert_eq!(config(&sandbox), json!({"auths": {"r.io": {}}, "credsStore": "box", "mine": [1]}));
    let kept_text = fs::read_to_string(&kept).unwrap();
    assert_eq!(
        kept_text,
        format!("{{\"ServerURL\":\"r.io\",\"Username\":\"me\",\"Secret\":\"{PASSWORD}\"}}")
    );
    let output = sandbox.run(["auth", "get", "r.io"]).output().success();
    assert!(output.stdout.contains(PASSWORD));
    let _ = ko(&sandbox, "auth logout r.io").success();
    assert!(!kept.exists());
    assert_eq!(config(&sandbox), json!({"auths": {}, "credsStore": "box", "mine": [1]}));
}

#[test]
fn bad_helpers_and_files_are_named() {
    let mut sandbox = sandbox();
    helper(&mut sandbox, "bad", "cat; exit 4");
    helper(&mut sandbox, "babble", "echo nonsense");
    for (text, words, want) in [
        (
            r#"{"credsStore":"bad"}"#,
            "login r.io -u me -p PASSWORD",
            "error storing credentials for \"r.io\" from \"docker-credential-bad\": exit status: 4, out: `REDACTED`",
        ),
        (
            r#"{"credsStore":"bad"}"#,
            "auth logout r.io",
            "error erasing credentials for \"r.io\" from \"docker-credential-bad\": exit status: 4, out: `r.io`",
        ),
        (
            r#"{"credsStore":"babble"}"#,
            "auth get r.io",
            "error getting credentials for \"r.io\" from \"docker-credential-babble\": its output is not the expected JSON",
        ),
        (
            r#"{"credsStore":"none"}"#,
            "login r.io -u me -p PASSWORD",
            "[sandbox]/docker/config.json names the credential helper \"docker-credential-none\", which is not in PATH",
        ),
        (
            "{\n\"auths\": {\"r.io\": hunter2-correct-horse",
            "login r.io -u me -p x",
            "[sandbox]/docker/config.json is not a valid auth configuration: line 2, column 19",
        ),
        (
            "{\n\"auths\": {\"r.io\": hunter2-correct-horse",
            "auth get r.io",
            "[sandbox]/docker/config.json is not a valid auth configuration: line 2, column 19",
        ),
        (
            r#"{"auths":{"r.io":{"auth":"hunter2-correct-horse"}}}"#,
            "auth get r.io",
            "invalid auth configuration in [sandbox]/docker/config.json: auths[\"r.io\"].auth must be base64 of user:password",
        ),
    ] {
        fs::write(file(&sandbox), text).unwrap();
        let output = ko(&sandbox, words).failure(1);
        let shown = output.snapshot();
        assert!(shown.contains(&format!("Error: {want}\n")), "{words}: {shown}");
        assert_eq!(fs::read_to_string(file(&sandbox)).unwrap(), text);
    }
}

#[test]
fn processes_do_not_lose_each_other_s_logins() {
    let sandbox = sandbox();
    let running: Vec<_> = (0..12)
        .map(|at| sandbox.run(["login", &format!("r{at}.io"), "-u", "me", "-p", PASSWORD]).start())
        .collect();
    for login in running {
        let _ = login.wait().success();
    }
    assert_eq!(config(&sandbox)["auths"].as_object().unwrap().len(), 12);
    let left: Vec<_> = fs::read_dir(sandbox.root().join("docker")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_login_is_good_for_a_token() {
    let registry = TestRegistry::builder().auth(Auth::Bearer(Bearer::new("me", PASSWORD))).start();
    let sandbox = sandbox();
    let host = registry.host();
    let output = ko(&sandbox, &format!("auth token {host}/app")).failure(1);
    assert!(
        output.stderr.contains("401") || output.stderr.contains("UNAUTHORIZED"),
        "{}",
        output.stderr
    );
    let _ = ko(&sandbox, &format!("login {host} -u me -p PASSWORD")).success();
    registry.reset();
    let words = format!("auth token --push -m {host}/base,{host}/other {host}/app");
    let output = ko(&sandbox, &words).success();
    assert_eq!(
        output.stdout,
        "{\"token\":\"testkit-token-1\",\"access_token\":\"testkit-token-1\",\"refresh_token\":\"\",\"expires_in\":300}\n"
    );
    let requests = registry.requests_of(Class::Token);
    let [request] = &requests[..] else { panic!("{requests:?}") };
    for scope in ["app%3Apush%2Cpull", "base%3Apull", "other%3Apull"] {
        assert!(request.query.contains(scope), "{}", request.query);
    }
    let output = ko(&sandbox, &format!("auth token -H {host}/app")).success();
    assert_eq!(output.stdout, "Authorization: Bearer testkit-token-2");
}

#[test]
fn only_some_registries_have_tokens() {
    let auth = Auth::Basic { user: "me".to_owned(), password: PASSWORD.to_owned() };
    let registry = TestRegistry::builder().auth(auth).start();
    let sandbox = sandbox();
    let _ = ko(&sandbox, &format!("login {} -u me -p PASSWORD", registry.host())).success();
    let output = ko(&sandbox, &format!("auth token {}/app", registry.host())).failure(1);
    let want = "Error: challenge scheme \"basic\" is not bearer: ";
    assert!(output.stderr.starts_with(want), "{}", output.stderr);
}
