//! Makes the layers that ko adds to a base: one for kodata, one for the binary
//! of a program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cancel::Cancel;
use golang::{BuildInfo, FileIdentity, ImportPath, Linkage, OutputDir};
use layer::{Compressor, Family, KodataOptions, Layer, LayerError, LayerSpec, Obtained};
use oci::Platform;
use once::{OnceMap, blocking};
use store::Store;

use super::error::BuildFailure;
use super::files::PlannedFiles;
use super::followed::Followed;
use super::kodata::{Difference, SharedKodata, compare, shared};
use super::program::Program;
use crate::activity::Activity;
use crate::budget::LayerBudget;
use crate::events::{Event, Observer, Stage, StageSpan};

/// The layer of a kodata directory, and why it differs from the last one.
#[derive(Debug, Clone)]
pub(crate) struct KodataLayer {
    pub(crate) layer: Layer,
    /// Whether it has no files.
    pub(crate) is_empty: bool,
    pub(crate) difference: Option<Difference>,
}

/// The result of a build.
#[derive(Debug, Clone)]
pub(crate) struct BuiltProgram {
    pub(crate) layer: Layer,
    /// The build info in the binary, if it has any.
    pub(crate) info: Option<Arc<BuildInfo>>,
    /// What it needs of the system, unless it is static.
    pub(crate) linkage: Option<Linkage>,
}

/// Makes layers.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) store: Store,
    pub(super) compressor: Compressor,
    pub(super) budget: LayerBudget,
    pub(super) observer: Observer,
    pub(super) activity: Activity,
    pub(super) cancel: Cancel,
    /// When kodata was made, in seconds since 1970.
    pub(super) kodata_created: i64,
    /// What links in kodata may reach.
    pub(super) kodata_root: Option<PathBuf>,
    /// Whether binaries must say what they are made of.
    pub(super) needs_info: bool,
    /// One for all platforms of an OS family.
    pub(super) kodata: OnceMap<(PathBuf, bool), Result<KodataLayer, BuildFailure>>,
    /// One for all images that have the same files.
    pub(super) files: OnceMap<String, Result<Layer, BuildFailure>>,
    pub(super) followed: Option<Arc<Followed>>,
}

/// The binary whose layer is made.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    pub(super) import_path: ImportPath,
    pub(super) platform: Platform,
    pub(super) output: OutputDir,
    pub(super) capabilities: Option<[u8; 20]>,
    /// The file that lay there before this build.
    pub(super) before: Option<FileIdentity>,
    /// It is linked again in any case, and most likely comes out the same.
    pub(super) likely_same: bool,
}

/// A binary that somebody else has built.
#[derive(Debug, Clone)]
pub(super) struct PrebuiltBinary {
    pub(super) import_path: ImportPath,
    pub(super) platform: Platform,
    pub(super) path: PathBuf,
    pub(super) capabilities: Option<[u8; 20]>,
}

impl Layers {
    /// The layer of a program's kodata.
    pub(super) async fn kodata(
        self: &Arc<Self>,
        program: &Program,
        windows: bool,
    ) -> Result<KodataLayer, BuildFailure> {
        let dir = program.main.dir.join("kodata");
        let (layers, import_path) = (Arc::clone(self), program.main.import_path.clone());
        let key = (dir.clone(), windows);
        self.kodata
            .start(key, || async move { layers.make_kodata(&import_path, dir, windows).await })
            .await
    }

    /// A file that two of the programs of an image have in their kodata, each another one.
    pub(super) async fn shared_kodata(
        &self,
        programs: &[&Program],
    ) -> Result<Option<SharedKodata>, BuildFailure> {
        let own = |program: &&Program| {
            let options = KodataOptions {
                dir: program.main.dir.join("kodata"),
                family: Family::Unix,
                mtime: self.kodata_created,
                allowed_root: self.kodata_root.clone(),
            };
            (program.main.import_path.clone(), options)
        };
        let all: Vec<_> = programs.iter().map(own).collect();
        let work = blocking(move || {
            let find = |(path, options): (ImportPath, KodataOptions)| {
                let found = LayerSpec::kodata(&options);
                let found =
                    found.map_err(|source| BuildFailure::Kodata { source: Arc::new(source) })?;
                Ok((path, found.spec))
            };
            Ok(shared(all.into_iter().map(find).collect::<Result<_, _>>()?))
        });
        work.await
    }

