//! Reads the configuration: the file (`.ko.yaml` and its kin), the environment,
//! which overrides it, and the origin of each value. References and platforms
//! are not parsed here, and nothing is looked up in registries or Go code.

mod builds;
mod compression;
mod file;
mod image;
mod lookup;
mod naming;
mod origin;
mod publishing;
mod quote;
mod read;
mod registries;
mod registries_conf;
mod scalar;
mod schema;
mod signing;
mod source;
#[cfg(test)]
mod tests;
mod toml;
mod tree;
mod unknown;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::registries::Registries;
use engine::{BuildConfig, BuildFlags, BuildOptions};

pub(crate) use compression::Compression;
pub(crate) use file::Build;
pub(crate) use image::{Image, add_prebuilt};
pub(crate) use lookup::LOCK;
pub(crate) use naming::{Naming, tags};
pub(crate) use origin::{List, Located, Origin};
pub(crate) use publishing::Publishing;
pub(crate) use quote::scalar;
pub(crate) use registries::Registry;
pub(crate) use registries_conf::Places as RegistriesConfPlaces;
pub(crate) use schema::SCHEMA;
pub(crate) use signing::Signing;
pub(crate) use source::{Source, SourceSpan};
pub(crate) use tree::{Node, Value};

use crate::cli;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use file::File;
use lookup::Format;
use origin::Templates;
use unknown::UnknownKey;

/// The base of images where nothing else is said.
pub(crate) const DEFAULT_BASE_IMAGE: &str = "cgr.dev/chainguard/static:latest";

/// The variable that says whether podman's `registries.conf` counts.
const REGISTRIES_CONF: &str = "KO_REGISTRIESCONF";

/// The variable that names the file or its directory.
const CONFIG_PATH: &str = "KO_CONFIG_PATH";

/// The settings of the configuration file and its variables.
#[derive(Debug)]
pub(crate) struct Config {
    /// The file, as the user would write it.
    pub(crate) file: Option<String>,
    pub(crate) default_base_image: Located<String>,
    /// By import path in lower case.
    pub(crate) base_image_overrides: BTreeMap<String, Located<String>>,
    pub(crate) max_base_age: Option<Located<String>>,
    pub(crate) default_platforms: List,
    pub(crate) default_env: List,
    pub(crate) default_flags: List,
    pub(crate) default_ldflags: List,
    pub(crate) compression: Compression,
    pub(crate) publishing: Publishing,
    pub(crate) signing: Signing,
    pub(crate) naming: Naming,
    pub(crate) default_image: Image,
    pub(crate) registries: Vec<Registry>,
    pub(crate) registries_conf: Located<String>,
    /// Shared caches that are read.
    pub(crate) cache: List,
    pub(crate) builds: Vec<Build>,
    unknown: Vec<UnknownKey>,
}

impl Config {
    /// Reads the file, if there is one, and the variables that override it.
    pub(crate) fn read(process: &Process, work_dir: &Path) -> Result<Self> {
        let named = process.path(CONFIG_PATH);
        let read = match lookup::find(named.as_deref(), work_dir)? {
            Some(found) => Some(parse(found.format, lookup::read(&found, work_dir)?)?),
            None => None,
        };
        Self::of(read, &|name| process.text(name))
    }

    /// Where the file may be, and what is locked.
    pub(crate) fn candidates(process: &Process, work_dir: &Path) -> Vec<PathBuf> {
        lookup::candidates(process.path(CONFIG_PATH).as_deref(), work_dir)
    }

    /// What is in force without a file.
    pub(crate) fn without_file(process: &Process) -> Result<Self> {
        Self::of(None, &|name| process.text(name))
    }

