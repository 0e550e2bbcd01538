//! Docker's and Podman's configuration: which file counts, which entry, and
//! credential helpers that behave and misbehave.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use ko_registry::{
    Anonymous, Chain, Credential, DockerConfig, DockerPlaces, GitHub, HelperOutput, Keychain,
    KeychainError, Secret, Variables,
};
use oci::Repository;
use tempfile::TempDir;
use testkit::service::write_executable;

use crate::{Fixed, PASSWORD};

fn repository(text: &str) -> Repository {
    text.parse().unwrap()
}

fn basic(user: &str, password: &str) -> Credential {
    Credential::Basic { user: user.to_owned(), password: Secret::new(password) }
}

fn encoded(pair: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(pair)
}

fn auths(host: &str, pair: &str) -> String {
    format!(r#"{{"auths":{{"{host}":{{"auth":"{}"}}}}}}"#, encoded(pair))
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A keychain of one file.
fn file(text: &str) -> (TempDir, DockerPlaces) {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("config.json"), text);
    let docker_config = Some(dir.path().to_owned());
    (dir, DockerPlaces { docker_config, ..DockerPlaces::default() })
}

async fn resolve(places: &DockerPlaces, name: &str) -> Result<Credential, KeychainError> {
    DockerConfig::new(places.clone()).resolve(&repository(name)).await
}

#[tokio::test]
async fn the_first_file_counts() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let some = |path: &str| Some(at(path));
    let all = DockerPlaces {
        home: some("home"),
        docker_config: some("docker"),
        registry_auth_file: some("auth.json"),
        xdg_runtime_dir: some("run"),
        xdg_config_home: some("config"),
        ..DockerPlaces::default()
    };
    let files = [
        "docker/config.json",
        "home/.docker/config.json",
        "auth.json",
        "run/containers/auth.json",
        "config/containers/auth.json",
        "home/.config/containers/auth.json",
    ];
    for path in files {
        write(&at(path), &auths("r.io", &format!("{path}:x")));
    }
    let user = async |places: &DockerPlaces| match resolve(places, "r.io/app").await.unwrap() {
        Credential::Basic { user, .. } => user,
        _ => "nobody".to_owned(),
    };
    assert_eq!(user(&all).await, "docker/config.json");
    // The quirk: a directory without a file is an empty configuration as long
    // as there is one at home.
    std::fs::remove_file(at("docker/config.json")).unwrap();
    assert_eq!(user(&all).await, "nobody");
    let without = DockerPlaces { docker_config: None, ..all.clone() };
    assert_eq!(user(&without).await, "home/.docker/config.json");
    std::fs::remove_file(at("home/.docker/config.json")).unwrap();
    for (places, want) in [
        (all.clone(), "auth.json"),
        (
            DockerPlaces { registry_auth_file: some("none"), ..all.clone() },
            "run/containers/auth.json",
        ),
        (
            DockerPlaces { registry_auth_file: None, xdg_runtime_dir: None, ..all.clone() },
            "config/containers/auth.json",
        ),
        (
            DockerPlaces {
                registry_auth_file: None,
                xdg_runtime_dir: some("none"),
                xdg_config_home: None,
                ..all.clone()
            },
            "home/.config/containers/auth.json",
        ),
        (DockerPlaces::default(), "nobody"),
    ] {
        assert_eq!(user(&places).await, want);
    }
}

