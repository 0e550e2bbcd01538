//! Builds with `go`: the parts of it, put together.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ::freshness::Checker;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use golang::{Argument, Environment, FindError, Go, ProgramFacts, Template, Uses};
use layer::{Compressor, Layer};
use oci::{Platform, PlatformMatcher};
use once::{OnceMap, blocking};
use store::Store;

use super::compile::{Compiler, StaleTarget};
use super::debugger::{self, DebugOptions, Debugger};
use super::error::{BuildFailure, ListingError};
use super::files::{FilesPlanner, PlannedFiles};
use super::finish::Finisher;
use super::flags::Expander;
use super::followed::Followed;
use super::freshness::{Checked, Freshness, UnprovenGo};
use super::kodata::SharedKodata;
use super::layers::{KodataLayer, Layers};
use super::listing::{Lister, Memory};
use super::missing::MissingGo;
use super::options::BuildOptions;
use super::outcomes::Outcomes;
use super::prebuilt::{PrebuiltBuilder, Prebuilts};
use super::program::Program;
use super::recorder::Recorder;
use super::settings::Settings;
use super::{BuildHandle, Builder, LookUp};
use crate::activity::Activity;
use crate::budget::{Budget, Limits};
use crate::cancellation::Cancellation;
use crate::events::{Observer, Stage, StageSpan};
use crate::image::DebuggerLayer;
use crate::libraries::CheckLibraries;
use crate::sharing::Sharing;

/// Builds with `go`.
#[derive(Debug)]
struct GoBuilder {
    lister: Lister,
    settings: Arc<Settings>,
    files: Arc<FilesPlanner>,
    freshness: Arc<Freshness>,
    compiler: Arc<Compiler>,
    layers: Arc<Layers>,
    debugger: Option<Debugger>,
    recorder: Arc<Recorder>,
    observer: Observer,
    sharing: Option<Arc<Sharing>>,
}

/// The dependencies of a [`GoBuilder`].
#[derive(Debug)]
pub(crate) struct BuilderParts {
    pub(crate) store: Store,
    pub(crate) work_dir: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) options: BuildOptions,
    /// What templates look at.
    pub(crate) uses: Uses,
    pub(crate) platforms: PlatformMatcher,
    pub(crate) debug: Option<DebugOptions>,
    pub(crate) rebuild: bool,
    pub(crate) needs_info: bool,
    pub(crate) kodata_created: i64,
    pub(crate) kodata_root: Option<PathBuf>,
    pub(crate) compressor: Compressor,
    /// How the compressor compresses.
    pub(crate) compression: String,
    pub(crate) budget: Budget,
    pub(crate) limits: Limits,
    pub(crate) observer: Observer,
    pub(crate) activity: Activity,
    pub(crate) cancellation: Cancellation,
    /// Who wants to know what is read.
    pub(crate) followed: Option<Arc<Followed>>,
    /// The shared caches.
    pub(crate) sharing: Option<Arc<Sharing>>,
}

/// The builder of a run.
pub(crate) fn builder(go: Result<Go, FindError>, mut parts: BuilderParts) -> Arc<dyn Builder> {
    let go = go.map_err(Arc::new);
    let options = std::mem::take(&mut parts.options);
    let prebuilts = Prebuilts::new(
        &parts.work_dir,
        &parts.environment,
        &options.builds,
        options.prebuilt.as_ref(),
    );
    let settings = Arc::new(Settings {
        expander: Expander {
            go: go.clone(),
            work_dir: parts.work_dir.clone(),
            environment: parts.environment.clone(),
            time: options.time,
            observer: parts.observer.clone(),
            cancel: parts.cancellation.work.clone(),
            uses: parts.uses,
            go_env: OnceMap::new(),
            git: OnceMap::new(),
            followed: parts.followed.clone(),
        },
        options,
        environment: parts.environment.clone(),
    });
    let layers = Arc::new(Layers {
        store: parts.store.clone(),
        compressor: parts.compressor.clone(),
        budget: parts.budget.layers.clone(),
        observer: parts.observer.clone(),
        activity: parts.activity.clone(),
        cancel: parts.cancellation.work.clone(),
        kodata_created: parts.kodata_created,
        kodata_root: parts.kodata_root.clone(),
        needs_info: parts.needs_info,
        kodata: OnceMap::new(),
        files: OnceMap::new(),
        followed: parts.followed.clone(),
    });
    let files = Arc::new(FilesPlanner {
        settings: Arc::clone(&settings),
        work_dir: parts.work_dir.clone(),
        allowed_root: parts.kodata_root.clone(),
        created: parts.kodata_created,
        found: OnceMap::new(),
        followed: parts.followed.clone(),
    });
    let (rebuild, debug) = (parts.rebuild, parts.debug.is_some());
    let inner: Arc<dyn Builder> = match go {
        Ok(go) => {
            let shared = (Arc::clone(&settings), Arc::clone(&files), Arc::clone(&layers));
            Arc::new(GoBuilder::new(go, shared, parts))
        }
        Err(error) => Arc::new(MissingGo::new(error)),
    };
    match prebuilts {
        None => inner,
        Some(prebuilts) => {
            let prebuilts = Arc::new(prebuilts);
            Arc::new(PrebuiltBuilder { inner, prebuilts, settings, files, layers, rebuild, debug })
        }
    }
}

