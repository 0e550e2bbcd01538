//! Decides how progress is shown, and shows it.

mod board;
mod live;
mod plain;
mod row;

use std::io::IsTerminal as _;
use std::path::Path;

use engine::{Counters, Engine, Observer, Published};

pub(crate) use self::live::{hold, print_above};
pub(crate) use self::plain::fetched_text;
use self::plain::observer;
use crate::environment::Process;
use crate::streams;
use crate::ui::{self, Marks};

/// How progress is shown on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// `Live` where a person watches, else `Plain`.
    Auto,
    /// A view of what goes on.
    Live,
    /// Lines, as ko's.
    Plain,
    /// Lines of JSON.
    Json,
    /// Nothing but warnings and errors.
    Quiet,
}

/// What the user sees of a run's progress.
#[derive(Debug)]
pub(crate) struct Display {
    live: Option<live::Live>,
    groups: bool,
    kind: Progress,
    verbose: bool,
    explain: bool,
}

impl Display {
    /// As the flag says, and where that leaves it open, the surroundings. With
    /// `verbose` and `explain` more is told.
    pub(crate) fn new(wanted: Progress, process: &Process, verbose: bool, explain: bool) -> Self {
        let kind = match wanted {
            Progress::Auto if is_watched(process) => Progress::Live,
            Progress::Auto => Progress::Plain,
            named => named,
        };
        let groups = kind == Progress::Plain && is_set(process, "GITHUB_ACTIONS");
        let color = colors(process, std::io::stderr().is_terminal());
        let live = (kind == Progress::Live).then(|| live::Live::begin(color));
        if kind == Progress::Json {
            ui::speak_json();
        }
        Self { live, groups, kind, verbose, explain }
    }

    /// One that shows nothing.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let (live, kind) = (None, Progress::Quiet);
        Self { live, groups: false, kind, verbose: false, explain: false }
    }

    /// Shows what happens.
    pub(crate) fn observer(&self) -> Observer {
        let Self { kind, verbose, explain, .. } = *self;
        match (&self.live, kind) {
            (Some(live), _) => live.observe(observer(verbose, explain, false)),
            (None, Progress::Quiet) => observer(verbose, explain, false),
            (None, _) => observer(verbose, explain, true),
        }
    }

    /// The run begins.
    pub(crate) fn begin(&self, engine: &Engine) {
        if self.groups {
            ui::print_stderr("::group::ko\n");
        }
        if let Some(live) = &self.live {
            live.run(Box::new(engine.counter()), Box::new(engine.moved_to()));
        }
    }

    /// Results come next: nothing moves any more.
    pub(crate) fn pause(&self) {
        if let Some(live) = &self.live {
            live.end();
        }
    }

    /// Images are there.
    pub(crate) fn published(&self, published: &[Published], counted: Counters) {
        if let Some(live) = &self.live {
            live.end();
            // Its colours are ours.
            streams::print_stderr(live.summary(published, counted));
        }
    }

    /// The run has failed: what it came to.
    pub(crate) fn failed(&self, counted: Counters) {
        if let Some(live) = &self.live {
            live.end();
            streams::print_stderr(live.rest(counted));
        }
    }

    /// The run has ended.
    pub(crate) fn end(&self) {
        self.pause();
        if self.groups {
            ui::print_stderr("::endgroup::\n");
        }
    }
}

/// Shows of a run only what is out of the ordinary; with `verbose`, all.
pub(crate) fn quiet(verbose: bool, explain: bool) -> Observer {
    observer(verbose, explain, false)
}

/// Does a person look at standard error?
fn is_watched(process: &Process) -> bool {
    std::io::stderr().is_terminal()
        && !is_set(process, "CI")
        && process.text("TERM").is_some_and(|term| term != "dumb")
}

/// How errors are marked here.
pub(crate) fn marks(process: &Process) -> Marks {
    let annotations = is_set(process, "GITHUB_ACTIONS").then(|| {
        let (dir, root) = (process.work_dir(), process.path("GITHUB_WORKSPACE"));
        let below = dir.zip(root).and_then(|(dir, root)| dir.strip_prefix(root).ok());
        below.map(Path::to_owned).unwrap_or_default()
    });
    let color = colors(process, std::io::stderr().is_terminal());
    Marks { color, annotations }
}

/// Whether standard error or standard output, which may be a terminal, has colours.
pub(crate) fn colors(process: &Process, is_terminal: bool) -> bool {
    if is_set(process, "NO_COLOR") {
        return false;
    }
    if process.text("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    is_terminal && process.text("TERM").is_some_and(|term| term != "dumb")
}

fn is_set(process: &Process, name: &str) -> bool {
    process.text(name).is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}
