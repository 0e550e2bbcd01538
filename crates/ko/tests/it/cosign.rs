//! cosign, which looks for SBOMs where ko puts them, finds and prints ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::sandbox::Sandbox;

use crate::fixture::{build, module, sandbox};
use crate::services::DockerRegistry;

fn cosign(words: &[&str]) -> Output {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let program = tools.join("cosign");
    assert!(program.exists(), "{} is installed by `cargo xtask test`", program.display());
    let home = TempDir::with_prefix("ko-cosign-").unwrap();
    let mut cosign = Command::new(program);
    cosign.args(words).env("HOME", home.path()).env("DOCKER_CONFIG", home.path());
    let output = cosign.output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A program for two platforms in a registry: the reference of the index, and
/// the sandbox with the documents in `sbom`.
fn published(registry: &DockerRegistry, format: &str, words: &str) -> (String, Sandbox) {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("KO_DOCKER_REPO", format!("{}/{format}", registry.host()));
    let platforms = "--platform=linux/amd64,linux/arm64";
    let words = format!("--bare {platforms} --sbom={format} --sbom-dir=sbom {words}");
    let output = build(&sandbox, &words).output().success();
    (output.stdout.trim_end().to_owned(), sandbox)
}

#[test]
fn it_downloads_them() {
    let registry = DockerRegistry::start();
    for (format, extension, media_type) in [
        ("spdx", "spdx.json", "text/spdx+json"),
        ("cyclonedx", "cdx.json", "application/vnd.cyclonedx+json"),
    ] {
        let (index, sandbox) = published(&registry, format, "");
        for (platform, part) in
            [("", "index"), ("linux/amd64", "linux-amd64"), ("linux/arm64/v8", "linux-arm64-v8")]
        {
            let mut words = vec!["download", "sbom", &index];
            if !platform.is_empty() {
                words.extend(["--platform", platform]);
            }
            let output = cosign(&words);
            let file: PathBuf = sandbox.work().join(format!("sbom/app-{part}.{extension}"));
            let document = fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(String::from_utf8(output.stdout).unwrap(), document, "{part}");
            let stderr = String::from_utf8(output.stderr).unwrap();
            let found = format!("Found SBOM of media type: {media_type}");
            assert!(stderr.contains(&found), "{stderr}");
        }
    }
}

#[test]
fn it_shows_them_beside_the_image() {
    let registry = DockerRegistry::start();
    let (index, _sandbox) = published(&registry, "spdx", "");
    let (_, digest) = index.split_once('@').unwrap();
    let tree = String::from_utf8(cosign(&["tree", &index]).stdout).unwrap();
    let tag = format!("{}/spdx:{}.sbom", registry.host(), digest.replace(':', "-"));
    assert!(tree.contains(&format!("SBOMs for an image tag: {tag}")), "{tree}");
}

#[test]
fn it_shows_referrers_where_the_registry_does_not_list_them() {
    let registry = DockerRegistry::start();
    let (index, _sandbox) = published(&registry, "spdx", "--sbom-attach=referrers");
    let tree = String::from_utf8(cosign(&["tree", &index]).stdout).unwrap();
    let found = format!(
        "application/spdx+json artifacts via OCI referrer: {}/spdx@sha256:",
        registry.host()
    );
    assert!(tree.contains(&found), "{tree}");
}
