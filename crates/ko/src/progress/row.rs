//! Describes one image while it is made.

use std::collections::BTreeMap;
use std::time::Instant;

use engine::{Edge, Stage};

/// What is known of the image of a program for a platform.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Whether its program is built.
    pub(super) built: Option<bool>,
    /// The stages that go on, and since when; how often, as the same may begin twice.
    going: BTreeMap<u8, (Stage, Instant, usize)>,
    /// When anything began, and when the last thing ended.
    begun: Option<Instant>,
    ended: Option<Instant>,
    /// Whether the layer of its program is there.
    pub(super) made: bool,
    /// Whether its program does not compile.
    pub(super) failed: bool,
    /// Where its layers go.
    pub(super) repository: Option<String>,
    pub(super) moved: Moved,
}

/// Bytes that had left, and when that was looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved(Vec<(Instant, u64)>);

impl Moved {
    /// Bytes each second in the last two, now that so many have left.
    pub(super) fn rate(&mut self, moved: u64, now: Instant) -> f64 {
        self.0.push((now, moved));
        self.0.retain(|(at, _)| now.saturating_duration_since(*at).as_secs_f64() < 2.0);
        let (Some((at, first)), true) = (self.0.first(), self.0.len() > 1) else {
            return 0.0;
        };
        let seconds = now.saturating_duration_since(*at).as_secs_f64();
        moved.saturating_sub(*first) as f64 / seconds.max(0.1)
    }
}

impl Row {
    pub(super) fn new() -> Self {
        Self {
            built: None,
            going: BTreeMap::new(),
            begun: None,
            ended: None,
            made: false,
            failed: false,
            repository: None,
            moved: Moved::default(),
        }
    }

    /// A stage begins or ends.
    pub(super) fn turn(&mut self, stage: Stage, edge: Edge, now: Instant) {
        let key = rank(stage);
        match edge {
            Edge::Begin => {
                self.begun.get_or_insert(now);
                self.going.entry(key).or_insert((stage, now, 0)).2 += 1;
            }
            Edge::End => {
                self.ended = Some(now);
                self.made |= stage == Stage::Layer;
                if let Some(entry) = self.going.get_mut(&key) {
                    entry.2 = entry.2.saturating_sub(1);
                    if entry.2 == 0 {
                        self.going.remove(&key);
                    }
                }
            }
        }
    }

    /// The stage to show, and since when it goes on: the one that is furthest.
    pub(super) fn stage(&self) -> Option<(Stage, Instant)> {
        self.going.values().next_back().map(|(stage, since, _)| (*stage, *since))
    }

    /// From the first beginning to the last end.
    pub(super) fn seconds(&self) -> f64 {
        match (self.begun, self.ended) {
            (Some(begun), Some(ended)) => ended.saturating_duration_since(begun).as_secs_f64(),
            _ => 0.0,
        }
    }
}

/// How far a stage is.
fn rank(stage: Stage) -> u8 {
    match stage {
        Stage::List => 0,
        Stage::Base => 1,
        Stage::Freshness => 2,
        Stage::Wait => 3,
        Stage::Kodata => 4,
        Stage::Compile => 5,
        Stage::Layer => 6,
        Stage::Publish => 7,
        Stage::Upload => 8,
    }
}

/// What a stage is called while it goes on.
pub(super) fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::List => "listing",
        Stage::Base => "base",
        Stage::Freshness => "checking",
        Stage::Wait => "waiting",
        Stage::Kodata => "kodata",
        Stage::Compile => "compiling",
        Stage::Layer => "layer",
        Stage::Publish => "publishing",
        Stage::Upload => "uploading",
    }
}
