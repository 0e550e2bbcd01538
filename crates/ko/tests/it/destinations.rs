//! Where images go and what they are called there: names, tags, printed
//! references, layouts, and the file of references.

use crate::fixture::{Fixture, build, module, sandbox};
use serde_json::Value;
use std::fs;
use std::path::Path;
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;

#[test]
fn names_tags_and_references_are_ko_s() {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/One");
    let host = fixture.registry.host();
    let md5 = "out/one-8504846166bfe7669b191f9304d01813";
    for (words, repository, printed, tags) in [
        ("", md5, "@", &["latest"][..]),
        ("-P", "out/example.com/app/cmd/one", "@", &["latest"]),
        ("-B -t v1", "out/one", ":v1@", &["v1"]),
        ("-B -t v2,v3 -t v2", "out/one", "@", &["v1", "v2", "v3"]),
        ("-B -t latest,v4", "out/one", "@", &["latest", "v1", "v2", "v3", "v4"]),
        ("--bare -t v1 --tag-only", "out", ":v1", &["v1"]),
        ("-P -B --bare -t x", "out/example.com/app/cmd/one", ":x@", &["latest", "x"]),
        ("-B --bare -t y", "out/one", ":y@", &["latest", "v1", "v2", "v3", "v4", "y"]),
    ] {
        let output = fixture.build(&format!("--sbom=none ./cmd/One {words}")).output().success();
        let reference = tags.last().unwrap();
        let digest = fixture.built(repository, reference).digest;
        let digest = if printed.ends_with('@') { digest } else { String::new() };
        assert_eq!(output.stdout, format!("{host}/{repository}{printed}{digest}\n"), "{words}");
        assert_eq!(fixture.registry.tags(repository), tags, "{words}");
    }
}

#[test]
fn nothing_is_asked_of_a_destination_that_is_not_pushed_to() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");
    let host = fixture.registry.host().to_owned();
    let mut digests = Vec::new();
    for (words, repository, want) in [
        ("", "", "app-263362754691983312e964463bd3e953:latest@".to_owned()),
        ("-B", &*format!("{host}/out"), format!("{host}/out/app:latest@")),
        ("-B -t v1,v2", &format!("{host}/out/"), format!("{host}/out/app:v1@")),
        ("-B -t v1 --tag-only", &format!("{host}/out"), format!("{host}/out/app:v1")),
    ] {
        let run = fixture.build(&format!("--push=false {words}")).env("KO_DOCKER_REPO", repository);
        let output = run.output().success();
        let line = output.stdout.trim_end();
        assert!(line.starts_with(&want), "{words}: {line}");
        digests.extend(line.split_once('@').map(|(_, digest)| digest.to_owned()));
    }
    assert!(digests.len() == 3 && digests.iter().all(|digest| *digest == digests[0]));
    assert_eq!(fixture.registry.counts().total(), 0);
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Checks each blob against its name, and that all blobs that `digest`
/// reaches are there; returns the manifest or index.
fn check_layout(dir: &Path, digest: &str) -> Value {
    let blob = |digest: &str| dir.join("blobs").join(digest.replace(':', "/"));
    for entry in fs::read_dir(dir.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let hex = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(testkit::sha256(&fs::read(&path).unwrap()), format!("sha256:{hex}"));
    }
    let top = read(&blob(digest));
    let mut manifests = vec![top.clone()];
    if let Some(children) = top["manifests"].as_array() {
        manifests = children.iter().map(|it| read(&blob(it["digest"].as_str().unwrap()))).collect();
    }
    for manifest in &manifests {
        let layers = manifest["layers"].as_array().unwrap().iter();
        for descriptor in layers.chain([&manifest["config"]]) {
            let size = fs::metadata(blob(descriptor["digest"].as_str().unwrap())).unwrap().len();
            assert_eq!(descriptor["size"], size);
        }
    }
    top
}

