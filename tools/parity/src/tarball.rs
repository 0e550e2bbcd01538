//! What can be seen of an archive of images: what it lists, under which names,
//! and the content of what is listed. Names of layers are those of their
//! compressed bytes, and so stand for diff_ids here.

use flate2::bufread::GzDecoder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use testkit::sha256;

/// Whether a file is one.
pub(crate) fn is_tarball(path: &str) -> bool {
    path.ends_with(".tar")
}

/// What an archive holds, by what it is called in a report.
pub(crate) fn look(path: &str, bytes: &[u8]) -> BTreeMap<String, String> {
    let field = format!("file {path}");
    let members = match members(bytes) {
        Ok(members) => members,
        Err(error) => return BTreeMap::from([(field, format!("no tar: {error}"))]),
    };
    let Some((_, manifest)) = members.get("manifest.json") else {
        return BTreeMap::from([(field, "no manifest.json".to_owned())]);
    };
    let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else {
        return BTreeMap::from([(field, "manifest.json is no JSON".to_owned())]);
    };
    let mut fields = BTreeMap::new();
    fields.insert(format!("{field} members"), members.len().to_string());
    for (number, image) in manifest.as_array().into_iter().flatten().enumerate() {
        let at = |rest: &str| format!("{field} image {number} {rest}");
        let keys: Vec<&str> =
            image.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        fields.insert(at("keys"), keys.join(" "));
        // Those of ko come in no order.
        let mut tags = strings(&image["RepoTags"]);
        tags.sort();
        fields.insert(at("RepoTags"), tags.join(" "));
        for config in strings(&image["Config"]) {
            let content = members.get(&config).map(|(header, content)| {
                format!("{config} {header} {}", String::from_utf8_lossy(content))
            });
            fields.insert(at("Config"), content.unwrap_or_else(|| "missing".to_owned()));
        }
        for (number, layer) in strings(&image["Layers"]).iter().enumerate() {
            let content = members.get(layer).map(|(header, blob)| layer_of(layer, header, blob));
            let content = content.unwrap_or_else(|| "missing".to_owned());
            fields.insert(at(&format!("Layers[{number}]")), content);
        }
    }
    fields
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten().chain([value]);
    list.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn layer_of(name: &str, header: &str, blob: &[u8]) -> String {
    let hex = sha256(blob).replace("sha256:", "");
    let Some(end) = name.strip_prefix(&hex) else { return "not what its name says".to_owned() };
    let mut tar = Vec::new();
    match GzDecoder::new(blob).read_to_end(&mut tar) {
        Ok(_) => format!("diff_id {} {end} {header}", sha256(&tar)),
        Err(error) => format!("no gzip: {error}"),
    }
}

/// Header and content of each member.
fn members(bytes: &[u8]) -> std::io::Result<BTreeMap<String, (String, Vec<u8>)>> {
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        let header = entry.header();
        let kind = header.entry_type();
        let (mode, uid, gid, mtime) =
            (header.mode()?, header.uid()?, header.gid()?, header.mtime()?);
        let header = format!("{kind:?} {mode:o} {uid} {gid} {mtime}");
        let path = entry.path()?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        members.insert(path, (header, content));
    }
    Ok(members)
}
