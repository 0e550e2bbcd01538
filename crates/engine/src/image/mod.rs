//! Assembles images: the arithmetic of putting layers on a base. No I/O; same
//! inputs, same bytes, and the bytes of configs and manifests are ko's.

use std::collections::BTreeMap;
use std::sync::Arc;

use golang::{BuildInfo, BuildSettings};
use layer::Layer;
use oci::{
    Descriptor, DiffId, Digest, History, ImageConfig, Index, Manifest, MediaType, Platform,
    Timestamp,
};

mod base_image;
mod field;
mod name;
pub(crate) mod namer;
pub(crate) mod provenance;
pub(crate) mod sbom;
mod settings;

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

/// A finished image: everything that a destination needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Image {
    /// The manifest's media type.
    pub media_type: MediaType,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The manifest's digest.
    pub digest: Digest,
    /// The config's descriptor.
    pub config_descriptor: Descriptor,
    /// The config.
    pub config: Vec<u8>,
    /// The layers, bottom first.
    pub layers: Vec<ImageLayer>,
    /// The diff_ids of the layers, in their order.
    pub diff_ids: Vec<DiffId>,
    /// How many of the layers are the base's.
    pub base_layers: usize,
    /// What the layers above those have.
    pub added: Vec<LayerContent>,
    /// What it is for.
    pub platform: Platform,
    /// The build info of its program, if SBOMs are made.
    pub program: Option<Arc<BuildInfo>>,
    /// That of the other programs in it, if SBOMs are made.
    pub others: Vec<Arc<BuildInfo>>,
    /// How its program was built, if that is attested.
    pub(crate) settings: Option<Arc<BuildSettings>>,
}

impl Image {
    /// The build info of all programs in it, its own first, if SBOMs are made.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Arc<BuildInfo>> {
        self.program.iter().chain(&self.others)
    }
}

/// The result of a build: an image, or one for each platform.
#[derive(Debug, Clone)]
pub enum Artifact {
    /// One image.
    Image(Box<Image>),
    /// Several, with an index over them.
    Index {
        /// The index's media type.
        media_type: MediaType,
        /// The index.
        index: Vec<u8>,
        /// The index's digest.
        digest: Digest,
        /// The images, in the order of the index.
        images: Vec<Image>,
    },
}

impl Artifact {
    /// The digest under which the whole is known.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Image(image) => image.digest,
            Self::Index { digest, .. } => *digest,
        }
    }

    /// The manifest or index that a tag points at: media type and bytes.
    #[must_use]
    pub fn top(&self) -> (&MediaType, &[u8]) {
        match self {
            Self::Image(image) => (&image.media_type, &image.manifest),
            Self::Index { media_type, index, .. } => (media_type, index),
        }
    }

    /// The descriptor by which an index points at the whole.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        let (media_type, bytes) = self.top();
        let mut descriptor = Descriptor::of(media_type.clone(), bytes);
        if let Self::Image(image) = self {
            descriptor.artifact_type = image.config_descriptor.media_type.to_string();
        }
        descriptor
    }

    /// The image for an operating system and architecture, in Go's words: the
    /// first that fits.
    #[must_use]
    pub fn image_for(&self, os: &str, architecture: &str) -> Option<&Image> {
        let fits =
            |image: &&Image| image.platform.os == os && image.platform.architecture == architecture;
        self.images().iter().find(fits)
    }

    /// The flags and variables that its programs were built with, where that is kept:
    /// those of the first, but for the target's.
    #[must_use]
    pub fn built_with(&self) -> Vec<String> {
        let Some(settings) = self.images().first().and_then(|image| image.settings.as_ref()) else {
            return Vec::new();
        };
        let mut words = settings.flags.clone();
        if !settings.ldflags.is_empty() {
            words.push(format!("-ldflags={}", settings.ldflags.join(" ")));
        }
        words
    }

    /// All images.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        match self {
            Self::Image(image) => std::slice::from_ref(image),
            Self::Index { images, .. } => images,
        }
    }
}

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
mod tests {
    use oci::DiffId;

    use super::*;

    fn layer(content: &[u8]) -> Layer {
        Layer {
            digest: Digest::of(content),
            size: content.len() as u64,
            diff_id: DiffId::new(Digest::of(content)),
            encoding: layer::Encoding::Gzip,
            toc: None,
        }
    }

    fn base(config: &str, dialect: (&str, &str)) -> BaseImage {
        let (media_type, config_type) = dialect;
        let config_bytes = config.as_bytes();
        let mut manifest = empty_manifest(config_bytes);
        manifest.media_type = Some(media_type.into());
        manifest.config = Descriptor::of(config_type.into(), config_bytes);
        manifest.subject = Some(Descriptor::of(MediaType::OCI_MANIFEST.into(), b"about"));
        manifest.annotations.insert("of".to_owned(), "the base".to_owned());
        BaseImage::for_tests(
            manifest,
            ImageConfig::parse(config_bytes).unwrap(),
            "r.io/base:latest",
        )
    }

    const DOCKER: (&str, &str) = (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_CONFIG);
    const OCI: (&str, &str) = (MediaType::OCI_MANIFEST, MediaType::OCI_CONFIG);
    const LINUX: &str = r#"{"architecture":"amd64","os":"linux","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"rootfs":{"type":"layers","diff_ids":[]},"config":{"Env":["PATH=/usr/bin:/bin"],"Labels":{"base":"1"},"User":"65532","Cmd":["x"]}}"#;

