//! Keeps what goes on in a run, and words it as lines: the view, and what is left of
//! it when the run has ended.

use std::collections::BTreeMap;
use std::time::Instant;

use console::{Style, truncate_str};
use engine::{Counters, Event, Platform, Published, Stage};

use super::row::{Moved, Row, doing};
use crate::cli::readable;

/// More rows tell nobody more.
const MOST: usize = 16;

/// A terminal with fewer columns shows no view.
const LEAST: usize = 12;

/// What goes on in a run.
#[derive(Debug)]
pub(super) struct Board {
    begun: Instant,
    /// By import path and platform; the platform is empty where it is about all.
    rows: BTreeMap<(String, String), Row>,
    /// Stages of the whole run.
    whole: Row,
    color: bool,
    moved: Moved,
}

impl Board {
    pub(super) fn new(now: Instant, color: bool) -> Self {
        Self {
            begun: now,
            rows: BTreeMap::new(),
            whole: Row::new(),
            color,
            moved: Moved::default(),
        }
    }

    pub(super) fn note(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Fresh { import_path, platform } => {
                self.row(import_path, Some(platform)).built = Some(false);
            }
            Event::Stale { import_path, platform, .. } => {
                self.row(import_path, Some(platform)).built = Some(true);
            }
            Event::Failed { import_path, platform, .. } => {
                self.row(import_path, Some(platform)).failed = true;
            }
            Event::Uploading { import_path, repository } => {
                self.row(import_path, None).repository = Some(repository.clone());
            }
            Event::Stage { work, edge } => match &work.import_path {
                Some(path) => self.row(path, work.platform.as_ref()).turn(work.stage, *edge, now),
                None => self.whole.turn(work.stage, *edge, now),
            },
            _ => {}
        }
    }

    fn row(&mut self, import_path: &str, platform: Option<&Platform>) -> &mut Row {
        let platform = platform.map(ToString::to_string).unwrap_or_default();
        self.rows.entry((import_path.to_owned(), platform)).or_insert_with(Row::new)
    }

    /// The view for a terminal of so many columns and lines.
    pub(super) fn lines(
        &mut self,
        (columns, height): (usize, usize),
        counted: Counters,
        moved_to: &dyn Fn(&str) -> u64,
        now: Instant,
    ) -> Vec<String> {
        if columns < LEAST {
            return Vec::new();
        }
        let rate = self.moved.rate(counted.bytes_moved, now);
        let sent = self.sent(moved_to, now);
        let (mut active, mut waiting) = (Vec::new(), 0);
        let mut told = "";
        // What a program does for all platforms comes first; it is told where nothing
        // is done for one of them.
        for ((path, platform), row) in self.rows.iter().rev() {
            let Some((stage, since)) = row.stage() else { continue };
            if platform.is_empty() && told == path {
                continue;
            }
            told = path;
            if stage == Stage::Wait {
                waiting += 1;
            } else {
                active.push((path, platform, stage, since));
            }
        }
        // What has begun first stays above, so that lines keep their places.
        active.sort_by_key(|(path, platform, _, since)| (*since, *path, *platform));
        let room = height.saturating_sub(3).min(MOST);
        let hidden = active.len().saturating_sub(room);
        active.truncate(room);
        let mut lines = Vec::new();
        for (path, platform, stage, since) in active {
            let seconds = now.saturating_duration_since(since).as_secs_f64();
            let doing = self.paint(&format!("{:>10}", doing(stage)), Style::cyan);
            let space = if platform.is_empty() { "" } else { " " };
            let sent = match sent.get(path).filter(|_| stage == Stage::Upload) {
                Some(sent) => format!(" {sent}"),
                None => String::new(),
            };
            let (path, seconds) = (short(path), time(seconds));
            lines.push(format!("{doing} {path}{space}{platform}{sent} {seconds}"));
        }
        if hidden > 0 && room > 0 {
            lines.push(format!("           and {hidden} more"));
        }
        lines.push(self.footer(waiting, counted, rate, now));
        lines.iter().map(|line| truncate_str(line, columns, "…").into_owned()).collect()
    }

    fn footer(&self, waiting: usize, counted: Counters, rate: f64, now: Instant) -> String {
        let Counted { building, built, fresh, failed } = self.counted();
        let counts = [
            (building, "to go"),
            (built, "built"),
            (fresh, "fresh"),
            (failed, "failed"),
            (waiting, "waiting"),
        ];
        let mut parts = worded(&counts);
        if let Some((stage, _)) = self.whole.stage().filter(|_| parts.is_empty()) {
            parts.push(doing(stage).to_owned());
        }
        if counted.bytes_moved > 0 {
            parts.push(format!("{} sent{}", readable(counted.bytes_moved), each_second(rate)));
        }
        let seconds = now.saturating_duration_since(self.begun).as_secs_f64();
        parts.push(time(seconds));
        let head = self.paint(&format!("{:>10}", "ko"), Style::bold);
        format!("{head} {}", parts.join(", "))
    }

    /// The images by what has become of them. One has what it has for all platforms.
    fn counted(&self) -> Counted {
        let mut counted = Counted::default();
        let mut images: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for ((path, _), row) in &self.rows {
            images.entry(path).or_default().push(row);
        }
        for rows in images.values() {
            let any = |is: fn(&Row) -> bool| rows.iter().any(|row| is(row));
            let count = if any(|row| row.failed) {
                &mut counted.failed
            } else if any(|row| row.built == Some(true) && !row.made) {
                &mut counted.building
            } else if any(|row| row.built == Some(true)) {
                &mut counted.built
            } else if any(|row| row.built == Some(false)) {
                &mut counted.fresh
            } else {
                continue;
            };
            *count += 1;
        }
        counted
    }

    /// A line for a run that has failed.
    pub(super) fn rest(&self, counted: Counters, now: Instant) -> String {
        let Counted { building, built, fresh, failed } = self.counted();
        let counts =
            [(built, "built"), (fresh, "fresh"), (failed, "failed"), (building, "not built")];
        self.last(worded(&counts), counted, now)
    }

    /// What has left for the repositories of images, by import path.
    fn sent(&mut self, moved_to: &dyn Fn(&str) -> u64, now: Instant) -> BTreeMap<String, String> {
        let mut sent = BTreeMap::new();
        for ((path, _), row) in &mut self.rows {
            let Some(moved) = row.repository.as_ref().map(|repository| moved_to(repository)) else {
                continue;
            };
            let rate = row.moved.rate(moved, now);
            if moved > 0 {
                sent.insert(path.clone(), readable(moved) + &each_second(rate));
            }
        }
        sent
    }

    /// A line for each image, and one for all.
    pub(super) fn summary(
        &self,
        published: &[Published],
        counted: Counters,
        now: Instant,
    ) -> String {
        let mut text = String::new();
        let (mut built, mut fresh) = (0, 0);
        for image in published {
            let rows: Vec<_> =
                self.rows.iter().filter(|((path, _), _)| *path == image.import_path).collect();
            let is_built = rows.iter().any(|(_, row)| row.built == Some(true));
            let seconds = rows.iter().map(|(_, row)| row.seconds()).fold(0.0, f64::max);
            let size = size(image);
            let word = if is_built {
                built += 1;
                self.paint(&format!("{:>10}", "built"), Style::green)
            } else {
                fresh += 1;
                self.paint(&format!("{:>10}", "fresh"), Style::dim)
            };
            let took = if is_built { format!(" in {}", time(seconds)) } else { String::new() };
            text.push_str(&format!("{word} {} {}{took}\n", image.import_path, readable(size)));
        }
        text.push_str(&self.last(worded(&[(built, "built"), (fresh, "fresh")]), counted, now));
        text
    }

    /// The line below all others.
    fn last(&self, mut parts: Vec<String>, counted: Counters, now: Instant) -> String {
        let seconds = now.saturating_duration_since(self.begun).as_secs_f64();
        let head = self.paint(&format!("{:>10}", "ko"), Style::bold);
        if counted.bytes_sent > 0 {
            parts.push(format!("{} sent", readable(counted.bytes_sent)));
        }
        parts.push(time(seconds));
        format!("{head} {}\n", parts.join(", "))
    }

    fn paint(&self, text: &str, style: impl Fn(Style) -> Style) -> String {
        if self.color {
            style(Style::new().force_styling(true)).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }
}

