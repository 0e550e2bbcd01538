//! Executes a plan: builds what is stale, assembles images, uploads them, and
//! moves tags when all of them are there.

mod assembly;

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, Shared, join, join_all, select};
use golang::ImportPath;
use oci::{Digest, Platform};
use store::Store;
use tokio::time::timeout;

use crate::bases::Selected;
use crate::build::{BuildFailure, BuildHandle, Builder, Checked, Program, Verdict};
use crate::cancellation::Cancellation;
use crate::destinations::{Destinations, SbomFiles};
use crate::error::{Error, ImageError, first_error};
use crate::events::Observer;
use crate::image::namer::md5_of;
use crate::image::{Artifact, ImageName, ImageOptions};
use crate::libraries::Libraries;
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
    pub(crate) libraries: &'a Libraries,
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

/// The builds under way, by import path.
#[derive(Debug, Default)]
struct Builds(HashMap<ImportPath, Vec<(Program, Platform, BuildHandle)>>);

impl Builds {
    /// The build of a target, if that is stale.
    fn of(&self, program: &Program, platform: &Platform) -> Option<&BuildHandle> {
        let builds = self.0.get(&program.main.import_path)?;
        let same = |(of, for_platform, _): &&(Program, Platform, BuildHandle)| {
            of == program && for_platform == platform
        };
        builds.iter().find(same).map(|(.., handle)| handle)
    }
}

/// Why a program of an image, or another part of it, could not be built.
#[derive(Debug, Clone)]
struct Failure {
    import_path: ImportPath,
    source: BuildFailure,
}

impl From<Failure> for Error {
    fn from(Failure { import_path, source }: Failure) -> Self {
        Self::Build { import_path, source: Box::new(ImageError::Build(source)) }
    }
}

/// A base that is built here: its images, and the digest of all.
type Upon<'a> = Shared<BoxFuture<'a, Result<(Arc<Selected>, Digest), Failure>>>;

