//! Adds the debugger to images: Delve, as a layer of its own above the
//! program's, and an entrypoint that runs the program under it. All programs of
//! a platform share the layer. Its key is what determines it: the version, the
//! platform, the `go` that built it and its environment. While it is in the
//! cache, nothing is run for it.

use std::sync::Arc;

use cancel::Cancel;
use golang::{BuildKey, Delve, DelveVersion, Environment, Go, Target};
use layer::{Compressor, Family, Layer, LayerError, LayerSpec};
use oci::Platform;
use once::{OnceMap, blocking};
use serde::{Deserialize, Serialize};
use store::Store;

use super::error::BuildFailure;
use super::program::{Program, target};
use crate::activity::Activity;
use crate::blocking::with_store;
use crate::budget::{BuildBudget, link_weight};
use crate::events::{Event, Observer};
use crate::image::DebuggerLayer;

/// How programs are debugged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugOptions {
    /// Which Delve.
    pub version: DelveVersion,
    /// The TCP port that it listens to, on all addresses.
    pub port: u16,
    /// Whether the program starts at once instead of waiting for a debugger.
    pub start: bool,
}

impl DebugOptions {
    /// The port where no other is named.
    pub const PORT: u16 = 40000;

    /// The entrypoint of a program, `/ko-app/…`.
    fn entrypoint(&self, program: &str) -> Vec<String> {
        let listen = format!("--listen=:{}", self.port);
        let mut words = vec!["/ko-app/dlv", "exec", &listen, "--headless", "--log"];
        words.extend(["--accept-multiclient", "--api-version=2"]);
        words.extend(self.start.then_some("--continue"));
        words.extend(["--", program]);
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Layers with Delve by target and by what its file is allowed.
type DelveLayers = OnceMap<(Target, Option<[u8; 20]>), Result<Layer, BuildFailure>>;

/// A layer with Delve that was made once.
#[derive(Debug, Serialize, Deserialize)]
struct DelveLayer(Layer);

impl store::Record for DelveLayer {
    const KIND: &'static str = "delve";
    const VERSION: u32 = 1;
}

/// The dependencies of a [`Debugger`].
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) options: DebugOptions,
    pub(super) go: Go,
    pub(super) store: Store,
    pub(super) environment: Environment,
    pub(super) compressor: Compressor,
    pub(super) compression: String,
    pub(super) rebuild: bool,
    pub(super) budget: BuildBudget,
    pub(super) observer: Observer,
    pub(super) activity: Activity,
    pub(super) cancel: Cancel,
}

/// Makes debuggers.
#[derive(Debug)]
pub(super) struct Debugger {
    parts: Arc<Parts>,
    layers: DelveLayers,
}

impl Debugger {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), layers: OnceMap::new() }
    }

    /// The debugger of a program's image, if there is one for the platform.
    pub(super) async fn of(
        &self,
        program: &Program,
        platform: &Platform,
        ldflags: &[String],
        capabilities: Option<[u8; 20]>,
    ) -> Result<Option<DebuggerLayer>, BuildFailure> {
        let Parts { options, observer, .. } = &*self.parts;
        let import_path = &program.main.import_path;
        if !is_supported(platform) {
            let text = format!(
                "image for platform \"{platform}\" will be built without debugging enabled because debugging is not supported for that platform"
            );
            observer.emit(Event::Notice { text, hint: None });
            return Ok(None);
        }
        // Delve refuses to run a program without symbols.
        if let Some(flag) = strips(ldflags) {
            observer.emit(Event::Notice {
                text: format!(
                    "{import_path} for {platform} is linked with {flag}: Delve will not run a program without debug information"
                ),
                hint: Some("leave -s and -w out of ldflags for --debug".to_owned()),
            });
        }
        let target = target_of(platform);
        let (parts, wanted) = (Arc::clone(&self.parts), target.clone());
        let layer = self.layers.start((target, capabilities), || async move {
            parts.make(wanted, capabilities).await
        });
        let entrypoint = options.entrypoint(&format!("/ko-app/{}", import_path.base_name()));
        Ok(Some(DebuggerLayer { layer: layer.await?, entrypoint }))
    }
}