    fn made(base: &BaseImage, options: &ImageOptions) -> Image {
        let (kodata, binary) = (layer(b"kodata"), layer(b"binary"));
        let added = Added {
            import_path: "example.com/App/cmd/foo",
            name: "foo",
            kodata: vec![&kodata],
            files: None,
            binary: &binary,
            others: Vec::new(),
            debugger: None,
            program: None,
            settings: None,
        };
        let settings = ImageSettings::default();
        assemble(base, &added, Wanted { settings: &settings, run: options })
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_config_is_ko_s_to_the_byte() {
        let image = made(&base(LINUX, DOCKER), &ImageOptions::default());
        let (kodata, binary) = (Digest::of(b"kodata"), Digest::of(b"binary"));
        assert_eq!(
            text(&image.config),
            format!(
                r#"{{"architecture":"amd64","author":"github.com/ko-build/ko","created":"0001-01-01T00:00:00Z","history":[{{"created":"0001-01-01T00:00:00Z"}},{{"author":"ko","created":"0001-01-01T00:00:00Z","created_by":"ko build ko://example.com/App/cmd/foo","comment":"kodata contents, at $KO_DATA_PATH"}},{{"author":"ko","created":"0001-01-01T00:00:00Z","created_by":"ko build ko://example.com/App/cmd/foo","comment":"go build output, at /ko-app/foo"}}],"os":"linux","rootfs":{{"type":"layers","diff_ids":["{kodata}","{binary}"]}},"config":{{"Entrypoint":["/ko-app/foo"],"Env":["PATH=/usr/bin:/bin:/ko-app","KO_DATA_PATH=/var/run/ko"],"Labels":{{"base":"1"}},"User":"65532"}}}}"#
            )
        );
    }

    #[test]
    fn a_manifest_keeps_the_dialect_of_its_base_and_names_it() {
        let image = made(&base(LINUX, DOCKER), &ImageOptions::default());
        let manifest = Manifest::parse(&image.manifest).unwrap();
        assert_eq!(image.digest, Digest::of(&image.manifest));
        assert_eq!(manifest.config, image.config_descriptor);
        assert!(
            manifest.layers.iter().all(|layer| layer.media_type == *MediaType::DOCKER_LAYER_GZIP)
        );
        assert_eq!(manifest.subject, None);
        assert_eq!(manifest.annotations["of"], "the base");
        assert_eq!(manifest.annotations[BASE_NAME], "r.io/base:latest");

        let image = made(&base(LINUX, OCI), &ImageOptions::default());
        let manifest = Manifest::parse(&image.manifest).unwrap();
        assert!(manifest.layers.iter().all(|layer| layer.media_type == *MediaType::OCI_LAYER_GZIP));
    }

    #[test]
    fn what_the_user_wants_is_merged_over_the_base() {
        let options = ImageOptions {
            labels: BTreeMap::from([("base".into(), "2".into()), ("a".into(), "b".into())]),
            annotations: BTreeMap::from([
                ("of".into(), "mine".into()),
                (BASE_NAME.into(), "lie".into()),
            ]),
            user: Some("1000".into()),
            created: oci::Timestamp::from_epoch(1000),
            kodata_created: Some((2000, oci::Timestamp::from_epoch(2000).unwrap())),
        };
        let image = made(&base(LINUX, OCI), &options);
        let config = ImageConfig::parse(&image.config).unwrap();
        assert_eq!(config.created.as_str(), "1970-01-01T00:16:40Z");
        assert_eq!(config.history[1].created.as_str(), "1970-01-01T00:33:20Z");
        assert_eq!(config.history[2].created.as_str(), "1970-01-01T00:16:40Z");
        assert_eq!(
            (config.config.user.as_str(), config.config.labels["base"].as_str()),
            ("1000", "2")
        );
        let manifest = Manifest::parse(&image.manifest).unwrap();
        assert_eq!(manifest.annotations["of"], "mine");
        assert_eq!(manifest.annotations[BASE_NAME], "r.io/base:latest");
    }

    #[test]
    fn windows_has_its_own_paths() {
        let windows =
            r#"{"architecture":"amd64","os":"windows","os.version":"10.0.17763.1234","config":{}}"#;
        let image = made(&base(windows, OCI), &ImageOptions::default());
        let config = text(&image.config);
        assert!(config.contains(
            r#""Entrypoint":["C:\\ko-app\\foo"],"Env":["PATH=C:\\ko-app","KO_DATA_PATH=C:\\var\\run\\ko"]"#
        ));
        assert!(config.contains(r#""os.version":"10.0.17763.1234""#));
        assert!(config.contains("go build output, at /ko-app/foo"));
    }

    #[test]
    fn an_index_carries_descriptors_of_its_base_over() {
        let image = made(&base(LINUX, OCI), &ImageOptions::default());
        let mut from = Descriptor::of(MediaType::OCI_MANIFEST.into(), b"base");
        from.platform = Some("linux/arm64/v8".parse().unwrap());
        from.annotations.insert("of".into(), "the entry".into());
        let named = Some(("r.io/base:latest", Digest::of(b"index")));
        let media_type = MediaType::from(MediaType::OCI_INDEX);
        let artifact = assemble_index(
            &media_type,
            named,
            vec![(from, image.clone())],
            Wanted { settings: &ImageSettings::default(), run: &ImageOptions::default() },
        );
        let (_, bytes) = artifact.top();
        assert_eq!(
            text(bytes),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":{},"digest":"{}","annotations":{{"of":"the entry"}},"platform":{{"architecture":"arm64","os":"linux","variant":"v8"}},"artifactType":"application/vnd.oci.image.config.v1+json"}}],"annotations":{{"org.opencontainers.image.base.digest":"{}","org.opencontainers.image.base.name":"r.io/base:latest"}}}}"#,
                image.manifest.len(),
                image.digest,
                Digest::of(b"index"),
            )
        );
    }
}
