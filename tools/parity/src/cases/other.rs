//! The commands that make no image.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = login();
    cases.extend(completion());
    cases
}

fn command(name: &str, words: &str) -> Case {
    Case::command(name, words).env("DOCKER_CONFIG", "{work}/docker").env("HOME", "{work}/home")
}

/// The file after a second login.
const TWO: &str = "{\n\t\"auths\": {\n\t\t\"reg.example.com\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t},\n\t\t\"other.example.com\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}";

const ALONE: &str = "the variable counts also where there is no docker configuration";

fn login() -> Vec<Case> {
    let stored =
        |name, words: &str, config: &str| command(name, words).file("docker/config.json", config);
    let auths =
        "{\n\t\"auths\": {\n\t\t\"reg.example.com\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}";
    vec![
        command("login/new", "login reg.example.com -u u -p p")
            .says(
                "WARNING! Your credentials are stored unencrypted in '{work}/docker/config.json'.",
            )
            .says("logged in via {work}/docker/config.json"),
        command("login/from-stdin", "login reg.example.com -u u --password-stdin")
            .stdin("secret\n"),
        command("login/from-stdin-windows", "login reg.example.com -u u --password-stdin")
            .stdin("secret\r\n"),
        command("login/from-stdin-lines", "login reg.example.com -u u --password-stdin")
            .stdin("a\nb\n\n"),
        command("login/port", "login localhost:5000 -u u -p p"),
        command("login/docker-hub", "login docker.io -u u -p p"),
        command("login/docker-hub-index", "login index.docker.io -u u -p p"),
        command("login/unicode", "login reg.example.com -u é -p p:q"),
        command("login/user-only", "login reg.example.com -u u"),
        command("login/auth-login", "auth login reg.example.com -u u -p p"),
        stored("login/one-more", "login other.example.com -u u -p p", auths).differs(
            "file docker/config.json",
            Some(TWO),
            "keys stay in their order, and new ones come last",
        ),
        stored("login/again", "login reg.example.com -u v -p q", auths),
        stored("login/logout", "auth logout reg.example.com", auths)
            .says("logged out via {work}/docker/config.json"),
        stored("login/logout-unknown", "auth logout other.example.com", auths),
        stored("login/get", "auth get reg.example.com", auths),
        stored("login/get-stdin", "auth get", auths).stdin("reg.example.com\n"),
        stored("login/get-url", "auth get https://reg.example.com", auths).fails(
            "Error: registries must be valid RFC 3986 URI authorities: https://reg.example.com",
        ),
        command("login/get-from-variable", "auth get reg.example.com")
            .env("DOCKER_AUTH_CONFIG", "{\"auths\":{\"reg.example.com\":{\"auth\":\"dTpw\"}}}")
            .fails("")
            .differs("exit code", Some("0"), ALONE)
            .differs("stdout", Some("{\"Username\":\"u\",\"Secret\":\"p\"}"), ALONE),
        stored(
            "login/get-identity-token",
            "auth get reg.example.com",
            "{\"auths\":{\"reg.example.com\":{\"identitytoken\":\"t\"}}}",
        ),
        command("login/no-password", "login reg.example.com")
            .fails("Error: username and password required"),
        command("login/bad-server", "login bad/reg -u u -p p")
            .fails("Error: registries must be valid RFC 3986 URI authorities: bad/reg"),
    ]
}

fn completion() -> Vec<Case> {
    let ask = |name, words: &str| Case::command(name, words);
    vec![
        ask("completion/flags", "__complete build --image").arg(""),
        ask("completion/flag-names", "__complete build --image-"),
        ask("completion/no-descriptions", "__completeNoDesc build --base-"),
        ask("completion/commands", "__complete v"),
        ask("completion/shells", "__complete completion").arg(""),
        ask("completion/help-of-commands", "__complete help lo"),
        ask("completion/unknown", "__complete build --bogus-"),
    ]
}
