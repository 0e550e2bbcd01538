//! Reads `skaffold.yaml`: the artifacts that its ko builder makes.

use std::sync::Arc;

use super::draft::{Draft, Settings};
use super::ldflags::{flags, ldflags};
use super::node::{Places, entries, get, items, text, texts};
use super::place::join;
use super::template::{Dialect, translate};
use crate::config::{Node, Source};

/// Takes over what it says. Of several configurations in the file, the first counts.
pub(super) fn read(draft: &mut Draft, source: &Arc<Source>, root: &Node, has_more: bool) {
    let places = Places(source);
    if has_more {
        let reason = "only the first configuration of the file is read";
        draft.note(source.name(), "---", reason);
    }
    let Some(build) = get(root, "build") else { return };
    for (key, reason) in [
        ("tagPolicy", "tags go on the command line: --tags"),
        ("insecureRegistries", "goes on the command line: --insecure-registry"),
    ] {
        if let Some(node) = get(build, key) {
            draft.note(places.of(node), format!("build.{key}"), reason);
        }
    }
    if let Some(node) = get(root, "profiles") {
        draft.note(places.of(node), "profiles", "what they change is not read");
    }
    let artifacts = get(build, "artifacts").map(items).unwrap_or_default();
    for (index, artifact) in artifacts.iter().enumerate() {
        let what = format!("build.artifacts[{index}]");
        match get(artifact, "ko") {
            Some(ko) => Reader { draft, places, what }.artifact(build, artifact, ko),
            None => {
                let mut others = entries(artifact).iter().filter_map(|(key, _)| key.text());
                let builder = others.find(|key| BUILDERS.contains(key)).unwrap_or("docker");
                let image = text(artifact, "image").unwrap_or_default();
                draft.note(places.of(artifact), what, format!("{image} is built by {builder}"));
            }
        }
    }
}

/// The other builders.
const BUILDERS: [&str; 6] = ["bazel", "buildpacks", "custom", "docker", "jib", "kaniko"];

struct Reader<'a> {
    draft: &'a mut Draft,
    places: Places<'a>,
    what: String,
}

impl Reader<'_> {
    fn artifact(&mut self, build: &Node, artifact: &Node, ko: &Node) {
        let (what, place) = (self.what.clone(), self.places.of(artifact));
        let or = |node: &Node, key: &str| text(node, key).unwrap_or_else(|| ".".to_owned());
        let dir = join(&or(artifact, "context"), &or(ko, "dir"));
        let at = match self.draft.program(&dir, &or(ko, "main")) {
            Ok(at) => at,
            Err(reason) => return self.draft.note(place, what, reason),
        };
        let mut settings =
            Settings { what: what.clone(), place: place.clone(), ..Settings::default() };
        let (taken, left) = flags(&texts(ko, "flags"), Dialect::Skaffold);
        let (linked, left_linked) = ldflags(&texts(ko, "ldflags"), Dialect::Skaffold);
        (settings.flags, settings.ldflags) = (taken, linked);
        for (key, left) in [("flags", left), ("ldflags", left_linked)] {
            for (flag, reason) in left {
                self.draft.note(&place, format!("{what}.ko.{key}: {flag}"), reason);
            }
        }
        for variable in texts(ko, "env") {
            if !variable.contains("{{") {
                settings.env.push(variable);
            } else if !is_itself(&variable) {
                let reason = "env of .ko.yaml has no templates";
                self.draft.note(&place, format!("{what}.ko.env: {variable}"), reason);
            }
        }
        self.labels(ko, &mut settings);
        if let Some(node) = get(ko, "dependencies") {
            let place = self.places.of(node);
            let reason = "ko finds out by itself which files a program is made of";
            self.draft.note(place, format!("{what}.ko.dependencies"), reason);
        }
        if let Some(image) = text(artifact, "image") {
            let import_path = self.draft.builds[at].import_path.clone();
            let reference = format!("ko://{}", import_path.as_deref().unwrap_or("IMPORTPATH"));
            if image != reference {
                let reason = format!("manifests for ko call the image {reference}");
                self.draft.note(&place, format!("{what}.image: {image}"), reason);
            }
        }
        self.draft.take(at, settings);
        match get(ko, "fromImage") {
            Some(base) => {
                let from = self.places.of(base);
                let value = base.value.scalar().unwrap_or_default();
                self.draft.base(at, &format!("{what}.ko.fromImage"), value, from);
            }
            None => self.draft.default_base(at),
        }
        // Where it stands has changed from one version of skaffold to the next.
        let of = [ko, artifact, build].into_iter().find(|node| get(node, "platforms").is_some());
        if let Some(node) = of.and_then(|node| get(node, "platforms")) {
            let from = self.places.of(node);
            let wanted = items(node).iter().filter_map(|item| item.value.scalar()).collect();
            self.draft.platforms(at, &format!("{what}: platforms"), wanted, from);
        }
    }

    /// Labels go on the command line.
    fn labels(&mut self, ko: &Node, settings: &mut Settings) {
        let Some(node) = get(ko, "labels") else { return };
        for (name, value) in entries(node) {
            let (Some(name), Some(value)) = (name.text(), value.value.scalar()) else { continue };
            let word = format!("--image-label={name}={value}");
            let place = self.places.of(node);
            let reason = if value.contains("{{") {
                "give the label itself: --image-label".to_owned()
            } else {
                format!("goes on the command line: {word}")
            };
            self.draft.note(place, format!("{}.ko.labels.{name}", self.what), reason);
            if !value.contains("{{") {
                settings.words.push(word);
            }
        }
    }
}

/// `A={{.A}}`: what is in the environment is inherited.
fn is_itself(variable: &str) -> bool {
    variable.split_once('=').is_some_and(|(name, value)| {
        translate(value, Dialect::Skaffold)
            .is_ok_and(|value| value == format!("{{{{ .Env.{name} }}}}"))
    })
}
