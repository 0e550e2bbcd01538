//! A small client of a registry, past what stands before it: curl.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::service::run;

use super::programs::tool;

/// How it is reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    /// Scheme and host.
    pub(super) url: String,
    /// What curl is told besides.
    pub(super) words: Vec<String>,
}

impl Client {
    /// Asks, and returns the status and the body.
    pub(super) fn ask(&self, method: &str, path: &str) -> (u16, Vec<u8>) {
        let mut curl = Command::new("curl");
        let accept = "Accept: application/vnd.oci.image.index.v1+json, \
                      application/vnd.oci.image.manifest.v1+json";
        curl.args(["-sS", "-L", "-X", method, "-H", accept, "-w", "%{http_code}"]);
        curl.args(&self.words).arg(format!("{}/v2/{path}", self.url));
        let mut body = run(&mut curl);
        let status = body.split_off(body.len() - 3);
        (String::from_utf8(status).unwrap().parse().unwrap(), body)
    }

    /// A document that must be there.
    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// What a repository has about a manifest, by its API or by the tag that stands
    /// for one.
    #[track_caller]
    pub(super) fn referrers(&self, repository: &str, subject: &str) -> Vec<Value> {
        let (status, body) = self.ask("GET", &format!("{repository}/referrers/{subject}"));
        let list = if status == 200 {
            serde_json::from_slice(&body).unwrap()
        } else {
            assert_eq!(status, 404);
            self.get(&format!("{repository}/manifests/{}", subject.replace(':', "-")))
        };
        list["manifests"].as_array().unwrap().clone()
    }
}

/// skopeo reads an image or index with all it has, and checks each digest.
#[track_caller]
pub(super) fn skopeo(reference: &str, words: &[String], dir: &Path) {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["copy", "--quiet", "--all"]).args(words).arg(format!("docker://{reference}"));
    skopeo
        .arg(format!("dir:{}", dir.display()))
        .env("HOME", dir)
        .env("TMPDIR", dir.parent().unwrap());
    let _ = run(&mut skopeo);
}

/// crane fetches and checks all of it, and oras follows the referrers, too: to how
/// many manifests.
#[track_caller]
pub(super) fn crane_and_oras(reference: &str) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let _ = run(program("crane", dir.path()).args(["validate", "--remote", reference]));
    let layout = dir.path().join("layout");
    let to = format!("{}:copy", layout.display());
    let words = ["copy", "--recursive", "--from-plain-http", reference, "--to-oci-layout", &to];
    let _ = run(program("oras", dir.path()).args(words));
    manifests(&layout).len()
}

/// regctl follows the referrers, too: to how many manifests about others.
#[track_caller]
pub(super) fn regctl(reference: &str) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    let (host, _) = reference.split_once('/').unwrap();
    let (host, to) = (format!("reg={host},tls=disabled"), format!("ocidir://{}", layout.display()));
    let words = ["image", "copy", "--host", &host, "--referrers", reference, &to];
    let _ = run(program("regctl", dir.path()).args(words));
    manifests(&layout).iter().filter(|manifest| manifest["subject"].is_object()).count()
}

/// A client whose settings are in a directory of its own.
fn program(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(tool(&format!("registries/{name}")));
    command.env("HOME", dir).env("DOCKER_CONFIG", dir);
    command
}

/// The manifests and indexes of a layout.
fn manifests(layout: &Path) -> Vec<Value> {
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let texts = blobs.map(|blob| fs::read(blob.unwrap().path()).unwrap());
    let json = texts.filter(|text| text.starts_with(b"{"));
    let all = json.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
    all.filter(|json| json["mediaType"].is_string()).collect()
}
