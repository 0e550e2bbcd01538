//! What is done at each registry in each set-up, and what must come of it.

use std::fs;
use std::path::{Path, PathBuf};

use report::har::{Entry, Har};
use serde_json::{Value, json};
use testkit::sandbox::{Output, Sandbox};

use super::client::{Client, skopeo};
use super::programs::{PASSWORD, USER};
use crate::fixture::{build, module, sandbox};

/// What becomes of a blob that another repository of the registry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mount {
    /// It is mounted.
    Mounted,
    /// All repositories have all blobs.
    Shared,
    /// It is sent: who stands before the registry does not let it be named.
    Sent,
}

/// A registry in a set-up.
#[derive(Debug)]
pub(super) struct Row {
    /// Where images are pushed to.
    pub(super) host: String,
    /// What stands before the names of repositories there.
    pub(super) prefix: &'static str,
    /// The registry itself, for the repository `out`.
    pub(super) client: Client,
    /// Whether it wants a user.
    pub(super) user: bool,
    /// What skopeo is told.
    pub(super) skopeo: Vec<String>,
    /// `.ko.yaml`.
    pub(super) settings: String,
    /// An authority that `SSL_CERT_FILE` can name in place of the settings.
    pub(super) ca: Option<PathBuf>,
    /// The size of a layer.
    pub(super) megabytes: usize,
    pub(super) mount: Mount,
    /// Requests of a run that has nothing to do.
    pub(super) noop: usize,
}

/// What is there afterwards.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) sandbox: Sandbox,
    /// The index.
    pub(super) reference: String,
    /// The requests of its first push.
    pub(super) pushed: Vec<Entry>,
}

impl Row {
    /// One in plain http that anybody may push to.
    pub(super) fn plain(host: &str, upstream: &str) -> Row {
        Row {
            host: host.to_owned(),
            prefix: "",
            client: Client { url: format!("http://{upstream}"), words: Vec::new() },
            user: false,
            skopeo: vec!["--src-tls-verify=false".to_owned()],
            settings: String::new(),
            ca: None,
            megabytes: 0,
            mount: Mount::Mounted,
            noop: 1,
        }
    }

    /// Pushes an index, again and again, and has it read each time.
    pub(super) fn walk(&self) -> Walked {
        let mut sandbox = self.sandbox();
        let words = "--bare --platform=linux/amd64,linux/arm64 --trace-http=trace.har";

        let first = built(&sandbox, words);
        let pushed = trace(&sandbox);
        self.read(&first);

        // Nothing to do.
        let settings = sandbox.work().join(".ko.yaml");
        if let Some(ca) = &self.ca {
            fs::remove_file(&settings).unwrap();
            sandbox.set("SSL_CERT_FILE", ca);
        }
        assert_eq!(built(&sandbox, words), first);
        let asked = trace(&sandbox);
        assert!(asked.len() <= self.noop, "{:#?}", lines(&asked));
        assert!(!asked.iter().any(is_write), "{:#?}", lines(&asked));
        if self.ca.is_some() {
            sandbox.unset("SSL_CERT_FILE");
            fs::write(&settings, &self.settings).unwrap();
        }

        // Referrers beside the tags.
        let both = format!("{words} --sbom-attach=both");
        assert_eq!(built(&sandbox, &both), first);
        self.read(&first);
        let index = self.client.get(&format!("out/manifests/{}", digest(&first)));
        self.referrers(&first, &index);

        // A base of the same registry.
        sandbox.set("KO_DEFAULTBASEIMAGE", &first);
        sandbox.set("KO_DOCKER_REPO", self.repository("second"));
        let words = "--bare --platform=linux/amd64 --trace-http=trace.har ./cmd/second";
        let second = built(&sandbox, words);
        self.mounted(&trace(&sandbox), &self.layers(&index));
        self.read(&second);
        sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
        sandbox.set("KO_DOCKER_REPO", self.repository("out"));

        // Something is lost.
        self.delete(&first, &index);
        assert_eq!(built(&sandbox, &both), first);
        self.read(&first);
        self.referrers(&first, &index);
        Walked { sandbox, reference: first, pushed }
    }

    pub(super) fn sandbox(&self) -> Sandbox {
        let mut sandbox = sandbox();
        let mut module = module(&sandbox).main(".").main("cmd/second");
        module = module.file(".ko.yaml", &self.settings);
        if self.megabytes > 0 {
            let _ = module.kodata(".", self.megabytes, 1);
        }
        if self.user {
            let auth = json!({"auths": {&self.host: {"username": USER, "password": PASSWORD}}});
            sandbox.docker_config(&auth);
        }
        sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
        sandbox.set("KO_DOCKER_REPO", self.repository("out"));
        sandbox
    }

