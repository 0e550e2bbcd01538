//! Layers that are compressed otherwise: what the manifests say of them, what
//! cannot be had, and that those who know eStargz take it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::base::Image;
use testkit::registry::{Class, TestRegistry};
use testkit::sandbox::Output;

use crate::fixture::{Built, Fixture};
use crate::services::run;

const TOC: &str = "containerd.io/snapshot/stargz/toc.digest";

/// The layers that are not the base's.
fn added(image: &Built) -> &[Value] {
    let layers = image.manifest["layers"].as_array().unwrap();
    &layers[layers.len() - 2..]
}

/// The media types of these layers; they are of one kind.
fn media_type(image: &Built) -> &str {
    let [kodata, binary] = added(image) else { unreachable!("two layers") };
    assert_eq!(kodata["mediaType"], binary["mediaType"]);
    binary["mediaType"].as_str().unwrap()
}

#[test]
fn only_media_types_and_bytes_differ() {
    let fixture = Fixture::new();
    let _ = fixture.module().special_kodata(".");
    let mut digests = Vec::new();
    for (method, suffix) in
        [("gzip", "+gzip"), ("zstd", "+zstd"), ("none", ""), ("estargz", "+gzip")]
    {
        let words = format!("--bare -t {method} --compression={method}");
        let _ = fixture.build(&words).output().success();
        let image = fixture.built("out", method);
        let oci = "application/vnd.oci.image";
        assert_eq!(media_type(&image), format!("{oci}.layer.v1.tar{suffix}"));
        assert_eq!(image.media_type, format!("{oci}.manifest.v1+json"));
        let plain = fixture.built("out", "gzip");
        // The base's layer is taken as it is.
        assert_eq!(image.manifest["layers"][0], plain.manifest["layers"][0]);
        // eStargz adds two files.
        assert_eq!(image.diff_ids() == plain.diff_ids(), method != "estargz", "{method}");
        for layer in added(&image) {
            let annotations = layer["annotations"].as_object().map_or(0, serde_json::Map::len);
            assert_eq!(annotations, if method == "estargz" { 2 } else { 0 }, "{method}");
            digests.push(layer["digest"].clone());
        }
        let again = fixture.build(&words).output().success();
        assert!(again.stderr.contains(&image.digest), "{}", again.stderr);
    }
    for (index, digest) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(digest), "{digest}");
    }
}

#[test]
fn docker_s_format_has_gzip_alone() {
    let base = Image::docker("linux/amd64").build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".");
    for method in ["gzip", "estargz"] {
        let _ = fixture.build(&format!("--bare --compression={method}")).output().success();
        let image = fixture.built("out", "latest");
        let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        assert_eq!(media_type(&image), layer, "{method}");
    }
    fixture.registry.reset();
    for method in ["zstd", "none"] {
        let run = fixture.build(&format!("--bare --compression={method}"));
        let output = run.env("KO_GO_PATH", go_that_lists(&fixture)).output().failure(1);
        let want = format!(
            "/base is of Docker's format (application/vnd.docker.distribution.manifest.v2+json), whose layers can only be gzip or estargz, not {method}"
        );
        assert!(output.stderr.contains(&want), "{}", output.stderr);
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
    assert!(fixture.registry.requests_of(Class::ManifestPut).is_empty());
}

