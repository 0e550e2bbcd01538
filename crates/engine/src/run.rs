//! One run: from words to published images, as a graph of shared futures.
//!
//! Bases, kodata layers and blobs are found out or made once, whoever needs
//! them first; what does not depend on each other overlaps. Nothing becomes
//! visible at the destination before all images of the run are made.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{join_all, try_join, try_join_all};
use golang::{BuildKey, BuildSettings, Cancel, Environment, Go, OutputDir};
use layer::{Compressor, Family, Kodata, KodataOptions, Layer, LayerError, Recipe};
use oci::{Descriptor, Platform};
use registry::{Client, ClientOptions};
use store::Store;

use crate::base::{BaseImage, Bases, Selected};
use crate::budget::Budget;
use crate::error::{BuildFailure, Error};
use crate::event::{Event, Observer};
use crate::flight::Flights;
use crate::image::{Added, Artifact, Image, assemble, assemble_index};
use crate::listing::{Lister, Program, target};
use crate::options::{Network, Options};
use crate::publish::{LayoutPublisher, NonePublisher, Publisher, RegistryPublisher};

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

type Shared<T> = Flights<(PathBuf, bool), Result<T, BuildFailure>>;

/// What all images of a run share.
#[derive(Debug)]
struct Run {
    options: Options,
    observer: Observer,
    store: Store,
    go: Go,
    bases: Bases,
    compressor: Compressor,
    budget: Budget,
    kodata: Shared<Layer>,
    publishers: Vec<Box<dyn Publisher>>,
    cancel: Cancel,
    stop: Arc<AtomicBool>,
}

impl Engine {
    /// Prepares a run. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// The cache cannot be opened, or there is no `go`.
    pub fn new(options: Options, observer: Observer) -> Result<Self, Error> {
        let store = Store::open(&options.cache)?;
        let go = Go::find(options.go.as_deref(), &options.environment, &options.work_dir)?;
        let network = &options.network;
        let client = client(network, false)?;
        let run = Run {
            bases: Bases::new(client, store.clone(), options.platforms.clone()),
            compressor: Compressor::new(options.limits.threads).map_err(Error::Threads)?,
            budget: Budget::new(options.limits),
            kodata: Flights::new(),
            publishers: publishers(&options, &store, &observer)?,
            cancel: Cancel::new(),
            stop: Arc::new(AtomicBool::new(false)),
            options,
            observer,
            store,
            go,
        };
        Ok(Self { run: Arc::new(run) })
    }

    /// Ends the run from another thread: running children are interrupted, and
    /// work on threads stops at its next step. Drop the future of
    /// [`build`](Self::build) afterwards.
    pub fn cancel(&self) {
        self.run.cancel();
    }

    /// Builds and publishes the programs that the words name, each once.
    ///
    /// # Errors
    /// The first failure in the order of the words; what was still under way
    /// is cancelled, and no tag has moved unless a registry failed at the last
    /// step.
    pub async fn build(&self, words: &[String]) -> Result<Vec<Published>, Error> {
        let run = &self.run;
        if run.options.base_overrides.is_empty() {
            run.bases.prepare(&run.options.default_base);
        }
        let programs = self.programs(words).await?;
        for program in &programs {
            for publisher in &run.publishers {
                publisher.prepare(program.main.import_path.as_str());
            }
        }
        let made = join_all(programs.iter().map(|program| run.make(program))).await;
        let artifacts = first_error(made)?;

        let references = run.commit(&programs, &artifacts).await?;
        let published = programs.iter().zip(&artifacts).zip(references);
        let published = published.map(|((program, artifact), reference)| {
            let import_path = program.main.import_path.to_string();
            let references = run.references(&import_path, artifact, &reference);
            Published { import_path, reference, references }
        });
        Ok(published.collect())
    }

