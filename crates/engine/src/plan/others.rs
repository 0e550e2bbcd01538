//! Plans what is in an image beside its own program: the other programs that are configured
//! (`mains`), and the program whose image is its base (`ko://`).

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use golang::{Argument, ImportPath, LoadError};

use super::{PlannedProgram, Planner, is_listed_the_same};
use crate::bases::{BaseReference, Selected};
use crate::build::{Checked, ImageMain, ListingError, LookUp, Memory, Program, refused, unlisted};
use crate::error::ImageError;
use crate::naming::Named;

/// Another program of an image.
#[derive(Debug, Clone)]
pub(crate) struct PlannedMain {
    pub(crate) program: Program,
    /// One for each image of the base, in their order.
    pub(crate) targets: Vec<Arc<Checked>>,
    /// Where it is wanted.
    place: String,
}

impl Planner {
    /// The other programs of the image of a program.
    pub(super) async fn mains(
        &self,
        program: &Program,
        selected: &Selected,
    ) -> Result<Vec<PlannedMain>, ImageError> {
        let Some(index) = program.config else { return Ok(Vec::new()) };
        let (dir, wanted) = &self.choice.mains[index];
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = Vec::with_capacity(wanted.len());
        for main in wanted {
            let word = match main.package.starts_with('.') {
                true => format!("./{}", dir.join(&main.package).display()),
                false => main.package.clone(),
            };
            arguments.push(Argument::parse(&word).map_err(|error| unfound(main, error.into()))?);
        }
        let LookUp { remembered, listed, proven } =
            self.found(&arguments).await.map_err(|error| unfound(&wanted[0], error))?;
        if let Some(programs) = remembered {
            let planned = self.check_mains(program, programs, wanted, selected).await?;
            if planned.iter().all(|main| is_listed_the_same(&main.targets)) {
                if let Some(proven) = proven {
                    proven.await;
                }
                return Ok(planned);
            }
        }
        let listed = listed.await.map_err(|error| unlisted(error, &arguments));
        let listed = listed.map_err(|error| unfound(&wanted[0], error))?;
        let mut programs = Vec::with_capacity(listed.len());
        for ((found, argument), main) in listed.into_iter().zip(&arguments).zip(wanted) {
            let found =
                found.map_err(|error: LoadError| unfound(main, refused(argument, error)))?;
            programs.push(found);
        }
        self.check_mains(program, programs, wanted, selected).await
    }

    /// Finds out whether other programs are fresh. One that has no build of its own is
    /// built as the program of the image, unless that is not built here.
    async fn check_mains(
        &self,
        program: &Program,
        mains: Vec<Program>,
        wanted: &[ImageMain],
        selected: &Selected,
    ) -> Result<Vec<PlannedMain>, ImageError> {
        let config = program.config.filter(|index| !self.choice.prebuilt.contains(index));
        let check = |(main, wanted): (Program, &ImageMain)| {
            let main = Program { config: main.config.or(config), ..main };
            let place = wanted.place.clone();
            async move {
                let checks =
                    selected.platforms().map(|platform| self.builder.check(&main, platform));
                let targets = join_all(checks).await.into_iter().collect::<Result<_, _>>()?;
                Ok(PlannedMain { program: main, targets, place })
            }
        };
        let checked = join_all(mains.into_iter().zip(wanted).map(check)).await;
        checked.into_iter().collect()
    }

    async fn found(&self, arguments: &[Argument]) -> Result<LookUp, ListingError> {
        self.builder.look_up(arguments.to_vec(), Memory::Used).await
    }

    /// The plan of a program whose image is a base: one for all that are built upon it.
    pub(super) async fn upon(&self, path: &ImportPath) -> Result<Arc<PlannedProgram>, ImageError> {
        let (planner, wanted) = (self.clone(), path.clone());
        self.upon.start(path.clone(), || planner.plan_base(wanted)).await
    }

    fn plan_base(
        self,
        path: ImportPath,
    ) -> BoxFuture<'static, Result<Arc<PlannedProgram>, ImageError>> {
        let plan = async move {
            let arguments = [Argument::Path(path.clone())];
            let reference = BaseReference::Program(path.clone()).to_string();
            let unfound = |error| ImageError::Main {
                place: format!("base image {reference}"),
                source: Arc::new(error),
            };
            let LookUp { remembered, listed, proven } =
                self.found(&arguments).await.map_err(&unfound)?;
            if let Some(program) = remembered.and_then(|found| found.into_iter().next()) {
                let planned = self.plan_program(&program, Named::none(&path)).await?;
                if is_listed_the_same(&planned.targets) {
                    if let Some(proven) = proven {
                        proven.await;
                    }
                    return Ok(Arc::new(planned));
                }
            }
            let listed = listed.await.map_err(|error| unfound(unlisted(error, &arguments)))?;
            let program = listed.into_iter().next().unwrap_or_else(|| {
                Err(LoadError::Count { argument: arguments[0].clone(), found: 0 })
            });
            let program = program.map_err(|error| unfound(refused(&arguments[0], error)))?;
            Ok(Arc::new(self.plan_program(&program, Named::none(&path)).await?))
        };
        plan.boxed()
    }
}

/// Programs of an image and of its base must not have one name, or be there twice.
pub(super) fn check_names(
    program: &Program,
    mains: &[PlannedMain],
    on: Option<&PlannedProgram>,
) -> Result<(), ImageError> {
    let path = |program: &Program| program.main.import_path.clone();
    let mut seen = vec![(path(program), "the program of the image".to_owned())];
    let mut add = |program: &ImportPath, place: &str| {
        let name = program.base_name();
        let same =
            |(other, _): &&(ImportPath, String)| other.base_name().eq_ignore_ascii_case(name);
        if let Some((first, of)) = seen.iter().find(same) {
            return Err(ImageError::SameName {
                place: place.to_owned(),
                first: format!("{first} ({of})"),
                second: program.clone(),
                path: format!("/ko-app/{name}"),
            });
        }
        seen.push((program.clone(), place.to_owned()));
        Ok(())
    };
    for main in mains {
        add(&main.program.main.import_path, &main.place)?;
    }
    let mut below = on;
    while let Some(base) = below {
        let place = format!("base image ko://{}", base.program.main.import_path);
        for (program, _) in base.programs() {
            add(&program.main.import_path, &place)?;
        }
        below = base.on.as_deref();
    }
    Ok(())
}

fn unfound(main: &ImageMain, error: ListingError) -> ImageError {
    ImageError::Main { place: main.place.clone(), source: Arc::new(error) }
}
