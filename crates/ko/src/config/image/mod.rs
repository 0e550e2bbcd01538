//! Reads what images say of themselves, `defaultImage` and `builds[].image` of a
//! configuration file: the keys of maps keep their case, and `null` removes what the
//! base has.

mod files;
mod healthcheck;

use engine::{
    CheckLibraries, Field, ImageFile, ImageMain, ImageSettings, Place, Platform, Prebuilt,
    PrebuiltFile, Text,
};

pub(crate) use self::files::FileEntry;
pub(crate) use self::healthcheck::Check;
use super::origin::{List, Located};
use super::read::Reader;
use super::tree::{Node, Value};
use crate::cli::boolean;
use crate::error::{CommandError, Result};
use crate::nearest::did_you_mean;

/// More keys than this are a mistake: registries refuse manifests that are so large.
const MOST_KEYS: usize = 1000;

/// A map whose keys keep their case; what has no value is removed.
pub(crate) type Map = Vec<(Located<String>, Option<Located<String>>)>;

/// What an image says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) entrypoint: Option<List>,
    pub(crate) args: Option<List>,
    pub(crate) cmd: Option<List>,
    pub(crate) env: Option<Map>,
    pub(crate) workdir: Option<Located<String>>,
    pub(crate) user: Option<Located<String>>,
    pub(crate) ports: Option<List>,
    pub(crate) volumes: Option<List>,
    pub(crate) healthcheck: Option<Check>,
    pub(crate) stop_signal: Option<Located<String>>,
    pub(crate) shell: Option<List>,
    pub(crate) labels: Option<Map>,
    pub(crate) annotations: Option<Map>,
    pub(crate) git_annotations: Option<List>,
    /// Other programs in the image, of one build alone.
    pub(crate) mains: Option<List>,
    /// Binaries by platform, of one build alone.
    pub(crate) prebuilt: Option<Map>,
    pub(crate) files: Option<Vec<FileEntry>>,
    pub(crate) skip_empty_kodata: Option<Located<bool>>,
    pub(crate) strip: Option<Located<bool>>,
    pub(crate) trimpath: Option<Located<bool>>,
    pub(crate) check_libs: Option<Located<String>>,
}

/// The annotations that git knows (OCI image-spec, "Annotations"): how each is
/// called here and there, and the template that finds it out.
const GIT: [(&str, &str, &str); 4] = [
    ("source", "org.opencontainers.image.source", "{{.Git.URL}}"),
    ("revision", "org.opencontainers.image.revision", "{{.Git.FullCommit}}"),
    (
        "version",
        "org.opencontainers.image.version",
        "{{if ne .Git.Tag \"v0.0.0\"}}{{.Git.Tag}}{{end}}",
    ),
    ("created", "org.opencontainers.image.created", "{{.Git.CommitDate}}"),
];

impl Image {
    /// The keys.
    pub(crate) const KEYS: [&str; 21] = [
        "entrypoint",
        "args",
        "cmd",
        "env",
        "workdir",
        "user",
        "ports",
        "volumes",
        "healthcheck",
        "stopSignal",
        "shell",
        "labels",
        "annotations",
        "gitAnnotations",
        "mains",
        "prebuilt",
        "files",
        "skipEmptyKodata",
        "strip",
        "trimpath",
        "checkLibs",
    ];

