//! Prints what a run would do (`--dry-run`).

use engine::{
    Engine, Environment, Forecast, Options, Plan, ProgramForecast, Resolution, TargetForecast,
};
use report::plan::{Layer, Other, Program, Target};
use report::run::Base;

use super::session;
use crate::cli::{FileArgs, ImageArgs, Output, PublishArgs, VERSION};
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::shell::word;
use crate::shown::shown;
use crate::streams;

/// Refuses flags that name files to write: nothing is written.
pub(super) fn check(
    image: &ImageArgs,
    publish: &PublishArgs,
    files: Option<&FileArgs>,
) -> Result<()> {
    let named = [
        ("--metadata-file", &image.metadata_file),
        ("--timings", &image.timings),
        ("--trace-http", &image.trace_http),
        ("--image-refs", &publish.image_refs),
    ];
    if image.dry_run && image.lock.update_lock {
        let message = "--update-lock cannot be used with --dry-run, which writes nothing";
        return Err(CommandError::new(message).of_kind(Kind::Usage));
    }
    let map = files.map(|files| ("--image-map", &files.image_map));
    match named.into_iter().chain(map).find(|(_, path)| image.dry_run && !path.is_empty()) {
        Some((flag, _)) => {
            let message = format!("{flag} cannot be used with --dry-run, which writes nothing");
            let hint = "--output=json prints the plan as JSON";
            Err(CommandError::new(message).hint(Some(hint.to_owned())).of_kind(Kind::Usage))
        }
        None => Ok(()),
    }
}

/// Prints what building import paths would do.
pub(super) fn programs(
    who: (&Process, bool),
    options: Options,
    image: &ImageArgs,
    words: &[String],
) -> Result<()> {
    let (work_dir, environment) = (options.work_dir.clone(), options.environment.clone());
    session::run(who, options, image, &[], async |engine, reports| {
        let plan = engine.plan(words).await;
        let plan = plan.map_err(|error| session::unpublished(who.0, &error, &work_dir, words))?;
        reports.results();
        print(engine, &plan, &environment, image.output).await
    })
}

/// Prints what resolving manifests would do.
pub(super) fn manifests(
    who: (&Process, bool),
    options: Options,
    image: &ImageArgs,
    resolution: Resolution,
) -> Result<()> {
    let environment = options.environment.clone();
    session::run(who, options, image, &[], async |engine, reports| {
        let plan = engine.plan_manifests(resolution).await;
        let plan = plan.map_err(|error| session::unresolved(&error, engine.work_dir()))?;
        reports.results();
        print(engine, &plan, &environment, image.output).await
    })
}

/// Prints a plan.
async fn print(
    engine: &Engine,
    plan: &Plan,
    environment: &Environment,
    output: Output,
) -> Result<()> {
    let forecast =
        engine.forecast(plan, environment).await.map_err(|error| session::publishing(&error))?;
    let text = match output {
        Output::Text => shown(&text(&forecast)),
        Output::Json | Output::Ndjson => document(&forecast).json(),
    };
    streams::print_all(text.into_bytes()).await.map_err(|error| CommandError::stdout(&error))
}

fn text(forecast: &Forecast) -> String {
    let mut text = String::new();
    for program in &forecast.programs {
        text.push_str(&format!("{}\n", program.import_path));
        for name in &program.names {
            text.push_str(&format!("  image {name}\n"));
        }
        let digest = program.base_digest.map(|digest| format!("@{digest}"));
        let digest = digest.filter(|digest| !program.base.ends_with(digest.as_str()));
        text.push_str(&format!("  base {}{}\n", program.base, digest.unwrap_or_default()));
        for target in &program.targets {
            text.push_str(&target_text("", target));
        }
        for other in &program.others {
            for target in &other.targets {
                text.push_str(&target_text(&format!("{} for ", other.import_path), target));
            }
        }
        text.push_str(&format!("  {}\n", sent(program)));
    }
    text
}

/// What is done for a platform; `of` names the program where that is not the image's own.
fn target_text(of: &str, target: &TargetForecast) -> String {
    let platform = format!("{of}{}", target.platform);
    let Some(reason) = &target.reason else { return format!("  {platform} is fresh\n") };
    if target.command.is_empty() {
        return format!("  {platform} will be packaged: {reason}\n");
    }
    let mut text = format!(
        "  {platform} will be built: {reason}\n    cd {}\n    ",
        word(&target.dir.to_string_lossy())
    );
    for (name, value) in &target.environment {
        text.push_str(&format!("{name}={} ", word(value)));
    }
    let words: Vec<_> = target.command.iter().map(|text| word(text)).collect();
    text.push_str(&words.join(" "));
    text.push('\n');
    text
}

/// What would be sent.
fn sent(program: &ProgramForecast) -> String {
    match (program.is_there, program.digest) {
        (Some(true), Some(digest)) => {
            format!("nothing will be sent: the image is there as {digest}")
        }
        (_, Some(digest)) => {
            format!("what the destination lacks of {digest} will be sent")
        }
        _ => "what the destination lacks will be sent once it is built".to_owned(),
    }
}

fn document(forecast: &Forecast) -> report::plan::Plan {
    let target = |target: &TargetForecast| Target {
        platform: target.platform.to_string(),
        fresh: target.reason.is_none(),
        reason: target.reason.as_ref().map(ToString::to_string),
        dir: target.dir.to_string_lossy().into_owned(),
        command: target.command.clone(),
        environment: target.environment.iter().cloned().collect(),
        layers: target
            .layers
            .iter()
            .map(|layer| Layer { digest: layer.digest.to_string(), size: layer.size })
            .collect(),
    };
    let program = |program: &ProgramForecast| Program {
        import_path: program.import_path.clone(),
        build: program.build.clone(),
        tags: program.names.clone(),
        base: Base {
            name: program.base.clone(),
            digest: program.base_digest.map(|digest| digest.to_string()),
        },
        digest: program.digest.map(|digest| digest.to_string()),
        is_there: program.is_there,
        platforms: program.targets.iter().map(target).collect(),
        others: program
            .others
            .iter()
            .map(|other| Other {
                import_path: other.import_path.clone(),
                platforms: other.targets.iter().map(target).collect(),
            })
            .collect(),
    };
    report::plan::Plan {
        version: report::plan::Plan::VERSION,
        ko: VERSION.to_owned(),
        programs: forecast.programs.iter().map(program).collect(),
    }
}
