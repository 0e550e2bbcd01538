//! `cargo xtask kube`: a Kubernetes API server, for the tests that need one
//! or for a look by hand. Nobody distributes `kube-apiserver` as a program, so
//! it is compiled here, once, from the modules that Kubernetes publishes.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use clap::Args;
use serde_json::Value;
use testkit::kube::{ApiServer, VERSION, built, kubectl};
use toolkit::file::write;
use toolkit::{Error, Result, go, step};

use crate::setup;

/// What `cargo xtask kube` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Runs a server until Ctrl-C, and prints how kubectl finds it, instead of
    /// running the tests that use one
    #[arg(long)]
    serve: bool,
}

/// Prepares all that is needed, and uses it.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::packages()?;
    prepare()?;
    if options.serve {
        return serve();
    }
    step::run(step::cargo().args(["test", "-p", "ko", "--test", "it", "kubernetes::"]))
}

/// Builds what is missing: the API server, and kubectl on a machine without.
pub(crate) fn prepare() -> Result<()> {
    build("kube-apiserver")?;
    if kubectl() == built("kubectl") { build("kubectl") } else { Ok(()) }
}

fn serve() -> Result<()> {
    let server = ApiServer::start().map_err(Error::Missing)?;
    let path = step::tools().join("kube/config");
    write(&path, &server.kubeconfig("default"))?;
    println!("export KUBECONFIG={}", path.display());
    eprintln!("Ctrl-C, or the end of the input, ends the server");
    // Ctrl-C ends us, and thereby the server.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}

/// Compiles a program of Kubernetes, unless that was done before.
fn build(program: &str) -> Result<()> {
    let target = built(program);
    if target.exists() {
        return Ok(());
    }
    let dir = step::tools().join("kube/module");
    fs::create_dir_all(&dir).map_err(|source| Error::File { path: dir.clone(), source })?;
    write(&dir.join("go.mod"), &module()?)?;
    let number = VERSION.trim_start_matches('v');
    let [major, minor] = [0, 1].map(|at| number.split('.').nth(at).unwrap_or_default());
    let version = "k8s.io/component-base/version";
    let partial = dir.join(program);
    // Beside whatever else the machine is used for.
    let mut command = Command::new("nice");
    command.args(["go", "build", "-mod=mod", "-trimpath", "-p", "2", "-ldflags"]);
    command.arg(format!(
        "-s -w -X {version}.gitVersion={VERSION} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    ));
    command.arg("-o").arg(&partial).arg(format!("k8s.io/kubernetes/cmd/{program}"));
    command.current_dir(&dir).env("CGO_ENABLED", "0");
    step::run(command.envs(go::SETTINGS))?;
    fs::rename(&partial, &target).map_err(|source| Error::File { path: target, source })
}

/// The `go.mod` of a module that has Kubernetes as a dependency. Kubernetes'
/// own takes the modules that it is divided into from its repository; they are
/// published too, with the number of the release behind `v0`.
fn module() -> Result<String> {
    let mut download = go::command();
    download.args(["mod", "download", "-json", &format!("k8s.io/kubernetes@{VERSION}")]);
    let downloaded = json(&mut download)?;
    let Some(dir) = downloaded["Dir"].as_str() else {
        return Err(Error::Missing(format!("k8s.io/kubernetes: {}", downloaded["Error"])));
    };
    let mut edit = go::command();
    edit.args(["mod", "edit", "-json"]).arg(Path::new(dir).join("go.mod"));
    let published = VERSION.replacen("v1", "v0", 1);
    let mut text = format!("module kube\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes {VERSION}\n\n");
    for replaced in json(&mut edit)?["Replace"].as_array().into_iter().flatten() {
        if let Some(path) = replaced["Old"]["Path"].as_str() {
            let _ = writeln!(text, "replace {path} => {path} {published}");
        }
    }
    Ok(text)
}

fn json(command: &mut Command) -> Result<Value> {
    let output = step::output(command)?;
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}
