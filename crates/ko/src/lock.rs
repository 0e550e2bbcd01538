//! Reads and writes `ko.lock`: which digests the tags of bases stand for, and by
//! which Go and Delve programs are built.
//!
//! It is YAML of one shape, so that Renovate's regex manager reads and updates it:
//! `digest` stands in the line below its `image`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::{BaseReference, DelveVersion, LockedBase, Platform};
use fsutil::Access;

use crate::config::{Config, LOCK as NAME, Node, Origin, Source, SourceSpan, Value, scalar, tree};
use crate::error::{CommandError, Kind, Result};

/// The version of the format.
const VERSION: i128 = 1;

/// More than this is no lock.
const LIMIT: u64 = 1 << 20;

/// The head of a file.
const HEAD: &str = "\
# Written by `ko lock`: what the tags of base images point at, and what builds programs.
";

/// What is locked.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Lock {
    pub(crate) go: Option<String>,
    pub(crate) delve: Option<DelveVersion>,
    pub(crate) bases: Vec<LockedBase>,
}

/// Where the file is: beside the configuration.
pub(crate) fn path(config: &Config, work_dir: &Path) -> PathBuf {
    let file = config.file.as_deref().map(Path::new);
    work_dir.join(file.and_then(Path::parent).unwrap_or(Path::new(""))).join(NAME)
}

/// Reads the file; none if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Lock>> {
    let unreadable = |error: &std::io::Error| {
        CommandError::of(error).context(&format!("reading {}", path.display())).of_kind(Kind::Usage)
    };
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() <= LIMIT => {}
        Ok(_) => {
            let message = format!("{} was not written by ko lock", path.display());
            return Err(CommandError::new(message).of_kind(Kind::Usage));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    parse(text)
        .map(Some)
        .map_err(|error| error.also(Some("`ko lock` rewrites it".to_owned())).of_kind(Kind::Usage))
}

fn parse(text: String) -> Result<Lock> {
    let (source, root) = tree(NAME, text)?;
    let reader = Reader { source };
    reader.check_version(&root)?;
    let fields = reader.map(&root, &["version", "go", "delve", "bases"])?;
    let mut lock = Lock::default();
    if let Some(node) = fields.get("go") {
        lock.go = Some(reader.parse(node, "a release of Go, as in go1.26.8", release)?);
    }
    if let Some(node) = fields.get("delve") {
        let version = |text: &str| text.parse().ok();
        lock.delve = Some(reader.parse(node, "a version of Delve, as in v1.27.2", version)?);
    }
    let Some(bases) = fields.get("bases") else { return Ok(lock) };
    for node in reader.list(bases)? {
        let base = reader.base(node)?;
        if lock.bases.iter().any(|other| tagged(&other.image) == tagged(&base.image)) {
            return Err(reader.wrong(node, &format!("{} stands here twice", base.image)));
        }
        lock.bases.push(base);
    }
    Ok(lock)
}

/// A release, as GOTOOLCHAIN takes it.
fn release(text: &str) -> Option<String> {
    let rest = text.strip_prefix("go1.")?;
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (plain && rest.starts_with(|char: char| char.is_ascii_digit())).then(|| text.to_owned())
}

/// What `go env GOVERSION` says, where that is a release.
pub(crate) fn is_release(version: &str) -> bool {
    release(version).is_some()
}

/// Reads values, and says where one is wrong.
struct Reader {
    source: Arc<Source>,
}

impl Reader {
    fn wrong(&self, node: &Node, message: &str) -> CommandError {
        Origin::File(SourceSpan::new(&self.source, node.bytes.clone())).error(message)
    }

    /// What follows may mean something else in another version.
    fn check_version(&self, root: &Node) -> Result<()> {
        let entries = match &*root.value {
            Value::Map(entries) => &entries[..],
            _ => &[],
        };
        let version = entries.iter().find(|(key, _)| key.text() == Some("version"));
        match version.map(|(_, node)| (node, &*node.value)) {
            Some((_, Value::Integer(VERSION))) => Ok(()),
            Some((node, Value::Integer(other))) => {
                let message = format!("{NAME} is of version {other}, and this ko reads {VERSION}");
                Err(self.wrong(node, &message))
            }
            _ => Err(self.wrong(root, &format!("{NAME} has no version"))),
        }
    }

    fn map(&self, node: &Node, known: &[&'static str]) -> Result<BTreeMap<&'static str, Node>> {
        let Value::Map(entries) = &*node.value else {
            let kind = node.value.kind();
            return Err(self.wrong(node, &format!("{NAME}: expected a map, got {kind}")));
        };
        let mut fields = BTreeMap::new();
        for (key, value) in entries {
            let name = key.text().and_then(|text| known.iter().find(|known| **known == text));
            let Some(name) = name else {
                return Err(self.wrong(key, &format!("{NAME}: no such key is known here")));
            };
            // No key is there twice: that is no YAML.
            fields.insert(*name, value.clone());
        }
        Ok(fields)
    }

    fn list<'n>(&self, node: &'n Node) -> Result<&'n [Node]> {
        match &*node.value {
            Value::List(items) => Ok(items),
            other => {
                let kind = other.kind();
                Err(self.wrong(node, &format!("{NAME}: expected a list, got {kind}")))
            }
        }
    }

