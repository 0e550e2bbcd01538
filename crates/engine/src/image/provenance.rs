//! Makes SLSA provenance (v1): what an image was built from, and how. It follows
//! from the image, the build info of its programs and the settings of their builds,
//! but for who has built it.

use std::collections::HashSet;

use golang::{BuildInfo, BuildSettings};
use serde_json::{Map, Value, json};

use super::Image;
use super::sbom::{base, dependencies};

/// What a build of this kind takes and does: a page of the documentation.
const BUILD_TYPE: &str = "https://ko.build/provenance/go/v1";

/// The builder of a run that is nobody's.
const LOCAL: &str = "https://ko.build/provenance/local";

/// Variables that decide what Go makes. Others may be secret, or are of one machine.
const VARIABLES: [&str; 14] = [
    "CGO_ENABLED",
    "GO386",
    "GOAMD64",
    "GOARM",
    "GOARM64",
    "GODEBUG",
    "GOEXPERIMENT",
    "GOFIPS140",
    "GOFLAGS",
    "GOMIPS",
    "GOMIPS64",
    "GOPPC64",
    "GORISCV64",
    "GOWORK",
];

/// Who builds, as the caller says.
#[derive(Debug, Clone, Default)]
pub struct ProvenanceOptions {
    /// The version of ko.
    pub version: String,
    /// A URI of who builds (`builder.id`).
    pub builder: Option<String>,
    /// A URI of the run (`metadata.invocationId`).
    pub invocation: Option<String>,
    /// A URI of the repository that is built, as in `git+https://…`.
    pub source: Option<String>,
}

/// The predicate about images of one program: one of them, or all of an index.
pub(crate) fn predicate(images: &[Image], import_path: &str, options: &ProvenanceOptions) -> Value {
    let first = &images[0];
    let program = |image: &Image| image.program.clone().unwrap_or_default();
    let info = program(first);
    let platforms: Vec<String> = images.iter().map(|image| image.platform.to_string()).collect();
    let mut parameters = json!({ "importPath": import_path, "platforms": platforms });
    if !first.others.is_empty() {
        let others: Vec<&str> = first.others.iter().map(|other| &*other.path).collect();
        parameters["others"] = json!(others);
    }
    if let Some(settings) = &first.settings {
        for (key, value) in parameters_of(settings) {
            parameters[key] = value;
        }
    }
    let mut resolved = Vec::new();
    resolved.extend(source(&info, options));
    let mut seen = HashSet::new();
    let mut add = |entry: Value| {
        if seen.insert(entry.to_string()) {
            resolved.push(entry);
        }
    };
    for image in images {
        base(image).into_iter().for_each(&mut add);
        let info = program(image);
        for info in std::iter::once(&info).chain(&image.others) {
            add(toolchain(info));
            dependencies(info).into_iter().for_each(&mut add);
        }
    }
    let mut metadata = Map::new();
    if let Some(invocation) = &options.invocation {
        metadata.insert("invocationId".to_owned(), invocation.as_str().into());
    }
    let builder = options.builder.as_deref().unwrap_or(LOCAL);
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": {},
            "resolvedDependencies": resolved,
        },
        "runDetails": {
            "builder": { "id": builder, "version": { "ko": options.version } },
            "metadata": metadata,
        },
    })
}

/// How a program is built: what is set, with templates expanded.
fn parameters_of(settings: &BuildSettings) -> Vec<(&'static str, Value)> {
    let variable = |name: &&str| {
        let value = settings.environment.get(name).filter(|value| !value.is_empty())?;
        Some(((*name).to_owned(), value.to_string_lossy().into()))
    };
    let environment: Map<String, Value> = VARIABLES.iter().filter_map(variable).collect();
    let mut parameters = vec![
        ("flags", settings.flags.clone().into()),
        ("ldflags", settings.ldflags.clone().into()),
        ("env", environment.into()),
        ("disableOptimizations", settings.disable_optimizations.into()),
    ];
    if settings.untrimmed {
        parameters.push(("trimpath", false.into()));
    }
    parameters
}

/// The commit that Go has stamped.
fn source(info: &BuildInfo, options: &ProvenanceOptions) -> Option<Value> {
    let setting = |name: &str| {
        let found = info.settings.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let revision = setting("vcs.revision")?;
    let mut source = json!({ "name": "source" });
    if let Some(uri) = &options.source {
        source["uri"] = uri.as_str().into();
    }
    // `gitCommit` is for git alone: the revisions of other systems are not git hashes.
    if setting("vcs") == Some("git") {
        source["digest"] = json!({ "gitCommit": revision });
    } else {
        source["uri"] = format!("{}#{revision}", setting("vcs").unwrap_or("vcs")).into();
    }
    let modified = setting("vcs.modified") == Some("true");
    source["annotations"] = json!({ "modified": modified, "time": setting("vcs.time") });
    Some(source)
}

/// The release of Go, without its experiments.
fn toolchain(info: &BuildInfo) -> Value {
    let version = info.go_version.split(' ').next().unwrap_or_default();
    let number = version.strip_prefix("go").unwrap_or(version);
    json!({ "name": "go", "uri": format!("pkg:generic/go@{number}"), "annotations": { "version": info.go_version } })
}
