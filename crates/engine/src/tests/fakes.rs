//! A builder and a destination without `go`, network or files, which do what a
//! test wants and note what they are asked.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};

use freshness::Reason;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use golang::{Argument, Environment, ImportPath, Main, ProgramFacts, Target, Template};
use layer::{Compression, Encoding, Layer};
use oci::{DiffId, Digest, Platform, PlatformMatcher};
use registry::{Anonymous, Client, ClientOptions};
use store::Store;
use tokio::sync::{Notify, oneshot};

use crate::activity::{Activity, Clock};
use crate::bases::{BaseReference, Bases, LockedBases};
use crate::blobs::Blobs;
use crate::build::{
    BuildFailure, BuildHandle, BuildOptions, Builder, BuiltProgram, Checked, KodataLayer,
    ListingError, LookUp, Memory, PlannedFiles, Program, SharedKodata, Verdict,
};
use crate::cancellation::Cancellation;
use crate::container_engine::EnginePlaces;
use crate::described::Descriptions;
use crate::destinations::{
    Destination, DestinationError, DestinationOptions, DestinationParts, Destinations, Publishing,
};
use crate::error::Error;
use crate::events::{Event, Observer, StaleReason};
use crate::execute::{Executor, Published};
use crate::image::{Artifact, DebuggerLayer, ImageLayer, ImageName, ImageOptions, Namer};
use crate::libraries::{CheckLibraries, Libraries};
use crate::naming::Naming;
use crate::plan::{BaseChoice, Plan, Planner};

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>, Arc<Notify>);

impl Log {
    pub(super) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
        self.1.notify_one();
    }

    /// Runs the work until something has happened, and all that follows from it
    /// at once.
    pub(super) async fn until<T: Debug>(
        &self,
        what: &str,
        work: &mut (impl Future<Output = T> + Unpin),
    ) {
        while self.count(what) == 0 {
            tokio::select! {
                biased;
                done = &mut *work => panic!("before {what}: {done:?}, {:#?}", self.all()),
                () = self.1.notified() => {}
            }
        }
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|line| line.starts_with(what)).count()
    }

    /// Where something stands, which must have happened.
    pub(super) fn position(&self, what: &str) -> usize {
        let all = self.all();
        all.iter().position(|line| line == what).unwrap_or_else(|| panic!("no {what}: {all:#?}"))
    }
}

/// What becomes of a program.
#[derive(Debug)]
pub(super) enum Script {
    /// It is fresh.
    Fresh,
    /// It is stale, and what is known of `go list` with it.
    Unlisted,
    /// It is built: at once, or when a test sends the result.
    Builds(Option<Gate>),
    /// It does not compile.
    Fails,
}

/// Lets a build go on: first its binary is installed, then `go` ends.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) installed: oneshot::Receiver<()>,
    pub(super) finished: oneshot::Receiver<Result<(), BuildFailure>>,
}

/// A gate, and what opens it.
pub(super) fn gate() -> (Gate, oneshot::Sender<()>, oneshot::Sender<Result<(), BuildFailure>>) {
    let (install, installed) = oneshot::channel();
    let (finish, finished) = oneshot::channel();
    (Gate { installed, finished }, install, finish)
}

#[derive(Debug)]
pub(super) struct FakeBuilder {
    scripts: Mutex<HashMap<String, Script>>,
    /// What is remembered of `go list`.
    pub(super) remembers: bool,
    log: Log,
}

fn layer(content: &str) -> Layer {
    let digest = Digest::of(content.as_bytes());
    let (size, diff_id) = (content.len() as u64, DiffId::new(digest));
    Layer { digest, size, diff_id, encoding: Encoding::Gzip, toc: None }
}

fn target() -> Target {
    Target { os: "linux".to_owned(), arch: "amd64".to_owned(), variant: String::new() }
}

fn built(import_path: &ImportPath) -> BuiltProgram {
    BuiltProgram { layer: layer(import_path.as_str()), info: None, linkage: None }
}

