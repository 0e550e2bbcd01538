//! Reads values from a tree as ko does: keys in any case, scalars in place of
//! lists, numbers and booleans in place of text. A value of the wrong shape is
//! an error with its position.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builds;
use super::file::File;
use super::image;
use super::origin::{List, Located, Origin};
use super::registries;
use super::signing;
use super::source::{Source, SourceSpan};
use super::tree::{Node, Value};
use super::unknown::UnknownKey;
use crate::error::{CommandError, Result};

/// Reads a tree; the second is what has no meaning.
pub(crate) fn file(source: &Arc<Source>, root: &Node) -> Result<(File, Vec<UnknownKey>)> {
    let mut reader = Reader::new(source);
    let file = reader.file(root)?;
    Ok((file, reader.unknown))
}

/// The state of reading a file.
pub(super) struct Reader<'a> {
    source: &'a Arc<Source>,
    unknown: Vec<UnknownKey>,
}

/// The values of a map that have a meaning, by key. A value that is null is
/// none.
pub(super) type Fields<'a> = BTreeMap<&'static str, &'a Node>;

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Arc<Source>) -> Self {
        Self { source, unknown: Vec::new() }
    }

    fn file(&mut self, root: &Node) -> Result<File> {
        let entries = match &*root.value {
            Value::Null => return Ok(File::default()),
            Value::Map(entries) => entries,
            other => {
                return Err(self.origin(root).error(format!(
                    "error reading config file: While parsing config: expected a map of settings, got {}",
                    other.kind()
                )));
            }
        };
        let fields = self.fields(entries, &File::KEYS)?;
        let builds = fields.get("builds").map(|node| builds::read(self, node)).transpose()?;
        let registries =
            fields.get("registries").map(|node| registries::read(self, node)).transpose()?;
        let default_image = fields.get("defaultImage");
        let default_image =
            default_image.map(|node| image::read(self, "defaultImage", node)).transpose()?;
        let signing = fields.get("signing").map(|node| signing::read(self, node)).transpose()?;
        let list = |key| fields.get(key).map(|node| self.list(key, node)).transpose();
        let text = |key| {
            let wrong = |kind: &str| format!("'{key}' expected a string, got {kind}");
            fields.get(key).map(|node| self.text(node, wrong)).transpose()
        };
        let base = fields.get("defaultBaseImage").map(|node| self.base("defaultBaseImage", node));
        let overrides = fields.get("baseImageOverrides").map(|node| self.overrides(node));
        let image_tags = fields.get("imageTags").map(|node| match &*node.value {
            Value::List(_) | Value::Map(_) => self.list("imageTags", node),
            // A template may have spaces.
            scalar => Ok(List::of(scalar.scalar(), self.origin(node))),
        });
        Ok(File {
            default_base_image: base.transpose()?,
            base_image_overrides: overrides.transpose()?,
            max_base_age: text("maxBaseAge")?,
            default_platforms: list("defaultPlatforms")?,
            default_env: list("defaultEnv")?,
            default_flags: list("defaultFlags")?,
            default_ldflags: list("defaultLdflags")?,
            compression: text("compression")?,
            compression_level: text("compressionLevel")?,
            sbom_attach: text("sbomAttach")?,
            create_repositories: text("createRepositories")?,
            signing,
            naming: text("naming")?,
            image_tags: image_tags.transpose()?,
            default_image,
            registries_conf: text("registriesConf")?,
            registries,
            cache: list("cache")?,
            builds,
        })
    }

    pub(super) fn origin(&self, node: &Node) -> Origin {
        Origin::File(SourceSpan::new(self.source, node.bytes.clone()))
    }

    /// A value as it is written.
    pub(super) fn written(&self, node: &Node) -> &str {
        &self.source.text()[node.bytes.clone()]
    }

    /// Sorts the entries of a map. Two spellings of one key are an error where
    /// the key has a meaning: which of them ko takes is left to chance.
    pub(super) fn fields<'n>(
        &mut self,
        entries: &'n [(Node, Node)],
        known: &'static [&'static str],
    ) -> Result<Fields<'n>> {
        let mut seen: BTreeMap<&'static str, &Node> = BTreeMap::new();
        let mut fields = Fields::new();
        for (key, value) in entries {
            let name = self.name(key)?;
            let Some(key_name) = known.iter().find(|known| name.eq_ignore_ascii_case(known)) else {
                let place = SourceSpan::new(self.source, key.bytes.clone());
                self.unknown.push(UnknownKey::new(name.to_owned(), place, known));
                continue;
            };
            if let Some(first) = seen.insert(key_name, key) {
                return Err(self.twice(name, first, key));
            }
            if !matches!(*value.value, Value::Null) {
                fields.insert(key_name, value);
            }
        }
        Ok(fields)
    }

    pub(super) fn name<'n>(&self, key: &'n Node) -> Result<&'n str> {
        key.text().ok_or_else(|| {
            self.origin(key).error(format!(
                "error reading config file: While parsing config: {} cannot be a key",
                key.value.kind()
            ))
        })
    }

    pub(super) fn twice(&self, name: &str, first: &Node, second: &Node) -> CommandError {
        self.origin(second).error(format!(
            "error reading config file: While parsing config: the key {name:?} stands at {} already, and keys are the same in any case",
            self.origin(first)
        ))
    }

    /// A reference to a base.
    fn base(&self, key: &str, node: &Node) -> Result<Located<String>> {
        self.text(node, |kind| {
            format!("'{key}': error parsing \"\" as image reference: expected a string, got {kind}")
        })
    }

    /// Reads a text; `wrong` is the error for any other value.
    pub(super) fn text(
        &self,
        node: &Node,
        wrong: impl Fn(&str) -> String,
    ) -> Result<Located<String>> {
        let origin = self.origin(node);
        match node.value.scalar() {
            Some(text) => Ok(Located::new(text, origin)),
            None => Err(origin.error(wrong(node.value.kind()))),
        }
    }

    /// Bases by import path in lower case.
    fn overrides(&self, node: &Node) -> Result<BTreeMap<String, Located<String>>> {
        let Value::Map(entries) = &*node.value else {
            return Err(self.origin(node).error(format!(
                "'baseImageOverrides': expected a map from import paths to references, got {}",
                node.value.kind()
            )));
        };
        let mut seen: BTreeMap<String, &Node> = BTreeMap::new();
        let mut overrides = BTreeMap::new();
        for (key, value) in entries {
            let name = self.name(key)?;
            let path = engine::lowercase(name);
            if let Some(first) = seen.insert(path.clone(), key) {
                return Err(self.twice(name, first, key));
            }
            overrides.insert(path, self.base("baseImageOverrides", value)?);
        }
        Ok(overrides)
    }

    /// A list, or a scalar whose words are its elements.
    pub(super) fn list(&self, key: &str, node: &Node) -> Result<List> {
        let origin = self.origin(node);
        let items = match &*node.value {
            Value::List(items) => items,
            Value::Map(_) => {
                return Err(origin.error(format!("'{key}' expected a list or a string, got a map")));
            }
            scalar => {
                let text = scalar.scalar().unwrap_or_default();
                return Ok(List::of(text.split_whitespace().map(str::to_owned), origin));
            }
        };
        let item = |(index, node): (usize, &Node)| {
            self.text(node, |kind| format!("'{key}[{index}]' expected a string, got {kind}"))
        };
        let items = items.iter().enumerate().map(item).collect::<Result<_>>()?;
        Ok(List { items, origin })
    }
}
