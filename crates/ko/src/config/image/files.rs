//! Reads the files that go into images: `files` of an image's settings.

use engine::{FileRule, ImageFile, Platform};

use super::{expected, one, switch};
use crate::config::origin::{List, Located};
use crate::config::read::Reader;
use crate::config::tree::{Node, Value};
use crate::error::Result;

/// Files beside the program.
#[derive(Debug, Clone)]
pub(crate) struct FileEntry {
    pub(crate) src: Located<String>,
    pub(crate) dst: Located<String>,
    /// The digits as they are written: they are octal.
    pub(crate) mode: Option<Located<String>>,
    pub(crate) owner: Option<Located<String>>,
    pub(crate) template: Option<Located<bool>>,
    pub(crate) platform: Option<List>,
}

impl FileEntry {
    /// The keys.
    pub(crate) const KEYS: [&str; 6] = ["src", "dst", "mode", "owner", "template", "platform"];

    /// What the engine makes of it; `path` is what it is called.
    pub(super) fn rule(&self, path: &str) -> Result<ImageFile> {
        let wrong = |value: &Located<String>, key: &str, what: &str| {
            value.origin.error(format!("'{path}.{key}': {:?} is not {what}", value.value))
        };
        let Located { value: source, .. } = &self.src;
        if source.is_empty() || source.contains('\0') {
            return Err(wrong(&self.src, "src", "a file, directory or pattern"));
        }
        let place = "an absolute path in the image, as /etc/app/";
        let target = target(&self.dst.value).ok_or_else(|| wrong(&self.dst, "dst", place))?;
        let mode = self.mode.as_ref().map(|mode| {
            let digits = mode.value.trim_matches(['"', '\'']);
            let digits = digits.strip_prefix("0o").unwrap_or(digits);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let bits = u16::from_str_radix(digits, 8).ok();
            let bits = bits.filter(|bits| plain && *bits <= 0o7777);
            bits.ok_or_else(|| wrong(mode, "mode", "a mode: write octal digits, as in 0644"))
        });
        let owner = self.owner.as_ref().map(|owner| {
            let (user, group) = owner.value.split_once(':').unwrap_or((&owner.value, "0"));
            let id = |text: &str| {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit());
                // What a tar of this kind has room for.
                text.parse().ok().filter(|id: &u32| plain && *id <= 0o7_777_777)
            };
            let ids = id(user).zip(id(group));
            ids.ok_or_else(|| wrong(owner, "owner", "an owner: write ids, as in 65532:65532"))
        });
        let platforms = self.platform.iter().flat_map(|list| &list.items).map(|item| {
            let platform: Option<Platform> = item.value.parse().ok();
            platform
                .filter(|it| !it.os.is_empty())
                .ok_or_else(|| wrong(item, "platform", "a platform"))
        });
        Ok(ImageFile {
            rule: FileRule {
                source: source.clone(),
                target,
                mode: mode.transpose()?,
                owner: owner.transpose()?.unwrap_or((0, 0)),
            },
            template: self.template.as_ref().is_some_and(|it| it.value),
            platforms: platforms.collect::<Result<_>>()?,
            place: format!("{}: '{path}'", self.src.origin),
        })
    }
}

/// A place in an image with single slashes, if that is one; of Windows' without its drive.
fn target(text: &str) -> Option<String> {
    let text = match text.as_bytes() {
        [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic() => {
            text[2..].replace('\\', "/")
        }
        [b'/', ..] => text.to_owned(),
        _ => return None,
    };
    let parts: Vec<&str> =
        text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") || text.contains('\0') {
        return None;
    }
    let end = if text.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    Some(format!("/{}{end}", parts.join("/")))
}

/// Reads a list of files; `path` is what it is called.
pub(super) fn read(reader: &mut Reader<'_>, path: &str, node: &Node) -> Result<Vec<FileEntry>> {
    let Value::List(entries) = &*node.value else {
        return Err(expected(reader, path, "a list of files", node));
    };
    let mut files = Vec::with_capacity(entries.len());
    for (index, node) in entries.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Map(entries) = &*node.value else {
            return Err(expected(reader, &path, "a map with src and dst", node));
        };
        let fields = reader.fields(entries, &FileEntry::KEYS)?;
        let get = |key: &str| fields.get(key).map(|node| (*node, format!("{path}.{key}")));
        let text = |key| get(key).map(|(node, path)| one(reader, &path, node)).transpose();
        let must = |key: &str, text: Option<Located<String>>| {
            text.ok_or_else(|| reader.origin(node).error(format!("'{path}' has no {key}")))
        };
        // As it is written: in YAML, 0644 is a number already.
        let mode = get("mode").map(|(node, path)| {
            let Located { origin, .. } = one(reader, &path, node)?;
            Ok(Located::new(reader.written(node).to_owned(), origin))
        });
        let template = get("template").map(|(node, path)| switch(reader, &path, node));
        let platform = get("platform").map(|(node, path)| reader.list(&path, node));
        files.push(FileEntry {
            src: must("src", text("src")?)?,
            dst: must("dst", text("dst")?)?,
            mode: mode.transpose()?,
            owner: text("owner")?,
            template: template.transpose()?,
            platform: platform.transpose()?,
        });
    }
    Ok(files)
}
