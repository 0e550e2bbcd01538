//! Plans a run: which programs, on which bases, for which platforms, and which
//! of them must be built. Every fact is found out once and kept in the plan.

mod entrypoint;
mod examination;
mod others;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use golang::{Argument, ImportPath, LoadError, lowercase};
use layer::Compression;
use oci::{Digest, Platform};
use once::OnceMap;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::bases::{Base, BaseReference, Bases, Selected, base_circle};
use crate::build::{
    Builder, Checked, ImageMain, ListingError, LookUp, Memory, PlannedFiles, Program, SharedKodata,
    Verdict, refused, unlisted,
};
use crate::described::Descriptions;
use crate::destinations::Destinations;
use crate::error::{Error, ImageError};
use crate::events::{Event, Observer, Stage, StageSpan};
use crate::image::ImageSettings;
use crate::naming::{Named, Naming, check_shared};
pub use examination::Examined;
use others::{PlannedMain, check_names};

/// The plan of a run. It serialises as a list of programs with their bases and
/// targets, each target with its verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    pub(crate) programs: Vec<PlannedProgram>,
}

/// A program, its base, and its targets.
#[derive(Debug, Clone)]
pub(crate) struct PlannedProgram {
    pub(crate) program: Program,
    /// The other programs of its image.
    pub(crate) others: Vec<PlannedMain>,
    /// The base as the user wrote it.
    pub(crate) reference: BaseReference,
    /// The base, unless that is built here.
    pub(crate) base: Option<Arc<Base>>,
    /// The program whose image is the base, if one is.
    pub(crate) on: Option<Arc<PlannedProgram>>,
    /// The images of the base that are built upon. Of a base that is built here, they are
    /// those that it is built upon, of the same platforms and formats.
    pub(crate) selected: Arc<Selected>,
    /// One for each of those images, in their order.
    pub(crate) targets: Vec<Arc<Checked>>,
    /// What its image is called.
    pub(crate) name: Named,
    /// The files of its image, for each target.
    pub(crate) files: Vec<Option<Arc<PlannedFiles>>>,
    /// What it says of itself.
    pub(crate) settings: Arc<ImageSettings<String>>,
    /// The configured build, by its id.
    pub(crate) build: Option<String>,
}

impl Plan {
    /// The import paths of the programs, in the order of the arguments.
    pub fn import_paths(&self) -> impl Iterator<Item = &str> {
        self.programs.iter().map(|planned| planned.program.main.import_path.as_str())
    }

    /// How many targets must be built, and how many there are.
    #[must_use]
    pub fn stale(&self) -> (usize, usize) {
        let mut seen = HashSet::new();
        let all = self.programs.iter().flat_map(PlannedProgram::all_targets);
        let all = all.filter(|(program, platform, _)| {
            seen.insert((program.main.import_path.as_str(), platform.to_string()))
        });
        let stale: Vec<bool> = all.map(|(.., checked)| is_stale(checked)).collect();
        (stale.iter().filter(|stale| **stale).count(), stale.len())
    }

    /// The programs whose images are bases here, each once and after its own base.
    pub(crate) fn bases(&self) -> Vec<&PlannedProgram> {
        let mut bases: Vec<&PlannedProgram> = Vec::new();
        for planned in &self.programs {
            let mut below = Vec::new();
            let mut next = planned.on.as_deref();
            while let Some(base) = next {
                below.push(base);
                next = base.on.as_deref();
            }
            for base in below.into_iter().rev() {
                if bases.iter().all(|known| known.program != base.program) {
                    bases.push(base);
                }
            }
        }
        bases
    }
}

pub(crate) fn is_stale(checked: &Checked) -> bool {
    matches!(checked.verdict, Verdict::Stale(..))
}

impl PlannedProgram {
    /// The targets with their platforms.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&Platform, &Arc<Checked>)> {
        self.selected.platforms().zip(&self.targets)
    }

    /// The programs of the image, its own first, with their targets.
    pub(crate) fn programs(&self) -> impl Iterator<Item = (&Program, &[Arc<Checked>])> {
        let others = self.others.iter().map(|main| (&main.program, &main.targets[..]));
        std::iter::once((&self.program, &self.targets[..])).chain(others)
    }

    /// All targets, those of its base that are built here with them.
    pub(crate) fn all_targets(&self) -> Vec<(&Program, &Platform, &Arc<Checked>)> {
        let mut all = self.on.as_ref().map_or_else(Vec::new, |on| on.all_targets());
        for (program, targets) in self.programs() {
            let targets = self.selected.platforms().zip(targets);
            all.extend(targets.map(|(platform, checked)| (program, platform, checked)));
        }
        all
    }

    /// Whether something has to be built for the image.
    pub(crate) fn is_stale(&self) -> bool {
        self.all_targets().iter().any(|(.., checked)| is_stale(checked))
    }

    /// The digest of its base, as far as that is known before anything is built.
    pub(crate) fn base_digest(&self) -> Option<Digest> {
        self.base.as_ref().and_then(|base| base.digest())
    }
}

