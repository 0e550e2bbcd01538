//! Reads `.goreleaser.yaml`: `kos`, which builds images, or else `builds`, which says how
//! programs are compiled. Other sections make no images of ko's kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dockers::{self, Named};
use super::draft::{Draft, Settings};
use super::ldflags::{flags, ldflags};
use super::node::{Places, entries, get, is_true, items, text, texts, words};
use super::place::dotted;
use super::template::{Dialect, translate};
use crate::config::{Node, Source};

/// The linker flags of a build that gives none; not that goreleaser has built it.
const LDFLAGS: &str =
    "-s -w -X main.version={{.Version}} -X main.commit={{.Commit}} -X main.date={{.Date}}";

/// Sections about images that others build.
const OTHERS: [(&str, &str); 5] = [
    ("dockers", "ko builds images without a Dockerfile"),
    ("dockers_v2", "ko builds images without a Dockerfile"),
    ("docker_manifests", "ko makes an index by itself where there are several platforms"),
    ("docker_signs", "sign what `ko build` prints: `cosign sign $(ko build …)`"),
    ("before", "ko runs nothing before a build"),
];

/// Takes over what it says, and returns the Dockerfiles that it names.
pub(super) fn read(draft: &mut Draft, source: &Arc<Source>, root: &Node) -> Vec<Named> {
    let project = text(root, "project_name");
    let dialect = Dialect::Goreleaser { project: project.as_deref() };
    let id = project.clone().unwrap_or_default();
    let programs = BTreeMap::new();
    let mut reader = Reader { draft, places: Places(source), dialect, root, id, programs };
    for (key, _) in entries(root) {
        let other = OTHERS.iter().find(|(other, _)| key.text() == Some(other));
        if let Some((key_name, reason)) = other {
            let place = reader.places.of(key);
            reader.draft.note(place, *key_name, *reason);
        }
    }
    let kos = get(root, "kos").map(items).unwrap_or_default();
    for (index, ko) in kos.iter().enumerate() {
        reader.ko(&format!("kos[{index}]"), ko);
    }
    if !kos.is_empty() {
        return Vec::new();
    }
    let builds = get(root, "builds").map(items).unwrap_or_default();
    for (index, build) in builds.iter().enumerate() {
        reader.build(&format!("builds[{index}]"), build);
    }
    let Reader { draft, places, programs, .. } = reader;
    dockers::read(draft, places, root, &programs)
}

struct Reader<'a> {
    draft: &'a mut Draft,
    places: Places<'a>,
    dialect: Dialect<'a>,
    root: &'a Node,
    /// What builds and images without an id are called.
    id: String,
    /// The programs of builds, by their ids.
    programs: BTreeMap<String, usize>,
}

impl<'a> Reader<'a> {
    /// An image.
    fn ko(&mut self, what: &str, ko: &Node) {
        let place = self.places.of(ko);
        let id = text(ko, "id").unwrap_or_else(|| self.id.clone());
        let wanted = text(ko, "build").unwrap_or(id);
        let Some(build) = self.find_build(&wanted) else {
            let reason = format!("there is no build with the id {wanted:?}");
            self.draft.note(place, what, reason);
            return;
        };
        let or = |key: &str, of: &str| {
            let own = text(ko, key).or_else(|| build.and_then(|build| text(build, of)));
            own.unwrap_or_else(|| ".".to_owned())
        };
        let (main, dir) = (or("main", "main"), or("working_dir", "dir"));
        let Some(at) = self.program(&place, what, &dir, &main) else { return };
        let list = |read: fn(&Node, &str) -> Vec<String>, key: &str| {
            let nodes = [Some(ko), build].into_iter().flatten();
            nodes.map(|node| read(node, key)).find(|list| !list.is_empty()).unwrap_or_default()
        };
        let lists = [list(words, "flags"), list(texts, "ldflags"), list(texts, "env")];
        let mut settings = self.compiled(what, &place, lists);
        self.said_elsewhere(what, ko, &mut settings);
        self.draft.take(at, settings);
        match get(ko, "base_image") {
            Some(base) => {
                let from = self.places.of(base);
                let value = base.value.scalar().unwrap_or_default();
                self.draft.base(at, &format!("{what}.base_image"), value, from);
            }
            None => self.draft.default_base(at),
        }
        if let Some(platforms) = get(ko, "platforms") {
            let from = self.places.of(platforms);
            let what = format!("{what}.platforms");
            self.draft.platforms(at, &what, texts(ko, "platforms"), from);
        }
    }

