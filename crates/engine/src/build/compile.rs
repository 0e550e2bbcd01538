//! Compiles what is stale. Programs that are built alike go into one `go
//! build`, as many at a time as the memory for their links and the number of open files
//! allow. Each hands
//! its layer on as soon as the binary is installed; the build counts only when
//! `go` has ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cancel::Cancel;
use freshness::{Checker, DepsListing, NotRecorded};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, ready};
use golang::{
    Binary, BuildError, BuildKey, BuildSettings, Go, ImportPath, Member, OutputDir, can_share,
};
use oci::Platform;
use once::blocking;
use store::Store;
use tokio::sync::oneshot;

use super::BuildHandle;
use super::finish::{Awaited, Finisher, Process};
use super::freshness::{Checked, Verdict};
use crate::activity::Activity;
use crate::budget::{BuildBudget, Limits, link_weight};
use crate::events::{Event, Observer, Stage, StageSpan};
use crate::sharing::{Built, OutcomeKey, Sharing};

/// The `go list -deps` listing for the programs of a process, or why there is
/// none.
pub(super) type SharedListing =
    Shared<BoxFuture<'static, Result<Arc<DepsListing>, ListingUnavailable>>>;

/// Why there is no listing.
#[derive(Debug, Clone)]
pub(super) enum ListingUnavailable {
    Cancelled,
    Reason(String),
}

impl From<NotRecorded> for ListingUnavailable {
    fn from(reason: NotRecorded) -> Self {
        match reason {
            NotRecorded::Cancelled => Self::Cancelled,
            reason => Self::Reason(reason.to_string()),
        }
    }
}

