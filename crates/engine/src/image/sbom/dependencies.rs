//! Names what an image is made of as in-toto does (`ResourceDescriptor`), for
//! provenance.

use golang::BuildInfo;
use oci::Manifest;
use serde_json::{Value, json};

use super::facts::{BaseFacts, Package};
use super::purl;
use crate::image::Image;

/// The base of an image, if it names one.
pub(crate) fn base(image: &Image) -> Option<Value> {
    let manifest =
        Manifest::parse(&image.manifest).expect("a manifest that was just written is one");
    let base = BaseFacts::of(&manifest.annotations)?;
    let digest = json!({ "sha256": base.digest.hex() });
    Some(json!({ "name": base.name, "uri": purl::base(&base), "digest": digest }))
}

/// The modules that are in a program. Their digests are the `h1:` sums of `go.sum`,
/// in hex.
pub(crate) fn dependencies(info: &BuildInfo) -> Vec<Value> {
    let module = |package: Package| {
        let mut entry = json!({ "name": package.name, "uri": package.purl });
        if let Some(sum) = package.sha256() {
            entry["digest"] = json!({ "dirHash": sum });
            entry["annotations"] = json!({ "goSum": package.sum });
        }
        entry
    };
    info.deps.iter().map(|dependency| module(Package::of(dependency))).collect()
}
