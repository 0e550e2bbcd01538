//! Runs cases on several threads, each with a registry of its own, and tells
//! what came of them.

use crate::Programs;
use crate::breakage::{self, Breakage};
use crate::case::Case;
use crate::compare::{Finding, Memory, compare};
use crate::edit::Broken;
use crate::engine::Engine;
use crate::observe::observe;
use crate::run::{Run, Scene};
use crate::sbom::rule::Tool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use testkit::registry::TestRegistry;
use toolkit::{Error, Result};

/// So many differences of a case are shown: an image that is missing has more
/// fields than anybody reads.
pub(crate) const SHOWN: usize = 12;

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    case: &'a Case,
    pub(crate) findings: Vec<Finding>,
    /// The mistakes made on purpose, and whether they were noticed.
    mistakes: Vec<(&'static Breakage, Noticed)>,
    took: Duration,
}

/// What the comparison said to a mistake.
#[derive(Debug)]
enum Noticed {
    /// It was reported: the field, or the note on it.
    Yes(String),
    /// Nothing was, or only something else.
    No(Vec<String>),
}

/// Runs all cases and, if wanted, makes all mistakes that they can notice.
pub(crate) fn run(cases: &[Case], programs: &Programs, jobs: usize, breakages: bool) -> Result<()> {
    let begun = Instant::now();
    let (next, engine) = (AtomicUsize::new(0), Engine::default());
    let (sender, outcomes) = mpsc::channel();
    let outcomes: Vec<Outcome<'_>> = std::thread::scope(|scope| {
        for _ in 0..jobs.min(cases.len()) {
            let (sender, next, engine) = (sender.clone(), &next, &engine);
            scope.spawn(move || {
                let registry = TestRegistry::start();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = one(case, &registry, engine, programs, breakages);
                    if sender.send(outcome).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        outcomes.iter().inspect(show).collect()
    });
    sum_up(&outcomes, begun.elapsed(), breakages)
}

/// Runs a case with both tools, ours twice, and makes the mistakes.
pub(crate) fn one<'a>(
    case: &'a Case,
    registry: &TestRegistry,
    engine: &Engine,
    programs: &Programs,
    breakages: bool,
) -> Outcome<'a> {
    let begun = Instant::now();
    let scene = Scene::new(case, registry, engine);
    let mut sandbox = scene.sandbox(&programs.ko);
    // With it ko uploads blobs of the base that it would mount otherwise.
    if !case.env.iter().any(|(name, _)| *name == "KOCACHE") {
        sandbox.unset("KOCACHE");
    }
    let ko = observe(&scene, &scene.run(&sandbox), Tool::Ko);
    let sandbox = scene.sandbox(&programs.ours);
    let run = scene.run(&sandbox);
    // What the case only names was pushed, and so built, before.
    let memory = if case.pushed_by.is_some() { Memory::Same } else { Memory::None };
    let see = |run: &Run| observe(&scene, run, Tool::Ours);
    let mut findings = compare(&scene, &ko, &see(&run), memory);
    let found = findings.clone();
    let pushed = registry.snapshot();
    if case.fails.is_empty() {
        let again = compare(&scene, &ko, &see(&scene.run(&sandbox)), Memory::Same);
        let again = again.into_iter().filter(|finding| !found.contains(finding));
        findings.extend(again.map(|finding| finding.note("with our cache filled")));
    }

    let mut mistakes = Vec::new();
    for breakage in breakage::all().filter(|breakage| breakages && breakage.case == case.name) {
        registry.restore(&pushed);
        let mut broken = Broken::new(&scene, run.clone());
        (breakage.apply)(&mut broken);
        let mut caused = compare(&scene, &ko, &see(&broken.run), memory);
        caused.retain(|finding| !found.contains(finding));
        mistakes.push((breakage, noticed(breakage, &caused)));
    }
    Outcome { case, findings, mistakes, took: begun.elapsed() }
}

fn noticed(breakage: &Breakage, found: &[Finding]) -> Noticed {
    let told = found.iter().flat_map(|one| std::iter::once(&one.field).chain(&one.notes));
    match told.clone().find(|text| text.contains(breakage.reported)) {
        Some(text) => Noticed::Yes(text.clone()),
        None => Noticed::No(told.cloned().collect()),
    }
}

fn show(outcome: &Outcome<'_>) {
    let word = if outcome.findings.is_empty() { "ok  " } else { "FAIL" };
    println!("{word} {} ({:.1} s)", outcome.case.name, outcome.took.as_secs_f64());
    for finding in outcome.findings.iter().take(SHOWN) {
        print!("{finding}");
    }
    if let Some(more) = outcome.findings.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        println!("    ... and {more} more");
    }
}

fn sum_up(outcomes: &[Outcome<'_>], took: Duration, breakages: bool) -> Result<()> {
    let mistakes: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.mistakes).collect();
    let mut missed = 0;
    if breakages {
        println!("\nmistakes made on purpose, and where they were noticed:");
        for (breakage, noticed) in &mistakes {
            match noticed {
                Noticed::Yes(text) => {
                    let text: String = text.chars().take(80).collect();
                    println!("  {:<44} {text}", breakage.name);
                }
                Noticed::No(others) => {
                    missed += 1;
                    println!("  {:<44} NOT NOTICED; instead: {others:?}", breakage.name);
                }
            }
        }
    }
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| !outcome.findings.is_empty())
        .map(|outcome| outcome.case.name.as_str())
        .collect();
    let named: usize = outcomes.iter().map(|outcome| outcome.case.differences.len()).sum();
    println!(
        "\nparity: {} of {} cases equal, {named} differences meant, {} of {} mistakes noticed, {:.0} s",
        outcomes.len() - failed.len(),
        outcomes.len(),
        mistakes.len() - missed,
        mistakes.len(),
        took.as_secs_f64(),
    );
    match (failed.as_slice(), missed) {
        ([], 0) => Ok(()),
        ([], missed) => Err(Error::Found(format!("{missed} mistakes went unnoticed"))),
        (failed, _) => Err(Error::Found(format!("ours differs from ko in {}", failed.join(", ")))),
    }
}
