//! Compares SBOMs by the modules that they list, or, of an index, by its images.

use std::collections::BTreeSet;

use oci::Digest;
use serde_json::Value;

use super::difference::Difference;

/// What stands before the name of a Go module.
const MODULE: &str = "pkg:golang/";

/// What stands before the name of an image, in the purls of ko 0.19.1 and of ours.
const IMAGE: &str = "pkg:oci/";

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

/// The first image that the document of an index lists and the index does not have, or
/// the other way round. `others` may be in it too: the index itself and its base.
pub(super) fn compare_images(
    document: &[u8],
    images: &BTreeSet<Digest>,
    others: &[Digest],
) -> Option<Difference> {
    let listed: BTreeSet<Digest> = purls(document, IMAGE)
        .iter()
        .filter_map(|purl| purl.split_once('@')?.1.replace("%3A", ":").parse().ok())
        .filter(|digest| !others.contains(digest))
        .collect();
    let text = |digest: Option<&Digest>| digest.map(ToString::to_string);
    let (more, less) = (listed.difference(images).next(), images.difference(&listed).next());
    if more.is_none() && less.is_none() {
        return None;
    }
    let (more, less) = (text(more).unwrap_or_default(), text(less).unwrap_or_default());
    Some(Difference::between("an image", more, less).within("the SBOM"))
}

/// The modules that a document lists.
fn modules(document: &[u8]) -> BTreeSet<String> {
    purls(document, MODULE)
}

/// What a document lists, by purls that begin with this, without their qualifiers.
fn purls(document: &[u8], head: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![serde_json::from_slice(document).unwrap_or(Value::Null)];
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) if text.starts_with(head) => {
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

    #[test]
    fn the_document_of_an_index_lists_its_images() {
        let digests = [b"index", b"base.", b"one..", b"other"].map(|text| Digest::of(text));
        let [index, base, one, other] = digests;
        let compare = |listed: &[Digest]| {
            let purls: Vec<String> =
                listed.iter().map(|digest| format!("pkg:oci/image@{digest}?os=linux")).collect();
            let document = serde_json::json!({ "packages": purls }).to_string();
            compare_images(document.as_bytes(), &BTreeSet::from([one]), &[index, base])
                .map(|difference| difference.to_string())
        };
        assert_eq!(compare(&[index, base, one]), None);
        let said = compare(&[index, one, other]).unwrap();
        assert_eq!(
            said,
            format!("the SBOM: an image: the image has {other}, the source gives none")
        );
        let said = compare(&[index, base]).unwrap();
        assert_eq!(said, format!("the SBOM: an image: the image has none, the source gives {one}"));
    }
}
