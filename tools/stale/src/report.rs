//! What a walk has seen, by kind of change.

use std::collections::BTreeMap;

use crate::{Options, change};
use toolkit::{Error, Result};

/// Counts.
#[derive(Debug, Default)]
struct Count {
    steps: u64,
    altered: u64,
}

/// The counts of a walk.
#[derive(Debug)]
pub(crate) struct Report {
    counts: BTreeMap<&'static str, Count>,
    /// Those that must alter the image.
    altering: Vec<&'static str>,
    seed: u64,
    go: String,
    pub(crate) compared: u64,
    pub(crate) with_ko: u64,
    /// Steps that changed nothing and were fresh.
    pub(crate) fresh: u64,
    /// Steps at which nothing could be built.
    pub(crate) failed: u64,
    /// Programs that were not built, though something had changed.
    pub(crate) untouched: u64,
    /// Runs that failed on a damaged cache, and were right the next time.
    pub(crate) refused: u64,
    /// Programs that came from a shared cache.
    pub(crate) shared: u64,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    complete: bool,
}

/// Steps of one kind, some of which alter the image.
const ENOUGH: u64 = 3;

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let all = change::all();
        let altering: Vec<_> =
            all.iter().filter(|change| change.alters).map(|change| change.name).collect();
        Self {
            counts: BTreeMap::new(),
            complete: options.steps.saturating_sub(options.from) >= 10 * all.len() as u64
                && options.change.is_empty(),
            altering,
            seed: options.seed,
            go: options.go.clone(),
            compared: 0,
            with_ko: 0,
            fresh: 0,
            failed: 0,
            untouched: 0,
            refused: 0,
            shared: 0,
            faults: BTreeMap::new(),
        }
    }

    /// A change was made; whether the image is another one.
    pub(crate) fn count(&mut self, name: &'static str, altered: bool) {
        let count = self.counts.entry(name).or_default();
        count.steps += 1;
        count.altered += u64::from(altered);
    }

    /// One line for all.
    pub(crate) fn line(&self, step: u64) -> String {
        let faults: u64 = self.faults.values().sum();
        format!(
            "go {}, seed {}, step {step}: {} compared, {} of them with ko, {} of them no image; {} \
             unchanged and fresh; {} fresh after a change; {faults} faults, {} of them refused; {} from the shared cache",
            self.go,
            self.seed,
            self.compared,
            self.with_ko,
            self.failed,
            self.fresh,
            self.untouched,
            self.refused,
            self.shared,
        )
    }

    /// The table.
    pub(crate) fn show(&self) {
        println!("{:56} {:>6} {:>8}", "change", "steps", "altered");
        for (name, Count { steps, altered }) in &self.counts {
            println!("{name:56} {steps:6} {altered:8}");
        }
        for (name, times) in &self.faults {
            println!("{:56} {times:6}", format!("fault: {name}"));
        }
    }

    /// Every kind of change that must be seen in the image was seen there. One
    /// step of a kind proves nothing: a workspace that does not build hides it.
    pub(crate) fn verdict(&self) -> Result<()> {
        let unseen = |name: &&&str| match self.counts.get(**name) {
            Some(count) => count.altered == 0 && count.steps >= ENOUGH,
            None => self.complete,
        };
        let unseen: Vec<&str> = self.altering.iter().filter(unseen).copied().collect();
        if unseen.is_empty() {
            return Ok(());
        }
        Err(Error::Found(format!("never altered the image: {}", unseen.join(", "))))
    }
}