#[test]
fn a_layout_is_written_beside_the_push_or_instead() {
    let index = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::start(), &index.build());
    let _ = fixture.module().main(".").special_kodata(".");
    let layout = fixture.sandbox.work().join("some/layout");
    let host = fixture.registry.host();

    let words = "--bare --platform=all --oci-layout-path=some/layout";
    let output = fixture.build(words).output().success();
    let pushed = fixture.built("out", "latest");
    assert_eq!(output.stdout, format!("{host}/out@{}\n", pushed.digest));
    assert!(output.stderr.contains(" Saved ko://example.com/app\n"), "{}", output.stderr);
    assert_eq!(check_layout(&layout, &pushed.digest), pushed.manifest);
    assert_eq!(
        fs::read_to_string(layout.join("oci-layout")).unwrap(),
        "{\n    \"imageLayoutVersion\": \"1.0.0\"\n}"
    );

    // A second image is added to the first.
    fixture.registry.reset();
    let words = "--push=false --oci-layout-path=some/layout";
    let output = fixture.build(words).env("KO_DOCKER_REPO", "").output().success();
    let digest = output.stdout.trim_end().strip_prefix("some/layout@").unwrap();
    let manifest = check_layout(&layout, digest);
    let entries = read(&layout.join("index.json"))["manifests"].clone();
    let digests: Vec<_> = entries.as_array().unwrap().iter().map(|it| &it["digest"]).collect();
    assert_eq!(digests, [&*pushed.digest, digest]);
    assert_eq!(entries[0]["mediaType"], pushed.media_type);
    assert_eq!(entries[1]["mediaType"], manifest["mediaType"]);
    let bytes = fs::metadata(layout.join("blobs").join(digest.replace(':', "/"))).unwrap().len();
    assert_eq!(entries[1]["size"], bytes);
    crate::leftovers::assert_none(&fixture.sandbox, &[&fixture.sandbox.work()]);
}

#[test]
fn a_directory_may_be_the_destination() {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("KO_DOCKER_REPO", "oci:images");
    for dir in ["images".to_owned(), sandbox.root().join("a b").display().to_string()] {
        let run = build(&sandbox, "--platform=linux/amd64,linux/arm64");
        let output = run.env("KO_DOCKER_REPO", format!("oci:{dir}")).output().success();
        let printed = output.stdout.trim_end();
        let (path, digest) = printed.rsplit_once('@').unwrap();
        assert!(path.starts_with(&dir), "{printed}");
        let index = check_layout(&sandbox.work().join(&dir), digest);
        assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    }
    // What did not change is not there twice.
    let _ = build(&sandbox, "--platform=linux/amd64").output().success();
    let _ = build(&sandbox, "--platform=linux/amd64").output().success();
    let entries = read(&sandbox.work().join("images/index.json"));
    assert_eq!(entries["manifests"].as_array().unwrap().len(), 1, "{entries}");
}

#[test]
fn all_references_are_written_to_a_file() {
    let index = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::start(), &index.build());
    let _ = fixture.module().main("cmd/one").main("cmd/two").broken_main("cmd/broken");
    let refs = fixture.sandbox.work().join("refs");
    let host = fixture.registry.host();

    let words = "--image-refs=refs -B ./cmd/one ./cmd/broken";
    let _ = fixture.build(words).output().failure(1);
    assert!(!refs.exists(), "there is nothing to refer to");

    let words = "--image-refs=refs -B -t v1 ./cmd/two ./cmd/one";
    let output = fixture.build(words).output().success();
    assert_eq!(fs::read_to_string(&refs).unwrap(), output.stdout);

    let words = "--image-refs=refs -B -t v1 ./cmd/one --platform=all";
    let output = fixture.build(words).output().success();
    let index = fixture.built("out/one", "v1");
    assert_eq!(output.stdout, format!("{host}/out/one:v1@{}\n", index.digest));
    let mut want = vec![format!("{host}/out/one@{}", index.digest)];
    for child in fixture.children("out/one", &index) {
        want.push(format!("{host}/out/one@{}", child.digest));
    }
    let found = fs::read_to_string(&refs).unwrap();
    assert_eq!(found.lines().collect::<Vec<_>>(), want);
}
