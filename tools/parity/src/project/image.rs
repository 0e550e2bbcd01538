//! What has to be equal of an image: everything but compressed bytes.

use crate::source::{Repository, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::registry::TestRegistry;

/// Names all images that were pushed, and what they are.
pub(super) fn all(registry: &TestRegistry) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for repository in registry.repositories() {
        if !repository.starts_with("out/") {
            continue;
        }
        for tag in registry.tags(&repository) {
            let source = Repository { registry, name: &repository };
            found.insert(format!("{repository}:{tag}"), seen(&source, &tag).to_string());
        }
    }
    found
}

/// What the names of what is printed begin with.
pub(super) const PRINTED: &str = "stdout, ";

/// The images on stdout, by their places among each other, and what they are.
pub(super) fn printed(registry: &TestRegistry, stdout: &str) -> BTreeMap<String, String> {
    let prefix = format!("{}/", registry.host());
    let ends = |c: char| c.is_whitespace() || "\"'`,]}".contains(c);
    let references = stdout.split(&prefix).skip(1).filter_map(|rest| rest.split(ends).next());
    let mut found = BTreeMap::new();
    for (place, reference) in references.enumerate() {
        let (name, digest) = reference.split_once('@').unwrap_or((reference, ""));
        let repository = name.split(':').next().unwrap_or_default();
        let source = Repository { registry, name: repository };
        let name = format!("{PRINTED}{}: {name}", place + 1);
        found.insert(name, seen(&source, digest).to_string());
    }
    found
}

/// The manifest or index of a reference: diff_ids stand for layers, and what
/// they are for images.
fn seen(source: &Repository<'_>, reference: &str) -> Value {
    let Some((media_type, bytes)) = source.manifest(reference) else { return Value::Null };
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    for child in manifest["manifests"].as_array_mut().into_iter().flatten() {
        let digest = child["digest"].as_str().unwrap_or_default().to_owned();
        child["digest"] = seen(source, &digest);
        child["size"] = Value::Null;
    }
    if manifest["layers"].is_array() {
        let digest = manifest["config"]["digest"].as_str().unwrap_or_default();
        let config = source.blob(digest).unwrap_or_default();
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        let layers = manifest["layers"].as_array_mut().into_iter().flatten();
        for (layer, diff_id) in
            layers.zip(config["rootfs"]["diff_ids"].as_array().into_iter().flatten())
        {
            layer["digest"] = diff_id.clone();
            layer["size"] = Value::Null;
        }
        manifest["config"]["content"] = config;
    }
    json!({"media type": media_type, "content": manifest})
}
