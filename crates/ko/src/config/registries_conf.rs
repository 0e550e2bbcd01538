//! Reads podman's `registries.conf` (containers-registries.conf(5), version 2),
//! and the files of the directories beside it, if the user wants them to count:
//! which registries are insecure or blocked, and where mirrors are. What it says
//! of short names does not count: a name stands for the same base everywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::registries::{Location, Mirror, NamespaceError, NamespaceRule, Prefix, Pulls};

use super::origin::{Located, Origin};
use super::read::{Fields, Reader};
use super::source::{Source, SourceSpan};
use super::toml;
use super::tree::{Node, Value};
use crate::bounded;
use crate::error::{CommandError, Result};

/// Where podman looks.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// What `CONTAINERS_REGISTRIES_CONF` names.
    pub(crate) named: Option<PathBuf>,
    /// Directories with a `registries.conf`; the first that there is counts. In
    /// all, from the last to the first, `registries.conf.d` does.
    pub(crate) dirs: Vec<PathBuf>,
}

/// The rules of the files that count; `wanted` is `false`, `true`, or a file.
pub(super) fn rules(
    wanted: &Located<String>,
    places: &Places,
    work_dir: &Path,
) -> Result<Vec<NamespaceRule>> {
    let mut rules = Rules::default();
    let named = match wanted.value.as_str() {
        "" | "false" => return Ok(Vec::new()),
        "true" => places.named.as_deref(),
        file => Some(Path::new(file)),
    };
    match named {
        Some(file) => {
            let path = work_dir.join(file);
            let text = text(&path).and_then(|text| text.ok_or("it does not exist".to_owned()));
            let text = text.map_err(|problem| {
                wanted
                    .origin
                    .error(format!("'registriesConf': reading {}: {problem}", file.display()))
            })?;
            rules.add(&path, text)?;
        }
        None => {
            for dir in &places.dirs {
                if rules.add_if_there(&dir.join("registries.conf"))? {
                    break;
                }
            }
        }
    }
    if wanted.value == "true" {
        for dir in places.dirs.iter().rev() {
            for path in drop_ins(&dir.join("registries.conf.d")) {
                let _ = rules.add_if_there(&path)?;
            }
        }
    }
    Ok(rules.0)
}

/// The files of a directory that count, in their order.
fn drop_ins(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    paths.sort();
    paths
}

