//! Runs `ko resolve`: prints manifests with images in the place of references.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;

use engine::{Input, ManifestUrl, Replaced, Resolution, Resolved};

use super::{dry_run, session};
use crate::cli::{FileArgs, PublishArgs, ResolveArgs, elements};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{settings, streams, ui};

pub(crate) fn resolve(process: &Process, verbose: bool, arguments: &ResolveArgs) -> Result<()> {
    session::text_only(&arguments.image)?;
    dry_run::check(&arguments.image, &arguments.publish, Some(&arguments.files))?;
    let options = settings::options(process, verbose, &arguments.publish, &arguments.image)?;
    let resolution = resolution(&options.work_dir, &arguments.files)?;
    if arguments.image.dry_run {
        return dry_run::manifests((process, verbose), options, &arguments.image, resolution);
    }
    let outputs =
        if arguments.check { &[] } else { &outputs(&arguments.files, &arguments.publish)[..] };
    session::run((process, verbose), options, &arguments.image, outputs, async |engine, reports| {
        let resolved = if arguments.check {
            engine.check(resolution).await
        } else {
            let print = async |chunk| {
                reports.results();
                streams::print_all(chunk).await
            };
            engine.resolve(resolution, print).await
        };
        let resolved = resolved.map_err(|error| session::unresolved(&error))?;
        if arguments.check {
            return Ok(());
        }
        reports.published(&resolved.published, engine.counters());
        write(&arguments.files, &arguments.publish, &resolved).await
    })
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
            let found = found.map_err(|error| session::unresolved(&error))?;
            if found.is_empty() {
                ui::log(&format!("no .yaml or .json files in {name}"));
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
