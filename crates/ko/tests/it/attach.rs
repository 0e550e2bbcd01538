//! The ways in which SBOMs are attached to images: what a registry then has, in
//! which order it gets it, and what that costs.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use testkit::base::{Image, Index};
use testkit::registry::{Class, Fault, Recorded, Rule, TestRegistry};

use crate::fixture::{Built, Fixture};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// One program for two platforms; a registry with an API for referrers or not.
fn fixture(api: bool) -> Fixture {
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64/v8"));
    let fixture = Fixture::on(TestRegistry::builder().referrers(api).start(), &base.build());
    let _ = fixture.module().main(".");
    fixture
}

/// The tag of the list of referrers.
fn tag(subject: &str) -> String {
    subject.replace(':', "-")
}

/// The index and its images.
fn subjects(fixture: &Fixture) -> Vec<Built> {
    let index = fixture.built("out", "latest");
    let mut all = fixture.children("out", &index);
    all.push(index);
    all
}

/// The manifests that the repository has about a subject.
fn about(fixture: &Fixture, repository: &str, subject: &str) -> Vec<(String, Value)> {
    let puts = fixture.registry.requests_of(Class::ManifestPut).into_iter();
    let names: BTreeSet<String> = puts
        .filter_map(|put| Some(put.path.split_once("/manifests/")?.1.to_owned()))
        .filter(|name| name.contains(':'))
        .collect();
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), fixture.registry.manifest(repository, &name)?)))
        .map(|(name, manifest)| (name, manifest.json()))
        .filter(|(_, manifest)| manifest["subject"]["digest"] == subject)
        .collect()
}

fn lines(requests: &[Recorded]) -> Vec<String> {
    requests
        .iter()
        .map(|it| format!("{} {}?{} {}", it.method, it.path, it.query, it.status))
        .collect()
}

fn edit(fixture: &Fixture, text: &str) {
    let source = format!("package main\n\nfunc main() {{\n\tprintln({text:?})\n}}\n");
    let _ = fixture.module().file("main.go", source);
}

#[test]
fn each_way_is_what_its_readers_look_for() {
    for api in [true, false] {
        for (way, tags, referrers) in
            [("tag", 3, 0), ("referrers", 0, 1), ("both", 3, 1), ("none", 0, 0)]
        {
            let fixture = fixture(api);
            let words = format!("--bare --platform=all --sbom-attach={way} --sbom-dir=sbom");
            let output = fixture.build(&words).output().success();
            let lists = if api { 0 } else { referrers * 3 };
            let all = fixture.registry.tags("out");
            assert_eq!(all.len(), 1 + tags + lists, "{way}: {all:?}");
            assert_eq!(all.iter().filter(|tag| tag.ends_with(".sbom")).count(), tags);
            let published = output.stderr.matches(" Published SBOM ").count();
            assert_eq!(published, tags + referrers * 3, "{way}: {}", output.stderr);
            assert_eq!(fs::read_dir(fixture.sandbox.work().join("sbom")).unwrap().count(), 3);
            for subject in subjects(&fixture) {
                let about = about(&fixture, "out", &subject.digest);
                assert_eq!(about.len(), referrers, "{way}: {about:?}");
                for (digest, manifest) in about {
                    is_referrer(&fixture, &subject, &digest, &manifest, api);
                    let line = format!("SBOM {}/out@{digest}\n", fixture.registry.host());
                    assert!(output.stderr.contains(&line), "{line}{}", output.stderr);
                }
            }
            // No blob comes twice.
            let puts = fixture.registry.requests_of(Class::UploadPut).into_iter();
            let puts: Vec<String> =
                puts.map(|put| put.query.rsplit_once("digest=").unwrap().1.to_owned()).collect();
            let once: BTreeSet<&String> = puts.iter().collect();
            assert_eq!(once.len(), puts.len(), "{way}: {puts:?}");
        }
    }
}