/// Whether `go list` still says what it said of a program: it does of what is fresh, and
/// of what has changed in other respects.
fn is_listed_the_same(targets: &[Arc<Checked>]) -> bool {
    targets.iter().all(|checked| match &checked.verdict {
        Verdict::Fresh(_) => true,
        Verdict::Stale(_, previous) => previous.listing.is_some(),
    })
}

impl Serialize for PlannedProgram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Target<'a> {
            platform: String,
            fresh: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
            flags: &'a [String],
            ldflags: &'a [String],
        }
        let mut targets = Vec::with_capacity(self.targets.len());
        for (platform, checked) in self.targets() {
            let reason = match &checked.verdict {
                Verdict::Fresh(_) => None,
                Verdict::Stale(reason, _) => Some(reason.to_string()),
            };
            targets.push(Target {
                platform: platform.to_string(),
                fresh: reason.is_none(),
                reason,
                flags: &checked.settings.flags,
                ldflags: &checked.settings.ldflags,
            });
        }
        let mut out = serializer.serialize_struct("Program", 7)?;
        out.serialize_field("importPath", self.program.main.import_path.as_str())?;
        out.serialize_field("dir", &self.program.dir)?;
        out.serialize_field("build", &self.build)?;
        out.serialize_field("base", &self.reference.to_string())?;
        out.serialize_field("baseDigest", &self.base_digest().map(|digest| digest.to_string()))?;
        out.serialize_field("names", &self.name.image.tagged())?;
        out.serialize_field("targets", &targets)?;
        out.end()
    }
}

/// Plans a run.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(crate) builder: Arc<dyn Builder>,
    pub(crate) bases: Arc<Bases>,
    pub(crate) destinations: Arc<Destinations>,
    pub(crate) choice: Arc<BaseChoice>,
    pub(crate) naming: Arc<Naming>,
    pub(crate) descriptions: Arc<Descriptions>,
    /// The programs whose images are bases of others.
    pub(crate) upon: Arc<OnceMap<ImportPath, Result<Arc<PlannedProgram>, ImageError>>>,
    pub(crate) observer: Observer,
}

/// Which base a program is built upon, and what is asked of it.
#[derive(Debug)]
pub(crate) struct BaseChoice {
    pub(crate) default: BaseReference,
    /// By import path in lower case.
    pub(crate) overrides: BTreeMap<String, BaseReference>,
    pub(crate) compression: Compression,
    /// The ids of the configured builds.
    pub(crate) builds: Vec<String>,
    /// The other programs in the images of those builds, and where `go` runs for them.
    pub(crate) mains: Vec<(PathBuf, Vec<ImageMain>)>,
    /// Those builds that have binaries already.
    pub(crate) prebuilt: Vec<usize>,
    /// Whether all programs have.
    pub(crate) all_prebuilt: bool,
    pub(crate) max_age: Option<MaxAge>,
}

/// How old a base may be before users are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaxAge {
    pub(crate) age: Duration,
    pub(crate) now: jiff::Timestamp,
}

impl MaxAge {
    /// What to say of a base.
    fn notice(&self, planned: &PlannedProgram) -> Option<Event> {
        let dated = planned.base.as_ref()?.dated(&planned.selected)?;
        let age = self.now.duration_since(dated).unsigned_abs();
        let days = |time: Duration| time.as_secs() / (24 * 3600);
        (dated < self.now && age > self.age).then(|| Event::Notice {
            text: format!(
                "base {} is of {}, {} days ago; maxBaseAge is {} days",
                planned.reference,
                dated.strftime("%Y-%m-%d"),
                days(age),
                days(self.age)
            ),
            hint: Some(
                "take a newer one: another tag, or, where ko.lock names its digest, `ko lock`"
                    .to_owned(),
            ),
        })
    }
}