    /// The settings with those of all where nothing is said: maps are merged, all else
    /// is in the place of it.
    pub(crate) fn over(&self, all: &Self) -> Self {
        let or = |own: &Option<List>, all: &Option<List>| own.clone().or_else(|| all.clone());
        let text = |own: &Option<Located<String>>, all: &Option<Located<String>>| {
            own.clone().or_else(|| all.clone())
        };
        let switch = |own: &Option<Located<bool>>, all: &Option<Located<bool>>| {
            own.clone().or_else(|| all.clone())
        };
        Self {
            entrypoint: or(&self.entrypoint, &all.entrypoint),
            args: or(&self.args, &all.args),
            cmd: or(&self.cmd, &all.cmd),
            env: merged(self.env.as_ref(), all.env.as_ref()),
            workdir: text(&self.workdir, &all.workdir),
            user: text(&self.user, &all.user),
            ports: or(&self.ports, &all.ports),
            volumes: or(&self.volumes, &all.volumes),
            healthcheck: self.healthcheck.clone().or_else(|| all.healthcheck.clone()),
            stop_signal: text(&self.stop_signal, &all.stop_signal),
            shell: or(&self.shell, &all.shell),
            labels: merged(self.labels.as_ref(), all.labels.as_ref()),
            annotations: merged(self.annotations.as_ref(), all.annotations.as_ref()),
            git_annotations: or(&self.git_annotations, &all.git_annotations),
            mains: self.mains.clone(),
            prebuilt: self.prebuilt.clone(),
            files: self.files.clone().or_else(|| all.files.clone()),
            skip_empty_kodata: switch(&self.skip_empty_kodata, &all.skip_empty_kodata),
            strip: switch(&self.strip, &all.strip),
            trimpath: switch(&self.trimpath, &all.trimpath),
            check_libs: text(&self.check_libs, &all.check_libs),
        }
    }

    /// What the engine makes of it; `path` is what it is called.
    pub(crate) fn settings(&self, path: &str) -> Result<ImageSettings> {
        let texts = Texts { path };
        let annotations = texts.map("annotations", self.annotations.as_ref())?;
        let own = |key: &str| annotations.iter().any(|(own, _)| own == key);
        let mut found = Vec::new();
        for name in self.git_annotations.iter().flat_map(|list| &list.items) {
            let Some((_, key, template)) = GIT.iter().find(|(known, ..)| *known == name.value)
            else {
                let known = GIT.map(|(known, ..)| known);
                let message = format!(
                    "'{path}.gitAnnotations': git knows {}, not {:?}",
                    known.join(", "),
                    name.value
                );
                return Err(name.origin.error(message).also(did_you_mean(&name.value, known)));
            };
            if !own(key) {
                let text = Located::new((*template).to_owned(), name.origin.clone());
                found.push((
                    (*key).to_owned(),
                    Some(texts.text("gitAnnotations", Field::Found, &text)?),
                ));
            }
        }
        Ok(ImageSettings {
            entrypoint: texts.list("entrypoint", Field::Word, self.entrypoint.as_ref())?,
            args: texts.list("args", Field::Word, self.args.as_ref())?,
            cmd: texts.list("cmd", Field::Word, self.cmd.as_ref())?,
            env: texts.map("env", self.env.as_ref())?,
            workdir: texts.one("workdir", Field::Path, self.workdir.as_ref())?,
            user: texts.one("user", Field::User, self.user.as_ref())?,
            ports: texts.list("ports", Field::Port, self.ports.as_ref())?,
            volumes: texts.list("volumes", Field::Path, self.volumes.as_ref())?,
            healthcheck: self
                .healthcheck
                .as_ref()
                .map(|check| check.settings(&texts))
                .transpose()?,
            stop_signal: texts.one("stopSignal", Field::Signal, self.stop_signal.as_ref())?,
            shell: texts.list("shell", Field::Word, self.shell.as_ref())?,
            labels: texts.map("labels", self.labels.as_ref())?,
            annotations: annotations.into_iter().chain(found).collect(),
        })
    }

    /// The files beside the program.
    pub(crate) fn files(&self, path: &str) -> Result<Vec<ImageFile>> {
        let entries = self.files.iter().flatten().enumerate();
        entries.map(|(index, entry)| entry.rule(&format!("{path}.files[{index}]"))).collect()
    }

