//! Writes the JSON Schema of configuration files, for editors. `docs/reference`
//! has a copy; a test holds it against the types.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::file::{Build, File};

/// The schema, as a text that ends a line. Draft 7 is what editors know.
pub(crate) fn schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<File>();
    let text = serde_json::to_string_pretty(&schema).expect("a schema is a JSON value");
    format!("{text}\n")
}

/// A text, or what is taken for one.
#[derive(Debug)]
pub(crate) struct Scalar;

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A list of texts, or one text in its place.
#[derive(Debug)]
pub(crate) struct List;

impl JsonSchema for List {
    fn schema_name() -> Cow<'static, str> {
        "List".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<Scalar>();
        json_schema!({ "anyOf": [{ "type": "array", "items": scalar }, scalar] })
    }
}

/// A list of builds, or one build in its place.
#[derive(Debug)]
pub(crate) struct Builds;

impl JsonSchema for Builds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Builds".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let build = generator.subschema_for::<Build>();
        json_schema!({ "anyOf": [{ "type": "array", "items": build }, build] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_schema_in_the_manual_is_this_one() {
        let committed = include_str!("../../../../docs/reference/ko-config.schema.json");
        assert_eq!(
            committed,
            schema(),
            "run: ko config --schema > docs/reference/ko-config.schema.json"
        );
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let keys = |schema: &Value| {
            let properties = schema["properties"].as_object().unwrap();
            properties.keys().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let sorted = |keys: &[&str]| {
            let mut keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            keys.sort();
            keys
        };
        let mut file = keys(&schema);
        file.sort();
        let mut build = keys(&schema["definitions"]["Build"]);
        build.sort();
        assert_eq!(file, sorted(&File::KEYS));
        assert_eq!(build, sorted(&Build::KEYS));
    }
}
