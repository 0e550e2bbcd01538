//! SBOMs as fields with values. They are compared as data, and what ours says
//! otherwise than ko on purpose is in the rules of [`rule`].

pub(crate) mod attachment;
pub(crate) mod rule;

use crate::json;
use crate::label::Labels;
use rule::Tool;
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::registry::TestRegistry;

/// A document.
#[derive(Debug)]
pub(crate) struct Document {
    /// `SPDX-2.3`, or what else it says that it is.
    pub(crate) format: String,
    /// Values by the rest of their field.
    pub(crate) fields: BTreeMap<String, String>,
}

/// Whether a file is a document by its name.
pub(crate) fn is_file(path: &str) -> bool {
    [".spdx.json", ".cdx.json"].iter().any(|end| path.ends_with(end))
}

impl Document {
    /// Reads a document that a tool made. Names stand for the digests of
    /// images.
    pub(crate) fn read(
        text: &str,
        tool: Tool,
        labels: &Labels,
        registry: &TestRegistry,
    ) -> Document {
        let mut fields = BTreeMap::new();
        let Ok(mut value) = serde_json::from_str::<Value>(text) else {
            return Document { format: format!("no JSON: {text}"), fields };
        };
        let format = match (value["spdxVersion"].as_str(), value["bomFormat"].as_str()) {
            (Some(version), _) => version.to_owned(),
            (None, Some(format)) => format!("{format} {}", value["specVersion"]),
            (None, None) => format!("unknown: {text}"),
        };
        let written = if text == as_go_writes(&value) { "as Go does" } else { "in another way" };
        fields.insert("written".to_owned(), written.to_owned());
        for (number, note) in rule::apply(&mut value, tool, registry).into_iter().enumerate() {
            fields.insert(format!("replaced[{number}]"), note);
        }
        let text = value.to_string();
        let flat = json::flatten(&text).expect("what was written just now is JSON");
        fields.insert("shape".to_owned(), flat.shape);
        for (path, token) in flat.leaves {
            fields.insert(path, named(&token, labels));
        }
        Document { format, fields }
    }
}

/// A value with names in it. Checksums are digests without their algorithm.
fn named(token: &str, labels: &Labels) -> String {
    let hex = token.trim_matches('"');
    let bare = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    match labels.get(&format!("sha256:{hex}")) {
        Some(label) if bare => format!("\"[{label}]\""),
        _ => labels.apply(token),
    }
}

/// A value as ko's encoder writes it: two blanks for each level, a line break
/// at the end, and what HTML could misread escaped.
pub(crate) fn as_go_writes(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a value can be written");
    for (letter, escape) in [('&', "\\u0026"), ('<', "\\u003c"), ('>', "\\u003e")] {
        text = text.replace(letter, escape);
    }
    text + "\n"
}