    fn repository(&self, name: &str) -> String {
        format!("{}/{}{name}", self.host, self.prefix)
    }

    /// The reference alone is enough to copy the whole image.
    #[track_caller]
    fn read(&self, reference: &str) {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("image");
        fs::create_dir(&to).unwrap();
        skopeo(reference, &self.skopeo, &to);
    }

    /// The layers of the first image.
    fn layers(&self, index: &Value) -> Vec<String> {
        let image = index["manifests"][0]["digest"].as_str().unwrap();
        let image = self.client.get(&format!("out/manifests/{image}"));
        let layers = image["layers"].as_array().unwrap().iter();
        layers.map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
    }

    /// The index and its images have one document each.
    #[track_caller]
    fn referrers(&self, reference: &str, index: &Value) {
        let images = index["manifests"].as_array().unwrap().iter();
        let images = images.map(|image| image["digest"].as_str().unwrap());
        for subject in images.chain([digest(reference)]) {
            let found = self.client.referrers("out", subject);
            assert_eq!(found.len(), 1, "{subject}: {found:?}");
            assert_eq!(found[0]["artifactType"], "application/spdx+json");
            let path = format!("out/manifests/{}", found[0]["digest"].as_str().unwrap());
            let manifest = self.client.get(&path);
            assert_eq!(manifest["subject"]["digest"], subject);
            let blob = manifest["layers"][0]["digest"].as_str().unwrap();
            assert!(self.client.get(&format!("out/blobs/{blob}"))["spdxVersion"].is_string());
        }
    }

    #[track_caller]
    fn mounted(&self, asked: &[Entry], layers: &[String]) {
        for layer in layers {
            let hex = layer.rsplit(':').next().unwrap();
            let about: Vec<&Entry> =
                asked.iter().filter(|entry| entry.request.url.contains(hex)).collect();
            let by = |method: &str, status: u16| {
                about
                    .iter()
                    .any(|entry| entry.request.method == method && entry.response.status == status)
            };
            let right = match self.mount {
                Mount::Mounted => by("POST", 201) && !by("PUT", 201),
                Mount::Shared => !by("PUT", 201),
                Mount::Sent => by("PUT", 201),
            };
            assert!(right, "{layer}: {:#?}", lines(asked));
        }
    }

    /// Deletes the index, its first image, and the layer of that image that has the
    /// program.
    fn delete(&self, reference: &str, index: &Value) {
        let layers = self.layers(index);
        let image = index["manifests"][0]["digest"].as_str().unwrap();
        // Some delete by digest only, and some a tag beside it.
        let _ = self.client.ask("DELETE", "out/manifests/latest");
        for path in [
            format!("manifests/{}", digest(reference)),
            format!("manifests/{image}"),
            format!("blobs/{}", layers.last().unwrap()),
        ] {
            let (status, body) = self.client.ask("DELETE", &format!("out/{path}"));
            assert_eq!(status, 202, "{path}: {}", String::from_utf8_lossy(&body));
            assert_eq!(self.client.ask("GET", &format!("out/{path}")).0, 404, "{path}");
        }
        assert_eq!(self.client.ask("GET", "out/manifests/latest").0, 404);
    }
}

/// The reference that a build prints.
#[track_caller]
pub(super) fn built(sandbox: &Sandbox, words: &str) -> String {
    let Output { stdout, .. } = build(sandbox, words).output().success();
    stdout.trim_end().to_owned()
}

fn digest(reference: &str) -> &str {
    reference.rsplit_once('@').unwrap().1
}

/// The requests of the last run that had an answer.
pub(super) fn trace(sandbox: &Sandbox) -> Vec<Entry> {
    let text = fs::read_to_string(Path::new(&sandbox.work()).join("trace.har")).unwrap();
    assert!(!text.contains(PASSWORD));
    let har: Har = serde_json::from_str(&text).unwrap();
    har.log.entries.into_iter().filter(|entry| entry.response.error.is_none()).collect()
}

fn is_write(entry: &Entry) -> bool {
    !matches!(&*entry.request.method, "GET" | "HEAD")
}

pub(super) fn lines(entries: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| {
        format!("{} {} {}", entry.request.method, entry.request.url, entry.response.status)
    };
    entries.iter().map(line).collect()
}