    async fn make_kodata(
        self: Arc<Self>,
        import_path: &ImportPath,
        dir: PathBuf,
        windows: bool,
    ) -> Result<KodataLayer, BuildFailure> {
        let system = if windows { "windows" } else { "unix" };
        let here = format!("kodata {system} {}", dir.display());
        let anywhere = format!("kodata of {system} {import_path}");
        let span =
            |stage| StageSpan::begin(&self.observer, stage, Some(import_path.as_str()), None);
        let waiting = span(Stage::Wait);
        let share = self.budget.layer().await;
        drop(waiting);
        let making = span(Stage::Kodata);
        let work = blocking(move || {
            let (_share, _making) = (share, making);
            let options = KodataOptions {
                dir: dir.clone(),
                family: family(windows),
                mtime: self.kodata_created,
                allowed_root: self.kodata_root.clone(),
            };
            let found = LayerSpec::kodata(&options);
            if let Some(followed) = &self.followed {
                followed.add_kodata(&dir, found.as_ref().ok());
            }
            let layer::Kodata { spec, skipped_links, .. } =
                found.map_err(|source| BuildFailure::Kodata { source: Arc::new(source) })?;
            for link in skipped_links {
                let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.observer.emit(Event::KodataLinkSkipped { name });
            }
            let sources = [&*here, &*anywhere];
            let obtained =
                spec.get_or_build_by(&self.store, &self.compressor, &sources, &self.cancel);
            match obtained {
                Ok(Obtained { layer, reused, same }) => {
                    if !reused {
                        self.activity.begin_work();
                    }
                    self.observer.emit(Event::Layer { digest: layer.digest, reused });
                    let compare = || compare(&self.store, &here, &spec);
                    let difference = if same { None } else { compare() };
                    Ok(KodataLayer { layer, is_empty: !spec.has_files(), difference })
                }
                Err(LayerError::Cancelled) => Err(BuildFailure::Cancelled),
                Err(source) => Err(BuildFailure::KodataLayer { dir, source: Arc::new(source) }),
            }
        });
        work.await
    }

    /// The layer of the installed binary, and the identity of the file that it
    /// was made from.
    pub(super) async fn binary(
        self: &Arc<Self>,
        installed: &Installed,
    ) -> Result<(Option<FileIdentity>, BuiltProgram), BuildFailure> {
        let Installed { import_path, platform, .. } = installed;
        let span = |stage| {
            StageSpan::begin(&self.observer, stage, Some(import_path.as_str()), Some(platform))
        };
        let waiting = span(Stage::Wait);
        let share = self.budget.layer().await;
        drop(waiting);
        let making = span(Stage::Layer);
        let (layers, installed) = (Arc::clone(self), installed.clone());
        let work = blocking(move || {
            let (_share, _making) = (share, making);
            let path = installed.output.binary();
            let identity = FileIdentity::of(&path);
            let same = installed.likely_same
                || identity.zip(installed.before).is_some_and(|(is, was)| is.is_same_file(&was));
            let layer = layers.binary_layer(&path, &installed, !same)?;
            let info = match BuildInfo::read(&path) {
                Ok(info) => Some(Arc::new(info)),
                Err(source) if layers.needs_info => {
                    let (platform, source) = (Box::new(installed.platform), Arc::new(source));
                    return Err(BuildFailure::BuildInfo { platform, source });
                }
                // Nor is it known what it was built from: it is not recorded.
                Err(_) => None,
            };
            let linkage = Linkage::read(&path).ok().flatten();
            Ok((identity, BuiltProgram { layer, info, linkage }))
        });
        work.await
    }

    /// The layer of files.
    pub(super) async fn files(
        self: &Arc<Self>,
        planned: Arc<PlannedFiles>,
    ) -> Result<Layer, BuildFailure> {
        let layers = Arc::clone(self);
        let key = planned.key.clone();
        self.files.start(key, || async move { layers.make_files(planned).await }).await
    }

    async fn make_files(
        self: Arc<Self>,
        planned: Arc<PlannedFiles>,
    ) -> Result<Layer, BuildFailure> {
        let span = |stage| StageSpan::begin(&self.observer, stage, None, None);
        let waiting = span(Stage::Wait);
        let share = self.budget.layer().await;
        drop(waiting);
        let making = span(Stage::Layer);
        let layers = Arc::clone(&self);
        let work = blocking(move || {
            let (_share, _making) = (share, making);
            let (PlannedFiles { key, spec }, store) = (&*planned, &layers.store);
            let obtained = spec.get_or_build(store, &layers.compressor, key, &layers.cancel);
            match obtained {
                Ok(Obtained { layer, reused, .. }) => {
                    if !reused {
                        layers.activity.begin_work();
                    }
                    layers.observer.emit(Event::Layer { digest: layer.digest, reused });
                    Ok(layer)
                }
                Err(LayerError::Cancelled) => Err(BuildFailure::Cancelled),
                Err(source) => Err(BuildFailure::FilesLayer(Arc::new(source))),
            }
        });
        work.await
    }

