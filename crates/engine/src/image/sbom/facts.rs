//! Collects the facts of SBOMs, once for all formats. They all follow from the
//! digest of the image or index, so that a document does too.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use golang::{BuildInfo, BuiltModule};
use oci::{Digest, ImageConfig, Index, Manifest, MediaType, Platform, Reference, Timestamp};

use super::purl;
use crate::image::STATIC_BASE;
use crate::image::{BASE_DIGEST, BASE_NAME, Image};

/// An image, and the program in it.
#[derive(Debug)]
pub(crate) struct ImageFacts<'a> {
    pub(super) digest: Digest,
    pub(super) media_type: &'a MediaType,
    pub(super) created: String,
    pub(super) base: Option<BaseFacts>,
    pub(super) programs: Vec<ProgramFacts>,
}

/// A module with programs in an image: its own first, then others, of one image each once.
#[derive(Debug)]
pub(super) struct ProgramFacts {
    pub(super) main: Package,
    pub(super) deps: Vec<Package>,
}

/// An index, and its images.
#[derive(Debug)]
pub(crate) struct IndexFacts<'a> {
    pub(super) digest: Digest,
    pub(super) media_type: &'a MediaType,
    pub(super) created: String,
    pub(super) base: Option<BaseFacts>,
    pub(super) children: Vec<ChildFacts>,
}

/// An image of an index.
#[derive(Debug)]
pub(super) struct ChildFacts {
    pub(super) digest: Digest,
    pub(super) platform: Platform,
    pub(super) purl: String,
}

/// A base image or index.
#[derive(Debug)]
pub(super) struct BaseFacts {
    /// As annotations name it.
    pub(super) name: String,
    pub(super) digest: Digest,
    /// Where it is; `ko.static` is nowhere.
    pub(super) repository: Option<String>,
    pub(super) tag: Option<String>,
}

/// A module that is in a program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Package {
    pub(super) name: String,
    /// Empty for what has no version of its own.
    pub(super) version: String,
    /// As in `go.sum`; empty for what has none.
    pub(super) sum: String,
    pub(super) purl: String,
    /// Further properties.
    pub(super) comment: Option<String>,
}

impl<'a> ImageFacts<'a> {
    /// Collects the facts of an image.
    pub(crate) fn new(image: &'a Image, program: &BuildInfo) -> Self {
        let manifest =
            Manifest::parse(&image.manifest).expect("a manifest that was just written is one");
        let mut programs = vec![ProgramFacts::of(program)];
        for other in &image.others {
            let ProgramFacts { main, deps } = ProgramFacts::of(other);
            match programs.iter_mut().find(|known| known.main == main) {
                Some(known) => {
                    let had: HashSet<Package> = known.deps.iter().cloned().collect();
                    known.deps.extend(deps.into_iter().filter(|dep| !had.contains(dep)));
                }
                None => programs.push(ProgramFacts { main, deps }),
            }
        }
        Self {
            digest: image.digest,
            media_type: &image.media_type,
            created: created(image),
            base: BaseFacts::of(&manifest.annotations),
            programs,
        }
    }
}

impl ProgramFacts {
    fn of(program: &BuildInfo) -> Self {
        let main = match &program.main {
            Some(main) => Package::of(main),
            // Built without modules: Go knows no more than the import path.
            None => {
                Package::of(&BuiltModule { path: program.path.clone(), ..BuiltModule::default() })
            }
        };
        Self { main, deps: program.deps.iter().map(Package::of).collect() }
    }
}

impl<'a> IndexFacts<'a> {
    /// Collects the facts of an index; `images` is not empty.
    pub(crate) fn new(
        media_type: &'a MediaType,
        index: &[u8],
        digest: Digest,
        images: &[Image],
    ) -> Self {
        let index = Index::parse(index).expect("an index that was just written is one");
        // An image that serves several platforms is described once.
        let mut seen = HashSet::new();
        let entries = index.manifests.iter().filter(|entry| seen.insert(entry.digest));
        let children = entries.map(|entry| {
            let platform = entry.platform.clone().unwrap_or_default();
            let purl = purl::child(entry.digest, &entry.media_type, &platform);
            ChildFacts { digest: entry.digest, platform, purl }
        });
        Self {
            digest,
            media_type,
            created: created(&images[0]),
            base: BaseFacts::of(&index.annotations),
            children: children.collect(),
        }
    }
}

impl BaseFacts {
    /// The base that annotations name. Of an image on nothing they are the
    /// user's own, and may be anything.
    pub(super) fn of(annotations: &BTreeMap<String, String>) -> Option<Self> {
        let name = annotations.get(BASE_NAME)?.clone();
        let digest = annotations.get(BASE_DIGEST)?.parse().ok()?;
        if name == STATIC_BASE {
            return Some(Self { name, digest, repository: None, tag: None });
        }
        let reference: Reference = name.parse().ok()?;
        let repository = Some(reference.repository().full_name());
        let tag = match reference {
            Reference::Tag(_, tag) => Some(tag.to_string()),
            Reference::Digest(..) => None,
        };
        Some(Self { name, digest, repository, tag })
    }