impl BaseChoice {
    /// All that may be wanted and are not built here, each once.
    pub(crate) fn all(&self) -> impl Iterator<Item = &BaseReference> {
        let mut seen = HashSet::new();
        let all = std::iter::once(&self.default).chain(self.overrides.values());
        let all = all.filter(|base| !matches!(base, BaseReference::Program(_)));
        all.filter(move |base| seen.insert(*base))
    }

    fn of(&self, import_path: &ImportPath) -> &BaseReference {
        self.overrides.get(&lowercase(import_path.as_str())).unwrap_or(&self.default)
    }
}

/// Programs that were looked up, and what is planned of them so far.
#[derive(Debug, Default)]
pub(crate) struct LookedUp {
    pub(crate) programs: Vec<Result<Program, LoadError>>,
    pub(crate) planned: Vec<PlannedProgram>,
}

impl Planner {
    /// Looks arguments up. What is remembered of `go list` is taken for true
    /// where all that it depends on is as it was; else one `go list` answers
    /// for all.
    pub(crate) async fn look_up(
        &self,
        arguments: &[Argument],
        memory: Memory,
    ) -> Result<LookedUp, ListingError> {
        let LookUp { remembered, listed, proven } =
            self.builder.look_up(arguments.to_vec(), memory).await?;
        let mut planned = Vec::new();
        if let Some(programs) = remembered {
            // Whatever is wrong will be said when it matters.
            let attempt = async |program| {
                let name = self.name(program).await.ok()?;
                let _ = self.destinations.prepare(&name.image);
                self.plan_program(program, name).await.ok()
            };
            let attempts = join_all(programs.iter().map(attempt));
            planned = attempts.await.into_iter().flatten().collect();
            if planned.len() == programs.len()
                && planned.iter().all(|planned| is_listed_the_same(&planned.targets))
            {
                if let Some(proven) = proven {
                    proven.await;
                }
                return Ok(LookedUp { programs: programs.into_iter().map(Ok).collect(), planned });
            }
        }
        Ok(LookedUp { programs: listed.await?, planned })
    }

    /// The programs that arguments stand for, each once.
    ///
    /// # Errors
    /// The first argument, in their order, that stands for no program.
    pub(crate) async fn programs(
        &self,
        arguments: &[Argument],
    ) -> Result<(Vec<Program>, Vec<PlannedProgram>), ListingError> {
        let found = self.look_up(arguments, Memory::Used).await;
        let LookedUp { programs, planned } = found.map_err(|error| unlisted(error, arguments))?;
        let mut seen = HashSet::new();
        let mut unique = Vec::new();
        for (program, argument) in programs.into_iter().zip(arguments) {
            let program = program.map_err(|error| refused(argument, error))?;
            if seen.insert(program.main.import_path.clone()) {
                unique.push(program);
            }
        }
        Ok((unique, planned))
    }

    /// Plans programs; `planned` are plans of some of them.
    pub(crate) async fn plan(
        &self,
        programs: &[Program],
        planned: Vec<PlannedProgram>,
    ) -> Result<Plan, Error> {
        let known = |program: &Program| planned.iter().find(|planned| planned.program == *program);
        let names = programs.iter().map(|program| async move {
            match known(program) {
                Some(planned) => Ok(planned.name.clone()),
                None => self.name(program).await,
            }
        });
        let names: Vec<Named> = join_all(names).await.into_iter().collect::<Result<_, _>>()?;
        check_shared(&names, &self.observer)?;
        for name in &names {
            self.destinations.prepare(&name.image)?;
        }
        let plans = programs.iter().zip(names).map(|(program, name)| {
            let known = known(program).cloned();
            async move {
                match known {
                    Some(planned) => Ok(planned),
                    None => self.plan_program(program, name).await,
                }
                .map_err(|source| Error::Build {
                    import_path: program.main.import_path.clone(),
                    source: Box::new(source),
                })
            }
        });
        let programs: Vec<PlannedProgram> =
            join_all(plans).await.into_iter().collect::<Result<_, _>>()?;
        let mut dated = HashSet::new();
        let plan = Plan { programs };
        let is_planned =
            |base: &&PlannedProgram| plan.programs.iter().all(|it| it.program != base.program);
        for planned in plan.bases().into_iter().filter(is_planned).chain(&plan.programs) {
            self.emit(planned);
            if let Some(max_age) = self.choice.max_age
                && dated.insert(&planned.reference)
                && let Some(notice) = max_age.notice(planned)
            {
                self.observer.emit(notice);
            }
        }
        Ok(plan)
    }

