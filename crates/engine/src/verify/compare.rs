//! Compares an image of a registry with what its source gives: diff_ids, configs,
//! manifests, index. Layers may be compressed in another way.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Descriptor, DiffId, Digest, Index, Manifest};
use once::blocking;
use registry::Client;
use serde_json::Value;
use store::Store;

use super::difference::Difference;
use super::specimen::{Found, Specimen, pull, read};
use super::{Claims, VerifyError, layers, programs};
use crate::image::{Artifact, BASE_DIGEST, BASE_NAME, Image, LayerContent};

/// Where the layers of both sides are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    /// The registry of the image.
    pub(super) client: &'a Client,
    /// What was pulled of the image.
    pub(super) image: &'a Store,
    /// What was built.
    pub(super) source: &'a Store,
}

/// What was found, or why it could not be.
type Compared = Result<Option<Difference>, VerifyError>;

/// The first difference between an image or index and what was built.
pub(super) async fn artifacts(
    sides: Sides<'_>,
    specimen: &Specimen,
    claims: &Claims,
    built: &Artifact,
) -> Compared {
    if let Some(difference) = indexes(specimen, claims, built) {
        return Ok(Some(difference));
    }
    for (image, built) in specimen.images.iter().zip(built.images()) {
        let difference = images(sides, specimen, claims, (image, built)).await?;
        if let Some(difference) = difference {
            return Ok(Some(difference.within(image.platform.to_string())));
        }
    }
    Ok(None)
}

/// The first difference of the indexes, but for the digests of their images.
fn indexes(specimen: &Specimen, claims: &Claims, built: &Artifact) -> Option<Difference> {
    let text = |platforms: Vec<String>| platforms.join(", ");
    let of_image = specimen.images.iter().map(|image| image.platform.to_string()).collect();
    let of_built: Vec<String> =
        built.images().iter().map(|image| image.platform.to_string()).collect();
    let (index, mut want) = match (&specimen.index, built) {
        (Some(index), Artifact::Index { index: bytes, .. }) => (index, Index::parse(bytes).ok()?),
        // A variant is in an index alone.
        (None, Artifact::Image(_)) => return None,
        (index, _) => {
            let kind = |is_index| if is_index { "an index" } else { "one image" };
            let (image, source) = (index.is_some(), index.is_none());
            return Some(Difference::between("the kind", kind(image), kind(source)));
        }
    };
    let (image, source) = (text(of_image), text(of_built));
    if image != source {
        return Some(Difference::between("the platforms", image, source));
    }
    if claims.base_is_nowhere
        && let Some(said) = index.annotations.get(BASE_DIGEST)
    {
        want.annotations.insert(BASE_DIGEST.to_owned(), said.clone());
    }
    if let Some(difference) = annotations(&index.annotations, &want.annotations) {
        return Some(difference.within("the index"));
    }
    // Its images are compared on their own.
    for (entry, found) in want.manifests.iter_mut().zip(&index.manifests) {
        (entry.digest, entry.size) = (found.digest, found.size);
    }
    let is_same =
        specimen.media_type == *built.top().0 && specimen.digest == Digest::of(&want.to_vec());
    let fields = || json("", &value(&index.to_vec()), &value(&want.to_vec()));
    (!is_same).then(|| fields().unwrap_or_else(Difference::unknown).within("the index"))
}

/// The first difference of two images.
async fn images(
    sides: Sides<'_>,
    specimen: &Specimen,
    claims: &Claims,
    (image, built): (&Found, &Image),
) -> Compared {
    let mut want =
        Manifest::parse(&built.manifest).map_err(|_| VerifyError::malformed("a manifest"))?;
    if let Some(difference) = bases(&image.manifest.annotations, &want.annotations) {
        return Ok(Some(difference));
    }
    if let Some(difference) = settings(image, claims, built) {
        return Ok(Some(difference));
    }
    let (base, of_base) = (image.manifest.layers.len() - image.added, built.base_layers);
    if base != of_base {
        let (image, source) = (base.to_string(), of_base.to_string());
        return Ok(Some(Difference::between("the number of the base's layers", image, source)));
    }
    if image.added != built.added.len() {
        let (image, source) = (image.added.to_string(), built.added.len().to_string());
        return Ok(Some(Difference::between("the number of ko's layers", image, source)));
    }
    for (position, layer) in built.layers.iter().enumerate() {
        let pair = (image, position, &layer.descriptor, built.diff_ids[position]);
        let name = match position.checked_sub(of_base) {
            None => format!("layer {} of the base", position + 1),
            Some(own) => of_content(built.added[own]).to_owned(),
        };
        let is_ours = position >= of_base;
        if let Some(difference) = compare_layers(sides, specimen, pair, is_ours).await? {
            return Ok(Some(difference.within(name)));
        }
    }
    if image.config_digest != Digest::of(&built.config) {
        let difference = json("", &image.config_json, &value(&built.config));
        let difference = difference.unwrap_or_else(Difference::unknown);
        return Ok(Some(difference.within("the config")));
    }
    if let Some(difference) = annotations(&image.manifest.annotations, &want.annotations) {
        return Ok(Some(difference.within("the manifest")));
    }
    // Layers may be compressed in another way; nothing else may be another.
    for (layer, found) in want.layers.iter_mut().zip(&image.manifest.layers) {
        (layer.digest, layer.size) = (found.digest, found.size);
    }
    let is_same =
        image.media_type == built.media_type && image.digest == Digest::of(&want.to_vec());
    let fields = || json("", &value(&image.manifest.to_vec()), &value(&want.to_vec()));
    Ok((!is_same).then(|| fields().unwrap_or_else(Difference::unknown).within("the manifest")))
}

