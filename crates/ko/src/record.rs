//! Records what happens in a run, for the files and the output that describe it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{
    Artifact, Digest, Edge, Event, Exchange, Image, LayerContent, Observer, Published, Pushed,
    Repository, Work,
};
use report::run::{self, Attachment, Base, Failure, Line, PlatformImage, Run, Traffic};
use report::{Counters, SharedCache, Span, Timings};

use crate::cli::VERSION;
use crate::error::CommandError;
use crate::shown::shown;

/// What takes less is left out: it is somebody finding that another has done
/// the work.
const LEAST: Duration = Duration::from_micros(100);

/// The notes of a run. Clones are of the same.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    begun: Instant,
    started: jiff::Timestamp,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug, Default)]
struct Notes {
    /// What goes on, and since when. The same work may go on more than once.
    going: HashMap<Work, Vec<Instant>>,
    spans: Vec<Span>,
    programs: Vec<report::Image>,
    /// Those that do not compile: their import paths and platforms.
    failed: HashSet<(String, String)>,
    layers_made: HashSet<Digest>,
    made: u64,
    reused: u64,
    /// How layers got into repositories.
    pushed: HashMap<(String, Digest), Pushed>,
    attachments: Vec<Attachment>,
    /// By repository.
    traffic: HashMap<String, Traffic>,
    shared_caches: Vec<SharedCache>,
    published: Vec<Published>,
}

