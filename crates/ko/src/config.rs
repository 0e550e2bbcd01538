//! `.ko.yaml`: where it is, and what of it is in force.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::environment::Process;
use crate::error::{CommandError, Result};

/// The base of images where nothing else is said.
pub(crate) const DEFAULT_BASE_IMAGE: &str = "cgr.dev/chainguard/static:latest";

/// A configuration file is a page; more than this is not read.
const LIMIT: u64 = 16 << 20;

/// What the configuration file and its variables say.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) default_base_image: String,
    /// By import path in lower case; an empty value is none.
    pub(crate) base_image_overrides: BTreeMap<String, String>,
    pub(crate) default_platforms: Vec<String>,
}

impl Config {
    /// Reads the file, if there is one, and the variables that override it.
    pub(crate) fn read(process: &Process, work_dir: &Path) -> Result<Self> {
        let file = match find(process, work_dir)? {
            Some(path) => parse(&path)?,
            None => BTreeMap::new(),
        };
        let variable = |name: &str| process.text(name).map(Value::String);
        let key = |name: &str| {
            variable(&format!("KO_{}", name.to_uppercase())).or_else(|| file.get(name).cloned())
        };
        let overrides = match key("baseimageoverrides") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::Object(map)) => {
                map.into_iter().map(|(path, base)| (path.to_lowercase(), text(&base))).collect()
            }
            // The variable holds a JSON object.
            Some(Value::String(json)) => serde_json::from_str(&json).map_err(|error| {
                CommandError::of(&error).context("error reading config file: 'baseImageOverrides'")
            })?,
            Some(_) => {
                return Err(CommandError::new(
                    "error reading config file: 'baseImageOverrides' must be a map",
                ));
            }
        };
        let base =
            key("defaultbaseimage").map(|value| text(&value)).filter(|base| !base.is_empty());
        Ok(Self {
            default_base_image: base.unwrap_or_else(|| DEFAULT_BASE_IMAGE.to_owned()),
            base_image_overrides: overrides,
            default_platforms: key("defaultplatforms")
                .map(|value| strings(&value))
                .unwrap_or_default(),
        })
    }
}

/// The file that is in force.
fn find(process: &Process, work_dir: &Path) -> Result<Option<PathBuf>> {
    let Some(named) = process.path("KO_CONFIG_PATH") else {
        let names = [".ko.json", ".ko.yaml", ".ko.yml"];
        return Ok(names.iter().map(|name| work_dir.join(name)).find(|path| path.is_file()));
    };
    let looking = |path: &Path, error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => error.to_string(),
        };
        CommandError::new(format!(
            "error looking for config file: stat {}: {reason}",
            path.display()
        ))
    };
    let path = work_dir.join(&named);
    let found = path.metadata().map_err(|error| looking(&named, error))?;
    let (path, found) = if found.is_dir() {
        let inside = named.join(".ko.yaml");
        let path = work_dir.join(&inside);
        let found = path.metadata().map_err(|error| looking(&inside, error))?;
        (path, found)
    } else {
        (path, found)
    };
    if !found.is_file() {
        return Err(CommandError::new(format!(
            "config file {} is not a regular file",
            path.display()
        )));
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json" | "yaml" | "yml") => Ok(Some(path)),
        extension => Err(CommandError::new(format!(
            "error reading config file: Unsupported Config Type {:?}",
            extension.unwrap_or_default()
        ))),
    }
}

/// The top-level keys, in lower case: ko does not care about case.
fn parse(path: &Path) -> Result<BTreeMap<String, Value>> {
    let reading = |error: &dyn std::error::Error| {
        CommandError::of(error).context(&format!("error reading config file: {}", path.display()))
    };
    let size = path.metadata().map_err(|error| reading(&error))?.len();
    if size > LIMIT {
        let message = format!("error reading config file: {} has {size} bytes", path.display());
        return Err(CommandError::new(message));
    }
    let content = std::fs::read_to_string(path).map_err(|error| reading(&error))?;
    let value: Option<Value> = serde_saphyr::from_str(&content)
        .map_err(|error| reading(&error).context("While parsing config"))?;
    match value {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) => {
            Ok(map.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect())
        }
        Some(_) => {
            let message =
                format!("error reading config file: {} is not a map of settings", path.display());
            Err(CommandError::new(message))
        }
    }
}

/// A scalar as text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A list, or one string that is split at white space.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => text(other).split_whitespace().map(str::to_owned).collect(),
    }
}
