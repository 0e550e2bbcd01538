//! Assembles images: the arithmetic of putting layers on a base. No I/O; same
//! inputs, same bytes, and the bytes of configs and manifests are ko's.

use std::collections::BTreeMap;
use std::sync::Arc;

use golang::{BuildInfo, BuildSettings};
use layer::Layer;
use oci::{
    Descriptor, Digest, History, ImageConfig, Index, Manifest, MediaType, Platform, Timestamp,
};

mod artifact;
mod base_image;
mod field;
mod name;
pub(crate) mod namer;
pub(crate) mod provenance;
pub(crate) mod sbom;
mod settings;

pub use self::artifact::{Artifact, Image};
pub(crate) use self::base_image::BaseImage;
pub use self::base_image::{ImageLayer, LayerSource, STATIC_BASE};
pub use self::field::Field;
pub use self::name::{ImageName, TagSource};
pub use self::namer::Namer;
pub use self::settings::{HealthcheckSettings, ImageSettings, Place, Text, TextError};

/// Names the base image in the annotations of images made from it (OCI
/// image-spec, "Annotations").
pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The digest of that base image.
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What the user wants in the image, the same for all images of a run. It has precedence
/// over what is configured ([`ImageSettings`]).
#[derive(Debug, Clone, Default)]
pub struct ImageOptions {
    /// Labels, merged over the base's.
    pub labels: BTreeMap<String, String>,
    /// Annotations, merged over the base's.
    pub annotations: BTreeMap<String, String>,
    /// The user to run as, if not the base's.
    pub user: Option<String>,
    /// When the image was made (`SOURCE_DATE_EPOCH`); else the base's time.
    pub created: Option<Timestamp>,
    /// When kodata was made (`KO_DATA_DATE_EPOCH`), in seconds since 1970.
    pub kodata_created: Option<(i64, Timestamp)>,
}

/// What the user wants in an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// What is configured.
    pub(crate) settings: &'a ImageSettings<String>,
    /// What was asked of all images of the run, which has precedence.
    pub(crate) run: &'a ImageOptions,
}

/// What an image gets to be debugged.
#[derive(Debug, Clone)]
pub(crate) struct DebuggerLayer {
    pub(crate) layer: Layer,
    pub(crate) entrypoint: Vec<String>,
}

/// The layers that are put on a base.
#[derive(Debug, Clone)]
pub(crate) struct Added<'a> {
    /// The import path, without `ko://`.
    pub(crate) import_path: &'a str,
    /// The program's name: `/ko-app/<name>`.
    pub(crate) name: &'a str,
    /// That of each program that has some; of its own, none if it is left out.
    pub(crate) kodata: Vec<&'a Layer>,
    pub(crate) files: Option<&'a Layer>,
    pub(crate) binary: &'a Layer,
    /// The other programs.
    pub(crate) others: Vec<AddedProgram<'a>>,
    /// What runs the binary, if it is debugged.
    pub(crate) debugger: Option<&'a DebuggerLayer>,
    /// The build info of the binary, if SBOMs are made.
    pub(crate) program: Option<&'a Arc<BuildInfo>>,
    /// How it was built, if that is attested.
    pub(crate) settings: Option<&'a BuildSettings>,
}

/// Another program that is put on a base.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddedProgram<'a> {
    /// Its name: `/ko-app/<name>`.
    pub(crate) name: &'a str,
    pub(crate) binary: &'a Layer,
    /// Its build info, if SBOMs are made.
    pub(crate) info: Option<&'a Arc<BuildInfo>>,
}

/// What a layer has that is put on a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerContent {
    /// kodata.
    Kodata,
    /// Files that are configured.
    Files,
    /// The program.
    Program,
    /// The debugger.
    Debugger,
}

impl<'a> Added<'a> {
    /// The layers, bottom first, and of a program its name.
    fn layers(&self) -> Vec<(&'a Layer, LayerContent, &'a str)> {
        let kodata = self.kodata.iter().map(|layer| (*layer, LayerContent::Kodata, ""));
        let files = self.files.map(|layer| (layer, LayerContent::Files, ""));
        let debugger = self.debugger.map(|it| (&it.layer, LayerContent::Debugger, ""));
        let others = self.others.iter().map(|it| (it.binary, LayerContent::Program, it.name));
        let program = (self.binary, LayerContent::Program, self.name);
        kodata.chain(files).chain(others).chain([program]).chain(debugger).collect()
    }
}

/// Puts layers on a base image.
pub(crate) fn assemble(base: &BaseImage, added: &Added<'_>, wanted: Wanted<'_>) -> Image {
    let windows = base.platform().is_windows();

    let config = config_of(base, added, wanted, windows);
    let (diff_ids, config) = (config.rootfs.diff_ids.clone(), config.to_vec());
    let mut manifest = base.manifest.clone();
    manifest.subject = None;
    manifest.set_config(&config);
    let mut layers: Vec<ImageLayer> = base.layers().collect();
    let added_layers = added.layers();
    layers.extend(added_layers.iter().map(|(layer, ..)| base.added(layer)));
    manifest.layers = layers.iter().map(|layer| layer.descriptor.clone()).collect();
    annotate(&mut manifest.annotations, wanted, base.named());

    let bytes = manifest.to_vec();
    Image {
        media_type: base.media_type.clone(),
        digest: Digest::of(&bytes),
        manifest: bytes,
        config_descriptor: manifest.config,
        config,
        base_layers: base.manifest.layers.len(),
        added: added_layers.iter().map(|(_, content, _)| *content).collect(),
        layers,
        diff_ids,
        platform: base.platform().clone(),
        others: match added.program {
            Some(_) => {
                let others = added.others.iter().filter_map(|other| other.info);
                others.chain(&base.programs).cloned().collect()
            }
            None => Vec::new(),
        },
        program: added.program.cloned(),
        settings: added.settings.cloned().map(Arc::new),
    }
}

