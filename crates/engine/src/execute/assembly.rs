//! Makes the artifact of a program of what was built, or is known.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select, try_join, try_join_all, try_join4};
use layer::Layer;
use oci::Descriptor;

use super::{Builds, Executor, Failure, Purpose};
use crate::bases::Selected;
use crate::blobs::BlobError;
use crate::build::{BuildFailure, BuildHandle, BuiltProgram, Checked, Program, Verdict};
use crate::changes;
use crate::error::Error;
use crate::events::Event;
use crate::image::{
    Added, AddedProgram, Artifact, BaseImage, Image, ImageLayer, Wanted, assemble, assemble_index,
};
use crate::libraries::{CheckLibraries, LibraryProblem};
use crate::plan::PlannedProgram;

impl Executor<'_> {
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

    /// The artifact of a program that is fresh for all platforms, as its base is.
    pub(crate) async fn assembled(&self, planned: &PlannedProgram) -> Result<Artifact, Error> {
        Ok(self.assemble(planned, Purpose::Known).await?)
    }

    fn assemble<'a>(
        &'a self,
        planned: &'a PlannedProgram,
        purpose: Purpose,
    ) -> BoxFuture<'a, Result<Artifact, Failure>> {
        let assembled = async move {
            let base = match &planned.on {
                Some(on) => {
                    let artifact = self.assemble(on, Purpose::Base).await?;
                    Arc::new(Selected::of_program(&on.selected, &artifact))
                }
                None => Arc::clone(&planned.selected),
            };
            self.artifact(planned, &Builds::default(), &base, purpose).await
        };
        assembled.boxed()
    }

    pub(super) async fn artifact(
        &self,
        planned: &PlannedProgram,
        builds: &Builds,
        base: &Selected,
        purpose: Purpose,
    ) -> Result<Artifact, Failure> {
        match base {
            Selected::Image(base) => {
                let image = self.image(planned, (base, 0), builds, purpose).await?;
                Ok(Artifact::Image(Box::new(image)))
            }
            Selected::Index { media_type, named, images } => {
                let images = images.iter().enumerate().map(|(at, (descriptor, base))| async move {
                    let image = self.image(planned, (base, at), builds, purpose).await?;
                    Ok::<(Descriptor, Image), Failure>((descriptor.clone(), image))
                });
                let images = try_join_all(images).await?;
                let named = named.as_ref().map(|(name, digest)| (name.as_str(), *digest));
                Ok(assemble_index(media_type, named, images, self.wanted(planned)))
            }
        }
    }

    /// The image upon one of the base, which is at this place among them.
    async fn image(
        &self,
        planned: &PlannedProgram,
        (base, at): (&BaseImage, usize),
        builds: &Builds,
        purpose: Purpose,
    ) -> Result<Image, Failure> {
        let (program, platform) = (&planned.program, base.platform());
        let import_path = &program.main.import_path;
        let failed = |source| Failure { import_path: import_path.clone(), source };
        let checked = &*planned.targets[at];
        // Of an image that is the same again nothing is sent.
        let changes = planned.programs().any(|(it, _)| builds.of(it, platform).is_some());
        let offering = Some(&planned.name.image);
        let offering = offering.filter(|_| changes && purpose == Purpose::Published);
        let offer = |layer: &ImageLayer| {
            if let Some(name) = offering {
                self.destinations.offer(name, layer);
            }
        };
        base.layers().for_each(|layer| offer(&layer));
        let kodata = async |of: &Program, is_skipped: bool| {
            let kodata = self.builder.kodata(of, platform.is_windows()).await.map_err(failed)?;
            let is_skipped = kodata.is_empty && is_skipped;
            if !is_skipped {
                offer(&base.added(&kodata.layer));
            }
            Ok::<_, Failure>((kodata, is_skipped))
        };
        let own_kodata = kodata(program, self.builder.skips_empty_kodata(program));
        let files = async {
            let Some(planned) = planned.files[at].clone() else { return Ok(None) };
            let layer = self.builder.files_layer(planned).await.map_err(failed)?;
            offer(&base.added(&layer));
            Ok(Some(layer))
        };
        let offer_binary = |layer: &Layer| offer(&base.added(layer));
        let binary = async |of: &Program, checked: &Checked| {
            let built = self.binary(checked, builds.of(of, platform), offer_binary).await;
            built.map_err(|source| Failure { import_path: of.main.import_path.clone(), source })
        };
        let own_binary = binary(program, checked);
        let debugger = async {
            match purpose {
                Purpose::Published | Purpose::Known => {
                    self.builder.debugger(program, platform, checked).await.map_err(failed)
                }
                Purpose::Base => Ok(None),
            }
        };
        let others = planned.others.iter().map(|main| async {
            let of = &main.program;
            try_join(kodata(of, true), binary(of, &main.targets[at])).await
        });
        let parts = try_join4(own_kodata, files, own_binary, debugger);
        let (((own_kodata, is_skipped), files, own_binary, debugger), others) =
            try_join(parts, try_join_all(others)).await?;
        if purpose != Purpose::Known {
            let others = planned.others.iter().zip(&others);
            let others = others.map(|(main, (_, built))| (&main.program, built));
            for (of, built) in std::iter::once((program, &own_binary)).chain(others) {
                self.check_libraries(planned, (of, built), (base, at)).await?;
            }
        }
        if purpose != Purpose::Base {
            changes::explain(self.store, self.observer, program, base, &own_kodata).await;
        }
        let needs_info = self.sbom || self.provenance;
        let kodata = Some(&own_kodata.layer).filter(|_| !is_skipped);
        let of_others = others.iter().filter(|((_, is_skipped), _)| !is_skipped);
        let added = Added {
            import_path: import_path.as_str(),
            name: import_path.base_name(),
            kodata: kodata.into_iter().chain(of_others.map(|((it, _), _)| &it.layer)).collect(),
            files: files.as_ref(),
            binary: &own_binary.layer,
            others: planned
                .others
                .iter()
                .zip(&others)
                .map(|(main, (_, built))| AddedProgram {
                    name: main.program.main.import_path.base_name(),
                    binary: &built.layer,
                    info: built.info.as_ref().filter(|_| needs_info),
                })
                .collect(),
            debugger: debugger.as_ref(),
            program: own_binary.info.as_ref().filter(|_| needs_info),
            settings: Some(&checked.settings).filter(|_| self.provenance),
        };
        Ok(assemble(base, &added, self.wanted(planned)))
    }

    /// Says what a program needs and its image has not, or refuses it.
    async fn check_libraries(
        &self,
        planned: &PlannedProgram,
        (program, built): (&Program, &BuiltProgram),
        (base, at): (&BaseImage, usize),
    ) -> Result<(), Failure> {
        let check = self.builder.checks_libraries(&planned.program);
        let Some(linkage) = built.linkage.as_ref().filter(|_| check != CheckLibraries::Off) else {
            return Ok(());
        };
        let files = planned.files[at].as_ref().map(|files| files.places()).unwrap_or_default();
        let name = planned.reference.to_string();
        let problem = match self.libraries.check(linkage, base, &files).await {
            Ok(None) => return Ok(()),
            Ok(Some(wanting)) => LibraryProblem::Wanting {
                program: program.main.import_path.clone(),
                platform: Box::new(base.platform().clone()),
                base: name,
                wanting,
            },
            Err(BlobError::Cancelled) => {
                let import_path = program.main.import_path.clone();
                return Err(Failure { import_path, source: BuildFailure::Cancelled });
            }
            Err(source) => LibraryProblem::Unknown { base: name, source },
        };
        if check == CheckLibraries::Warn {
            let hint = problem.hint();
            let text = match &problem {
                LibraryProblem::Wanting { .. } => problem.to_string(),
                LibraryProblem::Unknown { source, .. } => {
                    format!("{problem} is not known: {source}")
                }
            };
            self.observer.emit(Event::Notice { text, hint });
            return Ok(());
        }
        let import_path = program.main.import_path.clone();
        Err(Failure { import_path, source: BuildFailure::Libraries(Box::new(problem)) })
    }

    fn wanted<'a>(&'a self, planned: &'a PlannedProgram) -> Wanted<'a> {
        Wanted { settings: &planned.settings, run: self.image }
    }

    /// What a target is made of: as it is known, or as it is built. Its layer
    /// is sent on its way as soon as it is there.
    async fn binary(
        &self,
        checked: &Checked,
        build: Option<&BuildHandle>,
        offer: impl Fn(&Layer),
    ) -> Result<BuiltProgram, BuildFailure> {
        match (&checked.verdict, build) {
            (Verdict::Fresh(built), _) => Ok(BuiltProgram::clone(built)),
            (Verdict::Stale(..), None) => Err(BuildFailure::Cancelled),
            (Verdict::Stale(..), Some(BuildHandle { installed, finished })) => {
                let offer = async {
                    if let Some(layer) = installed.clone().await {
                        offer(&layer);
                    }
                    std::future::pending::<Infallible>().await
                };
                match select(pin!(offer), finished.clone()).await {
                    Either::Right((built, _)) => built,
                    Either::Left((never, _)) => match never {},
                }
            }
        }
    }
}
