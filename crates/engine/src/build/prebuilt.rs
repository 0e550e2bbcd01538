//! Packages binaries that somebody else has built: `go` does not run for them, and all
//! else is as for programs that are built here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use golang::{
    Argument, BuildInfo, BuildSettings, Environment, ImportPath, LoadError, Main, ModuleFile,
    ProgramFacts, Template, normal,
};
use layer::Layer;
use oci::Platform;
use once::blocking;

use super::error::{BuildFailure, ListingError};
use super::files::{FilesPlanner, PlannedFiles};
use super::freshness::{Checked, PreviousBuild, RecordSlot, Verdict};
use super::kodata::SharedKodata;
use super::layers::{KodataLayer, Layers, PrebuiltBinary};
use super::modules::Modules;
use super::options::{BuildConfig, Prebuilt};
use super::program::{Program, target};
use super::settings::Settings;
use super::{BuildHandle, Builder, LookUp, Memory};
use crate::events::StaleReason;
use crate::image::DebuggerLayer;
use crate::libraries::CheckLibraries;

/// What packages binaries, and leaves all else to another builder.
#[derive(Debug)]
pub(super) struct PrebuiltBuilder {
    pub(super) inner: Arc<dyn Builder>,
    pub(super) prebuilts: Arc<Prebuilts>,
    pub(super) settings: Arc<Settings>,
    pub(super) files: Arc<FilesPlanner>,
    pub(super) layers: Arc<Layers>,
    pub(super) rebuild: bool,
    /// Whether images get a debugger.
    pub(super) debug: bool,
}

/// Which programs are there already.
#[derive(Debug)]
pub(super) struct Prebuilts {
    work_dir: PathBuf,
    environment: Environment,
    builds: Vec<BuildConfig>,
    /// Those of the one program of the run.
    typed: Option<Prebuilt>,
}

impl Prebuilts {
    /// Those of a run, if there are any.
    pub(super) fn new(
        work_dir: &Path,
        environment: &Environment,
        builds: &[BuildConfig],
        typed: Option<&Prebuilt>,
    ) -> Option<Self> {
        let any = typed.is_some() || builds.iter().any(|build| build.prebuilt.is_some());
        any.then(|| Self {
            work_dir: work_dir.to_owned(),
            environment: environment.clone(),
            builds: builds.to_vec(),
            typed: typed.cloned(),
        })
    }

    /// The files of a program, if it is not built here.
    fn of(&self, config: Option<usize>) -> Option<&Prebuilt> {
        let configured = || self.builds[config?].prebuilt.as_ref();
        self.typed.as_ref().or_else(configured)
    }

    /// The programs of those arguments that are not built here.
    fn find(&self, arguments: &[Argument]) -> Result<Vec<Option<Program>>, ListingError> {
        let modules = Modules::new(&self.work_dir, &self.environment);
        let mut configured = Vec::new();
        for build in &self.builds {
            let dir = build.package_dir(&self.work_dir);
            let dir = dir.unwrap_or_else(|_| normal(&build.dir(&self.work_dir).join(&build.main)));
            let path = modules.import_path(&dir);
            let path = path.or_else(|| named_by(&self.work_dir, build.prebuilt.as_ref()?));
            configured.push((dir, path));
        }
        let mut programs = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let (dir, path) = match argument {
                Argument::Path(path) => (None, Some(path.as_str().to_owned())),
                Argument::Local(path) => {
                    let dir = normal(&self.work_dir.join(path.as_str()));
                    let path = modules.import_path(&dir);
                    (Some(dir), path)
                }
            };
            let is_it = |(known, name): &(PathBuf, Option<String>)| match &dir {
                Some(dir) => known == dir,
                None => path.is_some() && *name == path,
            };
            let config = configured.iter().position(is_it);
            let Some(prebuilt) = self.of(config) else {
                programs.push(None);
                continue;
            };
            let path = path.or_else(|| configured[config?].1.clone());
            let path = path.or_else(|| named_by(&self.work_dir, prebuilt));
            let Some(path) = path.and_then(|path| ImportPath::parse(&path).ok()) else {
                return Err(ListingError::Unnamed { argument: argument.path().clone() });
            };
            let dir = dir.or_else(|| Some(configured[config?].0.clone()));
            let dir = dir.or_else(|| self.module_dir(&path));
            let dir = dir.unwrap_or_else(|| self.work_dir.join(path.as_str()));
            self.check(prebuilt)?;
            let from = config.map(|index| self.builds[index].dir(&self.work_dir));
            programs.push(Some(Program {
                guessed: false,
                main: Main { import_path: path, dir, module: None },
                dir: from.unwrap_or_else(|| self.work_dir.clone()),
                config,
            }));
        }
        if self.typed.is_some() {
            let mut paths: Vec<_> =
                programs.iter().flatten().map(|program| &program.main.import_path).collect();
            paths.sort();
            paths.dedup();
            if paths.len() > 1 {
                return Err(ListingError::SeveralPrebuilt { programs: paths.len() });
            }
        }
        Ok(programs)
    }

    /// Where the module around the working directory has a package.
    fn module_dir(&self, path: &ImportPath) -> Option<PathBuf> {
        ModuleFile::nearest(&self.work_dir)?.package_dir(path.as_str())
    }

    /// Whether each file is a program for its platform.
    fn check(&self, prebuilt: &Prebuilt) -> Result<(), ListingError> {
        for file in &prebuilt.files {
            let path = self.work_dir.join(&file.path);
            target(&file.platform).check_program(&path).map_err(|source| {
                let (platform, path) = (Box::new(file.platform.clone()), file.path.clone());
                ListingError::Prebuilt { place: file.place.clone(), platform, path, source }
            })?;
        }
        Ok(())
    }
}

