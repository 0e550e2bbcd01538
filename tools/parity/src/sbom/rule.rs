//! In what our SBOMs differ from ko's on purpose. Each rule takes one
//! difference out of a document, of ko's by writing what ours has to say, of
//! ours by writing what ko says; all that is left has to be equal.

use crate::cases::REPLACED;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::registry::TestRegistry;

/// Who made a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Ko,
    Ours,
}

/// A difference that is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// What it is, for `docs/parity.md`.
    pub(crate) reason: &'static str,
    /// Whose documents it changes.
    tool: Tool,
    /// Changes a document; returns what cases have to expect explicitly.
    apply: fn(&mut Value, &TestRegistry) -> Vec<String>,
}

/// All rules, in the order in which they are applied.
pub(crate) const RULES: [Rule; 7] = [
    Rule {
        reason: "`downloadLocation` is `NOASSERTION`: a module need not be at the public proxy",
        tool: Tool::Ko,
        apply: |document, _| {
            for package in list(document, "packages") {
                if let Some(location) = package.get_mut("downloadLocation")
                    && location.as_str().is_some_and(|text| text.starts_with("https://"))
                {
                    *location = json!("NOASSERTION");
                }
            }
            Vec::new()
        },
    },
    Rule {
        reason: "identifiers have only the letters that SPDX allows",
        tool: Tool::Ko,
        apply: |document, _| {
            rename(document, allowed);
            Vec::new()
        },
    },
    Rule { reason: CREATOR, tool: Tool::Ko, apply: |document, _| creator(document, "Tool: ko ") },
    Rule { reason: CREATOR, tool: Tool::Ours, apply: |document, _| creator(document, "Tool: ko-") },
    Rule {
        reason: "the document of an index says what it describes",
        tool: Tool::Ours,
        apply: |document, _| {
            let of_index = document["packages"][0]["externalRefs"][0]["referenceLocator"]
                .as_str()
                .is_some_and(|purl| purl.starts_with("pkg:oci/index@"));
            if of_index && document["relationships"][0]["relationshipType"] == "DESCRIBES" {
                list(document, "relationships").remove(0);
            }
            Vec::new()
        },
    },
    Rule {
        reason: "the base of an OCI index has the digest that it has, where ko names one that exists nowhere",
        tool: Tool::Ko,
        apply: real_base,
    },
    Rule { reason: REPLACED, tool: Tool::Ours, apply: what_was_replaced },
];

const CREATOR: &str = "the creator is `Tool: ko-<version>`";

/// Applies all rules to a document of a tool.
pub(super) fn apply(document: &mut Value, tool: Tool, registry: &TestRegistry) -> Vec<String> {
    if !document["spdxVersion"].is_string() {
        return Vec::new();
    }
    let rules = RULES.iter().filter(|rule| rule.tool == tool);
    rules.flat_map(|rule| (rule.apply)(document, registry)).collect()
}

fn list<'a>(value: &'a mut Value, key: &str) -> &'a mut Vec<Value> {
    if !value[key].is_array() {
        value[key] = json!([]);
    }
    value[key].as_array_mut().expect("it was made one")
}

/// An identifier with a dash for each letter that SPDX does not allow.
fn allowed(id: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    id.chars().map(|c| if allowed(c) { c } else { '-' }).collect()
}

/// Gives packages other identifiers, wherever those stand.
fn rename(document: &mut Value, name: impl Fn(&str) -> String) {
    let mut names = BTreeMap::new();
    for package in list(document, "packages") {
        if let Some(Value::String(id)) = package.get_mut("SPDXID") {
            let new = name(id);
            names.insert(std::mem::replace(id, new.clone()), new);
        }
    }
    for relationship in list(document, "relationships") {
        for key in ["spdxElementId", "relatedSpdxElement"] {
            if let Some(new) = relationship[key].as_str().and_then(|old| names.get(old)) {
                relationship[key] = json!(new);
            }
        }
    }
}

/// Puts a word in place of the version of the maker.
fn creator(document: &mut Value, before: &str) -> Vec<String> {
    if let Some(creator) = document.pointer_mut("/creationInfo/creators/0")
        && creator.as_str().is_some_and(|text| text.starts_with(before))
    {
        *creator = json!("Tool: ko-<version>");
    }
    Vec::new()
}

/// The digest that the base of an index has, for one that nothing has.
fn real_base(document: &mut Value, registry: &TestRegistry) -> Vec<String> {
    let base = &document["packages"][1];
    let name = base["versionInfo"].as_str().unwrap_or_default();
    let named = base["name"].as_str().and_then(|name| name.split_once('@'));
    let Some((repository, digest)) = named.filter(|_| name.contains(':')) else {
        return Vec::new();
    };
    let repository = repository.trim_start_matches(registry.host()).trim_start_matches('/');
    if registry.manifest(repository, digest).is_some() {
        return Vec::new();
    }
    let tag = name.rsplit(':').next().unwrap_or_default();
    let Some(real) = registry.manifest(repository, tag) else { return Vec::new() };
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let text = document.to_string().replace(&hex(digest), &hex(&real.digest()));
    *document = serde_json::from_str(&text).expect("digits in place of digits");
    Vec::new()
}