impl Builder for FakeBuilder {
    fn look_up(
        &self,
        arguments: Vec<Argument>,
        memory: Memory,
    ) -> BoxFuture<'_, Result<LookUp, ListingError>> {
        self.log.note("look up");
        let programs: Vec<Program> = arguments
            .iter()
            .map(|argument| Program {
                guessed: false,
                main: Main {
                    import_path: argument.path().clone(),
                    dir: Path::new("/src").join(argument.path().as_str()),
                    module: None,
                },
                dir: "/src".into(),
                config: None,
            })
            .collect();
        let remembered = (self.remembers && memory == Memory::Used).then(|| programs.clone());
        let log = self.log.clone();
        let listed = async move {
            log.note("go list");
            Ok(programs.into_iter().map(Ok).collect())
        };
        std::future::ready(Ok(LookUp { remembered, listed: listed.boxed(), proven: None })).boxed()
    }

    /// A template comes to its source.
    fn expand<'a>(
        &'a self,
        program: &'a Program,
        templates: &'a [&'a Template],
        _: ProgramFacts<'a>,
    ) -> BoxFuture<'a, Result<Vec<String>, BuildFailure>> {
        self.log.note(format!("expand {}", program.main.import_path));
        let texts = templates.iter().map(|template| template.source().to_owned());
        std::future::ready(Ok(texts.collect())).boxed()
    }

    fn check<'a>(
        &'a self,
        program: &'a Program,
        platform: &'a Platform,
    ) -> BoxFuture<'a, Result<Arc<Checked>, BuildFailure>> {
        let import_path = &program.main.import_path;
        self.log.note(format!("check {import_path} {platform}"));
        let verdict = match self.scripts.lock().unwrap().get(import_path.as_str()) {
            Some(Script::Fresh) => Verdict::Fresh(Box::new(built(import_path))),
            _ => Verdict::Stale(StaleReason::Inputs(Reason::NoRecord), Default::default()),
        };
        std::future::ready(Ok(Arc::new(checked(verdict)))).boxed()
    }

    fn start(&self, targets: Vec<(Program, Platform, Arc<Checked>)>) -> Vec<BuildHandle> {
        self.log.note(format!("start {}", targets.len()));
        let handle = |(program, ..): (Program, Platform, Arc<Checked>)| {
            let import_path = program.main.import_path;
            let script = self.scripts.lock().unwrap().remove(import_path.as_str());
            let built = built(&import_path);
            let (installed, finished) = match script {
                Some(Script::Fails) => {
                    let failure = golang::BuildError::Failed(Box::new(golang::BuildFailure {
                        import_path,
                        target: target(),
                        status: "exit status 1".to_owned(),
                        output: "it does not compile".to_owned(),
                        vcs: None,
                    }));
                    let (platform, source) = (Box::default(), Arc::new(failure));
                    let failed = BuildFailure::Go { platform, source };
                    let failed = std::future::ready(Err(failed)).boxed();
                    (std::future::ready(None).boxed(), failed)
                }
                Some(Script::Builds(Some(Gate { installed, finished }))) => {
                    let layer = built.layer;
                    let installed = installed.map(move |sent| sent.ok().map(|()| layer)).boxed();
                    let finished = finished.map(|sent| match sent {
                        Ok(result) => result.map(|()| built),
                        Err(_) => Err(BuildFailure::Cancelled),
                    });
                    (installed, finished.boxed())
                }
                _ => {
                    let installed = std::future::ready(None).boxed();
                    (installed, std::future::ready(Ok(built)).boxed())
                }
            };
            BuildHandle { installed: installed.shared(), finished: finished.shared() }
        };
        targets.into_iter().map(handle).collect()
    }

    fn kodata<'a>(
        &'a self,
        _: &'a Program,
        _: bool,
    ) -> BoxFuture<'a, Result<KodataLayer, BuildFailure>> {
        let kodata = KodataLayer { layer: layer("kodata"), is_empty: true, difference: None };
        std::future::ready(Ok(kodata)).boxed()
    }

    fn shared_kodata<'a>(
        &'a self,
        _: &'a [&'a Program],
    ) -> BoxFuture<'a, Result<Option<SharedKodata>, BuildFailure>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn files<'a>(
        &'a self,
        _: &'a Program,
        _: &'a Platform,
        _: ProgramFacts<'a>,
        _: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<Arc<PlannedFiles>>, BuildFailure>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn files_layer(&self, _: Arc<PlannedFiles>) -> BoxFuture<'_, Result<Layer, BuildFailure>> {
        std::future::ready(Err(BuildFailure::Cancelled)).boxed()
    }

    fn skips_empty_kodata(&self, _: &Program) -> bool {
        false
    }

    fn checks_libraries(&self, _: &Program) -> CheckLibraries {
        CheckLibraries::Off
    }

    fn debugger<'a>(
        &'a self,
        _: &'a Program,
        _: &'a Platform,
        _: &'a Checked,
    ) -> BoxFuture<'a, Result<Option<DebuggerLayer>, BuildFailure>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn finish(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

