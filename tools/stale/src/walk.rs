//! A leg of the walk: the next change, the builds, and what must hold.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use testkit::base::{Fixture, Image, Index};
use testkit::trace::Trace;

use crate::change::{self, Act, Change, DURING, pause};
use crate::contender::{Contender, Outcome, Ran};
use crate::fault;
use crate::report::Report;
use crate::workspace::{Toolchain, Workspace};
use crate::{LEG, Options};
use toolkit::{Error, Result};

/// One of so many steps changes nothing.
const NOTHING: usize = 6;

/// One of so many steps is built by ko as well.
const KO: usize = 8;

/// What a step is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Makes a change; its effect is counted.
    Apply,
    /// Before one, or after it.
    Around,
    /// While ours runs.
    During,
    Nothing,
}

/// A step that is to come.
#[derive(Clone, Copy, Debug)]
struct Step {
    name: &'static str,
    kind: Kind,
    act: Option<Act>,
}

/// What is dealt.
#[derive(Clone, Copy, Debug)]
enum Card {
    Change(Change),
    During(&'static str, Act),
    Nothing,
}

/// A leg.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) workspace: Workspace,
    toolchain: &'a Toolchain,
    pub(crate) ours: Contender,
    oracle: Contender,
    ko: Option<Contender>,
    options: &'a Options,
    deck: Vec<Card>,
    next: VecDeque<Step>,
    /// What the oracle came to last, unless the workspace was changed since.
    expected: Option<Outcome>,
    /// Whether all that was built last is recorded.
    recorded: bool,
    history: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        options: &'a Options,
        (ours, shared): (&Path, Option<&Path>),
        toolchain: &'a Toolchain,
        (leg, apart): (u64, u64),
    ) -> Result<Self> {
        let rng = fastrand::Rng::with_seed(options.seed * 1_000_003 + leg * LEG + apart * 7919);
        // The bases are in the registry of ours, for all.
        let mut ours = Contender::ours(ours)?;
        let workspace = Workspace::new(rng, &toolchain.root, ours.registry.host())?;
        let oracle = Contender::ours(ours.program())?;
        ours.keep_cache(workspace.root().join("kocache"));
        if let Some(shared) = shared {
            ours.share_cache(shared.to_owned());
        }
        Ok(Self {
            workspace,
            toolchain,
            ours,
            oracle,
            ko: options.ko.as_deref().map(Contender::ko).transpose()?,
            options,
            deck: Vec::new(),
            next: VecDeque::new(),
            expected: None,
            recorded: false,
            history: Vec::new(),
        })
    }

    /// Keeps the workspace, to be looked at.
    pub(crate) fn keep(self) -> PathBuf {
        self.workspace.keep()
    }

    /// Makes one step.
    pub(crate) fn step(&mut self, number: u64, report: &mut Report) -> Result<()> {
        let step = self.take()?;
        self.history.push(format!("{number} {:?}: {}", step.kind, step.name));
        if self.options.show {
            println!("{}", self.history.last().expect("it was just pushed"));
        }
        let done = self.make(step, report);
        done.map_err(|error| {
            let from = self.history.len().saturating_sub(12);
            Error::Found(format!("{error}\nthe last steps:\n{}", self.history[from..].join("\n")))
        })
    }

    fn make(&mut self, step: Step, report: &mut Report) -> Result<()> {
        if let (Kind::Apply | Kind::Around, Some(act)) = (step.kind, step.act) {
            act(&mut self.workspace)?;
        }
        for (name, number) in std::mem::take(&mut self.workspace.bases) {
            base(number).push(&self.ours.registry, name, "latest");
        }
        let witnesses = if self.options.faults {
            fault::before(&mut self.workspace, &self.ours, self.toolchain, report)?
        } else {
            Vec::new()
        };
        if let (Kind::During, Some(act)) = (step.kind, step.act) {
            return self.during(act);
        }
        if self.workspace.is_dated() {
            // Within a second, two dates are one.
            thread::sleep(Duration::from_secs(1));
        }
        let before = self.expected.take();
        let nothing = matches!(step.kind, Kind::Nothing) && before.is_some();
        let (ours, expected) = if nothing {
            (self.unchanged(report)?, before.clone().expect("it is some"))
        } else {
            if self.options.shared && self.workspace.rng.bool() {
                self.ours.forget();
            }
            self.both()?
        };
        report.shared += ours.stderr.matches(" is in the shared cache ").count() as u64;
        self.recorded = is_recorded(&ours);
        report.untouched += u64::from(!nothing && ours.stderr.contains(" is fresh"));
        if self.workspace.is_dated() {
            return match ours.outcome.code {
                Some(0) if ours.stderr.contains(" is fresh") => {
                    Err(Error::Found("a program with the date of its build is fresh".to_owned()))
                }
                _ => Ok(()),
            };
        }
        for witness in &witnesses {
            report.refused += u64::from(is_refusal(witness));
            if witness.outcome != expected && !is_refusal(witness) {
                let text = format!("at a fault: {witness:#?}\nthe oracle: {expected:#?}");
                return Err(Error::Found(text));
            }
        }
        let mut ours = ours;
        if ours.outcome != expected && self.options.faults && is_refusal(&ours) {
            report.refused += 1;
            ours = self.ours.build(&self.workspace, self.toolchain, &[])?;
        }
        report.compared += 1;
        report.failed += u64::from(expected.images.is_empty());
        if ours.outcome != expected {
            let text = format!("ours: {ours:#?}\nthe oracle: {expected:#?}\n{}", ours.stderr);
            return Err(Error::Found(text));
        }
        if !nothing && self.workspace.rng.usize(..KO) == 0 {
            self.compare_with_ko(&ours, report)?;
        }
        if let (Kind::Apply, Some(before)) = (step.kind, before) {
            report.count(step.name, before != expected);
        }
        self.expected = Some(expected);
        Ok(())
    }

    /// The next step.
    fn take(&mut self) -> Result<Step> {
        loop {
            if let Some(step) = self.next.pop_front() {
                return Ok(step);
            }
            let nothing = Step { name: "nothing", kind: Kind::Nothing, act: None };
            match self.deal() {
                Card::Nothing => self.next.push_back(nothing),
                Card::During(name, act) => {
                    self.next.push_back(Step { name, kind: Kind::During, act: Some(act) });
                    self.next.push_back(Step { name, kind: Kind::Around, act: None });
                }
                Card::Change(Change { name, prepare, apply, undo, .. }) => {
                    if let Some(prepare) = prepare
                        && prepare(&mut self.workspace)?
                    {
                        self.next.push_back(Step { name, kind: Kind::Around, act: None });
                    }
                    self.next.push_back(Step { name, kind: Kind::Apply, act: Some(apply) });
                    if self.workspace.rng.usize(..NOTHING) == 0 {
                        self.next.push_back(nothing);
                    }
                    if undo.is_some() {
                        self.next.push_back(Step { name, kind: Kind::Around, act: undo });
                    }
                }
            }
        }
    }

    /// Each card once, then all again.
    fn deal(&mut self) -> Card {
        if self.deck.is_empty() {
            let named = |name: &str| name.contains(&self.options.change);
            let changes = change::all().into_iter().filter(|change| named(change.name));
            self.deck.extend(changes.map(Card::Change));
            let during = DURING.into_iter().filter(|(name, _)| named(name));
            self.deck.extend(during.map(|(name, act)| Card::During(name, act)));
            let nothing = self.deck.len() / NOTHING + 1;
            self.deck.extend(std::iter::repeat_n(Card::Nothing, nothing));
            self.workspace.rng.shuffle(&mut self.deck);
        }
        self.deck.pop().expect("there is a card at least")
    }

    /// Ours and the oracle at once: neither changes what the other reads.
    fn both(&self) -> Result<(Ran, Outcome)> {
        let Self { workspace, toolchain, .. } = self;
        thread::scope(|scope| {
            let oracle = scope.spawn(|| self.oracle.build(workspace, toolchain, &[]));
            let ours = self.ours.build(workspace, toolchain, &[])?;
            let oracle = oracle.join().expect("building does not panic")?;
            Ok((ours, oracle.outcome))
        })
    }

    /// Ours where nothing was changed, with its processes counted.
    fn unchanged(&self, report: &mut Report) -> Result<Ran> {
        let Self { workspace, toolchain, .. } = self;
        let trace = Trace::new(workspace.root().join("trace"));
        let ran = self.ours.build(workspace, toolchain, &trace.words())?;
        let known = self.recorded && ran.outcome.code == Some(0) && !workspace.is_never_fresh();
        if !known || self.options.faults {
            return Ok(ran);
        }
        let counts = trace.started();
        let of = |name: &str| counts.get(name).copied().unwrap_or_default();
        let (go, mut git) = workspace.allowance();
        // Where the layer is at the destination alone, outcomes of other commits are
        // looked at, which may be of another repository.
        if ran.stderr.contains(" is in the shared cache ") {
            git = usize::MAX;
        }
        if of("go") > go || of("git") > git {
            let text = format!("nothing has changed, and it ran {counts:?}\n{}", ran.stderr);
            return Err(Error::Found(text));
        }
        report.fresh += 1;
        Ok(ran)
    }

    /// Changes the workspace at some time while ours runs. What comes of that
    /// build is not known; what comes of the next is.
    fn during(&mut self, act: Act) -> Result<()> {
        // Else it would be over at once.
        change::edit(&mut self.workspace)?;
        let child = self.ours.start(&self.workspace, self.toolchain)?;
        pause(&mut self.workspace);
        act(&mut self.workspace)?;
        let output = child.wait_with_output();
        let _ = output.map_err(|source| Error::Start { command: "ko".to_owned(), source })?;
        self.expected = None;
        Ok(())
    }

    fn compare_with_ko(&self, ours: &Ran, report: &mut Report) -> Result<()> {
        let Some(ko) = &self.ko else { return Ok(()) };
        if self.workspace.is_beyond_ko() {
            return Ok(());
        }
        let theirs = ko.build(&self.workspace, self.toolchain, &[])?;
        report.with_ko += 1;
        if theirs.outcome.comparable() == ours.outcome.comparable() {
            return Ok(());
        }
        let outcome = &theirs.outcome;
        let (said, heard) = (&theirs.stderr, &ours.stderr);
        Err(Error::Found(format!("ours: {ours:#?}\nko: {outcome:#?}\n{said}\nours:\n{heard}")))
    }
}

fn is_recorded(ran: &Ran) -> bool {
    ran.outcome.code == Some(0) && !ran.stderr.contains(" will be built again: ")
}

/// Ended with an error of its own, and not by chance.
fn is_refusal(ran: &Ran) -> bool {
    ran.outcome.code == Some(1) && ran.stderr.contains("rror: ")
}

fn base(number: u32) -> Fixture {
    let image = |platform| Image::oci(platform).env(&format!("NUMBER={number}")).layers(1, 1000);
    Index::oci().image(image("linux/amd64")).image(image("linux/arm64")).build()
}