    /// The other programs in the image.
    pub(crate) fn mains(&self, path: &str) -> Result<Vec<ImageMain>> {
        let mut mains: Vec<ImageMain> = Vec::new();
        for (index, Located { value, origin }) in
            self.mains.iter().flat_map(|list| &list.items).enumerate()
        {
            let key = format!("{path}.mains[{index}]");
            engine::ImportPath::parse(value)
                .map_err(|error| origin.error(format!("'{key}': {error}")))?;
            if mains.iter().any(|main| main.package == *value) {
                return Err(origin.error(format!("'{key}': {value} is there already")));
            }
            mains.push(ImageMain { package: value.clone(), place: format!("{origin}: '{key}'") });
        }
        Ok(mains)
    }

    /// Whether the image is without a layer of kodata where there is none.
    pub(crate) fn skips_empty_kodata(&self) -> bool {
        self.skip_empty_kodata.as_ref().is_some_and(|it| it.value)
    }

    /// Whether programs are without symbols.
    pub(crate) fn strips(&self) -> bool {
        self.strip.as_ref().is_some_and(|it| it.value)
    }

    /// Whether programs are built without `-trimpath`.
    pub(crate) fn is_untrimmed(&self) -> bool {
        self.trimpath.as_ref().is_some_and(|it| !it.value)
    }

    /// What becomes of programs whose libraries the base has not.
    pub(crate) fn checks_libraries(&self, path: &str) -> Result<CheckLibraries> {
        let Some(Located { value, origin }) = &self.check_libs else {
            return Ok(CheckLibraries::default());
        };
        CheckLibraries::parse(value).ok_or_else(|| {
            let message = format!("'{path}.checkLibs' must be warn, error or off, not {value:?}");
            origin.error(message).also(did_you_mean(value, ["warn", "error", "off"]))
        })
    }