/// A rate, if there is one.
fn each_second(rate: f64) -> String {
    if rate >= 1.0 { format!(" ({}/s)", readable(rate as u64)) } else { String::new() }
}

/// So many images have come to this.
#[derive(Debug, Default)]
struct Counted {
    building: usize,
    built: usize,
    fresh: usize,
    failed: usize,
}

fn worded(counts: &[(usize, &str)]) -> Vec<String> {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}")).collect()
}

/// The bytes of all layers of an image, each once.
fn size(image: &Published) -> u64 {
    let layers = image.artifact.images().iter().flat_map(|image| &image.layers);
    let sizes: BTreeMap<_, _> =
        layers.map(|layer| (layer.descriptor.digest, layer.descriptor.size)).collect();
    sizes.values().sum()
}

/// The last elements of an import path.
fn short(path: &str) -> &str {
    let mut slashes = path.rmatch_indices('/').map(|(at, _)| at + 1);
    slashes.nth(1).map_or(path, |at| &path[at..])
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1}s"),
        s => format!("{}m{:02}s", (s / 60.0) as u64, s as u64 % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::{Edge, StaleReason, Work};

    use super::*;

    /// A run of so many programs, of which the first is fresh and the last waits.
    fn board(begun: Instant, count: usize) -> Board {
        let mut board = Board::new(begun, false);
        let platform: Platform = "linux/arm64/v8".parse().unwrap();
        for index in 0..count {
            let import_path = format!("example.com/a/long/path/cmd/app{index}");
            if index == 0 {
                board.note(&Event::Fresh { import_path, platform: platform.clone() }, begun);
                continue;
            }
            let at = |seconds| begun + Duration::from_secs(seconds);
            let stale = Event::Stale {
                import_path: import_path.clone(),
                platform: platform.clone(),
                reason: StaleReason::Forced,
            };
            board.note(&stale, begun);
            let uploading =
                Event::Uploading { import_path: import_path.clone(), repository: String::new() };
            if index == 1 {
                board.note(&uploading, at(1));
            }
            let mut turn = |stage, of: Option<&Platform>, edge, now| {
                let import_path = Some(import_path.clone());
                let work = Work { stage, import_path, platform: of.cloned() };
                board.note(&Event::Stage { work, edge }, now);
            };
            turn(Stage::Upload, None, Edge::Begin, at(1));
            if index == count - 1 {
                turn(Stage::Wait, Some(&platform), Edge::Begin, at(1));
                continue;
            }
            turn(Stage::Compile, Some(&platform), Edge::Begin, at(1));
            if index == 1 {
                turn(Stage::Compile, Some(&platform), Edge::End, at(3));
                turn(Stage::Layer, Some(&platform), Edge::Begin, at(3));
                turn(Stage::Layer, Some(&platform), Edge::End, at(4));
            }
        }
        board
    }

    fn view(count: usize, size: (usize, usize)) -> String {
        let begun = Instant::now();
        let mut board = board(begun, count);
        let counted = Counters { bytes_moved: 12_300_000, ..Counters::default() };
        // It is drawn more than once.
        let (begin, end) = (begun + Duration::from_secs(64), begun + Duration::from_secs(65));
        board.lines(size, counted, &|_| 1 << 20, begin);
        let lines = board.lines(size, counted, &|_| 3 << 20, end);
        assert!(lines.iter().all(|line| console::measure_text_width(line) <= size.0), "{lines:?}");
        assert!(lines.len() < size.1.max(2), "{lines:?}");
        lines.join("\n")
    }

    #[test]
    fn one_image() {
        insta::assert_snapshot!(view(1, (80, 24)), @"        ko 1 fresh, 11.7 MiB sent, 1m05s");
    }

    #[test]
    fn some_images() {
        insta::assert_snapshot!(view(4, (80, 24)));
    }

    #[test]
    fn many_images_on_a_small_terminal() {
        insta::assert_snapshot!(view(60, (40, 8)));
    }

    #[test]
    fn a_terminal_of_no_size_is_no_trouble() {
        assert_eq!([(0, 0), (1, 1), (11, 99)].map(|size| view(60, size)), [""; 3]);
        assert!(view(60, (12, 0)).starts_with("        ko "));
    }

    #[test]
    fn paths_are_short_and_times_readable() {
        assert_eq!(["a", "a/b", "a.b/c/d"].map(short), ["a", "a/b", "c/d"]);
        assert_eq!([0.04, 59.9, 60.0, 3_601.0].map(time), ["0.0s", "59.9s", "1m00s", "60m01s"]);
    }
}