    /// The repository and digest, of what is in a repository.
    pub(super) fn full_name(&self) -> String {
        format!("{}@{}", self.repository.as_ref().unwrap_or(&self.name), self.digest)
    }
}

impl Package {
    /// What was built: the replacement where there is one. A directory has
    /// no name but that of the module that it stands in for, and neither the
    /// version nor the sum of that.
    pub(super) fn of(module: &BuiltModule) -> Self {
        let instead = || match &*module.version {
            "" => format!("in place of {}", module.path),
            version => format!("in place of {} {version}", module.path),
        };
        let (name, version, sum, comment) = match module.replace.as_deref() {
            Some(by) if by.is_directory() => {
                (&module.path, "", "", Some(format!("a local directory {}", instead())))
            }
            Some(by) => (&by.path, &*by.version, &*by.sum, Some(instead())),
            None => (&module.path, &*module.version, &*module.sum, None),
        };
        Self {
            purl: purl::module(name, version),
            name: name.clone(),
            version: version.to_owned(),
            sum: sum.to_owned(),
            comment,
        }
    }

    /// The SHA-256 that the sum is, in hex.
    pub(super) fn sha256(&self) -> Option<String> {
        let encoded = self.sum.strip_prefix("h1:")?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
        (bytes.len() == 32).then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Names within a document, of which no two may be equal: a later one of the
/// same name gets a number.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name that none had before.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        for number in 2.. {
            if self.0.insert(unique.clone()) {
                break;
            }
            unique = format!("{name}-{number}");
        }
        unique
    }
}

/// When an image was made, to the second and in UTC, as both formats want it.
fn created(image: &Image) -> String {
    let config = ImageConfig::parse(&image.config).expect("a config that was just written is one");
    utc(&config.created)
}

fn utc(time: &Timestamp) -> String {
    match time.as_str().parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        // A time before the year 0, by its offset.
        Err(_) => Timestamp::zero().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_and_whole_seconds() {
        for (time, want) in [
            ("2024-02-29T01:02:03Z", "2024-02-29T01:02:03Z"),
            ("2024-02-29T01:02:03.987+05:30", "2024-02-28T19:32:03Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(&time.parse().unwrap()), want);
        }
    }

    fn module(path: &str, version: &str, sum: &str) -> BuiltModule {
        let [path, version, sum] = [path, version, sum].map(str::to_owned);
        BuiltModule { path, version, sum, replace: None }
    }

    #[test]
    fn equal_names_are_numbered() {
        let mut names = Names::default();
        let unique = ["a", "a-2", "a", "b", "a"].map(|name| names.unique(name));
        assert_eq!(unique, ["a", "a-2", "a-3", "b", "a-4"]);
    }

    #[test]
    fn what_was_built_is_described() {
        let replaced =
            |by| BuiltModule { replace: Some(Box::new(by)), ..module("a.b/c", "v1", "") };
        let described = |module| {
            let Package { name, version, sum, comment, .. } = Package::of(&module);
            [name, version, sum, comment.unwrap_or_default()]
        };
        assert_eq!(described(module("a.b/c", "v1", "h1:x")), ["a.b/c", "v1", "h1:x", ""]);
        assert_eq!(
            described(replaced(module("d.e/f", "v2", "h1:y"))),
            ["d.e/f", "v2", "h1:y", "in place of a.b/c v1"]
        );
        // Where on this machine the directory is, is nobody's business.
        assert_eq!(
            described(replaced(module("../secret", "(devel)", ""))),
            ["a.b/c", "", "", "a local directory in place of a.b/c v1"]
        );
    }

    #[test]
    fn only_sums_that_are_sha256_are_checksums() {
        let sha256 = |sum| Package::of(&module("a", "v1", sum)).sha256();
        let sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(sha256(sum), Some(Digest::of(b"").hex()));
        for sum in ["", "h1:", "h1:!", "h1:AAAA", "h2:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
        {
            assert_eq!(sha256(sum), None, "{sum}");
        }
    }

    #[test]
    fn a_base_is_what_both_annotations_say() {
        let digest = Digest::of(b"base").to_string();
        let of = |name: &str, digest: &str| {
            let annotations = [(BASE_NAME, name), (BASE_DIGEST, digest)];
            let annotations =
                annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            BaseFacts::of(&annotations).map(|base| (base.full_name(), base.tag))
        };
        assert_eq!(
            of("r.io/base:v1", &digest),
            Some((format!("r.io/base@{digest}"), Some("v1".to_owned())))
        );
        let named = format!("r.io/base@{digest}");
        assert_eq!(of(&named, &digest), Some((named.clone(), None)));
        assert_eq!(of(STATIC_BASE, &digest), Some((format!("ko.static@{digest}"), None)));
        assert_eq!(of("r.io/base:v1", "sha256:x"), None);
        assert_eq!(of("No Name", &digest), None);
        assert!(BaseFacts::of(&BTreeMap::new()).is_none());
    }
}
