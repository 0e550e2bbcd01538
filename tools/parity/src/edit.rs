//! Changes what a run of ours pushed into what a broken implementation would
//! have pushed: everything that depends on the change is made anew, digests
//! and references included, so that only the mistake itself can be noticed.

use crate::run::{Run, Scene};
use crate::sbom::as_go_writes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{Read, Write};
use testkit::sha256;

/// A run of ours, to be broken.
#[derive(Debug)]
pub(crate) struct Broken<'a> {
    pub(crate) scene: &'a Scene<'a>,
    pub(crate) run: Run,
    /// Repository and tag of what was pushed first.
    pub(crate) repository: String,
    pub(crate) tag: String,
}

/// An image, open to changes.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) manifest: Value,
    pub(crate) config: Value,
    /// The layers that were added, the upper last.
    pub(crate) layers: Vec<Tar>,
}

/// The tar of a layer, as headers and contents.
#[derive(Clone, Debug)]
pub(crate) struct Tar {
    position: usize,
    pub(crate) entries: Vec<(tar::Header, Vec<u8>)>,
    /// What follows the last entry.
    pub(crate) end: Vec<u8>,
}

impl<'a> Broken<'a> {
    pub(crate) fn new(scene: &'a Scene<'a>, run: Run) -> Broken<'a> {
        let (repository, tag) = scene.tags().into_iter().next().unwrap_or_default();
        Broken { scene, run, repository, tag }
    }

    /// Changes the manifest or index that is tagged.
    pub(crate) fn root(&mut self, change: impl FnOnce(&mut Value)) {
        let mut root = self.manifest(&self.tag);
        change(&mut root);
        self.retag(&root.to_string());
    }

    /// Changes the text of the manifest or index that is tagged.
    pub(crate) fn root_text(&mut self, change: impl FnOnce(String) -> String) {
        let text = change(self.manifest(&self.tag).to_string());
        self.retag(&text);
    }

    /// Changes the image that is tagged or, of an index, the last one in it.
    pub(crate) fn image(&mut self, change: impl FnOnce(&mut Parts)) {
        let mut root = self.manifest(&self.tag);
        let last = root["manifests"].as_array().map(|list| list.len() - 1);
        let Some(last) = last else {
            let manifest = self.change(root, change);
            return self.retag(&manifest);
        };
        let child = &mut root["manifests"][last];
        let old = child["digest"].as_str().expect("a descriptor has a digest").to_owned();
        let manifest = self.change(self.manifest(&old), change);
        child["size"] = manifest.len().into();
        child["digest"] = sha256(manifest.as_bytes()).into();
        self.put(&old, &manifest);
        self.retag(&root.to_string());
    }

    /// Changes the text of the config of the image that is tagged.
    pub(crate) fn config_text(&mut self, change: impl FnOnce(String) -> String) {
        let mut manifest = self.manifest(&self.tag);
        let config = change(self.config(&manifest).to_string());
        self.set_config(&mut manifest, &config);
        self.retag(&manifest.to_string());
    }

    /// Puts `new` in place of `old` in everything that was printed or written.
    pub(crate) fn replace(&mut self, old: &str, new: &str) {
        let run = &mut self.run;
        // Also where a tag or a document has a digest without its algorithm.
        let bare = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
        let (old, new) = (&bare(old), &bare(new));
        for text in [&mut run.stdout, &mut run.stderr] {
            *text = text.replace(old, new);
        }
        for content in run.files.values_mut() {
            if let Ok(text) = std::str::from_utf8(content) {
                *content = text.replace(old, new).into_bytes();
            }
        }
    }

    /// Returns the tagged manifest's or a child's value.
    pub(crate) fn manifest(&self, reference: &str) -> Value {
        let manifest = self.scene.registry.manifest(&self.repository, reference);
        manifest.expect("the case pushes an image").json()
    }

    fn change(&self, manifest: Value, change: impl FnOnce(&mut Parts)) -> String {
        let layers = self.layers(&manifest);
        let mut parts = Parts { config: self.config(&manifest), manifest, layers };
        let before: Vec<Vec<u8>> = parts.layers.iter().map(Tar::bytes).collect();
        change(&mut parts);
        for (layer, before) in parts.layers.iter().zip(before) {
            let tar = layer.bytes();
            if tar != before {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(&tar).expect("a vector takes everything");
                let blob = gzip.finish().expect("a vector takes everything");
                let descriptor = &mut parts.manifest["layers"][layer.position];
                descriptor["size"] = blob.len().into();
                descriptor["digest"] = self.put_blob(&blob).into();
                parts.config["rootfs"]["diff_ids"][layer.position] = sha256(&tar).into();
            }
        }
        self.set_config(&mut parts.manifest, &parts.config.to_string());
        parts.manifest.to_string()
    }

    fn config(&self, manifest: &Value) -> Value {
        let digest = manifest["config"]["digest"].as_str().expect("an image has a config");
        let config = self.scene.registry.blob(&self.repository, digest);
        serde_json::from_slice(&config.expect("it was pushed")).expect("a config is JSON")
    }

    fn set_config(&self, manifest: &mut Value, config: &str) {
        manifest["config"]["size"] = json!(config.len());
        manifest["config"]["digest"] = json!(self.put_blob(config.as_bytes()));
    }

    /// Opens the layers that were added.
    fn layers(&self, manifest: &Value) -> Vec<Tar> {
        let descriptors = manifest["layers"].as_array().expect("an image has layers");
        let digests = descriptors.iter().map(|one| one["digest"].as_str().expect("a digest"));
        let added = digests.enumerate().filter(|(_, one)| !self.scene.base_blobs.contains(*one));
        added
            .map(|(position, digest)| {
                let blob = self.scene.registry.blob(&self.repository, digest);
                Tar::open(position, &blob.expect("it was pushed"))
            })
            .collect()
    }

    fn put_blob(&self, bytes: &[u8]) -> String {
        self.scene.registry.put_blob(&self.repository, bytes)
    }

    fn retag(&mut self, text: &str) {
        let tag = self.tag.clone();
        self.put(&tag, text);
    }

    /// Stores `text` in place of what `reference` leads to.
    fn put(&mut self, reference: &str, text: &str) {
        let old = self.scene.registry.manifest(&self.repository, reference);
        let old = old.expect("the case pushes an image");
        let is_tag = !reference.contains(':');
        let reference = if is_tag { reference.to_owned() } else { sha256(text.as_bytes()) };
        let text = text.to_owned();
        let new =
            self.scene.registry.put_manifest(&self.repository, &reference, &old.media_type, text);
        self.follow(&old.digest(), &new);
        self.replace(&old.digest(), &new);
    }

    /// Lets SBOMs speak of `new` where they spoke of `old`.
    fn follow(&self, old: &str, new: &str) {
        for (repository, tag) in self.scene.sboms() {
            let (old, new) = (&old["sha256:".len()..], &new["sha256:".len()..]);
            self.attach(&repository, &tag, &tag.replace(old, new), |text| text.replace(old, new));
        }
    }

    /// Changes the document about the image or index that is tagged, or that
    /// of a child.
    pub(crate) fn sbom(&mut self, child: Option<usize>, change: impl FnOnce(&mut Value)) {
        self.sbom_text(child, |text| {
            let mut document = serde_json::from_str(&text).expect("a document is JSON");
            change(&mut document);
            as_go_writes(&document)
        });
    }

    /// Changes the text of a document.
    pub(crate) fn sbom_text(
        &mut self,
        child: Option<usize>,
        change: impl FnOnce(String) -> String,
    ) {
        let tag = self.sbom_tag(child);
        self.attach(&self.repository, &tag, &tag, change);
    }

    /// Puts the document of the image that is tagged below another tag, or
    /// none.
    pub(crate) fn move_sbom(&mut self, to: Option<&str>) {
        let tag = self.sbom_tag(None);
        if let Some(to) = to {
            self.attach(&self.repository, &tag, to, |text| text);
        }
        self.scene.registry.delete_tag(&self.repository, &tag);
    }

    /// Changes the manifest of an SBOM.
    pub(crate) fn sbom_manifest(&mut self, change: impl FnOnce(&mut Value)) {
        let tag = self.sbom_tag(None);
        let manifest = self.scene.registry.manifest(&self.repository, &tag);
        let manifest = manifest.expect("the case attaches SBOMs");
        let mut value = manifest.json();
        change(&mut value);
        let registry = self.scene.registry;
        registry.put_manifest(&self.repository, &tag, &manifest.media_type, value.to_string());
    }

    /// Changes the config of an SBOM.
    pub(crate) fn sbom_config(&mut self, change: impl FnOnce(&mut Value)) {
        let (registry, repository) = (self.scene.registry, self.repository.clone());
        self.sbom_manifest(|manifest| {
            let digest = manifest["config"]["digest"].as_str().expect("an SBOM has a config");
            let config = registry.blob(&repository, digest).expect("it was pushed");
            let mut config: Value = serde_json::from_slice(&config).expect("a config is JSON");
            change(&mut config);
            let config = config.to_string();
            manifest["config"]["size"] = config.len().into();
            manifest["config"]["digest"] = registry.put_blob(&repository, config.as_bytes()).into();
        });
    }

    fn sbom_tag(&self, child: Option<usize>) -> String {
        let root = self.scene.registry.manifest(&self.repository, &self.tag);
        let root = root.expect("the case pushes an image");
        let digest = match child {
            Some(child) => root.json()["manifests"][child]["digest"].clone(),
            None => root.digest().into(),
        };
        format!("{}.sbom", digest.as_str().expect("a digest").replace(':', "-"))
    }

    /// Attaches what a changed document is in place of what it was.
    fn attach(
        &self,
        repository: &str,
        from: &str,
        to: &str,
        change: impl FnOnce(String) -> String,
    ) {
        let registry = self.scene.registry;
        let manifest = registry.manifest(repository, from).expect("it was attached");
        let mut value = manifest.json();
        let digest = value["layers"][0]["digest"].as_str().expect("an SBOM has a layer").to_owned();
        let document = registry.blob(repository, &digest).expect("it was pushed");
        let document = change(String::from_utf8(document).expect("a document is text"));
        let layer = registry.put_blob(repository, document.as_bytes());
        let config = value["config"]["digest"].as_str().expect("an SBOM has a config");
        let config = registry.blob(repository, config).expect("it was pushed");
        let config = String::from_utf8_lossy(&config).replace(&digest, &layer);
        value["layers"][0]["size"] = document.len().into();
        value["layers"][0]["digest"] = layer.into();
        value["config"]["digest"] = registry.put_blob(repository, config.as_bytes()).into();
        registry.delete_tag(repository, from);
        registry.put_manifest(repository, to, &manifest.media_type, value.to_string());
    }
}

