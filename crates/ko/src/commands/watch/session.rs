//! Runs one round after the other: a change begins one, and cancels the one before.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use engine::{Engine, Observer, Options};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::session::{self, interrupted};
use super::{Failure, Failures, Hearer, Made, Rounds, options};
use crate::cli::ImageArgs;
use crate::deadline::Deadline;
use crate::error::{CommandError, Result};
use crate::failures;
use crate::follower::{Cause, Follower};
use crate::progress::Display;
use crate::signals::{Signal, Signals};
use crate::traces::Traces;
use crate::ui::{self, Marks};

/// Changes that come within so long of each other are one.
const MOMENT: Duration = Duration::from_millis(2);

/// For so long at most a round goes on that has been overtaken.
const LONGEST: Duration = Duration::from_millis(200);

/// A command that goes on.
pub(super) struct Watch<'a, R> {
    pub(super) rounds: &'a R,
    pub(super) image: &'a ImageArgs,
    pub(super) hearer: Hearer,
    /// Shows the round that is under way.
    pub(super) shown: Observer,
    /// Shows those after the first: only what is out of the ordinary.
    pub(super) later: Observer,
    /// The builds of the round that have failed.
    pub(super) failures: Failures,
    /// Of the first round, until it has ended.
    pub(super) display: Option<Display>,
    pub(super) traces: Option<Traces>,
    /// How errors are marked.
    pub(super) marks: Marks,
    pub(super) follower: Follower,
    pub(super) signals: Signals,
    /// The engine of the last round, for what it has learnt.
    pub(super) before: Option<Engine>,
    /// What was handed on last.
    pub(super) last: Option<Made>,
    /// What templates take for now: of the round, and of the last that handed on.
    pub(super) time: Timestamp,
    pub(super) last_time: Option<Timestamp>,
    /// What was said of the last round, if it failed.
    pub(super) error: Option<String>,
    /// Where the configuration may be.
    pub(super) config: Vec<PathBuf>,
    pub(super) work_dir: PathBuf,
}

/// How a round ended.
enum Ended {
    Made(Result<Made>),
    Overtaken,
    Interrupted(Signal),
}

/// The time of the last images, if nothing but the time would make other images now: a
/// round that finds nothing new must not publish for the time alone.
async fn unchanged(
    rounds: &impl Rounds,
    last: Option<&Made>,
    time: Option<Timestamp>,
    before: Option<&Engine>,
) -> Option<Timestamp> {
    let (last, time, before) = (last?, time?, before?);
    let mut options = options(rounds).ok()?;
    options.build.time = time;
    let engine = before.again(options, Observer::new(|_| {})).await.ok()?;
    let plan = rounds.plan(&engine).await.ok()?;
    let known = engine.known(&plan).await.ok()??;
    (known == last.digests()).then_some(time)
}