fn is_referrer(fixture: &Fixture, subject: &Built, digest: &str, manifest: &Value, api: bool) {
    let kind = "application/spdx+json";
    let bytes = fixture.registry.manifest("out", &subject.digest).unwrap().bytes.len();
    let layer = &manifest["layers"][0];
    let want = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": manifest["config"],
        "layers": [layer],
        "subject": { "mediaType": subject.media_type, "size": bytes, "digest": subject.digest },
        "artifactType": kind,
    });
    assert_eq!(*manifest, want);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    assert_eq!(layer["mediaType"], kind);
    let document = fixture.registry.blob("out", layer["digest"].as_str().unwrap()).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["name"], format!("sbom-{}", subject.digest));
    if !api {
        let list = fixture.registry.manifest("out", &tag(&subject.digest)).unwrap();
        assert_eq!(list.media_type, INDEX);
        let size = fixture.registry.manifest("out", digest).unwrap().bytes.len();
        let entry = json!({
            "mediaType": MANIFEST, "size": size, "digest": digest, "artifactType": kind,
        });
        assert_eq!(list.json()["manifests"], json!([entry]));
    }
}

#[test]
fn cyclonedx_has_its_own_type_and_stands_beside_spdx() {
    let fixture = Fixture::new();
    for format in ["spdx", "cyclonedx"] {
        let words = format!("--bare --sbom-attach=referrers --sbom={format}");
        let _ = fixture.build(&words).output().success();
    }
    let image = fixture.built("out", "latest");
    let about = about(&fixture, "out", &image.digest);
    let mut kinds: Vec<&Value> = about.iter().map(|(_, it)| &it["artifactType"]).collect();
    kinds.sort_by_key(ToString::to_string);
    assert_eq!(kinds, ["application/spdx+json", "application/vnd.cyclonedx+json"]);
}

#[test]
fn an_unchanged_image_costs_no_request_for_them() {
    for api in [true, false] {
        for way in ["tag", "referrers", "both", "none"] {
            let fixture = fixture(api);
            let words = format!("--bare --platform=all --sbom-attach={way}");
            let before = fixture.build(&words).output().success();
            fixture.registry.reset();
            let after = fixture.build(&words).output().success();
            let requests = fixture.registry.requests();
            assert_eq!(requests.len(), 2, "{way}: {:#?}", lines(&requests));
            let published = |text: &str| {
                let lines = text.lines().filter_map(|line| line.split_once(" Published SBOM "));
                lines.map(|(_, reference)| reference.to_owned()).collect::<BTreeSet<_>>()
            };
            assert_eq!(published(&before.stderr), published(&after.stderr));
        }
    }
}

#[test]
fn a_changed_image_costs_few_requests_for_them() {
    // The document, whether there is a config, and the manifest of both; and the
    // list: none is there, it is written, and read again.
    for (api, more) in [(true, 4), (false, 7)] {
        let fixture = Fixture::on(
            TestRegistry::builder().referrers(api).start(),
            &Image::oci("linux/amd64").build(),
        );
        let requests = |way: &str, text: &str| {
            edit(&fixture, text);
            fixture.registry.reset();
            let words = format!("--bare --sbom-attach={way}");
            let _ = fixture.build(&words).output().success();
            fixture.registry.requests()
        };
        requests("referrers", "first");
        let (without, with) = (requests("none", "a"), requests("referrers", "b"));
        assert_eq!(with.len() - without.len(), more, "{:#?}", lines(&with));
        // All of it is there before the tag of the image moves.
        let last = with.iter().rfind(|it| it.class == Class::ManifestPut).unwrap();
        assert!(last.path.ends_with("/manifests/latest"), "{:#?}", lines(&with));
    }
}

#[test]
fn what_is_there_is_not_sent_again() {
    for api in [true, false] {
        let fixture = fixture(api);
        let words = "--bare --platform=all --sbom-attach=both";
        let _ = fixture.build(words).output().success();
        let before = fixture.registry.snapshot();
        let _ = fs::remove_dir_all(fixture.sandbox.kocache());
        for words in [words.to_owned(), format!("{words} -t other")] {
            fixture.registry.restore(&before);
            fixture.registry.reset();
            let _ = fixture.build(&words).output().success();
            let requests = fixture.registry.requests();
            let put = |it: &Recorded| it.class == Class::UploadPut;
            assert!(!requests.iter().any(put), "{:#?}", lines(&requests));
        }
    }
}

#[test]
fn a_document_that_is_below_a_tag_is_not_sent_again() {
    let fixture = fixture(true);
    let _ = fixture.build("--bare --platform=all").output().success();
    fixture.registry.reset();
    let _ = fixture.build("--bare --platform=all --sbom-attach=referrers").output().success();
    let requests = fixture.registry.requests();
    let puts = requests.iter().filter(|it| it.class == Class::UploadPut).count();
    assert_eq!(puts, 1, "the empty config alone: {:#?}", lines(&requests));
    for subject in subjects(&fixture) {
        assert_eq!(about(&fixture, "out", &subject.digest).len(), 1);
    }
}

