//! Writes a line for what happens (`KO_LOG`): to standard error, or to a file
//! (`--log-file`). Lines about an image say which, and for which platform.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use engine::{Answer, Counters, Edge, Event, Exchange, Observer, Platform, Work};
use fsutil::Access;
use tracing::{Dispatch, Span, debug, dispatcher, error, error_span, info, trace, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::stages::Stages;
use crate::error::{CommandError, Result};
use crate::shown::shown;
use crate::ui;

/// The variable that says what is told.
pub(super) const LEVELS: &str = "KO_LOG";

/// What lines can be about; each may have a level of its own.
const AREAS: [&str; 4] = ["run", "image", "stage", "http"];

/// How long the last lines may take to get into a pipe that nobody reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log of a run.
#[derive(Debug)]
pub(super) struct Log {
    dispatch: Dispatch,
    book: Arc<Mutex<Book>>,
    begun: Instant,
    file: Option<LogFile>,
}

/// A file that a thread writes: a reader of a pipe may be slow.
#[derive(Debug)]
struct LogFile {
    lines: FileLines,
    /// When the last is written.
    written: Receiver<()>,
}

/// The way to that thread, until the log has ended.
type FileLines = Arc<Mutex<Option<Sender<String>>>>;

/// What lines refer to.
#[derive(Debug, Default)]
struct Book {
    stages: Stages,
    images: HashMap<(String, Option<Platform>), Span>,
}

impl Log {
    /// A log of what the levels say, if something is wanted: to the file if one is named,
    /// which then has all but headers.
    pub(super) fn begin(levels: Option<&str>, path: &Path) -> Result<Option<Self>> {
        let to_file = !path.as_os_str().is_empty();
        let levels = match levels {
            Some(levels) => self::levels(levels)?,
            None if to_file => self::levels("debug")?,
            None => return Ok(None),
        };
        let file = if to_file { Some(LogFile::begin(path)?) } else { None };
        let lines = Lines(file.as_ref().map(|file| Arc::clone(&file.lines)));
        let format = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines);
        let subscriber = tracing_subscriber::registry().with(levels).with(format);
        let log = Self {
            dispatch: Dispatch::new(subscriber),
            book: Arc::default(),
            begun: Instant::now(),
            file,
        };
        dispatcher::with_default(&log.dispatch, || info!(target: "ko::run", "begins"));
        Ok(Some(log))
    }

    /// An observer that writes what another shows.
    pub(super) fn observe(&self, observer: Observer) -> Observer {
        let (dispatch, book) = (self.dispatch.clone(), Arc::clone(&self.book));
        observer.after(move |event| {
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            dispatcher::with_default(&dispatch, || book.tell(event));
        })
    }

    pub(super) fn finish(self, counters: Counters, failure: Option<&CommandError>) {
        let Counters { processes, requests, bytes_sent, bytes_received, .. } = counters;
        dispatcher::with_default(&self.dispatch, || {
            if let Some(failure) = failure {
                error!(target: "ko::run", "{}", failure.message());
            }
            info!(
                target: "ko::run",
                took = ?self.begun.elapsed(),
                processes,
                requests,
                bytes_sent,
                bytes_received,
                "ends"
            );
        });
        if let Some(LogFile { lines, written }) = self.file {
            drop(lines.lock().unwrap_or_else(PoisonError::into_inner).take());
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

impl Book {
    fn tell(&mut self, event: &Event) {
        match event {
            Event::Stage { work, edge } => self.stage(work, *edge),
            Event::Exchange(exchange) => request(exchange),
            Event::Fresh { import_path, platform } => {
                info!(target: "ko::image", parent: self.image(import_path, Some(platform)), "fresh");
            }
            Event::Stale { import_path, platform, reason } => {
                let image = self.image(import_path, Some(platform));
                info!(target: "ko::image", parent: image, %reason, "stale");
            }
            Event::SharedCache { import_path, platform, cache, reason } => {
                let image = self.image(import_path, Some(platform));
                info!(target: "ko::image", parent: image, cache, reason, "shared cache");
            }
            Event::GoCache { cache, objects, bytes } => {
                info!(target: "ko::cache", cache, objects, bytes, "Go's cache");
            }
            Event::NotShared { import_path, platform, reason } => {
                let image = self.image(import_path, Some(platform));
                info!(target: "ko::image", parent: image, reason, "not shared");
            }
            Event::NotRecorded { import_path, platform, reason } => {
                let image = self.image(import_path, Some(platform));
                warn!(target: "ko::image", parent: image, reason, "not recorded");
            }
            Event::Failed { import_path, platform, reason, .. } => {
                let image = self.image(import_path, Some(platform));
                error!(target: "ko::image", parent: image, reason, "failed");
            }
            Event::UsingBase { base, digest, import_path } => {
                let digest = digest.map(tracing::field::display);
                info!(target: "ko::image", parent: self.image(import_path, None), base, digest, "base");
            }
            Event::Layer { digest, reused } => {
                debug!(target: "ko::image", %digest, reused, "layer");
            }
            Event::Published { reference } => info!(target: "ko::image", reference, "published"),
            Event::Loaded { reference, sent, skipped_layers } => {
                info!(target: "ko::image", reference, sent, skipped_layers, "loaded");
            }
            Event::Notice { text, .. } => warn!(target: "ko::run", "{text}"),
            _ => {}
        }
    }

    fn stage(&mut self, work: &Work, edge: Edge) {
        let now = Instant::now();
        let begun = self.stages.note(work, edge, now);
        let none = Span::none();
        let image = match &work.import_path {
            Some(import_path) => self.image(import_path, work.platform.as_ref()),
            None => &none,
        };
        let stage = work.stage.name();
        match begun {
            Some(begun) => {
                debug!(target: "ko::stage", parent: image, took = ?(now - begun), "{stage}");
            }
            None => trace!(target: "ko::stage", parent: image, "{stage} begins"),
        }
    }

    /// What says which image a line is about.
    fn image(&mut self, import_path: &str, platform: Option<&Platform>) -> &Span {
        let key = (import_path.to_owned(), platform.cloned());
        self.images.entry(key).or_insert_with(|| {
            let platform = platform.map(tracing::field::display);
            error_span!(target: "ko::image", parent: None, "image", import_path, platform)
        })
    }
}

fn request(exchange: &Exchange) {
    let Exchange { method, url, headers, sent, took, waited, answer, .. } = exchange;
    match answer {
        Ok(Answer { status, received, .. }) => {
            debug!(target: "ko::http", status, ?waited, ?took, sent, received, "{method} {url}");
        }
        Err(reason) => debug!(target: "ko::http", reason, ?took, sent, "{method} {url}"),
    }
    trace!(target: "ko::http", ?headers, answer = ?answer.as_ref().map(|answer| &answer.headers));
}

/// `debug`, or `info,http=debug`: a level for all, and levels for areas.
fn levels(text: &str) -> Result<Targets> {
    let mut targets = Targets::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (area, level) = match part.split_once('=') {
            Some((area, level)) => (Some(area), level),
            None => (None, part),
        };
        let level: Option<LevelFilter> =
            if level.parse::<usize>().is_ok() { None } else { level.parse().ok() };
        let known = area.is_none_or(|area| AREAS.contains(&area));
        let Some(level) = level.filter(|_| known) else {
            let message = format!("{LEVELS} is {text:?}: {part:?} is no level");
            let hint = format!(
                "levels are error, warn, info, debug, trace and off; {} may have one of their own, as in info,http=debug",
                AREAS.join(", ")
            );
            return Err(CommandError::new(message).hint(Some(hint)));
        };
        let target = area.map_or("ko".to_owned(), |area| format!("ko::{area}"));
        targets = targets.with_target(target, level);
    }
    Ok(targets)
}

/// Where lines go: to a file, or to standard error.
#[derive(Debug, Clone)]
struct Lines(Option<FileLines>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for Lines {
    /// It is handed whole lines.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        match &self.0 {
            Some(lines) => {
                let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(lines) = &*lines {
                    let _ = lines.send(shown(&text));
                }
            }
            None => ui::trace(&text),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogFile {
    fn begin(path: &Path) -> Result<Self> {
        let failed = |error: io::Error| {
            CommandError::unwritable(path, &error)
                .context(&format!("--log-file: writing {}", path.display()))
        };
        fsutil::check(path).map_err(failed)?;
        // It is there from the beginning, for those who follow it.
        let file = match fsutil::waits_for_reader(path) {
            true => None,
            false => Some(File::create(path).map_err(failed)?),
        };
        let (path, (lines, waiting)) = (path.to_owned(), mpsc::channel::<String>());
        let (done, written) = mpsc::channel();
        thread::spawn(move || {
            let mut file: Box<dyn io::Write> = match file {
                Some(file) => Box::new(file),
                None => Box::new(fsutil::Output::create(&path, Access::Public)?),
            };
            for line in waiting {
                file.write_all(line.as_bytes())?;
            }
            let _ = done.send(());
            Ok::<(), io::Error>(())
        });
        Ok(Self { lines: Arc::new(Mutex::new(Some(lines))), written })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_for_all_or_for_an_area() {
        for (text, want) in [
            ("debug", Some("ko=debug")),
            ("INFO,http=debug", Some("ko::http=debug,ko=info")),
            ("off", Some("ko=off")),
            ("", Some("")),
            ("loud", None),
            ("h2=trace", None),
            ("http", None),
            ("3", None),
        ] {
            let levels = levels(text).ok().map(|targets| targets.to_string());
            assert_eq!(levels.as_deref(), want, "{text}");
        }
    }
}
