//! What most tests start from: a registry with a base image in it, and a
//! sandbox whose working directory is a module.

use serde_json::Value;
use std::fs;
use testkit::base::{self, Image};
use testkit::module::Module;
use testkit::registry::TestRegistry;
use testkit::sandbox::{Run, Sandbox};

use crate::schema;

/// The command under test, cut off from this machine's user.
pub(crate) fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new(env!("CARGO_BIN_EXE_ko"));
    sandbox.check(schema::check_run);
    // Go's telemetry would go on in a process of its own, and write to the
    // sandbox after its end.
    let telemetry = sandbox.root().join("config/go/telemetry");
    fs::create_dir_all(&telemetry).unwrap();
    fs::write(telemetry.join("mode"), "off").unwrap();
    sandbox
}

/// The module of a sandbox, `example.com/app` with no program in it yet.
pub(crate) fn module(sandbox: &Sandbox) -> Module {
    Module::new(sandbox.work(), "example.com/app")
}

/// A registry and a sandbox that pulls from it and pushes to it.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) registry: TestRegistry,
    pub(crate) sandbox: Sandbox,
}

impl Fixture {
    /// The default base is an OCI image for linux/amd64 with one layer; images
    /// go to `out` and below. The one program is `example.com/app`.
    pub(crate) fn new() -> Fixture {
        let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").build());
        let _ = fixture.module().main(".");
        fixture
    }

    /// The same on another registry and base, without a program.
    pub(crate) fn on(registry: TestRegistry, base: &base::Fixture) -> Fixture {
        base.push(&registry, "base", "latest");
        let mut sandbox = sandbox();
        sandbox.set("KO_DOCKER_REPO", format!("{}/out", registry.host()));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        Fixture { registry, sandbox }
    }

    pub(crate) fn module(&self) -> Module {
        module(&self.sandbox)
    }

    /// `ko build` with further words, split at spaces.
    pub(crate) fn build(&self, words: &str) -> Run<'_> {
        build(&self.sandbox, words)
    }

    /// What a repository has under a tag or digest.
    pub(crate) fn built(&self, repository: &str, reference: &str) -> Built {
        let found = self.registry.manifest(repository, reference);
        let found = found.unwrap_or_else(|| panic!("no {repository}:{reference}"));
        let manifest = found.json();
        let config = match manifest["config"]["digest"].as_str() {
            Some(digest) => {
                let bytes = self.registry.blob(repository, digest).unwrap();
                serde_json::from_slice(&bytes).unwrap()
            }
            None => Value::Null,
        };
        Built { digest: found.digest(), media_type: found.media_type, manifest, config }
    }

    /// The images of an index.
    pub(crate) fn children(&self, repository: &str, index: &Built) -> Vec<Built> {
        let children = index.manifest["manifests"].as_array().unwrap().iter();
        children.map(|child| self.built(repository, child["digest"].as_str().unwrap())).collect()
    }
}

/// `ko build` with further words, split at spaces.
pub(crate) fn build<'a>(sandbox: &'a Sandbox, words: &str) -> Run<'a> {
    sandbox.run(std::iter::once("build").chain(words.split_whitespace()))
}

/// An image or index as a registry holds it.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) digest: String,
    pub(crate) media_type: String,
    pub(crate) manifest: Value,
    /// `null` for an index.
    pub(crate) config: Value,
}

impl Built {
    /// The `diff_id`s of all layers, the base's first.
    pub(crate) fn diff_ids(&self) -> Vec<&str> {
        let diff_ids = self.config["rootfs"]["diff_ids"].as_array().unwrap().iter();
        diff_ids.map(|diff_id| diff_id.as_str().unwrap()).collect()
    }

    /// The platforms of an index, as `os/arch[/variant]`.
    pub(crate) fn platforms(&self) -> Vec<String> {
        let entries = self.manifest["manifests"].as_array().unwrap().iter();
        let platform = |entry: &Value| {
            let part = |name: &str| entry["platform"][name].as_str().map(str::to_owned);
            [part("os"), part("architecture"), part("variant")]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("/")
        };
        entries.map(platform).collect()
    }
}
