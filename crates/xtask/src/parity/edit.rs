//! Changes what a run of ours pushed into what a broken implementation would
//! have pushed: everything that depends on the change is made anew, digests
//! and references included, so that only the mistake itself can be noticed.

use super::run::{Run, Scene};
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
        self.replace(&old.digest(), &new);
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
