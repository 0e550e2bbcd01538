//! SBOMs: what is in them, where they go, what they cost, and that those who
//! know the formats take them.

use crate::fixture::{Built, Fixture, build, module, sandbox};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::base::{Image, Index};
use testkit::registry::{Class, Fault, Recorded, Rule, TestRegistry};
use testkit::sandbox::Sandbox;

/// A base for two platforms, and a program that has a module in it which is
/// replaced by a directory of a name that SPDX has no letters for.
fn fixture() -> Fixture {
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64/v8"));
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let _ = fixture
        .module()
        .file(
            "go.mod",
            "module example.com/app\n\ngo 1.21\n\nrequire example.com/lib_x v1.2.3\n\nreplace example.com/lib_x => ./lib\n",
        )
        .file("lib/go.mod", "module example.com/lib_x\n")
        .file("lib/lib.go", "package lib\n\nconst Text = \"text\"\n")
        .file(
            "main.go",
            "package main\n\nimport \"example.com/lib_x\"\n\nfunc main() { println(lib.Text) }\n",
        );
    fixture
}

fn tag(subject: &str) -> String {
    format!("{}.sbom", subject.replace(':', "-"))
}

/// The document that is attached to an image: its media type and bytes.
fn attached(fixture: &Fixture, repository: &str, subject: &str) -> (String, Vec<u8>) {
    let attachment = fixture.built(repository, &tag(subject));
    let layer = &attachment.manifest["layers"][0];
    let document = fixture.registry.blob(repository, layer["digest"].as_str().unwrap()).unwrap();
    (layer["mediaType"].as_str().unwrap().to_owned(), document)
}

fn is_sbom(request: &Recorded) -> bool {
    request.class == Class::ManifestPut && request.path.ends_with(".sbom")
}

fn lines(requests: &[Recorded]) -> Vec<String> {
    requests.iter().map(|it| format!("{} {} {}", it.method, it.path, it.status)).collect()
}

fn edit(fixture: &Fixture, text: &str) {
    let source = format!("package main\n\nfunc main() {{\n\tprintln({text:?})\n}}\n");
    let _ = fixture.module().file("main.go", source);
}

#[test]
fn every_image_and_index_has_one() {
    let fixture = fixture();
    let output = fixture.build("--bare --platform=all --sbom-dir=some/dir").output().success();
    let index = fixture.built("out", "latest");
    let mut images: Vec<Built> = fixture.children("out", &index);
    let dir = fixture.sandbox.work().join("some/dir");
    assert_eq!(fixture.registry.tags("out").len(), 4);
    images.push(index);
    for (image, part) in images.iter().zip(["linux-amd64", "linux-arm64-v8", "index"]) {
        let path = dir.join(format!("app-{part}.spdx.json"));
        let document = fs::read(&path).unwrap();
        let (media_type, bytes) = attached(&fixture, "out", &image.digest);
        assert_eq!((&*media_type, &bytes), ("text/spdx+json", &document));
        let relative = format!("some/dir/app-{part}.spdx.json");
        for line in [
            format!("Writing SBOM to {relative}\n"),
            format!("Published SBOM {}/out:{}\n", fixture.registry.host(), tag(&image.digest)),
        ] {
            assert!(output.stderr.contains(&line), "{line}{}", output.stderr);
        }
        let document: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document["name"], format!("sbom-{}", image.digest));
        assert_eq!(
            document["relationships"][0],
            json!({
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": document["documentDescribes"][0],
            })
        );
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }
    crate::leftovers::assert_none(&fixture.sandbox, &[&dir]);
}

#[test]
fn what_was_built_is_described() {
    let fixture = fixture();
    let _ = fixture.build("--bare --platform=linux/amd64").output().success();
    let image = fixture.built("out", "latest");
    let (_, bytes) = attached(&fixture, "out", &image.digest);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.ends_with("\n}\n"), "{text}");
    assert!(!text.contains("./lib"), "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    let packages = document["packages"].as_array().unwrap();
    let names: Vec<&str> = packages.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let base = &image.manifest["annotations"]["org.opencontainers.image.base.digest"];
    let base = format!("{}/base@{}", fixture.registry.host(), base.as_str().unwrap());
    assert_eq!(names, [&image.digest, &*base, "example.com/app", "example.com/lib_x"]);
    assert_eq!(packages[1]["versionInfo"], format!("{}/base:latest", fixture.registry.host()));
    assert_eq!(packages[3]["SPDXID"], "SPDXRef-Package-example.com.lib-x");
    assert_eq!(packages[3]["versionInfo"], Value::Null);
    let created = document["creationInfo"]["created"].as_str().unwrap();
    assert!(created.ends_with('Z'), "{created}");
}