/// Puts an index over images. Each comes with the descriptor of the base that
/// it was made from; base `name` and `digest` are those of the base index.
pub(crate) fn assemble_index(
    media_type: &MediaType,
    base: Option<(&str, Digest)>,
    images: Vec<(Descriptor, Image)>,
    wanted: Wanted<'_>,
) -> Artifact {
    let mut index = Index::new(media_type.clone());
    annotate(&mut index.annotations, wanted, base);
    for (base, image) in &images {
        index.manifests.push(Descriptor {
            size: image.manifest.len() as u64,
            digest: image.digest,
            data: None,
            artifact_type: image.config_descriptor.media_type.to_string(),
            ..base.clone()
        });
    }
    let bytes = index.to_vec();
    Artifact::Index {
        media_type: media_type.clone(),
        digest: Digest::of(&bytes),
        index: bytes,
        images: images.into_iter().map(|(_, image)| image).collect(),
    }
}

/// Adds the user's annotations, and those that name the base, which win.
fn annotate(
    annotations: &mut BTreeMap<String, String>,
    wanted: Wanted<'_>,
    base: Option<(&str, Digest)>,
) {
    for (key, value) in &wanted.settings.annotations {
        match value {
            Some(value) => _ = annotations.insert(key.clone(), value.clone()),
            None => _ = annotations.remove(key),
        }
    }
    annotations.extend(wanted.run.annotations.clone());
    if let Some((name, digest)) = base {
        annotations.insert(BASE_DIGEST.to_owned(), digest.to_string());
        annotations.insert(BASE_NAME.to_owned(), name.to_owned());
    }
}

fn config_of(
    base: &BaseImage,
    added: &Added<'_>,
    Wanted { settings, run: options }: Wanted<'_>,
    windows: bool,
) -> ImageConfig {
    let Added { import_path, name, debugger, .. } = *added;
    let mut image = base.config.clone();
    "github.com/ko-build/ko".clone_into(&mut image.author);
    if let Some(created) = &options.created {
        image.created = created.clone();
    }

    let history = |comment: String, created: Option<&Timestamp>| History {
        author: "ko".to_owned(),
        created: created.cloned().unwrap_or_else(Timestamp::zero),
        created_by: format!("ko build ko://{import_path}"),
        comment,
        empty_layer: false,
    };
    let kodata_created = options.kodata_created.as_ref().map(|(_, created)| created);
    for (layer, content, name) in added.layers() {
        let (comment, created) = match content {
            LayerContent::Kodata => {
                ("kodata contents, at $KO_DATA_PATH".to_owned(), kodata_created)
            }
            LayerContent::Files => ("files of the image".to_owned(), kodata_created),
            // With forward slashes on Windows too: this is what ko writes.
            LayerContent::Program => {
                (format!("go build output, at /ko-app/{name}"), options.created.as_ref())
            }
            LayerContent::Debugger => {
                ("Delve debugger, at /ko-app/dlv".to_owned(), options.created.as_ref())
            }
        };
        image.history.push(history(comment, created));
        image.rootfs.diff_ids.push(layer.diff_id);
    }

    let (entrypoint, path, data) = if windows {
        (format!(r"C:\ko-app\{name}"), r"C:\ko-app", r"C:\var\run\ko")
    } else {
        (format!("/ko-app/{name}"), "/ko-app", "/var/run/ko")
    };
    let config = &mut image.config;
    config.entrypoint = match debugger {
        Some(debugger) => debugger.entrypoint.clone(),
        None => vec![entrypoint],
    };
    config.cmd.clear();
    match config.env.iter_mut().find(|entry| entry.starts_with("PATH=")) {
        // A colon on Windows too: this is what ko writes.
        Some(entry) => entry.extend([":", path]),
        None => config.env.push(format!("PATH={path}")),
    }
    config.env.push(format!("KO_DATA_PATH={data}"));
    settings.apply(config, debugger.is_some());
    if let Some(user) = &options.user {
        config.user.clone_from(user);
    }
    config.labels.extend(options.labels.clone());
    image
}

/// A manifest without layers, for a base that is nothing.
pub(crate) fn empty_manifest(config: &[u8]) -> Manifest {
    Manifest {
        schema_version: 2,
        media_type: Some(MediaType::OCI_MANIFEST.into()),
        config: Descriptor::of(MediaType::OCI_CONFIG.into(), config),
        layers: Vec::new(),
        annotations: BTreeMap::new(),
        subject: None,
        artifact_type: String::new(),
    }
}

/// The platform that a config says it is for. What it leaves out is linux and
/// amd64, and a variant is not read: ko matches a single-platform base so.
pub(crate) fn platform_of(config: &ImageConfig) -> Platform {
    let or = |value: &str, default: &str| if value.is_empty() { default } else { value }.to_owned();
    Platform {
        os: or(&config.os, "linux"),
        architecture: or(&config.architecture, "amd64"),
        os_version: config.os_version.clone(),
        ..Platform::default()
    }
}

#[cfg(test)]
mod tests;