    /// The switches, by their keys.
    pub(crate) fn switches(&self) -> [(&'static str, Option<&Located<bool>>); 3] {
        [
            ("skipEmptyKodata", self.skip_empty_kodata.as_ref()),
            ("strip", self.strip.as_ref()),
            ("trimpath", self.trimpath.as_ref()),
        ]
    }

    /// The binaries of the build.
    pub(crate) fn prebuilt(&self, path: &str) -> Result<Option<Prebuilt>> {
        let Some(map) = &self.prebuilt else { return Ok(None) };
        let mut prebuilt = Prebuilt::default();
        for (platform, file) in map {
            let place = |origin| format!("{origin}: '{path}.prebuilt'");
            let added = match file {
                Some(file) => {
                    let place = place(&file.origin);
                    add_prebuilt(&mut prebuilt, &platform.value, &file.value, &place)
                }
                None => Err("the path is empty".to_owned()),
            };
            added.map_err(|error| {
                platform.origin.error(format!("'{path}.prebuilt.{}': {error}", platform.value))
            })?;
        }
        Ok(Some(prebuilt))
    }

    /// Whether something is said.
    pub(crate) fn is_set(&self) -> bool {
        self.lists().iter().any(|(_, list)| list.is_some())
            || self.scalars().iter().any(|(_, text)| text.is_some())
            || self.maps().iter().any(|(_, map)| map.is_some())
            || self.healthcheck.is_some()
            || self.files.is_some()
            || self.switches().iter().any(|(_, switch)| switch.is_some())
    }

    /// The lists, by their keys.
    pub(crate) fn lists(&self) -> [(&'static str, Option<&List>); 8] {
        [
            ("entrypoint", self.entrypoint.as_ref()),
            ("args", self.args.as_ref()),
            ("cmd", self.cmd.as_ref()),
            ("ports", self.ports.as_ref()),
            ("volumes", self.volumes.as_ref()),
            ("shell", self.shell.as_ref()),
            ("gitAnnotations", self.git_annotations.as_ref()),
            ("mains", self.mains.as_ref()),
        ]
    }

    /// The texts, by their keys.
    pub(crate) fn scalars(&self) -> [(&'static str, Option<&Located<String>>); 4] {
        [
            ("workdir", self.workdir.as_ref()),
            ("user", self.user.as_ref()),
            ("stopSignal", self.stop_signal.as_ref()),
            ("checkLibs", self.check_libs.as_ref()),
        ]
    }

    /// The maps, by their keys.
    pub(crate) fn maps(&self) -> [(&'static str, Option<&Map>); 4] {
        [
            ("prebuilt", self.prebuilt.as_ref()),
            ("env", self.env.as_ref()),
            ("labels", self.labels.as_ref()),
            ("annotations", self.annotations.as_ref()),
        ]
    }
}

/// Adds a binary for a platform, and where that is said.
pub(crate) fn add_prebuilt(
    prebuilt: &mut Prebuilt,
    platform: &str,
    path: &str,
    place: &str,
) -> std::result::Result<(), String> {
    let parsed: Platform =
        platform.parse().map_err(|error| format!("{platform:?} is not a platform: {error}"))?;
    if parsed.os.is_empty() || parsed.architecture.is_empty() {
        return Err(format!("{platform:?} is not a platform: write os/arch, as in linux/arm64"));
    }
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if prebuilt.files.iter().any(|file| file.platform == parsed) {
        return Err(format!("there are two binaries for {platform}"));
    }
    prebuilt.files.push(PrebuiltFile {
        platform: parsed,
        path: path.into(),
        place: place.to_owned(),
    });
    Ok(())
}

/// Parses the values below a key.
struct Texts<'a> {
    path: &'a str,
}

impl Texts<'_> {
    fn text(&self, key: &str, field: Field, text: &Located<String>) -> Result<Text> {
        let key = format!("{}.{key}", self.path);
        let place = Place { key: key.clone(), at: text.origin.to_string() };
        Text::parse(field, &text.value, place)
            .map_err(|error| text.origin.error(format!("'{key}': {error}")))
    }

    fn one(&self, key: &str, field: Field, text: Option<&Located<String>>) -> Result<Option<Text>> {
        text.map(|text| self.text(key, field, text)).transpose()
    }

    fn list(&self, key: &str, field: Field, list: Option<&List>) -> Result<Option<Vec<Text>>> {
        let Some(list) = list else { return Ok(None) };
        list.items.iter().map(|text| self.text(key, field, text)).collect::<Result<_>>().map(Some)
    }

    fn map(&self, key: &str, map: Option<&Map>) -> Result<Vec<(String, Option<Text>)>> {
        let entry = |(name, value): &(Located<String>, Option<Located<String>>)| {
            let key = format!("{key}.{}", name.value);
            Ok((name.value.clone(), self.one(&key, Field::Value, value.as_ref())?))
        };
        map.into_iter().flatten().map(entry).collect()
    }
}

fn merged(own: Option<&Map>, all: Option<&Map>) -> Option<Map> {
    let (Some(own), Some(all)) = (own, all) else { return own.or(all).cloned() };
    let mut merged = all.clone();
    for (key, value) in own {
        let entry = (key.clone(), value.clone());
        match merged.iter_mut().find(|(known, _)| known.value == key.value) {
            Some(known) => *known = entry,
            None => merged.push(entry),
        }
    }
    Some(merged)
}

/// Reads the settings of an image; `path` is what they are called.
pub(super) fn read(reader: &mut Reader<'_>, path: &str, node: &Node) -> Result<Image> {
    let Value::Map(entries) = &*node.value else {
        return Err(expected(reader, path, "a map of settings", node));
    };
    let fields = reader.fields(entries, &Image::KEYS)?;
    let get = |key: &str| fields.get(key).map(|node| (*node, format!("{path}.{key}")));
    // The words of a command are not for us to cut.
    let command = |key| {
        let Some((node, path)) = get(key) else { return Ok(None) };
        match &*node.value {
            Value::List(_) | Value::Map(_) => reader.list(&path, node).map(Some),
            scalar => {
                let text = scalar.scalar().unwrap_or_default();
                if text.contains(char::is_whitespace) && !text.contains("{{") {
                    let hint = format!(
                        "{key}: [{}]",
                        text.split_whitespace().collect::<Vec<_>>().join(", ")
                    );
                    return Err(reader
                        .origin(node)
                        .error(format!("'{path}': a command of several words is a list"))
                        .hint(Some(hint)));
                }
                Ok(Some(List::of([text], reader.origin(node))))
            }
        }
    };
    let list = |key| get(key).map(|(node, path)| reader.list(&path, node)).transpose();
    let text = |key| get(key).map(|(node, path)| one(reader, &path, node)).transpose();
    let map = |key| get(key).map(|(node, path)| self::map(reader, &path, node)).transpose();
    let switch = |key| get(key).map(|(node, path)| self::switch(reader, &path, node)).transpose();
    let (env, labels, annotations) = (map("env")?, map("labels")?, map("annotations")?);
    let of_one = ["mains", "prebuilt"].into_iter().find_map(get);
    if let Some((node, path)) = of_one.filter(|_| path == "defaultImage") {
        let message = format!("'{path}' is of one program: it belongs below a build's image");
        return Err(reader.origin(node).error(message));
    }
    for (name, _) in env.iter().flatten() {
        if name.value.contains('=') {
            let message = format!("'{path}.env': {:?} is not a variable name", name.value);
            return Err(name.origin.error(message));
        }
    }
    let image = Image {
        entrypoint: command("entrypoint")?,
        args: command("args")?,
        cmd: command("cmd")?,
        env,
        workdir: text("workdir")?,
        user: text("user")?,
        ports: list("ports")?,
        volumes: list("volumes")?,
        healthcheck: None,
        stop_signal: text("stopSignal")?,
        shell: command("shell")?,
        labels,
        annotations,
        git_annotations: list("gitAnnotations")?,
        mains: list("mains")?,
        prebuilt: map("prebuilt")?,
        files: None,
        skip_empty_kodata: switch("skipEmptyKodata")?,
        strip: switch("strip")?,
        trimpath: switch("trimpath")?,
        check_libs: text("checkLibs")?,
    };
    let files = get("files").map(|(node, path)| files::read(reader, &path, node)).transpose()?;
    let check = get("healthcheck").map(|(node, path)| healthcheck::read(reader, &path, node));
    Ok(Image { healthcheck: check.transpose()?, files, ..image })
}

fn switch(reader: &Reader<'_>, path: &str, node: &Node) -> Result<Located<bool>> {
    let Located { value, origin } = one(reader, path, node)?;
    match boolean(&value) {
        Ok(value) => Ok(Located::new(value, origin)),
        Err(_) => Err(origin.error(format!("'{path}' must be true or false, not {value:?}"))),
    }
}

fn one(reader: &Reader<'_>, path: &str, node: &Node) -> Result<Located<String>> {
    reader.text(node, |kind| format!("'{path}' expected a string, got {kind}"))
}

fn map(reader: &Reader<'_>, path: &str, node: &Node) -> Result<Map> {
    let Value::Map(entries) = &*node.value else {
        return Err(expected(reader, path, "a map from names to texts", node));
    };
    if entries.len() > MOST_KEYS {
        let message =
            format!("'{path}' has {} keys: an image has at most {MOST_KEYS}", entries.len());
        return Err(reader.origin(node).error(message));
    }
    let mut map = Map::with_capacity(entries.len());
    for (key, value) in entries {
        let name = reader.name(key)?;
        if name.is_empty() || name.contains('\0') {
            return Err(reader.origin(key).error(format!("'{path}': {name:?} is not a name")));
        }
        let value = match &*value.value {
            Value::Null => None,
            _ => Some(one(reader, &format!("{path}.{name}"), value)?),
        };
        map.push((Located::new(name.to_owned(), reader.origin(key)), value));
    }
    Ok(map)
}

fn expected(reader: &Reader<'_>, path: &str, what: &str, node: &Node) -> CommandError {
    let kind = node.value.kind();
    reader.origin(node).error(format!("'{path}' expected {what}, got {kind}"))
}