impl Recorder {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), started: jiff::Timestamp::now(), notes: Arc::default() }
    }

    /// An observer that notes what another shows, and tells `tell` of what has a
    /// line of its own.
    pub(crate) fn observe(
        &self,
        observer: Observer,
        tell: impl Fn(&Line) + Send + Sync + 'static,
    ) -> Observer {
        let recorder = self.clone();
        observer.after(move |event| {
            if let Some(line) = recorder.note(event) {
                tell(&line);
            }
        })
    }

    fn note(&self, event: &Event) -> Option<Line> {
        let now = Instant::now();
        let mut notes = self.notes();
        match event {
            Event::Stage { work, edge: Edge::Begin } => {
                notes.going.entry(work.clone()).or_default().push(now);
            }
            Event::Stage { work, edge: Edge::End } => {
                let since = notes.going.get_mut(work).and_then(Vec::pop);
                let span = since.and_then(|since| self.span(work, since, now))?;
                notes.spans.push(span.clone());
                return Some(Line::Stage(span));
            }
            Event::Fresh { import_path, platform } => {
                return Some(notes.program(import_path, &platform.to_string(), None));
            }
            Event::Stale { import_path, platform, reason } => {
                let reason = Some(reason.to_string());
                return Some(notes.program(import_path, &platform.to_string(), reason));
            }
            Event::Failed { import_path, platform, .. } => {
                notes.failed.insert((import_path.clone(), platform.to_string()));
            }
            Event::Layer { reused: true, .. } => notes.reused += 1,
            Event::Layer { digest, reused: false } => {
                notes.made += 1;
                notes.layers_made.insert(*digest);
            }
            Event::LayerPushed { repository, digest, how, .. } => {
                notes.pushed.insert((repository.clone(), *digest), *how);
            }
            Event::PublishedSbom { subject, reference } => notes.attachments.push(Attachment {
                kind: "sbom".to_owned(),
                reference: reference.clone(),
                subject: subject.to_string(),
            }),
            Event::Attested { subject, what, reference } => notes.attachments.push(Attachment {
                kind: (*what).to_owned(),
                reference: reference.clone(),
                subject: subject.to_string(),
            }),
            Event::Exchange(exchange) => notes.count(exchange),
            Event::SharedCacheMoved { cache, round_trips, sent, received, failure } => {
                notes.shared_cache(SharedCache {
                    url: cache.clone(),
                    round_trips: *round_trips,
                    bytes_sent: *sent,
                    bytes_received: *received,
                    failure: failure.clone(),
                });
            }
            _ => {}
        }
        None
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

    /// Notes what was published.
    pub(crate) fn published(&self, published: &[Published]) {
        published.clone_into(&mut self.notes().published);
    }

    /// What was noted until now, as `--timings` has it. Work that still goes on is as
    /// long as it has taken so far.
    pub(crate) fn timings(&self, counted: engine::Counters, succeeded: bool) -> Timings {
        let now = Instant::now();
        let mut notes = self.notes();
        notes.end(|work, since| self.span(work, since, now));
        let name = |image: &report::Image| (image.import_path.clone(), image.platform.clone());
        let mut images = notes.programs.clone();
        images.sort_by_key(name);
        images.dedup_by_key(|image| name(image));
        Timings {
            version: Timings::VERSION,
            ko: VERSION.to_owned(),
            started: format!("{:.0}", self.started),
            seconds: rounded(now.saturating_duration_since(self.begun)),
            succeeded,
            counters: notes.counters(counted),
            shared_caches: notes.shared_caches.clone(),
            images,
            stages: notes.spans.clone(),
        }
    }

    /// What was noted until now, as `--output` and `--metadata-file` have it.
    pub(crate) fn run(&self, counted: engine::Counters, failed: Option<&CommandError>) -> Run {
        let now = Instant::now();
        let mut notes = self.notes();
        notes.end(|work, since| self.span(work, since, now));
        let images = match failed {
            Some(_) => Vec::new(),
            None => notes.published.iter().map(|published| notes.image(published)).collect(),
        };
        Run {
            version: Run::VERSION,
            ko: VERSION.to_owned(),
            started: format!("{:.0}", self.started),
            seconds: rounded(now.saturating_duration_since(self.begun)),
            succeeded: failed.is_none(),
            error: failed.map(|error| Failure {
                kind: error.kind().name().to_owned(),
                message: shown(error.message()),
                hint: error.hint_text().map(shown),
            }),
            counters: notes.counters(counted),
            images,
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn program(&mut self, import_path: &str, platform: &str, reason: Option<String>) -> Line {
        self.programs.push(report::Image {
            import_path: import_path.to_owned(),
            platform: platform.to_owned(),
            built: reason.clone(),
        });
        let (import_path, platform) = (import_path.to_owned(), platform.to_owned());
        Line::Program { import_path, platform, fresh: reason.is_none(), reason }
    }

    fn shared_cache(&mut self, cache: SharedCache) {
        self.shared_caches.retain(|other| other.url != cache.url);
        self.shared_caches.push(cache);
    }

    fn count(&mut self, exchange: &Exchange) {
        let Some(repository) = repository_of(&exchange.url) else { return };
        let traffic = self.traffic.entry(repository).or_default();
        traffic.requests += 1;
        traffic.bytes_sent += exchange.sent;
        traffic.bytes_received += exchange.answer.as_ref().map_or(0, |answer| answer.received);
    }

    /// Ends what goes on.
    fn end(&mut self, span: impl Fn(&Work, Instant) -> Option<Span>) {
        for (work, since) in self.going.drain() {
            self.spans.extend(since.into_iter().filter_map(|since| span(&work, since)));
        }
        self.spans.sort_by(|one, other| one.start.total_cmp(&other.start));
    }

    fn counters(&self, counted: engine::Counters) -> Counters {
        let built = |image: &&report::Image| image.built.is_some();
        let names = |images: Vec<&report::Image>| {
            let names = images.into_iter().map(|image| (&image.import_path, &image.platform));
            names.collect::<HashSet<_>>().len() as u64
        };
        let all = names(self.programs.iter().collect());
        let built = names(self.programs.iter().filter(built).collect());
        let failed = self.failed.len() as u64;
        Counters {
            processes: counted.processes,
            requests: counted.requests,
            bytes_sent: counted.bytes_sent,
            bytes_received: counted.bytes_received,
            fresh: all - built,
            built: built.saturating_sub(failed),
            failed,
            layers_made: self.made,
            layers_reused: self.reused,
        }
    }

    fn image(&self, published: &Published) -> run::Published {
        let Published { import_path, artifact, reference, base, base_digest, name, .. } = published;
        let repository = repository(&name.name);
        let (media_type, bytes) = artifact.top();
        let images = artifact.images().iter();
        let platforms =
            images.map(|image| self.platform(import_path, &repository, image)).collect();
        let about = subjects(artifact);
        let mut stages: BTreeMap<String, f64> = BTreeMap::new();
        for span in &self.spans {
            if span.import_path.as_deref() == Some(import_path.as_str()) {
                *stages.entry(span.stage.clone()).or_default() += span.seconds;
            }
        }
        // Sums of fractions have more digits than were measured.
        stages.values_mut().for_each(|sum| *sum = (*sum * 1e6).round() / 1e6);
        let mut attachments: Vec<Attachment> = self
            .attachments
            .iter()
            .filter(|attachment| about.contains(&attachment.subject))
            .cloned()
            .collect();
        attachments.sort_by(|one, other| one.reference.cmp(&other.reference));
        run::Published {
            import_path: import_path.clone(),
            reference: reference.clone(),
            tags: name.tagged(),
            digest: artifact.digest().to_string(),
            media_type: media_type.to_string(),
            size: bytes.len() as u64,
            base: Base { name: base.clone(), digest: base_digest.map(|digest| digest.to_string()) },
            platforms,
            attachments,
            stages,
            traffic: self.traffic.get(&repository).copied().unwrap_or_default(),
        }
    }

    fn platform(&self, import_path: &str, repository: &str, image: &Image) -> PlatformImage {
        let platform = image.platform.to_string();
        let program = self
            .programs
            .iter()
            .find(|program| program.import_path == import_path && program.platform == platform);
        let reason = program.and_then(|program| program.built.clone());
        let layers = image.layers.iter().zip(&image.diff_ids).enumerate();
        let layers = layers.map(|(at, (layer, diff_id))| {
            let digest = layer.descriptor.digest;
            let added = at.checked_sub(image.base_layers);
            let content = match added.and_then(|at| image.added.get(at)) {
                None => "base",
                Some(LayerContent::Kodata) => "kodata",
                Some(LayerContent::Files) => "files",
                Some(LayerContent::Debugger) => "debugger",
                Some(_) => "program",
            };
            let pushed = self.pushed.get(&(repository.to_owned(), digest));
            run::Layer {
                content: content.to_owned(),
                digest: digest.to_string(),
                diff_id: diff_id.to_string(),
                media_type: layer.descriptor.media_type.to_string(),
                size: layer.descriptor.size,
                reused: !self.layers_made.contains(&digest),
                push: pushed.map(|how| push(*how).to_owned()),
            }
        });
        PlatformImage {
            digest: image.digest.to_string(),
            media_type: image.media_type.to_string(),
            size: image.manifest.len() as u64,
            fresh: reason.is_none(),
            reason,
            layers: layers.collect(),
            platform,
        }
    }
}

fn push(how: Pushed) -> &'static str {
    match how {
        Pushed::Existing => "existing",
        Pushed::Mounted => "mounted",
        Pushed::Uploaded => "uploaded",
    }
}

/// What attachments of an artifact are about: it, and its images.
fn subjects(artifact: &Artifact) -> HashSet<String> {
    let images = artifact.images().iter().map(|image| image.digest.to_string());
    images.chain([artifact.digest().to_string()]).collect()
}

/// The repository of an image in full, as requests name it; what is no repository of a
/// registry stays as it is.
fn repository(name: &str) -> String {
    name.parse::<Repository>().map_or_else(|_| name.to_owned(), |found| found.full_name())
}

/// The repository that a request is about, with its registry.
fn repository_of(url: &str) -> Option<String> {
    let (host, path) = url.split_once("://")?.1.split_once("/v2/")?;
    let places = ["/blobs/", "/manifests/", "/referrers/", "/tags/"];
    let end = places.iter().filter_map(|place| path.find(place)).min()?;
    Some(format!("{host}/{}", &path[..end]))
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
    fn what_is_short_is_left_out_and_what_goes_on_is_not() {
        let recorder = Recorder::begin();
        let long = recorder.begun.checked_sub(Duration::from_secs(1)).unwrap();
        recorder.notes().going.insert(work("goes/on"), vec![long]);
        recorder.notes().going.insert(work("ends"), vec![long, long]);
        let end = |path: &str| Event::Stage { work: work(path), edge: Edge::End };
        for path in ["ends", "ends", "ends", "unknown"] {
            recorder.note(&end(path));
        }
        let now = Instant::now();
        assert_eq!(recorder.span(&work("short"), now, now + LEAST / 2), None);
        let stages = recorder.timings(engine::Counters::default(), false).stages;
        let mut paths: Vec<_> = stages.iter().filter_map(|span| span.import_path.clone()).collect();
        paths.sort();
        assert_eq!(paths, ["ends", "ends", "goes/on"]);
        assert!(stages.iter().all(|span| span.start >= 0.0), "{stages:?}");
    }

    #[test]
    fn requests_belong_to_repositories() {
        for (url, want) in [
            ("https://r.io/v2/a/b/blobs/uploads/", Some("r.io/a/b")),
            ("http://r.io:5000/v2/a/manifests/blobs", Some("r.io:5000/a")),
            ("https://r.io/v2/a/referrers/sha256:0f?artifactType=x", Some("r.io/a")),
            ("https://r.io/v2/", None),
            ("https://auth.io/token?scope=repository:a:pull", None),
        ] {
            assert_eq!(repository_of(url).as_deref(), want, "{url}");
        }
    }

    #[test]
    fn repositories_are_named_in_full() {
        for (name, want) in [
            ("r.io:5000/a", "r.io:5000/a"),
            ("docker.io/team/app", "index.docker.io/team/app"),
            ("team/app", "index.docker.io/team/app"),
            ("Not A Repository", "Not A Repository"),
        ] {
            assert_eq!(repository(name), want);
        }
    }
}