#[derive(Debug)]
pub(super) struct FakeDestination {
    log: Log,
    /// Fails the upload of this import path.
    pub(super) refuses: Option<String>,
    /// Fails the preflight of this import path.
    pub(super) forbids: Option<String>,
}

fn refusal() -> DestinationError {
    DestinationError::Other(Arc::new(std::io::Error::other("refused")))
}

impl Destination for FakeDestination {
    fn prepare(&self, name: &ImageName) -> Result<(), DestinationError> {
        self.log.note(format!("prepare {}", name.import_path));
        Ok(())
    }

    fn preflight<'a>(&'a self, name: &'a ImageName) -> Publishing<'a> {
        let import_path = name.import_path.as_str();
        self.log.note(format!("preflight {import_path}"));
        let forbids = self.forbids.as_deref() == Some(import_path);
        std::future::ready(if forbids { Err(refusal()) } else { Ok(()) }).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.log.note("close");
        std::future::ready(()).boxed()
    }

    fn offer(&self, name: &ImageName, layer: &ImageLayer) {
        self.log.note(format!("offer {} {}", name.import_path, layer.descriptor.digest));
    }

    fn upload<'a>(&'a self, name: &'a ImageName, _: &'a Artifact) -> Publishing<'a> {
        let import_path = name.import_path.as_str();
        let upload = async move {
            if self.refuses.as_deref() == Some(import_path) {
                self.log.note(format!("refuse {import_path}"));
                return Err(refusal());
            }
            self.log.note(format!("upload {import_path}"));
            Ok(())
        };
        upload.boxed()
    }

    fn commit<'a>(&'a self, name: &'a ImageName, _: &'a Artifact) -> Publishing<'a, String> {
        let import_path = &name.import_path;
        self.log.note(format!("commit {import_path}"));
        std::future::ready(Ok(format!("registry.example/{import_path}"))).boxed()
    }

    fn finish(&self) -> Publishing<'_> {
        self.log.note("finish");
        std::future::ready(Ok(())).boxed()
    }
}

/// A run over fakes, on `scratch`, for two platforms.
#[derive(Debug)]
pub(super) struct FakeRun {
    pub(super) planner: Planner,
    pub(super) cancellation: Cancellation,
    pub(super) log: Log,
    store: Store,
    libraries: Libraries,
    dir: tempfile::TempDir,
}

impl FakeRun {
    /// The words of an argument are import paths.
    pub(super) fn new(scripts: Vec<(&str, Script)>) -> Self {
        Self::with(scripts, |_, _| {})
    }