/// What a binary says it is.
fn named_by(work_dir: &Path, prebuilt: &Prebuilt) -> Option<String> {
    let file = prebuilt.files.first()?;
    let info = BuildInfo::read(&work_dir.join(&file.path)).ok()?;
    Some(info.path).filter(|path| !path.is_empty() && path != "command-line-arguments")
}

impl PrebuiltBuilder {
    fn files(&self, program: &Program) -> Option<&Prebuilt> {
        self.prebuilts.of(program.config)
    }

    fn binary(
        &self,
        program: &Program,
        platform: &Platform,
        prebuilt: &Prebuilt,
    ) -> Result<PrebuiltBinary, BuildFailure> {
        let Some(path) = prebuilt.path_for(platform) else {
            let platform = Box::new(platform.clone());
            return Err(BuildFailure::NoBinary {
                platform,
                there: prebuilt.platforms().join(", "),
            });
        };
        Ok(PrebuiltBinary {
            import_path: program.main.import_path.clone(),
            platform: platform.clone(),
            path: self.prebuilts.work_dir.join(path),
            capabilities: self.settings.capabilities(program, platform),
        })
    }

    async fn check_binary(
        &self,
        program: &Program,
        platform: &Platform,
        prebuilt: &Prebuilt,
    ) -> Result<Arc<Checked>, BuildFailure> {
        let binary = self.binary(program, platform, prebuilt)?;
        let settings = BuildSettings {
            dir: program.dir.clone(),
            target: target(platform),
            environment: self.settings.environment.clone(),
            flags: Vec::new(),
            ldflags: Vec::new(),
            disable_optimizations: false,
            untrimmed: false,
        };
        let (layers, path) = (Arc::clone(&self.layers), binary.path.clone());
        let known = blocking(move || layers.known_prebuilt(&binary)).await?;
        let stale = |reason| Verdict::Stale(reason, PreviousBuild::default());
        let verdict = match known {
            _ if self.rebuild => stale(StaleReason::Forced),
            Some(built) => Verdict::Fresh(Box::new(built)),
            None => stale(StaleReason::Prebuilt(path)),
        };
        Ok(Arc::new(Checked::prebuilt(settings, verdict, RecordSlot::none())))
    }

    /// Starts to make the layer of a binary.
    fn package(&self, binary: PrebuiltBinary) -> BuildHandle {
        let layers = Arc::clone(&self.layers);
        let packaged = async move { layers.prebuilt(binary).await };
        let finished = packaged.boxed().shared();
        // It goes on whether or not somebody waits.
        drop(tokio::spawn(finished.clone()));
        let layer = finished.clone().map(|built| built.ok().map(|built| built.layer));
        BuildHandle { installed: layer.boxed().shared(), finished }
    }
}

impl Builder for PrebuiltBuilder {
    fn look_up(
        &self,
        arguments: Vec<Argument>,
        memory: Memory,
    ) -> BoxFuture<'_, Result<LookUp, ListingError>> {
        let look_up = async move {
            let (prebuilts, all) = (Arc::clone(&self.prebuilts), arguments.clone());
            let ours = blocking(move || prebuilts.find(&all)).await?;
            let others = arguments.into_iter().zip(&ours).filter(|(_, ours)| ours.is_none());
            let others: Vec<Argument> = others.map(|(argument, _)| argument).collect();
            if others.is_empty() {
                let programs: Vec<Program> = ours.into_iter().flatten().collect();
                let listed = programs.iter().cloned().map(Ok).collect();
                return Ok(LookUp {
                    remembered: Some(programs),
                    listed: ready(Ok(listed)).boxed(),
                    proven: None,
                });
            }
            let LookUp { remembered, listed, proven } = self.inner.look_up(others, memory).await?;
            let remembered = remembered.map(|found| merged(ours.clone(), found));
            let listed = async move {
                let ours = ours.into_iter().map(|program| program.map(Ok)).collect();
                Ok(merged::<Result<Program, LoadError>>(ours, listed.await?))
            };
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
        match self.files(program) {
            Some(prebuilt) => self.check_binary(program, platform, prebuilt).boxed(),
            None => self.inner.check(program, platform),
        }
    }

    fn start(&self, targets: Vec<(Program, Platform, Arc<Checked>)>) -> Vec<BuildHandle> {
        let (mut handles, mut others) = (Vec::new(), Vec::new());
        for (program, platform, checked) in targets {
            let prebuilt = self.files(&program);
            let binary = prebuilt.and_then(|it| self.binary(&program, &platform, it).ok());
            match binary {
                Some(binary) => handles.push(Some(self.package(binary))),
                None => {
                    handles.push(None);
                    others.push((program, platform, checked));
                }
            }
        }
        merged(handles, self.inner.start(others))
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
        if self.debug {
            self.inner.debugger(program, platform, checked)
        } else {
            ready(Ok(None)).boxed()
        }
    }

    fn finish(&self) -> BoxFuture<'_, ()> {
        self.inner.finish()
    }
}

/// What is there, with the others in its gaps.
fn merged<T>(ours: Vec<Option<T>>, others: Vec<T>) -> Vec<T> {
    let mut others = others.into_iter();
    ours.into_iter().filter_map(|it| it.or_else(|| others.next())).collect()
}
