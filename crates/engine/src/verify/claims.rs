//! Reads what an image says of how it was built: in its history, its annotations, its
//! program and its provenance. Who wrote that is not known, so that nothing dangerous
//! may be in it.

use golang::{BuildInfo, Environment};
use oci::{Digest, Timestamp};
use serde_json::Value;

use super::VerifyError;
use super::specimen::{Found, Specimen};
use crate::build::{self, NotAllowed, PROCESSOR};
use crate::image::{BASE_DIGEST, BASE_NAME};

/// What an image says of itself.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Claims {
    /// The program, by its import path.
    pub import_path: String,
    /// The release of Go, such as `go1.26.8`.
    pub go: String,
    /// The base: its name and digest. `None` of an image on nothing.
    pub base: Option<(String, Digest)>,
    /// Whether the digest of the base of an index is nowhere, so that only its images
    /// say which one that is.
    pub base_is_nowhere: bool,
    /// Whether it is an index.
    pub is_index: bool,
    /// The platforms, in their order.
    pub platforms: Vec<String>,
    /// When the program's layer was made, if that was said (`SOURCE_DATE_EPOCH`).
    pub created: Option<(i64, Timestamp)>,
    /// When kodata was made, if that was said (`KO_DATA_DATE_EPOCH`).
    pub kodata_created: Option<(i64, Timestamp)>,
    /// Variables that choose instructions of a processor.
    pub variables: Vec<(String, String)>,
    /// The commit that Go has stamped.
    pub commit: Option<String>,
    /// Whether the checkout had changes that were not committed.
    pub modified: bool,
    /// Whether the program was built without `-trimpath`, so that it holds directories.
    pub untrimmed: bool,
    /// What its provenance says further.
    pub provenance: Option<ProvenanceClaims>,
}

/// What the provenance of an image says of its build.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProvenanceClaims {
    /// Who has built it.
    pub builder: String,
    /// Where the source is.
    pub source: Option<String>,
    /// The flags of the linker, with templates expanded.
    pub ldflags: Vec<String>,
}

impl Claims {
    /// Reads what an image says, with the predicate of its provenance; of its programs
    /// only where they were fetched. `caller` is the
    /// environment of who verifies, whose settings are allowed.
    pub(super) fn read(
        specimen: &Specimen,
        predicate: Option<&Value>,
        caller: &Environment,
    ) -> Result<Self, VerifyError> {
        let first = &specimen.images[0];
        let mut claims = Self::default();
        for image in &specimen.images {
            if let Some(info) = &image.program {
                check_info(info, caller)?;
            }
            if image.import_path() != first.import_path() {
                return Err(VerifyError::malformed("an image of its index, of another program,"));
            }
            claims.platforms.push(image.platform.to_string());
        }
        let import_path = first.import_path();
        if !is_import_path(import_path) {
            return Err(VerifyError::malformed("the import path in its history"));
        }
        import_path.clone_into(&mut claims.import_path);
        let annotations = match &specimen.index {
            Some(index) => &index.annotations,
            None => &first.manifest.annotations,
        };
        if let Some(name) = annotations.get(BASE_NAME) {
            let digest = annotations.get(BASE_DIGEST).and_then(|digest| digest.parse().ok());
            let digest = digest.ok_or_else(|| VerifyError::malformed("the digest of its base"))?;
            claims.base = Some((name.clone(), digest));
        }
        claims.is_index = specimen.index.is_some();
        claims.created = created(first, "go build output")?;
        claims.kodata_created = created(first, "kodata contents")?;
        let Some(info) = &first.program else { return Ok(claims) };
        claims.go = release(&info.go_version)?;
        let of_processor = |(name, value): &&(String, String)| {
            PROCESSOR.iter().any(|(known, default)| known == name && default != value)
        };
        claims.variables = info.settings.iter().filter(of_processor).cloned().collect();
        let setting = |name: &str| {
            let found = info.settings.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        claims.commit = setting("vcs.revision");
        claims.untrimmed = setting("-trimpath").as_deref() != Some("true");
        claims.modified = setting("vcs.modified").as_deref() == Some("true");
        if let Some(predicate) = predicate {
            claims.provenance = Some(provenance(predicate, &claims, caller)?);
        }
        Ok(claims)
    }
}

/// Whether a text names one package, and no directory, pattern or version.
fn is_import_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte);
    let is_element = |element: &str| {
        !element.is_empty() && !element.starts_with(['.', '-']) && element.bytes().all(is_plain)
    };
    text.split('/').all(is_element)
        && !matches!(text, "all" | "std" | "cmd" | "main" | "tool" | "work")
}

/// When a layer was made, by its history; `None` of the time that stands for nothing.
fn created(image: &Found, comment: &str) -> Result<Option<(i64, Timestamp)>, VerifyError> {
    let entry = image.config.history.iter().rfind(|entry| entry.comment.starts_with(comment));
    let Some(entry) = entry.filter(|entry| entry.created != Timestamp::zero()) else {
        return Ok(None);
    };
    let wrong = || VerifyError::malformed("a time in its history");
    let time: jiff::Timestamp = entry.created.as_str().parse().map_err(|_| wrong())?;
    let seconds = time.as_second();
    let time = Timestamp::from_epoch(seconds).ok_or_else(wrong)?;
    Ok(Some((seconds, time)))
}