/// What `cargo xtask test` installs.
pub(crate) fn python() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let python = tools.join("venv/bin/python");
    assert!(python.exists(), "{} is installed by `cargo xtask test`", python.display());
    python
}

const SPDX: &str = "
import sys
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
for name in sys.argv[1:]:
    messages = validate_full_spdx_document(parse_file(name), 'SPDX-2.3')
    assert not messages, '\\n'.join(message.validation_message for message in messages)
";

const CYCLONEDX: &str = "
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
for name in sys.argv[1:]:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(name).read())
    assert error is None, error
";

#[test]
fn those_who_know_the_formats_take_them() {
    let fixture = fixture();
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    let several = "--platform=linux/amd64,linux/arm64,linux/arm/v7 --image-annotation=a=b";
    for (format, script) in [("spdx", SPDX), ("cyclonedx", CYCLONEDX)] {
        let words = format!("--push=false --sbom={format} --sbom-dir=sbom");
        let _ = fixture.build(&format!("{words} --platform=all")).output().success();
        let _ = build(&sandbox, &format!("{words} {several}")).output().success();
        let _ = build(&sandbox, &words).env("KO_DEFAULTBASEIMAGE", "scratch").output().success();
        let files: Vec<PathBuf> = [&fixture.sandbox, &sandbox]
            .into_iter()
            .flat_map(|sandbox| fs::read_dir(sandbox.work().join("sbom")).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 4, "{files:?}");
        let output = Command::new(python()).arg("-c").arg(script).args(&files).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for file in files {
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn they_follow_from_the_image_alone() {
    let documents = |sandbox: &Sandbox| -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<(String, Vec<u8>)> = fs::read_dir(sandbox.work().join("sbom"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().display().to_string(), fs::read(path).unwrap()))
            .collect();
        all.sort();
        all
    };
    let mut seen = Vec::new();
    for zone in ["UTC", "Asia/Kolkata"] {
        let mut sandbox = sandbox();
        let _ = module(&sandbox).main(".");
        sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
        sandbox.set("TZ", zone);
        for format in ["spdx", "cyclonedx"] {
            let words = format!("--push=false --platform=linux/amd64,linux/arm64 --sbom={format}");
            let run = build(&sandbox, &format!("{words} --sbom-dir=sbom"));
            let _ = run.env("SOURCE_DATE_EPOCH", "1000").output().success();
        }
        seen.push(documents(&sandbox));
    }
    assert_eq!(seen[0].len(), 6);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn cyclonedx_is_attached_under_its_own_media_type() {
    let fixture = fixture();
    let words = "--bare --platform=linux/amd64";
    let media_type = |words: &str| {
        let _ = fixture.build(words).output().success();
        let image = fixture.built("out", "latest");
        attached(&fixture, "out", &image.digest)
    };
    let (spdx, _) = media_type(words);
    let (cyclonedx, bytes) = media_type(&format!("{words} --sbom=cyclonedx"));
    assert_eq!((&*spdx, &*cyclonedx), ("text/spdx+json", "application/vnd.cyclonedx+json"));
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(document["specVersion"], "1.6");
    assert_eq!(document["metadata"]["component"]["name"], "example.com/app");
    // The last one counts, also where the image itself did not change.
    assert_eq!(media_type(words).0, spdx);
}

#[test]
fn none_is_none() {
    let fixture = fixture();
    let words = "--bare --platform=all --sbom=none --sbom-dir=sbom";
    let output = fixture.build(words).env("COSIGN_REPOSITORY", "not a name").output().success();
    assert_eq!(fixture.registry.tags("out"), ["latest"]);
    assert!(!fixture.sandbox.work().join("sbom").exists());
    assert!(!output.stderr.contains("SBOM"), "{}", output.stderr);
}

#[test]
fn layouts_and_dry_runs_attach_none() {
    let fixture = fixture();
    let words = "--push=false --platform=linux/amd64 --oci-layout-path=layout --sbom-dir=sbom";
    let output = fixture.build(words).output().success();
    assert!(!output.stderr.contains("Published SBOM"), "{}", output.stderr);
    let index = fs::read(fixture.sandbox.work().join("layout/index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    assert!(fixture.sandbox.work().join("sbom/app-linux-amd64.spdx.json").exists());
    assert!(fixture.registry.requests_of(Class::ManifestPut).is_empty());
}

#[test]
fn an_unchanged_image_costs_no_request_for_it() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare").output().success();
    fixture.registry.reset();
    let output = fixture.build("--bare").output().success();
    let requests = fixture.registry.requests();
    assert!(requests.len() <= 3, "{:#?}", lines(&requests));
    assert!(output.stderr.contains(" Published SBOM "), "{}", output.stderr);
}

#[test]
fn a_changed_image_costs_few_requests_for_it() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare").output().success();
    let requests = |words: &str, text: &str| {
        edit(&fixture, text);
        fixture.registry.reset();
        let _ = fixture.build(words).output().success();
        fixture.registry.requests()
    };
    let (without, with) = (requests("--bare --sbom=none", "without"), requests("--bare", "with"));
    // Is it there; the document and its config; the manifest of both.
    assert_eq!(with.len() - without.len(), 6, "{:#?}", lines(&with));
    let sbom = with.iter().find(|it| is_sbom(it)).unwrap();
    let image = with.iter().find(|it| it.path.ends_with("/manifests/latest") && it.method == "PUT");
    assert!(sbom.seq < image.unwrap().seq, "{:#?}", lines(&with));
}

#[test]
fn a_registry_that_was_emptied_gets_it_again() {
    let fixture = Fixture::new();
    let empty = fixture.registry.snapshot();
    let _ = fixture.build("--bare").output().success();
    fixture.registry.restore(&empty);
    let _ = fixture.build("--bare").output().success();
    let image = fixture.built("out", "latest");
    let _ = attached(&fixture, "out", &image.digest);
    // So does one from which the tag of the image alone has gone; what is
    // still there is not sent again.
    let layer = fixture.built("out", &tag(&image.digest)).manifest["layers"][0].clone();
    let hex = layer["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    fixture.registry.reset();
    let _ = fixture.build("--bare -t other").output().success();
    let requests = fixture.registry.requests();
    assert!(!requests.iter().any(is_sbom), "{:#?}", lines(&requests));
    assert!(!requests.iter().any(|it| it.query.contains(&hex)), "{:#?}", lines(&requests));
}

#[test]
fn another_repository_may_hold_them() {
    let fixture = fixture();
    let place = format!("{}/signatures/all", fixture.registry.host());
    let run = fixture.build("--bare --platform=all").env("COSIGN_REPOSITORY", &place);
    let output = run.output().success();
    assert_eq!(fixture.registry.tags("out"), ["latest"]);
    assert_eq!(fixture.registry.tags("signatures/all").len(), 3);
    let index = fixture.built("out", "latest");
    let line = format!("Published SBOM {place}:{}\n", tag(&index.digest));
    assert!(output.stderr.contains(&line), "{}", output.stderr);
}

#[test]
fn no_tag_moves_where_it_is_refused() {
    let fixture = Fixture::new();
    let place = format!("{}/closed", fixture.registry.host());
    fixture.registry.inject(Rule::new(Fault::status(403, "DENIED")).path("/closed/"));
    let output = fixture.build("--bare").env("COSIGN_REPOSITORY", place).output().failure(1);
    assert!(
        output.stderr.contains("publishing ko://example.com/app: writing sbom: "),
        "{output:?}"
    );
    assert!(output.stderr.contains("COSIGN_REPOSITORY"), "{}", output.stderr);
    assert!(fixture.registry.tags("out").is_empty());
}

#[test]
fn a_directory_that_cannot_be_written_is_told_first() {
    let fixture = Fixture::new();
    fs::write(fixture.sandbox.work().join("file"), "").unwrap();
    for dir in ["file", "file/below", "/proc/nowhere", "/proc"] {
        let output = fixture.build(&format!("--sbom-dir={dir}")).output().failure(1);
        assert!(
            output.stderr.contains(&format!("--sbom-dir: writing to {dir}: ")),
            "{}",
            output.stderr
        );
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
    assert!(fixture.registry.requests_of(Class::ManifestPut).is_empty());
}

#[test]
fn programs_of_one_name_have_files_of_their_own() {
    let fixture = Fixture::new();
    let _ = fixture.module().main("a/run").main("b/run").main("c/Other");
    let words = "--push=false --sbom-dir=sbom ./a/run ./b/run ./c/Other";
    let _ = fixture.build(words).output().success();
    let dir = fs::read_dir(fixture.sandbox.work().join("sbom")).unwrap();
    let mut names: Vec<String> =
        dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let [other, a, b] = &names[..] else { panic!("{names:?}") };
    assert_eq!(other, "Other-linux-amd64.spdx.json");
    for name in [a, b] {
        let hash = name.strip_prefix("run-").unwrap();
        let hash = hash.strip_suffix("-linux-amd64.spdx.json").unwrap();
        assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
}
