//! SBOMs in a registry: the images with tags that name what they are about.

use crate::json;
use crate::label::Labels;
use crate::source::Source;
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::sha256;

/// The digest that a tag such as `sha256-<hex>.sbom` is about.
pub(crate) fn subject(tag: &str) -> Option<String> {
    let hex = tag.strip_prefix("sha256-")?.strip_suffix(".sbom")?;
    Some(format!("sha256:{hex}"))
}

/// An image with one layer that is a document.
#[derive(Debug)]
pub(crate) struct Attachment {
    /// What is to be seen of the image, but the document.
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) document: Vec<u8>,
    /// The digests of config and layer.
    pub(crate) blobs: [String; 2],
}

impl Attachment {
    /// Looks at the image of a tag. Digests that have to be right are looked
    /// at as such: they are those of the document.
    pub(crate) fn look(source: &dyn Source, tag: &str, labels: &Labels) -> Option<Attachment> {
        let (media_type, bytes) = source.manifest(tag)?;
        let manifest: Value = serde_json::from_slice(&bytes).ok()?;
        let mut fields = BTreeMap::new();
        fields.insert("is served as".to_owned(), media_type.unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes);
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap_or_default();
            source.blob(digest).unwrap_or_default()
        };
        let document = blob(&manifest["layers"][0]);
        let config = blob(&manifest["config"]);
        let right = |token: &str| {
            let mut token = labels.apply(token);
            for (content, name) in [(&document, "the document"), (&config, "the config")] {
                token = token.replace(&sha256(content), &format!("[{name}]"));
                if token == content.len().to_string() {
                    token = format!("[size of {name}]");
                }
            }
            token
        };
        for (name, text) in [("manifest", text), ("config", String::from_utf8_lossy(&config))] {
            match json::flatten(&text) {
                Ok(flat) => {
                    fields.insert(format!("{name} shape"), flat.shape);
                    for (path, token) in flat.leaves {
                        fields.insert(format!("{name} {path}"), right(&token));
                    }
                }
                Err(at) => {
                    fields.insert(name.to_owned(), format!("no JSON at byte {at}: {text}"));
                }
            }
        }
        let digest =
            |descriptor: &Value| descriptor["digest"].as_str().unwrap_or_default().to_owned();
        let blobs = [digest(&manifest["config"]), digest(&manifest["layers"][0])];
        Some(Attachment { fields, document, blobs })
    }
}

#[cfg(test)]
mod tests {
    use super::subject;

    #[test]
    fn tags_name_what_they_are_about() {
        assert_eq!(subject("sha256-0a1b.sbom").as_deref(), Some("sha256:0a1b"));
        for tag in ["latest", "sha256-0a1b.sig", "0a1b.sbom"] {
            assert_eq!(subject(tag), None);
        }
    }
}
