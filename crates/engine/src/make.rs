//! Making the artifact of a program: its base, a layer for its kodata, a layer
//! for its binary on each platform, and the images of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::{try_join, try_join_all};
use golang::{Binary, BuildInfo, BuildKey, BuildSettings, Environment, Main, OutputDir};
use layer::{Family, Kodata, KodataOptions, Layer, LayerError, Recipe};
use oci::{Descriptor, Platform};

use crate::base::{Base, BaseImage, BaseReference, Selected};
use crate::blocking::blocking;
use crate::error::BuildFailure;
use crate::event::Event;
use crate::fresh::{Fact, Verdict};
use crate::image::{Added, Artifact, Image, assemble, assemble_index};
use crate::listing::{Program, target};
use crate::run::Run;

impl Run {
    pub(crate) async fn artifact(
        self: &Arc<Self>,
        program: &Program,
    ) -> Result<Artifact, BuildFailure> {
        let import_path = program.main.import_path.as_str();
        let reference = self.base_reference(program);
        let (base, selected) = self.base_of(program).await?;
        self.observer.tell(Event::UsingBase {
            base: reference.to_string(),
            digest: base.found_digest(),
            import_path: import_path.to_owned(),
        });
        if let Some(index) = program.config {
            let id = self.options.build.builds[index].id.clone();
            self.observer.tell(Event::UsingBuild { id, import_path: import_path.to_owned() });
        }
        let encoding = self.options.compression.method().encoding();
        if let Some(image) = selected
            .images()
            .find(|image| image.media_type.added_layer(encoding.suffix()).is_none())
        {
            return Err(BuildFailure::Compression {
                base: reference.to_string(),
                media_type: image.media_type.clone(),
                compression: self.options.compression.method().to_string(),
            });
        }
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

    fn base_reference(&self, program: &Program) -> &BaseReference {
        let import_path = program.main.import_path.as_str().to_lowercase();
        self.options.base_overrides.get(&import_path).unwrap_or(&self.options.default_base)
    }

    /// The base of a program, and which images of it are built upon.
    pub(crate) async fn base_of(
        &self,
        program: &Program,
    ) -> Result<(Arc<Base>, Arc<Selected>), BuildFailure> {
        let base = self.bases.get(self.base_reference(program)).await?;
        let selected = self.bases.select(&base).await?;
        Ok((base, selected))
    }

    async fn image(
        self: &Arc<Self>,
        program: &Program,
        base: &BaseImage,
    ) -> Result<Image, BuildFailure> {
        let kodata = self.kodata(program, base.platform().is_windows());
        let binary = self.binary(program, base.platform());
        let (kodata, (binary, program_info)) = try_join(kodata, binary).await?;
        let main = &program.main;
        let added = Added {
            import_path: main.import_path.as_str(),
            name: main.import_path.base_name(),
            kodata: &kodata,
            binary: &binary,
            program: program_info.as_ref(),
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
        let work = blocking(move || {
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
                let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
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
        work.await
    }

    /// The layer of a program for a platform; and, where SBOMs are made, what
    /// the program says of itself.
    async fn binary(
        self: &Arc<Self>,
        program: &Program,
        platform: &Platform,
    ) -> Result<(Layer, Option<Arc<BuildInfo>>), BuildFailure> {
        let checked = self.checked(program, platform).await?;
        let import_path = program.main.import_path.to_string();
        let sbom = self.options.sbom.is_some();
        match &checked.verdict {
            Verdict::Fresh(made) => {
                let platform = platform.clone();
                self.observer.tell(Event::Fresh { import_path, platform });
                return Ok((made.layer, sbom.then(|| Arc::clone(&made.info))));
            }
            Verdict::Stale(reason, _) => {
                let (platform, reason) = (platform.clone(), reason.clone());
                self.observer.tell(Event::Stale { import_path, platform, reason });
            }
        }
        let key = BuildKey::new(&self.go, &checked.settings);
        let output = OutputDir::new(&self.store.bin(), &key, &program.main.import_path);
        let last_size = output.binary().metadata().ok().map(|found| found.len());
        let share = self.budget.go_build(last_size).await;
        let capabilities = self.capabilities(program, platform);

        let (run, main, platform) = (Arc::clone(self), program.main.clone(), platform.clone());
        let work = blocking(move || {
            run.observer.tell(Event::Building {
                import_path: main.import_path.to_string(),
                platform: platform.clone(),
            });
            let started = SystemTime::now();
            let built = run.go.build(&checked.settings, &main.import_path, &output, &run.cancel);
            let binary = built.map_err(|source| match source {
                golang::BuildError::Cancelled => BuildFailure::Cancelled,
                source => BuildFailure::Go {
                    platform: Box::new(platform.clone()),
                    source: Arc::new(source),
                },
            })?;
            // The next program may be compiled while this one is compressed.
            drop(share);
            let layer = std::thread::scope(|scope| {
                // A binary that is not recorded is linked again, no more.
                scope.spawn(|| binary.record());
                run.binary_layer(&binary, &main, &platform, capabilities)
            })?;
            let info = match BuildInfo::read(binary.path()) {
                Ok(info) => Arc::new(info),
                Err(source) if sbom => {
                    let (platform, source) = (Box::new(platform), Arc::new(source));
                    return Err(BuildFailure::BuildInfo { platform, source });
                }
                // Nor is it known what it was built from.
                Err(_) => return Ok((layer, None)),
            };
            drop(binary);
            let import_path = main.import_path;
            let program = sbom.then(|| Arc::clone(&info));
            run.record(Fact { import_path, platform, checked, started, layer, info });
            Ok((layer, program))
        });
        work.await
    }

    fn binary_layer(
        &self,
        binary: &Binary,
        main: &Main,
        platform: &Platform,
        capabilities: Option<[u8; 20]>,
    ) -> Result<Layer, BuildFailure> {
        let failed = |source: LayerError| match source {
            LayerError::Cancelled => BuildFailure::Cancelled,
            source => BuildFailure::Layer {
                platform: Box::new(platform.clone()),
                source: Arc::new(source),
            },
        };
        let (name, family) = (main.import_path.base_name(), family(platform.is_windows()));
        let recipe = Recipe::binary(family, name, binary.path(), capabilities).map_err(failed)?;
        let source = format!("binary {}", binary.path().display());
        let obtained = recipe.obtain(&self.store, &self.compressor, &source, &self.stop);
        Ok(obtained.map_err(failed)?.layer)
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
