//! Where the files of a release come from, as SLSA says it: one statement for each file,
//! in a line of its own. It has no time and no name of a run, so that two runs say the
//! same; who publishes signs it (`cosign attest-blob --statement`).

use super::sum;
use serde_json::{Value, json};
use std::process::Command;
use toolkit::{Error, Result, step};

/// The name of the file.
pub(crate) const FILE: &str = "provenance.intoto.jsonl";

/// What the files of a release were made of.
#[derive(Debug)]
pub(crate) struct Source {
    /// Who ran this, as an address.
    builder: String,
    /// Whether the work tree had changes that the commit lacks.
    modified: bool,
    /// The commit, and the two programs that decide about bytes.
    dependencies: Vec<Value>,
}

/// The source that this runs in.
pub(crate) fn source(builder: &str, repository: &str) -> Result<Source> {
    let git = |words: &[&str]| said(Command::new("git").args(words));
    let commit = git(&["rev-parse", "HEAD"]).unwrap_or_default();
    let modified = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let lock = step::workspace().join("Cargo.lock");
    let lock = std::fs::read(&lock).map_err(super::at(&lock))?;
    let rustc = said(Command::new("rustc").arg("--version"))?;
    let mut dependencies = vec![
        json!({ "name": "Cargo.lock", "digest": { "sha256": sum(&lock) } }),
        json!({ "name": "rustc", "annotations": { "version": rustc } }),
    ];
    if !commit.is_empty() {
        let mut source = json!({ "name": "source", "digest": { "gitCommit": commit } });
        if !repository.is_empty() {
            source["uri"] = json!(format!("git+{repository}@{commit}"));
        }
        dependencies.insert(0, source);
    }
    Ok(Source { builder: builder.to_owned(), modified, dependencies })
}

fn said(command: &mut Command) -> Result<String> {
    let output = step::output(command.current_dir(step::workspace()))?;
    if !output.status.success() {
        return Err(Error::Missing(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The statements: of each file, what it was made of. `binaries` are the names of targets
/// and the sums of what was packaged for them.
pub(crate) fn statements(
    source: &Source,
    version: &str,
    binaries: &[(&str, String)],
    files: &[(String, Vec<u8>)],
) -> String {
    let targets: Vec<&str> = binaries.iter().map(|(triple, _)| *triple).collect();
    let mut dependencies = source.dependencies.clone();
    dependencies.extend(binaries.iter().map(
        |(triple, sum)| json!({ "name": format!("ko for {triple}"), "digest": { "sha256": sum } }),
    ));
    let line = |(name, data): &(String, Vec<u8>)| {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": name, "digest": { "sha256": sum(data) } }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "urn:ko:xtask-dist:1",
                    "externalParameters": { "version": version, "targets": targets },
                    "internalParameters": { "modified": source.modified },
                    "resolvedDependencies": dependencies,
                },
                "runDetails": { "builder": { "id": source.builder } },
            },
        });
        format!("{statement}\n")
    };
    files.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_statement_of_its_own() {
        let source = Source {
            builder: "https://ci.example.com".to_owned(),
            modified: false,
            dependencies: vec![json!({ "name": "source", "digest": { "gitCommit": "c0ffee" } })],
        };
        let files = [("a".to_owned(), Vec::new()), ("b".to_owned(), b"b".to_vec())];
        let binaries = [("x86_64-apple-darwin", "00".to_owned())];
        let text = statements(&source, "1.2.3", &binaries, &files);
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names: Vec<&Value> = lines.iter().map(|line| &line["subject"][0]["name"]).collect();
        assert_eq!(names, ["a", "b"]);
        let definition = &lines[1]["predicate"]["buildDefinition"];
        let made_of: Vec<&Value> = definition["resolvedDependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["digest"])
            .collect();
        assert_eq!(made_of, [&json!({ "gitCommit": "c0ffee" }), &json!({ "sha256": "00" })]);
    }
}
