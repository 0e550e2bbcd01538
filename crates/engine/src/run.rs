//! One run: from words to published images, as a graph of shared futures.
//!
//! Bases, kodata layers and blobs are found out or made once, whoever needs
//! them first; what does not depend on each other overlaps. Nothing becomes
//! visible at the destination before all images of the run are made.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use golang::{Argument, BuildKey, Cancel, Go, ImportPath, LoadError};
use layer::Compressor;
use registry::{Client, ClientOptions};
use store::Store;

use crate::activity::Activity;
use crate::base::Bases;
use crate::blocking::blocking;
use crate::budget::Budget;
use crate::cache::Opened;
use crate::compile::Compiles;
use crate::debug::Debuggers;
use crate::error::{BuildFailure, Error};
use crate::event::{Event, Observer};
use crate::flags::Expander;
use crate::flight::Flights;
use crate::fresh::{Known, Made};
use crate::image::Artifact;
use crate::listing::{Lister, Memory, Program, refused, unlisted};
use crate::make::Kodata;
use crate::namer::md5_of;
use crate::options::{Local, Network, Options};
use crate::publish::{
    ArchivePublisher, ClusterPublisher, DaemonPublisher, LayoutPublisher, NonePublisher, Publisher,
    Pusher, RegistryPublisher,
};
use crate::sbom::{self, Subject};
use crate::stage::Stage;

/// Builds and publishes images.
#[derive(Debug)]
pub struct Engine {
    run: Arc<Run>,
}

/// An image that was published.
#[derive(Debug, Clone)]
pub struct Published {
    /// The import path, without `ko://`.
    pub import_path: String,
    /// The reference that is printed.
    pub reference: String,
    /// All that was published: for an index, the index and then its images,
    /// each as `repository@digest`; else the printed reference.
    pub references: Vec<String>,
}

type KodataLayers = Flights<(PathBuf, bool), Result<Kodata, BuildFailure>>;
type Binaries = Flights<(BuildKey, ImportPath), Result<Made, BuildFailure>>;

