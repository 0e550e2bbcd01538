//! Words events as ko's lines.

use engine::{Answer, Digest, Event, Exchange, Observer, Part};

use crate::cli::readable;
use crate::failures;
use crate::ui::log;

/// A request and what came of it.
fn request(exchange: &Exchange) -> String {
    let Exchange { method, url, sent, took, answer, .. } = exchange;
    let took = took.as_millis();
    let sent = if *sent == 0 { String::new() } else { format!(", {sent} bytes sent") };
    match answer {
        Ok(Answer { status, received, .. }) => {
            let received =
                if *received == 0 { String::new() } else { format!(", {received} bytes read") };
            format!("{method} {url}: {status} ({took} ms{sent}{received})")
        }
        Err(reason) => format!("{method} {url}: no answer: {reason} ({took} ms{sent})"),
    }
}

/// What became of a part of an image.
fn part_text(part: &Part) -> String {
    let digest =
        |digest: &Option<_>| digest.map_or("none".to_owned(), |digest: Digest| digest.to_string());
    match part {
        Part::Base { was, is } => {
            format!("the base was {} and is {}", digest(was), digest(is))
        }
        Part::Kodata { path, others: 0 } => format!("{} has changed", path.display()),
        Part::Kodata { path, others: 1 } => {
            format!("{} and 1 other have changed", path.display())
        }
        Part::Kodata { path, others } => {
            format!("{} and {others} others have changed", path.display())
        }
    }
}

/// What Go's cache was given by a shared cache.
pub(crate) fn fetched_text(cache: &str, objects: usize, bytes: u64) -> String {
    let packages = if objects == 1 { "package" } else { "packages" };
    format!("Go's cache has {objects} more {packages}, from {cache} ({})", readable(bytes))
}

/// Who has answered for the registry of a base, and who has not.
fn mirror_text(repository: &str, by: Option<&str>, failed: &[(String, String)]) -> String {
    let answer = match by {
        Some(by) if by == repository => format!("Base {repository} comes from its own registry"),
        Some(by) => format!("Base {repository} comes from {by}"),
        None => format!("Nobody has answered for base {repository}"),
    };
    let failed = failed.iter().map(|(mirror, reason)| format!("; {mirror} failed: {reason}"));
    failed.fold(answer, |text, failed| text + &failed)
}

/// Shows what happens as ko's lines; with `explain`, also why programs are
/// built, and with `verbose`, that, what `--embedded` found, each request to a
/// registry, and what was sent to an engine. Without `steps`, only what the user
/// should know.
pub(super) fn observer(verbose: bool, explain: bool, steps: bool) -> Observer {
    let (explain, steps) = (explain || verbose, steps || verbose);
    Observer::new(move |event| {
        let line = match event {
            Event::EmbeddedReference { reference, file, line, column } if verbose => {
                format!("Found {reference} inside a string: {file}:{line}:{column}")
            }
            Event::Fresh { import_path, platform } if explain => {
                format!("{import_path} for {platform} is fresh")
            }
            Event::Stale { import_path, platform, reason } if explain => {
                format!("{import_path} for {platform} is built: {reason}")
            }
            Event::ImageRebuilt { import_path, platform, part } if explain => {
                format!("{import_path} for {platform} is another image: {}", part_text(&part))
            }
            Event::SharedCache { import_path, platform, cache, reason: None } if explain => {
                format!("{import_path} for {platform} is in the shared cache {cache}")
            }
            Event::SharedCache { import_path, platform, cache, reason: Some(reason) }
                if explain =>
            {
                format!("{import_path} for {platform} is not in the shared cache {cache}: {reason}")
            }
            Event::GoCache { cache, objects, bytes } if explain => {
                fetched_text(&cache, objects, bytes)
            }
            Event::NotShared { import_path, platform, reason } if explain => {
                format!("{import_path} for {platform} is not shared: {reason}")
            }
            Event::NotRecorded { import_path, platform, reason } if explain => {
                format!("{import_path} for {platform} will be built again: {reason}")
            }
            event if !steps && is_step(&event) => return,
            Event::UsingBase { base, digest: Some(digest), import_path } => {
                format!("Using base {base}@{digest} for {import_path}")
            }
            Event::UsingBase { base, digest: None, import_path } => {
                format!("Using base {base} for {import_path}")
            }
            Event::BaseMirror { repository, by, failed } => {
                mirror_text(&repository, by.as_deref(), &failed)
            }
            Event::Building { import_path, platform } => {
                format!("Building {import_path} for {platform}")
            }
            // What the error of the run says.
            Event::Failed { alone: true, .. } => return,
            Event::Failed { import_path, platform, reason, .. } => {
                failures::told(&reason);
                format!("building {import_path} for {platform} failed: {reason}")
            }
            Event::BuildingDebugger { platform } => format!("Building Delve for {platform}"),
            Event::KodataLinkSkipped { name } => {
                format!("skipping symlink in kodata for windows: {name}")
            }
            Event::Publishing { reference } => format!("Publishing {reference}"),
            Event::UsingBuild { id, import_path } => {
                format!("Using build config {id} for {import_path}")
            }
            Event::Notice { text, hint: Some(hint) } => format!("{text}\nhint: {hint}"),
            Event::Notice { text, hint: None } => text,
            Event::Tagging { reference } => format!("Tagging {reference}"),
            Event::Published { reference } => format!("Published {reference}"),
            Event::WritingSbom { path } => format!("Writing SBOM to {}", path.display()),
            Event::PublishedSbom { reference, .. } => format!("Published SBOM {reference}"),
            Event::Attested { what, reference, .. } => format!("Published {what} {reference}"),
            Event::Loading { reference } => format!("Loading {reference}"),
            Event::FullUploadFallback { reference, reason } if verbose => {
                format!("Sending all of {reference}: {reason}")
            }
            Event::Loaded { reference, sent, skipped_layers } if verbose => {
                format!(
                    "Loaded {reference}\nsent {sent} bytes, without {skipped_layers} layers that were there"
                )
            }
            Event::Exchange(exchange) if verbose => request(&exchange),
            Event::Loaded { reference, .. } => format!("Loaded {reference}"),
            Event::AddingTag { tag } => format!("Adding tag {tag}"),
            Event::AddedTag { tag } => format!("Added tag {tag}"),
            Event::Saving { what } => format!("Saving {what}"),
            Event::Saved { what } => format!("Saved {what}"),
            _ => return,
        };
        log(&line);
    })
}

/// Is it one of the steps of every run?
fn is_step(event: &Event) -> bool {
    matches!(
        event,
        Event::UsingBase { .. }
            | Event::UsingBuild { .. }
            | Event::Building { .. }
            | Event::BuildingDebugger { .. }
            | Event::Publishing { .. }
            | Event::Tagging { .. }
            | Event::Published { .. }
            | Event::WritingSbom { .. }
            | Event::PublishedSbom { .. }
            | Event::Attested { .. }
            | Event::Loading { .. }
            | Event::Loaded { .. }
            | Event::AddingTag { .. }
            | Event::AddedTag { .. }
            | Event::Saving { .. }
            | Event::Saved { .. }
    )
}