#[test]
fn a_registry_that_was_emptied_gets_them_again() {
    for api in [true, false] {
        let fixture = fixture(api);
        let empty = fixture.registry.snapshot();
        let words = "--bare --platform=all --sbom-attach=referrers";
        let _ = fixture.build(words).output().success();
        fixture.registry.restore(&empty);
        let _ = fixture.build(words).output().success();
        for subject in subjects(&fixture) {
            let about = about(&fixture, "out", &subject.digest);
            assert_eq!(about.len(), 1, "{about:?}");
            let (digest, manifest) = &about[0];
            is_referrer(&fixture, &subject, digest, manifest, api);
        }
    }
}

#[test]
fn another_repository_may_hold_them() {
    let fixture = fixture(false);
    let place = format!("{}/sboms", fixture.registry.host());
    let run = fixture.build("--bare --platform=all --sbom-attach=referrers");
    let _ = run.env("COSIGN_REPOSITORY", &place).output().success();
    assert_eq!(fixture.registry.tags("out"), ["latest"]);
    assert_eq!(fixture.registry.tags("sboms").len(), 3);
}

#[test]
fn no_tag_moves_where_they_are_refused() {
    let fixture = fixture(false);
    let words = "--bare --platform=linux/amd64 --sbom-attach=referrers";
    let _ = fixture.build("--bare --platform=linux/amd64 -t first").output().success();
    let image = fixture.built("out", "first");
    fixture.registry.put_manifest("out", &tag(&image.digest), MANIFEST, "{}");
    let output = fixture.build(words).output().failure(1);
    for want in [
        format!(
            "attaching sbom: {}/out:{} should be an index of referrers, and is {MANIFEST}: it is left alone",
            fixture.registry.host(),
            tag(&image.digest)
        ),
        "hint: delete the tag, if it is of no use".to_owned(),
    ] {
        assert!(output.stderr.contains(&want), "{want}\n{}", output.stderr);
    }
    assert_eq!(fixture.registry.manifest("out", &tag(&image.digest)).unwrap().bytes, "{}");
    assert!(!fixture.registry.tags("out").contains(&"latest".to_owned()));

    fixture.registry.delete_tag("out", &tag(&image.digest));
    let refused = Rule::new(Fault::status(400, "MANIFEST_INVALID")).class(Class::ManifestPut);
    fixture.registry.inject(refused);
    let output = fixture.build(words).output().failure(1);
    for want in ["attaching sbom: ", "--sbom-attach=tag"] {
        assert!(output.stderr.contains(want), "{}", output.stderr);
    }
}

#[test]
fn the_configuration_and_variables_decide_too() {
    let fixture = Fixture::new();
    let empty = fixture.registry.snapshot();
    let way = |words: &str, variable: &str| {
        fixture.registry.restore(&empty);
        let run = fixture.build(&format!("--bare {words}"));
        let _ = run.env("KO_SBOMATTACH", variable).output().success();
        fixture.registry.tags("out").len()
    };
    let _ = fixture.module().file(".ko.yaml", "sbomAttach: none\n");
    assert_eq!(way("", ""), 1);
    assert_eq!(way("", "tag"), 2);
    assert_eq!(way("--sbom-attach=none", "tag"), 1);
    for (words, variable, want) in [
        (
            "--sbom-attach=tags",
            "",
            "error creating publisher: invalid argument \"tags\" for \"--sbom-attach\" flag: must be tag, referrers, both, attestation or none",
        ),
        ("", "x", "'sbomAttach': must be tag, referrers, both, attestation or none, not \"x\""),
        ("--sbom=none", "x", "'sbomAttach': must be"),
    ] {
        let run = fixture.build(words);
        let output = run.env("KO_SBOMATTACH", variable).output().failure(1);
        assert!(output.stderr.contains(want), "{}", output.stderr);
    }
    let run = fixture.build("");
    let output = run.env("KO_CREATEREPOSITORIES", "maybe").output().failure(1);
    let want = "'createRepositories': must be true or false, not \"maybe\"";
    assert!(output.stderr.contains(want), "{}", output.stderr);
}