/// What all images of a run share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) options: Options,
    pub(crate) observer: Observer,
    pub(crate) store: Store,
    opened: Opened,
    pub(crate) go: Go,
    pub(crate) bases: Bases,
    pub(crate) expander: Expander,
    pub(crate) compressor: Compressor,
    pub(crate) budget: Budget,
    pub(crate) activity: Activity,
    pub(crate) kodata: KodataLayers,
    pub(crate) binaries: Binaries,
    pub(crate) debuggers: Debuggers,
    pub(crate) known: Known,
    pub(crate) compiles: Compiles,
    pub(crate) publishers: Vec<Box<dyn Publisher>>,
    /// Who has spoken to registries.
    pub(crate) clients: Vec<Client>,
    pub(crate) cancel: Cancel,
    /// Ends the recording of what is built, which goes on when something else
    /// fails: the next run need not build that again.
    pub(crate) recording: Cancel,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Engine {
    /// Prepares a run. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// The cache cannot be opened, or there is no `go`.
    pub fn new(options: Options, observer: Observer) -> Result<Self, Error> {
        let opened = Opened::new(&options, &observer)?;
        let store = opened.store.clone();
        let go = Go::find(options.go.as_deref(), &options.environment, &options.work_dir)?;
        let clients = Clients::new(&options.network)?;
        let cancel = Cancel::new();
        let activity = Activity::new(options.clock.clone());
        let shared = (&store, &observer, &activity, &cancel);
        let publishers = publishers(&options, clients.destination.clone(), shared);
        let expander = Expander {
            go: go.clone(),
            work_dir: options.work_dir.clone(),
            environment: options.environment.clone(),
            time: options.build.time,
            observer: observer.clone(),
            cancel: cancel.clone(),
            uses: options.build.uses(),
            go_env: Flights::new(),
            git: Flights::new(),
        };
        let run = Run {
            expander,
            clients: clients.all(),
            bases: Bases::new(
                clients.bases,
                store.clone(),
                options.engines.clone(),
                options.platforms.clone(),
            ),
            compressor: Compressor::new(options.limits.threads)
                .map_err(Error::Threads)?
                .with(options.compression),
            budget: Budget::new(options.limits),
            kodata: Flights::new(),
            binaries: Flights::new(),
            debuggers: Debuggers::new(),
            known: Known::new(options.limits),
            compiles: Compiles::default(),
            publishers,
            activity,
            cancel,
            recording: Cancel::new(),
            stop: Arc::new(AtomicBool::new(false)),
            options,
            observer,
            store,
            opened,
            go,
        };
        Ok(Self { run: Arc::new(run) })
    }

    /// Ends the run from another thread: running children are interrupted, and
    /// work on threads stops at its next step. Drop the future of
    /// [`build`](Self::build) afterwards.
    pub fn cancel(&self) {
        self.run.cancel();
        self.run.recording.cancel();
    }

    /// Builds and publishes the programs that the words name, each once.
    ///
    /// # Errors
    /// The first failure in the order of the words; what was still under way
    /// is cancelled, and no tag has moved unless a registry failed at the last
    /// step.
    pub async fn build(&self, words: &[String]) -> Result<Vec<Published>, Error> {
        self.start();
        let arguments = words.iter().map(|word| Argument::parse(word));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let answers = self.run.look_up(&arguments, Memory::Used).await;
        let answers = answers.map_err(|error| unlisted(error, &arguments))?;
        let mut seen = HashSet::new();
        let mut programs = Vec::new();
        for (program, argument) in answers.into_iter().zip(&arguments) {
            let program = program.map_err(|error| refused(argument, error))?;
            if seen.insert(program.main.import_path.clone()) {
                programs.push(program);
            }
        }
        self.publish(&programs).await
    }

    /// Waits until all that was learnt for the next run is kept, and the cache
    /// is within its bound: after a failure too, for what was built by then.
    /// Nothing that was returned before depends on it.
    pub async fn settle(&self) {
        self.run.settle().await;
        let run = Arc::clone(&self.run);
        blocking(move || run.opened.tidy(&run.observer)).await;
    }

    /// Starts what will be needed whatever is built.
    pub(crate) fn start(&self) {
        if self.run.options.base_overrides.is_empty() {
            self.run.bases.prepare(&self.run.options.default_base);
        }
    }

    /// Builds and publishes programs.
    pub(crate) async fn publish(&self, programs: &[Program]) -> Result<Vec<Published>, Error> {
        let run = &self.run;
        for program in programs {
            let import_path = &program.main.import_path;
            for publisher in &run.publishers {
                let prepared = publisher.prepare(import_path.as_str());
                prepared.map_err(|source| Error::Publish {
                    import_path: import_path.clone(),
                    source,
                })?;
            }
        }
        for publisher in &run.publishers {
            publisher.ready().await.map_err(Error::Destination)?;
        }
        run.prepare_sboms()?;
        run.compile(programs).await;
        let names = file_names(programs);
        let several = programs.len() > 1;
        let made = programs.iter().zip(&names);
        let made = made.map(|(program, name)| run.make(program, name, several));
        let made = join_all(made).await;
        let artifacts = first_error(made)?;

        let references = run.commit(programs, &artifacts).await?;
        let published = programs.iter().zip(&artifacts).zip(references);
        let published = published.map(|((program, artifact), reference)| {
            let import_path = program.main.import_path.to_string();
            let references = run.references(&import_path, artifact, &reference);
            Published { import_path, reference, references }
        });
        Ok(published.collect())
    }

    /// What all images share.
    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Where relative paths start.
    pub(crate) fn work_dir(&self) -> &Path {
        &self.run.options.work_dir
    }

    /// Who is told what happens.
    pub(crate) fn observer(&self) -> &Observer {
        &self.run.observer
    }

    /// Who asks.
    pub(crate) fn network(&self) -> &Network {
        &self.run.options.network
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// What files about each program are called: its name, or, where several of
/// the run share it, that and the md5 of its import path.
fn file_names(programs: &[Program]) -> Vec<String> {
    let name = |program: &Program| program.main.import_path.base_name().to_owned();
    // Not all file systems tell cases apart.
    let mut times: HashMap<String, usize> = HashMap::new();
    for program in programs {
        *times.entry(name(program).to_lowercase()).or_default() += 1;
    }
    let unique = |program: &Program| match name(program) {
        name if times[&name.to_lowercase()] == 1 => name,
        name => format!("{name}-{}", md5_of(program.main.import_path.as_str())),
    };
    programs.iter().map(unique).collect()
}

/// All results, or the error that counts: the first that is not the echo of
/// another.
fn first_error<T>(results: Vec<Result<T, Error>>) -> Result<Vec<T>, Error> {
    let mut all = Vec::with_capacity(results.len());
    let mut failure: Option<Error> = None;
    for result in results {
        match result {
            Ok(value) => all.push(value),
            Err(error) if failure.as_ref().is_none_or(Error::is_cancelled) => failure = Some(error),
            Err(_) => {}
        }
    }
    failure.map_or(Ok(all), Err)
}

/// Who speaks to registries.
struct Clients {
    bases: Client,
    destination: Client,
}

impl Clients {
    /// Two only where they must behave differently: one finds out everything
    /// about a registry once.
    fn new(network: &Network) -> Result<Self, Error> {
        let client = |skip_verify| {
            let options = ClientOptions {
                user_agent: network.user_agent.clone(),
                insecure: network.insecure,
                skip_verify,
                roots: network.roots.clone(),
                ..ClientOptions::default()
            };
            Client::new(options, Arc::clone(&network.keychain)).map_err(Error::Network)
        };
        let bases = client(false)?;
        let destination = if network.insecure { client(true)? } else { bases.clone() };
        Ok(Self { bases, destination })
    }

    /// Each that counts for itself.
    fn all(&self) -> Vec<Client> {
        let mut all = vec![self.bases.clone()];
        all.extend(Some(self.destination.clone()).filter(|other| !other.is_same(&self.bases)));
        all
    }
}

/// The destinations in the order in which they are served; the last one's
/// reference is printed.
fn publishers(
    options: &Options,
    client: Client,
    (store, observer, activity, cancel): (&Store, &Observer, &Activity, &Cancel),
) -> Vec<Box<dyn Publisher>> {
    let destination = &options.destination;
    if let Some(local) = &destination.local {
        let (destination, store, observer) = (destination.clone(), store.clone(), observer.clone());
        return vec![match local.clone() {
            Local::Engine(kind) => {
                let wanted = (kind, options.engines.clone());
                Box::new(DaemonPublisher::new(wanted, destination, store, observer))
            }
            Local::Cluster(cluster) => {
                let cancel = cancel.clone();
                Box::new(ClusterPublisher::new(cluster, destination, store, observer, cancel))
            }
        }];
    }
    let mut publishers: Vec<Box<dyn Publisher>> = Vec::new();
    if let Some(layout) = &destination.layout {
        publishers.push(Box::new(LayoutPublisher::new(
            &options.work_dir,
            layout.clone(),
            destination.clone(),
            store.clone(),
            observer.clone(),
        )));
    }
    if let Some(archive) = &destination.archive {
        publishers.push(Box::new(ArchivePublisher::new(
            &options.work_dir,
            archive.clone(),
            destination.clone(),
            store.clone(),
            observer.clone(),
        )));
    }
    if destination.push {
        let (destination, store, observer) = (destination.clone(), store.clone(), observer.clone());
        let (sbom, activity) = (options.sbom.clone(), activity.clone());
        let pusher = Pusher::new(client, store);
        let publisher = RegistryPublisher::new(pusher, destination, sbom, observer, activity);
        publishers.push(Box::new(publisher));
    }
    if publishers.is_empty() {
        publishers.push(Box::new(NonePublisher::new(destination.clone())));
    }
    publishers
}

impl Run {
    fn cancel(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.cancel.cancel();
    }

    /// Looks arguments up. What is remembered of `go list` is taken for true
    /// where all that it depends on is as it was; else one `go list` answers
    /// for all.
    pub(crate) async fn look_up(
        self: &Arc<Self>,
        arguments: &[Argument],
        memory: Memory,
    ) -> Result<Vec<Result<Program, LoadError>>, Error> {
        let (lister, asked) = (self.lister(), arguments.to_vec());
        let stage = self.stage(Stage::List, None, None);
        let planning = blocking(move || {
            let plan = lister.plan(&asked)?;
            let programs = if memory == Memory::Used { lister.remembered(&plan) } else { None };
            Ok::<_, Error>((lister, plan, programs))
        });
        let (lister, plan, programs) = planning.await?;
        drop(stage);
        if let Some(programs) = programs {
            for program in &programs {
                self.expect(program);
            }
            if self.are_known(&programs).await {
                return Ok(programs.into_iter().map(Ok).collect());
            }
        }
        let _stage = self.stage(Stage::List, None, None);
        let listing = blocking(move || lister.look_up(plan));
        listing.await
    }

    /// Tells the destinations of a program that will most likely be published.
    fn expect(&self, program: &Program) {
        for publisher in &self.publishers {
            // Whatever is wrong will be said when it matters.
            let _ = publisher.prepare(program.main.import_path.as_str());
        }
    }

    fn lister(&self) -> Lister {
        let options = &self.options;
        Lister {
            go: self.go.clone(),
            work_dir: options.work_dir.clone(),
            environment: options.environment.clone(),
            platforms: options.platforms.clone(),
            builds: options.build.builds.clone(),
            cancel: self.cancel.clone(),
            observer: self.observer.clone(),
            store: self.store.clone(),
        }
    }

    /// Makes the artifact of a program and brings it to the destinations,
    /// untagged. A failure ends the work of all others, unless it is that of a
    /// program that does not compile.
    ///
    /// `name` is what files about the program are called; `several`, whether
    /// there are others.
    async fn make(
        self: &Arc<Self>,
        program: &Program,
        name: &str,
        several: bool,
    ) -> Result<Artifact, Error> {
        let made = async {
            let artifact = self.artifact(program).await.map_err(|source| Error::Build {
                import_path: program.main.import_path.clone(),
                source: Box::new(source),
            })?;
            self.write_sboms(&artifact, name)?;
            let _stage = self.stage(Stage::Publish, Some(&program.main.import_path), None);
            for publisher in &self.publishers {
                let uploaded = publisher.upload(program.main.import_path.as_str(), &artifact).await;
                uploaded.map_err(|source| Error::Publish {
                    import_path: program.main.import_path.clone(),
                    source,
                })?;
            }
            Ok(artifact)
        };
        made.await.inspect_err(|error: &Error| match error.compile_failure() {
            // What the others come to is kept for the next run; what is wrong
            // with this one need not wait for them.
            Some(failure) if several => self.observer.tell(failure),
            _ => self.cancel(),
        })
    }

    /// Sees to it that SBOMs can be written where they are wanted.
    fn prepare_sboms(&self) -> Result<(), Error> {
        let Some(dir) = self.options.sbom.as_ref().and_then(|sbom| sbom.dir.as_ref()) else {
            return Ok(());
        };
        sbom::prepare(&self.options.work_dir.join(dir))
            .map_err(|source| Error::SbomDir { dir: dir.clone(), source })
    }

    fn write_sboms(&self, artifact: &Artifact, name: &str) -> Result<(), Error> {
        let Some(options) = &self.options.sbom else { return Ok(()) };
        let Some(dir) = &options.dir else { return Ok(()) };
        for subject in Subject::all(artifact) {
            let path = dir.join(subject.file_name(name, options.format));
            self.observer.tell(Event::WritingSbom { path: path.clone() });
            sbom::write(&self.options.work_dir.join(&path), &subject.document(options))
                .map_err(|source| Error::Sbom { path, source })?;
        }
        Ok(())
    }

    /// Has each program a name of its own? With `--bare` none has, and the last
    /// one's tag stays, as in ko.
    fn names_differ(&self, programs: &[Program]) -> bool {
        let name =
            |program: &Program| self.options.destination.name(program.main.import_path.as_str());
        let names: HashSet<String> = programs.iter().map(name).collect();
        names.len() == programs.len()
    }

    /// Makes all artifacts visible at all destinations; the references are the
    /// last one's.
    async fn commit(
        &self,
        programs: &[Program],
        artifacts: &[Artifact],
    ) -> Result<Vec<String>, Error> {
        let mut references = Vec::new();
        for publisher in &self.publishers {
            let commits = programs.iter().zip(artifacts).map(|(program, artifact)| async move {
                let import_path = &program.main.import_path;
                let _stage = self.stage(Stage::Publish, Some(import_path), None);
                let committed = publisher.commit(import_path.as_str(), artifact).await;
                committed
                    .map_err(|source| Error::Publish { import_path: import_path.clone(), source })
            });
            references = if publisher.in_order() || !self.names_differ(programs) {
                let mut all = Vec::new();
                for commit in commits {
                    all.push(commit.await?);
                }
                all
            } else {
                first_error(join_all(commits).await)?
            };
            publisher.finish().await.map_err(Error::Destination)?;
        }
        Ok(references)
    }

    fn references(&self, import_path: &str, artifact: &Artifact, printed: &str) -> Vec<String> {
        let repository = self.options.destination.repository_of(import_path);
        match (artifact, repository) {
            (Artifact::Index { digest, images, .. }, Ok(repository)) => {
                let digests =
                    std::iter::once(*digest).chain(images.iter().map(|image| image.digest));
                digests.map(|digest| format!("{}@{digest}", repository.full_name())).collect()
            }
            _ => vec![printed.to_owned()],
        }
    }
}
