//! Prints what the user sees. stdout is for results alone; everything else is on
//! stderr, and passes [`shown`].

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use console::Style;
use engine::keychain::Answered;
use jiff::{Timestamp, tz::TimeZone};

use crate::environment::time_zone;
use crate::error::{CommandError, Result};
use crate::failures;
use crate::progress;
use crate::shown::shown;
use crate::streams;

/// Writes a result.
pub(crate) fn print(text: &str) -> Result<()> {
    streams::print(text.as_bytes()).map_err(|error| CommandError::stdout(&error))
}

/// Writes something that is no result.
pub(crate) fn print_stderr(text: &str) {
    let text = shown(text);
    if let Some(text) = progress::print_above(text) {
        streams::print_stderr(text);
    }
}

/// Whether what is said is lines of JSON (`--progress=json`).
static JSON: AtomicBool = AtomicBool::new(false);

/// From now on, what is said is lines of JSON.
pub(crate) fn speak_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// A line of JSON.
fn say_json(level: &str, message: &str, hint: Option<&str>) {
    let mut line = serde_json::json!({
        "time": Timestamp::now().to_string(),
        "level": level,
        "message": shown(message),
    });
    if let Some(hint) = hint {
        line["hint"] = shown(hint).into();
    }
    streams::print_stderr(format!("{line}\n"));
}

/// Writes the last words of a run that failed; `marks` says how its surroundings
/// want errors marked.
pub(crate) fn fail(error: &CommandError, marks: &Marks) {
    let told = failures::take();
    if JSON.load(Ordering::Relaxed) {
        return say_json("error", error.message(), error.hint_text());
    }
    let paint = |text: &str, style: Style| {
        if marks.color {
            style.force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    };
    let mut text = shown(&format!("{}\n", failures::brief(error.message(), &told)));
    text.insert_str(0, &paint("Error: ", Style::new().red().bold()));
    if let Some(hint) = error.hint_text() {
        for line in hint.lines() {
            text.push_str(&paint("hint: ", Style::new().cyan()));
            text.push_str(&shown(&format!("{line}\n")));
        }
    }
    if let Some(dir) = &marks.annotations {
        let all = failures::all(error.message(), &told);
        text.push_str(&failures::annotations(&shown(&all), dir));
    }
    if let Some(text) = progress::print_above(text) {
        streams::print_stderr(text);
    }
}

/// How an error is marked.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Colours.
    pub(crate) color: bool,
    /// Lines that GitHub Actions shows beside the code, and where the run takes place in the
    /// repository.
    pub(crate) annotations: Option<PathBuf>,
}

/// Writes a line of progress, with the local time in front, as ko does.
pub(crate) fn log(text: &str) {
    if JSON.load(Ordering::Relaxed) {
        return say_json("info", text, None);
    }
    static ZONE: LazyLock<TimeZone> = LazyLock::new(time_zone);
    let now = Timestamp::now().to_zoned_datetime(ZONE.clone());
    print_stderr(&format!("{} {text}\n", now.strftime("%Y/%m/%d %H:%M:%S")));
}

/// Writes a line of progress that was not written before: with `--watch`, what is read
/// in each round is said once.
pub(crate) fn log_once(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
        log(text);
    }
}

/// Writes a line that has its own time.
pub(crate) fn trace(text: &str) {
    if JSON.load(Ordering::Relaxed) {
        return say_json("debug", text.trim_end(), None);
    }
    print_stderr(text);
}

/// Shows which source of a cloud has answered.
pub(crate) fn credentials(answered: &Answered) {
    let Answered { registry, cloud, source } = answered;
    log(&match source {
        Ok(source) => format!("Credentials for {registry} come from {source}"),
        Err(problem) => format!("No credentials for {registry} from {cloud}: {problem}"),
    });
}

/// Writes a warning that is not to be overlooked, once, framed as ko frames it.
pub(crate) fn warn(lines: &[&str]) {
    let rule = "-".repeat(65);
    log_once(&format!("WARNING!\n{rule}\n{}\n{rule}", lines.join("\n\n")));
}
