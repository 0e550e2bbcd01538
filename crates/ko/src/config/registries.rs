//! Reads `registries` of a configuration file: how single registries are spoken
//! to, by their host.

use std::collections::BTreeMap;
use std::path::Path;

use engine::registries::{
    IdentityFiles, Location, Mirror, PlainHttp, Prefix, Pulls, RegistrySettings, TlsFile,
};

use super::origin::{List, Located};
use super::read::Reader;
use super::tree::{Node, Value};
use crate::error::Result;

/// What is said of a registry.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Its host, with the port, as it is written.
    pub(crate) host: Located<String>,
    pub(crate) http: Option<Located<String>>,
    pub(crate) skip_verify: Option<Located<String>>,
    pub(crate) ca_file: Option<Located<String>>,
    pub(crate) cert_file: Option<Located<String>>,
    pub(crate) key_file: Option<Located<String>>,
    pub(crate) mirrors: Option<List>,
    pub(crate) max_concurrent: Option<Located<String>>,
}

impl Registry {
    /// The keys.
    pub(crate) const KEYS: [&str; 7] =
        ["http", "skipVerify", "caFile", "certFile", "keyFile", "mirrors", "maxConcurrent"];

    /// The keys with one value.
    pub(crate) fn scalars(&self) -> [(&'static str, Option<&Located<String>>); 6] {
        [
            ("http", self.http.as_ref()),
            ("skipVerify", self.skip_verify.as_ref()),
            ("caFile", self.ca_file.as_ref()),
            ("certFile", self.cert_file.as_ref()),
            ("keyFile", self.key_file.as_ref()),
            ("maxConcurrent", self.max_concurrent.as_ref()),
        ]
    }

    /// What the engine makes of it. Files are not looked at.
    pub(super) fn settings(&self, work_dir: &Path) -> Result<(engine::Registry, RegistrySettings)> {
        let host = &self.host;
        let registry: engine::Registry = host
            .value
            .parse()
            .map_err(|error| host.origin.error(format!("'registries': {error}")))?;
        let identity = match (&self.cert_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some(IdentityFiles {
                certificate: self.file("certFile", certificate, work_dir),
                key: self.file("keyFile", key, work_dir),
            }),
            (None, None) => None,
            (Some(alone), None) => return Err(self.wrong("certFile", alone, "needs keyFile")),
            (None, Some(alone)) => return Err(self.wrong("keyFile", alone, "needs certFile")),
        };
        let settings = RegistrySettings {
            http: self.parse("http", &self.http, "never, allow or only", |text| match text {
                "never" | "false" => Some(PlainHttp::Never),
                "allow" => Some(PlainHttp::Allowed),
                "only" | "true" => Some(PlainHttp::Only),
                _ => None,
            })?,
            skip_verify: self.parse("skipVerify", &self.skip_verify, "true or false", |text| {
                text.parse().ok()
            })?,
            authorities: self.ca_file.as_ref().map(|file| self.file("caFile", file, work_dir)),
            identity,
            mirrors: self.mirrors.as_ref().map(|list| self.mirrors(list)).transpose()?,
            max_requests: self.parse(
                "maxConcurrent",
                &self.max_concurrent,
                "a number from 1 to 1000",
                |text| text.parse().ok().filter(|number| (1..=1000).contains(number)),
            )?,
        };
        Ok((registry, settings))
    }

    fn key(&self, key: &str) -> String {
        format!("registries.{}.{key}", self.host.value)
    }

    fn wrong(
        &self,
        key: &str,
        value: &Located<String>,
        problem: &str,
    ) -> crate::error::CommandError {
        value.origin.error(format!("'{}' {problem}", self.key(key)))
    }

    fn parse<T>(
        &self,
        key: &str,
        value: &Option<Located<String>>,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = value else { return Ok(None) };
        match parse(&value.value) {
            Some(parsed) => Ok(Some(parsed)),
            None => {
                let problem = format!("expected {expected}, got {:?}", value.value);
                Err(self.wrong(key, value, &problem))
            }
        }
    }

    fn file(&self, key: &str, file: &Located<String>, work_dir: &Path) -> TlsFile {
        let setting = format!("{}, {}", self.key(key), file.origin);
        TlsFile { path: work_dir.join(&file.value), setting }
    }

    fn mirrors(&self, list: &List) -> Result<Vec<Mirror>> {
        let mirror = |item: &Located<String>| {
            let location: Location = item.value.parse().map_err(|error| {
                item.origin.error(format!("'{}': {error}", self.key("mirrors")))
            })?;
            Ok(Mirror { location, pulls: Pulls::All, insecure: false })
        };
        list.items.iter().map(mirror).collect()
    }
}

/// Reads the entries.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Result<Vec<Registry>> {
    let Value::Map(entries) = &*node.value else {
        return Err(reader.origin(node).error(format!(
            "'registries' expected a map from hosts to settings, got {}",
            node.value.kind()
        )));
    };
    let mut seen: BTreeMap<String, &Node> = BTreeMap::new();
    let mut registries = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let name = reader.name(key)?;
        let host = Located::new(name.to_owned(), reader.origin(key));
        // One host may be written in several ways.
        let is = name.parse().map_or(name.to_owned(), |host: Prefix| host.as_str().to_owned());
        if let Some(first) = seen.insert(is, key) {
            return Err(reader.twice(name, first, key));
        }
        let fields = match &*value.value {
            Value::Null => continue,
            Value::Map(entries) => reader.fields(entries, &Registry::KEYS)?,
            other => {
                let kind = other.kind();
                let message = format!("'registries.{name}' expected a map of settings, got {kind}");
                return Err(reader.origin(value).error(message));
            }
        };
        let path = |key: &str| format!("registries.{name}.{key}");
        let text = |key: &str| {
            let wrong = |kind: &str| format!("'{}' expected a string, got {kind}", path(key));
            fields.get(key).map(|node| reader.text(node, wrong)).transpose()
        };
        let mirrors = fields.get("mirrors").map(|node| reader.list(&path("mirrors"), node));
        registries.push(Registry {
            host,
            http: text("http")?,
            skip_verify: text("skipVerify")?,
            ca_file: text("caFile")?,
            cert_file: text("certFile")?,
            key_file: text("keyFile")?,
            mirrors: mirrors.transpose()?,
            max_concurrent: text("maxConcurrent")?,
        });
    }
    Ok(registries)
}
