//! Executes a plan: builds what is stale, assembles images, uploads them, and
//! moves tags when all of them are there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{Either, join, join_all, select, try_join_all, try_join4};
use golang::ImportPath;
use oci::{Descriptor, Digest, Platform};
use store::Store;
use tokio::time::timeout;

use crate::bases::Selected;
use crate::build::{
    BuildFailure, BuildHandle, Builder, BuiltProgram, Checked, PlannedFiles, Verdict,
};
use crate::cancellation::Cancellation;
use crate::changes;
use crate::destinations::{Destinations, SbomFiles};
use crate::error::{Error, ImageError, first_error};
use crate::events::Observer;
use crate::image::namer::md5_of;
use crate::image::{
    Added, Artifact, BaseImage, Image, ImageName, ImageOptions, Wanted, assemble, assemble_index,
};
use crate::plan::{Plan, PlannedProgram, is_stale};
use crate::sharing::Sharing;

/// How long destinations may take to end what they have begun in vain.
const CLOSING: Duration = Duration::from_secs(2);

/// Executes plans.
#[derive(Debug)]
pub(crate) struct Executor<'a> {
    pub(crate) builder: &'a dyn Builder,
    pub(crate) destinations: &'a Destinations,
    pub(crate) sbom_files: Option<&'a SbomFiles>,
    pub(crate) image: &'a ImageOptions,
    /// Whether images have SBOMs.
    pub(crate) sbom: bool,
    /// Whether it is attested what they were built from.
    pub(crate) provenance: bool,
    pub(crate) store: &'a Store,
    pub(crate) observer: &'a Observer,
    pub(crate) cancellation: &'a Cancellation,
    pub(crate) sharing: Option<&'a Arc<Sharing>>,
    /// Is set before anything becomes visible.
    pub(crate) committing: &'a AtomicBool,
}

/// An image that was published.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Published {
    /// The import path, without `ko://`.
    pub import_path: String,
    /// What was built.
    pub artifact: Artifact,
    /// The base as the user wrote it.
    pub base: String,
    /// The digest of the base's manifest or index; none of `scratch`.
    pub base_digest: Option<Digest>,
    /// What it is called, and its tags.
    pub name: ImageName,
    /// The reference that is printed.
    pub reference: String,
    /// All that was published: for an index, the index and then its images,
    /// each as `repository@digest`; else the printed reference.
    pub references: Vec<String>,
}

/// A program and the build of each of its targets, if it is stale.
type Builds = Vec<Option<BuildHandle>>;

