//! Records when the stages of a run begin and end (`--timings`), and writes them
//! when the run has ended, whether well or not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{Edge, Event, Observer, Work};
use report::{Counters, Image, Span, Timings};

use crate::cli::VERSION;

/// What takes less is left out: it is somebody finding that another has done
/// the work.
const LEAST: Duration = Duration::from_micros(100);

/// The notes of a run.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    path: PathBuf,
    begun: Instant,
    started: jiff::Timestamp,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug, Default)]
struct Notes {
    /// What goes on, and since when. The same work may go on more than once.
    going: HashMap<Work, Vec<Instant>>,
    spans: Vec<Span>,
    images: Vec<Image>,
    layers_made: u64,
    layers_reused: u64,
}

impl Recorder {
    /// Begins to note, for a file that the user named; nothing if it is empty.
    pub(crate) fn begin(path: &Path) -> Option<Self> {
        (!path.as_os_str().is_empty()).then(|| Self {
            path: path.to_owned(),
            begun: Instant::now(),
            started: jiff::Timestamp::now(),
            notes: Arc::default(),
        })
    }

    /// The files that will be written.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let data = self.path.with_extension("json");
        if data == self.path { vec![data] } else { vec![self.path.clone(), data] }
    }

    /// An observer that notes what another shows.
    pub(crate) fn observe(&self, observer: Observer) -> Observer {
        let recorder = self.clone();
        observer.after(move |event| recorder.note(event))
    }

    fn note(&self, event: &Event) {
        let now = Instant::now();
        let mut notes = self.notes();
        match event {
            Event::Stage { work, edge: Edge::Begin } => {
                notes.going.entry(work.clone()).or_default().push(now);
            }
            Event::Stage { work, edge: Edge::End } => {
                let since = notes.going.get_mut(work).and_then(Vec::pop);
                notes.spans.extend(since.and_then(|since| self.span(work, since, now)));
            }
            Event::Fresh { import_path, platform } => notes.images.push(Image {
                import_path: import_path.clone(),
                platform: platform.to_string(),
                built: None,
            }),
            Event::Stale { import_path, platform, reason } => notes.images.push(Image {
                import_path: import_path.clone(),
                platform: platform.to_string(),
                built: Some(reason.to_string()),
            }),
            Event::Layer { reused: true } => notes.layers_reused += 1,
            Event::Layer { reused: false } => notes.layers_made += 1,
            _ => {}
        }
    }

    fn span(&self, work: &Work, since: Instant, until: Instant) -> Option<Span> {
        let took = until.saturating_duration_since(since);
        (took >= LEAST).then(|| Span {
            stage: work.stage.name().to_owned(),
            import_path: work.import_path.clone(),
            platform: work.platform.as_ref().map(ToString::to_string),
            start: rounded(since.saturating_duration_since(self.begun)),
            seconds: rounded(took),
        })
    }

    /// What was noted until now. Work that still goes on is as long as it has
    /// taken so far.
    pub(crate) fn finish(self, counted: engine::Counters, succeeded: bool) -> Report {
        let now = Instant::now();
        let mut notes = std::mem::take(&mut *self.notes());
        for (work, since) in notes.going.drain() {
            notes.spans.extend(since.into_iter().filter_map(|since| self.span(&work, since, now)));
        }
        notes.spans.sort_by(|one, other| one.start.total_cmp(&other.start));
        let name = |image: &Image| (image.import_path.clone(), image.platform.clone());
        notes.images.sort_by_key(name);
        notes.images.dedup_by_key(|image| name(image));
        let built = notes.images.iter().filter(|image| image.built.is_some()).count() as u64;
        let timings = Timings {
            version: Timings::VERSION,
            ko: VERSION.to_owned(),
            started: format!("{:.0}", self.started),
            seconds: rounded(now.saturating_duration_since(self.begun)),
            succeeded,
            counters: Counters {
                processes: counted.processes,
                requests: counted.requests,
                bytes_sent: counted.bytes_sent,
                bytes_received: counted.bytes_received,
                fresh: notes.images.len() as u64 - built,
                built,
                layers_made: notes.layers_made,
                layers_reused: notes.layers_reused,
            },
            images: notes.images,
            stages: notes.spans,
        };
        Report { paths: self.paths(), timings }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be written, and where.
#[derive(Debug)]
pub(crate) struct Report {
    paths: Vec<PathBuf>,
    timings: Timings,
}

impl Report {
    /// The files with their content: the page under the name that the user
    /// gave, the data beside it; only the data if the name ends in `.json`.
    pub(crate) fn files(&self) -> Vec<(PathBuf, String)> {
        let is_data = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
        let text = |path: &PathBuf| {
            let text = if is_data(path) { self.timings.json() } else { self.timings.html() };
            (path.clone(), text)
        };
        self.paths.iter().map(text).collect()
    }
}

/// Seconds, to the microsecond.
fn rounded(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use engine::Stage;

    use super::*;

    fn work(import_path: &str) -> Work {
        let import_path = Some(import_path.to_owned());
        Work { stage: Stage::Layer, import_path, platform: None }
    }

    #[test]
    fn the_data_is_beside_the_page() {
        for (path, files) in [
            ("out/t.html", vec!["out/t.html", "out/t.json"]),
            ("t", vec!["t", "t.json"]),
            ("t.json", vec!["t.json"]),
        ] {
            let recorder = Recorder::begin(Path::new(path)).unwrap();
            let report = recorder.finish(engine::Counters::default(), true);
            let found: Vec<PathBuf> = report.files().into_iter().map(|(path, _)| path).collect();
            assert_eq!(found, files.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
        assert!(Recorder::begin(Path::new("")).is_none());
    }

    #[test]
    fn what_is_short_is_left_out_and_what_goes_on_is_not() {
        let recorder = Recorder::begin(Path::new("t.json")).unwrap();
        let long = recorder.begun.checked_sub(Duration::from_secs(1)).unwrap();
        recorder.notes().going.insert(work("goes/on"), vec![long]);
        recorder.notes().going.insert(work("ends"), vec![long, long]);
        let end = |path: &str| Event::Stage { work: work(path), edge: Edge::End };
        for path in ["ends", "ends", "ends", "unknown"] {
            recorder.note(&end(path));
        }
        let now = Instant::now();
        assert_eq!(recorder.span(&work("short"), now, now + LEAST / 2), None);
        let stages = recorder.finish(engine::Counters::default(), false).timings.stages;
        let mut paths: Vec<_> = stages.iter().filter_map(|span| span.import_path.clone()).collect();
        paths.sort();
        assert_eq!(paths, ["ends", "ends", "goes/on"]);
        assert!(stages.iter().all(|span| span.start >= 0.0), "{stages:?}");
    }
}
