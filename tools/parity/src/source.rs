//! Where images are looked at: in a repository of the registry, or in a
//! directory that was written (OCI image-layout).

use crate::label::Labels;
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::registry::TestRegistry;
use testkit::sha256;

/// Holds manifests and blobs.
pub(crate) trait Source {
    /// Returns media type and bytes of a manifest; no media type if the
    /// source keeps none.
    fn manifest(&self, reference: &str) -> Option<(Option<String>, Vec<u8>)>;

    /// Returns the bytes of a blob.
    fn blob(&self, digest: &str) -> Option<Vec<u8>>;
}

/// A repository of the registry.
#[derive(Debug)]
pub(crate) struct Repository<'a> {
    pub(crate) registry: &'a TestRegistry,
    pub(crate) name: &'a str,
}

impl Source for Repository<'_> {
    fn manifest(&self, reference: &str) -> Option<(Option<String>, Vec<u8>)> {
        let manifest = self.registry.manifest(self.name, reference)?;
        Some((Some(manifest.media_type), manifest.bytes.to_vec()))
    }

    fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        self.registry.blob(self.name, digest)
    }
}

/// An image layout among the files that a command wrote.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) files: &'a BTreeMap<String, Vec<u8>>,
    /// Its directory, relative to the working directory.
    pub(crate) dir: &'a str,
}

impl Source for Layout<'_> {
    fn manifest(&self, reference: &str) -> Option<(Option<String>, Vec<u8>)> {
        Some((None, self.blob(reference)?))
    }

    fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        let hex = digest.strip_prefix("sha256:")?;
        self.files.get(&format!("{}/blobs/sha256/{hex}", self.dir)).cloned()
    }
}

/// Names a manifest and, below it, its children.
pub(crate) fn label(source: &dyn Source, reference: &str, name: &str, labels: &mut Labels) {
    let Some((_, bytes)) = source.manifest(reference) else { return };
    labels.insert(&sha256(&bytes), name);
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { return };
    let children = value["manifests"].as_array().into_iter().flatten();
    for (number, child) in children.enumerate() {
        if let Some(digest) = child["digest"].as_str() {
            label(source, digest, &format!("{name}/manifests[{number}]"), labels);
        }
    }
}

/// Names a manifest that no tag leads to: by the digest of its config, which
/// is the same for both tools, or that of its first child's.
pub(crate) fn label_by_content(
    source: &dyn Source,
    digest: &str,
    repository: &str,
    labels: &mut Labels,
) {
    let Some((_, bytes)) = source.manifest(digest) else { return };
    let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else { return };
    let name = match (manifest["config"]["digest"].as_str(), manifest["manifests"].is_array()) {
        (Some(config), _) => format!("{repository} with {config}"),
        (None, true) => {
            let first = manifest["manifests"][0]["digest"].as_str().unwrap_or_default();
            label_by_content(source, first, repository, labels);
            format!("{repository} over {}", labels.get(first).unwrap_or("nothing"))
        }
        (None, false) => return,
    };
    labels.insert(digest, &name);
}