impl Executor<'_> {
    /// Builds and publishes all programs of a plan.
    ///
    /// # Errors
    /// The first failure in the order of the programs. No tag has moved unless
    /// a registry failed at the last step.
    pub(crate) async fn execute(&self, plan: &Plan) -> Result<Vec<Published>, Error> {
        self.destinations.ready().await.map_err(Error::Destination)?;
        if let Some(files) = self.sbom_files {
            files.prepare().await?;
        }
        let plan = &*self.secured(plan).await;
        let builds = self.start(plan);
        let names = file_names(plan);
        let several = plan.programs.len() > 1;
        let made = plan.programs.iter().zip(builds).zip(&names);
        let made = made.map(|((planned, builds), name)| self.make(planned, builds, name, several));
        let made = match select(pin!(self.preflight(plan)), pin!(join_all(made))).await {
            Either::Left((Err(refused), made)) => {
                made.await;
                Err(refused)
            }
            Either::Left((Ok(()), made)) => first_error(made.await),
            Either::Right((made, _)) => first_error(made),
        };
        let close = timeout(CLOSING, self.destinations.close());
        let artifacts = match made {
            Ok(artifacts) => artifacts,
            Err(error) => {
                let _ = close.await;
                return Err(error);
            }
        };
        self.committing.store(true, Ordering::SeqCst);
        let (references, _) = join(self.destinations.commit(&artifacts), close).await;
        let references = references?;
        let published = artifacts.into_iter().zip(references).zip(&plan.programs);
        let published = published.map(|(((name, artifact), reference), planned)| Published {
            base: planned.reference.to_string(),
            base_digest: planned.base.digest(),
            references: Destinations::references(&name, &artifact, &reference),
            import_path: name.import_path.to_string(),
            name,
            artifact,
            reference,
        });
        Ok(published.collect())
    }

    /// Finds out whether images may be brought to their destinations at all, while
    /// what is stale is compiled: a refusal ends that.
    async fn preflight(&self, plan: &Plan) -> Result<(), Error> {
        let is_stale = |planned: &&PlannedProgram| planned.targets.iter().any(|it| is_stale(it));
        for planned in plan.programs.iter().filter(is_stale) {
            let allowed = self.destinations.preflight(&planned.name.image).await;
            allowed.inspect_err(|_| self.cancellation.fail())?;
        }
        Ok(())
    }

    /// The plan when all layers of shared caches are where they are needed: those that
    /// a destination lacks are fetched, and what cannot be had is built.
    async fn secured<'a>(&self, plan: &'a Plan) -> Cow<'a, Plan> {
        let Some(sharing) = self.sharing else { return Cow::Borrowed(plan) };
        let all = || plan.programs.iter().flat_map(|planned| &planned.targets);
        if all().all(|checked| checked.from.is_none()) {
            return Cow::Borrowed(plan);
        }
        let programs = plan.programs.iter().map(|planned| async move {
            let name = &planned.name.image;
            let targets = planned.selected.images().zip(&planned.targets);
            let targets = targets.map(|(base, checked)| async move {
                match (&checked.verdict, &checked.from) {
                    (Verdict::Fresh(built), Some(_)) => {
                        let layer = &base.added(&built.layer);
                        let is_had = self.destinations.has_layer(name, layer).await
                            || sharing.provide(&built.layer).await;
                        if is_had { Arc::clone(checked) } else { Arc::new(checked.without_layer()) }
                    }
                    _ => Arc::clone(checked),
                }
            });
            PlannedProgram { targets: join_all(targets).await, ..planned.clone() }
        });
        Cow::Owned(Plan { programs: join_all(programs).await })
    }

    /// Starts to build everything that is stale.
    fn start(&self, plan: &Plan) -> Vec<Builds> {
        let mut stale = Vec::new();
        for planned in &plan.programs {
            let targets = planned.targets().filter(|(_, checked)| is_stale(checked));
            let target = |(platform, checked): (&Platform, &Arc<Checked>)| {
                (planned.program.clone(), platform.clone(), Arc::clone(checked))
            };
            stale.extend(targets.map(target));
        }
        let mut handles = self.builder.start(stale).into_iter();
        let mut build = |checked| if is_stale(checked) { handles.next() } else { None };
        let mut builds = Vec::new();
        for planned in &plan.programs {
            builds.push(planned.targets.iter().map(|checked| build(checked)).collect());
        }
        builds
    }

    /// Makes the artifact of a program and brings it to the destinations,
    /// untagged. A failure ends the work of all others, unless it is that of a
    /// program that does not compile.
    ///
    /// `name` is what files about the program are called; `several`, whether
    /// there are others.
    async fn make(
        &self,
        planned: &PlannedProgram,
        builds: Builds,
        name: &str,
        several: bool,
    ) -> Result<(ImageName, Artifact), Error> {
        let import_path = &planned.program.main.import_path;
        let made = async {
            let artifact = self.artifact(planned, builds).await.map_err(|source| Error::Build {
                import_path: import_path.clone(),
                source: Box::new(ImageError::Build(source)),
            })?;
            if let Some(files) = self.sbom_files {
                files.write(&artifact, name).await?;
            }
            self.destinations.upload(&planned.name.image, &artifact).await?;
            Ok((planned.name.image.clone(), artifact))
        };
        made.await.inspect_err(|error: &Error| match error.compile_failure() {
            // The other builds are still recorded for the next run; the failure
            // of this one is reported at once.
            Some(failure) if several => self.observer.emit(failure),
            _ => self.cancellation.fail(),
        })
    }

    /// The artifact of a program that is fresh for all platforms, and whether it is
    /// where it would be brought; `None` where a destination cannot tell.
    pub(crate) async fn known(
        &self,
        planned: &PlannedProgram,
    ) -> Result<(Artifact, Option<bool>), Error> {
        let artifact = self.assembled(planned).await?;
        let is_there = self.destinations.has(&planned.name.image, &artifact).await?;
        Ok((artifact, is_there))
    }

    /// The artifact of a program that is fresh for all platforms.
    pub(crate) async fn assembled(&self, planned: &PlannedProgram) -> Result<Artifact, Error> {
        let import_path = &planned.program.main.import_path;
        let builds = planned.targets.iter().map(|_| None).collect();
        self.artifact(planned, builds).await.map_err(|source| Error::Build {
            import_path: import_path.clone(),
            source: Box::new(ImageError::Build(source)),
        })
    }

    async fn artifact(
        &self,
        planned: &PlannedProgram,
        builds: Builds,
    ) -> Result<Artifact, BuildFailure> {
        let mut targets = planned.targets.iter().zip(builds);
        match &*planned.selected {
            Selected::Image(base) => {
                let (checked, build) = targets.next().expect("an image has a target");
                let files = planned.files.first().cloned().flatten();
                let image = self.image(planned, base, files, (checked, build)).await?;
                Ok(Artifact::Image(Box::new(image)))
            }
            Selected::Index { media_type, named, images } => {
                let images = images.iter().zip(targets).zip(planned.files.iter().cloned());
                let images =
                    images.map(|(((descriptor, base), (checked, build)), files)| async move {
                        let target = (&**checked, build);
                        let image = self.image(planned, base, files, target).await?;
                        Ok::<(Descriptor, Image), BuildFailure>((descriptor.clone(), image))
                    });
                let images = try_join_all(images).await?;
                let named = named.as_ref().map(|(name, digest)| (name.as_str(), *digest));
                Ok(assemble_index(media_type, named, images, self.wanted(planned)))
            }
        }
    }

    async fn image(
        &self,
        planned: &PlannedProgram,
        base: &BaseImage,
        files: Option<Arc<PlannedFiles>>,
        (checked, build): (&Checked, Option<BuildHandle>),
    ) -> Result<Image, BuildFailure> {
        let (program, platform) = (&planned.program, base.platform());
        let (import_path, name) = (&program.main.import_path, &planned.name.image);
        // Of an image that is the same again nothing is sent.
        let changes = build.is_some();
        if changes {
            base.layers().for_each(|layer| self.destinations.offer(name, &layer));
        }
        let kodata = async {
            let kodata = self.builder.kodata(program, platform.is_windows()).await?;
            let is_skipped = kodata.is_empty && self.builder.skips_empty_kodata(program);
            if changes && !is_skipped {
                self.destinations.offer(name, &base.added(&kodata.layer));
            }
            Ok((kodata, is_skipped))
        };
        let files = async {
            let Some(planned) = files else { return Ok(None) };
            let layer = self.builder.files_layer(planned).await?;
            if changes {
                self.destinations.offer(name, &base.added(&layer));
            }
            Ok(Some(layer))
        };
        let binary = self.binary(name, base, checked, build);
        let debugger = self.builder.debugger(program, platform, checked);
        let ((kodata, is_skipped), files, binary, debugger) =
            try_join4(kodata, files, binary, debugger).await?;
        changes::explain(self.store, self.observer, program, base, &kodata).await;
        let added = Added {
            import_path: import_path.as_str(),
            name: import_path.base_name(),
            kodata: Some(&kodata.layer).filter(|_| !is_skipped),
            files: files.as_ref(),
            binary: &binary.layer,
            debugger: debugger.as_ref(),
            program: binary.info.as_ref().filter(|_| self.sbom || self.provenance),
            settings: Some(&checked.settings).filter(|_| self.provenance),
        };
        Ok(assemble(base, added, self.wanted(planned)))
    }

    fn wanted<'a>(&'a self, planned: &'a PlannedProgram) -> Wanted<'a> {
        Wanted { settings: &planned.settings, run: self.image }
    }

    /// What a target is made of: as it is known, or as it is built. Its layer
    /// is sent on its way as soon as it is there.
    async fn binary(
        &self,
        name: &ImageName,
        base: &BaseImage,
        checked: &Checked,
        build: Option<BuildHandle>,
    ) -> Result<BuiltProgram, BuildFailure> {
        match (&checked.verdict, build) {
            (Verdict::Fresh(built), _) => Ok(BuiltProgram::clone(built)),
            (Verdict::Stale(..), None) => Err(BuildFailure::Cancelled),
            (Verdict::Stale(..), Some(BuildHandle { installed, finished })) => {
                let offer = async {
                    if let Some(layer) = installed.await {
                        self.destinations.offer(name, &base.added(&layer));
                    }
                    std::future::pending::<Infallible>().await
                };
                match select(pin!(offer), finished).await {
                    Either::Right((built, _)) => built,
                    Either::Left((never, _)) => match never {},
                }
            }
        }
    }
}

/// What files about each program are called: its name, or, where several of
/// the run share it, that and the md5 of its import path.
fn file_names(plan: &Plan) -> Vec<String> {
    let paths = || plan.programs.iter().map(|planned| &planned.program.main.import_path);
    // Some file systems ignore case.
    let mut times: HashMap<String, usize> = HashMap::new();
    for path in paths() {
        *times.entry(path.base_name().to_lowercase()).or_default() += 1;
    }
    let unique = |path: &ImportPath| match path.base_name() {
        name if times[&name.to_lowercase()] == 1 => name.to_owned(),
        name => format!("{name}-{}", md5_of(path.as_str())),
    };
    paths().map(unique).collect()
}
