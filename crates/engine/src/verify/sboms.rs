//! Compares SBOMs by the modules that they list.

use std::collections::BTreeSet;

use serde_json::Value;

use super::difference::Difference;

/// What stands before the name of a Go module.
const MODULE: &str = "pkg:golang/";

/// The first module that one document lists and the other does not; of documents that
/// are the same, none. The image's may be of any format.
pub(super) fn compare(image: &[u8], source: &[u8]) -> Option<Difference> {
    if image == source {
        return None;
    }
    let (image, source) = (modules(image), modules(source));
    let other =
        |names: &BTreeSet<String>, more: &BTreeSet<String>| names.difference(more).next().cloned();
    let (more, less) = (other(&image, &source), other(&source, &image));
    let differ = more.is_some() || less.is_some();
    differ.then(|| {
        let (more, less) = (more.unwrap_or_default(), less.unwrap_or_default());
        Difference::between("a module", more, less).within("the SBOM")
    })
}

/// The modules that a document lists, by their purls.
fn modules(document: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![serde_json::from_slice(document).unwrap_or(Value::Null)];
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) if text.starts_with(MODULE) => {
                // What stands behind the version is not the same in all formats.
                let end = text.find('?').unwrap_or(text.len());
                found.insert(text[..end].to_owned());
            }
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => left.extend(fields.into_values()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_compared_by_their_modules() {
        let spdx = |version: &str| {
            let purl = format!("pkg:golang/example.com/lib@{version}?type=module");
            format!(r#"{{"packages":[{{"externalRefs":[{{"referenceLocator":"{purl}"}}]}}]}}"#)
        };
        let cyclonedx = r#"{"components":[{"purl":"pkg:golang/example.com/lib@v1"}]}"#;
        let compare = |one: &str, other: &str| {
            compare(one.as_bytes(), other.as_bytes()).map(|difference| difference.to_string())
        };
        assert_eq!(compare(&spdx("v1"), &spdx("v1")), None);
        assert_eq!(compare(cyclonedx, &spdx("v1")), None);
        assert_eq!(
            compare(&spdx("v2"), &spdx("v1")).unwrap(),
            "the SBOM: a module: the image has pkg:golang/example.com/lib@v2, the source gives pkg:golang/example.com/lib@v1"
        );
        assert!(compare("no json", &spdx("v1")).is_some());
    }
}
