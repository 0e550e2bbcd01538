//! What the tests need beside Rust, Go and git: Debian packages, the ko that
//! ours is compared with, cosign, further releases of Go, Kubernetes' API server, and
//! Python packages that know what SBOMs look like. What is there already is
//! left alone.

use crate::error::{Error, Result};
use crate::{kube, step};
use std::path::PathBuf;
use std::process::Command;

/// The release of ko that ours is measured against.
pub(crate) const KO_VERSION: &str = "v0.19.1";

/// The release of cosign that reads our SBOMs. Compiling it takes minutes, and
/// happens once.
const COSIGN_VERSION: &str = "v3.1.3";

/// Programs, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 14] = [
    ("bsdtar", "libarchive-tools"),
    ("containerd", "containerd"),
    ("docker-registry", "docker-registry"),
    ("dockerd", "docker.io"),
    ("etcd", "etcd-server"),
    ("faketime", "faketime"),
    ("iptables", "iptables"),
    ("pigz", "pigz"),
    ("podman", "podman"),
    ("python3", "python3-venv"),
    ("runc", "runc"),
    ("skopeo", "skopeo"),
    ("strace", "strace"),
    ("umoci", "umoci"),
];

/// The newest release of Go that freshness is proven for.
pub(crate) const NEWEST_GO: &str = "go1.27.3";

/// Releases of Go whose programs the tests of `golang` read, or that build in
/// them.
const TOOLCHAINS: [&str; 3] = ["go1.24.10", "go1.25.4", NEWEST_GO];

/// Python packages that check SBOMs.
const PYTHON_PACKAGES: [&str; 2] =
    ["cyclonedx-python-lib[json-validation]==11.12.0", "spdx-tools==0.8.5"];

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    packages()?;
    install_program(&format!("github.com/google/ko@{KO_VERSION}"))?;
    install_program(&format!("github.com/sigstore/cosign/v3/cmd/cosign@{COSIGN_VERSION}"))?;
    for toolchain in TOOLCHAINS {
        install_toolchain(toolchain)?;
    }
    install_python_packages()?;
    kube::prepare()
}

/// Where [`run`] puts ko.
pub(crate) fn ko_path() -> PathBuf {
    step::tools().join("ko")
}

/// Installs the programs that are missing.
pub(crate) fn packages() -> Result<()> {
    let missing: Vec<(&str, &str)> =
        PROGRAMS.into_iter().filter(|(program, _)| !present(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (programs, packages): (Vec<&str>, Vec<&str>) = missing.into_iter().unzip();
    if !present("apt-get") {
        return Err(Error::Missing(format!(
            "the tests need {}, and there is no apt-get to install them with",
            programs.join(", ")
        )));
    }
    let sudo = !is_root()? && present("sudo");
    step::run(as_root("apt-get", sudo).arg("update"))?;
    step::run(as_root("apt-get", sudo).args(["install", "--yes"]).args(packages))
}

/// Whether a program is installed.
fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons live where only root looks.
    let daemons = ["/usr/sbin".into(), "/sbin".into()];
    std::env::split_paths(&path).chain(daemons).any(|dir| dir.join(program).is_file())
}

/// Fails if no Docker daemon can be started here, for `what` needs one.
pub(crate) fn need_docker(what: &str) -> Result<()> {
    let missing = ["dockerd", "docker", "containerd", "runc"].into_iter().find(|one| !present(one));
    if let Some(program) = missing {
        return Err(Error::Missing(format!(
            "{what} need {program}: `cargo xtask test --only setup` installs it"
        )));
    }
    if is_root()? {
        return Ok(());
    }
    Err(Error::Missing(format!("{what} start a Docker daemon, which takes root")))
}

fn is_root() -> Result<bool> {
    Ok(step::output(Command::new("id").arg("-u"))?.stdout == b"0\n")
}

fn as_root(program: &str, sudo: bool) -> Command {
    let mut command = if sudo { Command::new("sudo") } else { Command::new("env") };
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    command
}

/// Has Go compile a program at a version, as `package@version`, unless it is
/// among the tools.
fn install_program(package: &str) -> Result<()> {
    let dir = step::tools();
    let name = package.split('@').next().and_then(|path| path.rsplit('/').next());
    if name.is_some_and(|name| dir.join(name).exists()) {
        return Ok(());
    }
    std::fs::create_dir_all(&dir).map_err(|source| Error::File { path: dir.clone(), source })?;
    let mut go = Command::new("go");
    go.args(["install", package]).env("GOBIN", dir);
    step::run(go.envs([("GOENV", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local")]))
}

/// Has Go fetch a release of itself, unless its module cache holds it.
fn install_toolchain(toolchain: &str) -> Result<()> {
    let mut go = Command::new("go");
    go.arg("version").env_remove("GOPATH").env_remove("GOMODCACHE");
    step::run(go.envs([("GOENV", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", toolchain)]))
}

fn install_python_packages() -> Result<()> {
    let dir = step::tools().join("venv");
    if dir.join("bin/pyspdxtools").exists() {
        return Ok(());
    }
    step::run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    step::run(Command::new(dir.join("bin/pip")).args(["install", "--quiet"]).args(PYTHON_PACKAGES))
}