#[tokio::test]
async fn which_entry_counts() {
    let entries = |list: &[(&str, &str)]| {
        let list: Vec<_> = list
            .iter()
            .map(|(key, pair)| format!(r#""{key}":{{"auth":"{}"}}"#, encoded(pair)))
            .collect();
        format!(r#"{{"auths":{{{}}},"unknown":[1]}}"#, list.join(","))
    };
    let teams = &[("r.io/a-team", "a:x"), ("r.io/team", "team:x"), ("r.io/team/deep", "deep:x")];
    for (text, name, want) in [
        (entries(&[("r.io", "host:x"), ("r.io/org/app", "repo:x")]), "r.io/org/app", "repo"),
        (entries(&[("https://r.io/v2/", "url:x")]), "r.io/app", "url"),
        (entries(&[("http://r.io:5000", "port:x")]), "r.io:5000/app", "port"),
        (entries(&[("r.io:5000", "port:x")]), "r.io/app", "nobody"),
        (entries(&[("R.io", "upper:x")]), "r.io/app", "nobody"),
        (entries(&[("[::1]:5000/team", "six:x")]), "[::1]:5000/team/app", "six"),
        // A namespace is for what is below it, and the nearest counts.
        (entries(&[("r.io", "host:x"), ("r.io/org", "org:x")]), "r.io/org/app", "org"),
        (entries(&[("r.io", "host:x"), ("r.io/org", "org:x")]), "r.io/organ/app", "host"),
        (entries(teams), "r.io/team/app", "team"),
        (entries(teams), "r.io/team/deep/er/app", "deep"),
        (entries(teams), "r.io/team", "team"),
        (entries(teams), "r.io/teams/app", "nobody"),
        (entries(teams), "r.io/app", "nobody"),
        (entries(&[("r.io/team/app/", "slash:x")]), "r.io/team/app", "slash"),
        (entries(&[("https://r.io/team", "url:x")]), "r.io/app", "url"),
        (entries(&[("r.io/v1/", "old:x")]), "r.io/app", "old"),
        (entries(&[("https://index.docker.io/v1/", "hub:x")]), "alpine", "hub"),
        (entries(&[("https://index.docker.io/v1/", "hub:x")]), "docker.io/user/app", "hub"),
        (entries(&[("docker.io", "hub:x")]), "alpine", "hub"),
        (entries(&[("docker.io", "hub:x"), ("docker.io/user", "mine:x")]), "user/app", "mine"),
        ("{}".to_owned(), "r.io/app", "nobody"),
        (r#"{"auths":null,"credHelpers":null}"#.to_owned(), "r.io/app", "nobody"),
        (r#"{"auths":{"r.io":{}}}"#.to_owned(), "r.io/app", "nobody"),
    ] {
        let (_dir, places) = file(&text);
        let found = match resolve(&places, name).await.unwrap() {
            Credential::Basic { user, .. } => user,
            _ => "nobody".to_owned(),
        };
        assert_eq!(found, want, "{text} {name}");
    }
}

#[tokio::test]
async fn what_an_entry_means() {
    let pair = encoded("user:pass:word\0\0");
    for (entry, want) in [
        (format!(r#"{{"auth":"{pair}"}}"#), basic("user", "pass:word")),
        (r#"{"username":"u","password":"p"}"#.to_owned(), basic("u", "p")),
        (
            format!(r#"{{"auth":"{pair}","identitytoken":"id"}}"#),
            Credential::IdentityToken(Secret::new("id")),
        ),
        (
            r#"{"identitytoken":"id","registrytoken":"reg"}"#.to_owned(),
            Credential::RegistryToken(Secret::new("reg")),
        ),
    ] {
        let (_dir, places) = file(&format!(r#"{{"auths":{{"r.io":{entry}}}}}"#));
        assert_eq!(resolve(&places, "r.io/app").await.unwrap(), want, "{entry}");
    }
}

#[tokio::test]
async fn broken_files_are_named_and_not_shown() {
    let no_user = encoded(&format!(":{PASSWORD}"));
    let no_colon = encoded(PASSWORD);
    for (text, want) in [
        (
            format!(r#"{{"auths":{{"r.io":{{"auth":"{no_user}"}}}}}}"#),
            "invalid auth configuration in",
        ),
        (format!(r#"{{"auths":{{"r.io":{{"auth":"{no_colon}"}}}}}}"#), r#"auths["r.io"].auth"#),
        (format!(r#"{{"auths":{{"r.io":{{"auth":"{PASSWORD}!"}}}}}}"#), "config.json"),
        (format!(r#"{{"auths":{{"r.io":{{"auth":"{PASSWORD}"#), "line 1, column"),
        (format!(r#"{{"auths":"{PASSWORD}"}}"#), "not a valid auth configuration"),
    ] {
        let (_dir, places) = file(&text);
        let error = resolve(&places, "r.io/app").await.unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
        let all = format!("{error} {error:?} {places:?}");
        assert!(
            !all.contains(PASSWORD) && !all.contains(&no_user) && !all.contains(&no_colon),
            "{all}"
        );
    }
    // An entry that nobody asks for harms nobody.
    let (_dir, places) = file(r#"{"auths":{"other.io":{"auth":"!"}}}"#);
    assert_eq!(resolve(&places, "r.io/app").await.unwrap(), Credential::Anonymous);
    let unreadable =
        DockerPlaces { registry_auth_file: Some("/".into()), ..DockerPlaces::default() };
    assert_eq!(resolve(&unreadable, "r.io/app").await.unwrap(), Credential::Anonymous);
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("config.json")).unwrap();
    let docker_config = Some(dir.path().to_owned());
    let places = DockerPlaces { docker_config, ..DockerPlaces::default() };
    let error = resolve(&places, "r.io/app").await.unwrap_err();
    assert!(matches!(error, KeychainError::Read { .. }), "{error}");
}

#[tokio::test]
async fn the_variable_comes_first() {
    let (_dir, mut places) = file(&auths("r.io", "file:x"));
    let variable = |text: &str| Some(Secret::new(text));
    places.docker_auth_config = variable(&auths("r.io", "variable:x"));
    assert_eq!(resolve(&places, "r.io/app").await.unwrap(), basic("variable", "x"));
    places.docker_auth_config = variable(&auths("other.io", "variable:x"));
    assert_eq!(resolve(&places, "r.io/app").await.unwrap(), basic("file", "x"));
    places.docker_auth_config = variable("");
    assert_eq!(resolve(&places, "r.io/app").await.unwrap(), basic("file", "x"));
    // It needs no file.
    let docker_auth_config = variable(&auths("r.io", "variable:x"));
    let alone = DockerPlaces { docker_auth_config, ..DockerPlaces::default() };
    assert_eq!(resolve(&alone, "r.io/app").await.unwrap(), basic("variable", "x"));
    places.docker_auth_config = variable(&format!("{{{PASSWORD}"));
    let error = resolve(&places, "r.io/app").await.unwrap_err();
    assert!(error.to_string().starts_with("DOCKER_AUTH_CONFIG is not a valid"), "{error}");
    assert!(!format!("{error:?}{places:?}").contains(PASSWORD));
}

/// A configuration with helpers, and the directory they are in.
struct Helpers {
    dir: TempDir,
    places: DockerPlaces,
}

impl Helpers {
    fn new(config: &str) -> Self {
        let (dir, mut places) = file(config);
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let path = format!("relative:{}:/usr/bin:/bin", bin.display());
        places.environment = Variables::from_iter([("PATH", path)]);
        Self { dir, places }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Installs a helper: a script with the key in `$key`. It logs what it is
    /// asked.
    fn install(&self, name: &str, script: &str) {
        let file = self.dir.path().join("bin").join(format!("docker-credential-{name}"));
        let log = self.log().display().to_string();
        let script = format!("#!/bin/sh\nkey=$(cat)\necho \"$1 $key\" >> '{log}'\n{script}\n");
        write_executable(&file, &script);
    }
}

const NOT_FOUND: &str = "echo 'credentials not found in native keychain'; exit 1";

fn answer(user: &str, secret: &str) -> String {
    format!(r#"echo '{{"ServerURL":"x","Username":"{user}","Secret":"{secret}"}}'"#)
}

#[tokio::test]
async fn helpers_are_asked_about_registries_and_repositories_that_are_named() {
    let helpers = Helpers::new(
        r#"{"auths":{"r.io":{"auth":"never"},"r.io/a":{"auth":"never"}},"credSstore":"all",
        "credHelpers":{"gcr.io":"one","gcr.io/named":"two"}}"#,
    );
    helpers.install(
        "all",
        &format!("case $key in r.io) {};; *) {NOT_FOUND};; esac", answer("u", "s")),
    );
    helpers.install("one", r#"echo '{"username":"<token>","SECRET":"id"} and more'"#);
    helpers.install("two", NOT_FOUND);
    let keychain = DockerConfig::new(helpers.places.clone());
    for (name, want) in [
        ("r.io/a", basic("u", "s")),
        ("r.io/b", basic("u", "s")),
        ("gcr.io/named", Credential::IdentityToken(Secret::new("id"))),
        ("gcr.io/a", Credential::IdentityToken(Secret::new("id"))),
        ("quay.io/a", Credential::Anonymous),
        ("alpine", Credential::Anonymous),
    ] {
        assert_eq!(keychain.resolve(&repository(name)).await.unwrap(), want, "{name}");
    }
    let log = std::fs::read_to_string(helpers.log()).unwrap();
    let keys = ["r.io", "gcr.io/named", "gcr.io", "quay.io", "https://index.docker.io/v1/"];
    let want: String = keys.map(|key| format!("get {key}\n")).concat();
    assert_eq!(log, want);
}

#[tokio::test]
async fn helpers_that_fail() {
    for (script, want) in [
        ("echo 'store is locked'; exit 1".to_owned(), "exit status: 1, out: `store is locked`"),
        (format!("{}; exit 3", answer("u", PASSWORD)), "exit status: 3, out: `REDACTED`"),
        (format!("echo '{PASSWORD}'"), "its output is not the expected JSON"),
        (format!("echo '{{\"Secret\": {PASSWORD}'"), "its output is not the expected JSON"),
        ("true".to_owned(), "its output is not the expected JSON"),
        ("kill -9 $$".to_owned(), "signal: 9"),
    ] {
        let helpers = Helpers::new(r#"{"credsStore":"bad"}"#);
        helpers.install("bad", &script);
        let error = resolve(&helpers.places, "r.io/app").await.unwrap_err();
        let text = error.to_string();
        let start = r#"error getting credentials for "r.io" from "docker-credential-bad": "#;
        assert!(text.starts_with(start) && text.contains(want), "{text}");
        assert!(!format!("{error:?} {text}").contains(PASSWORD));
    }
    let helpers = Helpers::new(r#"{"credsStore":"empty"}"#);
    helpers.install("empty", &answer("", ""));
    assert_eq!(resolve(&helpers.places, "r.io/app").await.unwrap(), Credential::Anonymous);
}

#[tokio::test]
async fn helpers_and_entries_beside_each_other() {
    let config = format!(
        r#"{{"auths":{{"r.io":{{"auth":"{host}"}},"r.io/team":{{"auth":"{team}"}},
        "f.io":{{"auth":"{host}"}},"f.io/team":{{"auth":"{team}"}},
        "h.io/team":{{"auth":"{team}"}},"h.io/team/own":{{"auth":"{team}"}}}},
        "credHelpers":{{"f.io":"","h.io":"box","docker.io":"box"}}STORE}}"#,
        host = encoded("host:x"),
        team = encoded("team:x"),
    );
    let user = async |store: &str, name: &str| {
        let helpers = Helpers::new(&config.replace("STORE", store));
        helpers.install("box", r#"printf '{"Username":"box %s","Secret":"x"}' "$key""#);
        match resolve(&helpers.places, name).await.unwrap() {
            Credential::Basic { user, .. } => user,
            _ => "nobody".to_owned(),
        }
    };
    for (name, alone, with_store) in [
        ("r.io/app", "host", "box r.io"),
        ("r.io/team/app", "team", "box r.io"),
        // The file is named as its own helper.
        ("f.io/app", "host", "host"),
        ("f.io/team/app", "team", "team"),
        // A helper of a registry knows more than the file, but of a repository.
        ("h.io/team/app", "box h.io", "box h.io"),
        ("h.io/team/own", "team", "box h.io"),
        // As podman calls Docker Hub.
        ("alpine", "box docker.io", "box docker.io"),
    ] {
        assert_eq!(user("", name).await, alone, "{name}");
        assert_eq!(user(r#","credsStore":"box""#, name).await, with_store, "{name}");
    }
}

#[tokio::test]
async fn a_hundred_repositories_are_one_question() {
    for (script, good) in [
        (answer("u", "s"), true),
        (NOT_FOUND.to_owned(), true),
        ("echo 'store is locked'; exit 1".to_owned(), false),
    ] {
        for config in [r#"{"credsStore":"box"}"#, r#"{"credHelpers":{"r.io":"box"}}"#] {
            let helpers = Helpers::new(config);
            helpers.install("box", &script);
            let keychain = &DockerConfig::new(helpers.places.clone());
            let asked = (0..100).map(|n| async move {
                keychain.resolve(&repository(&format!("r.io/team/app{n}"))).await
            });
            for found in futures::future::join_all(asked).await {
                assert_eq!(found.is_ok(), good);
            }
            assert_eq!(std::fs::read_to_string(helpers.log()).unwrap(), "get r.io\n");
        }
    }
}

#[tokio::test]
async fn helpers_that_are_missing_or_elsewhere() {
    for name in ["none", "../bin/evil", "plain"] {
        let helpers = Helpers::new(&format!(r#"{{"credsStore":"{name}"}}"#));
        helpers.install("evil", &answer("u", "s"));
        write(&helpers.dir.path().join("bin/docker-credential-plain"), "not executable");
        let error = resolve(&helpers.places, "r.io/app").await.unwrap_err();
        let program = format!("docker-credential-{name}");
        assert!(matches!(&error, KeychainError::NoHelper { program: p, .. } if *p == program));
        assert!(error.to_string().contains("config.json names the credential helper"), "{error}");
    }
}

#[tokio::test]
async fn a_helper_that_hangs_is_given_up() {
    let helpers = Helpers::new(r#"{"credsStore":"slow"}"#);
    helpers.install("slow", "exec sleep 1000");
    let limit = Duration::from_millis(300);
    let keychain = DockerConfig::new(helpers.places.clone()).helper_limit(limit);
    let error = keychain.resolve(&repository("r.io/app")).await.unwrap_err();
    assert!(matches!(error, KeychainError::Slow { .. }), "{error}");
}

#[tokio::test]
async fn chains_and_github() {
    let github = GitHub { token: Secret::new(PASSWORD), actor: None };
    let none = Arc::new(Fixed(Credential::Anonymous));
    let last = Arc::new(Fixed(basic("last", "x")));
    let chain = Chain(vec![none, Arc::new(github), last]);
    let found = async |name: &str| chain.resolve(&repository(name)).await.unwrap();
    assert_eq!(found("ghcr.io/org/app").await, basic("unset", PASSWORD));
    assert_eq!(found("r.io/app").await, basic("last", "x"));
    assert!(!format!("{chain:?}").contains(PASSWORD));

    // None of them can make a repository.
    let nobody = Chain(vec![Arc::new(Anonymous), Arc::new(Fixed(basic("last", "x")))]);
    assert_eq!(nobody.resolve(&repository("r.io/app")).await.unwrap(), basic("last", "x"));
    assert!(!nobody.create(&repository("r.io/app")).await.unwrap());

    let (_dir, places) = file("{");
    let first: Arc<dyn Keychain> = Arc::new(DockerConfig::new(places));
    let chain = Chain(vec![first, Arc::new(Fixed(basic("last", "x")))]);
    assert!(chain.resolve(&repository("r.io/app")).await.is_err());
}

#[tokio::test]
async fn where_a_credential_came_from_is_known() {
    let helpers = Helpers::new(&format!(
        r#"{{"credHelpers":{{"gcr.io":"one"}},{}"#,
        &auths("r.io", "me:secret")[1..]
    ));
    helpers.install("one", &answer("u", "s"));
    let file = helpers.places.docker_config.as_ref().unwrap().join("config.json");
    let variable = Some(Secret::new(auths("v.io", "me:secret")));
    let places = DockerPlaces { docker_auth_config: variable, ..helpers.places.clone() };
    let github = GitHub { token: Secret::new(PASSWORD), actor: None };
    let chain = Chain(vec![Arc::new(DockerConfig::new(places)), Arc::new(github)]);
    for (name, want) in [
        ("r.io/a", Some(file.to_str().unwrap())),
        ("gcr.io/a", Some("docker-credential-one")),
        ("v.io/a", Some("DOCKER_AUTH_CONFIG")),
        ("ghcr.io/a/b", Some("GITHUB_TOKEN")),
        ("quay.io/a", None),
    ] {
        let name = repository(name);
        let _ = chain.resolve(&name).await.unwrap();
        assert_eq!(chain.source(&name).as_deref(), want, "{name}");
    }
}

#[tokio::test]
async fn what_a_helper_says_beside_its_answer_is_handed_on() {
    let mut helpers = Helpers::new(r#"{"credsStore":"chatty"}"#);
    helpers.install("chatty", &format!("echo touch the key >&2; {}", answer("u", "s")));
    let (said, runs) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
    let (to, at) = (Arc::clone(&said), Arc::clone(&runs));
    let output = HelperOutput::new(move |text| to.lock().unwrap().push_str(text));
    let output = output.running(move |is_running| at.lock().unwrap().push(is_running));
    helpers.places.helper_output = Some(output);
    assert_eq!(resolve(&helpers.places, "r.io/app").await.unwrap(), basic("u", "s"));
    assert_eq!(*said.lock().unwrap(), "touch the key\n");
    assert_eq!(*runs.lock().unwrap(), [true, false]);
}

#[tokio::test]
async fn a_helper_that_cannot_be_started_is_named() {
    let helpers = Helpers::new(r#"{"credsStore":"broken"}"#);
    helpers.install("broken", "");
    let program = helpers.dir.path().join("bin/docker-credential-broken");
    write(&program, "#!/no/such/interpreter\n");
    let error = resolve(&helpers.places, "r.io/app").await.unwrap_err();
    let KeychainError::Run { program, .. } = &error else { panic!("{error:?}") };
    assert_eq!(program, "docker-credential-broken");
}
