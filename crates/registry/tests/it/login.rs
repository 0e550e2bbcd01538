//! Writing Docker's configuration: what stays, what goes, and what helpers are
//! told.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ko_registry::{
    Credential, CredentialStore, DockerConfig, DockerPlaces, HelperOutput, Kept, KeychainError,
    Secret, Variables,
};
use oci::Registry;
use tempfile::TempDir;

use crate::PASSWORD;

/// A directory for a configuration, and one for helpers.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn with(text: &str) -> Home {
        let home = Home::new();
        fs::create_dir(home.dir()).unwrap();
        fs::write(home.file(), text).unwrap();
        home
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("docker")
    }

    fn file(&self) -> PathBuf {
        self.dir().join("config.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Adds a helper. Its log has what it was asked.
    fn helper(&self, name: &str, lines: &str) {
        let (path, log) = (self.0.path().join(format!("docker-credential-{name}")), self.log());
        let log = log.display();
        let script = format!(
            "#!/bin/sh\nprintf '%s ' $1 >>'{log}'\ncat >>'{log}'\necho >>'{log}'\n{lines}\n"
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn environment(&self) -> Variables {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        Variables::from_iter([("PATH", path)])
    }

    fn store(&self) -> CredentialStore {
        CredentialStore::new(&self.dir(), self.environment())
    }

    async fn login(&self, host: &str, user: &str) -> Result<Kept, KeychainError> {
        self.store().store(&registry(host), user, &Secret::new(PASSWORD)).await
    }

    async fn logout(&self, host: &str) -> Result<(), KeychainError> {
        self.store().erase(&registry(host)).await
    }

    async fn found(&self, host: &str) -> Credential {
        let places = DockerPlaces {
            docker_config: Some(self.dir()),
            environment: self.environment(),
            ..DockerPlaces::default()
        };
        DockerConfig::new(places).registry(&registry(host)).await.unwrap()
    }

    /// Nothing but the configuration is in its directory.
    #[track_caller]
    fn assert_tidy(&self) {
        let names: Vec<_> =
            fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["config.json"]);
    }
}

fn registry(host: &str) -> Registry {
    host.parse().unwrap()
}

fn basic(user: &str) -> Credential {
    Credential::Basic { user: user.to_owned(), password: Secret::new(PASSWORD) }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn a_new_file_is_docker_s() {
    let home = Home::new();
    assert_eq!(home.login("r.io", "me").await.unwrap(), Kept::InFile);
    assert_eq!(
        home.text(),
        "{\n\t\"auths\": {\n\t\t\"r.io\": {\n\t\t\t\"auth\": \"bWU6aHVudGVyMi1jb3JyZWN0LWhvcnNl\"\n\t\t}\n\t}\n}"
    );
    assert_eq!((mode(&home.file()), mode(&home.dir())), (0o600, 0o700));
    home.assert_tidy();
}

#[tokio::test]
async fn what_is_stored_is_found_and_forgotten() {
    for host in ["r.io", "localhost:5000", "[::1]:5000", "docker.io", "R.io", "10.0.0.1"] {
        for text in [
            "",
            "{}",
            " \n",
            "null",
            r#"{"auths":null}"#,
            r#"{"auths":{"x.io":{}}}"#,
            r#"{"auths":{"r.io":null,"localhost:5000":null,"[::1]:5000":null,"10.0.0.1":null}}"#,
            // Whoever reads takes these names as well.
            r#"{"Auths":{"R.io":{"AUTH":"YTpi"},"r.io":{"Auth":"YTpi"}},"auths":{"x.io":null}}"#,
            r#"{"auths":{"docker.io":{"auth":"YTpi"}},"AUTHS":{"https://r.io":{"auth":"YTpi"}}}"#,
        ] {
            let home = Home::with(text);
            home.login(host, "other").await.unwrap();
            home.login(host, "me").await.unwrap();
            assert_eq!(home.found(host).await, basic("me"), "{host} in {text}");
            home.logout(host).await.unwrap();
            assert_eq!(home.found(host).await, Credential::Anonymous, "{host} in {text}");
            home.logout(host).await.unwrap();
        }
    }
    let home = Home::new();
    home.login("docker.io", "me").await.unwrap();
    assert!(home.text().contains("\"https://index.docker.io/v1/\""), "{}", home.text());
}

#[tokio::test]
async fn everything_else_stays() {
    let text = r#"{
  "zebra": [1, 2.5, {"b": null, "a": true}],
  "auths": {
    "z.io": {"auth": "broken", "more": 1},
    "r.io": {"email": "me@x", "identitytoken": "old", "auth": "b2xkOm9sZA=="},
    "a.io": {}
  },
  "HttpHeaders": {"é": "\u003c\n"},
  "alpha": ""
}"#;
    let home = Home::with(text);
    home.login("r.io", "me").await.unwrap();
    let mut want: serde_json::Value = serde_json::from_str(text).unwrap();
    let auth = "bWU6aHVudGVyMi1jb3JyZWN0LWhvcnNl";
    want["auths"]["r.io"] = serde_json::json!({"email": "me@x", "auth": auth});
    let found = home.text();
    // Compared as text, so that the order counts.
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found.to_string(), want.to_string());
    home.logout("r.io").await.unwrap();
    want["auths"].as_object_mut().unwrap().shift_remove("r.io");
    let found: serde_json::Value = serde_json::from_str(&home.text()).unwrap();
    assert_eq!(found.to_string(), want.to_string());
}

#[tokio::test]
async fn a_logout_forgets_every_entry_that_would_count() {
    let home = Home::with(r#"{"auths":{"https://r.io/v1":{"auth":"YTpi"},"r.io.evil":{}}}"#);
    home.logout("r.io").await.unwrap();
    assert_eq!(home.found("r.io").await, Credential::Anonymous);
    assert!(home.text().contains("r.io.evil"));
    // What is below a registry is for others to log out of.
    let home = Home::with(r#"{"auths":{"r.io/team":{"auth":"YTpi"},"r.io/v2/":{"auth":"YTpi"}}}"#);
    home.logout("r.io").await.unwrap();
    assert_eq!(
        home.text(),
        "{\n\t\"auths\": {\n\t\t\"r.io/team\": {\n\t\t\t\"auth\": \"YTpi\"\n\t\t}\n\t}\n}"
    );
    // What nobody was logged in to is no reason to write.
    let before = home.text();
    home.logout("nowhere.io").await.unwrap();
    assert_eq!(home.text(), before);
    let nothing = Home::new();
    nothing.logout("r.io").await.unwrap();
    assert!(!nothing.file().exists());
}

#[tokio::test]
async fn mode_and_link_stay() {
    let home = Home::with("{}");
    let real = home.0.path().join("real.json");
    fs::rename(home.file(), &real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("../real.json", home.file()).unwrap();
    home.login("r.io", "me").await.unwrap();
    assert_eq!(fs::read_link(home.file()).unwrap(), Path::new("../real.json"));
    assert_eq!(mode(&real), 0o640);
    assert_eq!(home.found("r.io").await, basic("me"));
    home.assert_tidy();

    // Through two links to where nothing is yet.
    fs::remove_file(&real).unwrap();
    symlink("new.json", &real).unwrap();
    home.login("r.io", "me").await.unwrap();
    assert_eq!(mode(&home.0.path().join("new.json")), 0o600);
    assert_eq!(fs::read_link(&real).unwrap(), Path::new("new.json"));
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_is_left_alone() {
    for (text, want) in [
        ("{\"auths\":\n {", "line 2, column 2"),
        ("[]", "line 1, column 1"),
        ("{\"auths\": []}", "line 1, column 10"),
        ("{\"credHelpers\": {\"r.io\": 1}}", "line 1, column 26"),
        ("{\"credsStore\": [\"hunter2-correct-horse\"]}", "line 1, column 15"),
        ("{} x", "line 1, column 4"),
        ("\u{feff}{}", "line 1, column 1"),
    ] {
        let home = Home::with(text);
        for error in [home.login("r.io", "me").await.err(), home.logout("r.io").await.err()] {
            let error = error.unwrap_or_else(|| panic!("{text}"));
            let said = format!("{error} {error:?}");
            assert!(said.contains(want) && said.contains("config.json"), "{text}: {said}");
            assert!(!said.contains(PASSWORD), "{said}");
        }
        assert_eq!(home.text(), text);
        home.assert_tidy();
    }
}

#[tokio::test]
async fn only_files_are_replaced() {
    let home = Home::with("");
    fs::remove_file(home.file()).unwrap();
    symlink("/dev/null", home.file()).unwrap();
    let error = home.login("r.io", "me").await.unwrap_err();
    assert!(matches!(error, KeychainError::Read { .. }), "{error:?}");
    assert!(Path::new("/dev/null").metadata().unwrap().mode() & 0o170_000 == 0o020_000);

    fs::remove_file(home.file()).unwrap();
    symlink("config.json", home.file()).unwrap();
    home.login("r.io", "me").await.unwrap_err();

    fs::remove_file(home.file()).unwrap();
    fs::create_dir(home.file()).unwrap();
    home.login("r.io", "me").await.unwrap_err();

    // Where a directory should be there is a file.
    let home = Home::new();
    fs::write(home.dir(), "").unwrap();
    let error = home.login("r.io", "me").await.unwrap_err();
    assert!(error.to_string().contains("config.json"), "{error}");
}

#[tokio::test]
async fn a_name_with_a_colon_would_not_be_found_again() {
    let home = Home::new();
    let error = home.login("r.io", "me:too").await.unwrap_err();
    assert_eq!(error.to_string(), "the user name \"me:too\" has a colon in it");
    assert!(!home.dir().exists());
}

#[tokio::test]
async fn a_helper_keeps_what_it_is_named_for() {
    let home = Home::with(
        r#"{"auths":{"r.io":{"auth":"YTpi"}},"credHelpers":{"r.io":"one","o.io":""},"credsStore":"two"}"#,
    );
    home.helper("one", "");
    home.helper("two", "");
    assert_eq!(home.login("r.io", "me").await.unwrap(), Kept::ByHelper);
    assert_eq!(home.login("docker.io", "me").await.unwrap(), Kept::ByHelper);
    assert_eq!(home.login("o.io", "me").await.unwrap(), Kept::InFile);
    home.logout("r.io").await.unwrap();
    assert_eq!(
        home.asked(),
        "store {\"ServerURL\":\"r.io\",\"Username\":\"me\",\"Secret\":\"hunter2-correct-horse\"}\n\
         store {\"ServerURL\":\"https://index.docker.io/v1/\",\"Username\":\"me\",\"Secret\":\"hunter2-correct-horse\"}\n\
         erase r.io\n"
    );
    // The names count in any case, and Docker Hub's is podman's here.
    let named = Home::with(r#"{"CREDHELPERS":{"docker.io":"one"},"credSstore":"two"}"#);
    named.helper("one", "");
    named.helper("two", "");
    named.login("docker.io", "me").await.unwrap();
    named.logout("r.io").await.unwrap();
    let asked = named.asked();
    assert!(asked.starts_with("store {\"ServerURL\":\"docker.io\","), "{asked}");
    assert!(asked.ends_with("}\nerase r.io\n"), "{asked}");

    let text: serde_json::Value = serde_json::from_str(&home.text()).unwrap();
    let auth = "bWU6aHVudGVyMi1jb3JyZWN0LWhvcnNl";
    assert_eq!(
        text["auths"].to_string(),
        format!(r#"{{"https://index.docker.io/v1/":{{}},"o.io":{{"auth":"{auth}"}}}}"#)
    );
}

#[tokio::test]
async fn a_helper_that_fails_is_named_and_nothing_changes() {
    let text = r#"{"credsStore":"bad","auths":{"r.io":{}}}"#;
    for (lines, login, logout) in [
        ("echo no room; exit 3", "out: `no room`", "out: `no room`"),
        // It repeats what it was told.
        ("tail -n1 LOG; exit 1", "REDACTED", "out: `"),
        ("echo hunter2-correct-horse; exit 1", "REDACTED", "hunter2-correct-horse"),
        ("kill -9 $$", "signal: 9", "signal: 9"),
        ("exec sleep 60", "has not answered for \"r.io\" within", "has not answered"),
    ] {
        let home = Home::with(text);
        home.helper("bad", &lines.replace("LOG", &home.log().display().to_string()));
        let hangs = lines.contains("sleep");
        let limit = if hangs { Duration::from_millis(100) } else { Duration::from_secs(60) };
        let store = home.store().helper_limit(limit);
        let stored = store.store(&registry("r.io"), "me", &Secret::new(PASSWORD)).await;
        let said = stored.unwrap_err().to_string();
        assert!(said.contains(login) && said.contains("docker-credential-bad"), "{said}");
        assert!(said.contains("\"r.io\"") && !said.contains(PASSWORD), "{said}");
        let said = store.erase(&registry("r.io")).await.unwrap_err().to_string();
        assert!(said.contains(logout) && said.contains("docker-credential-bad"), "{said}");
        assert_eq!(home.text(), text);
    }
    let home = Home::with(text);
    let error = home.login("r.io", "me").await.unwrap_err();
    assert!(matches!(error, KeychainError::NoHelper { .. }), "{error:?}");
    // It has nothing to forget.
    home.helper("bad", "echo credentials not found in native keychain; exit 1");
    home.logout("r.io").await.unwrap();
    assert_eq!(home.text(), "{\n\t\"credsStore\": \"bad\",\n\t\"auths\": {}\n}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_at_once_do_not_lose_each_other() {
    let home = Home::new();
    let logins = (0..24).map(|at| {
        let store = home.store();
        tokio::spawn(async move {
            let host = registry(&format!("r{at}.io"));
            store.store(&host, "me", &Secret::new(PASSWORD)).await.unwrap();
        })
    });
    for login in logins.collect::<Vec<_>>() {
        login.await.unwrap();
    }
    for at in 0..24 {
        assert_eq!(home.found(&format!("r{at}.io")).await, basic("me"));
    }
    home.assert_tidy();
}

proptest::proptest! {
    #[test]
    fn any_name_and_password_are_found_again(user in "[^:\0]{1,20}", password in "[^\0](.{0,40}[^\0])?") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let home = Home::new();
        let secret = Secret::new(password);
        runtime.block_on(home.store().store(&registry("r.io"), &user, &secret)).unwrap();
        let found = runtime.block_on(home.found("r.io"));
        proptest::prop_assert_eq!(found, Credential::Basic { user, password: secret });
    }

    #[test]
    fn any_file_is_changed_or_left_alone(text in "[\\[\\]{}\",:a-z0-9 ]{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let home = Home::with(&text);
        match runtime.block_on(home.login("r.io", "me")) {
            Ok(_) => proptest::prop_assert_eq!(runtime.block_on(home.found("r.io")), basic("me")),
            Err(_) => proptest::prop_assert_eq!(home.text(), text),
        }
    }
}

#[tokio::test]
async fn what_a_helper_says_at_a_login_is_handed_on() {
    let home = Home::with(r#"{"credsStore":"chatty"}"#);
    home.helper("chatty", "echo unlocked >&2");
    let said = Arc::new(Mutex::new(String::new()));
    let to = Arc::clone(&said);
    let output = HelperOutput::new(move |text| to.lock().unwrap().push_str(text));
    let store = home.store().helper_output(Some(output));
    assert_eq!(store.file(), home.file());
    let kept = store.store(&registry("r.io"), "me", &Secret::new(PASSWORD)).await.unwrap();
    assert_eq!(kept, Kept::ByHelper);
    assert_eq!(*said.lock().unwrap(), "unlocked\n");
}
