//! Makes the tree of spans: the run, its images, their platforms, and below these the
//! stages; and the requests, which the whole run shares.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use engine::{Answer, Counters, Exchange, Work};
use report::otlp::{Attribute, Span, Value};

/// What takes less is left out: it is somebody finding that another has done the work.
const LEAST: Duration = Duration::from_micros(100);

/// So much of an error is told, in bytes.
const LONGEST: usize = 4096;

/// What was noted of a run.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) stages: Vec<Stage>,
    pub(super) requests: Vec<Exchange>,
    /// Import path and platform, and why it was built, if it was.
    pub(super) verdicts: Vec<(String, String, Option<String>)>,
}

/// A stage that has ended.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) work: Work,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
}

/// Where a run is in a trace, and in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) trace: [u8; 16],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) begun: Instant,
    pub(super) started: SystemTime,
}

/// What makes spans of notes.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) place: Place,
    pub(super) ended: Instant,
}

impl Tree {
    pub(super) fn spans(
        &self,
        notes: Notes,
        counters: Counters,
        failure: Option<&str>,
    ) -> Vec<Span> {
        let mut root = self.span(self.place.parent, "ko", self.place.begun, self.ended);
        root.error = failure.map(shortened);
        root.attributes = [
            ("ko.processes", counters.processes),
            ("ko.requests", counters.requests),
            ("ko.bytes_sent", counters.bytes_sent),
            ("ko.bytes_received", counters.bytes_received),
        ]
        .map(|(name, count)| number(name, count))
        .to_vec();
        let top = Some(root.id);
        let mut spans = vec![root];
        let mut images: BTreeMap<String, BTreeMap<String, Vec<Stage>>> = BTreeMap::new();
        for stage in notes.stages.into_iter().filter(|stage| stage.ended - stage.begun >= LEAST) {
            match &stage.work.import_path {
                None => spans.push(self.stage(top, &stage)),
                Some(path) => {
                    let platform = stage.work.platform.as_ref().map(ToString::to_string);
                    let of_image = images.entry(path.clone()).or_default();
                    of_image.entry(platform.unwrap_or_default()).or_default().push(stage);
                }
            }
        }
        for (path, platforms) in images {
            let name = format!("image {path}");
            let mut image = self.around(top, &name, platforms.values().flatten());
            image.attributes.push(text("ko.import_path", &path));
            let parent = Some(image.id);
            spans.push(image);
            for (platform, stages) in platforms {
                let mut parent = parent;
                if !platform.is_empty() {
                    let mut span = self.around(parent, &platform, &stages);
                    span.attributes =
                        vec![text("ko.import_path", &path), text("ko.platform", &platform)];
                    let mut verdicts = notes.verdicts.iter();
                    let verdict = verdicts.find(|(of, on, _)| *of == path && *on == platform);
                    if let Some((.., reason)) = verdict {
                        span.attributes
                            .push(("ko.fresh".to_owned(), Value::Truth(reason.is_none())));
                        span.attributes.extend(reason.as_ref().map(|it| text("ko.reason", it)));
                    }
                    parent = Some(span.id);
                    spans.push(span);
                }
                spans.extend(stages.iter().map(|stage| self.stage(parent, stage)));
            }
        }
        spans.extend(notes.requests.iter().map(|exchange| self.request(top, exchange)));
        spans
    }

    fn stage(&self, parent: Option<[u8; 8]>, stage: &Stage) -> Span {
        self.span(parent, stage.work.stage.name(), stage.begun, stage.ended)
    }

    /// A span from the first of these stages to the last.
    fn around<'a>(
        &self,
        parent: Option<[u8; 8]>,
        name: &str,
        stages: impl IntoIterator<Item = &'a Stage>,
    ) -> Span {
        let (mut begun, mut ended) = (self.ended, self.place.begun);
        for stage in stages {
            begun = begun.min(stage.begun);
            ended = ended.max(stage.ended);
        }
        self.span(parent, name, begun, ended)
    }

    /// A request, with the names of OpenTelemetry's conventions for HTTP. Statuses that are
    /// answers, such as that there is no such tag, are no failures.
    fn request(&self, parent: Option<[u8; 8]>, exchange: &Exchange) -> Span {
        let Exchange { method, url, begun, took, sent, answer, .. } = exchange;
        let mut span = self.span(parent, method, *begun, *begun + *took);
        span.client = true;
        span.attributes = vec![
            text("http.request.method", method),
            text("url.full", url),
            number("http.request.body.size", *sent),
        ];
        span.attributes.extend(server(url));
        match answer {
            Ok(Answer { status, received, .. }) => {
                span.attributes.push(number("http.response.status_code", u64::from(*status)));
                span.attributes.push(number("http.response.body.size", *received));
                if *status >= 500 {
                    span.error = Some(String::new());
                    span.attributes.push(text("error.type", &status.to_string()));
                }
            }
            Err(reason) => {
                span.error = Some(shortened(reason));
                span.attributes.push(text("error.type", "_OTHER"));
            }
        }
        span
    }

    fn span(&self, parent: Option<[u8; 8]>, name: &str, begun: Instant, ended: Instant) -> Span {
        let nanoseconds = |instant: Instant| {
            let since = instant.saturating_duration_since(self.place.begun);
            let time = (self.place.started + since).duration_since(SystemTime::UNIX_EPOCH);
            u64::try_from(time.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
        };
        Span {
            trace: self.place.trace,
            id: fastrand::u64(1..).to_be_bytes(),
            parent,
            name: name.to_owned(),
            client: false,
            start: nanoseconds(begun),
            end: nanoseconds(ended),
            attributes: Vec::new(),
            error: None,
        }
    }
}

/// The host of a URL, and the port if it has one.
fn server(url: &str) -> Vec<Attribute> {
    let address = url.split("://").nth(1).unwrap_or_default();
    let authority = address.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    match host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
        Some((host, port)) => {
            vec![text("server.address", host), number("server.port", u64::from(port))]
        }
        None => vec![text("server.address", host)],
    }
}

fn text(name: &str, text: &str) -> Attribute {
    (name.to_owned(), Value::Text(text.to_owned()))
}

fn number(name: &str, number: u64) -> Attribute {
    (name.to_owned(), Value::Number(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn shortened(text: &str) -> String {
    text.chars()
        .scan(0, |length, char| {
            *length += char.len_utf8();
            (*length <= LONGEST).then_some(char)
        })
        .collect()
}