    async fn name(&self, program: &Program) -> Result<Named, Error> {
        let named = self.naming.name(&*self.builder, program).await;
        let import_path = &program.main.import_path;
        named.map_err(|source| Error::Naming { import_path: import_path.clone(), source })
    }

    /// Finds out the base of a program, and whether each target is fresh.
    async fn plan_program(
        &self,
        program: &Program,
        name: Named,
    ) -> Result<PlannedProgram, ImageError> {
        let import_path = &program.main.import_path;
        if let Some(circle) = base_circle(import_path, |path| self.choice.of(path)) {
            return Err(ImageError::Circle(circle));
        }
        let settings = self.descriptions.of(&*self.builder, program).await?;
        let reference = self.choice.of(import_path);
        let path = Some(import_path.as_str());
        let span = StageSpan::begin(&self.observer, Stage::Base, path, None);
        let (base, on, selected) = match reference {
            BaseReference::Program(path) => {
                let on = self.upon(path).await.map_err(|source| ImageError::Upon {
                    import_path: path.clone(),
                    source: Box::new(source),
                })?;
                let selected = Arc::clone(&on.selected);
                (None, Some(on), selected)
            }
            reference => {
                let base = self.bases.get(reference).await?;
                let selected = self.bases.select(&base).await?;
                (Some(base), None, selected)
            }
        };
        drop(span);
        let method = self.choice.compression.method();
        let suffix = method.encoding().suffix();
        let unfit = |media_type: &oci::MediaType| media_type.added_layer(suffix).is_none();
        if let Some(image) = selected.images().find(|image| unfit(&image.media_type)) {
            return Err(ImageError::Compression {
                base: reference.to_string(),
                media_type: image.media_type.clone(),
                compression: method.to_string(),
            });
        }
        let others = self.mains(program, &selected).await?;
        if self.choice.all_prebuilt && (on.is_some() || !others.is_empty()) {
            return Err(ImageError::SeveralPrebuilt);
        }
        check_names(program, &others, on.as_deref())?;
        let programs: Vec<&Program> =
            std::iter::once(program).chain(others.iter().map(|main| &main.program)).collect();
        if let [_, _, ..] = programs[..]
            && let Some(shared) = self.builder.shared_kodata(&programs).await?
        {
            let SharedKodata { place, programs: [first, second] } = shared;
            return Err(ImageError::SharedKodata { place, first, second });
        }
        let facts = self.descriptions.facts(program);
        let names: Vec<&str> =
            programs.iter().map(|program| program.main.import_path.base_name()).collect();
        let files = selected.platforms();
        let files =
            files.map(|platform| self.builder.files(program, platform, facts.facts(), &names));
        let files = join_all(files).await.into_iter().collect::<Result<_, _>>()?;
        let targets = selected.platforms().map(|platform| self.builder.check(program, platform));
        let targets = join_all(targets).await.into_iter().collect::<Result<_, _>>()?;
        let planned = PlannedProgram {
            program: program.clone(),
            others,
            reference: reference.clone(),
            base,
            on,
            selected: Arc::clone(&selected),
            targets,
            name,
            files,
            settings: Arc::new(settings),
            build: program.config.map(|index| self.choice.builds[index].clone()),
        };
        if let Some(place) = self.descriptions.entrypoint(program) {
            planned.check_entrypoint(&place)?;
        }
        Ok(planned)
    }

    /// Emits the base and build of a program, and the verdict of each target.
    fn emit(&self, planned: &PlannedProgram) {
        let import_path = planned.program.main.import_path.to_string();
        self.observer.emit(Event::UsingBase {
            base: planned.reference.to_string(),
            digest: planned.base.as_ref().and_then(|base| base.found_digest()),
            import_path: import_path.clone(),
        });
        if let Some(id) = planned.build.clone() {
            self.observer.emit(Event::UsingBuild { id, import_path });
        }
        let all = planned.programs().flat_map(|(program, targets)| {
            planned.selected.platforms().zip(targets).map(move |target| (program, target))
        });
        for (program, (platform, checked)) in all {
            let import_path = program.main.import_path.to_string();
            let platform = platform.clone();
            self.observer.emit(match &checked.verdict {
                Verdict::Fresh(_) => Event::Fresh { import_path, platform },
                Verdict::Stale(reason, _) => {
                    Event::Stale { import_path, platform, reason: reason.clone() }
                }
            });
        }
    }
}