impl Parts {
    async fn make(
        self: Arc<Self>,
        target: Target,
        capabilities: Option<[u8; 20]>,
    ) -> Result<Layer, BuildFailure> {
        let platform = Box::new(Platform {
            os: target.os.clone(),
            architecture: target.arch.clone(),
            variant: target.variant.clone(),
            ..Platform::default()
        });
        let version = self.options.version.clone();
        let delve = Delve::new(version, target, &self.environment).map_err(|source| {
            let (platform, source) = (platform.clone(), Arc::new(source.into()));
            BuildFailure::Environment { platform, source }
        })?;
        let key = self.key(&delve.key(&self.go), capabilities);
        if let Some(layer) = self.kept(key.clone()).await {
            return Ok(layer);
        }
        self.activity.begin_work();
        let output = delve.output(&self.store.bin(), &self.go).discarding(self.rebuild);
        let last_size = output.binary().metadata().ok().map(|found| found.len());
        let share = self.budget.go_build(link_weight(last_size)).await;
        let work = blocking(move || {
            self.observer.emit(Event::BuildingDebugger { platform: (*platform).clone() });
            let built = self.go.build_delve(&delve, &output, &self.cancel);
            let binary = built.map_err(|source| {
                if source.is_cancelled() {
                    return BuildFailure::Cancelled;
                }
                BuildFailure::Debugger { platform: platform.clone(), source: Arc::new(source) }
            })?;
            drop(share);
            let name = &format!("delve {}", binary.path().display());
            let obtain = || {
                let spec = LayerSpec::binary(Family::Unix, "dlv", binary.path(), capabilities)?;
                let obtained =
                    spec.get_or_build(&self.store, &self.compressor, name, &self.cancel)?;
                self.store.put_record(&key, &DelveLayer(obtained.layer))?;
                Ok(obtained.layer)
            };
            let layer = obtain().map_err(|source| match source {
                LayerError::Cancelled => BuildFailure::Cancelled,
                source => BuildFailure::DebuggerLayer { platform, source: Arc::new(source) },
            })?;
            // It is built without cgo, and with no flags of the user. Where the
            // binary cannot be used again it is linked again, no more.
            let _ = binary.record(true);
            Ok(layer)
        });
        work.await
    }

    fn key(&self, build: &BuildKey, capabilities: Option<[u8; 20]>) -> String {
        format!("{build} {} {capabilities:?}", self.compression)
    }

    /// The layer, if it is here and the user does not want all built anew.
    async fn kept(&self, key: String) -> Option<Layer> {
        let look = move |store: &Store| {
            let DelveLayer(layer) = store.record(&key)?;
            store.has_blob(&layer.digest, layer.size).then_some(layer)
        };
        if self.rebuild { None } else { with_store(&self.store, look).await }
    }
}

/// Delve runs elsewhere too; these are the platforms that ko has it for.
fn is_supported(platform: &Platform) -> bool {
    platform.os == "linux" && matches!(platform.architecture.as_str(), "amd64" | "arm64")
}

/// The target for which Delve is built: the variant where the compiler knows it.
fn target_of(platform: &Platform) -> Target {
    let mut target = target(platform);
    if target.arch == "arm64" {
        target.variant.clear();
    }
    target
}

/// The flag of the linker, if any, that leaves debug information out.
fn strips(ldflags: &[String]) -> Option<&str> {
    let words = ldflags.iter().flat_map(|flag| flag.split_whitespace());
    words.into_iter().find(|word| matches!(*word, "-s" | "-w" | "--s" | "--w"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entrypoint_is_ko_s_but_for_what_is_asked() {
        let mut options = DebugOptions {
            version: DelveVersion::default(),
            port: DebugOptions::PORT,
            start: false,
        };
        assert_eq!(
            options.entrypoint("/ko-app/foo").join(" "),
            "/ko-app/dlv exec --listen=:40000 --headless --log --accept-multiclient --api-version=2 -- /ko-app/foo"
        );
        options.port = 2345;
        options.start = true;
        assert_eq!(
            options.entrypoint("/ko-app/foo").join(" "),
            "/ko-app/dlv exec --listen=:2345 --headless --log --accept-multiclient --api-version=2 --continue -- /ko-app/foo"
        );
    }

    #[test]
    fn platforms_with_a_debugger() {
        for (platform, want) in [
            ("linux/amd64", true),
            ("linux/amd64/v3", true),
            ("linux/arm64", true),
            ("linux/arm64/v8", true),
            ("linux/arm/v7", false),
            ("linux/s390x", false),
            ("windows/amd64", false),
            ("darwin/arm64", false),
        ] {
            let platform: Platform = platform.parse().unwrap();
            assert_eq!(is_supported(&platform), want, "{platform}");
        }
        let target = |platform: &str| target_of(&platform.parse().unwrap()).to_string();
        assert_eq!(target("linux/arm64/v8"), "linux/arm64");
        assert_eq!(target("linux/amd64/v3"), "linux/amd64/v3");
    }

    #[test]
    fn flags_that_strip() {
        let strips = |flags: &[&str]| {
            let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
            strips(&flags).map(str::to_owned)
        };
        assert_eq!(strips(&["-X main.v=1", "-w -s"]).as_deref(), Some("-w"));
        assert_eq!(strips(&["-s"]).as_deref(), Some("-s"));
        assert_eq!(strips(&["-X main.v=-s", "-static"]), None);
    }
}
