//! Tells what executing a plan would do: what is built by which command, and what is
//! at its destination already.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use golang::{Environment, ImportPath};
use oci::{Digest, Platform};

use crate::build::{Checked, Verdict};
use crate::error::Error;
use crate::events::StaleReason;
use crate::execute::Executor;
use crate::image::{Artifact, ImageLayer};
use crate::plan::{Plan, PlannedProgram};
use crate::redact::{MASK, is_secret, redact, without_secrets};

/// What a run would do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Forecast {
    /// The programs, in the order of the arguments.
    pub programs: Vec<ProgramForecast>,
}

/// What would be done for a program.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProgramForecast {
    /// The import path, without `ko://`.
    pub import_path: String,
    /// The configured build, by its id.
    pub build: Option<String>,
    /// The base as the user wrote it.
    pub base: String,
    /// The digest of the base's manifest or index; none of `scratch`.
    pub base_digest: Option<Digest>,
    /// What the image would be called, with each of its tags.
    pub names: Vec<String>,
    /// The digest of the image, where it is known.
    pub digest: Option<Digest>,
    /// Whether the image is under its names already, and nothing would be sent;
    /// `None` where that cannot be told.
    pub is_there: Option<bool>,
    /// Its platforms.
    pub targets: Vec<TargetForecast>,
    /// The other programs in the image, and those of a base that is built here.
    pub others: Vec<OtherForecast>,
}

/// What would be done for another program in an image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OtherForecast {
    /// The import path, without `ko://`.
    pub import_path: String,
    /// Its platforms, without layers.
    pub targets: Vec<TargetForecast>,
}

/// What would be done for a platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TargetForecast {
    /// The platform.
    pub platform: Platform,
    /// Why the program would be built; none if it would not.
    pub reason: Option<StaleReason>,
    /// The directory of `go build`.
    pub dir: PathBuf,
    /// The command that would build the program; the program would be written to the
    /// file after `-o`. None if the binary is there already.
    pub command: Vec<String>,
    /// The variables that the command would have besides those of the process, without
    /// secrets.
    pub environment: Vec<(String, String)>,
    /// The layers that the image would have, bottom first, as far as they are known.
    pub layers: Vec<LayerForecast>,
}

/// A layer that an image would have.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayerForecast {
    /// The digest of its blob.
    pub digest: Digest,
    /// The size of its blob in bytes.
    pub size: u64,
}

pub(crate) async fn forecast(
    plan: &Plan,
    executor: Option<&Executor<'_>>,
    process: &Environment,
) -> Result<Forecast, Error> {
    let mut programs = Vec::new();
    for planned in &plan.programs {
        let is_fresh = !planned.is_stale();
        let known = match executor.filter(|_| is_fresh) {
            Some(executor) => Some(executor.known(planned).await?),
            None => None,
        };
        programs.push(program(planned, known, process));
    }
    Ok(Forecast { programs })
}

fn program(
    planned: &PlannedProgram,
    known: Option<(Artifact, Option<bool>)>,
    process: &Environment,
) -> ProgramForecast {
    let import_path = &planned.program.main.import_path;
    let (artifact, is_there) = match known {
        Some((artifact, is_there)) => (Some(artifact), is_there),
        None => (None, Some(false)),
    };
    let layer = |layer: &ImageLayer| LayerForecast {
        digest: layer.descriptor.digest,
        size: layer.descriptor.size,
    };
    let bases = planned.selected.images();
    let targets = planned.targets().zip(bases).enumerate();
    let targets = targets.map(|(at, ((platform, checked), base))| {
        let image = artifact.as_ref().map(|artifact| &artifact.images()[at]);
        let layers = match image {
            Some(image) => image.layers.iter().map(layer).collect(),
            None => base.layers().map(|found| layer(&found)).collect(),
        };
        target(import_path, platform, checked, layers, process)
    });
    let mut others: Vec<OtherForecast> = Vec::new();
    for (program, platform, checked) in planned.all_targets() {
        if program == &planned.program {
            continue;
        }
        let path = &program.main.import_path;
        let target = target(path, platform, checked, Vec::new(), process);
        match others.iter_mut().find(|other| other.import_path == path.as_str()) {
            Some(other) => other.targets.push(target),
            None => {
                others.push(OtherForecast { import_path: path.to_string(), targets: vec![target] });
            }
        }
    }
    ProgramForecast {
        import_path: import_path.to_string(),
        build: planned.build.clone(),
        base: planned.reference.to_string(),
        base_digest: planned.base_digest(),
        names: planned.name.image.tagged(),
        digest: artifact.as_ref().map(Artifact::digest),
        is_there,
        targets: targets.collect(),
        others,
    }
}

fn target(
    import_path: &ImportPath,
    platform: &Platform,
    checked: &Checked,
    layers: Vec<LayerForecast>,
    process: &Environment,
) -> TargetForecast {
    let settings = &checked.settings;
    let words = settings.words(Path::new(import_path.base_name()), import_path);
    TargetForecast {
        platform: platform.clone(),
        reason: match &checked.verdict {
            Verdict::Fresh(_) => None,
            Verdict::Stale(reason, _) => Some(reason.clone()),
        },
        dir: settings.dir.clone(),
        command: match checked.is_prebuilt {
            true => Vec::new(),
            false => without_secrets(
                words.iter().map(|word| word.to_string_lossy()),
                &settings.environment,
            ),
        },
        environment: variables(&settings.environment, process),
        layers,
    }
}

/// The variables that a command has besides those of the process.
fn variables(environment: &Environment, process: &Environment) -> Vec<(String, String)> {
    let shown = |(name, value): (&OsStr, &OsStr)| {
        let name = name.to_string_lossy().into_owned();
        let value = match is_secret(&name) {
            true => MASK.to_owned(),
            false => redact(&value.to_string_lossy()),
        };
        (name, value)
    };
    let mut variables: Vec<_> = environment.beyond(process).map(shown).collect();
    variables.sort();
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        let process = Environment::from_iter([("PATH", "/bin"), ("HOME", "/root")]);
        let all = [
            ("PATH", "/bin"),
            ("HOME", "/other"),
            ("GITHUB_TOKEN", "t"),
            ("GOPROXY", "https://u:p@proxy"),
        ];
        let told = variables(&Environment::from_iter(all), &process);
        let told: Vec<_> = told.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(told, ["GITHUB_TOKEN=REDACTED", "GOPROXY=https://u:…@proxy", "HOME=/other"]);
    }
}
