//! Sends the spans of a run to an OpenTelemetry collector when the run has ended, if the
//! environment names one. The variables and their defaults are those of the
//! OpenTelemetry specification.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use engine::keychain::Secret;
use engine::{Counters, Event, Network, Observer, Post};
use report::otlp::{Attribute, Traces};

use super::stages::Stages;
use super::tree::{Notes, Place, Stage, Tree};
use crate::cli::VERSION;
use crate::error::CommandError;
use crate::ui;

/// How long a collector may take. A run is not to wait for it.
const LIMIT: Duration = Duration::from_secs(1);

/// How many spans go into one request: some collectors take no more than 4 MB.
const AT_ONCE: usize = 4096;

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where spans go, and the notes that become them.
#[derive(Debug)]
pub(super) struct Exporter {
    collector: Collector,
    network: Network,
    resource: Vec<Attribute>,
    place: Place,
    notes: Arc<Mutex<(Stages, Notes)>>,
}

/// Who takes spans.
#[derive(Debug)]
struct Collector {
    url: Secret,
    headers: Vec<(String, Secret)>,
    limit: Duration,
}

/// Whether the environment names a collector.
pub(super) fn is_wanted(variable: Variable<'_>) -> bool {
    url(variable).is_some()
        && !variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        && variable("OTEL_TRACES_EXPORTER").is_none_or(|names| names.contains("otlp"))
}

/// The URL for traces: as it is named for them, or below the one for everything.
fn url(variable: Variable<'_>) -> Option<String> {
    variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| {
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        Some(format!("{}/v1/traces", base.trim_end_matches('/')))
    })
}

impl Exporter {
    /// Begins to note, if spans are wanted.
    pub(super) fn begin(variable: Variable<'_>, network: &Network) -> Option<Self> {
        if !is_wanted(variable) {
            return None;
        }
        let of_traces = |name: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        if let Some(protocol) = of_traces("PROTOCOL").filter(|name| name != "http/protobuf") {
            ui::log(&format!(
                "traces are not sent: OTEL_EXPORTER_OTLP_PROTOCOL is {protocol:?}, and here is only http/protobuf (port 4318)"
            ));
            return None;
        }
        let parent = variable("TRACEPARENT").and_then(|text| parent(&text));
        if parent.is_some_and(|parent| !parent.is_kept) {
            return None;
        }
        let milliseconds = of_traces("TIMEOUT").and_then(|text| text.trim().parse().ok());
        let headers = pairs(&of_traces("HEADERS").unwrap_or_default());
        let collector = Collector {
            url: Secret::new(url(variable)?),
            headers: headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
            limit: milliseconds.map_or(LIMIT, Duration::from_millis).min(LIMIT),
        };
        Some(Self {
            collector,
            network: network.clone(),
            resource: resource(variable),
            place: Place {
                trace: parent.map_or_else(|| fastrand::u128(1..).to_be_bytes(), |it| it.trace),
                parent: parent.map(|parent| parent.span),
                begun: Instant::now(),
                started: SystemTime::now(),
            },
            notes: Arc::default(),
        })
    }

    /// An observer that notes what another shows.
    pub(super) fn observe(&self, observer: Observer) -> Observer {
        let notes = Arc::clone(&self.notes);
        observer.after(move |event| {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            let (stages, notes) = &mut *notes;
            match event {
                Event::Stage { work, edge } => {
                    let now = Instant::now();
                    let begun = stages.note(work, *edge, now);
                    let stage = |begun| Stage { work: work.clone(), begun, ended: now };
                    notes.stages.extend(begun.map(stage));
                }
                Event::Exchange(exchange) => notes.requests.push((**exchange).clone()),
                Event::Fresh { import_path, platform } => {
                    notes.verdicts.push((import_path.clone(), platform.to_string(), None));
                }
                Event::Stale { import_path, platform, reason } => {
                    let reason = Some(reason.to_string());
                    notes.verdicts.push((import_path.clone(), platform.to_string(), reason));
                }
                _ => {}
            }
        })
    }