    /// What a binary became that somebody else has built, if it is unchanged since.
    pub(super) fn known_prebuilt(
        &self,
        binary: &PrebuiltBinary,
    ) -> Result<Option<BuiltProgram>, BuildFailure> {
        if let Some(followed) = &self.followed {
            followed.add_prebuilt(&binary.path);
        }
        let info = self.prebuilt_info(binary)?;
        let spec = Self::prebuilt_spec(binary)?;
        let source = prebuilt_source(binary);
        let layer = spec.known(&self.store, &self.compressor, &source, &self.cancel);
        let layer = layer.map_err(failed(&binary.platform))?;
        let linkage = Linkage::read(&binary.path).ok().flatten();
        Ok(layer.map(|layer| BuiltProgram { layer, info, linkage }))
    }

    /// Makes the layer of a binary that somebody else has built.
    pub(super) async fn prebuilt(
        self: Arc<Self>,
        binary: PrebuiltBinary,
    ) -> Result<BuiltProgram, BuildFailure> {
        let PrebuiltBinary { import_path, platform, .. } = &binary;
        let span = |stage| {
            StageSpan::begin(&self.observer, stage, Some(import_path.as_str()), Some(platform))
        };
        let waiting = span(Stage::Wait);
        let share = self.budget.layer().await;
        drop(waiting);
        let making = span(Stage::Layer);
        let layers = Arc::clone(&self);
        let work = blocking(move || {
            let (_share, _making) = (share, making);
            let spec = Self::prebuilt_spec(&binary)?;
            let source = prebuilt_source(&binary);
            let Layers { store, compressor, cancel, .. } = &*layers;
            let obtained = spec.get_or_build(store, compressor, &source, cancel);
            let Obtained { layer, reused, .. } = obtained.map_err(failed(&binary.platform))?;
            if !reused {
                layers.activity.begin_work();
            }
            layers.observer.emit(Event::Layer { digest: layer.digest, reused });
            let linkage = Linkage::read(&binary.path).ok().flatten();
            Ok(BuiltProgram { layer, info: layers.prebuilt_info(&binary)?, linkage })
        });
        work.await
    }

    fn prebuilt_spec(binary: &PrebuiltBinary) -> Result<LayerSpec, BuildFailure> {
        let PrebuiltBinary { import_path, platform, path, capabilities } = binary;
        let (name, family) = (import_path.base_name(), family(platform.is_windows()));
        let spec = LayerSpec::known_binary(family, name, path, *capabilities);
        spec.map_err(failed(platform))
    }

    fn prebuilt_info(
        &self,
        binary: &PrebuiltBinary,
    ) -> Result<Option<Arc<BuildInfo>>, BuildFailure> {
        match BuildInfo::read(&binary.path) {
            Ok(info) => Ok(Some(Arc::new(info))),
            Err(source) if self.needs_info => {
                let (platform, source) = (Box::new(binary.platform.clone()), Arc::new(source));
                Err(BuildFailure::BuildInfo { platform, source })
            }
            Err(_) => Ok(None),
        }
    }

    fn binary_layer(
        &self,
        binary: &Path,
        installed: &Installed,
        is_new: bool,
    ) -> Result<Layer, BuildFailure> {
        let Installed { import_path, platform, capabilities, .. } = installed;
        let failed = failed(platform);
        let (name, family) = (import_path.base_name(), family(platform.is_windows()));
        let spec = LayerSpec::binary(family, name, binary, *capabilities).map_err(&failed)?;
        let source = format!("binary {}", binary.display());
        let (store, compressor, cancel) = (&self.store, &self.compressor, &self.cancel);
        // What go has linked again has most likely other content.
        let obtained = if is_new {
            spec.get_or_build_new(store, compressor, &source, cancel)
        } else {
            spec.get_or_build(store, compressor, &source, cancel)
        };
        let Obtained { layer, reused, .. } = obtained.map_err(&failed)?;
        self.observer.emit(Event::Layer { digest: layer.digest, reused });
        Ok(layer)
    }
}

fn failed(platform: &Platform) -> impl Fn(LayerError) -> BuildFailure {
    move |source| match source {
        LayerError::Cancelled => BuildFailure::Cancelled,
        source => {
            BuildFailure::Layer { platform: Box::new(platform.clone()), source: Arc::new(source) }
        }
    }
}

fn prebuilt_source(binary: &PrebuiltBinary) -> String {
    format!("prebuilt {}", binary.path.display())
}

fn family(windows: bool) -> Family {
    if windows { Family::Windows } else { Family::Unix }
}
