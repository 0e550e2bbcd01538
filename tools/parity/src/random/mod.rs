//! `--random N`: cases that nobody thought of, composed of flags,
//! configuration and fixtures. One that finds a difference is made as small
//! as it can be, and printed as the case that it is.

mod draw;
mod pool;
mod rule;

use crate::Programs;
use crate::case::Case;
use crate::compare::Finding;
use crate::engine::Engine;
use crate::run::Scene;
use crate::suite;
use draw::Draw;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use testkit::registry::TestRegistry;
use toolkit::{Error, Result};

/// Where ko gave up: the phrase of its message that ours has to say too.
const STAGES: [&str; 9] = [
    "validating options: ",
    "error creating builder: ",
    "error creating publisher: ",
    "unknown flag: ",
    "qualifying local import",
    "is not supported: ",
    "error building \"",
    "error publishing ",
    "",
];

/// What came of a case.
struct Outcome {
    seed: u64,
    failed: bool,
    /// Differences that no rule names, and the smallest draw that has some.
    found: Option<(Draw, Vec<Finding>)>,
    /// How often each rule named a difference.
    named: BTreeMap<&'static str, usize>,
}

/// Runs `count` cases; the seed of each is one more than that of the one
/// before, so that one can be run again alone.
pub(crate) fn run(count: u64, seed: u64, programs: &Programs, jobs: usize) -> Result<()> {
    let next = AtomicU64::new(0);
    let (sender, outcomes) = mpsc::channel();
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let registry = TestRegistry::start();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let outcome = one(seed.wrapping_add(number), &registry, programs);
                    if sender.send(outcome).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        outcomes.iter().inspect(show).collect()
    });
    sum_up(&outcomes)
}

fn one(seed: u64, registry: &TestRegistry, programs: &Programs) -> Outcome {
    let draw = Draw::new(seed);
    let mut named = BTreeMap::new();
    let (case, found) = differences(&draw, registry, programs, &mut named);
    let failed = !case.fails.is_empty();
    if found.is_empty() {
        return Outcome { seed, failed, found: None, named };
    }
    let first = found[0].field.clone();
    // What is left has to show the same, and not something else.
    let still = |draw: &Draw| {
        let (_, found) = differences(draw, registry, programs, &mut BTreeMap::new());
        found.iter().any(|finding| finding.field == first).then_some(found)
    };
    let found = draw.shrink(found, still);
    Outcome { seed, failed, found: Some(found), named }
}

/// Runs a draw; returns its case, with what ko said if it failed, and the
/// differences that no rule names.
fn differences(
    draw: &Draw,
    registry: &TestRegistry,
    programs: &Programs,
    named: &mut BTreeMap<&'static str, usize>,
) -> (Case, Vec<Finding>) {
    let mut case = draw.case();
    let engine = Engine::default();
    let scene = Scene::new(&case, registry, &engine);
    let mut sandbox = scene.sandbox(&programs.ko);
    sandbox.unset("KOCACHE");
    let run = scene.run(&sandbox);
    drop(scene);
    if run.code != Some(0) {
        let stage = STAGES.into_iter().find(|stage| run.stderr.contains(stage));
        case.fails.push(stage.expect("the last is in every text"));
    }
    let mut found = suite::one(&case, registry, &engine, programs, false).findings;
    found.retain(|finding| match rule::of(draw, &case, finding) {
        Some(rule) => {
            *named.entry(rule).or_default() += 1;
            false
        }
        None => true,
    });
    (case, found)
}

fn show(outcome: &Outcome) {
    let Outcome { seed, failed, found, .. } = outcome;
    match found {
        None => println!("ok   {seed}{}", if *failed { " (both fail)" } else { "" }),
        Some((draw, found)) => {
            println!("FAIL {seed}, made smaller:\n{draw}");
            found.iter().take(suite::SHOWN).for_each(|finding| print!("{finding}"));
        }
    }
}

fn sum_up(outcomes: &[Outcome]) -> Result<()> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for (rule, times) in outcomes.iter().flat_map(|outcome| &outcome.named) {
        *named.entry(rule).or_default() += times;
    }
    println!("\ndifferences that are meant:");
    for (rule, times) in named {
        println!("  {times:>5}  {rule}");
    }
    let failed = outcomes.iter().filter(|outcome| outcome.failed).count();
    let found: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.found.is_some())
        .map(|outcome| outcome.seed.to_string())
        .collect();
    let all = outcomes.len();
    println!("\nrandom: {} of {all} cases equal, {failed} of them fail", all - found.len());
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::Found(format!("ours differs from ko with the seeds {}", found.join(", "))))
}
