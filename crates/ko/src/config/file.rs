//! Declares the keys of a configuration file, with the types that the JSON
//! Schema of `docs/reference` is made from. `read` reads them.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::origin::{List, Located};
use super::schema;

/// Configuration of ko (`.ko.yaml`). Keys may be written in any case; relative
/// paths start at the directory that ko is run in.
#[derive(Debug, Default, JsonSchema)]
#[schemars(title = "ko", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct File {
    /// The base image of import paths without an override, a reference.
    /// Default: cgr.dev/chainguard/static:latest. KO_DEFAULTBASEIMAGE has
    /// precedence.
    #[schemars(with = "Option<schema::Scalar>")]
    pub(crate) default_base_image: Option<Located<String>>,
    /// Base images by import path. KO_BASEIMAGEOVERRIDES, a JSON object, takes
    /// the place of all of them.
    #[schemars(with = "Option<BTreeMap<String, schema::Scalar>>")]
    pub(crate) base_image_overrides: Option<BTreeMap<String, Located<String>>>,
    /// Platforms to build for: all, or os[/arch[/variant]]. A string is split
    /// at white space. --platform and KO_DEFAULTPLATFORMS have precedence.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) default_platforms: Option<List>,
    /// Environment of go build, NAME=value, for builds without env. A string
    /// is split at white space. KO_DEFAULTENV has precedence.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) default_env: Option<List>,
    /// Flags of go build, each a template, for builds without flags. A string
    /// is split at white space. KO_DEFAULTFLAGS has precedence.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) default_flags: Option<List>,
    /// Flags of the Go linker, each a template, for builds without ldflags. A
    /// string is split at white space. KO_DEFAULTLDFLAGS has precedence.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) default_ldflags: Option<List>,
    /// How layers are compressed: gzip, estargz, zstd or none. Default: gzip.
    /// --compression, KO_COMPRESSION and GGCR_EXPERIMENT_ESTARGZ have precedence.
    #[schemars(with = "Option<schema::Scalar>")]
    pub(crate) compression: Option<Located<String>>,
    /// The level of the compression: 1 to 9, with zstd 1 to 22. Default: 2,
    /// with zstd 3. --compression-level and KO_COMPRESSIONLEVEL have precedence,
    /// and so has another compression.
    #[schemars(with = "Option<schema::Scalar>")]
    pub(crate) compression_level: Option<Located<String>>,
    /// How single programs are built.
    #[schemars(with = "Option<schema::Builds>")]
    pub(crate) builds: Option<Vec<Build>>,
}

/// How a program is built.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Build {
    /// The name of the build in messages. Default: # and the index.
    #[schemars(with = "Option<schema::Scalar>")]
    pub(crate) id: Option<Located<String>>,
    /// The directory that go runs in, below the working directory. Default: .
    #[schemars(with = "Option<schema::Scalar>")]
    pub(crate) dir: Option<Located<String>>,
    /// The package, or one of its files, relative to dir. Default: .
    #[schemars(with = "Option<schema::Scalar>")]
    pub(crate) main: Option<Located<String>>,
    /// Flags of go build, each a template, in place of defaultFlags. A string
    /// is split at white space.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) flags: Option<List>,
    /// Flags of the Go linker, each a template, in place of defaultLdflags. A
    /// string is one element. --ldflags has precedence.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) ldflags: Option<List>,
    /// Environment of go build, NAME=value, in place of defaultEnv and over
    /// the environment of ko. A string is one element.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) env: Option<List>,
    /// Linux capabilities of the program's file. A string is split at white
    /// space.
    #[schemars(with = "Option<schema::List>")]
    pub(crate) linux_capabilities: Option<List>,
}

impl File {
    /// The keys.
    pub(crate) const KEYS: [&str; 9] = [
        "defaultBaseImage",
        "baseImageOverrides",
        "defaultPlatforms",
        "defaultEnv",
        "defaultFlags",
        "defaultLdflags",
        "compression",
        "compressionLevel",
        "builds",
    ];
}

impl Build {
    /// The keys.
    pub(crate) const KEYS: [&str; 7] =
        ["id", "dir", "main", "flags", "ldflags", "env", "linux_capabilities"];
}
