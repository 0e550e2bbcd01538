//! A base image for one platform.

use super::layer::Layer;
use super::{Fixture, Format, Part};
use serde_json::{Map, Value, json};

/// Describes an image. Without further calls it has one layer, history, and
/// an empty `config`.
#[derive(Clone, Debug)]
pub struct Image {
    pub(super) format: Format,
    platform: Platform,
    created: Option<String>,
    config: Map<String, Value>,
    fields: Map<String, Value>,
    annotations: Map<String, Value>,
    layers: usize,
    layer_size: usize,
    noise: bool,
    history: bool,
    foreign: Option<String>,
    seed: String,
}

/// The parts of `os/arch[/variant][:os.version]`.
#[derive(Clone, Debug)]
struct Platform {
    text: String,
    fields: Map<String, Value>,
}

impl Platform {
    fn parse(text: &str) -> Platform {
        let (slashed, version) = match text.split_once(':') {
            Some((slashed, version)) => (slashed, Some(version)),
            None => (text, None),
        };
        let mut parts = slashed.split('/');
        let mut fields = Map::new();
        let mut set = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                fields.insert(key.to_owned(), value.into());
            }
        };
        let os = parts.next();
        set("architecture", parts.next());
        set("os", os);
        set("os.version", version);
        set("variant", parts.next());
        Platform { text: text.to_owned(), fields }
    }
}

impl Image {
    /// Begins an image with OCI media types for a platform such as
    /// `linux/arm/v7` or `windows/amd64:10.0.17763.1234`.
    #[must_use]
    pub fn oci(platform: &str) -> Image {
        Image::new(Format::Oci, platform)
    }

    /// Begins an image with Docker media types.
    #[must_use]
    pub fn docker(platform: &str) -> Image {
        Image::new(Format::Docker, platform)
    }

    /// Begins an image of either format.
    #[must_use]
    pub fn new(format: Format, platform: &str) -> Image {
        Image {
            format,
            platform: Platform::parse(platform),
            created: Some("2024-01-02T03:04:05Z".to_owned()),
            config: Map::new(),
            fields: Map::new(),
            annotations: Map::new(),
            layers: 1,
            layer_size: 64,
            noise: false,
            history: true,
            foreign: None,
            seed: platform.to_owned(),
        }
    }

    /// Sets the number of layers and the size of the file in each, in bytes.
    #[must_use]
    pub fn layers(mut self, count: usize, size: usize) -> Image {
        self.layers = count;
        self.layer_size = size;
        self
    }

    /// Has files in the layers that deflate cannot shorten.
    #[must_use]
    pub fn noise(mut self) -> Image {
        self.noise = true;
        self
    }

    /// Adds a layer below the others that lives at a URL and is never pushed,
    /// as old windows bases have one.
    #[must_use]
    pub fn foreign_layer(mut self, url: &str) -> Image {
        self.foreign = Some(url.to_owned());
        self
    }

    /// Gives the layers other content than those of other images for the same
    /// platform, which they share without this.
    #[must_use]
    pub fn seed(mut self, seed: &str) -> Image {
        self.seed = format!("{} {seed}", self.platform.text);
        self
    }

    /// Adds an environment entry `NAME=value`.
    #[must_use]
    pub fn env(mut self, entry: &str) -> Image {
        let list = self.config.entry("Env").or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(entry.into());
        }
        self
    }

    /// Sets the user.
    #[must_use]
    pub fn user(self, user: &str) -> Image {
        self.config("User", user)
    }

    /// Sets the working directory.
    #[must_use]
    pub fn workdir(self, dir: &str) -> Image {
        self.config("WorkingDir", dir)
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Image {
        let labels = self.config.entry("Labels").or_insert_with(|| json!({}));
        labels[key] = value.into();
        self
    }

    /// Sets a field of the image's `config` object, such as `Healthcheck`,
    /// `OnBuild`, `Shell`, `Volumes` or `ExposedPorts`.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl Into<Value>) -> Image {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a field next to `config`, such as `author`.
    #[must_use]
    pub fn field(mut self, key: &str, value: impl Into<Value>) -> Image {
        self.fields.insert(key.to_owned(), value.into());
        self
    }

    /// Sets or, with `None`, leaves out the time of creation (RFC 3339).
    #[must_use]
    pub fn created(mut self, time: Option<&str>) -> Image {
        self.created = time.map(str::to_owned);
        self
    }

    /// Leaves the history out.
    #[must_use]
    pub fn without_history(mut self) -> Image {
        self.history = false;
        self
    }

    /// Adds an annotation to the manifest.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Image {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// Returns the `platform` of this image's descriptor in an index.
    pub(super) fn platform(&self) -> Value {
        Value::Object(self.platform.fields.clone())
    }

    /// Makes the layers, the config and the manifest.
    #[must_use]
    pub fn build(&self) -> Fixture {
        let (manifest, config, layer, foreign) = match self.format {
            Format::Oci => (
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar+gzip",
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            ),
            Format::Docker => (
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            ),
        };
        let mut diff_ids = Vec::new();
        let mut layers = Vec::new();
        let mut blobs = Vec::new();
        let part = |media_type: &str, bytes: &[u8]| Part {
            media_type: media_type.to_owned(),
            bytes: bytes.to_owned(),
        };
        if let Some(url) = &self.foreign {
            let made = Layer::new(&self.seed, usize::MAX, 64);
            let mut descriptor = part(foreign, &made.gzip).descriptor();
            descriptor["urls"] = json!([url]);
            layers.push(descriptor);
            diff_ids.push(made.diff_id);
        }
        for number in 0..self.layers {
            let make = if self.noise { Layer::noise } else { Layer::new };
            let made = make(&self.seed, number, self.layer_size);
            layers.push(part(layer, &made.gzip).descriptor());
            diff_ids.push(made.diff_id);
            blobs.push(made.gzip);
        }
        let config = part(config, self.config_file(&diff_ids).to_string().as_bytes());
        let mut body = json!({
            "schemaVersion": 2,
            "mediaType": manifest,
            "config": config.descriptor(),
            "layers": layers,
        });
        if !self.annotations.is_empty() {
            body["annotations"] = self.annotations.clone().into();
        }
        blobs.push(config.bytes);
        Fixture::raw(manifest, body.to_string(), blobs)
    }

    /// The config, with its keys in alphabetical order as Docker writes them.
    fn config_file(&self, diff_ids: &[String]) -> Value {
        let mut file = self.platform.fields.clone();
        file.insert("config".to_owned(), self.config.clone().into());
        if let Some(created) = &self.created {
            file.insert("created".to_owned(), created.as_str().into());
        }
        if self.history {
            let entry = |text: String| {
                let mut entry = json!({"created_by": text});
                if let Some(created) = &self.created {
                    entry["created"] = created.as_str().into();
                }
                entry
            };
            let layers = 0..diff_ids.len();
            let mut history: Vec<Value> =
                layers.map(|number| entry(format!("ADD layer-{number} /base/"))).collect();
            let mut last = entry("ENV".to_owned());
            last["empty_layer"] = true.into();
            history.push(last);
            file.insert("history".to_owned(), history.into());
        }
        let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
        file.insert("rootfs".to_owned(), rootfs);
        file.extend(self.fields.clone());
        file.sort_keys();
        file.into()
    }
}
