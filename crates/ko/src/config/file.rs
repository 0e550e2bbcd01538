//! Declares the keys of a configuration file. `read` reads them; what they mean
//! says the JSON Schema in `docs/reference`.

use std::collections::BTreeMap;

use super::image::Image;
use super::origin::{List, Located};
use super::registries::Registry;
use super::signing::Signing;

/// The keys of the file.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) default_base_image: Option<Located<String>>,
    pub(crate) base_image_overrides: Option<BTreeMap<String, Located<String>>>,
    pub(crate) max_base_age: Option<Located<String>>,
    pub(crate) default_platforms: Option<List>,
    pub(crate) default_env: Option<List>,
    pub(crate) default_flags: Option<List>,
    pub(crate) default_ldflags: Option<List>,
    pub(crate) compression: Option<Located<String>>,
    pub(crate) compression_level: Option<Located<String>>,
    pub(crate) sbom_attach: Option<Located<String>>,
    pub(crate) create_repositories: Option<Located<String>>,
    pub(crate) signing: Option<Signing>,
    pub(crate) naming: Option<Located<String>>,
    pub(crate) image_tags: Option<List>,
    pub(crate) default_image: Option<Image>,
    pub(crate) registries: Option<Vec<Registry>>,
    pub(crate) registries_conf: Option<Located<String>>,
    pub(crate) cache: Option<List>,
    pub(crate) builds: Option<Vec<Build>>,
}

/// How a program is built.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) id: Option<Located<String>>,
    pub(crate) dir: Option<Located<String>>,
    pub(crate) main: Option<Located<String>>,
    pub(crate) flags: Option<List>,
    pub(crate) ldflags: Option<List>,
    pub(crate) env: Option<List>,
    pub(crate) linux_capabilities: Option<List>,
    pub(crate) naming: Option<Located<String>>,
    pub(crate) image_tags: Option<List>,
    pub(crate) image: Option<Image>,
}

impl File {
    /// The keys.
    pub(crate) const KEYS: [&str; 19] = [
        "defaultBaseImage",
        "baseImageOverrides",
        "maxBaseAge",
        "defaultPlatforms",
        "defaultEnv",
        "defaultFlags",
        "defaultLdflags",
        "compression",
        "compressionLevel",
        "sbomAttach",
        "createRepositories",
        "signing",
        "naming",
        "imageTags",
        "defaultImage",
        "registries",
        "registriesConf",
        "cache",
        "builds",
    ];
}

impl Build {
    /// The keys.
    pub(crate) const KEYS: [&str; 10] = [
        "id",
        "dir",
        "main",
        "flags",
        "ldflags",
        "env",
        "linux_capabilities",
        "naming",
        "imageTags",
        "image",
    ];
}
