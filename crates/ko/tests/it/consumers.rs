//! The examples for other tools do what these ask for: goreleaser runs its own; the others
//! are called as their tools call them, by the words that their files have.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;
use testkit::sandbox::{Output, Sandbox};

use crate::kubectl::path_with;

/// The examples, with a shell beside them that has ko in PATH, and a registry.
struct Example {
    registry: TestRegistry,
    sandbox: Sandbox,
    dir: PathBuf,
}

impl Example {
    fn new(name: &str) -> Self {
        let registry = TestRegistry::start();
        let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
        base.build().push(&registry, "base", "latest");
        let mut sandbox = Sandbox::new("sh");
        let bin = sandbox.root().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_ko"), bin.join("ko")).unwrap();
        sandbox.set("PATH", path_with(&bin));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let status = Command::new("cp").arg("-r").arg(&all).arg(sandbox.work()).status();
        assert!(status.unwrap().success());
        let dir = sandbox.work().join("examples").join(name);
        Self { registry, sandbox, dir }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.dir.join(file)).unwrap()
    }

    /// What stands behind a key of a file, which it has once.
    fn value(&self, file: &str, key: &str) -> String {
        let text = self.read(file);
        let mut found = text.lines().filter_map(|line| line.trim().strip_prefix(key));
        let value = found.next().unwrap_or_else(|| panic!("{file} has no {key}"));
        assert_eq!(found.next(), None, "{file} has {key} twice");
        value.trim().to_owned()
    }

    /// A shell runs words in a directory below the examples.
    fn run(&self, dir: &str, command: &str, variables: &[(&str, &str)]) -> Output {
        let mut run = self.sandbox.run(["-c", command]).cwd(self.dir.join(dir));
        for (name, value) in variables {
            run = run.env(name, value);
        }
        run.output().success()
    }

    /// The platforms of an image.
    fn platforms(&self, repository: &str, tag: &str) -> Vec<String> {
        let manifest = self.registry.manifest(repository, tag).unwrap().json();
        let platform = |entry: &Value| {
            let part = |name: &str| entry["platform"][name].as_str().unwrap().to_owned();
            format!("{}/{}", part("os"), part("architecture"))
        };
        manifest["manifests"].as_array().into_iter().flatten().map(platform).collect()
    }
}

/// skaffold.dev, "Custom Build Script": the command runs in the context, and variables say
/// which image is wanted.
#[test]
fn skaffold_s_custom_builder() {
    let example = Example::new("skaffold");
    assert_eq!(example.value("skaffold.yaml", "kind:"), "Config");
    let context = example.value("skaffold.yaml", "context:");
    let command = example.value("skaffold.yaml", "buildCommand:");
    let image = format!("{}/dev/hello:v1-dirty", example.registry.host());
    let variables = [("IMAGE", &*image), ("PUSH_IMAGE", "true")];
    let _ = example.run(&context, &command, &variables);
    assert!(example.registry.manifest("dev/hello", "v1-dirty").is_some());
    let both = [variables[0], variables[1], ("PLATFORMS", "linux/amd64,linux/arm64")];
    let _ = example.run(&context, &command, &both);
    assert_eq!(example.platforms("dev/hello", "v1-dirty"), ["linux/amd64", "linux/arm64"]);
    // What is not pushed is for the Docker of this machine.
    let local = [variables[0], ("PUSH_IMAGE", "false"), ("DOCKER_HOST", "unix:///nowhere")];
    let output = example.run(&context, &format!("! {command}"), &local);
    assert!(output.stderr.contains("/nowhere"), "{}", output.stderr);
}

/// A Tiltfile is Starlark, of which Python reads this much. `custom_build` has the
/// parameters of Tilt's.
const TILT: &str = r#"
import json, os, shlex
calls, files = [], []
def custom_build(ref, command, deps, tag="", disable_push=False, skips_local_docker=False,
                 live_update=[], match_in_env_vars=False, ignore=[], entrypoint=[],
                 container_args=[], outputs_image_ref_to="", command_bat=""):
    assert deps and all(os.path.exists(it) for it in deps), deps
    calls.append({"ref": ref, "command": command, "pushes": disable_push and skips_local_docker})