    fn parse<T>(
        &self,
        node: &Node,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T> {
        let text = node.value.scalar().unwrap_or_default();
        parse(&text).ok_or_else(|| self.wrong(node, &format!("{NAME}: {text:?} is not {expected}")))
    }

    fn base(&self, node: &Node) -> Result<LockedBase> {
        let fields = self.map(node, &["image", "digest", "platforms", "since"])?;
        let field = |name: &str| {
            let missing = || self.wrong(node, &format!("{NAME}: the base has no {name}"));
            fields.get(name).ok_or_else(missing)
        };
        let tag = |text: &str| match text.parse().ok()? {
            base @ BaseReference::Registry { .. } if !text.contains('@') => Some(base),
            _ => None,
        };
        let platforms = match fields.get("platforms") {
            Some(node) => {
                let platform = |node| self.parse(node, "a platform", platform);
                self.list(node)?.iter().map(platform).collect::<Result<_>>()?
            }
            None => Vec::new(),
        };
        Ok(LockedBase {
            image: self.parse(field("image")?, "an image with a tag", tag)?,
            digest: self.parse(field("digest")?, "a digest", |text| text.parse().ok())?,
            platforms,
            since: self.parse(field("since")?, "a time in RFC 3339", |text| text.parse().ok())?,
        })
    }
}

fn platform(text: &str) -> Option<Platform> {
    let matcher = engine::PlatformMatcher::parse(&[text]).ok()?;
    match matcher {
        engine::PlatformMatcher::Any(mut platforms) if platforms.len() == 1 => platforms.pop(),
        _ => None,
    }
}

impl Lock {
    /// The file.
    fn yaml(&self) -> String {
        let mut text = format!("{HEAD}version: {VERSION}\n");
        for (key, value) in
            [("go", &self.go), ("delve", &self.delve.as_ref().map(ToString::to_string))]
        {
            if let Some(value) = value {
                let _ = writeln!(text, "{key}: {}", scalar(value));
            }
        }
        text.push_str(if self.bases.is_empty() { "bases: []\n" } else { "bases:\n" });
        for LockedBase { image, digest, platforms, since } in &self.bases {
            let platforms: Vec<String> =
                platforms.iter().map(|it| scalar(&it.to_string())).collect();
            let _ = write!(
                text,
                "  - image: {}\n    digest: {digest}\n    platforms: [{}]\n    since: {since}\n",
                // No reference with a tag is anything else in YAML.
                tagged(image),
                platforms.join(", "),
            );
        }
        text
    }

    /// The same with what stayed as it was in `before` since then, and what has
    /// changed, line by line.
    pub(crate) fn after(mut self, before: Option<&Self>) -> (Self, Vec<String>) {
        let empty = Self::default();
        let before = before.unwrap_or(&empty);
        let mut changes = Vec::new();
        for base in &mut self.bases {
            let name = tagged(&base.image);
            match before.bases.iter().find(|old| tagged(&old.image) == name) {
                Some(old) if old.digest == base.digest => base.since = old.since,
                Some(LockedBase { digest, since, .. }) => {
                    let now = base.digest;
                    changes.push(format!("{name}: {digest}, of {since}, is now {now}"));
                }
                None => changes.push(format!("{name}: {}", base.digest)),
            }
        }
        for old in &before.bases {
            let name = tagged(&old.image);
            if self.bases.iter().all(|base| tagged(&base.image) != name) {
                changes.push(format!("{name} is no longer a base"));
            }
        }
        if self.go != before.go {
            changes.extend(self.go.clone());
        }
        if self.delve != before.delve {
            changes.extend(self.delve.as_ref().map(|delve| format!("Delve {delve}")));
        }
        (self, changes)
    }

    /// Writes the file, if it is not that already.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = self.yaml();
        if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        fsutil::write(path, Access::Public, text.as_bytes()).map_err(|error| {
            CommandError::unwritable(path, &error).context(&format!("writing {}", path.display()))
        })
    }
}

