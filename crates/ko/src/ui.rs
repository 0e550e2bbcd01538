//! Prints what the user sees. stdout is for results alone; everything else is on
//! stderr, and passes [`shown`].

use std::sync::LazyLock;

use engine::keychain::Answered;
use engine::{Answer, Digest, Event, Exchange, Observer, Part};
use jiff::{Timestamp, tz::TimeZone};

use crate::environment::time_zone;
use crate::error::{CommandError, Result};
use crate::shown::shown;
use crate::streams;

/// Writes a result.
pub(crate) fn print(text: &str) -> Result<()> {
    streams::print(text.as_bytes()).map_err(|error| CommandError::stdout(&error))
}

/// Writes something that is no result.
pub(crate) fn print_stderr(text: &str) {
    streams::print_stderr(shown(text));
}

/// Writes the last words of a run that failed.
pub(crate) fn fail(error: &CommandError) {
    let mut text = format!("Error: {}\n", error.message());
    if let Some(hint) = error.hint_text() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    print_stderr(&text);
}

/// Writes a line of progress, with the local time in front, as ko does.
pub(crate) fn log(text: &str) {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(time_zone);
    let now = Timestamp::now().to_zoned_datetime(ZONE.clone());
    print_stderr(&format!("{} {text}\n", now.strftime("%Y/%m/%d %H:%M:%S")));
}

/// Shows which source of a cloud has answered.
pub(crate) fn credentials(answered: &Answered) {
    let Answered { registry, cloud, source } = answered;
    log(&match source {
        Ok(source) => format!("Credentials for {registry} come from {source}"),
        Err(problem) => format!("No credentials for {registry} from {cloud}: {problem}"),
    });
}

/// Writes a warning that is not to be overlooked, framed as ko frames it.
pub(crate) fn warn(lines: &[&str]) {
    let rule = "-".repeat(65);
    log(&format!("WARNING!\n{rule}\n{}\n{rule}", lines.join("\n\n")));
}

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
            format!("{} and another one have changed", path.display())
        }
        Part::Kodata { path, others } => {
            format!("{} and {others} others have changed", path.display())
        }
    }
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
/// registry, and what was sent to an engine.
pub(crate) fn observer(verbose: bool, explain: bool) -> Observer {
    let explain = explain || verbose;
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
            Event::NotRecorded { import_path, platform, reason } if explain => {
                format!("{import_path} for {platform} will be built again: {reason}")
            }
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
            Event::Failed { import_path, platform, reason } => {
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