impl<R: Rounds> Watch<'_, R> {
    /// Does one round after the other.
    pub(super) async fn run(&mut self, first: Options) -> Result<()> {
        let mut cause = Cause::default();
        let mut begun = Some(self.begin(first, &cause).await??);
        // How often in a row a round has been overtaken.
        let mut overtaken = 0;
        let mut greeted = false;
        loop {
            let mut next = Cause::default();
            if let Some(engine) = begun {
                match self.round(&engine, &mut next, overtaken).await {
                    Ended::Made(made) => {
                        overtaken = 0;
                        self.finish(engine, made, &cause, &mut next).await?;
                    }
                    Ended::Overtaken => {
                        engine.cancel();
                        overtaken += 1;
                        self.before = Some(engine);
                        next.extend(cause);
                    }
                    Ended::Interrupted(signal) => {
                        if let Some(display) = self.display.take() {
                            display.end();
                        }
                        Signals::end_process();
                        engine.cancel();
                        return Err(interrupted(signal));
                    }
                }
            }
            while let Some(change) = self.follower.next_noticed() {
                next.add(change);
            }
            if next.is_empty() {
                if !greeted {
                    self.greet();
                    greeted = true;
                }
                next = self.wait().await?;
            }
            cause = next;
            self.follower.renew();
            begun = match options(self.rounds) {
                Ok(options) => self.begin(options, &cause).await?,
                Err(error) => Err(error),
            }
            .inspect_err(|error| self.failed(&cause, error))
            .ok();
        }
    }

    fn greet(&self) {
        let how = if self.follower.polls() { ", which are looked at every second" } else { "" };
        let count = self.follower.count();
        ui::log(&format!("Watching {count} directories for changes{how}"));
    }

    /// Waits for the next change.
    async fn wait(&mut self) -> Result<Cause> {
        let mut cause = Cause::default();
        tokio::select! {
            signal = self.signals.next() => return Err(interrupted(signal)),
            change = self.follower.next() => cause.add(change),
        }
        // An editor makes several of one save.
        let end = Instant::now() + 5 * MOMENT;
        while let Ok(change) = timeout(MOMENT, self.follower.next()).await {
            cause.add(change);
            if Instant::now() > end {
                break;
            }
        }
        Ok(cause)
    }

    /// Starts the engine of a round. The outer error is that of a signal.
    async fn begin(&mut self, mut options: Options, cause: &Cause) -> Result<Result<Engine>> {
        let again = self.before.take().filter(|_| !cause.has_any(&self.config));
        let traces = match Traces::begin(&options, OsStr::new("")) {
            Ok(traces) => traces,
            Err(error) => return Ok(Err(error)),
        };
        self.failures.take();
        self.hearer.replace(traces.observe(self.shown.clone()));
        self.traces = Some(traces);
        let observer = self.hearer.observer();
        let Self { rounds, last, last_time, time, signals, .. } = self;
        let start = async {
            if options.uses_date() {
                let kept = unchanged(*rounds, last.as_ref(), *last_time, again.as_ref()).await;
                options.build.time = kept.unwrap_or(options.build.time);
            }
            *time = options.build.time;
            let started = match &again {
                Some(before) => before.again(options, observer).await,
                None => Engine::start(options, observer).await,
            };
            started.map_err(|error| session::publishing(&error))
        };
        tokio::select! {
            engine = start => {
                if let (Some(display), Ok(engine)) = (&self.display, &engine) {
                    display.begin(engine);
                }
                Ok(engine)
            }
            signal = signals.next() => Err(interrupted(signal)),
        }
    }

    /// Makes the images of a round. Changes that come meanwhile are for the next.
    async fn round(&mut self, engine: &Engine, next: &mut Cause, overtaken: u32) -> Ended {
        let Self { rounds, follower, signals, image, .. } = self;
        let deadline = image.timeout.map(Deadline::begin);
        let late = async {
            match &deadline {
                Some(deadline) => {
                    deadline.passed().await;
                    deadline
                }
                None => std::future::pending().await,
            }
        };
        let moment = (MOMENT * 2u32.saturating_pow(overtaken)).min(LONGEST);
        let (mut work, mut late) = (pin!(rounds.make(engine)), pin!(late));
        // When the round is given up, and when at the latest.
        let mut end: Option<(Instant, Instant)> = None;
        loop {
            let given_up = async {
                match end {
                    Some((end, latest)) => sleep_until(end.min(latest)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                signal = signals.next() => return Ended::Interrupted(signal),
                change = follower.next() => {
                    next.add(change);
                    if next.is_edit() {
                        let now = Instant::now();
                        let latest = end.map_or(now + LONGEST, |(_, latest)| latest);
                        end = Some((now + moment, latest));
                    }
                }
                () = given_up => {
                    // Two that tag at a time might leave the older image tagged.
                    if !engine.is_committing() {
                        return Ended::Overtaken;
                    }
                    end = None;
                }
                made = &mut work => return Ended::Made(made),
                deadline = &mut late => {
                    let waits = engine.under_way();
                    engine.cancel();
                    return Ended::Made(Err(deadline.error(&waits)));
                }
            }
        }
    }

    /// Hands on what a round has made, and follows what it has read.
    async fn finish(
        &mut self,
        engine: Engine,
        made: Result<Made>,
        cause: &Cause,
        next: &mut Cause,
    ) -> Result<()> {
        let failure = match made {
            Ok(made) => {
                self.made(made, cause, &engine).await?;
                None
            }
            Err(error) => {
                self.failed(cause, &error);
                Some(error)
            }
        };
        self.shown = self.later.clone();
        let traces = self.traces.take();
        let places = async {
            engine.settle().await;
            if let Some(traces) = traces {
                traces.finish(engine.counters(), failure.as_ref()).await;
            }
            engine.followed(failure.is_some()).await
        };
        let mut places = tokio::select! {
            places = places => places,
            signal = self.signals.next() => {
                Signals::end_process();
                engine.cancel();
                return Err(interrupted(signal));
            }
        };
        self.config.iter().for_each(|file| places.add(file));
        self.rounds.places(&self.work_dir, &mut places);
        next.more |= self.follower.follow(places, failure.is_some());
        self.before = Some(engine);
        Ok(())
    }

    /// Hands on what was made, unless nobody has asked for it and it is known.
    async fn made(&mut self, made: Made, cause: &Cause, engine: &Engine) -> Result<()> {
        let took = cause.first.map(|first| first.elapsed());
        let last = self.last.as_ref().filter(|last| made.digests() == last.digests());
        let same = last.is_some();
        self.error = None;
        if !cause.is_edit() && last.is_some_and(|last| last.output == made.output) {
            return Ok(());
        }
        let display = self.display.take();
        if let Some(display) = &display {
            display.published(&made.resolved.published, engine.counters());
        }
        let handed = {
            let mut handing = pin!(self.rounds.hand_on(&made));
            tokio::select! {
                handed = &mut handing => handed,
                signal = self.signals.next() => {
                    Signals::end_process();
                    if R::HEARS {
                        // How it ends does not matter any more.
                        let _ = handing.await;
                    }
                    return Err(interrupted(signal));
                }
            }
        };
        if let Some(display) = display {
            display.end();
        }
        match handed {
            Ok(()) => {
                self.last = Some(made);
                self.last_time = Some(self.time);
                if let Some(took) = took {
                    let what = if same { "the same images" } else { "published" };
                    self.tell(cause, &format!("{what} after {:.2}s", took.as_secs_f64()));
                }
                Ok(())
            }
            // Nobody is left to tell.
            Err(error) if error.is_broken_pipe() => Err(error),
            Err(error) => {
                self.failed(cause, &error);
                Ok(())
            }
        }
    }

    /// Says why a round has failed, once.
    fn failed(&mut self, cause: &Cause, error: &CommandError) {
        let failures = self.failures.take();
        let text = Some(error.message().to_owned());
        if !cause.is_edit() && text == self.error {
            return;
        }
        self.error = text;
        if let Some(display) = self.display.take() {
            display.end();
        }
        for Failure { import_path, platform, reason } in failures {
            // The error of the round has that of one.
            if !error.message().ends_with(&reason) {
                failures::told(&reason);
                ui::log(&format!("building {import_path} for {platform} failed: {reason}"));
            }
        }
        ui::fail(error, &self.marks);
        if let Some(first) = cause.first {
            let took = first.elapsed().as_secs_f64();
            let stays = if self.last.is_some() { "; the last image stays" } else { "" };
            self.tell(cause, &format!("failed after {took:.2}s{stays}"));
        }
    }

    fn tell(&self, cause: &Cause, what: &str) {
        ui::log(&format!("{}: {what}", cause.text(&self.work_dir)));
    }
}