/// What an image is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To be brought to destinations; its layers are offered to them at once.
    Published,
    /// To be known.
    Known,
    /// To be built upon.
    Base,
}

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
        let builds = &self.start(plan);
        let bases = &self.bases(plan, builds);
        let names = file_names(plan);
        let several = plan.programs.len() > 1;
        let made = plan.programs.iter().zip(&names);
        let made = made.map(|(planned, name)| self.make(planned, builds, bases, name, several));
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
        let mut digests = HashMap::new();
        for (import_path, base) in bases {
            digests
                .extend(base.peek().and_then(|it| it.as_ref().ok()).map(|it| (import_path, it.1)));
        }
        let published = artifacts.into_iter().zip(references).zip(&plan.programs);
        let published = published.map(|(((name, artifact), reference), planned)| Published {
            base: planned.reference.to_string(),
            base_digest: match &planned.on {
                Some(on) => digests.get(&on.program.main.import_path).copied(),
                None => planned.base_digest(),
            },
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
        for planned in plan.programs.iter().filter(|planned| planned.is_stale()) {
            let allowed = self.destinations.preflight(&planned.name.image).await;
            allowed.inspect_err(|_| self.cancellation.fail())?;
        }
        Ok(())
    }

    /// The plan when all layers that are not here are where they are needed: those that a
    /// destination lacks are fetched from shared caches, and what cannot be had is built.
    async fn secured<'a>(&self, plan: &'a Plan) -> Cow<'a, Plan> {
        let Some(sharing) = self.sharing else { return Cow::Borrowed(plan) };
        let is_shared = |planned: &PlannedProgram| {
            planned.all_targets().iter().any(|(.., checked)| checked.is_layer_away)
        };
        if !plan.programs.iter().any(is_shared) {
            return Cow::Borrowed(plan);
        }
        let programs = plan
            .programs
            .iter()
            .map(|planned| self.secured_program(sharing, planned, &planned.name.image));
        Cow::Owned(Plan { programs: join_all(programs).await })
    }

    /// A program with its base, whose layers are needed where `name` is.
    fn secured_program<'a>(
        &'a self,
        sharing: &'a Arc<Sharing>,
        planned: &'a PlannedProgram,
        name: &'a ImageName,
    ) -> BoxFuture<'a, PlannedProgram> {
        let secured = async move |targets: &[Arc<Checked>]| {
            let targets = planned.selected.images().zip(targets);
            let targets = targets.map(|(base, checked)| async move {
                match (&checked.verdict, checked.is_layer_away) {
                    (Verdict::Fresh(built), true) => {
                        let layer = &base.added(&built.layer);
                        let is_had = self.destinations.has_layer(name, layer).await
                            || sharing.provide(&built.layer).await;
                        if is_had { Arc::clone(checked) } else { Arc::new(checked.without_layer()) }
                    }
                    _ => Arc::clone(checked),
                }
            });
            join_all(targets).await
        };
        let secure = async move {
            let mut secure = planned.clone();
            secure.targets = secured(&planned.targets).await;
            for main in &mut secure.others {
                main.targets = secured(&main.targets).await;
            }
            if let Some(on) = &planned.on {
                secure.on = Some(Arc::new(self.secured_program(sharing, on, name).await));
            }
            secure
        };
        secure.boxed()
    }

    /// Starts to build everything that is stale.
    fn start(&self, plan: &Plan) -> Builds {
        let (mut builds, mut stale) = (Builds::default(), Vec::new());
        let all = plan.programs.iter().flat_map(PlannedProgram::all_targets);
        for (program, platform, checked) in all.filter(|(.., checked)| is_stale(checked)) {
            let same =
                |(of, to, _): &(Program, Platform, Arc<Checked>)| of == program && to == platform;
            if !stale.iter().any(same) {
                stale.push((program.clone(), platform.clone(), Arc::clone(checked)));
            }
        }
        for (handle, (program, platform, _)) in
            self.builder.start(stale.clone()).into_iter().zip(stale)
        {
            let of_path = builds.0.entry(program.main.import_path.clone()).or_default();
            of_path.push((program, platform, handle));
        }
        builds
    }

    /// The bases that are built here, each made when it is first needed.
    fn bases<'a>(&'a self, plan: &'a Plan, builds: &'a Builds) -> HashMap<ImportPath, Upon<'a>> {
        let mut bases: HashMap<ImportPath, Upon<'a>> = HashMap::new();
        for planned in plan.bases() {
            let below = planned.on.as_ref().and_then(|on| bases.get(&on.program.main.import_path));
            let below = below.cloned();
            let make = async move {
                let below = match below {
                    Some(below) => Some(below.await?.0),
                    None => None,
                };
                let from = below.as_ref().unwrap_or(&planned.selected);
                let artifact = self.artifact(planned, builds, from, Purpose::Base).await?;
                Ok((Arc::new(Selected::of_program(from, &artifact)), artifact.digest()))
            };
            bases.insert(planned.program.main.import_path.clone(), make.boxed().shared());
        }
        bases
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
        builds: &Builds,
        bases: &HashMap<ImportPath, Upon<'_>>,
        name: &str,
        several: bool,
    ) -> Result<(ImageName, Artifact), Error> {
        let made = async {
            let base = planned.on.as_ref().map(|on| bases[&on.program.main.import_path].clone());
            let base = match base {
                Some(base) => Some(base.await?.0),
                None => None,
            };
            let base = base.as_ref().unwrap_or(&planned.selected);
            let artifact = self.artifact(planned, builds, base, Purpose::Published).await?;
            if let Some(files) = self.sbom_files {
                files.write(&artifact, name).await?;
            }
            self.destinations.upload(&planned.name.image, &artifact).await?;
            Ok((planned.name.image.clone(), artifact))
        };
        made.await.inspect_err(|error: &Error| {
            let failure = error.compile_failure(!several);
            // The other builds are still recorded for the next run.
            if failure.is_none() || !several {
                self.cancellation.fail();
            }
            // This failure is reported at once.
            if let Some(failure) = failure {
                self.observer.emit(failure);
            }
        })
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