impl Parts {
    /// Changes the header of the entry `name`, and its checksum.
    pub(crate) fn header(&mut self, name: &str, change: impl Fn(&mut tar::Header)) {
        for (header, _) in self.layers.iter_mut().flat_map(|layer| &mut layer.entries) {
            if name_of(header) == name {
                change(header);
                header.set_cksum();
            }
        }
    }

    /// Removes the entry `name`.
    pub(crate) fn remove_entry(&mut self, name: &str) {
        for layer in &mut self.layers {
            layer.entries.retain(|(header, _)| name_of(header) != name);
        }
    }
}

/// The name in a header.
pub(crate) fn name_of(header: &tar::Header) -> String {
    String::from_utf8_lossy(&header.path_bytes()).into_owned()
}

impl Tar {
    fn open(position: usize, blob: &[u8]) -> Tar {
        let mut bytes = Vec::new();
        GzDecoder::new(blob).read_to_end(&mut bytes).expect("we pushed gzip");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().expect("we pushed a tar").raw(true);
        let entries = entries
            .map(|entry| {
                let mut entry = entry.expect("we pushed a tar");
                let mut content = Vec::new();
                entry.read_to_end(&mut content).expect("we pushed a tar");
                (entry.header().clone(), content)
            })
            .collect();
        let mut tar = Tar { position, entries, end: Vec::new() };
        tar.end = bytes.split_off(tar.bytes().len());
        tar
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (header, content) in &self.entries {
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.extend_from_slice(&self.end);
        bytes
    }
}
