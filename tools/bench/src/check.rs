//! Whether a run did what it should: a number counts only if every reference
//! on stdout leads to a complete image in the registry, and the images are
//! those that ko makes.

use std::collections::HashSet;

use serde_json::Value;
use testkit::registry::TestRegistry;
use testkit::sha256;

/// The digests of an image's configs: one per platform.
pub(crate) type Configs = Vec<String>;

/// Checks runs; what it has seen whole is not read again.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    whole: HashSet<(String, String)>,
}

impl Checker {
    /// Follows each reference on stdout, in their order, down to the last
    /// blob. `complete` asks for a tag and an SBOM too.
    pub(crate) fn images(
        &mut self,
        registry: &TestRegistry,
        stdout: &str,
        complete: bool,
    ) -> Result<Vec<Configs>, String> {
        let references = references(registry.host(), stdout);
        if references.is_empty() {
            return Err(format!("no image on stdout:\n{stdout}"));
        }
        let image = |(repository, digest): (&str, &str)| {
            if complete {
                let tagged = registry.manifest(repository, "latest");
                let tagged = tagged.ok_or_else(|| format!("{repository} has no tag"))?.digest();
                if tagged != digest {
                    return Err(format!("{repository}: the tag is {tagged}, printed is {digest}"));
                }
                let sbom = format!("{}.sbom", digest.replace(':', "-"));
                if !registry.tags(repository).contains(&sbom) {
                    return Err(format!("{repository}@{digest} has no SBOM"));
                }
            }
            self.configs(registry, repository, digest)
        };
        references.into_iter().map(image).collect()
    }

    fn configs(
        &mut self,
        registry: &TestRegistry,
        repository: &str,
        digest: &str,
    ) -> Result<Configs, String> {
        let what = format!("{repository}@{digest}");
        let manifest = registry.manifest(repository, digest);
        let manifest = manifest.ok_or_else(|| format!("{what} is not in the registry"))?;
        if sha256(&manifest.bytes) != digest {
            return Err(format!("{what} has other content"));
        }
        let manifest: Value =
            serde_json::from_slice(&manifest.bytes).map_err(|error| format!("{what}: {error}"))?;
        if let Some(children) = manifest["manifests"].as_array() {
            let mut all = Vec::new();
            for child in children {
                let digest = child["digest"].as_str().unwrap_or_default();
                all.extend(self.configs(registry, repository, digest)?);
            }
            return Ok(all);
        }
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for descriptor in layers.chain([&manifest["config"]]) {
            self.blob(registry, repository, descriptor)?;
        }
        Ok(vec![manifest["config"]["digest"].as_str().unwrap_or_default().to_owned()])
    }

    fn blob(
        &mut self,
        registry: &TestRegistry,
        repository: &str,
        descriptor: &Value,
    ) -> Result<(), String> {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let name = (repository.to_owned(), digest.to_owned());
        if self.whole.contains(&name) {
            return Ok(());
        }
        let blob = registry.blob(repository, digest);
        let blob = blob.ok_or_else(|| format!("{repository} has no blob {digest}"))?;
        if sha256(&blob) != digest || descriptor["size"].as_u64() != Some(blob.len() as u64) {
            return Err(format!("blob {digest} of {repository} has other content"));
        }
        self.whole.insert(name);
        Ok(())
    }

    /// Forgets what was seen: the registry was emptied.
    pub(crate) fn forget(&mut self) {
        self.whole.clear();
    }
}

/// The references to images of a registry in a text: repository and digest.
fn references<'a>(host: &str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    let ends = |c: char| c.is_whitespace() || "\"',".contains(c);
    text.split(&format!("{host}/"))
        .skip(1)
        .filter_map(|rest| rest.split(ends).next()?.split_once('@'))
        .map(|(name, digest)| (name.split_once(':').map_or(name, |(name, _)| name), digest))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::references;

    #[test]
    fn references_are_found_where_tools_print_them() {
        let text = "- \"h:1/a/b@sha256:12\", h:1/c:latest@sha256:34\nother/d@sha256:56\nh:1/e\n";
        assert_eq!(references("h:1", text), [("a/b", "sha256:12"), ("c", "sha256:34")]);
    }
}
