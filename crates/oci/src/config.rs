//! Image configs: how a container of an image runs, and what its layers are.
//!
//! All fields that ko keeps of a base's config are here, the Docker ones too,
//! in the order in which ko writes them; what ko drops is dropped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::descriptor::or_empty;
use crate::{DiffId, Platform, Timestamp, json};

/// An image config (OCI image-spec, "Image Configuration", and Docker's
/// additions to it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// CPU architecture, in Go's words.
    #[serde(default, deserialize_with = "or_empty")]
    pub architecture: String,
    /// Who made the image.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Docker's id of the container that was committed.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// When the image was made.
    #[serde(default = "Timestamp::zero", deserialize_with = "time_or_zero")]
    pub created: Timestamp,
    /// The Docker that made the image.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub docker_version: String,
    /// How each layer came to be.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// Operating system, in Go's words.
    #[serde(default, deserialize_with = "or_empty")]
    pub os: String,
    /// The layers' contents.
    #[serde(default, deserialize_with = "or_empty")]
    pub rootfs: RootFs,
    /// How to run it.
    #[serde(default, deserialize_with = "or_empty")]
    pub config: Config,
    /// Version of the operating system (Windows).
    #[serde(
        default,
        rename = "os.version",
        deserialize_with = "or_empty",
        skip_serializing_if = "String::is_empty"
    )]
    pub os_version: String,
    /// Variant of the architecture.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Required features of the operating system.
    #[serde(
        default,
        rename = "os.features",
        deserialize_with = "or_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
}

/// One line of an image's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Who made the layer.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// When it was made.
    #[serde(default = "Timestamp::zero", deserialize_with = "time_or_zero")]
    pub created: Timestamp,
    /// The command that made it.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// What it holds.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// True where the step made no layer.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub empty_layer: bool,
}

/// The layers' contents, bottom first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(default, rename = "type", deserialize_with = "or_empty")]
    pub kind: String,
    /// Digests of the uncompressed layers.
    #[serde(default, deserialize_with = "or_empty")]
    pub diff_ids: Vec<DiffId>,
}

/// How a container of the image runs. Names and order are Docker's and ko's.
#[allow(
    missing_docs,
    reason = "the names are those of the OCI image-spec and of Docker's image-spec 1.2"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Config {
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub attach_stderr: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub attach_stdin: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub attach_stdout: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub domainname: String,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub image: String,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub open_stdin: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub stdin_once: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub tty: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub user: String,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Empty>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub args_escaped: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_false")]
    pub network_disabled: bool,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
}

/// The value of a set that is written as a map: `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// A Docker health check. Durations are in nanoseconds.
#[allow(missing_docs, reason = "the names are those of Docker's image-spec 1.2")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_zero")]
    pub interval: i64,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_zero")]
    pub timeout: i64,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_zero")]
    pub start_period: i64,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "is_zero")]
    pub retries: i64,
}

impl ImageConfig {
    /// Reads a config.
    ///
    /// # Errors
    /// Not JSON, or not a config.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The bytes that have this config's digest.
    pub fn to_vec(&self) -> Vec<u8> {
        json::to_vec(self)
    }

    /// The config of an image without layers, for a platform.
    pub fn empty(platform: &Platform) -> Self {
        Self {
            architecture: platform.architecture.clone(),
            author: String::new(),
            container: String::new(),
            created: Timestamp::zero(),
            docker_version: String::new(),
            history: Vec::new(),
            os: platform.os.clone(),
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: Vec::new() },
            config: Config::default(),
            os_version: platform.os_version.clone(),
            variant: platform.variant.clone(),
            os_features: platform.os_features.clone(),
        }
    }
}

fn time_or_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(Timestamp::zero))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_survives_in_ko_order() {
        // The order is the reverse in the input, so that it is ours that shows.
        let text = r#"{"os.features":["f"],"variant":"v8","os.version":"10","config":{"Shell":["sh"],"StopSignal":"INT","MacAddress":"m","NetworkDisabled":true,"ArgsEscaped":true,"ExposedPorts":{"80/tcp":{}},"WorkingDir":"/w","Volumes":{"/v":{}},"User":"u","Tty":true,"StdinOnce":true,"OpenStdin":true,"OnBuild":["o"],"Labels":{"b":"<","a":"1"},"Image":"i","Hostname":"h","Env":["A=1"],"Entrypoint":["e"],"Domainname":"d","Healthcheck":{"Retries":1,"StartPeriod":2,"Timeout":3,"Interval":4,"Test":["t"]},"Cmd":["c"],"AttachStdout":true,"AttachStdin":true,"AttachStderr":true},"rootfs":{"diff_ids":[],"type":"layers"},"os":"linux","history":[{"empty_layer":true,"comment":"c","created_by":"b","created":"2020-01-01T00:00:00.50Z","author":"a"}],"docker_version":"1","created":"2020-01-01T00:00:00Z","container":"x","author":"me","architecture":"arm64"}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(config.to_vec()).unwrap(),
            r#"{"architecture":"arm64","author":"me","container":"x","created":"2020-01-01T00:00:00Z","docker_version":"1","history":[{"author":"a","created":"2020-01-01T00:00:00.5Z","created_by":"b","comment":"c","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{"AttachStderr":true,"AttachStdin":true,"AttachStdout":true,"Cmd":["c"],"Healthcheck":{"Test":["t"],"Interval":4,"Timeout":3,"StartPeriod":2,"Retries":1},"Domainname":"d","Entrypoint":["e"],"Env":["A=1"],"Hostname":"h","Image":"i","Labels":{"a":"1","b":"\u003c"},"OnBuild":["o"],"OpenStdin":true,"StdinOnce":true,"Tty":true,"User":"u","Volumes":{"/v":{}},"WorkingDir":"/w","ExposedPorts":{"80/tcp":{}},"ArgsEscaped":true,"NetworkDisabled":true,"MacAddress":"m","StopSignal":"INT","Shell":["sh"]},"os.version":"10","variant":"v8","os.features":["f"]}"#
        );
    }

    #[test]
    fn what_is_missing_is_what_go_writes_for_nothing() {
        let config =
            ImageConfig::parse(br#"{"config":null,"history":null,"created":null,"unknown":1}"#)
                .unwrap();
        assert_eq!(
            String::from_utf8(config.to_vec()).unwrap(),
            r#"{"architecture":"","created":"0001-01-01T00:00:00Z","os":"","rootfs":{"type":"","diff_ids":[]},"config":{}}"#
        );
        let config =
            ImageConfig::parse(br#"{"config":{"Healthcheck":{"Test":["NONE"],"Retries":0}}}"#);
        let written = String::from_utf8(config.unwrap().to_vec()).unwrap();
        assert!(written.ends_with(r#""config":{"Healthcheck":{"Test":["NONE"]}}}"#), "{written}");
    }

    #[test]
    fn a_config_for_a_platform() {
        let platform = "linux/arm/v7".parse().unwrap();
        assert_eq!(
            String::from_utf8(ImageConfig::empty(&platform).to_vec()).unwrap(),
            r#"{"architecture":"arm","created":"0001-01-01T00:00:00Z","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{},"variant":"v7"}"#
        );
    }
}