/// A go that cannot build.
fn go_that_lists(fixture: &Fixture) -> std::path::PathBuf {
    let path = fixture.sandbox.root().join("go");
    let script = "#!/bin/sh\n[ \"$1\" != build ] && exec go \"$@\"\nexit 1\n";
    std::fs::write(&path, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    path
}

#[test]
fn the_flag_is_over_the_variables_and_these_over_the_file() {
    let fixture = Fixture::new();
    let _ = fixture.module().file(".ko.yaml", "compression: zstd\ncompressionLevel: 19\n");
    let built = |words: &str, variables: &[(&str, &str)]| {
        let mut run = fixture.build(&format!("--bare {words}"));
        for (name, value) in variables {
            run = run.env(name, value);
        }
        let _ = run.output().success();
        let image = fixture.built("out", "latest");
        match added(&image)[1]["annotations"].get(TOC) {
            Some(_) => "estargz".to_owned(),
            None => media_type(&image).rsplit_once("tar").unwrap().1.to_owned(),
        }
    };
    let estargz = ("GGCR_EXPERIMENT_ESTARGZ", "1");
    assert_eq!(built("", &[]), "+zstd");
    assert_eq!(built("", &[estargz]), "estargz");
    assert_eq!(built("", &[estargz, ("KO_COMPRESSION", "none")]), "");
    assert_eq!(built("--compression=gzip", &[estargz, ("KO_COMPRESSION", "none")]), "+gzip");
}

#[test]
fn what_there_is_not_is_told_before_anything_is_asked() {
    let fixture = Fixture::new();
    let error = |words: &str| fixture.build(words).output().failure(1).stderr;
    for (words, want) in [
        (
            "--compression=xz",
            "invalid argument \"xz\" for \"--compression\" flag: unknown compression \"xz\": there are gzip, estargz, zstd and none",
        ),
        (
            "--compression-level=0",
            "invalid argument \"0\" for \"--compression-level\" flag: gzip has no level 0: its levels are 1 to 9",
        ),
        (
            "--compression=zstd --compression-level=23",
            "invalid argument \"23\" for \"--compression-level\" flag: zstd has no level 23: its levels are 1 to 22",
        ),
        (
            "--compression=none --compression-level=1",
            "invalid argument \"1\" for \"--compression-level\" flag: a level of compression was given, and none has none",
        ),
    ] {
        assert_eq!(error(words), format!("Error: error creating builder: {want}\n"));
    }
    assert!(fixture.registry.requests().is_empty());
}

/// What the reference implementation finds in a layer whose table must have
/// this digest, by name.
fn read_by_reference(fixture: &Fixture, layer: &Value) -> BTreeMap<String, Value> {
    let oracle = fixture.sandbox.root().join("oracle");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../layer/tests/it/estargz");
    if !oracle.exists() {
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(&oracle).current_dir(source).env_remove("GO111MODULE");
        run(go.envs([("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("GOWORK", "off")]));
    }
    let blob = fixture.registry.blob("out", layer["digest"].as_str().unwrap()).unwrap();
    let path = fixture.sandbox.root().join("layer");
    std::fs::write(&path, blob).unwrap();
    let toc = layer["annotations"][TOC].as_str().unwrap();
    let lines = run(Command::new(&oracle).arg("estargz").arg(&path).arg(toc));
    let lines = String::from_utf8(lines).unwrap();
    let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.map(|entry| (entry["Name"].as_str().unwrap().to_owned(), entry)).collect()
}

#[test]
fn the_reference_implementation_reads_every_estargz_layer() {
    let fixture = Fixture::new();
    let _ = fixture.module().kodata(".", 9, 3);
    let Output { stderr, .. } = fixture.build("--bare --compression=estargz").output().success();
    let image = fixture.built("out", "latest");
    assert!(stderr.contains(&image.digest), "{stderr}");
    let [kodata, binary] = added(&image) else { unreachable!("two layers") };

    let binary = read_by_reference(&fixture, binary);
    let names: Vec<&str> = binary.keys().map(String::as_str).collect();
    assert_eq!(names, [".prefetch.landmark", "ko-app", "ko-app/app"]);
    // What is before the landmark is fetched before the container starts.
    let offset = |name: &str| binary[name]["Offset"].as_u64().unwrap();
    assert!(offset("ko-app/app") < offset(".prefetch.landmark"));

    let kodata = read_by_reference(&fixture, kodata);
    assert!(kodata.contains_key(".no.prefetch.landmark"), "{kodata:?}");
    let files = kodata.values().filter(|entry| {
        entry["Type"] == "reg" && entry["Name"].as_str().unwrap().starts_with("var/run/ko/")
    });
    assert_eq!(files.count(), 3);
}