/// A base with its tag, written out: Renovate looks for one.
fn tagged(image: &BaseReference) -> String {
    let raw = image.to_string();
    let name = raw.rsplit_once('/').map_or(&*raw, |(_, name)| name);
    if name.contains(':') { raw } else { format!("{raw}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const OTHER: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn base(image: &str, digest: &str, since: &str) -> LockedBase {
        LockedBase {
            image: image.parse().unwrap(),
            digest: digest.parse().unwrap(),
            platforms: vec![platform("linux/amd64").unwrap(), platform("linux/arm/v7").unwrap()],
            since: since.parse().unwrap(),
        }
    }

    fn lock(bases: Vec<LockedBase>) -> Lock {
        Lock { go: Some("go1.26.8".into()), delve: "v1.27.2".parse().ok(), bases }
    }

    #[test]
    fn what_is_written_is_read() {
        let lock = lock(vec![
            base("r.example:5000/base", DIGEST, "2026-01-02T03:04:05Z"),
            base("alpine:3.20", OTHER, "2026-01-02T03:04:05Z"),
        ]);
        let text = lock.yaml();
        assert_eq!(
            text,
            format!(
                "{HEAD}version: 1\ngo: go1.26.8\ndelve: v1.27.2\nbases:\n  \
                 - image: r.example:5000/base:latest\n    digest: {DIGEST}\n    \
                 platforms: [linux/amd64, linux/arm/v7]\n    since: 2026-01-02T03:04:05Z\n  \
                 - image: alpine:3.20\n    digest: {OTHER}\n    \
                 platforms: [linux/amd64, linux/arm/v7]\n    since: 2026-01-02T03:04:05Z\n"
            )
        );
        assert_eq!(parse(text.clone()).unwrap().yaml(), text);
        assert_eq!(parse(Lock::default().yaml()).unwrap(), Lock::default());
    }

    /// What the guide tells Renovate to look for.
    #[test]
    fn renovate_finds_image_tag_and_digest() {
        let text =
            lock(vec![base("r.example:5000/team/base", DIGEST, "2026-01-02T03:04:05Z")]).yaml();
        let guide = include_str!("../../../docs/guide/locking.md");
        let pattern = guide.lines().find(|line| line.contains("(?<depName>")).unwrap();
        let pattern: String = serde_json::from_str(pattern.trim()).unwrap();
        let pattern = regex::Regex::new(&pattern).unwrap();
        let found = pattern.captures(&text).unwrap();
        assert_eq!(&found["depName"], "r.example:5000/team/base");
        assert_eq!(&found["currentValue"], "latest");
        assert_eq!(&found["currentDigest"], DIGEST);
    }

    #[test]
    fn what_is_the_same_keeps_its_time() {
        let before = lock(vec![
            base("a", DIGEST, "2026-01-01T00:00:00Z"),
            base("b", DIGEST, "2026-01-01T00:00:00Z"),
            base("c", DIGEST, "2026-01-01T00:00:00Z"),
        ]);
        let after = Lock { go: Some("go1.27.0".into()), ..lock(Vec::new()) };
        let bases = vec![
            base("a:latest", DIGEST, "2026-02-01T00:00:00Z"),
            base("b", OTHER, "2026-02-01T00:00:00Z"),
            base("d", OTHER, "2026-02-01T00:00:00Z"),
        ];
        let (after, changes) = Lock { bases, ..after }.after(Some(&before));
        let times: Vec<String> = after.bases.iter().map(|base| base.since.to_string()).collect();
        assert_eq!(times, ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"]);
        assert_eq!(
            changes,
            [
                format!("b:latest: {DIGEST}, of 2026-01-01T00:00:00Z, is now {OTHER}"),
                format!("d:latest: {OTHER}"),
                "c:latest is no longer a base".to_owned(),
                "go1.27.0".to_owned(),
            ]
        );
        assert_eq!(after.after(None).1.len(), 5);
    }

    #[test]
    fn mistakes_are_found_where_they_are() {
        let base = |text: &str| format!("version: 1\nbases:\n  - {text}\n");
        for (text, want) in [
            (String::new(), "ko.lock has no version"),
            ("bases: []\n".into(), "ko.lock has no version"),
            ("version: '1'\n".into(), "ko.lock has no version"),
            ("version: 1\nnew: x\n".into(), "ko.lock: no such key is known here\n --> ko.lock:2:1"),
            ("version: 2\nnew: x\n".into(), "is of version 2, and this ko reads 1\n --> ko.lock:1"),
            ("version: 1\ngo: 1.26\n".into(), "\"1.26\" is not a release of Go"),
            ("version: 1\ngo: local\n".into(), "\"local\" is not a release of Go"),
            ("version: 1\ndelve: latest\n".into(), "\"latest\" is not a version of Delve"),
            ("version: 1\nbases: x\n".into(), "expected a list, got a string"),
            ("version: 1\nversion: 1\n".into(), "key \"version\" already defined at line 1"),
            (base("x"), "expected a map, got a string"),
            (base("image: a"), "the base has no digest"),
            (base("{image: scratch, digest: x, since: x}"), "\"scratch\" is not an image"),
            (base(&format!("{{image: 'a@{DIGEST}', digest: x, since: x}}")), "is not an image"),
            (base("{image: a, digest: sha256:12, since: x}"), "\"sha256:12\" is not a digest"),
            (base(&format!("{{image: a, digest: '{DIGEST}', since: 12}}")), "is not a time"),
            ("<<<<<<< HEAD\nversion: 1\n=======\n".into(), "ko.lock: "),
        ] {
            let error = parse(text.clone()).unwrap_err();
            assert!(error.message().contains(want), "{text}: {}", error.message());
        }
        let twice = format!("{{image: a, digest: '{DIGEST}', since: '2026-01-01T00:00:00Z'}}");
        let error = parse(base(&format!("{twice}\n  - {twice}"))).unwrap_err();
        assert!(error.message().contains("a stands here twice"), "{}", error.message());
        assert!(error.message().contains(" --> ko.lock:4:5"), "{}", error.message());
    }
}
