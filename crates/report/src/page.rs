//! The page of `--timings`: counters, a row of bars for each image, and sums.
//! Everything is in the one file, and nothing in it is a script.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::timings::{Span, Timings};

const STYLE: &str = include_str!("page.css");

/// The stages that have a colour of their own, in the order of a run.
const STAGES: [&str; 9] =
    ["list", "base", "freshness", "wait", "compile", "kodata", "layer", "upload", "publish"];

/// A row: the image that it is about, the first row being about the whole run.
type Row<'a> = (Option<&'a str>, Option<&'a str>);

pub(crate) fn render(timings: &Timings) -> String {
    let mut page = String::new();
    let started = escape(&timings.started);
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>ko timings, {started}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{} in {}</h1>\n<p>ko {}, {started}</p>\n",
        plural(timings.images.len(), "image"),
        duration(timings.seconds),
        escape(&timings.ko),
    );
    if !timings.succeeded {
        page.push_str("<p class=\"failed\">This run failed.</p>\n");
    }
    counters(&mut page, timings);
    chart(&mut page, timings);
    sums(&mut page, timings);
    shared_caches(&mut page, timings);
    reasons(&mut page, timings);
    page.push_str("</body>\n</html>\n");
    page
}

fn counters(page: &mut String, timings: &Timings) {
    let counters = &timings.counters;
    page.push_str("<dl>\n");
    for (name, value) in [
        ("processes", counters.processes.to_string()),
        ("requests", counters.requests.to_string()),
        ("sent", bytes(counters.bytes_sent)),
        ("received", bytes(counters.bytes_received)),
        ("programs fresh", counters.fresh.to_string()),
        ("programs built", counters.built.to_string()),
        ("layers made", counters.layers_made.to_string()),
        ("layers from the cache", counters.layers_reused.to_string()),
    ] {
        let _ = writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    page.push_str("</dl>\n");
}

fn chart(page: &mut String, timings: &Timings) {
    page.push_str("<h2>Stages</h2>\n<div class=\"key\">\n");
    for stage in STAGES.iter().filter(|stage| timings.sums().contains_key(*stage)) {
        let _ = writeln!(page, "<span><i class=\"{stage}\"></i>{stage}</span>");
    }
    // Ticks where a person expects them, and little room after the end.
    let step = step(timings.seconds);
    let ticks = (timings.seconds / step).ceil().max(1.0);
    let whole = ticks * step;
    let grid = format!("background-size: {:.4}% 100%", 100.0 / ticks);
    page.push_str("</div>\n<div class=\"chart\">\n<div class=\"row axis\"><div></div><div class=\"lanes\"><div class=\"lane\">");
    for tick in 0..ticks as u32 {
        let left = f64::from(tick) * 100.0 / ticks;
        let at = duration(f64::from(tick) * step);
        let _ = write!(page, "<span style=\"left:{left:.3}%\">{at}</span>");
    }
    page.push_str("</div></div></div>\n");
    for ((import_path, platform), spans) in rows(timings) {
        let path = import_path.unwrap_or("the whole run");
        let name = path.rsplit('/').next().unwrap_or(path);
        let platform = platform.unwrap_or_default();
        let title = format!("{path} {platform}");
        let _ = write!(
            page,
            "<div class=\"row\"><div class=\"name\" title=\"{}\">{} <small>{}</small></div>\
             <div class=\"lanes\" style=\"{grid}\">",
            escape(title.trim_end()),
            escape(name),
            escape(platform),
        );
        for lane in lanes(spans) {
            page.push_str("<div class=\"lane\">");
            lane.iter().for_each(|span| bar(page, span, whole));
            page.push_str("</div>");
        }
        page.push_str("</div></div>\n");
    }
    page.push_str("</div>\n");
}

fn bar(page: &mut String, span: &Span, whole: f64) {
    let (left, width) = (span.start * 100.0 / whole, span.seconds * 100.0 / whole);
    let stage = span.stage.as_str();
    let class = if STAGES.contains(&stage) { stage } else { "other" };
    // A word is about a twentieth of a window.
    let text = if width > 7.0 { escape(stage) } else { String::new() };
    let title = format!("{stage}: {} from {}", duration(span.seconds), duration(span.start));
    let _ = write!(
        page,
        "<div class=\"bar {class}\" style=\"left:{left:.3}%;width:{width:.3}%\" title=\"{}\">{text}</div>",
        escape(&title),
    );
}

/// The rows in their order: the run, then each program followed by its images.
fn rows(timings: &Timings) -> BTreeMap<Row<'_>, Vec<&Span>> {
    let mut rows: BTreeMap<Row<'_>, Vec<&Span>> = BTreeMap::new();
    for image in &timings.images {
        rows.entry((Some(&image.import_path), Some(&image.platform))).or_default();
    }
    for span in &timings.stages {
        // What a program with one image does, that image does.
        let platform = span.platform.as_deref().or_else(|| {
            let path = span.import_path.as_deref()?;
            let mut images = timings.images.iter().filter(|image| image.import_path == path);
            let only = images.next()?;
            images.next().is_none().then_some(only.platform.as_str())
        });
        rows.entry((span.import_path.as_deref(), platform)).or_default().push(span);
    }
    rows
}

