//! Reads what `docker login` and `podman login` have stored, from the file that
//! go-containerregistry's default keychain, which is ko's, would read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use oci::{Registry, Repository};
use once::blocking;
use tokio::sync::OnceCell;

use super::config::{File, Question};
use super::helper::{Helper, HelperOutput};
use super::variables::Variables;
use super::{Credential, Keychain, KeychainError, Secret};

/// The name of the variable, for messages.
const AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

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
    /// What credential helpers are started with.
    pub environment: Variables,
    /// Takes what credential helpers write to standard error; without, it is
    /// that of this process.
    pub helper_output: Option<HelperOutput>,
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

/// What was read, once.
struct Loaded {
    environment: File,
    file: File,
    place: String,
}

impl Loaded {
    fn read(places: &DockerPlaces) -> Result<Self, KeychainError> {
        let environment = match &places.docker_auth_config {
            Some(text) if !text.is_empty() => File::parse(text.bytes(), AUTH_CONFIG)?,
            _ => File::default(),
        };
        let path = places.file();
        let file = path.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let place = path.map(|path| path.display().to_string()).unwrap_or_default();
        Ok(Self { environment, file, place })
    }
}

/// Answers of helpers, and their failures, by helper and key.
type Answers = HashMap<(String, String), Arc<OnceCell<Result<Credential, KeychainError>>>>;

/// The keychain of Docker's and Podman's configuration files and credential
/// helpers. The file is read once, and a helper is asked once about each key,
/// whatever comes of it: what it fails at for one repository it would fail at
/// for a hundred.
pub struct DockerConfig {
    places: DockerPlaces,
    helper_limit: Duration,
    loaded: OnceCell<Loaded>,
    answers: Mutex<Answers>,
    /// Where the credentials of repositories came from.
    sources: Mutex<HashMap<Repository, String>>,
}

impl DockerConfig {
    /// A keychain that looks in these places. A helper has 30 seconds.
    pub fn new(places: DockerPlaces) -> Self {
        Self {
            places,
            helper_limit: Duration::from_secs(30),
            loaded: OnceCell::new(),
            answers: Mutex::default(),
            sources: Mutex::default(),
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
        Ok(self.lookup(registry, "").await?.0)
    }

    async fn load(&self) -> Result<Loaded, KeychainError> {
        let places = self.places.clone();
        blocking(move || Loaded::read(&places)).await
    }

    /// Looks for a repository, then for what is above it, up to the registry. Also
    /// says where it was found.
    async fn lookup(
        &self,
        registry: &Registry,
        path: &str,
    ) -> Result<(Credential, String), KeychainError> {
        let loaded = self.loaded.get_or_try_init(|| self.load()).await?;
        let Loaded { environment, file, place } = loaded;
        let mut below = path;
        loop {
            let is_repository = below == path && !path.is_empty();
            let found = match environment.entry(registry, below, AUTH_CONFIG)? {
                Credential::Anonymous => {
                    let question = match below {
                        "" => file.helper(registry),
                        _ if is_repository => file.helper_of_repository(registry, path),
                        _ => None,
                    };
                    match question {
                        Some(question) => {
                            let helper = format!("docker-credential-{}", question.helper);
                            (self.ask(question, place).await?, helper)
                        }
                        None if file.keeps(registry, below, is_repository) => {
                            (file.entry(registry, below, place)?, place.clone())
                        }
                        None => (Credential::Anonymous, String::new()),
                    }
                }
                found => (found, AUTH_CONFIG.to_owned()),
            };
            if found.0 != Credential::Anonymous || below.is_empty() {
                return Ok(found);
            }
            below = below.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    async fn ask(&self, question: Question<'_>, place: &str) -> Result<Credential, KeychainError> {
        let Question { helper, key } = question;
        let answer = {
            let mut answers = self.answers.lock().expect("no holder of this lock panics");
            Arc::clone(answers.entry((helper.to_owned(), key.clone())).or_default())
        };
        let found = answer.get_or_init(|| async {
            let from = (&self.places.environment, self.places.helper_output.as_ref());
            Helper::find(helper, from, self.helper_limit, place)?.get(&key).await
        });
        found.await.clone()
    }
}

impl Keychain for DockerConfig {
    fn resolve<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        async move {
            let (found, source) = self.lookup(repository.registry(), repository.path()).await?;
            let mut sources = self.sources.lock().expect("no holder of this lock panics");
            match found {
                Credential::Anonymous => drop(sources.remove(repository)),
                _ => drop(sources.insert(repository.clone(), source)),
            }
            Ok(found)
        }
        .boxed()
    }

    fn source(&self, repository: &Repository) -> Option<String> {
        let sources = self.sources.lock().expect("no holder of this lock panics");
        sources.get(repository).cloned()
    }
}

impl std::fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerConfig").field("places", &self.places).finish_non_exhaustive()
    }
}
