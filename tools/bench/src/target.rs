//! Where the images of a contender go: to the registry that all share, into
//! an engine of its own, so that nobody's layers serve another, or into a file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::docker::DockerDaemon;
use testkit::kind::Cluster;
use testkit::registry::{Auth, Bearer, Protocol, TestRegistry};
use testkit::sandbox::Sandbox;
use testkit::{sha256, tap::Tap};

use crate::check::{Checker, Configs};
use toolkit::{Result, machine};

/// What a scenario wants images to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Registry,
    /// Docker with its own store.
    Docker,
    /// This many nodes of a cluster as kind makes it.
    Kind(usize),
    /// The file [`TARBALL`].
    Tarball,
}

/// The user of a registry that wants one, and the password.
const USER: (&str, &str) = ("builder", "correct-horse");

/// Starts the registry that all share; one that gives tokens speaks https.
pub(crate) fn registry(tokens: bool) -> TestRegistry {
    let builder = TestRegistry::builder();
    if !tokens {
        return builder.start();
    }
    builder.tls(Protocol::Http2).auth(Auth::Bearer(Bearer::new(USER.0, USER.1))).start()
}

/// Docker's configuration for it.
pub(crate) fn credentials(host: &str) -> Value {
    json!({"auths": {host: {"username": USER.0, "password": USER.1}}})
}

/// The archive, beside the working directory: git would find it there.
pub(crate) const TARBALL: &str = "../x.tar";

/// A place to which images go.
#[derive(Debug)]
pub(crate) enum Target {
    Registry,
    Docker { daemon: DockerDaemon, tap: Tap },
    Kind { cluster: Cluster, tap: Tap },
    Tarball,
}

impl Target {
    /// Starts what is wanted, and has a sandbox use it. All reach Docker by a
    /// tap, which counts.
    pub(crate) fn start(to: To, sandbox: &mut Sandbox) -> Result<Target> {
        if matches!(to, To::Docker | To::Kind(_)) {
            machine::need_docker("scenarios with engines")?;
        }
        let mut reach = |daemon: &DockerDaemon| {
            let tap = Tap::new(&daemon.socket(), |_| {});
            sandbox.set("DOCKER_HOST", format!("unix://{}", tap.socket().display()));
            tap
        };
        Ok(match to {
            To::Registry => Target::Registry,
            To::Docker => {
                // As Docker has it unless it is told otherwise.
                let daemon = DockerDaemon::with(&["--storage-driver=overlay2".to_owned()]);
                let tap = reach(&daemon);
                Target::Docker { daemon, tap }
            }
            To::Kind(nodes) => {
                let cluster = Cluster::start("kind", nodes, "overlayfs");
                let tap = reach(cluster.daemon());
                sandbox.set("KO_DOCKER_REPO", "kind.local");
                Target::Kind { cluster, tap }
            }
            To::Tarball => Target::Tarball,
        })
    }

    /// The bytes that were sent to an engine since this was last asked; none
    /// if the registry knows.
    pub(crate) fn sent(&self) -> Option<u64> {
        match self {
            Target::Registry => None,
            Target::Docker { tap, .. } | Target::Kind { tap, .. } => Some(tap.sent()),
            Target::Tarball => Some(0),
        }
    }

    /// The images that stdout names, all of them whole where they have to be.
    /// `complete` asks a registry for a tag and an SBOM too.
    pub(crate) fn images(
        &self,
        checker: &mut Checker,
        registry: &TestRegistry,
        (stdout, dir): (&str, &Path),
        complete: bool,
    ) -> std::result::Result<Vec<Configs>, String> {
        match self {
            Target::Registry => checker.images(registry, stdout, complete),
            Target::Docker { daemon, .. } => each(stdout, |reference| {
                let words = ["image", "inspect", "--format={{.Id}}", reference];
                let id = printed(daemon.docker().args(words))?;
                Ok(vec![String::from_utf8_lossy(&id).trim().to_owned()])
            }),
            Target::Kind { cluster, .. } => {
                each(stdout, |reference| Ok(vec![on_all_nodes(cluster, reference)?]))
            }
            Target::Tarball => {
                let images = archive(&dir.join(TARBALL))?;
                match stdout.lines().count() {
                    lines if lines == images.len() => Ok(images),
                    lines => Err(format!("{lines} lines of stdout for {images:?}")),
                }
            }
        }
    }
}

fn each(
    stdout: &str,
    image: impl FnMut(&str) -> std::result::Result<Configs, String>,
) -> std::result::Result<Vec<Configs>, String> {
    stdout.lines().map(image).collect()
}

/// The digest of the config that all nodes have under a name.
fn on_all_nodes(cluster: &Cluster, reference: &str) -> std::result::Result<String, String> {
    let mut found = BTreeSet::new();
    for node in cluster.nodes() {
        let ctr = |words: &[&str]| printed(cluster.ctr(node).args(words));
        let checked = ctr(&["images", "check"])?;
        let checked = String::from_utf8_lossy(&checked).into_owned();
        let line = checked.lines().find(|line| line.starts_with(reference));
        let line = line.ok_or_else(|| format!("{node} has no {reference}"))?;
        if !line.contains(" complete (") {
            return Err(format!("{node}: {line}"));
        }
        let digest = line.split_whitespace().find(|word| word.starts_with("sha256:"));
        let mut content: Value = read(&ctr(&["content", "get", digest.unwrap_or_default()])?)?;
        if let Some(child) = content["manifests"][0]["digest"].as_str() {
            content = read(&ctr(&["content", "get", child])?)?;
        }
        found.insert(content["config"]["digest"].as_str().unwrap_or_default().to_owned());
    }
    match (found.len(), found.pop_first()) {
        (1, Some(config)) => Ok(config),
        _ => Err(format!("{reference} is not the same on all nodes")),
    }
}

/// The digests of all configs of an archive, which have to be there with all
/// layers.
fn archive(path: &Path) -> std::result::Result<Vec<Configs>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut archive = tar::Archive::new(File::open(path).map_err(failed)?);
    let (mut names, mut small) = (BTreeSet::new(), Vec::new());
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let name = entry.path().map_err(failed)?.display().to_string();
        if !name.ends_with(".tar.gz") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(failed)?;
            small.push((name.clone(), bytes));
        }
        names.insert(name);
    }
    let bytes_of = |wanted: &str| {
        let found = small.iter().find(|(name, _)| name == wanted);
        found.map(|(_, bytes)| bytes).ok_or_else(|| format!("{wanted} is not in the archive"))
    };
    let mut images = Vec::new();
    let manifest = read(bytes_of("manifest.json")?)?;
    for image in manifest.as_array().into_iter().flatten() {
        let name = image["Config"].as_str().unwrap_or_default();
        let config = bytes_of(name)?;
        if sha256(config) != name {
            return Err(format!("{name} has other content"));
        }
        let layers: Vec<&str> =
            image["Layers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let all = layers.iter().all(|&layer| names.contains(layer));
        let diff_ids = read(config)?["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len);
        if !all || layers.len() != diff_ids {
            return Err(format!("{name}: {diff_ids} layers, of which {layers:?} are listed"));
        }
        images.push(vec![name.to_owned()]);
    }
    Ok(images)
}

fn read(bytes: &[u8]) -> std::result::Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

fn printed(command: &mut Command) -> std::result::Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
