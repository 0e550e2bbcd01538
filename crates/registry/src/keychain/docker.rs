//! What `docker login` and `podman login` have stored. Which file is read, and
//! which of its entries counts, is as in go-containerregistry's default
//! keychain, which is ko's.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::BoxFuture;
use oci::{Registry, Repository};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::helper::Helper;
use super::{Credential, Keychain, KeychainError, Secret};

/// The name of the variable, for messages.
const AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

/// How Docker Hub is called in configurations.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Where credentials may be: the values of the variables that Docker and
/// Podman read. A variable that is set but empty counts as not set.
#[derive(Debug, Clone, Default)]
pub struct DockerPlaces {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `DOCKER_CONFIG`, a directory.
    pub docker_config: Option<PathBuf>,
    /// `DOCKER_AUTH_CONFIG`, JSON.
    pub docker_auth_config: Option<Secret>,
    /// `REGISTRY_AUTH_FILE`.
    pub registry_auth_file: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `PATH`, in which credential helpers are searched.
    pub path: OsString,
}

impl DockerPlaces {
    /// The file that counts, if any. The first step has a quirk that is kept:
    /// `DOCKER_CONFIG` may name a directory without a file, and that is then
    /// an empty configuration if the file in `HOME` exists.
    fn file(&self) -> Option<PathBuf> {
        let config = |dir: PathBuf| dir.join("config.json");
        let in_home = self.home.as_ref().map(|home| config(home.join(".docker")));
        let in_dir = self.docker_config.clone().map(config);
        if [&in_home, &in_dir].into_iter().flatten().any(|file| file.exists()) {
            return in_dir.or(in_home);
        }
        if let Some(file) = self.registry_auth_file.as_ref().filter(|file| file.is_file()) {
            return Some(file.clone());
        }
        let podman = |dir: &PathBuf| dir.join("containers/auth.json");
        let in_runtime = self.xdg_runtime_dir.as_ref().map(podman);
        let in_config = self.xdg_config_home.clone();
        let in_config = in_config.or_else(|| self.home.as_ref().map(|home| home.join(".config")));
        let in_config = in_config.as_ref().map(podman);
        [in_runtime, in_config].into_iter().flatten().find(|file| file.exists())
    }
}

/// One entry of `auths`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Secret,
    username: String,
    password: Secret,
    identitytoken: Secret,
    registrytoken: Secret,
}

/// A configuration file, as far as it matters here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct File {
    auths: Option<BTreeMap<String, Entry>>,
    #[serde(rename = "credHelpers")]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(rename = "credsStore")]
    creds_store: String,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new("")
    }
}

/// A text that is not the JSON that it should be. The parser's own message is
/// not shown, as it quotes what it has stumbled over.
pub(super) fn malformed(place: &str, error: &serde_json::Error) -> KeychainError {
    KeychainError::Malformed {
        place: place.to_owned(),
        problem: format!("line {}, column {}", error.line(), error.column().max(1)),
    }
}

impl File {
    fn parse(text: &[u8], place: &str) -> Result<Self, KeychainError> {
        serde_json::from_slice(text).map_err(|error| malformed(place, &error))
    }

    fn read(path: &Path) -> Result<Self, KeychainError> {
        match std::fs::read(path) {
            // Docker takes an empty file for none, and may leave one behind.
            Ok(text) if text.trim_ascii().is_empty() => Ok(Self::default()),
            Ok(text) => Self::parse(&text, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(KeychainError::Read { path: path.to_owned(), source }),
        }
    }

    fn helper(&self, key: &str) -> Option<&str> {
        let helpers = self.cred_helpers.as_ref();
        let helper = helpers.and_then(|helpers| helpers.get(key)).unwrap_or(&self.creds_store);
        Some(helper.as_str()).filter(|name| !name.is_empty())
    }

    /// Looks a key up in `auths`: as it is, or as the host of an entry's URL.
    fn entry(&self, key: &str, place: &str) -> Result<Credential, KeychainError> {
        let Some(auths) = &self.auths else {
            return Ok(Credential::Anonymous);
        };
        let exact = auths.get_key_value(key);
        let found = exact.or_else(|| auths.iter().find(|(url, _)| host_of(url) == key));
        match found {
            Some((key, entry)) => entry
                .credential()
                .ok_or_else(|| KeychainError::Entry { place: place.to_owned(), key: key.clone() }),
            None => Ok(Credential::Anonymous),
        }
    }
}

/// The key of a registry in configurations and helpers.
pub(super) fn key_of(registry: &Registry) -> &str {
    if registry.is_docker_hub() { DOCKER_HUB_KEY } else { registry.as_str() }
}

/// The host and port in an entry's key, which may be a URL.
pub(super) fn host_of(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next().unwrap_or_default()
}

impl Entry {
    /// What the entry means; nothing if its `auth` is malformed.
    fn credential(&self) -> Option<Credential> {
        let (mut user, mut password) = (self.username.clone(), self.password.clone());
        if !self.auth.expose().is_empty() {
            let decoded = STANDARD.decode(self.auth.expose()).ok()?;
            let decoded = String::from_utf8(decoded).ok()?;
            let (name, secret) = decoded.split_once(':').filter(|(name, _)| !name.is_empty())?;
            user = name.to_owned();
            password = Secret::new(secret.trim_end_matches('\0'));
        }
        let given = |secret: &Secret| !secret.expose().is_empty();
        Some(if given(&self.registrytoken) {
            Credential::RegistryToken(self.registrytoken.clone())
        } else if given(&self.identitytoken) {
            Credential::IdentityToken(self.identitytoken.clone())
        } else if !user.is_empty() {
            Credential::Basic { user, password }
        } else {
            Credential::Anonymous
        })
    }
}

/// What was read, once.
struct Loaded {
    environment: File,
    file: File,
    place: String,
}

/// Answers of helpers by helper and key.
type Answers = HashMap<(String, String), Arc<OnceCell<Credential>>>;

/// The keychain of Docker's and Podman's configuration files and credential
/// helpers. The file is read once, and a helper is asked once for each key.
pub struct DockerConfig {
    places: DockerPlaces,
    helper_limit: Duration,
    loaded: OnceCell<Loaded>,
    answers: Mutex<Answers>,
}

impl DockerConfig {
    /// A keychain that looks in these places. A helper has 30 seconds.
    pub fn new(places: DockerPlaces) -> Self {
        Self {
            places,
            helper_limit: Duration::from_secs(30),
            loaded: OnceCell::new(),
            answers: Mutex::default(),
        }
    }