    /// What is in force when `read` is in the file.
    fn of(
        read: Option<(Arc<Source>, File, Vec<UnknownKey>)>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let (name, file, unknown) = match read {
            Some((source, file, unknown)) => (Some(source.name().to_owned()), file, unknown),
            None => (None, File::default(), Vec::new()),
        };
        let list = |name: &'static str, file: Option<List>| match variable(name) {
            Some(text) => {
                let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                List::of(words, Origin::Variable(name))
            }
            None => file.unwrap_or_else(List::unset),
        };
        let base = match (variable("KO_DEFAULTBASEIMAGE"), file.default_base_image) {
            (Some(base), _) => Located::new(base, Origin::Variable("KO_DEFAULTBASEIMAGE")),
            (None, Some(base)) => base,
            (None, None) => Located::new(DEFAULT_BASE_IMAGE.to_owned(), Origin::Default),
        };
        let overrides = match variable("KO_BASEIMAGEOVERRIDES") {
            Some(json) => overrides_of_variable(&json)?,
            None => file.base_image_overrides.unwrap_or_default(),
        };
        if variable("KO_BUILDS").is_some() {
            return Err(builds::of_variable(&Origin::Variable("KO_BUILDS")));
        }
        let registries_conf = variable(REGISTRIES_CONF)
            .map(|text| Located::new(text, Origin::Variable(REGISTRIES_CONF)))
            .or(file.registries_conf)
            .unwrap_or_else(|| Located::new("false".to_owned(), Origin::Default));
        Ok(Self {
            file: name,
            default_base_image: base,
            base_image_overrides: overrides,
            max_base_age: variable("KO_MAXBASEAGE")
                .map(|text| Located::new(text, Origin::Variable("KO_MAXBASEAGE")))
                .or(file.max_base_age)
                .filter(|text| !text.value.is_empty()),
            default_platforms: list("KO_DEFAULTPLATFORMS", file.default_platforms),
            default_env: list("KO_DEFAULTENV", file.default_env),
            default_flags: list("KO_DEFAULTFLAGS", file.default_flags),
            default_ldflags: list("KO_DEFAULTLDFLAGS", file.default_ldflags),
            compression: Compression::of(file.compression, file.compression_level, variable),
            publishing: Publishing::of(file.sbom_attach, file.create_repositories, variable),
            signing: file.signing.unwrap_or_default().under(Signing::of_variables(variable)),
            naming: Naming {
                name: variable("KO_NAMING")
                    .map(|text| Located::new(text, Origin::Variable("KO_NAMING")))
                    .or(file.naming),
                tags: match variable("KO_IMAGETAGS") {
                    Some(text) => {
                        List::of(cli::split_tags(&text), Origin::Variable("KO_IMAGETAGS"))
                    }
                    None => file.image_tags.unwrap_or_else(List::unset),
                },
            },
            default_image: file.default_image.unwrap_or_default(),
            registries: file.registries.unwrap_or_default(),
            registries_conf,
            cache: list("KO_CACHE_FROM", file.cache),
            builds: file.builds.unwrap_or_default(),
            unknown,
        })
    }

    /// How old a base may be before the user is told.
    pub(crate) fn max_base_age(&self) -> Result<Option<Duration>> {
        let parse = |text: &Located<String>| {
            let wrong = |error| {
                let message = format!("'maxBaseAge': {error}, not {:?}", text.value);
                text.origin.error(message)
            };
            cli::duration(&text.value).map_err(wrong)
        };
        self.max_base_age.as_ref().map(parse).transpose()
    }

    /// What the user should know, if anything: keys that nobody reads.
    pub(crate) fn warning(&self) -> Option<String> {
        unknown::warning(&self.unknown)
    }

    /// What is said of registries: here, and where podman reads it if that is to
    /// count.
    pub(crate) fn registries(
        &self,
        places: &RegistriesConfPlaces,
        certificate_dirs: Vec<PathBuf>,
        work_dir: &Path,
    ) -> Result<Registries> {
        let rules = registries_conf::rules(&self.registries_conf, places, work_dir)?;
        let settings = self.registries.iter().map(|registry| registry.settings(work_dir));
        let settings = settings.collect::<Result<Vec<_>>>()?;
        Ok(Registries::new(settings, rules, certificate_dirs))
    }

    /// What the image of a build says of itself.
    pub(crate) fn image(&self, build: &Build) -> Image {
        match &build.image {
            Some(image) => image.over(&self.default_image),
            None => self.default_image.clone(),
        }
    }

    /// How the engine builds programs; `ldflags` are those of the command
    /// line. What is no template is an error.
    pub(crate) fn build_options(&self, ldflags: &List) -> Result<BuildOptions> {
        let mut parsed = Templates::default();
        let mut build = |(index, build): (usize, &Build)| {
            let image = self.image(build);
            let path = format!("builds[{index}].image");
            let mut list = |list: &Option<List>, name: &str| match list {
                Some(list) => list.templates(&format!("builds[{index}].{name}"), &mut parsed),
                None => Ok(Vec::new()),
            };
            Ok(BuildConfig {
                id: build.id(index),
                dir: PathBuf::from(build.dir()),
                main: PathBuf::from(build.main()),
                naming: naming::name(build.naming.as_ref(), &format!("builds[{index}].naming"))?,
                tags: match &build.image_tags {
                    Some(tags) => naming::tags(tags, &format!("builds[{index}].imageTags"))?,
                    None => Vec::new(),
                },
                capabilities: match &build.linux_capabilities {
                    Some(terms) => terms.capabilities()?,
                    None => None,
                },
                prebuilt: match &build.image {
                    Some(image) => image.prebuilt(&format!("builds[{index}].image"))?,
                    None => None,
                },
                mains: image.mains(&path)?,
                image: image.settings(&path)?,
                files: image.files(&path)?,
                skip_empty_kodata: image.skips_empty_kodata(),
                flags: BuildFlags {
                    env: build.env.as_ref().map(List::values).unwrap_or_default(),
                    flags: list(&build.flags, "flags")?,
                    ldflags: list(&build.ldflags, "ldflags")?,
                },
                strip: image.strips(),
                untrimmed: image.is_untrimmed(),
                check_libraries: image.checks_libraries(&path)?,
            })
        };
        Ok(BuildOptions {
            builds: self.builds.iter().enumerate().map(&mut build).collect::<Result<_>>()?,
            defaults: BuildFlags {
                env: self.default_env.values(),
                flags: self.default_flags.templates("defaultFlags", &mut parsed)?,
                ldflags: self.default_ldflags.templates("defaultLdflags", &mut parsed)?,
            },
            image: self.default_image.settings("defaultImage")?,
            files: self.default_image.files("defaultImage")?,
            skip_empty_kodata: self.default_image.skips_empty_kodata(),
            strip: self.default_image.strips(),
            untrimmed: self.default_image.is_untrimmed(),
            check_libraries: self.default_image.checks_libraries("defaultImage")?,
            ldflags: ldflags.templates("--ldflags", &mut parsed)?,
            ..BuildOptions::default()
        })
    }
}

