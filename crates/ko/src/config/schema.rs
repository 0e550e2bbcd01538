//! Holds the JSON Schema of configuration files, for editors.

/// The schema, as a text that ends a line. Draft 7 is what editors know.
pub(crate) const SCHEMA: &str = include_str!("../../../../docs/reference/ko-config.schema.json");

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::config::file::{Build, File};
    use crate::config::image::{Check, Image};
    use crate::config::registries::Registry;
    use crate::config::signing::Signing;
    use crate::config::source::Source;
    use crate::config::{read, yaml};

    fn is_read(text: &str) -> bool {
        let source = Arc::new(Source::new(".ko.yaml".into(), text.into()));
        read::file(&source, &yaml::parse(text).unwrap()).is_ok()
    }

    #[test]
    fn the_schema_has_what_is_read() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let [build, image, check, registry, signing] =
            ["Build", "Image", "Healthcheck", "Registry", "Signing"]
                .map(|name| &schema["definitions"][name]);
        let file: fn(&str, &str) -> String = |key, value| format!("{key}: {value}");
        let entry: fn(&str, &str) -> String = |key, value| format!("builds: [{{{key}: {value}}}]");
        let of_image: fn(&str, &str) -> String =
            |key, value| format!("builds: [{{image: {{{key}: {value}}}}}]");
        let of_check: fn(&str, &str) -> String =
            |key, value| format!("builds: [{{image: {{healthcheck: {{{key}: {value}}}}}}}]");
        let of_host: fn(&str, &str) -> String =
            |key, value| format!("registries: {{r.example: {{{key}: {value}}}}}");
        let of_signing: fn(&str, &str) -> String =
            |key, value| format!("signing: {{{key}: {value}}}");
        for (schema, keys, text) in [
            (&schema, &File::KEYS[..], file),
            (build, &Build::KEYS[..], entry),
            (image, &Image::KEYS[..], of_image),
            (check, &Check::KEYS[..], of_check),
            (registry, &Registry::KEYS[..], of_host),
            (signing, &Signing::KEYS[..], of_signing),
        ] {
            assert_eq!(schema["additionalProperties"], false);
            let properties = schema["properties"].as_object().unwrap();
            let declared: Vec<&String> = properties.keys().collect();
            assert_eq!(declared, keys);
            for (key, declared) in properties {
                assert!(declared["description"].is_string(), "{key}");
                let declared = declared.to_string();
                let takes = |kind: &str| declared.contains(kind);
                assert_eq!(is_read(&text(key, "[a]")), takes("/List"), "{key}");
                let kinds = ["/Build", "/Image", "/Healthcheck", "/Signing"];
                let of_settings = kinds.into_iter().any(takes);
                let is_map = takes("\"object\"") || of_settings;
                let of_maps = takes("/Registry");
                assert_eq!(is_read(&text(key, "{a: b}")), is_map && !of_maps, "{key}");
                assert_eq!(is_read(&text(key, "{a: {http: b}}")), of_maps || of_settings, "{key}");
            }
        }
    }
}
