//! What can be seen of a run, as fields with values: two runs are alike if
//! all their fields are. Names stand for the digests of manifests, and
//! diff_ids for those of the layers that were added: compressed bytes are
//! each tool's own. Everything else is exact.

use crate::image::Images;
use crate::json;
use crate::label::Labels;
use crate::run::{Run, Scene};
use crate::sbom::attachment::{self, Attachment};
use crate::sbom::rule::Tool;
use crate::sbom::{self, Document};
use crate::source::{self, Layout, Repository};
use crate::stream;
use crate::tar_diff::Entry;
use crate::tarball;
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::sha256;

/// The lines of progress that are compared; others are a tool's own.
const PROGRESS: [&str; 13] = [
    "Using base ",
    "Using build config ",
    "Building ",
    "Publishing ",
    "Tagging ",
    "Published ",
    "Loading ",
    "Loaded ",
    "Adding tag ",
    "Added tag ",
    "Saving ",
    "Saved ",
    "Writing SBOM to ",
];

/// What files of which the data counts end with.
const STREAM: &str = ".stdin.yaml";

/// A run, seen.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    /// Values by field.
    pub(crate) fields: BTreeMap<String, String>,
    /// The entries of the layers that were added, by the field that has their
    /// diff_id.
    pub(crate) tars: BTreeMap<String, Vec<Entry>>,
    /// The compressed sizes of added layers by their fields, in bytes.
    pub(crate) sizes: BTreeMap<String, usize>,
    /// SBOMs, by the field that they are in.
    pub(crate) sboms: BTreeMap<String, Document>,
    /// stdout, line by line as it was printed, with names for digests.
    pub(crate) lines: Vec<String>,
}

impl Observation {
    /// Returns all fields, those of SBOMs included: of a document that is
    /// there on both sides in different formats only the format, for nothing
    /// else can be compared.
    pub(crate) fn fields_beside(&self, other: &Observation) -> BTreeMap<String, String> {
        let mut fields = self.fields.clone();
        for (name, document) in &self.sboms {
            fields.insert(format!("{name} format"), document.format.clone());
            let same = other.sboms.get(name).is_none_or(|other| other.format == document.format);
            for (field, value) in document.fields.iter().filter(|_| same) {
                fields.insert(format!("{name} {field}"), value.clone());
            }
        }
        fields
    }
}

/// Looks at a run of a tool, while the registry holds what it pushed.
pub(crate) fn observe(scene: &Scene<'_>, run: &Run, tool: Tool) -> Observation {
    let layouts = layouts(run);
    let mut labels = scene.labels();
    for layout in &layouts {
        for (number, digest) in roots(layout).iter().enumerate() {
            source::label(layout, digest, &format!("{}[{number}]", layout.dir), &mut labels);
        }
    }
    labels.extend(&run.pushed);

    let mut images = Images::new(&labels, &scene.base_blobs);
    let mut seen = Sboms { scene, tool, labels: &labels, documents: BTreeMap::new() };
    registry(scene, &mut images, &mut seen);
    for layout in &layouts {
        for (number, digest) in roots(layout).iter().enumerate() {
            images.look(layout, digest, &format!("{}[{number}]", layout.dir));
        }
    }
    for (path, content) in &run.files {
        let layout = layouts.iter().find(|layout| path.starts_with(&format!("{}/", layout.dir)));
        if sbom::is_file(path) {
            seen.document(&format!("file {path}"), content);
            continue;
        }
        if tarball::is_tarball(path) {
            images.fields.extend(tarball::look(path, content));
            continue;
        }
        file(&mut images, &labels, path, content, layout.is_some());
    }

    for (name, image) in &run.loaded {
        images.fields.insert(format!("engine {}", labels.apply(name)), image.clone());
    }
    let sboms = seen.documents;
    let (fields, tars, sizes) = (images.fields, images.tars, images.sizes);
    let mut seen = Observation { fields, tars, sizes, sboms, lines: Vec::new() };
    printed(scene, run, &labels, &mut seen);
    seen
}