/// The text of a file, if there is such a file.
fn text(path: &Path) -> std::result::Result<Option<String>, String> {
    let read = std::fs::metadata(path).and_then(|metadata| match metadata.is_file() {
        true => bounded::read(path),
        false => Err(std::io::Error::other("it is not a regular file")),
    });
    match read {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The rules so far. One of a later file replaces one of the same prefix.
#[derive(Default)]
struct Rules(Vec<NamespaceRule>);

impl Rules {
    fn add_if_there(&mut self, path: &Path) -> Result<bool> {
        let text = text(path)
            .map_err(|problem| CommandError::new(format!("reading {}: {problem}", path.display())));
        match text? {
            Some(text) => self.add(path, text).map(|()| true),
            None => Ok(false),
        }
    }

    fn add(&mut self, path: &Path, text: String) -> Result<()> {
        let file = path.display().to_string();
        for rule in parse(&file, text)? {
            self.0.retain(|other| other.prefix != rule.prefix);
            self.0.push(rule);
        }
        Ok(())
    }
}

const KEYS: [&str; 2] = ["registry", "registries"];

const REGISTRY_KEYS: [&str; 6] =
    ["prefix", "location", "insecure", "blocked", "mirror-by-digest-only", "mirror"];

const MIRROR_KEYS: [&str; 3] = ["location", "insecure", "pull-from-mirror"];

fn parse(file: &str, text: String) -> Result<Vec<NamespaceRule>> {
    let parsed = toml::parse(&text);
    let source = Arc::new(Source::new(file.to_owned(), text));
    let root = parsed.map_err(|error| {
        let message = format!("{file} is not TOML: {}", error.message);
        match error.bytes {
            Some(bytes) => Origin::File(SourceSpan::new(&source, bytes)).error(message),
            None => CommandError::new(message),
        }
    })?;
    let mut reader = Reader::new(&source);
    let Value::Map(entries) = &*root.value else { return Ok(Vec::new()) };
    // Other keys are podman's own.
    let fields = reader.fields(entries, &KEYS)?;
    if let Some(old) = fields.get("registries") {
        let message = "'registries' is a table of version 1 of this file; ko reads version 2 \
                       ([[registry]])";
        return Err(reader.origin(old).error(message));
    }
    let mut rules: Vec<NamespaceRule> = Vec::new();
    for node in tables(&reader, "registry", fields.get("registry"))? {
        let rule = rule(&mut reader, file, node)?;
        match rules.iter().find(|other| other.prefix == rule.prefix) {
            None => rules.push(rule),
            // Of two, podman takes the first.
            Some(other) if (other.insecure, other.blocked) == (rule.insecure, rule.blocked) => {}
            Some(_) => {
                let prefix = rule.prefix.as_str();
                let message = format!("'registry': {prefix:?} stands there twice, and differs");
                return Err(reader.origin(node).error(message));
            }
        }
    }
    Ok(rules)
}

fn rule(reader: &mut Reader<'_>, file: &str, node: &Node) -> Result<NamespaceRule> {
    let fields = map(reader, "registry", node, &REGISTRY_KEYS)?;
    let location = text_of(reader, &fields, "registry.location")?;
    let prefix = text_of(reader, &fields, "registry.prefix")?;
    let parsed = |key: &str, text: &Located<String>| -> Result<Location> {
        text.value.parse().map_err(|error: NamespaceError| wrong(text, key, &error.to_string()))
    };
    let location = location.filter(|text| !text.value.is_empty());
    let Some(named) = prefix.filter(|text| !text.value.is_empty()).or_else(|| location.clone())
    else {
        return Err(reader.origin(node).error("'registry' has neither prefix nor location"));
    };
    let prefix: Prefix = named
        .value
        .parse()
        .map_err(|error: NamespaceError| wrong(&named, "registry.prefix", &error.to_string()))?;
    let by_digest = flag(reader, &fields, "registry.mirror-by-digest-only")?;
    let mut mirrors = Vec::new();
    for node in tables(reader, "registry.mirror", fields.get("mirror"))? {
        let fields = map(reader, "registry.mirror", node, &MIRROR_KEYS)?;
        let Some(location) = text_of(reader, &fields, "registry.mirror.location")? else {
            return Err(reader.origin(node).error("'registry.mirror' has no location"));
        };
        let key = "registry.mirror.pull-from-mirror";
        let pulls = text_of(reader, &fields, key)?.filter(|text| !text.value.is_empty());
        let pulls = match pulls {
            None if by_digest => Pulls::Digests,
            None => Pulls::All,
            Some(text) if by_digest => {
                return Err(wrong(&text, key, "cannot stand beside mirror-by-digest-only"));
            }
            Some(text) => match text.value.as_str() {
                "all" => Pulls::All,
                "digest-only" => Pulls::Digests,
                "tag-only" => Pulls::Tags,
                _ => return Err(wrong(&text, key, "expected all, digest-only or tag-only")),
            },
        };
        mirrors.push(Mirror {
            location: parsed("registry.mirror.location", &location)?,
            pulls,
            insecure: flag(reader, &fields, "registry.mirror.insecure")?,
        });
    }
    // Where it is no other place, nothing is rewritten.
    let location = location.filter(|text| text.value != named.value);
    let location = location.map(|text| parsed("registry.location", &text)).transpose()?;
    Ok(NamespaceRule {
        prefix,
        location,
        mirrors,
        insecure: flag(reader, &fields, "registry.insecure")?,
        blocked: flag(reader, &fields, "registry.blocked")?,
        file: file.to_owned(),
    })
}

fn wrong(text: &Located<String>, key: &str, problem: &str) -> CommandError {
    text.origin.error(format!("'{key}': {problem}"))
}

/// The tables of an array of them.
fn tables<'n>(reader: &Reader<'_>, key: &str, node: Option<&&'n Node>) -> Result<&'n [Node]> {
    let Some(node) = node else { return Ok(&[]) };
    match &*node.value {
        Value::List(items) => Ok(items),
        other => {
            let message = format!("'{key}' expected tables ([[{key}]]), got {}", other.kind());
            Err(reader.origin(node).error(message))
        }
    }
}

fn map<'n>(
    reader: &mut Reader<'_>,
    key: &str,
    node: &'n Node,
    known: &'static [&'static str],
) -> Result<Fields<'n>> {
    match &*node.value {
        Value::Map(entries) => reader.fields(entries, known),
        other => {
            let message = format!("'{key}' expected a table, got {}", other.kind());
            Err(reader.origin(node).error(message))
        }
    }
}

/// The last part of a key, by which a field is found.
fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn text_of(reader: &Reader<'_>, fields: &Fields<'_>, key: &str) -> Result<Option<Located<String>>> {
    let Some(node) = fields.get(last(key)) else { return Ok(None) };
    match &*node.value {
        Value::Text(text) => Ok(Some(Located::new(text.clone(), reader.origin(node)))),
        other => {
            let message = format!("'{key}' expected a string, got {}", other.kind());
            Err(reader.origin(node).error(message))
        }
    }
}

fn flag(reader: &Reader<'_>, fields: &Fields<'_>, key: &str) -> Result<bool> {
    let Some(node) = fields.get(last(key)) else { return Ok(false) };
    match &*node.value {
        Value::Bool(value) => Ok(*value),
        other => {
            let message = format!("'{key}' expected true or false, got {}", other.kind());
            Err(reader.origin(node).error(message))
        }
    }
}

#[cfg(test)]
mod tests;
