//! Checks JSON against the schemas in `docs/reference`.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Panics if a value does not fit the schema of this file's name.
#[track_caller]
pub(crate) fn check(name: &str, value: &Value) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let schema = serde_json::from_str(&fs::read_to_string(dir.join(name)).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(value).unwrap();
}
