//! Whole documents, byte by byte: they are compared with ko's, and a change of
//! theirs must not come unnoticed.

use std::sync::Arc;

use golang::{BuildInfo, BuiltModule};
use oci::{Descriptor, Digest, ImageConfig, MediaType};

use super::*;
use crate::image::{BASE_DIGEST, BASE_NAME, ImageSettings, Wanted, assemble_index, empty_manifest};

fn module(path: &str, version: &str, sum: &str, replace: Option<BuiltModule>) -> BuiltModule {
    let [path, version, sum] = [path, version, sum].map(str::to_owned);
    BuiltModule { path, version, sum, replace: replace.map(Box::new) }
}

fn program(deps: Vec<BuiltModule>) -> BuildInfo {
    BuildInfo {
        go_version: "go1.26.8".to_owned(),
        path: "example.com/App/cmd/foo".to_owned(),
        main: Some(module("example.com/App", "v0.1.0+dirty", "", None)),
        deps,
        settings: Vec::new(),
    }
}

fn image(platform: &str, program: BuildInfo) -> Image {
    let platform: oci::Platform = platform.parse().unwrap();
    let mut config = ImageConfig::empty(&platform);
    config.created = "2024-02-29T00:30:00.5+02:00".parse().unwrap();
    let config = config.to_vec();
    let mut manifest = empty_manifest(&config);
    let named =
        [(BASE_NAME, "r.io/base:v1".to_owned()), (BASE_DIGEST, Digest::of(b"base").to_string())];
    manifest.annotations = named.map(|(name, value)| (name.to_owned(), value)).into();
    let bytes = manifest.to_vec();
    Image {
        media_type: MediaType::OCI_MANIFEST.into(),
        digest: Digest::of(&bytes),
        manifest: bytes,
        config_descriptor: manifest.config,
        config,
        base_layers: 0,
        added: Vec::new(),
        diff_ids: Vec::new(),
        layers: Vec::new(),
        platform,
        others: Vec::new(),
        program: Some(Arc::new(program)),
        settings: None,
    }
}

fn deps() -> Vec<BuiltModule> {
    let sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    vec![
        module("a.b/c_d", "v1.0.0", sum, None),
        module("a.b/c-d", "v1.0.0", "", Some(module("../lib", "(devel)", "", None))),
        module("old.io/x", "v1.0.0", "", Some(module("github.com/New/X", "v2.0.0", sum, None))),
    ]
}

fn options(format: SbomFormat) -> SbomOptions {
    SbomOptions {
        format,
        version: "1.2.3".to_owned(),
        dir: None,
        repository: None,
        attach: SbomAttach::Tag,
    }
}

fn document(subject: Subject<'_>, format: SbomFormat) -> String {
    String::from_utf8(subject.document(&options(format))).unwrap()
}

/// Replaces digests by names, where a test is not about them.
fn short(text: &str, digests: &[(Digest, &str)]) -> String {
    digests.iter().fold(text.to_owned(), |text, (digest, name)| text.replace(&digest.hex(), name))
}

#[test]
fn spdx_of_an_image() {
    let image = image("linux/amd64", program(deps()));
    let names = [(image.digest, "<image>"), (Digest::of(b"base"), "<base>")];
    insta::assert_snapshot!(short(&document(Subject::Image(&image), SbomFormat::Spdx), &names));
}

#[test]
fn a_main_module_that_is_replaced_says_so() {
    let by = module("../tool", "", "", None);
    let main = Some(module("a.b/tool", "v1.0.0", "", Some(by)));
    let image = image("linux/amd64", BuildInfo { main, ..program(Vec::new()) });
    let text = document(Subject::Image(&image), SbomFormat::Spdx);
    let comment = r#""comment": "a local directory in place of a.b/tool v1.0.0""#;
    assert!(text.contains(comment), "{text}");
}

