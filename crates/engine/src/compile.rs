//! Compiling what is stale: programs that are built alike go into one `go
//! build`, as many at a time as the memory for their links allows. Whoever
//! waits for one is told as soon as it lies in its place, and again when `go`
//! has ended: only then it counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, ready, try_join_all};
use golang::{
    Binary, BuildError, BuildKey, BuildSettings, ImportPath, Member, NotRecorded, OutputDir,
    Survey, can_share,
};
use oci::Platform;
use tokio::sync::oneshot;

use crate::blocking::blocking;
use crate::budget::link_weight;
use crate::error::BuildFailure;
use crate::event::Event;
use crate::fresh::{Checked, Verdict};
use crate::listing::Program;
use crate::run::Run;
use crate::stage::{Going, Stage};

/// What `go` says of the programs of a process, or why it does not.
pub(crate) type Surveyed = Shared<BoxFuture<'static, Result<Arc<Survey>, Unsurveyed>>>;

/// Why `go` says nothing.
#[derive(Debug, Clone)]
pub(crate) enum Unsurveyed {
    Cancelled,
    Reason(String),
}

impl From<NotRecorded> for Unsurveyed {
    fn from(reason: NotRecorded) -> Self {
        match reason {
            NotRecorded::Cancelled => Self::Cancelled,
            reason => Self::Reason(reason.to_string()),
        }
    }
}

impl From<String> for Unsurveyed {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

/// A program that is being compiled.
#[derive(Debug)]
pub(crate) struct Compiling {
    pub(crate) output: OutputDir,
    /// Ends without a value if the program is not announced early.
    pub(crate) early: oneshot::Receiver<()>,
    /// Ends without a value if the run does.
    pub(crate) done: oneshot::Receiver<Result<Binary, BuildError>>,
    /// What will be known when the process runs.
    pub(crate) run: oneshot::Receiver<Running>,
}

/// A process that builds.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) started: SystemTime,
    pub(crate) survey: Surveyed,
}

/// Programs that are being compiled, until somebody waits for them.
#[derive(Debug, Default)]
pub(crate) struct Compiles(Mutex<HashMap<(BuildKey, ImportPath), Compiling>>);

/// A program that must be compiled, and whoever is to be told.
struct Wanted {
    member: Member,
    /// What `go` would say of it, if that is known.
    survey: Option<Arc<Survey>>,
    /// Those of all images that it is for.
    platforms: Vec<Platform>,
    early: Mutex<Option<oneshot::Sender<()>>>,
    done: oneshot::Sender<Result<Binary, BuildError>>,
    run: oneshot::Sender<Running>,
}

impl Run {
    /// Starts to compile all that is stale, and returns when it is known what
    /// that is. Nothing is started if anything is wrong with a base or with the
    /// settings of a build: whoever makes that image says so.
    pub(crate) async fn compile(self: &Arc<Self>, programs: &[Program]) {
        let Ok(stale) = self.stale(programs).await else { return };
        if !stale.is_empty() {
            self.activity.begin_work();
        }
        let mut groups: Vec<(BuildKey, Arc<Checked>, Vec<Wanted>)> = Vec::new();
        for (import_path, platform, checked) in stale {
            let key = BuildKey::new(&self.go, &checked.settings);
            let same = groups.iter_mut().find(|(other, ..)| *other == key);
            let same = same.and_then(|(.., group)| {
                group.iter_mut().find(|wanted| wanted.member.import_path == import_path)
            });
            // Two images may share a binary, such as those of two Windows versions.
            if let Some(wanted) = same {
                wanted.platforms.push(platform);
                continue;
            }
            let output = OutputDir::new(&self.store.bin(), &key, &import_path)
                .discarding(self.options.rebuild);
            let (early, when_early) = oneshot::channel();
            let (done, when_done) = oneshot::channel();
            let (run, when_run) = oneshot::channel();
            let compiling = Compiling {
                output: output.clone(),
                early: when_early,
                done: when_done,
                run: when_run,
            };
            self.compiles().insert((key.clone(), import_path.clone()), compiling);
            let member = Member { import_path, output };
            let survey = match &checked.verdict {
                Verdict::Stale(_, before) => before.survey.clone(),
                Verdict::Fresh(_) => None,
            };
            let early = Mutex::new(Some(early));
            let wanted = Wanted { member, survey, platforms: vec![platform], early, done, run };
            match groups.iter_mut().find(|(other, ..)| *other == key) {
                Some((.., group)) => group.push(wanted),
                None => groups.push((key, checked, vec![wanted])),
            }
        }
        for (_, checked, group) in groups {
            for part in self.parts(group) {
                let (run, checked) = (Arc::clone(self), Arc::clone(&checked));
                tokio::spawn(async move { run.compile_part(&checked.settings, part).await });
            }
        }
    }

    async fn stale(
        self: &Arc<Self>,
        programs: &[Program],
    ) -> Result<Vec<(ImportPath, Platform, Arc<Checked>)>, BuildFailure> {
        let images = async |program: &Program| {
            let (base, selected) = self.base_of(program).await?;
            self.tell_base(program, &base);
            let images = selected.images().map(|image| async move {
                let platform = image.platform().clone();
                let checked = self.checked(program, &platform).await?;
                Ok::<_, BuildFailure>((program.main.import_path.clone(), platform, checked))
            });
            try_join_all(images).await
        };
        let images = try_join_all(programs.iter().map(images)).await?.into_iter().flatten();
        let stale = images.filter(|(.., checked)| matches!(checked.verdict, Verdict::Stale(..)));
        Ok(stale.collect())
    }