impl Build {
    /// What it is called.
    pub(crate) fn id(&self, index: usize) -> String {
        set(self.id.as_ref()).map_or_else(|| format!("#{index}"), str::to_owned)
    }

    /// Where go runs.
    pub(crate) fn dir(&self) -> &str {
        set(self.dir.as_ref()).unwrap_or(".")
    }

    /// What is built.
    pub(crate) fn main(&self) -> &str {
        set(self.main.as_ref()).unwrap_or(".")
    }
}

/// A text that is set to nothing is not set.
fn set(text: Option<&Located<String>>) -> Option<&str> {
    text.map(|text| text.value.as_str()).filter(|text| !text.is_empty())
}

/// The variable holds a JSON object.
fn overrides_of_variable(json: &str) -> Result<BTreeMap<String, Located<String>>> {
    let origin = Origin::Variable("KO_BASEIMAGEOVERRIDES");
    let map: BTreeMap<String, String> = serde_json::from_str(json).map_err(|error| {
        CommandError::new(format!(
            "'baseImageOverrides': KO_BASEIMAGEOVERRIDES is not a JSON object of strings: {error}"
        ))
    })?;
    let lower = |(path, base): (String, String)| {
        (engine::lowercase(&path), Located::new(base, origin.clone()))
    };
    Ok(map.into_iter().map(lower).collect())
}

/// Parses YAML of another tool, of which the first document counts.
pub(crate) fn tree(name: &str, text: String) -> Result<(Arc<Source>, Node)> {
    let source = Arc::new(Source::new(name.to_owned(), text));
    let root = yaml::parse(source.text()).map_err(|error| {
        let message = format!("{name}: {}", error.message);
        match error.bytes {
            Some(bytes) => Origin::File(SourceSpan::new(&source, bytes)).error(message),
            None => CommandError::new(message),
        }
    })?;
    Ok((source, root))
}

/// Checks what the text of a file says of all images, as builds take it.
pub(crate) fn check_image(text: String) -> Result<()> {
    let (_, file, _) = parse(Format::Yaml, Source::new("image".to_owned(), text))?;
    file.default_image.unwrap_or_default().settings("defaultImage").map(drop)
}

/// Parses a file that was read.
fn parse(format: Format, source: Source) -> Result<(Arc<Source>, File, Vec<UnknownKey>)> {
    let (name, parsed) = match format {
        Format::Yaml => ("yaml", yaml::parse(source.text())),
        Format::Toml => ("toml", toml::parse(source.text())),
    };
    let source = Arc::new(source);
    let root = parsed.map_err(|error| {
        let message =
            format!("error reading config file: While parsing config: {name}: {}", error.message);
        match error.bytes {
            Some(bytes) => Origin::File(SourceSpan::new(&source, bytes)).error(message),
            None => CommandError::new(message),
        }
    })?;
    let (file, unknown) = read::file(&source, &root)?;
    Ok((source, file, unknown))
}
