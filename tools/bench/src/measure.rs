//! The numbers, and how they are shown: as a table of medians with their
//! ranges, and as JSON with every run.

use serde_json::{Value, json};

use crate::check::Configs;
use crate::contender::Kind;

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// Of the program and all that it started.
    pub(crate) cpu_seconds: Option<f64>,
    /// The most bytes that the program itself had resident, without what it
    /// started.
    pub(crate) memory: Option<u64>,
    pub(crate) requests: u64,
    pub(crate) bytes_sent: u64,
    /// What it made.
    pub(crate) images: Vec<Configs>,
}

/// All runs of a contender in a scenario.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
}

/// A median with the least and the greatest of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median, low, high })
    }

    fn json(self) -> Value {
        json!({"median": self.median, "low": self.low, "high": self.high})
    }
}

impl Series {
    fn spread(&self, value: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.samples.iter().filter_map(value))
    }

    fn memory(&self) -> Option<u64> {
        self.samples.iter().filter_map(|sample| sample.memory).max()
    }

    /// How many times longer this takes than another, run by run.
    fn ratio(&self, ours: &Series) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&ours.samples);
        Spread::of(pairs.map(|(theirs, ours)| theirs.seconds / ours.seconds))
    }
}

/// The same less the time of a bare `go build` in the same turn, if one takes part.
pub(crate) fn without_go(all: &[Series]) -> Option<Vec<Series>> {
    let go = all.iter().find(|series| series.kind == Kind::Go)?;
    let others = all.iter().filter(|series| series.kind != Kind::Go);
    let less = |series: &Series| {
        let pairs = series.samples.iter().zip(&go.samples);
        let samples = pairs
            .map(|(sample, go)| Sample { seconds: sample.seconds - go.seconds, ..sample.clone() });
        Series { kind: series.kind, samples: samples.collect() }
    };
    Some(others.map(less).collect())
}

/// Shows the runs of a scenario; the last series is ours.
pub(crate) fn table(name: &str, all: &[Series]) -> String {
    let Some(ours) = all.last() else { return String::new() };
    let mut out = format!(
        "\n{name}\n  {:16} {:>9} {:>19} {:>9} {:>9} {:>8} {:>9}  ratio\n",
        "", "wall", "", "cpu", "memory", "requests", "sent"
    );
    for series in all {
        let (Some(wall), Some(ratio)) =
            (series.spread(|sample| Some(sample.seconds)), series.ratio(ours))
        else {
            continue;
        };
        let cpu = series.spread(|sample| sample.cpu_seconds);
        let requests = series.spread(|sample| Some(sample.requests as f64));
        let sent = series.spread(|sample| Some(sample.bytes_sent as f64));
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        out += &format!(
            "  {:16} {:7.3} s ({:7.3} to {:7.3}) {:>9} {:>9} {:>8} {:>9}  {:.2} ({:.2} to {:.2})\n",
            series.kind.name(),
            wall.median,
            wall.low,
            wall.high,
            or_none(cpu.map(|cpu| format!("{:.2} s", cpu.median))),
            or_none(series.memory().map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6))),
            or_none(requests.map(|requests| format!("{}", requests.median))),
            or_none(sent.map(|sent| format!("{:.2} MB", sent.median / 1e6))),
            ratio.median,
            ratio.low,
            ratio.high,
        );
    }
    out
}

/// The same as data, with every run.
pub(crate) fn data(name: &str, all: &[Series]) -> Value {
    let contender = |series: &Series| {
        let runs = series.samples.iter().map(|sample| {
            json!({
                "seconds": sample.seconds,
                "cpu_seconds": sample.cpu_seconds,
                "memory_bytes": sample.memory,
                "requests": sample.requests,
                "bytes_sent": sample.bytes_sent,
            })
        });
        let spread = |found: Option<Spread>| found.map(Spread::json);
        json!({
            "name": series.kind.name(),
            "seconds": spread(series.spread(|sample| Some(sample.seconds))),
            "ratio_to_ours": spread(all.last().and_then(|ours| series.ratio(ours))),
            "peak_memory_bytes": series.memory(),
            "runs": runs.collect::<Vec<_>>(),
        })
    };
    let contenders = |all: &[Series]| all.iter().map(contender).collect::<Vec<_>>();
    let mut data = json!({"scenario": name, "contenders": contenders(all)});
    if let Some(without) = without_go(all) {
        data["less_go_build"] = contenders(&without).into();
    }
    data
}

#[cfg(test)]
mod tests {
    use super::{Kind, Sample, Series, Spread, data, table};

    fn series(kind: Kind, seconds: &[f64]) -> Series {
        let sample = |&seconds: &f64| Sample {
            seconds,
            cpu_seconds: None,
            memory: Some(2_000_000),
            requests: 3,
            bytes_sent: 0,
            images: Vec::new(),
        };
        Series { kind, samples: seconds.iter().map(sample).collect() }
    }

    #[test]
    fn medians() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, low: 1.0, high: 3.0 }));
        assert_eq!(spread(&[1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn ratios_are_those_of_turns() {
        let all = [series(Kind::Ko, &[4.0, 9.0]), series(Kind::Ours, &[1.0, 3.0])];
        let data = data("x", &all);
        let ratio = &data["contenders"][0]["ratio_to_ours"];
        assert_eq!((ratio["low"].as_f64(), ratio["high"].as_f64()), (Some(3.0), Some(4.0)));
        assert_eq!(data["contenders"][1]["runs"].as_array().unwrap().len(), 2);
        let table = table("x", &all);
        assert!(table.contains("3.50 (3.00 to 4.00)"), "{table}");
        assert!(table.contains("2.0 MB"), "{table}");
    }
}