/// Collects SBOMs.
#[derive(Debug)]
struct Sboms<'a> {
    scene: &'a Scene<'a>,
    tool: Tool,
    labels: &'a Labels,
    documents: BTreeMap<String, Document>,
}

impl Sboms<'_> {
    fn document(&mut self, field: &str, content: &[u8]) {
        let text = String::from_utf8_lossy(content);
        let document = Document::read(&text, self.tool, self.labels, self.scene.registry);
        self.documents.insert(field.to_owned(), document);
    }

    /// Looks at what has a tag that names what it is about.
    fn attached(&mut self, images: &mut Images<'_>, repository: &str, tag: &str) {
        let registry = self.scene.registry;
        let source = Repository { registry, name: repository };
        let name = self.labels.apply(tag);
        let name = name.trim_start_matches('[').trim_end_matches(".sbom");
        let name = name.strip_suffix(']').unwrap_or(name);
        let field = format!("sbom {name}");
        images.fields.insert(format!("{field} is in"), repository.to_owned());
        let Some(attachment) = Attachment::look(&source, tag, self.labels) else {
            images.fields.insert(field, "no image".to_owned());
            return;
        };
        for (rest, value) in attachment.fields {
            images.fields.insert(format!("{field} {rest}"), value);
        }
        images.know(attachment.blobs);
        self.document(&field, &attachment.document);
    }
}

/// Exit code, stdout, and what is compared of stderr.
fn printed(scene: &Scene<'_>, run: &Run, labels: &Labels, seen: &mut Observation) {
    let code = run.code.map_or("a signal".to_owned(), |code| code.to_string());
    seen.fields.insert("exit code".to_owned(), code);

    seen.lines = labels.apply(&run.stdout).lines().map(str::to_owned).collect();
    let mut lines = seen.lines.clone();
    lines.sort();
    let mut end =
        if run.stdout.is_empty() || run.stdout.ends_with('\n') { "" } else { " (no newline)" };
    let manifests = scene.case.args.first().is_some_and(|command| command == "resolve");
    if manifests && let Ok(documents) = stream::documents(&run.stdout) {
        lines = documents.iter().map(|document| labels.apply(document)).collect();
        end = "";
    }
    seen.fields.insert("stdout".to_owned(), lines.join("\n") + end);

    for phrase in &scene.case.says {
        let phrase = scene.fill(phrase);
        let said = run.stderr.contains(&phrase).to_string();
        seen.fields.insert(format!("stderr says {phrase}"), said);
    }
    if scene.case.fails.is_empty() {
        for line in run.stderr.lines().map(without_time) {
            if PROGRESS.iter().any(|prefix| line.starts_with(prefix)) {
                let field = format!("stderr {}", labels.apply(line));
                let times = seen.fields.entry(field).or_default();
                times.push('x');
            }
        }
    } else {
        // How far a build got before it failed is a matter of timing.
        let error = run.stderr.lines().position(|line| line.starts_with("Error: "));
        let message: Vec<&str> = run.stderr.lines().skip(error.unwrap_or(usize::MAX)).collect();
        let message = message.join("\n");
        for phrase in &scene.case.fails {
            let phrase = scene.fill(phrase);
            let said = if message.contains(&phrase) {
                "said".to_owned()
            } else if run.code == Some(0) {
                "not said, for nothing failed".to_owned()
            } else {
                format!("not said, but: {}", run.stderr.trim_end())
            };
            seen.fields.insert(format!("error {phrase}"), said);
        }
    }
}

/// A line of Go's log package without its date and time.
fn without_time(line: &str) -> &str {
    let shape = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'/',
        10 | 19 => byte == b' ',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    match line.get(20..) {
        Some(rest) if line.bytes().take(20).enumerate().all(shape) => rest,
        _ => line,
    }
}