/// The module that a replacement stands in for, of which ko speaks.
fn what_was_replaced(document: &mut Value, _: &TestRegistry) -> Vec<String> {
    let mut notes = Vec::new();
    let mut changed = BTreeMap::new();
    let mut relationships = list(document, "relationships").iter();
    let main = relationships.find(|one| one["relationshipType"] == "CONTAINS");
    let main = main.map_or(Value::Null, |one| one["relatedSpdxElement"].clone());
    for package in list(document, "packages") {
        let Some(comment) = package["comment"].as_str().map(str::to_owned) else { continue };
        let Some((_, old)) = comment.split_once("in place of ") else { continue };
        let (path, version) = old.split_once(' ').unwrap_or((old, ""));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let locator = text(&package["externalRefs"][0]["referenceLocator"]);
        notes.push(format!(
            "{} {} {locator}: {comment}",
            text(&package["name"]),
            text(&package["versionInfo"])
        ));
        let id = text(&package["SPDXID"]);
        // A main module has no version, which is that of the image.
        let mut described = json!({ "SPDXID": id, "name": path, "versionInfo": version });
        if id == main {
            drop(described.as_object_mut().map(|members| members.shift_remove("versionInfo")));
        }
        let members = package.as_object().expect("it has a comment");
        for (key, value) in members {
            if !["SPDXID", "name", "versionInfo", "comment", "checksums"].contains(&key.as_str()) {
                described[key] = value.clone();
            }
        }
        let purl = format!("pkg:golang/{path}@{version}?type=module");
        described["externalRefs"][0]["referenceLocator"] = json!(purl);
        *package = described;
        changed.insert(id, allowed(&format!("SPDXRef-Package-{path}-{version}").replace('/', ".")));
    }
    rename(document, |id| changed.get(id).map_or(id, String::as_str).to_owned());
    notes
}

#[cfg(test)]
mod tests {
    use super::{Tool, apply};
    use serde_json::{Value, json};
    use testkit::base::Image;
    use testkit::registry::TestRegistry;
    use testkit::sha256;

    fn document(id: &str, creator: &str, module: &Value, describes: bool) -> Value {
        let mut relationships = vec![
            json!({"spdxElementId": "i", "relationshipType": "CONTAINS", "relatedSpdxElement": "m"}),
            json!({"spdxElementId": "m", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": id}),
        ];
        if describes {
            relationships.insert(0, json!({"relationshipType": "DESCRIBES"}));
        }
        json!({
            "spdxVersion": "SPDX-2.3",
            "creationInfo": {"creators": [creator]},
            "packages": [
                {"SPDXID": "i", "externalRefs": [{"referenceLocator": "pkg:oci/index@x"}]},
                {"SPDXID": "m"},
                module,
            ],
            "relationships": relationships,
        })
    }

    #[test]
    fn what_is_meant_makes_documents_equal() {
        let registry = TestRegistry::start();
        let purl = |purl: &str| json!([{"referenceLocator": purl}]);
        let mut ko = document(
            "SPDXRef-Package-a.b.c-v1.0.0+x",
            "Tool: ko v0.19.1",
            &json!({
                "SPDXID": "SPDXRef-Package-a.b.c-v1.0.0+x",
                "name": "a.b/c",
                "versionInfo": "v1.0.0+x",
                "downloadLocation": "https://p/c.zip",
                "externalRefs": purl("pkg:golang/a.b/c@v1.0.0+x?type=module"),
            }),
            false,
        );
        let mut ours = document(
            "SPDXRef-Package-d.e-v2",
            "Tool: ko-1.2.3",
            &json!({
                "SPDXID": "SPDXRef-Package-d.e-v2",
                "name": "d.e",
                "versionInfo": "v2",
                "downloadLocation": "NOASSERTION",
                "comment": "in place of a.b/c v1.0.0+x",
                "checksums": [],
                "externalRefs": purl("pkg:golang/d.e@v2?type=module"),
            }),
            true,
        );
        assert_eq!(apply(&mut ko, Tool::Ko, &registry), Vec::<String>::new());
        let notes = apply(&mut ours, Tool::Ours, &registry);
        assert_eq!(notes, ["d.e v2 pkg:golang/d.e@v2?type=module: in place of a.b/c v1.0.0+x"]);
        assert_eq!(ko.to_string(), ours.to_string());
    }

    #[test]
    fn only_a_digest_that_exists_nowhere_is_replaced() {
        let registry = TestRegistry::start();
        let base = Image::oci("linux/amd64").build();
        base.push(&registry, "base", "v1");
        let host = registry.host();
        let named = |digest: &str| {
            let base = json!({"SPDXID": "b", "name": format!("{host}/base@{digest}"), "versionInfo": format!("{host}/base:v1")});
            json!({"spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "i"}, base], "relationships": []})
        };
        let real = named(&base.digest())["packages"][1].clone();
        for digest in [sha256(b"nowhere"), base.digest()] {
            let mut document = named(&digest);
            apply(&mut document, Tool::Ko, &registry);
            assert_eq!(document["packages"][1], real);
        }
        // Ours has to be right by itself.
        let mut document = named(&sha256(b"nowhere"));
        apply(&mut document, Tool::Ours, &registry);
        assert_ne!(document["packages"][1], real);
    }
}
