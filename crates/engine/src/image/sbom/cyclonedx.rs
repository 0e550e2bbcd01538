//! Writes CycloneDX 1.6 in JSON: the described image in `metadata.component`,
//! its parts in `components`.
//!
//! A sum of `go.sum` is no hash of a file, and CycloneDX has hashes of files
//! only, so it becomes a property: [`SUM`].

use std::collections::HashMap;

use oci::{Digest, json};
use serde::Serialize;

use super::facts::{BaseFacts, ImageFacts, IndexFacts, Names, Package};
use super::purl;

/// The property that holds a module's line of `go.sum`.
const SUM: &str = "ko:go.sum";
/// The property that holds the digest of the image that a program is in.
const IMAGE: &str = "ko:image";
/// The property that says what a module stands in for.
const REPLACED: &str = "ko:replaced";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    timestamp: String,
    tools: Tools,
    component: Component,
}

#[derive(Debug, Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Debug, Serialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    version: String,
}

#[derive(Debug, Serialize)]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<[Hash; 1]>,
    purl: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Debug, Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Debug, Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Dependency {
    #[serde(rename = "ref")]
    of: String,
    #[serde(rename = "dependsOn", skip_serializing_if = "Vec::is_empty")]
    on: Vec<String>,
}

/// The document of an image. `version` is ko's.
pub(super) fn image(facts: &ImageFacts<'_>, version: &str) -> Vec<u8> {
    let mut names = Names::default();
    // Programs of several modules may need the same ones.
    let mut refs: HashMap<&Package, String> = HashMap::new();
    let (mut programs, mut deps, mut dependencies) = (Vec::new(), Vec::new(), Vec::new());
    for program in &facts.programs {
        let main = of_module("application", &program.main, &mut names);
        let mut on = Vec::with_capacity(program.deps.len());
        for dep in &program.deps {
            let known = refs.entry(dep).or_insert_with(|| {
                let component = of_module("library", dep, &mut names);
                let bom_ref = component.bom_ref.clone();
                deps.push(component);
                bom_ref
            });
            on.push(known.clone());
        }
        dependencies.push(Dependency { of: main.bom_ref.clone(), on });
        programs.push(main);
    }
    let leaf = |part: &Component| Dependency { of: part.bom_ref.clone(), on: Vec::new() };
    dependencies.extend(deps.iter().map(leaf));
    let mut main = programs.remove(0);
    main.properties.push(Property { name: IMAGE, value: facts.digest.to_string() });
    let parts = programs.into_iter().chain(deps).collect();
    let parts = Parts { base: facts.base.as_ref(), parts, dependencies };
    document(facts.digest, &facts.created, version, main, parts)
}

/// The document of an index. `version` is ko's.
pub(super) fn index(facts: &IndexFacts<'_>, version: &str) -> Vec<u8> {
    let purl = purl::index(facts.digest, facts.media_type);
    let index = container(facts.digest, facts.digest.to_string(), String::new(), purl);
    let children = facts.children.iter().map(|child| {
        let (name, version) = (child.digest.to_string(), child.platform.to_string());
        container(child.digest, name, version, child.purl.clone())
    });
    let children: Vec<Component> = children.collect();
    let leaf = |part: &Component| Dependency { of: part.bom_ref.clone(), on: Vec::new() };
    let top = Dependency {
        of: index.bom_ref.clone(),
        on: children.iter().map(|part| part.bom_ref.clone()).collect(),
    };
    let dependencies = std::iter::once(top).chain(children.iter().map(leaf)).collect();
    let parts = Parts { base: facts.base.as_ref(), parts: children, dependencies };
    document(facts.digest, &facts.created, version, index, parts)
}

/// What a document has beside what it is about.
struct Parts<'a> {
    base: Option<&'a BaseFacts>,
    parts: Vec<Component>,
    dependencies: Vec<Dependency>,
}

fn document(
    digest: Digest,
    created: &str,
    version: &str,
    component: Component,
    Parts { base, parts, dependencies }: Parts<'_>,
) -> Vec<u8> {
    let tool = Tool { kind: "application", name: "ko", version: version.to_owned() };
    let bom = Bom {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial_number(digest),
        version: 1,
        metadata: Metadata {
            timestamp: created.to_owned(),
            tools: Tools { components: [tool] },
            component,
        },
        components: base.map(of_base).into_iter().chain(parts).collect(),
        dependencies,
    };
    let mut bytes = json::to_vec_indented(&bom, "  ");
    bytes.push(b'\n');
    bytes
}

fn of_module(kind: &'static str, package: &Package, names: &mut Names) -> Component {
    let sum = Some(&package.sum).filter(|sum| !sum.is_empty());
    let properties = [(SUM, sum), (REPLACED, package.comment.as_ref())].into_iter();
    let property = |(name, value): (_, Option<&String>)| {
        value.map(|value| Property { name, value: value.clone() })
    };
    Component {
        kind,
        bom_ref: names.unique(&package.purl),
        name: package.name.clone(),
        version: package.version.clone(),
        hashes: None,
        purl: package.purl.clone(),
        properties: properties.filter_map(property).collect(),
    }
}

/// The hash is that of the manifest.
fn container(digest: Digest, name: String, version: String, purl: String) -> Component {
    Component {
        kind: "container",
        bom_ref: purl.clone(),
        name,
        version,
        hashes: Some([Hash { alg: "SHA-256", content: digest.hex() }]),
        purl,
        properties: Vec::new(),
    }
}

fn of_base(base: &BaseFacts) -> Component {
    container(base.digest, base.full_name(), base.name.clone(), purl::base(base))
}

/// A UUID made of a digest, of the version that is for the maker's own ways (8,
/// RFC 9562), so that equal images have equal documents.
fn serial_number(digest: Digest) -> String {
    let mut hex: Vec<char> = digest.hex().chars().take(32).collect();
    hex[12] = '8';
    // The variant is in the upper two bits of this digit.
    hex[16] = match hex[16].to_digit(16).expect("a digest is in hex") & 3 {
        0 => '8',
        1 => '9',
        2 => 'a',
        _ => 'b',
    };
    let hex: String = hex.into_iter().collect();
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_uuids_of_version_8() {
        let digest: Digest = format!("sha256:{}", "f".repeat(64)).parse().unwrap();
        assert_eq!(serial_number(digest), "urn:uuid:ffffffff-ffff-8fff-bfff-ffffffffffff");
        let digest: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        assert_eq!(serial_number(digest), "urn:uuid:00000000-0000-8000-8000-000000000000");
    }
}
