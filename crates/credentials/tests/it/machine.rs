//! A machine for tests: variables, files, programs, and a network of one server.

use std::fs;
use std::path::{Path, PathBuf};

use ko_credentials::{Clouds, Sources, clouds};
use registry::{Credential, Keychain, Proxies, RootPlaces, Secret, Watcher};
use tempfile::TempDir;
use testkit::cloud::{Cloud, Reply, Request};

/// Every secret of these tests has this in it.
pub(crate) const CANARY: &str = "canary";

pub(crate) struct Machine {
    dir: TempDir,
    pub(crate) cloud: Cloud,
    variables: Vec<(String, String)>,
}

impl Machine {
    pub(crate) fn new(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let dir = TempDir::with_prefix("ko-credentials-").unwrap();
        let cloud = Cloud::start(handler);
        fs::write(dir.path().join("ca.pem"), cloud.certificate()).unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        // The tools of the machine that runs the tests are not found, but its shell is.
        std::os::unix::fs::symlink("/bin/sh", dir.path().join("bin/sh")).unwrap();
        let home = dir.path().display().to_string();
        let bin = format!("{home}/bin");
        let variables = vec![("HOME".to_owned(), home), ("PATH".to_owned(), bin)];
        Self { dir, cloud, variables }
    }

    /// One whose server is never asked.
    pub(crate) fn silent() -> Self {
        Self::new(|request| panic!("nobody should be asked: {request:?}"))
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable to the server's URL.
    pub(crate) fn served(self, name: &str) -> Self {
        let url = self.cloud.url();
        self.set(name, &url)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("SERVER", &self.cloud.url())).unwrap();
        self
    }

    /// A file, and a variable with its path.
    pub(crate) fn named_file(self, variable: &str, name: &str, text: &str) -> Self {
        let path = self.path(name).display().to_string();
        self.file(name, text).set(variable, &path)
    }

    /// A script in `PATH`, which notes that it was run.
    pub(crate) fn program(self, name: &str, script: &str) -> Self {
        let runs = self.path("runs").display().to_string();
        let name = format!("bin/{name}");
        let text = format!("#!/bin/sh\necho \"$0 $*\" >> {runs}\n{script}\n");
        let machine = self.file(&name, &text);
        executable(&machine.path(&name));
        machine
    }

    /// The arguments of all programs that were run.
    pub(crate) fn runs(&self) -> Vec<String> {
        let runs = fs::read_to_string(self.path("runs")).unwrap_or_default();
        let bin = format!("{}/", self.path("bin").display());
        runs.lines().map(|line| line.replace(&bin, "")).collect()
    }

    /// What sources know of it.
    pub(crate) fn sources(&self) -> Sources {
        let proxy = Secret::new(self.cloud.url());
        Sources {
            variables: self.variables.iter().cloned().collect(),
            user_agent: "ko/test".to_owned(),
            roots: RootPlaces { file: Some(self.path("ca.pem")), dirs: Some(Vec::new()) },
            proxies: Proxies::new(None, Some(&proxy), ""),
            ..Sources::default()
        }
    }

    pub(crate) fn clouds(&self) -> Clouds {
        let clouds = clouds(self.sources());
        let watcher = Watcher::new(|exchange| {
            let exchange = format!("{exchange:?}");
            assert!(!exchange.contains(CANARY), "a secret is shown: {exchange}");
        });
        for keychain in [&clouds.ecr, &clouds.google, &clouds.acr] {
            keychain.watch(&watcher);
        }
        clouds
    }
}

#[cfg(unix)]
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn executable(_: &Path) {}

/// Asks a keychain about a registry.
pub(crate) async fn ask(keychain: &dyn Keychain, registry: &str) -> Credential {
    let repository = format!("{registry}/team/app").parse().unwrap();
    let credential = keychain.resolve(&repository).await.unwrap();
    let debug = format!("{credential:?} {keychain:?}");
    assert!(!debug.contains(CANARY), "a secret is shown: {debug}");
    credential
}

/// What a keychain has to say about a registry that it does not know.
pub(crate) async fn trouble(keychain: &dyn Keychain, registry: &str) -> String {
    assert_eq!(ask(keychain, registry).await, Credential::Anonymous);
    let repository = format!("{registry}/team/app").parse().unwrap();
    let trouble = keychain.trouble(&repository).map(|trouble| trouble.to_string());
    let trouble = trouble.unwrap_or_default();
    assert!(!trouble.contains(CANARY), "a secret is shown: {trouble}");
    trouble
}

pub(crate) fn basic(user: &str, password: &str) -> Credential {
    Credential::Basic { user: user.to_owned(), password: Secret::new(password) }
}
