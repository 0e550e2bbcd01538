//! Writes archives as `docker save` did before it knew OCI, which every
//! container engine loads: configs, layers, and a `manifest.json` that describes
//! them.

use std::collections::BTreeMap;

use oci::{Descriptor, ImageConfig, json};
use serde::Serialize;
use store::Store;

use super::inflate::inflate;
use super::member::{Content, Member};
use crate::blobs::BlobError;
use crate::image::Image;

/// The file that lists the images.
pub(crate) const MANIFEST: &str = "manifest.json";

/// An image in `manifest.json`. Fields stand in ko's order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub(crate) config: String,
    pub(crate) repo_tags: Vec<String>,
    pub(crate) layers: Vec<String>,
    /// Layers that no registry distributes, by diff_id: the program that loads
    /// the archive gets them from their URLs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) layer_sources: BTreeMap<String, Descriptor>,
}

impl Listed {
    /// Lists an image. `name` is what a blob is called in the archive.
    pub(crate) fn new(
        image: &Image,
        repo_tags: Vec<String>,
        name: impl Fn(&Descriptor) -> String,
    ) -> Self {
        let diff_ids = ImageConfig::parse(&image.config).map(|config| config.rootfs.diff_ids);
        let layers = image.layers.iter().map(|layer| &layer.descriptor);
        let foreign = layers.clone().zip(diff_ids.unwrap_or_default());
        let foreign = foreign.filter(|(layer, _)| layer.media_type.is_nondistributable());
        Self {
            config: name(&image.config_descriptor),
            repo_tags,
            layers: layers.map(&name).collect(),
            layer_sources: foreign
                .map(|(layer, diff_id)| (diff_id.digest().to_string(), layer.clone()))
                .collect(),
        }
    }
}

/// The file that lists images.
pub(crate) fn manifest(listed: &[Listed]) -> Member {
    Member::new(MANIFEST, Content::Bytes(json::to_vec(listed)))
}

/// What ko calls a layer: some engines look at the end of its name.
fn layer_name(layer: &Descriptor) -> String {
    let hex = layer.digest.hex();
    match layer.media_type.as_str() {
        media_type if media_type.ends_with("zstd") => format!("{hex}.tar.zst"),
        media_type if media_type.ends_with("gzip") => format!("{hex}.tar.gz"),
        _ => format!("{hex}.tar"),
    }
}

/// An archive of one image with its names, whose layers are as they are on an
/// engine's disk. The lowest ones may be left out; all others were provided.
pub(crate) fn inflated(
    image: &Image,
    names: Vec<String>,
    skipped_layers: usize,
    store: &Store,
) -> Result<Vec<Member>, BlobError> {
    let name = |blob: &Descriptor| match blob.digest == image.config_descriptor.digest {
        true => format!("{}.json", blob.digest.hex()),
        false => format!("{}.tar", blob.digest.hex()),
    };
    let config = Content::Bytes(image.config.clone());
    let mut members = vec![
        manifest(&[Listed::new(image, names, name)]),
        Member::new(name(&image.config_descriptor), config),
    ];
    for layer in image.layers[skipped_layers..].iter().map(|layer| &layer.descriptor) {
        let path = name(layer);
        let there = members.iter().any(|member| member.path == path);
        if !there && !layer.media_type.is_nondistributable() {
            members.push(Member::new(path, inflate(layer, store)?));
        }
    }
    Ok(members)
}

/// An archive of images with the names that each has, whose layers keep their
/// compression.
pub(crate) fn members(images: &[(&Image, Vec<String>)]) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    let mut listed = Vec::new();
    for (image, tags) in images {
        let config = image.config_descriptor.digest.to_string();
        let mut add = |path: String, content| {
            if !members.iter().any(|member| member.path == path) {
                members.push(Member::new(path, content));
            }
        };
        add(config.clone(), Content::Bytes(image.config.clone()));
        for layer in image.layers.iter().map(|layer| &layer.descriptor) {
            if !layer.media_type.is_nondistributable() {
                add(layer_name(layer), Content::Blob(layer.digest, layer.size));
            }
        }
        let name = |blob: &Descriptor| match blob.digest == image.config_descriptor.digest {
            true => config.clone(),
            false => layer_name(blob),
        };
        listed.push(Listed::new(image, tags.clone(), name));
    }
    members.push(manifest(&listed));
    members
}
