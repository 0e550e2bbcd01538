//! `ko doctor`.

use std::fs;

use ko_report::{Check, Doctor, Status};
use serde_json::Value;

fn found() -> Doctor {
    let checks = vec![
        Check::ok("go", "go1.27.3 at /go/bin/go").fact("version", "go1.27.3"),
        Check::warning("git", "not in PATH").hint("install git"),
        Check::problem("push", "r.example/app: DENIED\nfor you").maybe_hint(None::<String>),
    ];
    Doctor::new("0.1.0", checks)
}

#[test]
fn the_data_is_stable() {
    insta::assert_snapshot!(found().json(), @r#"
    {
      "version": 1,
      "ko": "0.1.0",
      "status": "problem",
      "checks": [
        {
          "name": "go",
          "status": "ok",
          "message": "go1.27.3 at /go/bin/go",
          "facts": {
            "version": "go1.27.3"
          }
        },
        {
          "name": "git",
          "status": "warning",
          "message": "not in PATH",
          "hint": "install git"
        },
        {
          "name": "push",
          "status": "problem",
          "message": "r.example/app: DENIED\nfor you"
        }
      ]
    }
    "#);
    let read: Doctor = serde_json::from_str(&found().json()).unwrap();
    assert_eq!(read, found());
}

#[test]
fn what_is_not_known_is_ignored() {
    let text = found().json().replacen('{', "{\"later\": 1,", 1);
    assert_eq!(serde_json::from_str::<Doctor>(&text).unwrap(), found());
}

#[test]
fn hints_stand_on_lines_of_their_own() {
    insta::assert_snapshot!(found().text(), @"
    ok       go            go1.27.3 at /go/bin/go
    warning  git           not in PATH
    hint: install git
    problem  push          r.example/app: DENIED
                           for you
    1 problem, 1 warning, 1 ok
    ");
    let painted = found().painted(|status, word| match status {
        Some(status) => format!("<{}>{word}</>", status.name()),
        None => format!("<>{word}</>"),
    });
    insta::assert_snapshot!(painted, @"
    <ok>ok</>       go            go1.27.3 at /go/bin/go
    <warning>warning</>  git           not in PATH
    <>hint:</> install git
    <problem>problem</>  push          r.example/app: DENIED
                           for you
    1 problem, 1 warning, 1 ok
    ");
    assert_eq!(Doctor::new("0.1.0", Vec::new()).status, Status::Ok);
}

/// `UPDATE_SCHEMAS=1` writes it anew.
#[test]
#[allow(clippy::disallowed_methods, reason = "who runs the tests says it")]
fn the_schema_is_that_of_the_types() {
    let schema = schemars::schema_for!(Doctor);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/doctor.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(path, &text).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == text, "set UPDATE_SCHEMAS=1");
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    let mut value: Value = serde_json::from_str(&found().json()).unwrap();
    validator.validate(&value).unwrap();
    value["checks"][0]["status"] = "fine".into();
    assert!(!validator.is_valid(&value));
}