/// A release of Go, without experiments. What names anything else is no word for
/// `GOTOOLCHAIN`.
fn release(version: &str) -> Result<String, VerifyError> {
    let release = version.split(' ').next().unwrap_or_default();
    let number = release.strip_prefix("go1.").unwrap_or_default();
    let is_plain = number.starts_with(|first: char| first.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || b".rcbeta".contains(&byte));
    match is_plain {
        true => Ok(release.to_owned()),
        false => Err(VerifyError::Release { version: version.to_owned() }),
    }
}

/// Checks the settings that a program says it was built with.
fn check_info(info: &BuildInfo, caller: &Environment) -> Result<(), VerifyError> {
    release(&info.go_version)?;
    for (name, value) in &info.settings {
        let checked = match name.as_str() {
            "vcs" | "vcs.revision" | "vcs.time" | "vcs.modified" => plain(name, value),
            // Go derives it from go.mod.
            "DefaultGODEBUG" => plain(name, value),
            "GOOS" | "GOARCH" => plain(name, value),
            _ if name.starts_with("CGO_") && value.is_empty() => Ok(()),
            _ if name.starts_with('-') => build::flags(&[format!("{name}={value}")]),
            _ => build::variable(name, value, caller),
        };
        checked.map_err(VerifyError::NotAllowed)?;
    }
    Ok(())
}

/// Refuses what is more than a word.
fn plain(name: &str, value: &str) -> Result<(), NotAllowed> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,:=+-".contains(&byte);
    match value.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(NotAllowed { setting: format!("{name}={value}") }),
    }
}

/// Reads a predicate of SLSA provenance.
fn provenance(
    predicate: &Value,
    claims: &Claims,
    caller: &Environment,
) -> Result<ProvenanceClaims, VerifyError> {
    let definition = &predicate["buildDefinition"];
    let parameters = &definition["externalParameters"];
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    for (name, value) in parameters["env"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        build::variable(name, value, caller).map_err(VerifyError::NotAllowed)?;
    }
    build::flags(&texts(&parameters["flags"])).map_err(VerifyError::NotAllowed)?;
    let ldflags = texts(&parameters["ldflags"]);
    build::linker(&ldflags).map_err(VerifyError::NotAllowed)?;
    let disagree = |what: &'static str, said: &Value, program: &str| VerifyError::Disagree {
        what,
        provenance: said.as_str().unwrap_or_default().to_owned(),
        image: program.to_owned(),
    };
    let said = &parameters["importPath"];
    if said.as_str().is_some_and(|path| path != claims.import_path) {
        return Err(disagree("the import path", said, &claims.import_path));
    }
    let resolved = definition["resolvedDependencies"].as_array();
    let named = |name: &str| {
        let mut all = resolved.into_iter().flatten();
        all.find(|entry| entry["name"] == name)
    };
    if let Some(source) = named("source") {
        let said = &source["digest"]["gitCommit"];
        let commit = claims.commit.as_deref().unwrap_or_default();
        if said.as_str().is_some_and(|said| said != commit) {
            return Err(disagree("the commit", said, commit));
        }
    }
    if let Some(go) = named("go") {
        let said = &go["annotations"]["version"];
        if said.as_str().is_some_and(|said| said.split(' ').next() != Some(&claims.go)) {
            return Err(disagree("the release of Go", said, &claims.go));
        }
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(ProvenanceClaims {
        builder: text(&predicate["runDetails"]["builder"]["id"]).unwrap_or_default(),
        source: named("source").and_then(|source| text(&source["uri"])),
        ldflags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_releases_are_taken() {
        for (version, want) in [
            ("go1.26.8", Some("go1.26.8")),
            ("go1.27rc1", Some("go1.27rc1")),
            ("go1.26.8 X:nodwarf5", Some("go1.26.8")),
            ("go1.26.8-custom", None),
            ("/tmp/go", None),
            ("path", None),
            ("devel go1.27-abc", None),
            ("", None),
        ] {
            assert_eq!(release(version).ok().as_deref(), want, "{version}");
        }
    }

    #[test]
    fn only_packages_are_taken() {
        for text in ["example.com/app/v2", "app", "a.b/c-d_e~f+g"] {
            assert!(is_import_path(text), "{text}");
        }
        for text in ["", "./x", "../x", "/x", "-x", "a/../b", "a/...", "a@v1", "std", "a//b", "a b"]
        {
            assert!(!is_import_path(text), "{text}");
        }
    }

    #[test]
    fn settings_of_a_program_are_held_to_the_list() {
        let info = |name: &str, value: &str| BuildInfo {
            go_version: "go1.26.8".to_owned(),
            settings: vec![(name.to_owned(), value.to_owned())],
            ..BuildInfo::default()
        };
        let caller = Environment::from_iter([("CGO_CFLAGS", "-O3")]);
        for (name, value, is_allowed) in [
            ("-trimpath", "true", true),
            ("vcs.revision", "0123abc", true),
            ("CGO_LDFLAGS", "", true),
            ("CGO_CFLAGS", "-O3", true),
            ("CGO_CFLAGS", "-fplugin=/tmp/x.so", false),
            ("-toolexec", "/tmp/x", false),
            ("-overlay", "/tmp/x", false),
            ("vcs.revision", "--upload-pack=/tmp/x y", false),
            ("GOFLAGS", "-toolexec=/tmp/x", false),
            ("SOMETHING", "new", false),
        ] {
            assert_eq!(check_info(&info(name, value), &caller).is_ok(), is_allowed, "{name}");
        }
    }
}
