//! Runs `ko run`: builds programs, and runs each in a pod of its own.

use std::ffi::OsString;
use std::process::Command;

use super::{dry_run, kubectl, session};
use crate::cli::BuildArgs;
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::{settings, ui};

/// How kubectl runs it: attached, and gone afterwards.
const FLAGS: [&str; 4] = ["--attach", "--rm", "--restart=Never", "--log-flush-frequency=1s"];

pub(crate) fn run(process: &Process, verbose: bool, arguments: &BuildArgs) -> Result<()> {
    if arguments.positional.is_empty() {
        return Err(CommandError::new("ko run: no importpaths listed")
            .hint(Some("name a program, as in `ko run ./cmd/app`".to_owned()))
            .of_kind(Kind::Usage));
    }
    session::text_only(&arguments.image, "run")?;
    dry_run::check(&arguments.image, &arguments.publish, None)?;
    let options = settings::options(process, verbose, &arguments.publish, &arguments.image)?;
    let work_dir = options.work_dir.clone();
    let typed = process.arguments();
    if let Some(first) = typed.get(2).filter(|word| word.to_string_lossy().starts_with('-')) {
        let first = first.to_string_lossy();
        let message = format!("expected first arg to be positional, got {first:?}");
        return Err(CommandError::new(message)
            .hint(Some("the program comes first, as in `ko run ./cmd/app --bare`".to_owned()))
            .of_kind(Kind::Usage));
    }
    let program = kubectl::find(process, "run")?;
    if arguments.image.dry_run {
        let words = &arguments.positional;
        return dry_run::programs((process, verbose), options, &arguments.image, words);
    }
    let outputs = [&*arguments.publish.image_refs];
    let published = session::run(
        (process, verbose),
        options,
        &arguments.image,
        &outputs,
        async |engine, reports| {
            let published = engine.build(&arguments.positional).await;
            let published = published.map_err(|error| {
                session::unpublished(process, &error, &work_dir, &arguments.positional)
            })?;
            reports.published(&published, engine.counters());
            session::write_refs(&arguments.publish, &published).await?;
            Ok(published)
        },
    )?;

    let dashes = typed.iter().position(|word| word == "--");
    let rest: &[OsString] = dashes.map_or(&[], |at| &typed[at + 1..]);
    for published in published {
        ui::log(&format!("Running \"ko://{}\"", published.import_path));
        let pod = pod(&published.reference);
        let mut words: Vec<OsString> =
            ["run", pod, "--image", &published.reference].map(OsString::from).to_vec();
        words.extend(FLAGS.map(OsString::from));
        words.extend(rest.iter().cloned());
        let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        ui::log(&format!("$ kubectl {}", shown.join(" ")));
        let mut command = Command::new(&program);
        command.args(&words);
        kubectl::run(command)?;
    }
    Ok(())
}

/// The last element of the image's repository.
fn pod(reference: &str) -> &str {
    let repository = reference.split('@').next().unwrap_or_default();
    let last = repository.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::pod;

    #[test]
    fn pods_are_named_after_repositories() {
        for (reference, want) in [
            ("localhost:5000/a/app-0f@sha256:12", "app-0f"),
            ("r.io/app:v1@sha256:12", "app"),
            ("ko.local:0f", "ko.local"),
        ] {
            assert_eq!(pod(reference), want);
        }
    }
}