impl From<String> for ListingUnavailable {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

/// A program to compile for a platform.
#[derive(Debug)]
pub(crate) struct StaleTarget {
    pub(crate) import_path: ImportPath,
    pub(crate) platform: Platform,
    pub(crate) checked: Arc<Checked>,
    /// What the file of the program is allowed.
    pub(crate) capabilities: Option<[u8; 20]>,
}

/// Starts compilations.
#[derive(Debug)]
pub(super) struct Compiler {
    pub(super) go: Go,
    pub(super) store: Store,
    pub(super) budget: BuildBudget,
    pub(super) limits: Limits,
    pub(super) observer: Observer,
    pub(super) activity: Activity,
    /// Nothing old is believed (`--rebuild`).
    pub(super) rebuild: bool,
    pub(super) cancel: Cancel,
    /// Ends what only serves the record of a build.
    pub(super) recording: Cancel,
    pub(super) files: Arc<Checker>,
    pub(super) finisher: Arc<Finisher>,
    /// The shared caches.
    pub(super) sharing: Option<Arc<Sharing>>,
}

/// One binary to build, and the channels that announce its progress.
struct Job {
    member: Member,
    /// How what it is linked from is found in shared caches.
    key: Option<OutcomeKey>,
    /// Its listing, if that is already known.
    listing: Option<Arc<DepsListing>>,
    /// Those of all images that it is for.
    platforms: Vec<Platform>,
    installed: Mutex<Option<oneshot::Sender<()>>>,
    finished: oneshot::Sender<Result<Binary, BuildError>>,
    process: oneshot::Sender<Process>,
}

/// Jobs that are built alike.
struct Group {
    key: BuildKey,
    checked: Arc<Checked>,
    jobs: Vec<(Job, BuildHandle)>,
}

impl Compiler {
    /// Starts to compile all targets; the handles are in their order. Two
    /// images may share a binary, such as those of two Windows versions.
    pub(super) fn start(self: &Arc<Self>, targets: Vec<StaleTarget>) -> Vec<BuildHandle> {
        if !targets.is_empty() {
            self.activity.begin_work();
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut handles = Vec::new();
        for target in targets {
            let key = BuildKey::new(&self.go, &target.checked.settings);
            let group = match groups.iter().position(|group| group.key == key) {
                Some(position) => &mut groups[position],
                None => {
                    let checked = Arc::clone(&target.checked);
                    groups.push(Group { key: key.clone(), checked, jobs: Vec::new() });
                    groups.last_mut().expect("one was added")
                }
            };
            let same =
                |(job, _): &&mut (Job, BuildHandle)| job.member.import_path == target.import_path;
            let handle = match group.jobs.iter_mut().find(same) {
                Some((job, handle)) => {
                    job.platforms.push(target.platform);
                    handle.clone()
                }
                None => {
                    let (job, handle) = self.job(&key, target);
                    group.jobs.push((job, handle.clone()));
                    handle
                }
            };
            handles.push(handle);
        }
        for group in groups {
            let jobs = group.jobs.into_iter().map(|(job, _)| job).collect();
            for part in self.parts(jobs) {
                let (compiler, checked) = (Arc::clone(self), Arc::clone(&group.checked));
                tokio::spawn(async move { compiler.compile(&checked.settings, part).await });
            }
        }
        handles
    }

    /// A job, and the handle to wait for it.
    fn job(self: &Arc<Self>, key: &BuildKey, target: StaleTarget) -> (Job, BuildHandle) {
        let output =
            OutputDir::new(&self.store.bin(), key, &target.import_path).discarding(self.rebuild);
        let (installed, when_installed) = oneshot::channel();
        let (finished, when_finished) = oneshot::channel();
        let (process, when_process) = oneshot::channel();
        let awaited =
            Awaited { installed: when_installed, finished: when_finished, process: when_process };
        let job = Job {
            member: Member { import_path: target.import_path.clone(), output: output.clone() },
            key: target.checked.wanted.as_ref().map(|wanted| wanted.key.clone()),
            listing: match &target.checked.verdict {
                Verdict::Stale(_, previous) => previous.listing.clone(),
                Verdict::Fresh(_) => None,
            },
            platforms: vec![target.platform.clone()],
            installed: Mutex::new(Some(installed)),
            finished,
            process,
        };
        let (layer, when_layer) = oneshot::channel();
        let finish =
            Arc::clone(&self.finisher).finish(target, output, awaited, layer).boxed().shared();
        // It goes on whether or not somebody waits.
        drop(tokio::spawn(finish.clone()));
        let installed = when_layer.map(Result::ok).boxed().shared();
        (job, BuildHandle { installed, finished: finish })
    }

    /// Divides jobs into processes. The user who allows fewer builds at a time
    /// than there are processors wants just that; a process links as many as
    /// there are.
    fn parts(&self, jobs: Vec<Job>) -> Vec<Vec<Job>> {
        let threads = self.limits.threads.get();
        let alone = self.limits.jobs < threads;
        let (memory, most) = (self.budget.links(), self.limits.programs());
        let mut parts: Vec<Vec<Job>> = Vec::new();
        for job in jobs {
            let fits = |part: &Vec<Job>| {
                let all = || part.iter().chain([&job]);
                part.len() < most
                    && weight(all(), threads) <= memory
                    && can_share(all().map(|job| &job.member.import_path))
            };
            match parts.iter_mut().find(|part| !alone && fits(part)) {
                Some(part) => part.push(job),
                None => parts.push(vec![job]),
            }
        }
        parts
    }

    /// Runs one `go build`.
    async fn compile(self: &Arc<Self>, settings: &BuildSettings, jobs: Vec<Job>) {
        let spans = |stage| -> Vec<StageSpan> {
            let begin = |job: &Job| {
                let path = Some(job.member.import_path.as_str());
                StageSpan::begin(&self.observer, stage, path, job.platforms.first())
            };
            jobs.iter().map(begin).collect()
        };
        let waiting = spans(Stage::Wait);
        if let Some(sharing) = self.sharing.as_ref().filter(|_| !self.rebuild) {
            let keys: Vec<OutcomeKey> = jobs.iter().filter_map(|job| job.key.clone()).collect();
            sharing.fill((&self.go, settings), &keys, self.limits.threads, &self.cancel).await;
        }
        let heap = jobs.iter().map(Job::weight).max().and_then(|most| self.budget.heap(most));
        let share = self.budget.go_build(weight(jobs.iter(), self.limits.threads.get())).await;
        drop(waiting);
        let compiling: Vec<_> = spans(Stage::Compile).into_iter().map(Some).collect();
        for Job { member, platforms, .. } in &jobs {
            for platform in platforms {
                self.observer.emit(Event::Building {
                    import_path: member.import_path.to_string(),
                    platform: platform.clone(),
                });
            }
        }
        let files = Arc::clone(&self.files);
        let started = blocking(move || files.begin_build()).await;
        let members: Vec<Member> = jobs.iter().map(|job| job.member.clone()).collect();
        let unknown = jobs.iter().filter(|job| job.listing.is_none());
        let unknown = unknown.map(|job| job.member.import_path.clone()).collect();
        let asked = self.listing(settings, unknown, started);

        let settings = settings.clone();
        let mut built = Built {
            go: self.go.clone(),
            settings: settings.clone(),
            programs: Vec::new(),
            cancel: self.recording.clone(),
        };
        let mut keys = Vec::new();
        let mut installed = Vec::new();
        let mut finished = Vec::new();
        for job in jobs {
            keys.push((job.member.import_path, job.key));
            installed.push(job.installed);
            finished.push(job.finished);
            // A receiver that has gone away does not need it.
            let listing = job.listing.map_or_else(|| asked.clone(), known);
            let _ = job.process.send(Process { started, listing });
        }
        let (go, cancel) = (self.go.clone().with_heap(heap), self.cancel.clone());
        let build = blocking(move || {
            // What is not announced early ends with the process.
            let compiling = Mutex::new(compiling);
            let announce = |position: usize| {
                drop(compiling.lock().unwrap_or_else(PoisonError::into_inner)[position].take());
                let sender: &Mutex<Option<oneshot::Sender<()>>> = &installed[position];
                let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(sender) = sender {
                    let _ = sender.send(());
                }
            };
            go.build_all(&settings, &members, &cancel, &announce)
        });
        let results = build.await;
        // The next may be compiled while these are compressed.
        drop(share);
        if let Some(sharing) = &self.sharing {
            let done = keys.into_iter().zip(&results).filter(|(_, result)| result.is_ok());
            let program = |((path, key), _)| Some((path, key?));
            built.programs = done.filter_map(program).collect();
            sharing.built(built);
        }
        for (result, finished) in results.into_iter().zip(finished) {
            let _ = finished.send(result);
        }
    }

    /// Starts a listing of programs for their records, if there are any
    /// programs.
    fn listing(
        &self,
        settings: &BuildSettings,
        import_paths: Vec<ImportPath>,
        started: SystemTime,
    ) -> SharedListing {
        let (go, store, cancel) = (self.go.clone(), self.store.clone(), self.recording.clone());
        let settings = settings.clone();
        let any = !import_paths.is_empty();
        let ask = move || {
            let temporary = store.temp_dir().map_err(|error| error.to_string())?;
            let dir = temporary.path();
            let listing = DepsListing::ask(&go, &settings, &import_paths, dir, started, &cancel);
            listing.map_err(ListingUnavailable::from)
        };
        let asked = async move { blocking(ask).await.map(Arc::new) };
        let listing = asked.boxed().shared();
        if any {
            drop(tokio::spawn(listing.clone()));
        }
        listing
    }
}

fn known(listing: Arc<DepsListing>) -> SharedListing {
    ready(Ok(listing)).boxed().shared()
}

/// What the links of a process may take together, in bytes: it runs as many
/// at a time as there are threads.
fn weight<'a>(jobs: impl Iterator<Item = &'a Job>, threads: usize) -> u64 {
    let mut weights: Vec<u64> = jobs.map(Job::weight).collect();
    weights.sort_unstable_by(|one, other| other.cmp(one));
    weights.iter().take(threads).sum()
}

impl Job {
    /// What its link may take, in bytes.
    fn weight(&self) -> u64 {
        let last = self.member.output.binary().metadata().ok();
        link_weight(last.map(|found| found.len()))
    }
}
