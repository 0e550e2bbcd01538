//! `--output` and `--metadata-file`: the schema, and what version 1 promises.

use std::fs;
use std::path::PathBuf;

use ko_report::plan::Plan;
use ko_report::run::{Line, Run};
use ko_report::verification::Verification;
use serde_json::Value;

/// A document as the first release wrote it. It never changes.
const FIRST: &str = include_str!("run-1.json");

fn schemas() -> [(&'static str, String); 4] {
    let text = |schema: &schemars::Schema| serde_json::to_string_pretty(schema).unwrap() + "\n";
    [
        ("run.schema.json", text(&schemars::schema_for!(Run))),
        ("run-line.schema.json", text(&schemars::schema_for!(Line))),
        ("plan.schema.json", text(&schemars::schema_for!(Plan))),
        ("verify.schema.json", text(&schemars::schema_for!(Verification))),
    ]
}

fn reference() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference"))
}

/// `UPDATE_SCHEMAS=1` writes them anew.
#[test]
#[allow(clippy::disallowed_methods)]
fn the_schemas_are_those_of_the_types() {
    for (name, schema) in schemas() {
        let path = reference().join(name);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        assert!(fs::read_to_string(&path).unwrap() == schema, "{name}: set UPDATE_SCHEMAS=1");
    }
}

#[test]
fn documents_fit_the_schema_and_wrong_ones_do_not() {
    let schema: Value = serde_json::from_str(&schemas()[0].1).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let first: Value = serde_json::from_str(FIRST).unwrap();
    validator.validate(&first).unwrap();
    let mut without = first.clone();
    without.as_object_mut().unwrap().remove("succeeded");
    assert!(!validator.is_valid(&without));
    let mut wrong = first;
    wrong["images"][0]["size"] = "large".into();
    assert!(!validator.is_valid(&wrong));
}

/// Whether all of a value is in another, which may have more.
fn is_within(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(key, value)| new.get(key).is_some_and(|new| is_within(value, new)))
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_within(old, new))
        }
        (old, new) => old == new,
    }
}

#[test]
fn an_older_reader_still_finds_everything() {
    let first: Value = serde_json::from_str(FIRST).unwrap();
    let run: Run = serde_json::from_str(FIRST).unwrap();
    assert!(is_within(&first, &serde_json::from_str(&run.json()).unwrap()));
    // And we read what a later version adds.
    let mut later = first;
    later["images"][0]["platforms"][0]["later"] = 1.into();
    assert_eq!(serde_json::from_value::<Run>(later).unwrap(), run);
}

#[test]
fn a_line_says_what_it_is() {
    let run: Run = serde_json::from_str(FIRST).unwrap();
    let [_, (_, schema), ..] = schemas();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let image = Line::Image(Box::new(run.images[0].clone()));
    for (line, want) in [(image, "image"), (Line::Run(Box::new(run)), "run")] {
        let text = line.json();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(value["type"], want);
        validator.validate(&value).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
