//! A registry with a base, a module with programs, and engines over them.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ko_engine::{
    Clock, DestinationOptions, Engine, Environment, Error, Event, Limits, Namer, Network, Observer,
    Options, PlatformMatcher, Published,
};
use testkit::base::{Image, Index};
use testkit::module::Module;
use testkit::registry::TestRegistry;
use tokio::runtime::Builder;

pub(crate) struct Fixture {
    pub(crate) registry: Arc<TestRegistry>,
    pub(crate) dir: tempfile::TempDir,
}

impl Fixture {
    /// A base for two platforms, and a module with two programs, one of which
    /// has kodata.
    pub(crate) fn new() -> Self {
        let registry = Arc::new(TestRegistry::start());
        let image = |platform| Image::oci(platform).layers(1, 2000);
        let index = Index::oci().image(image("linux/amd64")).image(image("linux/arm64/v8"));
        index.build().push(&*registry, "base", "latest");
        let dir = tempfile::tempdir().unwrap();
        Module::new(dir.path().join("module"), "example.com/app")
            .main("cmd/a")
            .main("cmd/b")
            .kodata("cmd/a", 2, 20);
        Self { registry, dir }
    }

    pub(crate) fn options(&self, cache: &str, threads: usize) -> Options {
        let host = self.registry.host();
        // The toolchain's own directories, and nothing that would change what
        // is built.
        let kept = ["PATH", "HOME", "GOCACHE", "GOPATH", "GOROOT"];
        #[allow(clippy::disallowed_methods, reason = "tests hand their environment to the engine")]
        let environment =
            std::env::vars_os().filter(|(name, _)| kept.iter().any(|kept| name == kept));
        let fixed =
            [("GOENV", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("GOPROXY", "off")];
        let fixed = fixed.map(|(name, value)| (name.into(), value.into()));
        let mut destination = DestinationOptions::new(format!("{host}/out"));
        destination.namer = Namer::BaseImportPaths;
        destination.push = true;
        let environment = Environment::from_iter(environment.chain(fixed));
        let work_dir = self.dir.path().join("module");
        let threads = NonZeroUsize::new(threads).unwrap();
        let limits = Limits { threads, jobs: threads.get(), ..Limits::default() };
        let mut options =
            Options::new(work_dir, environment, limits, destination, Network::default());
        options.cache = Some(self.dir.path().join(cache));
        options.platforms = PlatformMatcher::All;
        options.default_base = format!("{host}/base").parse().unwrap();
        options.clock = Clock::new(|| Duration::ZERO);
        options
    }
}

/// Builds, and tells what happened.
pub(crate) fn build(
    options: Options,
    words: &[&str],
) -> (Result<Vec<Published>, Error>, Vec<Event>) {
    build_with(options, words, 512, |_| {})
}

/// The same with so many threads that may block, and somebody who looks at what
/// happens before it goes on.
pub(crate) fn build_with(
    options: Options,
    words: &[&str],
    threads: usize,
    look: impl Fn(&Event) + Send + Sync + 'static,
) -> (Result<Vec<Published>, Error>, Vec<Event>) {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).max_blocking_threads(threads);
    build_on(runtime, options, words, look)
}

/// The same on a runtime of any kind.
pub(crate) fn build_on(
    mut runtime: Builder,
    options: Options,
    words: &[&str],
    look: impl Fn(&Event) + Send + Sync + 'static,
) -> (Result<Vec<Published>, Error>, Vec<Event>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let observer = Observer::new(move |event| seen.lock().unwrap().push(event)).after(look);
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let runtime = runtime.enable_all().build().unwrap();
    let engine = runtime.block_on(Engine::start(options, observer)).unwrap();
    let published = runtime.block_on(async {
        let published = engine.build(&words).await;
        engine.settle().await;
        published
    });
    drop((engine, runtime));
    let events = Arc::into_inner(events).unwrap().into_inner().unwrap();
    (published, events)
}

/// How many files a directory holds.
pub(crate) fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}
