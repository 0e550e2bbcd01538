//! Writes SPDX 2.3 in JSON, field by field as ko does, except where that is not
//! valid or not true: identifiers have only the letters that SPDX allows, no
//! module is claimed to be at a proxy where it may not be, and the document of
//! an index has a relationship that names the image it describes.

use std::collections::HashMap;

use oci::{Digest, json};
use serde::Serialize;

use super::facts::{BaseFacts, ImageFacts, IndexFacts, Names, Package, ProgramFacts};
use super::purl;

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const UNKNOWN: &str = "NOASSERTION";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxDocument {
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    spdx_version: &'static str,
    creation_info: CreationInfo,
    data_license: &'static str,
    document_namespace: String,
    document_describes: [String; 1],
    packages: Vec<SpdxPackage>,
    relationships: Vec<Relationship>,
}

#[derive(Debug, Serialize)]
struct CreationInfo {
    created: String,
    creators: [String; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version_info: String,
    files_analyzed: bool,
    license_declared: &'static str,
    license_concluded: &'static str,
    download_location: &'static str,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksums: Option<[Checksum; 1]>,
    external_refs: [ExternalRef; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_locator: String,
    reference_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// The document of an image. `version` is ko's.
pub(super) fn image(facts: &ImageFacts<'_>, version: &str) -> Vec<u8> {
    let image = of_digest(facts.digest);
    let mut packages = vec![SpdxPackage {
        primary_package_purpose: Some("CONTAINER"),
        ..package(
            image.clone(),
            facts.digest.to_string(),
            purl::image(facts.digest, facts.media_type),
        )
    }];
    let mut relationships = vec![related(DOCUMENT, "DESCRIBES", &image)];
    if let Some(base) = &facts.base {
        packages.push(of_base(base));
        relationships.push(related(&image, "DESCENDANT_OF", &of_digest(base.digest)));
    }
    let mut names = Names::default();
    // Programs of several modules may need the same ones.
    let mut ids: HashMap<&Package, String> = HashMap::new();
    for ProgramFacts { main: module, deps } in &facts.programs {
        let main = of_module(&mut names, module);
        relationships.push(related(&image, "CONTAINS", &main));
        // Without the version, which is that of the image.
        packages.push(SpdxPackage {
            comment: module.comment.clone(),
            ..package(main.clone(), module.name.clone(), module.purl.clone())
        });
        for dep in deps {
            if let Some(id) = ids.get(dep) {
                relationships.push(related(&main, "DEPENDS_ON", id));
                continue;
            }
            let id = of_module(&mut names, dep);
            relationships.push(related(&main, "DEPENDS_ON", &id));
            ids.insert(dep, id.clone());
            packages.push(SpdxPackage {
                version_info: dep.version.clone(),
                comment: dep.comment.clone(),
                checksums: dep.sha256().map(sha256),
                ..package(id, dep.name.clone(), dep.purl.clone())
            });
        }
    }
    document(facts.digest, &facts.created, version, packages, relationships)
}

/// The document of an index. `version` is ko's.
pub(super) fn index(facts: &IndexFacts<'_>, version: &str) -> Vec<u8> {
    let index = of_digest(facts.digest);
    let purl = purl::index(facts.digest, facts.media_type);
    let mut packages = vec![container(facts.digest, String::new(), purl)];
    let mut relationships = vec![related(DOCUMENT, "DESCRIBES", &index)];
    if let Some(base) = &facts.base {
        packages.push(of_base(base));
        relationships.push(related(&index, "DESCENDANT_OF", &of_digest(base.digest)));
    }
    for child in &facts.children {
        relationships.push(related(&index, "VARIANT_OF", &of_digest(child.digest)));
        packages.push(container(child.digest, child.platform.to_string(), child.purl.clone()));
    }
    document(facts.digest, &facts.created, version, packages, relationships)
}

fn document(
    digest: Digest,
    created: &str,
    version: &str,
    packages: Vec<SpdxPackage>,
    relationships: Vec<Relationship>,
) -> Vec<u8> {
    let document = SpdxDocument {
        id: DOCUMENT,
        name: format!("sbom-{digest}"),
        spdx_version: "SPDX-2.3",
        creation_info: CreationInfo {
            created: created.to_owned(),
            creators: [format!("Tool: ko-{version}")],
        },
        data_license: "CC0-1.0",
        document_namespace: format!("http://spdx.org/spdxdocs/ko/{digest}"),
        document_describes: [of_digest(digest)],
        packages,
        relationships,
    };
    let mut bytes = json::to_vec_indented(&document, "  ");
    bytes.push(b'\n');
    bytes
}

fn package(id: String, name: String, purl: String) -> SpdxPackage {
    SpdxPackage {
        id,
        name,
        version_info: String::new(),
        files_analyzed: false,
        license_declared: UNKNOWN,
        license_concluded: UNKNOWN,
        download_location: UNKNOWN,
        copyright_text: UNKNOWN,
        primary_package_purpose: None,
        comment: None,
        checksums: None,
        external_refs: [ExternalRef {
            reference_category: "PACKAGE-MANAGER",
            reference_locator: purl,
            reference_type: "purl",
        }],
    }
}

fn container(digest: Digest, version_info: String, purl: String) -> SpdxPackage {
    SpdxPackage {
        version_info,
        primary_package_purpose: Some("CONTAINER"),
        checksums: Some(sha256(digest.hex())),
        ..package(of_digest(digest), digest.to_string(), purl)
    }
}

fn of_base(base: &BaseFacts) -> SpdxPackage {
    SpdxPackage {
        version_info: base.name.clone(),
        checksums: Some(sha256(base.digest.hex())),
        ..package(of_digest(base.digest), base.full_name(), purl::base(base))
    }
}

fn sha256(hex: String) -> [Checksum; 1] {
    [Checksum { algorithm: "SHA256", checksum_value: hex }]
}

fn related(from: &str, how: &'static str, to: &str) -> Relationship {
    Relationship {
        spdx_element_id: from.to_owned(),
        relationship_type: how,
        related_spdx_element: to.to_owned(),
    }
}

/// The identifier of an image.
fn of_digest(digest: Digest) -> String {
    format!("SPDXRef-Package-sha256-{}", digest.hex())
}

/// The identifier of a module: path and version, with a dot for a slash and a
/// dash for what else SPDX does not allow in them.
fn of_module(names: &mut Names, package: &Package) -> String {
    let allowed = |letter: char| match letter {
        '/' => '.',
        'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '-' => letter,
        _ => '-',
    };
    let mut id = "SPDXRef-Package-".to_owned();
    id.extend(package.name.chars().map(allowed));
    if !package.version.is_empty() {
        id.push('-');
        id.extend(package.version.chars().map(allowed));
    }
    names.unique(&id)
}
