//! Runs `ko resolve`: prints manifests with images in the place of references.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;

use engine::{Engine, Input, ManifestUrl, Options, Places, Plan, Replaced, Resolution, Resolved};

use super::watch::{self, Made, Rounds};
use super::{dry_run, session};
use crate::cli::{FileArgs, PublishArgs, ResolveArgs, WatchArgs, Watched, elements};
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::{settings, streams, ui};

pub(crate) fn resolve(
    process: &Process,
    verbose: bool,
    arguments: &Watched<ResolveArgs>,
) -> Result<()> {
    let Watched { arguments, watch: WatchArgs { watch } } = arguments;
    session::text_only(&arguments.image, "resolve")?;
    dry_run::check(&arguments.image, &arguments.publish, Some(&arguments.files))?;
    let work = Resolve { process, verbose, arguments };
    if *watch {
        check_watch(arguments)?;
        return watch::run(process, verbose, &arguments.image, &work);
    }
    let options = work.options()?;
    let resolution = resolution(&options.work_dir, &arguments.files)?;
    if arguments.image.dry_run {
        return dry_run::manifests((process, verbose), options, &arguments.image, resolution);
    }
    let outputs = if arguments.check { Vec::new() } else { work.outputs() };
    let who = (process, verbose);
    session::run(who, options, &arguments.image, &outputs, async |engine, reports| {
        if arguments.check {
            let checked = engine.check(resolution).await;
            return checked
                .map(drop)
                .map_err(|error| session::unresolved(&error, engine.work_dir()));
        }
        if !arguments.output_file.is_empty() {
            let made = make(engine, resolution).await?;
            reports.published(&made.resolved.published, engine.counters());
            return work.hand_on(&made).await;
        }
        let print = async |chunk| {
            reports.results();
            streams::print_all(chunk).await
        };
        let resolved = engine.resolve(resolution, print).await;
        let resolved = resolved.map_err(|error| session::unresolved(&error, engine.work_dir()))?;
        reports.published(&resolved.published, engine.counters());
        write(&arguments.files, &arguments.publish, &resolved).await
    })
}

/// What cannot go on.
fn check_watch(arguments: &ResolveArgs) -> Result<()> {
    watch::check_inputs(&arguments.files)?;
    if arguments.check {
        let message = "--check and --watch cannot both be used";
        return Err(CommandError::new(message).of_kind(Kind::Usage));
    }
    if arguments.output_file.is_empty() {
        let hint = "--output-file=FILE has the manifests of the last round";
        let error = CommandError::new("--watch needs --output-file");
        return Err(error.hint(Some(hint.to_owned())).of_kind(Kind::Usage));
    }
    Ok(())
}

struct Resolve<'a> {
    process: &'a Process,
    verbose: bool,
    arguments: &'a ResolveArgs,
}

impl Rounds for Resolve<'_> {
    const HEARS: bool = false;

    fn options(&self) -> Result<Options> {
        let ResolveArgs { publish, image, .. } = self.arguments;
        settings::options(self.process, self.verbose, publish, image)
    }

    fn places(&self, work_dir: &Path, places: &mut Places) {
        watch::add_inputs(&self.arguments.files, work_dir, places);
    }

    fn outputs(&self) -> Vec<&OsStr> {
        let mut all = outputs(&self.arguments.files, &self.arguments.publish).to_vec();
        all.push(&self.arguments.output_file);
        all
    }

    async fn plan(&self, engine: &Engine) -> Result<Plan> {
        let resolution = resolution(engine.work_dir(), &self.arguments.files)?;
        let plan = engine.plan_manifests(resolution).await;
        plan.map_err(|error| session::unresolved(&error, engine.work_dir()))
    }

    async fn make(&self, engine: &Engine) -> Result<Made> {
        make(engine, resolution(engine.work_dir(), &self.arguments.files)?).await
    }

    async fn hand_on(&self, made: &Made) -> Result<()> {
        let file = Path::new(&self.arguments.output_file);
        let written = session::write_file(file, made.output.clone()).await;
        write(&self.arguments.files, &self.arguments.publish, &made.resolved).await?;
        written
    }
}

/// Resolves manifests, and keeps the output.
pub(super) async fn make(engine: &Engine, resolution: Resolution) -> Result<Made> {
    let mut output = Vec::new();
    let resolving = engine.resolve(resolution, async |chunk| {
        output.extend(chunk);
        Ok(())
    });
    let resolved =
        resolving.await.map_err(|error| session::unresolved(&error, engine.work_dir()))?;
    Ok(Made { output, resolved })
}

/// The files that `write` writes.
pub(super) fn outputs<'a>(files: &'a FileArgs, publish: &'a PublishArgs) -> [&'a OsStr; 2] {
    [&files.image_map, &publish.image_refs]
}

/// Writes the files that list what was resolved; each is written even if the
/// other fails.
pub(super) async fn write(
    files: &FileArgs,
    publish: &PublishArgs,
    resolved: &Resolved,
) -> Result<()> {
    let map = write_map(files, resolved).await;
    let refs = session::write_refs(publish, &resolved.published).await;
    map.and(refs)
}

/// The files that the flags name.
pub(super) fn resolution(work_dir: &Path, arguments: &FileArgs) -> Result<Resolution> {
    let mut inputs = Vec::new();
    for name in elements(&arguments.filename) {
        if name == "-" {
            inputs.push(stdin()?);
        } else if name.starts_with("http://") || name.starts_with("https://") {
            inputs.push(Input::Url(ManifestUrl::new(name)));
        } else {
            let found = engine::enumerate(work_dir, Path::new(&name), arguments.recursive);
            let found = found.map_err(|error| session::unresolved(&error, work_dir))?;
            if found.is_empty() {
                ui::log_once(&format!("no .yaml or .json files in {name}"));
            }
            inputs.extend(found);
        }
    }
    Ok(Resolution {
        inputs,
        selector: Some(arguments.selector.clone()).filter(|selector| !selector.is_empty()),
        embedded: arguments.embedded,
    })
}

fn stdin() -> Result<Input> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| CommandError::of(&error).context("reading stdin"))?;
    Ok(Input::Read("-".to_owned(), bytes))
}

/// Writes `--image-map`.
async fn write_map(arguments: &FileArgs, resolved: &Resolved) -> Result<()> {
    let entry = |replaced: &Replaced| {
        serde_json::json!({
            "file": replaced.file,
            "line": replaced.line,
            "column": replaced.column,
            "reference": replaced.reference,
            "image": replaced.image,
            "embedded": replaced.embedded,
        })
    };
    let map: Vec<_> = resolved.replaced.iter().map(entry).collect();
    let text = format!("{:#}\n", serde_json::Value::from(map));
    session::write_file(Path::new(&arguments.image_map), text.into_bytes()).await
}