    /// What the command line says: `.ko.yaml` of ko 0.19.1 has no key for it.
    fn said_elsewhere(&mut self, what: &str, ko: &Node, settings: &mut Settings) {
        let mut say = |reader: &mut Self, key: &str, word: String| {
            let Some(node) = get(ko, key) else { return };
            let place = reader.places.of(node);
            let reason = format!("goes on the command line: {word}");
            reader.draft.note(place, format!("{what}.{key}"), reason);
            // What is a template there would be a text here, but for tags.
            if word.contains("{{") && key != "tags" {
                return;
            }
            if word.starts_with('-') {
                settings.words.push(word);
            } else {
                settings.variables.push(word);
            }
        };
        for key in ["repositories", "repository"] {
            let all = texts(ko, key);
            if let Some(first) = all.first() {
                say(self, key, format!("KO_DOCKER_REPO={first}"));
            }
            if all.len() > 1 {
                let node = get(ko, key).map(|node| self.places.of(node)).unwrap_or_default();
                let reason = "ko pushes to one; copy images to the others, as with `crane copy`";
                self.draft.note(node, format!("{what}.{key}[1]"), reason);
            }
        }
        // The name is in the order in which ko looks at these.
        for (key, flag) in [
            ("preserve_import_paths", "--preserve-import-paths"),
            ("base_import_paths", "--base-import-paths"),
            ("bare", "--bare"),
        ] {
            if is_true(ko, key) {
                say(self, key, flag.to_owned());
            }
        }
        let mut tags = Vec::new();
        for tag in texts(ko, "tags") {
            match translate(&tag, self.dialect) {
                Ok(tag) => tags.push(tag),
                Err(reason) => {
                    let place = get(ko, "tags").map(|node| self.places.of(node));
                    let what = format!("{what}.tags: {tag}");
                    self.draft.note(place.unwrap_or_default(), what, reason);
                }
            }
        }
        if !tags.is_empty() {
            say(self, "tags", format!("--tags={}", tags.join(",")));
        }
        for (key, flag) in [("labels", "--image-label"), ("annotations", "--image-annotation")] {
            let pairs = get(ko, key).map(entries).unwrap_or_default();
            let pairs = pairs.iter().filter_map(|(name, value)| {
                Some(format!("{}={}", name.text()?, value.value.scalar()?))
            });
            let pairs: Vec<String> = pairs.filter(|pair| !pair.contains("{{")).collect();
            if get(ko, key).is_some() {
                let literal =
                    if pairs.is_empty() { "KEY=VALUE".to_owned() } else { pairs.join(",") };
                say(self, key, format!("{flag}={literal}"));
            }
        }
        if let Some(user) = text(ko, "user") {
            say(self, "user", format!("--image-user={user}"));
        }
        match text(ko, "sbom").as_deref() {
            None | Some("spdx") => {}
            Some(sbom @ ("none" | "cyclonedx")) => say(self, "sbom", format!("--sbom={sbom}")),
            Some(other) => {
                let place = get(ko, "sbom").map(|node| self.places.of(node)).unwrap_or_default();
                let reason = format!("{other}: there are spdx, cyclonedx and none");
                self.draft.note(place, format!("{what}.sbom"), reason);
            }
        }
        if let Some(dir) = text(ko, "sbom_directory") {
            say(self, "sbom_directory", format!("--sbom-dir={dir}"));
        }
        for (key, variable) in [
            ("creation_time", "SOURCE_DATE_EPOCH"),
            ("ko_data_creation_time", "KO_DATA_DATE_EPOCH"),
        ] {
            let time = text(ko, key).map(|time| match time.replace(' ', "").as_str() {
                "{{.CommitTimestamp}}" => "$(git log -1 --format=%ct)".to_owned(),
                _ => time,
            });
            if let Some(time) = time {
                say(self, key, format!("{variable}={time}"));
            }
        }
        for (key, reason) in [
            ("disable", "build those images that you want"),
            (
                "local_domain",
                "images of an engine are below ko.local, or what KO_DOCKER_REPO=docker://… says",
            ),
        ] {
            if let Some(node) = get(ko, key) {
                let place = self.places.of(node);
                self.draft.note(place, format!("{what}.{key}"), reason);
            }
        }
    }