def load(path, *names):
    scope = {"shlex": shlex, "custom_build": custom_build}
    exec(open(path).read(), scope)
    globals().update({name: scope[name] for name in names})
def k8s_yaml(path):
    files.append(open(path).read())
exec(open("Tiltfile").read())
ko_build("local", dir="../hello", push=False, flags=["--image-label=a=b c"])
assert all("image: " + call["ref"] in "".join(files) for call in calls[:-1])
print(json.dumps(calls))
"#;

/// docs.tilt.dev, "Custom Image Builders": `EXPECTED_REF` is what has to be built.
#[test]
fn tilt_s_extension() {
    let example = Example::new("tilt");
    let output = example.run(".", &format!("python3 - <<'END'{TILT}END"), &[]);
    let calls: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    let text = |call: &Value, key: &str| call[key].as_str().unwrap().to_owned();
    assert_eq!((text(&calls[0], "ref"), &calls[0]["pushes"]), ("hello".to_owned(), &true.into()));
    let expected = format!("{}/hello:tilt-build-1", example.registry.host());
    let _ = example.run(".", &text(&calls[0], "command"), &[("EXPECTED_REF", &expected)]);
    assert!(example.registry.manifest("hello", "tilt-build-1").is_some());
    assert_eq!(calls[1]["pushes"], false);
    let command = text(&calls[1], "command");
    let variables = [("EXPECTED_REF", &*expected), ("DOCKER_HOST", "unix:///nowhere")];
    let output = example.run(".", &format!("! ({command})"), &variables);
    assert!(output.stderr.contains("/nowhere"), "{}", output.stderr);
}

/// The documentation of `hashicorp/external`: a program gets a JSON object on its standard
/// input, and answers with one, of strings.
#[test]
fn terraform_s_external_program() {
    let example = Example::new("terraform");
    let program = example.value("main.tf", "program     =");
    let dir = example.value("main.tf", "working_dir =");
    let repository = format!("{}/hello", example.registry.host());
    let words: String = program
        .trim_matches(['[', ']'])
        .replace("abspath(\"${path.module}/image.sh\")", "../terraform/image.sh")
        .replace("var.repository", &repository)
        .replace(',', "");
    let dir = dir.trim_matches('"').replace("${path.module}/", "");
    let output = example.run(&dir, &format!("echo '{{}}' | {words}"), &[]);
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    let key = example.value("main.tf", "value       = data.external.image.result.");
    let image = answer[&key].as_str().unwrap();
    let digest = example.registry.manifest("hello", "latest").unwrap().digest();
    assert_eq!(image, format!("{repository}@{digest}"));
}

/// goreleaser itself makes a release of a tag.
#[test]
fn goreleaser_releases_a_tag() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let goreleaser = tools.join("goreleaser");
    assert!(goreleaser.exists(), "`cargo xtask test --only setup` installs goreleaser");
    let example = Example::new("goreleaser");
    let script = format!(
        "set -e
         git init --quiet ..
         git add --all ..
         git -c user.name=ko -c user.email=ko@example.com commit --quiet --message=first
         git tag v1.2.3
         git remote add origin https://git.example/team/hello
         {} release --skip=publish",
        goreleaser.display()
    );
    let repository = format!("{}/hello", example.registry.host());
    let output = example.run(".", &script, &[("KO_DOCKER_REPO", &*repository)]);
    assert!(output.stderr.contains("release succeeded"), "{}", output.stderr);
    assert_eq!(example.platforms("hello", "1.2.3"), ["linux/amd64", "linux/arm64"]);
    assert!(example.dir.join("dist/artifacts.json").exists());
}