impl GoBuilder {
    fn new(
        go: Go,
        (settings, planner, layers): (Arc<Settings>, Arc<FilesPlanner>, Arc<Layers>),
        parts: BuilderParts,
    ) -> Self {
        let BuilderParts { store, budget, limits, observer, activity, followed, .. } = parts;
        let Cancellation { work: cancel, run } = parts.cancellation;
        let files = Arc::new(Checker::new(limits.threads));
        let lister = Lister {
            go: go.clone(),
            work_dir: parts.work_dir,
            environment: parts.environment.clone(),
            platforms: parts.platforms,
            builds: settings.options.builds.clone(),
            cancel: cancel.clone(),
            observer: observer.clone(),
            store: store.clone(),
            guesses: parts.sharing.is_some(),
        };
        let outcomes = parts.sharing.clone().map(|sharing| {
            let (go, observer) = (go.clone(), observer.clone());
            let (threads, cancel) = (limits.threads, cancel.clone());
            Arc::new(Outcomes { sharing, go, observer, threads, cancel })
        });
        let unproven = Arc::new(UnprovenGo::new(observer.clone()));
        let recorder = Arc::new(Recorder {
            store: store.clone(),
            go: go.clone(),
            files: Arc::clone(&files),
            observer: observer.clone(),
            cancel: run.clone(),
            unproven: Arc::clone(&unproven),
            followed: followed.clone(),
            outcomes: outcomes.clone(),
            tasks: Mutex::default(),
            waiting: Mutex::default(),
        });
        let debugger = parts.debug.map(|options| {
            Debugger::new(debugger::Parts {
                options,
                go: go.clone(),
                store: store.clone(),
                environment: parts.environment,
                compressor: parts.compressor,
                compression: parts.compression.clone(),
                rebuild: parts.rebuild,
                budget: budget.builds.clone(),
                observer: observer.clone(),
                activity: activity.clone(),
                cancel: cancel.clone(),
            })
        });
        let freshness = Arc::new(Freshness::new(
            (store.clone(), go.clone(), Arc::clone(&files)),
            parts.rebuild,
            parts.compression,
            cancel.clone(),
            observer.clone(),
            unproven,
            (followed, outcomes),
        ));
        let compiler = Arc::new(Compiler {
            go,
            store,
            budget: budget.builds,
            limits,
            observer: observer.clone(),
            activity,
            rebuild: parts.rebuild,
            cancel,
            recording: run,
            files,
            sharing: parts.sharing.clone(),
            finisher: Arc::new(Finisher {
                layers: Arc::clone(&layers),
                recorder: Arc::clone(&recorder),
            }),
        });
        let sharing = parts.sharing;
        Self {
            lister,
            settings,
            files: planner,
            freshness,
            compiler,
            layers,
            debugger,
            recorder,
            observer,
            sharing,
        }
    }
}

