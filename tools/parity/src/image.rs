//! What can be seen of an image or index: every value of its manifest and
//! its config, and the entries of the layers that were added.

use crate::json;
use crate::label::Labels;
use crate::source::Source;
use crate::tar_diff::{self, Entry};
use flate2::bufread::GzDecoder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use testkit::sha256;

/// Collects fields of images.
#[derive(Debug)]
pub(crate) struct Images<'a> {
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) tars: BTreeMap<String, Vec<Entry>>,
    /// How many bytes have to be sent for each layer that was added.
    pub(crate) sizes: BTreeMap<String, usize>,
    labels: &'a Labels,
    base_blobs: &'a BTreeSet<String>,
    /// Names of blobs that images were seen to use.
    blobs: BTreeMap<String, String>,
}

impl<'a> Images<'a> {
    pub(crate) fn new(labels: &'a Labels, base_blobs: &'a BTreeSet<String>) -> Images<'a> {
        Images {
            fields: BTreeMap::new(),
            tars: BTreeMap::new(),
            sizes: BTreeMap::new(),
            labels,
            base_blobs,
            blobs: BTreeMap::new(),
        }
    }

    /// Names a blob by what it is; by its digest if no image uses it.
    pub(crate) fn name(&self, digest: &str) -> String {
        self.blobs.get(digest).cloned().unwrap_or_else(|| digest.to_owned())
    }

    /// Notes that something that is no image uses blobs.
    pub(crate) fn know(&mut self, digests: [String; 2]) {
        self.blobs.extend(digests.map(|digest| (digest.clone(), digest)));
    }

    /// Whether an image uses a blob, or a base does.
    pub(crate) fn is_known(&self, digest: &str) -> bool {
        self.blobs.contains_key(digest) || self.base_blobs.contains(digest)
    }

    /// Looks at the image or index of a tag or digest.
    pub(crate) fn look(&mut self, source: &dyn Source, reference: &str, name: &str) {
        let field = format!("image {name}");
        let Some((media_type, bytes)) = source.manifest(reference) else {
            self.fields.insert(field, "missing".to_owned());
            return;
        };
        let text = String::from_utf8_lossy(&bytes);
        let label = self.labels.get(&sha256(&bytes)).unwrap_or(reference);
        self.fields.insert(field.clone(), format!("[{label}]"));
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if label != name {
            // Seen under that name already; its blobs have to be here too.
            self.fields.insert(format!("{field} complete"), complete(source, &value).to_string());
            return;
        }
        if let Some(media_type) = media_type {
            self.fields.insert(format!("{field} is served as"), media_type);
        }
        let Some(mut leaves) = self.text(&field, &text) else { return };
        if value["manifests"].is_array() {
            let children = value["manifests"].as_array().into_iter().flatten();
            for (number, child) in children.enumerate() {
                let digest = child["digest"].as_str().unwrap_or_default();
                let size = source.manifest(digest).map(|(_, bytes)| bytes.len());
                let path = format!("manifests[{number}]");
                leaves.insert(format!("{path}/size"), checked(&child["size"], size));
                let label = self.labels.apply(digest);
                leaves.insert(format!("{path}/digest"), label);
                self.look(source, digest, &format!("{name}/{path}"));
            }
        } else {
            self.image(source, &field, &value, &mut leaves);
        }
        for (path, token) in leaves {
            self.fields.insert(format!("{field} {path}"), token);
        }
    }

    /// Looks at a JSON text; returns its values.
    fn text(&mut self, field: &str, text: &str) -> Option<BTreeMap<String, String>> {
        match json::flatten(text) {
            Ok(flat) => {
                self.fields.insert(format!("{field} shape"), flat.shape);
                Some(flat.leaves.into_iter().collect())
            }
            Err(at) => {
                self.fields.insert(field.to_owned(), format!("no JSON at byte {at}: {text}"));
                None
            }
        }
    }

    fn image(
        &mut self,
        source: &dyn Source,
        field: &str,
        manifest: &Value,
        leaves: &mut BTreeMap<String, String>,
    ) {
        let digest = manifest["config"]["digest"].as_str().unwrap_or_default();
        let config = source.blob(digest).unwrap_or_default();
        self.blobs.insert(digest.to_owned(), digest.to_owned());
        leaves.insert(
            "config/size".to_owned(),
            checked(&manifest["config"]["size"], Some(config.len())),
        );
        if let Some(values) =
            self.text(&format!("{field} config"), &String::from_utf8_lossy(&config))
        {
            for (path, token) in values {
                self.fields.insert(format!("{field} config {path}"), token);
            }
        }
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for (number, layer) in layers.enumerate() {
            let digest = layer["digest"].as_str().unwrap_or_default();
            let path = format!("layers[{number}]");
            let blob = source.blob(digest);
            leaves.insert(format!("{path}/present"), blob.is_some().to_string());
            let Some(blob) = blob.filter(|_| !self.base_blobs.contains(digest)) else { continue };
            leaves.insert(format!("{path}/size"), checked(&layer["size"], Some(blob.len())));
            let described = config["rootfs"]["diff_ids"][number].as_str();
            let diff_id = self.layer(&format!("{field} {path}/digest"), &blob, described);
            self.blobs.insert(digest.to_owned(), diff_id.clone());
            leaves.insert(format!("{path}/digest"), diff_id);
        }
    }

    /// Looks into a layer that was added; returns what stands for its digest.
    fn layer(&mut self, field: &str, blob: &[u8], described: Option<&str>) -> String {
        let mut decoder = GzDecoder::new(blob);
        let mut tar = Vec::new();
        if let Err(error) = decoder.read_to_end(&mut tar) {
            return format!("no gzip: {error}");
        }
        if !decoder.into_inner().is_empty() {
            return "gzip of several members".to_owned();
        }
        match tar_diff::entries(&tar) {
            Ok(entries) => {
                self.tars.insert(field.to_owned(), entries);
                self.sizes.insert(field.to_owned(), blob.len());
            }
            Err(error) => return format!("no tar: {error}"),
        }
        let diff_id = sha256(&tar);
        if described == Some(&diff_id) {
            format!("diff_id {diff_id}")
        } else {
            format!("diff_id {diff_id}, unlike the config's {described:?}")
        }
    }
}

/// Stands for a size that may differ but has to be right.
fn checked(size: &Value, real: Option<usize>) -> String {
    match (size.as_u64(), real) {
        (Some(size), Some(real)) if size == real as u64 => "right".to_owned(),
        _ => format!("{size}, but it is {real:?}"),
    }
}

/// Whether all blobs and children of a manifest are in a source, but those
/// that live elsewhere.
fn complete(source: &dyn Source, manifest: &Value) -> bool {
    let list = |key: &str| manifest[key].as_array().into_iter().flatten();
    let digest = |descriptor: &Value| descriptor["digest"].as_str().map(str::to_owned);
    let mut blobs = list("layers").filter(|layer| layer["urls"].is_null());
    let mut children = list("manifests").filter_map(digest);
    blobs.all(|layer| digest(layer).is_some_and(|digest| source.blob(&digest).is_some()))
        && children.all(|digest| {
            let Some((_, bytes)) = source.manifest(&digest) else { return false };
            complete(source, &serde_json::from_slice(&bytes).unwrap_or_default())
        })
}