    async fn programs(&self, words: &[String]) -> Result<Vec<Program>, Error> {
        let lister = Lister {
            go: self.run.go.clone(),
            work_dir: self.run.options.work_dir.clone(),
            environment: self.run.options.environment.clone(),
            platforms: self.run.options.platforms.clone(),
            builds: self.run.options.build.builds.clone(),
            cancel: self.run.cancel.clone(),
        };
        let words = words.to_vec();
        let listing = tokio::task::spawn_blocking(move || lister.programs(&words));
        listing.await.expect("listing does not panic")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.run.cancel();
    }
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

fn client(network: &Network, destination: bool) -> Result<Client, Error> {
    let client = Client::new(
        ClientOptions {
            user_agent: network.user_agent.clone(),
            insecure: network.insecure,
            skip_verify: network.insecure && destination,
            ..ClientOptions::default()
        },
        Arc::clone(&network.keychain),
    );
    client.map_err(Error::Network)
}

/// The destinations in the order in which they are served; the last one's
/// reference is printed.
fn publishers(
    options: &Options,
    store: &Store,
    observer: &Observer,
) -> Result<Vec<Box<dyn Publisher>>, Error> {
    let destination = &options.destination;
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
    if destination.push {
        publishers.push(Box::new(RegistryPublisher::new(
            client(&options.network, true)?,
            destination.clone(),
            store.clone(),
            observer.clone(),
        )));
    }
    if publishers.is_empty() {
        publishers.push(Box::new(NonePublisher::new(destination.clone())));
    }
    Ok(publishers)
}

impl Run {
    fn cancel(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.cancel.cancel();
    }

    /// Makes the artifact of a program and brings it to the destinations,
    /// untagged. A failure ends the work of all others.
    async fn make(self: &Arc<Self>, program: &Program) -> Result<Artifact, Error> {
        let made = async {
            let artifact = self.artifact(program).await.map_err(|source| Error::Build {
                import_path: program.main.import_path.clone(),
                source: Box::new(source),
            })?;
            for publisher in &self.publishers {
                let uploaded = publisher.upload(program.main.import_path.as_str(), &artifact).await;
                uploaded.map_err(|source| Error::Publish {
                    import_path: program.main.import_path.clone(),
                    source,
                })?;
            }
            Ok(artifact)
        };
        made.await.inspect_err(|_| self.cancel())
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
                let committed = publisher.commit(import_path.as_str(), artifact).await;
                committed
                    .map_err(|source| Error::Publish { import_path: import_path.clone(), source })
            });
            references = if publisher.in_order() {
                let mut all = Vec::new();
                for commit in commits {
                    all.push(commit.await?);
                }
                all
            } else {
                first_error(join_all(commits).await)?
            };
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

    async fn artifact(self: &Arc<Self>, program: &Program) -> Result<Artifact, BuildFailure> {
        let import_path = program.main.import_path.as_str();
        let overrides = &self.options.base_overrides;
        let reference =
            overrides.get(&import_path.to_lowercase()).unwrap_or(&self.options.default_base);
        let base = self.bases.get(reference).await?;
        self.observer.tell(Event::UsingBase {
            base: reference.to_string(),
            digest: base.found_digest(),
            import_path: import_path.to_owned(),
        });
        match &*self.bases.select(&base).await? {
            Selected::Image(image) => {
                Ok(Artifact::Image(Box::new(self.image(program, image).await?)))
            }
            Selected::Index { media_type, named, images } => {
                let images = images.iter().map(|(descriptor, image)| async move {
                    Ok::<(Descriptor, Image), BuildFailure>((
                        descriptor.clone(),
                        self.image(program, image).await?,
                    ))
                });
                let images = try_join_all(images).await?;
                let named = named.as_ref().map(|(name, digest)| (name.as_str(), *digest));
                Ok(assemble_index(media_type, named, images, &self.options.image))
            }
        }
    }

    async fn image(
        self: &Arc<Self>,
        program: &Program,
        base: &BaseImage,
    ) -> Result<Image, BuildFailure> {
        let kodata = self.kodata(program, base.platform().is_windows());
        let binary = self.binary(program, base.platform());
        let (kodata, binary) = try_join(kodata, binary).await?;
        let main = &program.main;
        let added = Added {
            import_path: main.import_path.as_str(),
            name: main.import_path.base_name(),
            kodata: &kodata,
            binary: &binary,
        };
        Ok(assemble(base, added, &self.options.image))
    }

    /// The layer of a program's kodata: one for all platforms of an OS family.
    async fn kodata(
        self: &Arc<Self>,
        program: &Program,
        windows: bool,
    ) -> Result<Layer, BuildFailure> {
        let dir = program.main.dir.join("kodata");
        let run = Arc::clone(self);
        let work = dir.clone();
        self.kodata
            .start((dir, windows), || async move { run.make_kodata(work, windows).await })
            .await
    }