impl Builder for GoBuilder {
    fn look_up(
        &self,
        arguments: Vec<Argument>,
        memory: Memory,
    ) -> BoxFuture<'_, Result<LookUp, ListingError>> {
        let (lister, observer) = (self.lister.clone(), self.observer.clone());
        let look_up = async move {
            let span = StageSpan::begin(&observer, Stage::List, None, None);
            let planning = blocking(move || {
                let plan = lister.plan(&arguments)?;
                let remembered = match memory {
                    Memory::Used => lister.remembered(&plan),
                    Memory::Ignored => None,
                    Memory::Guessed => Some(lister.outlined(&plan)),
                };
                Ok::<_, ListingError>((lister, plan, remembered))
            });
            let (lister, plan, remembered) = planning.await?;
            drop(span);
            let guesses = lister.guessed(&plan, remembered.as_deref().unwrap_or_default());
            let keeper = lister.clone();
            let keep = async move { blocking(move || keeper.keep(&guesses)).await };
            let guessed = remembered.iter().flatten().any(|program| program.guessed);
            let listed = async move {
                let _span = StageSpan::begin(&observer, Stage::List, None, None);
                blocking(move || lister.look_up(plan)).await
            };
            let proven = guessed.then(|| keep.boxed());
            Ok(LookUp { remembered, listed: listed.boxed(), proven })
        };
        look_up.boxed()
    }

    fn expand<'a>(
        &'a self,
        program: &'a Program,
        templates: &'a [&'a Template],
        facts: ProgramFacts<'a>,
    ) -> BoxFuture<'a, Result<Vec<String>, BuildFailure>> {
        self.settings.expand(program, templates, facts).boxed()
    }

    fn check<'a>(
        &'a self,
        program: &'a Program,
        platform: &'a Platform,
    ) -> BoxFuture<'a, Result<Arc<Checked>, BuildFailure>> {
        let check = async move {
            let settings = self.settings.of(program, platform).await?;
            let capabilities = self.settings.capabilities(program, platform);
            Ok(self.freshness.check(program, platform, settings, capabilities).await)
        };
        check.boxed()
    }

    fn start(&self, targets: Vec<(Program, Platform, Arc<Checked>)>) -> Vec<BuildHandle> {
        let target =
            |(program, platform, checked): (Program, Platform, Arc<Checked>)| StaleTarget {
                capabilities: self.settings.capabilities(&program, &platform),
                import_path: program.main.import_path,
                platform,
                checked,
            };
        self.compiler.start(targets.into_iter().map(target).collect())
    }

    fn kodata<'a>(
        &'a self,
        program: &'a Program,
        windows: bool,
    ) -> BoxFuture<'a, Result<KodataLayer, BuildFailure>> {
        self.layers.kodata(program, windows).boxed()
    }

    fn shared_kodata<'a>(
        &'a self,
        programs: &'a [&'a Program],
    ) -> BoxFuture<'a, Result<Option<SharedKodata>, BuildFailure>> {
        self.layers.shared_kodata(programs).boxed()
    }

    fn files<'a>(
        &'a self,
        program: &'a Program,
        platform: &'a Platform,
        facts: ProgramFacts<'a>,
        names: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<Arc<PlannedFiles>>, BuildFailure>> {
        self.files.plan(program, platform, facts, names).boxed()
    }

    fn files_layer(
        &self,
        planned: Arc<PlannedFiles>,
    ) -> BoxFuture<'_, Result<Layer, BuildFailure>> {
        self.layers.files(planned).boxed()
    }

    fn skips_empty_kodata(&self, program: &Program) -> bool {
        self.settings.options.skips_empty_kodata(program.config)
    }

    fn checks_libraries(&self, program: &Program) -> CheckLibraries {
        self.settings.options.checks_libraries(program.config)
    }

    fn debugger<'a>(
        &'a self,
        program: &'a Program,
        platform: &'a Platform,
        checked: &'a Checked,
    ) -> BoxFuture<'a, Result<Option<DebuggerLayer>, BuildFailure>> {
        let debugger = async move {
            let Some(debugger) = &self.debugger else { return Ok(None) };
            let capabilities = self.settings.capabilities(program, platform);
            debugger.of(program, platform, &checked.settings.ldflags, capabilities).await
        };
        debugger.boxed()
    }

    fn finish(&self) -> BoxFuture<'_, ()> {
        let finish = async move {
            self.recorder.finish().await;
            if let Some(sharing) = &self.sharing {
                sharing.finish().await;
            }
        };
        finish.boxed()
    }
}
