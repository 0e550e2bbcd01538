//! `--project`: a public repository that uses ko, built for every image that
//! it ships by both tools, with its own `.ko.yaml`. Needs the network, for
//! the repository and what it depends on; base images are replaced.

mod checkout;
mod image;

use crate::{Options, Programs};
use checkout::{check_out, images};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::base::{Fixture, Image, Index};
use testkit::registry::TestRegistry;
use testkit::sandbox::Sandbox;
use toolkit::{Error, Result, go};

/// What a repository has beside what is in its module.
#[derive(Clone, Copy, Debug, Default)]
struct Project {
    /// Module and version, or a directory.
    source: &'static str,
    /// Whether it gets a vendor directory.
    vendor: bool,
    /// Mains that get a kodata directory with links in it.
    kodata: &'static [&'static str],
    /// Mains that it ships and that no file which is searched names.
    images: &'static [&'static str],
}

const fn plain(source: &'static str) -> Project {
    Project { source, vendor: false, kodata: &[], images: &[] }
}

/// The repositories that `--project all` builds.
const ALL: [Project; 8] = [
    Project { images: &["./test"], ..plain("github.com/google/ko@v0.19.1") },
    Project {
        vendor: true,
        kodata: &["cmd/timestamp-server"],
        ..plain("github.com/sigstore/timestamp-authority@v1.2.9")
    },
    plain("github.com/sigstore/fulcio@v1.8.8"),
    plain("github.com/sigstore/rekor@v1.5.2"),
    plain("github.com/sigstore/policy-controller@v0.13.1"),
    Project {
        kodata: &["cmd/controller", "cmd/webhook"],
        ..plain("github.com/tektoncd/pipeline@v1.9.0")
    },
    plain("knative.dev/eventing@v0.46.0"),
    plain("knative.dev/serving@v0.46.0"),
];

/// What templates of these repositories want to be set.
const VARIABLES: [(&str, &str); 6] = [
    ("GIT_HASH", "0123456789abcdef"),
    ("GIT_VERSION", "v0.0.0-parity"),
    ("LDFLAGS", "-buildid= -X sigs.k8s.io/release-utils/version.gitVersion=v0.0.0-parity"),
    ("SOURCE_DATE_EPOCH", "1700000000"),
    ("KO_DATA_DATE_EPOCH", "1700000000"),
    ("VERSION", "v0.0.0-parity"),
];

/// Compares the images of `source`: a module with its version, a directory,
/// or `all`.
pub(crate) fn run(source: &str, options: &Options, programs: &Programs) -> Result<()> {
    let known: Vec<Project> =
        ALL.into_iter().filter(|one| source == "all" || one.source == source).collect();
    println!("| repository | images | result | ko, first | ours | ko, again |");
    println!("|---|---|---|---|---|---|");
    let mut wrong = Vec::new();
    let mut build = |source: &str, project: &Project| -> Result<()> {
        let (row, equal) = compare(source, project, options, programs)?;
        println!("{row}");
        if !equal {
            wrong.push(source.to_owned());
        }
        Ok(())
    };
    if known.is_empty() {
        build(source, &plain(""))?;
    }
    for project in &known {
        build(project.source, project)?;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Found(format!("ours differs from ko in {}", wrong.join(", "))))
}

/// Builds all images of a repository with ko, ours, and ko again; returns a
/// row of the report, and whether all images are equal.
fn compare(
    source: &str,
    project: &Project,
    options: &Options,
    programs: &Programs,
) -> Result<(String, bool)> {
    let registry = TestRegistry::start();
    base("default").push(&registry, "base", "latest");
    base("override").push(&registry, "other", "latest");
    let checkout = check_out(source, project, registry.host())?;
    let images = images(checkout.dir(), project)?;
    if images.is_empty() {
        return Err(Error::Missing(format!("{source} names no image to build")));
    }
    let beginning = registry.snapshot();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let words = match &options.resolve {
        Some(dir) => vec!["resolve", "-R", "-f", dir],
        None => [&["build"], &images[..]].concat(),
    };
    let platform = options.platform.as_deref();
    let build = |program: &Path| {
        registry.restore(&beginning);
        let begun = Instant::now();
        let output = sandbox(program, registry.host())
            .run(
                words
                    .iter()
                    .copied()
                    .chain(["--sbom=none", "-P"])
                    .chain(platform.map(|_| "--platform"))
                    .chain(platform),
            )
            .cwd(checkout.dir())
            .output();
        let took = begun.elapsed();
        if output.code != Some(0) {
            let who = program.display();
            return Err(Error::Found(format!("{who} in {source}: {}", output.stderr.trim_end())));
        }
        let mut found = image::all(&registry);
        found.extend(image::printed(&registry, &output.stdout));
        Ok((found, took))
    };
    let (ko, first) = build(&programs.ko)?;
    let (ours, mine) = build(&programs.ours)?;
    let (_, again) = build(&programs.ko)?;
    let different = differences(&ko, &ours);
    for line in &different {
        eprintln!("{source}: {line}");
    }
    let result = match different.len() {
        0 => "all equal".to_owned(),
        count => format!("{count} differences"),
    };
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let row = format!(
        "| {source} | {} | {result} | {} | {} | {} |",
        tags(&ko),
        seconds(first),
        seconds(mine),
        seconds(again)
    );
    Ok((row, different.is_empty()))
}

/// The images among what was found, without the places where they are printed.
fn tags(found: &BTreeMap<String, String>) -> usize {
    found.keys().filter(|name| !name.starts_with(image::PRINTED)).count()
}

fn differences(ko: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, theirs) in ko {
        match ours.get(name) {
            None => lines.push(format!("{name}: only ko's")),
            Some(mine) if mine != theirs => {
                lines.push(format!("{name}:\n  ko   {theirs}\n  ours {mine}"));
            }
            Some(_) => {}
        }
    }
    lines.extend(
        ours.keys().filter(|name| !ko.contains_key(*name)).map(|name| format!("{name}: only ours")),
    );
    lines
}

/// What stands in for the base images of a repository.
fn base(seed: &str) -> Fixture {
    let image = |platform| Image::docker(platform).seed(seed).env("PATH=/bin").user("65532");
    let platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/ppc64le"];
    platforms.into_iter().map(image).fold(Index::docker(), Index::image).build()
}

/// Where repositories are built: the modules that were downloaded are shared.
fn sandbox(program: &Path, host: &str) -> Sandbox {
    let mut sandbox = Sandbox::new(program);
    for name in ["GOMODCACHE", "GOPROXY", "GOSUMDB"] {
        sandbox.set(name, go::env(name));
    }
    sandbox.set("KO_DOCKER_REPO", format!("{host}/out"));
    for (name, value) in VARIABLES {
        sandbox.set(name, value);
    }
    sandbox
}