/// A document that we have written.
fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or(Value::Null)
}

/// What a layer is called.
fn of_content(content: LayerContent) -> &'static str {
    match content {
        LayerContent::Kodata => "the layer of kodata",
        LayerContent::Files => "the layer of files",
        LayerContent::Program => "the layer of the program",
        LayerContent::Debugger => "the layer of the debugger",
    }
}

/// Holds the content of a layer to what was built.
async fn compare_layers(
    sides: Sides<'_>,
    specimen: &Specimen,
    (image, position, built, want): (&Found, usize, &Descriptor, DiffId),
    is_ours: bool,
) -> Compared {
    let (layer, diff_id) =
        (&image.manifest.layers[position], image.config.rootfs.diff_ids[position]);
    let is_same = (layer.digest, layer.size) == (built.digest, built.size);
    if is_same && diff_id == want {
        return Ok(None);
    }
    if !is_ours && diff_id != want {
        let (image, source) = (diff_id.digest().to_string(), want.digest().to_string());
        return Ok(Some(Difference::between("its diff_id", image, source)));
    }
    // What a config says of a layer is not believed: it is read. Those above the base
    // were, when they were fetched.
    pull(sides.client, &specimen.repository, layer, sides.image).await?;
    let (store, layer) = (sides.image.clone(), layer.clone());
    if diff_id == want {
        let work = move || read(&store, &layer, diff_id, |_| Ok(()));
        return blocking(work).await.map(|()| None);
    }
    let (source, built) = (sides.source.clone(), built.clone());
    let work = move || layers::compare(&store, (&layer, diff_id), (&source, (&built, want)));
    blocking(work).await.map(Some)
}

/// Whether the base is another.
fn bases(
    image: &BTreeMap<String, String>,
    source: &BTreeMap<String, String>,
) -> Option<Difference> {
    let text = |annotations: &BTreeMap<String, String>| {
        let part = |name| annotations.get(name).map(String::as_str);
        let name = part(BASE_NAME).unwrap_or_default();
        part(BASE_DIGEST).map_or(name.to_owned(), |digest| format!("{name}@{digest}"))
    };
    let (image, source) = (text(image), text(source));
    (image != source).then(|| Difference::between("the base", image, source))
}

/// The first difference of how the programs were built, by what they say.
fn settings(image: &Found, claims: &Claims, built: &Image) -> Option<Difference> {
    if let (Some(image), Some(source)) = (&image.program, &built.program)
        && let Some(difference) = programs::infos(image, source)
    {
        return Some(difference);
    }
    let (said, own) = (claims.provenance.as_ref()?, built.settings.as_ref()?);
    let (said, own) = (said.ldflags.join(" "), own.ldflags.join(" "));
    (said != own).then(|| Difference::between("the flag -ldflags", said, own))
}

/// The first annotation that is another.
fn annotations(
    image: &BTreeMap<String, String>,
    source: &BTreeMap<String, String>,
) -> Option<Difference> {
    let names: BTreeSet<&String> = image.keys().chain(source.keys()).collect();
    let value = |all: &BTreeMap<String, String>, name| all.get(name).cloned();
    names.into_iter().find(|name| image.get(*name) != source.get(*name)).map(|name| {
        let (image, source) = (value(image, name), value(source, name));
        let what = format!("the annotation {name}");
        Difference::between(what, image.unwrap_or_default(), source.unwrap_or_default())
    })
}

/// The first field of a document that is another.
fn json(path: &str, image: &Value, source: &Value) -> Option<Difference> {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (image, source) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let value = |all: &serde_json::Map<String, Value>, name: &str| {
                all.get(name).cloned().unwrap_or(Value::Null)
            };
            names
                .into_iter()
                .find_map(|name| json(&below(name), &value(one, name), &value(other, name)))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            { pairs }.find_map(|(at, (one, other))| json(&format!("{path}[{at}]"), one, other))
        }
        (one, other) if one == other => None,
        (one, other) => {
            let text = |value: &Value| match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            Some(Difference::between(path, text(one), text(other)))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::json;

    #[test]
    fn a_field_is_named_by_its_path() {
        let config = value!({"config": {"Env": ["A=1", "B=2"], "User": "65532"}, "os": "linux"});
        assert_eq!(json("", &config, &config), None);
        let mut other = config.clone();
        other["config"]["Env"][1] = "B=3".into();
        let said = json("", &other, &config).unwrap().to_string();
        assert_eq!(said, "config.Env[1]: the image has B=3, the source gives B=2");
        other["config"]["Cmd"] = value!(["x"]);
        let said = json("", &other, &config).unwrap().to_string();
        assert_eq!(said, r#"config.Cmd: the image has ["x"], the source gives none"#);
    }
}
