//! Checks JSON against the schemas in `docs/reference`: that of all commands of all
//! tests.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::sandbox::Output;

/// Panics if what a command prints as JSON, or writes to `--metadata-file`, does not
/// fit its schema.
pub(crate) fn check_run(command: &Command, output: &Output) {
    let words: Vec<String> =
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let schema = match () {
        () if has("doctor") => "doctor.schema.json",
        () if has("verify") => "verify.schema.json",
        () if has("--dry-run") => "plan.schema.json",
        () => "run.schema.json",
    };
    match value(&words, "--output") {
        Some("json") if !output.stdout.is_empty() => check_text(schema, &output.stdout),
        Some("ndjson") if has("--dry-run") => check_text(schema, &output.stdout),
        Some("ndjson") => {
            output.stdout.lines().for_each(|line| check_text("run-line.schema.json", line));
        }
        _ => {}
    }
    if let Some(file) = value(&words, "--metadata-file") {
        let file = command.get_current_dir().unwrap_or(Path::new("")).join(file);
        let Ok(written) = fs::metadata(&file) else { return };
        if written.is_file() && written.len() > 0 {
            check_text("run.schema.json", &fs::read_to_string(file).unwrap());
        }
    }
}

/// The value of a flag, as `--flag=value` or `--flag value`.
fn value<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    let at = words.iter().rposition(|word| {
        word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })?;
    match words[at].split_once('=') {
        Some((_, value)) => Some(value),
        None => words.get(at + 1).map(String::as_str),
    }
}

/// Panics if a text is no JSON that fits the schema of this file's name.
fn check_text(name: &str, text: &str) {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{name}: {text}"));
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let schema = serde_json::from_str(&fs::read_to_string(dir.join(name)).unwrap()).unwrap();
    let fits = jsonschema::validator_for(&schema).unwrap().validate(&value);
    fits.unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
}