    /// Sends the spans. A collector that does not take them is worth a line, no more.
    pub(super) async fn finish(self, counters: Counters, failure: Option<&CommandError>) {
        let now = Instant::now();
        let (mut stages, mut notes) =
            std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        let going = stages.take().map(|(work, begun)| Stage { work, begun, ended: now });
        notes.stages.extend(going);
        let failure = failure.map(CommandError::message);
        let spans = Tree { place: self.place, ended: now }.spans(notes, counters, failure);
        let left = |begun: Instant| self.collector.limit.saturating_sub(begun.elapsed());
        for spans in spans.chunks(AT_ONCE) {
            let traces = Traces {
                resource: self.resource.clone(),
                version: VERSION.to_owned(),
                spans: spans.to_vec(),
            };
            let post = Post {
                url: self.collector.url.clone(),
                content_type: "application/x-protobuf",
                headers: self.collector.headers.clone(),
                body: traces.encode(),
                limit: left(now),
            };
            if let Err(error) = post.send(&self.network).await {
                let error = CommandError::of(&error);
                ui::log(&format!("traces were not sent: {}", error.message()));
                return;
            }
        }
    }
}

/// Who we are.
fn resource(variable: Variable<'_>) -> Vec<Attribute> {
    let mut named = pairs(&variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default());
    let service = variable("OTEL_SERVICE_NAME").or_else(|| {
        named.iter().find(|(name, _)| name == "service.name").map(|(_, it)| it.clone())
    });
    named.retain(|(name, _)| !["service.name", "service.version"].contains(&&**name));
    let ours = [
        ("service.name".to_owned(), service.unwrap_or_else(|| "ko".to_owned())),
        ("service.version".to_owned(), VERSION.to_owned()),
    ];
    let all = ours.into_iter().chain(named);
    all.map(|(name, value)| (name, report::otlp::Value::Text(value))).collect()
}

/// `name=value,name=value`, with `%20` and the like in values.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim().to_owned(), decoded(value.trim())));
    pairs.filter(|(name, _)| !name.is_empty()).collect()
}

/// What is no escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The span that this run is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parent {
    trace: [u8; 16],
    span: [u8; 8],
    /// Whether the trace is one of those that are kept.
    is_kept: bool,
}

/// Reads `TRACEPARENT` (W3C Trace Context); what is not understood begins a new trace.
fn parent(text: &str) -> Option<Parent> {
    let mut parts = text.trim().split('-');
    let mut hex = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let plain = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if plain { u128::from_str_radix(part, 16).ok() } else { None }
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let more = parts.next().is_some();
    let valid = trace != 0 && span != 0 && version != 0xff && !(more && version == 0);
    valid.then(|| Parent {
        trace: trace.to_be_bytes(),
        span: u64::try_from(span).unwrap_or_default().to_be_bytes(),
        is_kept: flags & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(set: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn traces_go_where_the_specification_says() {
        let all = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        for (set, want) in [
            (&[][..], None),
            (&[(all, "http://c:4318")][..], Some("http://c:4318/v1/traces")),
            (&[(all, "http://c:4318/x/")][..], Some("http://c:4318/x/v1/traces")),
            (&[(all, "http://c"), (own, "http://t/p")][..], Some("http://t/p")),
            (&[(all, "http://c"), ("OTEL_SDK_DISABLED", "True")][..], None),
            (&[(all, "http://c"), ("OTEL_SDK_DISABLED", "1")][..], Some("http://c/v1/traces")),
            (&[(all, "http://c"), ("OTEL_TRACES_EXPORTER", "none")][..], None),
            (
                &[(all, "http://c"), ("OTEL_TRACES_EXPORTER", "otlp")][..],
                Some("http://c/v1/traces"),
            ),
        ] {
            let variable = variables(set);
            let url = is_wanted(&variable).then(|| url(&variable)).flatten();
            assert_eq!(url.as_deref(), want, "{set:?}");
        }
    }

    #[test]
    fn headers_and_attributes_are_decoded() {
        let want = [("a", "b c"), ("d", "e=f%"), ("g", "")];
        let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs("a=b%20c, d = e=f%,x,=y,g="), want);
    }

    #[test]
    fn the_parent_is_that_of_trace_context() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331";
        let read = |text: String| parent(&text).map(|parent| parent.is_kept);
        assert_eq!(read(format!("00-{id}-01")), Some(true));
        assert_eq!(read(format!("00-{id}-00")), Some(false));
        assert_eq!(read(format!("cc-{id}-01-what")), Some(true));
        for text in ["", "00", "x", &format!("00-{id}-01-what"), &format!("ff-{id}-01")] {
            assert_eq!(read((*text).to_owned()), None, "{text}");
        }
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01".to_owned();
        assert_eq!(read(zero), None);
        assert_eq!(read(format!("00-{}-01", id.to_uppercase())), None);
    }
}