    /// The same with something changed.
    pub(super) fn with(
        scripts: Vec<(&str, Script)>,
        change: impl FnOnce(&mut FakeBuilder, &mut FakeDestination),
    ) -> Self {
        let log = Log::default();
        let scripts = scripts.into_iter().map(|(path, script)| (path.to_owned(), script)).collect();
        let mut builder =
            FakeBuilder { scripts: Mutex::new(scripts), remembers: false, log: log.clone() };
        let mut destination = FakeDestination { log: log.clone(), refuses: None, forbids: None };
        change(&mut builder, &mut destination);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let client = Client::new(ClientOptions::default(), Arc::new(Anonymous)).unwrap();
        let platforms = PlatformMatcher::parse(&["linux/amd64", "linux/arm64"]).unwrap();
        let bases = Bases::new(
            client.clone(),
            store.clone(),
            EnginePlaces::default(),
            platforms,
            LockedBases::default(),
            BTreeMap::new(),
            Observer::new(|_| {}),
        );
        let events = log.clone();
        let observer = Observer::new(move |event| match event {
            Event::Fresh { import_path, .. } => events.note(format!("fresh {import_path}")),
            Event::Stale { import_path, .. } => events.note(format!("stale {import_path}")),
            Event::UsingBase { import_path, .. } => events.note(format!("base {import_path}")),
            Event::Failed { import_path, .. } => events.note(format!("failed {import_path}")),
            _ => {}
        });
        let cancellation = Cancellation::default();
        let mut options = DestinationOptions::new("registry.example");
        options.namer = Namer::PreserveImportPaths;
        let blobs = Blobs::new(store.clone(), client.clone());
        let parts = DestinationParts {
            follow: false,
            options: &options,
            work_dir: dir.path(),
            engines: &EnginePlaces::default(),
            sbom: None,
            signing: None,
            client: &client,
            blobs: &blobs,
            observer: &observer,
            activity: &Activity::new(Clock::default()),
            cancel: &cancellation.work,
        };
        let destinations = Destinations::new(&parts, vec![Box::new(destination)]);
        let choice = BaseChoice {
            default: BaseReference::Scratch,
            overrides: [].into(),
            compression: Compression::default(),
            builds: Vec::new(),
            mains: Vec::new(),
            prebuilt: Vec::new(),
            all_prebuilt: false,
            max_age: None,
        };
        let planner = Planner {
            builder: Arc::new(builder),
            bases: Arc::new(bases),
            destinations: Arc::new(destinations),
            choice: Arc::new(choice),
            naming: Arc::new(Naming::new(&options, &[])),
            descriptions: Arc::new(Descriptions::new(&BuildOptions::default())),
            upon: Arc::default(),
            observer,
        };
        let libraries = Libraries::new(blobs);
        Self { planner, cancellation, log, store, libraries, dir }
    }

    pub(super) async fn plan(&self, words: &[&str]) -> Plan {
        self.try_plan(words).await.unwrap()
    }

    pub(super) async fn try_plan(&self, words: &[&str]) -> Result<Plan, Error> {
        let arguments: Vec<Argument> =
            words.iter().map(|word| Argument::parse(word).unwrap()).collect();
        let (programs, planned) = self.planner.programs(&arguments).await.unwrap();
        self.planner.plan(&programs, planned).await
    }

    pub(super) async fn execute(&self, plan: &Plan) -> Result<Vec<Published>, Error> {
        let executor = Executor {
            sharing: None,
            builder: &*self.planner.builder,
            destinations: &self.planner.destinations,
            sbom_files: None,
            image: &ImageOptions::default(),
            sbom: false,
            provenance: false,
            libraries: &self.libraries,
            store: &self.store,
            observer: &self.planner.observer,
            cancellation: &self.cancellation,
            committing: &std::sync::atomic::AtomicBool::new(false),
        };
        assert!(self.dir.path().is_dir());
        executor.execute(plan).await
    }
}

/// The digest of what a program becomes.
pub(super) fn layer_of(import_path: &str) -> Digest {
    Digest::of(import_path.as_bytes())
}

fn checked(verdict: Verdict) -> Checked {
    let settings = golang::BuildSettings {
        dir: "/src".into(),
        target: target(),
        environment: Environment::from_iter([("GOOS", "linux")]),
        flags: Vec::new(),
        ldflags: Vec::new(),
        disable_optimizations: false,
        untrimmed: false,
    };
    Checked::for_tests(settings, verdict)
}