    /// Changes how long a helper may take.
    #[must_use]
    pub fn helper_limit(mut self, limit: Duration) -> Self {
        self.helper_limit = limit;
        self
    }

    /// Says who we are in a registry, whatever is stored for single
    /// repositories of it.
    ///
    /// # Errors
    /// What is stored cannot be read.
    pub async fn registry(&self, registry: &Registry) -> Result<Credential, KeychainError> {
        self.lookup(key_of(registry)).await
    }

    fn load(&self) -> Result<Loaded, KeychainError> {
        let environment = match &self.places.docker_auth_config {
            Some(text) if !text.expose().is_empty() => {
                File::parse(text.expose().as_bytes(), AUTH_CONFIG)?
            }
            _ => File::default(),
        };
        let path = self.places.file();
        let file = path.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let place = path.map(|path| path.display().to_string()).unwrap_or_default();
        Ok(Loaded { environment, file, place })
    }

    async fn lookup(&self, key: &str) -> Result<Credential, KeychainError> {
        let loaded = self.loaded.get_or_try_init(|| async { self.load() }).await?;
        match loaded.environment.entry(key, AUTH_CONFIG)? {
            Credential::Anonymous => {}
            found => return Ok(found),
        }
        match loaded.file.helper(key) {
            Some(name) => self.ask(name, key, &loaded.place).await,
            None => loaded.file.entry(key, &loaded.place),
        }
    }

    async fn ask(&self, name: &str, key: &str, place: &str) -> Result<Credential, KeychainError> {
        let answer = {
            let mut answers = self.answers.lock().expect("no holder of this lock panics");
            Arc::clone(answers.entry((name.to_owned(), key.to_owned())).or_default())
        };
        let found = answer.get_or_try_init(|| async {
            Helper::find(name, &self.places.path, self.helper_limit, place)?.get(key).await
        });
        found.await.cloned()
    }
}

impl Keychain for DockerConfig {
    fn resolve<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        async move {
            match self.lookup(&repository.full_name()).await? {
                Credential::Anonymous => {}
                found => return Ok(found),
            }
            self.lookup(key_of(repository.registry())).await
        }
        .boxed()
    }
}

impl std::fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerConfig").field("places", &self.places).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_keys() {
        for (key, want) in [
            ("https://index.docker.io/v1/", "index.docker.io"),
            ("http://r.io:5000/v2", "r.io:5000"),
            ("r.io", "r.io"),
            ("r.io/a/b", "r.io"),
            ("", ""),
        ] {
            assert_eq!(host_of(key), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read_or_refused_in_silence(text in "[ -~]{0,60}") {
            let password = "hunter2";
            let auth = format!("{password}{text}");
            let json = serde_json::json!({"auths": {"r.io": {"auth": auth}}});
            let file = File::parse(json.to_string().as_bytes(), "f").unwrap();
            if let Err(error) = file.entry("r.io", "f") {
                let said = format!("{error} {error:?}");
                proptest::prop_assert!(!said.contains(password), "{}", said);
            }
            let broken = format!("{{\"auths\": {{\"r.io\": {{\"auth\": {password}{text}");
            let error = File::parse(broken.as_bytes(), "f").err().unwrap();
            let said = format!("{error} {error:?}");
            proptest::prop_assert!(!said.contains(password), "{}", said);
        }
    }
}
