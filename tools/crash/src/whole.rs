//! What must be whole whatever has happened: tags, layouts, archives, files of credentials.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use testkit::registry::TestRegistry;
use testkit::sha256;

/// What somebody had stored before: it must never go.
pub(crate) const KEPT: &str = "kept.example.com";

/// What is not as it must be.
pub(crate) type Whole = Result<(), String>;

/// Every tag leads to a manifest, and that to all of its parts, which are what their
/// digests say.
pub(crate) fn registry(registry: &TestRegistry) -> Whole {
    for repository in registry.repositories() {
        for tag in registry.tags(&repository) {
            reachable(registry, &repository, &tag)
                .map_err(|error| format!("{repository}:{tag}: {error}"))?;
        }
    }
    Ok(())
}

fn reachable(registry: &TestRegistry, repository: &str, reference: &str) -> Whole {
    let manifest = registry.manifest(repository, reference);
    let manifest = manifest.ok_or_else(|| format!("no manifest {reference}"))?.json();
    for child in descriptors(&manifest, &["manifests"]) {
        reachable(registry, repository, digest(child)?)?;
    }
    for part in descriptors(&manifest, &["config", "layers"]) {
        let digest = digest(part)?;
        match registry.blob(repository, digest) {
            Some(bytes) if sha256(&bytes) == digest => {}
            Some(_) => return Err(format!("blob {digest} is another")),
            None => return Err(format!("no blob {digest}")),
        }
    }
    Ok(())
}

/// The descriptors of a manifest's fields.
fn descriptors<'a>(manifest: &'a Value, fields: &[&str]) -> Vec<&'a Value> {
    let found = fields.iter().filter_map(|field| manifest.get(field));
    found
        .flat_map(|found| match found {
            Value::Array(all) => all.iter().collect(),
            one => vec![one],
        })
        .collect()
}

fn digest(descriptor: &Value) -> Result<&str, String> {
    descriptor["digest"].as_str().ok_or_else(|| format!("no digest in {descriptor}"))
}

/// All that the index of a layout leads to is there, and what its digest says.
pub(crate) fn layout(dir: &Path) -> Whole {
    let Ok(index) = fs::read(dir.join("index.json")) else { return Ok(()) };
    let index: Value =
        serde_json::from_slice(&index).map_err(|error| format!("index.json: {error}"))?;
    let mut wanted = descriptors(&index, &["manifests"]).into_iter().cloned().collect::<Vec<_>>();
    while let Some(descriptor) = wanted.pop() {
        let digest = digest(&descriptor)?;
        let path = dir.join("blobs").join(digest.replace(':', "/"));
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if sha256(&bytes) != digest {
            return Err(format!("{} is not what its digest says", path.display()));
        }
        if let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) {
            let parts = descriptors(&manifest, &["manifests", "config", "layers"]);
            // The config has fields of these names as well, of other kinds.
            let parts = parts.into_iter().filter(|part| part.get("digest").is_some());
            wanted.extend(parts.cloned());
        }
    }
    Ok(())
}

/// An archive is not there, or has all its members to the end.
pub(crate) fn archive(path: &Path) -> Whole {
    let Ok(file) = fs::File::open(path) else { return Ok(()) };
    let mut members = 0;
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries().map_err(|error| error.to_string())?;
    for entry in entries {
        let mut entry = entry.map_err(|error| format!("{}: {error}", path.display()))?;
        std::io::copy(&mut entry, &mut std::io::sink())
            .map_err(|error| format!("{}: {error}", path.display()))?;
        members += 1;
    }
    if members == 0 {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(())
}

/// The file of credentials is one, has what was in it, and is nobody else's to read.
pub(crate) fn credentials(file: &Path, is_new: bool) -> Whole {
    let said = |what: &str| Err(format!("{}: {what}", file.display()));
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let config: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if config["auths"][KEPT]["auth"] != "bWU6cHc=" || config["psFormat"] != "table" {
        return said("what was in it has gone");
    }
    if is_new && config["auths"].get("new.example.com").is_none() {
        return said("the login is not in it");
    }
    let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        return said(&format!("has the mode {mode:o}"));
    }
    Ok(())
}
