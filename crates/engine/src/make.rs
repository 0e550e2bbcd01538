//! Making the artifact of a program: its base, a layer for its kodata, a layer
//! for its binary on each platform, and the images of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{try_join_all, try_join3};
use golang::{
    BuildError, BuildInfo, BuildKey, BuildSettings, Environment, FileIdentity, ImportPath, Main,
    OutputDir, Reason, lowercase,
};
use layer::{Family, KodataOptions, Layer, LayerError, Obtained, Recipe};
use oci::{Descriptor, Platform};

use crate::base::{Base, BaseImage, BaseReference, Selected};
use crate::blocking::blocking;
use crate::compile::{Compiling, Running};
use crate::error::BuildFailure;
use crate::event::Event;
use crate::fresh::{Checked, Different, Fact, Made, Stale, Verdict, compare_kodata};
use crate::image::{Added, Artifact, Image, ImageLayer, assemble, assemble_index};
use crate::listing::{Program, target};
use crate::run::Run;
use crate::stage::Stage;

/// The layer of a kodata directory, and why it is another one than the last.
#[derive(Debug, Clone)]
pub(crate) struct Kodata {
    pub(crate) layer: Layer,
    pub(crate) different: Option<Different>,
}

impl Run {
    pub(crate) async fn artifact(
        self: &Arc<Self>,
        program: &Program,
    ) -> Result<Artifact, BuildFailure> {
        let (_, selected) = self.base_of(program).await?;
        match &*selected {
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

    /// Tells what a program is built upon and how: before it is compiled.
    pub(crate) fn tell_base(&self, program: &Program, base: &Base) {
        let import_path = program.main.import_path.as_str();
        self.observer.tell(Event::UsingBase {
            base: self.base_reference(program).to_string(),
            digest: base.found_digest(),
            import_path: import_path.to_owned(),
        });
        if let Some(index) = program.config {
            let id = self.options.build.builds[index].id.clone();
            self.observer.tell(Event::UsingBuild { id, import_path: import_path.to_owned() });
        }
    }

    fn base_reference(&self, program: &Program) -> &BaseReference {
        let import_path = lowercase(program.main.import_path.as_str());
        self.options.base_overrides.get(&import_path).unwrap_or(&self.options.default_base)
    }

    /// The base of a program, and which images of it are built upon.
    pub(crate) async fn base_of(
        &self,
        program: &Program,
    ) -> Result<(Arc<Base>, Arc<Selected>), BuildFailure> {
        let reference = self.base_reference(program);
        let stage = self.stage(Stage::Base, Some(&program.main.import_path), None);
        let base = self.bases.get(reference).await?;
        let selected = self.bases.select(&base).await?;
        drop(stage);
        let suffix = self.options.compression.method().encoding().suffix();
        let mut images = selected.images();
        if let Some(image) = images.find(|image| image.media_type.added_layer(suffix).is_none()) {
            return Err(BuildFailure::Compression {
                base: reference.to_string(),
                media_type: image.media_type.clone(),
                compression: self.options.compression.method().to_string(),
            });
        }
        drop(images);
        Ok((base, selected))
    }

    async fn image(
        self: &Arc<Self>,
        program: &Program,
        base: &BaseImage,
    ) -> Result<Image, BuildFailure> {
        let checked = self.checked(program, base.platform()).await?;
        // Of an image that is the same again nothing is sent.
        let changes = matches!(checked.verdict, Verdict::Stale(..));
        if changes {
            base.layers().for_each(|layer| self.offer(program, &layer));
        }
        let kodata = async {
            let kodata = self.kodata(program, base.platform().is_windows()).await?;
            if changes {
                self.offer(program, &base.added(&kodata.layer));
            }
            Ok(kodata)
        };
        let binary = self.binary(program, base, &checked);
        let debugger = self.debugger(program, base.platform());
        let (kodata, binary, debugger) = try_join3(kodata, binary, debugger).await?;
        self.compare_parts(program, base, &kodata);
        let sbom = self.options.sbom.is_some();
        let main = &program.main;
        let added = Added {
            import_path: main.import_path.as_str(),
            name: main.import_path.base_name(),
            kodata: &kodata.layer,
            binary: &binary.layer,
            debugger: debugger.as_ref(),
            program: binary.info.as_ref().filter(|_| sbom),
        };
        Ok(assemble(base, added, &self.options.image))
    }

    /// The layer of a program's kodata: one for all platforms of an OS family.
    async fn kodata(
        self: &Arc<Self>,
        program: &Program,
        windows: bool,
    ) -> Result<Kodata, BuildFailure> {
        let dir = program.main.dir.join("kodata");
        let run = Arc::clone(self);
        let (work, import_path) = (dir.clone(), program.main.import_path.clone());
        let make = async move || run.make_kodata(&import_path, work, windows).await;
        self.kodata.start((dir, windows), make).await
    }

    async fn make_kodata(
        self: Arc<Self>,
        import_path: &ImportPath,
        dir: PathBuf,
        windows: bool,
    ) -> Result<Kodata, BuildFailure> {
        let system = if windows { "windows" } else { "unix" };
        let here = format!("kodata {system} {}", dir.display());
        let anywhere = format!("kodata of {system} {import_path}");
        let waiting = self.stage(Stage::Wait, Some(import_path), None);
        let share = self.budget.layer().await;
        drop(waiting);
        let stage = self.stage(Stage::Kodata, Some(import_path), None);
        let work = blocking(move || {
            let (_share, _stage) = (share, stage);
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
            let layer::Kodata { recipe, skipped_links } = Recipe::kodata(&options)
                .map_err(|source| BuildFailure::Kodata { source: Arc::new(source) })?;
            for link in skipped_links {
                let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.observer.tell(Event::KodataLinkSkipped { name });
            }
            let sources = [&*here, &*anywhere];
            let obtained = recipe.obtain_from(&self.store, &self.compressor, &sources, &self.stop);
            match obtained {
                Ok(Obtained { layer, reused, same }) => {
                    if !reused {
                        self.activity.begin_work();
                    }
                    self.observer.tell(Event::Layer { reused });
                    let compare = || compare_kodata(&self.store, &here, &recipe);
                    let different = if same { None } else { compare() };
                    Ok(Kodata { layer, different })
                }
                Err(LayerError::Cancelled) => Err(BuildFailure::Cancelled),
                Err(source) => Err(BuildFailure::KodataLayer { dir, source: Arc::new(source) }),
            }
        });
        work.await
    }

    /// Brings a layer that will be needed to where it will be needed.
    fn offer(&self, program: &Program, layer: &ImageLayer) {
        for publisher in &self.publishers {
            publisher.offer(program.main.import_path.as_str(), layer);
        }
    }

    /// The layer of a program for a platform, and what the program says of
    /// itself.
    async fn binary(
        self: &Arc<Self>,
        program: &Program,
        base: &BaseImage,
        checked: &Arc<Checked>,
    ) -> Result<Made, BuildFailure> {
        let (import_path, platform) = (&program.main.import_path, base.platform());
        let (path, on) = (import_path.to_string(), platform.clone());
        let reason = match &checked.verdict {
            Verdict::Fresh(made) => {
                self.observer.tell(Event::Fresh { import_path: path, platform: on });
                return Ok(Made::clone(made));
            }
            Verdict::Stale(reason, _) => reason.clone(),
        };
        self.observer.tell(Event::Stale { import_path: path, platform: on, reason });
        let key = BuildKey::new(&self.go, &checked.settings);
        let (run, program, checked) = (Arc::clone(self), program.clone(), Arc::clone(checked));
        let (base, name) = (base.clone(), (key.clone(), import_path.clone()));
        let binary = self.binaries.start(name, || async move {
            // Without, something else has failed.
            let compiling = run.compiling(&key, &program.main.import_path);
            let compiling = compiling.ok_or(BuildFailure::Cancelled)?;
            run.finish(&program, &base, checked, compiling).await
        });
        binary.await
    }

    /// Makes the layer of a program as soon as it is compiled, sends it on its
    /// way, and records the build.
    async fn finish(
        self: &Arc<Self>,
        program: &Program,
        base: &BaseImage,
        checked: Arc<Checked>,
        compiling: Compiling,
    ) -> Result<Made, BuildFailure> {
        let Compiling { output, mut early, mut done, run } = compiling;
        let before = FileIdentity::of(&output.binary());
        // What is linked again in any case is most likely the same.
        let likely_same = matches!(
            checked.verdict,
            Verdict::Stale(Stale::Forced | Stale::Inputs(Reason::Never(_)), _)
        );
        let make = || self.made(program, base, &output, before, likely_same);
        // Before go has ended, if it says so. Layers of what does not count in
        // the end are of no harm.
        let (ahead, result) = tokio::select! {
            biased;
            Ok(()) = &mut early => (Some(make().await), done.await),
            result = &mut done => (None, result),
        };
        let platform = || Box::new(base.platform().clone());
        let binary = match result {
            Ok(Ok(binary)) => binary,
            Ok(Err(BuildError::Cancelled)) | Err(_) => return Err(BuildFailure::Cancelled),
            Ok(Err(source)) => {
                let source = Arc::new(source);
                return Err(BuildFailure::Go { platform: platform(), source });
            }
        };
        let made = match ahead {
            Some(Ok((identity, made))) if FileIdentity::of(binary.path()) == identity => Ok(made),
            _ => make().await.map(|(_, made)| made),
        };
        let running = run.await.ok();
        self.note(binary, running.as_ref().map(|running| running.survey.clone()));
        let made = made?;
        if let (Some(Running { started, survey }), Some(info)) = (running, &made.info) {
            self.record(Fact {
                import_path: program.main.import_path.clone(),
                platform: base.platform().clone(),
                checked,
                started,
                survey,
                layer: made.layer,
                info: Arc::clone(info),
            });
        }
        Ok(made)
    }

    /// The layer of the binary that lies in its place, and which that was.
    async fn made(
        self: &Arc<Self>,
        program: &Program,
        base: &BaseImage,
        output: &OutputDir,
        before: Option<FileIdentity>,
        likely_same: bool,
    ) -> Result<(Option<FileIdentity>, Made), BuildFailure> {
        let platform = base.platform().clone();
        let stage = |stage| self.stage(stage, Some(&program.main.import_path), Some(&platform));
        let waiting = stage(Stage::Wait);
        let share = self.budget.layer().await;
        drop(waiting);
        let making = stage(Stage::Layer);
        let (run, main, path) = (Arc::clone(self), program.main.clone(), output.binary());
        let capabilities = self.capabilities(program, &platform);
        let work = blocking(move || {
            let (_share, _making) = (share, making);
            let identity = FileIdentity::of(&path);
            let same =
                likely_same || identity.zip(before).is_some_and(|(is, was)| is.is_same_file(&was));
            let layer = run.binary_layer(&path, &main, &platform, capabilities, !same)?;
            let info = match BuildInfo::read(&path) {
                Ok(info) => Some(Arc::new(info)),
                Err(source) if run.options.sbom.is_some() => {
                    let (platform, source) = (Box::new(platform), Arc::new(source));
                    return Err(BuildFailure::BuildInfo { platform, source });
                }
                // Nor is it known what it was built from: it is not recorded.
                Err(_) => None,
            };
            Ok((identity, Made { layer, info }))
        });
        let made = work.await?;
        self.offer(program, &base.added(&made.1.layer));
        Ok(made)
    }

    fn binary_layer(
        &self,
        binary: &Path,
        main: &Main,
        platform: &Platform,
        capabilities: Option<[u8; 20]>,
        is_new: bool,
    ) -> Result<Layer, BuildFailure> {
        let failed = |source: LayerError| match source {
            LayerError::Cancelled => BuildFailure::Cancelled,
            source => BuildFailure::Layer {
                platform: Box::new(platform.clone()),
                source: Arc::new(source),
            },
        };
        let (name, family) = (main.import_path.base_name(), family(platform.is_windows()));
        let recipe = Recipe::binary(family, name, binary, capabilities).map_err(failed)?;
        let source = format!("binary {}", binary.display());
        let (store, compressor, stop) = (&self.store, &self.compressor, &self.stop);
        // What go has linked again has most likely other content.
        let obtained = if is_new {
            recipe.obtain_new(store, compressor, &source, stop)
        } else {
            recipe.obtain(store, compressor, &source, stop)
        };
        let Obtained { layer, reused, .. } = obtained.map_err(failed)?;
        self.observer.tell(Event::Layer { reused });
        Ok(layer)
    }

    /// What the file of a program is allowed. Other systems than linux have no
    /// such thing.
    pub(crate) fn capabilities(&self, program: &Program, platform: &Platform) -> Option<[u8; 20]> {
        let config = program.config.map(|index| &self.options.build.builds[index])?;
        config.capabilities.filter(|_| platform.os == "linux")
    }

    pub(crate) async fn settings(
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
        let expanded = self.expander.expand(&chosen, &program.dir, &environment).await?;
        Ok(BuildSettings {
            dir: program.dir.clone(),
            target,
            environment,
            flags: expanded.flags,
            ldflags: expanded.ldflags,
            disable_optimizations: self.options.build.disable_optimizations,
        })
    }
}

fn family(windows: bool) -> Family {
    if windows { Family::Windows } else { Family::Unix }
}