/// Divides spans into lanes in which none overlaps another; at least one.
fn lanes(mut spans: Vec<&Span>) -> Vec<Vec<&Span>> {
    spans.sort_by(|one, other| one.start.total_cmp(&other.start));
    let mut lanes: Vec<Vec<&Span>> = vec![Vec::new()];
    for span in spans {
        let free = |lane: &&mut Vec<&Span>| {
            lane.last().is_none_or(|last| last.start + last.seconds <= span.start)
        };
        match lanes.iter_mut().find(free) {
            Some(lane) => lane.push(span),
            None => lanes.push(vec![span]),
        }
    }
    lanes
}

fn sums(page: &mut String, timings: &Timings) {
    page.push_str(
        "<h2>Sums</h2>\n<table>\n<tr><th>stage</th><th class=\"number\">times</th>\
         <th class=\"number\">in all</th></tr>\n",
    );
    for (stage, (seconds, count)) in timings.sums() {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td class=\"number\">{count}</td><td class=\"number\">{}</td></tr>",
            escape(stage),
            duration(seconds),
        );
    }
    page.push_str("</table>\n<p>Stages overlap: the sums are more than the run took.</p>\n");
}

fn shared_caches(page: &mut String, timings: &Timings) {
    if timings.shared_caches.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Shared caches</h2>\n<table>\n<tr><th>cache</th><th class=\"number\">round trips</th>\
         <th class=\"number\">sent</th><th class=\"number\">received</th></tr>\n",
    );
    for cache in &timings.shared_caches {
        let failure = cache.failure.as_ref().map(|failure| format!(": {failure}"));
        let _ = writeln!(
            page,
            "<tr><td>{}{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td></tr>",
            escape(&cache.url),
            escape(&failure.unwrap_or_default()),
            cache.round_trips,
            bytes(cache.bytes_sent),
            bytes(cache.bytes_received),
        );
    }
    page.push_str("</table>\n");
}

/// Why what was built was built.
fn reasons(page: &mut String, timings: &Timings) {
    let built = || timings.images.iter().filter_map(|image| Some((image, image.built.as_ref()?)));
    if built().next().is_none() {
        return;
    }
    page.push_str("<h2>Built, and why</h2>\n<table>\n");
    for (image, reason) in built() {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&image.import_path),
            escape(&image.platform),
            escape(reason),
        );
    }
    page.push_str("</table>\n");
}

/// The time between ticks, in seconds: 1, 2 or 5 of something, about ten to a
/// run.
fn step(seconds: f64) -> f64 {
    let rough = (seconds / 10.0).max(1e-4);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough)
}

fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        s if s < 0.01 => format!("{:.1} ms", s * 1000.0),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 60.0 => format!("{s:.1} s"),
        s => format!("{} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// Text as it may stand in HTML, in attributes too.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        for (seconds, want) in [(0.0, 1e-4), (0.03, 0.005), (1.0, 0.1), (27.0, 5.0), (408.0, 50.0)]
        {
            assert!((step(seconds) / want - 1.0).abs() < 1e-9, "{seconds}: {}", step(seconds));
        }
    }

    #[test]
    fn numbers_are_readable() {
        let durations = [0.0, 0.0012, 0.12, 27.04, 125.0].map(duration);
        assert_eq!(durations, ["0", "1.2 ms", "120 ms", "27.0 s", "2 min 5 s"]);
        assert_eq!([12, 1_500, 52_000_000].map(bytes), ["12 B", "1.5 kB", "52.0 MB"]);
    }

    #[test]
    fn what_overlaps_is_in_different_lanes() {
        let span = |start, seconds| Span {
            stage: "compile".to_owned(),
            import_path: None,
            platform: None,
            start,
            seconds,
        };
        let spans = [span(0.0, 3.0), span(1.0, 1.0), span(2.0, 2.0), span(3.0, 1.0)];
        let found = lanes(spans.iter().collect());
        let starts = |lane: &Vec<&Span>| lane.iter().map(|span| span.start).collect::<Vec<_>>();
        assert_eq!(found.iter().map(starts).collect::<Vec<_>>(), [[0.0, 3.0], [1.0, 2.0]]);
    }
}