#[test]
fn cyclonedx_of_an_image() {
    let image = image("linux/amd64", program(deps()));
    let names = [(image.digest, "<image>"), (Digest::of(b"base"), "<base>")];
    let document = document(Subject::Image(&image), SbomFormat::CycloneDx);
    insta::assert_snapshot!(short(&document, &names));
}

#[test]
fn a_program_of_ten_thousand_modules() {
    let dep = |index| module(&format!("example.com/m{index}"), "v1.0.0", "", None);
    let image = image("linux/amd64", program((0..10_000).map(dep).collect()));
    let ids = |format, list: &str, id: &str| {
        let text = document(Subject::Image(&image), format);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let id = |entry: &serde_json::Value| entry[id].as_str().unwrap().to_owned();
        parsed[list].as_array().unwrap().iter().map(id).collect::<Vec<String>>()
    };
    for (format, list, id, others) in [
        // The image, its base and the main module.
        (SbomFormat::Spdx, "packages", "SPDXID", 3),
        (SbomFormat::CycloneDx, "components", "bom-ref", 1),
    ] {
        let ids = ids(format, list, id);
        let different: std::collections::HashSet<&String> = ids.iter().collect();
        assert_eq!((ids.len(), different.len()), (10_000 + others, 10_000 + others), "{list}");
    }
}

fn index() -> Artifact {
    let made = |platform: &str| {
        let image = image(platform, program(Vec::new()));
        let mut base = Descriptor::of(MediaType::OCI_MANIFEST.into(), b"child");
        base.platform = Some(image.platform.clone());
        (base, image)
    };
    // The same image twice, as a base may have it.
    let images = vec![made("linux/arm64/v8"), made("windows/amd64:10.0.1"), made("linux/arm64/v8")];
    let named = Some(("r.io/base:v1", Digest::of(b"base")));
    let wanted =
        Wanted { settings: &ImageSettings::default(), run: &crate::ImageOptions::default() };
    assemble_index(&MediaType::OCI_INDEX.into(), named, images, wanted)
}

#[test]
fn documents_of_an_index() {
    let artifact = index();
    let subjects = Subject::all(&artifact);
    let files: Vec<String> =
        subjects.iter().map(|subject| subject.file_name("foo", SbomFormat::CycloneDx)).collect();
    assert_eq!(
        files,
        [
            "foo-linux-arm64-v8.cdx.json",
            "foo-windows-amd64-10.0.1.cdx.json",
            "foo-linux-arm64-v8.cdx.json",
            "foo-index.cdx.json"
        ]
    );
    let names = [
        (subjects[3].digest(), "<index>"),
        (subjects[0].digest(), "<arm64>"),
        (subjects[1].digest(), "<windows>"),
        (Digest::of(b"base"), "<base>"),
    ];
    for format in [SbomFormat::Spdx, SbomFormat::CycloneDx] {
        insta::assert_snapshot!(short(&document(subjects[3], format), &names));
    }
}

#[test]
fn a_program_without_modules_has_a_document() {
    let info = BuildInfo { main: None, ..program(Vec::new()) };
    let image = image("linux/amd64", info);
    for format in [SbomFormat::Spdx, SbomFormat::CycloneDx] {
        let text = document(Subject::Image(&image), format);
        assert!(text.contains("\"pkg:golang/example.com/app/cmd/foo?type=module\""), "{text}");
    }
}

#[test]
fn ten_thousand_modules_have_identifiers_of_their_own() {
    // All of them would be called the same.
    let letters = ["_", "~", "!", "-"];
    let deps = (0..10_000).map(|index| {
        let path = format!("a.b/{}/c{}d", index / 4, letters[index % 4]);
        module(&path, "v1.0.0", "", None)
    });
    let image = image("linux/amd64", program(deps.collect()));
    let text = document(Subject::Image(&image), SbomFormat::Spdx);
    let mut ids: Vec<&str> = text.lines().filter(|line| line.contains("\"SPDXID\"")).collect();
    assert_eq!(ids.len(), 10_004);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10_004);
}