    async fn make_kodata(
        self: Arc<Self>,
        dir: PathBuf,
        windows: bool,
    ) -> Result<Layer, BuildFailure> {
        let share = self.budget.layer().await;
        let work = tokio::task::spawn_blocking(move || {
            let _share = share;
            let options = KodataOptions {
                dir: dir.clone(),
                family: family(windows),
                mtime: self
                    .options
                    .image
                    .kodata_created
                    .as_ref()
                    .map_or(0, |(seconds, _)| *seconds),
                allowed_root: self.options.kodata_root.clone(),
            };
            let Kodata { recipe, skipped_links } = Recipe::kodata(&options)
                .map_err(|source| BuildFailure::Kodata { source: Arc::new(source) })?;
            for link in skipped_links {
                let name = link.strip_prefix(&dir).unwrap_or(&link).display().to_string();
                self.observer.tell(Event::KodataLinkSkipped { name });
            }
            let source =
                format!("kodata {} {}", if windows { "windows" } else { "unix" }, dir.display());
            let obtained = recipe.obtain(&self.store, &self.compressor, &source, &self.stop);
            match obtained {
                Ok(obtained) => Ok(obtained.layer),
                Err(LayerError::Cancelled) => Err(BuildFailure::Cancelled),
                Err(source) => Err(BuildFailure::KodataLayer { dir, source: Arc::new(source) }),
            }
        });
        work.await.expect("making a layer does not panic")
    }

    /// The layer of a program for a platform.
    async fn binary(
        self: &Arc<Self>,
        program: &Program,
        platform: &Platform,
    ) -> Result<Layer, BuildFailure> {
        let settings = self.settings(program, platform)?;
        let key = BuildKey::new(&self.go, &settings);
        let output = OutputDir::new(&self.store.bin(), &key, &program.main.import_path);
        let last_size = output.binary().metadata().ok().map(|found| found.len());
        let share = self.budget.go_build(last_size).await;

        let (run, main, platform) = (Arc::clone(self), program.main.clone(), platform.clone());
        let work = tokio::task::spawn_blocking(move || {
            run.observer.tell(Event::Building {
                import_path: main.import_path.to_string(),
                platform: platform.clone(),
            });
            let built = run.go.build(&settings, &main.import_path, &output, &run.cancel);
            let binary = built.map_err(|source| match source {
                golang::BuildError::Cancelled => BuildFailure::Cancelled,
                source => BuildFailure::Go {
                    platform: Box::new(platform.clone()),
                    source: Arc::new(source),
                },
            })?;
            // The next program may be compiled while this one is compressed.
            drop(share);
            let failed = |source: LayerError| match source {
                LayerError::Cancelled => BuildFailure::Cancelled,
                source => BuildFailure::Layer {
                    platform: Box::new(platform.clone()),
                    source: Arc::new(source),
                },
            };
            let name = main.import_path.base_name();
            let family = family(platform.is_windows());
            let recipe = Recipe::binary(family, name, binary.path(), None).map_err(failed)?;
            let source = format!("binary {}", binary.path().display());
            let obtained = recipe.obtain(&run.store, &run.compressor, &source, &run.stop);
            Ok(obtained.map_err(failed)?.layer)
        });
        work.await.expect("making a layer does not panic")
    }

    fn settings(
        &self,
        program: &Program,
        platform: &Platform,
    ) -> Result<BuildSettings, BuildFailure> {
        let target = target(platform);
        let chosen = self.options.build.of(program.config);
        let environment = Environment::for_target(&target, &self.options.environment, &chosen.env);
        let environment = environment.map_err(|source| BuildFailure::Environment {
            platform: Box::new(platform.clone()),
            source: Arc::new(source),
        })?;
        Ok(BuildSettings {
            dir: program.dir.clone(),
            target,
            environment,
            flags: chosen.flags,
            ldflags: chosen.ldflags,
            disable_optimizations: self.options.build.disable_optimizations,
        })
    }
}

fn family(windows: bool) -> Family {
    if windows { Family::Windows } else { Family::Unix }
}