    /// A program that [`compile`](Self::compile) has started with; once.
    pub(crate) fn compiling(&self, key: &BuildKey, import_path: &ImportPath) -> Option<Compiling> {
        self.compiles().remove(&(key.clone(), import_path.clone()))
    }

    fn compiles(&self) -> std::sync::MutexGuard<'_, HashMap<(BuildKey, ImportPath), Compiling>> {
        self.compiles.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Divides programs into processes. The user who allows fewer builds at a
    /// time than there are processors wants just that; a process links as many
    /// as there are.
    fn parts(&self, group: Vec<Wanted>) -> Vec<Vec<Wanted>> {
        let limits = self.options.limits;
        let threads = limits.threads.get();
        let alone = limits.jobs < threads;
        let memory = self.budget.links();
        let mut parts: Vec<Vec<Wanted>> = Vec::new();
        for wanted in group {
            let fits = |part: &Vec<Wanted>| {
                let all = || part.iter().chain([&wanted]);
                let mut weights: Vec<u64> = all().map(Wanted::weight).collect();
                weights.sort_unstable_by(|one, other| other.cmp(one));
                weights.iter().take(threads).sum::<u64>() <= memory
                    && can_share(all().map(|wanted| &wanted.member.import_path))
            };
            match parts.iter_mut().find(|part| !alone && fits(part)) {
                Some(part) => part.push(wanted),
                None => parts.push(vec![wanted]),
            }
        }
        parts
    }

    /// One `go build`.
    async fn compile_part(self: &Arc<Self>, settings: &BuildSettings, part: Vec<Wanted>) {
        let mut weights: Vec<u64> = part.iter().map(Wanted::weight).collect();
        weights.sort_unstable_by(|one, other| other.cmp(one));
        let weight = weights.iter().take(self.options.limits.threads.get()).sum();
        let stages = |stage| -> Vec<Going> {
            let begin = |wanted: &Wanted| {
                self.stage(stage, Some(&wanted.member.import_path), wanted.platforms.first())
            };
            part.iter().map(begin).collect()
        };
        let waiting = stages(Stage::Wait);
        let share = self.budget.go_build(weight).await;
        drop(waiting);
        let compiling: Vec<_> = stages(Stage::Compile).into_iter().map(Some).collect();
        for Wanted { member, platforms, .. } in &part {
            for platform in platforms {
                self.observer.tell(Event::Building {
                    import_path: member.import_path.to_string(),
                    platform: platform.clone(),
                });
            }
        }
        let started = SystemTime::now();
        let members: Vec<Member> = part.iter().map(|wanted| wanted.member.clone()).collect();
        let unknown: Vec<ImportPath> = part
            .iter()
            .filter(|wanted| wanted.survey.is_none())
            .map(|wanted| wanted.member.import_path.clone())
            .collect();
        let asked = self.survey(settings, unknown, started);

        let (run, settings) = (Arc::clone(self), settings.clone());
        let mut early = Vec::new();
        let mut done = Vec::new();
        for wanted in part {
            early.push(wanted.early);
            done.push(wanted.done);
            // Whoever no longer waits has no use for it.
            let survey = wanted.survey.map_or_else(|| asked.clone(), known);
            let _ = wanted.run.send(Running { started, survey });
        }
        let build = blocking(move || {
            // What is not announced early ends with the process.
            let compiling = Mutex::new(compiling);
            let installed = |position: usize| {
                drop(compiling.lock().unwrap_or_else(PoisonError::into_inner)[position].take());
                let early: &Mutex<Option<oneshot::Sender<()>>> = &early[position];
                let sender = early.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(sender) = sender {
                    let _ = sender.send(());
                }
            };
            run.go.build_all(&settings, &members, &run.cancel, &installed)
        });
        let results = build.await;
        // The next may be compiled while these are compressed.
        drop(share);
        for (result, done) in results.into_iter().zip(done) {
            let _ = done.send(result);
        }
    }

    /// Starts to ask what `go` says of programs, for their records, if there
    /// are any.
    fn survey(
        self: &Arc<Self>,
        settings: &BuildSettings,
        import_paths: Vec<ImportPath>,
        started: SystemTime,
    ) -> Surveyed {
        let (run, settings) = (Arc::clone(self), settings.clone());
        let any = !import_paths.is_empty();
        let ask = move || {
            let temporary = run.store.temp_dir().map_err(|error| error.to_string())?;
            let (go, dir, cancel) = (&run.go, temporary.path(), &run.recording);
            let survey = Survey::make(go, &settings, &import_paths, dir, started, cancel);
            survey.map_err(Unsurveyed::from)
        };
        let asked = async move { blocking(ask).await.map(Arc::new) };
        let survey = asked.boxed().shared();
        if any {
            drop(tokio::spawn(survey.clone()));
        }
        survey
    }
}

fn known(survey: Arc<Survey>) -> Surveyed {
    ready(Ok(survey)).boxed().shared()
}

impl Wanted {
    /// What its link may take, in bytes.
    fn weight(&self) -> u64 {
        let last = self.member.output.binary().metadata().ok();
        link_weight(last.map(|found| found.len()))
    }
}