    /// A program that becomes an image only with ko.
    fn build(&mut self, what: &str, build: &Node) {
        let place = self.places.of(build);
        if let Some(builder) = text(build, "builder").filter(|builder| builder != "go") {
            let reason = format!("{builder} is not go");
            self.draft.note(place, what, reason);
            return;
        }
        let systems = texts(build, "goos");
        if is_true(build, "skip") || !systems.is_empty() && !systems.contains(&"linux".to_owned()) {
            self.draft.note(place, what, "it is not built for linux");
            return;
        }
        let or = |key: &str| text(build, key).unwrap_or_else(|| ".".to_owned());
        let Some(at) = self.program(&place, what, &or("dir"), &or("main")) else { return };
        let list = |key: &str| texts(build, key);
        let mut more = words(build, "flags");
        let tags = words(build, "tags").join(",");
        more.extend(Some(format!("-tags={tags}")).filter(|_| !tags.is_empty()));
        for key in ["asmflags", "gcflags"] {
            more.extend(list(key).into_iter().map(|flags| format!("-{key}={flags}")));
        }
        more.extend(text(build, "buildmode").map(|mode| format!("-buildmode={mode}")));
        let settings = self.compiled(what, &place, [more, list("ldflags"), list("env")]);
        self.draft.take(at, settings);
        let id = text(build, "id").unwrap_or_else(|| self.id.clone());
        self.programs.insert(id, at);
        let is_image = ["dockers", "dockers_v2"].iter().any(|key| get(self.root, key).is_some());
        for key in ["goarch", "targets"] {
            if let Some(node) = get(build, key).filter(|_| !is_image) {
                let place = self.places.of(node);
                let reason = "it does not say which of them images are for: \
                              `defaultPlatforms: [linux/amd64, linux/arm64]`";
                self.draft.note(place, format!("{what}.{key}"), reason);
            }
        }
        for (key, reason) in [
            ("hooks", "ko runs nothing before or after a build"),
            (
                "overrides",
                "a build is the same for all platforms, but for {{.Env.GOARCH}} in templates",
            ),
            ("gobinary", "KO_GO_PATH names the go program"),
            ("tool", "KO_GO_PATH names the go program"),
            (
                "mod_timestamp",
                "files in images have no time; SOURCE_DATE_EPOCH is that of the image",
            ),
        ] {
            if let Some(node) = get(build, key) {
                let place = self.places.of(node);
                self.draft.note(place, format!("{what}.{key}"), reason);
            }
        }
        if let Some(binary) = get(build, "binary").and_then(|node| node.value.scalar())
            && !binary.contains("{{")
        {
            let name = self.draft.builds[at].file_name().to_owned();
            if name != binary {
                let reason = format!("the file is called after the package: /ko-app/{name}");
                self.draft.note(place, format!("{what}.binary"), reason);
            }
        }
    }

    /// The build with an id; the one that goreleaser makes up where there are none is
    /// nowhere.
    fn find_build(&self, id: &str) -> Option<Option<&'a Node>> {
        let root = self.root;
        let builds = get(root, "builds").map(items).unwrap_or_default();
        if builds.is_empty() {
            return Some(None);
        }
        // Without `project_name`, goreleaser makes one up of the repository's.
        if let ("", [only]) = (id, builds) {
            return Some(Some(only));
        }
        let is_it = |build: &&Node| text(build, "id").unwrap_or_else(|| self.id.clone()) == id;
        builds.iter().find(is_it).map(Some)
    }

    fn program(&mut self, place: &str, what: &str, dir: &str, main: &str) -> Option<usize> {
        match self.draft.program(dir, main) {
            Ok(at) => Some(at),
            Err(reason) => {
                let named = if dir == "." { main.to_owned() } else { format!("{main} in {dir}") };
                self.draft.note(place, what, format!("{named}: {reason}"));
                None
            }
        }
    }

    /// How a program is compiled.
    fn compiled(&mut self, what: &str, place: &str, lists: [Vec<String>; 3]) -> Settings {
        let [given, linked, environment] = lists;
        let linked = if linked.is_empty() { vec![LDFLAGS.to_owned()] } else { linked };
        if linked.iter().chain(&given).any(|text| text.replace(' ', "").contains("{{.Date}}")) {
            let reason = "it differs in each build; {{.Git.CommitDate}} is the date of the commit";
            self.draft.advise(place, format!("{what}: {{{{.Date}}}}"), reason);
        }
        let (flags, left) = flags(&given, self.dialect);
        let (ldflags, left_linked) = ldflags(&linked, self.dialect);
        for (key, left) in [("flags", left), ("ldflags", left_linked)] {
            for (flag, reason) in left {
                self.draft.note(place, format!("{what}.{key}: {flag}"), reason);
            }
        }
        let mut env = Vec::new();
        for variable in texts(self.root, "env").into_iter().chain(environment) {
            if !variable.contains("{{") {
                env.push(variable);
            } else if !is_itself(&variable, self.dialect) {
                let reason = "env of .ko.yaml has no templates";
                self.draft.note(place, format!("{what}.env: {variable}"), reason);
            }
        }
        let (what, place) = (what.to_owned(), place.to_owned());
        Settings { flags, ldflags, env, what, place, ..Settings::default() }
    }
}

/// `A={{ .Env.A }}`: what is in the environment is inherited.
fn is_itself(variable: &str, dialect: Dialect<'_>) -> bool {
    variable.split_once('=').is_some_and(|(name, value)| {
        translate(value, dialect).is_ok_and(|value| value == format!("{{{{ .Env.{name} }}}}"))
    })
}

impl super::draft::Build {
    /// What its file is called in images.
    pub(super) fn file_name(&self) -> &str {
        let whole = self.import_path.as_deref().unwrap_or(&self.place);
        whole.rsplit('/').next().unwrap_or(whole)
    }

    /// As go takes it, from the directory of its module.
    pub(super) fn main(&self) -> String {
        dotted(super::place::below(&self.place, &self.dir).unwrap_or(&self.place))
    }
}