fn registry(scene: &Scene<'_>, images: &mut Images<'_>, sboms: &mut Sboms<'_>) {
    let registry = scene.registry;
    for repository in registry.repositories() {
        let tags = registry.tags(&repository).into_iter();
        let mut tags: Vec<String> = tags.map(|tag| sboms.labels.apply(&tag)).collect();
        tags.sort();
        // Layers may be there before it is known that there is no image.
        if tags.is_empty() && !scene.case.fails.is_empty() {
            continue;
        }
        images.fields.insert(format!("tags {repository}"), tags.join(" "));
    }
    if !scene.case.fails.is_empty() {
        // What was pushed before the failure is no result.
        return;
    }
    for (repository, tag) in scene.tags() {
        let source = Repository { registry, name: &repository };
        images.look(&source, &tag, &format!("{repository}:{tag}"));
    }
    for (repository, tag) in scene.sboms() {
        sboms.attached(images, &repository, &tag);
    }
    // What has an SBOM and lost its tag to another image.
    for digest in scene.sboms().iter().filter_map(|(_, tag)| attachment::subject(tag)) {
        let label = sboms.labels.get(&digest).unwrap_or_default();
        for repository in
            registry.repositories().iter().filter(|name| label.starts_with(&format!("{name} ")))
        {
            let source = Repository { registry, name: repository };
            images.look(&source, &digest, label);
        }
    }
    for repository in registry.repositories() {
        let mut blobs = registry.blobs(&repository);
        blobs.retain(|digest| !images.is_known(digest));
        images.fields.insert(format!("unused blobs {repository}"), blobs.join(" "));
    }
}

/// The image layouts among the files of a run.
fn layouts(run: &Run) -> Vec<Layout<'_>> {
    let dirs = run.files.keys().filter_map(|path| path.strip_suffix("/oci-layout"));
    dirs.map(|dir| Layout { files: &run.files, dir }).collect()
}

/// The digests that a layout's `index.json` lists.
fn roots(layout: &Layout<'_>) -> Vec<String> {
    let index = layout.files.get(&format!("{}/index.json", layout.dir));
    let index: Value =
        index.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    let descriptors = index["manifests"].as_array().into_iter().flatten();
    descriptors.filter_map(|one| one["digest"].as_str().map(str::to_owned)).collect()
}

fn file(images: &mut Images<'_>, labels: &Labels, path: &str, content: &[u8], in_layout: bool) {
    let field = format!("file {path}");
    if let (true, Some((dir, hex))) = (in_layout, path.split_once("/blobs/sha256/")) {
        let digest = format!("sha256:{hex}");
        let name = labels.get(&digest).map_or_else(|| images.name(&digest), str::to_owned);
        let whole = if sha256(content) == digest { "whole" } else { "not what its name says" };
        images.fields.insert(format!("file {dir}/blobs/[{name}]"), whole.to_owned());
        return;
    }
    let text = String::from_utf8_lossy(content);
    match json::flatten(&text) {
        Ok(flat) if in_layout => {
            images.fields.insert(format!("{field} shape"), flat.shape);
            for (leaf, token) in flat.leaves {
                // The size of a manifest is its own business: that of the
                // compressed layers is written in it.
                let size = leaf.starts_with("manifests[") && leaf.ends_with("]/size");
                let token = if size { "a number".to_owned() } else { labels.apply(&token) };
                images.fields.insert(format!("{field} {leaf}"), token);
            }
        }
        _ => {
            let documents = path.ends_with(STREAM).then(|| stream::documents(&text));
            let text = match documents {
                Some(Ok(documents)) => documents.join("\n"),
                _ => text.into_owned(),
            };
            images.fields.insert(field, labels.apply(&text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_time;

    #[test]
    fn times_are_cut_off() {
        for (line, want) in [
            ("2026/11/23 17:17:34 Using base a", "Using base a"),
            ("2026/11/23 17:17:34", "2026/11/23 17:17:34"),
            ("Using base 日本 for example.com/app", "Using base 日本 for example.com/app"),
            ("2026-11-23 17:17:34 Using base a", "2026-11-23 17:17:34 Using base a"),
        ] {
            assert_eq!(without_time(line), want);
        }
    }
}
